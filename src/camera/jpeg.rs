//! The markers of a JPEG: enough to tell a whole frame from a broken one without decoding it.

/// What stands before a JPEG's first scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Whether Huffman tables are there. Webcams may leave them out: those of the standard's annex K are meant.
    pub has_tables: bool,
    /// Where the first scan's coded bytes begin.
    pub scan: usize,
}

/// The marker that ends a picture.
pub const END: [u8; 2] = [0xff, 0xd9];
/// An empty comment. Where coded bytes end too early, the decoder makes up the rest of the picture if an end marker follows; before
/// a comment it stops.
pub const EARLY_END: &[u8] = b"\xff\xfe\x00\x02";
/// An application segment that tells the decoder to use the standard's Huffman tables.
pub const STANDARD_TABLES: &[u8] = b"\xff\xe0\x00\x10AVI1\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";

/// Reads the segments up to the first scan; `None` where they are not those of a JPEG.
pub fn header(data: &[u8]) -> Option<Header> {
    let mut at = 2;
    let (mut size, mut has_tables) = (None, false);
    if data.get(..2)? != [0xff, 0xd8] {
        return None;
    }
    loop {
        if *data.get(at)? != 0xff {
            return None;
        }
        let marker = *data.get(at + 1)?;
        if marker == 0xff {
            at += 1; // a fill byte
            continue;
        }
        let length = usize::from(u16::from_be_bytes([*data.get(at + 2)?, *data.get(at + 3)?]));
        let segment = data.get(at + 4..at + 2 + length)?;
        match marker {
            0xc4 => has_tables = true,
            // Start of frame, of any kind of coding: precision, rows, columns.
            0xc0..=0xcf if marker != 0xc8 && marker != 0xcc => {
                let two = |at: usize| {
                    Some(u16::from_be_bytes([*segment.get(at)?, *segment.get(at + 1)?]))
                };
                size = Some([usize::from(two(3)?), usize::from(two(1)?)]);
            }
            0xda => {
                let [width, height] = size?;
                return Some(Header { width, height, has_tables, scan: at + 2 + length });
            }
            0x00 | 0x01 | 0xd0..=0xd9 => return None,
            _ => (),
        }
        at += 2 + length;
    }
}

/// Where a JPEG's picture ends, past its end marker: the first one behind the first scan's start. Within coded bytes 0xff is always
/// followed by 0 or a restart marker.
pub fn end(data: &[u8], header: &Header) -> Option<usize> {
    let coded = data.get(header.scan..)?;
    let found = coded.windows(2).position(|pair| pair == END)?;
    Some(header.scan + found + 2)
}
