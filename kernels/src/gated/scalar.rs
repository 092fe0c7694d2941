//! The specification.

use super::{Gated, Quantized};
use crate::elements::{Input, Output};
use crate::norm::step;

/// The result at a position of the output.
fn result(gated: Gated, value: Input, gate: Input, position: usize) -> f32 {
    let (row, column) = (position / gated.columns, position % gated.columns);
    let value = value.at(row * gated.value_stride + column);
    let gate = gate.at(row * gated.gate_stride + column);
    value * gated.activation.of(gate)
}

pub fn run(gated: Gated, value: Input, gate: Input, mut output: Output) {
    for position in 0..output.len() {
        output.put(position, result(gated, value, gate, position));
    }
}

pub fn run_dynamic(gated: Gated, value: Input, gate: Input, rows: Quantized) {
    let columns = gated.columns;
    let row_scratch = &mut rows.scratch[..columns];
    for (row, bytes) in rows.output.chunks_exact_mut(columns).enumerate() {
        for (column, y) in row_scratch.iter_mut().enumerate() {
            *y = result(gated, value, gate, row * columns + column);
        }
        if !row_scratch.iter().all(|y| y.is_finite()) {
            rows.steps[row] = f32::NAN;
            bytes.fill(0);
            continue;
        }
        let greatest = row_scratch.iter().fold(0.0, |most: f32, y| most.max(y.abs()));
        let (step, factor) = step(greatest);
        rows.steps[row] = step;
        for (byte, y) in bytes.iter_mut().zip(&*row_scratch) {
            *byte = (y * factor).round_ties_even() as i8;
        }
    }
}
