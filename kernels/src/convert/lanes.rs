//! Four registers at a time, then one; the rest of a row by the plain version.

use super::{Factors, Scaling, scalar};
use crate::lanes::Lanes;
use crate::stored::Stored;

/// # Safety
/// The CPU has the engine's instructions; so for all functions below.
#[inline(always)]
pub(super) unsafe fn row<L: Lanes, A: Stored, B: Stored>(
    from: &[A],
    scaling: Scaling<'_>,
    to: &mut [B],
) {
    // SAFETY: passed on to the caller.
    let whole = unsafe {
        match (scaling.factors, scaling.zero_from == 0 && scaling.zero_to == 0) {
            (Factors::One(_), true) => registers::<L, A, B, false, false>(from, scaling, to),
            (Factors::One(_), false) => registers::<L, A, B, false, true>(from, scaling, to),
            (Factors::Channels(_), true) => registers::<L, A, B, true, false>(from, scaling, to),
            (Factors::Channels(_), false) => registers::<L, A, B, true, true>(from, scaling, to),
        }
    };
    let factors = match scaling.factors {
        Factors::Channels(factors) => Factors::Channels(&factors[whole..]),
        one => one,
    };
    scalar::row(&from[whole..], Scaling { factors, ..scaling }, &mut to[whole..]);
}

/// All whole registers; tells how many values that is.
///
/// # Safety
/// See [`row`].
#[inline(always)]
unsafe fn registers<L: Lanes, A: Stored, B: Stored, const EACH: bool, const ZEROS: bool>(
    from: &[A],
    scaling: Scaling<'_>,
    to: &mut [B],
) -> usize {
    let count = from.len().min(to.len());
    let (four, whole) = (count / (4 * L::COUNT) * 4 * L::COUNT, count / L::COUNT * L::COUNT);
    let (factor, factors) = match scaling.factors {
        Factors::One(factor) => (factor, &[][..]),
        Factors::Channels(factors) => (0.0, factors),
    };
    assert!(!EACH || factors.len() >= whole);
    // SAFETY: all slices hold `whole` values, a whole number of registers.
    unsafe {
        let one = L::splat(factor);
        let zeros = [L::splat(scaling.zero_from as f32), L::splat(scaling.zero_to as f32)];
        let (from, factors, to) = (from.as_ptr(), factors.as_ptr(), to.as_mut_ptr());
        for at in (0..four).step_by(4 * L::COUNT) {
            for register in 0..4 {
                let at = at + register * L::COUNT;
                let factor = if EACH { L::load(factors.add(at)) } else { one };
                let value = converted::<L, B, ZEROS>(A::load(from.add(at)), factor, zeros);
                B::store(value, to.add(at));
            }
        }
        for at in (four..whole).step_by(L::COUNT) {
            let factor = if EACH { L::load(factors.add(at)) } else { one };
            let value = converted::<L, B, ZEROS>(A::load(from.add(at)), factor, zeros);
            B::store(value, to.add(at));
        }
    }
    whole
}

#[inline(always)]
unsafe fn converted<L: Lanes, B: Stored, const ZEROS: bool>(
    value: L,
    factor: L,
    zeros: [L; 2],
) -> L {
    // SAFETY: the caller has the instructions.
    unsafe {
        if !ZEROS {
            return value.mul(factor);
        }
        let value = value.sub(zeros[0]).mul(factor);
        if B::QUANTIZED { value.round().add(zeros[1]) } else { value }
    }
}

/// # Safety
/// See [`row`].
#[inline(always)]
pub(super) unsafe fn greatest<L: Lanes, A: Stored>(from: &[A]) -> f32 {
    let whole = from.len() / L::COUNT * L::COUNT;
    // SAFETY: the slice holds `whole` values, a whole number of registers.
    let lanes = unsafe {
        let mut greatest = L::splat(0.0);
        for at in (0..whole).step_by(L::COUNT) {
            greatest = greatest.at_least(A::load::<L>(from.as_ptr().add(at)).abs());
        }
        greatest.greatest()
    };
    lanes.max(scalar::greatest(&from[whole..]))
}
