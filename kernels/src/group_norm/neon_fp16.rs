//! Differences, factors, terms and activations in halves; sums in f32.

use super::{Coefficients, neon};
use crate::elements::{Input, Output, Quantization};
use crate::math::Activation;
use crate::math::neon_fp16::{
    LEAST_STEP, LOG2_E, MAGIC, RECIPROCAL_BITS, SIGMOID_RANGE, bytes, load, load_first, narrow,
    reciprocal, reload, scaled, silu, splat, store, store_first,
};
use half::f16;
use std::arch::aarch64::*;

/// How many registers of channels are summed up side by side.
const SIDE: usize = 4;
/// How many channels have their coefficients in halves at a time.
const CHANNELS: usize = 512;
/// The steps of int8 that are small beside the error of halves, and for which `step · (1 + e^x)` is one.
const STEPS: std::ops::Range<f32> = LEAST_STEP..0.69;

/// # Safety
/// The CPU has fp16; whole rows, two sums a channel.
#[target_feature(enable = "neon,fp16")]
pub unsafe fn sums(pivot: Input, rows: Input, sums: &mut [f32]) {
    let (Input::F16(first), Input::F16(values)) = (pivot, rows) else {
        // SAFETY: the caller's.
        return unsafe { neon::sums(pivot, rows, sums) };
    };
    let channels = first.len();
    let count = values.len() / channels;
    let (pivot, rows, sums) = (first.as_ptr(), values.as_ptr(), sums.as_mut_ptr());
    let mut channel = 0;
    // SAFETY: each step reads and writes 32, 8 or `width` channels from `channel` on, no more than there are.
    unsafe {
        while channel + SIDE * 8 <= channels {
            let (pivot, rows) = (pivot.add(channel), rows.add(channel));
            let pivot: [_; SIDE] = [0, 1, 2, 3].map(|i| load(pivot.add(8 * i)));
            let mut sum = [vdupq_n_f32(0.0); 2 * SIDE];
            let mut squares = sum;
            for row in 0..count {
                let row = rows.add(row * channels);
                for i in 0..SIDE {
                    let d = vsubq_f16(load(row.add(8 * i)), pivot[i]);
                    let low = vcvt_f32_f16(vget_low_f16(d));
                    let high = vcvt_high_f32_f16(d);
                    sum[2 * i] = vaddq_f32(sum[2 * i], low);
                    sum[2 * i + 1] = vaddq_f32(sum[2 * i + 1], high);
                    squares[2 * i] = vfmaq_f32(squares[2 * i], low, low);
                    squares[2 * i + 1] = vfmaq_f32(squares[2 * i + 1], high, high);
                }
            }
            for i in 0..2 * SIDE {
                vst1q_f32(sums.add(channel + 4 * i), sum[i]);
                vst1q_f32(sums.add(channels + channel + 4 * i), squares[i]);
            }
            channel += SIDE * 8;
        }
        while channel < channels {
            let width = (channels - channel).min(8);
            let read = |from| if width == 8 { load(from) } else { load_first(from, width) };
            let pivot = read(pivot.add(channel));
            let mut sum = [vdupq_n_f32(0.0); 2];
            let mut squares = sum;
            for row in 0..count {
                let d = vsubq_f16(read(rows.add(row * channels + channel)), pivot);
                for (i, d) in
                    [vcvt_f32_f16(vget_low_f16(d)), vcvt_high_f32_f16(d)].into_iter().enumerate()
                {
                    sum[i] = vaddq_f32(sum[i], d);
                    squares[i] = vfmaq_f32(squares[i], d, d);
                }
            }
            for (values, to) in [(sum, channel), (squares, channels + channel)] {
                let mut all = [0.0; 8];
                vst1q_f32(all.as_mut_ptr(), values[0]);
                vst1q_f32(all.as_mut_ptr().add(4), values[1]);
                std::ptr::copy_nonoverlapping(all.as_ptr(), sums.add(to), width);
            }
            channel += width;
        }
    }
}

