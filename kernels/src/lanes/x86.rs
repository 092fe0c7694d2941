use super::Lanes;
use half::f16;
use std::arch::x86_64::*;

/// Eight lanes of AVX2, FMA and F16C.
#[derive(Clone, Copy)]
pub struct Avx2(pub(crate) __m256);
// SAFETY: the instructions round as IEEE 754 says, like the plain version; the tests compare them bit by bit.
unsafe impl Lanes for Avx2 {
    const COUNT: usize = 8;
    type Mask = __m256;
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm256_set1_ps(value)) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm256_loadu_ps(from)) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm256_storeu_ps(to, self.0) }
    }
    #[inline(always)]
    unsafe fn load_f16(from: *const f16) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm256_cvtph_ps(_mm_loadu_si128(from.cast()))) }
    }
    #[inline(always)]
    unsafe fn store_f16(self, to: *mut f16) {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm_storeu_si128(to.cast(), _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(self.0)) }
    }
    #[inline(always)]
    unsafe fn load_i32(from: *const i32) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm256_cvtepi32_ps(_mm256_loadu_si256(from.cast()))) }
    }
    #[inline(always)]
    unsafe fn load_i32_less(from: *const i32, factor: i32, terms: *const i32) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            Self(_mm256_cvtepi32_ps(_mm256_sub_epi32(
                _mm256_loadu_si256(from.cast()),
                _mm256_mullo_epi32(_mm256_loadu_si256(terms.cast()), _mm256_set1_epi32(factor)),
            )))
        }
    }
    #[inline(always)]
    unsafe fn load_i8(from: *const i8) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(from.cast())))) }
    }
    #[inline(always)]
    unsafe fn store_i8(self, to: *mut i8) {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let number = _mm256_and_ps(self.0, _mm256_cmp_ps::<_CMP_ORD_Q>(self.0, self.0));
            let bounded =
                _mm256_min_ps(_mm256_max_ps(number, _mm256_set1_ps(-128.0)), _mm256_set1_ps(127.0));
            let whole = _mm256_cvtps_epi32(bounded);
            let words = _mm_packs_epi32(
                _mm256_castsi256_si128(whole),
                _mm256_extracti128_si256::<1>(whole),
            );
            _mm_storel_epi64(to.cast(), _mm_packs_epi16(words, words))
        }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm256_add_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm256_sub_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm256_mul_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm256_div_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn fma(self, factor: Self, term: Self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm256_fmadd_ps(self.0, factor.0, term.0)) }
    }
    #[inline(always)]
    unsafe fn sqrt(self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm256_sqrt_ps(self.0)) }
    }
    #[inline(always)]
    unsafe fn abs(self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm256_andnot_ps(_mm256_set1_ps(-0.0), self.0)) }
    }
    #[inline(always)]
    unsafe fn round(self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            Self(_mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0))
        }
    }
    #[inline(always)]
    unsafe fn at_least(self, limit: Self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm256_max_ps(limit.0, self.0)) }
    }
    #[inline(always)]
    unsafe fn at_most(self, limit: Self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm256_min_ps(limit.0, self.0)) }
    }
    #[inline(always)]
    unsafe fn exp2_of_integer(self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            Self(_mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_add_epi32(
                _mm256_cvtps_epi32(self.0),
                _mm256_set1_epi32(127),
            ))))
        }
    }
    #[inline(always)]
    unsafe fn less_than(self, other: Self) -> Self::Mask {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm256_cmp_ps::<_CMP_LT_OQ>(self.0, other.0) }
    }
    #[inline(always)]
    unsafe fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm256_blendv_ps(no.0, yes.0, mask)) }
    }
    #[inline(always)]
    unsafe fn swap_pairs(self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm256_permute_ps::<0b10_11_00_01>(self.0)) }
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let half =
                _mm_add_ps(_mm256_castps256_ps128(self.0), _mm256_extractf128_ps::<1>(self.0));
            let pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
            _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)))
        }
    }
    #[inline(always)]
    unsafe fn greatest(self) -> f32 {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let half =
                _mm_max_ps(_mm256_castps256_ps128(self.0), _mm256_extractf128_ps::<1>(self.0));
            let pair = _mm_max_ps(half, _mm_movehl_ps(half, half));
            _mm_cvtss_f32(_mm_max_ss(pair, _mm_movehdup_ps(pair)))
        }
    }
}

