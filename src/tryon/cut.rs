//! Cuts the top or dress that a person wears off their photo: the fit run backwards.
//!
//! A pattern with the person's own measures is fitted to them like any garment. Each point of the pattern then
//! knows its place in the photo, so drawing the pattern with the photo as its cloth lays the garment flat. What
//! arms, hands or hair hide is filled with the nearest cloth.

use super::body::SIGN;
use super::capsule::Capsule;
use super::patch::{Patch, steps};
use super::seen::SeenPerson;
use super::sleeve::fit_sleeve;
use super::torso::fit_torso;
use super::{Extent, Grid, TryonError, check_front};
use crate::filter::smoothstep;
use crate::garment::{Category, Sleeve, Texture, Upper};
use crate::perception::Person;
use crate::picture::{Picture, Pixels};
use crate::plane::Plane;
use glam::Vec2;
use kernels::label::{Connectivity, label_components};
use kernels::mesh::{Band, EMPTY, Texel, Vertex, rasterise};

/// Width and height of the pattern's sheet; shoulders lie `SHOULDERS` apart on it.
const SHEET: (usize, usize) = (1400, 1500);
const SHOULDERS: f32 = 480.0;
const TOP: f32 = 130.0;
/// Least share of the chest that must show cloth.
const LEAST_CLOTH: f32 = 0.35;

/// Why nothing was cut.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum CutError {
    /// The person cannot be measured.
    #[error(transparent)]
    Person(#[from] TryonError),
    /// Too little cloth on the chest.
    #[error("only {share:.0} % of the chest shows cloth, at least {least:.0} % is needed; use a photo in which arms and hair leave the garment free")]
    NoCloth {
        /// Cloth found, per cent.
        share: f32,
        /// Cloth needed, per cent.
        least: f32,
    },
}

/// A garment laid flat.
#[derive(Clone, Debug, PartialEq)]
pub struct CutGarment {
    /// What it is.
    pub category: Category,
    /// Its picture.
    pub texture: Texture,
    /// Shoulder points in the picture, `[image left, image right]`.
    pub shoulder: [Vec2; 2],
    /// Collar points.
    pub collar: [Vec2; 2],
    /// Armpits.
    pub armpit: [Vec2; 2],
    /// Ends of the hem.
    pub hem: [Vec2; 2],
    /// Depth of the neckline, pixels.
    pub neckline_depth: f32,
    /// Share of the garment that was hidden and filled, 0..1.
    pub filled: f32,
}

/// Cuts the garment on the upper body off a photo. `category` states what it is; `None` decides by how far
/// the cloth goes down arms and trunk.
///
/// # Errors
/// If nobody faces the camera, or the chest does not show enough cloth.
pub fn cut(
    photo: &Picture,
    people: &[Person],
    category: Option<Category>,
) -> Result<CutGarment, CutError> {
    let (person, others) = people.split_first().ok_or(TryonError::NoPerson)?;
    check_front(person, photo)?;
    let grid = Grid::around(person, photo.width, photo.height, Extent::WholeBody);
    let seen = SeenPerson::look(photo, person, others, grid);
    let share = chest_cloth(&seen);
    if share < LEAST_CLOTH {
        return Err(CutError::NoCloth { share: 100.0 * share, least: 100.0 * LEAST_CLOTH });
    }
    let hem = hem_axial(&seen);
    let reach = [sleeve_reach(&seen, 0), sleeve_reach(&seen, 1)];
    let reach = match (seen.body.arm[0].elbow_seen > 0.3, seen.body.arm[1].elbow_seen > 0.3) {
        (true, false) => reach[0],
        (false, true) => reach[1],
        _ => reach[0].max(reach[1]),
    };
    let category = category.unwrap_or(if hem > 1.5 * seen.body.torso_length {
        Category::Dress
    } else if reach < 0.08 {
        Category::Sleeveless
    } else if reach < 0.62 {
        Category::TShirt
    } else {
        Category::LongSleeve
    });
    let sleeves = match category {
        Category::Sleeveless => None,
        Category::LongSleeve | Category::Jacket => Some(1.0),
        _ => (reach >= 0.08).then_some(reach),
    };
    let pattern = Pattern::measure(&seen, category, hem, sleeves);
    Ok(pattern.draw(photo, &seen, category))
}

