//! What layer norm and RMS norm share: rows normalised one by one.
//!
//! Sums over a row are 32 partial sums in f32: value i goes to partial sum `i mod 32`, in order of i; then the upper
//! half of the partial sums is added to the lower one, and so on down to one. Every engine can do so with whole
//! registers, so all of them give the same bits.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
pub(crate) mod lanes;
#[cfg(target_arch = "aarch64")]
pub(crate) mod neon;
#[cfg(target_arch = "aarch64")]
pub(crate) mod neon_fp16;
pub(crate) mod scalar;

use crate::elements::{Input, Output};
use crate::math::Activation;

/// How many partial sums a row has.
pub(crate) const PARTIAL: usize = 32;

/// A norm over the last axis of `[rows, channels]`.
#[derive(Clone, Copy, Debug)]
pub struct RowNorm<'a> {
    /// Added to the variance or mean square.
    pub epsilon: f32,
    /// A factor for each channel; see [`crate::affine::Affine::fold`].
    pub scale: &'a [f32],
    /// A term for each channel.
    pub shift: &'a [f32],
    /// Applied last.
    pub activation: Activation,
}

impl RowNorm<'_> {
    fn channels(&self) -> usize {
        self.scale.len()
    }

    /// How many rows; panics where lengths differ.
    pub(crate) fn check(&self, input: Input, output: usize) -> usize {
        assert!(!self.scale.is_empty(), "rows of no values");
        assert_eq!(self.scale.len(), self.shift.len(), "as many terms as factors");
        assert!(input.len().is_multiple_of(self.scale.len()), "whole rows");
        assert_eq!(input.len(), output, "a result for each value");
        input.len() / self.scale.len()
    }
}

/// Rows in, rows out.
pub(crate) type Run = unsafe fn(RowNorm, Input, Output);
/// Rows in, int8 rows and a step for each out.
pub(crate) type RunDynamic = unsafe fn(RowNorm, Input, &mut [i8], &mut [f32]);

/// What a row is normalised with: `n = fma(x − pivot, inverse, offset)`. The mean itself would have to be rounded,
/// which costs digits where it is far greater than the deviation.
#[derive(Clone, Copy)]
struct Statistics {
    pivot: f32,
    inverse: f32,
    offset: f32,
}

impl Statistics {
    /// From sums of the differences to the pivot and of their squares.
    fn centred(pivot: f32, sum: f32, squares: f32, count: usize, epsilon: f32) -> Self {
        let share = 1.0 / count as f32;
        let mean = sum * share;
        let variance = squares * share - mean * mean;
        // Rounding may leave a little less than nothing; NaN stays.
        let variance = if variance < 0.0 { 0.0 } else { variance };
        let inverse = 1.0 / (variance + epsilon).sqrt();
        Self { pivot, inverse, offset: -mean * inverse }
    }

    fn about_zero(squares: f32, count: usize, epsilon: f32) -> Self {
        let share = 1.0 / count as f32;
        Self { pivot: 0.0, inverse: 1.0 / (squares * share + epsilon).sqrt(), offset: 0.0 }
    }
}

/// The step of a row whose greatest size is given, and what values are multiplied by.
pub(crate) fn step(greatest: f32) -> (f32, f32) {
    let step = greatest / 127.0;
    if greatest > 0.0 { (step, 127.0 / greatest) } else { (step, 0.0) }
}
