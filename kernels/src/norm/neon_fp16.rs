//! Results in halves, sums in f32.

use super::{RowNorm, Statistics, neon, step};
use crate::elements::{Input, Output};
use crate::math::Activation;
use crate::math::neon_fp16::{
    LEAST_STEP, MAGIC, bytes, load, load_first, narrow, reload, splat, store, store_first,
};
use half::f16;
use std::arch::aarch64::*;

/// The longest row whose scale and shift are kept in halves.
const CHANNELS: usize = 4096;
/// Numbers that keep their digits as halves.
const NORMAL: std::ops::RangeInclusive<f32> = 2e-4..=32_000.0;

/// Scale and shift as halves.
struct Halves {
    scale: [f16; CHANNELS],
    shift: [f16; CHANNELS],
    activation: Activation,
}

/// A row's centre, what undoes its rounding, and its factor.
#[derive(Clone, Copy)]
struct Row {
    centre: f16,
    rest: f16,
    inverse: f16,
    /// Whether there is nothing to undo.
    is_exact: bool,
}

/// Rows whose statistics are computed side by side.
const SIDE: usize = 4;
/// A sum of squares from which on there may be an infinity or NaN among the values, which
/// [`sums_of_blocks`] does not tell from numbers.
const BEYOND: f32 = 4.29e9;
/// Half a unit in the last place of the results.
const NOTHING: f32 = 4.9e-4;

/// # Safety
/// The CPU has fp16; whole rows, as many results as values.
#[target_feature(enable = "neon,fp16")]
pub unsafe fn run<const CENTRED: bool>(norm: RowNorm, input: Input, output: Output) {
    let channels = norm.channels();
    let steps_fit = match &output {
        Output::F32(_) => false,
        Output::F16(_) => true,
        Output::I8(_, steps) => (LEAST_STEP..1000.0).contains(&steps.scale),
    };
    let (Input::F16(values), true, true) = (input, steps_fit, are_halves(norm)) else {
        // SAFETY: the caller's.
        return unsafe { neon::run::<CENTRED>(norm, input, output) };
    };
    let halves = Halves::new(norm);
    match output {
        Output::F16(output) => for_rows::<CENTRED>(norm, values, |index, row| {
            let own = index * channels..(index + 1) * channels;
            let (x, y) = (&values[own.clone()], &mut output[own]);
            match row {
                Some(row) => halves.row(row, x, y),
                // SAFETY: the CPU has NEON; one row.
                None => unsafe { neon::run::<CENTRED>(norm, Input::F16(x), Output::F16(y)) },
            }
        }),
        Output::I8(output, steps) => for_rows::<CENTRED>(norm, values, |index, row| {
            let own = index * channels..(index + 1) * channels;
            let (x, y) = (&values[own.clone()], &mut output[own]);
            match row {
                Some(row) => halves.quantized(row, 1.0 / steps.scale, steps.zero_point, x, y),
                // SAFETY: the CPU has NEON; one row.
                None => unsafe { neon::run::<CENTRED>(norm, Input::F16(x), Output::I8(y, steps)) },
            }
        }),
        Output::F32(_) => unreachable!("went to the version in f32"),
    }
}

/// # Safety
/// The CPU has fp16; whole rows, as many results as values, a step for each row.
#[target_feature(enable = "neon,fp16")]
pub unsafe fn run_dynamic<const CENTRED: bool>(
    norm: RowNorm,
    input: Input,
    output: &mut [i8],
    steps: &mut [f32],
) {
    let channels = norm.channels();
    let (Input::F16(values), true) = (input, are_halves(norm)) else {
        // SAFETY: the caller's.
        return unsafe { neon::run_dynamic::<CENTRED>(norm, input, output, steps) };
    };
    let halves = Halves::new(norm);
    for_rows::<CENTRED>(norm, values, |index, row| {
        let own = index * channels..(index + 1) * channels;
        let (x, y) = (&values[own.clone()], &mut output[own]);
        if let Some(row) = row {
            let (step, factor) = step(halves.greatest(row, x));
            if NORMAL.contains(&factor) {
                steps[index] = step;
                return halves.quantized(row, factor, 0, x, y);
            }
        }
        let step = std::slice::from_mut(&mut steps[index]);
        // SAFETY: the CPU has NEON; one row and its step.
        unsafe { neon::run_dynamic::<CENTRED>(norm, Input::F16(x), y, step) }
    });
}

