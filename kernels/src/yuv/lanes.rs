//! Thirty-two pixels at a time, sixteen of even and sixteen of odd column; the rest of a row by the plain version.

use super::{Chroma, ChromaMut, Matrix, scalar};
use crate::bytes::Bytes;

const PIXELS: usize = 32;

#[inline(always)]
unsafe fn times<B: Bytes>(words: B::Words, factor: i16) -> B::Words {
    // SAFETY: the caller has the instructions.
    unsafe { B::mul_round(words, B::words(factor)) }
}

/// Adds luma to the parts that chroma gives each channel.
#[inline(always)]
unsafe fn channels<B: Bytes>(luma: B, parts: [B::Words; 3], matrix: &Matrix) -> [B; 3] {
    // SAFETY: the caller has the instructions.
    unsafe {
        let luma = times::<B>(luma.widen::<7>(), matrix.luma);
        [
            B::narrow::<6>(B::add_saturating(luma, parts[0])),
            B::narrow::<6>(B::add_saturating(luma, parts[1])),
            B::narrow::<6>(B::add_saturating(luma, parts[2])),
        ]
    }
}

/// Writes pixels of even and of odd column, put in order.
#[inline(always)]
unsafe fn write_rgb<B: Bytes>(luma: [B; 2], cb: B, cr: B, matrix: &Matrix, to: *mut u8) {
    // SAFETY: the caller has the instructions and gives room for 32 pixels.
    unsafe {
        let (cb, cr) = (cb.centred(), cr.centred());
        let [red, green_cb, green_cr, blue] = matrix.chroma;
        let offset = B::words(matrix.offset);
        let green = B::add(times::<B>(cb, green_cb), times::<B>(cr, green_cr));
        let parts = [
            B::sub(times::<B>(cr, red), offset),
            B::sub(green, offset),
            B::sub(times::<B>(cb, blue), offset),
        ];
        let even = channels(luma[0], parts, matrix);
        let odd = channels(luma[1], parts, matrix);
        let red = B::zip(even[0], odd[0]);
        let green = B::zip(even[1], odd[1]);
        let blue = B::zip(even[2], odd[2]);
        B::store3([red[0], green[0], blue[0]], to);
        B::store3([red[1], green[1], blue[1]], to.add(48));
    }
}

/// # Safety
/// The CPU has the engine's instructions; so for all functions below.
#[inline(always)]
pub(super) unsafe fn rgb_from_yuyv<B: Bytes>(yuyv: &[u8], matrix: &Matrix, rgb: &mut [u8]) {
    let whole = rgb.len() / 3 / PIXELS;
    assert!(yuyv.len() >= whole * PIXELS * 2);
    let (from, to) = (yuyv.as_ptr(), rgb.as_mut_ptr());
    for block in 0..whole {
        // SAFETY: both slices hold `whole` blocks of 32 pixels.
        unsafe {
            let [even, cb, odd, cr] = B::load4(from.add(block * PIXELS * 2));
            write_rgb([even, odd], cb, cr, matrix, to.add(block * PIXELS * 3));
        }
    }
    scalar::rgb_from_yuyv(&yuyv[whole * PIXELS * 2..], matrix, &mut rgb[whole * PIXELS * 3..]);
}

