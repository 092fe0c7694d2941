//! Values that change their places and nothing else; those of a concatenation may change their quantization, too.

mod transpose;

use super::convert::{Conversion, Form};
use super::operands::{cut_up, expect, image, per_tensor, require, row_shares};
use super::{Call, Context, Execute, refused};
use crate::runtime::engine::{RuntimeError, View};
use crate::runtime::pool::Pool;
use crate::runtime::program::{Op, Step, Value};
use std::ops::Range;

pub(super) fn prepare(context: &Context, step: &Step) -> Result<Box<dyn Execute>, RuntimeError> {
    let [y] = context.outputs(step)?;
    per_tensor(step, y)?;
    if let Op::Concat { axis } = step.op {
        return concat(context, step, axis, y);
    }
    let [x] = context.inputs(step)?;
    per_tensor(step, x)?;
    expect(step, &y.name, Form::of(x), Form::of(y))?;
    match &step.op {
        Op::DepthToSpace { block } => depth_to_space(step, *block, x, y),
        Op::Slice { axis, start } => slice(step, *axis, *start, x, y),
        Op::Transpose { axes } => transpose::prepare(step, axes, x, y),
        Op::Pad { image, channels } => pad(step, *image, *channels, x, y),
        _ => Err(refused(step, "no movement of values")),
    }
}

/// Elements from one index of an axis to the next.
fn distance(value: &Value, axis: usize) -> usize {
    value.shape[axis + 1..].iter().product()
}

/// That an axis is one of a value's, and that another value differs from it along that axis at most.
fn differ_along(step: &Step, axis: usize, x: &Value, y: &Value) -> Result<(), RuntimeError> {
    let axes = y.shape.len();
    require(step, axis < axes, "axis", &format!("less than {axes}"), axis)?;
    let mut expected = y.shape.clone();
    if let (Some(to), Some(&extent)) = (expected.get_mut(axis), x.shape.get(axis)) {
        *to = extent;
    }
    expect(step, &x.name, &expected, &x.shape)
}

/// A part of an output.
struct Piece<'a> {
    /// Its first byte in the output.
    at: usize,
    bytes: &'a mut [u8],
}

/// Shares an output of bytes out; pieces end at multiples of `unit` bytes.
fn share_pieces(
    pool: &Pool,
    scratch: &mut [&mut [u8]],
    output: &mut [u8],
    unit: usize,
    work: impl Fn(Piece) + Sync,
) {
    let ranges = row_shares(output.len() / unit, unit, pool.threads());
    let parts = cut_up(output, ranges.iter().map(|range| range.len() * unit));
    let pieces =
        ranges.iter().zip(parts).map(|(range, bytes)| Piece { at: range.start * unit, bytes });
    pool.for_each(pieces.collect(), scratch, |piece, _| work(piece));
}

fn concat(
    context: &Context,
    step: &Step,
    axis: usize,
    y: &Value,
) -> Result<Box<dyn Execute>, RuntimeError> {
    let inputs = step.inputs.iter().map(|&id| &context.program.values[id]).collect::<Vec<_>>();
    require(step, !inputs.is_empty(), "inputs", "1 or more", inputs.len())?;
    let mut parts = Vec::with_capacity(inputs.len());
    let mut extent = 0usize;
    for x in inputs {
        per_tensor(step, x)?;
        differ_along(step, axis, x, y)?;
        let elements = distance(y, axis);
        let start = extent * elements;
        // Both are at most as many as a value has elements.
        extent += x.shape[axis];
        require(
            step,
            extent <= y.shape[axis],
            "extents of all inputs",
            &format!("{}", y.shape[axis]),
            extent,
        )?;
        parts.push(Part {
            elements: start..extent * elements,
            size: x.element.size(),
            conversion: Conversion::between(context.features, Form::of(x), Form::of(y)),
        });
    }
    expect(step, "extents of all inputs", y.shape[axis], extent)?;
    let row = y.shape[axis] * distance(y, axis);
    Ok(Box::new(Concat { parts, row, size: y.element.size() }))
}

