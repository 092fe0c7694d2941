//! What the old clothes leave behind: skin in an open neckline, bare arms, and background where they stood
//! out further than the new ones.

use super::body::Body;
use super::capsule::Capsule;
use super::parts::{Parts, below_chin};
use super::silhouette::Colours;
use crate::filter::{
    combine, distance_to, doubled, gaussian, gaussian_where_all, halved, smoothstep,
};
use crate::plane::Plane;
use glam::Vec2;
use kernels::colour::srgb_from_lab;

/// A smooth colour layer.
#[derive(Clone, Debug)]
pub struct Fill {
    /// How much of it, 0..1.
    pub alpha: Plane,
    /// sRGB, 0..1.
    pub colour: [Plane; 3],
}

/// The open part of the neckline on the body.
#[derive(Clone, Copy, Debug)]
pub struct Neckline {
    /// Middle of the collar points.
    pub middle: Vec2,
    /// Half their distance.
    pub half_width: f32,
    /// Depth below their line.
    pub depth: f32,
}

/// Everything `uncover` reads.
#[derive(Debug)]
pub struct Scene<'a> {
    /// The photo on the grid.
    pub colours: &'a Colours,
    /// The person's outline.
    pub mask: &'a Plane,
    /// Body frame.
    pub body: &'a Body,
    /// Skin, hair, old clothes.
    pub parts: &'a Parts,
    /// Slow changes of L\* over the photo.
    pub slow_light: &'a Plane,
    /// Distance to the outline for cells inside it.
    pub inside: &'a Plane,
    /// Distance to the outline for cells outside it.
    pub outside: &'a Plane,
}

/// Colour that skin near the neck would have: the visible skin's, spread out.
pub fn skin_field(scene: &Scene) -> [Plane; 3] {
    let Scene { colours, mask, body, parts, .. } = scene;
    let sw = body.shoulder_width;
    let chin = body.face.chin;
    let weight = Plane::from_fn(mask.width, mask.height, |x, y| {
        let i = y * mask.width + x;
        let p = Vec2::new(x as f32 + 0.5, y as f32 + 0.5);
        let near = p.distance(chin) < 1.1 * sw;
        let sure = parts.skin.data[i] > 0.45 && parts.hair.data[i] < 0.3;
        if near && sure { mask.data[i] } else { 0.0 }
    });
    let everyday = srgb_from_lab(parts.lit_skin);
    {
        let [red, green, blue] = &colours.rgb;
        gaussian_where_all([red, green, blue], &weight, 0.16 * sw, everyday.map(|v| v * 0.97))
    }
}

/// Skin in the neckline, with the shade of the jaw and the rounding of the neck.
pub fn neck(scene: &Scene, neckline: &Neckline, field: &[Plane; 3]) -> Fill {
    let Scene { mask, body, inside, parts, .. } = scene;
    let sw = body.shoulder_width;
    // Skin goes on under the new collar, and a little over the rim of the old one.
    let zone = combine(
        &neck_zone(mask, body, neckline),
        &beside_neck(mask, body, neckline),
        |zone, beside| zone * (1.0 - beside),
    );
    let old = Plane::from_fn(mask.width, mask.height, |x, y| {
        let i = y * mask.width + x;
        parts.old_cloth.data[i] * mask.data[i] * zone.data[i]
    });
    let alpha = combine(&gaussian(&old, 0.8), &zone, |old, zone| (2.2 * old).min(1.0) * zone);
    let alpha = combine(&alpha, &parts.hair, |a, hair| a * (1.0 - smoothstep(hair, 0.1, 0.5)));
    let shade = Plane::from_fn(mask.width, mask.height, |x, y| {
        let i = y * mask.width + x;
        if alpha.data[i] == 0.0 {
            return 1.0;
        }
        let p = Vec2::new(x as f32 + 0.5, y as f32 + 0.5);
        let rim = 1.0 - 0.16 * (-inside.data[i] / (0.03 * sw)).exp();
        let below = (p - body.face.chin).dot(-body.face.up).max(0.0);
        let jaw = 1.0 - 0.14 * (-below / (0.20 * sw)).exp();
        let from = p - neckline.middle;
        let (deep, across) = (from.dot(body.down), from.dot(body.right).abs());
        let bone = (across - 0.42 * neckline.half_width) / (0.16 * neckline.half_width);
        let bones = if deep < 0.4 * sw {
            1.0 - 0.07 * (-bone * bone).exp() * (1.0 - deep / (0.3 * sw)).clamp(0.0, 1.0)
        } else {
            1.0
        };
        rim * jaw * bones
    });
    let colour = [0, 1, 2].map(|c| combine(&field[c], &shade, |v, s| v * s));
    Fill { alpha, colour }
}

