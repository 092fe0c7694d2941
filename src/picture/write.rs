//! Pixels into files.

use super::{Picture, Pixels};
use crate::output::{self, Existing, OutputError};
use image::codecs::{
    jpeg::JpegEncoder,
    png::{CompressionType, FilterType, PngEncoder},
    webp::WebPEncoder,
};
use image::{ExtendedColorType, ImageEncoder, ImageError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Quality of written JPEGs, of 100: no visible loss on skin and fabric.
pub const JPEG_QUALITY: u8 = 92;

/// A format that pictures are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Lossless, 8 or 16 bits a channel.
    Png,
    /// 8 bits a channel, quality [`JPEG_QUALITY`].
    Jpeg,
    /// Lossless, 8 bits a channel, at most 16 383 pixels a side.
    WebP,
}

/// Why a picture was not written; nothing is left behind.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// The extension names no format that is written.
    #[error("`{}` needs an extension that names its format: .png, .jpg or .webp", path.display())]
    Extension {
        /// The file.
        path: PathBuf,
    },
    /// The format cannot hold a picture of this size.
    #[error(
        "a {width}×{height} picture does not fit in a WebP file (16383 pixels a side at most): use .png"
    )]
    TooLargeForWebP {
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
    },
    /// The file could not be written.
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl Format {
    /// The format that the file's extension names.
    ///
    /// # Errors
    /// [`SaveError::Extension`].
    pub fn of(path: &Path) -> Result<Self, SaveError> {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or("");
        match extension.to_ascii_lowercase().as_str() {
            "png" => Ok(Self::Png),
            "jpg" | "jpeg" => Ok(Self::Jpeg),
            "webp" => Ok(Self::WebP),
            _ => Err(SaveError::Extension { path: path.into() }),
        }
    }
}

impl Picture {
    /// Writes the picture in the format of the file's extension: the whole file, or nothing.
    ///
    /// # Errors
    /// A [`SaveError`] that names the file and the cause.
    pub fn save(&self, path: &Path, existing: Existing) -> Result<(), SaveError> {
        let format = Format::of(path)?;
        if format == Format::WebP && self.width.max(self.height) > 16_383 {
            return Err(SaveError::TooLargeForWebP { width: self.width, height: self.height });
        }
        output::write_whole(path, existing, |file| self.encode(format, file))?;
        Ok(())
    }

    /// Encodes the picture into a stream.
    ///
    /// # Errors
    /// What the stream said.
    pub fn encode(&self, format: Format, to: &mut dyn Write) -> io::Result<()> {
        let (width, height) = (self.width as u32, self.height as u32);
        match (format, &self.pixels) {
            (Format::Png, pixels) => {
                let png =
                    PngEncoder::new_with_quality(to, CompressionType::Fast, FilterType::Adaptive);
                match pixels {
                    Pixels::Eight(rgb) => {
                        png.write_image(rgb, width, height, ExtendedColorType::Rgb8)
                    }
                    Pixels::Sixteen(rgb) => {
                        let bytes: Vec<u8> = rgb.iter().flat_map(|v| v.to_ne_bytes()).collect();
                        png.write_image(&bytes, width, height, ExtendedColorType::Rgb16)
                    }
                }
            }
            (Format::Jpeg, _) => JpegEncoder::new_with_quality(to, JPEG_QUALITY).write_image(
                &self.rgb8(),
                width,
                height,
                ExtendedColorType::Rgb8,
            ),
            (Format::WebP, _) => WebPEncoder::new_lossless(to).write_image(
                &self.rgb8(),
                width,
                height,
                ExtendedColorType::Rgb8,
            ),
        }
        .map_err(|error| match error {
            ImageError::IoError(error) => error,
            other => io::Error::other(other),
        })
    }
}
