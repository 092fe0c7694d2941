//! Pixels to what a net reads: `target = source · factor[channel] + term[channel]`, rounded once, then to the target's type.
//!
//! | operand | type | shape | layout |
//! |---------|------|-------|--------|
//! | source | u8 | `[height, width, 3]` | interleaved, rows `stride_bytes` apart |
//! | factor, term | f32 | `[3]` | per channel |
//! | target | f32, f16, i8 | `[rows, width, 3]` or `[3, rows, width]` | see [`Target`] |
//!
//! i8: `clamp(round_ties_even(source · factor + term) + zero_point)`, as in every quantization here. All versions give the same
//! bits, but for f16 those that compute in halves (`neon_fp16`): they round factor and term to halves first, so that they may
//! differ from the plain version by `2^−10 · (|source · factor| + |term|)`.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod lanes;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod neon_fp16;
mod scalar;

use crate::kernel::{Identity, Kernel, Row};
use crate::plane::Plane;
use half::f16;
use std::ops::Range;

/// The line that each channel's values lie on.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Normalisation {
    /// What a channel's value is multiplied with.
    pub factor: [f32; 3],
    /// What is added to the product.
    pub term: [f32; 3],
    /// What is added after rounding; −128..=127, and only where the target is i8.
    pub zero_point: i32,
}

impl Normalisation {
    /// `(value / 255 − mean) / deviation`: how nets' papers give it.
    pub fn from_mean_and_deviation(mean: [f32; 3], deviation: [f32; 3]) -> Self {
        Self {
            factor: deviation.map(|deviation| 1.0 / (255.0 * deviation)),
            term: std::array::from_fn(|c| -mean[c] / deviation[c]),
            zero_point: 0,
        }
    }

    /// The same for a target that is quantized: `value = (q − zero_point) · scale`.
    pub fn quantized(self, scale: f32, zero_point: i32) -> Self {
        Self {
            factor: self.factor.map(|factor| factor / scale),
            term: self.term.map(|term| term / scale),
            zero_point,
        }
    }
}

/// The rows to write; the first of them starts at the first value.
#[derive(Debug)]
pub struct Target<'a, T> {
    /// All values.
    pub values: &'a mut [T],
    /// Values from the start of a row to the start of the next.
    pub stride: usize,
    /// Values from the start of a channel's plane to the start of the next; none where channels are interleaved.
    pub planes: Option<usize>,
}

/// What pixels become.
pub trait Value: Copy + Sized + 'static {
    /// One channel of one pixel: the specification.
    fn of(source: u8, channel: usize, normalisation: &Normalisation) -> Self;
}

type Interleaved<T> = unsafe fn(&[u8], &Normalisation, &mut [T]);
type Planar<T> = unsafe fn(&[u8], &Normalisation, [&mut [T]; 3]);

/// A version for one type of target; its functions take a row and need the version's instructions.
pub struct NormaliseRow<T: 'static> {
    identity: Identity,
    interleaved: Interleaved<T>,
    planar: Planar<T>,
}

impl Row for NormaliseRow<f32> {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "aarch64")]
        neon::F32,
        #[cfg(target_arch = "x86_64")]
        avx2::F32,
        scalar::F32,
    ];
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl Row for NormaliseRow<f16> {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "aarch64")]
        neon_fp16::F16,
        #[cfg(target_arch = "aarch64")]
        neon::F16,
        #[cfg(target_arch = "x86_64")]
        avx2::F16,
        scalar::F16,
    ];
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl Row for NormaliseRow<i8> {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "aarch64")]
        neon::I8,
        #[cfg(target_arch = "x86_64")]
        avx2::I8,
        scalar::I8,
    ];
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl<T: Value> Kernel<NormaliseRow<T>>
where
    NormaliseRow<T>: Row,
{
    /// Normalises rows `rows` of a picture that is `width` pixels wide.
    ///
    /// # Panics
    /// Where a slice is shorter than the size asks, rows of the target overlap, or the zero point is no i8.
    pub fn run(
        self,
        source: Plane<'_>,
        width: usize,
        rows: Range<usize>,
        normalisation: &Normalisation,
        target: Target<'_, T>,
    ) {
        assert!(rows.start <= rows.end, "rows {rows:?}");
        assert!((-128..=127).contains(&normalisation.zero_point), "zero point");
        source.check(rows.end, width * 3);
        let Target { values, stride, planes } = target;
        let row_values = if planes.is_some() { width } else { width * 3 };
        assert!(stride >= row_values, "rows of {row_values} values are {stride} apart");
        if rows.is_empty() {
            return;
        }
        let row = self.row();
        match planes {
            None => {
                for y in rows.clone() {
                    let to = &mut values[(y - rows.start) * stride..][..row_values];
                    // SAFETY: holding the kernel says that the CPU has its instructions.
                    unsafe { (row.interleaved)(source.row(y, width * 3), normalisation, to) };
                }
            }
            Some(plane) => {
                let (red, rest) = values.split_at_mut(plane);
                let (green, blue) = rest.split_at_mut(plane);
                for y in rows.clone() {
                    let at = (y - rows.start) * stride..(y - rows.start) * stride + width;
                    let to = [&mut red[at.clone()], &mut green[at.clone()], &mut blue[at]];
                    // SAFETY: as above.
                    unsafe { (row.planar)(source.row(y, width * 3), normalisation, to) };
                }
            }
        }
    }
}