fn are_halves(norm: RowNorm) -> bool {
    norm.channels() <= CHANNELS
        && norm.scale.iter().chain(norm.shift).fold(true, |all, x| all & (x.abs() <= 32_000.0))
}

/// Calls `body` with each row's index and what it is normalised with; nothing where that is no normal halves.
#[inline]
#[target_feature(enable = "neon,fp16")]
fn for_rows<const CENTRED: bool>(
    norm: RowNorm,
    values: &[f16],
    mut body: impl FnMut(usize, Option<Row>),
) {
    let channels = norm.channels();
    let count = values.len() / channels;
    for first in (0..count).step_by(SIDE) {
        // The last row again where there are no more.
        let row = |i: usize| &values[(first + i).min(count - 1) * channels..][..channels];
        let rows = four::<CENTRED>(norm, [row(0), row(1), row(2), row(3)]);
        for (index, row) in (first..count).zip(rows) {
            body(index, row);
        }
    }
}

/// Statistics about zero; about a pivot where the mean is far greater than the deviation.
#[inline]
#[target_feature(enable = "neon,fp16")]
fn four<const CENTRED: bool>(norm: RowNorm, rows: [&[f16]; SIDE]) -> [Option<Row>; SIDE] {
    let count = norm.channels();
    let [a, b, c, d] = rows.map(|row| sums::<CENTRED, false>(row, f16::ZERO));
    let across = |a, b, c, d| vpaddq_f32(vpaddq_f32(a, b), vpaddq_f32(c, d));
    let share = vdupq_n_f32(1.0 / count as f32);
    let squares = across(a.1, b.1, c.1, d.1);
    let is_finite = vcltq_f32(squares, vdupq_n_f32(BEYOND));
    let squares = vmulq_f32(squares, share);
    let mut mean = vmulq_f32(across(a.0, b.0, c.0, d.0), share);
    let variance = if CENTRED { vfmsq_f32(squares, mean, mean) } else { squares };
    let ill = vcltq_f32(vmulq_n_f32(variance, 16.0), vmulq_f32(mean, mean));
    let variance = vaddq_f32(vmaxq_f32(variance, vdupq_n_f32(0.0)), vdupq_n_f32(norm.epsilon));
    let mut inverse = vdivq_f32(vdupq_n_f32(1.0), vsqrtq_f32(variance));
    if CENTRED && vmaxvq_u32(ill) != 0 {
        (mean, inverse) = about_pivots(norm, rows, ill, mean, inverse);
    }
    let centre = vcvt_f16_f32(mean);
    let rest = vmulq_f32(vsubq_f32(vcvt_f32_f16(centre), mean), inverse);
    let is_exact = vcleq_f32(vabsq_f32(rest), vdupq_n_f32(NOTHING));
    let (least, most) = (vdupq_n_f32(*NORMAL.start()), vdupq_n_f32(*NORMAL.end()));
    let is_normal = vandq_u32(vcgeq_f32(inverse, least), vcleq_f32(inverse, most));
    let fits = vandq_u32(is_normal, vandq_u32(is_finite, vcleq_f32(vabsq_f32(mean), most)));
    let mut halves = [[f16::ZERO; SIDE]; 3];
    let mut flags = [[0; SIDE]; 2];
    // SAFETY: the arrays hold four values.
    unsafe {
        let values = [centre, vcvt_f16_f32(rest), vcvt_f16_f32(inverse)];
        for (to, from) in halves.iter_mut().zip(values) {
            vst1_u16(to.as_mut_ptr().cast(), vreinterpret_u16_f16(from));
        }
        vst1q_u32(flags[0].as_mut_ptr(), fits);
        vst1q_u32(flags[1].as_mut_ptr(), is_exact);
    }
    std::array::from_fn(|i| {
        let [centre, rest, inverse] = halves.map(|values| values[i]);
        (flags[0][i] != 0).then_some(Row { centre, rest, inverse, is_exact: flags[1][i] != 0 })
    })
}

