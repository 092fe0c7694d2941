//! `sdot`, for both layouts of CPUs that have it: fours and eights of k.

use super::GemvRow;
use super::neon::{packing, store_i32};
use super::row::{sums, version};
use crate::features::Isa;

use crate::gemm::epilogue::finish;
use crate::lanes::Neon;
use crate::layouts;
use std::arch::aarch64::*;
use std::arch::asm;

pub(super) const GEMV_I8_FOURS: GemvRow<i8> = version(
    ["gemv_i8_1x8x4_neon_dotprod", "i8", "1x8x4"],
    &[Isa::NeonDotprod],
    layouts::gemm_i8(Isa::NeonDotprod),
    1,
    multiply_fours,
    packing::<4>(),
    finish::<i32, Neon>,
);

pub(super) const GEMV_I8_EIGHTS: GemvRow<i8> = version(
    ["gemv_i8_1x8x8_neon_dotprod", "i8", "1x8x8"],
    &[Isa::NeonDotprod],
    layouts::gemm_i8(Isa::NeonI8mm),
    1,
    multiply_eights,
    packing::<8>(),
    finish::<i32, Neon>,
);

/// Four sums of four products each.
///
/// # Safety
/// The CPU has `sdot`.
#[inline(always)]
pub(crate) unsafe fn sdot(mut sums: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    // SAFETY: registers only.
    unsafe {
        asm!(
            ".arch_extension dotprod",
            "sdot {0:v}.4s, {1:v}.16b, {2:v}.16b",
            inout(vreg) sums,
            in(vreg) a,
            in(vreg) b,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sums
}

unsafe fn multiply_fours(steps: usize, a: *const i8, b: *const i8, to: *mut i32, first: bool) {
    // SAFETY: a step reads four values of A and 32 of B.
    unsafe {
        let multiply = |sum, step, register| {
            let four = vdupq_n_s32(a.cast::<i32>().add(step).read_unaligned());
            let values = vld1q_s8(b.add(step * 32 + register * 16));
            sdot(sum, vreinterpretq_s8_s32(four), values)
        };
        let add = |a, b| vaddq_s32(a, b);
        store_i32::<2>(sums(steps, vdupq_n_s32(0), multiply, add), to, first);
    }
}

unsafe fn multiply_eights(steps: usize, a: *const i8, b: *const i8, to: *mut i32, first: bool) {
    // SAFETY: a step reads eight values of A and 64 of B, two columns a register.
    unsafe {
        let multiply = |sum, step, register| {
            let eight = vdupq_n_s64(a.cast::<i64>().add(step).read_unaligned());
            let values = vld1q_s8(b.add(step * 64 + register * 16));
            sdot(sum, vreinterpretq_s8_s64(eight), values)
        };
        let add = |a, b| vaddq_s32(a, b);
        let [one, two, three, four] = sums(steps, vdupq_n_s32(0), multiply, add);
        store_i32([vpaddq_s32(one, two), vpaddq_s32(three, four)], to, first);
    }
}
