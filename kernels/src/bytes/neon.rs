use super::Bytes;
use std::arch::aarch64::*;

/// Sixteen bytes of NEON; words are two registers of eight.
#[derive(Clone, Copy)]
pub struct Neon(uint8x16_t);

/// Where the first of two neighbours of each of four pixels lies, eight bytes a pixel; 255 gives 0.
const FIRST: [u8; 16] = [0, 1, 2, 8, 9, 10, 16, 17, 18, 24, 25, 26, 255, 255, 255, 255];
/// Where the second lies.
const SECOND: [u8; 16] = [3, 4, 5, 11, 12, 13, 19, 20, 21, 27, 28, 29, 255, 255, 255, 255];
const SPREAD3: [u8; 16] = [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 255, 255, 255, 255];
const SPREAD4: [u8; 16] = [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3];
const WORDS3: [[u8; 16]; 2] = doubled(SPREAD3);
const WORDS4: [[u8; 16]; 2] = doubled(SPREAD4);

/// The bytes of the words that the table names.
const fn doubled(table: [u8; 16]) -> [[u8; 16]; 2] {
    let mut bytes = [[255; 16]; 2];
    let mut at = 0;
    while at < 16 {
        if table[at] < 255 {
            bytes[at / 8][at % 8 * 2] = table[at] * 2;
            bytes[at / 8][at % 8 * 2 + 1] = table[at] * 2 + 1;
        }
        at += 1;
    }
    bytes
}

