//! Trousers and skirts.

use super::body::{Body, SIGN, ray};
use super::patch::{Patch, steps};
use crate::garment::{Trousers, Tube};
use crate::plane::Plane;
use glam::Vec2;

const MARGIN: f32 = 3.0;

/// Axial distance of the waist, where trousers and skirts begin.
fn waist_axial(body: &Body) -> f32 {
    0.84 * body.torso_length
}

/// Half width of the lower trunk at an axial distance.
fn hip_half_width(body: &Body, mask: &Plane, axial: f32, side: usize) -> f32 {
    let below = ((axial - waist_axial(body)) / (0.36 * body.torso_length)).clamp(0.0, 1.0);
    let model = (1.75 * body.hip_half_width)
        .clamp(0.42 * body.shoulder_width, 0.66 * body.shoulder_width)
        * (0.92 + 0.08 * below);
    let from = body.place(axial, 0.0);
    let outward = body.right * SIGN[side];
    let seen = ray(mask, from, outward, 0.15 * body.shoulder_width, body.shoulder_width);
    // A hand that hangs before the hip widens the outline: hence the narrow upper bound.
    seen.unwrap_or(model).clamp(0.85 * model, 1.18 * model)
}

/// Seat and legs of trousers: seat first, then each leg.
pub fn fit_trousers(garment: &Trousers, body: &Body, mask: &Plane) -> Vec<Patch> {
    let waist = waist_axial(body);
    let crotch = 1.20 * body.torso_length;
    let top = 0.5 * (garment.waist[0].y + garment.waist[1].y);
    let rows = 8;
    let columns = 9;
    let (mut source, mut target) = (Vec::new(), Vec::new());
    for f in steps(rows) {
        let y = top + (garment.crotch.y - top) * f;
        let [left, right] = edge(&garment.sides, y);
        let lift = if f == 0.0 { -MARGIN } else { 0.0 };
        let axial = waist + (crotch - waist) * f;
        let half: [f32; 2] =
            std::array::from_fn(|side| 1.03 * hip_half_width(body, mask, axial, side) + 1.0);
        for u in steps(columns) {
            let x = left - MARGIN + (right - left + 2.0 * MARGIN) * u;
            source.push(Vec2::new(x, y + lift));
            target.push(body.place(axial, -half[0] + (half[0] + half[1]) * u));
        }
    }
    let seat_bottom: Vec<Vec2> = target[(rows - 1) * columns..].to_vec();
    let seat = Patch::new(columns, source, target);
    let middle = columns / 2;
    let legs =
        [[seat_bottom[0], seat_bottom[middle]], [seat_bottom[columns - 1], seat_bottom[middle]]];
    let mut patches = vec![seat];
    for side in 0..2 {
        patches.push(fit_leg(garment, body, mask, side, legs[side]));
    }
    patches
}

/// One leg; `top` is `[outer, inner]` end of the seat.
fn fit_leg(garment: &Trousers, body: &Body, mask: &Plane, side: usize, top: [Vec2; 2]) -> Patch {
    let sw = body.shoulder_width;
    let leg = &body.leg[side];
    let other = &body.leg[1 - side];
    let start = top[0].midpoint(top[1]);
    // Full length ends on the shoe, a little below the ankle.
    let heel = leg.ankle + (leg.ankle - leg.knee) * 0.07;
    let path = [start, leg.knee, heel];
    let lengths = [path[0].distance(path[1]).max(1.0), path[1].distance(path[2]).max(1.0)];
    let cuff = 0.5 * (garment.cuffs[side][0].y + garment.cuffs[side][1].y);
    // Full-length trousers end at the ankle; shorter ones keep their share of the leg, read from the
    // proportion of leg to seat.
    let seat = (garment.crotch.y - 0.5 * (garment.waist[0].y + garment.waist[1].y)).max(1.0);
    let share = ((cuff - garment.crotch.y) / seat / 2.1).min(1.0);
    let share = if share > 0.85 { 1.0 } else { share };
    let total = (lengths[0] + lengths[1]) * share;
    let (rows, columns) = (18, 5);
    let (mut source, mut target) = (Vec::new(), Vec::new());
    for f in steps(rows) {
        let y = (garment.crotch.y + (cuff - garment.crotch.y) * f).min(cuff - 1.0);
        let outer = edge(&garment.sides, y)[side];
        let inner = edge(&garment.inseams, y)[side];
        let t = f * total;
        let (centre, along) = if t < lengths[0] {
            (path[0].lerp(path[1], t / lengths[0]), (path[1] - path[0]).normalize_or(body.down))
        } else {
            let g = (t - lengths[0]) / lengths[1];
            (path[1].lerp(path[2], g), (path[2] - path[1]).normalize_or(body.down))
        };
        let mut normal = Vec2::new(along.y, -along.x);
        if normal.dot(body.right) * SIGN[side] < 0.0 {
            normal = -normal;
        }
        let model = sw * (0.27 - 0.13 * f * share);
        // The inner ray stops halfway to the other leg.
        let apart = {
            let elsewhere = other.knee.lerp(other.ankle, (2.0 * f - 1.0).max(0.0));
            (0.5 * (elsewhere - centre).dot(-normal)).max(0.6 * model)
        };
        let reach = |sign: f32, most: f32| {
            ray(mask, centre, normal * sign, 0.03 * sw, 0.5 * sw)
                .map_or(model, |q| 1.04 * q + 0.5)
                .clamp(0.75 * model, 1.4 * model)
                .min(most)
        };
        let blend = (1.0 - f / 0.14).clamp(0.0, 1.0);
        let outside = (centre + normal * reach(1.0, f32::INFINITY)).lerp(top[0], blend);
        let inside = (centre - normal * reach(-1.0, apart)).lerp(top[1], blend);
        let margin = MARGIN * SIGN[side];
        let low = if f == 1.0 { MARGIN } else { 0.0 };
        for u in steps(columns) {
            let (from, to) = (outer + margin, inner - margin);
            source.push(Vec2::new(from + (to - from) * u, y + low));
            target.push(outside.lerp(inside, u));
        }
    }
    if side == 1 {
        // u runs to the image right on every patch.
        for row in 0..rows {
            source[row * columns..(row + 1) * columns].reverse();
            target[row * columns..(row + 1) * columns].reverse();
        }
    }
    Patch::new(columns, source, target)
}

