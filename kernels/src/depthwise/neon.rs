use super::DepthwiseRow;
use super::engine::{Byte, Engine, Requantize, Wide};
use super::sweep::{Job, sweep};
use crate::features::{Isa, Schedule};
use crate::kernel::Identity;
use crate::lanes::{Lanes, Neon};
use half::f16;
use std::arch::aarch64::*;

const fn identity(name: &'static str, element: &'static str, tile: &'static str) -> Identity {
    Identity {
        name,
        operation: "depthwise",
        element,
        tile,
        needs: &[Isa::Neon],
        schedule: Schedule::OutOfOrder,
    }
}

pub(super) const DEPTHWISE_I8: DepthwiseRow<i8> = DepthwiseRow {
    identity: identity("depthwise_i8_1x4x8_neon", "i8", "1x4x8"),
    lanes: 8,
    run: run_i8,
};
pub(super) const DEPTHWISE_F16: DepthwiseRow<f16> = DepthwiseRow {
    identity: identity("depthwise_f16_2x4x4_neon", "f16", "2x4x4"),
    lanes: 4,
    run: run_f16,
};
pub(super) const DEPTHWISE_F32: DepthwiseRow<f32> = DepthwiseRow {
    identity: identity("depthwise_f32_2x4x4_neon", "f32", "2x4x4"),
    lanes: 4,
    run: run_f32,
};

#[target_feature(enable = "neon")]
unsafe fn run_i8(job: &mut Job<i8>) {
    // SAFETY: the features are enabled here.
    unsafe { sweep::<Bytes>(job) }
}

#[target_feature(enable = "neon")]
unsafe fn run_f16(job: &mut Job<f16>) {
    // SAFETY: the features are enabled here.
    unsafe { sweep::<Wide<Neon, f16>>(job) }
}

#[target_feature(enable = "neon")]
unsafe fn run_f32(job: &mut Job<f32>) {
    // SAFETY: the features are enabled here.
    unsafe { sweep::<Wide<Neon, f32>>(job) }
}

/// Eight channels, each value less the zero point in an i16.
#[derive(Clone, Copy)]
struct Bytes {
    zero_point: int8x8_t,
    requantize: Requantize<Neon>,
}

// SAFETY: each method reads and writes eight values.
unsafe impl Engine for Bytes {
    const COUNT: usize = 8;
    const TWO_ROWS: bool = false;
    type Element = i8;
    type Filter = i16;
    type Value = int16x8_t;
    type Sum = [int32x4_t; 2];
    type Lanes = Neon;
    type Narrow = Byte;

    fn outside(zero_point: i32) -> i8 {
        zero_point as i8
    }
    fn filter(value: i8) -> i16 {
        value.into()
    }
    fn bias(_: f32) -> i16 {
        0
    }
    #[inline(always)]
    unsafe fn new(job: &Job<i8>) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let zero_point = vdup_n_s8(job.zero_point as i8);
            Self { zero_point, requantize: Requantize::new(job) }
        }
    }
    #[inline(always)]
    unsafe fn load(self, from: *const i8) -> int16x8_t {
        // SAFETY: what the trait asks of the caller.
        unsafe { vsubl_s8(vld1_s8(from), self.zero_point) }
    }
    #[inline(always)]
    unsafe fn load_filter(from: *const i16) -> int16x8_t {
        // SAFETY: what the trait asks of the caller.
        unsafe { vld1q_s16(from) }
    }
    #[inline(always)]
    unsafe fn zero() -> [int32x4_t; 2] {
        // SAFETY: what the trait asks of the caller.
        unsafe { [vdupq_n_s32(0); 2] }
    }
    #[inline(always)]
    unsafe fn start(_: *const i16) -> [int32x4_t; 2] {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self::zero() }
    }
    #[inline(always)]
    unsafe fn accumulate(
        [low, high]: [int32x4_t; 2],
        value: int16x8_t,
        filter: int16x8_t,
    ) -> [int32x4_t; 2] {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            [
                vmlal_s16(low, vget_low_s16(value), vget_low_s16(filter)),
                vmlal_high_s16(high, value, filter),
            ]
        }
    }
    #[inline(always)]
    unsafe fn load_sums(from: *const i32) -> [int32x4_t; 2] {
        // SAFETY: what the trait asks of the caller.
        unsafe { [vld1q_s32(from), vld1q_s32(from.add(4))] }
    }
    #[inline(always)]
    unsafe fn store_sums([low, high]: [int32x4_t; 2], to: *mut i32) {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            vst1q_s32(to, low);
            vst1q_s32(to.add(4), high);
        }
    }
    #[inline(always)]
    unsafe fn finish(self, sum: [int32x4_t; 2], channel: usize, clamped: bool, to: *mut i8) {
        let mut sums = [0; 8];
        // SAFETY: what the trait asks of the caller; eight sums are stored and read.
        unsafe {
            Self::store_sums(sum, sums.as_mut_ptr());
            for half in [0, 4] {
                let lanes = Neon::load_i32(sums.as_ptr().add(half));
                self.requantize.value(lanes, channel + half, clamped).store_i8(to.add(half));
            }
        }
    }
}
