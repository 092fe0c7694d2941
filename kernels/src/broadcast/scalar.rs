//! The specification: plain loops.

use super::{BroadcastRow, How, Operand, Operation};
use crate::features::Schedule;
use crate::kernel::Identity;
use crate::stored::Stored;
use half::f16;

pub(super) const F32: BroadcastRow<f32> = BroadcastRow {
    identity: Identity {
        name: "broadcast_f32_scalar",
        operation: "broadcast",
        element: "f32",
        tile: "",
        needs: &[],
        schedule: Schedule::OutOfOrder,
    },
    row: row::<f32>,
};

pub(super) const F16: BroadcastRow<f16> = BroadcastRow {
    identity: Identity {
        name: "broadcast_f16_scalar",
        operation: "broadcast",
        element: "f16",
        tile: "",
        needs: &[],
        schedule: Schedule::OutOfOrder,
    },
    row: row::<f16>,
};

pub(super) const I8: BroadcastRow<i8> = BroadcastRow {
    identity: Identity {
        name: "broadcast_i8_scalar",
        operation: "broadcast",
        element: "i8",
        tile: "",
        needs: &[],
        schedule: Schedule::OutOfOrder,
    },
    row: row::<i8>,
};

pub(super) fn row<T: Stored>(a: &[T], b: Operand<'_, T>, how: &How, to: &mut [T]) {
    for (index, (&a, to)) in a.iter().zip(to).enumerate() {
        let a = (a.value() - how.a.zero_point as f32) * how.a.scale;
        let b = match b {
            Operand::One(value) => value,
            Operand::Each(values) => {
                (values[index].value() - how.b.zero_point as f32) * how.b.scale
            }
        };
        let value = match how.operation {
            Operation::Add => a + b,
            Operation::Mul => a * b,
        };
        let value = how.activation.of(value);
        *to = if T::QUANTIZED {
            T::nearest((value * (1.0 / how.to.scale)).round_ties_even() + how.to.zero_point as f32)
        } else {
            T::nearest(value)
        };
    }
}
