use super::{Pointers, neon};
use crate::math::Activation;
use crate::math::neon_fp16::{
    gelu_each, gelu_tanh_each, load, load_first, narrow, silu_each, splat, store, store_first,
};
use half::f16;
use std::arch::aarch64::*;

/// # Safety
/// The CPU has fp16; the pointers are good for so many values.
#[target_feature(enable = "neon,fp16")]
pub unsafe fn run(activation: Activation, pointers: Pointers) {
    // SAFETY: the caller's.
    unsafe {
        let Pointers::F16(x, y, count) = pointers else {
            return neon::run(activation, pointers);
        };
        match activation {
            Activation::Silu => each(activation, x, y, count, |x| silu_each(x)),
            Activation::Gelu => each(activation, x, y, count, |x| gelu_each(x)),
            Activation::GeluTanh => each(activation, x, y, count, |x| gelu_tanh_each(x)),
            other => each(activation, x, y, count, |x| x.map(|x| other.halves(x))),
        }
    }
}

#[inline]
#[target_feature(enable = "neon,fp16")]
unsafe fn each(
    activation: Activation,
    x: *const f16,
    y: *mut f16,
    count: usize,
    pair: impl Fn([float16x8_t; 2]) -> [float16x8_t; 2],
) {
    let one = |x| activation.halves(x);
    let (end, rest) = (count / 8 * 8, count % 8);
    // SAFETY: each step reads and writes eight or `rest` of the values.
    unsafe {
        let mut at = 0;
        while at + 16 <= end {
            let values = pair([load(x.add(at)), load(x.add(at + 8))]);
            store(values[0], y.add(at));
            store(values[1], y.add(at + 8));
            at += 16;
        }
        if at < end {
            store(one(load(x.add(at))), y.add(at));
        }
        if rest > 0 {
            store_first(one(load_first(x.add(end), rest)), y.add(end), rest);
        }
    }
}

/// # Safety
/// The CPU has fp16; the pointers are good for whole rows.
#[target_feature(enable = "neon,fp16")]
pub unsafe fn prelu(slopes: &[f32], pointers: Pointers) {
    let Pointers::F16(x, y, count) = pointers else {
        // SAFETY: the caller's.
        return unsafe { neon::prelu(slopes, pointers) };
    };
    const CHANNELS: usize = 256;
    let channels = slopes.len();
    let mut halves = [f16::ZERO; CHANNELS];
    for start in (0..channels).step_by(CHANNELS) {
        let width = CHANNELS.min(channels - start);
        narrow(&slopes[start..], 1.0, &mut halves[..width]);
        for row in (0..count).step_by(channels) {
            // SAFETY: each step reads and writes eight or `part` of the row's channels; the slopes are a multiple of eight.
            unsafe {
                let (x, y) = (x.add(row + start), y.add(row + start));
                for at in (0..width).step_by(8) {
                    let part = (width - at).min(8);
                    let whole = part == 8;
                    let value = if whole { load(x.add(at)) } else { load_first(x.add(at), part) };
                    let less = vcltq_f16(value, splat(0.0));
                    let value =
                        vbslq_f16(less, vmulq_f16(value, load(halves.as_ptr().add(at))), value);
                    if whole {
                        store(value, y.add(at));
                    } else {
                        store_first(value, y.add(at), part);
                    }
                }
            }
        }
    }
}
