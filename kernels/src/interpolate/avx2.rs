use super::{InterpolateRow, Pixels, lanes};
use crate::features::{Isa, Schedule};
use crate::kernel::Identity;
use crate::lanes::Avx2;
use crate::stored::Stored;
use half::f16;

pub(super) const F32: InterpolateRow<f32> = InterpolateRow {
    identity: Identity {
        name: "interpolate_f32_avx2",
        operation: "interpolate",
        element: "f32",
        tile: "",
        needs: &[Isa::Avx2],
        schedule: Schedule::OutOfOrder,
    },
    mix: mix::<f32>,
};

pub(super) const F16: InterpolateRow<f16> = InterpolateRow {
    identity: Identity {
        name: "interpolate_f16_avx2",
        operation: "interpolate",
        element: "f16",
        tile: "",
        needs: &[Isa::Avx2],
        schedule: Schedule::OutOfOrder,
    },
    mix: mix::<f16>,
};

pub(super) const I8: InterpolateRow<i8> = InterpolateRow {
    identity: Identity {
        name: "interpolate_i8_avx2",
        operation: "interpolate",
        element: "i8",
        tile: "",
        needs: &[Isa::Avx2],
        schedule: Schedule::OutOfOrder,
    },
    mix: mix::<i8>,
};

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn mix<T: Stored>(pixels: &Pixels<T>, to: &mut [T]) {
    // SAFETY: the features are enabled here; the rest is passed on to the caller.
    unsafe { lanes::mix::<Avx2, T>(pixels, to) }
}
