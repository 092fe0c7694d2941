//! The pattern filled with the photo's cloth.

use super::super::grid::Grid;
use super::super::patch::Patch;
use super::super::seen::SeenPerson;
use super::super::uncover::push_pull;
use super::CutPoints;
use super::pattern::Pattern;
use super::worn::{Worn, smooth};
use crate::filter::{Guided, distance_to, gaussian_where, smoothstep};
use crate::garment::Category;
use crate::picture::{Picture, RgbaPicture};
use crate::plane::Plane;
use glam::Vec2;
use kernels::mesh::{Band, EMPTY, Texel, rasterise};
use rayon::prelude::*;

/// Samples a pixel each way.
const SAMPLES: usize = 2;
/// Rows of the picture that are filled at a time.
const BAND: usize = 32;

/// The filled pattern.
pub struct Laid {
    /// The garment.
    pub picture: RgbaPicture,
    /// Where its parts lie.
    pub points: CutPoints,
    /// Share of the garment that the photo does not show.
    pub filled: f32,
}

/// What the photo shows at the places of the pattern.
struct Shown {
    /// Share of each pixel inside the pattern.
    inside: Plane,
    /// Share that shows cloth.
    known: Plane,
    /// Share that something hides.
    hidden: Plane,
    /// sRGB, 0..1, of the cloth; of anything where there is none.
    colour: [Plane; 3],
}

/// Fills the pattern.
pub fn fill(photo: &Picture, seen: &SeenPerson, worn: &Worn, pattern: &Pattern) -> Laid {
    let mut shown = look(photo, seen, worn, pattern);
    let unit = pattern.scale * seen.body.shoulder_width;
    let mut points = pattern.points;
    if worn.hem_seen {
        let hem = hem_line(&shown, &points, unit);
        straighten(&mut shown, &mut points, &hem);
    }
    let mut alpha = shown.inside.clone();

    let neckline = neckline(&shown, &points, unit);
    points.neckline_depth = cut_above(&mut alpha, &points, &neckline);
    if worn.hem_seen {
        cut_below(&mut alpha, &points);
    }
    if worn.category == Category::Sleeveless {
        cut_armholes(&mut alpha, &shown, &points, unit);
    }

    // Cells at the rim of what is known are mixed with what lies beside it.
    let rim = (0.012 * unit).max(2.0);
    let to_unknown = distance_to(&shown.known, |k| k < 0.9);
    let known = to_unknown.map(|d| smoothstep(d, 0.5 * rim, rim));
    let colour = paint(&shown.colour, &known, unit);
    let area: f32 = alpha.data.iter().sum();
    let seen_area: f32 = alpha.data.iter().zip(&shown.known.data).map(|(a, k)| a * k).sum();
    let rgba = (0..alpha.data.len())
        .map(|i| {
            let byte = |v: f32| (255.0 * v).round().clamp(0.0, 255.0) as u8;
            let [r, g, b] = [0, 1, 2].map(|c| byte(colour[c].data[i]));
            [r, g, b, byte(alpha.data[i])]
        })
        .collect();
    let picture = RgbaPicture { width: alpha.width, height: alpha.height, rgba };
    Laid { picture, points, filled: 1.0 - seen_area / area.max(1.0) }
}

