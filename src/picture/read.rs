//! Files into upright RGB pixels.

use super::survey::{Lookalike, Signature, Survey, u32_be};
use super::{Picture, Pixels, RgbaPicture, to_eight};
use image::codecs::{jpeg::JpegDecoder, png::PngDecoder, webp::WebPDecoder};
use image::metadata::Orientation;
use image::{ColorType, ImageDecoder, ImageError, Limits};
use std::fmt;
use std::fs::File;
use std::io::{self, Cursor, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Largest area that is decoded, pixels.
pub const MAX_PIXELS: u64 = 40_000_000;
/// Longest side that is decoded, pixels.
pub const MAX_SIDE: u32 = 65_500;
/// Shortest side that can show anything, pixels.
pub const MIN_SIDE: u32 = 16;
/// Largest file that is read: an uncompressed 16-bit picture of [`MAX_PIXELS`] with alpha, and room
/// for its metadata.
pub const MAX_BYTES: u64 = 384 << 20;

/// Room for metadata (colour profiles, text) beside the pixels while decoding a PNG.
const METADATA_BYTES: u64 = 64 << 20;

/// Why a file is not a picture that can be worked on.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// Nothing has this name.
    #[error("picture `{}` does not exist", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The name is a folder's.
    #[error("`{}` is a folder, expected a picture file", path.display())]
    Folder {
        /// The file.
        path: PathBuf,
    },
    /// The user may not read the file.
    #[error("no permission to read picture `{}`", path.display())]
    Permission {
        /// The file.
        path: PathBuf,
    },
    /// The system failed while reading.
    #[error("cannot read picture `{}`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file has no bytes.
    #[error("picture `{}` is empty (0 bytes)", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file's first bytes are of no format that is read.
    #[error("`{}` is {found}, expected a PNG, JPEG or WebP picture", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What the first bytes look like.
        found: Lookalike,
    },
    /// The file ends before the picture does.
    #[error(
        "picture `{}` is truncated: its {bytes} bytes end before the picture does; copy it again",
        path.display()
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Length of the file.
        bytes: usize,
    },
    /// The file is longer than any picture within the limits.
    #[error(
        "`{}` is larger than {} MiB, the limit for a picture file", path.display(), MAX_BYTES >> 20
    )]
    TooManyBytes {
        /// The file.
        path: PathBuf,
    },
    /// The header states a size beyond the limits; nothing was decoded.
    #[error(
        "picture `{}` is {width}×{height}, {:.1} megapixels: the limit is {} megapixels and {MAX_SIDE} \
         pixels a side; scale it down first",
        path.display(),
        *width as f64 * *height as f64 / 1e6,
        MAX_PIXELS / 1_000_000
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// Too small to show a person or a garment.
    #[error(
        "picture `{}` is {width}×{height}: at least {MIN_SIDE}×{MIN_SIDE} pixels are needed",
        path.display()
    )]
    TooSmall {
        /// The file.
        path: PathBuf,
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// The format is read, this kind of it is not.
    #[error("picture `{}` is of a kind that is not supported; save it as an 8-bit PNG or JPEG", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        source: ImageError,
    },
    /// The bytes contradict themselves.
    #[error("picture `{}` is damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        source: ImageError,
    },
}

/// What was given up on the way from the file to the pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PictureNote {
    /// Transparent pixels were put over white.
    TransparencyOverWhite,
    /// An embedded colour profile other than sRGB was not applied.
    ColourProfileIgnored {
        /// The profile's own name, where it states one.
        name: Option<String>,
    },
    /// CMYK inks were converted without their profile, so colours are approximate.
    InksConverted,
    /// Of an animation, the first frame was taken.
    FirstFrame,
}

impl fmt::Display for PictureNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TransparencyOverWhite => f.write_str("transparent pixels were put over white"),
            Self::ColourProfileIgnored { name: Some(name) } => {
                write!(f, "colour profile `{name}` was ignored, colours are read as sRGB")
            }
            Self::ColourProfileIgnored { name: None } => {
                f.write_str("an unnamed colour profile was ignored, colours are read as sRGB")
            }
            Self::InksConverted => f.write_str("CMYK inks were converted to approximate RGB"),
            Self::FirstFrame => f.write_str("only the first frame of the animation was taken"),
        }
    }
}

impl Picture {
    /// Reads a picture file, whatever its extension, and turns it upright.
    ///
    /// # Errors
    /// A [`PictureError`] that names the file and the cause.
    pub fn open(path: &Path) -> Result<(Self, Vec<PictureNote>), PictureError> {
        Self::read(&bytes_of(path)?, path)
    }