/// 1 beside the neck above the collar's ends, where only an old collar can stand out.
pub fn beside_neck(mask: &Plane, body: &Body, neckline: &Neckline) -> Plane {
    let chin = body.face.chin;
    let neck = body.neck_half_width(mask);
    let height = (neckline.middle - chin).dot(body.down).max(0.05 * body.shoulder_width);
    Plane::from_fn(mask.width, mask.height, |x, y| {
        let p = Vec2::new(x as f32 + 0.5, y as f32 + 0.5);
        let deep = (p - chin).dot(body.down) / height;
        if deep > 1.0 {
            return 0.0;
        }
        // The neck flares from below the chin to the collar's ends.
        let flare = deep.max(0.0).powi(3);
        let middle = chin.lerp(neckline.middle, deep.clamp(0.0, 1.0));
        let half = neck + (neckline.half_width - neck).max(0.0) * flare;
        let across = (p - middle).dot(body.right).abs();
        smoothstep(across, half, half + 0.02 * body.shoulder_width)
            * (1.0 - smoothstep(across, 0.40 * body.shoulder_width, 0.45 * body.shoulder_width))
    })
}

/// 1 inside the neckline and on the neck below the chin.
pub fn neck_zone(mask: &Plane, body: &Body, neckline: &Neckline) -> Plane {
    Plane::from_fn(mask.width, mask.height, |x, y| {
        let p = Vec2::new(x as f32 + 0.5, y as f32 + 0.5);
        let from = p - neckline.middle;
        let (deep, across) = (from.dot(body.down), from.dot(body.right).abs());
        let open = deep < 1.02 * neckline.depth && across < 1.35 * neckline.half_width;
        if open { below_chin(body, p) } else { 0.0 }
    })
}

/// Bare arms and their surroundings.
#[derive(Clone, Debug)]
pub struct BareArms {
    /// Painted skin.
    pub fill: Fill,
    /// Where bare arms are, painted or the person's own, with room for the loosest old sleeve.
    pub surroundings: Plane,
}

/// Bare arms in place of old sleeves that are longer than the new ones.
///
/// `covered` is the fraction of each arm that the new sleeves cover; `straps` are the shoulder points of a
/// garment without sleeves.
pub fn bare_arms(scene: &Scene, covered: [f32; 2], straps: Option<[Vec2; 2]>) -> BareArms {
    let Scene { mask, body, parts, .. } = scene;
    let (width, height) = (mask.width, mask.height);
    let mut alpha = Plane::filled(width, height, 0.0);
    let mut surroundings = Plane::filled(width, height, 0.0);
    let mut colour: [Plane; 3] = std::array::from_fn(|_| Plane::filled(width, height, 0.0));
    let face = srgb_from_lab(parts.lit_skin);
    let own: [Option<[f32; 3]>; 2] =
        std::array::from_fn(|side| arm_colour(scene, side, body.arm[side].fore_radius));
    for side in 0..2 {
        let seen = match own {
            [Some(a), Some(b)] => Some(std::array::from_fn(|c| 0.5 * (a[c] + b[c]))),
            [a, b] => a.or(b),
        };
        let skin = seen.map_or(face.map(|v| v * 0.95), |seen: [f32; 3]| {
            std::array::from_fn(|c| 0.2 * face[c] + 0.8 * seen[c])
        });
        let mut bones = bare_bones(scene, side, covered[side]);
        bones.extend(straps.map(|straps| bare_shoulder(scene, side, straps[side])));
        for bone in &bones {
            Capsule { radii: bone.radii.map(|r| 2.4 * r), ..*bone }.paint(&mut surroundings);
        }
        paint_arm(scene, &bones, skin, &mut alpha, &mut colour);
    }
    if alpha.data.iter().any(|&a| a > 0.0) {
        // Bilinear expansion reads one cell beyond the arm: give it the arm's colour.
        let [red, green, blue] = &colour;
        colour = gaussian_where_all([red, green, blue], &alpha, 0.7, [0.0; 3]);
    }
    let fill = Fill { alpha: gaussian(&alpha, 0.7), colour };
    BareArms { fill, surroundings }
}

