//! Removal of a plain background.
//!
//! The ground is a smooth colour field fitted to the picture's border. What is connected to the
//! border and close to that field is background; shadows, darker and of the same hue, count less.
//! Where the garment is about as light as the ground, edges stop the flood as well.

use super::components::{Components, Connectivity};
use super::{GarmentError, Texture};
use kernels::{blur, colour, distance, morphology};

/// Share of the border that must fit the ground.
const LEAST_BORDER_SHARE: f32 = 0.5;
/// Least colour difference that can be told from a ground without noise, CIE76.
const LEAST_DIFFERENCE: f32 = 3.0;

/// A garment freed of its ground.
pub struct Cutout {
    /// Pixels with alpha.
    pub pixels: Texture,
    /// Colour of the ground, sRGB.
    pub ground: [u8; 3],
    /// Whether edges had to help where the colours were too close.
    pub close_colours: bool,
}

/// Makes the plain ground of an opaque picture transparent.
///
/// # Errors
/// If the border is not one smooth colour, or nothing differs enough from it.
pub fn remove(picture: &Texture) -> Result<Cutout, GarmentError> {
    let (width, height) = (picture.width, picture.height);
    let rgb: Vec<u8> = picture.rgba.iter().flat_map(|&[r, g, b, _]| [r, g, b]).collect();
    let mut lab = vec![0.0; rgb.len()];
    colour::lab_from_srgb8(&rgb, &mut lab, &colour::linear_table());
    let lab = lab.as_chunks::<3>().0;

    let ground = Ground::fit(lab, width, height);
    if ground.border_share < LEAST_BORDER_SHARE {
        let share_percent = (100.0 * ground.border_share) as u32;
        return Err(GarmentError::BackgroundNotPlain { share_percent });
    }
    let needed = LEAST_DIFFERENCE.max(2.5 * ground.noise);
    let difference = ground.difference(lab, width, height);
    if ground.largest_residual(lab, width, height) < 1.3 * needed {
        return Err(GarmentError::PlainColour);
    }
    let mut smooth = vec![0.0; difference.len()];
    blur::box_blur_f32(
        &difference,
        &mut smooth,
        width,
        height,
        1,
        &mut vec![0.0; width * (height + 1)],
    );
    let close: Vec<u8> = smooth.iter().map(|&value| u8::from(value < 1.3 * needed)).collect();

    let by_colour = garment_mask(&close, width, height);
    let edges = edge_strength(lab, width, height);
    let calm = 3.0 * ground.noise.max(0.4) + 1.0;
    let close_and_calm: Vec<u8> =
        close.iter().zip(&edges).map(|(&close, &edge)| close & u8::from(edge < calm)).collect();
    let by_edges = garment_mask(&close_and_calm, width, height);

    let area = |mask: &[u8]| mask.iter().filter(|&&value| value != 0).count() as f32;
    // Edges alone widen the mask by about two pixels along its rim; a leak is far larger.
    let rim = 2.5 * rim_length(&by_edges, width, height);
    let close_colours = area(&by_edges) - area(&by_colour) > rim + 0.02 * area(&by_edges);
    let mask = if close_colours { shrink(&by_edges, width, height, 1) } else { by_colour };
    let mask = without_burrs(&mask, width, height);
    let share = area(&mask) / mask.len() as f32;
    if share < 0.005 {
        return Err(GarmentError::NothingLarge { share_percent: 100.0 * share });
    }
    let contrast = rim_contrast(&mask, &difference, width, height);
    if contrast < needed && !close_colours {
        return Err(GarmentError::LowContrast { contrast, needed });
    }
    let mut pixels = picture.clone();
    let grounds = ground.srgb_grid(width, height);
    write_alpha(&mut pixels, &mask, &grounds);
    Ok(Cutout { pixels, ground: grounds.centre(), close_colours })
}

/// A colour field of second degree over the picture.
struct Ground {
    /// For L, a, b: factors of `1, x, y, x², xy, y²` with x, y in -1..1.
    factors: [[f32; 6]; 3],
    /// Spread of the border round the field, CIE76.
    noise: f32,
    border_share: f32,
}