/// Share of the chest that is cloth and not arm, hand or hair.
fn chest_cloth(seen: &SeenPerson) -> f32 {
    let body = &seen.body;
    let sw = body.shoulder_width;
    let (from, to) = (body.place(0.35 * sw, 0.0), body.place(0.8 * body.torso_length, 0.0));
    let cloth = Plane::from_fn(seen.grid.width, seen.grid.height, |x, y| {
        let i = y * seen.grid.width + x;
        seen.parts.old_cloth.data[i] * seen.parts.top_likeness.data[i].max(0.5)
    });
    Capsule::new(from, to, 0.3 * sw, 0.3 * sw).mean(&cloth.map(|v| (v > 0.3) as u8 as f32), &seen.mask)
}

/// Axial distance at which the colours of the top end.
fn hem_axial(seen: &SeenPerson) -> f32 {
    let body = &seen.body;
    let sw = body.shoulder_width;
    if seen.legs_look_like_the_top() {
        return 1.08 * body.torso_length;
    }
    let step = 0.02 * sw;
    let mut axial = 0.8 * body.torso_length;
    let mut last = axial;
    while axial < 2.4 * body.torso_length {
        let row: Vec<f32> = [-0.24f32, -0.12, 0.0, 0.12, 0.24]
            .iter()
            .map(|&lateral| body.place(axial, lateral * sw))
            .filter(|&p| seen.mask.contains(p) && seen.mask.sample(p) > 0.5)
            .map(|p| seen.parts.top_likeness.sample(p))
            .collect();
        if row.is_empty() {
            break;
        }
        if row.iter().sum::<f32>() / row.len() as f32 > 0.4 {
            last = axial;
        } else if axial - last > 0.12 * sw {
            break;
        }
        axial += step;
    }
    last + step
}

/// Fraction of an arm, 1 at the wrist, down to which it is clothed without a gap.
fn sleeve_reach(seen: &SeenPerson, side: usize) -> f32 {
    let arm = &seen.body.arm[side];
    let mut reach = 0.0;
    for step in 1..=20 {
        let f = step as f32 / 20.0;
        let (p, radius) = if f < 0.54 {
            (arm.joint.lerp(arm.elbow, f / 0.54), arm.upper_radius)
        } else {
            (arm.elbow.lerp(arm.wrist, (f - 0.54) / 0.46), arm.fore_radius)
        };
        let spot = Capsule::new(p, p, 0.5 * radius, 0.5 * radius);
        if !seen.mask.contains(p) || spot.mean(&seen.parts.old_cloth, &seen.mask) < 0.5 {
            break;
        }
        reach = f;
    }
    reach
}

/// A sewing pattern with the person's measures, on a sheet.
struct Pattern {
    upper: Upper,
}

