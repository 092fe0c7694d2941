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

pub use crate::norm::RowNorm;

/// A version of RMS norm.
pub type Version = crate::norm::Version<false>;
