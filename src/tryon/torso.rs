//! The body of a top or a dress: one Coons patch from shoulders to hem.

use super::body::{Body, SIGN, ray};
use super::patch::{Patch, coons, polyline_at, steps};
use crate::garment::{Category, Upper};
use crate::plane::Plane;
use glam::Vec2;

const COLUMNS: usize = 17;
const ROWS: usize = 22;
/// Parameter along the side at which the armpit lies.
const ARMPIT_AT: f32 = 0.30;
/// The patch reaches this many garment pixels beyond the edge, so that the edge itself is inside.
const MARGIN: f32 = 4.0;
const PROFILE: usize = 40;

/// Where the body of the garment came to lie; sleeves and neckline build on it.
#[derive(Clone, Debug)]
pub struct TorsoFit {
    /// The patch.
    pub patch: Patch,
    /// Grid cells per garment pixel across.
    pub scale: f32,
    /// Armpits on the body, where sleeves begin; the patch itself may run on under the arm.
    pub armpit: [Vec2; 2],
    /// Shoulder points on the body.
    pub shoulder: [Vec2; 2],
    /// Collar points on the body.
    pub collar: [Vec2; 2],
    /// Axial distance of the hem.
    pub hem_axial: f32,
    /// Depth of the neckline below the collar points, cells.
    pub neckline_depth: f32,
}

/// Fits the body of the garment.
pub fn fit_torso(upper: &Upper, category: Category, body: &Body, mask: &Plane) -> TorsoFit {
    let sw = body.shoulder_width;
    let garment_width = (upper.shoulder[1].x - upper.shoulder[0].x).max(1.0);
    let has_sleeves = upper.sleeves.iter().any(Option::is_some);
    let chest: f32 = (0..2)
        .map(|side| {
            let edge = body.half_width(mask, 0.55 * sw, side);
            body.armpit_lateral(0.55 * sw, side, edge)
        })
        .sum();
    let scale = if has_sleeves {
        body.tip_width / garment_width
    } else {
        // Straps end inside the shoulders: the chest decides.
        let armpits = (upper.armpit[1].x - upper.armpit[0].x).max(1.0);
        (1.10 * chest / armpits).min(body.tip_width / garment_width)
    };
    // A turned person is narrower, not shorter.
    let reference = if body.hips_seen > 0.5 { sw.max(0.60 * body.torso_length) } else { sw };
    let scale_down = scale * (reference / sw).max(1.0);

    let shoulder = shoulders(upper, body, mask, scale, has_sleeves);
    let collar = collar_points(upper, body, mask, scale, &shoulder);
    let rows = steps(ROWS);
    let mut sides_source = Vec::new();
    let mut sides_target = Vec::new();
    let mut armpit = [Vec2::ZERO; 2];
    let mut hem_axial = [0.0; 2];
    for side in 0..2 {
        let (source, target, pit, hem) =
            fit_side(upper, category, body, mask, side, scale, scale_down, shoulder[side]);
        sides_source.push(polyline_at(&source.0, &source.1, &rows));
        sides_target.push(polyline_at(&target, &source.1, &rows));
        armpit[side] = pit;
        hem_axial[side] = hem;
    }

    let up = -Vec2::Y * MARGIN;
    let source_top = top_edge(upper.shoulder, upper.collar, up);
    let target_top = {
        let lift = -body.down * MARGIN * scale;
        let top = top_edge(shoulder, collar, lift);
        snap_to_shoulders(top, body, mask)
    };
    let across = steps(COLUMNS);
    let (left, right) = (sides_source[0][ROWS - 1], sides_source[1][ROWS - 1]);
    let mut source_bottom: Vec<Vec2> = across
        .iter()
        .map(|&u| {
            let x = left.x + (right.x - left.x) * u;
            let line = left.y + (right.y - left.y) * u;
            let edge = hem_at(upper, x) + MARGIN;
            let usable = (edge - line).abs() < 0.12 * upper.sides.len() as f32;
            Vec2::new(x, if usable { edge } else { line })
        })
        .collect();
    source_bottom[0] = left;
    source_bottom[COLUMNS - 1] = right;
    let (low_left, low_right) = (sides_target[0][ROWS - 1], sides_target[1][ROWS - 1]);
    let target_bottom: Vec<Vec2> = across
        .iter()
        .zip(&source_bottom)
        .map(|(&u, source)| {
            let bow = (source.y - (left.y + (right.y - left.y) * u)) * scale_down;
            let sag = (std::f32::consts::PI * u).sin() * 0.02 * sw;
            low_left.lerp(low_right, u) + body.down * (bow + sag)
        })
        .collect();
    sides_source[0][0] = source_top[0];
    sides_source[1][0] = source_top[COLUMNS - 1];
    sides_target[0][0] = target_top[0];
    sides_target[1][0] = target_top[COLUMNS - 1];
    let patch = Patch::new(
        COLUMNS,
        coons(&source_top, &source_bottom, &sides_source[0], &sides_source[1]),
        coons(&target_top, &target_bottom, &sides_target[0], &sides_target[1]),
    );
    TorsoFit {
        patch,
        scale,
        armpit,
        shoulder,
        collar,
        hem_axial: hem_axial[0].max(hem_axial[1]),
        neckline_depth: upper.neckline_depth * scale,
    }
}

