use super::Lanes;
use half::f16;
use std::arch::aarch64::*;

/// Four lanes of NEON.
#[derive(Clone, Copy)]
pub struct Neon(float32x4_t);
// SAFETY: the instructions round as IEEE 754 says, like the plain version; the tests compare them bit by bit.
unsafe impl Lanes for Neon {
    const COUNT: usize = 4;
    type Mask = uint32x4_t;
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(vdupq_n_f32(value)) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(vld1q_f32(from)) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: what the trait asks of the caller.
        unsafe { vst1q_f32(to, self.0) }
    }
    #[inline(always)]
    unsafe fn load_f16(from: *const f16) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(from.cast())))) }
    }
    #[inline(always)]
    unsafe fn store_f16(self, to: *mut f16) {
        // SAFETY: what the trait asks of the caller.
        unsafe { vst1_u16(to.cast(), vreinterpret_u16_f16(vcvt_f16_f32(self.0))) }
    }
    #[inline(always)]
    unsafe fn load_i32(from: *const i32) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(vcvtq_f32_s32(vld1q_s32(from))) }
    }
    #[inline(always)]
    unsafe fn load_i32_less(from: *const i32, factor: i32, terms: *const i32) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(vcvtq_f32_s32(vmlsq_n_s32(vld1q_s32(from), vld1q_s32(terms), factor))) }
    }
    #[inline(always)]
    unsafe fn load_i8(from: *const i8) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let bytes = vreinterpret_s8_u32(vdup_n_u32(from.cast::<u32>().read_unaligned()));
            Self(vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(bytes)))))
        }
    }
    #[inline(always)]
    unsafe fn store_i8(self, to: *mut i8) {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let words = vqmovn_s32(vcvtnq_s32_f32(self.0));
            let bytes = vqmovn_s16(vcombine_s16(words, words));
            to.cast::<u32>().write_unaligned(vget_lane_u32::<0>(vreinterpret_u32_s8(bytes)))
        }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(vaddq_f32(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(vsubq_f32(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(vmulq_f32(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(vdivq_f32(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn fma(self, factor: Self, term: Self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(vfmaq_f32(term.0, self.0, factor.0)) }
    }
    #[inline(always)]
    unsafe fn sqrt(self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(vsqrtq_f32(self.0)) }
    }
    #[inline(always)]
    unsafe fn abs(self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(vabsq_f32(self.0)) }
    }
    #[inline(always)]
    unsafe fn round(self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(vrndnq_f32(self.0)) }
    }
    #[inline(always)]
    unsafe fn at_least(self, limit: Self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(vmaxq_f32(self.0, limit.0)) }
    }
    #[inline(always)]
    unsafe fn at_most(self, limit: Self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(vminq_f32(self.0, limit.0)) }
    }
    #[inline(always)]
    unsafe fn exp2_of_integer(self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            Self(vreinterpretq_f32_s32(vshlq_n_s32::<23>(vaddq_s32(
                vcvtq_s32_f32(self.0),
                vdupq_n_s32(127),
            ))))
        }
    }
    #[inline(always)]
    unsafe fn less_than(self, other: Self) -> Self::Mask {
        // SAFETY: what the trait asks of the caller.
        unsafe { vcltq_f32(self.0, other.0) }
    }
    #[inline(always)]
    unsafe fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(vbslq_f32(mask, yes.0, no.0)) }
    }
    #[inline(always)]
    unsafe fn swap_pairs(self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(vrev64q_f32(self.0)) }
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        // SAFETY: what the trait asks of the caller.
        unsafe { vaddvq_f32(self.0) }
    }
    #[inline(always)]
    unsafe fn greatest(self) -> f32 {
        // SAFETY: what the trait asks of the caller.
        unsafe { vmaxvq_f32(self.0) }
    }
}
