//! RMS norm over the last axis: `y = act(x / √(mean(x²) + ε) · scale + shift)` (Zhang and Sennrich, arXiv 1910.07467).
//!
//! | operand      | type         | shape            | layout                                                     |
//! |--------------|--------------|------------------|------------------------------------------------------------|
//! | x            | f32, f16     | [rows, channels] | rows one after the other                                   |
//! | scale, shift | f32          | `[channels]`       | from [`crate::affine::Affine::fold`]: AdaLN's are in them |
//! | y            | f32, f16, i8 | [rows, channels] | as x; int8 per tensor, or with a step for each row         |
//!
//! `Σ x²` is in f32, in 32 partial sums: value i goes to partial sum `i mod 32`, then the upper half is added to the
//! lower one down to one. The results are `fma(x · inverse, scale, shift)`.
//!
//! Versions named `f32` give the bits of the plain version. The version in f16 is within `3 · 2⁻¹⁰ · (1 + |scale · n| +
//! |shift|)` of it, where n is the normalised value, and for int8 within one step where that is less than a step. It
//! takes the f32 path by itself for f32 inputs, rows longer than 4096, means and deviations that are no normal
//! halves and steps below 2⁻⁸; its inputs are to be within ±32 768. Any range of rows gives the bits of the whole.
//!
//! A row that holds NaN or an infinity gives NaN; in int8 0, and with a step of its own NaN for that.

use crate::elements::{Input, Output};
use crate::features::{Isa, Schedule};
use crate::kernel::{Identity, Kernel, Row};
use crate::norm::{Run, RunDynamic, scalar};
#[cfg(target_arch = "x86_64")]
use crate::norm::{avx2, avx512};
#[cfg(target_arch = "aarch64")]
use crate::norm::{neon, neon_fp16};

pub use crate::norm::RowNorm;

/// A version of RMS norm.
#[derive(Debug)]
pub struct Version {
    identity: Identity,
    run: Run,
    run_dynamic: RunDynamic,
}

impl Row for Version {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "aarch64")]
        Version {
            identity: identity("rms_norm_f16_neon_fp16", "f16", &[Isa::NeonFp16]),
            run: neon_fp16::run::<false>,
            run_dynamic: neon_fp16::run_dynamic::<false>,
        },
        #[cfg(target_arch = "aarch64")]
        Version {
            identity: identity("rms_norm_f32_neon", "f32", &[Isa::Neon]),
            run: neon::run::<false>,
            run_dynamic: neon::run_dynamic::<false>,
        },
        #[cfg(target_arch = "x86_64")]
        Version {
            identity: identity("rms_norm_f32_avx512", "f32", &[Isa::Avx512]),
            run: avx512::run::<false>,
            run_dynamic: avx512::run_dynamic::<false>,
        },
        #[cfg(target_arch = "x86_64")]
        Version {
            identity: identity("rms_norm_f32_avx2", "f32", &[Isa::Avx2]),
            run: avx2::run::<false>,
            run_dynamic: avx2::run_dynamic::<false>,
        },
        Version {
            identity: identity("rms_norm_f32_scalar", "f32", &[]),
            run: scalar::run::<false>,
            run_dynamic: scalar::run_dynamic::<false>,
        },
    ];

    fn identity(&self) -> &Identity {
        &self.identity
    }
}

const fn identity(name: &'static str, element: &'static str, needs: &'static [Isa]) -> Identity {
    let schedule = Schedule::OutOfOrder;
    Identity { name, operation: "rms_norm", element, tile: "", needs, schedule }
}

impl Kernel<Version> {
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