#[inline(always)]
unsafe fn mixed(
    first: uint8x16_t,
    second: uint8x16_t,
    weights: uint8x16_t,
) -> (int16x8_t, int16x8_t) {
    // SAFETY: the caller has NEON.
    unsafe {
        let others = vsubq_u8(vdupq_n_u8(128), weights);
        let low = vmull_u8(vget_low_u8(first), vget_low_u8(others));
        let low = vmlal_u8(low, vget_low_u8(second), vget_low_u8(weights));
        let high = vmlal_high_u8(vmull_high_u8(first, others), second, weights);
        (vreinterpretq_s16_u16(low), vreinterpretq_s16_u16(high))
    }
}
// SAFETY: whole numbers throughout; the tests of the operations compare every method's use with plain loops.
unsafe impl Bytes for Neon {
    type Words = (int16x8_t, int16x8_t);
    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(vld1q_u8(from)) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: what the trait asks of the caller.
        unsafe { vst1q_u8(to, self.0) }
    }
    #[inline(always)]
    unsafe fn load2(from: *const u8) -> [Self; 2] {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let v = vld2q_u8(from);
            [Self(v.0), Self(v.1)]
        }
    }
    #[inline(always)]
    unsafe fn load3(from: *const u8) -> [Self; 3] {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let v = vld3q_u8(from);
            [Self(v.0), Self(v.1), Self(v.2)]
        }
    }
    #[inline(always)]
    unsafe fn load4(from: *const u8) -> [Self; 4] {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let v = vld4q_u8(from);
            [Self(v.0), Self(v.1), Self(v.2), Self(v.3)]
        }
    }
    #[inline(always)]
    unsafe fn store2(values: [Self; 2], to: *mut u8) {
        // SAFETY: what the trait asks of the caller.
        unsafe { vst2q_u8(to, uint8x16x2_t(values[0].0, values[1].0)) }
    }
    #[inline(always)]
    unsafe fn store3(values: [Self; 3], to: *mut u8) {
        // SAFETY: what the trait asks of the caller.
        unsafe { vst3q_u8(to, uint8x16x3_t(values[0].0, values[1].0, values[2].0)) }
    }
    #[inline(always)]
    unsafe fn store4(values: [Self; 4], to: *mut u8) {
        // SAFETY: what the trait asks of the caller.
        unsafe { vst4q_u8(to, uint8x16x4_t(values[0].0, values[1].0, values[2].0, values[3].0)) }
    }
    #[inline(always)]
    unsafe fn splat(value: u8) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(vdupq_n_u8(value)) }
    }
    #[inline(always)]
    unsafe fn zip(a: Self, b: Self) -> [Self; 2] {
        // SAFETY: what the trait asks of the caller.
        unsafe { [Self(vzip1q_u8(a.0, b.0)), Self(vzip2q_u8(a.0, b.0))] }
    }
    #[inline(always)]
    unsafe fn unzip(a: Self, b: Self) -> [Self; 2] {
        // SAFETY: what the trait asks of the caller.
        unsafe { [Self(vuzp1q_u8(a.0, b.0)), Self(vuzp2q_u8(a.0, b.0))] }
    }
    #[inline(always)]
    unsafe fn average(self, other: Self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(vrhaddq_u8(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn complement(self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(vmvnq_u8(self.0)) }
    }
    #[inline(always)]
    unsafe fn add_bytes(self, other: Self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(vaddq_u8(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn add_bytes_saturating(self, other: Self) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(vqaddq_u8(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn centred(self) -> Self::Words {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let flipped = veorq_u8(self.0, vdupq_n_u8(128));
            let zero = vdupq_n_u8(0);
            (
                vreinterpretq_s16_u8(vzip1q_u8(zero, flipped)),
                vreinterpretq_s16_u8(vzip2q_u8(zero, flipped)),
            )
        }
    }
    #[inline(always)]
    unsafe fn widen<const LEFT: i32>(self) -> Self::Words {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            (
                vreinterpretq_s16_u16(vshll_n_u8::<LEFT>(vget_low_u8(self.0))),
                vreinterpretq_s16_u16(vshll_high_n_u8::<LEFT>(self.0)),
            )
        }
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self::Words {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            (
                vreinterpretq_s16_u16(vmull_u8(vget_low_u8(self.0), vget_low_u8(other.0))),
                vreinterpretq_s16_u16(vmull_high_u8(self.0, other.0)),
            )
        }
    }
    #[inline(always)]
    unsafe fn mul_add(self, other: Self, sum: Self::Words) -> Self::Words {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            (
                vreinterpretq_s16_u16(vmlal_u8(
                    vreinterpretq_u16_s16(sum.0),
                    vget_low_u8(self.0),
                    vget_low_u8(other.0),
                )),
                vreinterpretq_s16_u16(vmlal_high_u8(vreinterpretq_u16_s16(sum.1), self.0, other.0)),
            )
        }
    }
    #[inline(always)]
    unsafe fn mul_sub(self, other: Self, sum: Self::Words) -> Self::Words {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            (
                vreinterpretq_s16_u16(vmlsl_u8(
                    vreinterpretq_u16_s16(sum.0),
                    vget_low_u8(self.0),
                    vget_low_u8(other.0),
                )),
                vreinterpretq_s16_u16(vmlsl_high_u8(vreinterpretq_u16_s16(sum.1), self.0, other.0)),
            )
        }
    }
    #[inline(always)]
    unsafe fn words(value: i16) -> Self::Words {
        // SAFETY: what the trait asks of the caller.
        unsafe { (vdupq_n_s16(value), vdupq_n_s16(value)) }
    }
    #[inline(always)]
    unsafe fn load_words(from: *const i16) -> Self::Words {
        // SAFETY: what the trait asks of the caller.
        unsafe { (vld1q_s16(from), vld1q_s16(from.add(8))) }
    }
    #[inline(always)]
    unsafe fn store_words(words: Self::Words, to: *mut i16) {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            vst1q_s16(to, words.0);
            vst1q_s16(to.add(8), words.1)
        }
    }
    #[inline(always)]
    unsafe fn add(a: Self::Words, b: Self::Words) -> Self::Words {
        // SAFETY: what the trait asks of the caller.
        unsafe { (vaddq_s16(a.0, b.0), vaddq_s16(a.1, b.1)) }
    }
    #[inline(always)]
    unsafe fn sub(a: Self::Words, b: Self::Words) -> Self::Words {
        // SAFETY: what the trait asks of the caller.
        unsafe { (vsubq_s16(a.0, b.0), vsubq_s16(a.1, b.1)) }
    }
    #[inline(always)]
    unsafe fn add_saturating(a: Self::Words, b: Self::Words) -> Self::Words {
        // SAFETY: what the trait asks of the caller.
        unsafe { (vqaddq_s16(a.0, b.0), vqaddq_s16(a.1, b.1)) }
    }
    #[inline(always)]
    unsafe fn mul_round(a: Self::Words, b: Self::Words) -> Self::Words {
        // SAFETY: what the trait asks of the caller.
        unsafe { (vqrdmulhq_s16(a.0, b.0), vqrdmulhq_s16(a.1, b.1)) }
    }
    #[inline(always)]
    unsafe fn narrow<const RIGHT: i32>(words: Self::Words) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(vqrshrun_high_n_s16::<RIGHT>(vqrshrun_n_s16::<RIGHT>(words.0), words.1)) }
    }
    #[inline(always)]
    unsafe fn high_bytes(words: Self::Words) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe { Self(vuzp2q_u8(vreinterpretq_u8_s16(words.0), vreinterpretq_u8_s16(words.1))) }
    }
    #[inline(always)]
    unsafe fn over_255(words: Self::Words) -> Self {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let (a, b) = (vreinterpretq_u16_s16(words.0), vreinterpretq_u16_s16(words.1));
            Self(vraddhn_high_u16(vraddhn_u16(a, vrshrq_n_u16::<8>(a)), b, vrshrq_n_u16::<8>(b)))
        }
    }
    #[inline(always)]
    unsafe fn mix3(from: [*const u8; 4], weights: *const u8) -> Self::Words {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let pixels = uint8x16x2_t(
                vcombine_u8(vld1_u8(from[0]), vld1_u8(from[1])),
                vcombine_u8(vld1_u8(from[2]), vld1_u8(from[3])),
            );
            let first = vqtbl2q_u8(pixels, vld1q_u8(FIRST.as_ptr()));
            let second = vqtbl2q_u8(pixels, vld1q_u8(SECOND.as_ptr()));
            let weights = vqtbl1q_u8(
                vreinterpretq_u8_u32(vdupq_n_u32(weights.cast::<u32>().read_unaligned())),
                vld1q_u8(SPREAD3.as_ptr()),
            );
            mixed(first, second, weights)
        }
    }
    #[inline(always)]
    unsafe fn mix4(from: [*const u8; 4], weights: *const u8) -> Self::Words {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let low = vreinterpretq_u32_u8(vcombine_u8(vld1_u8(from[0]), vld1_u8(from[1])));
            let high = vreinterpretq_u32_u8(vcombine_u8(vld1_u8(from[2]), vld1_u8(from[3])));
            let weights = vqtbl1q_u8(
                vreinterpretq_u8_u32(vdupq_n_u32(weights.cast::<u32>().read_unaligned())),
                vld1q_u8(SPREAD4.as_ptr()),
            );
            mixed(
                vreinterpretq_u8_u32(vuzp1q_u32(low, high)),
                vreinterpretq_u8_u32(vuzp2q_u32(low, high)),
                weights,
            )
        }
    }
    #[inline(always)]
    unsafe fn mix(first: Self, second: Self, weights: Self) -> Self::Words {
        // SAFETY: what the trait asks of the caller.
        unsafe { mixed(first.0, second.0, weights.0) }
    }
    #[inline(always)]
    unsafe fn spread3(values: *const i16) -> Self::Words {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let values = vreinterpretq_u8_u64(vdupq_n_u64(values.cast::<u64>().read_unaligned()));
            (
                vreinterpretq_s16_u8(vqtbl1q_u8(values, vld1q_u8(WORDS3[0].as_ptr()))),
                vreinterpretq_s16_u8(vqtbl1q_u8(values, vld1q_u8(WORDS3[1].as_ptr()))),
            )
        }
    }
    #[inline(always)]
    unsafe fn spread4(values: *const i16) -> Self::Words {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let values = vreinterpretq_u8_u64(vdupq_n_u64(values.cast::<u64>().read_unaligned()));
            (
                vreinterpretq_s16_u8(vqtbl1q_u8(values, vld1q_u8(WORDS4[0].as_ptr()))),
                vreinterpretq_s16_u8(vqtbl1q_u8(values, vld1q_u8(WORDS4[1].as_ptr()))),
            )
        }
    }
    #[inline(always)]
    unsafe fn compact3(self) -> Self {
        self
    }
    #[inline(always)]
    unsafe fn taps<const C: usize>(line: *const i16, weights: *const i16, groups: usize) -> u32 {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let mut sum = vdupq_n_s16(0);
            for group in 0..groups {
                let values = vld1q_s16(line.add(group * (8 / C * C)));
                sum = vaddq_s16(sum, vqrdmulhq_s16(values, vld1q_s16(weights.add(group * 8))));
            }
            let pixel = match C {
                1 => vdup_n_s16(vaddvq_s16(sum)),
                3 => vadd_s16(vget_low_s16(sum), vget_low_s16(vextq_s16::<3>(sum, sum))),
                _ => vadd_s16(vget_low_s16(sum), vget_high_s16(sum)),
            };
            vget_lane_u32::<0>(vreinterpret_u32_u8(vqrshrun_n_s16::<7>(vcombine_s16(pixel, pixel))))
        }
    }
}
