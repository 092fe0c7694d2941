//! `vpdpbusd` on 512 bits: 48 queries by 8 keys.

use super::dot::{Dot, DotScores, Operands, scaled};
use super::lanes::Float;
use super::tiles::versions;
use super::{AttentionRow, Int8Scores};
use crate::features::Isa;
use crate::lanes::Avx512;
use half::f16;
use std::arch::x86_64::*;

pub(super) struct Bytes;

impl Dot for Bytes {
    type Math = Float<Avx512>;
    type Quantize = Avx512;
    const GROUP: usize = 4;
    const KEYS: usize = 8;
    const UNSIGNED: bool = true;

    #[inline(always)]
    unsafe fn panel<const W: usize>(operands: &Operands, spare: *mut i32, to: *mut f32) {
        // SAFETY: passed on to the caller.
        unsafe {
            sums::<W>(operands, spare);
            scaled::<Avx512, W>(operands, Self::KEYS, spare, to);
        }
    }
}

/// # Safety
/// As for [`Dot::panel`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn sums<const W: usize>(operands: &Operands, to: *mut i32) {
    // SAFETY: passed on to the caller.
    unsafe {
        let mut sums = [[_mm512_setzero_si512(); W]; Bytes::KEYS];
        for row in 0..Bytes::KEYS {
            sums[row] = [_mm512_set1_epi32(*operands.starts.add(row)); W];
        }
        for group in 0..operands.groups {
            let mut queries = [_mm512_setzero_si512(); W];
            for w in 0..W {
                queries[w] = _mm512_loadu_si512(operands.queries.add((group * W + w) * 64).cast());
            }
            let keys = operands.keys.add(group * Bytes::KEYS * 4).cast::<i32>();
            for row in 0..Bytes::KEYS {
                let key = _mm512_set1_epi32(keys.add(row).read_unaligned());
                for w in 0..W {
                    sums[row][w] = _mm512_dpbusd_epi32(sums[row][w], queries[w], key);
                }
            }
        }
        for row in 0..Bytes::KEYS {
            for w in 0..W {
                _mm512_storeu_si512(to.add((row * W + w) * 16).cast(), sums[row][w]);
            }
        }
    }
}

versions! {
    features "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c",
    needs [Isa::Avx512Vnni], tile "8x48x4",
    I8F32: Int8Scores<f32> = f32, DotScores<Bytes>, "attention_i8f32_8x48x4_avx512_vnni", "i8f32";
    I8F16: Int8Scores<f16> = f16, DotScores<Bytes>, "attention_i8f16_8x48x4_avx512_vnni", "i8f16";
}
