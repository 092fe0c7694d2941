//! What is worn, measured on the body: neck, shoulders, sides, hem, and how far the sleeves go.

use super::super::body::{Body, SIGN, meets, ray};
use super::super::capsule::Capsule;
use super::super::histogram::LabHistogram;
use super::super::seen::SeenPerson;
use super::super::sleeve::{ELBOW_AT, Spine};
use super::{CutError, CutNote, Wanted};
use crate::filter::{combine, gaussian, smoothstep};
use crate::garment::Category;
use crate::plane::Plane;
use glam::Vec2;

/// Rows from armpit to hem.
const ROWS: usize = 40;
/// Armpit below the shoulder points, in shoulder widths.
const ARMPIT_DROP: f32 = 0.46;
/// Fraction of the arm from which a sleeve is one.
const SLEEVE: f32 = 0.12;
/// Fraction of the arm from which a sleeve is long.
const LONG: f32 = 0.66;

/// What is worn. Positions are grid cells.
pub struct Worn {
    /// What it is.
    pub category: Category,
    /// Shoulder points: where a sleeve is set on, or the outer ends of straps.
    pub shoulder: [Vec2; 2],
    /// Where the shoulder seams meet the neck.
    pub collar: [Vec2; 2],
    /// Fraction of the arm that the sleeves cover; `None` without sleeves.
    pub coverage: Option<f32>,
    /// Side whose sleeve cannot be seen while the other one's can.
    pub unseen_sleeve: Option<usize>,
    /// Axial distance of each row from armpit to `lowest`.
    pub axial: Vec<f32>,
    /// Lateral distance of both sides in each row.
    pub half_width: [Vec<f32>; 2],
    /// Axial distance of the hem.
    pub hem: f32,
    /// Whether the hem was seen, and so has a shape.
    pub hem_seen: bool,
    /// Cloth of the garment, 0..1.
    pub cloth: Plane,
    /// Hands and hair before the garment.
    pub before_sleeves: Plane,
    /// The same with the forearms.
    pub before_trunk: Plane,
}

/// How much of the chest is seen.
pub struct Chest {
    /// Share hidden by arms, hands or hair.
    pub hidden: f32,
    /// Share of the rest that is cloth.
    pub cloth: f32,
}

