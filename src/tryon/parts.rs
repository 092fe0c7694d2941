//! What each cell of the person is: skin, hair or the clothes that are worn now.
//!
//! No net says so; colours do. The face between eyes and mouth teaches the skin, the trunk below the
//! chin the old clothes, the head above the eyes the hair. Skin competes with cloth, so that a sleeve of
//! nearly skin colour is not taken for an arm. Each half of each bone of the arms then votes for one
//! answer, because sleeves end at one place and are not speckled.

use super::body::Body;
use super::capsule::Capsule;
use super::histogram::LabHistogram;
use super::silhouette::Colours;
use crate::filter::{GuideStatistics, Guided, combine, smoothstep};
use crate::plane::Plane;
use glam::Vec2;

/// Maps of the person's parts, 0..1, on the working grid.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Skin.
    pub skin: Plane,
    /// Hair, and what hangs with it.
    pub hair: Plane,
    /// Clothes worn now, where a garment could replace them.
    pub old_cloth: Plane,
    /// Hands.
    pub hands: Plane,
    /// Colours of the top that is worn, anywhere on the person.
    pub top_likeness: Plane,
    /// Median L\*a\*b\* of the lighter half of the face: what skin in the light looks like.
    pub lit_skin: [f32; 3],
    /// Light from the image right (positive) or left, −1..1, from the two halves of the face.
    pub light: f32,
}

struct SkinModel {
    colour: [f32; 3],
    lit: [f32; 3],
    spread: [f32; 3],
    light: f32,
    cells: Vec<usize>,
}

/// An everyday skin, used where the face is not in the picture: mid-tone, with wide spread.
const UNSEEN_SKIN: SkinModel = SkinModel {
    colour: [58.0, 14.0, 18.0],
    lit: [62.0, 14.0, 18.0],
    spread: [24.0, 6.0, 7.0],
    light: 0.0,
    cells: Vec::new(),
};

impl Parts {
    /// Reads the parts. May correct wrists of `body` that turn out to be guesses.
    pub fn read(colours: &Colours, mask: &Plane, body: &mut Body) -> Self {
        let sw = body.shoulder_width;
        let (width, height) = (mask.width, mask.height);
        let model = skin_model(colours, mask, body);
        let raw_skin = skin_likeness(colours, &model);
        let bins: Vec<u16> = (0..width * height)
            .map(|i| {
                let lab = [0, 1, 2].map(|c| colours.lab[c].data[i]);
                LabHistogram::bin(lab) as u16
            })
            .collect();

        let learn = |samples: Vec<(usize, f32)>, least: f32, passes: usize| {
            LabHistogram::of(samples.into_iter(), least, passes)
        };
        let weighted = |plane: &Plane| {
            let cells = plane.data.iter().enumerate().filter(|(_, w)| **w > 0.0);
            cells.map(|(i, &w)| (bins[i] as usize, w)).collect::<Vec<_>>()
        };
        let faces = model.cells.iter().map(|&i| (bins[i] as usize, 1.0)).collect();
        let radius = ((0.02 * sw) as usize).max(2);
        let seen: &Body = body;
        let ((cloth, face), ((hair_colours, crown), guide)) = rayon::join(
            || {
                let seeds = cloth_seeds(mask, seen, &raw_skin);
                (learn(weighted(&seeds), 20.0, 1), learn(faces, 8.0, 3))
            },
            || {
                let crown = hair_seeds(mask, seen, &raw_skin);
                let colours_of_hair = learn(weighted(&crown), 0.015 * sw * sw, 1);
                ((colours_of_hair, crown), GuideStatistics::new(&colours.luma, radius))
            },
        );
        let share = |histogram: &Option<LabHistogram>, i: usize| {
            histogram.as_ref().map_or(0.0, |h| h.share(bins[i] as usize)) + 2e-5
        };
        let map = |rule: &(dyn Fn(usize) -> f32 + Sync)| {
            Plane::from_fn(width, height, |x, y| rule(y * width + x))
        };
        let cloth_likeness = map(&|i| {
            let (of_cloth, of_hair) = (share(&cloth, i), share(&hair_colours, i));
            of_cloth / (of_cloth + 0.5 * of_hair + 0.016 * raw_skin.data[i]) * mask.data[i]
        });
        let hair_likeness = map(&|i| {
            let (of_cloth, of_hair) = (share(&cloth, i), share(&hair_colours, i));
            if hair_colours.is_some() { of_hair / (of_hair + 1.5 * of_cloth) } else { 0.0 }
        });
        let skin = map(&|i| {
            if face.is_none() || raw_skin.data[i] == 0.0 {
                return raw_skin.data[i];
            }
            let (of_face, of_cloth) = (share(&face, i), share(&cloth, i));
            let rival = smoothstep(of_face / (of_face + of_cloth + 5e-5), 0.15, 0.5);
            raw_skin.data[i] * rival
        });
        let (cloth_likeness, hair) = rayon::join(
            || Guided::fit(&guide, &cloth_likeness, 2e-3).on(&colours.luma),
            || connected_hair(&hair_likeness, &skin, &crown, mask, &guide, &colours.luma),
        );
        doubt_hidden_wrists(body, &skin, mask);

        let hands = hand_zones(width, height, body);
        let old_cloth = old_cloth(&OldClothInput {
            cloth_likeness: &cloth_likeness,
            mask,
            body,
            skin: &skin,
            hair: &hair,
            hands: &hands,
        });
        Self {
            skin,
            hair,
            old_cloth,
            hands,
            top_likeness: cloth_likeness,
            lit_skin: model.lit,
            light: model.light,
        }
    }
}

