//! AVX-512: 48 queries by 8 keys or columns, 24 sums in 32 registers.

use super::lanes::{Block, FloatScores, POLYNOMIAL, Rows};
use super::tiles::versions;
use super::{AttentionRow, Int8};
use crate::features::Isa;
use crate::lanes::{Avx2, Avx512};
use half::f16;
use std::arch::x86_64::*;

impl Rows for Avx512 {
    const ROWS: usize = 8;
    type Short = Avx2;

    #[inline(always)]
    unsafe fn probabilities<const W: usize>(
        scores: *mut f32,
        count: usize,
        greatest: *const f32,
        sums: *mut f32,
    ) {
        // SAFETY: passed on to the caller.
        unsafe { probabilities::<W>(scores, count, greatest, sums) }
    }

    #[inline(always)]
    unsafe fn transposed(block: &Block) -> Block {
        // SAFETY: passed on to the caller.
        unsafe { super::avx2::transposed(block) }
    }
}

/// [`Rows::probabilities`] with the polynomial of [`exp2`](super::lanes::exp2): the nearest integer is what is left of `2²³ · 1.5 + 127 + x`,
/// and its low bits are the exponent of the power.
///
/// # Safety
/// As there.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn probabilities<const W: usize>(
    scores: *mut f32,
    count: usize,
    greatest: *const f32,
    sums: *mut f32,
) {
    // SAFETY: each step reads and writes one row.
    unsafe {
        let least = _mm512_set1_ps(-127.0);
        let shift = _mm512_set1_ps(12_582_912.0 + 127.0);
        let c = POLYNOMIAL.map(|c| _mm512_set1_ps(c));
        let mut all = [_mm512_setzero_ps(); W];
        let mut m = [_mm512_setzero_ps(); W];
        for w in 0..W {
            m[w] = _mm512_loadu_ps(greatest.add(w * 16));
        }
        for key in 0..count {
            for w in 0..W {
                let score = scores.add((key * W + w) * 16);
                let x = _mm512_max_ps(_mm512_sub_ps(_mm512_loadu_ps(score), m[w]), least);
                let shifted = _mm512_add_ps(x, shift);
                let f = _mm512_sub_ps(x, _mm512_sub_ps(shifted, shift));
                let f2 = _mm512_mul_ps(f, f);
                let low = _mm512_fmadd_ps(c[1], f, c[0]);
                let high = _mm512_fmadd_ps(c[4], f2, _mm512_fmadd_ps(c[3], f, c[2]));
                let power = _mm512_slli_epi32::<23>(_mm512_castps_si512(shifted));
                let power = _mm512_castsi512_ps(power);
                let p = _mm512_fmadd_ps(high, f2, low);
                let p = _mm512_fmadd_ps(_mm512_mul_ps(power, f), p, power);
                _mm512_storeu_ps(score, p);
                all[w] = _mm512_add_ps(all[w], p);
            }
        }
        for w in 0..W {
            _mm512_storeu_ps(sums.add(w * 16), all[w]);
        }
    }
}

versions! {
    features "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c", needs [Isa::Avx512], tile "8x48",
    F32: f32 = f32, FloatScores<Avx512, false>, "attention_f32_8x48_avx512", "f32";
    F16: f16 = f16, FloatScores<Avx512, false>, "attention_f16_8x48_avx512", "f16";
    I8F32: Int8<f32> = f32, FloatScores<Avx512, true>, "attention_i8f32_8x48_avx512", "i8f32";
    I8F16: Int8<f16> = f16, FloatScores<Avx512, true>, "attention_i8f16_8x48_avx512", "i8f16";
}
