//! `vpdpbusd` by columns of four rows: eight channels. Values have 128 more than they should, and sums start with that much less.

use super::DepthwiseRow;
use super::avx2::{Bytes, finish_whole};
use super::quads::{Quads, Whole, sweep_quads};
use super::sweep::Job;
use crate::features::{Isa, Schedule};
use crate::kernel::Identity;
use std::arch::x86_64::*;

pub(super) const DEPTHWISE_I8: DepthwiseRow<i8> = DepthwiseRow {
    identity: Identity {
        name: "depthwise_i8_2x4x8_avx_vnni",
        operation: "depthwise",
        element: "i8",
        tile: "2x4x8",
        needs: &[Isa::AvxVnni],
        schedule: Schedule::OutOfOrder,
    },
    lanes: 8,
    run,
};

#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
unsafe fn run(job: &mut Job<i8>) {
    // SAFETY: the features are enabled here.
    unsafe { sweep_quads::<Dots>(job) }
}

#[derive(Clone, Copy)]
struct Dots {
    finish: Whole,
    scale: f32,
    scales: *const f32,
    bias: *const f32,
}

// SAFETY: each method reads and writes eight values.
unsafe impl Quads for Dots {
    const COUNT: usize = 8;
    const WORDS: usize = 1;
    const OFFSET: i32 = 128;
    type Engine = Bytes;
    type Column = __m256i;
    type Sum = __m256i;

    #[inline(always)]
    unsafe fn new(job: &Job<i8>, finish: Whole) -> Self {
        let (scales, bias) = (job.scales.as_ptr(), job.bias.as_ptr());
        Self { finish, scale: job.scale, scales, bias }
    }
    unsafe fn prepare(taps: [i8; 4], lane: usize, to: *mut i32) {
        // SAFETY: what the trait asks of the caller.
        unsafe { to.add(lane).write(i32::from_ne_bytes(taps.map(|tap| tap as u8))) };
    }
    #[inline(always)]
    unsafe fn filter(from: *const i32) -> __m256i {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm256_loadu_si256(from.cast()) }
    }
    #[inline(always)]
    unsafe fn column(rows: [*const i8; 4]) -> __m256i {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let [first, second, third, fourth] = rows.map(|row| _mm_loadl_epi64(row.cast()));
            let (upper, lower) =
                (_mm_unpacklo_epi8(first, second), _mm_unpacklo_epi8(third, fourth));
            let column = _mm256_set_m128i(
                _mm_unpackhi_epi16(upper, lower),
                _mm_unpacklo_epi16(upper, lower),
            );
            _mm256_xor_si256(column, _mm256_set1_epi8(-128))
        }
    }
    #[inline(always)]
    unsafe fn start(from: *const i32) -> __m256i {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm256_loadu_si256(from.cast()) }
    }
    #[inline(always)]
    unsafe fn dot(sum: __m256i, column: __m256i, filter: __m256i) -> __m256i {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm256_dpbusd_avx_epi32(sum, column, filter) }
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