fn inside_convex(corners: &[Vec2], p: Vec2) -> bool {
    let mut sign = 0.0f32;
    for i in 0..corners.len() {
        let (a, b) = (corners[i], corners[(i + 1) % corners.len()]);
        let side = (b - a).perp_dot(p - a);
        if side * sign < 0.0 {
            return false;
        }
        if side != 0.0 {
            sign = side;
        }
    }
    true
}

fn cells_inside(corners: &[Vec2], width: usize, height: usize) -> Vec<usize> {
    let low = corners.iter().copied().reduce(Vec2::min).unwrap_or_default().max(Vec2::ZERO);
    let high = corners.iter().copied().reduce(Vec2::max).unwrap_or_default().max(Vec2::ZERO);
    let mut cells = Vec::new();
    for y in low.y as usize..(high.y.ceil() as usize).min(height) {
        for x in low.x as usize..(high.x.ceil() as usize).min(width) {
            if inside_convex(corners, Vec2::new(x as f32 + 0.5, y as f32 + 0.5)) {
                cells.push(y * width + x);
            }
        }
    }
    cells
}

fn median_of(mut values: Vec<f32>) -> f32 {
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f32::total_cmp).1
}

fn skin_model(colours: &Colours, mask: &Plane, body: &Body) -> SkinModel {
    let face = &body.face;
    let eyes = face.eyes();
    let lips = face.mouth_middle();
    let drop = face.up * 0.25 * face.height;
    let corners = [
        face.eye[0] * 0.75 + eyes * 0.25 - drop,
        face.eye[1] * 0.75 + eyes * 0.25 - drop,
        face.mouth[1],
        lips - face.up * 0.1 * face.height,
        face.mouth[0],
    ];
    let mut cells = cells_inside(&corners, mask.width, mask.height);
    cells.retain(|&i| mask.data[i] > 0.5);
    if cells.len() < 12 {
        // A small face: all of it between brows and chin.
        let middle = eyes.lerp(lips, 0.5);
        let (up, wide) = (face.up * 0.7 * face.height, face.up.perp() * 0.6 * face.height);
        let whole = [middle + up, middle + wide, middle - up, middle - wide];
        cells = cells_inside(&whole, mask.width, mask.height);
        cells.retain(|&i| mask.data[i] > 0.5);
    }
    if cells.len() < 4 {
        return UNSEEN_SKIN;
    }
    let channel = |c: usize| cells.iter().map(|&i| colours.lab[c].data[i]).collect::<Vec<_>>();
    let colour = [0, 1, 2].map(|c| median_of(channel(c)));
    let lit = {
        let lighter = |&&i: &&usize| colours.lab[0].data[i] >= colour[0];
        let lab = |c: usize| cells.iter().filter(lighter).map(move |&i| colours.lab[c].data[i]);
        [0, 1, 2].map(|c| median_of(lab(c).collect()))
    };
    let floor = [22.0, 5.0, 6.0];
    let spread = [0, 1, 2].map(|c| {
        let deviation = channel(c).into_iter().map(|v| (v - colour[c]).abs()).collect();
        (3.3 * median_of(deviation)).max(floor[c])
    });
    let centre = median_of(cells.iter().map(|&i| (i % mask.width) as f32).collect());
    let half = |right: bool| {
        let values: Vec<f32> = cells
            .iter()
            .filter(|&&i| ((i % mask.width) as f32 > centre) == right)
            .map(|&i| colours.lab[0].data[i])
            .collect();
        (!values.is_empty()).then(|| median_of(values))
    };
    let light = match (half(true), half(false)) {
        (Some(right), Some(left)) => ((right - left) / 30.0).clamp(-1.0, 1.0),
        _ => 0.0,
    };
    SkinModel { colour, lit, spread, light, cells }
}

