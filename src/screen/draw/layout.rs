//! Where everything is on the screen: worked out once for a view, then drawn and touched.
//!
//! Lengths are given for a screen 720 pixels high or wide, whichever is less, and grow with it; touch targets have at
//! least [`TOUCH`] of them a side. Layouts are made for languages written from left to right and mirrored for others.

mod live;
mod result;
mod stages;

use super::fonts::{Fonts, Side};
use super::interface::Interface;
use super::messages::Messages;
use super::scale::{self, Cover};
use super::{Point, Rect};
use crate::garment::Category;
use crate::mirror::view::{Stage, View};

/// Least side of a touch target, for a screen of 720 pixels.
pub const TOUCH: i32 = 48;

/// What can be touched.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// The whole screen, while nobody is there.
    Screen,
    /// Agreeing to the shop's text.
    Agree,
    /// Not agreeing.
    Decline,
    /// A category of the catalogue; all for `None`.
    Category(Option<Category>),
    /// A piece, by its id.
    Piece(String),
    /// Taking everything off.
    TakeOff,
    /// Starting the countdown.
    TakePicture,
    /// Ending countdown or studio.
    Cancel,
    /// Going back to the live picture.
    Back,
    /// Ending the visit.
    Done,
    /// All looks side by side, or one.
    Compare,
    /// A look, by its number.
    Look(u64),
    /// The line between before and after.
    Slider,
}

/// A row that can be pushed along.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Strip {
    /// The categories.
    Categories,
    /// The pieces.
    Pieces,
    /// The looks.
    Looks,
}

/// Where a row that can be pushed along is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Track {
    /// Which.
    pub strip: Strip,
    /// What is seen of it.
    pub place: Rect,
    /// Whether it goes from top to bottom.
    pub upright: bool,
    /// How far it can be pushed, pixels.
    pub reach: i32,
    /// From one thing on it to the next, pixels.
    pub step: i32,
    /// Things beside each other across the direction it goes.
    pub across: usize,
}

/// How a button stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Weight {
    /// What most people want next.
    Primary,
    /// Anything else.
    Plain,
    /// Over the picture.
    Glass,
}

/// A small sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Icon {
    Camera,
    Cross,
    Check,
    Back,
    Columns,
    Hanger,
    Person,
    Warning,
}

/// Heights of letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Size {
    Small,
    Body,
    Title,
    Headline,
}

impl Size {
    /// In pixels of a screen of 720.
    pub fn pixels(self) -> f32 {
        match self {
            Self::Small => 17.0,
            Self::Body => 21.0,
            Self::Title => 30.0,
            Self::Headline => 64.0,
        }
    }
}

/// What is drawn at a place. Equal parts of equal size look the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    Panel,
    Sheet,
    Text { text: String, size: Size, faint: bool, side: Side },
    Button { label: String, icon: Option<Icon>, weight: Weight, state: State },
    Chip { label: String, chosen: bool, state: State },
    Card { id: String, name: String, worn: bool, state: State },
    Look { number: u64, label: String, chosen: bool, state: State },
    Pill { label: String, icon: Option<Icon> },
    Notice { title: String, detail: String, side: Side },
    Count { number: u64, thousandths: u16 },
    Ring { thousandths: u16 },
    Bar { thousandths: u16, mirrored: bool },
    Sign { icon: Icon },
    Line,
    Handle { state: State },
    ShadeAbove,
    ShadeBelow,
    Pointer,
}

/// What a person is doing with a part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct State {
    /// A finger is on it.
    pub pressed: bool,
    /// The keyboard is at it.
    pub focused: bool,
}

/// A part and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// What.
    pub part: Part,
    /// Where.
    pub place: Rect,
    /// Only what lies in here is seen.
    pub clip: Rect,
}

/// Which picture a pane shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// That of the view of this number.
    Live(u64),
    /// The photo of the look of this number.
    Before(u64),
    /// The finished picture of the look of this number.
    After(u64),
}

/// A picture and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pane {
    /// Which.
    pub shown: Shown,
    /// What it covers.
    pub place: Rect,
    /// Only what lies in here is seen.
    pub clip: Rect,
    /// Share of its brightness, of 256.
    pub light: u32,
}

/// Where everything is for one view.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// The screen.
    pub screen: Rect,
    /// Pixels per length of 1.
    pub unit: f32,
    /// What can be touched, in reading order; nothing overlaps.
    pub targets: Vec<(Target, Rect)>,
    /// What can be pushed along.
    pub tracks: Vec<Track>,
    /// Ids of the pieces of the chosen category, also those that are not seen.
    pub pieces: Vec<String>,
    /// Pictures, drawn first.
    pub panes: Vec<Pane>,
    /// Everything else, in the order it is drawn.
    pub parts: Vec<Placed>,
}

impl Layout {
    /// Works out where everything is.
    pub fn of(
        view: &View,
        interface: &Interface,
        tools: Tools,
        (width, height): (i32, i32),
    ) -> Self {
        let screen = Rect::new(0, 0, width, height);
        let layout = Self {
            screen,
            unit: (width.min(height) as f32 / 720.0).max(1.0),
            targets: Vec::new(),
            tracks: Vec::new(),
            pieces: Vec::new(),
            panes: Vec::new(),
            parts: Vec::new(),
        };
        let mut builder = Builder { layout, view, interface, tools };
        match &view.stage {
            Stage::Attract => builder.attract(),
            Stage::Consent => builder.consent(),
            Stage::Live => builder.live(),
            Stage::Countdown { left } => builder.countdown(*left),
            Stage::Studio { progress, left } => builder.studio(*progress, *left),
            Stage::Result => builder.result(),
            Stage::Wipe => builder.wipe(),
        }
        if let Some(point) = interface.pointer {
            let place = Rect::new(point.x as i32, point.y as i32, builder.px(24), builder.px(32));
            builder.fixed(Part::Pointer, place);
        }
        builder.layout
    }

