//! AVX2 with FMA and F16C: tiles of 6×16, whose sums fill twelve registers.
//!
//! int8 values are multiplied as i16: A is widened when it is packed, B when it is read, so that no pair of products can
//! overflow, −128·−128 neither.

use super::direct::{Strip, columns};
use super::x86::{
    Floats, Pairs, QuantizedPairs, Steps, Widened, fused_floats, greatest, interleave,
};
use super::{Finish, GemmRow, I8Packing, epilogue};
use crate::features::{Isa, Schedule};
use crate::kernel::Identity;
use crate::lanes::Avx2;
use crate::layouts;
use half::f16;
use std::arch::x86_64::*;
use std::marker::PhantomData;

const MR: usize = 6;
const NR: usize = 16;

const fn identity(name: &'static str, element: &'static str, tile: &'static str) -> Identity {
    Identity {
        name,
        operation: "gemm",
        element,
        tile,
        needs: &[Isa::Avx2],
        schedule: Schedule::OutOfOrder,
    }
}

pub(super) const GEMM_I8: GemmRow<i8> = GemmRow {
    identity: identity("gemm_i8_6x16x2_avx2", "i8", "6x16x2"),
    layout: layouts::gemm_i8(Isa::Avx2),
    mr: MR,
    widening: 2,
    steps: 512,
    multiply: multiply_i8,
    fused: Some(fused_i8),
    direct: None,
    packing: I8Packing {
        from_i8: pack_i8,
        from_f16: quantize_f16,
        from_f32: quantize_f32,
        greatest_f16,
        greatest_f32,
        offset: 0,
    },
    finish: finish_i32,
};

