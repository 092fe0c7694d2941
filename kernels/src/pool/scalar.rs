//! The specification: plain loops.

use super::{PoolRow, Taps};
use crate::features::Schedule;
use crate::kernel::Identity;
use crate::stored::Stored;
use half::f16;

pub(super) const F32: PoolRow<f32> = PoolRow {
    identity: Identity {
        name: "pool_f32_scalar",
        operation: "pool",
        element: "f32",
        tile: "",
        needs: &[],
        schedule: Schedule::OutOfOrder,
    },
    greatest: greatest::<f32>,
    mean: mean::<f32>,
};

pub(super) const F16: PoolRow<f16> = PoolRow {
    identity: Identity {
        name: "pool_f16_scalar",
        operation: "pool",
        element: "f16",
        tile: "",
        needs: &[],
        schedule: Schedule::OutOfOrder,
    },
    greatest: greatest::<f16>,
    mean: mean::<f16>,
};

pub(super) const I8: PoolRow<i8> = PoolRow {
    identity: Identity {
        name: "pool_i8_scalar",
        operation: "pool",
        element: "i8",
        tile: "",
        needs: &[],
        schedule: Schedule::OutOfOrder,
    },
    greatest: greatest::<i8>,
    mean: mean::<i8>,
};

fn greatest<T: Stored>(from: &[T], taps: &Taps, to: &mut [T]) {
    greatest_from(from, taps, to, 0);
}

fn mean<T: Stored>(from: &[T], taps: &Taps, to: &mut [T]) {
    mean_from(from, taps, to, 0);
}

/// Channels from `first` on.
pub(super) fn greatest_from<T: Stored>(from: &[T], taps: &Taps, to: &mut [T], first: usize) {
    for channel in first..to.len() {
        let mut greatest = f32::NEG_INFINITY;
        for tap in taps.offsets() {
            let value = from[tap + channel].value();
            greatest = if value > greatest { value } else { greatest };
        }
        to[channel] = T::nearest(greatest);
    }
}

/// Channels from `first` on.
pub(super) fn mean_from<T: Stored>(from: &[T], taps: &Taps, to: &mut [T], first: usize) {
    for channel in first..to.len() {
        let mut sum = 0.0;
        for tap in taps.offsets() {
            sum += from[tap + channel].value();
        }
        to[channel] = T::nearest(sum * taps.share);
    }
}
