use super::{RotaryRow, lanes};
use crate::features::{Isa, Schedule};
use crate::kernel::Identity;
use crate::lanes::Avx2;
use crate::stored::Stored;
use half::f16;

pub(super) const F32: RotaryRow<f32> = RotaryRow {
    identity: Identity {
        name: "rotary_f32_avx2",
        operation: "rotary",
        element: "f32",
        tile: "",
        needs: &[Isa::Avx2],
        schedule: Schedule::OutOfOrder,
    },
    turn: turn::<f32>,
};

pub(super) const F16: RotaryRow<f16> = RotaryRow {
    identity: Identity {
        name: "rotary_f16_avx2",
        operation: "rotary",
        element: "f16",
        tile: "",
        needs: &[Isa::Avx2],
        schedule: Schedule::OutOfOrder,
    },
    turn: turn::<f16>,
};

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn turn<T: Stored>(from: &[T], cosines: &[f32], sines: &[f32], to: &mut [T]) {
    // SAFETY: the features are enabled here; the rest is passed on to the caller.
    unsafe { lanes::turn::<Avx2, T>(from, cosines, sines, to) }
}