/// Sixteen lanes of AVX-512.
#[derive(Clone, Copy)]
pub struct Avx512(pub(crate) __m512);
// SAFETY: the instructions round as IEEE 754 says, like the plain version; the tests compare them bit by bit.
unsafe impl Lanes for Avx512 {
    const COUNT: usize = 16;
    type Mask = __mmask16;
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm512_set1_ps(value)) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm512_loadu_ps(from)) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm512_storeu_ps(to, self.0) }
    }
    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> Self {
        // SAFETY: what the trait asks of the caller; lanes beyond `count` are not read.
        unsafe { Self(_mm512_maskz_loadu_ps((1 << count) - 1, from)) }
    }
    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, count: usize) {
        // SAFETY: what the trait asks of the caller; lanes beyond `count` are not written.
        unsafe { _mm512_mask_storeu_ps(to, (1 << count) - 1, self.0) }
    }
    #[inline(always)]
    unsafe fn load_f16(from: *const f16) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm512_cvtph_ps(_mm256_loadu_si256(from.cast()))) }
    }
    #[inline(always)]
    unsafe fn store_f16(self, to: *mut f16) {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            _mm256_storeu_si256(to.cast(), _mm512_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(self.0))
        }
    }
    #[inline(always)]
    unsafe fn load_i32(from: *const i32) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm512_cvtepi32_ps(_mm512_loadu_si512(from.cast()))) }
    }
    #[inline(always)]
    unsafe fn load_i32_less(from: *const i32, factor: i32, terms: *const i32) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            Self(_mm512_cvtepi32_ps(_mm512_sub_epi32(
                _mm512_loadu_si512(from.cast()),
                _mm512_mullo_epi32(_mm512_loadu_si512(terms.cast()), _mm512_set1_epi32(factor)),
            )))
        }
    }
    #[inline(always)]
    unsafe fn load_i8(from: *const i8) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(from.cast())))) }
    }
    #[inline(always)]
    unsafe fn store_i8(self, to: *mut i8) {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let number =
                _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_ORD_Q>(self.0, self.0), self.0);
            let bounded =
                _mm512_min_ps(_mm512_max_ps(number, _mm512_set1_ps(-128.0)), _mm512_set1_ps(127.0));
            _mm_storeu_si128(to.cast(), _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(bounded)))
        }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm512_add_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm512_sub_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm512_mul_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm512_div_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn fma(self, factor: Self, term: Self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm512_fmadd_ps(self.0, factor.0, term.0)) }
    }
    #[inline(always)]
    unsafe fn sqrt(self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm512_sqrt_ps(self.0)) }
    }
    #[inline(always)]
    unsafe fn abs(self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm512_abs_ps(self.0)) }
    }
    #[inline(always)]
    unsafe fn round(self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            Self(_mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0))
        }
    }
    #[inline(always)]
    unsafe fn at_least(self, limit: Self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm512_max_ps(limit.0, self.0)) }
    }
    #[inline(always)]
    unsafe fn at_most(self, limit: Self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm512_min_ps(limit.0, self.0)) }
    }
    #[inline(always)]
    unsafe fn exp2_of_integer(self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            Self(_mm512_castsi512_ps(_mm512_slli_epi32::<23>(_mm512_add_epi32(
                _mm512_cvtps_epi32(self.0),
                _mm512_set1_epi32(127),
            ))))
        }
    }
    #[inline(always)]
    unsafe fn less_than(self, other: Self) -> Self::Mask {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm512_cmp_ps_mask::<_CMP_LT_OQ>(self.0, other.0) }
    }
    #[inline(always)]
    unsafe fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm512_mask_blend_ps(mask, no.0, yes.0)) }
    }
    #[inline(always)]
    unsafe fn swap_pairs(self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(_mm512_permute_ps::<0b10_11_00_01>(self.0)) }
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm512_reduce_add_ps(self.0) }
    }
    #[inline(always)]
    unsafe fn greatest(self) -> f32 {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm512_reduce_max_ps(self.0) }
    }
}
