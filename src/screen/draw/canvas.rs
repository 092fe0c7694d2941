//! Shapes with smooth edges on a clear ground.

use super::Rect;
use super::frame::Layer;
use tiny_skia::{
    Color, FillRule, GradientStop, LineCap, LineJoin, LinearGradient, Paint, Path, PathBuilder,
    Pixmap, Point, PremultipliedColorU8, SpreadMode, Stroke, Transform,
};

/// A colour, `[r, g, b, a]`, not multiplied.
pub type Rgba = [u8; 4];

/// A clear ground to draw on.
pub struct Canvas {
    pixmap: Pixmap,
}

impl Canvas {
    /// A clear ground of a size.
    pub fn new(width: i32, height: i32) -> Self {
        let [width, height] = [width, height].map(|side| side.clamp(1, 16_384) as u32);
        Self { pixmap: Pixmap::new(width, height).expect("the size is neither 0 nor huge") }
    }

    /// The whole ground.
    pub fn bounds(&self) -> Rect {
        Rect::new(0, 0, self.pixmap.width() as i32, self.pixmap.height() as i32)
    }

    /// What was drawn.
    pub fn layer(self) -> Layer {
        let pixels = self.pixmap.pixels().iter().map(|pixel| {
            let [r, g, b, a] =
                [pixel.red(), pixel.green(), pixel.blue(), pixel.alpha()].map(u32::from);
            a << 24 | r << 16 | g << 8 | b
        });
        Layer {
            width: self.pixmap.width() as usize,
            height: self.pixmap.height() as usize,
            pixels: pixels.collect(),
        }
    }

    fn fill(&mut self, path: Option<Path>, paint: &Paint) {
        if let Some(path) = path {
            self.pixmap.fill_path(&path, paint, FillRule::Winding, Transform::identity(), None);
        }
    }

    /// A filled rectangle with round corners.
    pub fn round(&mut self, place: Rect, radius: f32, color: Rgba) {
        self.fill(rounded(place, radius, 0.0), &paint(color));
    }

    /// The outline of a rectangle with round corners, drawn inside of it.
    pub fn outline(&mut self, place: Rect, radius: f32, width: f32, color: Rgba) {
        if let Some(path) = rounded(place, radius, width / 2.0) {
            self.stroke(&path, width, color);
        }
    }

    /// A soft shadow of a rectangle with round corners, `reach` pixels wide.
    pub fn shadow(&mut self, place: Rect, radius: f32, reach: i32, strength: u8) {
        let steps = reach.max(1);
        // Frames that grow and fade: each adds a little below the ones inside of it.
        for step in 0..steps {
            let out = steps - step;
            let grown = place.inset(-out);
            let lowered = Rect { y: grown.y + reach / 3, ..grown };
            let share = (step + 1) as f32 / steps as f32;
            let alpha = f32::from(strength) * share * share * 3.0 / steps as f32;
            self.round(lowered, radius + out as f32, [0, 0, 0, alpha.max(1.0) as u8]);
        }
    }

    /// An arc around a middle, clockwise from the top; `share` of a full turn.
    pub fn arc(&mut self, middle: [f32; 2], radius: f32, width: f32, share: f32, color: Rgba) {
        const PIECES: usize = 96;
        let count = (share.clamp(0.0, 1.0) * PIECES as f32).ceil() as usize;
        if count == 0 {
            return;
        }
        let mut path = PathBuilder::new();
        for piece in 0..=count {
            let turn = (piece as f32 / PIECES as f32).min(share) * std::f32::consts::TAU;
            let (sin, cos) = turn.sin_cos();
            let [x, y] = [middle[0] + radius * sin, middle[1] - radius * cos];
            if piece == 0 { path.move_to(x, y) } else { path.line_to(x, y) }
        }
        if let Some(path) = path.finish() {
            self.stroke(&path, width, color);
        }
    }

    /// A filled circle.
    pub fn disc(&mut self, middle: [f32; 2], radius: f32, color: Rgba) {
        self.fill(PathBuilder::from_circle(middle[0], middle[1], radius), &paint(color));
    }

    /// A line through points, with round ends.
    pub fn line(&mut self, points: &[[f32; 2]], width: f32, color: Rgba) {
        let mut path = PathBuilder::new();
        for (index, [x, y]) in points.iter().enumerate() {
            if index == 0 { path.move_to(*x, *y) } else { path.line_to(*x, *y) }
        }
        if let Some(path) = path.finish() {
            self.stroke(&path, width, color);
        }
    }

