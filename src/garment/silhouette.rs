//! The shape of a garment without its colours: mask, outline, axis of symmetry, two halves.

use super::components::{Components, Connectivity};
use super::{Side, Texture, outline, outline::Curve};
use glam::Vec2;

/// The shape of a garment without its colours.
#[derive(Clone, Debug)]
pub struct Silhouette {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// 1 inside.
    pub mask: Vec<u8>,
    /// First column, first row, one past the last column, one past the last row.
    pub bounds: [usize; 4],
    /// Column of the axis of symmetry.
    pub axis_x: f32,
    /// Share of the garment that its mirror image covers, 0..1.
    pub symmetry: f32,
    /// Pixels inside.
    pub area: usize,
    outline: Vec<Vec2>,
}

/// How a garment lies in its picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Symmetry {
    /// Lean of the axis from the vertical, radians; positive leans its lower end to the right.
    pub lean: f32,
    /// Where the axis crosses the middle row, pixels.
    pub axis_x: f32,
    /// Share of the garment that its mirror image covers at that lean, 0..1.
    pub overlap: f32,
    /// The same for the best upright axis.
    pub upright_overlap: f32,
}

impl Silhouette {
    /// The silhouette of a texture's opaque part; `None` where nothing is opaque.
    pub fn of(texture: &Texture) -> Option<Self> {
        let (width, height) = (texture.width, texture.height);
        let mut mask = largest_component(&texture.mask(), width, height)?;
        open_side_gaps(&mut mask, width, height);
        let mask = largest_component(&mask, width, height)?;
        let bounds = bounds(&mask, width)?;
        let symmetry = symmetry_at(&mask, width, height, &[0.0]);
        let curve = outline::trace(&mask, width, height, 0);
        let outline = outline::smoothed(&curve, 3);
        let area = mask.iter().filter(|&&value| value != 0).count();
        Some(Self {
            width,
            height,
            mask,
            bounds,
            axis_x: symmetry.axis_x,
            symmetry: symmetry.overlap,
            area,
            outline,
        })
    }

    /// Columns between the bounds.
    pub fn extent_x(&self) -> f32 {
        (self.bounds[2] - self.bounds[0]) as f32
    }

    /// Rows between the bounds.
    pub fn extent_y(&self) -> f32 {
        (self.bounds[3] - self.bounds[1]) as f32
    }

    /// Side of the square of the same area: the unit of length for bends and tolerances.
    pub fn unit(&self) -> f32 {
        (self.area as f32).sqrt()
    }

    /// Row at a share of the height, 0 at the top.
    pub fn row_at(&self, share: f32) -> usize {
        let y = self.bounds[1] as f32 + share * self.extent_y();
        (y as usize).clamp(self.bounds[1], self.bounds[3] - 1)
    }

    /// Runs of set pixels of one row, `[first, one past the last)`, that are at least `least` long.
    pub fn runs(&self, y: usize, least: usize) -> Vec<[usize; 2]> {
        let row = &self.mask[y * self.width..][..self.width];
        let mut runs = Vec::new();
        let mut start = None;
        for x in 0..=self.width {
            let set = x < self.width && row[x] != 0;
            match (set, start) {
                (true, None) => start = Some(x),
                (false, Some(first)) => {
                    if x - first >= least.max(1) {
                        runs.push([first, x]);
                    }
                    start = None;
                }
                _ => {}
            }
        }
        runs
    }

    /// Columns from the first to the last set pixel of a row.
    pub fn span(&self, y: usize) -> f32 {
        let row = &self.mask[y * self.width..][..self.width];
        let first = row.iter().position(|&value| value != 0);
        let last = row.iter().rposition(|&value| value != 0);
        first.zip(last).map_or(0.0, |(first, last)| (last + 1 - first) as f32)
    }

    /// First and one past the last set row of a column.
    pub fn column(&self, x: f32) -> Option<[usize; 2]> {
        let x = (x as usize).min(self.width - 1);
        let set = |y: &usize| self.mask[y * self.width + x] != 0;
        let first = (0..self.height).find(set)?;
        let last = (0..self.height).rev().find(set)?;
        Some([first, last + 1])
    }

