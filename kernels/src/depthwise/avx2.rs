use super::DepthwiseRow;
use super::engine::{Byte, Engine, Requantize, Wide};
use super::quads::{Quads, WHOLE, Whole, sweep_quads};
use super::sweep::{Job, sweep};
use crate::features::{Isa, Schedule};
use crate::kernel::Identity;
use crate::lanes::{Avx2, Lanes};
use half::f16;
use std::arch::x86_64::*;

const fn identity(name: &'static str, element: &'static str) -> Identity {
    Identity {
        name,
        operation: "depthwise",
        element,
        tile: "2x4x8",
        needs: &[Isa::Avx2],
        schedule: Schedule::OutOfOrder,
    }
}

pub(super) const DEPTHWISE_I8: DepthwiseRow<i8> =
    DepthwiseRow { identity: identity("depthwise_i8_2x4x8_avx2", "i8"), lanes: 8, run: run_i8 };
pub(super) const DEPTHWISE_F16: DepthwiseRow<f16> =
    DepthwiseRow { identity: identity("depthwise_f16_2x4x8_avx2", "f16"), lanes: 8, run: run_f16 };
pub(super) const DEPTHWISE_F32: DepthwiseRow<f32> =
    DepthwiseRow { identity: identity("depthwise_f32_2x4x8_avx2", "f32"), lanes: 8, run: run_f32 };

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn run_i8(job: &mut Job<i8>) {
    // SAFETY: the features are enabled here.
    unsafe { sweep_quads::<Pairs>(job) }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn run_f16(job: &mut Job<f16>) {
    // SAFETY: the features are enabled here.
    unsafe { sweep::<Wide<Avx2, f16>>(job) }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn run_f32(job: &mut Job<f32>) {
    // SAFETY: the features are enabled here.
    unsafe { sweep::<Wide<Avx2, f32>>(job) }
}

/// Eight channels, each value less the zero point in an i32. Filters stand in the lower half of their lanes, so that the multiply of pairs
/// gives single products.
#[derive(Clone, Copy)]
pub(super) struct Bytes {
    zero_point: __m256i,
    requantize: Requantize<Avx2>,
}

// SAFETY: each method reads and writes eight values.
unsafe impl Engine for Bytes {
    const COUNT: usize = 8;
    const TWO_ROWS: bool = true;
    type Element = i8;
    type Filter = i32;
    type Value = __m256i;
    type Sum = __m256i;
    type Lanes = Avx2;
    type Narrow = Byte;

    fn outside(zero_point: i32) -> i8 {
        zero_point as i8
    }
    fn filter(value: i8) -> i32 {
        i32::from(value) & 0xffff
    }
    fn bias(_: f32) -> i32 {
        0
    }
    #[inline(always)]
    unsafe fn new(job: &Job<i8>) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            Self { zero_point: _mm256_set1_epi32(job.zero_point), requantize: Requantize::new(job) }
        }
    }
    #[inline(always)]
    unsafe fn load(self, from: *const i8) -> __m256i {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let bytes = _mm256_cvtepi8_epi32(_mm_loadl_epi64(from.cast()));
            _mm256_sub_epi32(bytes, self.zero_point)
        }
    }
    #[inline(always)]
    unsafe fn load_filter(from: *const i32) -> __m256i {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm256_loadu_si256(from.cast()) }
    }
    #[inline(always)]
    unsafe fn zero() -> __m256i {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm256_setzero_si256() }
    }
    #[inline(always)]
    unsafe fn start(_: *const i32) -> __m256i {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm256_setzero_si256() }
    }
    #[inline(always)]
    unsafe fn accumulate(sum: __m256i, value: __m256i, filter: __m256i) -> __m256i {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm256_add_epi32(sum, _mm256_madd_epi16(value, filter)) }
    }
    #[inline(always)]
    unsafe fn load_sums(from: *const i32) -> __m256i {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm256_loadu_si256(from.cast()) }
    }
    #[inline(always)]
    unsafe fn store_sums(sum: __m256i, to: *mut i32) {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm256_storeu_si256(to.cast(), sum) }
    }
    #[inline(always)]
    unsafe fn finish(self, sum: __m256i, channel: usize, clamped: bool, to: *mut i8) {
        let mut sums = [0; 8];
        // SAFETY: what the trait asks of the caller; eight sums are stored and read.
        unsafe {
            Self::store_sums(sum, sums.as_mut_ptr());
            self.requantize.value(Avx2::load_i32(sums.as_ptr()), channel, clamped).store_i8(to);
        }
    }
}

