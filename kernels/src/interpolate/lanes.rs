//! A register of channels at a time; the rest of a pixel by the plain version.

use super::scalar;
use crate::lanes::Lanes;
use crate::stored::Stored;

/// # Safety
/// The CPU has the engine's instructions.
#[inline(always)]
pub(super) unsafe fn mix<L: Lanes, T: Stored>(corners: [&[T]; 4], weights: [f32; 2], to: &mut [T]) {
    let whole = to.len() / L::COUNT * L::COUNT;
    assert!(corners.iter().all(|corner| corner.len() >= whole));
    // SAFETY: all slices hold `whole` values, a whole number of registers.
    unsafe {
        let (across, down) = (L::splat(weights[0]), L::splat(weights[1]));
        for at in (0..whole).step_by(L::COUNT) {
            let a = T::load::<L>(corners[0].as_ptr().add(at));
            let b = T::load::<L>(corners[1].as_ptr().add(at));
            let c = T::load::<L>(corners[2].as_ptr().add(at));
            let d = T::load::<L>(corners[3].as_ptr().add(at));
            let above = b.sub(a).fma(across, a);
            let below = d.sub(c).fma(across, c);
            T::store(below.sub(above).fma(down, above), to.as_mut_ptr().add(at));
        }
    }
    if whole < to.len() {
        let rest = corners.map(|corner| &corner[whole..]);
        scalar::mix(rest, weights, &mut to[whole..]);
    }
}
