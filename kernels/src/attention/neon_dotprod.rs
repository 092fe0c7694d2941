//! `sdot` by a lane: twelve queries by eight keys, four values of a token at once. Probabilities and sums in f32; where the CPU computes
//! in half precision as well, scores in halves, probabilities and values in bytes.

use super::bytes::{ByteValues, Bytes as ByteProducts};
use super::dot::{Dot, DotScores, Operands, scaled};
use super::lanes::Float;
use super::neon_fp16::{Half, scaled_halves, weigh};
use super::tiles::versions;
use super::{AttentionRow, Int8};
use crate::features::Isa;
use crate::lanes::Neon;
use half::f16;
use std::arch::aarch64::vdupq_n_s32;
use std::arch::asm;

const KEYS: usize = 8;
const GROUP: usize = 4;

macro_rules! start {
    ($($sum:literal),*) => { concat!($("mov v", $sum, ".16b, {start:v}.16b\n",)*) };
}

/// Sums of eight or twelve queries in v8 to v23 or v31, row by row, from `start` on.
macro_rules! steps {
    (2) => {
        concat!(
            start!("8", "9", "10", "11", "12", "13", "14", "15"),
            start!("16", "17", "18", "19", "20", "21", "22", "23"),
            "2:\n",
            "ldp q3, q4, [{keys}], #32\n",
            "ldr q0, [{queries}, #0]\n",
            "ldr q1, [{queries}, #16]\n",
            "add {queries}, {queries}, {stride}\n",
            "subs {groups}, {groups}, #1\n",
            lanes!("0" "3": "8" "0", "10" "1", "12" "2", "14" "3"),
            lanes!("0" "4": "16" "0", "18" "1", "20" "2", "22" "3"),
            lanes!("1" "3": "9" "0", "11" "1", "13" "2", "15" "3"),
            lanes!("1" "4": "17" "0", "19" "1", "21" "2", "23" "3"),
            "b.ne 2b\n",
        )
    };
    (3) => {
        concat!(
            start!("8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19"),
            start!("20", "21", "22", "23", "24", "25", "26", "27", "28", "29", "30", "31"),
            "2:\n",
            "ldp q3, q4, [{keys}], #32\n",
            "ldr q0, [{queries}, #0]\n",
            "ldr q1, [{queries}, #16]\n",
            "ldr q2, [{queries}, #32]\n",
            "add {queries}, {queries}, {stride}\n",
            "subs {groups}, {groups}, #1\n",
            lanes!("0" "3": "8" "0", "11" "1", "14" "2", "17" "3"),
            lanes!("0" "4": "20" "0", "23" "1", "26" "2", "29" "3"),
            lanes!("1" "3": "9" "0", "12" "1", "15" "2", "18" "3"),
            lanes!("1" "4": "21" "0", "24" "1", "27" "2", "30" "3"),
            lanes!("2" "3": "10" "0", "13" "1", "16" "2", "19" "3"),
            lanes!("2" "4": "22" "0", "25" "1", "28" "2", "31" "3"),
            "b.ne 2b\n",
        )
    };
}

/// A row of sums that are floats above `start` to halves: times the queries' scales in v0 to v2, times a lane of v3 or v4.
macro_rules! halves {
    ($a:literal $b:literal: $units:literal $lane:literal) => {
        concat!(
            scaled!($a "0" $units $lane),
            scaled!($b "1" $units $lane),
            "fcvtn v", $a, ".4h, v", $a, ".4s\n",
            "fcvtn2 v", $a, ".8h, v", $b, ".4s\n",
            "str q", $a, ", [{to}]\n",
            "add {to}, {to}, {row}\n",
        )
    };
    ($a:literal $b:literal $c:literal: $units:literal $lane:literal) => {
        concat!(
            scaled!($a "0" $units $lane),
            scaled!($b "1" $units $lane),
            scaled!($c "2" $units $lane),
            "fcvtn v", $a, ".4h, v", $a, ".4s\n",
            "fcvtn v", $c, ".4h, v", $c, ".4s\n",
            "fcvtn2 v", $a, ".8h, v", $b, ".4s\n",
            "str d", $c, ", [{to}, #16]\n",
            "str q", $a, ", [{to}]\n",
            "add {to}, {to}, {row}\n",
        )
    };
}

