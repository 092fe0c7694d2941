//! Control points of tops and dresses.

use super::{
    Category, Fault, Side, Texture, Upper,
    neckline::{self, Neckline},
    outline,
    silhouette::{Half, Silhouette},
    sleeve::Limb,
};
use glam::Vec2;

/// Points of the hem profile.
const HEM_POINTS: usize = 33;
/// Least bend of the outline at an armpit, radians.
const ARMPIT_BEND: f32 = 0.55;

/// Length from which a sleeve is long, in widths of the chest.
const LONG_SLEEVE: f32 = 0.62;

/// Points that are known beforehand, in pixels of the texture.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Known {
    /// Shoulder points.
    pub shoulder: Option<[Vec2; 2]>,
    /// Collar points.
    pub collar: Option<[Vec2; 2]>,
    /// Armpits.
    pub armpit: Option<[Vec2; 2]>,
    /// Ends of the hem.
    pub hem: Option<[Vec2; 2]>,
    /// `[outer, inner]` of the left and the right cuff.
    pub cuffs: Option<[[Vec2; 2]; 2]>,
    /// Depth of the front neckline below the collar points.
    pub neckline_depth: Option<f32>,
    /// Whether the inner back shows above the neckline.
    pub neckline_filled: Option<bool>,
}

/// What was found of a top or a dress.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The control points.
    pub upper: Upper,
    /// `[outer, inner]` corners of the cuffs.
    pub cuffs: [Option<[Vec2; 2]>; 2],
    /// Whether the armholes were seen in the outline, left and right.
    pub armhole_seen: [bool; 2],
    /// Bend of the outline close to the armpits, radians: positive at the corner of a bare armhole.
    pub armpit_bend: [f32; 2],
    /// Whether the top edge has a notch between shoulder and collar, as a folded collar makes it.
    pub collar_notch: bool,
    /// Whether the neckline was seen.
    pub neckline_seen: bool,
    /// Largest difference between the left and the right half, in widths at the armpits.
    pub asymmetry: f32,
}

impl Found {
    /// Width below the armpits.
    pub fn chest(&self) -> f32 {
        self.upper.armpit[1].x - self.upper.armpit[0].x
    }

    /// From the shoulders to the hem.
    pub fn body_length(&self) -> f32 {
        let mean_y = |pair: [Vec2; 2]| 0.5 * (pair[0].y + pair[1].y);
        mean_y(self.upper.hem) - mean_y(self.upper.shoulder)
    }

    /// Length of the longer sleeve, mean of its upper and lower edge; 0 without sleeves. The upper
    /// edge alone is long on a wide short sleeve as well.
    pub fn sleeve_length(&self) -> f32 {
        let lengths = self.upper.sleeves.iter().flatten();
        let lengths =
            lengths.map(|s| 0.5 * (outline::length(&s.outer) + outline::length(&s.inner)));
        lengths.fold(0.0, f32::max)
    }
}