fn look(photo: &Picture, seen: &SeenPerson, worn: &Worn, pattern: &Pattern) -> Shown {
    let (width, height) = (pattern.width, pattern.height);
    let rgb = photo.rgb8();
    let cloth = seen.sharpened(&worn.cloth);
    let reader = Reader { rgb: &rgb, photo, grid: &seen.grid, cloth: &cloth, mask: &seen.mask };
    let mut pixels = vec![[0f32; 6]; width * height];
    pixels.par_chunks_mut(width * BAND).enumerate().for_each(|(index, rows)| {
        let fine = SAMPLES * width;
        let fine_rows = SAMPLES * rows.len() / width;
        let band = Band { x: 0, width: fine, y: index * BAND * SAMPLES, height: fine_rows };
        let mut torso = vec![EMPTY; fine * fine_rows];
        let mut sleeves = torso.clone();
        draw(&pattern.torso, &mut torso, band);
        pattern.sleeves.iter().for_each(|sleeve| draw(sleeve, &mut sleeves, band));
        for (i, (of_torso, of_sleeve)) in torso.iter().zip(&sleeves).enumerate() {
            let (texel, before) = if of_torso[0].is_nan() {
                (of_sleeve, &worn.before_sleeves)
            } else {
                (of_torso, &worn.before_trunk)
            };
            if texel[0].is_nan() {
                continue;
            }
            let (x, y) = (i % fine / SAMPLES, i / fine / SAMPLES);
            reader.add(Vec2::new(texel[0], texel[1]), before, &mut rows[y * width + x]);
        }
    });
    let plane = |value: &dyn Fn(&[f32; 6]) -> f32| Plane {
        width,
        height,
        data: pixels.iter().map(value).collect(),
    };
    let share = 1.0 / (SAMPLES * SAMPLES) as f32;
    Shown {
        inside: plane(&|p| p[0] * share),
        known: plane(&|p| p[1] * share),
        hidden: plane(&|p| p[2] * share),
        colour: [0, 1, 2].map(|c| plane(&|p| p[3 + c] / p[0].max(1.0))),
    }
}

fn draw(patch: &Patch, map: &mut [Texel], band: Band) {
    rasterise(&patch.vertices(|p| p * SAMPLES as f32), patch.columns, map, band);
}

struct Reader<'a> {
    rgb: &'a [u8],
    photo: &'a Picture,
    grid: &'a Grid,
    cloth: &'a Guided,
    mask: &'a Plane,
}

impl Reader<'_> {
    /// Adds what lies at a position of the grid: inside, known, hidden, colour.
    fn add(&self, cell: Vec2, before: &Plane, pixel: &mut [f32; 6]) {
        let colour = self.colour(self.grid.to_picture(cell));
        let luma = kernels::colour::luma(colour);
        let cloth = self.cloth.slope.sample(cell) * luma + self.cloth.offset.sample(cell);
        let hidden = before.sample(cell) > 0.35;
        pixel[0] += 1.0;
        pixel[1] += f32::from(u8::from(cloth > 0.6 && !hidden && self.mask.sample(cell) > 0.5));
        pixel[2] += f32::from(u8::from(hidden));
        (0..3).for_each(|c| pixel[3 + c] += colour[c]);
    }

    fn colour(&self, position: Vec2) -> [f32; 3] {
        let Picture { width, height, .. } = *self.photo;
        let x = (position.x - 0.5).clamp(0.0, (width - 1) as f32);
        let y = (position.y - 0.5).clamp(0.0, (height - 1) as f32);
        let (x0, y0) = (x as usize, y as usize);
        let (x1, y1) = ((x0 + 1).min(width - 1), (y0 + 1).min(height - 1));
        let (fx, fy) = (x - x0 as f32, y - y0 as f32);
        std::array::from_fn(|c| {
            let at = |x: usize, y: usize| f32::from(self.rgb[3 * (y * width + x) + c]) / 255.0;
            let top = at(x0, y0) * (1.0 - fx) + at(x1, y0) * fx;
            let bottom = at(x0, y1) * (1.0 - fx) + at(x1, y1) * fx;
            top * (1.0 - fy) + bottom * fy
        })
    }
}

/// Unknown pixels from known ones: their smooth colour, with the weave and folds of the other half where
/// that is seen.
fn paint(colour: &[Plane; 3], known: &Plane, unit: f32) -> [Plane; 3] {
    let width = known.width;
    let smooth = push_pull(colour, known);
    std::array::from_fn(|c| {
        let smooth = &smooth[c];
        let base = gaussian_where(&colour[c], known, 0.04 * unit, 0.5);
        Plane::from_fn(width, known.height, |x, y| {
            let i = y * width + x;
            let k = known.data[i];
            if k >= 1.0 {
                return colour[c].data[i];
            }
            let j = y * width + (width - 1 - x);
            let detail = known.data[j] * (colour[c].data[j] - base.data[j]);
            let filled = smooth.data[i] + (1.0 - k) * detail.clamp(-0.12, 0.12);
            colour[c].data[i] * k + filled * (1.0 - k)
        })
    })
}