/// # Safety
/// See [`rgb_from_yuyv`].
#[inline(always)]
pub(super) unsafe fn rgb_from_planes<B: Bytes>(
    luma: &[u8],
    chroma: Chroma<'_>,
    matrix: &Matrix,
    rgb: &mut [u8],
) {
    let whole = luma.len() / PIXELS;
    assert!(rgb.len() >= whole * PIXELS * 3);
    let (from, to) = (luma.as_ptr(), rgb.as_mut_ptr());
    let rest = match chroma {
        Chroma::Together(chroma) => {
            assert!(chroma.len() >= whole * PIXELS);
            for block in 0..whole {
                // SAFETY: the slices hold `whole` blocks of 32 pixels.
                unsafe {
                    let [cb, cr] = B::load2(chroma.as_ptr().add(block * PIXELS));
                    let luma = B::load2(from.add(block * PIXELS));
                    write_rgb(luma, cb, cr, matrix, to.add(block * PIXELS * 3));
                }
            }
            Chroma::Together(&chroma[whole * PIXELS..])
        }
        Chroma::Apart(cb, cr) => {
            assert!(cb.len() >= whole * PIXELS / 2 && cr.len() >= whole * PIXELS / 2);
            for block in 0..whole {
                // SAFETY: the slices hold `whole` blocks of 32 pixels.
                unsafe {
                    let cb = B::load(cb.as_ptr().add(block * PIXELS / 2));
                    let cr = B::load(cr.as_ptr().add(block * PIXELS / 2));
                    let luma = B::load2(from.add(block * PIXELS));
                    write_rgb(luma, cb, cr, matrix, to.add(block * PIXELS * 3));
                }
            }
            Chroma::Apart(&cb[whole * PIXELS / 2..], &cr[whole * PIXELS / 2..])
        }
    };
    scalar::rgb_from_planes(&luma[whole * PIXELS..], rest, matrix, &mut rgb[whole * PIXELS * 3..]);
}

#[inline(always)]
unsafe fn luma_of<B: Bytes>(pixels: [B; 3], matrix: &Matrix) -> B {
    // SAFETY: the caller has the instructions.
    unsafe {
        let sum = B::words(128);
        let sum = pixels[0].mul_add(B::splat(matrix.to_luma[0]), sum);
        let sum = pixels[1].mul_add(B::splat(matrix.to_luma[1]), sum);
        let sum = pixels[2].mul_add(B::splat(matrix.to_luma[2]), sum);
        B::high_bytes(sum).add_bytes(B::splat(matrix.black))
    }
}

#[inline(always)]
unsafe fn chroma_of<B: Bytes>([red, green, blue]: [B; 3], matrix: &Matrix) -> [B; 2] {
    // SAFETY: the caller has the instructions.
    unsafe {
        let [to_cb, to_cr] = matrix.to_chroma;
        let middle = B::words(32895_u16 as i16);
        let cb = red.mul_sub(B::splat(to_cb[0]), middle);
        let cb = green.mul_sub(B::splat(to_cb[1]), cb);
        let cb = blue.mul_add(B::splat(to_cb[2]), cb);
        let cr = green.mul_sub(B::splat(to_cr[1]), middle);
        let cr = blue.mul_sub(B::splat(to_cr[2]), cr);
        let cr = red.mul_add(B::splat(to_cr[0]), cr);
        [B::high_bytes(cb), B::high_bytes(cr)]
    }
}

/// The channels of 32 pixels, even and odd apart.
#[inline(always)]
unsafe fn load_parted<B: Bytes>(from: *const u8) -> [[B; 3]; 2] {
    // SAFETY: the caller has the instructions and 32 pixels.
    unsafe {
        let (first, second) = (B::load3(from), B::load3(from.add(48)));
        let red = B::unzip(first[0], second[0]);
        let green = B::unzip(first[1], second[1]);
        let blue = B::unzip(first[2], second[2]);
        [[red[0], green[0], blue[0]], [red[1], green[1], blue[1]]]
    }
}

#[inline(always)]
unsafe fn means<B: Bytes>(a: [B; 3], b: [B; 3]) -> [B; 3] {
    // SAFETY: the caller has the instructions.
    unsafe { [a[0].average(b[0]), a[1].average(b[1]), a[2].average(b[2])] }
}