    /// Decodes a picture from memory; `name` is what errors call it.
    ///
    /// # Errors
    /// As [`Picture::open`], without the causes that come from the file system.
    pub fn read(bytes: &[u8], name: &Path) -> Result<(Self, Vec<PictureNote>), PictureError> {
        let mut raw = Raw::read(bytes, name)?;
        let (width, height) = raw.upright_size();
        let pixels = raw.rgb();
        Ok((Self { width, height, pixels }, raw.notes))
    }
}

impl RgbaPicture {
    /// Reads a picture file as [`Picture::open`] does, and keeps its transparency.
    ///
    /// # Errors
    /// As [`Picture::open`].
    pub fn open(path: &Path) -> Result<(Self, Vec<PictureNote>), PictureError> {
        Self::read(&bytes_of(path)?, path)
    }

    /// Decodes a picture from memory; `name` is what errors call it.
    ///
    /// # Errors
    /// As [`Picture::read`].
    pub fn read(bytes: &[u8], name: &Path) -> Result<(Self, Vec<PictureNote>), PictureError> {
        let mut raw = Raw::read(bytes, name)?;
        let (width, height) = raw.upright_size();
        let rgba = raw.rgba8();
        Ok((Self { width, height, rgba }, raw.notes))
    }
}

/// Decoded values as the file holds them.
struct Raw {
    width: usize,
    height: usize,
    colour: ColorType,
    /// Values of 16 bits are in the machine's byte order.
    bytes: Vec<u8>,
    orientation: Orientation,
    notes: Vec<PictureNote>,
}

impl Raw {
    fn read(bytes: &[u8], name: &Path) -> Result<Self, PictureError> {
        let path = || name.to_path_buf();
        if bytes.is_empty() {
            return Err(PictureError::Empty { path: path() });
        }
        let survey =
            Survey::of(bytes).map_err(|found| PictureError::Format { path: path(), found })?;
        if let Some((width, height)) = survey.size {
            check_size(name, width, height)?;
        }
        if !survey.complete {
            return Err(PictureError::Truncated { path: path(), bytes: bytes.len() });
        }
        let mut notes = Vec::new();
        if survey.inks {
            notes.push(PictureNote::InksConverted);
        }
        let cursor = Cursor::new(bytes);
        match survey.format {
            Signature::Png => {
                let (width, height) = survey.size.unwrap_or((MAX_SIDE, 1));
                let mut limits = Limits::no_limits();
                limits.max_alloc = Some(u64::from(width) * u64::from(height) * 8 + METADATA_BYTES);
                let decoder = PngDecoder::with_limits(cursor, limits);
                let decoder = decoder.map_err(|error| undecodable(name, bytes.len(), error))?;
                if decoder.is_apng().unwrap_or(false) {
                    notes.push(PictureNote::FirstFrame);
                }
                decode(decoder, name, bytes.len(), notes)
            }
            Signature::Jpeg => {
                let decoder = JpegDecoder::new(cursor);
                decode(
                    decoder.map_err(|e| undecodable(name, bytes.len(), e))?,
                    name,
                    bytes.len(),
                    notes,
                )
            }
            Signature::WebP => {
                let decoder = WebPDecoder::new(cursor);
                let decoder = decoder.map_err(|error| undecodable(name, bytes.len(), error))?;
                if decoder.has_animation() {
                    notes.push(PictureNote::FirstFrame);
                }
                decode(decoder, name, bytes.len(), notes)
            }
        }
    }
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, PictureError> {
    let explain = |source: io::Error| match source.kind() {
        ErrorKind::NotFound => PictureError::Missing { path: path.into() },
        ErrorKind::PermissionDenied => PictureError::Permission { path: path.into() },
        ErrorKind::IsADirectory => PictureError::Folder { path: path.into() },
        _ => PictureError::Unreadable { path: path.into(), source },
    };
    let file = File::open(path).map_err(explain)?;
    let metadata = file.metadata().map_err(explain)?;
    if metadata.is_dir() {
        return Err(PictureError::Folder { path: path.into() });
    }
    if metadata.len() > MAX_BYTES {
        return Err(PictureError::TooManyBytes { path: path.into() });
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize + 1);
    // A device or a growing file is longer than its metadata says.
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(explain)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(PictureError::TooManyBytes { path: path.into() });
    }
    Ok(bytes)
}

fn check_size(path: &Path, width: u32, height: u32) -> Result<(), PictureError> {
    let path = || path.to_path_buf();
    if width.max(height) > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(PictureError::TooLarge { path: path(), width, height });
    }
    if width.min(height) < MIN_SIDE {
        return Err(PictureError::TooSmall { path: path(), width, height });
    }
    Ok(())
}

