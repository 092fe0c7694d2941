use super::lanes::{self, Sixteen};
use super::{Normalisation, NormaliseRow, Value};
use crate::bytes::Neon;
use crate::features::{Isa, Schedule};
use crate::kernel::Identity;
use half::f16;
use std::arch::aarch64::*;

pub(super) const F32: NormaliseRow<f32> = NormaliseRow {
    identity: Identity {
        name: "normalise_u8_f32_48_neon",
        operation: "normalise",
        element: "u8_f32",
        tile: "48",
        needs: &[Isa::Neon],
        schedule: Schedule::OutOfOrder,
    },
    interleaved: interleaved::<f32>,
    planar: planar::<f32>,
};

pub(super) const F16: NormaliseRow<f16> = NormaliseRow {
    identity: Identity {
        name: "normalise_u8_f16_48_neon",
        operation: "normalise",
        element: "u8_f16",
        tile: "48",
        needs: &[Isa::Neon],
        schedule: Schedule::OutOfOrder,
    },
    interleaved: interleaved::<f16>,
    planar: planar::<f16>,
};

pub(super) const I8: NormaliseRow<i8> = NormaliseRow {
    identity: Identity {
        name: "normalise_u8_i8_48_neon",
        operation: "normalise",
        element: "u8_i8",
        tile: "48",
        needs: &[Isa::Neon],
        schedule: Schedule::OutOfOrder,
    },
    interleaved: interleaved::<i8>,
    planar: planar::<i8>,
};

#[target_feature(enable = "neon")]
unsafe fn interleaved<T: Value>(source: &[u8], line: &Normalisation, target: &mut [T])
where
    Neon: Sixteen<T>,
{
    // SAFETY: the features are enabled here.
    unsafe { lanes::interleaved::<Neon, T>(source, line, target) }
}

#[target_feature(enable = "neon")]
unsafe fn planar<T: Value>(source: &[u8], line: &Normalisation, target: [&mut [T]; 3])
where
    Neon: Sixteen<T>,
{
    // SAFETY: the features are enabled here.
    unsafe { lanes::planar::<Neon, Neon, T>(source, line, target) }
}

/// Which byte goes into which 32-bit lane; 255 gives 0.
const WIDENED: [[u8; 16]; 4] = {
    let mut table = [[255; 16]; 4];
    let mut value = 0;
    while value < 16 {
        table[value / 4][value % 4 * 4] = value as u8;
        value += 1;
    }
    table
};

#[inline(always)]
unsafe fn read(from: *const u8) -> [float32x4_t; 4] {
    // SAFETY: the caller has NEON and 16 bytes; each row of the table is 16 bytes.
    unsafe {
        let bytes = vld1q_u8(from);
        let mut values = [vdupq_n_f32(0.0); 4];
        for quarter in 0..4 {
            let lanes = vqtbl1q_u8(bytes, vld1q_u8(WIDENED[quarter].as_ptr()));
            values[quarter] = vcvtq_f32_u32(vreinterpretq_u32_u8(lanes));
        }
        values
    }
}

// SAFETY: the tests compare the results with the plain version's.
unsafe impl Sixteen<f32> for Neon {
    type Lane = float32x4_t;
    const REGISTERS: usize = 4;
    #[inline(always)]
    unsafe fn read(from: *const u8) -> [float32x4_t; 4] {
        // SAFETY: what the trait asks of the caller.
        unsafe { read(from) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> float32x4_t {
        // SAFETY: what the trait asks of the caller.
        unsafe { vld1q_f32(from) }
    }
    #[inline(always)]
    unsafe fn fma(a: float32x4_t, b: float32x4_t, sum: float32x4_t) -> float32x4_t {
        // SAFETY: what the trait asks of the caller.
        unsafe { vfmaq_f32(sum, a, b) }
    }
    #[inline(always)]
    unsafe fn write(values: [float32x4_t; 4], _: i32, to: *mut f32) {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            for at in 0..4 {
                vst1q_f32(to.add(at * 4), values[at])
            }
        }
    }
}

// SAFETY: the tests compare the results with the plain version's.
unsafe impl Sixteen<f16> for Neon {
    type Lane = float32x4_t;
    const REGISTERS: usize = 4;
    #[inline(always)]
    unsafe fn read(from: *const u8) -> [float32x4_t; 4] {
        // SAFETY: what the trait asks of the caller.
        unsafe { read(from) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> float32x4_t {
        // SAFETY: what the trait asks of the caller.
        unsafe { vld1q_f32(from) }
    }
    #[inline(always)]
    unsafe fn fma(a: float32x4_t, b: float32x4_t, sum: float32x4_t) -> float32x4_t {
        // SAFETY: what the trait asks of the caller.
        unsafe { vfmaq_f32(sum, a, b) }
    }
    #[inline(always)]
    unsafe fn write(values: [float32x4_t; 4], _: i32, to: *mut f16) {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            for half in 0..2 {
                let low = vcvt_f16_f32(values[half * 2]);
                let both = vcvt_high_f16_f32(low, values[half * 2 + 1]);
                vst1q_u16(to.add(half * 8).cast(), vreinterpretq_u16_f16(both))
            }
        }
    }
}

// SAFETY: the tests compare the results with the plain version's.
unsafe impl Sixteen<i8> for Neon {
    type Lane = float32x4_t;
    const REGISTERS: usize = 4;
    #[inline(always)]
    unsafe fn read(from: *const u8) -> [float32x4_t; 4] {
        // SAFETY: what the trait asks of the caller.
        unsafe { read(from) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> float32x4_t {
        // SAFETY: what the trait asks of the caller.
        unsafe { vld1q_f32(from) }
    }
    #[inline(always)]
    unsafe fn fma(a: float32x4_t, b: float32x4_t, sum: float32x4_t) -> float32x4_t {
        // SAFETY: what the trait asks of the caller.
        unsafe { vfmaq_f32(sum, a, b) }
    }
    #[inline(always)]
    unsafe fn write(values: [float32x4_t; 4], zero_point: i32, to: *mut i8) {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let zero_point = vdupq_n_s16(zero_point as i16);
            let low =
                vqmovn_high_s32(vqmovn_s32(vcvtnq_s32_f32(values[0])), vcvtnq_s32_f32(values[1]));
            let high =
                vqmovn_high_s32(vqmovn_s32(vcvtnq_s32_f32(values[2])), vcvtnq_s32_f32(values[3]));
            let (low, high) = (vqaddq_s16(low, zero_point), vqaddq_s16(high, zero_point));
            vst1q_s8(to, vqmovn_high_s16(vqmovn_s16(low), high))
        }
    }
}
