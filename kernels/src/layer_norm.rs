//! Layer norm over the last axis: `y = act((x − mean) / √(variance + ε) · scale + shift)` (Ba et al., arXiv 1607.06450).
//!
//! | operand      | type         | shape            | layout                                                     |
//! |--------------|--------------|------------------|------------------------------------------------------------|
//! | x            | f32, f16     | [rows, channels] | rows one after the other                                   |
//! | scale, shift | f32          | `[channels]`       | from [`crate::affine::Affine::fold`]: AdaLN's are in them |
//! | y            | f32, f16, i8 | [rows, channels] | as x; int8 per tensor, or with a step for each row         |
//!
//! Mean and variance are about a pivot, the row's first value, so a mean far greater than the deviation costs no
//! digits: `d = x − pivot`, `m = Σ d / n`, `variance = Σ d² / n − m²`, all in f32. Sums are 32 partial sums: value i
//! goes to partial sum `i mod 32`, then the upper half is added to the lower one down to one. The results are
//! `fma(fma(d, inverse, −m · inverse), scale, shift)`.
//!
//! Versions named `f32` give the bits of the plain version. The version in f16 is within `3 · 2⁻¹⁰ · (1 + |scale · n| +
//! |shift|)` of it, where n is the normalised value, and for int8 within one step where that is less than a step. It
//! takes the f32 path by itself for f32 inputs, rows longer than 4096, means and deviations that are no normal
//! halves and steps below 2⁻⁸; its inputs are to be within ±32 768. Any range of rows gives the bits of the whole.
//!
//! A row that holds NaN or an infinity gives NaN; in int8 0, and with a step of its own NaN for that.

pub use crate::norm::RowNorm;

/// A version of layer norm.
pub type Version = crate::norm::Version<true>;