impl Worn {
    /// Measures what is worn.
    ///
    /// # Errors
    /// If the photo ends at the chest.
    pub fn measure(seen: &SeenPerson, wanted: Wanted) -> Result<(Self, Vec<CutNote>), CutError> {
        let SeenPerson { body, mask, parts, .. } = seen;
        let sw = body.shoulder_width;
        let mut notes = Vec::new();
        let long = wanted == Wanted::Exactly(Category::Dress);
        let hem = if long { dress_hem(seen) } else { top_hem(seen) };
        notes.extend(hem.note);

        let sleeves = [0, 1].map(|side| sleeve_length(seen, side));
        let (coverage, unseen_sleeve) = match sleeves {
            [Some(a), Some(b)] if (a - b).abs() < 0.2 => (Some(0.5 * (a + b)), None),
            [Some(a), Some(b)] => (Some(a.max(b)), None),
            [Some(a), None] => (Some(a), Some(1)),
            [None, Some(b)] => (Some(b), Some(0)),
            [None, None] => (None, None),
        };
        let category = match wanted {
            Wanted::Exactly(category) => category,
            Wanted::Top => match coverage {
                Some(coverage) if coverage < SLEEVE => Category::Sleeveless,
                Some(coverage) if coverage >= LONG => Category::LongSleeve,
                _ => Category::TShirt,
            },
        };
        let coverage = match category {
            Category::Sleeveless => None,
            Category::TShirt => Some(coverage.unwrap_or(0.38).clamp(0.22, 0.62)),
            Category::LongSleeve | Category::Jacket => Some(match coverage {
                Some(seen) if seen < 0.85 => seen.max(LONG),
                _ => 1.0,
            }),
            _ => coverage.filter(|&seen| seen >= SLEEVE),
        };
        if coverage.is_some() {
            match (sleeves, unseen_sleeve) {
                ([None, None], _) => notes.push(CutNote::SleevesUnseen),
                (_, Some(_)) => notes.push(CutNote::SleeveMirrored),
                _ => {}
            }
        }

        let cloth = combine(&hem.cloth, &parts.skin, |c, s| c * (1.0 - smoothstep(s, 0.45, 0.75)));
        let shoulder = [0, 1].map(|side| match coverage {
            Some(_) => body.arm[side].tip,
            None => strap_end(body, mask, &parts.old_cloth, side),
        });
        let collar = collar(body, mask, &parts.old_cloth, shoulder);
        let tips = 0.5 * (body.parts(shoulder[0]).0 + body.parts(shoulder[1]).0);
        let from = tips + ARMPIT_DROP * sw;
        if end_of_picture(body, mask) < from + 0.35 * sw {
            return Err(CutError::ChestOutside);
        }
        let slack = if hem.seen { 0.10 * sw } else { 0.0 };
        let to = (hem.axial + slack).max(from + 0.3 * sw);
        let axial: Vec<f32> =
            (0..ROWS).map(|i| from + (to - from) * i as f32 / (ROWS - 1) as f32).collect();
        let before_sleeves = combine(&parts.hands, &parts.hair, f32::max);
        let before_trunk = combine(&before_sleeves, &forearms(body, mask), f32::max);
        let trunk = combine(&combine(&cloth, &before_trunk, f32::max), mask, |t, m| t * m);
        let trunk = gaussian(&trunk, 0.015 * sw);
        // Below the hem the sides run on as they reach it.
        let held: Vec<f32> =
            axial.iter().map(|&t| t.min((hem.axial - 0.08 * sw).max(from))).collect();
        let half_width = sides(body, &trunk, &held, long);
        let worn = Self {
            category,
            shoulder,
            collar,
            coverage,
            unseen_sleeve: unseen_sleeve.filter(|_| coverage.is_some()),
            axial,
            half_width,
            hem: hem.axial.max(from + 0.3 * sw),
            hem_seen: hem.seen,
            cloth,
            before_sleeves,
            before_trunk,
        };
        Ok((worn, notes))
    }

    /// Half the width of the chest at the armpits, cells.
    pub fn chest_half_width(&self) -> f32 {
        0.5 * (self.half_width[0][0] + self.half_width[1][0])
    }

    /// Looks at the chest, from the collarbones to three quarters of the trunk.
    pub fn chest(&self, seen: &SeenPerson) -> Chest {
        let body = &seen.body;
        let reach = 0.85 * self.chest_half_width();
        let (mut hidden, mut cloth, mut all) = (0.0, 0.0, 1e-3);
        for y in 0..seen.mask.height {
            for x in 0..seen.mask.width {
                let (axial, lateral) = body.parts(Vec2::new(x as f32 + 0.5, y as f32 + 0.5));
                let low = 0.75 * body.torso_length;
                if lateral.abs() > reach || axial < 0.25 * body.shoulder_width || axial > low {
                    continue;
                }
                let i = y * seen.mask.width + x;
                all += 1.0;
                if self.before_trunk.data[i] > 0.5 {
                    hidden += 1.0;
                } else if seen.parts.old_cloth.data[i] > 0.5 && seen.parts.skin.data[i] < 0.5 {
                    cloth += 1.0;
                }
            }
        }
        Chest { hidden: hidden / all, cloth: cloth / (all - hidden).max(1.0) }
    }
}

