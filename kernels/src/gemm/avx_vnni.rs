//! `vpdpbusd` on 256 bits: u8 by i8, so A has 128 more than it should, and the sums are freed of it when they are finished.

use super::avx2::{finish_i32, fused_i32, greatest_f16, greatest_f32, store_i32};
use super::x86::{Fours, QuantizedFours, Steps, interleave};
use super::{Finish, GemmRow, I8Packing};
use crate::features::{Isa, Schedule};
use crate::kernel::Identity;
use crate::layouts;
use half::f16;
use std::arch::x86_64::*;
use std::marker::PhantomData;

const MR: usize = 6;
const KR: usize = 4;

pub(super) const GEMM_I8: GemmRow<i8> = GemmRow {
    identity: Identity {
        name: "gemm_i8_6x16x4_avx_vnni",
        operation: "gemm",
        element: "i8",
        tile: "6x16x4",
        needs: &[Isa::AvxVnni],
        schedule: Schedule::OutOfOrder,
    },
    layout: layouts::gemm_i8(Isa::AvxVnni),
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
    finish: finish_i32,
};

#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
unsafe fn multiply(steps: usize, a: *const i8, b: *const i8, sums: *mut i32, first: bool) {
    // SAFETY: passed on to the caller.
    unsafe { store_i32(&tile_of(steps, a, b), sums, first) }
}

#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
unsafe fn fused(steps: usize, a: *const i8, b: *const i8, tile: &Finish<i32>) -> usize {
    // SAFETY: passed on to the caller.
    unsafe { fused_i32(tile, |index| tile_of(steps, a.add(index * steps * MR * KR), b)) }
}

#[inline(always)]
unsafe fn tile_of(steps: usize, a: *const i8, b: *const i8) -> [[__m256i; 2]; MR] {
    // SAFETY: each step reads 6 fours of A and 16 fours of B.
    unsafe {
        let a: *const i32 = a.cast();
        let b: *const __m256i = b.cast();
        let mut tile = [[_mm256_setzero_si256(); 2]; MR];
        for step in 0..steps {
            let columns =
                [_mm256_loadu_si256(b.add(2 * step)), _mm256_loadu_si256(b.add(2 * step + 1))];
            for row in 0..MR {
                let four = _mm256_set1_epi32(a.add(step * MR + row).read_unaligned());
                for half in 0..2 {
                    tile[row][half] = _mm256_dpbusd_avx_epi32(tile[row][half], four, columns[half]);
                }
            }
        }
        tile
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn pack(rows: *const *const i8, depth: usize, to: *mut i8) {
    // SAFETY: passed on to the caller.
    unsafe { interleave::<_, MR>(&Fours, rows, depth, to.cast()) }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn quantize_f16(
    rows: *const *const f16,
    depth: usize,
    inverse_scales: *const f32,
    zero_point: i32,
    to: *mut i8,
) {
    let units = QuantizedFours(Steps { inverse_scales, zero_point }, PhantomData);
    // SAFETY: passed on to the caller.
    unsafe { interleave::<_, MR>(&units, rows, depth, to.cast()) }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn quantize_f32(
    rows: *const *const f32,
    depth: usize,
    inverse_scales: *const f32,
    zero_point: i32,
    to: *mut i8,
) {
    let units = QuantizedFours(Steps { inverse_scales, zero_point }, PhantomData);
    // SAFETY: passed on to the caller.
    unsafe { interleave::<_, MR>(&units, rows, depth, to.cast()) }
}
