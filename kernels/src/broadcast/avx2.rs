use super::{BroadcastRow, How, Operand, lanes};
use crate::features::{Isa, Schedule};
use crate::kernel::Identity;
use crate::lanes::Avx2;
use crate::stored::Stored;
use half::f16;

pub(super) const F32: BroadcastRow<f32> = BroadcastRow {
    identity: Identity {
        name: "broadcast_f32_avx2",
        operation: "broadcast",
        element: "f32",
        tile: "",
        needs: &[Isa::Avx2],
        schedule: Schedule::OutOfOrder,
    },
    row: row::<f32>,
};

pub(super) const F16: BroadcastRow<f16> = BroadcastRow {
    identity: Identity {
        name: "broadcast_f16_avx2",
        operation: "broadcast",
        element: "f16",
        tile: "",
        needs: &[Isa::Avx2],
        schedule: Schedule::OutOfOrder,
    },
    row: row::<f16>,
};

pub(super) const I8: BroadcastRow<i8> = BroadcastRow {
    identity: Identity {
        name: "broadcast_i8_avx2",
        operation: "broadcast",
        element: "i8",
        tile: "",
        needs: &[Isa::Avx2],
        schedule: Schedule::OutOfOrder,
    },
    row: row::<i8>,
};

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn row<T: Stored>(a: &[T], b: Operand<'_, T>, how: &How, to: &mut [T]) {
    // SAFETY: the features are enabled here; the rest is passed on to the caller.
    unsafe { lanes::row::<Avx2, T>(a, b, how, to) }
}
