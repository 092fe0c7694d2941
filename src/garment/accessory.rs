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
        None => match brim_notch(silhouette) {
            Some(band) => band,
            None => {
                let y = silhouette.row_at(0.93);
                let [left, right] = row_ends(silhouette, y).ok_or(Fault::TooThin)?;
                [left, right].map(|x| Vec2::new(x, y as f32 + 0.5))
            }
        },
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

/// Where the crown meets a brim: a notch on both sides that opens outwards. A folded cuff has such a
/// notch too, but is straight below, where a brim is round or reaches farther out than the crown.
fn brim_notch(silhouette: &Silhouette) -> Option<[Vec2; 2]> {
    let unit = silhouette.unit();
    let ends = [Side::Left, Side::Right].map(|side| {
        let half = silhouette.half(side)?;
        let curve = &half.curve;
        let reach = 0.05 * unit;
        (0..curve.points.len())
            .filter(|&index| {
                let depth = curve.points[index].y - silhouette.bounds[1] as f32;
                let opening = curve.opening(index, reach);
                (0.3..0.97).contains(&(depth / silhouette.extent_y()))
                    && opening.x > 0.1
                    && opening.y < 0.6
            })
            .map(|index| (index, -curve.steady_bend(index, reach)))
            .filter(|&(_, bend)| bend > 0.4)
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .map(|(index, _)| half.point(index))
    });
    let [Some(left), Some(right)] = ends else { return None };
    if (left.y - right.y).abs() > 0.15 * silhouette.extent_y() {
        return None;
    }
    let crown = right.x - left.x;
    let reaches_out = silhouette.extent_x() > 1.2 * crown;
    let notch = 0.5 * (left.y + right.y);
    let below = notch + 0.7 * (silhouette.bounds[3] as f32 - notch);
    let round = silhouette.span((below as usize).min(silhouette.height - 1)) < 0.9 * crown;
    (reaches_out || round).then_some([left, right])
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
