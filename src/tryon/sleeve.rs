//! A sleeve: a ruled patch between an outer and an inner curve along the arm.
//!
//! The first section is the armhole, shared with the torso patch on garment and body alike, so that the
//! picture runs on across the seam. Lengths are fractions of the arm, so that a foreshortened arm
//! keeps its cuff at the right place. No section may cross the one before it.

use super::body::{Arm, Body, ray};
use super::patch::{Patch, by_arc_length, rounded};
use super::torso::TorsoFit;
use crate::garment::Sleeve;
use crate::plane::Plane;
use glam::Vec2;

const SECTIONS: usize = 16;
const ACROSS: usize = 5;
/// Share of the arm that is upper arm.
pub const ELBOW_AT: f32 = 0.54;

/// A fitted sleeve.
#[derive(Clone, Debug)]
pub struct SleeveFit {
    /// The patch; v runs from just inside the armhole to the cuff.
    pub patch: Patch,
    /// Fraction of the arm that is covered, 1 at the wrist.
    pub coverage: f32,
}

/// Fraction of the arm, 1 at the wrist, that a sleeve covers: the mean of what its upper edge reaches from
/// the shoulder and its lower edge from the armpit.
fn coverage(sleeve: &Sleeve, torso: &TorsoFit, body: &Body, at_armpit: f32) -> f32 {
    let length =
        |curve: &[Vec2]| curve.windows(2).map(|p| p[0].distance(p[1])).sum::<f32>() * torso.scale;
    // An arm from shoulder tip to wrist is 1.3 times as long as the shoulders are wide.
    let arm = 1.30 * body.tip_width;
    let upper = length(&sleeve.outer) / arm;
    let lower = at_armpit + length(&sleeve.inner) / arm;
    let fraction = (0.5 * (upper + lower)).max(at_armpit + 0.05);
    if fraction > 0.78 { 1.0 } else { fraction.min(0.95) }
}

/// Fits the sleeve of one side.
pub fn fit_sleeve(
    sleeve: &Sleeve,
    torso: &TorsoFit,
    body: &Body,
    mask: &Plane,
    side: usize,
) -> SleeveFit {
    let arm = &body.arm[side];
    let armpit = torso.armpit[side];
    let along = (arm.elbow - arm.joint).normalize_or(Vec2::Y);
    let at_armpit =
        (armpit - arm.joint).dot(along) / arm.joint.distance(arm.elbow).max(1.0) * ELBOW_AT;
    let at_armpit = at_armpit.clamp(0.04, 0.36);
    let covered = coverage(sleeve, torso, body, at_armpit);
    let spine = Spine::new(&body.arm[side], covered);
    let half_widths: Vec<f32> = sleeve
        .outer
        .iter()
        .zip(&sleeve.inner)
        .map(|(o, i)| o.distance(*i) * 0.5 * torso.scale)
        .collect();
    let garment_half = |t: f32| {
        let at = t.clamp(0.0, 1.0) * (half_widths.len() - 1) as f32;
        let i = (at as usize).min(half_widths.len() - 2);
        half_widths[i] + (half_widths[i + 1] - half_widths[i]) * (at - i as f32)
    };
    let sw = body.shoulder_width;
    let offset = |fraction: f32, sign: f32| {
        let (point, normal, radius) = spine.at(fraction);
        let half = garment_half(fraction / covered);
        let on_silhouette = sign > 0.0 || fraction > ELBOW_AT;
        let reach = if on_silhouette {
            let seen = ray(mask, point, normal * sign, 0.02 * sw, 0.32 * sw)
                .map_or(radius, |q| q.clamp(0.85 * radius, 1.45 * radius));
            (1.03 * seen).max(half.min(1.2 * radius))
        } else {
            (0.95 * radius).max(half.min(1.1 * radius)).min(0.17 * sw)
        };
        point + normal * sign * reach
    };
    let mut outer = vec![torso.shoulder[side]];
    let first = (0.3 * covered).min(0.10);
    outer.extend((0..9).map(|i| offset(first + (covered - first) * i as f32 / 8.0, 1.0)));
    let start = at_armpit + 0.04 * covered;
    let mut inner = vec![armpit];
    inner.extend((0..8).map(|i| offset(start + (covered - start) * i as f32 / 7.0, -1.0)));

    let outer = by_arc_length(&rounded(&outer, 2), SECTIONS);
    let inner = by_arc_length(&rounded(&inner, 2), SECTIONS);
    let target = without_folds(outer.into_iter().zip(inner).map(|(o, i)| [o, i]).collect());
    let outer = by_arc_length(&sleeve.outer, SECTIONS);
    let inner = by_arc_length(&sleeve.inner, SECTIONS);
    let source: Vec<[Vec2; 2]> = outer.into_iter().zip(inner).map(|(o, i)| [o, i]).collect();
    SleeveFit { patch: ruled(&source, &target), coverage: covered }
}

