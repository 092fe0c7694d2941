//! `vpmaddubsw`: nibbles are below 16, so the sums of a whole group fit into i16.

use super::{GROUP, GemmI4Row};
use crate::features::{Isa, Schedule};
use crate::gemm::{Finish, I8Packing, epilogue};
use crate::gemv::row::{bytes, greatest, quantized, widened};
use crate::kernel::Identity;
use crate::lanes::Avx2;
use crate::layouts;
use half::f16;
use std::arch::x86_64::*;

pub(super) const GEMM_I4: GemmI4Row = GemmI4Row {
    identity: Identity {
        name: "gemm_i4_i8_4x16x4_avx2",
        operation: "gemm_i4",
        element: "i8",
        tile: "4x16x4",
        needs: &[Isa::Avx2],
        schedule: Schedule::OutOfOrder,
    },
    layout: layouts::gemm_i4(Isa::Avx2),
    mr: 4,
    multiply,
    multiply_one,
    packing: PACKING,
    widen,
    finish,
};

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn multiply(
    groups: usize,
    a: *const i8,
    starts: *const i32,
    b: *const u8,
    scales: *const f32,
    sums: *mut f32,
) {
    // SAFETY: passed on to the caller.
    unsafe { rows::<4>(groups, a, starts, b, scales, sums) }
}

#[target_feature(enable = "avx2,fma,f16c")]
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
        let (nibble, ones) = (_mm256_set1_epi8(15), _mm256_set1_epi16(1));
        for group in 0..groups {
            let b: *const __m256i = b.add(group * 256).cast();
            let a: *const i32 = a.add(group * GROUP * MR).cast();
            let mut inner = [[_mm256_setzero_si256(); 2]; MR];
            for step in 0..4 {
                let both =
                    [_mm256_loadu_si256(b.add(2 * step)), _mm256_loadu_si256(b.add(2 * step + 1))];
                for upper in 0..2 {
                    let columns = both.map(|both| {
                        let low = if upper == 0 { both } else { _mm256_srli_epi16::<4>(both) };
                        _mm256_and_si256(low, nibble)
                    });
                    for row in 0..MR {
                        let at = a.add((4 * upper + step) * MR + row);
                        let four = _mm256_set1_epi32(at.read_unaligned());
                        for half in 0..2 {
                            let products = _mm256_maddubs_epi16(columns[half], four);
                            inner[row][half] = _mm256_add_epi16(inner[row][half], products);
                        }
                    }
                }
            }
            for row in 0..MR {
                let start = _mm256_set1_epi32(*starts.add(group * MR + row));
                for half in 0..2 {
                    let to = sums.add(row * 16 + half * 8);
                    let sum = _mm256_madd_epi16(inner[row][half], ones);
                    let sum = _mm256_cvtepi32_ps(_mm256_add_epi32(sum, start));
                    let scale = _mm256_loadu_ps(scales.add(group * 16 + half * 8));
                    _mm256_store_ps(to, _mm256_fmadd_ps(sum, scale, _mm256_load_ps(to)));
                }
            }
        }
    }
}

pub(super) const PACKING: I8Packing = I8Packing {
    from_i8: bytes::<GROUP, false>,
    from_f16,
    from_f32,
    greatest_f16,
    greatest_f32,
    offset: 0,
};

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn from_f16(
    rows: *const *const f16,
    depth: usize,
    inverse: *const f32,
    zero_point: i32,
    to: *mut i8,
) {
    // SAFETY: passed on to the caller.
    unsafe { quantized::<f16, Avx2, GROUP, false>(rows, depth, inverse, zero_point, to) }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn from_f32(
    rows: *const *const f32,
    depth: usize,
    inverse: *const f32,
    zero_point: i32,
    to: *mut i8,
) {
    // SAFETY: passed on to the caller.
    unsafe { quantized::<f32, Avx2, GROUP, false>(rows, depth, inverse, zero_point, to) }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn greatest_f16(row: *const f16, length: usize) -> f32 {
    // SAFETY: passed on to the caller.
    unsafe { greatest::<f16, Avx2>(row, length) }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn greatest_f32(row: *const f32, length: usize) -> f32 {
    // SAFETY: passed on to the caller.
    unsafe { greatest::<f32, Avx2>(row, length) }
}

#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn widen(rows: *const *const f16, length: usize, to: *mut f16) {
    // SAFETY: passed on to the caller.
    unsafe { widened::<Avx2>(rows, length, to) }
}

#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn finish(tile: &Finish<f32>) {
    // SAFETY: passed on to the caller.
    unsafe { epilogue::finish::<f32, Avx2>(tile) }
}
