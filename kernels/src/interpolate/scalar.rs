//! The specification: plain loops.

use super::InterpolateRow;
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

/// One pixel from its four neighbours: above left and right, below left and right.
pub(super) fn mix<T: Stored>(corners: [&[T]; 4], [across, down]: [f32; 2], to: &mut [T]) {
    for (channel, to) in to.iter_mut().enumerate() {
        let [a, b, c, d] = corners.map(|corner| corner[channel].value());
        let above = (b - a).mul_add(across, a);
        let below = (d - c).mul_add(across, c);
        *to = T::nearest((below - above).mul_add(down, above));
    }
}
