//! Files into upright RGB pixels.

use super::{Picture, Pixels};
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

/// What a file that is not a picture looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookalike {
    /// A format with a known signature, by its name.
    Named(&'static str),
    /// Readable text.
    Text,
    /// Anything else.
    Unknown,
}

impl fmt::Display for Lookalike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => write!(f, "a {name} file"),
            Self::Text => f.write_str("a text file"),
            Self::Unknown => f.write_str("not in a known format"),
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signature {
    Png,
    Jpeg,
    WebP,
}

/// What the headers say, found without allocating or decoding.
#[derive(Debug, PartialEq, Eq)]
struct Survey {
    format: Signature,
    /// Columns and rows; `None` where only the decoder finds them.
    size: Option<(u32, u32)>,
    /// Whether the file reaches the end that its format prescribes.
    complete: bool,
    /// Whether the colours are CMYK or YCCK inks.
    inks: bool,
}

impl Survey {
    fn of(bytes: &[u8]) -> Result<Self, Lookalike> {
        if starts_like(bytes, b"\x89PNG\r\n\x1a\n") {
            Ok(survey_png(bytes))
        } else if starts_like(bytes, b"\xff\xd8\xff") {
            Ok(survey_jpeg(bytes))
        } else if starts_like(bytes, b"RIFF") && starts_like(bytes.get(8..).unwrap_or(&[]), b"WEBP")
        {
            Ok(survey_webp(bytes))
        } else {
            Err(lookalike(bytes))
        }
    }
}

/// True too for a file that ends within the signature: it is truncated rather than of another format.
fn starts_like(bytes: &[u8], signature: &[u8]) -> bool {
    let common = bytes.len().min(signature.len());
    bytes[..common] == signature[..common]
}

fn survey_png(bytes: &[u8]) -> Survey {
    let mut survey = Survey { format: Signature::Png, size: None, complete: false, inks: false };
    let mut at = 8;
    while let Some(header) = bytes.get(at..at + 8) {
        let length = u32_be(header) as usize;
        let Some(body) = bytes.get(at + 8..at + 8 + length) else { break };
        if &header[4..] == b"IHDR" && length >= 8 {
            survey.size = Some((u32_be(body), u32_be(&body[4..])));
        }
        // The last chunk's checksum may be missing without loss.
        if &header[4..] == b"IEND" {
            survey.complete = true;
            break;
        }
        at += 12 + length;
    }
    survey
}

fn survey_jpeg(bytes: &[u8]) -> Survey {
    let mut survey = Survey { format: Signature::Jpeg, size: None, complete: false, inks: false };
    let mut at = 2;
    loop {
        // Between segments and inside a scan alike: to the next marker, past fill bytes, stuffed
        // zeros and restart markers.
        let Some(step) = bytes[at.min(bytes.len())..].iter().position(|&byte| byte == 0xff) else {
            return survey;
        };
        at += step;
        let Some(&marker) = bytes.get(at + 1) else { return survey };
        match marker {
            0xff => at += 1,
            0x00 | 0x01 | 0xd0..=0xd8 => at += 2,
            0xd9 => {
                survey.complete = true;
                return survey;
            }
            _ => {
                let Some(length) = bytes.get(at + 2..at + 4) else { return survey };
                let length = u16::from_be_bytes([length[0], length[1]]) as usize;
                let Some(body) = bytes.get(at + 4..at + 2 + length.max(2)) else { return survey };
                let frame = matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc);
                if frame && body.len() >= 6 {
                    let side = |at: usize| u32::from(u16::from_be_bytes([body[at], body[at + 1]]));
                    survey.size = Some((side(3), side(1)));
                    survey.inks = body[5] == 4;
                }
                at += 2 + length.max(2);
            }
        }
    }
}

fn survey_webp(bytes: &[u8]) -> Survey {
    let complete = bytes.len() >= 12 && {
        let stated = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
        bytes.len() as u64 >= 8 + u64::from(stated)
    };
    Survey { format: Signature::WebP, size: None, complete, inks: false }
}

