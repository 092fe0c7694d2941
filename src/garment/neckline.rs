//! The front neckline: from the alpha channel where it has the neck hole, else the curve along which
//! the picture changes most.

use super::Texture;
use glam::{Vec2, Vec3};
use kernels::colour;

/// Depth below the collar points, pixels, and whether the picture shows the inner back above it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neckline {
    /// Depth of the front neckline below the line between the collar points, pixels.
    pub depth: f32,
    /// Whether the inner back of the collar is visible above it.
    pub filled: bool,
    /// Whether the neckline was seen, and not assumed.
    pub seen: bool,
}

/// How sharply the curve bends: 2 is half an ellipse, 1 a V.
const ROUNDNESS: [f32; 3] = [2.0, 1.4, 1.0];
/// Depths that are tried, in widths of the neck.
const DEPTHS: std::ops::RangeInclusive<usize> = 8..=80;
const DEPTH_STEP: f32 = 0.02;
/// A folded collar is closed by its first button this many neck widths below its top, or lower: what
/// is found above it is the seam of the collar's stand.
const LEAST_FOLDED_DEPTH: f32 = 0.28;
/// The same where nothing shows it.
const FOLDED_DEPTH: f32 = 0.4;
/// Least change across the curve, CIE76 over two pixels, for it to count as a neckline.
const LEAST_CHANGE: f32 = 2.0;
/// A print or a label under the curve counts no more than this.
const LARGEST_CHANGE: f32 = 14.0;

/// Finds the neckline between two collar points. `hole_depth` is how far the alpha channel dips
/// below the line between them.
pub fn find(
    texture: &Texture,
    collar: [Vec2; 2],
    hole_depth: f32,
    folded_collar: bool,
) -> Neckline {
    let width = (collar[1].x - collar[0].x).max(1.0);
    let middle = 0.5 * (collar[0] + collar[1]);
    let hole = hole_depth / width;
    // A hole deeper than the neck is wide, or nearly so, is the front neckline.
    let least = if folded_collar { LEAST_FOLDED_DEPTH } else { 0.0 };
    if hole < 0.75
        && let Some(depth) = strongest_curve(texture, middle, width, (hole + 0.08).max(least))
    {
        return Neckline { depth: depth * width, filled: true, seen: true };
    }
    if folded_collar && hole < LEAST_FOLDED_DEPTH {
        return Neckline { depth: FOLDED_DEPTH * width, filled: true, seen: false };
    }
    let seen = hole > 0.12;
    Neckline { depth: hole_depth.max(0.1 * width), filled: false, seen }
}

/// Depth, in widths of the neck, of the curve across which the picture changes steadily.
fn strongest_curve(texture: &Texture, middle: Vec2, width: f32, least: f32) -> Option<f32> {
    let reach = (0.012 * width).max(1.0);
    let lab = |position: Vec2| {
        let [r, g, b, a] = texture.sample(position);
        (a > 200.0).then(|| {
            colour::lab_from_linear([r, g, b].map(|v| colour::linear_from_srgb(v / 255.0)))
        })
    };
    let change = |depth: f32, roundness: f32, angle: f32| {
        let at = |angle: f32, depth: f32| {
            let (sin, cos) = angle.sin_cos();
            let across = 0.47 * width * cos.signum() * cos.abs().powf(2.0 / roundness);
            let down = depth * width * sin.abs().powf(2.0 / roundness);
            middle + Vec2::new(across, down)
        };
        let here = at(angle, depth);
        let along = at(angle + 0.02, depth) - at(angle - 0.02, depth);
        let normal = along.perp().normalize_or(Vec2::Y);
        let (above, below) = (lab(here - reach * normal)?, lab(here + reach * normal)?);
        let step = Vec3::from_array(above) - Vec3::from_array(below);
        Some(step.clamp_length_max(LARGEST_CHANGE))
    };
    let mut scores = Vec::new();
    for roundness in ROUNDNESS {
        for step in DEPTHS {
            let depth = step as f32 * DEPTH_STEP;
            if depth < least {
                continue;
            }
            let changes: Vec<Vec3> = (0..49)
                .filter_map(|k| change(depth, roundness, 0.35 + k as f32 / 48.0 * 2.44))
                .collect();
            if changes.len() >= 40 {
                scores.push((depth, steadiness(&changes)));
            }
        }
    }
    let strongest = scores.iter().map(|score| score.1).fold(0.0, f32::max);
    let mean = scores.iter().map(|score| score.1).sum::<f32>() / scores.len().max(1) as f32;
    if strongest < LEAST_CHANGE || strongest < 2.0 * mean {
        return None;
    }
    // A ribbed collar has two edges: the upper one is where the garment begins.
    let mut first: Vec<_> = scores.into_iter().filter(|score| score.1 > 0.6 * strongest).collect();
    first.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (top, _) = first[0];
    let near = first.iter().take_while(|score| score.0 < top + 0.07);
    near.max_by(|a, b| a.1.total_cmp(&b.1)).map(|score| score.0)
}

/// Length of the mean change, times the share of the curve that changes in that direction: a neckline
/// has the same two materials above and below it all along, a print or a label has not.
fn steadiness(changes: &[Vec3]) -> f32 {
    let mean = changes.iter().sum::<Vec3>() / changes.len() as f32;
    let square = mean.length_squared();
    let agreeing = changes.iter().filter(|change| change.dot(mean) > 0.3 * square).count();
    square.sqrt() * (agreeing as f32 / changes.len() as f32).powi(2)
}