fn undecodable(path: &Path, bytes: usize, source: ImageError) -> PictureError {
    let path = path.to_path_buf();
    match source {
        ImageError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            PictureError::Truncated { path, bytes }
        }
        ImageError::Unsupported(_) => PictureError::Unsupported { path, source },
        _ => PictureError::Damaged { path, source },
    }
}

fn decode(
    mut decoder: impl ImageDecoder,
    path: &Path,
    file_bytes: usize,
    mut notes: Vec<PictureNote>,
) -> Result<Raw, PictureError> {
    let (width, height) = decoder.dimensions();
    check_size(path, width, height)?;
    let exif = decoder.exif_metadata().ok().flatten();
    let orientation = exif.as_deref().map_or(Orientation::NoTransforms, orientation);
    if let Some(profile) = decoder.icc_profile().ok().flatten() {
        let name = profile_name(&profile);
        if !name.as_deref().is_some_and(|name| name.starts_with("sRGB")) {
            notes.push(PictureNote::ColourProfileIgnored { name });
        }
    }
    let colour = decoder.color_type();
    let mut bytes = vec![0; decoder.total_bytes() as usize];
    decoder.read_image(&mut bytes).map_err(|error| undecodable(path, file_bytes, error))?;
    let (width, height) = (width as usize, height as usize);
    Ok(Raw { width, height, colour, bytes, orientation, notes })
}

impl Raw {
    fn upright_size(&self) -> (usize, usize) {
        match swaps_sides(self.orientation) {
            true => (self.height, self.width),
            false => (self.width, self.height),
        }
    }

    /// Upright RGB in the depth of the file, over white; the values are taken out.
    fn rgb(&mut self) -> Pixels {
        let raw = std::mem::take(&mut self.bytes);
        let mut clear = false;
        let pixels = match self.colour {
            ColorType::L8 => Pixels::Eight(grey(&raw)),
            ColorType::Rgb8 => Pixels::Eight(raw),
            ColorType::La8 => {
                let rgba = raw.as_chunks().0.iter().map(|&[l, a]| [l, l, l, a]);
                Pixels::Eight(over_white(rgba, u8::MAX, &mut clear))
            }
            ColorType::Rgba8 => {
                let rgba = raw.as_chunks().0.iter().copied();
                Pixels::Eight(over_white(rgba, u8::MAX, &mut clear))
            }
            ColorType::L16 => Pixels::Sixteen(grey(&sixteen(&raw))),
            ColorType::Rgb16 => Pixels::Sixteen(sixteen(&raw)),
            ColorType::La16 => {
                let raw = sixteen(&raw);
                let rgba = raw.as_chunks().0.iter().map(|&[l, a]| [l, l, l, a]);
                Pixels::Sixteen(over_white(rgba, u16::MAX, &mut clear))
            }
            ColorType::Rgba16 => {
                let raw = sixteen(&raw);
                let rgba = raw.as_chunks().0.iter().copied();
                Pixels::Sixteen(over_white(rgba, u16::MAX, &mut clear))
            }
            other => unreachable!("no decoder of the three yields {other:?}"),
        };
        if clear {
            self.notes.push(PictureNote::TransparencyOverWhite);
        }
        match (self.orientation, pixels) {
            (Orientation::NoTransforms, pixels) => pixels,
            (_, Pixels::Eight(rgb)) => Pixels::Eight(self.upright::<_, 3>(&rgb)),
            (_, Pixels::Sixteen(rgb)) => Pixels::Sixteen(self.upright::<_, 3>(&rgb)),
        }
    }

    /// Upright RGBA in 8 bits; the values are taken out.
    fn rgba8(&mut self) -> Vec<[u8; 4]> {
        let raw = std::mem::take(&mut self.bytes);
        let eight = |raw: &[u8]| -> Vec<u8> { sixteen(raw).into_iter().map(to_eight).collect() };
        let rgba: Vec<u8> = match self.colour {
            ColorType::L8 => raw.iter().flat_map(|&l| [l, l, l, 255]).collect(),
            ColorType::L16 => eight(&raw).iter().flat_map(|&l| [l, l, l, 255]).collect(),
            ColorType::La8 => raw.as_chunks().0.iter().flat_map(|&[l, a]| [l, l, l, a]).collect(),
            ColorType::La16 => {
                eight(&raw).as_chunks().0.iter().flat_map(|&[l, a]| [l, l, l, a]).collect()
            }
            ColorType::Rgb8 => {
                raw.as_chunks().0.iter().flat_map(|&[r, g, b]| [r, g, b, 255]).collect()
            }
            ColorType::Rgb16 => {
                eight(&raw).as_chunks().0.iter().flat_map(|&[r, g, b]| [r, g, b, 255]).collect()
            }
            ColorType::Rgba8 => raw,
            ColorType::Rgba16 => eight(&raw),
            other => unreachable!("no decoder of the three yields {other:?}"),
        };
        let rgba = match self.orientation {
            Orientation::NoTransforms => rgba,
            _ => self.upright::<_, 4>(&rgba),
        };
        rgba.as_chunks().0.to_vec()
    }

