//! What a net gets to see: a turned square of a picture, resampled to the net's grid.

use super::RotatedSquare;
use crate::picture::Picture;
use rayon::prelude::*;
use std::borrow::Cow;
use std::sync::OnceLock;

/// A picture with reduced copies, made when first needed.
///
/// Sampling a large region from the full picture would skip pixels and alias; it is read from the
/// copy in which one crop pixel spans one to two of its pixels.
pub(super) struct Pyramid<'a> {
    pub width: usize,
    pub height: usize,
    full: Cow<'a, [u8]>,
    reduced: Vec<OnceLock<Level>>,
}

struct Level {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

/// A level's pixels, wherever they live.
#[derive(Clone, Copy)]
struct View<'a> {
    width: usize,
    height: usize,
    rgb: &'a [u8],
}

impl<'a> Pyramid<'a> {
    pub fn new(picture: &'a Picture) -> Self {
        let levels = picture.width.min(picture.height).max(1).ilog2() as usize;
        Self {
            width: picture.width,
            height: picture.height,
            full: picture.rgb8(),
            reduced: (0..levels).map(|_| OnceLock::new()).collect(),
        }
    }

    /// The square that holds the whole picture, centred.
    pub fn whole(&self) -> RotatedSquare {
        RotatedSquare {
            centre: glam::Vec2::new(self.width as f32, self.height as f32) / 2.0,
            side: self.width.max(self.height) as f32,
            angle: 0.0,
        }
    }

    /// Samples `region` on a `size × size` grid: interleaved RGB, each value `v · scale + offset`
    /// for `v` in 0..255. Outside the picture `v` is 0.
    pub fn crop(&self, region: RotatedSquare, size: usize, scale: f32, offset: f32) -> Vec<f32> {
        let spread = region.side / size as f32;
        let level = (spread.max(1.0).log2() as usize).min(self.reduced.len());
        let view = self.level(level);
        let shrink = 0.5f32.powi(level as i32);
        let to_picture = region.crop_to_picture(size);
        let step = to_picture.matrix2.x_axis * shrink;
        let mut crop = vec![0.0; size * size * 3];
        for (j, row) in crop.chunks_exact_mut(size * 3).enumerate() {
            let start =
                to_picture.transform_point2(glam::Vec2::new(0.5, j as f32 + 0.5)) * shrink - 0.5;
            for (i, pixel) in row.as_chunks_mut::<3>().0.iter_mut().enumerate() {
                let position = start + step * i as f32;
                *pixel = view.sample(position.x, position.y).map(|v| v * scale + offset);
            }
        }
        crop
    }

    fn level(&self, index: usize) -> View<'_> {
        let Some(below) = index.checked_sub(1) else {
            return View { width: self.width, height: self.height, rgb: &self.full };
        };
        let level = self.reduced[below].get_or_init(|| self.level(below).halved());
        View { width: level.width, height: level.height, rgb: &level.rgb }
    }
}

