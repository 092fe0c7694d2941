//! Half precision on eight lanes: 24 queries by 8 keys or columns, 24 sums in 32 registers.
//!
//! Probabilities are rounded to halves before they are summed, so the sum is that of what the values are multiplied with. Products
//! with values are summed in halves in chains of `CHAIN` keys, chains of a block too, probabilities in chains of `SUM`; blocks,
//! maxima and factors are f32. Values are packed times a power of two that keeps `BLOCK` of the greatest below the greatest half.

use super::bytes::BYTE_POLYNOMIAL;
use super::dot::Operands;
use super::tiles::{Math, Memory, Scores, WIDEST, line, versions};
use super::{AttentionRow, Shape, Value};
use crate::features::Isa;
use crate::gemv::neon_dotprod::sdot;
use crate::lanes::{Lanes, Neon};
use half::f16;
use std::arch::aarch64::*;
use std::arch::asm;

mod multiply;

use multiply::multiply;

const LANES: usize = 8;
/// Keys or columns in a panel.
const ROWS: usize = 8;
/// Keys in a block.
const BLOCK: usize = 384;
/// Keys whose products are summed one after the other.
const CHAIN: usize = 64;
/// Keys whose probabilities are.
const SUM: usize = 16;

/// # Safety
/// The CPU computes in half precision; so for all functions below. `from` holds eight halves.
#[inline]
#[target_feature(enable = "neon,fp16")]
unsafe fn load(from: *const f16) -> float16x8_t {
    // SAFETY: passed on to the caller.
    unsafe { vreinterpretq_f16_u16(vld1q_u16(from.cast())) }
}

/// # Safety
/// `to` holds eight halves.
#[inline]
#[target_feature(enable = "neon,fp16")]
unsafe fn store(to: *mut f16, value: float16x8_t) {
    // SAFETY: passed on to the caller.
    unsafe { vst1q_u16(to.cast(), vreinterpretq_u16_f16(value)) }
}

#[inline]
#[target_feature(enable = "neon,fp16")]
fn splat(value: f16) -> float16x8_t {
    vreinterpretq_f16_u16(vdupq_n_u16(value.to_bits()))
}

/// # Safety
/// As for [`load`]; `from` holds eight f32.
#[inline]
#[target_feature(enable = "neon,fp16")]
unsafe fn narrowed(from: *const f32) -> float16x8_t {
    // SAFETY: passed on to the caller.
    unsafe { vcvt_high_f16_f32(vcvt_f16_f32(vld1q_f32(from)), vld1q_f32(from.add(4))) }
}

#[inline]
#[target_feature(enable = "neon,fp16")]
fn transposed(r: [float16x8_t; 8]) -> [float16x8_t; 8] {
    let single = |a, b| (vtrn1q_f16(a, b), vtrn2q_f16(a, b));
    let double = |a: float16x8_t, b: float16x8_t| {
        let (a, b) = (vreinterpretq_u32_f16(a), vreinterpretq_u32_f16(b));
        (vreinterpretq_u64_u32(vtrn1q_u32(a, b)), vreinterpretq_u64_u32(vtrn2q_u32(a, b)))
    };
    let quad =
        |a, b| (vreinterpretq_f16_u64(vtrn1q_u64(a, b)), vreinterpretq_f16_u64(vtrn2q_u64(a, b)));
    let (a0, a1) = single(r[0], r[1]);
    let (a2, a3) = single(r[2], r[3]);
    let (a4, a5) = single(r[4], r[5]);
    let (a6, a7) = single(r[6], r[7]);
    let (b0, b2) = double(a0, a2);
    let (b1, b3) = double(a1, a3);
    let (b4, b6) = double(a4, a6);
    let (b5, b7) = double(a5, a7);
    let (c0, c4) = quad(b0, b4);
    let (c1, c5) = quad(b1, b5);
    let (c2, c6) = quad(b2, b6);
    let (c3, c7) = quad(b3, b7);
    [c0, c1, c2, c3, c4, c5, c6, c7]
}