/// Values per column from `first`, symmetric, without gaps, smooth; `None` where nothing is known.
fn symmetric(mut profile: Vec<Option<f32>>, reach: usize) -> Option<Vec<f32>> {
    let n = profile.len();
    let mirrored: Vec<Option<f32>> = profile.iter().rev().copied().collect();
    for (value, other) in profile.iter_mut().zip(mirrored) {
        *value = match (*value, other) {
            (Some(a), Some(b)) => Some(0.5 * (a + b)),
            (a, b) => a.or(b),
        };
    }
    let known: Vec<usize> = (0..n).filter(|&i| profile[i].is_some()).collect();
    let (&first, &last) = (known.first()?, known.last()?);
    let at = |i: usize| profile[i].unwrap_or_default();
    let full: Vec<f32> = (0..n)
        .map(|i| {
            if i <= first || i >= last {
                return at(i.clamp(first, last));
            }
            let after = known[known.partition_point(|&k| k < i)];
            let before = known[known.partition_point(|&k| k <= i) - 1];
            let f = (i - before) as f32 / (after - before).max(1) as f32;
            at(before) * (1.0 - f) + at(after) * f
        })
        .collect();
    // A median drops single columns before the mean rounds the rest.
    let middle = |i: usize| {
        let mut window = full[i.saturating_sub(reach)..(i + reach + 1).min(n)].to_vec();
        window.sort_by(f32::total_cmp);
        window[window.len() / 2]
    };
    let steady: Vec<f32> = (0..n).map(middle).collect();
    Some(smooth(&smooth(&steady, reach as i64), reach as i64))
}

/// Depth of the neck hole below the collar line, one value per column from collar point to collar point.
fn neckline(shown: &Shown, points: &CutPoints, unit: f32) -> Vec<f32> {
    let (left, right) = (points.collar[0].x as usize, points.collar[1].x as usize);
    let top = points.collar[0].y as usize;
    let deepest = (0.62 * unit) as usize;
    let run = ((0.04 * unit) as usize).max(3);
    let depth = |x: usize| {
        let (mut cloth, mut hidden) = (0, 0);
        for y in top..(top + deepest).min(shown.known.height) {
            if shown.known.at(x, y) > 0.5 {
                cloth += 1;
            } else {
                cloth = 0;
                hidden = if shown.hidden.at(x, y) > 0.5 { hidden + 1 } else { 0 };
            }
            if cloth >= run {
                return (hidden < run / 2).then_some((y + 1 - cloth - top) as f32);
            }
        }
        None
    };
    let profile: Vec<Option<f32>> = (left..=right).map(depth).collect();
    let reach = ((0.02 * unit) as usize).max(2);
    let n = right - left + 1;
    let round = |i: usize| {
        let u = 2.0 * i as f32 / (n - 1).max(1) as f32 - 1.0;
        (1.0 - u * u).max(0.0).sqrt()
    };
    let Some(profile) = symmetric(profile, reach) else {
        return (0..n).map(|i| 0.22 * unit * round(i)).collect();
    };
    // A neckline rises to the collar points, also where a shadow or a strand of hair lies there.
    let mut middle = profile[n / 3..=2 * n / 3].to_vec();
    middle.sort_by(f32::total_cmp);
    let deep = middle[middle.len() / 2];
    let within = profile.iter().enumerate().map(|(i, &depth)| depth.min(1.1 * deep * round(i)));
    within.collect()
}

/// Removes what is above the neckline; returns its greatest depth.
fn cut_above(alpha: &mut Plane, points: &CutPoints, depth: &[f32]) -> f32 {
    let left = points.collar[0].x as usize;
    let line = points.collar[0].y;
    for (i, &depth) in depth.iter().enumerate() {
        for y in 0..alpha.height {
            let below = (y as f32 + 0.5 - line - depth + 0.5).clamp(0.0, 1.0);
            if below >= 1.0 {
                break;
            }
            alpha.data[y * alpha.width + left + i] *= below;
        }
    }
    depth.iter().copied().fold(0.0, f32::max)
}

