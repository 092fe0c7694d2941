//! Rows in registers, with the sums in the order of the plain version.

use super::{PARTIAL, RowNorm, Statistics, step};
use crate::elements::{Body, Function, Input, Nothing, Output, Quantization, Quantizer};
use crate::elements::{Sink, Source, for_elements};
use crate::lanes::Lanes;
use crate::math::Activation;
use std::marker::PhantomData;

/// Partial sums of the narrowest register take this many.
pub const REGISTERS: usize = 8;

/// # Safety
/// The CPU has the engine's instructions; whole rows, as many results as values.
#[inline(always)]
pub unsafe fn run<L: Lanes, const CENTRED: bool>(norm: RowNorm, input: Input, output: Output) {
    let lanes = PhantomData::<L>;
    let rows = input.len() / norm.channels();
    // SAFETY: passed on to the caller.
    unsafe {
        match norm.activation {
            Activation::None => {
                let body = Run::<L, _, CENTRED> { lanes, norm, rows, function: Nothing };
                for_elements(body, input, output)
            }
            function => {
                let body = Run::<L, _, CENTRED> { lanes, norm, rows, function };
                for_elements(body, input, output)
            }
        }
    }
}

/// # Safety
/// The CPU has the engine's instructions; whole rows, as many results as values, a step for each row.
#[inline(always)]
pub unsafe fn run_dynamic<L: Lanes, const CENTRED: bool>(
    norm: RowNorm,
    input: Input,
    output: &mut [i8],
    steps: &mut [f32],
) {
    let (output, steps, rows) = (output.as_mut_ptr(), steps.as_mut_ptr(), steps.len());
    // SAFETY: passed on to the caller.
    unsafe {
        match input {
            Input::F32(x) => dynamic_rows::<L, f32, CENTRED>(norm, x.as_ptr(), output, steps, rows),
            Input::F16(x) => {
                dynamic_rows::<L, half::f16, CENTRED>(norm, x.as_ptr(), output, steps, rows)
            }
        }
    }
}

struct Run<'a, L, A, const CENTRED: bool> {
    lanes: PhantomData<L>,
    norm: RowNorm<'a>,
    rows: usize,
    function: A,
}

impl<L: Lanes, A: Function, const CENTRED: bool> Body for Run<'_, L, A, CENTRED> {
    #[inline(always)]
    unsafe fn run<I: Source, O: Sink>(self, input: *const I, output: *mut O, steps: Quantization) {
        let Run { norm, rows, function, .. } = self;
        let channels = norm.channels();
        // SAFETY: each row has as many values as there are channels.
        unsafe {
            let quantizer = Quantizer::<L>::new(steps);
            for row in 0..rows {
                let (x, y) = (input.add(row * channels), output.add(row * channels));
                let statistics = statistics::<L, I, CENTRED>(norm, x);
                row_out(norm, statistics, function, x, quantizer, y);
            }
        }
    }
}

#[inline(always)]
unsafe fn dynamic_rows<L: Lanes, I: Source, const CENTRED: bool>(
    norm: RowNorm,
    input: *const I,
    output: *mut i8,
    steps: *mut f32,
    rows: usize,
) {
    let channels = norm.channels();
    // SAFETY: each row has as many values as there are channels, and one step.
    unsafe {
        for row in 0..rows {
            let (x, y) = (input.add(row * channels), output.add(row * channels));
            let statistics = statistics::<L, I, CENTRED>(norm, x);
            if statistics.inverse.is_nan() {
                steps.add(row).write(f32::NAN);
                y.write_bytes(0, channels);
                continue;
            }
            let (step, factor) = step(greatest::<L, I>(norm, statistics, x));
            steps.add(row).write(step);
            row_out(norm, statistics, norm.activation, x, Quantizer::<L>::with(factor, 0), y);
        }
    }
}

#[inline(always)]
unsafe fn statistics<L: Lanes, I: Source, const CENTRED: bool>(
    norm: RowNorm,
    row: *const I,
) -> Statistics {
    let count = norm.channels();
    let registers = PARTIAL / L::COUNT;
    // SAFETY: each step reads values of the row, of which there are `count`.
    unsafe {
        let pivot = if CENTRED { first(row) } else { 0.0 };
        let about = L::splat(pivot);
        let mut sum = [L::splat(0.0); REGISTERS];
        let mut squares = [L::splat(0.0); REGISTERS];
        let mut add = |register: usize, d: L| {
            if CENTRED {
                sum[register] = sum[register].add(d);
            }
            squares[register] = d.fma(d, squares[register]);
        };
        let difference = |x: L| if CENTRED { x.sub(about) } else { x };
        let mut at = 0;
        while at + PARTIAL <= count {
            for register in 0..registers {
                add(register, difference(I::load(row.add(at + register * L::COUNT))));
            }
            at += PARTIAL;
        }
        for register in 0..registers {
            if at + L::COUNT <= count {
                add(register, difference(I::load(row.add(at))));
                at += L::COUNT;
            } else if at < count {
                // What is beyond the row counts as nothing.
                let mut differences = [0.0; 16];
                difference(I::load_first(row.add(at), count - at))
                    .store_first(differences.as_mut_ptr(), count - at);
                add(register, L::load(differences.as_ptr()));
                at = count;
            }
        }
        let squares = tree(squares);
        if CENTRED {
            Statistics::centred(pivot, tree(sum), squares, count, norm.epsilon)
        } else {
            Statistics::about_zero(squares, count, norm.epsilon)
        }
    }
}

