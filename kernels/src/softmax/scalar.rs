//! The specification.

use super::Softmax;
use crate::elements::{Input, Output};
use crate::math::exp_of_negative;
use crate::norm::scalar::sum;
use half::f16;

pub fn run(softmax: Softmax, input: Input, mut output: Output) {
    let Softmax { columns, scale } = softmax;
    for start in (0..input.len()).step_by(columns) {
        let row = input.part(start..start + columns);
        let greatest = (0..columns).map(|j| row.at(j)).fold(f32::NEG_INFINITY, f32::max);
        // SAFETY: one lane needs no instructions.
        let power = |j| unsafe { exp_of_negative((row.at(j) - greatest) * scale) };
        let share = 1.0 / sum((0..columns).map(power), |e, sum| sum + e);
        for j in 0..columns {
            let e = match output {
                Output::F16(_) => f16::from_f32(power(j)).to_f32(),
                _ => power(j),
            };
            output.put(start + j, e * share);
        }
    }
}