/// The bones of an arm that a sleeve leaves bare, as thick as a bare arm is.
fn bare_bones(scene: &Scene, side: usize, covered: f32) -> Vec<Capsule> {
    let body = scene.body;
    let sw = body.shoulder_width;
    let arm = &body.arm[side];
    let upper = (0.92 * arm.upper_radius).min(0.135 * sw);
    let fore = (0.92 * arm.fore_radius).min(0.10 * sw);
    let at_elbow = 0.51 * (upper + fore);
    let mut bones = Vec::new();
    if covered < 0.52 && arm.elbow_seen >= 0.3 {
        let f = ((covered - 0.06) / 0.54).max(0.0);
        let from = arm.joint.lerp(arm.elbow, f);
        bones.push(Capsule::new(from, arm.elbow, upper + (at_elbow - upper) * f, at_elbow));
    }
    if covered < 0.95 && arm.wrist_seen >= 0.3 {
        let f = ((covered - 0.6) / 0.46).max(0.0);
        let from = arm.elbow.lerp(arm.wrist, f);
        bones.push(Capsule::new(from, arm.wrist, at_elbow, 0.8 * fore));
    }
    bones.into_iter().map(|bone| bone.soft(0.012 * sw)).collect()
}

/// The bare shoulder between a strap and the arm.
fn bare_shoulder(scene: &Scene, side: usize, strap: Vec2) -> Capsule {
    let body = scene.body;
    let sw = body.shoulder_width;
    let arm = &body.arm[side];
    let radius = (0.8 * arm.tip.distance(arm.joint)).clamp(0.08 * sw, 0.135 * sw);
    Capsule::new(strap + body.down * radius, arm.joint, radius, radius).soft(0.012 * sw)
}

fn paint_arm(
    scene: &Scene,
    bones: &[Capsule],
    skin: [f32; 3],
    alpha: &mut Plane,
    colour: &mut [Plane; 3],
) {
    let Scene { slow_light: slow, mask, body, parts, .. } = scene;
    let (width, height) = (mask.width, mask.height);
    let mut depth = Plane::filled(width, height, f32::INFINITY);
    for bone in bones {
        let old = bone.mean(&parts.old_cloth, mask);
        if old < 0.35 {
            continue;
        }
        let axis = (bone.ends[1] - bone.ends[0]).normalize_or(Vec2::Y);
        let mut normal = Vec2::new(-axis.y, axis.x);
        if normal.dot(body.right) < 0.0 {
            normal = -normal;
        }
        let local = local_light(slow, bone, mask);
        bone.visit(width, height, |x, y, coverage, t| {
            let i = y * width + x;
            let p = Vec2::new(x as f32 + 0.5, y as f32 + 0.5);
            let radius = bone.radii[0] + (bone.radii[1] - bone.radii[0]) * t;
            let near = bone.ends[0].lerp(bone.ends[1], t);
            let off_axis = p.distance(near) / radius;
            // Where two bones meet, the nearer one gives the colour.
            if off_axis >= depth.data[i] {
                return;
            }
            depth.data[i] = off_axis;
            let own_skin = if old < 0.75 { smoothstep(parts.skin.data[i], 0.3, 0.6) } else { 0.0 };
            let opaque = coverage
                * (1.0 - own_skin)
                * (1.0 - parts.hands.data[i] * (1.0 - parts.old_cloth.data[i]))
                * (1.0 - parts.hair.data[i]);
            alpha.data[i] = alpha.data[i].max(opaque);
            let lateral = ((p - near).dot(normal) / radius).clamp(-1.0, 1.0);
            let facing = (1.0 - (lateral - 0.25 * parts.light).clamp(-1.0, 1.0).powi(2)).sqrt();
            let shade = (0.74 + 0.30 * facing) * local(x, y);
            for c in 0..3 {
                // Shadows on skin are warmer: red falls off least.
                let falloff = shade.powf([0.85, 1.05, 1.15][c]);
                colour[c].data[i] = (skin[c] * falloff).min(1.0);
            }
        });
    }
}

