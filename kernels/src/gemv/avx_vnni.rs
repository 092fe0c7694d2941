//! `vpdpbusd` on 256 bits; A has 128 more than it should, as in `gemm`.

use super::GemvRow;
use super::avx2::{finish_i32, greatest_f16, greatest_f32, store_i32};
use super::row::{bytes, quantized, sums, version};
use crate::features::Isa;
use crate::gemm::I8Packing;
use crate::lanes::Avx2;
use crate::layouts;
use half::f16;
use std::arch::x86_64::*;

pub(super) const GEMV_I8: GemvRow<i8> = version(
    ["gemv_i8_1x16x4_avx_vnni", "i8", "1x16x4"],
    &[Isa::AvxVnni],
    layouts::gemm_i8(Isa::AvxVnni),
    1,
    multiply,
    I8Packing {
        from_i8: bytes::<4, true>,
        from_f16: quantize_f16,
        from_f32: quantize_f32,
        greatest_f16,
        greatest_f32,
        offset: 128,
    },
    finish_i32,
);

#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
unsafe fn multiply(steps: usize, a: *const i8, b: *const i8, to: *mut i32, first: bool) {
    // SAFETY: a step reads four values of A and 64 of B.
    unsafe {
        let multiply = |sum, step, register| {
            let four = _mm256_set1_epi32(a.cast::<i32>().add(step).read_unaligned());
            let values = _mm256_loadu_si256(b.cast::<__m256i>().add(2 * step + register));
            _mm256_dpbusd_avx_epi32(sum, four, values)
        };
        let add = |a, b| _mm256_add_epi32(a, b);
        store_i32(sums(steps, _mm256_setzero_si256(), multiply, add), to, first);
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn quantize_f16(
    rows: *const *const f16,
    depth: usize,
    inverse_scales: *const f32,
    zero_point: i32,
    to: *mut i8,
) {
    // SAFETY: passed on to the caller.
    unsafe { quantized::<f16, Avx2, 4, true>(rows, depth, inverse_scales, zero_point, to) }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn quantize_f32(
    rows: *const *const f32,
    depth: usize,
    inverse_scales: *const f32,
    zero_point: i32,
    to: *mut i8,
) {
    // SAFETY: passed on to the caller.
    unsafe { quantized::<f32, Avx2, 4, true>(rows, depth, inverse_scales, zero_point, to) }
}
