//! Rows in registers, with the sum in the order of the plain version.

use super::Softmax;
use crate::elements::{Body, Input, Output, Quantization, Sink, Source, for_elements};
use crate::lanes::Lanes;
use crate::math::exp_of_negative;
use crate::norm::PARTIAL;
use crate::norm::lanes::{REGISTERS, each, tree};
use half::f16;
use std::marker::PhantomData;

/// # Safety
/// The CPU has the engine's instructions; whole rows, as many results as values, no int8.
#[inline(always)]
pub unsafe fn run<L: Lanes>(softmax: Softmax, input: Input, output: Output) {
    let rows = input.len() / softmax.columns;
    // SAFETY: passed on to the caller.
    unsafe {
        match output {
            Output::F32(_) => {
                let body = Rows { lanes: PhantomData::<(L, f32)>, softmax, rows };
                for_elements(body, input, output)
            }
            _ => {
                let body = Rows { lanes: PhantomData::<(L, f16)>, softmax, rows };
                for_elements(body, input, output)
            }
        }
    }
}

/// `B` is the element in which the powers wait for their sum: that of the output.
struct Rows<L, B> {
    lanes: PhantomData<(L, B)>,
    softmax: Softmax,
    rows: usize,
}

impl<L: Lanes, B: Source + Sink> Body for Rows<L, B> {
    #[inline(always)]
    unsafe fn run<I: Source, O: Sink>(self, input: *const I, output: *mut O, _: Quantization) {
        if size_of::<O>() != size_of::<B>() {
            return;
        }
        let Softmax { columns, scale } = self.softmax;
        // SAFETY: `O` is `B`, as their sizes tell; each row has so many columns.
        unsafe {
            for row in 0..self.rows {
                let (x, y) = (input.add(row * columns), output.cast::<B>().add(row * columns));
                row_out::<L, I, B>(x, y, columns, scale);
            }
        }
    }
}

#[inline(always)]
unsafe fn row_out<L: Lanes, I: Source, B: Source + Sink>(
    x: *const I,
    y: *mut B,
    columns: usize,
    scale: f32,
) {
    // SAFETY: each step stays within the row.
    unsafe {
        let greatest = L::splat(greatest::<L, I>(x, columns));
        let scale = L::splat(scale);
        let power = |x: L| exp_of_negative(x.sub(greatest).mul(scale));
        let mut sums = [L::splat(0.0); REGISTERS];
        let registers = PARTIAL / L::COUNT;
        let mut at = 0;
        while at + PARTIAL <= columns {
            for register in 0..registers {
                let e = power(I::load(x.add(at)));
                B::store(e, y.add(at));
                sums[register] = sums[register].add(e);
                at += L::COUNT;
            }
        }
        for register in 0..registers {
            if at + L::COUNT <= columns {
                let e = power(I::load(x.add(at)));
                B::store(e, y.add(at));
                sums[register] = sums[register].add(e);
                at += L::COUNT;
            } else if at < columns {
                let width = columns - at;
                let e = power(I::load_first(x.add(at), width));
                B::store_first(e, y.add(at), width);
                // What is beyond the row counts as nothing.
                let mut powers = [0.0; 16];
                e.store_first(powers.as_mut_ptr(), width);
                sums[register] = sums[register].add(L::load(powers.as_ptr()));
                at = columns;
            }
        }
        let share = L::splat(1.0 / tree(sums));
        // Some at a time, so that loads need not wait for the address that a store leaves behind.
        let mut at = 0;
        while at + 4 * L::COUNT <= columns {
            let mut shares = [share; 4];
            for (register, share) in shares.iter_mut().enumerate() {
                *share = B::load::<L>(y.add(at + register * L::COUNT)).mul(*share);
            }
            for (register, share) in shares.into_iter().enumerate() {
                B::store(share, y.add(at + register * L::COUNT));
            }
            at += 4 * L::COUNT;
        }
        let y = y.add(at);
        each::<L>(
            columns - at,
            |at| B::store(B::load::<L>(y.add(at)).mul(share), y.add(at)),
            |at, width| {
                let e = B::load_first::<L>(y.add(at), width);
                B::store_first(e.mul(share), y.add(at), width);
            },
        );
    }
}

/// The greatest value; any number where there is NaN in the row, which the sum then tells.
#[inline(always)]
unsafe fn greatest<L: Lanes, I: Source>(x: *const I, columns: usize) -> f32 {
    // SAFETY: each step stays within the row, the array holds the widest register.
    unsafe {
        let lowest = L::splat(f32::NEG_INFINITY);
        let mut most = [lowest; 4];
        let mut at = 0;
        while at + 4 * L::COUNT <= columns {
            for most in &mut most {
                *most = greater(I::load(x.add(at)), *most);
                at += L::COUNT;
            }
        }
        while at < columns {
            let width = L::COUNT.min(columns - at);
            if width == L::COUNT {
                most[0] = greater(I::load(x.add(at)), most[0]);
            } else {
                let mut values = [f32::NEG_INFINITY; 16];
                I::load_first::<L>(x.add(at), width).store_first(values.as_mut_ptr(), width);
                most[0] = greater(L::load(values.as_ptr()), most[0]);
            }
            at += width;
        }
        greater(greater(most[0], most[1]), greater(most[2], most[3])).greatest()
    }
}

/// The greater of the two; `most` where `x` is NaN.
#[inline(always)]
unsafe fn greater<L: Lanes>(x: L, most: L) -> L {
    // SAFETY: passed on to the caller.
    unsafe { L::select(most.less_than(x), x, most) }
}
