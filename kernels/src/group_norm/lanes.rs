//! Lanes over channels: the same operations in the same order for each channel as in the plain version.

use super::Coefficients;
use crate::elements::{Body, Function, Input, Nothing, Output, Quantization, Quantizer, Silu};
use crate::elements::{Sink, Source, for_elements};
use crate::lanes::Lanes;
use crate::math::Activation;

/// How many registers of channels are summed up side by side.
const SIDE: usize = 4;

/// # Safety
/// The CPU has the engine's instructions; `rows` holds whole rows, `sums` two values a channel.
#[inline(always)]
pub unsafe fn sums<L: Lanes>(pivot: Input, rows: Input, sums: &mut [f32]) {
    let channels = pivot.len();
    let count = rows.len() / channels;
    let sums = sums.as_mut_ptr();
    // SAFETY: passed on to the caller.
    unsafe {
        match (pivot, rows) {
            (Input::F32(pivot), Input::F32(rows)) => {
                sums_of::<L, f32>(pivot.as_ptr(), rows.as_ptr(), channels, count, sums)
            }
            (Input::F16(pivot), Input::F16(rows)) => {
                sums_of::<L, half::f16>(pivot.as_ptr(), rows.as_ptr(), channels, count, sums)
            }
            _ => unreachable!("the pivot is a part of the image"),
        }
    }
}

#[inline(always)]
unsafe fn sums_of<L: Lanes, I: Source>(
    pivot: *const I,
    rows: *const I,
    channels: usize,
    count: usize,
    sums: *mut f32,
) {
    let mut channel = 0;
    // SAFETY: each step reads and writes `SIDE · COUNT`, `COUNT` or `rest` channels from `channel` on, no more than there are.
    unsafe {
        while channel + SIDE * L::COUNT <= channels {
            let (pivot, rows) = (pivot.add(channel), rows.add(channel));
            let pivot: [L; SIDE] = std::array::from_fn(|i| I::load(pivot.add(i * L::COUNT)));
            let mut sum = [L::splat(0.0); SIDE];
            let mut squares = [L::splat(0.0); SIDE];
            for row in 0..count {
                let row = rows.add(row * channels);
                for i in 0..SIDE {
                    let d = I::load::<L>(row.add(i * L::COUNT)).sub(pivot[i]);
                    sum[i] = sum[i].add(d);
                    squares[i] = d.fma(d, squares[i]);
                }
            }
            for i in 0..SIDE {
                sum[i].store(sums.add(channel + i * L::COUNT));
                squares[i].store(sums.add(channels + channel + i * L::COUNT));
            }
            channel += SIDE * L::COUNT;
        }
        while channel < channels {
            let width = L::COUNT.min(channels - channel);
            let whole = width == L::COUNT;
            let load = |from: *const I| {
                if whole { I::load::<L>(from) } else { I::load_first::<L>(from, width) }
            };
            let pivot = load(pivot.add(channel));
            let (mut sum, mut squares) = (L::splat(0.0), L::splat(0.0));
            for row in 0..count {
                let d = load(rows.add(row * channels + channel)).sub(pivot);
                sum = sum.add(d);
                squares = d.fma(d, squares);
            }
            for (values, to) in [(sum, channel), (squares, channels + channel)] {
                if whole {
                    values.store(sums.add(to));
                } else {
                    values.store_first(sums.add(to), width);
                }
            }
            channel += width;
        }
    }
}

/// # Safety
/// The CPU has the engine's instructions; whole rows, as many results as inputs, three coefficients a channel.
#[inline(always)]
pub unsafe fn apply<L: Lanes>(coefficients: Coefficients, rows: Input, output: Output) {
    let count = rows.len() / coefficients.channels;
    // SAFETY: passed on to the caller.
    unsafe {
        match coefficients.activation {
            Activation::None => apply_with::<L, _>(coefficients, Nothing, count, rows, output),
            Activation::Silu => apply_with::<L, _>(coefficients, Silu, count, rows, output),
            other => apply_with::<L, _>(coefficients, other, count, rows, output),
        }
    }
}

#[inline(always)]
unsafe fn apply_with<L: Lanes, A: Function>(
    coefficients: Coefficients,
    function: A,
    rows: usize,
    input: Input,
    output: Output,
) {
    let Coefficients { channels, values, .. } = coefficients;
    let lanes = std::marker::PhantomData::<L>;
    let values = values.as_ptr();
    // SAFETY: passed on to the caller.
    unsafe { for_elements(Apply { lanes, function, values, channels, rows }, input, output) }
}

struct Apply<L, A> {
    lanes: std::marker::PhantomData<L>,
    function: A,
    values: *const f32,
    channels: usize,
    rows: usize,
}

impl<L: Lanes, A: Function> Body for Apply<L, A> {
    #[inline(always)]
    unsafe fn run<I: Source, O: Sink>(self, input: *const I, output: *mut O, steps: Quantization) {
        let Apply { function, values, channels, rows, .. } = self;
        // SAFETY: each step reads and writes `COUNT` or `rest` of a row's channels.
        unsafe {
            let quantizer = Quantizer::<L>::new(steps);
            let (factors, terms) = (values.add(channels), values.add(2 * channels));
            let rest = channels % L::COUNT;
            let end = channels - rest;
            for row in 0..rows {
                let (input, output) = (input.add(row * channels), output.add(row * channels));
                let mut channel = 0;
                while channel < end {
                    let d = I::load::<L>(input.add(channel)).sub(L::load(values.add(channel)));
                    let y = d.fma(L::load(factors.add(channel)), L::load(terms.add(channel)));
                    quantizer.store(function.of(y), output.add(channel));
                    channel += L::COUNT;
                }
                if rest > 0 {
                    let first = |from: *const f32| L::load_first(from.add(end), rest);
                    let d = I::load_first::<L>(input.add(end), rest).sub(first(values));
                    let y = d.fma(first(factors), first(terms));
                    quantizer.store_first(function.of(y), output.add(end), rest);
                }
            }
        }
    }
}
