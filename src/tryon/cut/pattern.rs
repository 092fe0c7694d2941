//! The flat pattern: patches from places on the body to places on the picture of the garment.

use super::super::body::{Body, SIGN, ray};
use super::super::patch::{Patch, by_arc_length, coons, polyline_at, rounded, steps};
use super::super::seen::SeenPerson;
use super::super::sleeve::{ELBOW_AT, Spine, without_folds};
use super::CutPoints;
use super::worn::Worn;
use crate::garment::Category;
use crate::plane::Plane;
use glam::Vec2;

const COLUMNS: usize = 33;
const ROWS: usize = 34;
/// Parameter along the side at which the armpit lies.
const ARMPIT_AT: f32 = 0.30;
const SECTIONS: usize = 20;
const ACROSS: usize = 7;
/// Empty border of the picture, pixels.
const MARGIN: f32 = 24.0;
/// Width of the body of the garment, pixels.
const BODY_WIDTH: f32 = 900.0;
/// Half the angle over which the trunk counts as round: cloth at the sides is seen foreshortened.
const ROUNDNESS: f32 = 0.85;

/// The pattern. Sources are grid cells, targets pixels of the garment's picture.
pub struct Pattern {
    /// Columns of the picture.
    pub width: usize,
    /// Rows of the picture.
    pub height: usize,
    /// The body of the garment.
    pub torso: Patch,
    /// Sleeves.
    pub sleeves: Vec<Patch>,
    /// Where the parts lie; depth of neckline and height of the hem are still those of the pattern.
    pub points: CutPoints,
    /// Pixels per cell.
    pub scale: f32,
}

/// Lays out what is worn.
pub fn lay_out(worn: &Worn, seen: &SeenPerson) -> Pattern {
    let SeenPerson { body, mask, .. } = seen;
    let sw = body.shoulder_width;
    let tips = worn.shoulder.map(|p| body.parts(p));
    let collars = worn.collar.map(|p| body.parts(p));
    let top = 0.5 * (tips[0].0 + tips[1].0);
    // A turned person is narrower, not shorter.
    let reference = if body.hips_seen > 0.5 { sw.max(0.60 * body.torso_length) } else { sw };
    let widen = (reference / sw).max(1.0);
    let shoulder_half = 0.5 * (tips[1].1 - tips[0].1) * widen;
    let is_long = worn.coverage.is_some_and(|c| c > 0.6);
    let chest = worn.chest_half_width() * widen;
    let armpit_half = match worn.coverage {
        Some(_) if is_long => (0.92 * shoulder_half).max(1.05 * chest),
        Some(_) => (0.97 * shoulder_half).max(1.05 * chest),
        None => 1.15 * chest,
    };
    let sharp = 4.0 * worn.chest_half_width() * seen.grid.scale;
    let scale = sharp.clamp(400.0, BODY_WIDTH) / (2.0 * armpit_half);

    // Positions on the pattern in cells: from the axis and below the shoulder points.
    let mirrored = |x: f32, y: f32| SIGN.map(|sign| Vec2::new(sign * x, y));
    let shoulder = mirrored(shoulder_half, 0.0);
    let collar_drop = 0.5 * (collars[0].0 + collars[1].0) - top;
    let collar = mirrored(0.5 * (collars[1].1 - collars[0].1) * widen, collar_drop.min(-0.02 * sw));
    let armpit = mirrored(armpit_half, worn.axial[0] - top);
    let mean = |i: usize| 0.5 * (worn.half_width[0][i] + worn.half_width[1][i]);
    let rows = worn.axial.len();
    let lower = (rows / 2..rows).map(mean).sum::<f32>() / (rows - rows / 2) as f32;
    let flare = (lower / mean(0)).clamp(0.96, 1.10);
    let side: Vec<Vec2> = (0..rows)
        .map(|i| {
            // A top laid flat has straight sides; a dress keeps its waist.
            let share = match worn.category {
                Category::Dress => (mean(i) / mean(0)).clamp(0.7, 4.0),
                _ => 1.0 + (flare - 1.0) * i as f32 / (rows - 1) as f32,
            };
            Vec2::new(armpit_half * share, worn.axial[i] - top)
        })
        .collect();

    let mut sleeves = Vec::new();
    let mut cuffs = None;
    if let Some(coverage) = worn.coverage {
        let flat = flat_sleeve(body, coverage, is_long, shoulder[1], armpit[1], widen);
        let flip = |p: Vec2| Vec2::new(-p.x, p.y);
        let sided = [flat.map(|line| line.map(flip)), flat];
        cuffs = Some([0, 1].map(|s: usize| [sided[s][0][1], sided[s][1][1]]));
        for (s, lines) in sided.iter().enumerate() {
            let from = match worn.unseen_sleeve {
                Some(unseen) if unseen == s => 1 - s,
                _ => s,
            };
            let source = sleeve_on_body(worn, body, mask, coverage, from);
            sleeves.push(ruled(&source, &sections(&lines[0], &lines[1])));
        }
    }

    let torso = torso(worn, body, mask, shoulder, collar, armpit, &side);
    let mut all = vec![torso];
    all.append(&mut sleeves);
    let (mut low, mut high) = (Vec2::INFINITY, Vec2::NEG_INFINITY);
    for p in all.iter().flat_map(|patch| &patch.target) {
        low = low.min(*p);
        high = high.max(*p);
    }
    let half = scale * high.x.max(-low.x) + MARGIN;
    let place = |p: Vec2| Vec2::new(half + scale * p.x, MARGIN + scale * (p.y - low.y));
    for patch in &mut all {
        patch.target.iter_mut().for_each(|p| *p = place(*p));
    }
    let hem_y = worn.hem - top;
    let row = worn.axial.partition_point(|&t| t < worn.hem).min(side.len() - 1);
    let points = CutPoints {
        shoulder: shoulder.map(place),
        collar: collar.map(place),
        armpit: armpit.map(place),
        hem: mirrored(side[row].x, hem_y).map(place),
        cuffs: cuffs.map(|pairs: [[Vec2; 2]; 2]| pairs.map(|pair| pair.map(place))),
        neckline_depth: 0.0,
    };
    let sleeves = all.split_off(1);
    Pattern {
        width: (2.0 * half).ceil() as usize,
        height: (scale * (high.y - low.y) + 2.0 * MARGIN).ceil() as usize,
        torso: all.remove(0),
        sleeves,
        points,
        scale,
    }
}