impl View<'_> {
    /// Means of 2 × 2 pixels; an odd last row or column counts twice.
    fn halved(self) -> Level {
        let (width, height) = (self.width.div_ceil(2), self.height.div_ceil(2));
        let mut rgb = vec![0; width * height * 3];
        rgb.par_chunks_exact_mut(width * 3).enumerate().for_each(|(y, row)| {
            let line =
                |y: usize| &self.rgb[y.min(self.height - 1) * self.width * 3..][..self.width * 3];
            let (upper, lower) = (line(2 * y), line(2 * y + 1));
            for (x, pixel) in row.as_chunks_mut::<3>().0.iter_mut().enumerate() {
                let (left, right) = (6 * x, 3 * (2 * x + 1).min(self.width - 1));
                for c in 0..3 {
                    let sum =
                        [upper[left + c], upper[right + c], lower[left + c], lower[right + c]]
                            .map(u16::from)
                            .iter()
                            .sum::<u16>();
                    pixel[c] = ((sum + 2) / 4) as u8;
                }
            }
        });
        Level { width, height, rgb }
    }

    /// Bilinear sample; `(0, 0)` is the centre of the first pixel, what lies outside is black.
    fn sample(self, x: f32, y: f32) -> [f32; 3] {
        let outside = |v: f32, extent: usize| !(v > -1.0 && v < extent as f32);
        if outside(x, self.width) || outside(y, self.height) {
            return [0.0; 3];
        }
        let (left, top) = (x.floor(), y.floor());
        let (fx, fy) = (x - left, y - top);
        let (left, top) = (left as isize, top as isize);
        let weights = [(1.0 - fx) * (1.0 - fy), fx * (1.0 - fy), (1.0 - fx) * fy, fx * fy];
        let mut colour = [0.0; 3];
        for (k, weight) in weights.into_iter().enumerate() {
            let (column, row) = (left + (k & 1) as isize, top + (k >> 1) as isize);
            if column < 0 || row < 0 || column >= self.width as isize || row >= self.height as isize
            {
                continue;
            }
            let at = (row as usize * self.width + column as usize) * 3;
            let pixel = &self.rgb[at..at + 3];
            for c in 0..3 {
                colour[c] += weight * f32::from(pixel[c]);
            }
        }
        colour
    }
}

impl RotatedSquare {
    /// The square cut from a picture and resampled to `size × size`: interleaved RGB, 0..255, black
    /// outside the picture.
    pub fn cut_from(&self, picture: &Picture, size: usize) -> Vec<f32> {
        Pyramid::new(picture).crop(*self, size, 1.0, 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use glam::Vec2;

    #[test]
    fn an_upright_crop_at_its_own_scale_is_the_picture() {
        let rgb: Vec<u8> = (0..8 * 8 * 3).map(|i| (i * 7 % 251) as u8).collect();
        let picture = Picture::from_rgb8(8, 8, rgb.clone());
        let pyramid = Pyramid::new(&picture);
        let crop = pyramid.crop(pyramid.whole(), 8, 1.0, 0.0);
        for (cropped, original) in crop.iter().zip(&rgb) {
            assert!((cropped - f32::from(*original)).abs() < 1e-3);
        }
    }

    #[test]
    fn a_turned_crop_shows_what_the_map_says() {
        let picture = Picture::from_rgb8(
            64,
            64,
            (0..64 * 64).flat_map(|i| [(i % 64) as u8 * 2, (i / 64) as u8 * 2, 0]).collect(),
        );
        let region = RotatedSquare { centre: Vec2::new(30.0, 34.0), side: 24.0, angle: 0.7 };
        let crop = Pyramid::new(&picture).crop(region, 16, 1.0, 0.0);
        let map = region.crop_to_picture(16);
        for (j, i) in [(0, 0), (3, 12), (15, 15), (8, 7)] {
            let seen = map.transform_point2(Vec2::new(i as f32 + 0.5, j as f32 + 0.5));
            let at = (j * 16 + i) * 3;
            assert!((crop[at] / 2.0 + 0.5 - seen.x).abs() < 1e-3);
            assert!((crop[at + 1] / 2.0 + 0.5 - seen.y).abs() < 1e-3);
        }
    }

    #[test]
    fn a_fine_chequerboard_shrinks_to_grey_not_to_stripes() {
        let rgb = (0..1000 * 1000)
            .flat_map(|i| [if (i % 1000 + i / 1000) % 2 == 0 { 255 } else { 0 }; 3])
            .collect();
        let picture = Picture::from_rgb8(1000, 1000, rgb);
        let pyramid = Pyramid::new(&picture);
        let crop = pyramid.crop(pyramid.whole(), 50, 1.0, 0.0);
        assert!(crop.iter().all(|v| (v - 127.5).abs() < 2.0));
    }

    #[test]
    fn outside_the_picture_is_black() {
        let picture = Picture::from_rgb8(1, 1, vec![255; 3]);
        let region = RotatedSquare { centre: Vec2::new(90.0, 90.0), side: 8.0, angle: 0.0 };
        assert!(Pyramid::new(&picture).crop(region, 4, 1.0, 0.0).iter().all(|&v| v == 0.0));
    }
}
