//! Converts tensors between f32, f16 and i8: quantizes, dequantizes, requantizes; from rows to rows of any stride, so that a
//! part of a wider tensor can be read or written (a concatenation along channels is one call an operand).
//!
//! | operand | type | shape | layout |
//! |---------|------|-------|--------|
//! | from, to | f32, f16, i8 | `[rows, channels]` | rows `stride` values apart, see [`Strided`] |
//! | factors | f32 | one or `[channels]` | see [`Scaling`] |
//!
//! `to = clamp(round_ties_even((from − zero_from) · factor) + zero_to)`, where floats have no zero points and are rounded to
//! their type, not to whole numbers. The same bits on every engine; NaN becomes 0 in i8.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod lanes;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

use crate::gemm::row_scale;
use crate::kernel::{Identity, Kernel, Row};
use crate::stored::Stored;
use half::f16;

/// What values are multiplied with: a step's size where they were quantized, one over it where they become so.
#[derive(Clone, Copy, Debug)]
pub enum Factors<'a> {
    /// One for all.
    One(f32),
    /// One a channel.
    Channels(&'a [f32]),
}

/// How values change.
#[derive(Clone, Copy, Debug)]
pub struct Scaling<'a> {
    /// What they are multiplied with.
    pub factors: Factors<'a>,
    /// What stands for 0 in `from`: 0 where it is not i8.
    pub zero_from: i32,
    /// What stands for 0 in `to`: 0 where it is not i8.
    pub zero_to: i32,
}

impl Scaling<'_> {
    /// Values stay what they are, rounded to their new type.
    pub const NONE: Self = Self { factors: Factors::One(1.0), zero_from: 0, zero_to: 0 };
}

/// Rows `stride` values apart; the first starts at the first value.
#[derive(Clone, Copy, Debug)]
pub struct Strided<V> {
    /// All values.
    pub values: V,
    /// Values from the start of a row to the start of the next.
    pub stride: usize,
}

/// Panics unless `rows` rows of `channels` fit into `length` values.
pub(crate) fn check(length: usize, stride: usize, rows: usize, channels: usize) {
    assert!(stride >= channels, "rows of {channels} values are {stride} apart");
    let needed = if rows == 0 { 0 } else { (rows - 1) * stride + channels };
    assert!(length >= needed, "{length} values, {needed} are needed");
}

/// A version; its functions take a row and need its instructions.
pub struct ConvertRow<A: 'static, B: 'static> {
    identity: Identity,
    row: unsafe fn(&[A], Scaling<'_>, &mut [B]),
    greatest: unsafe fn(&[A]) -> f32,
}

impl Row for ConvertRow<f32, f16> {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "aarch64")]
        neon::F32_F16,
        #[cfg(target_arch = "x86_64")]
        avx2::F32_F16,
        scalar::F32_F16,
    ];
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl Row for ConvertRow<f32, i8> {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "aarch64")]
        neon::F32_I8,
        #[cfg(target_arch = "x86_64")]
        avx2::F32_I8,
        scalar::F32_I8,
    ];
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl Row for ConvertRow<f16, f32> {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "aarch64")]
        neon::F16_F32,
        #[cfg(target_arch = "x86_64")]
        avx2::F16_F32,
        scalar::F16_F32,
    ];
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl Row for ConvertRow<f16, i8> {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "aarch64")]
        neon::F16_I8,
        #[cfg(target_arch = "x86_64")]
        avx2::F16_I8,
        scalar::F16_I8,
    ];
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl Row for ConvertRow<i8, f32> {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "aarch64")]
        neon::I8_F32,
        #[cfg(target_arch = "x86_64")]
        avx2::I8_F32,
        scalar::I8_F32,
    ];
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl Row for ConvertRow<i8, f16> {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "aarch64")]
        neon::I8_F16,
        #[cfg(target_arch = "x86_64")]
        avx2::I8_F16,
        scalar::I8_F16,
    ];
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl Row for ConvertRow<i8, i8> {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "aarch64")]
        neon::I8_I8,
        #[cfg(target_arch = "x86_64")]
        avx2::I8_I8,
        scalar::I8_I8,
    ];
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl<A: Stored, B: Stored> Kernel<ConvertRow<A, B>>
where
    ConvertRow<A, B>: Row,
{
    /// Converts `rows` rows of `channels`. A range of rows is a pair of slices that start at the first of them.
    ///
    /// # Panics
    /// Where a slice is shorter than the sizes ask, or a zero point is no i8.
    pub fn run(
        self,
        [rows, channels]: [usize; 2],
        from: Strided<&[A]>,
        scaling: Scaling<'_>,
        to: Strided<&mut [B]>,
    ) {
        check(from.values.len(), from.stride, rows, channels);
        check(to.values.len(), to.stride, rows, channels);
        for zero in [scaling.zero_from, scaling.zero_to] {
            assert!((-128..=127).contains(&zero), "zero point {zero}");
        }
        if let Factors::Channels(factors) = scaling.factors {
            assert_eq!(factors.len(), channels, "factors");
        }
        for row in 0..rows {
            let from = &from.values[row * from.stride..][..channels];
            let to = &mut to.values[row * to.stride..][..channels];
            // SAFETY: holding the kernel says that the CPU has its instructions.
            unsafe { (self.row().row)(from, scaling, to) };
        }
    }
}

impl<A: Stored> Kernel<ConvertRow<A, i8>>
where
    ConvertRow<A, i8>: Row,
{
    /// Quantizes each row by its greatest magnitude, symmetric: `scales[row] = max|value| / 127`, 1 where all are 0. NaN is undefined.
    ///
    /// # Panics
    /// Where a slice is shorter than the sizes ask.
    pub fn by_row(
        self,
        [rows, channels]: [usize; 2],
        from: Strided<&[A]>,
        to: Strided<&mut [i8]>,
        scales: &mut [f32],
    ) {
        check(from.values.len(), from.stride, rows, channels);
        check(to.values.len(), to.stride, rows, channels);
        assert_eq!(scales.len(), rows, "scales");
        for (row, scale) in scales.iter_mut().enumerate() {
            let from = &from.values[row * from.stride..][..channels];
            let to = &mut to.values[row * to.stride..][..channels];
            // SAFETY: holding the kernel says that the CPU has its instructions.
            unsafe {
                let greatest = (self.row().greatest)(from);
                *scale = row_scale(greatest);
                let factors = Factors::One(1.0 / *scale);
                (self.row().row)(from, Scaling { factors, ..Scaling::NONE }, to);
            }
        }
    }
}
