//! Softmax over the last axis: `y[j] = e^(scale · (x[j] − max)) / Σ e^(scale · (x − max))`.
//!
//! | operand | type     | shape           | layout                   |
//! |---------|----------|-----------------|--------------------------|
//! | x       | f32, f16 | [rows, columns] | rows one after the other |
//! | y       | f32, f16 | [rows, columns] | as x                     |
//!
//! The powers are in f32 and summed up in f32, in 32 partial sums: value i goes to partial sum `i mod 32`, then the
//! upper half is added to the lower one down to one. They are rounded to y's precision and multiplied by the sum's
//! reciprocal. Versions named `f32` give the bits of the plain version. The version in f16 is within `2⁻⁸ · y + 2⁻¹²`
//! of it; it takes the f32 path by itself for f32 inputs or outputs, rows longer than 16 384 and scales outside
//! 0.015..=700. Any range of rows gives the bits of the whole.
//!
//! −∞ gives 0. A row that holds NaN or +∞, or nothing but −∞, gives NaN everywhere.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod lanes;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod neon_fp16;
mod scalar;

use crate::elements::{Input, Output};
use crate::features::{Isa, Schedule};
use crate::kernel::{Identity, Kernel, Row};

/// A version of softmax.
#[derive(Debug)]
pub struct Version {
    identity: Identity,
    run: unsafe fn(Softmax, Input, Output),
}

impl Row for Version {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "aarch64")]
        Version {
            identity: identity("softmax_f16_neon_fp16", "f16", &[Isa::NeonFp16]),
            run: neon_fp16::run,
        },
        #[cfg(target_arch = "aarch64")]
        Version { identity: identity("softmax_f32_neon", "f32", &[Isa::Neon]), run: neon::run },
        #[cfg(target_arch = "x86_64")]
        Version {
            identity: identity("softmax_f32_avx512", "f32", &[Isa::Avx512]),
            run: avx512::run,
        },
        #[cfg(target_arch = "x86_64")]
        Version { identity: identity("softmax_f32_avx2", "f32", &[Isa::Avx2]), run: avx2::run },
        Version { identity: identity("softmax_f32_scalar", "f32", &[]), run: scalar::run },
    ];

    fn identity(&self) -> &Identity {
        &self.identity
    }
}

const fn identity(name: &'static str, element: &'static str, needs: &'static [Isa]) -> Identity {
    let schedule = Schedule::OutOfOrder;
    Identity { name, operation: "softmax", element, tile: "", needs, schedule }
}

/// Softmax over rows of so many columns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Softmax {
    /// The length of a row.
    pub columns: usize,
    /// What the scores are multiplied by; 1 where there is nothing to multiply by.
    pub scale: f32,
}

impl Kernel<Version> {
    /// Computes whole rows.
    ///
    /// # Panics
    /// Where a length is not that of the operand table, the scale is not positive, or the output is int8.
    pub fn run(self, softmax: Softmax, input: Input, output: Output) {
        assert!(softmax.columns > 0, "rows of no values");
        assert!(softmax.scale.is_finite() && softmax.scale > 0.0, "a scale of {}", softmax.scale);
        assert!(input.len().is_multiple_of(softmax.columns), "whole rows");
        assert_eq!(input.len(), output.len(), "a result for each value");
        assert!(!matches!(output, Output::I8(..)), "shares of 1 are not quantized");
        // SAFETY: the CPU has what the row needs; the lengths were compared.
        unsafe { (self.row().run)(softmax, input, output) }
    }
}