/// Means and inverse deviations with those of the ill rows replaced.
#[cold]
#[target_feature(enable = "neon,fp16")]
fn about_pivots(
    norm: RowNorm,
    rows: [&[f16]; SIDE],
    ill: uint32x4_t,
    mean: float32x4_t,
    inverse: float32x4_t,
) -> (float32x4_t, float32x4_t) {
    let (mut means, mut inverses, mut is_ill) = ([0.0; SIDE], [0.0; SIDE], [0; SIDE]);
    // SAFETY: the arrays hold four values.
    unsafe {
        vst1q_f32(means.as_mut_ptr(), mean);
        vst1q_f32(inverses.as_mut_ptr(), inverse);
        vst1q_u32(is_ill.as_mut_ptr(), ill);
    }
    for (index, row) in rows.into_iter().enumerate().filter(|&(index, _)| is_ill[index] != 0) {
        let (sum, squares) = sums::<true, true>(row, row[0]);
        let (sum, squares) = (vaddvq_f32(sum), vaddvq_f32(squares));
        let pivot = row[0].to_f32();
        let own = Statistics::centred(pivot, sum, squares, norm.channels(), norm.epsilon);
        (means[index], inverses[index]) = (pivot - own.offset / own.inverse, own.inverse);
    }
    // SAFETY: the arrays hold four values.
    unsafe { (vld1q_f32(means.as_ptr()), vld1q_f32(inverses.as_ptr())) }
}

/// Four partial sums of the differences to the pivot, and of their squares.
#[inline]
#[target_feature(enable = "neon,fp16")]
fn sums<const CENTRED: bool, const PIVOT: bool>(
    x: &[f16],
    pivot: f16,
) -> (float32x4_t, float32x4_t) {
    let whole = x.len() / 32 * 32;
    let (mut sum, mut squares) = (vdupq_n_f32(0.0), vdupq_n_f32(0.0));
    if CENTRED && !PIVOT && whole > 0 {
        // SAFETY: the CPU has fp16; there are so many blocks.
        (sum, squares) = unsafe { sums_of_blocks(x.as_ptr(), whole / 32) };
        if whole == x.len() {
            return (sum, squares);
        }
    }
    let x = if CENTRED && !PIVOT { &x[whole..] } else { x };
    let rest = sums_about::<CENTRED>(x, pivot);
    (vaddq_f32(sum, rest.0), vaddq_f32(squares, rest.1))
}

#[target_feature(enable = "neon,fp16")]
fn sums_about<const CENTRED: bool>(x: &[f16], pivot: f16) -> (float32x4_t, float32x4_t) {
    let mut sum = [vdupq_n_f32(0.0); 4];
    let mut squares = sum;
    let about = vreinterpretq_f16_u16(vdupq_n_u16(pivot.to_bits()));
    let mut add = |i: usize, x: float16x8_t| {
        let d = vsubq_f16(x, about);
        for d in [vcvt_f32_f16(vget_low_f16(d)), vcvt_high_f32_f16(d)] {
            if CENTRED {
                sum[i] = vaddq_f32(sum[i], d);
            }
            squares[i] = vfmaq_f32(squares[i], d, d);
        }
    };
    let blocks = x.chunks_exact(32);
    let rest = blocks.remainder();
    for block in blocks {
        // SAFETY: the block holds 32 halves.
        let x = unsafe { vld1q_u16_x4(block.as_ptr().cast()) };
        add(0, vreinterpretq_f16_u16(x.0));
        add(1, vreinterpretq_f16_u16(x.1));
        add(2, vreinterpretq_f16_u16(x.2));
        add(3, vreinterpretq_f16_u16(x.3));
    }
    for (i, part) in rest.chunks(8).enumerate() {
        // What is beyond the row counts as nothing.
        let mut halves = [pivot; 8];
        halves[..part.len()].copy_from_slice(part);
        // SAFETY: the array holds eight halves.
        add(i, unsafe { load(halves.as_ptr()) });
    }
    let total = |sums: [float32x4_t; 4]| {
        vaddq_f32(vaddq_f32(sums[0], sums[2]), vaddq_f32(sums[1], sums[3]))
    };
    (total(sum), total(squares))
}

