//! Camera pictures in luma and chroma, to RGB and back: YUYV (4:2:2 packed), NV12 and I420 (4:2:0).
//!
//! | operand | type | shape | layout |
//! |---------|------|-------|--------|
//! | YUYV | u8 | `[height, ⌈width / 2⌉, 4]` | first luma, Cb, second luma, Cr of each pair of pixels |
//! | luma | u8 | `[height, width]` | one plane (NV12, I420) |
//! | chroma | u8 | `[⌈height / 2⌉, ⌈width / 2⌉, 2]` | Cb, Cr together (NV12) or in a plane each (I420) |
//! | RGB | u8 | `[rows, width, 3]` | interleaved |
//!
//! Rows of every picture lie its own number of bytes apart. To RGB each pixel takes the chroma of its pair or square, as
//! it is. From RGB chroma is that of the mean colour, `(a + b + 1) / 2` first of the rows, then of the pair. Where width or height
//! is odd, the last pixel or row stands alone: its chroma is its own, and the second luma of a YUYV pair repeats the first.
//!
//! With `Y' = kr·R + (1 − kr − kb)·G + kb·B`, `Cb = (B − Y') / (2 − 2kb)`, `Cr = (R − Y') / (2 − 2kr)` (ITU-R BT.601-7,
//! BT.709-6); limited range holds Y' in 16..=235 and chroma in 16..=240, full range in 0..=255 (JFIF).
//! All is computed in 16-bit fixed point, as `scalar.rs` says; no channel is further than 1 from the rounded formula.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod lanes;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

use crate::kernel::{Identity, Kernel, Row};
use crate::plane::{Plane, PlaneMut};
use std::ops::Range;

/// Which weights luma gives the channels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standard {
    /// kr = 0.299, kb = 0.114: webcams, JPEG.
    Bt601,
    /// kr = 0.2126, kb = 0.0722: high definition.
    Bt709,
}

/// Which codes are black and white.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Levels {
    /// 16 and 235.
    Limited,
    /// 0 and 255.
    Full,
}

/// The factors of a conversion, both ways.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Matrix {
    /// Luma's factor · 2^14.
    luma: i16,
    /// What is taken off every channel, · 2^6.
    offset: i16,
    /// Cr into red, Cb into green, Cr into green, Cb into blue, · 2^13.
    chroma: [i16; 4],
    /// R, G, B into luma, · 2^8.
    to_luma: [u8; 3],
    /// Luma of black.
    black: u8,
    /// R, G, B into Cb and into Cr, · 2^8, without their signs: only B raises Cb, only R raises Cr.
    to_chroma: [[u8; 3]; 2],
}

impl Matrix {
    /// The factors of a standard.
    pub const fn new(standard: Standard, levels: Levels) -> Self {
        let (kr, kb) = match standard {
            Standard::Bt601 => (0.299, 0.114),
            Standard::Bt709 => (0.2126, 0.0722),
        };
        let (luma, chroma, black) = match levels {
            Levels::Limited => (255.0 / 219.0, 255.0 / 224.0, 16),
            Levels::Full => (1.0, 1.0, 0),
        };
        let kg = 1.0 - kr - kb;
        let red = 2.0 * (1.0 - kr) * chroma;
        let blue = 2.0 * (1.0 - kb) * chroma;
        // Each row's whole numbers add up to white, or to no chroma.
        let (to_luma, to_chroma) = match (standard, levels) {
            (Standard::Bt601, Levels::Limited) => ([66, 129, 25], [[38, 74, 112], [112, 94, 18]]),
            (Standard::Bt601, Levels::Full) => ([77, 150, 29], [[43, 85, 128], [128, 107, 21]]),
            (Standard::Bt709, Levels::Limited) => ([47, 157, 16], [[26, 86, 112], [112, 102, 10]]),
            (Standard::Bt709, Levels::Full) => ([54, 183, 19], [[29, 99, 128], [128, 116, 12]]),
        };
        Self {
            luma: (luma * 16384.0 + 0.5) as i16,
            offset: (black as f64 * luma * 64.0 + 0.5) as i16,
            chroma: [
                (red * 8192.0 + 0.5) as i16,
                (-blue * kb / kg * 8192.0 - 0.5) as i16,
                (-red * kr / kg * 8192.0 - 0.5) as i16,
                (blue * 8192.0 + 0.5) as i16,
            ],
            to_luma,
            black,
            to_chroma,
        }
    }
}