/// Eight values of a token from `at` on, as halves times `scale`; 0 beyond `size`.
///
/// # Safety
/// As for [`load`]; `token` holds `size` values.
#[inline]
#[target_feature(enable = "neon,fp16")]
unsafe fn part<T: Value>(token: *const T, at: usize, size: usize, scale: f32) -> float16x8_t {
    // SAFETY: only values below `size` are read.
    unsafe {
        if at + 8 <= size && size_of::<T>() == 2 && scale == 1.0 {
            load(token.add(at).cast())
        } else if at + 8 <= size {
            let low: Neon = T::load(token.add(at));
            let high: Neon = T::load(token.add(at + 4));
            let mut halves = [f16::ZERO; 8];
            low.mul(Neon::splat(scale)).store_f16(halves.as_mut_ptr());
            high.mul(Neon::splat(scale)).store_f16(halves.as_mut_ptr().add(4));
            load(halves.as_ptr())
        } else {
            let mut wide = [0.0; 8];
            for (index, value) in wide[..size - at].iter_mut().enumerate() {
                *value = (*token.add(at + index)).wide() * scale;
            }
            narrowed(wide.as_ptr())
        }
    }
}

/// Probabilities in halves.
pub(super) struct Half;

/// Before a head's panels of values: a register that holds what undoes their scale.
const HEADER: usize = 16;

impl Math for Half {
    type Unit = f16;
    const LANES: usize = LANES;
    const ROWS: usize = ROWS;
    const BLOCK: usize = BLOCK;
    const LOWEST: f32 = -65504.0;

    fn columns(shape: &Shape) -> usize {
        shape.value_size.next_multiple_of(8)
    }

    fn value_words(shape: &Shape) -> usize {
        line(shape.keys * Self::columns(shape) / 2) + HEADER
    }

    #[inline]
    #[target_feature(enable = "neon,fp16")]
    unsafe fn pack_values<T: Value>(shape: &Shape, from: *const T, stride: usize, to: *mut f32) {
        // SAFETY: the caller vouches for the operands' lengths.
        unsafe {
            let mut greatest = splat(f16::ZERO);
            for key in 0..shape.keys {
                for column in (0..shape.value_size).step_by(ROWS) {
                    let values = part(from.add(key * stride), column, shape.value_size, 1.0);
                    greatest = vmaxq_f16(greatest, vabsq_f16(values));
                }
            }
            let mut halves = [f16::ZERO; 8];
            store(halves.as_mut_ptr(), greatest);
            let greatest =
                halves.into_iter().fold(0.0, |greatest: f32, x| greatest.max(x.to_f32()));
            let mut scale = 1.0_f32;
            while greatest * scale * BLOCK as f32 > 65000.0 && greatest < f32::INFINITY {
                scale *= 0.5;
            }
            *to = scale.recip();
            let to = to.add(HEADER).cast::<f16>();
            for key in 0..shape.keys {
                for column in (0..shape.value_size).step_by(ROWS) {
                    let values = part(from.add(key * stride), column, shape.value_size, scale);
                    store(to.add(column * shape.keys + key * ROWS), values);
                }
            }
        }
    }