/// # Safety
/// The CPU has fp16; whole rows, as many results as inputs, three coefficients a channel.
#[target_feature(enable = "neon,fp16")]
pub unsafe fn apply(coefficients: Coefficients, rows: Input, output: Output) {
    let Input::F16(input) = rows else {
        // SAFETY: the caller's.
        return unsafe { neon::apply(coefficients, rows, output) };
    };
    let steps_fit = match &output {
        Output::F32(_) => false,
        Output::F16(_) => true,
        Output::I8(_, steps) => STEPS.contains(&steps.scale),
    };
    if !steps_fit || !are_halves(coefficients) {
        // SAFETY: the caller's.
        return unsafe { neon::apply(coefficients, rows, output) };
    }
    let activation = coefficients.activation;
    match output {
        Output::F16(output) => match activation {
            Activation::None => halves(coefficients, input, output, |x| x),
            Activation::Silu => halves(coefficients, input, output, |x| silu(x)),
            other => halves(coefficients, input, output, |x| other.halves(x)),
        },
        Output::I8(output, steps) => match activation {
            Activation::None => quantized(coefficients, input, output, steps, |x| x),
            Activation::Silu => silu_quantized(coefficients, input, output, steps),
            other => quantized(coefficients, input, output, steps, |x| other.halves(x)),
        },
        Output::F32(_) => unreachable!("went to the version in f32"),
    }
}

/// Whether the coefficients keep their digits as halves.
fn are_halves(coefficients: Coefficients) -> bool {
    let (centres, rest) = coefficients.values.split_at(coefficients.channels);
    let (factors, terms) = rest.split_at(coefficients.channels);
    let normal = |x: &f32| (x.abs() >= 2e-4) & (x.abs() <= 32_000.0) | (*x == 0.0);
    let bounded = |x: &f32| x.abs() <= 32_000.0;
    factors.iter().fold(true, |all, x| all & normal(x))
        & terms.iter().chain(centres).fold(true, |all, x| all & bounded(x))
}

/// The coefficients of some channels, as halves.
struct Chunk {
    centre: [f16; CHANNELS],
    factor: [f16; CHANNELS],
    term: [f16; CHANNELS],
}

impl Chunk {
    /// The normalised values of the eight channels from `at` on.
    #[inline]
    #[target_feature(enable = "neon,fp16")]
    unsafe fn of(&self, x: float16x8_t, at: usize) -> float16x8_t {
        // SAFETY: the caller's: `at` is a multiple of eight below `CHANNELS`.
        unsafe {
            let d = vsubq_f16(x, load(self.centre.as_ptr().add(at)));
            vfmaq_f16(load(self.term.as_ptr().add(at)), d, load(self.factor.as_ptr().add(at)))
        }
    }
}

/// Calls `body` with the coefficients of `CHANNELS` channels at a time, factors and terms multiplied by `by`; then
/// with the first channel and how many there are. Starts at channel `from`.
#[inline]
#[target_feature(enable = "neon,fp16")]
fn chunks(
    coefficients: Coefficients,
    by: f32,
    from: usize,
    mut body: impl FnMut(&Chunk, usize, usize),
) {
    let Coefficients { channels, values, .. } = coefficients;
    let empty = [f16::ZERO; CHANNELS];
    let mut chunk = Chunk { centre: empty, factor: empty, term: empty };
    for start in (from..channels).step_by(CHANNELS) {
        let width = CHANNELS.min(channels - start);
        let part = |part: usize| &values[part * channels + start..][..width];
        narrow(part(0), 1.0, &mut chunk.centre);
        narrow(part(1), by, &mut chunk.factor);
        narrow(part(2), by, &mut chunk.term);
        body(&chunk, start, width);
    }
}