#[derive(Debug)]
struct Concat {
    parts: Vec<Part>,
    /// Elements of all inputs that stand one after the other.
    row: usize,
    /// Bytes of an element of y.
    size: usize,
}

/// Where an input's elements are in a row.
#[derive(Debug)]
struct Part {
    elements: Range<usize>,
    /// Bytes of an element of the input.
    size: usize,
    conversion: Conversion,
}

impl Concat {
    /// Writes a range of a row.
    fn range(&self, inputs: &[View], row: usize, range: Range<usize>, to: &mut [u8]) {
        for (part, input) in self.parts.iter().zip(inputs) {
            let start = range.start.max(part.elements.start);
            let end = range.end.min(part.elements.end);
            if start >= end {
                continue;
            }
            let first = row * part.elements.len() + start - part.elements.start;
            let from = &input.bytes[first * part.size..(first + end - start) * part.size];
            let own = (start - range.start) * self.size..(end - range.start) * self.size;
            part.conversion.all(from, &mut to[own]);
        }
    }
}

impl Execute for Concat {
    fn run(&self, call: Call) {
        let Call { inputs, outputs, pool, scratch, .. } = call;
        let row = self.row * self.size;
        share_pieces(pool, scratch, outputs[0].bytes, self.size, |piece| {
            for (row, offset, to) in rows(piece, row) {
                let start = offset / self.size;
                self.range(inputs, row, start..start + to.len() / self.size, to);
            }
        });
    }
}

/// Cuts a piece where rows end: each with its row and where it starts in that.
fn rows(piece: Piece<'_>, row: usize) -> impl Iterator<Item = (usize, usize, &mut [u8])> {
    let Piece { at, bytes } = piece;
    let (mut rest, mut at) = (bytes, at);
    std::iter::from_fn(move || {
        let length = rest.len().min(row - at % row);
        if length == 0 {
            return None;
        }
        let (part, tail) = std::mem::take(&mut rest).split_at_mut(length);
        rest = tail;
        let place = (at / row, at % row, part);
        at += length;
        Some(place)
    })
}

fn slice(
    step: &Step,
    axis: usize,
    start: usize,
    x: &Value,
    y: &Value,
) -> Result<Box<dyn Execute>, RuntimeError> {
    differ_along(step, axis, x, y)?;
    let end = start.checked_add(y.shape[axis]);
    let holds = end.is_some_and(|end| end <= x.shape[axis]);
    let range = format!("{} indices from {start} on", y.shape[axis]);
    require(step, holds, &x.name, &range, x.shape[axis])?;
    let inner = distance(x, axis) * x.element.size();
    Ok(Box::new(Slice {
        row_from: x.shape[axis] * inner,
        start: start * inner,
        row_to: y.shape[axis] * inner,
        size: x.element.size(),
    }))
}

/// In bytes.
#[derive(Debug)]
struct Slice {
    row_from: usize,
    start: usize,
    row_to: usize,
    /// Of an element.
    size: usize,
}

impl Execute for Slice {
    fn run(&self, call: Call) {
        let Call { inputs, outputs, pool, scratch, .. } = call;
        let x = inputs[0].bytes;
        share_pieces(pool, scratch, outputs[0].bytes, self.size, |piece| {
            for (row, offset, to) in rows(piece, self.row_to) {
                let from = row * self.row_from + self.start + offset;
                to.copy_from_slice(&x[from..from + to.len()]);
            }
        });
    }
}

fn depth_to_space(
    step: &Step,
    block: usize,
    x: &Value,
    y: &Value,
) -> Result<Box<dyn Execute>, RuntimeError> {
    let [n, height, width, depth] = image(step, x)?;
    let area = block.checked_mul(block).filter(|&area| area > 0 && depth.is_multiple_of(area));
    let Some(area) = area else {
        return Err(refused(
            step,
            format!("block: expected one whose square divides {depth}, found {block}"),
        ));
    };
    // The square of the block is no more than the depth: all of this is smaller than x.
    let expected = [n, height * block, width * block, depth / area];
    expect(step, &y.name, expected.as_slice(), &y.shape[..])?;
    let run = depth / block * x.element.size();
    Ok(Box::new(DepthToSpace { block, width, run }))
}

