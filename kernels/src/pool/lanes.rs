//! Four registers of channels at a time, then one; the rest of a pixel by the plain version.

use super::{Taps, scalar};
use crate::lanes::Lanes;
use crate::stored::Stored;

/// # Safety
/// The CPU has the engine's instructions; so for all functions below.
#[inline(always)]
pub(super) unsafe fn greatest<L: Lanes, T: Stored>(from: &[T], taps: &Taps, to: &mut [T]) {
    let (four, one) = (to.len() / (4 * L::COUNT) * 4 * L::COUNT, to.len() / L::COUNT * L::COUNT);
    taps.check(from.len(), to.len());
    // SAFETY: every tap has `to.len()` values after it.
    unsafe {
        for at in (0..four).step_by(4 * L::COUNT) {
            block::<L, T, 4, true>(from, taps, at, to);
        }
        for at in (four..one).step_by(L::COUNT) {
            block::<L, T, 1, true>(from, taps, at, to);
        }
    }
    scalar::greatest_from(from, taps, to, one);
}

/// # Safety
/// See [`greatest`].
#[inline(always)]
pub(super) unsafe fn mean<L: Lanes, T: Stored>(from: &[T], taps: &Taps, to: &mut [T]) {
    let (four, one) = (to.len() / (4 * L::COUNT) * 4 * L::COUNT, to.len() / L::COUNT * L::COUNT);
    taps.check(from.len(), to.len());
    // SAFETY: every tap has `to.len()` values after it.
    unsafe {
        for at in (0..four).step_by(4 * L::COUNT) {
            block::<L, T, 4, false>(from, taps, at, to);
        }
        for at in (four..one).step_by(L::COUNT) {
            block::<L, T, 1, false>(from, taps, at, to);
        }
    }
    scalar::mean_from(from, taps, to, one);
}

/// `N` registers of channels from `at` on, the greatest or the mean of the taps.
///
/// # Safety
/// The CPU has the engine's instructions; every tap and `to` have that many values from `at` on.
#[inline(always)]
unsafe fn block<L: Lanes, T: Stored, const N: usize, const GREATEST: bool>(
    from: &[T],
    taps: &Taps,
    at: usize,
    to: &mut [T],
) {
    // SAFETY: passed on to the caller.
    unsafe {
        let start = if GREATEST { f32::NEG_INFINITY } else { 0.0 };
        let mut values = [L::splat(start); N];
        for row in 0..taps.rows {
            for column in 0..taps.columns {
                let tap = taps.first + row * taps.row_step + column * taps.column_step + at;
                for register in 0..N {
                    let value = T::load::<L>(from.as_ptr().add(tap + register * L::COUNT));
                    values[register] = if GREATEST {
                        values[register].at_least(value)
                    } else {
                        values[register].add(value)
                    };
                }
            }
        }
        for register in 0..N {
            if !GREATEST {
                values[register] = values[register].mul(L::splat(taps.share));
            }
            T::store(values[register], to.as_mut_ptr().add(at + register * L::COUNT));
        }
    }
}