fn terms(x: usize, y: usize, width: usize, height: usize) -> [f32; 6] {
    let x = 2.0 * x as f32 / width as f32 - 1.0;
    let y = 2.0 * y as f32 / height as f32 - 1.0;
    [1.0, x, y, x * x, x * y, y * y]
}

fn median(values: &mut [f32]) -> f32 {
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f32::total_cmp).1
}

impl Ground {
    fn fit(lab: &[[f32; 3]], width: usize, height: usize) -> Self {
        let band = (width.min(height) / 50).max(2);
        let mut samples = Vec::new();
        for y in 0..height {
            for x in 0..width {
                let at_border = x < band || y < band || x + band >= width || y + band >= height;
                if at_border {
                    samples.push((terms(x, y, width, height), lab[y * width + x]));
                }
            }
        }
        let every = samples.len().div_ceil(6000);
        let samples: Vec<_> = samples.into_iter().step_by(every).collect();
        let mut factors = [[0.0; 6]; 3];
        for channel in 0..3 {
            let mut values: Vec<f32> = samples.iter().map(|sample| sample.1[channel]).collect();
            factors[channel][0] = median(&mut values);
        }
        let mut ground = Self { factors, noise: 0.0, border_share: 0.0 };
        for round in 0..8 {
            let residuals: Vec<f32> = samples.iter().map(|s| ground.residual(&s.0, &s.1)).collect();
            let spread = (1.5 * median(&mut residuals.clone())).max(1.0);
            ground.noise = spread;
            let limit = (4.0 * spread).clamp(4.0, 16.0);
            let inside = residuals.iter().filter(|&&residual| residual < limit).count();
            ground.border_share = inside as f32 / samples.len() as f32;
            if round < 7 {
                let weights: Vec<f32> =
                    residuals.iter().map(|&r| 1.0 / (1.0 + (r / spread).powi(2)).powi(2)).collect();
                ground.refine(&samples, &weights);
            }
        }
        if ground.noise <= 1.0 {
            ground.noise = 0.0;
        }
        ground
    }

    fn refine(&mut self, samples: &[([f32; 6], [f32; 3])], weights: &[f32]) {
        let mut normal = [[0.0f64; 9]; 6];
        for ((terms, lab), &weight) in samples.iter().zip(weights) {
            for i in 0..6 {
                for j in 0..6 {
                    normal[i][j] += f64::from(weight * terms[i] * terms[j]);
                }
                for channel in 0..3 {
                    normal[i][6 + channel] += f64::from(weight * terms[i] * lab[channel]);
                }
            }
        }
        // A little stiffness keeps the field level where the border says nothing about it.
        let stiffness = 0.003 * normal[0][0] + 1e-9;
        for i in 1..6 {
            normal[i][i] += stiffness;
        }
        for pivot in 0..6 {
            let scale = normal[pivot][pivot].max(1e-12);
            normal[pivot].iter_mut().for_each(|value| *value /= scale);
            for row in 0..6 {
                if row != pivot {
                    let factor = normal[row][pivot];
                    for column in 0..9 {
                        normal[row][column] -= factor * normal[pivot][column];
                    }
                }
            }
        }
        for channel in 0..3 {
            for term in 0..6 {
                self.factors[channel][term] = normal[term][6 + channel] as f32;
            }
        }
    }

    fn at(&self, terms: &[f32; 6]) -> [f32; 3] {
        self.factors.map(|factors| factors.iter().zip(terms).map(|(f, t)| f * t).sum())
    }

    fn residual(&self, terms: &[f32; 6], lab: &[f32; 3]) -> f32 {
        let ground = self.at(terms);
        (0..3).map(|i| (lab[i] - ground[i]).powi(2)).sum::<f32>().sqrt()
    }

