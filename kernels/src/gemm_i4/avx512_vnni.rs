//! `vpdpbusd` on 512 bits: nibbles are u8, A is i8, and twelve rows of sums stay in registers.

use super::{GROUP, GemmI4Row};
use crate::features::{Isa, Schedule};
use crate::gemm::{Finish, I8Packing, epilogue};
use crate::gemv::row::{bytes, greatest, quantized, widened};
use crate::kernel::Identity;
use crate::lanes::Avx512;
use crate::layouts;
use half::f16;
use std::arch::x86_64::*;

pub(super) const GEMM_I4: GemmI4Row = GemmI4Row {
    identity: Identity {
        name: "gemm_i4_i8_12x16x4_avx512_vnni",
        operation: "gemm_i4",
        element: "i8",
        tile: "12x16x4",
        needs: &[Isa::Avx512Vnni],
        schedule: Schedule::OutOfOrder,
    },
    layout: layouts::gemm_i4(Isa::Avx512Vnni),
    mr: 12,
    multiply,
    multiply_one,
    packing: PACKING,
    widen,
    finish,
};

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn multiply(
    groups: usize,
    a: *const i8,
    starts: *const i32,
    b: *const u8,
    scales: *const f32,
    sums: *mut f32,
) {
    // SAFETY: passed on to the caller.
    unsafe { rows::<12>(groups, a, starts, b, scales, sums) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn multiply_one(
    groups: usize,
    a: *const i8,
    starts: *const i32,
    b: *const u8,
    scales: *const f32,
    sums: *mut f32,
) {
    // SAFETY: passed on to the caller.
    unsafe { rows::<1>(groups, a, starts, b, scales, sums) }
}

#[inline(always)]
unsafe fn rows<const MR: usize>(
    groups: usize,
    a: *const i8,
    starts: *const i32,
    b: *const u8,
    scales: *const f32,
    sums: *mut f32,
) {
    // SAFETY: a group reads 32 values of each row and 256 bytes of B; the tile has rows of 16 sums, aligned.
    unsafe {
        let nibble = _mm512_set1_epi8(15);
        let mut tile = [_mm512_setzero_ps(); MR];
        for row in 0..MR {
            tile[row] = _mm512_load_ps(sums.add(row * 16));
        }
        for group in 0..groups {
            let b: *const __m512i = b.add(group * 256).cast();
            let a: *const i32 = a.add(group * GROUP * MR).cast();
            let mut inner = [_mm512_setzero_si512(); MR];
            for row in 0..MR {
                inner[row] = _mm512_set1_epi32(*starts.add(group * MR + row));
            }
            for step in 0..4 {
                let both = _mm512_loadu_si512(b.add(step));
                let low = _mm512_and_si512(both, nibble);
                let high = _mm512_and_si512(_mm512_srli_epi16::<4>(both), nibble);
                for (columns, step) in [(low, step), (high, 4 + step)] {
                    for row in 0..MR {
                        let four = _mm512_set1_epi32(a.add(step * MR + row).read_unaligned());
                        inner[row] = _mm512_dpbusd_epi32(inner[row], columns, four);
                    }
                }
            }
            let scale = _mm512_loadu_ps(scales.add(group * 16));
            for row in 0..MR {
                tile[row] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(inner[row]), scale, tile[row]);
            }
        }
        for row in 0..MR {
            _mm512_store_ps(sums.add(row * 16), tile[row]);
        }
    }
}

const PACKING: I8Packing = I8Packing {
    from_i8: bytes::<GROUP, false>,
    from_f16,
    from_f32,
    greatest_f16,
    greatest_f32,
    offset: 0,
};

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn from_f16(
    rows: *const *const f16,
    depth: usize,
    inverse: *const f32,
    zero_point: i32,
    to: *mut i8,
) {
    // SAFETY: passed on to the caller.
    unsafe { quantized::<f16, Avx512, GROUP, false>(rows, depth, inverse, zero_point, to) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn from_f32(
    rows: *const *const f32,
    depth: usize,
    inverse: *const f32,
    zero_point: i32,
    to: *mut i8,
) {
    // SAFETY: passed on to the caller.
    unsafe { quantized::<f32, Avx512, GROUP, false>(rows, depth, inverse, zero_point, to) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn greatest_f16(row: *const f16, length: usize) -> f32 {
    // SAFETY: passed on to the caller.
    unsafe { greatest::<f16, Avx512>(row, length) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn greatest_f32(row: *const f32, length: usize) -> f32 {
    // SAFETY: passed on to the caller.
    unsafe { greatest::<f32, Avx512>(row, length) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn widen(rows: *const *const f16, length: usize, to: *mut f16) {
    // SAFETY: passed on to the caller.
    unsafe { widened::<Avx512>(rows, length, to) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn finish(tile: &Finish<f32>) {
    // SAFETY: passed on to the caller.
    unsafe { epilogue::finish::<f32, Avx512>(tile) }
}
