//! Soft capsules (a segment with a radius at each end) drawn on planes.

use crate::filter::smoothstep;
use crate::plane::Plane;
use glam::Vec2;

/// A tapered capsule with a soft rim.
#[derive(Clone, Copy, Debug)]
pub struct Capsule {
    /// Ends of the axis.
    pub ends: [Vec2; 2],
    /// Radius at each end.
    pub radii: [f32; 2],
    /// Half width of the rim over which coverage falls from 1 to 0.
    pub soft: f32,
}

impl Capsule {
    /// A capsule whose rim is one cell wide.
    pub fn new(a: Vec2, b: Vec2, radius_a: f32, radius_b: f32) -> Self {
        Self { ends: [a, b], radii: [radius_a, radius_b], soft: 1.0 }
    }

    /// The same capsule with another rim.
    pub fn soft(self, soft: f32) -> Self {
        Self { soft: soft.max(0.5), ..self }
    }

    /// Coverage, 0..1, and the position along the axis, 0..1.
    pub fn coverage(&self, position: Vec2) -> (f32, f32) {
        let [a, b] = self.ends;
        let axis = b - a;
        let t = ((position - a).dot(axis) / (axis.length_squared() + 1e-6)).clamp(0.0, 1.0);
        let radius = self.radii[0] + (self.radii[1] - self.radii[0]) * t;
        let beyond = position.distance(a + axis * t) - radius;
        (1.0 - smoothstep(beyond, -self.soft, self.soft), t)
    }

    /// Visits every cell the capsule covers: column, row, coverage, position along the axis.
    pub fn visit(&self, width: usize, height: usize, mut cell: impl FnMut(usize, usize, f32, f32)) {
        let reach = self.radii[0].max(self.radii[1]) + self.soft + 1.0;
        let low = self.ends[0].min(self.ends[1]) - reach;
        let high = self.ends[0].max(self.ends[1]) + reach;
        if !(low.is_finite() && high.is_finite()) {
            return;
        }
        let columns = low.x.max(0.0) as usize..(high.x.max(0.0).ceil() as usize).min(width);
        for y in low.y.max(0.0) as usize..(high.y.max(0.0).ceil() as usize).min(height) {
            for x in columns.clone() {
                let (covered, t) = self.coverage(Vec2::new(x as f32 + 0.5, y as f32 + 0.5));
                if covered > 0.0 {
                    cell(x, y, covered, t);
                }
            }
        }
    }

    /// Raises the plane to the capsule's coverage.
    pub fn paint(&self, plane: &mut Plane) {
        let (width, height) = (plane.width, plane.height);
        self.visit(width, height, |x, y, covered, _| {
            let cell = &mut plane.data[y * width + x];
            *cell = cell.max(covered);
        });
    }

    /// Mean of the plane under the capsule, weighted by coverage and by `weight`; 0 where nothing is.
    pub fn mean(&self, plane: &Plane, weight: &Plane) -> f32 {
        let (mut sum, mut total) = (0.0, 1e-3);
        self.visit(plane.width, plane.height, |x, y, covered, _| {
            let w = covered * weight.at(x, y);
            sum += w * plane.at(x, y);
            total += w;
        });
        sum / total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capsule_covers_its_axis_and_nothing_beyond_its_radius() {
        let capsule = Capsule::new(Vec2::new(10.0, 10.0), Vec2::new(30.0, 10.0), 4.0, 2.0);
        let mut plane = Plane::filled(40, 20, 0.0);
        capsule.paint(&mut plane);
        assert_eq!(plane.at(20, 10), 1.0);
        assert_eq!(plane.at(20, 16), 0.0);
        assert_eq!(plane.at(10, 7), 1.0);
        assert_eq!(plane.at(35, 10), 0.0);
    }
}
