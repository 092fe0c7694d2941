//! The specification.

use super::Coefficients;
use crate::elements::{Input, Output};

pub fn sums(pivot: Input, rows: Input, sums: &mut [f32]) {
    let channels = pivot.len();
    let (sum, squares) = sums.split_at_mut(channels);
    for channel in 0..channels {
        (sum[channel], squares[channel]) = (0.0, 0.0);
        for position in (channel..rows.len()).step_by(channels) {
            let d = rows.at(position) - pivot.at(channel);
            sum[channel] += d;
            squares[channel] = d.mul_add(d, squares[channel]);
        }
    }
}

pub fn apply(coefficients: Coefficients, rows: Input, mut output: Output) {
    let Coefficients { channels, values, activation } = coefficients;
    for position in 0..rows.len() {
        let channel = position % channels;
        let [centre, factor, term] = [0, 1, 2].map(|part| values[part * channels + channel]);
        let y = (rows.at(position) - centre).mul_add(factor, term);
        output.put(position, activation.of(y));
    }
}
