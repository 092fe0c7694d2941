//! ARMv8.0. int8: `smull` of 8 products and `sadalp`, sums of each column in the four lanes of a register until the end.
//! f32: `fmla` by a lane; halves are computed as floats.

mod pack;
mod tile;

pub(super) use pack::from_f16_clamped;
use pack::{from_f16, from_f32, from_i8, greatest_f16, greatest_f32};
pub(super) use tile::{
    Integers, Panels, Products, Singles, SmallIntegers, Tile, fused, store_f32, store_i32,
};

use super::{Finish, GemmRow, I8Packing, epilogue};
use crate::features::{Isa, Schedule};
use crate::kernel::Identity;
use crate::lanes::Neon;
use crate::layouts;
use half::f16;
use std::arch::aarch64::*;
use std::arch::asm;

pub(super) const GEMM_I8: GemmRow<i8> = GemmRow {
    identity: Identity {
        name: "gemm_i8_4x4x16_neon",
        operation: "gemm",
        element: "i8",
        tile: "4x4x16",
        needs: &[Isa::Neon],
        schedule: Schedule::OutOfOrder,
    },
    layout: layouts::gemm_i8(Isa::Neon),
    mr: 4,
    widening: 1,
    steps: usize::MAX,
    multiply: multiply_i8,
    fused: Some(fused_i8),
    direct: None,
    packing: i8_packing::<4, 16>(),
    finish: epilogue::finish::<i32, Neon>,
};

pub(super) const GEMM_F16: GemmRow<f16> = GemmRow {
    identity: Identity {
        name: "gemm_f16_12x8x1_neon",
        operation: "gemm",
        element: "f16",
        tile: "12x8x1",
        needs: &[Isa::Neon],
        schedule: Schedule::OutOfOrder,
    },
    layout: layouts::gemm_f16(Isa::Neon),
    mr: 12,
    widening: 2,
    steps: 512,
    multiply: multiply_f16,
    fused: Some(fused_f16),
    direct: None,
    packing: pack::widened,
    finish: epilogue::finish::<f32, Neon>,
};

pub(super) const GEMM_F32: GemmRow<f32> = GemmRow {
    identity: Identity {
        name: "gemm_f32_12x8x1_neon",
        operation: "gemm",
        element: "f32",
        tile: "12x8x1",
        needs: &[Isa::Neon],
        schedule: Schedule::OutOfOrder,
    },
    layout: layouts::gemm_f32(Isa::Neon),
    mr: 12,
    widening: 1,
    steps: 512,
    multiply: multiply_f32,
    fused: Some(fused_f32),
    direct: None,
    packing: pack::floats,
    finish: epilogue::finish::<f32, Neon>,
};

/// How rows of `M` are packed into steps of `KR`.
pub(super) const fn i8_packing<const M: usize, const KR: usize>() -> I8Packing {
    I8Packing {
        from_i8: from_i8::<M, KR>,
        from_f16: from_f16::<M, KR>,
        from_f32: from_f32::<M, KR>,
        greatest_f16,
        greatest_f32,
        offset: 0,
    }
}

/// `smull` of both halves of a row's and a column's 16 bytes into two spare registers, both added to the sums in pairs.
macro_rules! pairs {
    ($first:literal: $($row:literal $column:literal $low:literal $high:literal $sums:literal,)*) => {
        concat!(
            "ldp q0, q1, [{a}], #32\n",
            "ldp q4, q5, [{b}], #32\n",
            "ldp q2, q3, [{a}], #32\n",
            "ldp q6, q7, [{b}], #32\n",
            $(
                "smull v", $low, ".8h, v", $row, ".8b, v", $column, ".8b\n",
                "smull2 v", $high, ".8h, v", $row, ".16b, v", $column, ".16b\n",
                $first, " v", $sums, ".4s, v", $low, ".8h\n",
                "sadalp v", $sums, ".4s, v", $high, ".8h\n",
            )*
        )
    };
}

/// A step of four rows by four columns; `$first` writes or adds.
macro_rules! four_by_four {
    ($first:literal) => {
        pairs!(
            $first:
            0 4 8 9 16,
            0 5 10 11 17,
            1 4 12 13 20,
            1 5 14 15 21,
            0 6 8 9 18,
            0 7 10 11 19,
            1 6 12 13 22,
            1 7 14 15 23,
            2 4 8 9 24,
            2 5 10 11 25,
            2 6 12 13 26,
            2 7 14 15 27,
            3 4 8 9 28,
            3 5 10 11 29,
            3 6 12 13 30,
            3 7 14 15 31,
        )
    };
}

