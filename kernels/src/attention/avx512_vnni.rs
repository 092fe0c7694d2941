//! `vpdpbusd` on 512 bits: 48 queries by 8 keys or columns.

use super::bytes::{BYTE_POLYNOMIAL, ByteValues, Bytes};
use super::dot::{Dot, DotScores, Operands};
use super::lanes::Float;
use super::tiles::versions;
use super::{AttentionRow, Int8};
use crate::features::Isa;
use crate::lanes::Avx512;
use half::f16;
use std::arch::x86_64::*;

pub(super) struct Vnni;

impl Dot for Vnni {
    type Math = Float<Avx512>;
    type Quantize = Avx512;
    const GROUP: usize = 4;
    const KEYS: usize = 8;
    const UNSIGNED: bool = true;

    #[inline(always)]
    unsafe fn panel<const W: usize>(operands: &Operands, _: *mut i32, to: *mut f32) {
        // SAFETY: passed on to the caller.
        unsafe { scores::<W>(operands, to) }
    }
}

impl Bytes for Vnni {
    type Math = Float<Avx512>;
    type Lanes = Avx512;
    const COLUMNS: usize = 8;
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
        unsafe { products::<W>(values, bytes, groups, to) }
    }
}

/// # Safety
/// As for [`Bytes::weigh`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn weigh<const W: usize>(
    scores: *mut f32,
    count: usize,
    greatest: *mut f32,
    sums: *mut f32,
) {
    // SAFETY: a block has room for whole groups of four rows; bytes are written where the scores are already read.
    unsafe {
        let row = |key: usize, w: usize| _mm512_loadu_ps(scores.add((key * W + w) * 16));
        let mut m = [_mm512_set1_ps(f32::MIN); W];
        for key in 0..count {
            for w in 0..W {
                m[w] = _mm512_max_ps(row(key, w), m[w]);
            }
        }
        for at in count * W..count.next_multiple_of(4) * W {
            _mm512_storeu_ps(scores.add(at * 16), _mm512_set1_ps(f32::NEG_INFINITY));
        }
        let least = _mm512_set1_ps(-127.0);
        let shift = _mm512_set1_ps(12_582_912.0 + 127.0);
        let units = _mm512_set1_ps(8_388_608.0);
        let lowest = _mm512_set1_epi32(0xFF);
        let [c0, c1, c2] = BYTE_POLYNOMIAL.map(|c| _mm512_set1_ps(c));
        let ones = _mm512_set1_epi8(1);
        let mut all = [_mm512_setzero_si512(); W];
        for group in 0..count.div_ceil(4) {
            for w in 0..W {
                let mut bytes = [_mm512_setzero_si512(); 4];
                for j in 0..4 {
                    // As in `avx512::probabilities`.
                    let x = _mm512_max_ps(_mm512_sub_ps(row(group * 4 + j, w), m[w]), least);
                    let shifted = _mm512_add_ps(x, shift);
                    let f = _mm512_sub_ps(x, _mm512_sub_ps(shifted, shift));
                    let p = _mm512_fmadd_ps(_mm512_fmadd_ps(c2, f, c1), f, c0);
                    let power = _mm512_castps_si512(shifted);
                    let power = _mm512_castsi512_ps(_mm512_slli_epi32::<23>(power));
                    // The byte is the lowest of the float's.
                    bytes[j] = _mm512_castps_si512(_mm512_fmadd_ps(p, power, units));
                }
                let [b0, b1, b2, b3] = bytes;
                let b1 = _mm512_slli_epi32::<8>(b1);
                let b2 = _mm512_slli_epi32::<16>(b2);
                let b3 = _mm512_slli_epi32::<24>(b3);
                // b1 | (b0 & lowest), then what is above.
                let low = _mm512_ternarylogic_epi32::<0xF8>(b1, b0, lowest);
                let bytes = _mm512_ternarylogic_epi32::<0xFE>(low, b2, b3);
                all[w] = _mm512_dpbusd_epi32(all[w], bytes, ones);
                _mm512_storeu_si512(scores.add((group * W + w) * 16).cast(), bytes);
            }
        }
        for w in 0..W {
            _mm512_storeu_ps(greatest.add(w * 16), m[w]);
            _mm512_storeu_ps(sums.add(w * 16), _mm512_cvtepi32_ps(all[w]));
        }
    }
}

/// # Safety
/// As for [`Dot::panel`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn scores<const W: usize>(operands: &Operands, to: *mut f32) {
    let &Operands { queries, keys, groups, scales, units, starts } = operands;
    // SAFETY: passed on to the caller.
    unsafe {
        let sums = sums::<W>(queries, keys, groups, starts);
        let mut scale = [_mm512_setzero_ps(); W];
        for w in 0..W {
            scale[w] = _mm512_loadu_ps(scales.add(w * 16));
        }
        for row in 0..Vnni::KEYS {
            let unit = _mm512_set1_ps(*units.add(row));
            for w in 0..W {
                let score = _mm512_mul_ps(_mm512_cvtepi32_ps(sums[row][w]), scale[w]);
                _mm512_storeu_ps(to.add((row * W + w) * 16), _mm512_mul_ps(score, unit));
            }
        }
    }
}

/// # Safety
/// As for [`Bytes::products`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn products<const W: usize>(
    values: *const i8,
    bytes: *const u8,
    groups: usize,
    to: *mut i32,
) {
    // SAFETY: passed on to the caller.
    unsafe {
        let sums = sums::<W>(bytes, values, groups, [0; 8].as_ptr());
        for row in 0..Vnni::KEYS {
            for w in 0..W {
                _mm512_storeu_si512(to.add((row * W + w) * 16).cast(), sums[row][w]);
            }
        }
    }
}

/// `Σ lanes · rows` over groups of four, of eight rows from `starts` on.
///
/// # Safety
/// As for [`Dot::panel`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn sums<const W: usize>(
    lanes: *const u8,
    rows: *const i8,
    groups: usize,
    starts: *const i32,
) -> [[__m512i; W]; Vnni::KEYS] {
    let mut sums = [[_mm512_setzero_si512(); W]; Vnni::KEYS];
    // SAFETY: passed on to the caller.
    unsafe {
        for row in 0..Vnni::KEYS {
            sums[row] = [_mm512_set1_epi32(*starts.add(row)); W];
        }
        for group in 0..groups {
            let mut lane = [_mm512_setzero_si512(); W];
            for w in 0..W {
                lane[w] = _mm512_loadu_si512(lanes.add((group * W + w) * 64).cast());
            }
            let four = rows.add(group * Vnni::KEYS * 4).cast::<i32>();
            for row in 0..Vnni::KEYS {
                let x = _mm512_set1_epi32(four.add(row).read_unaligned());
                for w in 0..W {
                    sums[row][w] = _mm512_dpbusd_epi32(sums[row][w], lane[w], x);
                }
            }
        }
    }
    sums
}

versions! {
    features "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c",
    needs [Isa::Avx512Vnni], tile "8x48x4",
    I8F32: Int8<f32> = f32, DotScores<Vnni, ByteValues<Vnni>>, "attention_i8f32_8x48x4_avx512_vnni", "i8f32";
    I8F16: Int8<f16> = f16, DotScores<Vnni, ByteValues<Vnni>>, "attention_i8f16_8x48x4_avx512_vnni", "i8f16";
}
