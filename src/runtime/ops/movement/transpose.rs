//! Axes in another order. Axes that stay side by side are one, so that images between `[n, h, w, c]` and `[n, c, h, w]` are `[n, a, b]` to
//! `[n, b, a]`: squares of that are turned at once, to read and write whole cache lines.

use super::super::operands::{cut_up, expect, row_shares, typed, typed_mut};
use super::super::{Call, Execute, refused};
use crate::runtime::engine::RuntimeError;
use crate::runtime::program::{Step, Value};
use half::f16;
use kernels::scratch::Plain;
use std::ops::Range;

/// Rows and columns of a square that is turned at once.
const SQUARE: usize = 16;

pub(super) fn prepare(
    step: &Step,
    axes: &[usize],
    x: &Value,
    y: &Value,
) -> Result<Box<dyn Execute>, RuntimeError> {
    let mut sorted = axes.to_vec();
    sorted.sort_unstable();
    if !sorted.iter().copied().eq(0..x.shape.len()) {
        let expected = x.shape.len();
        return Err(refused(
            step,
            format!("axes: expected those of {expected} axes, found {axes:?}"),
        ));
    }
    let expected = axes.iter().map(|&axis| x.shape[axis]).collect::<Vec<_>>();
    expect(step, &y.name, &expected, &y.shape)?;
    Ok(Box::new(Ready { axes: merged(axes, &x.shape), size: x.element.size() }))
}

/// An axis of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Axis {
    extent: usize,
    /// From one index to the next in the input, in elements.
    step: usize,
}

/// The output's axes, outermost first: without those of one index, and those that stay side by side as one. At least one.
fn merged(axes: &[usize], shape: &[usize]) -> Vec<Axis> {
    let mut merged: Vec<Axis> = Vec::with_capacity(axes.len());
    for &axis in axes {
        let extent = shape[axis];
        let step = shape[axis + 1..].iter().product();
        match merged.last_mut() {
            _ if extent == 1 => {}
            Some(outer) if outer.step == extent * step => {
                *outer = Axis { extent: outer.extent * extent, step };
            }
            _ => merged.push(Axis { extent, step }),
        }
    }
    if merged.is_empty() {
        merged.push(Axis { extent: 1, step: 1 });
    }
    merged
}

#[derive(Debug)]
struct Ready {
    axes: Vec<Axis>,
    /// Bytes of an element.
    size: usize,
}

impl Execute for Ready {
    fn run(&self, call: Call) {
        match self.size {
            4 => self.turn::<f32>(call),
            2 => self.turn::<f16>(call),
            _ => self.turn::<i8>(call),
        }
    }
}

impl Ready {
    fn turn<T: Plain + Send + Sync>(&self, call: Call) {
        let Call { inputs, outputs, pool, scratch, .. } = call;
        let x = typed::<T>(inputs[0].bytes);
        let (last, outer) = self.axes.split_last().expect("an axis or more");
        let row = last.extent;
        let rows = outer.iter().map(|axis| axis.extent).product();
        if outer.is_empty() {
            // Nothing moves.
            let ranges = row_shares(row, size_of::<T>(), pool.threads());
            let lengths = ranges.iter().map(|range| range.len());
            let parts = cut_up(typed_mut::<T>(outputs[0].bytes), lengths);
            pool.for_each(ranges.iter().zip(parts).collect(), scratch, |(range, to), _| {
                to.copy_from_slice(&x[range.clone()]);
            });
            return;
        }
        let ranges = row_shares(rows, row * size_of::<T>(), pool.threads());
        let lengths = ranges.iter().map(|range| range.len() * row);
        let parts = cut_up(typed_mut::<T>(outputs[0].bytes), lengths);
        pool.for_each(ranges.iter().zip(parts).collect(), scratch, |(range, to), _| {
            self.rows(x, range.clone(), to);
        });
    }

    /// Writes some rows of the output.
    fn rows<T: Plain>(&self, x: &[T], rows: Range<usize>, to: &mut [T]) {
        let (last, outer) = self.axes.split_last().expect("an axis or more");
        let (inner, outermost) = outer.split_last().expect("rows");
        let mut first = rows.start;
        let mut rest = to;
        while first < rows.end {
            // Rows of one index of the axes further out.
            let start = first % inner.extent;
            let count = (inner.extent - start).min(rows.end - first);
            let from = offset(outermost, first / inner.extent) + start * inner.step;
            let (to, tail) = std::mem::take(&mut rest).split_at_mut(count * last.extent);
            if last.step == 1 {
                for (index, to) in to.chunks_exact_mut(last.extent).enumerate() {
                    to.copy_from_slice(&x[from + index * inner.step..][..last.extent]);
                }
            } else {
                squares(&x[from..], [*inner, *last], count, to);
            }
            rest = tail;
            first += count;
        }
    }
}

/// Where an index of some axes starts in the input.
fn offset(axes: &[Axis], index: usize) -> usize {
    let mut rest = index;
    let mut offset = 0;
    for axis in axes.iter().rev() {
        offset += rest % axis.extent * axis.step;
        rest /= axis.extent;
    }
    offset
}

/// Writes `count` rows, square by square.
fn squares<T: Plain>(x: &[T], [inner, last]: [Axis; 2], count: usize, to: &mut [T]) {
    for top in (0..count).step_by(SQUARE) {
        let bottom = count.min(top + SQUARE);
        for left in (0..last.extent).step_by(SQUARE) {
            let right = last.extent.min(left + SQUARE);
            for row in top..bottom {
                let to = &mut to[row * last.extent..][left..right];
                let from = x[row * inner.step + left * last.step..].iter().step_by(last.step);
                for (to, from) in to.iter_mut().zip(from) {
                    *to = *from;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_that_stay_side_by_side_are_one() {
        let axis = |extent, step| Axis { extent, step };
        assert_eq!(merged(&[0, 3, 1, 2], &[2, 3, 5, 7]), [axis(2, 105), axis(7, 1), axis(15, 7)]);
        assert_eq!(merged(&[0, 3, 1, 2], &[1, 3, 5, 7]), [axis(7, 1), axis(15, 7)]);
        assert_eq!(merged(&[0, 1, 2], &[2, 3, 5]), [axis(30, 1)]);
        assert_eq!(merged(&[1, 0], &[1, 1]), [axis(1, 1)]);
    }
}