/// `steps` is not 0.
#[inline(always)]
unsafe fn accumulate_i8(steps: usize, a: *const i8, b: *const i8, start: int32x4_t) -> Tile<4, 1> {
    // SAFETY: a step reads 64 bytes of each panel.
    unsafe {
        let mut s = [vdupq_n_s32(0); 4];
        asm!(
            four_by_four!("saddlp"),
            "subs {steps}, {steps}, #1",
            "b.ne 2f",
            "b 3f",
            ".p2align 9",
            "2:",
            four_by_four!("sadalp"),
            "subs {steps}, {steps}, #1",
            "b.ne 2b",
            "3:",
            "addp v0.4s, v16.4s, v17.4s",
            "addp v1.4s, v18.4s, v19.4s",
            "addp v2.4s, v20.4s, v21.4s",
            "addp v3.4s, v22.4s, v23.4s",
            "addp v4.4s, v24.4s, v25.4s",
            "addp v5.4s, v26.4s, v27.4s",
            "addp v6.4s, v28.4s, v29.4s",
            "addp v7.4s, v30.4s, v31.4s",
            "addp v0.4s, v0.4s, v1.4s",
            "addp v1.4s, v2.4s, v3.4s",
            "addp v2.4s, v4.4s, v5.4s",
            "addp v3.4s, v6.4s, v7.4s",
            steps = inout(reg) steps => _,
            a = inout(reg) a => _,
            b = inout(reg) b => _,
            out("v0") s[0], out("v1") s[1], out("v2") s[2], out("v3") s[3],
            out("v4") _, out("v5") _, out("v6") _, out("v7") _,
            out("v8") _, out("v9") _, out("v10") _, out("v11") _,
            out("v12") _, out("v13") _, out("v14") _, out("v15") _,
            out("v16") _, out("v17") _, out("v18") _, out("v19") _,
            out("v20") _, out("v21") _, out("v22") _, out("v23") _,
            out("v24") _, out("v25") _, out("v26") _, out("v27") _,
            out("v28") _, out("v29") _, out("v30") _, out("v31") _,
            options(readonly, nostack),
        );
        s.map(|sums| [vaddq_s32(sums, start)])
    }
}

unsafe fn multiply_i8(steps: usize, a: *const i8, b: *const i8, sums: *mut i32, first: bool) {
    // SAFETY: passed on to the caller.
    unsafe { store_i32(accumulate_i8(steps, a, b, vdupq_n_s32(0)), sums, first) }
}

unsafe fn fused_i8(steps: usize, a: *const i8, b: *const i8, tile: &Finish<i32>) -> usize {
    if steps == 0 {
        return 0;
    }
    // SAFETY: passed on to the caller.
    unsafe { fused(tile, Integers, Bytes(Panels { steps, a, b })) }
}

/// A column of tiles.
struct Bytes(Panels<i8>);

impl Products<4, 1> for Bytes {
    type Begun = int32x4_t;
    #[inline(always)]
    unsafe fn begin(&self, [start]: [int32x4_t; 1]) -> int32x4_t {
        start
    }
    #[inline(always)]
    unsafe fn accumulate(&self, index: usize, sums: int32x4_t) -> Tile<4, 1> {
        let Panels { steps, a, b } = self.0;
        // SAFETY: passed on to the caller; a panel takes 64 bytes a step.
        unsafe { accumulate_i8(steps, a.add(index * steps * 64), b, sums) }
    }
}

/// Four rows by two registers of columns: eight instructions that multiply by a lane.
macro_rules! outer {
    ($operation:literal $sums:literal $columns:literal $row:literal: $a:literal [$($lane:literal)*] $b:literal $c:literal => $([$x:literal $y:literal])*) => {
        concat!($(
            $operation, " v", $x, ".", $sums, ", v", $b, ".", $columns, ", v", $a, ".", $row, "[", $lane, "]\n",
            $operation, " v", $y, ".", $sums, ", v", $c, ".", $columns, ", v", $a, ".", $row, "[", $lane, "]\n",
        )*)
    };
}

/// The 24 registers of a tile.
pub(super) type Accumulators = [int32x4_t; 24];

