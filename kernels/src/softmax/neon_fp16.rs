//! Powers in halves, their sum in f32.

use super::{Softmax, neon};
use crate::elements::{Input, Output};
use crate::math::neon_fp16::{
    MAGIC, load, load_first, power, reload, scaled, splat, store, store_first,
};
use half::f16;
use std::arch::aarch64::*;

/// Powers are 2^13 times too great until they are multiplied by their share: so 27 binary digits of range stay above
/// the least normal half, and four of them can be added in halves.
const SHIFT: i8 = 13;
/// Longer rows would have shares that are no normal halves.
const COLUMNS: usize = 16_384;

/// # Safety
/// The CPU has fp16; whole rows, as many results as values, no int8.
#[target_feature(enable = "neon,fp16")]
pub unsafe fn run(softmax: Softmax, input: Input, output: Output) {
    let factor = softmax.scale * std::f32::consts::LOG2_E;
    let fits = softmax.columns <= COLUMNS && (0.02..1024.0).contains(&factor);
    match (input, output) {
        (Input::F16(x), Output::F16(y)) if fits => {
            let rows = Rows::new(factor);
            let columns = softmax.columns;
            for (x, y) in x.chunks_exact(columns).zip(y.chunks_exact_mut(columns)) {
                rows.row(x, y);
            }
        }
        // SAFETY: the caller's.
        (input, output) => unsafe { neon::run(softmax, input, output) },
    }
}

struct Rows {
    /// Scale · log2 e as the sum of two halves.
    factor: float16x8_t,
    rest: float16x8_t,
    /// Differences below this give the least power.
    least: float16x8_t,
    /// `MAGIC + SHIFT`
    magic: [u16; 8],
}

impl Rows {
    #[inline]
    #[target_feature(enable = "neon,fp16")]
    fn new(factor: f32) -> Self {
        let rounded = f16::from_f32(factor).to_f32();
        let magic = [f16::from_f32(MAGIC + f32::from(SHIFT)).to_bits(); 8];
        let least = splat((-27.4 / factor).max(-65_504.0));
        Self { factor: splat(rounded), rest: splat(factor - rounded), least, magic }
    }

    /// `2^SHIFT · e^(scale · (x − greatest))`: some registers in step, so that none waits for its own results.
    #[inline]
    #[target_feature(enable = "neon,fp16")]
    fn power<const N: usize>(
        &self,
        x: [float16x8_t; N],
        greatest: float16x8_t,
    ) -> [float16x8_t; N] {
        let d = x.map(|x| vmaxq_f16(vsubq_f16(x, greatest), self.least));
        let shifted = d.map(|d| vfmaq_f16(reload(&self.magic), d, self.factor));
        let less_n = shifted.map(|shifted| vsubq_f16(splat(MAGIC + f32::from(SHIFT)), shifted));
        let mut r = less_n;
        for i in 0..N {
            r[i] = vfmaq_f16(r[i], d[i], self.factor);
        }
        for i in 0..N {
            r[i] = vfmaq_f16(r[i], d[i], self.rest);
        }
        let mut e = r.map(|r| power(r));
        for i in 0..N {
            e[i] = scaled(e[i], shifted[i]);
        }
        e
    }