fn torso(
    worn: &Worn,
    body: &Body,
    mask: &Plane,
    shoulder: [Vec2; 2],
    collar: [Vec2; 2],
    armpit: [Vec2; 2],
    side: &[Vec2],
) -> Patch {
    let rows = steps(ROWS);
    let mut knots = vec![0.0];
    let down = steps(side.len());
    knots.extend(down.iter().map(|f| ARMPIT_AT + (1.0 - ARMPIT_AT) * f));
    let [sources, targets] = {
        let on_body = [0, 1].map(|s| {
            let mut line = vec![worn.shoulder[s]];
            line.extend((0..side.len()).map(|i| {
                // A little inside the outline, whose own cells are mixed with the background.
                let lateral = worn.half_width[s][i] - 0.012 * body.shoulder_width;
                body.place(worn.axial[i], SIGN[s] * lateral)
            }));
            polyline_at(&line, &knots, &rows)
        });
        let flat = [0, 1].map(|s| {
            let mut line = vec![shoulder[s], armpit[s]];
            line.extend(side[1..].iter().map(|p| Vec2::new(SIGN[s] * p.x, p.y)));
            polyline_at(&line, &knots, &rows)
        });
        [on_body, flat]
    };
    let across = steps(COLUMNS);
    let reach = |points: &[Vec2; 4]| {
        let half = |a: Vec2, b: Vec2| a.distance(b);
        let all =
            half(points[0], points[1]) + half(points[1], points[2]) + half(points[2], points[3]);
        half(points[0], points[1]) / all
    };
    let flat_top = [shoulder[0], collar[0], collar[1], shoulder[1]];
    let at = reach(&flat_top);
    let knots = [0.0, at, 1.0 - at, 1.0];
    let target_top = polyline_at(&flat_top, &knots, &across);
    let body_top = [worn.shoulder[0], worn.collar[0], worn.collar[1], worn.shoulder[1]];
    let source_top = on_shoulders(polyline_at(&body_top, &knots, &across), at, body, mask);
    let bottom = |sides: &[Vec<Vec2>; 2]| {
        let (left, right) = (sides[0][ROWS - 1], sides[1][ROWS - 1]);
        across.iter().map(|&u| left.lerp(right, u)).collect::<Vec<_>>()
    };
    let mut source = coons(&source_top, &bottom(&sources), &sources[0], &sources[1]);
    let target = coons(&target_top, &bottom(&targets), &targets[0], &targets[1]);
    // The trunk is round: unroll it, from the armpits down.
    for (j, row) in source.chunks_exact_mut(COLUMNS).enumerate() {
        let strength = (rows[j] / ARMPIT_AT).min(1.0);
        let round = |u: f32| {
            let unrolled = 0.5 + 0.5 * (ROUNDNESS * (2.0 * u - 1.0)).sin() / ROUNDNESS.sin();
            u + (unrolled - u) * strength
        };
        let parameters: Vec<f32> = across.iter().map(|&u| round(u)).collect();
        let unrolled = polyline_at(row, &across, &parameters);
        row.copy_from_slice(&unrolled);
    }
    Patch::new(COLUMNS, source, target)
}