    #[inline]
    #[target_feature(enable = "neon,fp16")]
    unsafe fn add_terms<const W: usize>(row: *mut f16, terms: *const f32) {
        // SAFETY: the caller vouches for the operands' lengths.
        unsafe {
            for at in (0..W * LANES).step_by(4) {
                let score = vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(row.add(at).cast())));
                let term = vld1q_f32(terms.add(at));
                let hidden = vceqq_f32(term, vdupq_n_f32(f32::NEG_INFINITY));
                let sum = vaddq_f32(score, term);
                let sum = vminq_f32(vmaxq_f32(sum, vdupq_n_f32(-65504.0)), vdupq_n_f32(65504.0));
                let sum = vcvt_f16_f32(vbslq_f32(hidden, term, sum));
                vst1_u16(row.add(at).cast(), vreinterpret_u16_f16(sum));
            }
        }
    }

    #[inline]
    #[target_feature(enable = "neon,fp16")]
    unsafe fn softmax<const W: usize>(memory: &Memory<Self>, count: usize) {
        // SAFETY: passed on to the caller.
        unsafe {
            let mut greatest = [splat(f16::ZERO); W];
            for w in 0..W {
                greatest[w] = narrowed(memory.greatest.add(w * LANES));
            }
            let row = |key: usize, w: usize| load(memory.scores.add((key * W + w) * LANES));
            let mut key = 0;
            while key + 4 <= count {
                for w in 0..W {
                    let pairs = [0, 2].map(|at| vmaxq_f16(row(key + at, w), row(key + at + 1, w)));
                    greatest[w] = vmaxq_f16(greatest[w], vmaxq_f16(pairs[0], pairs[1]));
                }
                key += 4;
            }
            for key in key..count {
                for w in 0..W {
                    greatest[w] = vmaxq_f16(greatest[w], row(key, w));
                }
            }
            for w in 0..2 * W {
                let half = if w % 2 == 0 {
                    vcvt_f32_f16(vget_low_f16(greatest[w / 2]))
                } else {
                    vcvt_high_f32_f16(greatest[w / 2])
                };
                let before = memory.greatest.add(w * 4);
                let factor = super::lanes::exp2(Neon::load(before).sub(neon(half)));
                factor.store(memory.factor.add(w * 4));
                vst1q_f32(before, half);
                let total = memory.total.add(w * 4);
                Neon::load(total).mul(factor).store(total);
            }
            for key in (0..count).step_by(SUM) {
                let rows = memory.scores.add(key * W * LANES);
                let sums = probabilities::<W>(rows, SUM.min(count - key), &greatest);
                for w in 0..W {
                    let total = memory.total.add(w * LANES);
                    let low = vaddq_f32(vld1q_f32(total), vcvt_f32_f16(vget_low_f16(sums[w])));
                    let high = vaddq_f32(vld1q_f32(total.add(4)), vcvt_high_f32_f16(sums[w]));
                    vst1q_f32(total, low);
                    vst1q_f32(total.add(4), high);
                }
            }
        }
    }

    #[inline]
    #[target_feature(enable = "neon,fp16")]
    unsafe fn accumulate<const W: usize>(
        memory: &Memory<Self>,
        shape: &Shape,
        values: *const f32,
        first: usize,
        count: usize,
    ) {
        let width = W * LANES;
        // SAFETY: panels lie one after the other, each `keys` rows long; the rest is passed on to the caller.
        unsafe {
            let values = values.add(HEADER).cast::<f16>();
            let mut factor = [vdupq_n_f32(0.0); 2 * WIDEST];
            for w in 0..2 * W {
                factor[w] = vld1q_f32(memory.factor.add(w * 4));
            }
            for column in (0..Self::columns(shape)).step_by(ROWS) {
                let panel = values.add(column * shape.keys + first * ROWS);
                let block = memory.spare.cast::<f16>();
                multiply::<W, false>(panel, memory.scores, CHAIN.min(count), block);
                for key in (CHAIN..count).step_by(CHAIN) {
                    let probabilities = memory.scores.add(key * width);
                    let keys = CHAIN.min(count - key);
                    multiply::<W, true>(panel.add(key * ROWS), probabilities, keys, block);
                }
                let sums = memory.sums.add(column * width);
                for row in 0..ROWS {
                    for w in 0..W {
                        let at = row * width + w * LANES;
                        let products = load(block.add(at));
                        let (low, high) = (sums.add(at), sums.add(at + 4));
                        let products_low = vcvt_f32_f16(vget_low_f16(products));
                        let products_high = vcvt_high_f32_f16(products);
                        vst1q_f32(low, vfmaq_f32(products_low, vld1q_f32(low), factor[2 * w]));
                        vst1q_f32(
                            high,
                            vfmaq_f32(products_high, vld1q_f32(high), factor[2 * w + 1]),
                        );
                    }
                }
            }
        }
    }

    #[inline]
    #[target_feature(enable = "neon,fp16")]
    unsafe fn finish<T: Value, const W: usize>(
        memory: &Memory<Self>,
        shape: &Shape,
        values: *const f32,
        queries: usize,
        to: *mut T,
        stride: usize,
    ) {
        let width = W * LANES;
        // SAFETY: passed on to the caller; without keys there is no packed memory to be read.
        unsafe {
            let scale = if shape.keys == 0 { 0.0 } else { *values };
            for first in (0..queries).step_by(LANES) {
                let mut inverse = [vdupq_n_f32(0.0); 2];
                for half in 0..2 {
                    let at = first + half * 4;
                    let some = vcgtq_f32(vld1q_f32(memory.total.add(at)), vdupq_n_f32(0.0));
                    let ratio = vdivq_f32(vdupq_n_f32(scale), vld1q_f32(memory.total.add(at)));
                    inverse[half] = vbslq_f32(some, ratio, vdupq_n_f32(0.0));
                }
                for column in (0..shape.value_size).step_by(ROWS) {
                    let mut block = [splat(f16::ZERO); 8];
                    for row in 0..ROWS {
                        let from = memory.sums.add((column + row) * width + first);
                        let low = vcvt_f16_f32(vmulq_f32(vld1q_f32(from), inverse[0]));
                        let high = vmulq_f32(vld1q_f32(from.add(4)), inverse[1]);
                        block[row] = vcvt_high_f16_f32(low, high);
                    }
                    let block = transposed(block);
                    let columns = ROWS.min(shape.value_size - column);
                    for query in 0..LANES.min(queries - first) {
                        let to = to.add((first + query) * stride + column);
                        write(block[query], to, columns);
                    }
                }
            }
        }
    }
}