/// One half's points, in its own coordinates.
#[derive(Clone, Copy, Debug)]
struct Points {
    hem: usize,
    armpit: usize,
    shoulder: usize,
    seen: Armhole,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Armhole {
    /// A notch between a sleeve and the body.
    Sleeve,
    /// The edge of a sleeveless top's armhole.
    Bare,
    /// Nothing in the outline.
    Unseen,
}

/// Finds the control points of a top or a dress.
///
/// # Errors
/// If the outline has no shoulders, armpits and hem in that order, or its halves differ too much.
pub fn find(silhouette: &Silhouette, texture: &Texture, known: &Known) -> Result<Found, Fault> {
    let sides = [Side::Left, Side::Right];
    let [Some(left), Some(right)] = sides.map(|side| silhouette.half(side)) else {
        return Err(Fault::TooThin);
    };
    let halves = [left, right];
    let mut armpits = [0, 1].map(|i| match known.armpit {
        Some(armpit) => Some((halves[i].curve.nearest(halves[i].fold(armpit[i])), 9.0)),
        None => sleeve_armpit(silhouette, &halves[i]),
    });
    agree(silhouette, &halves, &mut armpits);

    let points = [0, 1].map(|i| {
        let half = &halves[i];
        let place = |pair: Option<[Vec2; 2]>| pair.map(|p| half.curve.nearest(half.fold(p[i])));
        match armpits[i] {
            Some((armpit, _)) => sleeved(silhouette, half, armpit),
            None => sleeveless(silhouette, half),
        }
        .map(|found| Points {
            hem: place(known.hem).unwrap_or(found.hem),
            shoulder: place(known.shoulder).unwrap_or(found.shoulder),
            ..found
        })
    });
    let [Some(left), Some(right)] = points else { return Err(Fault::NoShoulders) };
    let points = [left, right];

    let at = |pick: fn(&Points) -> usize, known: Option<[Vec2; 2]>| {
        known.unwrap_or([0, 1].map(|i| halves[i].point(pick(&points[i]))))
    };
    let shoulder = at(|p| p.shoulder, known.shoulder);
    let armpit = at(|p| p.armpit, known.armpit);
    let hem = at(|p| p.hem, known.hem);
    check_order(shoulder, armpit, hem)?;
    let chest = armpit[1].x - armpit[0].x;
    let asymmetry = asymmetry(silhouette.axis_x, &[shoulder, armpit, hem]) / chest;
    if asymmetry > 0.25 && known == &Known::default() {
        return Err(Fault::Asymmetric);
    }

    let collar = known.collar.unwrap_or_else(|| collar(silhouette, &halves, &points));
    let collar_notch = [0, 1].iter().all(|&i| has_collar_notch(silhouette, &halves[i], &points[i]));
    let line_y = 0.5 * (collar[0].y + collar[1].y);
    let top = silhouette.column(0.5 * (collar[0].x + collar[1].x));
    let hole_depth = top.map_or(0.0, |[first, _]| (first as f32 - line_y).max(0.0));
    let seen = neckline::find(texture, collar, hole_depth, collar_notch);
    let neckline = Neckline {
        depth: known.neckline_depth.unwrap_or(seen.depth),
        filled: known.neckline_filled.unwrap_or(seen.filled),
        seen: seen.seen || known.neckline_depth.is_some(),
    };

    let limbs = [0, 1].map(|i| {
        if points[i].seen != Armhole::Sleeve {
            return None;
        }
        let half = &halves[i];
        let (from, to) = (points[i].armpit, points[i].shoulder);
        let line = half.curve.points.get(from..=to)?;
        let armhole = line[0].distance(line[line.len() - 1]);
        match known.cuffs {
            Some(cuffs) => Limb::cut_at(line, half.fold(cuffs[i][1]), half.fold(cuffs[i][0])),
            None => Limb::cut(line, [0.2 * armhole, 1.5 * armhole]),
        }
    });
    let unfold = |i: usize, line: &[Vec2]| line.iter().map(|&p| halves[i].unfold(p)).collect();
    let sleeves = [0, 1].map(|i| {
        limbs[i].as_ref().map(|limb: &Limb| {
            let mut ribbon = limb.ribbon();
            ribbon.outer = unfold(i, &ribbon.outer);
            ribbon.inner = unfold(i, &ribbon.inner);
            ribbon.outer[0] = shoulder[i];
            ribbon.inner[0] = armpit[i];
            ribbon
        })
    });
    let cuffs =
        [0, 1].map(|i| limbs[i].as_ref().map(|limb| limb.end().map(|p| halves[i].unfold(p))));

    let upper = Upper {
        axis_x: silhouette.axis_x,
        shoulder,
        collar,
        armpit,
        hem,
        neckline_depth: neckline.depth,
        neckline_filled: neckline.filled,
        sides: body_sides(silhouette, &halves, &points, shoulder, armpit),
        hem_profile: hem_profile(&halves, &points, hem),
        sleeves,
    };
    let armhole_seen = points.map(|p| p.seen != Armhole::Unseen);
    let armpit_bend =
        [0, 1].map(|i| halves[i].curve.bend(points[i].armpit, 0.05 * silhouette.unit()));
    Ok(Found {
        upper,
        armpit_bend,
        collar_notch,
        cuffs,
        armhole_seen,
        neckline_seen: neckline.seen,
        asymmetry,
    })
}

impl Found {
    /// What kind of top this is by its proportions, with a confidence.
    pub fn category(&self, opens_in_front: f32) -> (Category, f32) {
        // 0 at the border between two kinds, 1 well away from it.
        let clear =
            |value: f32, border: f32, margin: f32| ((value - border).abs() / margin).min(1.0);
        let long = self.body_length() / self.chest().max(1.0);
        let hem_width = self.upper.hem[1].x - self.upper.hem[0].x;
        let flare = hem_width / self.chest().max(1.0);
        let sleeve = self.sleeve_length() / self.chest().max(1.0);
        let dress_measure = long + 0.9 * (flare - 1.0).max(0.0);
        let is_dress = dress_measure > 1.95 && opens_in_front < 0.5;
        let dress_clear = 0.5 + 0.5 * clear(dress_measure, 1.95, 0.3);
        if is_dress {
            return (Category::Dress, 0.95 * dress_clear);
        }
        if self.upper.sleeves.iter().all(Option::is_none) {
            return (Category::Sleeveless, 0.95 * dress_clear);
        }
        let sleeve_clear = 0.5 + 0.5 * clear(sleeve, LONG_SLEEVE, 0.2);
        if sleeve < LONG_SLEEVE {
            return (Category::TShirt, 0.95 * dress_clear.min(sleeve_clear));
        }
        let front_clear = 0.5 + 0.5 * clear(opens_in_front, 0.5, 0.3);
        let kind = if opens_in_front > 0.5 { Category::Jacket } else { Category::LongSleeve };
        (kind, 0.95 * sleeve_clear.min(front_clear))
    }
}

fn check_order(shoulder: [Vec2; 2], armpit: [Vec2; 2], hem: [Vec2; 2]) -> Result<(), Fault> {
    let apart = |pair: [Vec2; 2]| pair[1].x - pair[0].x;
    if apart(armpit) < 8.0 || apart(shoulder) < 4.0 || apart(hem) < 4.0 {
        return Err(Fault::Swapped);
    }
    for side in 0..2 {
        if armpit[side].y < shoulder[side].y + 0.02 * apart(armpit) {
            return Err(Fault::ArmpitAboveShoulder);
        }
        if hem[side].y < armpit[side].y + 0.1 * apart(armpit) {
            return Err(Fault::HemAboveArmpit);
        }
    }
    Ok(())
}

/// Largest distance between a left point and the mirror image of its right point.
fn asymmetry(axis_x: f32, pairs: &[[Vec2; 2]]) -> f32 {
    let apart = |pair: &[Vec2; 2]| {
        let mirrored = Vec2::new(2.0 * axis_x - pair[1].x, pair[1].y);
        pair[0].distance(mirrored)
    };
    pairs.iter().map(apart).fold(0.0, f32::max)
}

/// The notch between sleeve and body: the sharpest inward bend that opens downwards.
fn sleeve_armpit(silhouette: &Silhouette, half: &Half) -> Option<(usize, f32)> {
    sharpest_notch(silhouette, half, ARMPIT_BEND, |_| true)
}

fn sharpest_notch(
    silhouette: &Silhouette,
    half: &Half,
    least_bend: f32,
    allowed: impl Fn(Vec2) -> bool,
) -> Option<(usize, f32)> {
    let curve = &half.curve;
    let reach = 0.09 * silhouette.unit();
    let [_, top, ..] = silhouette.bounds.map(|bound| bound as f32);
    let extent_y = silhouette.extent_y();
    let extent_x = silhouette.extent_x();
    // The farthest that the outline still reaches after each point.
    let mut beyond = vec![0f32; curve.points.len()];
    let mut farthest = 0f32;
    for index in (0..curve.points.len()).rev() {
        farthest = farthest.max(curve.points[index].x);
        beyond[index] = farthest;
    }
    (0..curve.points.len())
        .filter(|&index| {
            let point = curve.points[index];
            let depth = (point.y - top) / extent_y;
            (0.05..0.75).contains(&depth)
                && point.x > 0.08 * extent_x
                && beyond[index] > point.x + 0.03 * extent_x
                && allowed(point)
                && curve.opening(index, reach).y > 0.25
        })
        .map(|index| (index, -curve.steady_bend(index, reach)))
        .filter(|&(_, bend)| bend > least_bend)
        .max_by(|a, b| a.1.total_cmp(&b.1))
}

/// Both halves of a garment have an armpit at about the same place, or none: the clearer one decides,
/// and the other half is searched again near its mirror image.
fn agree(silhouette: &Silhouette, halves: &[Half; 2], armpits: &mut [Option<(usize, f32)>; 2]) {
    let place = |i: usize, found: Option<(usize, f32)>| found.map(|f| halves[i].curve.points[f.0]);
    let limit = 0.10 * silhouette.unit();
    let apart = match (place(0, armpits[0]), place(1, armpits[1])) {
        (None, None) => return,
        (Some(left), Some(right)) => left.distance(right),
        _ => f32::INFINITY,
    };
    if apart < limit {
        return;
    }
    let strength = |i: usize| armpits[i].map_or(0.0, |found| found.1);
    let surer = usize::from(strength(1) > strength(0));
    let Some(model) = place(surer, armpits[surer]) else { return };
    let other = 1 - surer;
    let near = |point: Vec2| point.distance(model) < 2.0 * limit;
    let again = sharpest_notch(silhouette, &halves[other], 0.4 * ARMPIT_BEND, near);
    match again {
        Some(found) => armpits[other] = Some(found),
        // One notch without any counterpart is a fold or a pocket, unless it is very clear.
        None if strength(surer) < 1.2 && armpits[other].is_none() => armpits[surer] = None,
        None if armpits[other].is_none() => {
            armpits[other] = Some((halves[other].curve.nearest(model), 0.0));
        }
        None => {}
    }
}

fn hem_corner(silhouette: &Silhouette, half: &Half, armpit: usize) -> Option<usize> {
    let slack = 0.05 * silhouette.unit();
    half.curve.corner(0..armpit, Vec2::new(0.55, 1.0), slack, 0.06 * silhouette.unit())
}

fn sleeved(silhouette: &Silhouette, half: &Half, armpit: usize) -> Option<Points> {
    let curve = &half.curve;
    let hem = hem_corner(silhouette, half, armpit)?;
    let armpit_x = curve.points[armpit].x;
    // The armhole seam rises from the armpit to the upper edge, about straight; where the outline
    // turns down from the shoulder into the sleeve near there, the shoulder is that turn.
    let above = |index: &usize| curve.points[*index].y < curve.points[armpit].y;
    let count = curve.points.len();
    let crossing =
        (armpit..count).rev().filter(above).find(|&i| curve.points[i].x >= 0.97 * armpit_x)?;
    let reach = 0.07 * silhouette.unit();
    let near = |index: &usize| {
        let x = curve.points[*index].x / armpit_x;
        (0.86..1.06).contains(&x)
    };
    let window = (0.12 * silhouette.unit() / curve.step) as usize;
    let turn = (crossing.saturating_sub(window).max(armpit + 1)..(crossing + window).min(count))
        .filter(near)
        .filter(above)
        .max_by(|&a, &b| curve.steady_bend(a, reach).total_cmp(&curve.steady_bend(b, reach)));
    let shoulder = match turn {
        Some(turn) if curve.steady_bend(turn, reach) > 0.22 => turn,
        _ => crossing,
    };
    Some(Points { hem, armpit, shoulder, seen: Armhole::Sleeve })
}

/// Shoulder and armpit of a top without sleeves: the outer end of the strap, and the corner at
/// which its armhole meets the side.
fn sleeveless(silhouette: &Silhouette, half: &Half) -> Option<Points> {
    let curve = &half.curve;
    let unit = silhouette.unit();
    let count = curve.points.len();
    let [_, top, ..] = silhouette.bounds.map(|bound| bound as f32);
    let in_top =
        |index: &usize, share: f32| curve.points[*index].y < top + share * silhouette.extent_y();
    let first = (0..count).find(|index| in_top(index, 0.22))?;
    let shoulder = curve.corner(first..count, Vec2::new(0.5, -1.0), 0.05 * unit, 0.05 * unit)?;
    let hem = hem_corner(silhouette, half, shoulder)?;
    let reach = 0.1 * unit;
    let shoulder_y = curve.points[shoulder].y;
    let armpit = (hem..shoulder)
        .filter(|index| in_top(index, 0.55) && curve.points[*index].y > shoulder_y + 0.08 * unit)
        .filter(|&index| curve.opening(index, reach).x < -0.1)
        .map(|index| (index, curve.steady_bend(index, reach)))
        .max_by(|a, b| a.1.total_cmp(&b.1));
    // An armhole curves inwards, or begins with a sharp corner; a dome does neither.
    let is_armhole = |armpit: usize| {
        let hollow = (armpit..shoulder).any(|i| curve.steady_bend(i, 0.06 * unit) < -0.12);
        hollow || curve.bend(armpit, 0.05 * unit) > 0.6
    };
    if let Some((armpit, bend)) = armpit
        && bend > 0.25
        && is_armhole(armpit)
    {
        return Some(Points { hem, armpit, shoulder, seen: Armhole::Bare });
    }
    // A box: the armhole is not in the outline. It ends about a third of the width below.
    let drop = shoulder_y + 0.32 * 2.0 * curve.points[shoulder].x;
    let armpit = (hem..shoulder).rev().find(|&index| curve.points[index].y >= drop)?;
    Some(Points { hem, armpit, shoulder, seen: Armhole::Unseen })
}

/// Where the shoulder seam meets the collar: the point farthest above the line from the shoulder
/// to the top of the axis, made symmetric.
fn collar(silhouette: &Silhouette, halves: &[Half; 2], points: &[Points; 2]) -> [Vec2; 2] {
    let found = [0, 1].map(|i| {
        let line = &halves[i].curve.points[points[i].shoulder..];
        let (from, to) = (line[0], line[line.len() - 1]);
        let to = Vec2::new(0.0, to.y.min(from.y));
        let up = (to - from).perp().normalize_or(Vec2::NEG_Y);
        let up = if up.y > 0.0 { -up } else { up };
        line.iter()
            .filter(|point| (0.18..0.86).contains(&(point.x / from.x.max(1.0))))
            .max_by(|a, b| (**a - from).dot(up).total_cmp(&(**b - from).dot(up)))
            .copied()
            .unwrap_or(Vec2::new(0.42 * from.x, from.y))
    });
    let half_width = 0.5 * (found[0].x + found[1].x);
    [0, 1].map(|i| {
        let nearest = if (found[i].x - half_width).abs() < 0.02 * silhouette.unit() {
            found[i]
        } else {
            let line = &halves[i].curve.points[points[i].shoulder..];
            let apart = |p: &Vec2| (p.x - half_width).abs();
            line.iter().copied().min_by(|a, b| apart(a).total_cmp(&apart(b))).unwrap_or(found[i])
        };
        halves[i].unfold(nearest)
    })
}

/// A notch that opens upwards between the shoulder and the collar.
fn has_collar_notch(silhouette: &Silhouette, half: &Half, points: &Points) -> bool {
    let curve = &half.curve;
    let reach = 0.04 * silhouette.unit();
    let shoulder_x = curve.points[points.shoulder].x;
    (points.shoulder..curve.points.len()).any(|index| {
        let share = curve.points[index].x / shoulder_x.max(1.0);
        (0.25..0.85).contains(&share)
            && curve.opening(index, reach).y < -0.2
            && -curve.steady_bend(index, reach) > 0.35
    })
}

/// Left and right edge of the body for each row.
fn body_sides(
    silhouette: &Silhouette,
    halves: &[Half; 2],
    points: &[Points; 2],
    shoulder: [Vec2; 2],
    armpit: [Vec2; 2],
) -> Vec<[f32; 2]> {
    let edges = [0, 1].map(|i| {
        let line = &halves[i].curve.points[points[i].hem..=points[i].armpit];
        let mut rows = outermost_per_row(line, silhouette.height);
        let (shoulder, armpit) = (halves[i].fold(shoulder[i]), halves[i].fold(armpit[i]));
        for (y, row) in rows.iter_mut().enumerate() {
            let y = y as f32 + 0.5;
            if y < armpit.y {
                let share = ((y - shoulder.y) / (armpit.y - shoulder.y)).clamp(0.0, 1.0);
                *row = Some(shoulder.x + share * (armpit.x - shoulder.x));
            }
        }
        filled(rows)
    });
    (0..silhouette.height)
        .map(|y| [halves[0].axis_x - edges[0][y], halves[1].axis_x + edges[1][y]])
        .collect()
}

/// Largest `x` of a line in each row that it passes.
pub fn outermost_per_row(line: &[Vec2], rows: usize) -> Vec<Option<f32>> {
    let mut edge: Vec<Option<f32>> = vec![None; rows];
    for pair in line.windows(2) {
        let (low, high) = (pair[0].y.min(pair[1].y), pair[0].y.max(pair[1].y));
        // Rows whose middle lies within the segment; neighbouring segments share their end.
        let first = (low - 0.5).ceil().max(0.0) as usize;
        let last = ((high - 0.5).floor() as i64).min(rows as i64 - 1);
        for y in first as i64..=last {
            let y = y as usize;
            let share = (y as f32 + 0.5 - pair[0].y) / (pair[1].y - pair[0].y);
            let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 1.0 };
            let x = pair[0].lerp(pair[1], share).x;
            edge[y] = Some(edge[y].map_or(x, |other: f32| other.max(x)));
        }
    }
    edge
}