/// Moves the shoulder seams just inside the silhouette where it is near.
fn on_shoulders(top: Vec<Vec2>, collar_at: f32, body: &Body, mask: &Plane) -> Vec<Vec2> {
    let sw = body.shoulder_width;
    let inside = 0.012 * sw;
    let place = |(i, point): (usize, Vec2)| {
        let u = i as f32 / (COLUMNS - 1) as f32;
        if u > collar_at + 0.01 && u < 0.99 - collar_at {
            return point + body.down * inside;
        }
        let from = point + body.down * 0.10 * sw;
        let offset = match ray(mask, from, -body.down, 0.0, 0.25 * sw) {
            Some(found) => (found - 0.10 * sw).clamp(-0.05 * sw, 0.05 * sw),
            None => 0.0,
        };
        point - body.down * (offset - inside)
    };
    top.into_iter().enumerate().map(place).collect()
}

/// Upper and lower edge of the right sleeve on the pattern, cells.
fn flat_sleeve(
    body: &Body,
    coverage: f32,
    is_long: bool,
    shoulder: Vec2,
    armpit: Vec2,
    widen: f32,
) -> [[Vec2; 2]; 2] {
    let angle = if is_long { 66f32 } else { 40f32 }.to_radians();
    let along = Vec2::from_angle(angle);
    // An arm from shoulder tip to wrist is 1.3 times as long as the shoulders are wide.
    let length = coverage * 1.3 * body.tip_width * widen;
    let under = length - (armpit - shoulder).dot(along);
    let cuff = shoulder + along * length;
    let across = Vec2::new(-along.y, along.x);
    let width = (armpit - shoulder).dot(across);
    let narrow = if is_long { 0.15 } else { 0.0 };
    let inner = armpit + along * under.max(0.08 * body.tip_width) - across * (narrow * width);
    [[shoulder, cuff], [armpit, inner]]
}

fn sections(outer: &[Vec2], inner: &[Vec2]) -> Vec<[Vec2; 2]> {
    let outer = by_arc_length(outer, SECTIONS);
    let inner = by_arc_length(inner, SECTIONS);
    outer.into_iter().zip(inner).map(|(o, i)| [o, i]).collect()
}

/// The sleeve where it is worn.
fn sleeve_on_body(
    worn: &Worn,
    body: &Body,
    mask: &Plane,
    coverage: f32,
    side: usize,
) -> Vec<[Vec2; 2]> {
    let arm = &body.arm[side];
    let sw = body.shoulder_width;
    let armpit = body.place(worn.axial[0], SIGN[side] * worn.half_width[side][0]);
    let along = (arm.elbow - arm.joint).normalize_or(Vec2::Y);
    let at_armpit =
        (armpit - arm.joint).dot(along) / arm.joint.distance(arm.elbow).max(1.0) * ELBOW_AT;
    let at_armpit = at_armpit.clamp(0.04, 0.36).min(0.8 * coverage);
    let spine = Spine::new(arm, coverage);
    let offset = |fraction: f32, sign: f32| {
        let (point, normal, radius) = spine.at(fraction);
        let seen = ray(mask, point, normal * sign, 0.02 * sw, 0.32 * sw).unwrap_or(radius);
        let reach = if sign > 0.0 || fraction > ELBOW_AT {
            seen.clamp(0.8 * radius, 1.45 * radius)
        } else {
            seen.clamp(0.7 * radius, 1.05 * radius)
        };
        point + normal * sign * (reach - 0.012 * sw)
    };
    let mut outer = vec![worn.shoulder[side]];
    let first = (0.3 * coverage).min(0.10);
    outer.extend((0..9).map(|i| offset(first + (coverage - first) * i as f32 / 8.0, 1.0)));
    let start = at_armpit + 0.04 * coverage;
    let mut inner = vec![armpit];
    inner.extend((0..8).map(|i| offset(start + (coverage - start) * i as f32 / 7.0, -1.0)));
    without_folds(sections(&rounded(&outer, 2), &rounded(&inner, 2)))
}

/// A ruled patch with half a section of overlap under the body of the garment.
fn ruled(source: &[[Vec2; 2]], target: &[[Vec2; 2]]) -> Patch {
    let spread = |sections: &[[Vec2; 2]]| {
        let before = [0, 1].map(|k| sections[0][k] * 1.3 - sections[1][k] * 0.3);
        std::iter::once(before)
            .chain(sections.iter().copied())
            .flat_map(|[o, i]| (0..ACROSS).map(move |k| o.lerp(i, k as f32 / (ACROSS - 1) as f32)))
            .collect::<Vec<_>>()
    };
    Patch::new(ACROSS, spread(source), spread(target))
}