/// Light on an arm relative to its middle, from the slow changes of lightness in the photo.
fn local_light<'a>(
    slow: &'a Plane,
    bone: &Capsule,
    mask: &Plane,
) -> impl Fn(usize, usize) -> f32 + 'a {
    let level = bone.mean(slow, mask);
    move |x, y| (0.5 * ((slow.at(x, y) - level) / 100.0).clamp(-0.25, 0.2)).exp()
}

/// Mean colour of the arm and hand where they surely are skin; `None` where too little of them shows.
fn arm_colour(scene: &Scene, side: usize, radius: f32) -> Option<[f32; 3]> {
    let Scene { colours, mask, body, parts, .. } = scene;
    let arm = &body.arm[side];
    let mut sum = [0.0f32; 3];
    let mut cells = 0.0f32;
    let reach = arm.wrist + (arm.hand - arm.wrist) * 1.4;
    let bones = [
        (arm.joint, arm.elbow, arm.elbow_seen),
        (arm.elbow, arm.wrist, arm.elbow_seen.min(arm.wrist_seen.max(0.3))),
        (arm.wrist, reach, arm.wrist_seen),
    ];
    for (from, to, seen) in bones {
        if seen < 0.3 {
            continue;
        }
        Capsule::new(from, to, 0.8 * radius, 0.8 * radius).visit(
            mask.width,
            mask.height,
            |x, y, covered, _| {
                let i = y * mask.width + x;
                let skin = parts.skin.data[i] > 0.4 && parts.old_cloth.data[i] < 0.3;
                if covered > 0.5 && mask.data[i] > 0.9 && skin {
                    cells += 1.0;
                    for c in 0..3 {
                        sum[c] += colours.rgb[c].data[i];
                    }
                }
            },
        );
    }
    (cells > 0.5 * radius * radius).then(|| sum.map(|v| v / cells))
}

/// Background where old clothes stand out beyond what the new ones cover.
///
/// `covered` is everything that is drawn or kept; `beside_neck` is where an old collar goes though it is near
/// the axis. `axial_limit` is the hem: below it nothing is removed.
pub fn background(
    scene: &Scene,
    residue: &Plane,
    covered: &Plane,
    beside_neck: &Plane,
    axial_limit: f32,
) -> Option<Fill> {
    let Scene { colours, mask, body, parts, inside, outside, .. } = scene;
    let sw = body.shoulder_width;
    let known = outside.map(|d| (d > 0.06 * sw) as u8 as f32);
    if known.data.iter().sum::<f32>() < 0.02 * known.data.len() as f32 {
        return None;
    }
    let mut alpha = Plane::from_fn(mask.width, mask.height, |x, y| {
        let i = y * mask.width + x;
        if residue.data[i] < 0.05 {
            return 0.0;
        }
        let p = Vec2::new(x as f32 + 0.5, y as f32 + 0.5);
        let (axial, lateral) = body.parts(p);
        let above_hem = 1.0 - smoothstep(axial, axial_limit - 0.02 * sw, axial_limit + 0.02 * sw);
        let near_outline = 1.0 - smoothstep(inside.data[i], 0.20 * sw, 0.26 * sw);
        let off_axis = smoothstep(lateral.abs(), 0.40 * sw, 0.5 * sw).max(beside_neck.data[i]);
        (1.5 * residue.data[i] - 0.1).clamp(0.0, 1.0)
            * above_hem
            * near_outline
            * off_axis
            * (1.0 - covered.data[i])
            * (1.0 - parts.hair.data[i])
    });
    let colour = push_pull(&colours.rgb, &known);
    let left_over = left_over_outside(scene, &colour, covered, axial_limit);
    if alpha.data.iter().all(|&a| a < 0.2) && left_over.is_none() {
        return None;
    }
    // The rim of the old outline goes with it.
    let near = distance_to(&alpha, |a| a > 0.5);
    for i in 0..alpha.data.len() {
        let grown = 1.0 - smoothstep(near.data[i], 0.012 * sw, 0.03 * sw);
        let free = (1.0 - covered.data[i])
            * (1.0 - smoothstep(parts.skin.data[i], 0.2, 0.4) * smoothstep(mask.data[i], 0.3, 0.7))
            * (1.0 - smoothstep(parts.hair.data[i], 0.2, 0.4));
        alpha.data[i] = alpha.data[i].max(grown * free);
    }
    if let Some(found) = left_over {
        alpha = combine(&alpha, &found, f32::max);
    }
    Some(Fill { alpha: gaussian(&alpha, 0.8), colour })
}