/// Writes the first `count` of eight halves.
///
/// # Safety
/// As for [`load`]; `to` holds `count` values.
#[inline]
#[target_feature(enable = "neon,fp16")]
unsafe fn write<T: Value>(row: float16x8_t, to: *mut T, count: usize) {
    // SAFETY: passed on to the caller.
    unsafe {
        let mut halves = [f16::ZERO; 8];
        store(halves.as_mut_ptr(), row);
        let (low, high) = (Neon::load_f16(halves.as_ptr()), Neon::load_f16(halves.as_ptr().add(4)));
        if count == 8 {
            T::store(low, to);
            T::store(high, to.add(4));
        } else if count >= 4 {
            T::store(low, to);
            T::store_first(high, to.add(4), count - 4);
        } else {
            T::store_first(low, to, count);
        }
    }
}

/// # Safety
/// The CPU has NEON.
#[inline]
#[target_feature(enable = "neon,fp16")]
unsafe fn neon(value: float32x4_t) -> Neon {
    let mut lanes = [0.0; 4];
    // SAFETY: `lanes` holds a register.
    unsafe {
        vst1q_f32(lanes.as_mut_ptr(), value);
        Neon::load(lanes.as_ptr())
    }
}

/// The three constants of [`exponentials`]'s polynomial.
const POLYNOMIAL: [f16; 3] = [
    f16::from_f32_const(0.693_283),
    f16::from_f32_const(0.242_211),
    f16::from_f32_const(0.055_009),
];

/// Turns scores in registers x into `2^(x − m)`, for x ≤ m within 2⁻¹⁰ of it or 2⁻¹⁴ of 1, and 0 from −15 on; adds them to the sums. A polynomial
/// of degree 3 for |f| ≤ ½, fitted to the least relative error with p(0) = 1. `1551 + x` rounds to `1536 + 15 + n`, whose low bits
/// are the exponent of 2ⁿ; at n = −15 that is 0.
macro_rules! exponentials {
    ($($x:literal $n:literal $p:literal $m:literal $sum:literal),*) => {
        concat!(
            $("fsub v", $x, ".8h, v", $x, ".8h, v", $m, ".8h\n",)*
            $("fmax v", $x, ".8h, v", $x, ".8h, v20.8h\n",)*
            $("fadd v", $n, ".8h, v", $x, ".8h, v21.8h\n",)*
            $("fsub v", $p, ".8h, v", $n, ".8h, v21.8h\n",)*
            $("fsub v", $x, ".8h, v", $x, ".8h, v", $p, ".8h\n",)*
            $("fmul v", $p, ".8h, v", $x, ".8h, v24.8h\n",)*
            $("fadd v", $p, ".8h, v", $p, ".8h, v23.8h\n",)*
            $("fmul v", $p, ".8h, v", $p, ".8h, v", $x, ".8h\n",)*
            $("shl v", $n, ".8h, v", $n, ".8h, #10\n",)*
            $("fadd v", $p, ".8h, v", $p, ".8h, v22.8h\n",)*
            $("fmul v", $p, ".8h, v", $p, ".8h, v", $x, ".8h\n",)*
            $("fmla v", $n, ".8h, v", $n, ".8h, v", $p, ".8h\n",)*
            $("fadd v", $sum, ".8h, v", $sum, ".8h, v", $n, ".8h\n",)*
        )
    };
}

