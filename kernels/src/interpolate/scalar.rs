//! The specification: plain loops.

use super::{Column, InterpolateRow, Pixels};
use crate::features::Schedule;
use crate::kernel::Identity;
use crate::stored::Stored;
use half::f16;

pub(super) const F32: InterpolateRow<f32> = InterpolateRow {
    identity: Identity {
        name: "interpolate_f32_scalar",
        operation: "interpolate",
        element: "f32",
        tile: "",
        needs: &[],
        schedule: Schedule::OutOfOrder,
    },
    mix: mix::<f32>,
};

pub(super) const F16: InterpolateRow<f16> = InterpolateRow {
    identity: Identity {
        name: "interpolate_f16_scalar",
        operation: "interpolate",
        element: "f16",
        tile: "",
        needs: &[],
        schedule: Schedule::OutOfOrder,
    },
    mix: mix::<f16>,
};

pub(super) const I8: InterpolateRow<i8> = InterpolateRow {
    identity: Identity {
        name: "interpolate_i8_scalar",
        operation: "interpolate",
        element: "i8",
        tile: "",
        needs: &[],
        schedule: Schedule::OutOfOrder,
    },
    mix: mix::<i8>,
};

fn mix<T: Stored>(pixels: &Pixels<T>, to: &mut [T]) {
    for (column, to) in pixels.columns.iter().zip(to.chunks_exact_mut(pixels.channels)) {
        mix_channels(pixels, column, 0, to);
    }
}

/// Channels of a pixel from `first` on, from its four neighbours: above left and right, below left and right.
pub(super) fn mix_channels<T: Stored>(
    pixels: &Pixels<T>,
    column: &Column,
    first: usize,
    to: &mut [T],
) {
    let Pixels { lines: [top, bottom], down, .. } = *pixels;
    let &Column { left, right, across } = column;
    for (channel, to) in (first..).zip(to) {
        let [a, b] = [left, right].map(|pixel| top[pixel + channel].value());
        let [c, d] = [left, right].map(|pixel| bottom[pixel + channel].value());
        let above = (b - a).mul_add(across, a);
        let below = (d - c).mul_add(across, c);
        *to = T::nearest((below - above).mul_add(down, above));
    }
}
