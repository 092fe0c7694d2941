//! What the mirror shows and what the shopper answers: all that the loop and a screen tell each other.
//!
//! The loop makes one [`View`] per frame; a screen draws the newest one it has and sends [`Action`]s back.

use crate::garment::Category;
use crate::picture::Picture;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// All that a screen needs to draw one moment.
#[derive(Clone, Debug)]
pub struct View {
    /// Counts up with every view.
    pub number: u64,
    /// When the camera took the picture (its kernel's clock, brought to ours); when the view was made, if there is none.
    pub captured: Instant,
    /// Where the shopper's visit stands.
    pub stage: Stage,
    /// The mirror picture, as it is to be seen: turned, mirrored and, where a garment is worn, dressed. `None` while no
    /// camera gives pictures.
    pub picture: Option<Arc<Picture>>,
    /// What stands in the way, for the shopper to read.
    pub trouble: Option<Trouble>,
    /// What the shopper could do for a better picture.
    pub hint: Option<Hint>,
    /// Hands-free control, while a hand is up.
    pub hand: Option<Hand>,
    /// The pieces there are. The same `Arc` until the catalogue changes.
    pub catalogue: Arc<Catalogue>,
    /// Ids of the pieces worn now, in the order they were put on.
    pub wearing: Vec<String>,
    /// The finished looks of this visit, oldest first.
    pub looks: Vec<Arc<Look>>,
    /// What the shop allows and wants.
    pub shop: Arc<Shop>,
}

/// The states of a visit. ARCHITECTURE.md has the table of what leads where.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// Nobody is there: the mirror invites.
    Attract,
    /// Somebody is there and has to agree to the shop's text first.
    Consent,
    /// The live picture.
    Live,
    /// The picture is about to be taken.
    Countdown {
        /// Until it is taken.
        left: Duration,
    },
    /// The finished picture is being made.
    Studio {
        /// Share that is done, 0..1.
        progress: f32,
        /// An honest guess of the time to the end; `None` until there is one.
        left: Option<Duration>,
    },
    /// The finished picture is shown: the last of [`View::looks`].
    Result,
    /// Everything of the visit is being wiped.
    Wipe,
}

/// Why the mirror is not as it should be. Screens have a message for each.
#[derive(Clone, Debug, PartialEq)]
pub enum Trouble {
    /// No camera is plugged in.
    NoCamera,
    /// Another program has the camera.
    CameraBusy,
    /// The camera is there and sends nothing.
    CameraFrozen,
    /// The camera sends nothing that can be read.
    CameraUnreadable,
    /// The camera fails otherwise; the text is the system's, for staff.
    CameraFailed(String),
    /// The nets are not installed; the text says what to do, for staff.
    NoNets(String),
    /// The finished picture could not be made; the text says why.
    StudioFailed(String),
    /// The garment does not go on this pose; the text says why, in English.
    DoesNotFit(String),
}

/// What the shopper could do for a better picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// Nobody is seen.
    StepIn,
    /// The person is too small.
    ComeCloser,
    /// The part of the body that the garment goes on is not in the picture.
    StepBack,
    /// The person stands sideways or shows the back.
    FaceTheMirror,
}

/// A raised hand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hand {
    /// How much of the time needed to select has passed, 0..1.
    pub progress: f32,
    /// Where the hand is in the picture, shares of width and height.
    pub at: [f32; 2],
}

/// The pieces that can be worn.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    /// Counts up with every change.
    pub version: u64,
    /// Pieces that can be worn, by category and name.
    pub pieces: Vec<Piece>,
    /// Files that are no garment, with the reason; staff see them on the health page.
    pub broken: Vec<Broken>,
}

/// One piece of the catalogue.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Its path in the catalogue's folder without the extension: stable, unique, not for display.
    pub id: String,
    /// For display.
    pub name: String,
    /// What kind of piece it is.
    pub category: Category,
    /// A PNG with transparency, at most [`THUMBNAIL`] pixels a side.
    pub thumbnail: Arc<[u8]>,
}

/// Longest side of a piece's thumbnail, pixels.
pub const THUMBNAIL: usize = 320;

/// A file of the catalogue's folder that cannot be worn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Path in the catalogue's folder.
    pub file: String,
    /// Why, and what to do.
    pub reason: String,
}

/// One finished picture and the photo it was made from, both as seen in the mirror.
#[derive(Debug)]
pub struct Look {
    /// Counts up within the program's life.
    pub number: u64,
    /// Ids of the pieces worn.
    pub wearing: Vec<String>,
    /// The photo.
    pub before: Arc<Picture>,
    /// The finished picture, of the same size.
    pub after: Arc<Picture>,
    /// Where the person stands across the picture, 0..1: what is kept in view where a picture is cut off.
    pub focus: f32,
}

/// What the shop allows and wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shop {
    /// Name to greet with; may be empty.
    pub name: String,
    /// Text to agree to before the camera's picture is shown; `None` where the shop asks for nothing.
    pub consent: Option<String>,
    /// Whether the shopper may download the finished picture.
    pub download: bool,
    /// Whether a raised hand selects.
    pub hands_free: bool,
    /// Language of the screen, a BCP 47 tag such as `en` or `ar`; `None` leaves it to the browser.
    pub language: Option<String>,
}

/// What a shopper does at a screen.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Any touch or key: somebody is there.
    Wake,
    /// Agrees to the shop's text.
    Agree,
    /// Does not agree.
    Decline,
    /// Puts on the piece of this id, in place of worn pieces of which it takes the place; takes it off if it is worn.
    Wear(String),
    /// Takes everything off.
    TakeOff,
    /// Puts on the next piece (1) or the one before (-1) of the worn piece's category.
    Step(i32),
    /// Starts the countdown.
    TakePicture,
    /// Ends countdown or studio; back to the live picture.
    Cancel,
    /// From the result to the live picture, looks kept.
    Back,
    /// Ends the visit: everything is wiped.
    Done,
}

/// A view that the shopper has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// [`View::number`].
    pub number: u64,
    /// When it was on the glass, as near as the screen can tell.
    pub at: Instant,
}
