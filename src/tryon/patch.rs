//! Patches: grids of points with a place on the garment and a place on the body.

use glam::Vec2;
use kernels::mesh::{Vertex, doubled_area};

/// A polyline through `points`, read at `parameters`; `knots` says which parameter each point has.
pub fn polyline_at(points: &[Vec2], knots: &[f32], parameters: &[f32]) -> Vec<Vec2> {
    parameters
        .iter()
        .map(|&t| {
            let after = knots.partition_point(|&k| k < t).clamp(1, knots.len() - 1);
            let (a, b) = (knots[after - 1], knots[after]);
            let f = if b > a { ((t - a) / (b - a)).clamp(0.0, 1.0) } else { 0.0 };
            points[after - 1].lerp(points[after], f)
        })
        .collect()
}

/// `count` values from 0 to 1 in equal steps.
pub fn steps(count: usize) -> Vec<f32> {
    (0..count).map(|i| i as f32 / (count - 1) as f32).collect()
}

/// A polyline read at `count` points of equal arc length.
pub fn by_arc_length(points: &[Vec2], count: usize) -> Vec<Vec2> {
    let mut knots = vec![0.0f32];
    for pair in points.windows(2) {
        knots.push(knots[knots.len() - 1] + pair[0].distance(pair[1]) + 1e-6);
    }
    let total = knots[knots.len() - 1];
    let parameters: Vec<f32> = steps(count).iter().map(|t| t * total).collect();
    polyline_at(points, &knots, &parameters)
}

/// Chaikin's corner cutting, `rounds` times; ends stay.
pub fn rounded(points: &[Vec2], rounds: usize) -> Vec<Vec2> {
    let mut curve = points.to_vec();
    for _ in 0..rounds {
        let mut next = vec![curve[0]];
        for pair in curve.windows(2) {
            next.push(pair[0].lerp(pair[1], 0.25));
            next.push(pair[0].lerp(pair[1], 0.75));
        }
        next.push(curve[curve.len() - 1]);
        curve = next;
    }
    curve
}

/// Coons patch between four border curves: `top` and `bottom` run from left to right, `left` and
/// `right` from top to bottom. Row-major, `left.len()` rows of `top.len()` points.
pub fn coons(top: &[Vec2], bottom: &[Vec2], left: &[Vec2], right: &[Vec2]) -> Vec<Vec2> {
    let (columns, rows) = (top.len(), left.len());
    let mut points = Vec::with_capacity(columns * rows);
    for j in 0..rows {
        let v = j as f32 / (rows - 1) as f32;
        for i in 0..columns {
            let u = i as f32 / (columns - 1) as f32;
            let ruled = top[i] * (1.0 - v) + bottom[i] * v + left[j] * (1.0 - u) + right[j] * u;
            let corners = (top[0] * (1.0 - u) + top[columns - 1] * u) * (1.0 - v)
                + (bottom[0] * (1.0 - u) + bottom[columns - 1] * u) * v;
            points.push(ruled - corners);
        }
    }
    points
}

/// A grid of points with source, target and parameters.
#[derive(Clone, Debug)]
pub struct Patch {
    /// Points in a row.
    pub columns: usize,
    /// Positions on the garment's picture, pixels of its full size.
    pub source: Vec<Vec2>,
    /// Positions on the working grid.
    pub target: Vec<Vec2>,
    /// Parameters across (u) and along (v); outside 0..1 lies cloth beyond the garment's own edge.
    pub parameters: Vec<Vec2>,
}

impl Patch {
    /// A patch whose parameters run from 0 to 1 both ways.
    ///
    /// # Panics
    /// If source and target differ in size.
    pub fn new(columns: usize, source: Vec<Vec2>, target: Vec<Vec2>) -> Self {
        assert_eq!(source.len(), target.len());
        let rows = source.len() / columns;
        let parameters = (0..source.len())
            .map(|i| {
                let (row, column) = (i / columns, i % columns);
                Vec2::new(column as f32 / (columns - 1) as f32, row as f32 / (rows - 1) as f32)
            })
            .collect();
        Self { columns, source, target, parameters }
    }

    /// Rows of points.
    pub fn rows(&self) -> usize {
        self.source.len() / self.columns
    }

    /// Adds a column on each side: `reach` further out on the target, mirrored back into the garment on the
    /// source, at the scale of the neighbouring cell. Their u is −1 and 2.
    pub fn widened(&self, reach: f32) -> Self {
        let columns = self.columns + 2;
        let mut wide = Self {
            columns,
            source: Vec::with_capacity(columns * self.rows()),
            target: Vec::with_capacity(columns * self.rows()),
            parameters: Vec::with_capacity(columns * self.rows()),
        };
        for row in 0..self.rows() {
            let range = row * self.columns..(row + 1) * self.columns;
            let (source, target) = (&self.source[range.clone()], &self.target[range.clone()]);
            let parameters = &self.parameters[range];
            let n = self.columns;
            let beyond = |edge: usize, next: usize, u: f32| {
                let out = (target[edge] - target[next]).normalize_or_zero();
                let cells = (reach / target[edge].distance(target[next]).max(1e-3)).min(3.0);
                let from = source[edge] + (source[next] - source[edge]) * cells;
                (from, target[edge] + out * reach, Vec2::new(u, parameters[edge].y))
            };
            let mut push = |(from, place, parameter)| {
                wide.source.push(from);
                wide.target.push(place);
                wide.parameters.push(parameter);
            };
            push(beyond(0, 1, -1.0));
            for i in 0..n {
                push((source[i], target[i], parameters[i]));
            }
            push(beyond(n - 1, n - 2, 2.0));
        }
        wide
    }

