//! A picture of a person: pixels as they stand upright, in the depth of the file they came from.
//!
//! [`Picture::open`] reads PNG, JPEG and WebP by content, not by name; [`Picture::save`] writes a
//! whole file or nothing.

mod read;
mod write;

pub use read::{MAX_BYTES, MAX_PIXELS, MAX_SIDE, MIN_SIDE, PictureError, PictureNote};
pub use write::{Format, JPEG_QUALITY, SaveError};

/// RGB pixels, row-major, three values a pixel, in the depth of the file.
#[derive(Clone, Debug, PartialEq)]
pub enum Pixels {
    /// 8 bits a channel, sRGB-encoded.
    Eight(Vec<u8>),
    /// 16 bits a channel, sRGB-encoded.
    Sixteen(Vec<u16>),
}

/// A decoded, upright picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width × height × 3` values.
    pub pixels: Pixels,
}

impl Picture {
    /// An 8-bit picture.
    ///
    /// # Panics
    /// If `rgb` does not hold `width × height × 3` values.
    pub fn from_rgb8(width: usize, height: usize, rgb: Vec<u8>) -> Self {
        assert_eq!(rgb.len(), width * height * 3);
        Self { width, height, pixels: Pixels::Eight(rgb) }
    }

    /// The pixels in 8 bits: borrowed where they are, else reduced.
    pub fn rgb8(&self) -> std::borrow::Cow<'_, [u8]> {
        match &self.pixels {
            Pixels::Eight(rgb) => rgb.as_slice().into(),
            Pixels::Sixteen(rgb) => {
                rgb.iter().map(|&v| ((v as u32 + 128) / 257) as u8).collect::<Vec<_>>().into()
            }
        }
    }
}
