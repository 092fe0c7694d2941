use super::DepthwiseRow;
use super::engine::{Byte, Engine, Requantize, Wide};
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
    unsafe { sweep::<Bytes>(job) }
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
struct Bytes {
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
