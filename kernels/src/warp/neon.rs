use super::{Edge, Places, Source, WarpRow, lanes};
use crate::bytes::Neon;
use crate::features::{Isa, Schedule};
use crate::kernel::Identity;

pub(super) const WARP: WarpRow = WarpRow {
    identity: Identity {
        name: "warp_u8_4_neon",
        operation: "warp",
        element: "u8",
        tile: "4",
        needs: &[Isa::Neon],
        schedule: Schedule::OutOfOrder,
    },
    sample: [sample::<3>, sample::<4>],
};

#[target_feature(enable = "neon")]
unsafe fn sample<const C: usize>(
    source: &Source<'_>,
    places: &Places,
    edge: Edge,
    pixels: &mut [u8],
) {
    // SAFETY: the features are enabled here.
    unsafe { lanes::sample::<Neon, C>(source, places, edge, pixels) }
}
