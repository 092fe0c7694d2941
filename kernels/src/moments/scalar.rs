//! The specification: plain loops.

use super::{Moments, MomentsRow};
use crate::features::Schedule;
use crate::kernel::Identity;

pub(super) const MOMENTS: MomentsRow = MomentsRow {
    identity: Identity {
        name: "moments_u8_1_scalar",
        operation: "moments",
        element: "u8",
        tile: "1",
        needs: &[],
        schedule: Schedule::OutOfOrder,
    },
    add,
};

pub(super) fn add(pixels: &[u8], mask: &[u8], to: &mut Moments) {
    for (pixel, &weight) in pixels.as_chunks::<3>().0.iter().zip(mask) {
        let weight = u64::from(weight);
        to.weight += weight;
        for c in 0..3 {
            let value = u64::from(pixel[c]);
            to.sums[c] += weight * value;
            to.squares[c] += weight * value * value;
        }
    }
}