/// Turns `count` > 0 rows of scores into probabilities in place; their sums.
///
/// # Safety
/// `scores` holds `count` rows.
#[inline]
#[target_feature(enable = "neon,fp16")]
unsafe fn probabilities<const W: usize>(
    scores: *mut f16,
    count: usize,
    greatest: &[float16x8_t; W],
) -> [float16x8_t; W] {
    let bits = |value: f16| vdupq_n_u16(value.to_bits());
    let least = bits(f16::from_f32_const(-15.0));
    let shift = bits(f16::from_f32_const(1551.0));
    let [c1, c2, c3] = POLYNOMIAL.map(bits);
    let m = |w: usize| vreinterpretq_u16_f16(greatest[w.min(W - 1)]);
    let mut sums = [vdupq_n_u16(0); 3];
    // SAFETY: each step reads and writes one row.
    unsafe {
        match W {
            1 => asm!(
                "2:",
                "ldr q0, [{at}]",
                "subs {count}, {count}, #1",
                exponentials!("0" "3" "6" "17" "25"),
                "str q3, [{at}]",
                "add {at}, {at}, #16",
                "b.ne 2b",
                at = inout(reg) scores => _, count = inout(reg) count => _,
                in("v20") least, in("v21") shift, in("v22") c1, in("v23") c2, in("v24") c3,
                in("v17") m(0),
                inout("v25") sums[0],
                out("v0") _, out("v3") _, out("v6") _, options(nostack)
            ),
            2 => asm!(
                "2:",
                "ldp q0, q1, [{at}]",
                "subs {count}, {count}, #1",
                exponentials!("0" "3" "6" "17" "25", "1" "4" "7" "18" "26"),
                "stp q3, q4, [{at}]",
                "add {at}, {at}, #32",
                "b.ne 2b",
                at = inout(reg) scores => _, count = inout(reg) count => _,
                in("v20") least, in("v21") shift, in("v22") c1, in("v23") c2, in("v24") c3,
                in("v17") m(0), in("v18") m(1),
                inout("v25") sums[0], inout("v26") sums[1],
                out("v0") _, out("v3") _, out("v6") _, out("v1") _, out("v4") _, out("v7") _, options(nostack)
            ),
            _ => asm!(
                "2:",
                "ldp q0, q1, [{at}]",
                "ldr q2, [{at}, #32]",
                "subs {count}, {count}, #1",
                exponentials!("0" "3" "6" "17" "25", "1" "4" "7" "18" "26", "2" "5" "16" "19" "27"),
                "stp q3, q4, [{at}]",
                "str q5, [{at}, #32]",
                "add {at}, {at}, #48",
                "b.ne 2b",
                at = inout(reg) scores => _, count = inout(reg) count => _,
                in("v20") least, in("v21") shift, in("v22") c1, in("v23") c2, in("v24") c3,
                in("v17") m(0), in("v18") m(1), in("v19") m(2),
                inout("v25") sums[0], inout("v26") sums[1], inout("v27") sums[2],
                out("v0") _, out("v3") _, out("v6") _, out("v1") _, out("v4") _, out("v7") _, out("v2") _, out("v5") _, out("v16") _, options(nostack)
            ),
        }
    }
    let mut all = [splat(f16::ZERO); W];
    for (to, sum) in all.iter_mut().zip(sums) {
        *to = vreinterpretq_f16_u16(sum);
    }
    all
}

