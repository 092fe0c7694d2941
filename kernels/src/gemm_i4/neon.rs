//! ARMv8.0: nibbles are below 16, so four products fit into i16.

use super::{GROUP, GemmI4Row};
use crate::features::{Isa, Schedule};
use crate::gemm::{I8Packing, epilogue};
use crate::gemv::row::{bytes, greatest, quantized, widened};
use crate::kernel::Identity;
use crate::lanes::Neon;
use crate::layouts;
use half::f16;
use std::arch::aarch64::*;

pub(super) const GEMM_I4: GemmI4Row = GemmI4Row {
    identity: Identity {
        name: "gemm_i4_i8_4x4x16_neon",
        operation: "gemm_i4",
        element: "i8",
        tile: "4x4x16",
        needs: &[Isa::Neon],
        schedule: Schedule::OutOfOrder,
    },
    layout: layouts::gemm_i4(Isa::Neon),
    mr: 4,
    multiply,
    multiply_one,
    packing: PACKING,
    widen: widened::<Neon>,
    finish: epilogue::finish::<f32, Neon>,
};

pub(super) const PACKING: I8Packing = I8Packing {
    from_i8: bytes::<GROUP, false>,
    from_f16: quantized::<f16, Neon, GROUP, false>,
    from_f32: quantized::<f32, Neon, GROUP, false>,
    greatest_f16: greatest::<f16, Neon>,
    greatest_f32: greatest::<f32, Neon>,
    offset: 0,
};

#[target_feature(enable = "neon")]
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

#[target_feature(enable = "neon")]
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
    // SAFETY: a group reads 32 values of each row and 64 bytes of B, 16 of each column; the tile has rows of four sums.
    unsafe {
        let mut tile = [vdupq_n_f32(0.0); MR];
        for row in 0..MR {
            tile[row] = vld1q_f32(sums.add(row * 4));
        }
        for group in 0..groups {
            let a = a.add(group * GROUP * MR);
            let columns: [[int8x16_t; 2]; 4] = std::array::from_fn(|column| {
                let both = vld1q_u8(b.add(group * 64 + column * 16));
                let low = vandq_u8(both, vdupq_n_u8(15));
                [vreinterpretq_s8_u8(low), vreinterpretq_s8_u8(vshrq_n_u8::<4>(both))]
            });
            let scale = vld1q_f32(scales.add(group * 4));
            for row in 0..MR {
                let halves = [vld1q_s8(a.add(row * 16)), vld1q_s8(a.add((MR + row) * 16))];
                let pairs = columns.map(|column| {
                    let sum = vmull_s8(vget_low_s8(column[0]), vget_low_s8(halves[0]));
                    let sum = vmlal_high_s8(sum, column[0], halves[0]);
                    let sum = vmlal_s8(sum, vget_low_s8(column[1]), vget_low_s8(halves[1]));
                    vpaddlq_s16(vmlal_high_s8(sum, column[1], halves[1]))
                });
                let inner =
                    vpaddq_s32(vpaddq_s32(pairs[0], pairs[1]), vpaddq_s32(pairs[2], pairs[3]));
                let inner = vaddq_s32(inner, vdupq_n_s32(*starts.add(group * MR + row)));
                tile[row] = vfmaq_f32(tile[row], vcvtq_f32_s32(inner), scale);
            }
        }
        for row in 0..MR {
            vst1q_f32(sums.add(row * 4), tile[row]);
        }
    }
}