/// Four partial sums of blocks of 32 values, and of their squares. An infinity and NaN may count as a number of
/// 65 536 or more: a quarter of the values are widened by shifts, since the conversion keeps one of the pipes busy.
///
/// # Safety
/// The CPU has fp16; the pointer is good for `blocks` > 0 blocks.
#[inline]
#[target_feature(enable = "neon,fp16")]
unsafe fn sums_of_blocks(x: *const f16, blocks: usize) -> (float32x4_t, float32x4_t) {
    let mut sum = [vdupq_n_f32(0.0); 4];
    let mut squares = sum;
    // The exponents differ by 112.
    let scale = vdupq_n_f32(f32::from_bits((127 + 112) << 23));
    // SAFETY: reads what the caller vouches for.
    unsafe {
        std::arch::asm!(
            "2:",
            "ld1 {{v0.8h, v1.8h, v2.8h, v3.8h}}, [{x}], #64",
            "subs {blocks}, {blocks}, #1",
            "fcvtl v4.4s, v0.4h",
            "fadd {s0:v}.4s, {s0:v}.4s, v4.4s",
            "fmla {q0:v}.4s, v4.4s, v4.4s",
            "fcvtl2 v5.4s, v0.8h",
            "fadd {s0:v}.4s, {s0:v}.4s, v5.4s",
            "fmla {q0:v}.4s, v5.4s, v5.4s",
            "fcvtl v6.4s, v1.4h",
            "fadd {s1:v}.4s, {s1:v}.4s, v6.4s",
            "fmla {q1:v}.4s, v6.4s, v6.4s",
            "fcvtl2 v7.4s, v1.8h",
            "fadd {s1:v}.4s, {s1:v}.4s, v7.4s",
            "fmla {q1:v}.4s, v7.4s, v7.4s",
            "fcvtl v16.4s, v2.4h",
            "fadd {s2:v}.4s, {s2:v}.4s, v16.4s",
            "fmla {q2:v}.4s, v16.4s, v16.4s",
            "fcvtl2 v17.4s, v2.8h",
            "fadd {s2:v}.4s, {s2:v}.4s, v17.4s",
            "fmla {q2:v}.4s, v17.4s, v17.4s",
            "sshll v18.4s, v3.4h, #13",
            "and v18.16b, v18.16b, {mask:v}.16b",
            "fmul v18.4s, v18.4s, {scale:v}.4s",
            "fadd {s3:v}.4s, {s3:v}.4s, v18.4s",
            "fmla {q3:v}.4s, v18.4s, v18.4s",
            "sshll2 v19.4s, v3.8h, #13",
            "and v19.16b, v19.16b, {mask:v}.16b",
            "fmul v19.4s, v19.4s, {scale:v}.4s",
            "fadd {s3:v}.4s, {s3:v}.4s, v19.4s",
            "fmla {q3:v}.4s, v19.4s, v19.4s",
            "b.ne 2b",
            x = inout(reg) x => _,
            blocks = inout(reg) blocks => _,
            s0 = inout(vreg) sum[0],
            s1 = inout(vreg) sum[1],
            s2 = inout(vreg) sum[2],
            s3 = inout(vreg) sum[3],
            q0 = inout(vreg) squares[0],
            q1 = inout(vreg) squares[1],
            q2 = inout(vreg) squares[2],
            q3 = inout(vreg) squares[3],
            mask = in(vreg) vdupq_n_u32(0x8fff_e000),
            scale = in(vreg) scale,
            out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _,
            out("v6") _, out("v7") _, out("v16") _, out("v17") _, out("v18") _, out("v19") _,
            options(nostack, readonly),
        );
    }
    let total = |sums: [float32x4_t; 4]| {
        vaddq_f32(vaddq_f32(sums[0], sums[2]), vaddq_f32(sums[1], sums[3]))
    };
    (total(sum), total(squares))
}

impl Halves {
    #[inline]
    #[target_feature(enable = "neon,fp16")]
    fn new(norm: RowNorm) -> Self {
        let empty = [f16::ZERO; CHANNELS];
        let mut halves = Self { scale: empty, shift: empty, activation: norm.activation };
        narrow(norm.scale, 1.0, &mut halves.scale);
        narrow(norm.shift, 1.0, &mut halves.shift);
        halves
    }