    fn largest_residual(&self, lab: &[[f32; 3]], width: usize, height: usize) -> f32 {
        let residual =
            |i: usize| self.residual(&terms(i % width, i / width, width, height), &lab[i]);
        (0..lab.len()).map(residual).fold(0.0, f32::max)
    }

    /// Difference of every pixel from the ground; a shadow's darkness counts little up to 18 L.
    fn difference(&self, lab: &[[f32; 3]], width: usize, height: usize) -> Vec<f32> {
        let mut difference = Vec::with_capacity(lab.len());
        for y in 0..height {
            for x in 0..width {
                let ground = self.at(&terms(x, y, width, height));
                let here = lab[y * width + x];
                let chroma = (here[1] - ground[1]).hypot(here[2] - ground[2]);
                let light = here[0] - ground[0];
                let light = if light < 0.0 && chroma < 4.0 {
                    0.12 * (-light).min(18.0) + (-light - 18.0).max(0.0)
                } else {
                    light
                };
                difference.push(light.hypot(chroma));
            }
        }
        difference
    }

    fn srgb_grid(&self, width: usize, height: usize) -> GroundGrid {
        const SIDE: usize = 17;
        let mut colours = Vec::with_capacity(SIDE * SIDE);
        for y in 0..SIDE {
            for x in 0..SIDE {
                let lab = self.at(&terms(x, y, SIDE - 1, SIDE - 1));
                colours.push(colour::srgb_from_lab(lab).map(|value| 255.0 * value));
            }
        }
        GroundGrid { side: SIDE, colours, width, height }
    }
}

/// The ground's sRGB colour, sampled coarsely: it is smooth.
struct GroundGrid {
    side: usize,
    colours: Vec<[f32; 3]>,
    width: usize,
    height: usize,
}

impl GroundGrid {
    fn at(&self, x: usize, y: usize) -> [f32; 3] {
        let column = (x * (self.side - 1) + self.width / 2) / self.width;
        let row = (y * (self.side - 1) + self.height / 2) / self.height;
        self.colours[row * self.side + column]
    }

    fn centre(&self) -> [u8; 3] {
        self.at(self.width / 2, self.height / 2).map(|value| value.round() as u8)
    }
}

/// Largest change of Lab between neighbours, over one pixel to the right and down.
fn edge_strength(lab: &[[f32; 3]], width: usize, height: usize) -> Vec<f32> {
    let apart =
        |a: [f32; 3], b: [f32; 3]| (0..3).map(|i| (a[i] - b[i]).powi(2)).sum::<f32>().sqrt();
    let mut edges = vec![0.0; lab.len()];
    for y in 0..height {
        for x in 0..width {
            let right = (x + 2).min(width - 1);
            let below = (y + 2).min(height - 1);
            let here = lab[y * width + x];
            let strength =
                apart(here, lab[y * width + right]).max(apart(here, lab[below * width + x]));
            edges[((y + below) / 2) * width + (x + right) / 2] = strength;
        }
    }
    edges
}

/// What is not ground: the ground is `close` and connected to the border, or an enclosed gap beside
/// the middle (between a sleeve and the body). Specks are dropped.
fn garment_mask(close: &[u8], width: usize, height: usize) -> Vec<u8> {
    let Components { labels, regions } = Components::of(close, width, height, Connectivity::Four);
    let ground: Vec<bool> =
        regions.iter().map(|region| region.touches_border(width, height)).collect();
    let mut mask: Vec<u8> =
        labels.iter().map(|&l| u8::from(l == 0 || !ground[l as usize - 1])).collect();
    keep_large(&mut mask, width, height);

    let kept = mask.iter().filter(|&&value| value != 0).count();
    let (mut left, mut right) = (width, 0);
    for row in mask.chunks_exact(width) {
        if let Some(first) = row.iter().position(|&value| value != 0) {
            left = left.min(first);
            right = right.max(row.iter().rposition(|&value| value != 0).unwrap_or(first));
        }
    }
    let middle = (left + right) / 2;
    let reach = right.saturating_sub(left) / 10;
    let is_gap: Vec<bool> = regions
        .iter()
        .zip(&ground)
        .map(|(region, &ground)| {
            let beside = region.right + reach < middle || region.left > middle + reach;
            !ground && region.area * 400 > kept && beside
        })
        .collect();
    for (value, &label) in mask.iter_mut().zip(&labels) {
        if label != 0 && is_gap[label as usize - 1] {
            *value = 0;
        }
    }
    mask
}

