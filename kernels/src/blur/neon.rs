//! The plain loops, compiled with this engine's instructions.

use super::{BlurRow, scalar};
use crate::features::{Isa, Schedule};
use crate::kernel::Identity;

pub(super) const BLUR: BlurRow = BlurRow {
    identity: Identity {
        name: "blur_u8_neon",
        operation: "blur",
        element: "u8",
        tile: "",
        needs: &[Isa::Neon],
        schedule: Schedule::OutOfOrder,
    },
    enter,
    slide,
    means,
};

#[target_feature(enable = "neon")]
unsafe fn enter(row: &[u8], sums: &mut [i16]) {
    scalar::enter(row, sums)
}

#[target_feature(enable = "neon")]
unsafe fn slide(entering: &[u8], leaving: &[u8], sums: &mut [i16]) {
    scalar::slide(entering, leaving, sums)
}

#[target_feature(enable = "neon")]
unsafe fn means(starts: &[i32], ends: &[i32], share: f32, row: &mut [u8]) {
    scalar::means(starts, ends, share, row)
}
