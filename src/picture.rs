//! A picture of a person: pixels as they stand upright, in the depth of the file they came from.
//!
//! [`Picture::open`] reads PNG, JPEG and WebP by content, not by name; [`Picture::save`] writes a
//! whole file or nothing.

mod read;
mod survey;
mod write;

pub use read::{MAX_BYTES, MAX_PIXELS, MAX_SIDE, MIN_SIDE, PictureError, PictureNote};
pub use survey::Lookalike;
pub use write::{Format, JPEG_QUALITY, SaveError};

use kernels::features::Features;
use kernels::image_resize::{ImageResizeRow, Region, Resize};
use kernels::kernel::Kernel;
use kernels::plane::{Plane, PlaneMut};
use rayon::prelude::*;

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

/// A decoded, upright picture with its transparency: of a garment.
#[derive(Clone, Debug, PartialEq)]
pub struct RgbaPicture {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width × height` pixels of `[r, g, b, a]`, sRGB-encoded, not premultiplied.
    pub rgba: Vec<[u8; 4]>,
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

    /// The picture with its longer side at most `side` pixels: each pixel the mean of what it covers. Smaller ones stay.
    pub fn reduced(self, side: usize) -> Self {
        let longer = self.width.max(self.height);
        if longer <= side || side == 0 {
            return self;
        }
        let scaled = |length: usize| (length * side).div_ceil(longer).max(1);
        let (width, height) = (scaled(self.width), scaled(self.height));
        let resize = Resize {
            source: Plane { bytes: &self.rgb8(), stride_bytes: self.width * 3 },
            size: [self.width, self.height],
            region: Region::whole([self.width, self.height]),
            target: [width, height],
        };
        let kernel = Kernel::<ImageResizeRow>::first(Features::detect());
        let scratch = kernel.area_scratch(&resize, 3);
        let mut reduced = vec![0; width * height * 3];
        const ROWS: usize = 32;
        reduced.par_chunks_mut(ROWS * width * 3).enumerate().for_each_init(
            || vec![0; scratch],
            |scratch, (band, bytes)| {
                let rows = band * ROWS..(band * ROWS + bytes.len() / (width * 3));
                let target = PlaneMut { bytes, stride_bytes: width * 3 };
                kernel.area(&resize, 3, rows, target, scratch);
            },
        );
        Self::from_rgb8(width, height, reduced)
    }

    /// The pixels in 8 bits: borrowed where they are, else reduced.
    pub fn rgb8(&self) -> std::borrow::Cow<'_, [u8]> {
        match &self.pixels {
            Pixels::Eight(rgb) => rgb.as_slice().into(),
            Pixels::Sixteen(rgb) => rgb.iter().copied().map(to_eight).collect::<Vec<_>>().into(),
        }
    }
}

/// The nearest value of 8 bits: 257 steps of 16 bits are one of 8.
fn to_eight(value: u16) -> u8 {
    ((u32::from(value) + 128) / 257) as u8
}
