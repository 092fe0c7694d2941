use super::lanes::{self, Sixteen};
use super::{Normalisation, NormaliseRow, Value};
use crate::bytes::Avx2;
use crate::features::{Isa, Schedule};
use crate::kernel::Identity;
use half::f16;
use std::arch::x86_64::*;

pub(super) const F32: NormaliseRow<f32> = NormaliseRow {
    identity: Identity {
        name: "normalise_u8_f32_48_avx2",
        operation: "normalise",
        element: "u8_f32",
        tile: "48",
        needs: &[Isa::Avx2],
        schedule: Schedule::OutOfOrder,
    },
    interleaved: interleaved::<f32>,
    planar: planar::<f32>,
};

pub(super) const F16: NormaliseRow<f16> = NormaliseRow {
    identity: Identity {
        name: "normalise_u8_f16_48_avx2",
        operation: "normalise",
        element: "u8_f16",
        tile: "48",
        needs: &[Isa::Avx2],
        schedule: Schedule::OutOfOrder,
    },
    interleaved: interleaved::<f16>,
    planar: planar::<f16>,
};

pub(super) const I8: NormaliseRow<i8> = NormaliseRow {
    identity: Identity {
        name: "normalise_u8_i8_48_avx2",
        operation: "normalise",
        element: "u8_i8",
        tile: "48",
        needs: &[Isa::Avx2],
        schedule: Schedule::OutOfOrder,
    },
    interleaved: interleaved::<i8>,
    planar: planar::<i8>,
};

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn interleaved<T: Value>(source: &[u8], line: &Normalisation, target: &mut [T])
where
    Avx2: Sixteen<T>,
{
    // SAFETY: the features are enabled here.
    unsafe { lanes::interleaved::<Avx2, T>(source, line, target) }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn planar<T: Value>(source: &[u8], line: &Normalisation, target: [&mut [T]; 3])
where
    Avx2: Sixteen<T>,
{
    // SAFETY: the features are enabled here.
    unsafe { lanes::planar::<Avx2, Avx2, T>(source, line, target) }
}

#[inline(always)]
unsafe fn read(from: *const u8) -> [__m256; 4] {
    // SAFETY: the caller has AVX2 and 16 bytes.
    unsafe {
        let low = _mm256_cvtepu8_epi32(_mm_loadl_epi64(from.cast()));
        let high = _mm256_cvtepu8_epi32(_mm_loadl_epi64(from.add(8).cast()));
        let none = _mm256_setzero_ps();
        [_mm256_cvtepi32_ps(low), _mm256_cvtepi32_ps(high), none, none]
    }
}

/// To whole numbers; those that leave i16 stop near its ends.
#[inline(always)]
unsafe fn rounded(values: __m256) -> __m256i {
    // SAFETY: the caller has AVX2.
    unsafe {
        let number = _mm256_and_ps(values, _mm256_cmp_ps::<_CMP_ORD_Q>(values, values));
        let bounded =
            _mm256_min_ps(_mm256_max_ps(number, _mm256_set1_ps(-32768.0)), _mm256_set1_ps(32767.0));
        _mm256_cvtps_epi32(bounded)
    }
}

// SAFETY: the tests compare the results with the plain version's.
unsafe impl Sixteen<f32> for Avx2 {
    type Lane = __m256;
    const REGISTERS: usize = 2;
    #[inline(always)]
    unsafe fn read(from: *const u8) -> [__m256; 4] {
        // SAFETY: what the trait asks of the caller.
        unsafe { read(from) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> __m256 {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm256_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn fma(a: __m256, b: __m256, sum: __m256) -> __m256 {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm256_fmadd_ps(a, b, sum) }
    }
    #[inline(always)]
    unsafe fn write(values: [__m256; 4], _: i32, to: *mut f32) {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            _mm256_storeu_ps(to, values[0]);
            _mm256_storeu_ps(to.add(8), values[1])
        }
    }
}

// SAFETY: the tests compare the results with the plain version's.
unsafe impl Sixteen<f16> for Avx2 {
    type Lane = __m256;
    const REGISTERS: usize = 2;
    #[inline(always)]
    unsafe fn read(from: *const u8) -> [__m256; 4] {
        // SAFETY: what the trait asks of the caller.
        unsafe { read(from) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> __m256 {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm256_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn fma(a: __m256, b: __m256, sum: __m256) -> __m256 {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm256_fmadd_ps(a, b, sum) }
    }
    #[inline(always)]
    unsafe fn write(values: [__m256; 4], _: i32, to: *mut f16) {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            for half in 0..2 {
                _mm_storeu_si128(
                    to.add(half * 8).cast(),
                    _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(values[half]),
                )
            }
        }
    }
}

// SAFETY: the tests compare the results with the plain version's.
unsafe impl Sixteen<i8> for Avx2 {
    type Lane = __m256;
    const REGISTERS: usize = 2;
    #[inline(always)]
    unsafe fn read(from: *const u8) -> [__m256; 4] {
        // SAFETY: what the trait asks of the caller.
        unsafe { read(from) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> __m256 {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm256_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn fma(a: __m256, b: __m256, sum: __m256) -> __m256 {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm256_fmadd_ps(a, b, sum) }
    }
    #[inline(always)]
    unsafe fn write(values: [__m256; 4], zero_point: i32, to: *mut i8) {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let pairs = _mm256_packs_epi32(rounded(values[0]), rounded(values[1]));
            let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(pairs);
            let words = _mm256_adds_epi16(words, _mm256_set1_epi16(zero_point as i16));
            _mm_storeu_si128(
                to.cast(),
                _mm_packs_epi16(
                    _mm256_castsi256_si128(words),
                    _mm256_extracti128_si256::<1>(words),
                ),
            )
        }
    }
}