    /// What lies at a point.
    pub fn hit(&self, point: Point) -> Option<Target> {
        let found = self.targets.iter().find(|(_, place)| place.contains(point));
        found.map(|(target, _)| target.clone())
    }

    /// Where a target is.
    pub fn place(&self, target: &Target) -> Option<Rect> {
        self.targets.iter().find(|(known, _)| known == target).map(|(_, place)| *place)
    }

    /// What can be pushed along at a point.
    pub fn track(&self, point: Point) -> Option<Track> {
        self.tracks.iter().find(|track| track.place.contains(point)).copied()
    }
}

/// What a layout needs to know of the language.
pub struct Tools<'a> {
    /// To measure texts with.
    pub fonts: &'a mut Fonts,
    /// What is said.
    pub messages: &'a Messages,
}

struct Builder<'a> {
    layout: Layout,
    view: &'a View,
    interface: &'a Interface,
    tools: Tools<'a>,
}

impl Builder<'_> {
    /// A length in pixels.
    fn px(&self, length: i32) -> i32 {
        (length as f32 * self.layout.unit).round() as i32
    }

    fn upright(&self) -> bool {
        self.layout.screen.height > self.layout.screen.width
    }

    fn message(&self, key: &str) -> String {
        self.tools.messages.text(key).to_owned()
    }

    /// Where lines of text begin.
    fn start(&self) -> Side {
        if self.tools.messages.right_to_left { Side::Right } else { Side::Left }
    }

    fn state(&self, target: &Target) -> State {
        State {
            pressed: self.interface.pressed.as_ref() == Some(target),
            focused: self.interface.focus.as_ref() == Some(target),
        }
    }

    /// Mirrors a rectangle where the language asks for it.
    fn flip(&self, place: Rect) -> Rect {
        if !self.tools.messages.right_to_left {
            return place;
        }
        Rect { x: self.layout.screen.width - place.right(), ..place }
    }

    /// Places a part where it is in any language.
    fn fixed(&mut self, part: Part, place: Rect) {
        let clip = self.layout.screen;
        self.layout.parts.push(Placed { part, place, clip });
    }

    fn put(&mut self, part: Part, place: Rect) {
        self.fixed(part, self.flip(place));
    }

    fn text(&mut self, text: String, size: Size, side: Side, place: Rect) {
        self.put(Part::Text { text, size, faint: false, side }, place);
    }

    fn faint(&mut self, text: String, size: Size, side: Side, place: Rect) {
        self.put(Part::Text { text, size, faint: true, side }, place);
    }

    fn button(&mut self, target: Target, key: &str, icon: Icon, weight: Weight, place: Rect) {
        let label = self.message(key);
        let state = self.state(&target);
        self.put(Part::Button { label, icon: Some(icon), weight, state }, place);
        let place = self.flip(place);
        self.layout.targets.push((target, place));
    }

    /// Places a part of a row that is pushed along, and its target where enough of it is seen.
    fn on_track(&mut self, part: Part, target: Target, place: Rect, clip: Rect) {
        let [place, clip] = [self.flip(place), self.flip(clip)];
        if !place.touches(clip) {
            return;
        }
        self.layout.parts.push(Placed { part, place, clip });
        let seen = place.within(clip);
        let least = self.px(TOUCH).min(place.width).min(place.height);
        if seen.width >= least && seen.height >= least {
            self.layout.targets.push((target, seen));
        }
    }

    /// Width of a text in one line, pixels.
    fn width(&mut self, text: &str, size: Size) -> i32 {
        let pixels = size.pixels() * self.layout.unit;
        self.tools.fonts.measure(text, pixels, f32::MAX, 1).0
    }

    /// Height of a text in a width, pixels.
    fn height(&mut self, text: &str, size: Size, width: i32) -> i32 {
        let pixels = size.pixels() * self.layout.unit;
        self.tools.fonts.measure(text, pixels, width as f32, 40).1
    }

    /// Width that a button with a message needs.
    fn button_width(&mut self, key: &str) -> i32 {
        let label = self.message(key);
        self.width(&label, Size::Body) + self.px(28 + 10 + 2 * 26)
    }

    /// The mirror picture over the whole screen.
    fn mirror(&mut self, light: u32) -> Option<Cover> {
        let picture = self.view.picture.as_ref()?;
        let place = scale::place(picture.width, picture.height, self.layout.screen);
        let shown = Shown::Live(self.view.number);
        self.layout.panes.push(Pane { shown, place, clip: place, light });
        Some(Cover::new(picture.width, picture.height, place, 0.5))
    }

    /// Names of worn pieces, for a caption.
    fn names(&self, ids: &[String]) -> String {
        let pieces = &self.view.catalogue.pieces;
        let named = ids.iter().filter_map(|id| pieces.iter().find(|piece| piece.id == *id));
        named.map(|piece| piece.name.as_str()).collect::<Vec<_>>().join(" · ")
    }
}
