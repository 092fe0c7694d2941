use super::{Moments, MomentsRow, lanes};
use crate::bytes::Avx2;
use crate::features::{Isa, Schedule};
use crate::kernel::Identity;

pub(super) const MOMENTS: MomentsRow = MomentsRow {
    identity: Identity {
        name: "moments_u8_256_avx2",
        operation: "moments",
        element: "u8",
        tile: "256",
        needs: &[Isa::Avx2],
        schedule: Schedule::OutOfOrder,
    },
    add,
};

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn add(pixels: &[u8], mask: &[u8], to: &mut Moments) {
    // SAFETY: the features are enabled here; the rest is passed on to the caller.
    unsafe { lanes::add::<Avx2>(pixels, mask, to) }
}