/// # Safety
/// See [`rgb_from_yuyv`].
#[inline(always)]
pub(super) unsafe fn yuyv_from_rgb<B: Bytes>(rgb: &[u8], matrix: &Matrix, yuyv: &mut [u8]) {
    let whole = rgb.len() / 3 / PIXELS;
    assert!(yuyv.len() >= whole * PIXELS * 2);
    for block in 0..whole {
        // SAFETY: both slices hold `whole` blocks of 32 pixels.
        unsafe {
            let [even, odd] = load_parted::<B>(rgb.as_ptr().add(block * PIXELS * 3));
            let [cb, cr] = chroma_of(means(even, odd), matrix);
            let (even, odd) = (luma_of(even, matrix), luma_of(odd, matrix));
            B::store4([even, cb, odd, cr], yuyv.as_mut_ptr().add(block * PIXELS * 2));
        }
    }
    scalar::yuyv_from_rgb(&rgb[whole * PIXELS * 3..], matrix, &mut yuyv[whole * PIXELS * 2..]);
}

/// # Safety
/// See [`rgb_from_yuyv`].
#[inline(always)]
pub(super) unsafe fn luma_from_rgb<B: Bytes>(rgb: &[u8], matrix: &Matrix, luma: &mut [u8]) {
    let whole = luma.len() / 16;
    assert!(rgb.len() >= whole * 48);
    for block in 0..whole {
        // SAFETY: both slices hold `whole` blocks of 16 pixels.
        unsafe {
            luma_of(B::load3(rgb.as_ptr().add(block * 48)), matrix)
                .store(luma.as_mut_ptr().add(block * 16));
        }
    }
    scalar::luma_from_rgb(&rgb[whole * 48..], matrix, &mut luma[whole * 16..]);
}

/// # Safety
/// The CPU has the engine's instructions; both rows hold more than `block` blocks of 32 pixels.
#[inline(always)]
unsafe fn chroma_block<B: Bytes>(
    top: &[u8],
    bottom: &[u8],
    block: usize,
    matrix: &Matrix,
) -> [B; 2] {
    // SAFETY: passed on to the caller.
    unsafe {
        let top = load_parted::<B>(top.as_ptr().add(block * PIXELS * 3));
        let bottom = load_parted::<B>(bottom.as_ptr().add(block * PIXELS * 3));
        let (even, odd) = (means(top[0], bottom[0]), means(top[1], bottom[1]));
        chroma_of(means(even, odd), matrix)
    }
}

/// # Safety
/// See [`rgb_from_yuyv`].
#[inline(always)]
pub(super) unsafe fn chroma_from_rgb<B: Bytes>(
    [top, bottom]: [&[u8]; 2],
    matrix: &Matrix,
    to: ChromaMut<'_>,
) {
    let whole = top.len() / 3 / PIXELS;
    assert!(bottom.len() >= whole * PIXELS * 3);
    let rest = match to {
        ChromaMut::Together(chroma) => {
            assert!(chroma.len() >= whole * PIXELS);
            for at in 0..whole {
                // SAFETY: the rows hold `whole` blocks of 32 pixels, the slice of 16 pairs.
                unsafe {
                    let pairs = chroma_block::<B>(top, bottom, at, matrix);
                    B::store2(pairs, chroma.as_mut_ptr().add(at * PIXELS));
                }
            }
            ChromaMut::Together(&mut chroma[whole * PIXELS..])
        }
        ChromaMut::Apart(to_cb, to_cr) => {
            assert!(to_cb.len() >= whole * PIXELS / 2 && to_cr.len() >= whole * PIXELS / 2);
            for at in 0..whole {
                // SAFETY: the rows hold `whole` blocks of 32 pixels, the slices of 16 values.
                unsafe {
                    let [cb, cr] = chroma_block::<B>(top, bottom, at, matrix);
                    cb.store(to_cb.as_mut_ptr().add(at * PIXELS / 2));
                    cr.store(to_cr.as_mut_ptr().add(at * PIXELS / 2));
                }
            }
            ChromaMut::Apart(&mut to_cb[whole * PIXELS / 2..], &mut to_cr[whole * PIXELS / 2..])
        }
    };
    let skipped = whole * PIXELS * 3;
    scalar::chroma_from_rgb([&top[skipped..], &bottom[skipped..]], matrix, rest);
}
