//! Four registers at a time, then one; the rest of a row by the plain version.

use super::{How, Operand, Operation, scalar};
use crate::lanes::Lanes;
use crate::math::Activation;
use crate::stored::Stored;

/// # Safety
/// The CPU has the engine's instructions.
#[inline(always)]
pub(super) unsafe fn row<L: Lanes, T: Stored>(a: &[T], b: Operand<'_, T>, how: &How, to: &mut [T]) {
    // SAFETY: passed on to the caller.
    let whole = unsafe {
        match (how.operation, b, how.activation) {
            (Operation::Add, Operand::Each(_), Activation::None) => {
                registers::<L, T, false, true, false>(a, b, how, to)
            }
            (Operation::Add, Operand::One(_), Activation::None) => {
                registers::<L, T, false, false, false>(a, b, how, to)
            }
            (Operation::Mul, Operand::Each(_), Activation::None) => {
                registers::<L, T, true, true, false>(a, b, how, to)
            }
            (Operation::Mul, Operand::One(_), Activation::None) => {
                registers::<L, T, true, false, false>(a, b, how, to)
            }
            (Operation::Add, Operand::Each(_), _) => {
                registers::<L, T, false, true, true>(a, b, how, to)
            }
            (Operation::Add, Operand::One(_), _) => {
                registers::<L, T, false, false, true>(a, b, how, to)
            }
            (Operation::Mul, Operand::Each(_), _) => {
                registers::<L, T, true, true, true>(a, b, how, to)
            }
            (Operation::Mul, Operand::One(_), _) => {
                registers::<L, T, true, false, true>(a, b, how, to)
            }
        }
    };
    let b = match b {
        Operand::Each(values) => Operand::Each(&values[whole..]),
        one => one,
    };
    scalar::row(&a[whole..], b, how, &mut to[whole..]);
}

/// All whole registers; tells how many values that is.
///
/// # Safety
/// See [`row`].
#[inline(always)]
unsafe fn registers<L: Lanes, T: Stored, const MUL: bool, const EACH: bool, const ACT: bool>(
    a: &[T],
    b: Operand<'_, T>,
    how: &How,
    to: &mut [T],
) -> usize {
    let (four, whole) = (a.len() / (4 * L::COUNT) * 4 * L::COUNT, a.len() / L::COUNT * L::COUNT);
    let (one, each) = match b {
        Operand::One(value) => (value, &[][..]),
        Operand::Each(values) => (0.0, values),
    };
    assert!(to.len() >= whole && (!EACH || each.len() >= whole));
    // SAFETY: all slices hold `whole` values, a whole number of registers.
    unsafe {
        let registers = Registers {
            one: L::splat(one),
            zeros: [
                L::splat(how.a.zero_point as f32),
                L::splat(how.b.zero_point as f32),
                L::splat(how.to.zero_point as f32),
            ],
            scales: [L::splat(how.a.scale), L::splat(how.b.scale), L::splat(1.0 / how.to.scale)],
            activation: how.activation,
        };
        let (a, each, to) = (a.as_ptr(), each.as_ptr(), to.as_mut_ptr());
        for at in (0..four).step_by(4 * L::COUNT) {
            for register in 0..4 {
                let at = at + register * L::COUNT;
                let b = if EACH { each.add(at) } else { each };
                registers.step::<T, MUL, EACH, ACT>(a.add(at), b, to.add(at));
            }
        }
        for at in (four..whole).step_by(L::COUNT) {
            let b = if EACH { each.add(at) } else { each };
            registers.step::<T, MUL, EACH, ACT>(a.add(at), b, to.add(at));
        }
    }
    whole
}

/// What stays the same over a row. Zero points and scales are those of a, b and the result, whose scale is one over it.
#[derive(Clone, Copy)]
struct Registers<L> {
    one: L,
    zeros: [L; 3],
    scales: [L; 3],
    activation: Activation,
}

impl<L: Lanes> Registers<L> {
    /// # Safety
    /// The CPU has the engine's instructions; the pointers, but `b` where it is not `EACH`, are good for a register.
    #[inline(always)]
    unsafe fn step<T: Stored, const MUL: bool, const EACH: bool, const ACT: bool>(
        self,
        a: *const T,
        b: *const T,
        to: *mut T,
    ) {
        // SAFETY: passed on to the caller.
        unsafe {
            let mut a = T::load::<L>(a);
            let mut b = if EACH { T::load::<L>(b) } else { self.one };
            if T::QUANTIZED {
                a = a.sub(self.zeros[0]).mul(self.scales[0]);
                if EACH {
                    b = b.sub(self.zeros[1]).mul(self.scales[1]);
                }
            }
            let mut value = if MUL { a.mul(b) } else { a.add(b) };
            if ACT {
                value = self.activation.lanes(value);
            }
            if T::QUANTIZED {
                value = value.mul(self.scales[2]).round().add(self.zeros[2]);
            }
            T::store(value, to);
        }
    }
}