    #[inline]
    #[target_feature(enable = "neon,fp16")]
    fn row(&self, row: Row, x: &[f16], y: &mut [f16]) {
        if row.is_exact && self.activation == Activation::None {
            let blocks = x.len() / 32;
            // SAFETY: the CPU has fp16; both slices and this hold so many blocks.
            unsafe { self.blocks(row, x.as_ptr(), y.as_mut_ptr(), blocks) };
            if blocks * 32 < x.len() {
                self.each(blocks * 32, x, y, row.function(), |y| y);
            }
        } else {
            self.row_with_activation(row, x, y);
        }
    }

    #[inline(never)]
    #[target_feature(enable = "neon,fp16")]
    fn row_with_activation(&self, row: Row, x: &[f16], y: &mut [f16]) {
        match self.activation {
            Activation::None => self.each(0, x, y, row.function(), |y| y),
            other => self.each(0, x, y, row.function(), |y| other.halves(y)),
        }
    }

    /// Blocks of 32 values of an exact row without activation.
    ///
    /// # Safety
    /// The CPU has fp16; the pointers are good for so many blocks, no more than there are of scale and shift.
    #[inline]
    #[target_feature(enable = "neon,fp16")]
    unsafe fn blocks(&self, row: Row, x: *const f16, y: *mut f16, blocks: usize) {
        if blocks == 0 {
            return;
        }
        // SAFETY: reads and writes what the caller vouches for.
        unsafe {
            std::arch::asm!(
                "2:",
                "ldur q0, [{x}]",
                "ldur q4, [{scale}]",
                "ldur q16, [{shift}]",
                "fsub v0.8h, v0.8h, {centre:v}.8h",
                "ldur q1, [{x}, #16]",
                "ldur q5, [{scale}, #16]",
                "ldur q17, [{shift}, #16]",
                "fsub v1.8h, v1.8h, {centre:v}.8h",
                "ldur q2, [{x}, #32]",
                "ldur q6, [{scale}, #32]",
                "ldur q18, [{shift}, #32]",
                "fsub v2.8h, v2.8h, {centre:v}.8h",
                "ldur q3, [{x}, #48]",
                "ldur q7, [{scale}, #48]",
                "ldur q19, [{shift}, #48]",
                "fsub v3.8h, v3.8h, {centre:v}.8h",
                "add {x}, {x}, #64",
                "fmul v0.8h, v0.8h, {inverse:v}.8h",
                "fmul v1.8h, v1.8h, {inverse:v}.8h",
                "add {scale}, {scale}, #64",
                "fmul v2.8h, v2.8h, {inverse:v}.8h",
                "fmul v3.8h, v3.8h, {inverse:v}.8h",
                "add {shift}, {shift}, #64",
                "fmla v16.8h, v4.8h, v0.8h",
                "fmla v17.8h, v5.8h, v1.8h",
                "fmla v18.8h, v6.8h, v2.8h",
                "fmla v19.8h, v7.8h, v3.8h",
                "subs {blocks}, {blocks}, #1",
                "stp q16, q17, [{y}]",
                "stp q18, q19, [{y}, #32]",
                "add {y}, {y}, #64",
                "b.ne 2b",
                x = inout(reg) x => _,
                y = inout(reg) y => _,
                scale = inout(reg) self.scale.as_ptr() => _,
                shift = inout(reg) self.shift.as_ptr() => _,
                blocks = inout(reg) blocks => _,
                centre = in(vreg) all(row.centre),
                inverse = in(vreg) all(row.inverse),
                out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _,
                out("v6") _, out("v7") _, out("v16") _, out("v17") _, out("v18") _, out("v19") _,
                options(nostack),
            );
        }
    }