#[inline(always)]
unsafe fn first<I: Source>(row: *const I) -> f32 {
    // SAFETY: the caller's row has a value.
    unsafe { I::load::<f32>(row) }
}

/// The sum of partial sums in the order of the plain version.
///
/// # Safety
/// The CPU has the engine's instructions.
#[inline(always)]
pub unsafe fn tree<L: Lanes>(mut sums: [L; REGISTERS]) -> f32 {
    let mut half = PARTIAL / L::COUNT / 2;
    // SAFETY: passed on to the caller; the array holds the widest register.
    unsafe {
        while half > 0 {
            for register in 0..half {
                sums[register] = sums[register].add(sums[register + half]);
            }
            half /= 2;
        }
        let mut lanes = [0.0; 16];
        sums[0].store(lanes.as_mut_ptr());
        let mut half = L::COUNT / 2;
        while half > 0 {
            for lane in 0..half {
                lanes[lane] += lanes[lane + half];
            }
            half /= 2;
        }
        lanes[0]
    }
}

/// Calls `whole` with the first channel of each register, and `rest` with that of the last, partial one and its width.
#[inline(always)]
pub fn each<L: Lanes>(
    channels: usize,
    mut whole: impl FnMut(usize),
    rest: impl FnOnce(usize, usize),
) {
    let width = channels % L::COUNT;
    let end = channels - width;
    let mut channel = 0;
    while channel < end {
        whole(channel);
        channel += L::COUNT;
    }
    if width > 0 {
        rest(end, width);
    }
}

#[inline(always)]
unsafe fn row_out<L: Lanes, I: Source, O: Sink, A: Function>(
    norm: RowNorm,
    statistics: Statistics,
    function: A,
    x: *const I,
    quantizer: Quantizer<L>,
    y: *mut O,
) {
    let (scale, shift) = (norm.scale.as_ptr(), norm.shift.as_ptr());
    // SAFETY: `each` stays within the channels.
    unsafe {
        let (pivot, inverse) = (L::splat(statistics.pivot), L::splat(statistics.inverse));
        let offset = L::splat(statistics.offset);
        let of =
            |x: L, scale, shift| function.of(x.sub(pivot).fma(inverse, offset).fma(scale, shift));
        each::<L>(
            norm.channels(),
            |at| {
                let value = of(I::load(x.add(at)), L::load(scale.add(at)), L::load(shift.add(at)));
                quantizer.store(value, y.add(at));
            },
            |at, width| {
                let part = |from: *const f32| L::load_first(from.add(at), width);
                let value = of(I::load_first(x.add(at), width), part(scale), part(shift));
                quantizer.store_first(value, y.add(at), width);
            },
        );
    }
}

/// The greatest size of the row's results.
#[inline(always)]
unsafe fn greatest<L: Lanes, I: Source>(norm: RowNorm, statistics: Statistics, x: *const I) -> f32 {
    let (scale, shift) = (norm.scale.as_ptr(), norm.shift.as_ptr());
    // SAFETY: `each` stays within the channels.
    unsafe {
        let (pivot, inverse) = (L::splat(statistics.pivot), L::splat(statistics.inverse));
        let offset = L::splat(statistics.offset);
        let of = |x: L, scale, shift| {
            Function::of(norm.activation, x.sub(pivot).fma(inverse, offset).fma(scale, shift))
        };
        let most = std::cell::Cell::new(L::splat(0.0));
        each::<L>(
            norm.channels(),
            |at| {
                let value = of(I::load(x.add(at)), L::load(scale.add(at)), L::load(shift.add(at)));
                most.set(value.abs().at_least(most.get()));
            },
            |at, width| {
                let part = |from: *const f32| L::load_first(from.add(at), width);
                let value = of(I::load_first(x.add(at), width), part(scale), part(shift));
                let mut values = [0.0; 16];
                value.abs().store_first(values.as_mut_ptr(), width);
                most.set(L::load(values.as_ptr()).at_least(most.get()));
            },
        );
        most.get().greatest()
    }
}
