//! Draws a whole view into memory: for a display without a window system, and for tests.
//!
//! [`Layout`] says where everything is, for drawing and for touching; parts that look the same as before are drawn once
//! and kept; a frame is the scaled picture with the parts laid over it.

mod canvas;
mod fonts;
mod frame;
mod interface;
mod layout;
mod messages;
mod paint;
mod rect;
mod scale;

pub use fonts::Fonts;
pub use frame::{Frame, Layer};
pub use interface::{Input, Interface, Key};
pub use layout::{Layout, Strip, TOUCH, Target, Tools, Track};
pub use messages::Messages;
pub use rect::{Point, Rect};

use crate::mirror::view::{Look, View};
use crate::picture::Picture;
use layout::{Pane, Part, Shown};
use paint::{Brush, Painted};
use std::collections::HashMap;
use std::sync::Arc;

/// Drawn parts that are kept; more than any layout has.
const KEPT: usize = 256;

/// What is behind everything, top and bottom.
const GROUND: u32 = 0x0014_161c;

/// Draws views of one size and keeps what can be used again.
pub struct Painter {
    frame: Frame,
    fonts: Fonts,
    messages: Messages,
    language: Option<String>,
    parts: HashMap<(Part, i32, i32), Kept>,
    drawn: Option<Layout>,
    catalogue: u64,
    count: u64,
}

/// A drawn part and when it was last used.
struct Kept {
    painted: Painted,
    used: u64,
}

impl Painter {
    /// A painter of a screen of a size.
    pub fn new(width: usize, height: usize) -> Self {
        Self {
            frame: Frame::new(width, height),
            fonts: Fonts::new(),
            messages: Messages::of(None),
            language: None,
            parts: HashMap::new(),
            drawn: None,
            catalogue: 0,
            count: 0,
        }
    }

    /// What was drawn last.
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// Whether the language is written from right to left.
    pub fn right_to_left(&self) -> bool {
        self.messages.right_to_left
    }

    /// Where everything is for a view.
    pub fn layout(&mut self, view: &View, interface: &Interface) -> Layout {
        if view.shop.language != self.language {
            self.language.clone_from(&view.shop.language);
            self.messages = Messages::of(self.language.as_deref());
            self.parts.clear();
        }
        let size = (self.frame.width as i32, self.frame.height as i32);
        let tools = Tools { fonts: &mut self.fonts, messages: &self.messages };
        Layout::of(view, interface, tools, size)
    }

    /// Draws a view; `false` where it looks just like what was drawn last.
    pub fn draw(&mut self, view: &View, interface: &Interface) -> bool {
        let layout = self.layout(view, interface);
        if self.catalogue != view.catalogue.version {
            self.catalogue = view.catalogue.version;
            self.parts.retain(|(part, ..), _| !matches!(part, Part::Card { .. }));
            self.drawn = None;
        }
        if self.drawn.as_ref() == Some(&layout) {
            return false;
        }
        self.count += 1;
        let screen = layout.screen;
        let covered = layout.panes.first().is_some_and(|pane| pane.place == screen);
        if !covered {
            self.ground();
        }
        for pane in &layout.panes {
            if let Some((picture, focus)) = picture(view, pane) {
                let place = (pane.place, focus);
                scale::draw(&mut self.frame, picture, place, pane.clip, pane.light);
            }
        }
        for placed in &layout.parts {
            let (width, height) = (placed.place.width, placed.place.height);
            let key = (placed.part.clone(), width, height);
            let kept = self.parts.entry(key).or_insert_with(|| {
                let mut brush = Brush {
                    fonts: &mut self.fonts,
                    view,
                    unit: layout.unit,
                    right_to_left: self.messages.right_to_left,
                };
                Kept { painted: brush.paint(&placed.part, width, height), used: 0 }
            });
            kept.used = self.count;
            let Painted { layer, room } = &kept.painted;
            let clip = clip(placed.clip, screen, *room);
            self.frame.blend(layer, placed.place.x - room, placed.place.y - room, clip);
        }
        if self.parts.len() > KEPT {
            self.parts.retain(|_, kept| kept.used == self.count);
        }
        self.drawn = Some(layout);
        true
    }

    /// Overwrites every picture of a person.
    pub fn wipe(&mut self) {
        self.frame.pixels.fill(0);
        for ((part, ..), kept) in &mut self.parts {
            if matches!(part, Part::Look { .. }) {
                kept.painted.layer.pixels.fill(0);
            }
        }
        self.parts.retain(|(part, ..), _| !matches!(part, Part::Look { .. }));
        self.drawn = None;
    }

    /// A calm ground where no picture is.
    fn ground(&mut self) {
        let height = self.frame.height.max(1);
        for (y, row) in self.frame.pixels.chunks_exact_mut(self.frame.width).enumerate() {
            let lighter = (24 * (height - y) / height) as u32;
            row.fill(GROUND + (lighter << 16 | lighter << 8 | lighter));
        }
    }
}

/// The clip of a row lets its parts' shadows and frames reach out across the row, where they do not meet others.
fn clip(clip: Rect, screen: Rect, room: i32) -> Rect {
    if clip == screen { screen } else { clip.inset(-room / 3).within(screen) }
}

/// What a pane shows, and which part of its width stays in view.
fn picture<'a>(view: &'a View, pane: &Pane) -> Option<(&'a Picture, f32)> {
    let look = |number: u64| view.looks.iter().find(|look| look.number == number);
    let picture = match pane.shown {
        Shown::Live(_) => view.picture.as_ref().map(|picture| (picture, 0.5)),
        Shown::Before(number) => look(number).map(|look: &Arc<Look>| (&look.before, look.focus)),
        Shown::After(number) => look(number).map(|look: &Arc<Look>| (&look.after, look.focus)),
    };
    picture.map(|(picture, focus)| (picture.as_ref(), focus))
}

/// The pixels `[r, g, b, a]` of a picture whose corners are rounded.
fn rounded_picture(frame: &Frame, radius: f32) -> Vec<u8> {
    let mut mask = canvas::Canvas::new(frame.width as i32, frame.height as i32);
    mask.round(mask.bounds(), radius, [255; 4]);
    let mask = mask.layer();
    let pixels = frame.pixels.iter().zip(&mask.pixels);
    pixels
        .flat_map(|(pixel, mask)| {
            [(pixel >> 16) as u8, (pixel >> 8) as u8, *pixel as u8, (mask >> 24) as u8]
        })
        .collect()
}
