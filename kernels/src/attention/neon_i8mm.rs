//! `smmla`: two queries by two keys, eight values of a token at once; twelve queries by eight keys. Probabilities and sums in f32; where the CPU
//! computes in half precision as well, scores in halves, probabilities and values in bytes.

use super::bytes::ByteValues;
use super::dot::{Dot, DotScores, Operands, scaled};
use super::lanes::Float;
use super::neon_dotprod::HalfValues;
use super::neon_fp16::{Half, scaled_halves};
use super::tiles::versions;
use super::{AttentionRow, Int8};
use crate::features::Isa;
use crate::lanes::Neon;
use half::f16;
use std::arch::asm;

const KEYS: usize = 8;
const GROUP: usize = 8;

macro_rules! zero {
    ($($sum:literal),*) => { concat!($("movi v", $sum, ".2d, #0\n",)*) };
}

macro_rules! pairs {
    ($queries:literal: $($sum:literal $keys:literal),*) => {
        concat!($("smmla v", $sum, ".4s, v", $keys, ".16b, v", $queries, ".16b\n",)*)
    };
}

/// Sums of `D` · 4 queries with eight keys, `[8, D · 4]`. `stride` is that of a group of queries in bytes.
///
/// # Safety
/// The CPU has `smmla`; there are `groups` > 0 groups of each operand.
#[inline]
#[target_feature(enable = "neon,i8mm")]
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
                "ldp q0, q1, [{keys}]",
                "ldp q2, q3, [{keys}, #32]",
                "add {keys}, {keys}, #64",
                "subs {groups}, {groups}, #1",
                "ldp q4, q5, [{queries}, #0]",
                pairs!("4": "8" "0", "10" "1", "12" "2", "14" "3"),
                pairs!("5": "9" "0", "11" "1", "13" "2", "15" "3"),
                "add {queries}, {queries}, {stride}",
                "b.ne 2b",
                "zip1 v0.2d, v8.2d, v9.2d",
                "zip2 v1.2d, v8.2d, v9.2d",
                "str q0, [{to}, #0]",
                "str q1, [{to}, #16]",
                "zip1 v0.2d, v10.2d, v11.2d",
                "zip2 v1.2d, v10.2d, v11.2d",
                "str q0, [{to}, #32]",
                "str q1, [{to}, #48]",
                "zip1 v0.2d, v12.2d, v13.2d",
                "zip2 v1.2d, v12.2d, v13.2d",
                "str q0, [{to}, #64]",
                "str q1, [{to}, #80]",
                "zip1 v0.2d, v14.2d, v15.2d",
                "zip2 v1.2d, v14.2d, v15.2d",
                "str q0, [{to}, #96]",
                "str q1, [{to}, #112]",
                keys = inout(reg) keys => _, queries = inout(reg) queries => _,
                groups = inout(reg) groups => _, stride = in(reg) stride, to = in(reg) to,
                out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _, out("v6") _, out("v7") _, out("v8") _, out("v9") _, out("v10") _, out("v11") _, out("v12") _, out("v13") _, out("v14") _, out("v15") _, options(nostack)
            ),
            2 => asm!(
                zero!("8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19", "20", "21", "22", "23"),
                "2:",
                "ldp q0, q1, [{keys}]",
                "ldp q2, q3, [{keys}, #32]",
                "add {keys}, {keys}, #64",
                "subs {groups}, {groups}, #1",
                "ldp q4, q5, [{queries}, #0]",
                pairs!("4": "8" "0", "12" "1", "16" "2", "20" "3"),
                pairs!("5": "9" "0", "13" "1", "17" "2", "21" "3"),
                "ldp q6, q7, [{queries}, #32]",
                pairs!("6": "10" "0", "14" "1", "18" "2", "22" "3"),
                pairs!("7": "11" "0", "15" "1", "19" "2", "23" "3"),
                "add {queries}, {queries}, {stride}",
                "b.ne 2b",
                "zip1 v0.2d, v8.2d, v9.2d",
                "zip2 v1.2d, v8.2d, v9.2d",
                "str q0, [{to}, #0]",
                "str q1, [{to}, #32]",
                "zip1 v0.2d, v10.2d, v11.2d",
                "zip2 v1.2d, v10.2d, v11.2d",
                "str q0, [{to}, #16]",
                "str q1, [{to}, #48]",
                "zip1 v0.2d, v12.2d, v13.2d",
                "zip2 v1.2d, v12.2d, v13.2d",
                "str q0, [{to}, #64]",
                "str q1, [{to}, #96]",
                "zip1 v0.2d, v14.2d, v15.2d",
                "zip2 v1.2d, v14.2d, v15.2d",
                "str q0, [{to}, #80]",
                "str q1, [{to}, #112]",
                "zip1 v0.2d, v16.2d, v17.2d",
                "zip2 v1.2d, v16.2d, v17.2d",
                "str q0, [{to}, #128]",
                "str q1, [{to}, #160]",
                "zip1 v0.2d, v18.2d, v19.2d",
                "zip2 v1.2d, v18.2d, v19.2d",
                "str q0, [{to}, #144]",
                "str q1, [{to}, #176]",
                "zip1 v0.2d, v20.2d, v21.2d",
                "zip2 v1.2d, v20.2d, v21.2d",
                "str q0, [{to}, #192]",
                "str q1, [{to}, #224]",
                "zip1 v0.2d, v22.2d, v23.2d",
                "zip2 v1.2d, v22.2d, v23.2d",
                "str q0, [{to}, #208]",
                "str q1, [{to}, #240]",
                keys = inout(reg) keys => _, queries = inout(reg) queries => _,
                groups = inout(reg) groups => _, stride = in(reg) stride, to = in(reg) to,
                out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _, out("v6") _, out("v7") _, out("v8") _, out("v9") _, out("v10") _, out("v11") _, out("v12") _, out("v13") _, out("v14") _, out("v15") _, out("v16") _, out("v17") _, out("v18") _, out("v19") _, out("v20") _, out("v21") _, out("v22") _, out("v23") _, options(nostack)
            ),
            _ => asm!(
                zero!("8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19", "20", "21", "22", "23", "24", "25", "26", "27", "28", "29", "30", "31"),
                "2:",
                "ldp q0, q1, [{keys}]",
                "ldp q2, q3, [{keys}, #32]",
                "add {keys}, {keys}, #64",
                "subs {groups}, {groups}, #1",
                "ldp q4, q5, [{queries}, #0]",
                pairs!("4": "8" "0", "14" "1", "20" "2", "26" "3"),
                pairs!("5": "9" "0", "15" "1", "21" "2", "27" "3"),
                "ldp q6, q7, [{queries}, #32]",
                pairs!("6": "10" "0", "16" "1", "22" "2", "28" "3"),
                pairs!("7": "11" "0", "17" "1", "23" "2", "29" "3"),
                "ldp q4, q5, [{queries}, #64]",
                pairs!("4": "12" "0", "18" "1", "24" "2", "30" "3"),
                pairs!("5": "13" "0", "19" "1", "25" "2", "31" "3"),
                "add {queries}, {queries}, {stride}",
                "b.ne 2b",
                "zip1 v0.2d, v8.2d, v9.2d",
                "zip2 v1.2d, v8.2d, v9.2d",
                "str q0, [{to}, #0]",
                "str q1, [{to}, #48]",
                "zip1 v0.2d, v10.2d, v11.2d",
                "zip2 v1.2d, v10.2d, v11.2d",
                "str q0, [{to}, #16]",
                "str q1, [{to}, #64]",
                "zip1 v0.2d, v12.2d, v13.2d",
                "zip2 v1.2d, v12.2d, v13.2d",
                "str q0, [{to}, #32]",
                "str q1, [{to}, #80]",
                "zip1 v0.2d, v14.2d, v15.2d",
                "zip2 v1.2d, v14.2d, v15.2d",
                "str q0, [{to}, #96]",
                "str q1, [{to}, #144]",
                "zip1 v0.2d, v16.2d, v17.2d",
                "zip2 v1.2d, v16.2d, v17.2d",
                "str q0, [{to}, #112]",
                "str q1, [{to}, #160]",
                "zip1 v0.2d, v18.2d, v19.2d",
                "zip2 v1.2d, v18.2d, v19.2d",
                "str q0, [{to}, #128]",
                "str q1, [{to}, #176]",
                "zip1 v0.2d, v20.2d, v21.2d",
                "zip2 v1.2d, v20.2d, v21.2d",
                "str q0, [{to}, #192]",
                "str q1, [{to}, #240]",
                "zip1 v0.2d, v22.2d, v23.2d",
                "zip2 v1.2d, v22.2d, v23.2d",
                "str q0, [{to}, #208]",
                "str q1, [{to}, #256]",
                "zip1 v0.2d, v24.2d, v25.2d",
                "zip2 v1.2d, v24.2d, v25.2d",
                "str q0, [{to}, #224]",
                "str q1, [{to}, #272]",
                "zip1 v0.2d, v26.2d, v27.2d",
                "zip2 v1.2d, v26.2d, v27.2d",
                "str q0, [{to}, #288]",
                "str q1, [{to}, #336]",
                "zip1 v0.2d, v28.2d, v29.2d",
                "zip2 v1.2d, v28.2d, v29.2d",
                "str q0, [{to}, #304]",
                "str q1, [{to}, #352]",
                "zip1 v0.2d, v30.2d, v31.2d",
                "zip2 v1.2d, v30.2d, v31.2d",
                "str q0, [{to}, #320]",
                "str q1, [{to}, #368]",
                keys = inout(reg) keys => _, queries = inout(reg) queries => _,
                groups = inout(reg) groups => _, stride = in(reg) stride, to = in(reg) to,
                out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _, out("v6") _, out("v7") _, out("v8") _, out("v9") _, out("v10") _, out("v11") _, out("v12") _, out("v13") _, out("v14") _, out("v15") _, out("v16") _, out("v17") _, out("v18") _, out("v19") _, out("v20") _, out("v21") _, out("v22") _, out("v23") _, out("v24") _, out("v25") _, out("v26") _, out("v27") _, out("v28") _, out("v29") _, out("v30") _, out("v31") _, options(nostack)
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
    features "neon,i8mm", needs [Isa::NeonI8mm], tile "8x12x8",
    I8F32: Int8<f32> = f32, DotScores<Bytes>, "attention_i8f32_8x12x8_neon_i8mm", "i8f32";
    I8F16: Int8<f16> = f16, DotScores<Bytes>, "attention_i8f16_8x12x8_neon_i8mm", "i8f16";
}

versions! {
    features "neon,i8mm,dotprod,fp16", needs [Isa::NeonI8mm, Isa::NeonFp16], tile "8x24x8",
    I8F16_FP16: Int8<f16> = f16, DotScores<HalfBytes, ByteValues<HalfValues>>, "attention_i8f16_8x24x8_neon_i8mm_fp16", "i8f16";
}
