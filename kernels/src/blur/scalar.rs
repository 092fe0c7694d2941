//! The specification: plain loops, which the engines' files compile with their instructions.

use super::BlurRow;
use crate::features::Schedule;
use crate::kernel::Identity;

pub(super) const BLUR: BlurRow = BlurRow {
    identity: Identity {
        name: "blur_u8_scalar",
        operation: "blur",
        element: "u8",
        tile: "",
        needs: &[],
        schedule: Schedule::OutOfOrder,
    },
    enter,
    slide,
    means,
};

#[inline(always)]
pub(super) fn enter(row: &[u8], sums: &mut [i16]) {
    for (sum, &value) in sums.iter_mut().zip(row) {
        *sum = sum.wrapping_add(i16::from(value));
    }
}

#[inline(always)]
pub(super) fn slide(entering: &[u8], leaving: &[u8], sums: &mut [i16]) {
    for ((sum, &entering), &leaving) in sums.iter_mut().zip(entering).zip(leaving) {
        *sum = sum.wrapping_add(i16::from(entering) - i16::from(leaving));
    }
}

#[inline(always)]
pub(super) fn means(starts: &[i32], ends: &[i32], share: f32, row: &mut [u8]) {
    for ((byte, &start), &end) in row.iter_mut().zip(starts).zip(ends) {
        let mean = end.wrapping_sub(start) as f32 * share;
        *byte = mean.round_ties_even() as i32 as u8;
    }
}
