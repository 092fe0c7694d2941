//! `vpdpbusd` on 512 bits; A has 128 more than it should, as in [`avx_vnni`](super::avx_vnni).

use super::avx512::{MR, NR, greatest_f16, greatest_f32};
use super::x86::{Fours, Steps, WideQuantizedFours, interleave};
use super::{Finish, GemmRow, I8Packing, epilogue};
use crate::features::{Isa, Schedule};
use crate::kernel::Identity;
use crate::lanes::Avx512;
use crate::layouts;
use half::f16;
use std::arch::x86_64::*;
use std::marker::PhantomData;

pub(super) const GEMM_I8: GemmRow<i8> = GemmRow {
    identity: Identity {
        name: "gemm_i8_12x32x4_avx512_vnni",
        operation: "gemm",
        element: "i8",
        tile: "12x32x4",
        needs: &[Isa::Avx512Vnni],
        schedule: Schedule::OutOfOrder,
    },
    layout: layouts::gemm_i8(Isa::Avx512Vnni),
    mr: MR,
    widening: 1,
    steps: 1024,
    multiply,
    fused: Some(fused),
    direct: None,
    packing: I8Packing {
        from_i8: pack,
        from_f16: quantize_f16,
        from_f32: quantize_f32,
        greatest_f16,
        greatest_f32,
        offset: 128,
    },
    finish,
};

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn multiply(steps: usize, a: *const i8, b: *const i8, sums: *mut i32, first: bool) {
    // SAFETY: the sums are 12 rows of 32, aligned; else passed on to the caller.
    unsafe {
        let tile = tile_of(steps, a, b);
        for row in 0..MR {
            for half in 0..2 {
                let to: *mut __m512i = sums.add(row * NR + half * 16).cast();
                let sum = tile[row][half];
                _mm512_store_si512(
                    to,
                    if first { sum } else { _mm512_add_epi32(_mm512_load_si512(to), sum) },
                );
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn fused(steps: usize, a: *const i8, b: *const i8, tile: &Finish<i32>) -> usize {
    // SAFETY: there are column sums for the whole panel; else passed on to the caller.
    unsafe {
        let terms = if tile.column_sums.is_null() {
            [_mm512_setzero_si512(); 2]
        } else {
            let factor = _mm512_set1_epi32(tile.zero_point);
            let from: *const __m512i = tile.column_sums.cast();
            [
                _mm512_mullo_epi32(_mm512_loadu_si512(from), factor),
                _mm512_mullo_epi32(_mm512_loadu_si512(from.add(1)), factor),
            ]
        };
        let value = |sum, term| Avx512(_mm512_cvtepi32_ps(_mm512_sub_epi32(sum, term)));
        super::x86::fused(tile, |index| {
            tile_of(steps, a.add(index * steps * MR * 4), b)
                .map(|row| [value(row[0], terms[0]), value(row[1], terms[1])])
        })
    }
}

#[inline(always)]
unsafe fn tile_of(steps: usize, a: *const i8, b: *const i8) -> [[__m512i; 2]; MR] {
    // SAFETY: each step reads 12 fours of A and 32 fours of B.
    unsafe {
        let a: *const i32 = a.cast();
        let mut tile = [[_mm512_setzero_si512(); 2]; MR];
        for step in 0..steps {
            let b = b.add(step * NR * 4);
            let columns = [_mm512_loadu_si512(b.cast()), _mm512_loadu_si512(b.add(64).cast())];
            for row in 0..MR {
                let four = _mm512_set1_epi32(a.add(step * MR + row).read_unaligned());
                for half in 0..2 {
                    tile[row][half] = _mm512_dpbusd_epi32(tile[row][half], four, columns[half]);
                }
            }
        }
        tile
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn pack(rows: *const *const i8, depth: usize, to: *mut i8) {
    // SAFETY: passed on to the caller.
    unsafe { interleave::<_, MR>(&Fours, rows, depth, to.cast()) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn quantize_f16(
    rows: *const *const f16,
    depth: usize,
    inverse_scales: *const f32,
    zero_point: i32,
    to: *mut i8,
) {
    let units = WideQuantizedFours(Steps { inverse_scales, zero_point }, PhantomData);
    // SAFETY: passed on to the caller.
    unsafe { interleave::<_, MR>(&units, rows, depth, to.cast()) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn quantize_f32(
    rows: *const *const f32,
    depth: usize,
    inverse_scales: *const f32,
    zero_point: i32,
    to: *mut i8,
) {
    let units = WideQuantizedFours(Steps { inverse_scales, zero_point }, PhantomData);
    // SAFETY: passed on to the caller.
    unsafe { interleave::<_, MR>(&units, rows, depth, to.cast()) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn finish(tile: &Finish<i32>) {
    // SAFETY: passed on to the caller.
    unsafe { epilogue::finish::<i32, Avx512>(tile) }
}
