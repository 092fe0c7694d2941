//! Pictures brought to the size of the screen: bilinear, two rows of the source at a time.

use super::frame::Frame;
use super::{Point, Rect};
use crate::picture::Picture;
use rayon::prelude::*;

/// Steps between two pixels of the source.
const STEPS: i64 = 256;

/// A picture fills its part of the screen as long as at least this share of its height stays: heads and feet belong into a mirror.
const LEAST: f32 = 0.75;

/// The part of `place` that a picture of a size takes: all of it, or a column in its middle where too much height would be cut off.
pub fn place(width: usize, height: usize, place: Rect) -> Rect {
    let aspect = width as f32 / height.max(1) as f32;
    if aspect * place.height as f32 >= LEAST * place.width as f32 {
        return place;
    }
    let column = (place.height as f32 * aspect).round() as i32;
    Rect { x: place.x + (place.width - column) / 2, width: column, ..place }
}

/// How a picture lies on a part of the screen: the whole part is covered, what is too much is cut off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cover {
    /// Source pixels per screen pixel.
    scale: f32,
    /// Source position of the part's upper left corner.
    origin: [f32; 2],
    place: Rect,
}

impl Cover {
    /// Covers `place` with a picture of a size. `focus`, 0..1, says which part of the width stays in view: a half cuts off evenly.
    pub fn new(width: usize, height: usize, place: Rect, focus: f32) -> Self {
        let [wide, high] = [place.width.max(1) as f32, place.height.max(1) as f32];
        let scale = (width as f32 / wide).min(height as f32 / high);
        let origin = [(width as f32 - wide * scale) * focus, (height as f32 - high * scale) / 2.0];
        Self { scale, origin, place }
    }

    /// Where a source position is on the screen.
    pub fn on_screen(&self, source: [f32; 2]) -> Point {
        Point {
            x: (source[0] - self.origin[0]) / self.scale + self.place.x as f32,
            y: (source[1] - self.origin[1]) / self.scale + self.place.y as f32,
        }
    }
}

/// Draws a picture so that it covers `place`; only what lies in `clip`. `light` is the share of its brightness that is
/// kept, of 256.
pub fn draw(
    frame: &mut Frame,
    picture: &Picture,
    (place, focus): (Rect, f32),
    clip: Rect,
    light: u32,
) {
    let rgb = picture.rgb8();
    let mut cover = Cover::new(picture.width, picture.height, place, focus);
    let halved;
    let (mut source, mut width, mut height) = (rgb.as_ref(), picture.width, picture.height);
    // More than two source pixels a screen pixel would be skipped by the bilinear filter.
    let times = cover.scale.log2().floor().max(0.0) as u32;
    if times > 0 {
        halved = average(source, width, height, 1 << times);
        source = &halved;
        (width, height) = (width >> times, height >> times);
        let by = (1 << times) as f32;
        cover.scale /= by;
        cover.origin = cover.origin.map(|origin| origin / by);
    }
    if width == 0 || height == 0 {
        return;
    }
    let seen = place.within(clip).within(frame.bounds());
    if seen.width == 0 || seen.height == 0 {
        return;
    }
    let columns: Vec<(u32, u32)> = (seen.x..seen.right())
        .map(|x| tap(x - place.x, cover.scale, cover.origin[0], width))
        .collect();
    let stretch = frame.width;
    let rows = &mut frame.pixels[seen.y as usize * stretch..seen.bottom() as usize * stretch];
    let block = (rows.len() / stretch).div_ceil(4 * rayon::current_num_threads()).max(8);
    rows.par_chunks_mut(block * stretch).enumerate().for_each(|(index, rows)| {
        let mut cache = [Row::default(), Row::default()];
        for (offset, row) in rows.chunks_exact_mut(stretch).enumerate() {
            let y = seen.y - place.y + (index * block + offset) as i32;
            let (top, share) = tap(y, cover.scale, cover.origin[1], height);
            let bottom = (top + 1).min(height as u32 - 1);
            for line in [top, bottom] {
                let slot = &mut cache[line as usize % 2];
                if slot.line != Some(line) {
                    slot.fill(&source[line as usize * width * 3..][..width * 3], &columns);
                    slot.line = Some(line);
                }
            }
            let row = &mut row[seen.x as usize..seen.right() as usize];
            let [even, odd] = &cache;
            let [first, second] = if top % 2 == 0 { [even, odd] } else { [odd, even] };
            let second = if bottom == top { first } else { second };
            mix(row, &first.values, &second.values, share, light);
        }
    });
}

/// The source pixel left of (above) a screen pixel's middle, and the next one's share of 256.
fn tap(at: i32, scale: f32, origin: f32, length: usize) -> (u32, u32) {
    let source = (f64::from(at) + 0.5) * f64::from(scale) + f64::from(origin) - 0.5;
    let last = (length as i64 - 1) * STEPS;
    let fixed = ((source * STEPS as f64).round() as i64).clamp(0, last);
    ((fixed / STEPS) as u32, (fixed % STEPS) as u32)
}