/// Distance from the axis to where the trunk ends or an arm begins; `None` where an arm hides it.
fn visible_edge(body: &Body, mask: &Plane, axial: f32, side: usize, reach: f32) -> Option<f32> {
    let sw = body.shoulder_width;
    let from = body.place(axial, 0.0);
    let outward = body.right * SIGN[side];
    let arm = &body.arm[side];
    let fingers = arm.wrist + (arm.hand - arm.wrist) * 1.6;
    let bones = [
        (arm.joint, arm.elbow, arm.upper_radius, 1.0),
        (arm.elbow, arm.wrist, arm.fore_radius, arm.wrist_seen),
        (arm.wrist, fingers, arm.fore_radius, arm.wrist_seen),
    ];
    let arm_edge = bones
        .into_iter()
        .filter(|&(.., seen)| seen >= 0.3)
        .filter_map(|(a, b, radius, _)| Some(meets(from, outward, a, b)? - radius))
        .reduce(f32::min);
    let outline = ray(mask, from, outward, 0.25 * sw, reach);
    let least = 0.78 * body.model_half_width(axial);
    match (outline, arm_edge) {
        (Some(outline), Some(arm)) if outline < arm => Some(outline),
        (_, Some(arm)) => (arm > least).then_some(arm),
        (outline, None) => outline,
    }
}

fn sides(body: &Body, mask: &Plane, axial: &[f32], long: bool) -> [Vec<f32>; 2] {
    let sw = body.shoulder_width;
    let found = [0, 1].map(|side| {
        let edge = |&t: &f32| {
            let below_hips = long && t > body.torso_length;
            let reach = if below_hips { 2.5 * sw } else { 1.1 * sw };
            let edge = visible_edge(body, mask, t, side, reach)?;
            let model = body.model_half_width(t);
            let widest = if long { 5.0 } else { 1.5 };
            Some(edge.clamp(0.75 * model, widest * model))
        };
        axial.iter().map(edge).collect::<Vec<_>>()
    });
    [0, 1].map(|side| {
        let mut known: Vec<f32> = Vec::new();
        for (i, &t) in axial.iter().enumerate() {
            let value = found[side][i].or(found[1 - side][i]);
            let last = known.last().copied();
            known.push(value.or(last).unwrap_or(0.95 * body.model_half_width(t)));
        }
        smooth(&known, 4)
    })
}

/// Mean over `2 · reach + 1` neighbours, ends repeated.
pub fn smooth(values: &[f32], reach: i64) -> Vec<f32> {
    let last = values.len() as i64 - 1;
    let mean = |i: i64| {
        let window = (i - reach..=i + reach).map(|k| values[k.clamp(0, last) as usize]);
        window.sum::<f32>() / (2 * reach + 1) as f32
    };
    (0..=last).map(mean).collect()
}

/// Height of the silhouette above the shoulder line at a lateral position, and the cell just below it.
fn shoulder_edge(body: &Body, mask: &Plane, lateral: f32) -> Option<(f32, Vec2)> {
    let sw = body.shoulder_width;
    let from = body.place(0.08 * sw, lateral);
    let lift = ray(mask, from, -body.down, 0.0, 0.7 * sw)?;
    Some((0.08 * sw - lift, from - body.down * (lift - 0.04 * sw)))
}

/// Where the shoulder seams end at the neck: the innermost place at which cloth reaches the silhouette.
fn collar(body: &Body, mask: &Plane, cloth: &Plane, shoulder: [Vec2; 2]) -> [Vec2; 2] {
    let sw = body.shoulder_width;
    let (_, mouth) = body.parts(body.face.mouth_middle());
    let axis = 0.18 * mouth;
    let neck = body.neck_half_width(mask);
    let found: Vec<f32> = (0..2)
        .filter_map(|side| {
            let (_, end) = body.parts(shoulder[side]);
            let is_cloth = |half: f32| {
                let edge = shoulder_edge(body, mask, axis + SIGN[side] * half);
                edge.is_some_and(|(_, below)| cloth.sample(below) > 0.5)
            };
            let widest = (end.abs() - 0.04 * sw).max(0.12 * sw);
            let step = 0.01 * sw;
            let mut half = widest;
            while half > 0.8 * neck && is_cloth(half) {
                half -= step;
            }
            (half < widest - 2.0 * step).then_some(half + step)
        })
        .collect();
    let half = match found[..] {
        [] => 1.2 * neck,
        [one] => one,
        _ => 0.5 * (found[0] + found[1]),
    };
    let half = half.clamp(0.13 * sw, 0.5 * sw);
    let axial: [f32; 2] = std::array::from_fn(|side| {
        let (tip_axial, tip_lateral) = body.parts(shoulder[side]);
        let reach = (tip_lateral - axis).abs();
        let f = ((half - 0.17 * sw) / (reach - 0.17 * sw).max(1e-3)).clamp(0.0, 1.0);
        let model = -0.245 * sw + (tip_axial + 0.245 * sw) * f;
        match shoulder_edge(body, mask, axis + SIGN[side] * half) {
            Some((found, _)) if (found - model).abs() < 0.12 * sw => found,
            _ => model,
        }
    });
    let mean = 0.5 * (axial[0] + axial[1]);
    std::array::from_fn(|side| body.place(0.5 * (axial[side] + mean), axis + SIGN[side] * half))
}

