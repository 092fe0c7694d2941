//! Mesh warp: fills the inverse map of a triangle mesh, one band of rows at a time.
//!
//! A mesh is a grid of vertices; each cell is two triangles. For every target pixel whose centre lies in
//! a triangle the map receives the interpolated attributes of its corners. Where triangles overlap,
//! the later one in row-major order of cells wins.
//!
//! | operand    | type     | shape              | layout                                   |
//! |------------|----------|--------------------|------------------------------------------|
//! | vertices   | [`Vertex`] | [rows, columns]  | row-major                                |
//! | map        | [`Texel`]  | [band rows, width] | row-major; untouched where no triangle |

/// A mesh vertex: where it lies in the target and what it carries.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Vertex {
    /// Target position, continuous pixels.
    pub position: [f32; 2],
    /// Carried attributes: source x, source y, and the mesh parameters u and v.
    pub attributes: [f32; 4],
}

/// What one target pixel reads: source x, source y, u, v. `x` is NaN where nothing covers the pixel.
pub type Texel = [f32; 4];

/// A texel that nothing covers.
pub const EMPTY: Texel = [f32::NAN, 0.0, 0.0, 0.0];

/// Band of target rows to fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band {
    /// Leftmost target column of the map.
    pub x: usize,
    /// Columns of the map.
    pub width: usize,
    /// First target row of the band.
    pub y: usize,
    /// Rows of the band.
    pub height: usize,
}

/// Rasterises a mesh of `rows × columns` vertices into the band.
///
/// # Panics
/// If `vertices` or `map` do not have the stated size.
pub fn rasterise(vertices: &[Vertex], columns: usize, map: &mut [Texel], band: Band) {
    assert!(columns >= 2 && vertices.len().is_multiple_of(columns));
    assert_eq!(map.len(), band.width * band.height);
    let rows = vertices.len() / columns;
    for row in 0..rows.saturating_sub(1) {
        for column in 0..columns - 1 {
            let a = vertices[row * columns + column];
            let b = vertices[row * columns + column + 1];
            let c = vertices[(row + 1) * columns + column];
            let d = vertices[(row + 1) * columns + column + 1];
            triangle([a, b, c], map, band);
            triangle([d, c, b], map, band);
        }
    }
}

/// Twice the signed area of a triangle in the target.
pub fn doubled_area(corners: [[f32; 2]; 3]) -> f32 {
    let [a, b, c] = corners;
    (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])
}

