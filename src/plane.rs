//! One-channel `f32` image, row-major.
//!
//! Coordinates everywhere in this crate are continuous pixels: x to the right, y down, the pixel
//! `(column, row)` covers `[column, column + 1) × [row, row + 1)` and its centre is at `+ 0.5`.

use glam::Vec2;
use rayon::prelude::*;

/// A map of `width × height` values, row-major, no padding.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width × height` values.
    pub data: Vec<f32>,
}

impl Plane {
    /// A plane filled with one value.
    pub fn filled(width: usize, height: usize, value: f32) -> Self {
        Self { width, height, data: vec![value; width * height] }
    }

    /// A plane from a rule on the pixel's column and row. Large planes are filled by all threads.
    pub fn from_fn(width: usize, height: usize, rule: impl Fn(usize, usize) -> f32 + Sync) -> Self {
        const ROWS: usize = 40;
        let mut data = vec![0.0; width * height];
        if width > 0 {
            let fill = |(band, rows): (usize, &mut [f32])| {
                for (row, line) in rows.chunks_exact_mut(width).enumerate() {
                    let y = band * ROWS + row;
                    line.iter_mut().enumerate().for_each(|(x, value)| *value = rule(x, y));
                }
            };
            if width * height < 8192 {
                data.chunks_mut(width * ROWS).enumerate().for_each(fill);
            } else {
                data.par_chunks_mut(width * ROWS).enumerate().for_each(fill);
            }
        }
        Self { width, height, data }
    }

    /// One row.
    pub fn row(&self, y: usize) -> &[f32] {
        &self.data[y * self.width..][..self.width]
    }

    /// One row, writable.
    pub fn row_mut(&mut self, y: usize) -> &mut [f32] {
        &mut self.data[y * self.width..][..self.width]
    }

    /// Value at a pixel.
    pub fn at(&self, x: usize, y: usize) -> f32 {
        self.data[y * self.width + x]
    }

    /// Bilinear sample at a continuous position; positions outside read the nearest edge.
    pub fn sample(&self, position: Vec2) -> f32 {
        let x = (position.x - 0.5).clamp(0.0, (self.width - 1) as f32);
        let y = (position.y - 0.5).clamp(0.0, (self.height - 1) as f32);
        let (x0, y0) = (x as usize, y as usize);
        let (x1, y1) = ((x0 + 1).min(self.width - 1), (y0 + 1).min(self.height - 1));
        let (fx, fy) = (x - x0 as f32, y - y0 as f32);
        let top = self.at(x0, y0) * (1.0 - fx) + self.at(x1, y0) * fx;
        let bottom = self.at(x0, y1) * (1.0 - fx) + self.at(x1, y1) * fx;
        top * (1.0 - fy) + bottom * fy
    }

    /// The same size, each value passed through `rule`.
    pub fn map(&self, rule: impl Fn(f32) -> f32) -> Self {
        Self {
            width: self.width,
            height: self.height,
            data: self.data.iter().map(|&v| rule(v)).collect(),
        }
    }

    /// Whether the position lies inside the plane.
    pub fn contains(&self, position: Vec2) -> bool {
        position.x >= 0.0
            && position.y >= 0.0
            && position.x < self.width as f32
            && position.y < self.height as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_at_a_pixel_centre_is_that_pixel() {
        let plane = Plane::from_fn(4, 3, |x, y| (10 * y + x) as f32);
        assert_eq!(plane.sample(Vec2::new(2.5, 1.5)), 12.0);
        assert_eq!(plane.sample(Vec2::new(2.0, 1.5)), 11.5);
        assert_eq!(plane.sample(Vec2::new(-9.0, 99.0)), 20.0);
    }
}
