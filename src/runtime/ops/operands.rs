//! What steps ask of their operands, and how much of them is worth a task of its own.

use super::refused;
use crate::runtime::engine::RuntimeError;
use crate::runtime::pool::shares;
use crate::runtime::program::{Element, Step, Value};
use kernels::elements::Input;
use kernels::memory;
use kernels::scratch::Plain;
use std::fmt::Debug;
use std::ops::Range;

/// Bytes that are worth a task: fewer are done before another thread has woken up.
const TASK_BYTES: usize = 32 * 1024;

/// Values that stay in the first cache while they are converted to f32 and back.
pub(super) const BLOCK: usize = 2048;

/// # Errors
/// [`RuntimeError::Step`] where the two differ.
pub(super) fn expect<T: PartialEq + Debug>(
    step: &Step,
    what: &str,
    expected: T,
    found: T,
) -> Result<(), RuntimeError> {
    if expected == found {
        return Ok(());
    }
    Err(refused(step, format!("{what}: expected {expected:?}, found {found:?}")))
}

/// # Errors
/// [`RuntimeError::Step`] where it does not hold.
pub(super) fn require(
    step: &Step,
    holds: bool,
    what: &str,
    expected: &str,
    found: impl Debug,
) -> Result<(), RuntimeError> {
    if holds {
        return Ok(());
    }
    Err(refused(step, format!("{what}: expected {expected}, found {found:?}")))
}

/// That a value is f32 or f16.
pub(super) fn float(step: &Step, value: &Value) -> Result<(), RuntimeError> {
    let holds = value.element != Element::I8;
    require(step, holds, &value.name, "f32 or f16", value.element)
}

/// That a value has no step for each row.
pub(super) fn per_tensor(step: &Step, value: &Value) -> Result<(), RuntimeError> {
    let holds = value.row_steps.is_none();
    require(step, holds, &value.name, "one quantization for all rows", "a step for each row")
}

/// That a value is of an element.
pub(super) fn element(step: &Step, value: &Value, expected: Element) -> Result<(), RuntimeError> {
    expect(step, &value.name, expected, value.element)
}

/// That two values have one shape.
pub(super) fn same_shape(step: &Step, x: &Value, y: &Value) -> Result<(), RuntimeError> {
    expect(step, &y.name, &x.shape, &y.shape)
}

/// `[n, h, w, c]`
pub(super) fn image(step: &Step, value: &Value) -> Result<[usize; 4], RuntimeError> {
    value.shape[..].try_into().map_err(|_| {
        refused(step, format!("{}: expected [n, h, w, c], found {:?}", value.name, value.shape))
    })
}

/// `[n, tokens, c]`
pub(super) fn sequence(step: &Step, value: &Value) -> Result<[usize; 3], RuntimeError> {
    value.shape[..].try_into().map_err(|_| {
        refused(step, format!("{}: expected [n, tokens, c], found {:?}", value.name, value.shape))
    })
}

/// That what is added under a root is no less than nothing.
pub(super) fn epsilon(step: &Step, epsilon: f32) -> Result<(), RuntimeError> {
    let holds = epsilon.is_finite() && epsilon >= 0.0;
    require(step, holds, "epsilon", "a finite number of 0 or more", epsilon)
}

/// Rows of so many bytes that are worth a task.
pub(super) fn worthwhile(row_bytes: usize) -> usize {
    TASK_BYTES.div_ceil(row_bytes.max(1))
}

/// Ranges of rows for the threads, none of which holds rows of two images; `row_bytes` are those read and written for a row.
pub(super) fn image_shares(
    images: usize,
    rows: usize,
    multiple: usize,
    row_bytes: usize,
    threads: usize,
) -> Vec<Range<usize>> {
    let own = shares(rows, multiple, worthwhile(row_bytes), threads);
    let moved = |image: usize| {
        own.iter().map(move |range| image * rows + range.start..image * rows + range.end)
    };
    (0..images).flat_map(moved).collect()
}

/// Ranges of rows for the threads; `row_bytes` are those read and written for a row.
pub(super) fn row_shares(rows: usize, row_bytes: usize, threads: usize) -> Vec<Range<usize>> {
    shares(rows, 1, worthwhile(row_bytes), threads)
}

/// Cuts a slice into parts of these lengths, which add up to its own or less.
pub(super) fn cut_up<T>(
    values: &mut [T],
    lengths: impl IntoIterator<Item = usize>,
) -> impl Iterator<Item = &mut [T]> {
    let mut rest = values;
    lengths.into_iter().map(move |length| {
        let (part, tail) = std::mem::take(&mut rest).split_at_mut(length);
        rest = tail;
        part
    })
}

/// Bytes of a tensor as values.
pub(super) fn typed<T: Plain>(bytes: &[u8]) -> &[T] {
    memory::values(bytes).expect("tensors are aligned and whole")
}

/// Bytes of a tensor as values to be written.
pub(super) fn typed_mut<T: Plain>(bytes: &mut [u8]) -> &mut [T] {
    memory::values_mut(bytes).expect("tensors are aligned and whole")
}

/// Rows of what an element-wise kernel reads.
pub(super) fn rows_of(input: Input<'_>, rows: Range<usize>, channels: usize) -> Input<'_> {
    input.part(rows.start * channels..rows.end * channels)
}
