//! Pictures as JPEG, in memory that is used again and overwritten once it is sent.

use crate::picture::Picture;
use jpeg_encoder::{ColorType, Encoder, EncodingError};
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// Quality of the live picture, of 100.
pub(super) const LIVE: u8 = 80;
/// Quality of looks, of 100.
pub(super) const LOOK: u8 = 92;

/// Buffers that are kept for the next picture.
const KEPT: usize = 4;

/// Encodes a picture into a kept buffer.
///
/// # Errors
/// If the picture is empty or has a side over 65 535 pixels.
pub(super) fn encode(
    picture: &Picture,
    quality: u8,
    kept: &Arc<Buffers>,
) -> Result<Wiped, EncodingError> {
    let side = |length: usize| u16::try_from(length).unwrap_or(0);
    let mut to = kept.take();
    let encoder = Encoder::new(&mut to, quality);
    encoder.encode(&picture.rgb8(), side(picture.width), side(picture.height), ColorType::Rgb)?;
    Ok(to)
}

/// Buffers at rest: all of their bytes are zero.
#[derive(Default)]
pub(super) struct Buffers(Mutex<Vec<Vec<u8>>>);

impl Buffers {
    /// An empty buffer that comes back when it is dropped.
    pub(super) fn take(self: &Arc<Self>) -> Wiped {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        Wiped { bytes, length: 0, home: Arc::clone(self) }
    }
}

/// Bytes of a picture; zeroed when dropped.
pub(super) struct Wiped {
    /// Zero from `length` on.
    bytes: Vec<u8>,
    length: usize,
    home: Arc<Buffers>,
}

impl Wiped {
    fn grow(&mut self, to: usize) {
        let mut larger = vec![0; to.next_power_of_two().max(1 << 16)];
        larger[..self.length].copy_from_slice(&self.bytes[..self.length]);
        zero(&mut self.bytes[..self.length]);
        self.bytes = larger;
    }
}

impl Write for Wiped {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        let end = self.length + part.len();
        if end > self.bytes.len() {
            self.grow(end);
        }
        self.bytes[self.length..end].copy_from_slice(part);
        self.length = end;
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        zero(&mut bytes[..self.length]);
        let mut kept = self.home.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push(bytes);
        }
    }
}

fn zero(bytes: &mut [u8]) {
    bytes.fill(0);
    // A buffer that is freed next would otherwise be left as it is.
    std::hint::black_box(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_zeroed_and_used_again() {
        let kept = Arc::new(Buffers::default());
        let picture = Picture::from_rgb8(64, 48, (0..64 * 48 * 3).map(|i| (i * 7) as u8).collect());
        let jpeg = encode(&picture, LIVE, &kept).unwrap();
        assert!(jpeg.as_ref().starts_with(&[0xff, 0xd8]) && jpeg.as_ref().ends_with(&[0xff, 0xd9]));
        let address = jpeg.as_ref().as_ptr();
        drop(jpeg);
        assert!(kept.0.lock().unwrap()[0].iter().all(|&byte| byte == 0));
        let again = encode(&picture, LIVE, &kept).unwrap();
        assert_eq!(again.as_ref().as_ptr(), address);
    }

    #[test]
    fn bytes_survive_growth() {
        let kept = Arc::new(Buffers::default());
        let mut to = kept.take();
        let all: Vec<u8> = (0..200_000_u32).map(|i| i as u8).collect();
        for part in all.chunks(999) {
            to.write_all(part).unwrap();
        }
        assert_eq!(to.as_ref(), all);
    }

    #[test]
    fn a_picture_without_pixels_is_an_error() {
        assert!(encode(&Picture::from_rgb8(0, 0, vec![]), LIVE, &Arc::default()).is_err());
    }
}
