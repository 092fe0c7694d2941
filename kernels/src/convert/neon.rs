use super::{ConvertRow, Scaling, lanes};
use crate::features::{Isa, Schedule};
use crate::kernel::Identity;
use crate::lanes::Neon;
use crate::stored::Stored;
use half::f16;

pub(super) const F32_F16: ConvertRow<f32, f16> = ConvertRow {
    identity: Identity {
        name: "convert_f32_f16_neon",
        operation: "convert",
        element: "f32_f16",
        tile: "",
        needs: &[Isa::Neon],
        schedule: Schedule::OutOfOrder,
    },
    row: row::<f32, f16>,
    greatest: greatest::<f32>,
};

pub(super) const F32_I8: ConvertRow<f32, i8> = ConvertRow {
    identity: Identity {
        name: "convert_f32_i8_neon",
        operation: "convert",
        element: "f32_i8",
        tile: "",
        needs: &[Isa::Neon],
        schedule: Schedule::OutOfOrder,
    },
    row: row::<f32, i8>,
    greatest: greatest::<f32>,
};

pub(super) const F16_F32: ConvertRow<f16, f32> = ConvertRow {
    identity: Identity {
        name: "convert_f16_f32_neon",
        operation: "convert",
        element: "f16_f32",
        tile: "",
        needs: &[Isa::Neon],
        schedule: Schedule::OutOfOrder,
    },
    row: row::<f16, f32>,
    greatest: greatest::<f16>,
};

pub(super) const F16_I8: ConvertRow<f16, i8> = ConvertRow {
    identity: Identity {
        name: "convert_f16_i8_neon",
        operation: "convert",
        element: "f16_i8",
        tile: "",
        needs: &[Isa::Neon],
        schedule: Schedule::OutOfOrder,
    },
    row: row::<f16, i8>,
    greatest: greatest::<f16>,
};

pub(super) const I8_F32: ConvertRow<i8, f32> = ConvertRow {
    identity: Identity {
        name: "convert_i8_f32_neon",
        operation: "convert",
        element: "i8_f32",
        tile: "",
        needs: &[Isa::Neon],
        schedule: Schedule::OutOfOrder,
    },
    row: row::<i8, f32>,
    greatest: greatest::<i8>,
};

pub(super) const I8_F16: ConvertRow<i8, f16> = ConvertRow {
    identity: Identity {
        name: "convert_i8_f16_neon",
        operation: "convert",
        element: "i8_f16",
        tile: "",
        needs: &[Isa::Neon],
        schedule: Schedule::OutOfOrder,
    },
    row: row::<i8, f16>,
    greatest: greatest::<i8>,
};

pub(super) const I8_I8: ConvertRow<i8, i8> = ConvertRow {
    identity: Identity {
        name: "convert_i8_i8_neon",
        operation: "convert",
        element: "i8_i8",
        tile: "",
        needs: &[Isa::Neon],
        schedule: Schedule::OutOfOrder,
    },
    row: row::<i8, i8>,
    greatest: greatest::<i8>,
};

#[target_feature(enable = "neon")]
unsafe fn row<A: Stored, B: Stored>(from: &[A], scaling: Scaling<'_>, to: &mut [B]) {
    // SAFETY: the features are enabled here; the rest is passed on to the caller.
    unsafe { lanes::row::<Neon, A, B>(from, scaling, to) }
}

#[target_feature(enable = "neon")]
unsafe fn greatest<A: Stored>(from: &[A]) -> f32 {
    // SAFETY: the features are enabled here; the rest is passed on to the caller.
    unsafe { lanes::greatest::<Neon, A>(from) }
}
