use super::{BlendRow, lanes};
use crate::bytes::Avx2;
use crate::features::{Isa, Schedule};
use crate::kernel::Identity;

pub(super) const BLEND: BlendRow = BlendRow {
    identity: Identity {
        name: "blend_u8_16_avx2",
        operation: "blend",
        element: "u8",
        tile: "16",
        needs: &[Isa::Avx2],
        schedule: Schedule::OutOfOrder,
    },
    straight,
    premultiplied,
    masked,
    masked_f32,
};

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn straight(over: &[u8], under: &mut [u8]) {
    // SAFETY: the features are enabled here; the rest is passed on to the caller.
    unsafe { lanes::straight::<Avx2>(over, under) }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn premultiplied(over: &[u8], under: &mut [u8]) {
    // SAFETY: the features are enabled here; the rest is passed on to the caller.
    unsafe { lanes::premultiplied::<Avx2>(over, under) }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn masked(over: &[u8], mask: &[u8], under: &mut [u8]) {
    // SAFETY: the features are enabled here; the rest is passed on to the caller.
    unsafe { lanes::masked::<Avx2>(over, mask, under) }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn masked_f32(over: &[u8], mask: &[f32], under: &mut [u8]) {
    // SAFETY: the features are enabled here; the rest is passed on to the caller.
    unsafe { lanes::masked_f32::<Avx2>(over, mask, under) }
}
