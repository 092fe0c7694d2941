//! Whether a top opens in front: a line from the collar to the hem near its axis.

use super::{Texture, Upper};
use glam::Vec2;
use kernels::colour;

/// Bands of rows over which colour is averaged before columns are compared.
const BANDS: usize = 40;
/// Columns across the chest.
const COLUMNS: usize = 120;
/// Half width of the middle strip in which an opening may lie, columns.
const MIDDLE: usize = 9;

/// How surely the top opens in front, 0..1.
pub fn opening(texture: &Texture, upper: &Upper) -> f32 {
    let chest = upper.armpit[1].x - upper.armpit[0].x;
    let middle_x = 0.5 * (upper.collar[0].x + upper.collar[1].x);
    let hem_y = upper.hem_profile[upper.hem_profile.len() / 2];
    let hem_x = 0.5 * (upper.hem[0].x + upper.hem[1].x);
    let collar_y = 0.5 * (upper.collar[0].y + upper.collar[1].y);
    let top_y = collar_y + upper.neckline_depth;
    let height = hem_y - top_y;
    if height < 8.0 || chest < 16.0 {
        return 0.0;
    }
    let mut cells = vec![[0f32; 3]; BANDS * COLUMNS];
    for band in 0..BANDS {
        for column in 0..COLUMNS {
            let across = (column as f32 + 0.5) / COLUMNS as f32 - 0.5;
            let mut sum = [0.0; 3];
            for step in 0..6 {
                let down = 0.04 + 0.92 * (band as f32 + step as f32 / 6.0) / BANDS as f32;
                let x = middle_x + down * (hem_x - middle_x) + 0.8 * across * chest;
                let [r, g, b, _] = texture.sample(Vec2::new(x, top_y + down * height));
                let lab = colour::lab_from_linear(
                    [r, g, b].map(|value| colour::linear_from_srgb(value / 255.0)),
                );
                (0..3).for_each(|i| sum[i] += lab[i] / 6.0);
            }
            cells[band * COLUMNS + column] = sum;
        }
    }
    // Lines may lean a little: one column to either side over the height.
    let strength = |column: usize| {
        (-2i32..=2).map(|lean| line_strength(&cells, column, lean)).fold(0.0, f32::max)
    };
    let middle = COLUMNS / 2;
    let inside = (middle - MIDDLE..=middle + MIDDLE).map(strength).fold(0.0, f32::max);
    let outside = (8..middle - 2 * MIDDLE)
        .chain(middle + 2 * MIDDLE..COLUMNS - 8)
        .map(strength)
        .fold(0.0, f32::max);
    if inside < 1.5 {
        return 0.0;
    }
    (inside / (inside + outside + 0.5)).clamp(0.0, 1.0)
}

/// A low quantile over the bands of the change across a line: high only where the line is unbroken.
fn line_strength(cells: &[[f32; 3]], column: usize, lean: i32) -> f32 {
    let mut changes: Vec<f32> = (0..BANDS)
        .map(|band| {
            let shift = lean * (2 * band as i32 - BANDS as i32) / BANDS as i32;
            let x = (column as i32 + shift).clamp(1, COLUMNS as i32 - 2) as usize;
            let (before, after) = (cells[band * COLUMNS + x - 1], cells[band * COLUMNS + x + 1]);
            (0..3).map(|i| (before[i] - after[i]).powi(2)).sum::<f32>().sqrt()
        })
        .collect();
    changes.sort_by(f32::total_cmp);
    changes[BANDS * 3 / 10]
}