/// Eight channels, two rows of four in each of two registers of 16 bits.
#[derive(Clone, Copy)]
struct Pairs {
    finish: Whole,
    scale: f32,
    scales: *const f32,
    bias: *const f32,
}

// SAFETY: each method reads and writes eight values.
unsafe impl Quads for Pairs {
    const COUNT: usize = 8;
    const WORDS: usize = 2;
    const OFFSET: i32 = 0;
    type Engine = Bytes;
    type Column = [__m256i; 2];
    type Sum = __m256i;

    #[inline(always)]
    unsafe fn new(job: &Job<i8>, finish: Whole) -> Self {
        let (scales, bias) = (job.scales.as_ptr(), job.bias.as_ptr());
        Self { finish, scale: job.scale, scales, bias }
    }
    unsafe fn prepare(taps: [i8; 4], lane: usize, to: *mut i32) {
        let pair = |first: i8, second: i8| i32::from(first) & 0xffff | i32::from(second) << 16;
        // SAFETY: what the trait asks of the caller.
        unsafe {
            to.add(lane).write(pair(taps[0], taps[1]));
            to.add(Self::COUNT + lane).write(pair(taps[2], taps[3]));
        }
    }
    #[inline(always)]
    unsafe fn filter(from: *const i32) -> [__m256i; 2] {
        // SAFETY: what the trait asks of the caller.
        unsafe { [0, Self::COUNT].map(|word| _mm256_loadu_si256(from.add(word).cast())) }
    }
    #[inline(always)]
    unsafe fn column(rows: [*const i8; 4]) -> [__m256i; 2] {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let [first, second, third, fourth] = rows.map(|row| _mm_loadl_epi64(row.cast()));
            [_mm_unpacklo_epi8(first, second), _mm_unpacklo_epi8(third, fourth)]
                .map(|pairs| _mm256_cvtepi8_epi16(pairs))
        }
    }
    #[inline(always)]
    unsafe fn start(from: *const i32) -> __m256i {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm256_loadu_si256(from.cast()) }
    }
    #[inline(always)]
    unsafe fn dot(sum: __m256i, column: [__m256i; 2], filter: [__m256i; 2]) -> __m256i {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let upper = _mm256_madd_epi16(column[0], filter[0]);
            let lower = _mm256_madd_epi16(column[1], filter[1]);
            _mm256_add_epi32(_mm256_add_epi32(sum, upper), lower)
        }
    }
    #[inline(always)]
    unsafe fn store_sums(sum: __m256i, to: *mut i32) {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm256_storeu_si256(to.cast(), sum) }
    }
    #[inline(always)]
    unsafe fn finish(self, sum: __m256i, channel: usize, to: *mut i8) {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let scales = [self.scales.add(channel), self.bias.add(channel)];
            finish_whole(sum, self.scale, scales, self.finish, to);
        }
    }
}

/// Finishes eight sums that started from the bits of `WHOLE`.
///
/// # Safety
/// The pointers are good for eight values, and the CPU has AVX2 and FMA.
#[inline(always)]
pub(super) unsafe fn finish_whole(
    sum: __m256i,
    row_scale: f32,
    [scales, bias]: [*const f32; 2],
    finish: Whole,
    to: *mut i8,
) {
    // SAFETY: passed on to the caller.
    unsafe {
        let whole = _mm256_set1_ps(WHOLE);
        let sum = _mm256_sub_ps(_mm256_castsi256_ps(sum), whole);
        let scaled = _mm256_mul_ps(sum, _mm256_set1_ps(row_scale));
        let value = _mm256_fmadd_ps(scaled, _mm256_loadu_ps(scales), _mm256_loadu_ps(bias));
        let steps = _mm256_mul_ps(value, _mm256_set1_ps(finish.inverse));
        let [low, high] = finish.limits.map(|limit| _mm256_set1_ps(limit));
        let steps = _mm256_min_ps(_mm256_max_ps(steps, low), high);
        let bits = _mm256_castps_si256(_mm256_add_ps(steps, whole));
        // The last byte of each float is the number, and the zero point keeps it within a byte.
        let last = _mm256_setr_epi8(
            0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 4, 8, 12, -1, -1, -1,
            -1, -1, -1, -1, -1, -1, -1, -1, -1,
        );
        let bytes = _mm256_shuffle_epi8(bits, last);
        let bytes =
            _mm_unpacklo_epi32(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256::<1>(bytes));
        let bytes = _mm_add_epi8(bytes, _mm_set1_epi8(finish.zero_point));
        _mm_storel_epi64(to.cast(), bytes);
    }
}
