//! `vpdpbusd` on 256 bits: 24 queries by 4 keys or columns, twelve sums in sixteen registers.

use super::bytes::{BYTE_POLYNOMIAL, ByteValues, Bytes};
use super::dot::{Dot, DotScores, Operands, scaled};
use super::lanes::Float;
use super::tiles::versions;
use super::{AttentionRow, Int8};
use crate::features::Isa;
use crate::lanes::Avx2;
use half::f16;
use std::arch::asm;
use std::arch::x86_64::*;

pub(super) struct Vnni;

impl Dot for Vnni {
    type Math = Float<Avx2>;
    type Quantize = Avx2;
    const GROUP: usize = 4;
    const KEYS: usize = 4;
    const UNSIGNED: bool = true;

    #[inline(always)]
    unsafe fn panel<const W: usize>(operands: &Operands, spare: *mut i32, to: *mut f32) {
        // SAFETY: passed on to the caller.
        unsafe {
            let &Operands { queries, keys, groups, starts, .. } = operands;
            any_sums::<W>(queries, keys, groups, starts, spare);
            scaled::<Avx2, W>(operands, Self::KEYS, spare, to);
        }
    }
}

impl Bytes for Vnni {
    type Math = Float<Avx2>;
    type Lanes = Avx2;
    const COLUMNS: usize = 4;
    const SIGNED: bool = false;

    #[inline(always)]
    unsafe fn weigh<const W: usize>(
        scores: *mut f32,
        count: usize,
        greatest: *mut f32,
        sums: *mut f32,
    ) {
        // SAFETY: passed on to the caller.
        unsafe { weigh::<W>(scores, count, greatest, sums) }
    }

    fn parts<const W: usize>() -> usize {
        1
    }

    #[inline(always)]
    unsafe fn products<const W: usize>(
        values: *const i8,
        bytes: *const u8,
        groups: usize,
        to: *mut i32,
    ) {
        // SAFETY: passed on to the caller.
        unsafe { any_sums::<W>(bytes, values, groups, [0; 4].as_ptr(), to) }
    }
}

/// # Safety
/// As for [`Bytes::weigh`].
#[inline]
#[target_feature(enable = "avx2,fma,avxvnni")]
unsafe fn weigh<const W: usize>(
    scores: *mut f32,
    count: usize,
    greatest: *mut f32,
    sums: *mut f32,
) {
    // SAFETY: a block has room for whole groups of four rows; bytes are written where the scores are already read.
    unsafe {
        let row = |key: usize, w: usize| _mm256_loadu_ps(scores.add((key * W + w) * 8));
        let mut m = [_mm256_set1_ps(f32::MIN); W];
        for key in 0..count {
            for w in 0..W {
                m[w] = _mm256_max_ps(row(key, w), m[w]);
            }
        }
        for at in count * W..count.next_multiple_of(4) * W {
            _mm256_storeu_ps(scores.add(at * 8), _mm256_set1_ps(f32::NEG_INFINITY));
        }
        let least = _mm256_set1_ps(-127.0);
        let shift = _mm256_set1_ps(12_582_912.0 + 127.0);
        let [c0, c1, c2] = BYTE_POLYNOMIAL.map(|c| _mm256_set1_ps(c));
        let ones = _mm256_set1_epi8(1);
        let mut all = [_mm256_setzero_si256(); W];
        for group in 0..count.div_ceil(4) {
            for w in 0..W {
                let mut bytes = [_mm256_setzero_si256(); 4];
                for j in 0..4 {
                    // As in `avx512::probabilities`.
                    let x = _mm256_max_ps(_mm256_sub_ps(row(group * 4 + j, w), m[w]), least);
                    let shifted = _mm256_add_ps(x, shift);
                    let f = _mm256_sub_ps(x, _mm256_sub_ps(shifted, shift));
                    let p = _mm256_fmadd_ps(_mm256_fmadd_ps(c2, f, c1), f, c0);
                    let power = _mm256_slli_epi32::<23>(_mm256_castps_si256(shifted));
                    let p = _mm256_mul_ps(p, _mm256_castsi256_ps(power));
                    bytes[j] = _mm256_cvtps_epi32(p);
                }
                let [b0, b1, b2, b3] = bytes;
                let low = _mm256_or_si256(b0, _mm256_slli_epi32::<8>(b1));
                let high =
                    _mm256_or_si256(_mm256_slli_epi32::<16>(b2), _mm256_slli_epi32::<24>(b3));
                let bytes = _mm256_or_si256(low, high);
                all[w] = _mm256_dpbusd_avx_epi32(all[w], bytes, ones);
                _mm256_storeu_si256(scores.add((group * W + w) * 8).cast(), bytes);
            }
        }
        for w in 0..W {
            _mm256_storeu_ps(greatest.add(w * 8), m[w]);
            _mm256_storeu_ps(sums.add(w * 8), _mm256_cvtepi32_ps(all[w]));
        }
    }
}

