//! Adds or multiplies two tensors, the second repeated along rows, channels or both; then an activation.
//!
//! | operand | type | shape | layout |
//! |---------|------|-------|--------|
//! | a | f32, f16, i8 | `[rows, channels]` | rows, one after the other |
//! | b | the same | one, `[channels]`, `[rows]` or `[rows, channels]` | see [`Second`] |
//! | to | the same | `[rows, channels]` | as a |
//!
//! `to = act(a ∘ b)`, computed in f32 and rounded once to the type. i8: `value = (q − zero_point) · scale` of each operand, and
//! `q = clamp(round_ties_even(value · (1 / scale)) + zero_point)` of the result. The same bits on every engine.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod lanes;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

use crate::gemm::Quantization;
use crate::kernel::{Identity, Kernel, Row};
use crate::math::Activation;
use crate::stored::Stored;
use half::f16;

/// What is done with the two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// `a + b`
    Add,
    /// `a · b`
    Mul,
}

/// The second operand.
#[derive(Clone, Copy, Debug)]
pub enum Second<'a, T> {
    /// One value for all.
    One(f32),
    /// A value a channel.
    Channels(&'a [T]),
    /// A value a row.
    Rows(&'a [f32]),
    /// A value for each.
    All(&'a [T]),
}

/// How i8 operands and the result are quantized.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Scales {
    /// Of the first operand.
    pub a: Quantization,
    /// Of the second, where it is i8.
    pub b: Quantization,
    /// Of the result.
    pub to: Quantization,
}

/// What the versions need to know of a call.
pub(crate) struct How {
    operation: Operation,
    activation: Activation,
    a: Quantization,
    b: Quantization,
    to: Quantization,
}

/// The second operand of a row.
#[derive(Clone, Copy)]
pub(crate) enum Operand<'a, T> {
    One(f32),
    Each(&'a [T]),
}

/// A version; its function takes a row and needs its instructions.
pub struct BroadcastRow<T: 'static> {
    identity: Identity,
    row: unsafe fn(&[T], Operand<'_, T>, &How, &mut [T]),
}

impl Row for BroadcastRow<f32> {
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

impl Row for BroadcastRow<f16> {
    const TABLE: &'static [Self] = &[
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

impl Row for BroadcastRow<i8> {
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

impl<T: Stored> Kernel<BroadcastRow<T>>
where
    BroadcastRow<T>: Row,
{
    fn all(self, channels: usize, a: &[T], b: Second<'_, T>, how: &How, to: &mut [T]) {
        assert!(channels > 0 && a.len().is_multiple_of(channels), "rows of {channels} channels");
        assert_eq!(a.len(), to.len(), "the result's values");
        match b {
            Second::One(_) => {}
            Second::Channels(values) => assert_eq!(values.len(), channels, "values of b"),
            Second::Rows(values) => assert_eq!(values.len(), a.len() / channels, "values of b"),
            Second::All(values) => assert_eq!(values.len(), a.len(), "values of b"),
        }
        let row = self.row().row;
        // SAFETY: holding the kernel says that the CPU has its instructions.
        unsafe {
            match b {
                Second::One(value) => row(a, Operand::One(value), how, to),
                Second::All(values) => row(a, Operand::Each(values), how, to),
                Second::Channels(values) => {
                    for (a, to) in a.chunks(channels).zip(to.chunks_mut(channels)) {
                        row(a, Operand::Each(values), how, to);
                    }
                }
                Second::Rows(values) => {
                    let rows = a.chunks(channels).zip(to.chunks_mut(channels));
                    for ((a, to), &value) in rows.zip(values) {
                        row(a, Operand::One(value), how, to);
                    }
                }
            }
        }
    }
}

const NONE: Quantization = Quantization { scale: 1.0, zero_point: 0 };

macro_rules! floats {
    ($($element:ty),*) => {$(
        impl Kernel<BroadcastRow<$element>> {
            /// Computes all rows of `a`. A range of rows is the slices of those rows.
            ///
            /// # Panics
            /// Where a slice's length is not what the shapes ask.
            pub fn run(
                self,
                operation: Operation,
                channels: usize,
                a: &[$element],
                b: Second<'_, $element>,
                activation: Activation,
                to: &mut [$element],
            ) {
                let how =
                    How { operation, activation, a: NONE, b: NONE, to: NONE };
                self.all(channels, a, b, &how, to);
            }
        }
    )*};
}
floats!(f32, f16);

impl Kernel<BroadcastRow<i8>> {
    /// Computes all rows of `a`. A range of rows is the slices of those rows.
    ///
    /// # Panics
    /// Where a slice's length is not what the shapes ask.
    #[expect(clippy::too_many_arguments, reason = "the same as for floats, and the scales")]
    pub fn run_quantized(
        self,
        operation: Operation,
        channels: usize,
        a: &[i8],
        b: Second<'_, i8>,
        scales: &Scales,
        activation: Activation,
        to: &mut [i8],
    ) {
        let Scales { a: first, b: second, to: result } = *scales;
        let how = How { operation, activation, a: first, b: second, to: result };
        self.all(channels, a, b, &how, to);
    }
}