/// Keeps the components of at least a twentieth of the largest one.
pub fn keep_large(mask: &mut [u8], width: usize, height: usize) {
    let Components { labels, regions } = Components::of(mask, width, height, Connectivity::Eight);
    let largest = regions.iter().map(|region| region.area).max().unwrap_or(0);
    for (value, &label) in mask.iter_mut().zip(&labels) {
        if label != 0 && regions[label as usize - 1].area * 20 < largest {
            *value = 0;
        }
    }
}

fn shrink(mask: &[u8], width: usize, height: usize, radius: usize) -> Vec<u8> {
    let mut target = vec![0; mask.len()];
    morphology::erode_square(mask, &mut target, width, height, radius, &mut vec![0; mask.len()]);
    target
}

/// Takes off the specks that compression leaves along the rim: what an opening by a small disc
/// removes, unless it is a long thing, as a strap or a wire is.
fn without_burrs(mask: &[u8], width: usize, height: usize) -> Vec<u8> {
    let area = mask.iter().filter(|&&value| value != 0).count();
    let radius = ((area as f32).sqrt() / 250.0).clamp(1.0, 3.0).round();
    let mut eroded = vec![0; mask.len()];
    morphology::erode_disc(mask, &mut eroded, width, height, radius);
    let mut opened = vec![0; mask.len()];
    morphology::dilate_disc(&eroded, &mut opened, width, height, radius);
    let removed: Vec<u8> =
        mask.iter().zip(&opened).map(|(&mask, &opened)| mask & (1 - opened)).collect();
    let Components { labels, regions } =
        Components::of(&removed, width, height, Connectivity::Eight);
    let burr = (30.0 * radius * radius) as usize;
    for (value, &label) in opened.iter_mut().zip(&labels) {
        if label != 0 && regions[label as usize - 1].area > burr {
            *value = 1;
        }
    }
    keep_large(&mut opened, width, height);
    opened
}

fn rim_length(mask: &[u8], width: usize, height: usize) -> f32 {
    let core = shrink(mask, width, height, 1);
    mask.iter().zip(&core).filter(|(mask, core)| mask != core).count() as f32
}

/// A low quantile over the rim of the strongest difference found a few pixels inside it.
fn rim_contrast(mask: &[u8], difference: &[f32], width: usize, height: usize) -> f32 {
    let core = shrink(mask, width, height, 1);
    let reach = 4;
    let mut strongest = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let here = y * width + x;
            if mask[here] == 0 || core[here] != 0 {
                continue;
            }
            let mut best = 0f32;
            for near_y in y.saturating_sub(reach)..(y + reach + 1).min(height) {
                for near_x in x.saturating_sub(reach)..(x + reach + 1).min(width) {
                    let near = near_y * width + near_x;
                    if mask[near] != 0 {
                        best = best.max(difference[near]);
                    }
                }
            }
            strongest.push(best);
        }
    }
    if strongest.is_empty() {
        return 0.0;
    }
    let tenth = strongest.len() / 10;
    *strongest.select_nth_unstable_by(tenth, f32::total_cmp).1
}