impl Pattern {
    fn measure(seen: &SeenPerson, category: Category, hem: f32, reach: Option<f32>) -> Self {
        let body = &seen.body;
        let sw = body.shoulder_width;
        let axis_x = SHEET.0 as f32 / 2.0;
        let mirrored = |half: f32, y: f32| [Vec2::new(axis_x - half, y), Vec2::new(axis_x + half, y)];
        // Pattern pixels per cell, across and down, as `fit_torso` will undo them.
        let scale = SHOULDERS / body.tip_width;
        let reference = if body.hips_seen > 0.5 { sw.max(0.60 * body.torso_length) } else { sw };
        let scale_down = scale / (reference / sw).max(1.0);
        let tips = [0, 1].map(|side| body.parts(body.arm[side].tip).0);
        let top_axial = 0.5 * (tips[0] + tips[1]);
        let y_of = |axial: f32| TOP + (axial - top_axial) * scale_down;
        let armpit_axial = top_axial + 0.54 * sw;
        let bottom = y_of(hem).min(SHEET.1 as f32 - 20.0);
        let half_at = |axial: f32| {
            let sides = (0..2).map(|side| body.half_width(&seen.mask, axial, side));
            1.03 * 0.5 * sides.sum::<f32>() * scale
        };
        let pit_half = (0..2)
            .map(|side| {
                let edge = body.half_width(&seen.mask, armpit_axial, side);
                body.armpit_lateral(armpit_axial, side, edge)
            })
            .sum::<f32>()
            * 0.5
            * scale;
        let pit_y = y_of(armpit_axial);
        let sides: Vec<[f32; 2]> = (0..SHEET.1)
            .map(|row| {
                let y = (row as f32).clamp(pit_y, bottom);
                let axial = top_axial + (y - TOP) / scale_down;
                // Below the armpit the trunk's own edge takes over from the armhole.
                let blend = smoothstep(y, pit_y, pit_y + 0.25 * SHOULDERS);
                let half = pit_half * (1.0 - blend) + half_at(axial).min(1.3 * pit_half) * blend;
                [axis_x - half, axis_x + half]
            })
            .collect();
        let hem_half = axis_x - sides[bottom as usize][0];
        let collar_half = (1.25 * body.neck_half_width(&seen.mask) * scale).min(0.4 * SHOULDERS);
        let collar_y = TOP - 0.10 * SHOULDERS;
        let shoulder = mirrored(SHOULDERS / 2.0, TOP);
        let armpit = mirrored(pit_half, pit_y);
        let mut upper = Upper {
            axis_x,
            shoulder,
            collar: mirrored(collar_half, collar_y),
            armpit,
            hem: mirrored(hem_half, bottom),
            neckline_depth: 0.2 * SHOULDERS,
            neckline_filled: false,
            sides,
            hem_profile: vec![bottom; 9],
            sleeves: [None, None],
        };
        upper.neckline_depth = neckline_depth(seen, &upper, scale);
        if let Some(reach) = reach {
            upper.sleeves = sleeves_of(&upper, seen, category, reach);
        }
        Self { upper }
    }

    fn draw(&self, photo: &Picture, seen: &SeenPerson, category: Category) -> CutGarment {
        let upper = &self.upper;
        let torso = fit_torso(upper, category, &seen.body, &seen.mask);
        let sleeves: Vec<Patch> = (0..2)
            .filter_map(|side| {
                let sleeve = upper.sleeves[side].as_ref()?;
                Some(fit_sleeve(sleeve, &torso, &seen.body, &seen.mask, side).patch)
            })
            .collect();
        let arms = arms_before_trunk(seen);
        let mut texture = Texture::clear(SHEET.0, SHEET.1);
        let mut wanted = vec![false; SHEET.0 * SHEET.1];
        for (index, patch) in sleeves.iter().chain([&torso.patch]).enumerate() {
            let is_trunk = index == sleeves.len();
            for (i, texel) in laid_flat(patch, &seen.grid).into_iter().enumerate() {
                let [x, y, u, v] = texel;
                if x.is_nan() {
                    continue;
                }
                let place = Vec2::new(x, y);
                let cell = seen.grid.from_picture(place);
                let arm = if is_trunk { arms.sample(cell) } else { 0.0 };
                let cloth = smoothstep(seen.parts.old_cloth.sample(cell), 0.35, 0.65)
                    * smoothstep(seen.mask.sample(cell), 0.3, 0.7)
                    * (1.0 - arm);
                // What must be cloth even where an arm, a hand or hair hides it.
                let core = is_trunk && (0.04..=0.96).contains(&u) && (0.22..=0.985).contains(&v);
                wanted[i] |= core;
                let alpha = (255.0 * cloth) as u8;
                if alpha > texture.rgba[i][3] {
                    let [r, g, b] = sample(photo, place);
                    texture.rgba[i] = [r, g, b, alpha];
                }
            }
        }
        let hidden = wanted.iter().zip(&texture.rgba).filter(|(w, p)| **w && p[3] < 128).count();
        let filled = hidden as f32 / wanted.iter().filter(|w| **w).count().max(1) as f32;
        texture.extend_colour();
        for (pixel, wanted) in texture.rgba.iter_mut().zip(&wanted) {
            if *wanted {
                pixel[3] = 255;
            }
        }
        keep_largest_pieces(&mut texture);
        fill_holes(&mut texture);
        let (texture, corner) = trimmed(&texture);
        let moved = |pair: [Vec2; 2]| pair.map(|p| p - corner);
        CutGarment {
            category,
            texture,
            shoulder: moved(upper.shoulder),
            collar: moved(upper.collar),
            armpit: moved(upper.armpit),
            hem: moved(upper.hem),
            neckline_depth: upper.neckline_depth,
            filled,
        }
    }
}