/// Outer end of a strap: where cloth on the shoulder gives way to skin.
fn strap_end(body: &Body, mask: &Plane, cloth: &Plane, side: usize) -> Vec2 {
    let sw = body.shoulder_width;
    let (_, tip) = body.parts(body.arm[side].tip);
    let mut last = None;
    let mut half = 0.18 * sw;
    while half < tip.abs() {
        match shoulder_edge(body, mask, SIGN[side] * half) {
            Some((axial, below)) if cloth.sample(below) > 0.5 => {
                last = Some(body.place(axial, SIGN[side] * half));
            }
            _ if last.is_some() => break,
            _ => {}
        }
        half += 0.01 * sw;
    }
    last.unwrap_or_else(|| body.middle.lerp(body.arm[side].tip, 0.75))
}

/// Fraction of the arm that cloth covers; `None` where too little of the arm is seen to tell.
fn sleeve_length(seen: &SeenPerson, side: usize) -> Option<f32> {
    let SeenPerson { body, mask, parts, .. } = seen;
    let arm = &body.arm[side];
    if arm.elbow_seen < 0.3 {
        return None;
    }
    let end = if arm.wrist_seen >= 0.3 { 0.96 } else { ELBOW_AT };
    let spine = Spine::new(arm, 1.0);
    let cloth = combine(&parts.old_cloth, &parts.skin, |c, s| c * (1.0 - smoothstep(s, 0.3, 0.6)));
    let before = combine(&parts.hands, &parts.hair, f32::max);
    let no_hand = combine(mask, &before, |m, h| m * (1.0 - h));
    let whole = Plane::filled(mask.width, mask.height, 1.0);
    const STEPS: usize = 48;
    let mut covered = 0.0;
    for i in 2..=STEPS {
        let fraction = end * i as f32 / STEPS as f32;
        let (point, _, radius) = spine.at(fraction);
        if !mask.contains(point) {
            break;
        }
        let disc = Capsule::new(point, point, 0.6 * radius, 0.6 * radius);
        if disc.mean(&no_hand, &whole) < 0.2 {
            continue;
        }
        if disc.mean(&cloth, &no_hand) > 0.6 {
            covered = fraction;
        } else if fraction > covered + 0.08 {
            return Some(covered);
        }
    }
    // Cloth up to where the arm leaves the picture says only how long the sleeve is at least.
    (end > 0.9 || covered < end - 0.04).then_some(covered)
}

/// Forearms and elbows that lie before the trunk.
fn forearms(body: &Body, mask: &Plane) -> Plane {
    let mut plane = Plane::filled(mask.width, mask.height, 0.0);
    for arm in &body.arm {
        let middle = arm.joint.lerp(arm.elbow, 0.5);
        if arm.elbow_seen >= 0.3 {
            Capsule::new(middle, arm.elbow, arm.upper_radius, arm.upper_radius).paint(&mut plane);
        }
        if arm.wrist_seen >= 0.3 {
            let radii = (1.1 * arm.upper_radius, 1.2 * arm.fore_radius);
            Capsule::new(arm.elbow, arm.wrist, radii.0, radii.1).paint(&mut plane);
        }
    }
    plane
}

struct Hem {
    axial: f32,
    seen: bool,
    cloth: Plane,
    note: Option<CutNote>,
}

