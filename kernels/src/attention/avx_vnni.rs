//! `vpdpbusd` on 256 bits: 24 queries by 4 keys, twelve sums in sixteen registers.

use super::dot::{Dot, DotScores, Operands, scaled};
use super::lanes::Float;
use super::tiles::versions;
use super::{AttentionRow, Int8Scores};
use crate::features::Isa;
use crate::lanes::Avx2;
use half::f16;
use std::arch::asm;
use std::arch::x86_64::*;

pub(super) struct Bytes;

impl Dot for Bytes {
    type Math = Float<Avx2>;
    type Quantize = Avx2;
    const GROUP: usize = 4;
    const KEYS: usize = 4;
    const UNSIGNED: bool = true;

    #[inline(always)]
    unsafe fn panel<const W: usize>(operands: &Operands, spare: *mut i32, to: *mut f32) {
        // SAFETY: passed on to the caller.
        unsafe {
            if W == 3 {
                widest_sums(operands, spare);
            } else {
                sums::<W>(operands, spare);
            }
            scaled::<Avx2, W>(operands, Self::KEYS, spare, to);
        }
    }
}

/// # Safety
/// As for [`Dot::panel`].
#[inline]
#[target_feature(enable = "avx2,avxvnni")]
unsafe fn sums<const W: usize>(operands: &Operands, to: *mut i32) {
    // SAFETY: passed on to the caller.
    unsafe {
        let mut sums = [[_mm256_setzero_si256(); W]; Bytes::KEYS];
        for row in 0..Bytes::KEYS {
            sums[row] = [_mm256_set1_epi32(*operands.starts.add(row)); W];
        }
        for group in 0..operands.groups {
            let keys = operands.keys.add(group * Bytes::KEYS * 4).cast::<i32>();
            for w in 0..W {
                let queries = operands.queries.add((group * W + w) * 32);
                let queries = _mm256_loadu_si256(queries.cast());
                for row in 0..Bytes::KEYS {
                    let key = _mm256_set1_epi32(keys.add(row).read_unaligned());
                    sums[row][w] = _mm256_dpbusd_avx_epi32(sums[row][w], queries, key);
                }
            }
        }
        for row in 0..Bytes::KEYS {
            for w in 0..W {
                _mm256_storeu_si256(to.add((row * W + w) * 8).cast(), sums[row][w]);
            }
        }
    }
}

/// The same for three registers, where the compiler would keep a sum in memory.
///
/// # Safety
/// As for [`Dot::panel`].
#[inline]
#[target_feature(enable = "avx2,avxvnni")]
unsafe fn widest_sums(operands: &Operands, to: *mut i32) {
    // SAFETY: each step reads a group of four keys and 24 queries; the end writes four rows.
    unsafe {
        asm!(
                "vpbroadcastd ymm0, dword ptr [{starts} + 0]",
                "vmovdqa ymm1, ymm0",
                "vmovdqa ymm2, ymm0",
                "vpbroadcastd ymm3, dword ptr [{starts} + 4]",
                "vmovdqa ymm4, ymm3",
                "vmovdqa ymm5, ymm3",
                "vpbroadcastd ymm6, dword ptr [{starts} + 8]",
                "vmovdqa ymm7, ymm6",
                "vmovdqa ymm8, ymm6",
                "vpbroadcastd ymm9, dword ptr [{starts} + 12]",
                "vmovdqa ymm10, ymm9",
                "vmovdqa ymm11, ymm9",
                "2:",
                "vmovdqu ymm12, [{queries} + 0]",
                "vmovdqu ymm13, [{queries} + 32]",
                "vmovdqu ymm14, [{queries} + 64]",
                "vpbroadcastd ymm15, dword ptr [{keys} + 0]",
                "{{vex}} vpdpbusd ymm0, ymm12, ymm15",
                "{{vex}} vpdpbusd ymm1, ymm13, ymm15",
                "{{vex}} vpdpbusd ymm2, ymm14, ymm15",
                "vpbroadcastd ymm15, dword ptr [{keys} + 4]",
                "{{vex}} vpdpbusd ymm3, ymm12, ymm15",
                "{{vex}} vpdpbusd ymm4, ymm13, ymm15",
                "{{vex}} vpdpbusd ymm5, ymm14, ymm15",
                "vpbroadcastd ymm15, dword ptr [{keys} + 8]",
                "{{vex}} vpdpbusd ymm6, ymm12, ymm15",
                "{{vex}} vpdpbusd ymm7, ymm13, ymm15",
                "{{vex}} vpdpbusd ymm8, ymm14, ymm15",
                "vpbroadcastd ymm15, dword ptr [{keys} + 12]",
                "{{vex}} vpdpbusd ymm9, ymm12, ymm15",
                "{{vex}} vpdpbusd ymm10, ymm13, ymm15",
                "{{vex}} vpdpbusd ymm11, ymm14, ymm15",
                "add {keys}, 16",
                "add {queries}, 96",
                "dec {groups}",
                "jnz 2b",
                "vmovdqu [{to} + 0], ymm0",
                "vmovdqu [{to} + 32], ymm1",
                "vmovdqu [{to} + 64], ymm2",
                "vmovdqu [{to} + 96], ymm3",
                "vmovdqu [{to} + 128], ymm4",
                "vmovdqu [{to} + 160], ymm5",
                "vmovdqu [{to} + 192], ymm6",
                "vmovdqu [{to} + 224], ymm7",
                "vmovdqu [{to} + 256], ymm8",
                "vmovdqu [{to} + 288], ymm9",
                "vmovdqu [{to} + 320], ymm10",
                "vmovdqu [{to} + 352], ymm11",
                keys = inout(reg) operands.keys => _, queries = inout(reg) operands.queries => _,
                groups = inout(reg) operands.groups => _, starts = in(reg) operands.starts, to = in(reg) to,
                out("ymm0") _, out("ymm1") _, out("ymm2") _, out("ymm3") _, out("ymm4") _, out("ymm5") _, out("ymm6") _, out("ymm7") _, out("ymm8") _, out("ymm9") _, out("ymm10") _, out("ymm11") _, out("ymm12") _, out("ymm13") _, out("ymm14") _, out("ymm15") _,
                options(nostack),
        )
    }
}

versions! {
    features "avx2,fma,f16c,avxvnni", needs [Isa::AvxVnni], tile "4x24x4",
    I8F32: Int8Scores<f32> = f32, DotScores<Bytes>, "attention_i8f32_4x24x4_avx_vnni", "i8f32";
    I8F16: Int8Scores<f16> = f16, DotScores<Bytes>, "attention_i8f16_4x24x4_avx_vnni", "i8f16";
}
