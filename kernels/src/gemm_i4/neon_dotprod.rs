//! `sdot` of four values of k.

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

pub(super) const GEMM_I4: GemmI4Row = GemmI4Row {
    identity: Identity {
        name: "gemm_i4_i8_8x8x4_neon_dotprod",
        operation: "gemm_i4",
        element: "i8",
        tile: "8x8x4",
        needs: &[Isa::NeonDotprod],
        schedule: Schedule::OutOfOrder,
    },
    layout: layouts::gemm_i4(Isa::NeonDotprod),
    mr: 8,
    multiply,
    multiply_one,
    packing: PACKING,
    widen: widened::<Neon>,
    finish: epilogue::finish::<f32, Neon>,
};

#[target_feature(enable = "neon,dotprod")]
unsafe fn multiply(
    groups: usize,
    a: *const i8,
    starts: *const i32,
    b: *const u8,
    scales: *const f32,
    sums: *mut f32,
) {
    // SAFETY: passed on to the caller.
    unsafe { rows::<8>(groups, a, starts, b, scales, sums) }
}

#[target_feature(enable = "neon,dotprod")]
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
    // SAFETY: a group reads 32 values of each row and 128 bytes of B; the tile has rows of eight sums.
    unsafe {
        for group in 0..groups {
            let a: *const i32 = a.add(group * GROUP * MR).cast();
            let b = b.add(group * 128);
            let mut inner = [[vdupq_n_s32(0); 2]; MR];
            for row in 0..MR {
                inner[row] = [vdupq_n_s32(*starts.add(group * MR + row)); 2];
            }
            for step in 0..4 {
                let both = [vld1q_u8(b.add(step * 32)), vld1q_u8(b.add(step * 32 + 16))];
                let low = both.map(|both| vreinterpretq_s8_u8(vandq_u8(both, vdupq_n_u8(15))));
                let high = both.map(|both| vreinterpretq_s8_u8(vshrq_n_u8::<4>(both)));
                for (columns, step) in [(low, step), (high, 4 + step)] {
                    for row in 0..MR {
                        let four = vdupq_n_s32(a.add(step * MR + row).read_unaligned());
                        for half in 0..2 {
                            inner[row][half] =
                                sdot(inner[row][half], vreinterpretq_s8_s32(four), columns[half]);
                        }
                    }
                }
            }
            for row in 0..MR {
                for half in 0..2 {
                    let to = sums.add(row * 8 + half * 4);
                    let scale = vld1q_f32(scales.add(group * 8 + half * 4));
                    let inner = vcvtq_f32_s32(inner[row][half]);
                    vst1q_f32(to, vfmaq_f32(vld1q_f32(to), inner, scale));
                }
            }
        }
    }
}
