//! What was understood of a garment, drawn over it.

use super::{Reading, Shape, Texture};
use font8x8::UnicodeFonts;
use glam::Vec2;

const POINT: [u8; 3] = [214, 40, 57];
const OUTER: [u8; 3] = [0, 128, 60];
const INNER: [u8; 3] = [30, 90, 220];
const EDGE: [u8; 3] = [230, 120, 0];
const NECK: [u8; 3] = [190, 0, 190];
/// Longer side from which the drawing is not enlarged.
const LEAST_SIDE: usize = 700;

/// An RGB drawing.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawing {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width × height × 3` values, sRGB.
    pub rgb: Vec<u8>,
    /// Drawing pixels per pixel of level 0.
    scale: f32,
}

/// Draws a garment on a light checkerboard with its control points and curves.
pub fn draw(reading: &Reading) -> Drawing {
    let texture = &reading.garment.levels[0];
    let scale = LEAST_SIDE.div_ceil(texture.width.max(texture.height)).max(1);
    let mut drawing = Drawing::of(texture, scale);
    match &reading.garment.shape {
        Shape::Upper(upper) => {
            let first = upper.armpit[0].y.min(upper.armpit[1].y) as usize;
            let last = (upper.hem[0].y.max(upper.hem[1].y) as usize).min(upper.sides.len());
            drawing.edges(&upper.sides, first, last);
            let span = upper.hem[1].x - upper.hem[0].x;
            let steps = upper.hem_profile.len().max(2) - 1;
            let profile: Vec<Vec2> = (upper.hem_profile.iter().enumerate())
                .map(|(k, &y)| Vec2::new(upper.hem[0].x + span * k as f32 / steps as f32, y))
                .collect();
            drawing.line(&profile, EDGE);
            for sleeve in upper.sleeves.iter().flatten() {
                drawing.line(&sleeve.outer, OUTER);
                drawing.line(&sleeve.inner, INNER);
                for (outer, inner) in sleeve.outer.iter().zip(&sleeve.inner) {
                    drawing.line(&[*outer, *inner], OUTER);
                }
            }
            let half = 0.5 * (upper.collar[1] - upper.collar[0]);
            let middle = upper.collar[0] + half;
            let arc: Vec<Vec2> = (0..=32)
                .map(|k| {
                    let (sin, cos) = (std::f32::consts::PI * k as f32 / 32.0).sin_cos();
                    middle + Vec2::new(half.x * cos, upper.neckline_depth * sin)
                })
                .collect();
            drawing.line(&arc, NECK);
            let top = Vec2::new(upper.axis_x, upper.collar[0].y);
            drawing.line(&[top, Vec2::new(upper.axis_x, profile[steps / 2].y)], NECK);
            drawing.pair("shoulder", upper.shoulder);
            drawing.pair("collar", upper.collar);
            drawing.pair("armpit", upper.armpit);
            drawing.pair("hem", upper.hem);
            for [outer, inner] in reading.cuffs.iter().flatten() {
                drawing.point("cuff", *outer);
                drawing.point("", *inner);
            }
        }
        Shape::Skirt(tube) => {
            drawing.edges(&tube.sides, tube.waist[0].y as usize, tube.hem[0].y as usize);
            drawing.pair("waist", tube.waist);
            drawing.pair("hem", tube.hem);
        }
        Shape::Trousers(trousers) => {
            let bottom = trousers.cuffs[0][0].y.max(trousers.cuffs[1][0].y) as usize;
            drawing.edges(&trousers.sides, trousers.waist[0].y as usize, bottom);
            drawing.edges(&trousers.inseams, trousers.crotch.y as usize, bottom);
            drawing.pair("waist", trousers.waist);
            drawing.point("crotch", trousers.crotch);
            for [outer, inner] in trousers.cuffs {
                drawing.point("cuff", outer);
                drawing.point("", inner);
            }
        }
        Shape::Hat(hat) => {
            drawing.line(&hat.band, EDGE);
            drawing.pair("band", hat.band);
            drawing.point("crown", hat.crown);
        }
        Shape::Eyeglasses(eyeglasses) => {
            drawing.line(&eyeglasses.ends, EDGE);
            drawing.pair("end", eyeglasses.ends);
            drawing.point("bridge", eyeglasses.bridge);
        }
    }
    drawing
}

