//! Activations of every value, and PReLU with a slope for each channel: `y = act(x)`; `y = x < 0 ? x · slope[c] : x`.
//!
//! | operand | type     | shape            | layout                    |
//! |---------|----------|------------------|---------------------------|
//! | x       | f32, f16 | [rows, channels] | one value after the other |
//! | slopes  | f32      | `[channels]`       | PReLU only                |
//! | y       | as x     | as x             | as x; may be x itself     |
//!
//! The formulas and the errors of the versions named `f32`, which all give the bits of the plain version, stand in
//! [`crate::math`]; f16 values are computed in f32 there and rounded once. The version in f16 computes f16 values in
//! halves, with the errors of `math/neon_fp16.rs`, and f32 values in f32; a slope is rounded to a half. Any range of
//! values gives the bits of the whole.
//!
//! NaN gives NaN; SiLU of −∞ is nearly 0.

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

use crate::elements::Input;
use crate::features::{Isa, Schedule};
use crate::kernel::{Identity, Kernel, Row};
use crate::math::Activation;
use half::f16;

/// Values to be written, or changed where they are.
#[derive(Debug)]
pub enum Values<'a> {
    /// Single precision.
    F32(&'a mut [f32]),
    /// Half precision.
    F16(&'a mut [f16]),
}

/// A version of the activations.
#[derive(Debug)]
pub struct Version {
    identity: Identity,
    run: unsafe fn(Activation, Pointers),
    /// Whole rows of as many channels as there are slopes.
    prelu: unsafe fn(&[f32], Pointers),
}

/// From where to where, and how many values; the two may be one.
#[derive(Clone, Copy)]
enum Pointers {
    F32(*const f32, *mut f32, usize),
    F16(*const f16, *mut f16, usize),
}

impl Row for Version {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "aarch64")]
        Version {
            identity: identity("activation_f16_neon_fp16", "f16", &[Isa::NeonFp16]),
            run: neon_fp16::run,
            prelu: neon_fp16::prelu,
        },
        #[cfg(target_arch = "aarch64")]
        Version {
            identity: identity("activation_f32_neon", "f32", &[Isa::Neon]),
            run: neon::run,
            prelu: neon::prelu,
        },
        #[cfg(target_arch = "x86_64")]
        Version {
            identity: identity("activation_f32_avx512", "f32", &[Isa::Avx512]),
            run: avx512::run,
            prelu: avx512::prelu,
        },
        #[cfg(target_arch = "x86_64")]
        Version {
            identity: identity("activation_f32_avx2", "f32", &[Isa::Avx2]),
            run: avx2::run,
            prelu: avx2::prelu,
        },
        Version {
            identity: identity("activation_f32_scalar", "f32", &[]),
            run: scalar::run,
            prelu: scalar::prelu,
        },
    ];

    fn identity(&self) -> &Identity {
        &self.identity
    }
}

const fn identity(name: &'static str, element: &'static str, needs: &'static [Isa]) -> Identity {
    let schedule = Schedule::OutOfOrder;
    Identity { name, operation: "activation", element, tile: "", needs, schedule }
}

impl Kernel<Version> {
    /// The activation of every value.
    ///
    /// # Panics
    /// Where input and output differ in type or length.
    pub fn run(self, activation: Activation, input: Input, output: Values) {
        // SAFETY: the CPU has what the row needs; as many results as values.
        unsafe { (self.row().run)(activation, Pointers::between(input, output)) }
    }

    /// The activation of every value, in its place.
    pub fn run_in_place(self, activation: Activation, values: Values) {
        // SAFETY: the CPU has what the row needs; one slice for both.
        unsafe { (self.row().run)(activation, Pointers::within(values)) }
    }

    /// PReLU of whole rows of as many channels as there are slopes.
    ///
    /// # Panics
    /// Where input and output differ in type or length, or are not whole rows.
    pub fn prelu(self, slopes: &[f32], input: Input, output: Values) {
        let pointers = Pointers::between(input, output);
        pointers.check(slopes);
        // SAFETY: the CPU has what the row needs; as many results as values, in whole rows.
        unsafe { (self.row().prelu)(slopes, pointers) }
    }

    /// PReLU of whole rows of as many channels as there are slopes, in their place.
    ///
    /// # Panics
    /// Where the values are not whole rows.
    pub fn prelu_in_place(self, slopes: &[f32], values: Values) {
        let pointers = Pointers::within(values);
        pointers.check(slopes);
        // SAFETY: the CPU has what the row needs; one slice for both, in whole rows.
        unsafe { (self.row().prelu)(slopes, pointers) }
    }
}

impl Pointers {
    fn between(input: Input, output: Values) -> Self {
        match (input, output) {
            (Input::F32(x), Values::F32(y)) => {
                assert_eq!(x.len(), y.len(), "a result for each value");
                Pointers::F32(x.as_ptr(), y.as_mut_ptr(), x.len())
            }
            (Input::F16(x), Values::F16(y)) => {
                assert_eq!(x.len(), y.len(), "a result for each value");
                Pointers::F16(x.as_ptr(), y.as_mut_ptr(), x.len())
            }
            _ => panic!("input and output of one type"),
        }
    }

    fn within(values: Values) -> Self {
        match values {
            Values::F32(values) => {
                let to = values.as_mut_ptr();
                Pointers::F32(to, to, values.len())
            }
            Values::F16(values) => {
                let to = values.as_mut_ptr();
                Pointers::F16(to, to, values.len())
            }
        }
    }

    fn check(self, slopes: &[f32]) {
        let (Pointers::F32(.., count) | Pointers::F16(.., count)) = self;
        assert!(!slopes.is_empty() && count.is_multiple_of(slopes.len()), "whole rows");
    }
}