/// [`Bytes::weigh`](super::bytes::Bytes::weigh) of scores in halves, less 128: `p + 1152` has the byte as its low bits.
///
/// # Safety
/// As there.
#[inline(never)]
#[target_feature(enable = "neon,fp16,dotprod")]
pub(super) unsafe fn weigh<const W: usize>(
    scores: *mut f16,
    count: usize,
    greatest: *mut f32,
    sums: *mut f32,
) {
    let constant = |value: f32| splat(f16::from_f32(value));
    let (least, shift, bias) = (constant(-15.0), constant(1551.0), constant(1152.0));
    let [c0, c1, c2] = BYTE_POLYNOMIAL.map(constant);
    let ones = vdupq_n_s8(1);
    let groups = count.div_ceil(4);
    // SAFETY: a block has room for whole groups of four rows; bytes are written where the scores are already read.
    unsafe {
        let row = |key: usize, w: usize| load(scores.add((key * W + w) * LANES));
        let mut m = [constant(Half::LOWEST); W];
        for key in 0..count {
            for w in 0..W {
                m[w] = vmaxq_f16(m[w], row(key, w));
            }
        }
        for at in count * W..groups * 4 * W {
            store(scores.add(at * LANES), constant(f32::NEG_INFINITY));
        }
        let mut all = [[vdupq_n_s32(0); 2]; W];
        for group in 0..groups {
            // Two rows of scores lie where a group's bytes go: all of the first are read before.
            let mut made = [[vdupq_n_s8(0); 2]; W];
            for w in 0..W {
                let mut bytes = [vdupq_n_u16(0); 4];
                for j in 0..4 {
                    // As in `exponentials`.
                    let x = vmaxq_f16(vsubq_f16(row(group * 4 + j, w), m[w]), least);
                    let shifted = vaddq_f16(x, shift);
                    let f = vsubq_f16(x, vsubq_f16(shifted, shift));
                    let p = vfmaq_f16(c0, vfmaq_f16(c1, c2, f), f);
                    let power = vshlq_n_u16::<10>(vreinterpretq_u16_f16(shifted));
                    let p = vfmaq_f16(bias, p, vreinterpretq_f16_u16(power));
                    bytes[j] = vreinterpretq_u16_f16(p);
                }
                let low = vsliq_n_u16::<8>(bytes[0], bytes[1]);
                let high = vsliq_n_u16::<8>(bytes[2], bytes[3]);
                made[w] =
                    [vzip1q_u16(low, high), vzip2q_u16(low, high)].map(|x| vreinterpretq_s8_u16(x));
                for half in 0..2 {
                    all[w][half] = sdot(all[w][half], made[w][half], ones);
                }
            }
            let to = scores.add(group * W * LANES * 2).cast::<i8>();
            for w in 0..W {
                vst1q_s8(to.add(w * 32), made[w][0]);
                vst1q_s8(to.add(w * 32 + 16), made[w][1]);
            }
        }
        let hidden = vdupq_n_s32(128 * 4 * groups as i32);
        for w in 0..W {
            let (greatest, sums) = (greatest.add(w * LANES), sums.add(w * LANES));
            vst1q_f32(greatest, vcvt_f32_f16(vget_low_f16(m[w])));
            vst1q_f32(greatest.add(4), vcvt_high_f32_f16(m[w]));
            for half in 0..2 {
                let sum = vcvtq_f32_s32(vaddq_s32(all[w][half], hidden));
                vst1q_f32(sums.add(half * 4), sum);
            }
        }
    }
}

/// Scores in halves.
pub(super) struct HalfScores;

impl Scores for HalfScores {
    type Math = Half;

    fn key_words(shape: &Shape) -> usize {
        line(shape.keys.next_multiple_of(ROWS) * shape.key_size.next_multiple_of(8) / 2)
    }