/// Registers for [`with_sums`], in its order: `values` over and over. The compiler sees what they hold only when it runs, so
/// that it fills them where the source does.
#[inline(always)]
pub(super) unsafe fn begun([a, b, c, d]: [int32x4_t; 4]) -> Accumulators {
    // SAFETY: writes registers only.
    unsafe {
        let mut s = [a; 24];
        asm!(
            "mov v8.16b, v0.16b",
            "mov v9.16b, v1.16b",
            "mov v10.16b, v2.16b",
            "mov v11.16b, v3.16b",
            "mov v12.16b, v0.16b",
            "mov v13.16b, v1.16b",
            "mov v14.16b, v2.16b",
            "mov v15.16b, v3.16b",
            "mov v16.16b, v0.16b",
            "mov v17.16b, v1.16b",
            "mov v18.16b, v2.16b",
            "mov v19.16b, v3.16b",
            "mov v20.16b, v0.16b",
            "mov v21.16b, v1.16b",
            "mov v22.16b, v2.16b",
            "mov v23.16b, v3.16b",
            "mov v24.16b, v0.16b",
            "mov v25.16b, v1.16b",
            "mov v26.16b, v2.16b",
            "mov v27.16b, v3.16b",
            "mov v28.16b, v0.16b",
            "mov v29.16b, v1.16b",
            "mov v30.16b, v2.16b",
            "mov v31.16b, v3.16b",
            in("v0") a, in("v1") b, in("v2") c, in("v3") d,
            out("v8") s[0], out("v9") s[1], out("v10") s[2], out("v11") s[3],
            out("v12") s[4], out("v13") s[5], out("v14") s[6], out("v15") s[7],
            out("v16") s[8], out("v17") s[9], out("v18") s[10], out("v19") s[11],
            out("v20") s[12], out("v21") s[13], out("v22") s[14], out("v23") s[15],
            out("v24") s[16], out("v25") s[17], out("v26") s[18], out("v27") s[19],
            out("v28") s[20], out("v29") s[21], out("v30") s[22], out("v31") s[23],
            options(nomem, nostack, preserves_flags),
        );
        s
    }
}

/// [`begun`] with zeros.
#[inline(always)]
pub(super) unsafe fn zeros() -> Accumulators {
    // SAFETY: every 64-bit Arm CPU has NEON.
    unsafe { begun([vdupq_n_s32(0); 4]) }
}

/// Code on 24 registers of sums, `v8` to `v31`; `v0` to `v7` are free. Loops are aligned, so that none lies across two pages.
macro_rules! with_sums {
    ($sums:ident, $steps:ident, $a:ident, $b:ident, $($code:expr,)*) => {
        asm!(
            $($code,)*
            steps = inout(reg) $steps => _,
            a = inout(reg) $a => _,
            b = inout(reg) $b => _,
            pairs = out(reg) _,
            inout("v8") $sums[0], inout("v9") $sums[1], inout("v10") $sums[2], inout("v11") $sums[3],
            inout("v12") $sums[4], inout("v13") $sums[5], inout("v14") $sums[6], inout("v15") $sums[7],
            inout("v16") $sums[8], inout("v17") $sums[9], inout("v18") $sums[10], inout("v19") $sums[11],
            inout("v20") $sums[12], inout("v21") $sums[13], inout("v22") $sums[14], inout("v23") $sums[15],
            inout("v24") $sums[16], inout("v25") $sums[17], inout("v26") $sums[18], inout("v27") $sums[19],
            inout("v28") $sums[20], inout("v29") $sums[21], inout("v30") $sums[22], inout("v31") $sums[23],
            out("v0") _, out("v1") _, out("v2") _, out("v3") _,
            out("v4") _, out("v5") _, out("v6") _, out("v7") _,
            options(readonly, nostack),
        )
    };
}

/// A step of twelve rows by eight columns with a row in each of the 12 lanes from register `a`.
macro_rules! twelve_by_eight {
    ($operation:literal $columns:literal $row:literal: $b:literal $c:literal) => {
        concat!(
            outer!($operation "4s" $columns $row: 0 [0 1 2 3] $b $c => [8 9] [10 11] [12 13] [14 15]),
            outer!($operation "4s" $columns $row: 1 [0 1 2 3] $b $c => [16 17] [18 19] [20 21] [22 23]),
            outer!($operation "4s" $columns $row: 2 [0 1 2 3] $b $c => [24 25] [26 27] [28 29] [30 31]),
        )
    };
}
pub(super) use {outer, twelve_by_eight, with_sums};

#[inline(always)]
unsafe fn accumulate_f32(
    steps: usize,
    a: *const f32,
    b: *const f32,
    mut s: Accumulators,
) -> Tile<12, 2> {
    // SAFETY: a step reads 48 bytes of A and 32 of B.
    unsafe {
        with_sums!(
            s,
            steps,
            a,
            b,
            "lsr {pairs}, {steps}, #1",
            "cbnz {pairs}, 2f",
            "b 3f",
            ".p2align 8",
            "2:",
            "ldp q0, q1, [{a}]",
            "ldp q3, q4, [{b}]",
            "ldr q2, [{a}, #32]",
            twelve_by_eight!("fmla" "4s" "s": 3 4),
            "ldp q0, q1, [{a}, #48]",
            "ldp q5, q6, [{b}, #32]",
            "ldr q2, [{a}, #80]",
            "add {a}, {a}, #96",
            "add {b}, {b}, #64",
            twelve_by_eight!("fmla" "4s" "s": 5 6),
            "subs {pairs}, {pairs}, #1",
            "b.ne 2b",
            "3:",
            "tbz {steps}, #0, 4f",
            "ldp q0, q1, [{a}]",
            "ldp q3, q4, [{b}]",
            "ldr q2, [{a}, #32]",
            twelve_by_eight!("fmla" "4s" "s": 3 4),
            "4:",
        );
        s.as_chunks::<2>().0.try_into().unwrap_unchecked()
    }
}