fn u32_be(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

fn lookalike(bytes: &[u8]) -> Lookalike {
    const SIGNATURES: [(usize, &[u8], &str); 14] = [
        (0, b"GIF8", "GIF"),
        (0, b"BM", "BMP"),
        (0, b"II*\0", "TIFF"),
        (0, b"MM\0*", "TIFF"),
        (0, b"%PDF", "PDF"),
        (0, b"PK\x03\x04", "ZIP"),
        (4, b"ftypavif", "AVIF"),
        (4, b"ftypheic", "HEIC"),
        (4, b"ftypheix", "HEIC"),
        (4, b"ftypmif1", "HEIC"),
        (4, b"ftyp", "video"),
        (0, b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
        (0, b"\xff\x0a", "JPEG XL"),
        (0, b"8BPS", "Photoshop"),
    ];
    for (at, signature, name) in SIGNATURES {
        if bytes.get(at..).is_some_and(|rest| rest.starts_with(signature)) {
            return Lookalike::Named(name);
        }
    }
    let start = &bytes[..bytes.len().min(512)];
    let readable = |&byte: &u8| byte >= 0x20 || matches!(byte, b'\t' | b'\n' | b'\r');
    // The cut at 512 bytes may fall inside a character.
    let text = match str::from_utf8(start) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    if text && start.iter().all(readable) { Lookalike::Text } else { Lookalike::Unknown }
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
) -> Result<(Picture, Vec<PictureNote>), PictureError> {
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
    let mut raw = vec![0; decoder.total_bytes() as usize];
    decoder.read_image(&mut raw).map_err(|error| undecodable(path, file_bytes, error))?;

    let mut seen_through = false;
    let pixels = match colour {
        ColorType::L8 => Pixels::Eight(grey(&raw)),
        ColorType::Rgb8 => Pixels::Eight(raw),
        ColorType::La8 => {
            let rgba = raw.as_chunks().0.iter().map(|&[l, a]| [l, l, l, a]);
            Pixels::Eight(over_white(rgba, u8::MAX, &mut seen_through))
        }
        ColorType::Rgba8 => {
            Pixels::Eight(over_white(raw.as_chunks().0.iter().copied(), u8::MAX, &mut seen_through))
        }
        ColorType::L16 => Pixels::Sixteen(grey(&sixteen(&raw))),
        ColorType::Rgb16 => Pixels::Sixteen(sixteen(&raw)),
        ColorType::La16 => {
            let raw = sixteen(&raw);
            let rgba = raw.as_chunks().0.iter().map(|&[l, a]| [l, l, l, a]);
            Pixels::Sixteen(over_white(rgba, u16::MAX, &mut seen_through))
        }
        ColorType::Rgba16 => {
            let raw = sixteen(&raw);
            let rgba = raw.as_chunks().0.iter().copied();
            Pixels::Sixteen(over_white(rgba, u16::MAX, &mut seen_through))
        }
        other => unreachable!("no decoder of the three yields {other:?}"),
    };
    if seen_through {
        notes.push(PictureNote::TransparencyOverWhite);
    }

    let (width, height) = (width as usize, height as usize);
    let turned = match orientation {
        Orientation::NoTransforms => Picture { width, height, pixels },
        _ => {
            let pixels = match pixels {
                Pixels::Eight(rgb) => Pixels::Eight(upright(&rgb, width, orientation)),
                Pixels::Sixteen(rgb) => Pixels::Sixteen(upright(&rgb, width, orientation)),
            };
            let (width, height) =
                if swaps_sides(orientation) { (height, width) } else { (width, height) };
            Picture { width, height, pixels }
        }
    };
    Ok((turned, notes))
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

/// The pixels of a `width`-wide picture, turned as its camera asked.
fn upright<T: Copy + Default>(rgb: &[T], width: usize, orientation: Orientation) -> Vec<T> {
    /// Side of the squares that are turned one after the other: source and target stay in cache.
    const BLOCK: usize = 64;
    let (source, _) = rgb.as_chunks::<3>();
    let height = source.len() / width;
    let mut turned = vec![T::default(); rgb.len()];
    let (target, _) = turned.as_chunks_mut::<3>();
    let target_width = if swaps_sides(orientation) { height } else { width };
    // Exif orientation of the source pixel (x, y): where it goes in the upright picture.
    let place = |x: usize, y: usize| {
        let (mirror_x, mirror_y) = (width - 1 - x, height - 1 - y);
        match orientation {
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