    fn query_words(shape: &Shape) -> usize {
        shape.key_size.next_multiple_of(8) * WIDEST * LANES / 2
    }

    #[inline]
    #[target_feature(enable = "neon,fp16")]
    unsafe fn pack_keys<T: Value>(shape: &Shape, from: *const T, stride: usize, to: *mut f32) {
        let to = to.cast::<f16>();
        for panel in (0..shape.keys).step_by(ROWS) {
            // SAFETY: the caller vouches for the operands' lengths; there is room for whole eights of rows.
            unsafe {
                let to = to.add(panel * shape.key_size.next_multiple_of(8));
                for at in (0..shape.key_size).step_by(8) {
                    let mut block = [splat(f16::ZERO); 8];
                    for row in 0..ROWS {
                        let token = from.add((panel + row).min(shape.keys - 1) * stride);
                        block[row] = part(token, at, shape.key_size, 1.0);
                    }
                    for (row, keys) in transposed(block).into_iter().enumerate() {
                        store(to.add((at + row) * ROWS), keys);
                    }
                }
            }
        }
    }

    #[inline]
    #[target_feature(enable = "neon,fp16")]
    unsafe fn pack_queries<T: Value, const W: usize>(
        shape: &Shape,
        from: *const T,
        stride: usize,
        count: usize,
        scale: f32,
        to: *mut f32,
    ) {
        let to = to.cast::<f16>();
        for first in (0..W * LANES).step_by(LANES) {
            for at in (0..shape.key_size).step_by(8) {
                // SAFETY: the caller vouches for the operands' lengths; there is room for whole eights of rows.
                unsafe {
                    let mut block = [splat(f16::ZERO); 8];
                    for row in 0..LANES {
                        if first + row < count {
                            let token = from.add((first + row) * stride);
                            block[row] = part(token, at, shape.key_size, scale);
                        }
                    }
                    for (row, queries) in transposed(block).into_iter().enumerate() {
                        store(to.add((at + row) * W * LANES + first), queries);
                    }
                }
            }
        }
    }

    #[inline]
    #[target_feature(enable = "neon,fp16")]
    unsafe fn scores<const W: usize>(
        memory: &Memory<Half>,
        shape: &Shape,
        keys: *const f32,
        first: usize,
        count: usize,
    ) {
        let keys = keys.cast::<f16>();
        for row in (0..count).step_by(ROWS) {
            // SAFETY: a block starts with a panel and has room for whole ones; the rest is passed on to the caller.
            unsafe {
                let panel = keys.add((first + row) * shape.key_size.next_multiple_of(8));
                let to = memory.scores.add(row * W * LANES);
                multiply::<W, false>(panel, memory.queries.cast(), shape.key_size, to);
            }
        }
    }
}

/// Sums of `D` · 4 queries from `first` on with eight keys, `[8, D · 4]`, to scores in rows of `width`.
///
/// # Safety
/// As for [`load`]; operands are as long as the sizes say.
#[inline]
#[target_feature(enable = "neon,fp16")]
pub(super) unsafe fn scaled_halves<const D: usize>(
    operands: &Operands,
    sums: *const i32,
    first: usize,
    to: *mut f16,
    width: usize,
) {
    // SAFETY: passed on to the caller.
    unsafe {
        let mut scales = [vdupq_n_f32(0.0); D];
        for d in 0..D {
            scales[d] = vld1q_f32(operands.scales.add(first + d * 4));
        }
        for row in 0..ROWS {
            let unit = *operands.units.add(row);
            for d in 0..D {
                let sum = vcvtq_f32_s32(vld1q_s32(sums.add((row * D + d) * 4)));
                let score = vcvt_f16_f32(vmulq_n_f32(vmulq_f32(sum, scales[d]), unit));
                let to = to.add(row * width + first + d * 4);
                vst1_u16(to.cast(), vreinterpret_u16_f16(score));
            }
        }
    }
}

versions! {
    features "neon,fp16", needs [Isa::NeonFp16], tile "8x24",
    F16: f16 = f16, HalfScores, "attention_f16_8x24_neon_fp16", "f16";
}