fn skin_likeness(colours: &Colours, model: &SkinModel) -> Plane {
    let width = colours.luma.width;
    Plane::from_fn(width, colours.luma.height, |x, y| {
        let i = y * width + x;
        let mut distance = 0.0;
        for c in 0..3 {
            let d = (colours.lab[c].data[i] - model.colour[c]) / model.spread[c];
            distance += d * d;
        }
        if distance > 20.0 { 0.0 } else { (-0.5 * distance).exp() }
    })
}

/// Cells that surely show the clothes of the trunk: between shoulders and seven tenths of the trunk.
fn cloth_seeds(mask: &Plane, body: &Body, skin: &Plane) -> Plane {
    let sw = body.shoulder_width;
    let mut seeds = Plane::filled(mask.width, mask.height, 0.0);
    let reach = 0.38 * sw;
    let corners = [
        body.place(0.25 * sw, -reach),
        body.place(0.25 * sw, reach),
        body.place(0.7 * body.torso_length, reach * 0.9),
        body.place(0.7 * body.torso_length, -reach * 0.9),
    ];
    for i in cells_inside(&corners, mask.width, mask.height) {
        if skin.data[i] < 0.35 {
            seeds.data[i] = mask.data[i];
        }
    }
    for arm in &body.arm {
        let middle = arm.joint.lerp(arm.elbow, 0.65);
        Capsule::new(arm.joint, middle, 0.6 * arm.upper_radius, 0.5 * arm.upper_radius).visit(
            mask.width,
            mask.height,
            |x, y, covered, _| {
                let i = y * mask.width + x;
                if skin.data[i] < 0.3 {
                    seeds.data[i] = seeds.data[i].max(0.6 * covered * mask.data[i]);
                }
            },
        );
    }
    seeds
}

fn hair_seeds(mask: &Plane, body: &Body, skin: &Plane) -> Plane {
    let face = &body.face;
    let eyes = face.eyes();
    let centre = eyes + face.up * 0.2 * face.height;
    let radius = 1.35 * face.width.max(1.25 * face.height);
    let mut seeds = Plane::filled(mask.width, mask.height, 0.0);
    Capsule::new(centre, centre, radius, radius).visit(mask.width, mask.height, |x, y, _, _| {
        let i = y * mask.width + x;
        let p = Vec2::new(x as f32 + 0.5, y as f32 + 0.5);
        let above = (p - eyes).dot(face.up) > 0.9 * face.height;
        if above && skin.data[i] < 0.3 && mask.data[i] > 0.6 {
            seeds.data[i] = 1.0;
        }
    });
    seeds
}

