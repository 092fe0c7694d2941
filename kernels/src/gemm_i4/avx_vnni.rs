//! `vpdpbusd` on 256 bits: nibbles are u8, A is i8.

use super::avx2::{PACKING, finish, widen};
use super::{GROUP, GemmI4Row};
use crate::features::{Isa, Schedule};

use crate::kernel::Identity;
use crate::layouts;
use std::arch::x86_64::*;

pub(super) const GEMM_I4: GemmI4Row = GemmI4Row {
    identity: Identity {
        name: "gemm_i4_i8_4x16x4_avx_vnni",
        operation: "gemm_i4",
        element: "i8",
        tile: "4x16x4",
        needs: &[Isa::AvxVnni],
        schedule: Schedule::OutOfOrder,
    },
    layout: layouts::gemm_i4(Isa::AvxVnni),
    mr: 4,
    multiply,
    multiply_one,
    packing: PACKING,
    widen,
    finish,
};

#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
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

#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
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
        let nibble = _mm256_set1_epi8(15);
        for group in 0..groups {
            let b: *const __m256i = b.add(group * 256).cast();
            let a: *const i32 = a.add(group * GROUP * MR).cast();
            let mut inner = [[_mm256_setzero_si256(); 2]; MR];
            for row in 0..MR {
                inner[row] = [_mm256_set1_epi32(*starts.add(group * MR + row)); 2];
            }
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
                            inner[row][half] =
                                _mm256_dpbusd_avx_epi32(inner[row][half], columns[half], four);
                        }
                    }
                }
            }
            for row in 0..MR {
                for half in 0..2 {
                    let to = sums.add(row * 16 + half * 8);
                    let sum = _mm256_cvtepi32_ps(inner[row][half]);
                    let scale = _mm256_loadu_ps(scales.add(group * 16 + half * 8));
                    _mm256_store_ps(to, _mm256_fmadd_ps(sum, scale, _mm256_load_ps(to)));
                }
            }
        }
    }
}