#[inline]
#[target_feature(enable = "neon,fp16")]
fn halves(
    coefficients: Coefficients,
    input: &[f16],
    output: &mut [f16],
    function: impl Fn(float16x8_t) -> float16x8_t,
) {
    let channels = coefficients.channels;
    chunks(coefficients, 1.0, 0, |chunk, start, width| {
        let rows = input.chunks_exact(channels).zip(output.chunks_exact_mut(channels));
        for (input, output) in rows {
            let (input, output) = (&input[start..start + width], &mut output[start..start + width]);
            let (input, output) = (input.as_ptr(), output.as_mut_ptr());
            let (end, rest) = (width / 8 * 8, width % 8);
            // SAFETY: each step reads and writes eight or `rest` of the row's `width` channels.
            unsafe {
                for at in (0..end).step_by(8) {
                    store(function(chunk.of(load(input.add(at)), at)), output.add(at));
                }
                if rest > 0 {
                    let y = function(chunk.of(load_first(input.add(end), rest), end));
                    store_first(y, output.add(end), rest);
                }
            }
        }
    });
}

/// `function` gives `MAGIC` and the result.
#[inline]
#[target_feature(enable = "neon,fp16")]
fn shifted(
    coefficients: Coefficients,
    by: f32,
    from: usize,
    input: &[f16],
    output: &mut [i8],
    function: impl Fn(float16x8_t) -> float16x8_t,
) {
    let channels = coefficients.channels;
    chunks(coefficients, by, from, |chunk, start, width| {
        let rows = input.chunks_exact(channels).zip(output.chunks_exact_mut(channels));
        for (input, output) in rows {
            let (input, output) = (&input[start..start + width], &mut output[start..start + width]);
            let (input, output) = (input.as_ptr(), output.as_mut_ptr());
            let (end, rest) = (width / 8 * 8, width % 8);
            // SAFETY: each step reads and writes 16, eight or `rest` of the row's `width` channels.
            unsafe {
                let eight = |at: usize| bytes(function(chunk.of(load(input.add(at)), at)));
                let mut at = 0;
                while at + 16 <= end {
                    vst1q_s8(output.add(at), vcombine_s8(eight(at), eight(at + 8)));
                    at += 16;
                }
                if at < end {
                    vst1_s8(output.add(at), eight(at));
                }
                if rest > 0 {
                    let x = load_first(input.add(end), rest);
                    let mut last = [0; 8];
                    vst1_s8(last.as_mut_ptr(), bytes(function(chunk.of(x, end))));
                    std::ptr::copy_nonoverlapping(last.as_ptr(), output.add(end), rest);
                }
            }
        }
    });
}

#[inline]
#[target_feature(enable = "neon,fp16")]
fn quantized(
    coefficients: Coefficients,
    input: &[f16],
    output: &mut [i8],
    steps: Quantization,
    function: impl Fn(float16x8_t) -> float16x8_t,
) {
    let factor = splat(1.0 / steps.scale);
    let zero = [f16::from_f32(MAGIC + f32::from(steps.zero_point)).to_bits(); 8];
    shifted(coefficients, 1.0, 0, input, output, |x| vfmaq_f16(reload(&zero), function(x), factor));
}

/// SiLU with the multiplications by log2 e and by the scale's reciprocal folded into other factors: the rows are
/// normalised to `w = −x log2 e`, and the step stands in the denominator of `w / (−step · log2 e · (1 + 2^w))`.
#[target_feature(enable = "neon,fp16")]
fn silu_quantized(
    coefficients: Coefficients,
    input: &[f16],
    output: &mut [i8],
    steps: Quantization,
) {
    let table = Table::new(steps);
    let channels = coefficients.channels;
    let strips = if is_near_zero(coefficients) { channels / 16 * 16 } else { 0 };
    let at_a_time = (CACHED / channels).max(1) * channels;
    for (input, output) in input.chunks(at_a_time).zip(output.chunks_mut(at_a_time)) {
        for start in (0..strips).step_by(16) {
            let mut zeros = [0.0; 16];
            let mut factors = [0.0; 16];
            let part = |part: usize| &coefficients.values[part * channels + start..][..16];
            for (lane, (zero, factor)) in zeros.iter_mut().zip(&mut factors).enumerate() {
                *factor = part(1)[lane];
                *zero = part(0)[lane] - part(2)[lane] / *factor;
            }
            let mut halves = [[f16::ZERO; 16]; 2];
            narrow(&zeros, 1.0, &mut halves[0]);
            narrow(&factors, -LOG2_E, &mut halves[1]);
            let rows = input.len() / channels;
            // SAFETY: each of the rows has 16 channels from `start` on, in both slices.
            unsafe {
                let (input, output) = (input.as_ptr().add(start), output.as_mut_ptr().add(start));
                silu_strip(&table, &halves, input, output, channels, rows);
            }
        }
    }
    if strips < channels {
        let function = |w| table.of(w);
        shifted(coefficients, -LOG2_E, strips, input, output, function);
    }
}