/// Row of the hem, one value per column from hem corner to hem corner.
fn hem_line(shown: &Shown, points: &CutPoints, unit: f32) -> Vec<f32> {
    let (left, right) = (points.hem[0].x as usize, points.hem[1].x as usize);
    let line = points.hem[0].y;
    let slack = 0.12 * unit;
    let run = ((0.03 * unit) as usize).max(3);
    let row = |x: usize| {
        let (low, high) =
            ((line - slack) as usize, ((line + slack) as usize).min(shown.known.height));
        let mut cloth = 0;
        for y in (low..high).rev() {
            cloth = if shown.known.at(x, y) > 0.5 { cloth + 1 } else { 0 };
            if shown.hidden.at(x, y) > 0.5 {
                return None;
            }
            if cloth >= run {
                return Some((y + cloth) as f32);
            }
        }
        None
    };
    let mut profile: Vec<Option<f32>> = (left..=right).map(row).collect();
    // The corners belong to the sides as much as to the hem.
    let (n, corner) = (profile.len(), profile.len() / 16);
    profile[..corner].fill(None);
    profile[n - corner..].fill(None);
    let reach = ((0.04 * unit) as usize).max(2);
    symmetric(profile, reach).unwrap_or_else(|| vec![line; right - left + 1])
}

/// Pulls the columns of the body until the hem is level: a hem that is worn hangs in a bow.
fn straighten(shown: &mut Shown, points: &mut CutPoints, hem: &[f32]) {
    let level = hem.iter().sum::<f32>() / hem.len() as f32;
    let (left, top) = (points.hem[0].x as usize, points.armpit[0].y);
    let straight = |plane: &Plane| {
        let mut pulled = plane.clone();
        for (i, &hem) in hem.iter().enumerate() {
            let x = left + i;
            for y in top.ceil() as usize..plane.height {
                let share = (y as f32 + 0.5 - top) / (level - top);
                let from = top + share * (hem - top);
                pulled.data[y * plane.width + x] = plane.sample(Vec2::new(x as f32 + 0.5, from));
            }
        }
        pulled
    };
    shown.known = straight(&shown.known);
    shown.hidden = straight(&shown.hidden);
    shown.colour = [0, 1, 2].map(|c| straight(&shown.colour[c]));
    points.hem.iter_mut().for_each(|p| p.y = level);
}

/// Removes what is below the hem, sleeves excepted.
fn cut_below(alpha: &mut Plane, points: &CutPoints) {
    let [left, right] = points.hem.map(|p| p.x);
    let beside = 0.06 * (right - left);
    let columns = (left - beside).max(0.0) as usize..((right + beside) as usize).min(alpha.width);
    for y in points.armpit[0].y as usize..alpha.height {
        let above = (points.hem[0].y - y as f32).clamp(0.0, 1.0);
        alpha.data[y * alpha.width..][columns.clone()].iter_mut().for_each(|a| *a *= above);
    }
}

/// Takes away the skin beside the straps.
fn cut_armholes(alpha: &mut Plane, shown: &Shown, points: &CutPoints, unit: f32) {
    let (top, bottom) = (points.shoulder[0].y, points.armpit[0].y);
    let run = ((0.03 * unit) as usize).max(3);
    let width = alpha.width;
    let edge = |y: usize, flip: bool| {
        let mut cloth = 0;
        for step in 0..width / 2 {
            let x = if flip { width - 1 - step } else { step };
            cloth = if shown.known.at(x, y) > 0.5 { cloth + 1 } else { 0 };
            if cloth >= run {
                return Some((step + 1 - cloth) as f32);
            }
        }
        None
    };
    let rows = top as usize..bottom as usize;
    let profile: Vec<f32> = rows
        .clone()
        .map(|y| match (edge(y, false), edge(y, true)) {
            (Some(a), Some(b)) => 0.5 * (a + b),
            (a, b) => a.or(b).unwrap_or(points.shoulder[0].x),
        })
        .collect();
    let profile = smooth(&profile, ((0.03 * unit) as i64).max(2));
    for (y, edge) in rows.zip(profile) {
        for x in 0..width {
            let from_side = x.min(width - 1 - x) as f32;
            alpha.data[y * width + x] *= (from_side + 1.0 - edge).clamp(0.0, 1.0);
        }
    }
}