/// Hair-like cells that hang together with the crown of the head.
fn connected_hair(
    likeness: &Plane,
    skin: &Plane,
    crown: &Plane,
    mask: &Plane,
    guide: &GuideStatistics,
    luma: &Plane,
) -> Plane {
    let (width, height) = (mask.width, mask.height);
    let candidate: Vec<bool> = (0..width * height)
        .map(|i| likeness.data[i] > 0.6 && mask.data[i] > 0.5 && skin.data[i] < 0.4)
        .collect();
    let mut reached = Plane::filled(width, height, 0.0);
    let mut open: Vec<usize> =
        (0..width * height).filter(|&i| crown.data[i] > 0.0 && candidate[i]).collect();
    open.iter().for_each(|&i| reached.data[i] = 1.0);
    while let Some(i) = open.pop() {
        let (x, y) = (i % width, i / width);
        for dy in y.saturating_sub(1)..(y + 2).min(height) {
            for dx in x.saturating_sub(1)..(x + 2).min(width) {
                let j = dy * width + dx;
                if candidate[j] && reached.data[j] == 0.0 {
                    reached.data[j] = 1.0;
                    open.push(j);
                }
            }
        }
    }
    let smooth = crate::filter::gaussian(&reached, 1.0);
    combine(&Guided::fit(guide, &smooth, 1e-3).on(luma), mask, |h, m| h * m)
}

/// A wrist that is said to lie before the trunk needs a hand of skin there, or high certainty; otherwise it
/// was guessed, and the arm is taken to go on straight.
fn doubt_hidden_wrists(body: &mut Body, skin: &Plane, mask: &Plane) {
    let sw = body.shoulder_width;
    for side in 0..2 {
        let arm = body.arm[side];
        let (_, lateral) = body.parts(arm.wrist);
        if lateral.abs() > 0.45 * sw || arm.wrist_seen >= 0.85 {
            continue;
        }
        let reach = arm.wrist + (arm.hand - arm.wrist) * 1.4;
        let hand =
            Capsule::new(arm.wrist, reach, 0.9 * arm.fore_radius, 1.1 * arm.fore_radius).soft(2.0);
        let skin_share = hand.mean(&skin.map(|s| (s > 0.2) as u8 as f32), mask);
        if skin_share < 0.12 {
            let arm = &mut body.arm[side];
            arm.wrist_seen = arm.wrist_seen.min(0.1);
            arm.wrist = arm.elbow + (arm.elbow - arm.joint) * 0.85;
            arm.hand = arm.wrist + (arm.elbow - arm.joint) * 0.2;
        }
    }
}

fn hand_zones(width: usize, height: usize, body: &Body) -> Plane {
    let mut zones = Plane::filled(width, height, 0.0);
    for arm in body.arm.iter().filter(|arm| arm.wrist_seen > 0.3) {
        let reach = arm.wrist + (arm.hand - arm.wrist) * 1.6;
        Capsule::new(arm.wrist, reach, arm.fore_radius, 1.4 * arm.fore_radius)
            .soft(2.0)
            .paint(&mut zones);
    }
    zones
}

struct OldClothInput<'a> {
    cloth_likeness: &'a Plane,
    mask: &'a Plane,
    body: &'a Body,
    skin: &'a Plane,
    hair: &'a Plane,
    hands: &'a Plane,
}

/// 1 below the chin line, 0 above it; the line rises beside the jaw.
pub fn below_chin(body: &Body, p: Vec2) -> f32 {
    let face = &body.face;
    let from = p - face.chin;
    let width = face.width.max(0.9 * face.height);
    let beside = from.perp_dot(face.up).abs();
    let below =
        -from.dot(face.up) + 0.55 * face.height * smoothstep(beside, 0.32 * width, 0.55 * width);
    smoothstep(below, 0.02 * face.height, 0.15 * face.height)
}

