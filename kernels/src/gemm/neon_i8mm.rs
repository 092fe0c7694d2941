//! `smmla`: two rows by two columns, eight values of k.

use super::neon::{
    Accumulators, Integers, Panels, Products, SmallIntegers, Tile, begun, fused, i8_packing,
    store_i32, with_sums, zeros,
};
use super::{Finish, GemmRow, epilogue};
use crate::features::{Isa, Schedule};
use crate::kernel::Identity;
use crate::lanes::Neon;
use crate::layouts;
use std::arch::aarch64::*;
use std::arch::asm;

pub(super) const GEMM_I8: GemmRow<i8> = GemmRow {
    identity: Identity {
        name: "gemm_i8_12x8x8_neon_i8mm",
        operation: "gemm",
        element: "i8",
        tile: "12x8x8",
        needs: &[Isa::NeonI8mm],
        schedule: Schedule::OutOfOrder,
    },
    layout: layouts::gemm_i8(Isa::NeonI8mm),
    mr: 12,
    widening: 1,
    steps: usize::MAX,
    multiply,
    fused: Some(fused_tiles),
    direct: None,
    packing: i8_packing::<12, 8>(),
    finish: epilogue::finish::<i32, Neon>,
};

/// The same in the table of in-order cores, which would prefer their `sdot` to it: Cortex-A510 loads 128 bits at once.
pub(super) const GEMM_I8_INORDER: GemmRow<i8> = GemmRow {
    identity: Identity {
        name: "gemm_i8_12x8x8_neon_i8mm_inorder",
        schedule: Schedule::InOrder,
        ..GEMM_I8.identity
    },
    ..GEMM_I8
};

/// Two rows by the eight columns in `v0` to `v3`.
macro_rules! two_rows {
    ($a:literal => $($b:literal $sums:literal)*) => {
        concat!($("smmla v", $sums, ".4s, v", $a, ".16b, v", $b, ".16b\n",)*)
    };
}

/// A step with A at `a` and B at `b`.
macro_rules! step {
    ($b0:literal $b1:literal $b2:literal $b3:literal, $a0:literal $a1:literal $a2:literal $a3:literal $a4:literal $a5:literal) => {
        concat!(
            "ldr q0, [{b}, #", $b0, "]\n",
            "ldr q4, [{a}, #", $a0, "]\n",
            "ldr q1, [{b}, #", $b1, "]\n",
            "ldr q2, [{b}, #", $b2, "]\n",
            "ldr q3, [{b}, #", $b3, "]\n",
            "ldr q5, [{a}, #", $a1, "]\n",
            two_rows!(4 => 0 8 1 9 2 10 3 11),
            "ldr q6, [{a}, #", $a2, "]\n",
            two_rows!(5 => 0 12 1 13 2 14 3 15),
            "ldr q7, [{a}, #", $a3, "]\n",
            two_rows!(6 => 0 16 1 17 2 18 3 19),
            "ldr q4, [{a}, #", $a4, "]\n",
            two_rows!(7 => 0 20 1 21 2 22 3 23),
            "ldr q5, [{a}, #", $a5, "]\n",
            two_rows!(4 => 0 24 1 25 2 26 3 27),
            two_rows!(5 => 0 28 1 29 2 30 3 31),
        )
    };
}

#[inline(always)]
unsafe fn accumulate(steps: usize, a: *const i8, b: *const i8, mut s: Accumulators) -> Tile<12, 2> {
    // SAFETY: a step reads 96 bytes of A and 64 of B.
    unsafe {
        with_sums!(
            s,
            steps,
            a,
            b,
            "lsr {pairs}, {steps}, #1",
            "cbnz {pairs}, 2f",
            "b 3f",
            ".p2align 9",
            "2:",
            step!(0 16 32 48, 0 16 32 48 64 80),
            step!(64 80 96 112, 96 112 128 144 160 176),
            "add {a}, {a}, #192",
            "add {b}, {b}, #128",
            "subs {pairs}, {pairs}, #1",
            "b.ne 2b",
            "3:",
            "tbz {steps}, #0, 4f",
            step!(0 16 32 48, 0 16 32 48 64 80),
            "4:",
        );
        std::array::from_fn(|row| {
            let [a, b, c, d] =
                [0, 1, 2, 3].map(|pair| vreinterpretq_s64_s32(s[row / 2 * 4 + pair]));
            let (low, high) = if row % 2 == 0 {
                (vzip1q_s64(a, b), vzip1q_s64(c, d))
            } else {
                (vzip2q_s64(a, b), vzip2q_s64(c, d))
            };
            [vreinterpretq_s32_s64(low), vreinterpretq_s32_s64(high)]
        })
    }
}

#[target_feature(enable = "neon,i8mm")]
unsafe fn multiply(steps: usize, a: *const i8, b: *const i8, sums: *mut i32, first: bool) {
    // SAFETY: passed on to the caller.
    unsafe { store_i32(accumulate(steps, a, b, zeros()), sums, first) }
}

#[target_feature(enable = "neon,i8mm")]
unsafe fn fused_tiles(steps: usize, a: *const i8, b: *const i8, tile: &Finish<i32>) -> usize {
    let panels = Panels { steps, a, b };
    // SAFETY: passed on to the caller.
    unsafe {
        if SmallIntegers::suffice::<8>(steps, b, tile) {
            fused(tile, SmallIntegers, I8mm(panels))
        } else {
            fused(tile, Integers, I8mm(panels))
        }
    }
}

/// A column of tiles.
struct I8mm(Panels<i8>);

impl Products<12, 2> for I8mm {
    type Begun = Accumulators;
    #[inline(always)]
    unsafe fn begin(&self, start: [int32x4_t; 2]) -> Accumulators {
        // SAFETY: passed on to the caller. Each register holds two rows by two columns.
        unsafe {
            let [even, odd] = start.map(|start| vreinterpretq_s64_s32(start));
            let start = [
                vzip1q_s64(even, even),
                vzip2q_s64(even, even),
                vzip1q_s64(odd, odd),
                vzip2q_s64(odd, odd),
            ];
            begun(start.map(|start| vreinterpretq_s32_s64(start)))
        }
    }
    #[inline(always)]
    unsafe fn accumulate(&self, index: usize, sums: Accumulators) -> Tile<12, 2> {
        let Panels { steps, a, b } = self.0;
        // SAFETY: passed on to the caller; a panel takes 96 bytes a step.
        unsafe { accumulate(steps, a.add(index * steps * 96), b, sums) }
    }
}
