//! ARMv8.0.

use super::GemvRow;
use super::row::{bytes, copied, greatest, quantized, sums, version, widened};
use crate::features::Isa;
use crate::gemm::I8Packing;
use crate::gemm::epilogue::finish;
use crate::lanes::Neon;
use crate::layouts;
use half::f16;
use std::arch::aarch64::*;

pub(super) const GEMV_I8: GemvRow<i8> = version(
    ["gemv_i8_1x4x16_neon", "i8", "1x4x16"],
    &[Isa::Neon],
    layouts::gemm_i8(Isa::Neon),
    1,
    multiply_i8,
    packing::<16>(),
    finish::<i32, Neon>,
);

pub(super) const GEMV_F16: GemvRow<f16> = version(
    ["gemv_f16_1x8x1_neon", "f16", "1x8x1"],
    &[Isa::Neon],
    layouts::gemm_f16(Isa::Neon),
    2,
    multiply_f16,
    widened::<Neon>,
    finish::<f32, Neon>,
);

pub(super) const GEMV_F32: GemvRow<f32> = version(
    ["gemv_f32_1x8x1_neon", "f32", "1x8x1"],
    &[Isa::Neon],
    layouts::gemm_f32(Isa::Neon),
    1,
    multiply_f32,
    copied::<f32, 1>,
    finish::<f32, Neon>,
);

/// How a row is packed into steps of `KR`.
pub(super) const fn packing<const KR: usize>() -> I8Packing {
    I8Packing {
        from_i8: bytes::<KR, false>,
        from_f16: quantized::<f16, Neon, KR, false>,
        from_f32: quantized::<f32, Neon, KR, false>,
        greatest_f16: greatest::<f16, Neon>,
        greatest_f32: greatest::<f32, Neon>,
        offset: 0,
    }
}

unsafe fn multiply_i8(steps: usize, a: *const i8, b: *const i8, to: *mut i32, first: bool) {
    // SAFETY: a step reads 16 values of A and 64 of B: 16 of each column.
    unsafe {
        let multiply = |sum, step, column| {
            let (a, b) = (vld1q_s8(a.add(step * 16)), vld1q_s8(b.add(step * 64 + column * 16)));
            let low = vmull_s8(vget_low_s8(a), vget_low_s8(b));
            vpadalq_s16(vpadalq_s16(sum, low), vmull_high_s8(a, b))
        };
        let add = |a, b| vaddq_s32(a, b);
        let [first_column, second, third, fourth] = sums(steps, vdupq_n_s32(0), multiply, add);
        let all = vpaddq_s32(vpaddq_s32(first_column, second), vpaddq_s32(third, fourth));
        store_i32([all], to, first);
    }
}

unsafe fn multiply_f16(steps: usize, a: *const f16, b: *const f16, to: *mut f32, first: bool) {
    // SAFETY: a step reads a float of A and eight halves of B.
    unsafe {
        let multiply = |sum, step, register| {
            let halves = vld1_u16(b.add(step * 8 + register * 4).cast());
            let values = vcvt_f32_f16(vreinterpret_f16_u16(halves));
            vfmaq_f32(sum, vdupq_n_f32(*a.cast::<f32>().add(step)), values)
        };
        let add = |a, b| vaddq_f32(a, b);
        store_f32::<2>(sums(steps, vdupq_n_f32(0.0), multiply, add), to, first);
    }
}

unsafe fn multiply_f32(steps: usize, a: *const f32, b: *const f32, to: *mut f32, first: bool) {
    // SAFETY: a step reads a value of A and eight of B.
    unsafe {
        let multiply = |sum, step, register| {
            let values = vld1q_f32(b.add(step * 8 + register * 4));
            vfmaq_f32(sum, vdupq_n_f32(*a.add(step)), values)
        };
        let add = |a, b| vaddq_f32(a, b);
        store_f32::<2>(sums(steps, vdupq_n_f32(0.0), multiply, add), to, first);
    }
}

/// Writes or adds the sums of a panel.
#[inline(always)]
pub(super) unsafe fn store_i32<const REGISTERS: usize>(
    all: [int32x4_t; REGISTERS],
    sums: *mut i32,
    first: bool,
) {
    // SAFETY: a panel has so many registers of sums.
    unsafe {
        for (register, sum) in all.into_iter().enumerate() {
            let to = sums.add(register * 4);
            vst1q_s32(to, if first { sum } else { vaddq_s32(vld1q_s32(to), sum) });
        }
    }
}

/// Writes or adds the sums of a panel.
#[inline(always)]
pub(super) unsafe fn store_f32<const REGISTERS: usize>(
    all: [float32x4_t; REGISTERS],
    sums: *mut f32,
    first: bool,
) {
    // SAFETY: a panel has so many registers of sums.
    unsafe {
        for (register, sum) in all.into_iter().enumerate() {
            let to = sums.add(register * 4);
            vst1q_f32(to, if first { sum } else { vaddq_f32(vld1q_f32(to), sum) });
        }
    }
}
