use super::{InterpolateRow, Pixels, lanes};
use crate::features::{Isa, Schedule};
use crate::kernel::Identity;
use crate::lanes::Neon;
use crate::stored::Stored;
use half::f16;

pub(super) const F32: InterpolateRow<f32> = InterpolateRow {
    identity: Identity {
        name: "interpolate_f32_neon",
        operation: "interpolate",
        element: "f32",
        tile: "",
        needs: &[Isa::Neon],
        schedule: Schedule::OutOfOrder,
    },
    mix: mix::<f32>,
};

pub(super) const F16: InterpolateRow<f16> = InterpolateRow {
    identity: Identity {
        name: "interpolate_f16_neon",
        operation: "interpolate",
        element: "f16",
        tile: "",
        needs: &[Isa::Neon],
        schedule: Schedule::OutOfOrder,
    },
    mix: mix::<f16>,
};

pub(super) const I8: InterpolateRow<i8> = InterpolateRow {
    identity: Identity {
        name: "interpolate_i8_neon",
        operation: "interpolate",
        element: "i8",
        tile: "",
        needs: &[Isa::Neon],
        schedule: Schedule::OutOfOrder,
    },
    mix: mix::<i8>,
};

#[target_feature(enable = "neon")]
unsafe fn mix<T: Stored>(pixels: &Pixels<T>, to: &mut [T]) {
    // SAFETY: the features are enabled here; the rest is passed on to the caller.
    unsafe { lanes::mix::<Neon, T>(pixels, to) }
}
