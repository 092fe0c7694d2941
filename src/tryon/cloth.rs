//! A garment made ready for drawing: its picture with the neck hole cut out.

use super::patch::Patch;
use crate::garment::{Garment, Shape, Texture, Upper};
use crate::tryon::grid::Grid;
use glam::Vec2;
use kernels::mesh::Vertex;

/// A garment's picture levels as they are drawn.
#[derive(Clone, Debug)]
pub struct Cloth {
    levels: Vec<Texture>,
}

impl Cloth {
    /// Copies the levels and cuts away the inner back of the collar where the picture shows it.
    pub fn new(garment: &Garment) -> Self {
        let mut levels = garment.levels.clone();
        if let Shape::Upper(upper) = &garment.shape
            && upper.neckline_filled
        {
            let full = levels[0].width as f32;
            for level in &mut levels {
                let scale = level.width as f32 / full;
                cut_neckline(level, upper, scale);
            }
        }
        Self { levels }
    }

    /// The level whose pixels come nearest to one picture pixel each, for a patch that draws one pixel of the
    /// full size as `scale` picture pixels.
    pub fn level_for(&self, scale: f32) -> usize {
        let wanted = (1.0 / scale.max(1e-3)).max(1.0).log2() + 0.35;
        (wanted as usize).min(self.levels.len() - 1)
    }

    /// Colour (sRGB, 0..255) and alpha (0..1) at a position of the full size; alpha is 0 outside the picture.
    pub fn sample(&self, level: usize, x: f32, y: f32) -> ([f32; 3], f32) {
        let texture = &self.levels[level];
        let (width, height) = (texture.width, texture.height);
        let full = &self.levels[0];
        let x = x * width as f32 / full.width as f32 - 0.5;
        let y = y * height as f32 / full.height as f32 - 0.5;
        let outside = x < -1.0 || y < -1.0 || x > width as f32 || y > height as f32;
        let xc = x.clamp(0.0, (width - 1) as f32);
        let yc = y.clamp(0.0, (height - 1) as f32);
        let (x0, y0) = (xc as usize, yc as usize);
        let (x1, y1) = ((x0 + 1).min(width - 1), (y0 + 1).min(height - 1));
        let (fx, fy) = (xc - x0 as f32, yc - y0 as f32);
        let weights = [(1.0 - fx) * (1.0 - fy), fx * (1.0 - fy), (1.0 - fx) * fy, fx * fy];
        let cells = [
            texture.rgba[y0 * width + x0],
            texture.rgba[y0 * width + x1],
            texture.rgba[y1 * width + x0],
            texture.rgba[y1 * width + x1],
        ];
        let mut sum = [0.0f32; 4];
        for (cell, weight) in cells.iter().zip(weights) {
            for c in 0..4 {
                sum[c] += weight * cell[c] as f32;
            }
        }
        ([sum[0], sum[1], sum[2]], if outside { 0.0 } else { sum[3] / 255.0 })
    }
}

/// Clears a half ellipse between the collar points, and all that rises above their line.
fn cut_neckline(level: &mut Texture, upper: &Upper, scale: f32) {
    let [left, right] = upper.collar;
    let half = (right.x - left.x) * 0.5;
    let centre = left.midpoint(right);
    let depth = upper.neckline_depth.max(1.0);
    // The rim of the collar stays: the ellipse ends just inside the collar points.
    let across = half * 0.97;
    let rows = ((centre.y + depth + 2.0) * scale).ceil().max(0.0) as usize;
    for row in 0..rows.min(level.height) {
        for column in 0..level.width {
            let x = (column as f32 + 0.5) / scale - centre.x;
            let y = (row as f32 + 0.5) / scale - centre.y;
            if x.abs() > half {
                continue;
            }
            let radius = ((x / across).powi(2) + (y.max(0.0) / depth).powi(2)).sqrt();
            // Distance to the rim in pixels of this level, for one pixel of soft edge.
            let beyond = (radius - 1.0) * across.min(depth) * scale;
            let keep = (beyond + 0.5).clamp(0.0, 1.0);
            let alpha = &mut level.rgba[row * level.width + column][3];
            *alpha = (*alpha as f32 * keep) as u8;
        }
    }
}

/// A patch placed in the picture.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Vertices in picture pixels; attributes are source x, source y, u, v.
    pub vertices: Vec<Vertex>,
    /// Vertices in a row.
    pub columns: usize,
    /// Level of the garment's picture to read.
    pub level: usize,
}

impl Layer {
    /// Places a patch that was fitted on the grid.
    pub fn new(patch: &Patch, cloth: &Cloth, grid: &Grid) -> Self {
        Self {
            vertices: patch.vertices(|p| grid.to_picture(p)),
            columns: patch.columns,
            level: cloth.level_for(patch.scale() * grid.scale),
        }
    }

    /// Upper left and lower right corner, picture pixels.
    pub fn bounds(&self) -> (Vec2, Vec2) {
        let positions = self.vertices.iter().map(|v| Vec2::from(v.position));
        positions
            .fold((Vec2::INFINITY, Vec2::NEG_INFINITY), |(low, high), p| (low.min(p), high.max(p)))
    }
}