/// Axial distance at which the trunk leaves the picture.
fn end_of_picture(body: &Body, mask: &Plane) -> f32 {
    let side = 0.4 * body.shoulder_width;
    let within =
        |t: f32| [-side, 0.0, side].iter().all(|&x| body.place(t, x).y < mask.height as f32 - 1.0);
    let mut t = 0.0;
    while t < 6.0 * body.shoulder_width && within(t + 1.0) {
        t += 1.0;
    }
    t
}

/// The hem of a top: where the trunk's colours give way to those of the hips and legs.
fn top_hem(seen: &SeenPerson) -> Hem {
    let SeenPerson { body, mask, parts, colours, .. } = seen;
    let (sw, torso) = (body.shoulder_width, body.torso_length);
    let width = mask.width;
    let bins: Vec<usize> = (0..mask.data.len())
        .map(|i| LabHistogram::bin([0, 1, 2].map(|c| colours.lab[c].data[i])))
        .collect();
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); (2.2 * torso) as usize + 2];
    let arms = forearms(body, mask);
    for i in 0..mask.data.len() {
        let p = Vec2::new((i % width) as f32 + 0.5, (i / width) as f32 + 0.5);
        let (axial, lateral) = body.parts(p);
        let free = mask.data[i] > 0.5
            && parts.skin.data[i] < 0.4
            && parts.hair.data[i] < 0.4
            && arms.data[i].max(parts.hands.data[i]) < 0.3;
        if free && lateral.abs() < 0.36 * sw && axial >= 0.0 && (axial as usize) < rows.len() {
            rows[axial as usize].push(i);
        }
    }
    let of_rows = |from: f32, to: f32| {
        let last = rows.len();
        let cells = rows[(from as usize).min(last)..(to as usize).min(last)].iter().flatten();
        LabHistogram::of(cells.map(|&i| (bins[i], 1.0)), 0.03 * sw * sw, 2)
    };
    let end = end_of_picture(body, mask);
    let default = (1.05 * torso).min(end);
    let unseen = |axial: f32, note| {
        let mut cloth = parts.old_cloth.clone();
        for i in 0..cloth.data.len() {
            let p = Vec2::new((i % width) as f32 + 0.5, (i / width) as f32 + 0.5);
            let (at, lateral) = body.parts(p);
            let low = smoothstep(at, 0.85 * torso, 0.95 * torso)
                * (1.0 - smoothstep(lateral.abs(), 0.8 * sw, 0.9 * sw));
            let likely = mask.data[i] * (1.0 - smoothstep(parts.skin.data[i], 0.2, 0.5));
            cloth.data[i] = cloth.data[i].max(low * likely);
        }
        Hem { axial, seen: false, cloth, note: Some(note) }
    };
    let (Some(top), below) =
        (of_rows(0.15 * torso, 0.70 * torso), of_rows(1.25 * torso, 1.9 * torso))
    else {
        return unseen(default, CutNote::HemUnseen);
    };
    let Some(below) = below else {
        let note = if end < 1.2 * torso { CutNote::HemOutside } else { CutNote::HemUnseen };
        return unseen(if end < 1.2 * torso { end } else { default }, note);
    };
    let beyond = (0..mask.data.len()).filter(|&i| mask.data[i] < 0.05);
    let background = LabHistogram::of(beyond.map(|i| (bins[i], 1.0)), 20.0, 2);
    let share = |i: usize| {
        // What looks like neither, as background between arm and trunk does, is not cloth.
        let (t, b) = (top.share(bins[i]), below.share(bins[i]));
        let around = background.as_ref().map_or(0.0, |h| h.share(bins[i]));
        t / (t + b + 0.5 * around + 5e-4)
    };
    let mean = |from: f32, to: f32| {
        let last = rows.len() as f32;
        let cells = rows[from.min(last) as usize..to.min(last) as usize].iter().flatten();
        let (sum, count) = cells.fold((0.0, 0.0f32), |(s, n), &i| (s + share(i), n + 1.0));
        (count > 0.0).then(|| sum / count)
    };
    let apart = mean(0.15 * torso, 0.7 * torso).unwrap_or(0.5)
        - mean(1.25 * torso, 1.9 * torso).unwrap_or(0.5);
    if apart < 0.35 {
        return unseen(default, CutNote::HemUnseen);
    }
    let limit = end.min(1.6 * torso);
    let mut hem = 0.55 * torso;
    while hem < limit && mean(hem, hem + 0.12 * sw).is_none_or(|share| share > 0.5) {
        hem += 0.5;
    }
    // The window turns when half of it is below the hem.
    let hem = (hem + 0.06 * sw).min(end);
    let likeness = gaussian(
        &Plane { width, height: mask.height, data: (0..bins.len()).map(share).collect() },
        0.012 * sw,
    );
    let mut sleeves = Plane::filled(width, mask.height, 0.0);
    for arm in &body.arm {
        let radius = 1.15 * arm.upper_radius;
        Capsule::new(arm.joint, arm.elbow, radius, radius).paint(&mut sleeves);
        if arm.wrist_seen >= 0.3 {
            Capsule::new(arm.elbow, arm.wrist, radius, 1.15 * arm.fore_radius).paint(&mut sleeves);
        }
    }
    let mut cloth = parts.old_cloth.clone();
    for i in 0..cloth.data.len() {
        let p = Vec2::new((i % width) as f32 + 0.5, (i / width) as f32 + 0.5);
        let (axial, lateral) = body.parts(p);
        let beside = smoothstep(axial, 0.40 * sw, 0.50 * sw) * (1.0 - sleeves.data[i]);
        let low = beside.max(smoothstep(axial, 0.66 * torso, 0.72 * torso))
            * (1.0 - smoothstep(lateral.abs(), 0.9 * sw, 1.0 * sw));
        let near = 1.0 - smoothstep(axial, hem + 0.12 * sw, hem + 0.16 * sw);
        let not_skin = 1.0 - smoothstep(parts.skin.data[i], 0.4, 0.7);
        let is_top = smoothstep(likeness.data[i], 0.35, 0.65) * mask.data[i] * near * not_skin;
        cloth.data[i] = cloth.data[i] * (1.0 - low) + is_top * low;
    }
    Hem { axial: hem, seen: true, cloth, note: None }
}

