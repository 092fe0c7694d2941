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
use crate::features::{Isa, Schedule};
use crate::kernel::{Identity, Kernel, Row};
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

/// A version of a norm of rows: layer norm where `CENTRED`, else RMS norm.
#[derive(Debug)]
pub struct Version<const CENTRED: bool> {
    identity: Identity,
    run: Run,
    run_dynamic: RunDynamic,
}

impl<const CENTRED: bool> Row for Version<CENTRED> {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "aarch64")]
        Version {
            identity: identity::<CENTRED>(
                ["layer_norm_f16_neon_fp16", "rms_norm_f16_neon_fp16"],
                "f16",
                &[Isa::NeonFp16],
            ),
            run: neon_fp16::run::<CENTRED>,
            run_dynamic: neon_fp16::run_dynamic::<CENTRED>,
        },
        #[cfg(target_arch = "aarch64")]
        Version {
            identity: identity::<CENTRED>(
                ["layer_norm_f32_neon", "rms_norm_f32_neon"],
                "f32",
                &[Isa::Neon],
            ),
            run: neon::run::<CENTRED>,
            run_dynamic: neon::run_dynamic::<CENTRED>,
        },
        #[cfg(target_arch = "x86_64")]
        Version {
            identity: identity::<CENTRED>(
                ["layer_norm_f32_avx512", "rms_norm_f32_avx512"],
                "f32",
                &[Isa::Avx512],
            ),
            run: avx512::run::<CENTRED>,
            run_dynamic: avx512::run_dynamic::<CENTRED>,
        },
        #[cfg(target_arch = "x86_64")]
        Version {
            identity: identity::<CENTRED>(
                ["layer_norm_f32_avx2", "rms_norm_f32_avx2"],
                "f32",
                &[Isa::Avx2],
            ),
            run: avx2::run::<CENTRED>,
            run_dynamic: avx2::run_dynamic::<CENTRED>,
        },
        Version {
            identity: identity::<CENTRED>(
                ["layer_norm_f32_scalar", "rms_norm_f32_scalar"],
                "f32",
                &[],
            ),
            run: scalar::run::<CENTRED>,
            run_dynamic: scalar::run_dynamic::<CENTRED>,
        },
    ];

    fn identity(&self) -> &Identity {
        &self.identity
    }
}

/// The names are those of layer norm's and RMS norm's version.
const fn identity<const CENTRED: bool>(
    [centred, about_zero]: [&'static str; 2],
    element: &'static str,
    needs: &'static [Isa],
) -> Identity {
    let (name, operation) =
        if CENTRED { (centred, "layer_norm") } else { (about_zero, "rms_norm") };
    Identity { name, operation, element, tile: "", needs, schedule: Schedule::OutOfOrder }
}

impl<const CENTRED: bool> Kernel<Version<CENTRED>> {
    /// Normalises whole rows.
    ///
    /// # Panics
    /// Where a length is not that of the operand table.
    pub fn run(self, norm: RowNorm, input: Input, output: Output) {
        norm.check(input, output.len());
        output.check();
        // SAFETY: the CPU has what the row needs; the lengths were compared.
        unsafe { (self.row().run)(norm, input, output) }
    }

    /// Normalises whole rows to int8 with a step of each row's own, which `steps` gets: `y ≈ q · step`,
    /// `step = max |y| / 127`.
    ///
    /// # Panics
    /// Where a length is not that of the operand table.
    pub fn run_dynamic(self, norm: RowNorm, input: Input, output: &mut [i8], steps: &mut [f32]) {
        let rows = norm.check(input, output.len());
        assert_eq!(steps.len(), rows, "a step for each row");
        // SAFETY: the CPU has what the row needs; the lengths were compared.
        unsafe { (self.row().run_dynamic)(norm, input, output, steps) }
    }
}

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
