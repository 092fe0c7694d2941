//! For Cortex-A55, which issues a 64-bit load beside an `sdot` but stops for a 128-bit one: registers are loaded in halves,
//! one through a general register, a step ahead.

use crate::features::Schedule;
use crate::gemm::neon::{Integers, Panels, Products, Tile, fused, i8_packing, outer, store_i32};
use crate::gemm::{Finish, GemmRow};
use crate::kernel::Identity;
use std::arch::aarch64::*;
use std::arch::asm;

pub(in crate::gemm) const GEMM_I8: GemmRow<i8> = GemmRow {
    identity: Identity {
        name: "gemm_i8_8x8x4_neon_dotprod_inorder",
        tile: "8x8x4",
        schedule: Schedule::InOrder,
        ..super::GEMM_I8.identity
    },
    mr: 8,
    multiply,
    fused: Some(fused_tiles),
    direct: None,
    packing: i8_packing::<8, 4>(),
    ..super::GEMM_I8
};

type Accumulators = [int32x4_t; 16];

/// A row by eight columns.
macro_rules! row {
    ($a:literal $lane:literal $b:literal $c:literal => $x:literal $y:literal) => {
        outer!("sdot" "4s" "16b" "4b": $a [$lane] $b $c => [$x $y])
    };
}

/// Two rows, and a load of the next step among them.
macro_rules! rows {
    ($a:literal [$i:literal $j:literal] $b:literal $c:literal => $w:literal $x:literal $y:literal $z:literal, $panel:literal to $to:literal) => {
        concat!(
            "ldr d", $to, ", [{", $panel, "}], #8\n",
            row!($a $i $b $c => $w $x),
            "ldr {half}, [{", $panel, "}], #8\n",
            row!($a $j $b $c => $y $z),
            "ins v", $to, ".d[1], {half}\n",
        )
    };
}

/// A step on A in two registers and B in two, while the next step is loaded into four others.
macro_rules! step {
    ($a0:literal $a1:literal $b0:literal $b1:literal, next $n0:literal $n1:literal $n2:literal $n3:literal) => {
        concat!(
            rows!($a0 [0 1] $b0 $b1 => 16 17 18 19, "a" to $n0),
            rows!($a0 [2 3] $b0 $b1 => 20 21 22 23, "b" to $n2),
            rows!($a1 [0 1] $b0 $b1 => 24 25 26 27, "a" to $n1),
            rows!($a1 [2 3] $b0 $b1 => 28 29 30 31, "b" to $n3),
        )
    };
}

/// The last step.
macro_rules! last {
    ($a0:literal $a1:literal $b0:literal $b1:literal) => {
        concat!(
            outer!("sdot" "4s" "16b" "4b": $a0 [0 1 2 3] $b0 $b1 => [16 17] [18 19] [20 21] [22 23]),
            outer!("sdot" "4s" "16b" "4b": $a1 [0 1 2 3] $b0 $b1 => [24 25] [26 27] [28 29] [30 31]),
        )
    };
}

/// `steps` is not 0.
#[inline(always)]
unsafe fn accumulate(steps: usize, a: *const i8, b: *const i8, mut s: Accumulators) -> Tile<8, 2> {
    // SAFETY: a step reads 32 bytes of each panel; the loops load no step that is not there.
    unsafe {
        asm!(
            "ldp q0, q1, [{a}], #32",
            "ldp q2, q3, [{b}], #32",
            "sub {pairs}, {steps}, #1",
            "lsr {pairs}, {pairs}, #1",
            "cbz {pairs}, 3f",
            "2:",
            step!(0 1 2 3, next 4 5 6 7),
            step!(4 5 6 7, next 0 1 2 3),
            "subs {pairs}, {pairs}, #1",
            "b.ne 2b",
            "3:",
            "tbnz {steps}, #0, 4f",
            step!(0 1 2 3, next 4 5 6 7),
            last!(4 5 6 7),
            "b 5f",
            "4:",
            last!(0 1 2 3),
            "5:",
            steps = in(reg) steps,
            a = inout(reg) a => _,
            b = inout(reg) b => _,
            pairs = out(reg) _,
            half = out(reg) _,
            inout("v16") s[0], inout("v17") s[1], inout("v18") s[2], inout("v19") s[3],
            inout("v20") s[4], inout("v21") s[5], inout("v22") s[6], inout("v23") s[7],
            inout("v24") s[8], inout("v25") s[9], inout("v26") s[10], inout("v27") s[11],
            inout("v28") s[12], inout("v29") s[13], inout("v30") s[14], inout("v31") s[15],
            out("v0") _, out("v1") _, out("v2") _, out("v3") _,
            out("v4") _, out("v5") _, out("v6") _, out("v7") _,
            options(readonly, nostack),
        );
        s.as_chunks::<2>().0.try_into().unwrap_unchecked()
    }
}

#[target_feature(enable = "neon,dotprod")]
unsafe fn multiply(steps: usize, a: *const i8, b: *const i8, sums: *mut i32, first: bool) {
    // SAFETY: passed on to the caller.
    unsafe { store_i32(accumulate(steps, a, b, [vdupq_n_s32(0); 16]), sums, first) }
}

#[target_feature(enable = "neon,dotprod")]
unsafe fn fused_tiles(steps: usize, a: *const i8, b: *const i8, tile: &Finish<i32>) -> usize {
    if steps == 0 {
        return 0;
    }
    // SAFETY: passed on to the caller.
    unsafe { fused(tile, Integers, Dotprod(Panels { steps, a, b })) }
}

/// A column of tiles.
struct Dotprod(Panels<i8>);

impl Products<8, 2> for Dotprod {
    type Begun = Accumulators;
    #[inline(always)]
    unsafe fn begin(&self, start: [int32x4_t; 2]) -> Accumulators {
        std::array::from_fn(|index| start[index % 2])
    }
    #[inline(always)]
    unsafe fn accumulate(&self, index: usize, sums: Accumulators) -> Tile<8, 2> {
        let Panels { steps, a, b } = self.0;
        // SAFETY: passed on to the caller; a panel takes 32 bytes a step.
        unsafe { accumulate(steps, a.add(index * steps * 32), b, sums) }
    }
}
