use super::{PoolRow, Taps, lanes};
use crate::features::{Isa, Schedule};
use crate::kernel::Identity;
use crate::lanes::Avx2;
use crate::stored::Stored;
use half::f16;

pub(super) const F32: PoolRow<f32> = PoolRow {
    identity: Identity {
        name: "pool_f32_avx2",
        operation: "pool",
        element: "f32",
        tile: "",
        needs: &[Isa::Avx2],
        schedule: Schedule::OutOfOrder,
    },
    greatest: greatest::<f32>,
    mean: mean::<f32>,
};

pub(super) const F16: PoolRow<f16> = PoolRow {
    identity: Identity {
        name: "pool_f16_avx2",
        operation: "pool",
        element: "f16",
        tile: "",
        needs: &[Isa::Avx2],
        schedule: Schedule::OutOfOrder,
    },
    greatest: greatest::<f16>,
    mean: mean::<f16>,
};

pub(super) const I8: PoolRow<i8> = PoolRow {
    identity: Identity {
        name: "pool_i8_avx2",
        operation: "pool",
        element: "i8",
        tile: "",
        needs: &[Isa::Avx2],
        schedule: Schedule::OutOfOrder,
    },
    greatest: greatest::<i8>,
    mean: mean::<i8>,
};

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn greatest<T: Stored>(from: &[T], taps: &Taps, to: &mut [T]) {
    // SAFETY: the features are enabled here; the rest is passed on to the caller.
    unsafe { lanes::greatest::<Avx2, T>(from, taps, to) }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn mean<T: Stored>(from: &[T], taps: &Taps, to: &mut [T]) {
    // SAFETY: the features are enabled here; the rest is passed on to the caller.
    unsafe { lanes::mean::<Avx2, T>(from, taps, to) }
}