macro_rules! scaled {
    ($sum:literal $scale:literal $units:literal $lane:literal) => {
        concat!(
            "fsub v",
            $sum,
            ".4s, v",
            $sum,
            ".4s, {start:v}.4s\n",
            "fmul v",
            $sum,
            ".4s, v",
            $sum,
            ".4s, v",
            $scale,
            ".4s\n",
            "fmul v",
            $sum,
            ".4s, v",
            $sum,
            ".4s, v",
            $units,
            ".s[",
            $lane,
            "]\n",
        )
    };
}

macro_rules! lanes {
    ($queries:literal $keys:literal: $($sum:literal $lane:literal),*) => {
        concat!($("sdot v", $sum, ".4s, v", $queries, ".16b, v", $keys, ".4b[", $lane, "]\n",)*)
    };
}

/// Sums of `D` · 4 queries with eight keys, `[8, D · 4]`. `stride` is that of a group of queries in bytes.
///
/// # Safety
/// The CPU has `sdot`; there are `groups` > 0 groups of each operand.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn sums<const D: usize>(
    keys: *const i8,
    queries: *const u8,
    stride: usize,
    groups: usize,
    to: *mut i32,
) {
    let start = vdupq_n_s32(0);
    // SAFETY: each step reads a group of eight keys and of `D` · 4 queries; the end writes eight rows.
    unsafe {
        match D {
            1 => asm!(
                start!("8", "9", "10", "11", "12", "13", "14", "15"),
                "2:",
                "ldp q3, q4, [{keys}], #32",
                "ldr q0, [{queries}, #0]",
                "add {queries}, {queries}, {stride}",
                "subs {groups}, {groups}, #1",
                lanes!("0" "3": "8" "0", "9" "1", "10" "2", "11" "3"),
                lanes!("0" "4": "12" "0", "13" "1", "14" "2", "15" "3"),
                "b.ne 2b",
                "stp q8, q9, [{to}, #0]",
                "stp q10, q11, [{to}, #32]",
                "stp q12, q13, [{to}, #64]",
                "stp q14, q15, [{to}, #96]",
                keys = inout(reg) keys => _, queries = inout(reg) queries => _,
                groups = inout(reg) groups => _, stride = in(reg) stride, to = in(reg) to, start = in(vreg) start,
                out("v0") _, out("v3") _, out("v4") _, out("v8") _, out("v9") _, out("v10") _, out("v11") _, out("v12") _, out("v13") _, out("v14") _, out("v15") _, options(nostack)
            ),
            2 => asm!(
                steps!(2),
                "stp q8, q9, [{to}, #0]",
                "stp q10, q11, [{to}, #32]",
                "stp q12, q13, [{to}, #64]",
                "stp q14, q15, [{to}, #96]",
                "stp q16, q17, [{to}, #128]",
                "stp q18, q19, [{to}, #160]",
                "stp q20, q21, [{to}, #192]",
                "stp q22, q23, [{to}, #224]",
                keys = inout(reg) keys => _, queries = inout(reg) queries => _,
                groups = inout(reg) groups => _, stride = in(reg) stride, to = in(reg) to, start = in(vreg) start,
                out("v0") _, out("v1") _, out("v3") _, out("v4") _, out("v8") _, out("v9") _, out("v10") _, out("v11") _, out("v12") _, out("v13") _, out("v14") _, out("v15") _, out("v16") _, out("v17") _, out("v18") _, out("v19") _, out("v20") _, out("v21") _, out("v22") _, out("v23") _, options(nostack)
            ),
            _ => asm!(
                steps!(3),
                "stp q8, q9, [{to}, #0]",
                "stp q10, q11, [{to}, #32]",
                "stp q12, q13, [{to}, #64]",
                "stp q14, q15, [{to}, #96]",
                "stp q16, q17, [{to}, #128]",
                "stp q18, q19, [{to}, #160]",
                "stp q20, q21, [{to}, #192]",
                "stp q22, q23, [{to}, #224]",
                "stp q24, q25, [{to}, #256]",
                "stp q26, q27, [{to}, #288]",
                "stp q28, q29, [{to}, #320]",
                "stp q30, q31, [{to}, #352]",
                keys = inout(reg) keys => _, queries = inout(reg) queries => _,
                groups = inout(reg) groups => _, stride = in(reg) stride, to = in(reg) to, start = in(vreg) start,
                out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v8") _, out("v9") _, out("v10") _, out("v11") _, out("v12") _, out("v13") _, out("v14") _, out("v15") _, out("v16") _, out("v17") _, out("v18") _, out("v19") _, out("v20") _, out("v21") _, out("v22") _, out("v23") _, out("v24") _, out("v25") _, out("v26") _, out("v27") _, out("v28") _, out("v29") _, out("v30") _, out("v31") _, options(nostack)
            ),
        }
    }
}