/// Old clothes that the outline lost because they have the colour of a plain background nearly, but not
/// quite: what differs from the smooth background close to the trunk. `None` before a busy background, where
/// nothing can be told.
fn left_over_outside(
    scene: &Scene,
    plate: &[Plane; 3],
    covered: &Plane,
    axial_limit: f32,
) -> Option<Plane> {
    let Scene { colours, mask, body, parts, outside, .. } = scene;
    let sw = body.shoulder_width;
    let differs = |i: usize| {
        let distance = |c: usize| (colours.rgb[c].data[i] - plate[c].data[i]).powi(2);
        (distance(0) + distance(1) + distance(2)).sqrt()
    };
    // How well the background foretells itself: the belt that was held back from it. What is left over of
    // old clothes fills less than half of that.
    let mut errors: Vec<f32> = (0..mask.data.len())
        .filter(|&i| (0.03 * sw..0.06 * sw).contains(&outside.data[i]))
        .map(differs)
        .collect();
    if errors.is_empty() {
        return None;
    }
    let at = errors.len() * 7 / 10;
    let usual = *errors.select_nth_unstable_by(at, f32::total_cmp).1;
    if usual > 0.06 {
        return None;
    }
    let least = (2.0 * usual).max(0.06);
    Some(Plane::from_fn(mask.width, mask.height, |x, y| {
        let i = y * mask.width + x;
        let near = 1.0 - smoothstep(outside.data[i], 0.07 * sw, 0.10 * sw);
        if near == 0.0 || covered.data[i] > 0.9 {
            return 0.0;
        }
        let p = Vec2::new(x as f32 + 0.5, y as f32 + 0.5);
        let (axial, _) = body.parts(p);
        let zone = smoothstep(axial, -0.34 * sw, -0.28 * sw)
            * (1.0 - smoothstep(axial, axial_limit - 0.05 * sw, axial_limit))
            * below_chin(body, p);
        let free = (1.0 - covered.data[i])
            * (1.0 - smoothstep(parts.skin.data[i], 0.15, 0.35))
            * (1.0 - smoothstep(parts.hair.data[i], 0.1, 0.3))
            * (1.0 - parts.hands.data[i]);
        // Inside the outline the old clothes' own test decides.
        let lost = 1.0 - smoothstep(mask.data[i], 0.6, 0.95);
        near * zone * free * lost * smoothstep(differs(i), least, 2.0 * least)
    }))
}

/// Background in place of hair that stands out above a hat's band.
pub fn hair_above(scene: &Scene, band: Vec2, cover: &Plane) -> Option<Fill> {
    let Scene { colours, mask, body, outside, .. } = scene;
    let face = &body.face;
    let reach = 2.6 * face.width.max(1.6 * face.height);
    let alpha = Plane::from_fn(mask.width, mask.height, |x, y| {
        let from = Vec2::new(x as f32 + 0.5, y as f32 + 0.5) - band;
        let near = 1.0 - smoothstep(from.length(), 0.8 * reach, reach);
        let above = smoothstep(from.dot(face.up), 0.1 * face.height, 0.35 * face.height);
        let i = y * mask.width + x;
        near * above * smoothstep(mask.data[i], 0.05, 0.5) * (1.0 - cover.data[i])
    });
    let known = outside.map(|d| (d > 0.05 * face.height) as u8 as f32);
    if known.data.iter().sum::<f32>() < 0.02 * known.data.len() as f32 {
        return None;
    }
    let colour = push_pull(&colours.rgb, &known);
    Some(Fill { alpha: gaussian(&alpha, 0.8), colour })
}

