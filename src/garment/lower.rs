//! Control points of skirts and trousers.

use super::{
    Fault, Side, Trousers, Tube,
    silhouette::{Half, Silhouette},
    sleeve::Limb,
    upper::{filled, outermost_per_row},
};
use glam::Vec2;

/// Points of a skirt or of trousers that are known beforehand, in pixels of the texture.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Known {
    /// Ends of the waist line.
    pub waist: Option<[Vec2; 2]>,
    /// Ends of a skirt's hem.
    pub hem: Option<[Vec2; 2]>,
    /// Where trouser legs part.
    pub crotch: Option<Vec2>,
    /// `[outer, inner]` of the left and the right cuff.
    pub cuffs: Option<[[Vec2; 2]; 2]>,
}

fn halves(silhouette: &Silhouette) -> Result<[Half; 2], Fault> {
    match [Side::Left, Side::Right].map(|side| silhouette.half(side)) {
        [Some(left), Some(right)] => Ok([left, right]),
        _ => Err(Fault::TooThin),
    }
}

/// Index of the outer end of the waist line: the upper outer corner.
fn waist_corner(silhouette: &Silhouette, half: &Half) -> Option<usize> {
    let unit = silhouette.unit();
    let limit = silhouette.row_at(0.2) as f32;
    let count = half.curve.points.len();
    let first = (0..count).find(|&index| half.curve.points[index].y < limit)?;
    half.curve.corner(first..count, Vec2::new(0.6, -1.0), 0.06 * unit, 0.05 * unit)
}

/// Finds the control points of a skirt.
///
/// # Errors
/// If its waist is not above its hem.
pub fn skirt(silhouette: &Silhouette, known: &Known) -> Result<Tube, Fault> {
    let halves = halves(silhouette)?;
    let unit = silhouette.unit();
    let mut waist = [Vec2::ZERO; 2];
    let mut hem = [Vec2::ZERO; 2];
    let mut edges = Vec::new();
    for (i, half) in halves.iter().enumerate() {
        let place = |pair: Option<[Vec2; 2]>| pair.map(|p| half.curve.nearest(half.fold(p[i])));
        let top = place(known.waist).or_else(|| waist_corner(silhouette, half));
        let top = top.ok_or(Fault::TooThin)?;
        let slack = 0.06 * unit;
        let bottom = place(known.hem)
            .or_else(|| half.curve.corner(0..top.max(1), Vec2::new(0.7, 1.0), slack, 0.05 * unit));
        let bottom = bottom.ok_or(Fault::TooThin)?;
        if bottom >= top {
            return Err(Fault::WaistBelowHem);
        }
        waist[i] = known.waist.map_or_else(|| half.point(top), |pair| pair[i]);
        hem[i] = known.hem.map_or_else(|| half.point(bottom), |pair| pair[i]);
        let line = &half.curve.points[bottom..=top];
        edges.push(filled(outermost_per_row(line, silhouette.height)));
    }
    if waist[0].x >= waist[1].x || hem[0].x >= hem[1].x {
        return Err(Fault::Swapped);
    }
    if (0..2).any(|i| waist[i].y + 0.1 * unit > hem[i].y) {
        return Err(Fault::WaistBelowHem);
    }
    let axis = silhouette.axis_x;
    let sides = (0..silhouette.height).map(|y| [axis - edges[0][y], axis + edges[1][y]]).collect();
    Ok(Tube { waist, hem, sides })
}

/// Where the legs part: the top of the gap at the axis, if it is at least a share of the height.
pub fn crotch(silhouette: &Silhouette, least_share: f32) -> Option<Vec2> {
    let halves = halves(silhouette).ok()?;
    let near = 0.1 * silhouette.extent_x();
    let top = halves
        .iter()
        .flat_map(|half| {
            let line = &half.curve.points;
            let reach = line.iter().take_while(|point| point.x.abs() < near);
            reach.map(|&point| half.unfold(point))
        })
        .min_by(|a, b| a.y.total_cmp(&b.y))?;
    let gap = (silhouette.bounds[3] as f32 - top.y) / silhouette.extent_y();
    (gap > least_share).then_some(top)
}

/// Finds the control points of trousers.
///
/// # Errors
/// If there is no gap between two legs, or the parts are not in order.
pub fn trousers(silhouette: &Silhouette, known: &Known) -> Result<Trousers, Fault> {
    let halves = halves(silhouette)?;
    let crotch = known.crotch.or_else(|| crotch(silhouette, 0.06)).ok_or(Fault::NoLegs)?;
    let extent_x = silhouette.extent_x();
    let mut waist = [Vec2::ZERO; 2];
    let mut cuffs = [[Vec2::ZERO; 2]; 2];
    let mut outsides = Vec::new();
    let mut insides = Vec::new();
    for (i, half) in halves.iter().enumerate() {
        let top = match known.waist {
            Some(pair) => half.curve.nearest(half.fold(pair[i])),
            None => waist_corner(silhouette, half).ok_or(Fault::TooThin)?,
        };
        waist[i] = known.waist.map_or_else(|| half.point(top), |pair| pair[i]);
        let bottom = half.curve.nearest(half.fold(crotch));
        let line = half.curve.points.get(bottom..=top).ok_or(Fault::NoLegs)?;
        let limb = match known.cuffs {
            Some(cuffs) => Limb::cut_at(line, half.fold(cuffs[i][1]), half.fold(cuffs[i][0])),
            None => Limb::cut(line, [0.06 * extent_x, 0.6 * extent_x]),
        };
        let limb = limb.ok_or(Fault::NoLegs)?;
        cuffs[i] = limb.end().map(|point| half.unfold(point));
        outsides.push(filled(outermost_per_row(&limb.outer, silhouette.height)));
        let mirrored: Vec<Vec2> = limb.inner.iter().map(|p| Vec2::new(-p.x, p.y)).collect();
        let inside = filled(outermost_per_row(&mirrored, silhouette.height));
        insides.push(inside.into_iter().map(|x| -x).collect::<Vec<f32>>());
    }
    if waist[0].x >= waist[1].x || cuffs[0][0].x >= cuffs[1][0].x {
        return Err(Fault::Swapped);
    }
    if waist.iter().any(|point| point.y >= crotch.y) {
        return Err(Fault::WaistBelowHem);
    }
    if cuffs.iter().flatten().any(|point| point.y <= crotch.y) {
        return Err(Fault::NoLegs);
    }
    let axis = silhouette.axis_x;
    let rows = 0..silhouette.height;
    let sides = rows.clone().map(|y| [axis - outsides[0][y], axis + outsides[1][y]]).collect();
    let inseams = rows
        .map(|y| {
            if (y as f32) < crotch.y {
                [crotch.x; 2]
            } else {
                [axis - insides[0][y], axis + insides[1][y]]
            }
        })
        .collect();
    Ok(Trousers { waist, crotch, cuffs, sides, inseams })
}
