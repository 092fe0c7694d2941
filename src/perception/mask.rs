//! A mask on a crop, read in the picture.

use super::CropMask;
use crate::plane::Plane;
use glam::Vec2;
use rayon::prelude::*;

impl CropMask {
    /// Probability at a position in the picture; `None` outside the crop.
    pub fn probability_at(&self, position: Vec2) -> Option<f32> {
        let size = self.probability.width;
        let to_crop = self.region.crop_to_picture(size).inverse();
        let position = to_crop.transform_point2(position);
        self.probability.contains(position).then(|| self.probability.sample(position))
    }

    /// The mask on a grid of the picture: the centre of grid pixel `(i, j)` is the picture position
    /// `origin + (i + ½, j + ½) · scale`. Values outside the crop are `outside`; the outermost half
    /// pixel of the crop reads its edge.
    pub fn composed(
        &self,
        origin: Vec2,
        scale: f32,
        width: usize,
        height: usize,
        outside: f32,
    ) -> Plane {
        let size = self.probability.width;
        let extent = size as f32;
        let to_crop = self.region.crop_to_picture(size).inverse();
        let step = to_crop.transform_vector2(Vec2::new(scale, 0.0));
        let mut plane = Plane::filled(width, height, outside);
        if width == 0 || height == 0 || !to_crop.is_finite() {
            return plane;
        }
        let source = &self.probability.data;
        let last = (size - 1) as f32;
        plane.data.par_chunks_exact_mut(width).enumerate().with_min_len(16).for_each(|(j, row)| {
            let start = to_crop.transform_point2(origin + Vec2::new(0.5, j as f32 + 0.5) * scale);
            let (first, end) = inside(start, step, extent, width);
            for (i, value) in row.iter_mut().enumerate().take(end).skip(first) {
                let position = start + step * i as f32 - 0.5;
                let (x, y) = (position.x.clamp(0.0, last), position.y.clamp(0.0, last));
                let (x0, y0) = (x as usize, y as usize);
                let (x1, y1) = ((x0 + 1).min(size - 1), (y0 + 1).min(size - 1));
                let (fx, fy) = (x - x0 as f32, y - y0 as f32);
                let (upper, lower) = (y0 * size, y1 * size);
                let top = source[upper + x0] + (source[upper + x1] - source[upper + x0]) * fx;
                let bottom = source[lower + x0] + (source[lower + x1] - source[lower + x0]) * fx;
                *value = top + (bottom - top) * fy;
            }
        });
        plane
    }
}

/// The range of `i` in `0..count` for which `start + step · i` lies in the square `0..extent`.
fn inside(start: Vec2, step: Vec2, extent: f32, count: usize) -> (usize, usize) {
    let (mut low, mut high) = (0.0f32, count as f32);
    for (start, step) in [(start.x, step.x), (start.y, step.y)] {
        if step.abs() < 1e-9 {
            if !(0.0..extent).contains(&start) {
                return (0, 0);
            }
            continue;
        }
        let (a, b) = (-start / step, (extent - start) / step);
        low = low.max(a.min(b).ceil());
        high = high.min(a.max(b).ceil());
    }
    if low < high { (low as usize, high as usize) } else { (0, 0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perception::RotatedSquare;

    fn mask() -> CropMask {
        CropMask {
            region: RotatedSquare { centre: Vec2::new(40.0, 50.0), side: 32.0, angle: 0.6 },
            probability: Plane::from_fn(64, 64, |x, y| (x + 2 * y) as f32 / 200.0),
        }
    }

    #[test]
    fn the_composed_mask_agrees_with_single_probabilities() {
        let mask = mask();
        let origin = Vec2::new(10.0, 20.0);
        let plane = mask.composed(origin, 0.75, 90, 80, -1.0);
        let mut seen = 0;
        for j in 0..80 {
            for i in 0..90 {
                let position = origin + Vec2::new(i as f32 + 0.5, j as f32 + 0.5) * 0.75;
                let expected = mask.probability_at(position).unwrap_or(-1.0);
                seen += usize::from(expected >= 0.0);
                let found = plane.at(i, j);
                let crop = mask.region.crop_to_picture(64).inverse().transform_point2(position);
                let edge = (crop.min(64.0 - crop)).min_element().abs() < 1e-3;
                assert!(edge || (found - expected).abs() < 1e-3, "({i}, {j}) {found} {expected}");
            }
        }
        assert!(seen > 1000);
    }

    #[test]
    fn outside_the_crop_there_is_no_probability() {
        assert_eq!(mask().probability_at(Vec2::ZERO), None);
        let plane = mask().composed(Vec2::new(500.0, 500.0), 1.0, 4, 4, 0.25);
        assert!(plane.data.iter().all(|&v| v == 0.25));
        assert_eq!(mask().composed(Vec2::ZERO, 1.0, 0, 4, 0.0).data.len(), 0);
    }
}