    /// One half of the outline.
    pub fn half(&self, side: Side) -> Option<Half> {
        let crossings: Vec<usize> = (0..self.outline.len())
            .filter(|&i| {
                let next = self.outline[(i + 1) % self.outline.len()];
                (self.outline[i].x < self.axis_x) != (next.x < self.axis_x)
            })
            .collect();
        let height_of = |i: &usize| self.outline[*i].y;
        let top = *crossings.iter().min_by(|a, b| height_of(a).total_cmp(&height_of(b)))?;
        let bottom = *crossings.iter().max_by(|a, b| height_of(a).total_cmp(&height_of(b)))?;
        // Clockwise on the screen: from the top down the right side to the bottom, up the left side.
        let count = self.outline.len();
        let between = |from: usize, to: usize| {
            let steps = (to + count - from) % count;
            (1..=steps).map(move |k| (from + k) % count)
        };
        let line: Vec<Vec2> = match side {
            Side::Left => between(bottom, top).collect::<Vec<_>>(),
            Side::Right => between(top, bottom).collect::<Vec<_>>().into_iter().rev().collect(),
        }
        .into_iter()
        .map(|i| fold(side, self.axis_x, self.outline[i]))
        .collect();
        if line.len() < 8 {
            return None;
        }
        let curve = Curve::new(&line, (self.unit() / 400.0).max(1.0));
        Some(Half { side, axis_x: self.axis_x, curve })
    }
}

/// One half of the outline, from the bottom of the axis outwards and up to the top of the axis. `x`
/// counts outwards from the axis, so both halves read alike; `y` is the picture's.
#[derive(Clone, Debug)]
pub struct Half {
    /// Which half.
    pub side: Side,
    /// Column of the axis.
    pub axis_x: f32,
    /// The outline; convex corners bend positively.
    pub curve: Curve,
}

impl Half {
    /// Position in the picture of a position in this half.
    pub fn unfold(&self, position: Vec2) -> Vec2 {
        match self.side {
            Side::Left => Vec2::new(self.axis_x - position.x, position.y),
            Side::Right => Vec2::new(self.axis_x + position.x, position.y),
        }
    }

    /// Position in this half of a position in the picture.
    pub fn fold(&self, position: Vec2) -> Vec2 {
        fold(self.side, self.axis_x, position)
    }

    /// Picture position of a point of the outline.
    pub fn point(&self, index: usize) -> Vec2 {
        self.unfold(self.curve.points[index])
    }
}

fn fold(side: Side, axis_x: f32, position: Vec2) -> Vec2 {
    match side {
        Side::Left => Vec2::new(axis_x - position.x, position.y),
        Side::Right => Vec2::new(position.x - axis_x, position.y),
    }
}

fn bounds(mask: &[u8], width: usize) -> Option<[usize; 4]> {
    let mut bounds = [usize::MAX, usize::MAX, 0, 0];
    for (i, _) in mask.iter().enumerate().filter(|(_, value)| **value != 0) {
        let (x, y) = (i % width, i / width);
        bounds[0] = bounds[0].min(x);
        bounds[1] = bounds[1].min(y);
        bounds[2] = bounds[2].max(x + 1);
        bounds[3] = bounds[3].max(y + 1);
    }
    (bounds[2] > 0).then_some(bounds)
}

fn largest_component(mask: &[u8], width: usize, height: usize) -> Option<Vec<u8>> {
    let Components { labels, regions } = Components::of(mask, width, height, Connectivity::Eight);
    let largest = (1..=regions.len()).max_by_key(|&label| regions[label - 1].area)?;
    Some(labels.iter().map(|&label| u8::from(label as usize == largest)).collect())
}

