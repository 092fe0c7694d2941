//! Control points of hats and eyeglasses.

use super::{Eyeglasses, Fault, Hat, Side, silhouette::Silhouette};
use glam::Vec2;

/// Points of a hat or of eyeglasses that are known beforehand, in pixels of the texture.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Known {
    /// Ends of a hat's band.
    pub band: Option<[Vec2; 2]>,
    /// Top of a hat's crown.
    pub crown: Option<Vec2>,
    /// Ends of eyeglasses.
    pub ends: Option<[Vec2; 2]>,
    /// Bridge of eyeglasses.
    pub bridge: Option<Vec2>,
}

/// First and one past the last set column of a row.
fn row_ends(silhouette: &Silhouette, y: usize) -> Option<[f32; 2]> {
    let runs = silhouette.runs(y, 1);
    Some([runs.first()?[0] as f32, runs.last()?[1] as f32])
}

/// Finds the control points of a hat.
///
/// # Errors
/// If the band is not below the crown.
pub fn hat(silhouette: &Silhouette, known: &Known) -> Result<Hat, Fault> {
    let band = match known.band {
        Some(band) => band,
        None => {
            let y = brim_row(silhouette).unwrap_or_else(|| silhouette.row_at(0.9));
            let [left, right] = row_ends(silhouette, y).ok_or(Fault::TooThin)?;
            [left, right].map(|x| Vec2::new(x, y as f32 + 0.5))
        }
    };
    let crown = match known.crown {
        Some(crown) => crown,
        None => {
            let x = 0.5 * (band[0].x + band[1].x);
            let [top, _] = silhouette.column(x).ok_or(Fault::TooThin)?;
            Vec2::new(x, top as f32)
        }
    };
    if band[0].x >= band[1].x {
        return Err(Fault::Swapped);
    }
    if crown.y >= band[0].y.min(band[1].y) {
        return Err(Fault::WaistBelowHem);
    }
    Ok(Hat { band, crown })
}

/// The row at which the crown meets a brim: a notch that opens outwards and up, on both sides.
fn brim_row(silhouette: &Silhouette) -> Option<usize> {
    let unit = silhouette.unit();
    let rows = [Side::Left, Side::Right].map(|side| {
        let half = silhouette.half(side)?;
        let curve = &half.curve;
        let reach = 0.08 * unit;
        let beyond = silhouette.extent_x() * 0.5;
        (0..curve.points.len())
            .filter(|&index| {
                let point = curve.points[index];
                let depth = (point.y - silhouette.bounds[1] as f32) / silhouette.extent_y();
                let opening = curve.opening(index, reach);
                (0.3..0.97).contains(&depth)
                    && point.x < 0.93 * beyond
                    && opening.x > 0.1
                    && opening.y < 0.3
            })
            .map(|index| (index, -curve.steady_bend(index, reach)))
            .filter(|&(_, bend)| bend > 0.4)
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .map(|(index, _)| curve.points[index].y)
    });
    let [Some(left), Some(right)] = rows else { return None };
    let even = (left - right).abs() < 0.15 * silhouette.extent_y();
    even.then_some(((0.5 * (left + right)) as usize).min(silhouette.height - 1))
}

/// Finds the control points of eyeglasses.
///
/// # Errors
/// If the ends fall together.
pub fn eyeglasses(silhouette: &Silhouette, known: &Known) -> Result<Eyeglasses, Fault> {
    let [left, top, right, bottom] = silhouette.bounds.map(|bound| bound as f32);
    let ends = known.ends.unwrap_or_else(|| {
        // The lenses' centre: where their outlines reach highest and lowest, away from the middle.
        let centre = |share: f32| {
            let x = left + share * (right - left);
            silhouette.column(x).map(|[first, last]| 0.5 * (first + last) as f32)
        };
        let centres: Vec<f32> =
            [0.2, 0.25, 0.3, 0.7, 0.75, 0.8].into_iter().filter_map(centre).collect();
        let y = if centres.is_empty() {
            0.5 * (top + bottom)
        } else {
            centres.iter().sum::<f32>() / centres.len() as f32
        };
        [Vec2::new(left, y), Vec2::new(right, y)]
    });
    if ends[1].x - ends[0].x < 8.0 {
        return Err(Fault::Swapped);
    }
    let bridge = known.bridge.unwrap_or_else(|| {
        let x = silhouette.axis_x;
        let column = silhouette.column(x);
        let y = column.map_or(ends[0].y, |[first, last]| 0.5 * (first + last) as f32);
        Vec2::new(x, y)
    });
    Ok(Eyeglasses { ends, bridge })
}