/// The arm as one curve, parameter 0 at the shoulder joint and 1 at the wrist.
pub struct Spine<'a> {
    arm: &'a Arm,
    handedness: f32,
    bends: bool,
}

impl<'a> Spine<'a> {
    /// The middle line of an arm that is covered up to this fraction.
    pub fn new(arm: &'a Arm, covered: f32) -> Self {
        let upper = (arm.elbow - arm.joint).normalize_or(Vec2::Y);
        let fore = (arm.wrist - arm.elbow).normalize_or(upper);
        let handedness = if upper.perp_dot(arm.outward) < 0.0 { -1.0 } else { 1.0 };
        Self { arm, handedness, bends: covered > 0.6 && upper.dot(fore) > -0.5 }
    }

    /// Point, unit normal (outer side positive) and radius.
    pub fn at(&self, fraction: f32) -> (Vec2, Vec2, f32) {
        let arm = self.arm;
        let upper = (arm.elbow - arm.joint).normalize_or(Vec2::Y);
        let fore = (arm.wrist - arm.elbow).normalize_or(upper);
        let (point, direction, radius) = if fraction <= ELBOW_AT {
            (arm.joint.lerp(arm.elbow, fraction / ELBOW_AT), upper, arm.upper_radius)
        } else {
            let g = ((fraction - ELBOW_AT) / (1.0 - ELBOW_AT)).min(1.04);
            let radius = arm.upper_radius * (1.0 - g) + arm.fore_radius * g;
            (arm.elbow + (arm.wrist - arm.elbow) * g, fore, radius)
        };
        let direction = if self.bends {
            let k = ((fraction - ELBOW_AT) / 0.24 + 0.5).clamp(0.0, 1.0);
            (upper * (1.0 - k) + fore * k).normalize_or(direction)
        } else {
            direction
        };
        (point, Vec2::new(-direction.y, direction.x) * self.handedness, radius)
    }
}

/// Pulls sections back until no quad between neighbours is turned over: a section that would cross the one
/// before it moves towards that one shifted a little forward.
pub fn without_folds(mut sections: Vec<[Vec2; 2]>) -> Vec<[Vec2; 2]> {
    let turn = {
        // Orientation of the ribbon as a whole.
        let sum: f32 = sections
            .windows(2)
            .map(|pair| (pair[1][0] - pair[0][0]).perp_dot(pair[0][1] - pair[0][0]))
            .sum();
        if sum < 0.0 { -1.0 } else { 1.0 }
    };
    for j in 1..sections.len() {
        let before = sections[j - 1];
        let wanted = sections[j];
        let across = before[1] - before[0];
        let forward = Vec2::new(across.y, -across.x).normalize_or_zero() * turn;
        let step = (wanted[0].midpoint(wanted[1]) - before[0].midpoint(before[1])).length();
        let safe = before.map(|p| p + forward * (0.3 * step).max(0.05));
        for tenths in (0..=10).rev() {
            let f = tenths as f32 / 10.0;
            let section = [safe[0].lerp(wanted[0], f), safe[1].lerp(wanted[1], f)];
            if advances(before, section, turn) || tenths == 0 {
                sections[j] = section;
                break;
            }
        }
    }
    sections
}