    /// A filled shape through points.
    pub fn shape(&mut self, points: &[[f32; 2]], color: Rgba) {
        let mut path = PathBuilder::new();
        for (index, [x, y]) in points.iter().enumerate() {
            if index == 0 { path.move_to(*x, *y) } else { path.line_to(*x, *y) }
        }
        path.close();
        self.fill(path.finish(), &paint(color));
    }

    fn stroke(&mut self, path: &Path, width: f32, color: Rgba) {
        let stroke = Stroke {
            width,
            line_cap: LineCap::Round,
            line_join: LineJoin::Round,
            ..Stroke::default()
        };
        self.pixmap.stroke_path(path, &paint(color), &stroke, Transform::identity(), None);
    }

    /// A run of colours from the top to the bottom of a rectangle.
    pub fn fade(&mut self, place: Rect, radius: f32, top: Rgba, bottom: Rgba) {
        let stops = [(0.0, top), (1.0, bottom)]
            .map(|(at, [r, g, b, a])| GradientStop::new(at, Color::from_rgba8(r, g, b, a)));
        let [from, to] = [place.y, place.bottom()].map(|y| Point::from_xy(0.0, y as f32));
        let gradient =
            LinearGradient::new(from, to, stops.to_vec(), SpreadMode::Pad, Transform::identity());
        if let Some(shader) = gradient {
            let paint = Paint { shader, anti_alias: true, ..Paint::default() };
            self.fill(rounded(place, radius, 0.0), &paint);
        }
    }

    /// A mask of `width` columns in one colour with its upper left corner at `at`.
    pub fn stamp(&mut self, mask: &[u8], width: usize, at: (i32, i32), color: Rgba) {
        self.lay(mask.len(), width, at, |index| {
            let alpha = u32::from(mask[index]) * u32::from(color[3]) / 255;
            [color[0], color[1], color[2], alpha as u8]
        });
    }

    /// A picture of `width` columns of `[r, g, b, a]` with its upper left corner at `at`.
    pub fn picture(&mut self, rgba: &[u8], width: usize, at: (i32, i32)) {
        self.lay(rgba.len() / 4, width, at, |index| {
            let pixel = &rgba[index * 4..index * 4 + 4];
            [pixel[0], pixel[1], pixel[2], pixel[3]]
        });
    }

    fn lay(&mut self, count: usize, width: usize, at: (i32, i32), color: impl Fn(usize) -> Rgba) {
        if width == 0 {
            return;
        }
        let ground = self.bounds();
        let pixels = self.pixmap.pixels_mut();
        for index in 0..count {
            let [x, y] = [at.0 + (index % width) as i32, at.1 + (index / width) as i32];
            if !(0..ground.width).contains(&x) || !(0..ground.height).contains(&y) {
                continue;
            }
            let [r, g, b, a] = color(index).map(u32::from);
            let below = &mut pixels[(y * ground.width + x) as usize];
            let mixed = |above: u32, below: u8| {
                ((above * a + u32::from(below) * (255 - a) + 127) / 255) as u8
            };
            let alpha = mixed(255, below.alpha());
            let [r, g, b] = [
                mixed(r, below.red()).min(alpha),
                mixed(g, below.green()).min(alpha),
                mixed(b, below.blue()).min(alpha),
            ];
            if let Some(color) = PremultipliedColorU8::from_rgba(r, g, b, alpha) {
                *below = color;
            }
        }
    }
}

fn paint(color: Rgba) -> Paint<'static> {
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    paint.set_color_rgba8(color[0], color[1], color[2], color[3]);
    paint
}

/// A rectangle with round corners, smaller by `inset` on each side.
fn rounded(place: Rect, radius: f32, inset: f32) -> Option<Path> {
    /// Where the handles of a quarter circle's Bézier curve are, of its radius.
    const HANDLE: f32 = 0.552_28;
    let [left, top] = [place.x as f32 + inset, place.y as f32 + inset];
    let [right, bottom] = [place.right() as f32 - inset, place.bottom() as f32 - inset];
    if right <= left || bottom <= top {
        return None;
    }
    let r = (radius - inset).clamp(0.0, (right - left).min(bottom - top) / 2.0);
    let k = r * (1.0 - HANDLE);
    let mut path = PathBuilder::new();
    path.move_to(left + r, top);
    path.line_to(right - r, top);
    path.cubic_to(right - k, top, right, top + k, right, top + r);
    path.line_to(right, bottom - r);
    path.cubic_to(right, bottom - k, right - k, bottom, right - r, bottom);
    path.line_to(left + r, bottom);
    path.cubic_to(left + k, bottom, left, bottom - k, left, bottom - r);
    path.line_to(left, top + r);
    path.cubic_to(left, top + k, left + k, top, left + r, top);
    path.close();
    path.finish()
}