/// How many values go through all strips of 16 channels before the next, so that the strips share cache lines.
const CACHED: usize = 20_480;

/// Whether `(x − zero) · factor` with a zero in halves is near enough to `(x − centre) · factor + term`: all terms
/// for x = 0 are at most 4, which leaves an error of 2⁻¹⁰.
fn is_near_zero(coefficients: Coefficients) -> bool {
    let (centres, rest) = coefficients.values.split_at(coefficients.channels);
    let (factors, terms) = rest.split_at(coefficients.channels);
    centres.iter().zip(factors).zip(terms).fold(true, |all, ((centre, factor), term)| {
        all & (*factor != 0.0) & ((term - centre * factor).abs() <= 4.0)
    })
}

/// The constants of [`silu_quantized`], eight halves each.
#[repr(C)]
struct Table {
    power: [u16; 8],
    one: [u16; 8],
    step: [u16; 8],
    zero: [u16; 8],
    // From here on they stay in registers.
    power_last: [u16; 8],
    reciprocal: [u16; 8],
    magic: [u16; 8],
    least: [u16; 8],
    greatest: [u16; 8],
}

impl Table {
    fn new(steps: Quantization) -> Self {
        let all = |value: f32| [f16::from_f32(value).to_bits(); 8];
        let (least, greatest) = SIGMOID_RANGE;
        Self {
            power: all(0.703_125),
            one: all(1.0),
            step: all(-LOG2_E * steps.scale),
            zero: all(MAGIC + f32::from(steps.zero_point)),
            power_last: all(0.240_234_38),
            reciprocal: [RECIPROCAL_BITS; 8],
            magic: all(MAGIC),
            least: all(-LOG2_E * greatest),
            greatest: all(-LOG2_E * least),
        }
    }

    /// `MAGIC` and the result for `w`.
    #[inline]
    #[target_feature(enable = "neon,fp16")]
    fn of(&self, w: float16x8_t) -> float16x8_t {
        let w = vminq_f16(w, reload(&self.greatest));
        let t = vmaxq_f16(w, reload(&self.least));
        let shifted = vaddq_f16(t, splat(MAGIC));
        let r = vsubq_f16(t, vsubq_f16(shifted, splat(MAGIC)));
        // 2^r to 2·10⁻³: a tenth of a step at the least step, for x about 1.5.
        let p = vfmaq_f16(reload(&self.power), reload(&self.power_last), r);
        let p = vfmaq_f16(reload(&self.one), p, r);
        let step = reload(&self.step);
        let denominator = vfmaq_f16(step, step, scaled(p, shifted));
        vfmaq_f16(reload(&self.zero), w, reciprocal(denominator))
    }
}