/// Rows without a value repeat the nearest row that has one.
pub fn filled(rows: Vec<Option<f32>>) -> Vec<f32> {
    let known: Vec<usize> = (0..rows.len()).filter(|&y| rows[y].is_some()).collect();
    let mut next = 0;
    (0..rows.len())
        .map(|y| {
            while next + 1 < known.len() && known[next + 1].abs_diff(y) <= known[next].abs_diff(y) {
                next += 1;
            }
            known.get(next).and_then(|&row| rows[row]).unwrap_or(0.0)
        })
        .collect()
}

/// Lowest point of the body's outline over equal steps from hem corner to hem corner.
fn hem_profile(halves: &[Half; 2], points: &[Points; 2], hem: [Vec2; 2]) -> Vec<f32> {
    let mut line: Vec<Vec2> =
        (0..=points[0].hem).rev().map(|index| halves[0].point(index)).collect();
    line.extend((0..=points[1].hem).map(|index| halves[1].point(index)));
    // Rows and columns change places to read the outermost value per step.
    let span = (hem[1].x - hem[0].x).max(1.0);
    let scale = (HEM_POINTS - 1) as f32 / span;
    let turned: Vec<Vec2> =
        line.iter().map(|p| Vec2::new(p.y, (p.x - hem[0].x) * scale + 0.5)).collect();
    let mut profile = filled(outermost_per_row(&turned, HEM_POINTS));
    profile[0] = hem[0].y;
    profile[HEM_POINTS - 1] = hem[1].y;
    profile
}
