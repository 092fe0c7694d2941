//! A register at a time; the rest of a head by the plain version.

use super::scalar;
use crate::lanes::Lanes;
use crate::stored::Stored;

/// # Safety
/// The CPU has the engine's instructions.
#[inline(always)]
pub(super) unsafe fn turn<L: Lanes, T: Stored>(
    from: &[T],
    cosines: &[f32],
    sines: &[f32],
    to: &mut [T],
) {
    let whole = from.len() / L::COUNT * L::COUNT;
    assert!(to.len() >= whole && cosines.len() >= whole && sines.len() >= whole);
    for at in (0..whole).step_by(L::COUNT) {
        // SAFETY: all slices hold `whole` values, a whole number of registers.
        unsafe {
            let value = T::load::<L>(from.as_ptr().add(at));
            let part = value.mul(L::load(cosines.as_ptr().add(at)));
            let turned = value.swap_pairs().fma(L::load(sines.as_ptr().add(at)), part);
            T::store(turned, to.as_mut_ptr().add(at));
        }
    }
    scalar::turn(&from[whole..], &cosines[whole..], &sines[whole..], &mut to[whole..]);
}