unsafe fn multiply_f32(steps: usize, a: *const f32, b: *const f32, sums: *mut f32, first: bool) {
    // SAFETY: passed on to the caller.
    unsafe { store_f32(accumulate_f32(steps, a, b, zeros()), sums, first) }
}

unsafe fn fused_f32(steps: usize, a: *const f32, b: *const f32, tile: &Finish<f32>) -> usize {
    // SAFETY: passed on to the caller.
    unsafe { fused(tile, Singles, Floats(Panels { steps, a, b })) }
}

/// A column of tiles.
struct Floats(Panels<f32>);

impl Products<12, 2> for Floats {
    type Begun = Accumulators;
    #[inline(always)]
    unsafe fn begin(&self, _: [int32x4_t; 2]) -> Accumulators {
        // SAFETY: passed on to the caller.
        unsafe { zeros() }
    }
    #[inline(always)]
    unsafe fn accumulate(&self, index: usize, sums: Accumulators) -> Tile<12, 2> {
        let Panels { steps, a, b } = self.0;
        // SAFETY: passed on to the caller; a panel takes 12 values a step.
        unsafe { accumulate_f32(steps, a.add(index * steps * 12), b, sums) }
    }
}

/// As [`accumulate_f32`], of panels of A that hold floats.
#[inline(always)]
unsafe fn accumulate_f16(
    steps: usize,
    a: *const f16,
    b: *const f16,
    mut s: Accumulators,
) -> Tile<12, 2> {
    // SAFETY: a step reads 48 bytes of A and 16 of B.
    unsafe {
        with_sums!(
            s,
            steps,
            a,
            b,
            "lsr {pairs}, {steps}, #1",
            "cbnz {pairs}, 2f",
            "b 3f",
            ".p2align 8",
            "2:",
            "ldp q6, q7, [{b}]",
            "ldp q0, q1, [{a}]",
            "fcvtl v3.4s, v6.4h",
            "fcvtl2 v4.4s, v6.8h",
            "ldr q2, [{a}, #32]",
            twelve_by_eight!("fmla" "4s" "s": 3 4),
            "ldp q0, q1, [{a}, #48]",
            "fcvtl v5.4s, v7.4h",
            "fcvtl2 v6.4s, v7.8h",
            "ldr q2, [{a}, #80]",
            "add {a}, {a}, #96",
            "add {b}, {b}, #32",
            twelve_by_eight!("fmla" "4s" "s": 5 6),
            "subs {pairs}, {pairs}, #1",
            "b.ne 2b",
            "3:",
            "tbz {steps}, #0, 4f",
            "ldr q6, [{b}]",
            "ldp q0, q1, [{a}]",
            "fcvtl v3.4s, v6.4h",
            "fcvtl2 v4.4s, v6.8h",
            "ldr q2, [{a}, #32]",
            twelve_by_eight!("fmla" "4s" "s": 3 4),
            "4:",
        );
        s.as_chunks::<2>().0.try_into().unwrap_unchecked()
    }
}

unsafe fn multiply_f16(steps: usize, a: *const f16, b: *const f16, sums: *mut f32, first: bool) {
    // SAFETY: passed on to the caller.
    unsafe { store_f32(accumulate_f16(steps, a, b, zeros()), sums, first) }
}

unsafe fn fused_f16(steps: usize, a: *const f16, b: *const f16, tile: &Finish<f32>) -> usize {
    // SAFETY: passed on to the caller.
    unsafe { fused(tile, Singles, Widened(Panels { steps, a, b })) }
}

/// A column of tiles.
struct Widened(Panels<f16>);

impl Products<12, 2> for Widened {
    type Begun = Accumulators;
    #[inline(always)]
    unsafe fn begin(&self, _: [int32x4_t; 2]) -> Accumulators {
        // SAFETY: passed on to the caller.
        unsafe { zeros() }
    }
    #[inline(always)]
    unsafe fn accumulate(&self, index: usize, sums: Accumulators) -> Tile<12, 2> {
        let Panels { steps, a, b } = self.0;
        // SAFETY: passed on to the caller; a panel takes 24 values a step.
        unsafe { accumulate_f16(steps, a.add(index * steps * 24), b, sums) }
    }
}
