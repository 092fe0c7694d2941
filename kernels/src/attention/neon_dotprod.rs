//! `sdot` by a lane: twelve queries by eight keys, four values of a token at once. Probabilities and sums in f32, or in half precision
//! where the CPU has that as well.

use super::dot::{Dot, DotScores, Operands, scaled};
use super::lanes::Float;
use super::neon_fp16::{Half, scaled_halves};
use super::tiles::versions;
use super::{AttentionRow, Int8Scores};
use crate::features::Isa;
use crate::lanes::Neon;
use half::f16;
use std::arch::asm;

const KEYS: usize = 8;
const GROUP: usize = 4;

macro_rules! zero {
    ($($sum:literal),*) => { concat!($("movi v", $sum, ".2d, #0\n",)*) };
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
    // SAFETY: each step reads a group of eight keys and of `D` · 4 queries; the end writes eight rows.
    unsafe {
        match D {
            1 => asm!(
                zero!("8", "9", "10", "11", "12", "13", "14", "15"),
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
                groups = inout(reg) groups => _, stride = in(reg) stride, to = in(reg) to,
                out("v0") _, out("v3") _, out("v4") _, out("v8") _, out("v9") _, out("v10") _, out("v11") _, out("v12") _, out("v13") _, out("v14") _, out("v15") _, options(nostack)
            ),
            2 => asm!(
                zero!("8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19", "20", "21", "22", "23"),
                "2:",
                "ldp q3, q4, [{keys}], #32",
                "ldr q0, [{queries}, #0]",
                "ldr q1, [{queries}, #16]",
                "add {queries}, {queries}, {stride}",
                "subs {groups}, {groups}, #1",
                lanes!("0" "3": "8" "0", "10" "1", "12" "2", "14" "3"),
                lanes!("0" "4": "16" "0", "18" "1", "20" "2", "22" "3"),
                lanes!("1" "3": "9" "0", "11" "1", "13" "2", "15" "3"),
                lanes!("1" "4": "17" "0", "19" "1", "21" "2", "23" "3"),
                "b.ne 2b",
                "stp q8, q9, [{to}, #0]",
                "stp q10, q11, [{to}, #32]",
                "stp q12, q13, [{to}, #64]",
                "stp q14, q15, [{to}, #96]",
                "stp q16, q17, [{to}, #128]",
                "stp q18, q19, [{to}, #160]",
                "stp q20, q21, [{to}, #192]",
                "stp q22, q23, [{to}, #224]",
                keys = inout(reg) keys => _, queries = inout(reg) queries => _,
                groups = inout(reg) groups => _, stride = in(reg) stride, to = in(reg) to,
                out("v0") _, out("v1") _, out("v3") _, out("v4") _, out("v8") _, out("v9") _, out("v10") _, out("v11") _, out("v12") _, out("v13") _, out("v14") _, out("v15") _, out("v16") _, out("v17") _, out("v18") _, out("v19") _, out("v20") _, out("v21") _, out("v22") _, out("v23") _, options(nostack)
            ),
            _ => asm!(
                zero!("8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19", "20", "21", "22", "23", "24", "25", "26", "27", "28", "29", "30", "31"),
                "2:",
                "ldp q3, q4, [{keys}], #32",
                "ldr q0, [{queries}, #0]",
                "ldr q1, [{queries}, #16]",
                "ldr q2, [{queries}, #32]",
                "add {queries}, {queries}, {stride}",
                "subs {groups}, {groups}, #1",
                lanes!("0" "3": "8" "0", "11" "1", "14" "2", "17" "3"),
                lanes!("0" "4": "20" "0", "23" "1", "26" "2", "29" "3"),
                lanes!("1" "3": "9" "0", "12" "1", "15" "2", "18" "3"),
                lanes!("1" "4": "21" "0", "24" "1", "27" "2", "30" "3"),
                lanes!("2" "3": "10" "0", "13" "1", "16" "2", "19" "3"),
                lanes!("2" "4": "22" "0", "25" "1", "28" "2", "31" "3"),
                "b.ne 2b",
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
                groups = inout(reg) groups => _, stride = in(reg) stride, to = in(reg) to,
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
        let &Operands { queries, keys, groups, .. } = operands;
        let stride = W * 8 * GROUP;
        // SAFETY: passed on to the caller.
        unsafe {
            match W {
                1 => {
                    sums::<2>(keys, queries, stride, groups, spare);
                    scaled_halves::<2>(operands, spare, 0, to, W * 8);
                }
                2 => {
                    for first in [0, 8] {
                        sums::<2>(keys, queries.add(first * GROUP), stride, groups, spare);
                        scaled_halves::<2>(operands, spare, first, to, W * 8);
                    }
                }
                _ => {
                    for first in [0, 12] {
                        sums::<3>(keys, queries.add(first * GROUP), stride, groups, spare);
                        scaled_halves::<3>(operands, spare, first, to, W * 8);
                    }
                }
            }
        }
    }
}

versions! {
    features "neon,dotprod", needs [Isa::NeonDotprod], tile "8x12x4",
    I8F32: Int8Scores<f32> = f32, DotScores<Bytes>, "attention_i8f32_8x12x4_neon_dotprod", "i8f32";
    I8F16: Int8Scores<f16> = f16, DotScores<Bytes>, "attention_i8f16_8x12x4_neon_dotprod", "i8f16";
}

versions! {
    features "neon,dotprod,fp16", needs [Isa::NeonDotprod, Isa::NeonFp16], tile "8x24x4",
    I8F16_FP16: Int8Scores<f16> = f16, DotScores<HalfBytes>, "attention_i8f16_8x24x4_neon_dotprod_fp16", "i8f16";
}
