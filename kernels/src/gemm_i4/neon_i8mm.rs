//! `smmla` of two rows and two columns, eight values of k; `sdot`, which every CPU with it has, for one row.

use super::neon::PACKING;
use super::{GROUP, GemmI4Row};
use crate::features::{Isa, Schedule};
use crate::gemm::epilogue;
use crate::gemv::neon_dotprod::sdot;
use crate::gemv::row::widened;
use crate::kernel::Identity;
use crate::lanes::Neon;
use crate::layouts;
use std::arch::aarch64::*;
use std::arch::asm;

const MR: usize = 8;

pub(super) const GEMM_I4: GemmI4Row = GemmI4Row {
    identity: Identity {
        name: "gemm_i4_i8_8x8x8_neon_i8mm",
        operation: "gemm_i4",
        element: "i8",
        tile: "8x8x8",
        needs: &[Isa::NeonI8mm],
        schedule: Schedule::OutOfOrder,
    },
    layout: layouts::gemm_i4(Isa::NeonI8mm),
    mr: MR,
    multiply,
    multiply_one,
    packing: PACKING,
    widen: widened::<Neon>,
    finish: epilogue::finish::<f32, Neon>,
};

#[inline(always)]
unsafe fn smmla(mut sums: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    // SAFETY: registers only.
    unsafe {
        asm!(
            ".arch_extension i8mm",
            "smmla {0:v}.4s, {1:v}.16b, {2:v}.16b",
            inout(vreg) sums,
            in(vreg) a,
            in(vreg) b,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sums
}

/// The nibbles of a register, as i8: the lower ones, the upper ones.
#[inline(always)]
unsafe fn nibbles(from: *const u8) -> [int8x16_t; 2] {
    // SAFETY: the caller's pointer is good for 16 bytes.
    unsafe {
        let both = vld1q_u8(from);
        let low = vandq_u8(both, vdupq_n_u8(15));
        [vreinterpretq_s8_u8(low), vreinterpretq_s8_u8(vshrq_n_u8::<4>(both))]
    }
}

#[target_feature(enable = "neon,dotprod,i8mm")]
unsafe fn multiply(
    groups: usize,
    a: *const i8,
    starts: *const i32,
    b: *const u8,
    scales: *const f32,
    sums: *mut f32,
) {
    // SAFETY: a group reads 32 values of each row and 128 bytes of B; the tile has rows of eight sums. Two rows by two columns
    // are one register.
    unsafe {
        for group in 0..groups {
            let (a, b) = (a.add(group * GROUP * MR), b.add(group * 128));
            let mut inner = [[vdupq_n_s32(0); 4]; MR / 2];
            for rows in 0..MR / 2 {
                let starts = vld1_s32(starts.add(group * MR + 2 * rows));
                inner[rows] =
                    [vcombine_s32(vdup_lane_s32::<0>(starts), vdup_lane_s32::<1>(starts)); 4];
            }
            for step in 0..2 {
                let columns: [[int8x16_t; 2]; 4] =
                    std::array::from_fn(|pair| nibbles(b.add(step * 64 + pair * 16)));
                for upper in 0..2 {
                    let a = a.add((2 * upper + step) * MR * 8);
                    for rows in 0..MR / 2 {
                        let two = vld1q_s8(a.add(rows * 16));
                        for pair in 0..4 {
                            inner[rows][pair] = smmla(inner[rows][pair], two, columns[pair][upper]);
                        }
                    }
                }
            }
            for rows in 0..MR / 2 {
                for half in 0..2 {
                    let scale = vld1q_f32(scales.add(group * 8 + half * 4));
                    let [one, two] = [2 * half, 2 * half + 1]
                        .map(|pair| vreinterpretq_s64_s32(inner[rows][pair]));
                    for (row, inner) in
                        [vzip1q_s64(one, two), vzip2q_s64(one, two)].into_iter().enumerate()
                    {
                        let to = sums.add((2 * rows + row) * 8 + half * 4);
                        let inner = vcvtq_f32_s32(vreinterpretq_s32_s64(inner));
                        vst1q_f32(to, vfmaq_f32(vld1q_f32(to), inner, scale));
                    }
                }
            }
        }
    }
}

#[target_feature(enable = "neon,dotprod,i8mm")]
unsafe fn multiply_one(
    groups: usize,
    a: *const i8,
    starts: *const i32,
    b: *const u8,
    scales: *const f32,
    sums: *mut f32,
) {
    // SAFETY: a group reads 32 values of the row and 128 bytes of B; there are eight sums.
    unsafe {
        let mut tile = [vld1q_f32(sums), vld1q_f32(sums.add(4))];
        for group in 0..groups {
            let (a, b) = (a.add(group * GROUP).cast::<i64>(), b.add(group * 128));
            let mut inner = [vdupq_n_s32(0); 4];
            for step in 0..2 {
                let [low, high] = [step, 2 + step]
                    .map(|step| vreinterpretq_s8_s64(vdupq_n_s64(a.add(step).read_unaligned())));
                for pair in 0..4 {
                    let columns = nibbles(b.add(step * 64 + pair * 16));
                    inner[pair] = sdot(sdot(inner[pair], low, columns[0]), high, columns[1]);
                }
            }
            let start = vdupq_n_s32(*starts.add(group));
            for half in 0..2 {
                let sum = vaddq_s32(vpaddq_s32(inner[2 * half], inner[2 * half + 1]), start);
                let scale = vld1q_f32(scales.add(group * 8 + half * 4));
                tile[half] = vfmaq_f32(tile[half], vcvtq_f32_s32(sum), scale);
            }
        }
        vst1q_f32(sums, tile[0]);
        vst1q_f32(sums.add(4), tile[1]);
    }
}
