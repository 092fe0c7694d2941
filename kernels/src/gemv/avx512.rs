//! AVX-512: two registers of sixteen columns.

use super::GemvRow;
use super::row::{copied, greatest, sums, version, widened};
use crate::features::Isa;
use crate::gemm::Finish;
use crate::gemm::epilogue::finish;
use crate::lanes::Avx512;
use crate::layouts;
use half::f16;
use std::arch::x86_64::*;

pub(super) const GEMV_F16: GemvRow<f16> = version(
    ["gemv_f16_1x32x1_avx512", "f16", "1x32x1"],
    &[Isa::Avx512],
    layouts::gemm_f16(Isa::Avx512),
    2,
    multiply_f16,
    pack_f16,
    finish_f32,
);

pub(super) const GEMV_F32: GemvRow<f32> = version(
    ["gemv_f32_1x32x1_avx512", "f32", "1x32x1"],
    &[Isa::Avx512],
    layouts::gemm_f32(Isa::Avx512),
    1,
    multiply_f32,
    copied::<f32, 1>,
    finish_f32,
);

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn multiply_f16(steps: usize, a: *const f16, b: *const f16, to: *mut f32, first: bool) {
    // SAFETY: a step reads a float of A and 32 halves of B.
    unsafe {
        let multiply = |sum, step, register| {
            let value = _mm512_set1_ps(*a.cast::<f32>().add(step));
            let values = _mm256_loadu_si256(b.cast::<__m256i>().add(2 * step + register));
            _mm512_fmadd_ps(value, _mm512_cvtph_ps(values), sum)
        };
        let add = |a, b| _mm512_add_ps(a, b);
        store_f32(sums(steps, _mm512_setzero_ps(), multiply, add), to, first);
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn multiply_f32(steps: usize, a: *const f32, b: *const f32, to: *mut f32, first: bool) {
    // SAFETY: a step reads a value of A and 32 of B.
    unsafe {
        let multiply = |sum, step, register| {
            let values = _mm512_loadu_ps(b.add(step * 32 + register * 16));
            _mm512_fmadd_ps(_mm512_set1_ps(*a.add(step)), values, sum)
        };
        let add = |a, b| _mm512_add_ps(a, b);
        store_f32(sums(steps, _mm512_setzero_ps(), multiply, add), to, first);
    }
}

/// Writes or adds the sums of a panel.
#[inline(always)]
unsafe fn store_f32(all: [__m512; 2], sums: *mut f32, first: bool) {
    // SAFETY: a panel has two registers of sums, aligned.
    unsafe {
        for (register, sum) in all.into_iter().enumerate() {
            let to = sums.add(register * 16);
            _mm512_store_ps(to, if first { sum } else { _mm512_add_ps(_mm512_load_ps(to), sum) });
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn pack_f16(rows: *const *const f16, depth: usize, to: *mut f16) {
    // SAFETY: passed on to the caller.
    unsafe { widened::<Avx512>(rows, depth, to) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(super) unsafe fn greatest_f16(row: *const f16, length: usize) -> f32 {
    // SAFETY: passed on to the caller.
    unsafe { greatest::<f16, Avx512>(row, length) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(super) unsafe fn greatest_f32(row: *const f32, length: usize) -> f32 {
    // SAFETY: passed on to the caller.
    unsafe { greatest::<f32, Avx512>(row, length) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn finish_f32(tile: &Finish<f32>) {
    // SAFETY: passed on to the caller.
    unsafe { finish::<f32, Avx512>(tile) }
}
