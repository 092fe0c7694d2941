//! The memory that a screen is composed in.

use super::Rect;

/// Pixels of a screen: `0x00RRGGBB`, row-major, no gaps between rows.
pub struct Frame {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width × height` pixels.
    pub pixels: Vec<u32>,
}

impl Frame {
    /// A black frame.
    pub fn new(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![0; width * height] }
    }

    /// Where the whole frame is.
    pub fn bounds(&self) -> Rect {
        Rect { x: 0, y: 0, width: self.width as i32, height: self.height as i32 }
    }

    /// The pixels as `[r, g, b]` values, row-major.
    pub fn rgb(&self) -> Vec<u8> {
        self.pixels
            .iter()
            .flat_map(|pixel| [(pixel >> 16) as u8, (pixel >> 8) as u8, *pixel as u8])
            .collect()
    }

    /// Fills a rectangle.
    pub fn fill(&mut self, rect: Rect, color: u32) {
        let rect = rect.within(self.bounds());
        for y in rect.y..rect.bottom() {
            let start = y as usize * self.width + rect.x as usize;
            self.pixels[start..start + rect.width as usize].fill(color);
        }
    }

    /// Lays a layer over the frame with its upper left corner at `(x, y)`; only inside `clip`.
    pub fn blend(&mut self, layer: &Layer, x: i32, y: i32, clip: Rect) {
        let place = Rect { x, y, width: layer.width as i32, height: layer.height as i32 };
        let seen = place.within(clip).within(self.bounds());
        for row in seen.y..seen.bottom() {
            let from = (row - y) as usize * layer.width + (seen.x - x) as usize;
            let to = row as usize * self.width + seen.x as usize;
            let width = seen.width as usize;
            over(&mut self.pixels[to..to + width], &layer.pixels[from..from + width]);
        }
    }
}

/// A drawn part of the screen, `0xAARRGGBB` with colours multiplied by their opacity.
pub struct Layer {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width × height` pixels.
    pub pixels: Vec<u32>,
}

/// `below = above + below · (1 - opacity of above)`, two channels a multiplication.
fn over(below: &mut [u32], above: &[u32]) {
    for (below, &above) in below.iter_mut().zip(above) {
        let rest = 256 - ((above >> 24) + (above >> 31));
        let outer = (((*below & 0x00ff_00ff) * rest) >> 8) & 0x00ff_00ff;
        let inner = (((*below >> 8) & 0x0000_00ff) * rest) & 0x0000_ff00;
        *below = (above & 0x00ff_ffff) + (outer | inner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clear_layer_changes_nothing_and_an_opaque_one_everything() {
        for (above, expected) in [(0, 0x0012_80ff), (0xff44_5566, 0x0044_5566)] {
            let mut frame = Frame { width: 1, height: 1, pixels: vec![0x0012_80ff] };
            let layer = Layer { width: 1, height: 1, pixels: vec![above] };
            frame.blend(&layer, 0, 0, frame.bounds());
            assert_eq!(frame.pixels[0], expected, "{above:x}");
        }
    }

    #[test]
    fn no_opacity_overflows_into_the_next_channel() {
        for opacity in 0..=255_u32 {
            let mut below = [0x00ff_ffff];
            over(&mut below, &[opacity << 24 | opacity << 16 | opacity << 8 | opacity]);
            for shift in [0, 8, 16] {
                assert!((below[0] >> shift & 0xff) >= 253, "{opacity}: {:x}", below[0]);
            }
            assert_eq!(below[0] >> 24, 0);
        }
    }

    #[test]
    fn what_lies_outside_is_left_out() {
        let mut frame = Frame::new(4, 4);
        let layer = Layer { width: 3, height: 3, pixels: vec![0xffff_ffff; 9] };
        frame.blend(&layer, -2, 3, frame.bounds());
        assert_eq!(frame.pixels.iter().filter(|pixel| **pixel != 0).count(), 1);
        assert_eq!(frame.pixels[12], 0x00ff_ffff);
        frame.fill(Rect { x: 3, y: -5, width: 9, height: 6 }, 7);
        assert_eq!(frame.pixels[3], 7);
    }
}