    /// `N` values a pixel, turned as the camera asked.
    fn upright<T: Copy + Default, const N: usize>(&self, values: &[T]) -> Vec<T> {
        /// Side of the squares that are turned one after the other: source and target stay in cache.
        const BLOCK: usize = 64;
        let (width, height) = (self.width, self.height);
        let (target_width, _) = self.upright_size();
        let (source, _) = values.as_chunks::<N>();
        let mut turned = vec![T::default(); values.len()];
        let (target, _) = turned.as_chunks_mut::<N>();
        // Where the pixel (x, y) of the file goes.
        let place = |x: usize, y: usize| {
            let (mirror_x, mirror_y) = (width - 1 - x, height - 1 - y);
            match self.orientation {
                Orientation::NoTransforms => (x, y),
                Orientation::FlipHorizontal => (mirror_x, y),
                Orientation::Rotate180 => (mirror_x, mirror_y),
                Orientation::FlipVertical => (x, mirror_y),
                Orientation::Rotate90FlipH => (y, x),
                Orientation::Rotate90 => (mirror_y, x),
                Orientation::Rotate270FlipH => (mirror_y, mirror_x),
                Orientation::Rotate270 => (y, mirror_x),
            }
        };
        for top in (0..height).step_by(BLOCK) {
            for left in (0..width).step_by(BLOCK) {
                for y in top..(top + BLOCK).min(height) {
                    for x in left..(left + BLOCK).min(width) {
                        let (to_x, to_y) = place(x, y);
                        target[to_y * target_width + to_x] = source[y * width + x];
                    }
                }
            }
        }
        turned
    }
}

/// WebP files of some writers keep JPEG's prefix before the Exif block.
fn orientation(exif: &[u8]) -> Orientation {
    let block = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
    Orientation::from_exif_chunk(block).unwrap_or(Orientation::NoTransforms)
}

fn sixteen(raw: &[u8]) -> Vec<u16> {
    raw.as_chunks().0.iter().map(|&pair| u16::from_ne_bytes(pair)).collect()
}

fn grey<T: Copy>(values: &[T]) -> Vec<T> {
    values.iter().flat_map(|&value| [value; 3]).collect()
}

/// `round(colour · alpha + white · (1 − alpha))`, exact in integers.
fn over_white<T: Copy + PartialEq + Into<u64> + TryFrom<u64>>(
    rgba: impl Iterator<Item = [T; 4]>,
    white: T,
    seen_through: &mut bool,
) -> Vec<T> {
    let full: u64 = white.into();
    let mut rgb = Vec::with_capacity(rgba.size_hint().0 * 3);
    for [r, g, b, a] in rgba {
        if a == white {
            rgb.extend([r, g, b]);
            continue;
        }
        *seen_through = true;
        let alpha: u64 = a.into();
        for colour in [r, g, b] {
            let mixed = (colour.into() * alpha + full * (full - alpha) + full / 2) / full;
            rgb.push(T::try_from(mixed).unwrap_or(white));
        }
    }
    rgb
}

fn swaps_sides(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    )
}

/// The `desc` tag of an ICC profile: plain ASCII in version 2, UTF-16 in version 4.
fn profile_name(profile: &[u8]) -> Option<String> {
    let count = u32_be(profile.get(128..132)?).min(100) as usize;
    let entry = (0..count).find_map(|index| {
        let entry = profile.get(132 + 12 * index..144 + 12 * index)?;
        entry.starts_with(b"desc").then_some(entry)
    })?;
    let (start, length) = (u32_be(&entry[4..]) as usize, u32_be(&entry[8..]) as usize);
    let tag = profile.get(start..start.checked_add(length)?)?;
    let name = if tag.starts_with(b"desc") {
        let length = u32_be(tag.get(8..12)?) as usize;
        String::from_utf8_lossy(tag.get(12..12usize.checked_add(length)?)?).into_owned()
    } else if tag.starts_with(b"mluc") {
        let (length, start) =
            (u32_be(tag.get(20..24)?) as usize, u32_be(tag.get(24..28)?) as usize);
        let text = tag.get(start..start.checked_add(length)?)?;
        let units: Vec<u16> =
            text.as_chunks().0.iter().map(|&pair| u16::from_be_bytes(pair)).collect();
        String::from_utf16_lossy(&units)
    } else {
        return None;
    };
    let name: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests;
