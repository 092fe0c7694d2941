//! Activations and products in halves.

use super::{Gated, Quantized, neon};
use crate::elements::{Input, Output, Quantization};
use crate::math::Activation;
use crate::math::neon_fp16::{
    LEAST_STEP, MAGIC, bytes, gelu_each, gelu_tanh_each, load, load_first, reload, silu_each,
    splat, store, store_first,
};
use crate::norm::step;
use half::f16;
use std::arch::aarch64::*;

/// What results may be multiplied by in halves.
const FACTORS: std::ops::RangeInclusive<f32> = 1e-3..=32_000.0;

/// # Safety
/// The CPU has fp16; the slices hold the output's rows.
#[target_feature(enable = "neon,fp16")]
pub unsafe fn run(gated: Gated, value: Input, gate: Input, output: Output) {
    let steps_fit = match &output {
        Output::F32(_) => false,
        Output::F16(_) => true,
        Output::I8(_, steps) => (LEAST_STEP..1000.0).contains(&steps.scale),
    };
    let (Input::F16(values), Input::F16(gates), true) = (value, gate, steps_fit) else {
        // SAFETY: the caller's.
        return unsafe { neon::run(gated, value, gate, output) };
    };
    match gated.activation {
        Activation::Silu => with(gated, values, gates, output, |x| silu_each(x)),
        Activation::Gelu => with(gated, values, gates, output, |x| gelu_each(x)),
        Activation::GeluTanh => with(gated, values, gates, output, |x| gelu_tanh_each(x)),
        other => with(gated, values, gates, output, |x| x.map(|x| other.halves(x))),
    }
}

/// # Safety
/// The CPU has fp16; the slices hold the output's rows, a step for each and scratch for one.
#[target_feature(enable = "neon,fp16")]
pub unsafe fn run_dynamic(gated: Gated, value: Input, gate: Input, rows: Quantized) {
    let (Input::F16(values), Input::F16(gates)) = (value, gate) else {
        // SAFETY: the caller's.
        return unsafe { neon::run_dynamic(gated, value, gate, rows) };
    };
    match gated.activation {
        Activation::Silu => dynamic(gated, values, gates, rows, |x| silu_each(x)),
        Activation::Gelu => dynamic(gated, values, gates, rows, |x| gelu_each(x)),
        Activation::GeluTanh => dynamic(gated, values, gates, rows, |x| gelu_tanh_each(x)),
        other => dynamic(gated, values, gates, rows, |x| x.map(|x| other.halves(x))),
    }
}

#[inline]
#[target_feature(enable = "neon,fp16")]
fn with(
    gated: Gated,
    values: &[f16],
    gates: &[f16],
    output: Output,
    pair: impl Fn([float16x8_t; 2]) -> [float16x8_t; 2],
) {
    let Gated { columns, value_stride, gate_stride, activation } = gated;
    let row = |row: usize| {
        (&values[row * value_stride..][..columns], &gates[row * gate_stride..][..columns])
    };
    match output {
        Output::F16(output) => {
            for (index, y) in output.chunks_exact_mut(columns).enumerate() {
                let (value, gate) = row(index);
                // SAFETY: `y` holds as many values as the row.
                unsafe { products(activation, value, gate, y.as_mut_ptr(), &pair) };
            }
        }
        Output::I8(output, Quantization { scale, zero_point }) => {
            let factor = splat(1.0 / scale);
            let zero = [f16::from_f32(MAGIC + f32::from(zero_point)).to_bits(); 8];
            let (end, rest) = (columns / 8 * 8, columns % 8);
            let one = |x| activation.halves(x);
            for (index, y) in output.chunks_exact_mut(columns).enumerate() {
                let (value, gate) = row(index);
                let (value, gate) = (value.as_ptr(), gate.as_ptr());
                let of =
                    |value, act| bytes(vfmaq_f16(reload(&zero), vmulq_f16(value, act), factor));
                // SAFETY: each step reads and writes 16, eight or `rest` of the row's columns.
                unsafe {
                    let mut at = 0;
                    while at + 16 <= end {
                        let acts = pair([load(gate.add(at)), load(gate.add(at + 8))]);
                        let low = of(load(value.add(at)), acts[0]);
                        let high = of(load(value.add(at + 8)), acts[1]);
                        vst1q_s8(y.as_mut_ptr().add(at), vcombine_s8(low, high));
                        at += 16;
                    }
                    if at < end {
                        let act = one(load(gate.add(at)));
                        vst1_s8(y.as_mut_ptr().add(at), of(load(value.add(at)), act));
                    }
                    if rest > 0 {
                        let act = one(load_first(gate.add(end), rest));
                        let mut last = [0; 8];
                        vst1_s8(last.as_mut_ptr(), of(load_first(value.add(end), rest), act));
                        y[end..].copy_from_slice(&last[..rest]);
                    }
                }
            }
        }
        Output::F32(_) => unreachable!("went to the version in f32"),
    }
}