/// What a camera gives: the whole picture.
#[derive(Clone, Copy, Debug)]
pub enum Picture<'a> {
    /// 4:2:2, packed.
    Yuyv(Plane<'a>),
    /// 4:2:0, chroma together.
    Nv12 {
        /// Y'
        luma: Plane<'a>,
        /// Cb and Cr
        chroma: Plane<'a>,
    },
    /// 4:2:0, chroma apart.
    I420 {
        /// Y'
        luma: Plane<'a>,
        /// Cb
        cb: Plane<'a>,
        /// Cr
        cr: Plane<'a>,
    },
}

/// The rows to write of a picture: planes start at the first of them.
#[derive(Debug)]
pub enum PictureMut<'a> {
    /// 4:2:2, packed.
    Yuyv(PlaneMut<'a>),
    /// 4:2:0, chroma together.
    Nv12 {
        /// Y'
        luma: PlaneMut<'a>,
        /// Cb and Cr
        chroma: PlaneMut<'a>,
    },
    /// 4:2:0, chroma apart.
    I420 {
        /// Y'
        luma: PlaneMut<'a>,
        /// Cb
        cb: PlaneMut<'a>,
        /// Cr
        cr: PlaneMut<'a>,
    },
}

/// A row of chroma.
#[derive(Clone, Copy)]
pub(crate) enum Chroma<'a> {
    Together(&'a [u8]),
    Apart(&'a [u8], &'a [u8]),
}

/// A row of chroma to write.
pub(crate) enum ChromaMut<'a> {
    Together(&'a mut [u8]),
    Apart(&'a mut [u8], &'a mut [u8]),
}

