//! `vpdpbusd` on 512 bits; A has 128 more than it should, as in `gemm`.

use super::GemvRow;
use super::avx512::{greatest_f16, greatest_f32};
use super::row::{bytes, quantized, sums, version};
use crate::features::Isa;
use crate::gemm::epilogue::finish;
use crate::gemm::{Finish, I8Packing};
use crate::lanes::Avx512;
use crate::layouts;
use half::f16;
use std::arch::x86_64::*;

pub(super) const GEMV_I8: GemvRow<i8> = version(
    ["gemv_i8_1x32x4_avx512_vnni", "i8", "1x32x4"],
    &[Isa::Avx512Vnni],
    layouts::gemm_i8(Isa::Avx512Vnni),
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

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn multiply(steps: usize, a: *const i8, b: *const i8, to: *mut i32, first: bool) {
    // SAFETY: a step reads four values of A and 128 of B.
    unsafe {
        let multiply = |sum, step, register| {
            let four = _mm512_set1_epi32(a.cast::<i32>().add(step).read_unaligned());
            let values = _mm512_loadu_si512(b.cast::<__m512i>().add(2 * step + register));
            _mm512_dpbusd_epi32(sum, four, values)
        };
        let add = |a, b| _mm512_add_epi32(a, b);
        store_i32(sums(steps, _mm512_setzero_si512(), multiply, add), to, first);
    }
}

/// Writes or adds the sums of a panel.
#[inline(always)]
unsafe fn store_i32(all: [__m512i; 2], sums: *mut i32, first: bool) {
    // SAFETY: a panel has two registers of sums, aligned.
    unsafe {
        for (register, sum) in all.into_iter().enumerate() {
            let to = sums.add(register * 16).cast::<__m512i>();
            _mm512_store_si512(
                to,
                if first { sum } else { _mm512_add_epi32(_mm512_load_si512(to), sum) },
            );
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn quantize_f16(
    rows: *const *const f16,
    depth: usize,
    inverse_scales: *const f32,
    zero_point: i32,
    to: *mut i8,
) {
    // SAFETY: passed on to the caller.
    unsafe { quantized::<f16, Avx512, 4, true>(rows, depth, inverse_scales, zero_point, to) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn quantize_f32(
    rows: *const *const f32,
    depth: usize,
    inverse_scales: *const f32,
    zero_point: i32,
    to: *mut i8,
) {
    // SAFETY: passed on to the caller.
    unsafe { quantized::<f32, Avx512, 4, true>(rows, depth, inverse_scales, zero_point, to) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn finish_i32(tile: &Finish<i32>) {
    // SAFETY: passed on to the caller.
    unsafe { finish::<i32, Avx512>(tile) }
}