/// Twelve queries at most.
pub(super) struct Bytes;

impl Dot for Bytes {
    type Math = Float<Neon>;
    type Quantize = Neon;
    const GROUP: usize = GROUP;
    const KEYS: usize = KEYS;
    const UNSIGNED: bool = false;

    #[inline(always)]
    unsafe fn panel<const W: usize>(operands: &Operands, spare: *mut i32, to: *mut f32) {
        let &Operands { queries, keys, groups, .. } = operands;
        // SAFETY: passed on to the caller.
        unsafe {
            sums::<W>(keys, queries, W * 4 * GROUP, groups, spare);
            scaled::<Neon, W>(operands, KEYS, spare, to);
        }
    }
}

/// 24 queries at most, in two steps.
pub(super) struct HalfBytes;

impl Dot for HalfBytes {
    type Math = Half;
    type Quantize = Neon;
    const GROUP: usize = GROUP;
    const KEYS: usize = KEYS;
    const UNSIGNED: bool = false;

    #[inline(always)]
    unsafe fn panel<const W: usize>(operands: &Operands, spare: *mut i32, to: *mut f16) {
        let width = W * 8;
        // The parts of a tile: all of it, or two of eight or twelve queries.
        let parts = [0, width / 2];
        // SAFETY: passed on to the caller.
        unsafe {
            for first in parts.into_iter().take(W.min(2)) {
                match W {
                    1 | 2 => half_panel::<2>(operands, first, width, spare, to),
                    _ => half_panel::<3>(operands, first, width, spare, to),
                }
            }
        }
    }
}

/// Up to so many values in a token, sums of products stay within ±2²²: 1.5 · 2²³ and a sum, added as integers, are the same as floats.
const SMALL: usize = 256;

/// Scores of `D` · 4 queries from `first` on.
///
/// # Safety
/// As for [`Dot::panel`].
#[inline(always)]
unsafe fn half_panel<const D: usize>(
    operands: &Operands,
    first: usize,
    width: usize,
    spare: *mut i32,
    to: *mut f16,
) {
    let &Operands { queries, keys, groups, .. } = operands;
    // SAFETY: passed on to the caller.
    unsafe {
        if groups * GROUP <= SMALL {
            scores::<D>(operands, first, width, to);
        } else {
            sums::<D>(keys, queries.add(first * GROUP), width * GROUP, groups, spare);
            scaled_halves::<D>(operands, spare, first, to, width);
        }
    }
}

