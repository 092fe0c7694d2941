//! The specification: plain loops.

use super::{ConvertRow, Factors, Scaling};
use crate::features::Schedule;
use crate::kernel::Identity;
use crate::stored::Stored;
use half::f16;

pub(super) const F32_F16: ConvertRow<f32, f16> = ConvertRow {
    identity: Identity {
        name: "convert_f32_f16_scalar",
        operation: "convert",
        element: "f32_f16",
        tile: "",
        needs: &[],
        schedule: Schedule::OutOfOrder,
    },
    row: row::<f32, f16>,
    greatest: greatest::<f32>,
};

pub(super) const F32_I8: ConvertRow<f32, i8> = ConvertRow {
    identity: Identity {
        name: "convert_f32_i8_scalar",
        operation: "convert",
        element: "f32_i8",
        tile: "",
        needs: &[],
        schedule: Schedule::OutOfOrder,
    },
    row: row::<f32, i8>,
    greatest: greatest::<f32>,
};

pub(super) const F16_F32: ConvertRow<f16, f32> = ConvertRow {
    identity: Identity {
        name: "convert_f16_f32_scalar",
        operation: "convert",
        element: "f16_f32",
        tile: "",
        needs: &[],
        schedule: Schedule::OutOfOrder,
    },
    row: row::<f16, f32>,
    greatest: greatest::<f16>,
};

pub(super) const F16_I8: ConvertRow<f16, i8> = ConvertRow {
    identity: Identity {
        name: "convert_f16_i8_scalar",
        operation: "convert",
        element: "f16_i8",
        tile: "",
        needs: &[],
        schedule: Schedule::OutOfOrder,
    },
    row: row::<f16, i8>,
    greatest: greatest::<f16>,
};

pub(super) const I8_F32: ConvertRow<i8, f32> = ConvertRow {
    identity: Identity {
        name: "convert_i8_f32_scalar",
        operation: "convert",
        element: "i8_f32",
        tile: "",
        needs: &[],
        schedule: Schedule::OutOfOrder,
    },
    row: row::<i8, f32>,
    greatest: greatest::<i8>,
};

pub(super) const I8_F16: ConvertRow<i8, f16> = ConvertRow {
    identity: Identity {
        name: "convert_i8_f16_scalar",
        operation: "convert",
        element: "i8_f16",
        tile: "",
        needs: &[],
        schedule: Schedule::OutOfOrder,
    },
    row: row::<i8, f16>,
    greatest: greatest::<i8>,
};

pub(super) const I8_I8: ConvertRow<i8, i8> = ConvertRow {
    identity: Identity {
        name: "convert_i8_i8_scalar",
        operation: "convert",
        element: "i8_i8",
        tile: "",
        needs: &[],
        schedule: Schedule::OutOfOrder,
    },
    row: row::<i8, i8>,
    greatest: greatest::<i8>,
};

pub(super) fn row<A: Stored, B: Stored>(from: &[A], scaling: Scaling<'_>, to: &mut [B]) {
    for (column, (from, to)) in from.iter().zip(to).enumerate() {
        let factor = match scaling.factors {
            Factors::One(factor) => factor,
            Factors::Channels(factors) => factors[column],
        };
        let value = (from.value() - scaling.zero_from as f32) * factor;
        *to = if B::QUANTIZED {
            B::nearest(value.round_ties_even() + scaling.zero_to as f32)
        } else {
            B::nearest(value)
        };
    }
}

pub(super) fn greatest<A: Stored>(from: &[A]) -> f32 {
    from.iter().map(|value| value.value().abs()).fold(0.0, f32::max)
}
