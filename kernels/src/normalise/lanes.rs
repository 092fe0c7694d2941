//! Forty-eight values at a time: three registers hold every position that channels can have in one.

use super::{Normalisation, Value, scalar};
use crate::bytes::Bytes;

/// What an engine does with sixteen values.
///
/// # Safety
/// The CPU has the engine's instructions; pointers are good for 16 values, `load`'s for a register.
pub(super) unsafe trait Sixteen<T> {
    /// A register of floats or halves.
    type Lane: Copy;
    /// Registers that sixteen values take; at most 4.
    const REGISTERS: usize;

    unsafe fn read(from: *const u8) -> [Self::Lane; 4];
    /// Reads a register of f32, rounded to what it computes in.
    unsafe fn load(from: *const f32) -> Self::Lane;
    unsafe fn fma(a: Self::Lane, b: Self::Lane, sum: Self::Lane) -> Self::Lane;
    unsafe fn write(values: [Self::Lane; 4], zero_point: i32, to: *mut T);
}

/// # Safety
/// The CPU has the engine's instructions.
#[inline(always)]
pub(super) unsafe fn interleaved<S: Sixteen<T>, T: Value>(
    source: &[u8],
    line: &Normalisation,
    target: &mut [T],
) {
    let pattern = |channels: [f32; 3]| -> [f32; 48] { std::array::from_fn(|i| channels[i % 3]) };
    let (factors, terms) = (pattern(line.factor), pattern(line.term));
    let whole = source.len() / 48;
    assert!(target.len() >= whole * 48);
    // SAFETY: the CPU has the instructions; three registers lie within 48 values; both slices hold `whole` blocks.
    unsafe {
        let width = 16 / S::REGISTERS;
        let (factor, term) = (factors.as_ptr(), terms.as_ptr());
        let factors = [S::load(factor), S::load(factor.add(width)), S::load(factor.add(2 * width))];
        let terms = [S::load(term), S::load(term.add(width)), S::load(term.add(2 * width))];
        for block in 0..whole {
            for part in 0..3 {
                let at = block * 48 + part * 16;
                let mut values = S::read(source.as_ptr().add(at));
                for register in 0..S::REGISTERS {
                    let phase = (part * S::REGISTERS + register) % 3;
                    values[register] = S::fma(values[register], factors[phase], terms[phase]);
                }
                S::write(values, line.zero_point, target.as_mut_ptr().add(at));
            }
        }
    }
    scalar::interleaved(&source[whole * 48..], line, &mut target[whole * 48..]);
}

/// # Safety
/// The CPU has the engine's instructions.
#[inline(always)]
pub(super) unsafe fn planar<B: Bytes, S: Sixteen<T>, T: Value>(
    source: &[u8],
    line: &Normalisation,
    target: [&mut [T]; 3],
) {
    let whole = source.len() / 48;
    assert!(target.iter().all(|plane| plane.len() >= whole * 16));
    let [red, green, blue] = target;
    // SAFETY: the CPU has the instructions; all slices hold `whole` blocks of 16 pixels.
    unsafe {
        for block in 0..whole {
            let pixels = B::load3(source.as_ptr().add(block * 48));
            let planes = [red.as_mut_ptr(), green.as_mut_ptr(), blue.as_mut_ptr()];
            for c in 0..3 {
                let factor = S::load([line.factor[c]; 16].as_ptr());
                let term = S::load([line.term[c]; 16].as_ptr());
                let mut bytes = [0; 16];
                pixels[c].store(bytes.as_mut_ptr());
                let mut values = S::read(bytes.as_ptr());
                for register in 0..S::REGISTERS {
                    values[register] = S::fma(values[register], factor, term);
                }
                S::write(values, line.zero_point, planes[c].add(block * 16));
            }
        }
    }
    let rest = [red, green, blue].map(|plane| &mut plane[whole * 16..]);
    scalar::planar(&source[whole * 48..], line, rest);
}