    /// Adds a row above the first: `reach` further up on the target, mirrored back into the garment on the
    /// source, at the scale of the neighbouring cell. Its v is −1.
    pub fn raised(&self, reach: f32) -> Self {
        let n = self.columns;
        let mut high = Self {
            columns: n,
            source: (0..n)
                .map(|i| {
                    let cell = self.target[i].distance(self.target[i + n]).max(1e-3);
                    self.source[i] + (self.source[i + n] - self.source[i]) * (reach / cell).min(3.0)
                })
                .collect(),
            target: (0..n)
                .map(|i| {
                    let up = (self.target[i] - self.target[i + n]).normalize_or_zero();
                    self.target[i] + up * reach
                })
                .collect(),
            parameters: (0..n).map(|i| Vec2::new(self.parameters[i].x, -1.0)).collect(),
        };
        high.source.extend_from_slice(&self.source);
        high.target.extend_from_slice(&self.target);
        high.parameters.extend_from_slice(&self.parameters);
        high
    }

    /// Share of the triangles whose target has the other orientation than their source.
    pub fn folded(&self) -> f32 {
        let corner = |points: &[Vec2], i: usize| points[i].to_array();
        let (mut folds, mut all) = (0, 0);
        for row in 0..self.rows() - 1 {
            for column in 0..self.columns - 1 {
                let a = row * self.columns + column;
                let (b, c, d) = (a + 1, a + self.columns, a + self.columns + 1);
                for [p, q, r] in [[a, b, c], [d, c, b]] {
                    let area = |points: &[Vec2]| {
                        doubled_area([corner(points, p), corner(points, q), corner(points, r)])
                    };
                    all += 1;
                    folds += (area(&self.source) * area(&self.target) < 0.0) as usize;
                }
            }
        }
        folds as f32 / all.max(1) as f32
    }

    /// Target pixels per source pixel, the median over the cells.
    pub fn scale(&self) -> f32 {
        let mut ratios: Vec<f32> = (0..self.source.len() - 1)
            .filter(|i| (i + 1) % self.columns != 0)
            .map(|i| {
                self.target[i].distance(self.target[i + 1])
                    / self.source[i].distance(self.source[i + 1]).max(1e-3)
            })
            .collect();
        ratios.sort_by(f32::total_cmp);
        ratios[ratios.len() / 2]
    }

    /// The same patch with its targets in picture pixels.
    pub fn placed(mut self, grid: &super::Grid) -> Self {
        self.target.iter_mut().for_each(|p| *p = grid.to_picture(*p));
        self
    }

    /// Vertices for the rasteriser, targets passed through `place`.
    pub fn vertices(&self, place: impl Fn(Vec2) -> Vec2) -> Vec<Vertex> {
        (0..self.source.len())
            .map(|i| {
                let (s, p) = (self.source[i], self.parameters[i]);
                Vertex {
                    position: place(self.target[i]).to_array(),
                    attributes: [s.x, s.y, p.x, p.y],
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coons_patch_has_its_borders() {
        let line = |a: [f32; 2], b: [f32; 2], n| {
            steps(n).iter().map(|&t| Vec2::from(a).lerp(Vec2::from(b), t)).collect::<Vec<_>>()
        };
        let (top, bottom) = (line([0., 0.], [10., 1.], 5), line([-2., 9.], [12., 8.], 5));
        let (left, right) = (line([0., 0.], [-2., 9.], 4), line([10., 1.], [12., 8.], 4));
        let points = coons(&top, &bottom, &left, &right);
        for i in 0..5 {
            assert!(points[i].distance(top[i]) < 1e-4);
            assert!(points[15 + i].distance(bottom[i]) < 1e-4);
        }
        for j in 0..4 {
            assert!(points[5 * j].distance(left[j]) < 1e-4);
            assert!(points[5 * j + 4].distance(right[j]) < 1e-4);
        }
    }

    #[test]
    fn a_flipped_cell_counts_as_folded() {
        let square = vec![Vec2::ZERO, Vec2::X, Vec2::Y, Vec2::ONE];
        let mirrored = vec![Vec2::X, Vec2::ZERO, Vec2::ONE, Vec2::Y];
        assert_eq!(Patch::new(2, square.clone(), square.clone()).folded(), 0.0);
        assert_eq!(Patch::new(2, square, mirrored).folded(), 1.0);
    }

    #[test]
    fn arc_length_samples_are_evenly_spaced() {
        let bent = [Vec2::ZERO, Vec2::new(1.0, 0.0), Vec2::new(1.0, 3.0)];
        let even = by_arc_length(&bent, 5);
        assert!(even.windows(2).all(|p| (p[0].distance(p[1]) - 1.0).abs() < 1e-3));
    }
}
