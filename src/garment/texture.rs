//! The garment's pixels made ready for sampling: turned upright, colour carried past the rim, levels.

use super::Texture;
use glam::{Affine2, Vec2};
use kernels::{distance, morphology};

/// Smallest longer side of a level.
const SMALLEST_LEVEL: usize = 32;
/// Opacity from which a pixel's colour is the garment's own.
const CORE_ALPHA: u8 = 230;
/// Opacity below which a pixel has no colour of its own.
const FAINT_ALPHA: u8 = 13;
/// Squared width of the rim, pixels.
const RIM_SQUARED: u32 = 12;

impl Texture {
    /// A fully transparent texture.
    pub fn clear(width: usize, height: usize) -> Self {
        Self { width, height, rgba: vec![[0; 4]; width * height] }
    }

    /// Samples bilinearly, weighting colour with alpha; outside is transparent.
    pub fn sample(&self, position: Vec2) -> [f32; 4] {
        let (x, y) = (position.x - 0.5, position.y - 0.5);
        let (left, top) = (x.floor(), y.floor());
        let mut sum = [0.0; 4];
        for (dx, dy) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)] {
            let (column, row) = (left + dx, top + dy);
            let weight = (1.0 - (x - column).abs()) * (1.0 - (y - row).abs());
            let inside = column >= 0.0
                && row >= 0.0
                && column < self.width as f32
                && row < self.height as f32;
            if !inside || weight <= 0.0 {
                continue;
            }
            let [r, g, b, a] =
                self.rgba[row as usize * self.width + column as usize].map(f32::from);
            let opacity = a * weight;
            sum[0] += r * opacity;
            sum[1] += g * opacity;
            sum[2] += b * opacity;
            sum[3] += opacity;
        }
        let opacity = sum[3].max(1e-6);
        [sum[0] / opacity, sum[1] / opacity, sum[2] / opacity, sum[3]]
    }

    /// Draws the texture into a new one of the given size; `to_source` maps its positions to ours.
    pub fn transformed(&self, width: usize, height: usize, to_source: Affine2) -> Self {
        let mut target = Self::clear(width, height);
        for (y, row) in target.rgba.chunks_exact_mut(width).enumerate() {
            for (x, pixel) in row.iter_mut().enumerate() {
                let position =
                    to_source.transform_point2(Vec2::new(x as f32 + 0.5, y as f32 + 0.5));
                *pixel = self.sample(position).map(|v| v.round().clamp(0.0, 255.0) as u8);
            }
        }
        target
    }

    /// The rectangle from `(x, y)`, which may reach beyond the texture: there it is transparent.
    pub fn cropped(&self, x: i32, y: i32, width: usize, height: usize) -> Self {
        let mut target = Self::clear(width, height);
        for row in 0..height {
            let from = y + row as i32;
            if from < 0 || from >= self.height as i32 {
                continue;
            }
            for column in 0..width {
                let from_column = x + column as i32;
                if from_column >= 0 && from_column < self.width as i32 {
                    target.rgba[row * width + column] =
                        self.rgba[from as usize * self.width + from_column as usize];
                }
            }
        }
        target
    }

    /// 1 where at least half opaque.
    pub fn mask(&self) -> Vec<u8> {
        self.rgba.iter().map(|pixel| u8::from(pixel[3] >= 128)).collect()
    }

    /// Gives the rim and all beyond it the colour of the nearest pixel safely inside the garment: the
    /// rim keeps its alpha and loses what it had of the background. What is half transparent away
    /// from the rim, as the lenses of eyeglasses are, keeps its own colour.
    pub fn extend_colour(&mut self) {
        let (width, height) = (self.width, self.height);
        let opaque: Vec<u8> =
            self.rgba.iter().map(|pixel| u8::from(pixel[3] >= CORE_ALPHA)).collect();
        let mut core = vec![0; opaque.len()];
        morphology::erode_square(&opaque, &mut core, width, height, 1, &mut vec![0; opaque.len()]);
        if !core.contains(&1) {
            core = opaque;
        }
        let mut nearest = vec![0; core.len()];
        let mut squared = vec![0; core.len()];
        distance::nearest_marked(
            &core,
            width,
            height,
            &mut nearest,
            &mut squared,
            &mut vec![0; 3 * width],
        );
        for pixel in 0..core.len() {
            let own = self.rgba[pixel][3] >= FAINT_ALPHA && squared[pixel] > RIM_SQUARED;
            if core[pixel] == 0 && nearest[pixel] != distance::NOWHERE && !own {
                let [r, g, b, _] = self.rgba[nearest[pixel] as usize];
                let alpha = self.rgba[pixel][3];
                self.rgba[pixel] = [r, g, b, alpha];
            }
        }
    }

    /// The texture and its halves, quarters, … down to about 32 px.
    pub(crate) fn into_levels(self) -> Vec<Self> {
        let mut levels = vec![self];
        while let Some(last) = levels.last()
            && last.width.max(last.height) >= 2 * SMALLEST_LEVEL
            && last.width.min(last.height) >= 2
        {
            let next = last.halved();
            levels.push(next);
        }
        levels
    }

    fn halved(&self) -> Self {
        let (width, height) = (self.width.div_ceil(2), self.height.div_ceil(2));
        let mut target = Self::clear(width, height);
        for y in 0..height {
            for x in 0..width {
                let four = [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(dx, dy)| {
                    let column = (2 * x + dx).min(self.width - 1);
                    let row = (2 * y + dy).min(self.height - 1);
                    self.rgba[row * self.width + column].map(u32::from)
                });
                let opacity: u32 = four.iter().map(|pixel| pixel[3]).sum();
                // Where nothing is opaque the carried-over colour still counts.
                let weight = |pixel: &[u32; 4]| if opacity == 0 { 1 } else { pixel[3] };
                let total: u32 = four.iter().map(weight).sum();
                let mean = |channel: usize| {
                    let sum: u32 = four.iter().map(|pixel| pixel[channel] * weight(pixel)).sum();
                    ((sum + total / 2) / total) as u8
                };
                target.rgba[y * width + x] = [mean(0), mean(1), mean(2), ((opacity + 2) / 4) as u8];
            }
        }
        target
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disc(side: usize) -> Texture {
        let centre = Vec2::splat(side as f32 / 2.0);
        let mut texture = Texture::clear(side, side);
        for y in 0..side {
            for x in 0..side {
                let apart = (Vec2::new(x as f32 + 0.5, y as f32 + 0.5) - centre).length();
                if apart < 0.3 * side as f32 {
                    texture.rgba[y * side + x] = [180, 40, 40, 255];
                } else {
                    texture.rgba[y * side + x] = [255, 255, 255, 0];
                }
            }
        }
        texture
    }

    #[test]
    fn colour_continues_past_the_rim_on_every_level() {
        let mut texture = disc(100);
        texture.extend_colour();
        let levels = texture.into_levels();
        assert_eq!(levels.iter().map(|level| level.width).collect::<Vec<_>>(), [100, 50]);
        for level in &levels {
            assert!(level.rgba.iter().all(|pixel| pixel[..3] == [180, 40, 40]));
            assert_eq!(level.rgba[0][3], 0);
        }
    }

    #[test]
    fn a_crop_may_reach_beyond_the_texture() {
        let texture = disc(40);
        let crop = texture.cropped(-5, 15, 50, 10);
        assert_eq!(crop.rgba[0][3], 0);
        assert_eq!(crop.rgba[5 * 50 + 25], texture.rgba[20 * 40 + 20]);
    }
}