#[derive(Debug)]
struct DepthToSpace {
    block: usize,
    /// Of x.
    width: usize,
    /// Bytes that stay together: a row of a block's pixels.
    run: usize,
}

impl Execute for DepthToSpace {
    fn run(&self, call: Call) {
        let Call { inputs, outputs, pool, scratch, .. } = call;
        let Self { block, width, run } = *self;
        let x = inputs[0].bytes;
        share_pieces(pool, scratch, outputs[0].bytes, run, |piece| {
            let first = piece.at / run;
            for (index, to) in piece.bytes.chunks_exact_mut(run).enumerate() {
                // Of y's rows, each of which is `width` runs.
                let (row, column) = ((first + index) / width, (first + index) % width);
                let pixel = row / block * width + column;
                let from = (pixel * block + row % block) * run;
                to.copy_from_slice(&x[from..from + run]);
            }
        });
    }
}

fn pad(
    step: &Step,
    [top, left, bottom, right]: [usize; 4],
    [before, after]: [usize; 2],
    x: &Value,
    y: &Value,
) -> Result<Box<dyn Execute>, RuntimeError> {
    let [n, height, width, channels] = image(step, x)?;
    let padded = |extent: usize, before: usize, after: usize| {
        extent.saturating_add(before).saturating_add(after)
    };
    let expected = [
        n,
        padded(height, top, bottom),
        padded(width, left, right),
        padded(channels, before, after),
    ];
    expect(step, &y.name, expected.as_slice(), &y.shape[..])?;
    let size = x.element.size();
    let zero = x.quantization.map_or(0, |quantization| quantization.zero_point as u8);
    Ok(Box::new(Pad {
        from: [height, width, channels * size],
        to: [expected[1], expected[2], expected[3] * size],
        start: [top, left, before * size],
        zero,
    }))
}

/// Heights, widths, and bytes of a pixel.
#[derive(Debug)]
struct Pad {
    from: [usize; 3],
    to: [usize; 3],
    start: [usize; 3],
    /// A byte of what stands for 0.
    zero: u8,
}

impl Pad {
    /// Writes a row of the output.
    fn row(&self, x: &[u8], row: usize, to: &mut [u8]) {
        let [height, width, pixel] = self.from;
        let (image, y) = (row / self.to[0], row % self.to[0]);
        let Some(y) = y.checked_sub(self.start[0]).filter(|&y| y < height) else {
            to.fill(self.zero);
            return;
        };
        let from = &x[(image * height + y) * width * pixel..][..width * pixel];
        let pixel_to = self.to[2];
        let (left, rest) = to.split_at_mut(self.start[1] * pixel_to);
        let (inside, right) = rest.split_at_mut(width * pixel_to);
        left.fill(self.zero);
        right.fill(self.zero);
        if pixel == pixel_to {
            inside.copy_from_slice(from);
            return;
        }
        for (from, to) in from.chunks_exact(pixel).zip(inside.chunks_exact_mut(pixel_to)) {
            let (before, rest) = to.split_at_mut(self.start[2]);
            let (own, after) = rest.split_at_mut(pixel);
            before.fill(self.zero);
            own.copy_from_slice(from);
            after.fill(self.zero);
        }
    }
}

impl Execute for Pad {
    fn run(&self, call: Call) {
        let Call { inputs, outputs, pool, scratch, .. } = call;
        let x = inputs[0].bytes;
        let row = self.to[1] * self.to[2];
        share_pieces(pool, scratch, outputs[0].bytes, row, |piece| {
            let first = piece.at / row;
            for (index, to) in piece.bytes.chunks_exact_mut(row).enumerate() {
                self.row(x, first + index, to);
            }
        });
    }
}