/// Arms below the armpits: what they cover is not the trunk's cloth.
fn arms_before_trunk(seen: &SeenPerson) -> Plane {
    let mut arms = Plane::filled(seen.grid.width, seen.grid.height, 0.0);
    for arm in &seen.body.arm {
        let (upper, fore) = (1.05 * arm.upper_radius, 1.15 * arm.fore_radius);
        let from = arm.joint.lerp(arm.elbow, 0.5);
        Capsule::new(from, arm.elbow, upper, upper).soft(1.0).paint(&mut arms);
        if arm.wrist_seen > 0.3 {
            let reach = arm.wrist + (arm.hand - arm.wrist) * 1.5;
            Capsule::new(arm.elbow, arm.wrist, upper, fore).soft(1.0).paint(&mut arms);
            Capsule::new(arm.wrist, reach, fore, 1.2 * fore).soft(1.0).paint(&mut arms);
        }
    }
    arms
}

/// Clears pieces that are smaller than a fiftieth of the garment: crumbs of cuffs and collars.
fn keep_largest_pieces(texture: &mut Texture) {
    let (labels, count) = pieces(texture, |alpha| alpha > 40, Connectivity::Eight);
    let mut sizes = vec![0usize; count + 1];
    labels.iter().for_each(|&label| sizes[label as usize] += 1);
    let least = sizes[1..].iter().sum::<usize>() / 50;
    for (pixel, &label) in texture.rgba.iter_mut().zip(&labels) {
        if label == 0 || sizes[label as usize] < least {
            pixel[3] = 0;
        }
    }
}

/// Makes opaque what cloth surrounds; its colour is that of the nearest cloth.
fn fill_holes(texture: &mut Texture) {
    let (width, height) = (texture.width, texture.height);
    let (labels, count) = pieces(texture, |alpha| alpha <= 128, Connectivity::Four);
    let mut outside = vec![false; count + 1];
    outside[0] = true;
    for x in 0..width {
        outside[labels[x] as usize] = true;
        outside[labels[(height - 1) * width + x] as usize] = true;
    }
    for y in 0..height {
        outside[labels[y * width] as usize] = true;
        outside[labels[y * width + width - 1] as usize] = true;
    }
    for (pixel, &label) in texture.rgba.iter_mut().zip(&labels) {
        if !outside[label as usize] {
            pixel[3] = 255;
        }
    }
}

/// Components of the pixels whose alpha satisfies `rule`, numbered from 1, and how many there are.
fn pieces(
    texture: &Texture,
    rule: impl Fn(u8) -> bool,
    connectivity: Connectivity,
) -> (Vec<u32>, usize) {
    let mask: Vec<u8> = texture.rgba.iter().map(|pixel| rule(pixel[3]) as u8).collect();
    let mut labels = vec![0; mask.len()];
    let mut parents = vec![0; mask.len() + 1];
    let (width, height) = (texture.width, texture.height);
    let count =
        label_components(&mask, width, height, connectivity, &mut labels, &mut parents);
    (labels, count)
}

/// The opaque part with a margin, and its upper left corner.
fn trimmed(texture: &Texture) -> (Texture, Vec2) {
    const MARGIN: usize = 24;
    let opaque = |i: &usize| texture.rgba[*i][3] > 0;
    let cells: Vec<usize> = (0..texture.rgba.len()).filter(opaque).collect();
    let columns = cells.iter().map(|i| i % texture.width);
    let rows = cells.iter().map(|i| i / texture.width);
    let (Some(left), Some(right)) = (columns.clone().min(), columns.max()) else {
        return (texture.clone(), Vec2::ZERO);
    };
    let (Some(top), Some(bottom)) = (rows.clone().min(), rows.max()) else {
        return (texture.clone(), Vec2::ZERO);
    };
    let (x, y) = (left.saturating_sub(MARGIN), top.saturating_sub(MARGIN));
    let width = right + MARGIN - x;
    let height = bottom + MARGIN - y;
    let corner = Vec2::new(x as f32, y as f32);
    (texture.cropped(x as i32, y as i32, width, height), corner)
}

