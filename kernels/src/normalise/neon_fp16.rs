//! Computes in halves: factor and term are rounded to halves first.

use super::{Normalisation, NormaliseRow, scalar};
use crate::bytes::{Bytes, Neon};
use crate::features::{Isa, Schedule};
use crate::kernel::Identity;
use half::f16;
use std::arch::aarch64::*;

pub(super) const F16: NormaliseRow<f16> = NormaliseRow {
    identity: Identity {
        name: "normalise_u8_f16_48_neon_fp16",
        operation: "normalise",
        element: "u8_f16",
        tile: "48",
        needs: &[Isa::NeonFp16],
        schedule: Schedule::OutOfOrder,
    },
    interleaved,
    planar,
};

#[target_feature(enable = "neon,fp16")]
fn halves(values: [f32; 8]) -> float16x8_t {
    let halves = values.map(|value| f16::from_f32(value).to_bits());
    // SAFETY: eight halves are there.
    vreinterpretq_f16_u16(unsafe { vld1q_u16(halves.as_ptr()) })
}

/// Writes sixteen values; `lines` are the factors and terms of both halves of them.
///
/// # Safety
/// `to` is good for 16 halves.
#[target_feature(enable = "neon,fp16")]
unsafe fn write(bytes: uint8x16_t, lines: [(float16x8_t, float16x8_t); 2], to: *mut f16) {
    let low = vcvtq_f16_u16(vmovl_u8(vget_low_u8(bytes)));
    let high = vcvtq_f16_u16(vmovl_high_u8(bytes));
    let low = vfmaq_f16(lines[0].1, low, lines[0].0);
    let high = vfmaq_f16(lines[1].1, high, lines[1].0);
    // SAFETY: as the caller says.
    unsafe {
        vst1q_u16(to.cast(), vreinterpretq_u16_f16(low));
        vst1q_u16(to.add(8).cast(), vreinterpretq_u16_f16(high));
    }
}

#[target_feature(enable = "neon,fp16")]
unsafe fn interleaved(source: &[u8], line: &Normalisation, target: &mut [f16]) {
    let mut lines = [(halves([0.0; 8]), halves([0.0; 8])); 3];
    for phase in 0..3 {
        let pattern = |of: [f32; 3]| std::array::from_fn(|i| of[(phase * 8 + i) % 3]);
        lines[phase] = (halves(pattern(line.factor)), halves(pattern(line.term)));
    }
    let whole = source.len() / 48;
    assert!(target.len() >= whole * 48);
    let (mut from, mut to) = (source.as_ptr(), target.as_mut_ptr());
    for _ in 0..whole {
        // SAFETY: both slices hold `whole` blocks of 48 values.
        unsafe {
            write(vld1q_u8(from), [lines[0], lines[1]], to);
            write(vld1q_u8(from.add(16)), [lines[2], lines[0]], to.add(16));
            write(vld1q_u8(from.add(32)), [lines[1], lines[2]], to.add(32));
            (from, to) = (from.add(48), to.add(48));
        }
    }
    scalar::interleaved(&source[whole * 48..], line, &mut target[whole * 48..]);
}

#[target_feature(enable = "neon,fp16")]
unsafe fn planar(source: &[u8], line: &Normalisation, target: [&mut [f16]; 3]) {
    let whole = source.len() / 48;
    for channel in 0..3 {
        let of = (halves([line.factor[channel]; 8]), halves([line.term[channel]; 8]));
        let plane = &mut target[channel][..whole * 16];
        for block in 0..whole {
            // SAFETY: the slices hold `whole` blocks of 16 pixels.
            unsafe {
                let mut bytes = [0; 16];
                Neon::load3(source.as_ptr().add(block * 48))[channel].store(bytes.as_mut_ptr());
                write(vld1q_u8(bytes.as_ptr()), [of, of], plane.as_mut_ptr().add(block * 16));
            }
        }
    }
    let rest = target.map(|plane| &mut plane[whole * 16..]);
    scalar::planar(&source[whole * 48..], line, rest);
}