/// Where a sleeve hangs beside the body and touches it lower down, the gap between them is a hole.
/// A slit from the hole down to the outside lets the outline run up to the armpit.
fn open_side_gaps(mask: &mut [u8], width: usize, height: usize) {
    let Some([left, top, right, bottom]) = bounds(mask, width) else { return };
    let area = mask.iter().filter(|&&value| value != 0).count();
    let outside: Vec<u8> = mask.iter().map(|&value| 1 - value).collect();
    let Components { labels, regions } =
        Components::of(&outside, width, height, Connectivity::Four);
    let middle = (left + right) / 2;
    for (index, hole) in regions.iter().enumerate() {
        if hole.touches_border(width, height) || hole.area * 600 < area {
            continue;
        }
        let Some(lowest) = labels.iter().rposition(|&label| label as usize == index + 1) else {
            continue;
        };
        let edge = (right - left) / 12;
        let beside = hole.right + edge < middle || hole.left > middle + edge;
        let upright = hole.bottom - hole.top > 2 * (hole.right - hole.left + 1);
        if !beside || !upright || hole.bottom < top + (bottom - top) / 3 {
            continue;
        }
        let x = lowest % width;
        for y in lowest / width..bottom {
            for slit in x.saturating_sub(1)..(x + 2).min(width) {
                mask[y * width + slit] = 0;
            }
        }
    }
}

/// Finds the axis of symmetry of a texture's opaque part, upright or leaning.
pub fn symmetry(texture: &Texture) -> Option<Symmetry> {
    let mask = largest_component(&texture.mask(), texture.width, texture.height)?;
    let degrees = |d: f32| d.to_radians();
    let coarse: Vec<f32> = (-10..=10).map(|k| degrees(2.0 * k as f32)).collect();
    let near = symmetry_at(&mask, texture.width, texture.height, &coarse);
    let fine: Vec<f32> = (-4..=4).map(|k| near.lean + degrees(0.5 * k as f32)).collect();
    let best = symmetry_at(&mask, texture.width, texture.height, &fine);
    let upright = symmetry_at(&mask, texture.width, texture.height, &[0.0]);
    Some(Symmetry { upright_overlap: upright.overlap, ..best })
}

/// The best of the given leans, searched on a grid of about 160 cells.
fn symmetry_at(mask: &[u8], width: usize, height: usize, leans: &[f32]) -> Symmetry {
    let cell = width.max(height).div_ceil(160).max(1);
    let (columns, rows) = (width.div_ceil(cell), height.div_ceil(cell));
    let mut grid = vec![0u8; columns * rows];
    for y in 0..rows {
        for x in 0..columns {
            let (px, py) =
                ((x * cell + cell / 2).min(width - 1), (y * cell + cell / 2).min(height - 1));
            grid[y * columns + x] = mask[py * width + px];
        }
    }
    let points: Vec<Vec2> = (0..grid.len())
        .filter(|&i| grid[i] != 0)
        .map(|i| Vec2::new((i % columns) as f32 + 0.5, (i / columns) as f32 + 0.5))
        .collect();
    let count = points.len().max(1) as f32;
    let centroid = points.iter().sum::<Vec2>() / count;
    let reach = (columns as f32 * 0.08).ceil() as i32;
    let mut best = (f32::MIN, 0.0, 0.0);
    for &lean in leans {
        let across = Vec2::new(lean.cos(), -lean.sin());
        for offset in -2 * reach..=2 * reach {
            let offset = 0.5 * offset as f32;
            let covered = points
                .iter()
                .filter(|&&point| {
                    let apart = (point - centroid).dot(across) - offset;
                    let mirrored = point - 2.0 * apart * across;
                    let inside = mirrored.x >= 0.0
                        && mirrored.y >= 0.0
                        && mirrored.x < columns as f32
                        && mirrored.y < rows as f32;
                    inside && grid[mirrored.y as usize * columns + mirrored.x as usize] != 0
                })
                .count() as f32;
            // Equal overlaps: the axis nearer to the centre of mass and to the vertical.
            let merit = covered / count - 1e-4 * offset.abs() - 1e-4 * lean.abs();
            if merit > best.0 {
                best = (merit, lean, offset);
            }
        }
    }
    let (overlap, lean, offset) = best;
    let on_axis = centroid + offset * Vec2::new(lean.cos(), -lean.sin());
    let middle = rows as f32 / 2.0;
    let axis_x = on_axis.x + (middle - on_axis.y) * lean.tan();
    let overlap = overlap.clamp(0.0, 1.0);
    Symmetry { lean, axis_x: axis_x * cell as f32, overlap, upright_overlap: overlap }
}
