//! Frames into pictures, turned as they are to be seen.

use super::frame::{BrokenFrame, Encoding, Frame, Turn, wipe};
use super::jpeg;
use super::turn::place;
use crate::picture::{Picture, Pixels};
use kernels::features::Features;
use kernels::kernel::Kernel;
use kernels::plane::{Plane, PlaneMut};
use kernels::yuv::{self, Levels, Matrix, Standard, YuvRow};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// The longest side of a frame that is decoded, pixels.
pub const MAX_SIDE: usize = 8192;
/// The largest frame that is decoded, pixels.
pub const MAX_PIXELS: usize = 1 << 24;
/// Blocks of a JPEG are up to 16 pixels wide: some cameras send whole blocks beyond the size they granted.
const PADDING: usize = 16;
/// Rows that are converted before they are turned: they stay in the nearest cache.
const BAND: usize = 16;
/// What UVC cameras send as YUYV and NV12.
const MATRIX: Matrix = Matrix::new(Standard::Bt601, Levels::Limited);

/// Decodes frames and keeps its working memory between them.
#[derive(Debug)]
pub struct Decoder {
    yuv: Kernel<YuvRow>,
    /// Pixels before they are turned.
    upright: Vec<u8>,
    /// A JPEG with what its camera left out, and a mark before its end.
    completed: Vec<u8>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder without memory yet.
    pub fn new() -> Self {
        let features = Features::from_environment().unwrap_or_else(|_| Features::detect());
        Self { yuv: Kernel::first(features), upright: Vec::new(), completed: Vec::new() }
    }

    /// Makes the picture of a frame, turned; `into`'s memory is used again.
    ///
    /// # Errors
    /// Where the bytes are not a whole picture; `into` then holds anything.
    pub fn decode(
        &mut self,
        frame: &Frame,
        turn: Turn,
        into: &mut Picture,
    ) -> Result<(), BrokenFrame> {
        let turn = Turn { quarter_turns: turn.quarter_turns % 4, ..turn };
        check_size(frame)?;
        match frame.encoding {
            Encoding::Mjpeg => self.jpeg(frame, turn, into),
            Encoding::Yuyv | Encoding::Nv12 | Encoding::Rgb | Encoding::Bgr => {
                check_length(frame)?;
                self.raw(frame, turn, into);
                Ok(())
            }
        }
    }

    /// Overwrites the working memory with zeros.
    pub fn wipe(&mut self) {
        wipe(&mut self.upright);
        wipe(&mut self.completed);
    }

    fn raw(&mut self, frame: &Frame, turn: Turn, into: &mut Picture) {
        let size = [frame.width, frame.height];
        let row = frame.width * 3;
        let to = pixels(into, turn.size(size));
        if turn == Turn::default() {
            self.convert(frame, 0..frame.height, to);
            return;
        }
        let mut band = std::mem::take(&mut self.upright);
        band.resize(BAND * row, 0);
        for first in (0..frame.height).step_by(BAND) {
            let rows = first..(first + BAND).min(frame.height);
            let band = &mut band[..rows.len() * row];
            self.convert(frame, rows, band);
            place(band, first, size, turn, to);
        }
        self.upright = band;
    }

    /// Rows of a frame that is long enough, as RGB.
    fn convert(&self, frame: &Frame, rows: std::ops::Range<usize>, rgb: &mut [u8]) {
        let (data, stride_bytes) = (frame.data.as_slice(), frame.stride);
        let size = [frame.width, frame.height];
        let bytes = frame.width * 3;
        let to = |rgb| PlaneMut { bytes: rgb, stride_bytes: bytes };
        match frame.encoding {
            Encoding::Yuyv => {
                let picture = yuv::Picture::Yuyv(Plane { bytes: data, stride_bytes });
                self.yuv.to_rgb(picture, size, &MATRIX, rows, to(rgb));
            }
            Encoding::Nv12 => {
                let (luma, chroma) = data.split_at(stride_bytes * frame.height);
                let [luma, chroma] = [luma, chroma].map(|bytes| Plane { bytes, stride_bytes });
                self.yuv.to_rgb(yuv::Picture::Nv12 { luma, chroma }, size, &MATRIX, rows, to(rgb));
            }
            Encoding::Rgb | Encoding::Bgr | Encoding::Mjpeg => {
                for (y, to) in rows.zip(rgb.chunks_exact_mut(bytes)) {
                    to.copy_from_slice(&data[y * stride_bytes..][..bytes]);
                    if frame.encoding == Encoding::Bgr {
                        to.as_chunks_mut::<3>().0.iter_mut().for_each(|pixel| pixel.swap(0, 2));
                    }
                }
            }
        }
    }

