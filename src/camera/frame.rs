//! One frame as the camera gave it.

use super::decode::Decoder;
use crate::picture::Picture;
use std::fmt;
use std::time::Instant;

/// How the bytes of a frame make a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// 4:2:2, packed: first luma, Cb, second luma, Cr.
    Yuyv,
    /// 4:2:0: a plane of luma, then one of Cb and Cr together, whose rows are as far apart.
    Nv12,
    /// A whole JPEG picture.
    Mjpeg,
    /// R, G, B.
    Rgb,
    /// B, G, R.
    Bgr,
}

impl Encoding {
    /// Bytes that one row takes at least; 0 where there are no rows.
    pub fn row_bytes(self, width: usize) -> usize {
        match self {
            Self::Yuyv => width.div_ceil(2) * 4,
            Self::Nv12 => width.next_multiple_of(2),
            Self::Rgb | Self::Bgr => width * 3,
            Self::Mjpeg => 0,
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Yuyv => "YUYV",
            Self::Nv12 => "NV12",
            Self::Mjpeg => "MJPEG",
            Self::Rgb => "RGB",
            Self::Bgr => "BGR",
        })
    }
}

/// One frame as the camera gave it.
#[derive(Clone, Debug)]
pub struct Frame {
    /// As many bytes as the camera filled.
    pub data: Vec<u8>,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Bytes from the start of a row to the start of the next; 0 for MJPEG.
    pub stride: usize,
    /// How the bytes make a picture.
    pub encoding: Encoding,
    /// When the camera took it.
    pub captured: Instant,
    /// Counts the camera's frames, those that were lost too.
    pub sequence: u64,
}

impl Frame {
    /// A frame without a picture, whose memory a camera fills.
    pub fn empty() -> Self {
        Self {
            data: Vec::new(),
            width: 0,
            height: 0,
            stride: 0,
            encoding: Encoding::Rgb,
            captured: Instant::now(),
            sequence: 0,
        }
    }

    /// Makes the picture, turned; `into`'s memory is used again. A program that decodes frame after frame keeps a
    /// [`Decoder`].
    ///
    /// # Errors
    /// Where the bytes are not a whole picture; `into` then holds anything.
    pub fn decode(&self, turn: Turn, into: &mut Picture) -> Result<(), BrokenFrame> {
        Decoder::new().decode(self, turn, into)
    }

    /// Overwrites with zeros what the frame's memory holds beyond its own bytes: the ends of longer, earlier frames.
    pub(super) fn wipe_unused(&mut self) {
        let length = self.data.len();
        self.data.resize(self.data.capacity(), 0);
        std::hint::black_box(self.data.as_slice());
        self.data.truncate(length);
    }

    /// Overwrites all of the frame's memory with zeros and empties it.
    pub fn wipe(&mut self) {
        wipe(&mut self.data);
    }
}

/// Overwrites all of a buffer's memory with zeros and empties it; the memory stays.
pub(super) fn wipe(bytes: &mut Vec<u8>) {
    bytes.clear();
    bytes.resize(bytes.capacity(), 0);
    // Without a reader the zeros would not have to be written.
    std::hint::black_box(bytes.as_slice());
    bytes.clear();
}

/// How a camera's picture is turned to be seen: first clockwise, then mirrored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// Left and right change places, as in a mirror.
    pub mirrored: bool,
    /// Clockwise, in steps of 90°; 4 are none.
    pub quarter_turns: u8,
}

impl Turn {
    /// Width and height after the turn.
    pub fn size(self, [width, height]: [usize; 2]) -> [usize; 2] {
        if self.quarter_turns.is_multiple_of(2) { [width, height] } else { [height, width] }
    }
}

/// Why a frame is no picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokenFrame {
    /// Bytes are missing.
    #[error("the frame has {found} bytes, expected {expected}")]
    Short {
        /// Bytes that there are.
        found: usize,
        /// Bytes that the size asks for.
        expected: usize,
    },
    /// Width or height is 0, or beyond what is read.
    #[error("the frame's size is {width}x{height}")]
    Size {
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
    },
    /// The JPEG ends before its picture does.
    #[error("the JPEG frame is cut off")]
    Truncated,
    /// The JPEG cannot be decoded.
    #[error("the JPEG frame is corrupt: {0}")]
    Corrupt(String),
}
