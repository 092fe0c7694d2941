//! ARMv8.0: 12 queries by 8 keys or columns, 24 sums in 32 registers.

use super::lanes::{FloatScores, Rows};
use super::tiles::versions;
use super::{AttentionRow, Int8};
use crate::features::Isa;
use crate::lanes::{Lanes, Neon};
use half::f16;
use std::arch::aarch64::*;

impl Rows for Neon {
    const ROWS: usize = 8;
    type Short = Self;

    #[inline(always)]
    unsafe fn multiply<const R: usize, const W: usize>(
        a: *const f32,
        b: *const f32,
        depth: usize,
        factor: Option<*const f32>,
        c: *mut f32,
    ) {
        // SAFETY: passed on to the caller.
        unsafe {
            let mut sums = [[vdupq_n_f32(0.0); W]; R];
            if let Some(factor) = factor {
                for row in 0..R {
                    for w in 0..W {
                        let so_far = vld1q_f32(c.add((row * W + w) * Self::COUNT));
                        sums[row][w] = vmulq_f32(so_far, vld1q_f32(factor.add(w * Self::COUNT)));
                    }
                }
            }
            for k in 0..depth {
                let mut b_row = [vdupq_n_f32(0.0); W];
                for w in 0..W {
                    b_row[w] = vld1q_f32(b.add((k * W + w) * Self::COUNT));
                }
                for quad in (0..R).step_by(4) {
                    let x = vld1q_f32(a.add(k * R + quad));
                    for w in 0..W {
                        sums[quad][w] = vfmaq_laneq_f32::<0>(sums[quad][w], b_row[w], x);
                        sums[quad + 1][w] = vfmaq_laneq_f32::<1>(sums[quad + 1][w], b_row[w], x);
                        sums[quad + 2][w] = vfmaq_laneq_f32::<2>(sums[quad + 2][w], b_row[w], x);
                        sums[quad + 3][w] = vfmaq_laneq_f32::<3>(sums[quad + 3][w], b_row[w], x);
                    }
                }
            }
            for row in 0..R {
                for w in 0..W {
                    vst1q_f32(c.add((row * W + w) * Self::COUNT), sums[row][w]);
                }
            }
        }
    }
}

versions! {
    features "neon", needs [Isa::Neon], tile "8x12",
    F32: f32 = f32, FloatScores<Neon, false>, "attention_f32_8x12_neon", "f32";
    F16: f16 = f16, FloatScores<Neon, false>, "attention_f16_8x12_neon", "f16";
    I8F32: Int8<f32> = f32, FloatScores<Neon, true>, "attention_i8f32_8x12_neon", "i8f32";
    I8F16: Int8<f16> = f16, FloatScores<Neon, true>, "attention_i8f16_8x12_neon", "i8f16";
}
