use super::{Moments, MomentsRow, lanes};
use crate::bytes::Neon;
use crate::features::{Isa, Schedule};
use crate::kernel::Identity;

pub(super) const MOMENTS: MomentsRow = MomentsRow {
    identity: Identity {
        name: "moments_u8_256_neon",
        operation: "moments",
        element: "u8",
        tile: "256",
        needs: &[Isa::Neon],
        schedule: Schedule::OutOfOrder,
    },
    add,
};

#[target_feature(enable = "neon")]
unsafe fn add(pixels: &[u8], mask: &[u8], to: &mut Moments) {
    // SAFETY: the features are enabled here; the rest is passed on to the caller.
    unsafe { lanes::add::<Neon>(pixels, mask, to) }
}
