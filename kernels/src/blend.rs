//! Blend: lays one picture over another, in place.
//!
//! | operand | type | shape | layout |
//! |---------|------|-------|--------|
//! | under | u8 | `[height, width, 3]` | interleaved RGB, rows `stride_bytes` apart; becomes the result |
//! | over | u8 | `[height, width, 4]` or `[…, 3]` | RGB and alpha, or RGB with a mask |
//! | mask | u8 or f32 | `[height, width]` | 255 or 1 shows only what is over; f32 is rounded to 1/255, NaN is 0 |
//!
//! With alpha `a` in 0..=255 and division rounded to nearest:
//! straight `under = (over · a + under · (255 − a)) / 255`, so with a mask too;
//! premultiplied `under = min(over + under · (255 − a) / 255, 255)`.
//! All versions give the same bits.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod lanes;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

use crate::kernel::{Identity, Kernel, Row};
use crate::plane::{Plane, PlaneMut};

/// What a picture's colours were multiplied with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Alpha {
    /// Nothing.
    Straight,
    /// Alpha, as [`crate::warp`] gives them.
    Premultiplied,
}

/// How much of the upper picture each pixel shows.
#[derive(Clone, Copy, Debug)]
pub enum Mask<'a> {
    /// 0..=255
    U8(Plane<'a>),
    /// 0..=1, values beyond are cut; rows `stride` values apart.
    F32 {
        /// The first row starts at the first value.
        values: &'a [f32],
        /// Values from the start of a row to the start of the next.
        stride: usize,
    },
}

/// A version; its functions take a row and need its instructions.
pub struct BlendRow {
    identity: Identity,
    straight: unsafe fn(over: &[u8], under: &mut [u8]),
    premultiplied: unsafe fn(over: &[u8], under: &mut [u8]),
    masked: unsafe fn(over: &[u8], mask: &[u8], under: &mut [u8]),
    masked_f32: unsafe fn(over: &[u8], mask: &[f32], under: &mut [u8]),
}

impl Row for BlendRow {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "aarch64")]
        neon::BLEND,
        #[cfg(target_arch = "x86_64")]
        avx2::BLEND,
        scalar::BLEND,
    ];
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl Kernel<BlendRow> {
    /// Lays RGB with alpha over RGB. A range of rows is a pair of planes that start at the first of them.
    ///
    /// # Panics
    /// Where a plane is shorter than the size asks.
    pub fn over(
        self,
        [width, height]: [usize; 2],
        over: Plane<'_>,
        alpha: Alpha,
        mut under: PlaneMut<'_>,
    ) {
        over.check(height, width * 4);
        under.check(height, width * 3);
        let lay = match alpha {
            Alpha::Straight => self.row().straight,
            Alpha::Premultiplied => self.row().premultiplied,
        };
        for y in 0..height {
            // SAFETY: holding the kernel says that the CPU has its instructions.
            unsafe { lay(over.row(y, width * 4), under.row(y, width * 3)) };
        }
    }

    /// Lays RGB over RGB where a mask says so.
    ///
    /// # Panics
    /// Where a plane is shorter than the size asks.
    pub fn masked(
        self,
        [width, height]: [usize; 2],
        over: Plane<'_>,
        mask: Mask<'_>,
        mut under: PlaneMut<'_>,
    ) {
        over.check(height, width * 3);
        under.check(height, width * 3);
        if let Mask::U8(mask) = mask {
            mask.check(height, width);
        }
        for y in 0..height {
            let (over, under) = (over.row(y, width * 3), under.row(y, width * 3));
            // SAFETY: holding the kernel says that the CPU has its instructions.
            unsafe {
                match &mask {
                    Mask::U8(mask) => (self.row().masked)(over, mask.row(y, width), under),
                    Mask::F32 { values, stride } => {
                        (self.row().masked_f32)(over, &values[y * stride..][..width], under);
                    }
                }
            }
        }
    }
}