fn triangle(corners: [Vertex; 3], map: &mut [Texel], band: Band) {
    let [p, q, r] = corners.map(|corner| corner.position);
    let area = doubled_area([p, q, r]);
    if area.abs() < 1e-4 || !area.is_finite() {
        return;
    }
    let (left, right) = (band.x as f32, (band.x + band.width) as f32);
    let (top, bottom) = (band.y as f32, (band.y + band.height) as f32);
    let x0 = p[0].min(q[0]).min(r[0]).max(left);
    let x1 = p[0].max(q[0]).max(r[0]).min(right);
    let y0 = p[1].min(q[1]).min(r[1]).max(top);
    let y1 = p[1].max(q[1]).max(r[1]).min(bottom);
    if x1 <= x0 || y1 <= y0 {
        return;
    }
    // Barycentric weights of q and r are affine in the pixel position.
    let inverse = 1.0 / area;
    let wq = [(r[1] - p[1]) * inverse, -(r[0] - p[0]) * inverse];
    let wr = [-(q[1] - p[1]) * inverse, (q[0] - p[0]) * inverse];
    let [ap, aq, ar] = corners.map(|corner| corner.attributes);
    let dq: [f32; 4] = std::array::from_fn(|i| aq[i] - ap[i]);
    let dr: [f32; 4] = std::array::from_fn(|i| ar[i] - ap[i]);
    const SLACK: f32 = 1e-4;
    for y in y0.floor() as usize..y1.ceil() as usize {
        let py = y as f32 + 0.5 - p[1];
        let line = &mut map[(y - band.y) * band.width..][..band.width];
        let base_q = wq[1] * py;
        let base_r = wr[1] * py;
        // The covered columns of this row: where all three weights are not negative.
        let (mut from, mut to) = (x0.floor(), x1.ceil());
        let mut narrow = |base: f32, slope: f32| {
            // base + slope · (x + 0.5 − p.x) ≥ −SLACK
            let bound = (-SLACK - base) / slope + p[0] - 0.5;
            if slope > 1e-12 {
                from = from.max(bound.ceil());
            } else if slope < -1e-12 {
                to = to.min(bound.floor() + 1.0);
            } else if base < -SLACK {
                to = from;
            }
        };
        narrow(base_q, wq[0]);
        narrow(base_r, wr[0]);
        narrow(1.0 - base_q - base_r, -(wq[0] + wr[0]));
        let mut x = from.max(left) as usize;
        let end = to.min(right).max(0.0) as usize;
        while x < end {
            let px = x as f32 + 0.5 - p[0];
            let q = base_q + wq[0] * px;
            let r = base_r + wr[0] * px;
            line[x - band.x] = std::array::from_fn(|i| ap[i] + dq[i] * q + dr[i] * r);
            x += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(columns: usize, rows: usize, place: impl Fn(f32, f32) -> [f32; 2]) -> Vec<Vertex> {
        let mut vertices = Vec::new();
        for row in 0..rows {
            for column in 0..columns {
                let (u, v) = (column as f32 / (columns - 1) as f32, row as f32 / (rows - 1) as f32);
                vertices
                    .push(Vertex { position: place(u, v), attributes: [u * 50.0, v * 70.0, u, v] });
            }
        }
        vertices
    }

    #[test]
    fn an_affine_mesh_carries_its_attributes_to_every_pixel_inside() {
        let vertices = grid(5, 4, |u, v| [3.0 + 20.0 * u, 2.0 + 15.0 * v]);
        let band = Band { x: 0, width: 32, y: 0, height: 24 };
        let mut map = vec![EMPTY; 32 * 24];
        rasterise(&vertices, 5, &mut map, band);
        for y in 0..24 {
            for x in 0..32 {
                let texel = map[y * 32 + x];
                let inside = (3..23).contains(&x) && (2..17).contains(&y);
                assert_eq!(!texel[0].is_nan(), inside, "{x},{y}");
                if inside {
                    assert!((texel[0] - (x as f32 + 0.5 - 3.0) * 2.5).abs() < 1e-2);
                    assert!((texel[1] - (y as f32 + 0.5 - 2.0) / 15.0 * 70.0).abs() < 1e-2);
                }
            }
        }
    }

    #[test]
    fn bands_together_are_the_whole() {
        let vertices = grid(6, 6, |u, v| [40.0 * u + 6.0 * v - 4.0, 30.0 * v + 5.0 * u * u - 2.0]);
        let mut whole = vec![EMPTY; 44 * 37];
        rasterise(&vertices, 6, &mut whole, Band { x: 0, width: 44, y: 0, height: 37 });
        for y in [0usize, 5, 6, 20, 36] {
            let mut line = vec![EMPTY; 40];
            rasterise(&vertices, 6, &mut line, Band { x: 2, width: 40, y, height: 1 });
            for (x, texel) in line.iter().enumerate() {
                let truth = whole[y * 44 + x + 2];
                assert!(texel[0].is_nan() == truth[0].is_nan());
                assert!(texel[0].is_nan() || *texel == truth);
            }
        }
    }

    #[test]
    fn degenerate_and_infinite_triangles_are_skipped() {
        let mut vertices = grid(2, 2, |_, _| [5.0, 5.0]);
        let mut map = vec![EMPTY; 100];
        let band = Band { x: 0, width: 10, y: 0, height: 10 };
        rasterise(&vertices, 2, &mut map, band);
        vertices[0].position = [f32::INFINITY, f32::NAN];
        rasterise(&vertices, 2, &mut map, band);
        assert!(map.iter().all(|texel| texel[0].is_nan()));
    }
}
