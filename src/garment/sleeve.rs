//! Where a sleeve or a trouser leg ends, and a sleeve as a ribbon without folds.

use super::{Sleeve, outline, outline::Curve};
use glam::Vec2;
use std::f32::consts::PI;

/// Points of each curve of a ribbon.
pub const RIBBON_POINTS: usize = 12;
/// Points at which the end of a limb is searched.
const SEARCH_POINTS: usize = 240;

/// The end of a limb: the outline from its inner root (armpit, crotch) round the end to its outer
/// root (shoulder, waist), cut at the two corners of the end.
#[derive(Clone, Debug, PartialEq)]
pub struct Limb {
    /// From the inner root to the end's inner corner.
    pub inner: Vec<Vec2>,
    /// From the outer root to the end's outer corner.
    pub outer: Vec<Vec2>,
}

impl Limb {
    /// Cuts a limb's outline, given in coordinates in which convex corners bend left, at its end:
    /// two convex corners that face away from the root, about a limb's width apart, with a
    /// nearly straight edge between them.
    ///
    /// `width_limits` are the least and the greatest width of the end, pixels.
    pub fn cut(line: &[Vec2], width_limits: [f32; 2]) -> Option<Self> {
        let long = outline::length(line);
        if line.len() < 3 || long < 3.0 * width_limits[0] {
            return None;
        }
        let curve = Curve::new(line, long / SEARCH_POINTS as f32);
        let points = &curve.points;
        let last = points.len() - 1;
        let root = 0.5 * (points[0] + points[last]);
        let farthest = points.iter().map(|p| p.distance(root)).fold(1e-3, f32::max);
        let reach = (0.09 * width_limits[1]).min(0.09 * long).max(2.0 * curve.step);
        let corner: Vec<f32> =
            (0..=last).map(|i| curve.steady_bend(i, reach).clamp(-0.5, 0.6 * PI)).collect();
        let mut best = (f32::MIN, 0, 0);
        for i in 1..last {
            for j in i + 2..last {
                let apart = points[i].distance(points[j]);
                let between = (j - i) as f32 * curve.step;
                if between > 1.6 * width_limits[1] {
                    break;
                }
                if apart < width_limits[0] || apart > width_limits[1] || apart < 0.75 * between {
                    continue;
                }
                let middle = 0.5 * (points[i] + points[j]);
                let far = middle.distance(root) / farthest;
                let merit = corner[i] + corner[j] + 1.6 * far + 0.8 * apart / between;
                if merit > best.0 {
                    best = (merit, i, j);
                }
            }
        }
        let (merit, i, j) = best;
        (merit > 0.0).then(|| Self {
            inner: points[..=i].to_vec(),
            outer: points[j..].iter().rev().copied().collect(),
        })
    }

    /// Cuts a limb's outline where it passes two given corners.
    pub fn cut_at(line: &[Vec2], inner: Vec2, outer: Vec2) -> Option<Self> {
        let curve = Curve::new(line, outline::length(line) / SEARCH_POINTS as f32);
        let (i, j) = (curve.nearest(inner), curve.nearest(outer));
        (i < j).then(|| {
            let mut limb = Self {
                inner: curve.points[..=i].to_vec(),
                outer: curve.points[j..].iter().rev().copied().collect(),
            };
            limb.inner[i] = inner;
            let end = limb.outer.len() - 1;
            limb.outer[end] = outer;
            limb
        })
    }

    /// `[outer, inner]` corner of the end.
    pub fn end(&self) -> [Vec2; 2] {
        [self.outer[self.outer.len() - 1], self.inner[self.inner.len() - 1]]
    }

    /// The ribbon between the two curves, equally spaced along each, without folds.
    pub fn ribbon(&self) -> Sleeve {
        let outer = outline::resampled(&self.outer, RIBBON_POINTS);
        let inner = outline::resampled(&self.inner, RIBBON_POINTS);
        let mut sleeve = Sleeve { outer, inner };
        let last = RIBBON_POINTS - 1;
        for _ in 0..40 {
            if folds(&sleeve) == 0 {
                return sleeve;
            }
            for curve in [&mut sleeve.outer, &mut sleeve.inner] {
                let before = curve.clone();
                for k in 1..last {
                    curve[k] = 0.25 * before[k - 1] + 0.5 * before[k] + 0.25 * before[k + 1];
                }
            }
        }
        for curve in [&mut sleeve.outer, &mut sleeve.inner] {
            let (from, to) = (curve[0], curve[last]);
            for (k, point) in curve.iter_mut().enumerate() {
                *point = from.lerp(to, k as f32 / last as f32);
            }
        }
        sleeve
    }
}

/// Number of triangles between neighbouring sections that are turned over.
pub fn folds(sleeve: &Sleeve) -> usize {
    let area = |a: Vec2, b: Vec2, c: Vec2| (b - a).perp_dot(c - a);
    let mut areas = Vec::new();
    for (outer, inner) in sleeve.outer.windows(2).zip(sleeve.inner.windows(2)) {
        areas.push(area(outer[0], outer[1], inner[0]));
        areas.push(area(inner[0], outer[1], inner[1]));
    }
    let sign = areas.iter().sum::<f32>().signum();
    areas.iter().filter(|&&area| area * sign <= 0.0).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bent arm from the armpit round the cuff to the shoulder, `x` outwards.
    fn bent_arm() -> Vec<Vec2> {
        [(50, 80), (80, 110), (90, 170), (120, 165), (112, 95), (60, 20)]
            .map(|(x, y)| Vec2::new(x as f32, y as f32))
            .to_vec()
    }

    #[test]
    fn the_end_of_a_bent_limb_is_its_cuff_and_not_its_elbow() {
        let limb = Limb::cut(&bent_arm(), [12.0, 70.0]).unwrap();
        assert!(limb.end()[0].distance(Vec2::new(120.0, 165.0)) < 3.0, "{:?}", limb.end());
        assert!(limb.end()[1].distance(Vec2::new(90.0, 170.0)) < 3.0, "{:?}", limb.end());
    }

    #[test]
    fn no_section_of_a_ribbon_crosses_another() {
        let limb = Limb::cut(&bent_arm(), [12.0, 70.0]).unwrap();
        let ribbon = limb.ribbon();
        assert_eq!(ribbon.outer.len(), RIBBON_POINTS);
        assert_eq!(folds(&ribbon), 0);
        let zigzag = Limb {
            outer: [(0, 0), (30, 0), (10, 8), (60, 0)]
                .map(|(x, y)| Vec2::new(x as f32, y as f32))
                .into(),
            inner: [(0, 20), (40, 22), (20, 15), (60, 20)]
                .map(|(x, y)| Vec2::new(x as f32, y as f32))
                .into(),
        };
        assert_eq!(folds(&zigzag.ribbon()), 0);
    }
}
