//! What a file's headers say, found without decoding.

use std::fmt;

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

/// A format that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signature {
    Png,
    Jpeg,
    WebP,
}

/// What the headers say, found without allocating or decoding.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Survey {
    pub(super) format: Signature,
    /// Columns and rows; `None` where only the decoder finds them.
    pub(super) size: Option<(u32, u32)>,
    /// Whether the file reaches the end that its format prescribes.
    pub(super) complete: bool,
    /// Whether the colours are CMYK or YCCK inks.
    pub(super) inks: bool,
}

impl Survey {
    pub(super) fn of(bytes: &[u8]) -> Result<Self, Lookalike> {
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

pub(super) fn u32_be(bytes: &[u8]) -> u32 {
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
