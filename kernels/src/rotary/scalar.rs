//! The specification: plain loops.

use super::RotaryRow;
use crate::features::Schedule;
use crate::kernel::Identity;
use crate::stored::Stored;
use half::f16;

pub(super) const F32: RotaryRow<f32> = RotaryRow {
    identity: Identity {
        name: "rotary_f32_scalar",
        operation: "rotary",
        element: "f32",
        tile: "",
        needs: &[],
        schedule: Schedule::OutOfOrder,
    },
    turn: turn::<f32>,
};

pub(super) const F16: RotaryRow<f16> = RotaryRow {
    identity: Identity {
        name: "rotary_f16_scalar",
        operation: "rotary",
        element: "f16",
        tile: "",
        needs: &[],
        schedule: Schedule::OutOfOrder,
    },
    turn: turn::<f16>,
};

/// Each value with the other of its pair: the table holds a pair's cosine twice, and its sine with both signs.
pub(super) fn turn<T: Stored>(from: &[T], cosines: &[f32], sines: &[f32], to: &mut [T]) {
    for index in 0..from.len() {
        let (value, other) = (from[index].value(), from[index ^ 1].value());
        to[index] = T::nearest(other.mul_add(sines[index], value * cosines[index]));
    }
}
