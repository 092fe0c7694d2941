use super::{Gated, Quantized};
use crate::elements::{Body, Function, Input, Output, Quantization, Quantizer, Silu};
use crate::elements::{Sink, Source, for_elements};
use crate::lanes::Lanes;
use crate::math::{self, Activation};
use crate::norm::lanes::each;
use crate::norm::step;
use half::f16;
use std::cell::Cell;
use std::marker::PhantomData;

/// # Safety
/// The CPU has the engine's instructions; the slices hold the output's rows.
#[inline(always)]
pub unsafe fn run<L: Lanes>(gated: Gated, value: Input, gate: Input, output: Output) {
    // SAFETY: passed on to the caller.
    unsafe {
        match gated.activation {
            Activation::Silu => with::<L, _>(gated, Silu, value, gate, output),
            Activation::Gelu => with::<L, _>(gated, Gelu, value, gate, output),
            other => with::<L, _>(gated, other, value, gate, output),
        }
    }
}

#[derive(Clone, Copy)]
struct Gelu;

impl Function for Gelu {
    #[inline(always)]
    unsafe fn of<L: Lanes>(self, x: L) -> L {
        // SAFETY: passed on to the caller.
        unsafe { math::gelu(x) }
    }
}

#[inline(always)]
unsafe fn with<L: Lanes, A: Function>(
    gated: Gated,
    function: A,
    value: Input,
    gate: Input,
    output: Output,
) {
    let rows = output.len() / gated.columns;
    let gate = match gate {
        Input::F32(gate) => gate.as_ptr().cast(),
        Input::F16(gate) => gate.as_ptr().cast(),
    };
    let body = Rows { lanes: PhantomData::<L>, gated, function, gate, rows };
    // SAFETY: passed on to the caller.
    unsafe { for_elements(body, value, output) }
}

struct Rows<L, A> {
    lanes: PhantomData<L>,
    gated: Gated,
    function: A,
    /// Of the values' type.
    gate: *const u8,
    rows: usize,
}

impl<L: Lanes, A: Function> Body for Rows<L, A> {
    #[inline(always)]
    unsafe fn run<I: Source, O: Sink>(self, input: *const I, output: *mut O, steps: Quantization) {
        let Rows { gated, function, rows, .. } = self;
        let Gated { columns, value_stride, gate_stride, .. } = gated;
        // SAFETY: `each` stays within a row's columns; the gate is of the values' type.
        unsafe {
            let quantizer = Quantizer::<L>::new(steps);
            let gates = self.gate.cast::<I>();
            for row in 0..rows {
                let (value, gate) = (input.add(row * value_stride), gates.add(row * gate_stride));
                let y = output.add(row * columns);
                each::<L>(
                    columns,
                    |at| {
                        let act = function.of(I::load::<L>(gate.add(at)));
                        quantizer.store(I::load::<L>(value.add(at)).mul(act), y.add(at));
                    },
                    |at, width| {
                        let act = function.of(I::load_first::<L>(gate.add(at), width));
                        let product = I::load_first::<L>(value.add(at), width).mul(act);
                        quantizer.store_first(product, y.add(at), width);
                    },
                );
            }
        }
    }
}

/// # Safety
/// The CPU has the engine's instructions; the slices hold the output's rows, a step for each and scratch for one.
#[inline(always)]
pub unsafe fn run_dynamic<L: Lanes>(gated: Gated, value: Input, gate: Input, rows: Quantized) {
    // SAFETY: passed on to the caller.
    unsafe {
        match gated.activation {
            Activation::Silu => dynamic_with::<L, _>(gated, Silu, value, gate, rows),
            Activation::Gelu => dynamic_with::<L, _>(gated, Gelu, value, gate, rows),
            other => dynamic_with::<L, _>(gated, other, value, gate, rows),
        }
    }
}

#[inline(always)]
unsafe fn dynamic_with<L: Lanes, A: Function>(
    gated: Gated,
    function: A,
    value: Input,
    gate: Input,
    rows: Quantized,
) {
    let Quantized { output, steps, scratch } = rows;
    let y = scratch.as_mut_ptr();
    let bytes = output.chunks_exact_mut(gated.columns);
    for (row, (bytes, step)) in bytes.zip(steps).enumerate() {
        let (values, gates) = (row * gated.value_stride, row * gated.gate_stride);
        // SAFETY: both slices hold the row's columns from there on, the scratch holds a row.
        unsafe {
            let greatest = match (value, gate) {
                (Input::F32(value), Input::F32(gate)) => {
                    let (value, gate) = (value.as_ptr().add(values), gate.as_ptr().add(gates));
                    products::<L, f32, A>(function, value, gate, y, gated.columns)
                }
                (Input::F16(value), Input::F16(gate)) => {
                    let (value, gate) = (value.as_ptr().add(values), gate.as_ptr().add(gates));
                    products::<L, f16, A>(function, value, gate, y, gated.columns)
                }
                _ => unreachable!("value and gate are of one type"),
            };
            *step = quantize::<L>(y, greatest, bytes);
        }
    }
}

/// Writes a row of results; gives the greatest size, or NaN where not all of them are finite.
#[inline(always)]
unsafe fn products<L: Lanes, I: Source, A: Function>(
    function: A,
    value: *const I,
    gate: *const I,
    y: *mut f32,
    columns: usize,
) -> f32 {
    // SAFETY: `each` stays within the columns.
    unsafe {
        let state = Cell::new((L::splat(0.0), L::splat(0.0)));
        let keep = |product: L| {
            let (most, nothing) = state.get();
            state.set((product.abs().at_least(most), nothing.add(product.sub(product))));
        };
        each::<L>(
            columns,
            |at| {
                let act = function.of(I::load::<L>(gate.add(at)));
                let product = I::load::<L>(value.add(at)).mul(act);
                keep(product);
                product.store(y.add(at));
            },
            |at, width| {
                let act = function.of(I::load_first::<L>(gate.add(at), width));
                let product = I::load_first::<L>(value.add(at), width).mul(act);
                keep(product);
                product.store_first(y.add(at), width);
            },
        );
        let (most, nothing) = state.get();
        // Infinities and NaN less themselves are NaN, all else is nothing.
        if nothing.sum() == 0.0 { most.greatest() } else { f32::NAN }
    }
}

/// Quantizes a row and gives its step.
#[inline(always)]
unsafe fn quantize<L: Lanes>(y: *const f32, greatest: f32, bytes: &mut [i8]) -> f32 {
    if greatest.is_nan() {
        bytes.fill(0);
        return f32::NAN;
    }
    let (step, factor) = step(greatest);
    let to = bytes.as_mut_ptr();
    // SAFETY: `each` stays within the bytes.
    unsafe {
        let quantizer = Quantizer::<L>::with(factor, 0);
        each::<L>(
            bytes.len(),
            |at| quantizer.store(L::load(y.add(at)), to.add(at)),
            |at, width| quantizer.store_first(L::load_first(y.add(at), width), to.add(at), width),
        );
    }
    step
}