/// A version of the conversion. All of its functions take one row (`chroma_from_rgb` two) and need the row's instructions.
pub struct YuvRow {
    identity: Identity,
    rgb_from_yuyv: unsafe fn(&[u8], &Matrix, &mut [u8]),
    rgb_from_planes: unsafe fn(&[u8], Chroma<'_>, &Matrix, &mut [u8]),
    yuyv_from_rgb: unsafe fn(&[u8], &Matrix, &mut [u8]),
    luma_from_rgb: unsafe fn(&[u8], &Matrix, &mut [u8]),
    chroma_from_rgb: unsafe fn([&[u8]; 2], &Matrix, ChromaMut<'_>),
}

impl Row for YuvRow {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "aarch64")]
        neon::YUV,
        #[cfg(target_arch = "x86_64")]
        avx2::YUV,
        scalar::YUV,
    ];
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl Kernel<YuvRow> {
    /// Converts rows `rows` of a picture of `width × height` pixels; `rgb` starts at the first of them.
    ///
    /// # Panics
    /// Where a plane is shorter than the size asks, or the rows are not the picture's.
    pub fn to_rgb(
        self,
        picture: Picture<'_>,
        [width, height]: [usize; 2],
        matrix: &Matrix,
        rows: Range<usize>,
        mut rgb: PlaneMut<'_>,
    ) {
        assert!(rows.start <= rows.end && rows.end <= height, "rows {rows:?} of {height}");
        let pairs = width.div_ceil(2);
        rgb.check(rows.len(), width * 3);
        match picture {
            Picture::Yuyv(yuyv) => yuyv.check(rows.end, pairs * 4),
            Picture::Nv12 { luma, chroma } => {
                luma.check(rows.end, width);
                chroma.check(rows.end.div_ceil(2), pairs * 2);
            }
            Picture::I420 { luma, cb, cr } => {
                luma.check(rows.end, width);
                cb.check(rows.end.div_ceil(2), pairs);
                cr.check(rows.end.div_ceil(2), pairs);
            }
        }
        let row = self.row();
        for y in rows.clone() {
            let to = rgb.row(y - rows.start, width * 3);
            // SAFETY: holding the kernel says that the CPU has its instructions.
            unsafe {
                match &picture {
                    Picture::Yuyv(yuyv) => (row.rgb_from_yuyv)(yuyv.row(y, pairs * 4), matrix, to),
                    Picture::Nv12 { luma, chroma } => {
                        let chroma = Chroma::Together(chroma.row(y / 2, pairs * 2));
                        (row.rgb_from_planes)(luma.row(y, width), chroma, matrix, to);
                    }
                    Picture::I420 { luma, cb, cr } => {
                        let chroma = Chroma::Apart(cb.row(y / 2, pairs), cr.row(y / 2, pairs));
                        (row.rgb_from_planes)(luma.row(y, width), chroma, matrix, to);
                    }
                }
            }
        }
    }

    /// Converts rows `rows` of an RGB picture of `width × height` pixels; the planes of `picture` start at the first of
    /// them.
    ///
    /// # Panics
    /// Where a plane is shorter than the size asks, the rows are not the picture's, or chroma is shared between rows
    /// (NV12, I420) and the range starts at an odd row or ends at one that is not the last.
    pub fn from_rgb(
        self,
        rgb: Plane<'_>,
        [width, height]: [usize; 2],
        matrix: &Matrix,
        rows: Range<usize>,
        mut picture: PictureMut<'_>,
    ) {
        assert!(rows.start <= rows.end && rows.end <= height, "rows {rows:?} of {height}");
        let (pairs, count) = (width.div_ceil(2), rows.len());
        rgb.check(rows.end, width * 3);
        if !matches!(picture, PictureMut::Yuyv(_)) {
            let whole =
                rows.start.is_multiple_of(2) && (rows.end.is_multiple_of(2) || rows.end == height);
            assert!(whole, "rows {rows:?} share their chroma with others");
        }
        match &picture {
            PictureMut::Yuyv(yuyv) => yuyv.check(count, pairs * 4),
            PictureMut::Nv12 { luma, chroma } => {
                luma.check(count, width);
                chroma.check(count.div_ceil(2), pairs * 2);
            }
            PictureMut::I420 { luma, cb, cr } => {
                luma.check(count, width);
                cb.check(count.div_ceil(2), pairs);
                cr.check(count.div_ceil(2), pairs);
            }
        }
        let row = self.row();
        for y in rows.clone() {
            let at = y - rows.start;
            let from = rgb.row(y, width * 3);
            let pair = [from, rgb.row((y + 1).min(height - 1), width * 3)];
            // SAFETY: holding the kernel says that the CPU has its instructions.
            unsafe {
                match &mut picture {
                    PictureMut::Yuyv(yuyv) => {
                        (row.yuyv_from_rgb)(from, matrix, yuyv.row(at, pairs * 4));
                    }
                    PictureMut::Nv12 { luma, chroma } => {
                        (row.luma_from_rgb)(from, matrix, luma.row(at, width));
                        if at.is_multiple_of(2) {
                            let to = ChromaMut::Together(chroma.row(at / 2, pairs * 2));
                            (row.chroma_from_rgb)(pair, matrix, to);
                        }
                    }
                    PictureMut::I420 { luma, cb, cr } => {
                        (row.luma_from_rgb)(from, matrix, luma.row(at, width));
                        if at.is_multiple_of(2) {
                            let to = ChromaMut::Apart(cb.row(at / 2, pairs), cr.row(at / 2, pairs));
                            (row.chroma_from_rgb)(pair, matrix, to);
                        }
                    }
                }
            }
        }
    }
}