/// Whether the quad between two sections keeps the ribbon's orientation in every triangle.
fn advances(before: [Vec2; 2], section: [Vec2; 2], turn: f32) -> bool {
    let [o0, i0] = before;
    let [o1, i1] = section;
    let least = 1e-3 * (i0 - o0).length_squared().max(1e-6);
    [(o1 - o0, i0 - o0), (i1 - i0, i1 - o1), (o1 - o0, i1 - o0), (i1 - i0, i0 - o0)]
        .into_iter()
        .all(|(forward, across)| forward.perp_dot(across) * turn > least.min(0.02))
}

/// Five points across each section, an eighth of the width beyond both edges, and half a section of
/// overlap at either end.
fn ruled(source: &[[Vec2; 2]], target: &[[Vec2; 2]]) -> Patch {
    let extended = |sections: &[[Vec2; 2]]| {
        let n = sections.len();
        let beyond = |a: [Vec2; 2], b: [Vec2; 2], f: f32| {
            [a[0] + (a[0] - b[0]) * f, a[1] + (a[1] - b[1]) * f]
        };
        let mut all = vec![beyond(sections[0], sections[1], 0.7)];
        all.extend_from_slice(sections);
        all.push(beyond(sections[n - 1], sections[n - 2], 0.4));
        all
    };
    let across = |sections: Vec<[Vec2; 2]>| {
        sections
            .iter()
            .flat_map(|[o, i]| {
                (0..ACROSS).map(|k| {
                    let q = -0.06 + 1.12 * k as f32 / (ACROSS - 1) as f32;
                    *o + (*i - *o) * q
                })
            })
            .collect::<Vec<_>>()
    };
    Patch::new(ACROSS, across(extended(source)), across(extended(target)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_straight_sleeve_is_left_as_it_is() {
        let sections: Vec<[Vec2; 2]> = (0..16)
            .map(|j| [Vec2::new(0.0, 5.0 * j as f32), Vec2::new(20.0, 4.0 * j as f32)])
            .collect();
        assert_eq!(without_folds(sections.clone()), sections);
        let mirrored: Vec<[Vec2; 2]> =
            sections.iter().map(|s| s.map(|p| Vec2::new(-p.x, p.y))).collect();
        assert_eq!(without_folds(mirrored.clone()), mirrored);
    }

    #[test]
    fn no_bend_of_the_arm_folds_a_sleeve() {
        let mut seed = 7u32;
        let mut random = move || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as f32 / (1 << 24) as f32
        };
        for _ in 0..400 {
            let n = 16;
            let bend = (random() - 0.5) * 5.5;
            let (mut p, mut direction) = (Vec2::new(50.0, 50.0), random() * 6.0);
            let mut sections = Vec::new();
            for j in 0..n {
                let normal = Vec2::from_angle(direction + 1.57 + 0.5 * (random() - 0.5));
                sections.push([p + normal * 12.0, p - normal * (6.0 + 8.0 * random())]);
                p += Vec2::from_angle(direction) * 5.0;
                if (6..10).contains(&j) {
                    direction += bend / 4.0;
                }
            }
            let source: Vec<[Vec2; 2]> = (0..n)
                .map(|j| [Vec2::new(10.0 * j as f32, 0.0), Vec2::new(10.0 * j as f32, 30.0)])
                .collect();
            let fixed = without_folds(sections);
            let patch = Patch::new(
                2,
                source.iter().flatten().copied().collect(),
                fixed.iter().flatten().copied().collect(),
            );
            let folded = patch.folded();
            assert!(folded == 0.0 || folded == 1.0, "{folded}");
        }
    }
}