/// A source row at the screen's columns: values of 16 bits, `[r, g, b, 0]` a pixel.
#[derive(Default)]
struct Row {
    line: Option<u32>,
    values: Vec<[u16; 4]>,
}

impl Row {
    fn fill(&mut self, source: &[u8], columns: &[(u32, u32)]) {
        let last = source.len() / 3 - 1;
        self.values.clear();
        self.values.extend(columns.iter().map(|&(left, share)| {
            let at = left as usize * 3;
            let next = (left as usize + 1).min(last) * 3;
            let [a, b] = [&source[at..at + 3], &source[next..next + 3]];
            let value = |channel: usize| {
                (u32::from(a[channel]) * (256 - share) + u32::from(b[channel]) * share) as u16
            };
            [value(0), value(1), value(2), 0]
        }));
    }
}

fn mix(row: &mut [u32], first: &[[u16; 4]], second: &[[u16; 4]], share: u32, light: u32) {
    let [above, below] = [(256 - share) * light, share * light];
    for ((pixel, a), b) in row.iter_mut().zip(first).zip(second) {
        // 16 bits of value and 16 of share fill 32: the top 8 are the result.
        let value = |channel: usize| {
            (u32::from(a[channel]) * (above >> 1) + u32::from(b[channel]) * (below >> 1)) >> 23
        };
        *pixel = value(0) << 16 | value(1) << 8 | value(2);
    }
}

/// The mean of squares of `by × by` pixels.
fn average(source: &[u8], width: usize, height: usize, by: usize) -> Vec<u8> {
    let [wide, high] = [width / by, height / by];
    let mut target = vec![0; wide * high * 3];
    target.par_chunks_exact_mut((wide * 3).max(1)).enumerate().for_each(|(y, row)| {
        for (x, pixel) in row.chunks_exact_mut(3).enumerate() {
            let mut sums = [0_u32; 3];
            for line in 0..by {
                let start = ((y * by + line) * width + x * by) * 3;
                for values in source[start..start + by * 3].chunks_exact(3) {
                    for channel in 0..3 {
                        sums[channel] += u32::from(values[channel]);
                    }
                }
            }
            let count = (by * by) as u32;
            for channel in 0..3 {
                pixel[channel] = ((sums[channel] + count / 2) / count) as u8;
            }
        }
    });
    target
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradient(width: usize, height: usize) -> Picture {
        let rgb = (0..width * height)
            .flat_map(|i| [(i % width * 255 / width) as u8, (i / width * 255 / height) as u8, 90]);
        Picture::from_rgb8(width, height, rgb.collect())
    }

    #[test]
    fn a_picture_of_the_screens_size_is_copied() {
        let picture = gradient(64, 48);
        let mut frame = Frame::new(64, 48);
        let bounds = frame.bounds();
        draw(&mut frame, &picture, (bounds, 0.5), bounds, 256);
        assert_eq!(frame.rgb(), picture.rgb8().as_ref());
    }

    #[test]
    fn a_picture_of_any_size_covers_its_place_and_nothing_else() {
        for (width, height) in [(1, 1), (7, 300), (300, 7), (640, 480), (2000, 1500)] {
            let picture = Picture::from_rgb8(width, height, vec![200; width * height * 3]);
            let mut frame = Frame::new(100, 80);
            let place = Rect::new(10, 20, 70, 50);
            draw(&mut frame, &picture, (place, 0.5), Rect::new(0, 0, 60, 80), 128);
            for (i, pixel) in frame.pixels.iter().enumerate() {
                let inside = (10..60).contains(&(i % 100)) && (20..70).contains(&(i / 100));
                assert_eq!(*pixel, if inside { 0x0064_6464 } else { 0 }, "{width}x{height} at {i}");
            }
        }
    }

    #[test]
    fn a_place_in_the_picture_is_found_on_the_screen() {
        let cover = Cover::new(200, 100, Rect::new(10, 10, 100, 100), 0.5);
        assert_eq!(cover.on_screen([100.0, 50.0]), Point { x: 60.0, y: 60.0 });
        assert_eq!(cover.on_screen([50.0, 0.0]), Point { x: 10.0, y: 10.0 });
        let right = Cover::new(200, 100, Rect::new(10, 10, 100, 100), 1.0);
        assert_eq!(right.on_screen([100.0, 0.0]), Point { x: 10.0, y: 10.0 });
    }

    #[test]
    fn a_tall_picture_keeps_its_head_and_feet() {
        let screen = Rect::new(0, 0, 1600, 900);
        assert_eq!(place(1280, 720, screen), screen);
        assert_eq!(place(1280, 800, screen), screen);
        assert_eq!(place(900, 1800, screen), Rect::new(575, 0, 450, 900));
        assert_eq!(place(1280, 720, Rect::new(0, 0, 900, 1600)), Rect::new(0, 0, 900, 1600));
    }
}