fn old_cloth(input: &OldClothInput) -> Plane {
    let OldClothInput { cloth_likeness, mask, body, skin, hair, hands } = input;
    let sw = body.shoulder_width;
    let (width, height) = (mask.width, mask.height);
    let mut arms = Plane::filled(width, height, 0.0);
    for arm in &body.arm {
        let (u, f) = (arm.upper_radius, arm.fore_radius);
        Capsule::new(arm.joint, arm.elbow, 1.7 * u, 1.5 * u).soft(2.0).paint(&mut arms);
        if arm.wrist_seen > 0.3 {
            Capsule::new(arm.elbow, arm.wrist, 1.5 * u, 1.25 * f).soft(2.0).paint(&mut arms);
        }
    }
    let mut cloth = Plane::from_fn(width, height, |x, y| {
        let p = Vec2::new(x as f32 + 0.5, y as f32 + 0.5);
        let i = y * width + x;
        if mask.data[i] == 0.0 {
            return 0.0;
        }
        let (axial, lateral) = body.parts(p);
        let shoulders = smoothstep(axial, -0.30 * sw, -0.22 * sw);
        let neck =
            if lateral.abs() < 0.30 * sw { smoothstep(axial, -0.60 * sw, -0.50 * sw) } else { 0.0 };
        let trunk = shoulders.max(neck)
            * (1.0 - smoothstep(axial, 1.0 * body.torso_length, 1.1 * body.torso_length))
            * (1.0 - smoothstep(lateral.abs(), 0.85 * sw, 1.0 * sw));
        let likeness = cloth_likeness.data[i];
        let zone = trunk.max(arms.data[i])
            * below_chin(body, p)
            * (1.0 - hands.data[i] * (1.0 - likeness));
        let not_skin = 1.0 - smoothstep(skin.data[i], 0.12, 0.40);
        let not_hair = 1.0 - smoothstep(hair.data[i], 0.2, 0.6);
        zone * likeness.max(not_skin * not_hair)
    });
    for arm in &body.arm {
        vote(&mut cloth, arm, input);
    }
    cloth
}

fn vote(cloth: &mut Plane, arm: &super::body::Arm, input: &OldClothInput) {
    let (shoulder, elbow, wrist) = (arm.joint, arm.elbow, arm.wrist);
    let (u, f) = (arm.upper_radius, 1.1 * arm.fore_radius);
    let halves = [
        (shoulder.lerp(elbow, 0.12), shoulder.lerp(elbow, 0.5), u, 1.7, arm.elbow_seen),
        (shoulder.lerp(elbow, 0.5), elbow, u, 1.7, arm.elbow_seen),
        (elbow, elbow.lerp(wrist, 0.5), u, 1.6, arm.wrist_seen),
        (elbow.lerp(wrist, 0.5), elbow.lerp(wrist, 0.9), f, 1.45, arm.wrist_seen),
    ];
    let no_hand = combine(input.mask, input.hands, |m, h| m * (1.0 - h));
    for (from, to, radius, reach, seen) in halves {
        if seen < 0.3 {
            continue;
        }
        let core = Capsule::new(from, to, 0.6 * radius, 0.6 * radius);
        let share = core.mean(cloth, &no_hand);
        let width = cloth.width;
        if share > 0.6 {
            Capsule::new(from, to, reach * radius, reach * radius).soft(1.5).visit(
                width,
                cloth.height,
                |x, y, covered, _| {
                    let i = y * width + x;
                    let surely_not = input.hands.data[i].max(input.hair.data[i]).max(smoothstep(
                        input.skin.data[i],
                        0.55,
                        0.8,
                    ));
                    let chin = below_chin(input.body, Vec2::new(x as f32 + 0.5, y as f32 + 0.5));
                    let zone = covered * (1.0 - surely_not) * chin * input.mask.data[i];
                    cloth.data[i] = cloth.data[i].max(zone);
                },
            );
        } else if share < 0.2 {
            Capsule::new(from, to, 1.15 * radius, 1.15 * radius).soft(1.5).visit(
                width,
                cloth.height,
                |x, y, covered, _| {
                    let i = y * width + x;
                    cloth.data[i] *= 1.0 - covered * smoothstep(input.skin.data[i], 0.04, 0.15);
                },
            );
        }
    }
}
