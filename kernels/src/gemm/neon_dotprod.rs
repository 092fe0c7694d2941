//! `sdot` by a lane: four values of k of a row with those of four columns.

mod inorder;

pub(super) use inorder::GEMM_I8 as GEMM_I8_INORDER;

use super::neon::{
    Accumulators, Integers, Panels, Products, SmallIntegers, Tile, begun, from_f16_clamped, fused,
    i8_packing, outer, store_i32, twelve_by_eight, with_sums, zeros,
};
use super::{Finish, GemmRow, I8Packing, epilogue};
use crate::features::{Isa, Schedule};
use crate::kernel::Identity;
use crate::lanes::Neon;
use crate::layouts;
use std::arch::aarch64::int32x4_t;
use std::arch::asm;

pub(super) const GEMM_I8: GemmRow<i8> = GemmRow {
    identity: Identity {
        name: "gemm_i8_12x8x4_neon_dotprod",
        operation: "gemm",
        element: "i8",
        tile: "12x8x4",
        needs: &[Isa::NeonDotprod],
        schedule: Schedule::OutOfOrder,
    },
    layout: layouts::gemm_i8(Isa::NeonDotprod),
    mr: 12,
    widening: 1,
    steps: usize::MAX,
    multiply,
    fused: Some(fused_tiles),
    direct: None,
    packing: i8_packing::<12, 4>(),
    finish: epilogue::finish::<i32, Neon>,
};

/// The same on a CPU that compares halves, which makes them bytes in fewer instructions.
pub(super) const GEMM_I8_FP16: GemmRow<i8> = GemmRow {
    identity: Identity {
        name: "gemm_i8_12x8x4_neon_dotprod_fp16",
        needs: &[Isa::NeonDotprod, Isa::NeonFp16],
        ..GEMM_I8.identity
    },
    packing: I8Packing { from_f16: from_f16_clamped::<12>, ..GEMM_I8.packing },
    ..GEMM_I8
};

#[inline(always)]
unsafe fn accumulate(steps: usize, a: *const i8, b: *const i8, mut s: Accumulators) -> Tile<12, 2> {
    // SAFETY: a step reads 48 bytes of A and 32 of B. The loop and what finishes its sums lie on one page.
    unsafe {
        with_sums!(
            s,
            steps,
            a,
            b,
            "lsr {pairs}, {steps}, #1",
            "cbnz {pairs}, 2f",
            "b 3f",
            ".p2align 11",
            "2:",
            "ldp q0, q1, [{a}]",
            "ldp q3, q4, [{b}]",
            "ldr q2, [{a}, #32]",
            twelve_by_eight!("sdot" "16b" "4b": 3 4),
            "ldp q0, q1, [{a}, #48]",
            "ldp q5, q6, [{b}, #32]",
            "ldr q2, [{a}, #80]",
            "add {a}, {a}, #96",
            "add {b}, {b}, #64",
            twelve_by_eight!("sdot" "16b" "4b": 5 6),
            "subs {pairs}, {pairs}, #1",
            "b.ne 2b",
            "3:",
            "tbz {steps}, #0, 4f",
            "ldp q0, q1, [{a}]",
            "ldp q3, q4, [{b}]",
            "ldr q2, [{a}, #32]",
            twelve_by_eight!("sdot" "16b" "4b": 3 4),
            "4:",
        );
        s.as_chunks::<2>().0.try_into().unwrap_unchecked()
    }
}

#[target_feature(enable = "neon,dotprod")]
unsafe fn multiply(steps: usize, a: *const i8, b: *const i8, sums: *mut i32, first: bool) {
    // SAFETY: passed on to the caller.
    unsafe { store_i32(accumulate(steps, a, b, zeros()), sums, first) }
}

#[target_feature(enable = "neon,dotprod")]
unsafe fn fused_tiles(steps: usize, a: *const i8, b: *const i8, tile: &Finish<i32>) -> usize {
    let panels = Panels { steps, a, b };
    // SAFETY: passed on to the caller.
    unsafe {
        if SmallIntegers::suffice::<4>(steps, b, tile) {
            fused(tile, SmallIntegers, Dotprod(panels))
        } else {
            fused(tile, Integers, Dotprod(panels))
        }
    }
}

/// A column of tiles.
struct Dotprod(Panels<i8>);

impl Products<12, 2> for Dotprod {
    type Begun = Accumulators;
    #[inline(always)]
    unsafe fn begin(&self, [even, odd]: [int32x4_t; 2]) -> Accumulators {
        // SAFETY: passed on to the caller.
        unsafe { begun([even, odd, even, odd]) }
    }
    #[inline(always)]
    unsafe fn accumulate(&self, index: usize, sums: Accumulators) -> Tile<12, 2> {
        let Panels { steps, a, b } = self.0;
        // SAFETY: passed on to the caller; a panel takes 48 bytes a step.
        unsafe { accumulate(steps, a.add(index * steps * 48), b, sums) }
    }
}
