use crate::gemm::Quantization;
use half::f16;
use std::arch::aarch64::*;

/// Quantizes a row of halves with few conversions: what would saturate is clamped as halves, by their bits, and adding 1.5·2²³ rounds what is
/// left to the nearest integer, ties to even, into the low bits. False where the row holds NaN or the clamp's limits are no
/// halves; `to` then holds anything.
#[target_feature(enable = "neon")]
pub(super) unsafe fn quantize(from: &[f16], quantization: Quantization, to: &mut [i8]) -> bool {
    const STEP: usize = 16;
    const ROUND: f32 = 12_582_912.0;
    const INFINITY: i16 = 0x7c00;
    let Quantization { scale, zero_point } = quantization;
    let inverse = 1.0 / scale;
    // The half that is quantized to the limit itself: all beyond it are, too.
    let limit = |limit: i32| {
        let half = f16::from_f32((limit - zero_point) as f32 * scale);
        let value = (half.to_f32() * inverse).round_ties_even() + zero_point as f32;
        (value == limit as f32).then_some(half.to_bits() | (((limit < 0) as u16) << 15))
    };
    let (Some(low), Some(high)) = (limit(-128), limit(127)) else { return false };
    let length = from.len().min(to.len());
    if length < STEP {
        return false;
    }
    let (low, high) = (vdupq_n_u16(low), vdupq_n_s16(high as i16));
    let (mut most, mut least) = (vdupq_n_s16(0), vdupq_n_u16(0));
    let mut at = 0;
    loop {
        // The last step overlaps the one before.
        let first = at.min(length - STEP);
        // SAFETY: the step ends at `length` at the latest.
        let halves = unsafe {
            let from = from.as_ptr().add(first).cast::<u16>();
            [vld1q_u16(from), vld1q_u16(from.add(8))]
        };
        let words = halves.map(|bits| {
            most = vmaxq_s16(most, vreinterpretq_s16_u16(bits));
            least = vmaxq_u16(least, bits);
            let bounded = vreinterpretq_u16_s16(vminq_s16(vreinterpretq_s16_u16(bits), high));
            let bounded = vreinterpretq_f16_u16(vminq_u16(bounded, low));
            let rounded = |value: float32x4_t| {
                let scaled = vmulq_n_f32(value, inverse);
                vreinterpretq_u16_f32(vaddq_f32(scaled, vdupq_n_f32(ROUND)))
            };
            vuzp1q_u16(
                rounded(vcvt_f32_f16(vget_low_f16(bounded))),
                rounded(vcvt_high_f32_f16(bounded)),
            )
        });
        let [front, back] = words.map(|words| vreinterpretq_s8_u16(words));
        let bytes = vaddq_s8(vuzp1q_s8(front, back), vdupq_n_s8(zero_point as i8));
        // SAFETY: as above.
        unsafe { vst1q_s8(to.as_mut_ptr().add(first), bytes) };
        at += STEP;
        if at >= length {
            break;
        }
    }
    vmaxvq_s16(most) <= INFINITY && vmaxvq_u16(least) <= INFINITY as u16 | 1 << 15
}