fn hem_at(upper: &Upper, x: f32) -> f32 {
    let (from, to) = (upper.hem[0].x, upper.hem[1].x);
    let last = upper.hem_profile.len() - 1;
    let at = ((x - from) / (to - from).max(1.0)).clamp(0.0, 1.0) * last as f32;
    let i = (at as usize).min(last.saturating_sub(1));
    let f = at - i as f32;
    upper.hem_profile[i] * (1.0 - f) + upper.hem_profile[(i + 1).min(last)] * f
}

/// Shoulder points: the tips of the silhouette, or for a top without sleeves the place on the shoulder line
/// that its strap reaches.
fn shoulders(upper: &Upper, body: &Body, mask: &Plane, scale: f32, sleeves: bool) -> [Vec2; 2] {
    let tips = [body.arm[0].tip, body.arm[1].tip];
    if sleeves {
        return tips;
    }
    let sw = body.shoulder_width;
    std::array::from_fn(|side| {
        let lateral = (upper.shoulder[side].x - upper.axis_x).abs() * scale;
        let (tip_axial, tip_lateral) = body.parts(tips[side]);
        let lateral = lateral.min(tip_lateral.abs());
        let neck_lateral = 0.17 * sw;
        let f = ((lateral - neck_lateral) / (tip_lateral.abs() - neck_lateral).max(1.0))
            .clamp(0.0, 1.0);
        let model = -0.245 * sw + (tip_axial + 0.245 * sw) * f;
        let from = body.place(model + 0.12 * sw, SIGN[side] * lateral);
        let found = ray(mask, from, -body.down, 0.0, 0.3 * sw);
        let lift = found.filter(|d| (d - 0.12 * sw).abs() < 0.1 * sw).unwrap_or(0.12 * sw);
        from - body.down * lift
    })
}

fn collar_points(
    upper: &Upper,
    body: &Body,
    mask: &Plane,
    scale: f32,
    shoulder: &[Vec2; 2],
) -> [Vec2; 2] {
    let sw = body.shoulder_width;
    let flat = (upper.collar[1].x - upper.collar[0].x) * 0.5 * scale;
    let shoulders = (upper.shoulder[1].x - upper.shoulder[0].x) * 0.5 * scale;
    // A round neck closes on the neck when it is worn; a wide one stays as wide as it was cut.
    let closed = flat.min((1.3 * body.neck_half_width(mask)).max(0.75 * flat));
    let half = if flat < 0.5 * shoulders { closed } else { flat };
    let (_, mouth_lateral) = body.parts(body.face.mouth_middle());
    let neck_lateral = 0.18 * mouth_lateral;
    let axial: [f32; 2] = std::array::from_fn(|side| {
        let lateral = neck_lateral + SIGN[side] * half;
        let (tip_axial, tip_lateral) = body.parts(shoulder[side]);
        let reach = (tip_lateral - neck_lateral).abs();
        let f = ((half - 0.17 * sw) / (reach - 0.17 * sw).max(1e-3)).clamp(0.0, 1.0);
        let model = -0.245 * sw + (tip_axial + 0.245 * sw) * f;
        // The slope of the shoulders in the picture, where it agrees with the model.
        match ray(mask, body.place(0.0, lateral), -body.down, 0.0, 0.6 * sw) {
            Some(found) if (-found - model).abs() < 0.10 * sw => -found,
            _ => model,
        }
    });
    let mean = 0.5 * (axial[0] + axial[1]);
    std::array::from_fn(|side| {
        body.place(0.5 * axial[side] + 0.5 * mean, neck_lateral + SIGN[side] * half)
    })
}

