//! Concatenation along channels as strided writes: each operand's rows go to their place in the wider rows.
//!
//! | operand | type | shape | layout |
//! |---------|------|-------|--------|
//! | from | any | `[rows, channels]` | rows `stride` values apart |
//! | to | the same | `[rows, …]` | rows `stride` values apart, from the operand's first channel of the first row |
//!
//! Operands of another type or scale go through [`crate::convert`], which takes the same strides.

use crate::convert::{Strided, check};

/// Copies `rows` rows of `channels`. A range of rows is a pair of slices that start at the first of them.
///
/// # Panics
/// Where a slice is shorter than the sizes ask.
pub fn copy_rows<T: Copy>(
    [rows, channels]: [usize; 2],
    from: Strided<&[T]>,
    to: Strided<&mut [T]>,
) {
    check(from.values.len(), from.stride, rows, channels);
    check(to.values.len(), to.stride, rows, channels);
    for row in 0..rows {
        let from = &from.values[row * from.stride..][..channels];
        to.values[row * to.stride..][..channels].copy_from_slice(from);
    }
}