    /// Writes `last(normal(x) · scale + shift)` from a multiple of 32 on.
    #[inline]
    #[target_feature(enable = "neon,fp16")]
    fn each(
        &self,
        from: usize,
        x: &[f16],
        y: &mut [f16],
        normal: impl Fn(float16x8_t) -> float16x8_t,
        last: impl Fn(float16x8_t) -> float16x8_t,
    ) {
        let (scale, shift) = (self.scale.as_ptr(), self.shift.as_ptr());
        let (count, x, y) = (x.len(), x.as_ptr(), y.as_mut_ptr());
        let half = vreinterpretq_f16_u16;
        let mut at = from;
        // SAFETY: each step reads and writes 32, eight or `rest` values, no more than there are; scale and shift hold
        // more than the row, a multiple of 32.
        unsafe {
            while at + 32 <= count {
                let x = vld1q_u16_x4(x.add(at).cast());
                let scale = vld1q_u16_x4(scale.add(at).cast());
                let shift = vld1q_u16_x4(shift.add(at).cast());
                let of = |x, scale, shift| {
                    let y = last(vfmaq_f16(half(shift), normal(half(x)), half(scale)));
                    vreinterpretq_u16_f16(y)
                };
                let results = uint16x8x4_t(
                    of(x.0, scale.0, shift.0),
                    of(x.1, scale.1, shift.1),
                    of(x.2, scale.2, shift.2),
                    of(x.3, scale.3, shift.3),
                );
                vst1q_u16_x4(y.add(at).cast(), results);
                at += 32;
            }
            while at < count {
                let rest = (count - at).min(8);
                let values = if rest == 8 { load(x.add(at)) } else { load_first(x.add(at), rest) };
                let normal = normal(values);
                let value = last(vfmaq_f16(load(shift.add(at)), normal, load(scale.add(at))));
                if rest == 8 {
                    store(value, y.add(at));
                } else {
                    store_first(value, y.add(at), rest);
                }
                at += rest;
            }
        }
    }

    #[inline]
    #[target_feature(enable = "neon,fp16")]
    unsafe fn value(&self, x: float16x8_t, row: Row, at: usize) -> float16x8_t {
        // SAFETY: the caller's: `at` is a multiple of eight below `CHANNELS`.
        unsafe {
            let shift = load(self.shift.as_ptr().add(at));
            let scale = load(self.scale.as_ptr().add(at));
            self.activation.halves(vfmaq_f16(shift, row.function()(x), scale))
        }
    }

    #[inline]
    #[target_feature(enable = "neon,fp16")]
    fn quantized(&self, row: Row, factor: f32, zero_point: i8, x: &[f16], y: &mut [i8]) {
        let factor = splat(factor);
        let zero = [f16::from_f32(MAGIC + f32::from(zero_point)).to_bits(); 8];
        // SAFETY: both slices hold the eight or `rest` values of each step.
        unsafe {
            let of = |x, at| bytes(vfmaq_f16(reload(&zero), self.value(x, row, at), factor));
            let (end, rest) = (x.len() / 8 * 8, x.len() % 8);
            for at in (0..end).step_by(8) {
                vst1_s8(y.as_mut_ptr().add(at), of(load(x.as_ptr().add(at)), at));
            }
            if rest > 0 {
                let mut last = [0; 8];
                let value = of(load_first(x.as_ptr().add(end), rest), end);
                vst1_s8(last.as_mut_ptr(), value);
                y[end..].copy_from_slice(&last[..rest]);
            }
        }
    }

    /// The greatest size of the row's results.
    #[inline]
    #[target_feature(enable = "neon,fp16")]
    fn greatest(&self, row: Row, x: &[f16]) -> f32 {
        let mut most = splat(0.0);
        // SAFETY: the slice holds the eight or `rest` values of each step, the array eight.
        unsafe {
            let (end, rest) = (x.len() / 8 * 8, x.len() % 8);
            for at in (0..end).step_by(8) {
                most = vmaxq_f16(most, vabsq_f16(self.value(load(x.as_ptr().add(at)), row, at)));
            }
            if rest > 0 {
                let value = self.value(load_first(x.as_ptr().add(end), rest), row, end);
                let mut last = [f16::ZERO; 8];
                store_first(value, last.as_mut_ptr(), rest);
                most = vmaxq_f16(most, vabsq_f16(load(last.as_ptr())));
            }
            let mut all = [f16::ZERO; 8];
            store(most, all.as_mut_ptr());
            all.iter().fold(0.0, |most: f32, value| most.max(value.to_f32()))
        }
    }
}

#[inline]
#[target_feature(enable = "neon,fp16")]
fn all(value: f16) -> float16x8_t {
    vreinterpretq_f16_u16(vdupq_n_u16(value.to_bits()))
}

impl Row {
    #[inline]
    #[target_feature(enable = "neon,fp16")]
    fn function(self) -> impl Fn(float16x8_t) -> float16x8_t {
        let (centre, rest, inverse) = (all(self.centre), all(self.rest), all(self.inverse));
        move |x| vfmaq_f16(rest, vsubq_f16(x, centre), inverse)
    }
}
