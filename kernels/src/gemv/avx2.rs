//! AVX2 with FMA and F16C: two registers of eight columns.

use super::GemvRow;
use super::row::{bytes, copied, greatest, quantized, sums, version, widened};
use crate::features::Isa;
use crate::gemm::epilogue::finish;
use crate::gemm::{Finish, I8Packing};
use crate::lanes::Avx2;
use crate::layouts;
use half::f16;
use std::arch::x86_64::*;

pub(super) const GEMV_I8: GemvRow<i8> = version(
    ["gemv_i8_1x16x2_avx2", "i8", "1x16x2"],
    &[Isa::Avx2],
    layouts::gemm_i8(Isa::Avx2),
    1,
    multiply_i8,
    I8Packing {
        from_i8: bytes::<2, false>,
        from_f16: quantize_f16,
        from_f32: quantize_f32,
        greatest_f16,
        greatest_f32,
        offset: 0,
    },
    finish_i32,
);

pub(super) const GEMV_F16: GemvRow<f16> = version(
    ["gemv_f16_1x16x1_avx2", "f16", "1x16x1"],
    &[Isa::Avx2],
    layouts::gemm_f16(Isa::Avx2),
    2,
    multiply_f16,
    pack_f16,
    finish_f32,
);

pub(super) const GEMV_F32: GemvRow<f32> = version(
    ["gemv_f32_1x16x1_avx2", "f32", "1x16x1"],
    &[Isa::Avx2],
    layouts::gemm_f32(Isa::Avx2),
    1,
    multiply_f32,
    copied::<f32, 1>,
    finish_f32,
);

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn multiply_i8(steps: usize, a: *const i8, b: *const i8, to: *mut i32, first: bool) {
    // SAFETY: a step reads two values of A and 32 of B.
    unsafe {
        let multiply = |sum, step, register| {
            let pair = _mm_set1_epi16(a.cast::<i16>().add(step).read_unaligned());
            let values = _mm_loadu_si128(b.cast::<__m128i>().add(2 * step + register));
            let products =
                _mm256_madd_epi16(_mm256_cvtepi8_epi16(pair), _mm256_cvtepi8_epi16(values));
            _mm256_add_epi32(sum, products)
        };
        let add = |a, b| _mm256_add_epi32(a, b);
        store_i32(sums(steps, _mm256_setzero_si256(), multiply, add), to, first);
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn multiply_f16(steps: usize, a: *const f16, b: *const f16, to: *mut f32, first: bool) {
    // SAFETY: a step reads a float of A and 16 halves of B.
    unsafe {
        let multiply = |sum, step, register| {
            let value = _mm256_set1_ps(*a.cast::<f32>().add(step));
            let values =
                _mm256_cvtph_ps(_mm_loadu_si128(b.cast::<__m128i>().add(2 * step + register)));
            _mm256_fmadd_ps(value, values, sum)
        };
        let add = |a, b| _mm256_add_ps(a, b);
        store_f32(sums(steps, _mm256_setzero_ps(), multiply, add), to, first);
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn multiply_f32(steps: usize, a: *const f32, b: *const f32, to: *mut f32, first: bool) {
    // SAFETY: a step reads a value of A and 16 of B.
    unsafe {
        let multiply = |sum, step, register| {
            let values = _mm256_loadu_ps(b.add(step * 16 + register * 8));
            _mm256_fmadd_ps(_mm256_set1_ps(*a.add(step)), values, sum)
        };
        let add = |a, b| _mm256_add_ps(a, b);
        store_f32(sums(steps, _mm256_setzero_ps(), multiply, add), to, first);
    }
}

/// Writes or adds the sums of a panel.
#[inline(always)]
pub(super) unsafe fn store_i32(all: [__m256i; 2], sums: *mut i32, first: bool) {
    // SAFETY: a panel has two registers of sums, aligned.
    unsafe {
        for (register, sum) in all.into_iter().enumerate() {
            let to = sums.add(register * 8).cast::<__m256i>();
            _mm256_store_si256(
                to,
                if first { sum } else { _mm256_add_epi32(_mm256_load_si256(to), sum) },
            );
        }
    }
}

/// Writes or adds the sums of a panel.
#[inline(always)]
unsafe fn store_f32(all: [__m256; 2], sums: *mut f32, first: bool) {
    // SAFETY: a panel has two registers of sums, aligned.
    unsafe {
        for (register, sum) in all.into_iter().enumerate() {
            let to = sums.add(register * 8);
            _mm256_store_ps(to, if first { sum } else { _mm256_add_ps(_mm256_load_ps(to), sum) });
        }
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn pack_f16(rows: *const *const f16, depth: usize, to: *mut f16) {
    // SAFETY: passed on to the caller.
    unsafe { widened::<Avx2>(rows, depth, to) }
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
    unsafe { quantized::<f16, Avx2, 2, false>(rows, depth, inverse_scales, zero_point, to) }
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
    unsafe { quantized::<f32, Avx2, 2, false>(rows, depth, inverse_scales, zero_point, to) }
}

#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn greatest_f16(row: *const f16, length: usize) -> f32 {
    // SAFETY: passed on to the caller.
    unsafe { greatest::<f16, Avx2>(row, length) }
}

#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn greatest_f32(row: *const f32, length: usize) -> f32 {
    // SAFETY: passed on to the caller.
    unsafe { greatest::<f32, Avx2>(row, length) }
}

#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn finish_i32(tile: &Finish<i32>) {
    // SAFETY: passed on to the caller.
    unsafe { finish::<i32, Avx2>(tile) }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn finish_f32(tile: &Finish<f32>) {
    // SAFETY: passed on to the caller.
    unsafe { finish::<f32, Avx2>(tile) }
}