pub(super) const GEMM_F16: GemmRow<f16> = GemmRow {
    identity: identity("gemm_f16_6x16x1_avx2", "f16", "6x16x1"),
    layout: layouts::gemm_f16(Isa::Avx2),
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
    identity: identity("gemm_f32_6x16x1_avx2", "f32", "6x16x1"),
    layout: layouts::gemm_f32(Isa::Avx2),
    mr: MR,
    widening: 1,
    steps: 1024,
    multiply: multiply_f32,
    fused: Some(fused_f32),
    direct: Some((direct_f32, 64)),
    packing: pack_f32,
    finish: finish_f32,
};

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn direct_f32(strip: &Strip<f32>, b: *const f32, sums: *mut f32, tile: &Finish<f32>) {
    // SAFETY: passed on to the caller.
    unsafe { columns::<Avx2, MR, 2>(strip, b, sums, tile) }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn multiply_f32(steps: usize, a: *const f32, b: *const f32, sums: *mut f32, first: bool) {
    // SAFETY: passed on to the caller.
    unsafe {
        let tile = tile_of_floats(steps, a, |at| _mm256_loadu_ps(b.add(at)));
        store_f32(&tile, sums, first);
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn multiply_f16(steps: usize, a: *const f16, b: *const f16, sums: *mut f32, first: bool) {
    // SAFETY: passed on to the caller; the packing wrote f32.
    unsafe {
        let wide = |at| _mm256_cvtph_ps(_mm_loadu_si128(b.add(at).cast()));
        store_f32(&tile_of_floats(steps, a.cast(), wide), sums, first);
    }
}

#[inline(always)]
unsafe fn tile_of_floats(
    steps: usize,
    a: *const f32,
    b: impl Fn(usize) -> __m256,
) -> [[__m256; 2]; MR] {
    // SAFETY: each step reads 6 values of A and 16 of B.
    unsafe {
        let mut tile = [[_mm256_setzero_ps(); 2]; MR];
        for step in 0..steps {
            let columns = [b(step * NR), b(step * NR + 8)];
            for row in 0..MR {
                let value = _mm256_broadcast_ss(&*a.add(step * MR + row));
                for half in 0..2 {
                    tile[row][half] = _mm256_fmadd_ps(value, columns[half], tile[row][half]);
                }
            }
        }
        tile
    }
}

#[inline(always)]
fn lanes(tile: [[__m256; 2]; MR]) -> [[Avx2; 2]; MR] {
    tile.map(|row| row.map(Avx2))
}

#[inline(always)]
unsafe fn store_f32(tile: &[[__m256; 2]; MR], sums: *mut f32, first: bool) {
    // SAFETY: the sums are 6 rows of 16, aligned.
    unsafe {
        for row in 0..MR {
            for half in 0..2 {
                let to = sums.add(row * NR + half * 8);
                let sum = tile[row][half];
                _mm256_store_ps(
                    to,
                    if first { sum } else { _mm256_add_ps(_mm256_load_ps(to), sum) },
                );
            }
        }
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn fused_f32(steps: usize, a: *const f32, b: *const f32, tile: &Finish<f32>) -> usize {
    // SAFETY: passed on to the caller.
    unsafe {
        fused_floats(tile, |index| {
            lanes(tile_of_floats(steps, a.add(index * steps * MR), |at| _mm256_loadu_ps(b.add(at))))
        })
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn fused_f16(steps: usize, a: *const f16, b: *const f16, tile: &Finish<f32>) -> usize {
    // SAFETY: passed on to the caller; the packing wrote f32.
    unsafe {
        let wide = |at| _mm256_cvtph_ps(_mm_loadu_si128(b.add(at).cast()));
        fused_floats(tile, |index| {
            lanes(tile_of_floats(steps, a.cast::<f32>().add(index * steps * MR), wide))
        })
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn multiply_i8(steps: usize, a: *const i8, b: *const i8, sums: *mut i32, first: bool) {
    // SAFETY: passed on to the caller.
    unsafe { store_i32(&tile_of_i8(steps, a, b), sums, first) }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn fused_i8(steps: usize, a: *const i8, b: *const i8, tile: &Finish<i32>) -> usize {
    // SAFETY: passed on to the caller.
    unsafe { fused_i32(tile, |index| tile_of_i8(steps, a.add(index * steps * MR * 4), b)) }
}

/// [`fused`](super::x86::fused) of sums in i32.
///
/// # Safety
/// `tile` came from [`Finish::new`], and the CPU has AVX2.
#[inline(always)]
pub(super) unsafe fn fused_i32(
    tile: &Finish<i32>,
    sums: impl Fn(usize) -> [[__m256i; 2]; MR],
) -> usize {
    // SAFETY: there are column sums for the whole panel.
    unsafe {
        let terms = if tile.column_sums.is_null() {
            [_mm256_setzero_si256(); 2]
        } else {
            let factor = _mm256_set1_epi32(tile.zero_point);
            let from: *const __m256i = tile.column_sums.cast();
            [
                _mm256_mullo_epi32(_mm256_loadu_si256(from), factor),
                _mm256_mullo_epi32(_mm256_loadu_si256(from.add(1)), factor),
            ]
        };
        let value = |sum, term| Avx2(_mm256_cvtepi32_ps(_mm256_sub_epi32(sum, term)));
        super::x86::fused(tile, |index| {
            let sums = sums(index);
            let mut values = [[Avx2(_mm256_setzero_ps()); 2]; MR];
            for row in 0..MR {
                for half in 0..2 {
                    values[row][half] = value(sums[row][half], terms[half]);
                }
            }
            values
        })
    }
}

#[inline(always)]
unsafe fn tile_of_i8(steps: usize, a: *const i8, b: *const i8) -> [[__m256i; 2]; MR] {
    // SAFETY: each step reads 6 pairs of i16 of A and 16 pairs of i8 of B.
    unsafe {
        let a: *const i32 = a.cast();
        let mut tile = [[_mm256_setzero_si256(); 2]; MR];
        for step in 0..steps {
            let b = b.add(step * NR * 2);
            let columns = [
                _mm256_cvtepi8_epi16(_mm_loadu_si128(b.cast())),
                _mm256_cvtepi8_epi16(_mm_loadu_si128(b.add(16).cast())),
            ];
            for row in 0..MR {
                let pair = _mm256_set1_epi32(a.add(step * MR + row).read_unaligned());
                for half in 0..2 {
                    let products = _mm256_madd_epi16(pair, columns[half]);
                    tile[row][half] = _mm256_add_epi32(tile[row][half], products);
                }
            }
        }
        tile
    }
}

/// Writes or adds a tile of sums.
///
/// # Safety
/// `sums` is good for the tile and aligned to 32 bytes; the CPU has AVX2.
#[inline(always)]
pub(super) unsafe fn store_i32(tile: &[[__m256i; 2]; MR], sums: *mut i32, first: bool) {
    // SAFETY: the sums are 6 rows of 16.
    unsafe {
        for row in 0..MR {
            for half in 0..2 {
                let to: *mut __m256i = sums.add(row * NR + half * 8).cast();
                let sum = tile[row][half];
                _mm256_store_si256(
                    to,
                    if first { sum } else { _mm256_add_epi32(_mm256_load_si256(to), sum) },
                );
            }
        }
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn pack_f32(rows: *const *const f32, depth: usize, to: *mut f32) {
    // SAFETY: passed on to the caller.
    unsafe { interleave::<_, MR>(&Floats, rows, depth, to.cast()) }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn pack_f16(rows: *const *const f16, depth: usize, to: *mut f16) {
    // SAFETY: passed on to the caller.
    unsafe { interleave::<_, MR>(&Widened, rows, depth, to.cast()) }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn pack_i8(rows: *const *const i8, depth: usize, to: *mut i8) {
    // SAFETY: passed on to the caller.
    unsafe { interleave::<_, MR>(&Pairs, rows, depth, to.cast()) }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn quantize_f16(
    rows: *const *const f16,
    depth: usize,
    inverse_scales: *const f32,
    zero_point: i32,
    to: *mut i8,
) {
    let units = QuantizedPairs(Steps { inverse_scales, zero_point }, PhantomData);
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
    let units = QuantizedPairs(Steps { inverse_scales, zero_point }, PhantomData);
    // SAFETY: passed on to the caller.
    unsafe { interleave::<_, MR>(&units, rows, depth, to.cast()) }
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
    unsafe { epilogue::finish::<i32, Avx2>(tile) }
}

#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn finish_f32(tile: &Finish<f32>) {
    // SAFETY: passed on to the caller.
    unsafe { epilogue::finish::<f32, Avx2>(tile) }
}
