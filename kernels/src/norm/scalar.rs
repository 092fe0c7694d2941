//! The specification.

use super::{PARTIAL, RowNorm, Statistics, step};
use crate::elements::{Input, Output};

/// The sum in the order of all versions, see the module above.
pub fn sum(values: impl Iterator<Item = f32>, mut add: impl FnMut(f32, f32) -> f32) -> f32 {
    let mut partial = [0.0; PARTIAL];
    for (index, value) in values.enumerate() {
        partial[index % PARTIAL] = add(value, partial[index % PARTIAL]);
    }
    let mut half = PARTIAL / 2;
    while half > 0 {
        for index in 0..half {
            partial[index] += partial[index + half];
        }
        half /= 2;
    }
    partial[0]
}

fn statistics<const CENTRED: bool>(norm: RowNorm, row: Input) -> Statistics {
    let pivot = if CENTRED { row.at(0) } else { 0.0 };
    let differences = || (0..row.len()).map(|index| row.at(index) - pivot);
    let squares = sum(differences(), |d, squares| d.mul_add(d, squares));
    if CENTRED {
        let sum = sum(differences(), |d, sum| sum + d);
        Statistics::centred(pivot, sum, squares, row.len(), norm.epsilon)
    } else {
        Statistics::about_zero(squares, row.len(), norm.epsilon)
    }
}

fn result(norm: RowNorm, row: Input, statistics: Statistics, channel: usize) -> f32 {
    let Statistics { pivot, inverse, offset } = statistics;
    let normal = (row.at(channel) - pivot).mul_add(inverse, offset);
    norm.activation.of(normal.mul_add(norm.scale[channel], norm.shift[channel]))
}

pub fn run<const CENTRED: bool>(norm: RowNorm, input: Input, mut output: Output) {
    let channels = norm.channels();
    for start in (0..input.len()).step_by(channels) {
        let row = input.part(start..start + channels);
        let statistics = statistics::<CENTRED>(norm, row);
        for channel in 0..channels {
            output.put(start + channel, result(norm, row, statistics, channel));
        }
    }
}

pub fn run_dynamic<const CENTRED: bool>(
    norm: RowNorm,
    input: Input,
    output: &mut [i8],
    steps: &mut [f32],
) {
    let channels = norm.channels();
    for (index, row_out) in output.chunks_exact_mut(channels).enumerate() {
        let row = input.part(index * channels..(index + 1) * channels);
        let statistics = statistics::<CENTRED>(norm, row);
        if statistics.inverse.is_nan() {
            steps[index] = f32::NAN;
            row_out.fill(0);
            continue;
        }
        let of = |channel| result(norm, row, statistics, channel);
        let greatest = (0..channels).fold(0.0, |most: f32, channel| most.max(of(channel).abs()));
        let (step, factor) = step(greatest);
        steps[index] = step;
        for (channel, byte) in row_out.iter_mut().enumerate() {
            *byte = (of(channel) * factor).round_ties_even() as i8;
        }
    }
}