/// Fills unknown cells from known ones over a pyramid (Gortler et al., "The lumigraph", 1996).
pub fn push_pull(values: &[Plane; 3], known: &Plane) -> [Plane; 3] {
    let channel = |values: &Plane| {
        let weighted = combine(values, known, |v, k| v * k);
        let mut levels = vec![(weighted, known.clone())];
        while let Some((sum, weight)) = levels.last()
            && sum.width.min(sum.height) > 2
        {
            let coarser = (halved(sum), halved(weight));
            levels.push(coarser);
        }
        let (sum, weight) = levels.pop().unwrap_or_else(|| (values.clone(), known.clone()));
        let total: f32 = weight.data.iter().sum();
        let mean = sum.data.iter().sum::<f32>() / total.max(1e-6);
        let mut filled = combine(&sum, &weight, |s, w| if w > 1e-4 { s / w } else { mean });
        for (sum, weight) in levels.into_iter().rev() {
            let coarse = doubled(&filled, sum.width, sum.height);
            filled = sum;
            for (i, value) in filled.data.iter_mut().enumerate() {
                // A cell trusts itself as far as its part of the picture is known.
                let known = weight.data[i];
                let own = *value / known.max(1e-6);
                let trust = (4.0 * known).min(1.0);
                *value = own * trust + coarse.data[i] * (1.0 - trust);
            }
        }
        filled
    };
    let [red, green, blue] = values;
    let (red, (green, blue)) =
        rayon::join(|| channel(red), || rayon::join(|| channel(green), || channel(blue)));
    [red, green, blue]
}

/// What stays before the trunk of a garment: hair, jaw, and the skin of arms and hands.
pub fn in_front(scene: &Scene, covered: [f32; 2]) -> Front {
    let Scene { mask, body, parts, .. } = scene;
    let (width, height) = (mask.width, mask.height);
    let head = combine(&parts.hair, &jaw(mask, body), f32::max);
    let mut arms = Plane::filled(width, height, 0.0);
    let mut hands = Plane::filled(width, height, 0.0);
    for side in 0..2 {
        let arm = &body.arm[side];
        let f = covered[side];
        let (u, r) = (arm.upper_radius, arm.fore_radius);
        if f < 0.52 && arm.elbow_seen > 0.3 {
            let from = arm.joint.lerp(arm.elbow, ((f - 0.08) / 0.54).max(0.0));
            Capsule::new(from, arm.elbow, 1.05 * u, u).soft(2.0).paint(&mut arms);
        }
        if f < 0.9 && arm.elbow_seen > 0.5 {
            Capsule::new(arm.elbow, arm.wrist, u, 1.05 * r).soft(2.0).paint(&mut arms);
        }
        if arm.wrist_seen > 0.35 {
            let reach = arm.wrist + (arm.hand - arm.wrist) * 1.5;
            Capsule::new(arm.wrist, reach, 1.15 * r, 1.35 * r).soft(2.0).paint(&mut hands);
        }
    }
    for i in 0..arms.data.len() {
        let skin = smoothstep(parts.skin.data[i], 0.12, 0.35);
        let not_cloth = 1.0 - smoothstep(parts.old_cloth.data[i], 0.3, 0.6);
        hands.data[i] *= mask.data[i] * skin.max(not_cloth);
        arms.data[i] = (arms.data[i] * mask.data[i] * skin).max(hands.data[i]);
    }
    Front { head, arms, hands }
}

/// Masks of what hides cloth, 0..1.
#[derive(Clone, Debug)]
pub struct Front {
    /// Hair and jaw.
    pub head: Plane,
    /// Arms and hands.
    pub arms: Plane,
    /// Hands only.
    pub hands: Plane,
}

fn jaw(mask: &Plane, body: &Body) -> Plane {
    let face = &body.face;
    let centre = face.eyes().midpoint(face.chin);
    let tall = face.eyes().distance(face.chin) * 0.60;
    let wide = (0.52 * face.width).max(0.42 * tall);
    let mut jaw = Plane::filled(mask.width, mask.height, 0.0);
    let reach = 1.1 * tall.max(wide);
    Capsule::new(centre, centre, reach, reach).visit(mask.width, mask.height, |x, y, _, _| {
        let from = Vec2::new(x as f32 + 0.5, y as f32 + 0.5) - centre;
        let (along, across) = (from.dot(face.up), from.perp_dot(face.up));
        let radius = (across / wide).powi(2) + (along / tall).powi(2);
        let i = y * mask.width + x;
        jaw.data[i] = (1.0 - smoothstep(radius, 0.85, 1.1)) * mask.data[i];
    });
    jaw
}

/// Moves a plane by whole and part cells, for cast shadows.
pub fn shifted(plane: &Plane, by: Vec2) -> Plane {
    Plane::from_fn(plane.width, plane.height, |x, y| {
        plane.sample(Vec2::new(x as f32 + 0.5, y as f32 + 0.5) - by)
    })
}