/// The hem of a dress: where legs begin to show.
fn dress_hem(seen: &SeenPerson) -> Hem {
    let SeenPerson { body, mask, parts, .. } = seen;
    let (sw, torso) = (body.shoulder_width, body.torso_length);
    let end = end_of_picture(body, mask);
    let is_cloth = |p: Vec2| mask.sample(p) > 0.5 && parts.skin.sample(p) < 0.35;
    let mut hem = 1.1 * torso;
    while hem < end {
        // The middle of a dress is closed; between legs it is open, and legs are narrow.
        let across: Vec<bool> =
            (-8..=8).map(|i| is_cloth(body.place(hem, i as f32 / 8.0 * 0.3 * sw))).collect();
        if across.iter().filter(|&&cloth| cloth).count() * 2 < across.len() {
            break;
        }
        hem += 1.0;
    }
    let seen_hem = hem < end - 1.0;
    let width = mask.width;
    let mut cloth = parts.old_cloth.clone();
    for i in 0..cloth.data.len() {
        let p = Vec2::new((i % width) as f32 + 0.5, (i / width) as f32 + 0.5);
        let (axial, _) = body.parts(p);
        let low = smoothstep(axial, 0.9 * torso, torso);
        let above = 1.0 - smoothstep(axial, hem + 0.08 * sw, hem + 0.12 * sw);
        let not_skin = 1.0 - smoothstep(parts.skin.data[i], 0.2, 0.45);
        cloth.data[i] = cloth.data[i] * (1.0 - low) + low * mask.data[i] * above * not_skin;
    }
    Hem { axial: hem, seen: seen_hem, cloth, note: (!seen_hem).then_some(CutNote::HemOutside) }
}