/// Depth of the skin between the collar points on the axis, pattern pixels.
fn neckline_depth(seen: &SeenPerson, upper: &Upper, scale: f32) -> f32 {
    let torso = fit_torso(upper, Category::TShirt, &seen.body, &seen.mask);
    let middle = torso.collar[0].midpoint(torso.collar[1]);
    let step = 0.01 * seen.body.shoulder_width;
    let depth = (0..60)
        .map(|k| k as f32 * step)
        .find(|&d| {
            let p = middle + seen.body.down * d;
            seen.mask.contains(p) && seen.parts.old_cloth.sample(p) > 0.5
        })
        .unwrap_or(0.3 * seen.body.shoulder_width);
    (depth * scale).max(0.06 * SHOULDERS)
}

/// Sleeves whose fit ends where the person's sleeves do.
fn sleeves_of(
    upper: &Upper,
    seen: &SeenPerson,
    category: Category,
    reach: f32,
) -> [Option<Sleeve>; 2] {
    let torso = fit_torso(upper, category, &seen.body, &seen.mask);
    // A short sleeve lies flat at 40° below the horizontal, a long one hangs.
    let angle = if reach > 0.62 { 68.0f32 } else { 40.0 }.to_radians();
    let of_length = |length: f32, side: usize| {
        let sign = SIGN[side];
        let along = Vec2::new(sign * angle.cos(), angle.sin());
        let (top, pit) = (upper.shoulder[side], upper.armpit[side]);
        let cuff_outer = top + along * length;
        let width = (0.62 - 0.25 * reach) * top.distance(pit);
        let cuff_inner = cuff_outer + Vec2::new(-along.y * sign, along.x * sign) * width;
        let curve = |from: Vec2, to: Vec2| -> Vec<Vec2> {
            steps(12).into_iter().map(|t| from.lerp(to, t)).collect()
        };
        Sleeve { outer: curve(top, cuff_outer), inner: curve(pit, cuff_inner) }
    };
    [0, 1].map(|side| {
        // The longer the sleeve, the further it covers: halve the interval.
        let (mut short, mut long) = (0.15 * SHOULDERS, 1.6 * SHOULDERS);
        for _ in 0..12 {
            let length = 0.5 * (short + long);
            let sleeve = of_length(length, side);
            let fit = fit_sleeve(&sleeve, &torso, &seen.body, &seen.mask, side);
            if fit.coverage < reach { short = length } else { long = length }
        }
        Some(of_length(long, side))
    })
}

/// For every pixel of the sheet the place in the photo it shows.
fn laid_flat(patch: &Patch, grid: &Grid) -> Vec<Texel> {
    let vertices: Vec<Vertex> = (0..patch.source.len())
        .map(|i| {
            let place = grid.to_picture(patch.target[i]);
            let parameter = patch.parameters[i];
            Vertex {
                position: patch.source[i].to_array(),
                attributes: [place.x, place.y, parameter.x, parameter.y],
            }
        })
        .collect();
    let mut map = vec![EMPTY; SHEET.0 * SHEET.1];
    let band = Band { x: 0, width: SHEET.0, y: 0, height: SHEET.1 };
    rasterise(&vertices, patch.columns, &mut map, band);
    map
}

/// Bilinear sample of a photo in 8 bits; the edge is repeated.
fn sample(photo: &Picture, place: Vec2) -> [u8; 3] {
    let x = (place.x - 0.5).clamp(0.0, (photo.width - 1) as f32);
    let y = (place.y - 0.5).clamp(0.0, (photo.height - 1) as f32);
    let (x0, y0) = (x as usize, y as usize);
    let (x1, y1) = ((x0 + 1).min(photo.width - 1), (y0 + 1).min(photo.height - 1));
    let (fx, fy) = (x - x0 as f32, y - y0 as f32);
    let at = |x: usize, y: usize, c: usize| {
        let i = (y * photo.width + x) * 3 + c;
        match &photo.pixels {
            Pixels::Eight(rgb) => rgb[i] as f32,
            Pixels::Sixteen(rgb) => rgb[i] as f32 / 257.0,
        }
    };
    [0, 1, 2].map(|c| {
        let upper = at(x0, y0, c) * (1.0 - fx) + at(x1, y0, c) * fx;
        let lower = at(x0, y1, c) * (1.0 - fx) + at(x1, y1, c) * fx;
        (upper * (1.0 - fy) + lower * fy + 0.5) as u8
    })
}
