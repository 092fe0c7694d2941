use super::{BlendRow, lanes};
use crate::bytes::Neon;
use crate::features::{Isa, Schedule};
use crate::kernel::Identity;

pub(super) const BLEND: BlendRow = BlendRow {
    identity: Identity {
        name: "blend_u8_16_neon",
        operation: "blend",
        element: "u8",
        tile: "16",
        needs: &[Isa::Neon],
        schedule: Schedule::OutOfOrder,
    },
    straight,
    premultiplied,
    masked,
    masked_f32,
};

#[target_feature(enable = "neon")]
unsafe fn straight(over: &[u8], under: &mut [u8]) {
    // SAFETY: the features are enabled here; the rest is passed on to the caller.
    unsafe { lanes::straight::<Neon>(over, under) }
}

#[target_feature(enable = "neon")]
unsafe fn premultiplied(over: &[u8], under: &mut [u8]) {
    // SAFETY: the features are enabled here; the rest is passed on to the caller.
    unsafe { lanes::premultiplied::<Neon>(over, under) }
}

#[target_feature(enable = "neon")]
unsafe fn masked(over: &[u8], mask: &[u8], under: &mut [u8]) {
    // SAFETY: the features are enabled here; the rest is passed on to the caller.
    unsafe { lanes::masked::<Neon>(over, mask, under) }
}

#[target_feature(enable = "neon")]
unsafe fn masked_f32(over: &[u8], mask: &[f32], under: &mut [u8]) {
    // SAFETY: the features are enabled here; the rest is passed on to the caller.
    unsafe { lanes::masked_f32::<Neon>(over, mask, under) }
}
