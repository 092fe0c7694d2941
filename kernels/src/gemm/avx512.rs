//! AVX-512 F, BW, DQ and VL: tiles of 12×32, whose sums fill 24 registers.

use super::direct::{Strip, columns};
use super::x86::{Floats, Widened, fused_floats, greatest, interleave};
use super::{Finish, GemmRow, epilogue};
use crate::features::{Isa, Schedule};
use crate::kernel::Identity;
use crate::lanes::Avx512;
use crate::layouts;
use half::f16;
use std::arch::x86_64::*;

pub(super) const MR: usize = 12;
pub(super) const NR: usize = 32;

const fn identity(name: &'static str, element: &'static str) -> Identity {
    Identity {
        name,
        operation: "gemm",
        element,
        tile: "12x32x1",
        needs: &[Isa::Avx512],
        schedule: Schedule::OutOfOrder,
    }
}

pub(super) const GEMM_F16: GemmRow<f16> = GemmRow {
    identity: identity("gemm_f16_12x32x1_avx512", "f16"),
    layout: layouts::gemm_f16(Isa::Avx512),
    mr: MR,
    widening: 2,
    steps: 1024,
    multiply: multiply_f16,
    fused: Some(fused_f16),
    direct: None,
    packing: pack_f16,
    finish: finish_f32,
};

pub(super) const GEMM_F32: GemmRow<f32> = GemmRow {
    identity: identity("gemm_f32_12x32x1_avx512", "f32"),
    layout: layouts::gemm_f32(Isa::Avx512),
    mr: MR,
    widening: 1,
    steps: 1024,
    multiply: multiply_f32,
    fused: Some(fused_f32),
    direct: Some((direct_f32, 256)),
    packing: pack_f32,
    finish: finish_f32,
};

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn direct_f32(strip: &Strip<f32>, b: *const f32, sums: *mut f32, tile: &Finish<f32>) {
    // SAFETY: passed on to the caller.
    unsafe { columns::<Avx512, 8, 2>(strip, b, sums, tile) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn multiply_f32(steps: usize, a: *const f32, b: *const f32, sums: *mut f32, first: bool) {
    // SAFETY: passed on to the caller.
    unsafe {
        let tile = tile_of_floats(steps, a, |at| _mm512_loadu_ps(b.add(at)));
        store_f32(&tile, sums, first);
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn multiply_f16(steps: usize, a: *const f16, b: *const f16, sums: *mut f32, first: bool) {
    // SAFETY: passed on to the caller; the packing wrote f32.
    unsafe {
        let wide = |at| _mm512_cvtph_ps(_mm256_loadu_si256(b.add(at).cast()));
        store_f32(&tile_of_floats(steps, a.cast(), wide), sums, first);
    }
}

#[inline(always)]
unsafe fn tile_of_floats(
    steps: usize,
    a: *const f32,
    b: impl Fn(usize) -> __m512,
) -> [[__m512; 2]; MR] {
    // SAFETY: each step reads 12 values of A and 32 of B.
    unsafe {
        let mut tile = [[_mm512_setzero_ps(); 2]; MR];
        for step in 0..steps {
            let columns = [b(step * NR), b(step * NR + 16)];
            for row in 0..MR {
                let value = _mm512_set1_ps(*a.add(step * MR + row));
                for half in 0..2 {
                    tile[row][half] = _mm512_fmadd_ps(value, columns[half], tile[row][half]);
                }
            }
        }
        tile
    }
}

#[inline(always)]
fn lanes(tile: [[__m512; 2]; MR]) -> [[Avx512; 2]; MR] {
    tile.map(|row| row.map(Avx512))
}

#[inline(always)]
unsafe fn store_f32(tile: &[[__m512; 2]; MR], sums: *mut f32, first: bool) {
    // SAFETY: the sums are 12 rows of 32, aligned.
    unsafe {
        for row in 0..MR {
            for half in 0..2 {
                let to = sums.add(row * NR + half * 16);
                let sum = tile[row][half];
                _mm512_store_ps(
                    to,
                    if first { sum } else { _mm512_add_ps(_mm512_load_ps(to), sum) },
                );
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn fused_f32(steps: usize, a: *const f32, b: *const f32, tile: &Finish<f32>) -> usize {
    // SAFETY: passed on to the caller.
    unsafe {
        fused_floats(tile, |index| {
            lanes(tile_of_floats(steps, a.add(index * steps * MR), |at| _mm512_loadu_ps(b.add(at))))
        })
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn fused_f16(steps: usize, a: *const f16, b: *const f16, tile: &Finish<f32>) -> usize {
    // SAFETY: passed on to the caller; the packing wrote f32.
    unsafe {
        let wide = |at| _mm512_cvtph_ps(_mm256_loadu_si256(b.add(at).cast()));
        fused_floats(tile, |index| {
            lanes(tile_of_floats(steps, a.cast::<f32>().add(index * steps * MR), wide))
        })
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn pack_f32(rows: *const *const f32, depth: usize, to: *mut f32) {
    // SAFETY: passed on to the caller.
    unsafe { interleave::<_, MR>(&Floats, rows, depth, to.cast()) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn pack_f16(rows: *const *const f16, depth: usize, to: *mut f16) {
    // SAFETY: passed on to the caller.
    unsafe { interleave::<_, MR>(&Widened, rows, depth, to.cast()) }
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
pub(super) unsafe fn finish_f32(tile: &Finish<f32>) {
    // SAFETY: passed on to the caller.
    unsafe { epilogue::finish::<f32, Avx512>(tile) }
}
