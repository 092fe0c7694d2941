//! Halves multiplied and summed as halves.

use super::DepthwiseRow;
use super::engine::{Engine, Wide};
use super::sweep::{Job, sweep};
use crate::features::{Isa, Schedule};
use crate::kernel::Identity;
use crate::lanes::Neon;
use half::f16;
use std::arch::aarch64::*;

pub(super) const DEPTHWISE_F16: DepthwiseRow<f16> = DepthwiseRow {
    identity: Identity {
        name: "depthwise_f16_2x4x8_neon_fp16",
        operation: "depthwise",
        element: "f16",
        tile: "2x4x8",
        needs: &[Isa::NeonFp16],
        schedule: Schedule::OutOfOrder,
    },
    lanes: 8,
    run: run_f16,
};

#[target_feature(enable = "neon,fp16")]
unsafe fn run_f16(job: &mut Job<f16>) {
    // SAFETY: the features are enabled here.
    unsafe { sweep::<Halves>(job) }
}

/// Eight channels.
#[derive(Clone, Copy)]
struct Halves {
    limits: [float16x8_t; 2],
}

#[inline(always)]
unsafe fn load(from: *const f16) -> float16x8_t {
    // SAFETY: the caller's pointer is good for eight values.
    unsafe { vreinterpretq_f16_u16(vld1q_u16(from.cast())) }
}

#[inline(always)]
unsafe fn splat(value: f32) -> float16x8_t {
    // SAFETY: the caller vouches for the instructions.
    unsafe { vreinterpretq_f16_u16(vdupq_n_u16(f16::from_f32(value).to_bits())) }
}

// SAFETY: each method reads and writes eight values.
unsafe impl Engine for Halves {
    const COUNT: usize = 8;
    const TWO_ROWS: bool = true;
    type Element = f16;
    type Filter = f16;
    type Value = float16x8_t;
    type Sum = float16x8_t;
    type Lanes = Neon;
    type Narrow = Wide<f32, f16>;

    fn outside(_: i32) -> f16 {
        f16::ZERO
    }
    fn filter(value: f16) -> f16 {
        value
    }
    fn bias(value: f32) -> f16 {
        f16::from_f32(value)
    }
    #[inline(always)]
    unsafe fn new(job: &Job<f16>) -> Self {
        let [low, high] = job.epilogue.activation.limits().unwrap_or_default();
        // SAFETY: what the trait asks of the caller.
        unsafe { Self { limits: [splat(low), splat(high)] } }
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f16) -> float16x8_t {
        // SAFETY: what the trait asks of the caller.
        unsafe { load(from) }
    }
    #[inline(always)]
    unsafe fn load_filter(from: *const f16) -> float16x8_t {
        // SAFETY: what the trait asks of the caller.
        unsafe { load(from) }
    }
    #[inline(always)]
    unsafe fn zero() -> float16x8_t {
        // SAFETY: what the trait asks of the caller.
        unsafe { splat(0.0) }
    }
    #[inline(always)]
    unsafe fn start(bias: *const f16) -> float16x8_t {
        // SAFETY: what the trait asks of the caller.
        unsafe { load(bias) }
    }
    #[inline]
    #[target_feature(enable = "neon,fp16")]
    unsafe fn accumulate(sum: float16x8_t, value: float16x8_t, filter: float16x8_t) -> float16x8_t {
        vfmaq_f16(sum, value, filter)
    }
    #[inline(always)]
    unsafe fn load_sums(from: *const f32) -> float16x8_t {
        // SAFETY: what the trait asks of the caller.
        unsafe { vcombine_f16(vcvt_f16_f32(vld1q_f32(from)), vcvt_f16_f32(vld1q_f32(from.add(4)))) }
    }
    #[inline(always)]
    unsafe fn store_sums(sum: float16x8_t, to: *mut f32) {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            vst1q_f32(to, vcvt_f32_f16(vget_low_f16(sum)));
            vst1q_f32(to.add(4), vcvt_high_f32_f16(sum));
        }
    }
    #[inline]
    #[target_feature(enable = "neon,fp16")]
    unsafe fn finish(self, sum: float16x8_t, _: usize, clamped: bool, to: *mut f16) {
        let [low, high] = self.limits;
        let value = if clamped { vminq_f16(vmaxq_f16(sum, low), high) } else { sum };
        // SAFETY: the caller's pointer takes eight values.
        unsafe { vst1q_u16(to.cast(), vreinterpretq_u16_f16(value)) };
    }
}
