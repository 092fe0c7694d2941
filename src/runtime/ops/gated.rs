//! Gated activations: both halves of the last axis.

use super::operands::{cut_up, expect, float, row_shares, typed_mut};
use super::row_norm::rows_out;
use super::{Call, Context, Execute, refused};
use crate::runtime::engine::RuntimeError;
use crate::runtime::program::{Op, Step};
use kernels::elements::Input;
use kernels::gated::{Gated, Quantized, Version};
use kernels::kernel::Kernel;
use kernels::scratch::{bytes_for, cut};
use std::ops::Range;

pub(super) fn prepare(context: &Context, step: &Step) -> Result<Box<dyn Execute>, RuntimeError> {
    let Op::Gated { activation, gate_first } = step.op else {
        return Err(refused(step, "no gate"));
    };
    let [x] = context.inputs(step)?;
    float(step, x)?;
    let columns = x.channels() / 2;
    let mut shape = x.shape.clone();
    if let Some(last) = shape.last_mut() {
        *last = columns;
    }
    expect(step, "channels of two halves", 2 * columns, x.channels())?;
    let y = rows_out(context, step, &shape)?;
    let stride = 2 * columns;
    let gated = Gated { columns, value_stride: stride, gate_stride: stride, activation };
    let kernel = Kernel::first(context.features);
    Ok(Box::new(Ready { kernel, gated, gate_first, dynamic: y.row_steps.is_some() }))
}

#[derive(Debug)]
struct Ready {
    kernel: Kernel<Version>,
    gated: Gated,
    gate_first: bool,
    /// Each row gets a step of its own.
    dynamic: bool,
}

impl Ready {
    /// Values and gates of some rows.
    fn halves<'a>(&self, x: Input<'a>, rows: Range<usize>) -> (Input<'a>, Input<'a>) {
        let Gated { columns, value_stride, .. } = self.gated;
        let (start, end) = (rows.start * value_stride, rows.end * value_stride);
        let (first, second) = (x.part(start..end), x.part(start + columns..end));
        if self.gate_first { (second, first) } else { (first, second) }
    }
}

impl Execute for Ready {
    fn scratch_bytes(&self) -> usize {
        if self.dynamic { bytes_for::<f32>(self.gated.columns) } else { 0 }
    }

    fn run(&self, call: Call) {
        let Call { inputs, outputs, pool, scratch, .. } = call;
        let x = inputs[0].input().expect("floats, as was checked");
        let value = inputs[0].value;
        let row_bytes = value.channels() * value.element.size();
        let ranges = row_shares(value.rows(), row_bytes, pool.threads());
        let (y, rest) = outputs.split_first_mut().expect("an output, as was checked");
        let parts = y.split_rows(&ranges);
        if !self.dynamic {
            pool.for_each(parts, scratch, |mut part, _| {
                let (value, gate) = self.halves(x, part.rows.clone());
                self.kernel.run(self.gated, value, gate, part.elements());
            });
            return;
        }
        let steps = cut_up(typed_mut(rest[0].bytes), ranges.iter().map(|range| range.len()));
        let tasks = parts.into_iter().zip(steps).collect();
        pool.for_each(tasks, scratch, |(mut part, steps), mut scratch| {
            let (value, gate) = self.halves(x, part.rows.clone());
            let scratch = cut::<f32>(&mut scratch, self.gated.columns);
            let rows = Quantized { output: part.i8(), steps, scratch };
            self.kernel.run_dynamic(self.gated, value, gate, rows);
        });
    }
}