fn edge(rows: &[[f32; 2]], y: f32) -> [f32; 2] {
    rows[(y.max(0.0) as usize).min(rows.len() - 1)]
}

/// A skirt: one tube from the waist to its hem.
pub fn fit_skirt(garment: &Tube, body: &Body, mask: &Plane) -> (Patch, f32) {
    let sw = body.shoulder_width;
    let waist = waist_axial(body);
    let body_waist: f32 = (0..2).map(|side| hip_half_width(body, mask, waist, side)).sum();
    let garment_waist = (garment.waist[1].x - garment.waist[0].x).max(1.0);
    let scale = 1.03 * body_waist / garment_waist;
    let top = 0.5 * (garment.waist[0].y + garment.waist[1].y);
    let bottom = 0.5 * (garment.hem[0].y + garment.hem[1].y);
    let axis = 0.5 * (garment.waist[0].x + garment.waist[1].x);
    let length = scale * (bottom - top) * (0.60 * body.torso_length / sw).max(1.0);
    let (rows, columns) = (18, 11);
    let (mut source, mut target) = (Vec::new(), Vec::new());
    for f in steps(rows) {
        let y = top + (bottom - top) * f;
        let sides = edge(&garment.sides, y.min(bottom - 2.0));
        let axial = waist + length * f;
        let half: [f32; 2] = std::array::from_fn(|side| {
            let cloth = (sides[side] - axis).abs() * scale;
            cloth.max(1.04 * lower_half_width(body, mask, axial, side))
        });
        let shift = match f {
            0.0 => -MARGIN,
            1.0 => MARGIN,
            _ => 0.0,
        };
        for u in steps(columns) {
            let (from, to) = (sides[0] - MARGIN, sides[1] + MARGIN);
            source.push(Vec2::new(from + (to - from) * u, y + shift));
            let bow = 0.03 * sw * f * (std::f32::consts::PI * u).sin();
            target.push(body.place(axial + bow, -half[0] + (half[0] + half[1]) * u));
        }
    }
    (Patch::new(columns, source, target), waist + length)
}

/// Half width of hips or of the outer thigh, whichever lies at this height.
fn lower_half_width(body: &Body, mask: &Plane, axial: f32, side: usize) -> f32 {
    let hips = 1.15 * body.torso_length;
    if axial <= hips {
        return hip_half_width(body, mask, axial, side);
    }
    let leg = &body.leg[side];
    let sw = body.shoulder_width;
    let (hip, knee) = (body.parts(leg.hip), body.parts(leg.knee));
    let f = ((axial - hip.0) / (knee.0 - hip.0).max(1.0)).clamp(0.0, 1.3);
    let bone = body.place(axial, hip.1 + (knee.1 - hip.1) * f);
    let radius = ray(mask, bone, body.right * SIGN[side], 0.02 * sw, 0.4 * sw)
        .unwrap_or(0.2 * sw)
        .clamp(0.1 * sw, 0.28 * sw);
    ((bone - body.place(axial, 0.0)).dot(body.right) * SIGN[side] + radius).max(0.2 * sw)
}