/// [`sums`], scaled, without a way through memory.
///
/// # Safety
/// The CPU has `sdot` and half precision; a token has at most [`SMALL`] values; all else as for [`Dot::panel`].
#[inline]
#[target_feature(enable = "neon,dotprod,fp16")]
unsafe fn scores<const D: usize>(operands: &Operands, first: usize, width: usize, to: *mut f16) {
    let &Operands { queries, keys, groups, scales, units, .. } = operands;
    let start = vdupq_n_s32(12_582_912.0_f32.to_bits() as i32);
    // SAFETY: each step reads a group of eight keys and of `D` · 4 queries; the end reads as many scales and eight units and writes
    // eight rows.
    unsafe {
        let (queries, to) = (queries.add(first * GROUP), to.add(first));
        let scales = scales.add(first);
        match D {
            2 => asm!(
                steps!(2),
                "ldp q0, q1, [{scales}]",
                "ldp q3, q4, [{units}]",
                halves!("8" "9": "3" "0"),
                halves!("10" "11": "3" "1"),
                halves!("12" "13": "3" "2"),
                halves!("14" "15": "3" "3"),
                halves!("16" "17": "4" "0"),
                halves!("18" "19": "4" "1"),
                halves!("20" "21": "4" "2"),
                halves!("22" "23": "4" "3"),
                keys = inout(reg) keys => _, queries = inout(reg) queries => _, groups = inout(reg) groups => _,
                stride = in(reg) width * GROUP, start = in(vreg) start, scales = in(reg) scales, units = in(reg) units,
                to = inout(reg) to => _, row = in(reg) width * 2,
                out("v0") _, out("v1") _, out("v3") _, out("v4") _, out("v8") _, out("v9") _, out("v10") _, out("v11") _, out("v12") _, out("v13") _, out("v14") _, out("v15") _, out("v16") _, out("v17") _, out("v18") _, out("v19") _, out("v20") _, out("v21") _, out("v22") _, out("v23") _, options(nostack)
            ),
            _ => asm!(
                steps!(3),
                "ldp q0, q1, [{scales}]",
                "ldr q2, [{scales}, #32]",
                "ldp q3, q4, [{units}]",
                halves!("8" "9" "10": "3" "0"),
                halves!("11" "12" "13": "3" "1"),
                halves!("14" "15" "16": "3" "2"),
                halves!("17" "18" "19": "3" "3"),
                halves!("20" "21" "22": "4" "0"),
                halves!("23" "24" "25": "4" "1"),
                halves!("26" "27" "28": "4" "2"),
                halves!("29" "30" "31": "4" "3"),
                keys = inout(reg) keys => _, queries = inout(reg) queries => _, groups = inout(reg) groups => _,
                stride = in(reg) width * GROUP, start = in(vreg) start, scales = in(reg) scales, units = in(reg) units,
                to = inout(reg) to => _, row = in(reg) width * 2,
                out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v8") _, out("v9") _, out("v10") _, out("v11") _, out("v12") _, out("v13") _, out("v14") _, out("v15") _, out("v16") _, out("v17") _, out("v18") _, out("v19") _, out("v20") _, out("v21") _, out("v22") _, out("v23") _, out("v24") _, out("v25") _, out("v26") _, out("v27") _, out("v28") _, out("v29") _, out("v30") _, out("v31") _, options(nostack)
            ),
        }
    }
}

/// Of 24 queries at most, in two steps.
pub(super) struct HalfValues;

impl ByteProducts for HalfValues {
    type Math = Half;
    type Lanes = Neon;
    const COLUMNS: usize = 8;
    const SIGNED: bool = true;

    #[inline(always)]
    unsafe fn weigh<const W: usize>(
        scores: *mut f16,
        count: usize,
        greatest: *mut f32,
        sums: *mut f32,
    ) {
        // SAFETY: passed on to the caller.
        unsafe { weigh::<W>(scores, count, greatest, sums) }
    }

    fn parts<const W: usize>() -> usize {
        W.min(2)
    }

    #[inline(always)]
    unsafe fn products<const W: usize>(
        values: *const i8,
        bytes: *const u8,
        groups: usize,
        to: *mut i32,
    ) {
        let stride = W * 8 * GROUP;
        // SAFETY: passed on to the caller.
        unsafe {
            match W {
                1 => sums::<2>(values, bytes, stride, groups, to),
                2 => {
                    sums::<2>(values, bytes, stride, groups, to);
                    sums::<2>(values, bytes.add(8 * GROUP), stride, groups, to.add(8 * 8));
                }
                _ => {
                    sums::<3>(values, bytes, stride, groups, to);
                    sums::<3>(values, bytes.add(12 * GROUP), stride, groups, to.add(8 * 12));
                }
            }
        }
    }
}

versions! {
    features "neon,dotprod", needs [Isa::NeonDotprod], tile "8x12x4",
    I8F32: Int8<f32> = f32, DotScores<Bytes>, "attention_i8f32_8x12x4_neon_dotprod", "i8f32";
    I8F16: Int8<f16> = f16, DotScores<Bytes>, "attention_i8f16_8x12x4_neon_dotprod", "i8f16";
}

versions! {
    features "neon,dotprod,fp16", needs [Isa::NeonDotprod, Isa::NeonFp16], tile "8x24x4",
    I8F16_FP16: Int8<f16> = f16, DotScores<HalfBytes, ByteValues<HalfValues>>, "attention_i8f16_8x24x4_neon_dotprod_fp16", "i8f16";
}
