//! Sixteen pixels at a time; the rest of a row by the plain version.

use super::scalar;
use crate::bytes::Bytes;

#[inline(always)]
unsafe fn mixed<B: Bytes>(over: B, under: B, alpha: B, rest: B) -> B {
    // SAFETY: the caller has the instructions.
    unsafe { B::over_255(under.mul_add(rest, over.mul(alpha))) }
}

/// # Safety
/// The CPU has the engine's instructions; so for all functions below.
#[inline(always)]
pub(super) unsafe fn straight<B: Bytes>(over: &[u8], under: &mut [u8]) {
    let whole = over.len() / 64;
    assert!(under.len() >= whole * 48);
    let (mut from, mut to) = (over.as_ptr(), under.as_mut_ptr());
    for _ in 0..whole {
        // SAFETY: both slices hold `whole` blocks of 16 pixels.
        unsafe {
            let [red, green, blue, alpha] = B::load4(from);
            let under = B::load3(to);
            let rest = alpha.complement();
            let red = mixed(red, under[0], alpha, rest);
            let green = mixed(green, under[1], alpha, rest);
            B::store3([red, green, mixed(blue, under[2], alpha, rest)], to);
            (from, to) = (from.add(64), to.add(48));
        }
    }
    scalar::straight(&over[whole * 64..], &mut under[whole * 48..]);
}

/// # Safety
/// See [`straight`].
#[inline(always)]
pub(super) unsafe fn premultiplied<B: Bytes>(over: &[u8], under: &mut [u8]) {
    let whole = over.len() / 64;
    assert!(under.len() >= whole * 48);
    let (mut from, mut to) = (over.as_ptr(), under.as_mut_ptr());
    for _ in 0..whole {
        // SAFETY: both slices hold `whole` blocks of 16 pixels.
        unsafe {
            let [red, green, blue, alpha] = B::load4(from);
            let under = B::load3(to);
            let rest = alpha.complement();
            let red = red.add_bytes_saturating(B::over_255(under[0].mul(rest)));
            let green = green.add_bytes_saturating(B::over_255(under[1].mul(rest)));
            let blue = blue.add_bytes_saturating(B::over_255(under[2].mul(rest)));
            B::store3([red, green, blue], to);
            (from, to) = (from.add(64), to.add(48));
        }
    }
    scalar::premultiplied(&over[whole * 64..], &mut under[whole * 48..]);
}

/// # Safety
/// See [`straight`].
#[inline(always)]
pub(super) unsafe fn masked<B: Bytes>(over: &[u8], mask: &[u8], under: &mut [u8]) {
    let whole = mask.len() / 16;
    assert!(under.len() >= whole * 48 && over.len() >= whole * 48);
    let (mut from, mut to) = (over.as_ptr(), under.as_mut_ptr());
    for block in 0..whole {
        // SAFETY: the slices hold `whole` blocks of 16 pixels.
        unsafe {
            let alpha = B::load(mask.as_ptr().add(block * 16));
            let (over, under) = (B::load3(from), B::load3(to));
            let rest = alpha.complement();
            let red = mixed(over[0], under[0], alpha, rest);
            let green = mixed(over[1], under[1], alpha, rest);
            B::store3([red, green, mixed(over[2], under[2], alpha, rest)], to);
            (from, to) = (from.add(48), to.add(48));
        }
    }
    scalar::masked(&over[whole * 48..], &mask[whole * 16..], &mut under[whole * 48..]);
}

/// # Safety
/// See [`straight`].
#[inline(always)]
pub(super) unsafe fn masked_f32<B: Bytes>(over: &[u8], mask: &[f32], under: &mut [u8]) {
    const STEP: usize = 256;
    let mut bytes = [0; STEP];
    for ((over, mask), under) in
        over.chunks(STEP * 3).zip(mask.chunks(STEP)).zip(under.chunks_mut(STEP * 3))
    {
        for (byte, &value) in bytes.iter_mut().zip(mask) {
            *byte = scalar::byte_of(value);
        }
        // SAFETY: passed on to the caller.
        unsafe { masked::<B>(over, &bytes[..mask.len()], under) };
    }
}
