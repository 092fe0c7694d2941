//! Arithmetic on eight halves at once, summed in halves over at most `F16_BLOCK` values of k.

use super::GemvRow;
use super::neon::store_f32;
use super::row::{copied, sums, version};
use crate::features::Isa;
use crate::gemm::epilogue::finish;
use crate::gemm::{F16_BLOCK, GemmRow};
use crate::lanes::Neon;
use crate::layouts;
use half::f16;
use std::arch::aarch64::*;

pub(super) const GEMV_F16: GemvRow<f16> = GemvRow(GemmRow { steps: F16_BLOCK, ..VERSION.0 });

const VERSION: GemvRow<f16> = version(
    ["gemv_f16_1x16x1_neon_fp16", "f16", "1x16x1"],
    &[Isa::NeonFp16],
    layouts::gemm_f16(Isa::NeonFp16),
    1,
    multiply,
    copied::<f16, 1>,
    finish::<f32, Neon>,
);

#[target_feature(enable = "neon,fp16")]
unsafe fn multiply(steps: usize, a: *const f16, b: *const f16, to: *mut f32, first: bool) {
    // SAFETY: a step reads a value of A and 16 of B.
    unsafe {
        let multiply = |sum, step, register| {
            let value = vreinterpretq_f16_u16(vdupq_n_u16((*a.add(step)).to_bits()));
            let values = vreinterpretq_f16_u16(vld1q_u16(b.add(step * 16 + register * 8).cast()));
            vfmaq_f16(sum, value, values)
        };
        let add = |a, b| vaddq_f16(a, b);
        let zero = vreinterpretq_f16_u16(vdupq_n_u16(0));
        let [low, high] = sums(steps, zero, multiply, add);
        let wide = |halves| [vcvt_f32_f16(vget_low_f16(halves)), vcvt_high_f32_f16(halves)];
        let ([first_four, second], [third, fourth]) = (wide(low), wide(high));
        store_f32([first_four, second, third, fourth], to, first);
    }
}