/// [`Table::of`] for 16 channels of some rows, in assembly: the terms of multiply-adds, which their results
/// overwrite, are loaded anew, for the pipes of arithmetic are the bound and a copy would take a turn of theirs; and
/// the two halves of the work overlap by a row, for one row after the other waits for results.
///
/// # Safety
/// The CPU has fp16; `rows` > 0 rows of 16 values, `stride` values apart, in both places.
#[inline(never)]
#[target_feature(enable = "neon,fp16")]
unsafe fn silu_strip(
    table: &Table,
    coefficients: &[[f16; 16]; 2],
    input: *const f16,
    output: *mut i8,
    stride: usize,
    rows: usize,
) {
    // SAFETY: reads 32 bytes and writes 16 a row, as the caller vouches for.
    unsafe {
        std::arch::asm!(
            "ld1 {{v16.8h, v17.8h, v18.8h, v19.8h}}, [{coefficients}]",
            "ldr q25, [{table}, #32]",
            "ldp q24, q26, [{table}, #64]",
            "ldp q22, q21, [{table}, #96]",
            "ldr q20, [{table}, #128]",
            // From x to 2^w.
            "ldur q0, [{input}]",
            "ldur q2, [{input}, #16]",
            "fsub v0.8h, v0.8h, v16.8h",
            "fsub v2.8h, v2.8h, v17.8h",
            "fmul v0.8h, v0.8h, v18.8h",
            "fmul v2.8h, v2.8h, v19.8h",
            "fmin v0.8h, v0.8h, v20.8h",
            "fmin v2.8h, v2.8h, v20.8h",
            "fmax v8.8h, v0.8h, v21.8h",
            "fmax v11.8h, v2.8h, v21.8h",
            "fadd v1.8h, v8.8h, v22.8h",
            "fadd v3.8h, v11.8h, v22.8h",
            "fsub v9.8h, v1.8h, v22.8h",
            "fsub v12.8h, v3.8h, v22.8h",
            "ldur q10, [{table}, #16]",
            "ldur q13, [{table}, #16]",
            "fsub v8.8h, v8.8h, v9.8h",
            "fsub v11.8h, v11.8h, v12.8h",
            "ldur q9, [{table}]",
            "ldur q12, [{table}]",
            "shl v1.8h, v1.8h, #10",
            "shl v3.8h, v3.8h, #10",
            "fmla v9.8h, v24.8h, v8.8h",
            "fmla v12.8h, v24.8h, v11.8h",
            "fmla v10.8h, v9.8h, v8.8h",
            "fmla v13.8h, v12.8h, v11.8h",
            "add v1.8h, v1.8h, v10.8h",
            "add v3.8h, v3.8h, v13.8h",
            "add {input}, {input}, {stride}, lsl #1",
            "subs {rows}, {rows}, #1",
            "b.eq 3f",
            "b 2f",
            // Within one page of memory.
            ".p2align 9",
            // From 2^w of a row to its int8, and from x to 2^w of the next.
            "2:",
            "ldur q4, [{input}]",
            "ldur q14, [{table}, #32]",
            "ldur q6, [{input}, #16]",
            "ldur q27, [{table}, #32]",
            "fsub v4.8h, v4.8h, v16.8h",
            "fmla v14.8h, v1.8h, v25.8h",
            "fsub v6.8h, v6.8h, v17.8h",
            "fmul v4.8h, v4.8h, v18.8h",
            "fmla v27.8h, v3.8h, v25.8h",
            "fmul v6.8h, v6.8h, v19.8h",
            "ldur q23, [{table}, #16]",
            "fmin v4.8h, v4.8h, v20.8h",
            "fmin v6.8h, v6.8h, v20.8h",
            "ldur q29, [{table}, #16]",
            "fmax v8.8h, v4.8h, v21.8h",
            "sub v15.8h, v26.8h, v14.8h",
            "fmax v11.8h, v6.8h, v21.8h",
            "sub v28.8h, v26.8h, v27.8h",
            "fadd v5.8h, v8.8h, v22.8h",
            "fadd v7.8h, v11.8h, v22.8h",
            "fmls v23.8h, v15.8h, v14.8h",
            "fsub v9.8h, v5.8h, v22.8h",
            "fmls v29.8h, v28.8h, v27.8h",
            "fsub v12.8h, v7.8h, v22.8h",
            "ldur q10, [{table}, #16]",
            "ldur q14, [{table}, #48]",
            "ldur q13, [{table}, #16]",
            "ldur q27, [{table}, #48]",
            "fsub v8.8h, v8.8h, v9.8h",
            "fmla v23.8h, v23.8h, v23.8h",
            "fsub v11.8h, v11.8h, v12.8h",
            "ldur q9, [{table}]",
            "fmla v29.8h, v29.8h, v29.8h",
            "ldur q12, [{table}]",
            "fmla v15.8h, v15.8h, v23.8h",
            "shl v5.8h, v5.8h, #10",
            "shl v7.8h, v7.8h, #10",
            "fmla v28.8h, v28.8h, v29.8h",
            "fmla v9.8h, v24.8h, v8.8h",
            "fmla v14.8h, v0.8h, v15.8h",
            "fmla v12.8h, v24.8h, v11.8h",
            "fmla v27.8h, v2.8h, v28.8h",
            "fmla v10.8h, v9.8h, v8.8h",
            "fmla v13.8h, v12.8h, v11.8h",
            "sqsub v14.8h, v14.8h, v22.8h",
            "add v5.8h, v5.8h, v10.8h",
            "sqsub v27.8h, v27.8h, v22.8h",
            "add v7.8h, v7.8h, v13.8h",
            "add {input}, {input}, {stride}, lsl #1",
            "sqxtn v14.8b, v14.8h",
            "sqxtn2 v14.16b, v27.8h",
            "st1 {{v14.16b}}, [{output}]",
            "add {output}, {output}, {stride}",
            "subs {rows}, {rows}, #1",
            "b.eq 4f",
            // The same with other registers for w and 2^w.
            "ldur q0, [{input}]",
            "ldur q14, [{table}, #32]",
            "ldur q2, [{input}, #16]",
            "ldur q27, [{table}, #32]",
            "fsub v0.8h, v0.8h, v16.8h",
            "fmla v14.8h, v5.8h, v25.8h",
            "fsub v2.8h, v2.8h, v17.8h",
            "fmul v0.8h, v0.8h, v18.8h",
            "fmla v27.8h, v7.8h, v25.8h",
            "fmul v2.8h, v2.8h, v19.8h",
            "ldur q23, [{table}, #16]",
            "fmin v0.8h, v0.8h, v20.8h",
            "fmin v2.8h, v2.8h, v20.8h",
            "ldur q29, [{table}, #16]",
            "fmax v8.8h, v0.8h, v21.8h",
            "sub v15.8h, v26.8h, v14.8h",
            "fmax v11.8h, v2.8h, v21.8h",
            "sub v28.8h, v26.8h, v27.8h",
            "fadd v1.8h, v8.8h, v22.8h",
            "fadd v3.8h, v11.8h, v22.8h",
            "fmls v23.8h, v15.8h, v14.8h",
            "fsub v9.8h, v1.8h, v22.8h",
            "fmls v29.8h, v28.8h, v27.8h",
            "fsub v12.8h, v3.8h, v22.8h",
            "ldur q10, [{table}, #16]",
            "ldur q14, [{table}, #48]",
            "ldur q13, [{table}, #16]",
            "ldur q27, [{table}, #48]",
            "fsub v8.8h, v8.8h, v9.8h",
            "fmla v23.8h, v23.8h, v23.8h",
            "fsub v11.8h, v11.8h, v12.8h",
            "ldur q9, [{table}]",
            "fmla v29.8h, v29.8h, v29.8h",
            "ldur q12, [{table}]",
            "fmla v15.8h, v15.8h, v23.8h",
            "shl v1.8h, v1.8h, #10",
            "shl v3.8h, v3.8h, #10",
            "fmla v28.8h, v28.8h, v29.8h",
            "fmla v9.8h, v24.8h, v8.8h",
            "fmla v14.8h, v4.8h, v15.8h",
            "fmla v12.8h, v24.8h, v11.8h",
            "fmla v27.8h, v6.8h, v28.8h",
            "fmla v10.8h, v9.8h, v8.8h",
            "fmla v13.8h, v12.8h, v11.8h",
            "sqsub v14.8h, v14.8h, v22.8h",
            "add v1.8h, v1.8h, v10.8h",
            "sqsub v27.8h, v27.8h, v22.8h",
            "add v3.8h, v3.8h, v13.8h",
            "add {input}, {input}, {stride}, lsl #1",
            "sqxtn v14.8b, v14.8h",
            "sqxtn2 v14.16b, v27.8h",
            "st1 {{v14.16b}}, [{output}]",
            "add {output}, {output}, {stride}",
            "subs {rows}, {rows}, #1",
            "b.ne 2b",
            // The last row's int8.
            "3:",
            "ldur q14, [{table}, #32]",
            "ldur q27, [{table}, #32]",
            "fmla v14.8h, v1.8h, v25.8h",
            "fmla v27.8h, v3.8h, v25.8h",
            "ldur q23, [{table}, #16]",
            "ldur q29, [{table}, #16]",
            "sub v15.8h, v26.8h, v14.8h",
            "sub v28.8h, v26.8h, v27.8h",
            "fmls v23.8h, v15.8h, v14.8h",
            "fmls v29.8h, v28.8h, v27.8h",
            "ldur q14, [{table}, #48]",
            "ldur q27, [{table}, #48]",
            "fmla v23.8h, v23.8h, v23.8h",
            "fmla v29.8h, v29.8h, v29.8h",
            "fmla v15.8h, v15.8h, v23.8h",
            "fmla v28.8h, v28.8h, v29.8h",
            "fmla v14.8h, v0.8h, v15.8h",
            "fmla v27.8h, v2.8h, v28.8h",
            "sqsub v14.8h, v14.8h, v22.8h",
            "sqsub v27.8h, v27.8h, v22.8h",
            "sqxtn v14.8b, v14.8h",
            "sqxtn2 v14.16b, v27.8h",
            "st1 {{v14.16b}}, [{output}]",
            "add {output}, {output}, {stride}",
            "b 5f",
            "4:",
            "ldur q14, [{table}, #32]",
            "ldur q27, [{table}, #32]",
            "fmla v14.8h, v5.8h, v25.8h",
            "fmla v27.8h, v7.8h, v25.8h",
            "ldur q23, [{table}, #16]",
            "ldur q29, [{table}, #16]",
            "sub v15.8h, v26.8h, v14.8h",
            "sub v28.8h, v26.8h, v27.8h",
            "fmls v23.8h, v15.8h, v14.8h",
            "fmls v29.8h, v28.8h, v27.8h",
            "ldur q14, [{table}, #48]",
            "ldur q27, [{table}, #48]",
            "fmla v23.8h, v23.8h, v23.8h",
            "fmla v29.8h, v29.8h, v29.8h",
            "fmla v15.8h, v15.8h, v23.8h",
            "fmla v28.8h, v28.8h, v29.8h",
            "fmla v14.8h, v4.8h, v15.8h",
            "fmla v27.8h, v6.8h, v28.8h",
            "sqsub v14.8h, v14.8h, v22.8h",
            "sqsub v27.8h, v27.8h, v22.8h",
            "sqxtn v14.8b, v14.8h",
            "sqxtn2 v14.16b, v27.8h",
            "st1 {{v14.16b}}, [{output}]",
            "add {output}, {output}, {stride}",
            "5:",
            table = in(reg) table,
            coefficients = in(reg) coefficients,
            input = inout(reg) input => _,
            output = inout(reg) output => _,
            stride = in(reg) stride,
            rows = inout(reg) rows => _,
            out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _,
            out("v6") _, out("v7") _, out("v8") _, out("v9") _, out("v10") _, out("v11") _,
            out("v12") _, out("v13") _, out("v14") _, out("v15") _, out("v16") _, out("v17") _,
            out("v18") _, out("v19") _, out("v20") _, out("v21") _, out("v22") _, out("v23") _,
            out("v24") _, out("v25") _, out("v26") _, out("v27") _, out("v28") _, out("v29") _,
            options(nostack),
        );
    }
}