#[inline]
#[target_feature(enable = "neon,fp16")]
fn dynamic(
    gated: Gated,
    values: &[f16],
    gates: &[f16],
    rows: Quantized,
    pair: impl Fn([float16x8_t; 2]) -> [float16x8_t; 2],
) {
    let Gated { columns, value_stride, gate_stride, activation } = gated;
    let Quantized { output, steps, scratch } = rows;
    let bytes = output.chunks_exact_mut(columns);
    for (index, (bytes, row_step)) in bytes.zip(&mut *steps).enumerate() {
        let value = &values[index * value_stride..][..columns];
        let gate = &gates[index * gate_stride..][..columns];
        let y = scratch.as_mut_ptr().cast::<f16>();
        // SAFETY: the scratch holds a row of twice the size.
        let greatest = unsafe { products(activation, value, gate, y, &pair) };
        let (step, factor) = step(across(greatest));
        if FACTORS.contains(&factor) {
            *row_step = step;
            // SAFETY: a row was written there.
            unsafe { quantize(y, factor, bytes) };
        } else {
            let (output, steps) = (bytes, std::slice::from_mut(row_step));
            let row = Quantized { output, steps, scratch: &mut *scratch };
            // SAFETY: the CPU has NEON; one row, its step and scratch for it.
            unsafe { neon::run_dynamic(gated, Input::F16(value), Input::F16(gate), row) };
        }
    }
}

/// Writes a row of results; gives their greatest sizes in each lane, NaN where there is one.
///
/// # Safety
/// As many gates as values, and room for as many results.
#[inline]
#[target_feature(enable = "neon,fp16")]
unsafe fn products(
    activation: Activation,
    value: &[f16],
    gate: &[f16],
    y: *mut f16,
    pair: impl Fn([float16x8_t; 2]) -> [float16x8_t; 2],
) -> float16x8_t {
    let (end, rest) = (value.len() / 8 * 8, value.len() % 8);
    let (value, gate) = (value.as_ptr(), gate.as_ptr());
    let one = |x| activation.halves(x);
    let mut most = [splat(0.0); 2];
    // SAFETY: each step reads and writes 16, eight or `rest` of the row's columns.
    unsafe {
        let mut at = 0;
        while at + 16 <= end {
            let acts = pair([load(gate.add(at)), load(gate.add(at + 8))]);
            let low = vmulq_f16(load(value.add(at)), acts[0]);
            let high = vmulq_f16(load(value.add(at + 8)), acts[1]);
            store(low, y.add(at));
            store(high, y.add(at + 8));
            most = [vmaxq_f16(most[0], vabsq_f16(low)), vmaxq_f16(most[1], vabsq_f16(high))];
            at += 16;
        }
        if at < end {
            let product = vmulq_f16(load(value.add(at)), one(load(gate.add(at))));
            store(product, y.add(at));
            most[0] = vmaxq_f16(most[0], vabsq_f16(product));
        }
        if rest > 0 {
            // Zeros beyond the row.
            let act = one(load_first(gate.add(end), rest));
            let product = vmulq_f16(load_first(value.add(end), rest), act);
            store_first(product, y.add(end), rest);
            most[1] = vmaxq_f16(most[1], vabsq_f16(product));
        }
    }
    vmaxq_f16(most[0], most[1])
}

/// The greatest lane; NaN where there is one.
#[inline]
#[target_feature(enable = "neon,fp16")]
fn across(most: float16x8_t) -> f32 {
    let most = vmax_f16(vget_low_f16(most), vget_high_f16(most));
    let most = vpmax_f16(most, most);
    let most = vpmax_f16(most, most);
    f16::from_bits(vget_lane_u16::<0>(vreinterpret_u16_f16(most))).to_f32()
}

/// # Safety
/// As many results as bytes.
#[inline]
#[target_feature(enable = "neon,fp16")]
unsafe fn quantize(y: *const f16, factor: f32, to: &mut [i8]) {
    let (end, rest) = (to.len() / 8 * 8, to.len() % 8);
    let factor = splat(factor);
    let zero = [f16::from_f32(MAGIC).to_bits(); 8];
    let of = |y| bytes(vfmaq_f16(reload(&zero), y, factor));
    // SAFETY: each step reads and writes 16, eight or `rest` values.
    unsafe {
        let mut at = 0;
        while at + 16 <= end {
            let (low, high) = (of(load(y.add(at))), of(load(y.add(at + 8))));
            vst1q_s8(to.as_mut_ptr().add(at), vcombine_s8(low, high));
            at += 16;
        }
        if at < end {
            vst1_s8(to.as_mut_ptr().add(at), of(load(y.add(at))));
        }
        if rest > 0 {
            let mut last = [0; 8];
            vst1_s8(last.as_mut_ptr(), of(load_first(y.add(end), rest)));
            to[end..].copy_from_slice(&last[..rest]);
        }
    }
}