#[expect(clippy::type_complexity, reason = "two curves, their common knots and two measures")]
#[expect(
    clippy::too_many_arguments,
    reason = "one call site, every argument another type of thing"
)]
fn fit_side(
    upper: &Upper,
    category: Category,
    body: &Body,
    mask: &Plane,
    side: usize,
    scale: f32,
    scale_down: f32,
    shoulder: Vec2,
) -> ((Vec<Vec2>, Vec<f32>), Vec<Vec2>, Vec2, f32) {
    let sw = body.shoulder_width;
    let sign = SIGN[side];
    let (garment_shoulder, pit, hem) = (upper.shoulder[side], upper.armpit[side], upper.hem[side]);
    let fractions = steps(PROFILE);
    let edges: Vec<Vec2> = fractions
        .iter()
        .map(|f| {
            let y = pit.y + (hem.y - pit.y) * f;
            let row = (y as usize).min(upper.sides.len() - 1);
            Vec2::new(upper.sides[row][side], y)
        })
        .collect();
    let (top_axial, _) = body.parts(shoulder);
    let drop = (scale_down * (pit.y - garment_shoulder.y)).clamp(0.42 * sw, 0.66 * sw);
    let length = (scale_down * (hem.y - garment_shoulder.y)).max(drop + 0.2 * sw);
    let (from, to) = (top_axial + drop, top_axial + length);
    let axial: Vec<f32> = fractions.iter().map(|f| from + (to - from) * f).collect();
    let measured: Vec<f32> = axial.iter().map(|&t| body.half_width(mask, t, side)).collect();
    let measured = smooth_profile(&measured);
    let loosest = match category {
        Category::Dress => 0.80,
        Category::Jacket => 0.16,
        _ => 0.12,
    };
    let width: Vec<f32> = (0..PROFILE)
        .map(|i| {
            let garment = (edges[i].x - upper.axis_x).abs() * scale;
            let loose = 1.08 + loosest * fractions[i];
            (1.03 * measured[i]).max(garment.min(loose * measured[i]))
        })
        .collect();
    let width = smooth_profile(&width);
    let mut source = vec![garment_shoulder];
    let mut target = vec![shoulder];
    let mut knots = vec![0.0];
    for i in 0..PROFILE {
        source.push(edges[i] + Vec2::X * sign * MARGIN);
        target.push(body.place(axial[i], sign * (width[i] + MARGIN * scale)));
        knots.push(ARMPIT_AT + (1.0 - ARMPIT_AT) * fractions[i]);
    }
    source[PROFILE].y += MARGIN;
    target[PROFILE] += body.down * MARGIN * scale;
    let pit_lateral = body.armpit_lateral(axial[0], side, width[0]);
    let armpit = body.place(axial[0], sign * pit_lateral);
    ((source, knots), target, armpit, to)
}

/// Mean over seven neighbours, ends repeated.
fn smooth_profile(profile: &[f32]) -> Vec<f32> {
    let last = profile.len() as i64 - 1;
    (0..=last)
        .map(|i| {
            let window = (i - 3..=i + 3).map(|k| profile[k.clamp(0, last) as usize]);
            window.sum::<f32>() / 7.0
        })
        .collect()
}

fn top_edge(shoulder: [Vec2; 2], collar: [Vec2; 2], lift: Vec2) -> Vec<Vec2> {
    let points = [shoulder[0], collar[0], collar[1], shoulder[1]].map(|p| p + lift);
    polyline_at(&points, &[0.0, 0.31, 0.69, 1.0], &steps(COLUMNS))
}

/// Moves the shoulder seams onto the silhouette where it is near.
fn snap_to_shoulders(top: Vec<Vec2>, body: &Body, mask: &Plane) -> Vec<Vec2> {
    let sw = body.shoulder_width;
    let mut lift = [0.0f32; COLUMNS];
    for (i, point) in top.iter().enumerate() {
        let u = i as f32 / (COLUMNS - 1) as f32;
        if (0.30..=0.70).contains(&u) {
            continue;
        }
        let from = *point + body.down * 0.10 * sw;
        if let Some(found) = ray(mask, from, -body.down, 0.0, 0.30 * sw) {
            let offset = found - 0.10 * sw;
            if offset.abs() < 0.16 * sw {
                lift[i] = offset.clamp(-0.06 * sw, 0.09 * sw);
            }
        }
    }
    let last = COLUMNS - 1;
    top.into_iter()
        .enumerate()
        .map(|(i, point)| {
            let smooth =
                0.25 * lift[i.saturating_sub(1)] + 0.5 * lift[i] + 0.25 * lift[(i + 1).min(last)];
            point - body.down * smooth
        })
        .collect()
}
