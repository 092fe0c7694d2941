//! Text: shaped, in the right order, and drawn.
//!
//! Two fonts are part of the program: Ubuntu Light for Latin, Greek and Cyrillic, DejaVu Sans for Arabic, Hebrew and what
//! else it has. The system's fonts are asked for the rest.

use super::Rect;
use super::canvas::Canvas;
use cosmic_text::{
    Align, Attrs, Buffer, Ellipsize, EllipsizeHeightLimit, Family, FontSystem, Metrics, Shaping,
    SwashCache, SwashContent, Wrap, fontdb,
};

use std::collections::HashMap;

const LATIN: &str = "Ubuntu";

/// Height of a line, of the font's size.
pub const LINE: f32 = 1.3;

/// Where a text's lines begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// At the left.
    Left,
    /// In the middle.
    Center,
    /// At the right.
    Right,
}

/// The fonts and their drawn letters.
pub struct Fonts {
    system: FontSystem,
    letters: SwashCache,
    measured: HashMap<(String, u32, u32, usize), (i32, i32)>,
}

/// Measured texts that are kept.
const MEASURED: usize = 1000;

impl Default for Fonts {
    fn default() -> Self {
        Self::new()
    }
}

impl Fonts {
    /// The program's fonts and the system's.
    pub fn new() -> Self {
        let mut database = fontdb::Database::new();
        database.load_font_data(epaint_default_fonts::UBUNTU_LIGHT.to_vec());
        database.load_font_data(dejavu::sans::regular().to_vec());
        database.load_system_fonts();
        database.set_sans_serif_family(LATIN);
        let system = FontSystem::new_with_locale_and_db("en".to_owned(), database);
        Self { system, letters: SwashCache::new(), measured: HashMap::new() }
    }

    fn lay(&mut self, text: &str, size: f32, (width, lines): (f32, usize), side: Side) -> Buffer {
        let mut buffer = Buffer::new_empty(Metrics::relative(size, LINE));
        buffer.set_wrap(if lines > 1 { Wrap::WordOrGlyph } else { Wrap::None });
        // In text of several lines an ellipsis would keep the space that a line was broken at.
        if lines == 1 {
            buffer.set_ellipsize(Ellipsize::End(EllipsizeHeightLimit::Lines(1)));
        }
        buffer.set_size(Some(width.max(1.0)), None);
        let align = match side {
            Side::Left => Align::Left,
            Side::Center => Align::Center,
            Side::Right => Align::Right,
        };
        let attrs = Attrs::new().family(Family::Name(LATIN)).weight(fontdb::Weight::LIGHT);
        buffer.set_text(text, &attrs, Shaping::Advanced, Some(align));
        buffer.shape_until_scroll(&mut self.system, false);
        buffer
    }

    /// Width and height of a text of a size that may be `width` wide and have so many lines, pixels.
    pub fn measure(&mut self, text: &str, size: f32, width: f32, lines: usize) -> (i32, i32) {
        let key = (text.to_owned(), size.to_bits(), width.to_bits(), lines);
        if let Some(known) = self.measured.get(&key) {
            return *known;
        }
        let buffer = self.lay(text, size, (width, lines), Side::Left);
        let (wide, count) = buffer
            .layout_runs()
            .take(lines)
            .fold((0.0_f32, 0), |(wide, count), run| (wide.max(run.line_w), count + 1));
        let measure = (wide.ceil() as i32, (count as f32 * size * LINE).ceil() as i32);
        if self.measured.len() >= MEASURED {
            self.measured.clear();
        }
        self.measured.insert(key, measure);
        measure
    }

    /// Draws a text into a rectangle, in the middle of its height; a line
    /// that has no room ends in an ellipsis, lines that have none are left out.
    pub fn draw(&mut self, canvas: &mut Canvas, text: &str, place: Rect, style: Style) {
        let lines = ((place.height as f32 / (style.size * LINE)) as usize).max(1);
        let buffer = self.lay(text, style.size, (place.width as f32, lines), style.side);
        let count = buffer.layout_runs().count().min(lines);
        let top = place.y as f32 + (place.height as f32 - count as f32 * style.size * LINE) / 2.0;
        for run in buffer.layout_runs().take(lines) {
            for glyph in run.glyphs {
                let physical = glyph.physical((place.x as f32, top + run.line_y), 1.0);
                let image = self.letters.get_image(&mut self.system, physical.cache_key);
                let Some(image) = image else { continue };
                let at = (physical.x + image.placement.left, physical.y - image.placement.top);
                let width = image.placement.width as usize;
                match image.content {
                    SwashContent::Mask => canvas.stamp(&image.data, width, at, style.color),
                    SwashContent::Color => canvas.picture(&image.data, width, at),
                    SwashContent::SubpixelMask => {}
                }
            }
        }
    }
}

/// How a text is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Of the font, pixels.
    pub size: f32,
    /// Of the letters, `[r, g, b, a]`.
    pub color: [u8; 4],
    /// Where lines begin.
    pub side: Side,
}