    #[inline]
    #[target_feature(enable = "neon,fp16")]
    fn row(&self, x: &[f16], y: &mut [f16]) {
        let greatest = greatest(x);
        if !greatest.is_finite() {
            y.fill(f16::NAN);
            return;
        }
        let greatest = splat(greatest.to_f32());
        let (columns, x, y) = (x.len(), x.as_ptr(), y.as_mut_ptr());
        let mut sums = [vdupq_n_f32(0.0); 2];
        let mut add = |e: float16x8_t| {
            sums[0] = vaddq_f32(sums[0], vcvt_f32_f16(vget_low_f16(e)));
            sums[1] = vaddq_f32(sums[1], vcvt_high_f32_f16(e));
        };
        let mut at = 0;
        // SAFETY: each step reads and writes 32, eight or `width` values, no more than there are.
        unsafe {
            while at + 32 <= columns {
                let four = vld1q_u16_x4(x.add(at).cast());
                let four = [four.0, four.1, four.2, four.3].map(|x| vreinterpretq_f16_u16(x));
                let e = self.power(four, greatest);
                let bits = e.map(|e| vreinterpretq_u16_f16(e));
                let bits = uint16x8x4_t(bits[0], bits[1], bits[2], bits[3]);
                vst1q_u16_x4(y.add(at).cast(), bits);
                add(vaddq_f16(vaddq_f16(e[0], e[1]), vaddq_f16(e[2], e[3])));
                at += 32;
            }
            while at + 8 <= columns {
                let [e] = self.power([load(x.add(at))], greatest);
                store(e, y.add(at));
                add(e);
                at += 8;
            }
            let width = columns - at;
            if width > 0 {
                let [e] = self.power([load_first(x.add(at), width)], greatest);
                store_first(e, y.add(at), width);
                // Zeros beyond the row.
                add(load_first(y.add(at), width));
            }
            let sum = vaddvq_f32(vaddq_f32(sums[0], sums[1]));
            // In two steps: the share of a single unit is no normal half.
            let shift = 2.0_f32.powi(i32::from(SHIFT));
            let (share, unit) = (splat(shift / sum), splat(1.0 / shift));
            let of = |e| vmulq_f16(vmulq_f16(e, share), unit);
            let mut at = columns / 32 * 32;
            if at > 0 {
                multiply(y, at / 32, share, unit);
            }
            while at + 8 <= columns {
                store(of(load(y.add(at))), y.add(at));
                at += 8;
            }
            if width > 0 {
                store_first(of(load_first(y.add(at), width)), y.add(at), width);
            }
        }
    }
}

/// Multiplies blocks of 32 values by both factors, one after the other. In assembly, since compilers take the address
/// of the next block from the store, which waits for the products.
///
/// # Safety
/// The CPU has fp16; the pointer is good for `blocks` > 0 blocks.
#[inline]
#[target_feature(enable = "neon,fp16")]
unsafe fn multiply(values: *mut f16, blocks: usize, first: float16x8_t, second: float16x8_t) {
    // SAFETY: reads and writes what the caller vouches for.
    unsafe {
        std::arch::asm!(
            "2:",
            "ld1 {{v0.8h, v1.8h, v2.8h, v3.8h}}, [{values}]",
            "subs {blocks}, {blocks}, #1",
            "fmul v0.8h, v0.8h, {first:v}.8h",
            "fmul v1.8h, v1.8h, {first:v}.8h",
            "fmul v2.8h, v2.8h, {first:v}.8h",
            "fmul v3.8h, v3.8h, {first:v}.8h",
            "fmul v0.8h, v0.8h, {second:v}.8h",
            "fmul v1.8h, v1.8h, {second:v}.8h",
            "fmul v2.8h, v2.8h, {second:v}.8h",
            "fmul v3.8h, v3.8h, {second:v}.8h",
            "st1 {{v0.8h, v1.8h, v2.8h, v3.8h}}, [{values}]",
            "add {values}, {values}, #64",
            "b.ne 2b",
            values = inout(reg) values => _,
            blocks = inout(reg) blocks => _,
            first = in(vreg) first,
            second = in(vreg) second,
            out("v0") _, out("v1") _, out("v2") _, out("v3") _,
            options(nostack),
        );
    }
}

/// The greatest value; NaN where there is one.
#[inline]
#[target_feature(enable = "neon,fp16")]
fn greatest(x: &[f16]) -> f16 {
    let lowest = vreinterpretq_f16_u16(vdupq_n_u16(f16::NEG_INFINITY.to_bits()));
    let mut most = [lowest; 4];
    let blocks = x.chunks_exact(32);
    let rest = blocks.remainder();
    for block in blocks {
        // SAFETY: the block holds 32 values.
        let four = unsafe { vld1q_u16_x4(block.as_ptr().cast()) };
        for (most, x) in most.iter_mut().zip([four.0, four.1, four.2, four.3]) {
            *most = vmaxq_f16(*most, vreinterpretq_f16_u16(x));
        }
    }
    for part in rest.chunks(8) {
        let mut values = [f16::NEG_INFINITY; 8];
        values[..part.len()].copy_from_slice(part);
        // SAFETY: the array holds eight values.
        most[0] = vmaxq_f16(most[0], unsafe { load(values.as_ptr()) });
    }
    let most = vmaxq_f16(vmaxq_f16(most[0], most[1]), vmaxq_f16(most[2], most[3]));
    let most = vmax_f16(vget_low_f16(most), vget_high_f16(most));
    let most = vpmax_f16(most, most);
    let most = vpmax_f16(most, most);
    f16::from_bits(vget_lane_u16::<0>(vreinterpret_u16_f16(most)))
}
