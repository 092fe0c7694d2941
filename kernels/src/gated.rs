//! Gated activations: `y[i, j] = value[i, j] · act(gate[i, j])`. GEGLU with GELU (exact or tanh), SwiGLU with SiLU (Shazeer,
//! arXiv 2002.05202).
//!
//! | operand | type         | shape           | layout                                       |
//! |---------|--------------|-----------------|----------------------------------------------|
//! | value   | f32, f16     | [rows, columns] | rows `value_stride` values apart             |
//! | gate    | as value     | [rows, columns] | rows `gate_stride` values apart              |
//! | y       | f32, f16, i8 | [rows, columns] | rows one after the other                     |
//!
//! Where both are halves of one row, `x[i, 0..n]` and `x[i, n..2n]`, the slices are `x[..]` and `x[n..]` and both strides are
//! 2n. Which half is the gate differs from net to net.
//!
//! Versions named `f32` give the bits of the plain version. The version in f16 rounds the activation as the table of
//! `math/neon_fp16.rs` says, then the product: it is within `|value| · 1.5 · 2⁻¹⁰ · max(1, |gate|) + 2⁻¹¹ · |y|` of it
//! (`2⁻⁹` in place of `1.5 · 2⁻¹⁰` for tanh); for int8 within one step where that is less than half a step. It takes the
//! f32 path by itself for f32 values, f32 results and steps below 2⁻⁸. Any range of rows gives the bits of the whole.
//!
//! NaN gives NaN, in int8 0 (f16: any).
//!
//! Int8 with a step for each row has `step = max |y| / 127` and `q = round_ties_even(y · (127 / max |y|))`: what a linear
//! layer with a scale for each row of its input takes. A row with a result that is no number or infinite gets zeros and
//! the step NaN. The version in f16 has its bound above on the greatest result, and `q · step` within that bound and
//! 0.6 of a step of the plain version's y.

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
use crate::math::Activation;

/// A version of gated activations.
#[derive(Debug)]
pub struct Version {
    identity: Identity,
    run: unsafe fn(Gated, Input, Input, Output),
    run_dynamic: unsafe fn(Gated, Input, Input, Quantized),
}

impl Row for Version {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "aarch64")]
        Version {
            identity: identity("gated_f16_neon_fp16", "f16", &[Isa::NeonFp16]),
            run: neon_fp16::run,
            run_dynamic: neon_fp16::run_dynamic,
        },
        #[cfg(target_arch = "aarch64")]
        Version {
            identity: identity("gated_f32_neon", "f32", &[Isa::Neon]),
            run: neon::run,
            run_dynamic: neon::run_dynamic,
        },
        #[cfg(target_arch = "x86_64")]
        Version {
            identity: identity("gated_f32_avx512", "f32", &[Isa::Avx512]),
            run: avx512::run,
            run_dynamic: avx512::run_dynamic,
        },
        #[cfg(target_arch = "x86_64")]
        Version {
            identity: identity("gated_f32_avx2", "f32", &[Isa::Avx2]),
            run: avx2::run,
            run_dynamic: avx2::run_dynamic,
        },
        Version {
            identity: identity("gated_f32_scalar", "f32", &[]),
            run: scalar::run,
            run_dynamic: scalar::run_dynamic,
        },
    ];

    fn identity(&self) -> &Identity {
        &self.identity
    }
}

const fn identity(name: &'static str, element: &'static str, needs: &'static [Isa]) -> Identity {
    let schedule = Schedule::OutOfOrder;
    Identity { name, operation: "gated", element, tile: "", needs, schedule }
}

/// A gate over rows of so many columns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gated {
    /// The length of a row of results.
    pub columns: usize,
    /// From one row of values to the next.
    pub value_stride: usize,
    /// From one row of gates to the next.
    pub gate_stride: usize,
    /// What is applied to the gate.
    pub activation: Activation,
}

impl Gated {
    /// How many values a slice holds at least for these rows.
    fn reach(self, stride: usize, rows: usize) -> usize {
        if rows == 0 { 0 } else { (rows - 1) * stride + self.columns }
    }

    /// How many rows; panics where a length does not fit.
    fn check(self, value: Input, gate: Input, output: usize) -> usize {
        assert!(self.columns > 0, "rows of no values");
        assert!(output.is_multiple_of(self.columns), "whole rows");
        let rows = output / self.columns;
        assert!(value.len() >= self.reach(self.value_stride, rows), "values");
        assert!(gate.len() >= self.reach(self.gate_stride, rows), "gates");
        let one_type = matches!(
            (value, gate),
            (Input::F32(_), Input::F32(_)) | (Input::F16(_), Input::F16(_))
        );
        assert!(one_type, "value and gate of one type");
        rows
    }
}

/// Rows quantized with a step of each row's own, and where they wait for it.
#[derive(Debug)]
pub struct Quantized<'a> {
    /// Rows one after the other.
    pub output: &'a mut [i8],
    /// The step of each row.
    pub steps: &'a mut [f32],
    /// As many values as there are columns, or more.
    pub scratch: &'a mut [f32],
}

impl Kernel<Version> {
    /// Computes as many rows as the output holds.
    ///
    /// # Panics
    /// Where a slice is too short, or value and gate are not of one type.
    pub fn run(self, gated: Gated, value: Input, gate: Input, output: Output) {
        gated.check(value, gate, output.len());
        output.check();
        // SAFETY: the CPU has what the row needs; the lengths were compared.
        unsafe { (self.row().run)(gated, value, gate, output) }
    }

    /// Computes as many rows as the output holds, to int8 with a step for each row: `y ≈ q · step`.
    ///
    /// # Panics
    /// Where a slice is too short, value and gate are not of one type, or there is not a step for each row.
    pub fn run_dynamic(self, gated: Gated, value: Input, gate: Input, rows: Quantized) {
        let count = gated.check(value, gate, rows.output.len());
        assert_eq!(rows.steps.len(), count, "a step for each row");
        assert!(rows.scratch.len() >= gated.columns, "scratch for a row");
        // SAFETY: the CPU has what the row needs; the lengths were compared.
        unsafe { (self.row().run_dynamic)(gated, value, gate, rows) }
    }
}