/// Alpha 1 inside, 0 outside; in the ring between, how far the colour has come from the ground's
/// to that of the nearest pixel safely inside.
fn write_alpha(pixels: &mut Texture, mask: &[u8], grounds: &GroundGrid) {
    let (width, height) = (pixels.width, pixels.height);
    let mut core = shrink(mask, width, height, 2);
    if !core.contains(&1) {
        core = mask.to_vec();
    }
    let mut near = vec![0; mask.len()];
    morphology::dilate_square(mask, &mut near, width, height, 1, &mut vec![0; mask.len()]);
    let mut nearest = vec![0; mask.len()];
    let mut squared = vec![0; mask.len()];
    distance::nearest_marked(
        &core,
        width,
        height,
        &mut nearest,
        &mut squared,
        &mut vec![0; 3 * width],
    );
    let alphas: Vec<u8> = (0..mask.len())
        .map(|i| {
            if core[i] != 0 {
                return 255;
            }
            if near[i] == 0 {
                return 0;
            }
            let ground = grounds.at(i % width, i / width);
            let inside = pixels.rgba[nearest[i] as usize];
            let here = pixels.rgba[i];
            let (mut along, mut length) = (0.0, 0.0);
            for channel in 0..3 {
                let span = f32::from(inside[channel]) - ground[channel];
                along += (f32::from(here[channel]) - ground[channel]) * span;
                length += span * span;
            }
            // Colours too close to unmix, or thin parts far from any core: the mask itself decides.
            if length < 24.0 * 24.0 || squared[i] > 32 {
                return 255 * mask[i];
            }
            (255.0 * (along / length).clamp(0.0, 1.0)) as u8
        })
        .collect();
    for (pixel, alpha) in pixels.rgba.iter_mut().zip(alphas) {
        pixel[3] = alpha;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(colour_at: impl Fn(f32, f32) -> [f32; 3]) -> Texture {
        let (width, height) = (160, 120);
        let rgba = (0..width * height)
            .map(|i| {
                let (x, y) = ((i % width) as f32 / 160.0, (i / width) as f32 / 120.0);
                let [r, g, b] = colour_at(x, y).map(|v| v.round().clamp(0.0, 255.0) as u8);
                [r, g, b, 255]
            })
            .collect();
        Texture { width, height, rgba }
    }

    fn in_box(x: f32, y: f32) -> bool {
        (0.25..0.75).contains(&x) && (0.2..0.8).contains(&y)
    }

    fn wrong_pixels(cutout: &Cutout) -> usize {
        let alpha = cutout.pixels.mask();
        (0..alpha.len())
            .filter(|i| {
                let (x, y) = ((i % 160) as f32 / 160.0, (i / 160) as f32 / 120.0);
                (alpha[*i] != 0) != in_box(x, y)
            })
            .count()
    }

    #[test]
    fn a_ground_that_darkens_to_a_corner_is_still_plain() {
        let picture = picture(|x, y| {
            if in_box(x, y) { [150.0, 40.0, 60.0] } else { [235.0 - 60.0 * x * y - 20.0 * x; 3] }
        });
        let cutout = remove(&picture).unwrap();
        assert!(wrong_pixels(&cutout) < 200, "{}", wrong_pixels(&cutout));
        assert!(!cutout.close_colours);
    }

    #[test]
    fn an_almost_white_garment_on_white_is_held_by_its_edges() {
        let picture = picture(|x, y| {
            let rim = in_box(x, y) && !((0.26..0.74).contains(&x) && (0.22..0.78).contains(&y));
            match (rim, in_box(x, y)) {
                (true, _) => [225.0, 225.0, 228.0],
                (_, true) => [252.0, 252.0, 250.0],
                _ => [250.0; 3],
            }
        });
        match remove(&picture) {
            Ok(cutout) => {
                assert!(cutout.close_colours);
                assert!(wrong_pixels(&cutout) < 500, "{}", wrong_pixels(&cutout));
            }
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn one_plain_colour_is_no_garment() {
        assert!(matches!(remove(&picture(|_, _| [128.0; 3])), Err(GarmentError::PlainColour)));
    }

    #[test]
    fn a_busy_background_is_refused() {
        let picture = picture(|x, y| {
            let wave = |f: f32, p: f32| 127.0 + 127.0 * (f * x + p).sin() * (f * 1.7 * y + p).cos();
            [wave(40.0, 0.0), wave(23.0, 1.0), wave(31.0, 2.0)]
        });
        assert!(matches!(remove(&picture), Err(GarmentError::BackgroundNotPlain { .. })));
    }
}
