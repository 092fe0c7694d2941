//! Where pictures come from: a V4L2 camera, recorded pictures, or a drawn figure.
//!
//! A [`Camera`] gives raw frames; [`Capture`] runs one on a thread of its own, keeps only the newest frame and opens the
//! camera again whatever becomes of it; [`Decoder`] makes a picture of a frame. A [`Source`] is what `--camera` names.

mod capture;
mod decode;
mod frame;
mod jpeg;
mod pace;
pub mod replay;
mod source;
pub mod synthetic;
mod turn;
pub mod v4l2;

pub use capture::{Capture, Counters, Status};
pub use decode::Decoder;
pub use frame::{BrokenFrame, Encoding, Frame, Turn};
pub use source::{Rate, Source, SourceError};
pub use v4l2::{Device, DeviceMode, devices};

use std::fmt;
use std::time::Duration;

/// Opens a camera.
///
/// # Errors
/// Where there is none, or it gives no frames that can be read.
pub fn open(source: &Source, wanted: &Wanted) -> Result<Box<dyn Camera>, CameraError> {
    Ok(match source {
        Source::Auto => Box::new(v4l2::V4l2::open_first(wanted)?),
        Source::Node(node) => Box::new(v4l2::V4l2::open(node, wanted)?),
        Source::Name(name) => Box::new(v4l2::V4l2::open_named(name, wanted)?),
        Source::Replay { path, rate, once } => {
            Box::new(replay::Replay::open(path, *rate, *once, wanted)?)
        }
        Source::Synthetic { seed } => Box::new(synthetic::Synthetic::new(*seed, wanted)),
    })
}

/// What gives frames, one after the other.
pub trait Camera: Send {
    /// What the camera granted, read back from it.
    fn mode(&self) -> &Mode;

    /// Waits for a frame, at most `timeout`, then takes the newest that there is into `frame`, whose memory is used again.
    /// `false`: no frame came in time.
    ///
    /// # Errors
    /// When the camera has to be opened again.
    fn next(&mut self, frame: &mut Frame, timeout: Duration) -> Result<bool, CameraError>;

    /// What was lost since the camera was opened.
    fn losses(&self) -> Losses {
        Losses::default()
    }

    /// Whether frames come in their own time. Else the next one is asked for when the last has been taken.
    fn is_paced(&self) -> bool {
        true
    }
}

/// Frames that a camera took and [`Camera::next`] did not give.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Whole frames that a newer one took the place of.
    pub superseded: u64,
    /// Frames that the camera marked as broken.
    pub broken: u64,
    /// Frames missing in the camera's count.
    pub gaps: u64,
}

/// What a camera granted.
#[derive(Clone, Debug, PartialEq)]
pub struct Mode {
    /// What the camera calls itself, and where it is.
    pub name: String,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// How its frames are stored.
    pub encoding: Encoding,
    /// Frames per second, as granted; 0 where unknown.
    pub rate: f32,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{} {}", self.width, self.height, self.encoding)?;
        if self.rate > 0.0 {
            write!(f, " {}/s", (self.rate * 100.0).round() / 100.0)?;
        }
        write!(f, " from {}", self.name)
    }
}

/// What is asked of a camera; it grants what it has nearest to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wanted {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Frames per second.
    pub rate: f32,
}

/// Why a camera gives no frames.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CameraError {
    /// There is none.
    #[error("no camera: {0}; plug one in (`vitrine cameras` lists them)")]
    Missing(String),
    /// Another program has it.
    #[error("the camera {0} is used by another program; end it")]
    Busy(String),
    /// The program may not open it.
    #[error("may not open the camera {0}; add the user to the group `video`")]
    Forbidden(String),
    /// It went away or failed.
    #[error("the camera {name} failed: {why}")]
    Failed {
        /// Which.
        name: String,
        /// What the system said.
        why: String,
    },
    /// It has no format that can be read.
    #[error("the camera {name} has no format that this program reads: it offers {offers}")]
    NoFormat {
        /// Which.
        name: String,
        /// Its formats.
        offers: String,
    },
    /// Recorded pictures are over.
    #[error("the recorded pictures are over")]
    Ended,
    /// Recorded pictures cannot be read.
    #[error("cannot replay {path}: {why}")]
    Replay {
        /// The folder or file.
        path: String,
        /// Why, and what to do.
        why: String,
    },
}