impl Drawing {
    /// A drawing over finished pixels, in their coordinates.
    pub(crate) fn over(width: usize, height: usize, rgb: Vec<u8>) -> Self {
        Self { width, height, rgb, scale: 1.0 }
    }

    /// The texture on a light checkerboard, each pixel enlarged to a square of `scale`.
    fn of(texture: &Texture, scale: usize) -> Self {
        let (width, height) = (texture.width * scale, texture.height * scale);
        let mut rgb = Vec::with_capacity(width * height * 3);
        for y in 0..height {
            for x in 0..width {
                let board = if (x / 12 + y / 12) % 2 == 0 { 236 } else { 216 };
                let [r, g, b, a] =
                    texture.rgba[y / scale * texture.width + x / scale].map(u32::from);
                for channel in [r, g, b] {
                    rgb.push(((channel * a + board * (255 - a)) / 255) as u8);
                }
            }
        }
        Self { width, height, rgb, scale: scale as f32 }
    }

    fn thickness(&self) -> f32 {
        (self.width.max(self.height) as f32 / 500.0).max(1.2)
    }

    fn edges(&mut self, rows: &[[f32; 2]], from: usize, to: usize) {
        for side in 0..2 {
            let line: Vec<Vec2> = (from..to.min(rows.len()))
                .map(|y| Vec2::new(rows[y][side], y as f32 + 0.5))
                .collect();
            self.line(&line, EDGE);
        }
    }

    fn pair(&mut self, name: &str, pair: [Vec2; 2]) {
        self.point(name, pair[0]);
        self.point(name, pair[1]);
    }

    fn point(&mut self, name: &str, position: Vec2) {
        let centre = position * self.scale;
        let radius = 2.4 * self.thickness();
        self.disc(centre, radius + 1.5, [255; 3]);
        self.disc(centre, radius, POINT);
        self.text(name, centre + Vec2::new(radius + 3.0, -radius - 10.0));
    }

    /// Draws a polyline.
    pub(crate) fn line(&mut self, line: &[Vec2], colour: [u8; 3]) {
        let radius = 0.5 * self.thickness();
        for pair in line.windows(2) {
            let (from, to) = (pair[0] * self.scale, pair[1] * self.scale);
            let steps = (2.0 * from.distance(to)).ceil().clamp(1.0, 20_000.0) as usize;
            for step in 0..=steps {
                self.disc(from.lerp(to, step as f32 / steps as f32), radius, colour);
            }
        }
    }

    /// Draws a disc.
    pub(crate) fn disc(&mut self, centre: Vec2, radius: f32, colour: [u8; 3]) {
        let low = (centre - radius).floor().max(Vec2::ZERO);
        let high = (centre + radius).ceil().min(Vec2::new(self.width as f32, self.height as f32));
        for y in low.y as usize..high.y.max(0.0) as usize {
            for x in low.x as usize..high.x.max(0.0) as usize {
                if Vec2::new(x as f32 + 0.5, y as f32 + 0.5).distance(centre) <= radius {
                    self.set(x, y, colour);
                }
            }
        }
    }

    /// Writes text; `origin` is the upper left corner in drawing pixels.
    pub(crate) fn text(&mut self, text: &str, origin: Vec2) {
        let size = (self.thickness() / 1.6).round().max(1.0) as usize;
        let wide = 8 * size * text.len();
        let x = (origin.x.max(0.0) as usize).min(self.width.saturating_sub(wide + 1));
        let y = (origin.y.max(0.0) as usize).min(self.height.saturating_sub(8 * size + 1));
        // A light rim first, so that labels stay legible on dark cloth.
        for (colour, grow) in [([255; 3], 1), ([20; 3], 0)] {
            for (place, letter) in text.chars().enumerate() {
                let Some(rows) = font8x8::BASIC_FONTS.get(letter) else { continue };
                for (row, bits) in rows.iter().enumerate() {
                    for column in (0..8).filter(|column| bits >> column & 1 == 1) {
                        let (left, top) = (x + (8 * place + column) * size, y + row * size);
                        for y in top.saturating_sub(grow)..top + size + grow {
                            for x in left.saturating_sub(grow)..left + size + grow {
                                self.set(x, y, colour);
                            }
                        }
                    }
                }
            }
        }
    }

    fn set(&mut self, x: usize, y: usize, colour: [u8; 3]) {
        if x < self.width && y < self.height {
            self.rgb[(y * self.width + x) * 3..][..3].copy_from_slice(&colour);
        }
    }
}