    fn jpeg(&mut self, frame: &Frame, turn: Turn, into: &mut Picture) -> Result<(), BrokenFrame> {
        let corrupt = |why: &str| BrokenFrame::Corrupt(why.into());
        let header =
            jpeg::header(&frame.data).ok_or_else(|| corrupt("it does not begin as a JPEG"))?;
        let size = [header.width, header.height];
        if size.contains(&0) || size[0] > frame.width + PADDING || size[1] > frame.height + PADDING
        {
            return Err(BrokenFrame::Size { width: size[0], height: size[1] });
        }
        let end = jpeg::end(&frame.data, &header).ok_or(BrokenFrame::Truncated)?;
        self.completed.clear();
        let tables = if header.has_tables { &[][..] } else { jpeg::STANDARD_TABLES };
        let coded = &frame.data[..end - jpeg::END.len()];
        for part in [&coded[..2], tables, &coded[2..], jpeg::EARLY_END, &jpeg::END] {
            self.completed.extend_from_slice(part);
        }
        let options = DecoderOptions::default()
            .set_strict_mode(true)
            .set_max_width(size[0])
            .set_max_height(size[1])
            .jpeg_set_out_colorspace(ColorSpace::RGB);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&self.completed), options);
        let mut decode_into = |to: &mut [u8]| {
            let last_row = to.len() - size[0] * 3;
            fill_with_traces(&mut to[last_row..]);
            let decoded = decoder.decode_into(to);
            decoded.map_err(|error| BrokenFrame::Corrupt(format!("{error:?}")))?;
            let is_whole = !holds_traces(&to[last_row..]);
            is_whole.then_some(()).ok_or(BrokenFrame::Truncated)
        };
        if turn == Turn::default() {
            return decode_into(pixels(into, size));
        }
        self.upright.resize(size[0] * size[1] * 3, 0);
        decode_into(&mut self.upright)?;
        place(&self.upright, 0, size, turn, pixels(into, turn.size(size)));
        Ok(())
    }
}

/// Marks a row that the decoder is to write: where the coded bytes end too early, it does not.
fn fill_with_traces(row: &mut [u8]) {
    row.iter_mut().zip(traces()).for_each(|(value, trace)| *value = trace);
}

fn holds_traces(row: &[u8]) -> bool {
    row.iter().zip(traces()).all(|(&value, trace)| value == trace)
}

/// Values that no picture has one after the other.
fn traces() -> impl Iterator<Item = u8> {
    (0_u32..).map(|at| (at.wrapping_mul(0x9e37_79b9) >> 24) as u8)
}

fn check_size(frame: &Frame) -> Result<(), BrokenFrame> {
    let (width, height) = (frame.width, frame.height);
    let too_large = width.max(height) > MAX_SIDE || width * height > MAX_PIXELS;
    if width == 0 || height == 0 || too_large {
        return Err(BrokenFrame::Size { width, height });
    }
    Ok(())
}

fn check_length(frame: &Frame) -> Result<(), BrokenFrame> {
    let row = frame.encoding.row_bytes(frame.width);
    let rows = match frame.encoding {
        Encoding::Nv12 => frame.height + frame.height.div_ceil(2),
        _ => frame.height,
    };
    let found = frame.data.len();
    let expected = frame.stride.saturating_mul(rows - 1).saturating_add(row);
    if frame.stride < row || found < expected {
        return Err(BrokenFrame::Short { found, expected: expected.max(row * rows) });
    }
    Ok(())
}

/// The picture's 8-bit pixels, of this size; what they hold is left as it is.
fn pixels(picture: &mut Picture, [width, height]: [usize; 2]) -> &mut [u8] {
    (picture.width, picture.height) = (width, height);
    if let Pixels::Sixteen(_) = picture.pixels {
        picture.pixels = Pixels::Eight(Vec::new());
    }
    let Pixels::Eight(pixels) = &mut picture.pixels else { unreachable!("made so above") };
    pixels.resize(width * height * 3, 0);
    pixels
}
