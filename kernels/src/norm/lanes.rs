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
    // An activation that is chosen inside the loop keeps closures from being inlined, and those lose the engine's instructions.
    // SAFETY: passed on to the caller.
    unsafe {
        match norm.activation {
            Activation::None => rows_with::<L, _, CENTRED>(norm, Nothing, input, output, steps),
            function => rows_with::<L, _, CENTRED>(norm, function, input, output, steps),
        }
    }
}

#[inline(always)]
unsafe fn rows_with<L: Lanes, A: Function, const CENTRED: bool>(
    norm: RowNorm,
    function: A,
    input: Input,
    output: &mut [i8],
    steps: &mut [f32],
) {
    // SAFETY: passed on to the caller.
    unsafe {
        match input {
            Input::F32(x) => {
                dynamic_rows::<L, f32, A, CENTRED>(norm, function, x.as_ptr(), output, steps)
            }
            Input::F16(x) => {
                dynamic_rows::<L, half::f16, A, CENTRED>(norm, function, x.as_ptr(), output, steps)
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
unsafe fn dynamic_rows<L: Lanes, I: Source, A: Function, const CENTRED: bool>(
    norm: RowNorm,
    function: A,
    input: *const I,
    output: &mut [i8],
    steps: &mut [f32],
) {
    let channels = norm.channels();
    let (output, steps, rows) = (output.as_mut_ptr(), steps.as_mut_ptr(), steps.len());
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
            let (step, factor) = step(greatest::<L, I, A>(norm, statistics, function, x));
            steps.add(row).write(step);
            row_out(norm, statistics, function, x, Quantizer::<L>::with(factor, 0), y);
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

/// A row's statistics in every lane.
#[derive(Clone, Copy)]
struct Spread<L> {
    pivot: L,
    inverse: L,
    offset: L,
}

impl<L: Lanes> Spread<L> {
    #[inline(always)]
    unsafe fn new(statistics: Statistics) -> Self {
        // SAFETY: passed on to the caller.
        unsafe {
            Self {
                pivot: L::splat(statistics.pivot),
                inverse: L::splat(statistics.inverse),
                offset: L::splat(statistics.offset),
            }
        }
    }

    #[inline(always)]
    unsafe fn of<A: Function>(self, function: A, x: L, scale: L, shift: L) -> L {
        // SAFETY: passed on to the caller.
        unsafe { function.of(x.sub(self.pivot).fma(self.inverse, self.offset).fma(scale, shift)) }
    }
}

// Plain loops: closures that are not inlined lose the engine's instructions.
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
    let width = norm.channels() % L::COUNT;
    let end = norm.channels() - width;
    // SAFETY: all stays within the channels.
    unsafe {
        let spread = Spread::<L>::new(statistics);
        let mut at = 0;
        while at < end {
            let (scale, shift) = (L::load(scale.add(at)), L::load(shift.add(at)));
            let value = spread.of(function, I::load(x.add(at)), scale, shift);
            quantizer.store(value, y.add(at));
            at += L::COUNT;
        }
        if width > 0 {
            let (scale, shift) =
                (L::load_first(scale.add(at), width), L::load_first(shift.add(at), width));
            let value = spread.of(function, I::load_first(x.add(at), width), scale, shift);
            quantizer.store_first(value, y.add(at), width);
        }
    }
}

/// The greatest size of the row's results.
#[inline(always)]
unsafe fn greatest<L: Lanes, I: Source, A: Function>(
    norm: RowNorm,
    statistics: Statistics,
    function: A,
    x: *const I,
) -> f32 {
    let (scale, shift) = (norm.scale.as_ptr(), norm.shift.as_ptr());
    let width = norm.channels() % L::COUNT;
    let end = norm.channels() - width;
    // SAFETY: all stays within the channels.
    unsafe {
        let spread = Spread::<L>::new(statistics);
        let mut most = L::splat(0.0);
        let mut at = 0;
        while at < end {
            let (scale, shift) = (L::load(scale.add(at)), L::load(shift.add(at)));
            let value = spread.of(function, I::load(x.add(at)), scale, shift);
            most = value.abs().at_least(most);
            at += L::COUNT;
        }
        if width > 0 {
            let (scale, shift) =
                (L::load_first(scale.add(at), width), L::load_first(shift.add(at), width));
            let value = spread.of(function, I::load_first(x.add(at), width), scale, shift);
            let mut values = [0.0; 16];
            value.abs().store_first(values.as_mut_ptr(), width);
            most = L::load(values.as_ptr()).at_least(most);
        }
        most.greatest()
    }
}