/// # Safety
/// As for [`Dot::panel`].
#[inline]
#[target_feature(enable = "avx2,avxvnni")]
unsafe fn any_sums<const W: usize>(
    queries: *const u8,
    keys: *const i8,
    groups: usize,
    starts: *const i32,
    to: *mut i32,
) {
    // SAFETY: passed on to the caller.
    unsafe {
        if W == 3 {
            widest_sums(queries, keys, groups, starts, to);
        } else {
            sums::<W>(queries, keys, groups, starts, to);
        }
    }
}

/// # Safety
/// As for [`Dot::panel`].
#[inline]
#[target_feature(enable = "avx2,avxvnni")]
unsafe fn sums<const W: usize>(
    queries: *const u8,
    keys: *const i8,
    groups: usize,
    starts: *const i32,
    to: *mut i32,
) {
    // SAFETY: passed on to the caller.
    unsafe {
        let mut sums = [[_mm256_setzero_si256(); W]; Vnni::KEYS];
        for row in 0..Vnni::KEYS {
            sums[row] = [_mm256_set1_epi32(*starts.add(row)); W];
        }
        for group in 0..groups {
            let keys = keys.add(group * Vnni::KEYS * 4).cast::<i32>();
            for w in 0..W {
                let queries = queries.add((group * W + w) * 32);
                let queries = _mm256_loadu_si256(queries.cast());
                for row in 0..Vnni::KEYS {
                    let key = _mm256_set1_epi32(keys.add(row).read_unaligned());
                    sums[row][w] = _mm256_dpbusd_avx_epi32(sums[row][w], queries, key);
                }
            }
        }
        for row in 0..Vnni::KEYS {
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
unsafe fn widest_sums(
    queries: *const u8,
    keys: *const i8,
    groups: usize,
    starts: *const i32,
    to: *mut i32,
) {
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
                keys = inout(reg) keys => _, queries = inout(reg) queries => _,
                groups = inout(reg) groups => _, starts = in(reg) starts, to = in(reg) to,
                out("ymm0") _, out("ymm1") _, out("ymm2") _, out("ymm3") _, out("ymm4") _, out("ymm5") _, out("ymm6") _, out("ymm7") _, out("ymm8") _, out("ymm9") _, out("ymm10") _, out("ymm11") _, out("ymm12") _, out("ymm13") _, out("ymm14") _, out("ymm15") _,
                options(nostack),
        )
    }
}

versions! {
    features "avx2,fma,f16c,avxvnni", needs [Isa::AvxVnni], tile "4x24x4",
    I8F32: Int8<f32> = f32, DotScores<Vnni, ByteValues<Vnni>>, "attention_i8f32_4x24x4_avx_vnni", "i8f32";
    I8F16: Int8<f16> = f16, DotScores<Vnni, ByteValues<Vnni>>, "attention_i8f16_4x24x4_avx_vnni", "i8f16";
}
