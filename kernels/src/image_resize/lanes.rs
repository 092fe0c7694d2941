//! Sixteen values at a time: four pixels of three or four channels, or sixteen of one.

use super::{GROUP, grouped, scalar};
use crate::bytes::Bytes;

/// # Safety
/// The CPU has the engine's instructions, offsets ascend and each is that of a pixel in the row.
#[inline(always)]
pub(super) unsafe fn line<B: Bytes, const C: usize>(
    row: &[u8],
    offsets: &[i32],
    weights: &[u8],
    line: &mut [i16],
) {
    let pixels = grouped(C);
    let groups = offsets.len() / pixels;
    assert!(weights.len() >= groups * pixels && line.len() >= groups * GROUP);
    // Groups whose pixels and neighbours may be read as eight bytes (two of one channel).
    let reach = if C == 1 { 2 } else { 8 };
    let near = |&offset: &i32| offset as usize + reach <= row.len();
    let safe = offsets.partition_point(near) / pixels;
    let base = row.as_ptr();
    for group in 0..safe {
        // SAFETY: the lists hold a group; each offset has `reach` bytes in the row.
        unsafe {
            let offsets = offsets.as_ptr().add(group * pixels);
            let weights = weights.as_ptr().add(group * pixels);
            let to = line.as_mut_ptr().add(group * GROUP);
            if C == 1 {
                let mut sides = [[0; 16]; 2];
                for at in 0..16 {
                    let from = base.add(*offsets.add(at) as usize);
                    (sides[0][at], sides[1][at]) = (*from, *from.add(1));
                }
                let [first, second] = [B::load(sides[0].as_ptr()), B::load(sides[1].as_ptr())];
                B::store_words(B::mix(first, second, B::load(weights)), to);
            } else {
                let from = [
                    base.add(*offsets as usize),
                    base.add(*offsets.add(1) as usize),
                    base.add(*offsets.add(2) as usize),
                    base.add(*offsets.add(3) as usize),
                ];
                let words = if C == 3 { B::mix3(from, weights) } else { B::mix4(from, weights) };
                B::store_words(words, to);
            }
        }
    }
    for group in safe..groups {
        let offsets = &offsets[group * pixels..][..pixels];
        let weights = &weights[group * pixels..][..pixels];
        let mut sides = [[0; 16]; 2];
        let mut copies = [[0; 8]; 4];
        for (at, &offset) in offsets.iter().enumerate() {
            let rest = &row[offset as usize..];
            if C == 1 {
                (sides[0][at], sides[1][at]) = (rest[0], *rest.get(1).unwrap_or(&0));
            } else {
                let count = rest.len().min(8);
                copies[at][..count].copy_from_slice(&rest[..count]);
            }
        }
        // SAFETY: the copies are as long as is read; the line holds a group.
        unsafe {
            let from = copies.each_ref().map(|copy| copy.as_ptr());
            let weights = weights.as_ptr();
            let words = match C {
                1 => {
                    let [first, second] = [B::load(sides[0].as_ptr()), B::load(sides[1].as_ptr())];
                    B::mix(first, second, B::load(weights))
                }
                3 => B::mix3(from, weights),
                _ => B::mix4(from, weights),
            };
            B::store_words(words, line[group * GROUP..][..GROUP].as_mut_ptr());
        }
    }
}

/// # Safety
/// The CPU has the engine's instructions; so for all functions below.
#[inline(always)]
pub(super) unsafe fn mix<B: Bytes, const C: usize>(
    first: &[i16],
    second: &[i16],
    weight: i16,
    pixels: &mut [u8],
) {
    let bytes = grouped(C) * C;
    let groups = pixels.len().div_ceil(bytes);
    assert!(first.len() >= groups * GROUP && second.len() >= groups * GROUP);
    let safe = (pixels.len() + bytes).saturating_sub(16) / bytes;
    for group in 0..safe {
        // SAFETY: both lines hold the group, and sixteen bytes may be written from its first pixel on.
        unsafe {
            let values = mixed::<B, C>(first, second, group, weight);
            values.store(pixels.as_mut_ptr().add(group * bytes));
        }
    }
    for group in safe..groups {
        let mut last = [0; 16];
        // SAFETY: both lines hold the group.
        unsafe { mixed::<B, C>(first, second, group, weight).store(last.as_mut_ptr()) };
        let rest = &mut pixels[group * bytes..];
        let count = rest.len().min(bytes);
        rest[..count].copy_from_slice(&last[..count]);
    }
}

/// # Safety
/// The CPU has the engine's instructions; both lines hold the group.
#[inline(always)]
unsafe fn mixed<B: Bytes, const C: usize>(
    first: &[i16],
    second: &[i16],
    group: usize,
    weight: i16,
) -> B {
    // SAFETY: passed on to the caller.
    unsafe {
        let a = B::load_words(first.as_ptr().add(group * GROUP));
        let b = B::load_words(second.as_ptr().add(group * GROUP));
        let words = B::add(a, B::mul_round(B::sub(b, a), B::words(weight)));
        let values = B::narrow::<7>(words);
        if C == 3 { values.compact3() } else { values }
    }
}

/// # Safety
/// See [`mix`]; and the line holds the groups of all pixels.
#[inline(always)]
pub(super) unsafe fn across<B: Bytes, const C: usize>(
    line: &[i16],
    starts: &[i32],
    ends: &[i32],
    weights: &[i16],
    pixels: &mut [u8],
) {
    let count = pixels.len() / C;
    assert!(count > 0 && starts.len() >= count && ends.len() > count);
    assert!(weights.len() >= ends[count] as usize * 8);
    for (i, to) in pixels.as_chunks_mut::<C>().0.iter_mut().enumerate() {
        // SAFETY: as the caller says.
        let pixel = unsafe {
            let start = *starts.get_unchecked(i) as usize;
            let (first, end) = (*ends.get_unchecked(i), *ends.get_unchecked(i + 1));
            let weights = weights.as_ptr().add(first as usize * 8);
            B::taps::<C>(line.as_ptr().add(start), weights, (end - first) as usize)
        };
        to.copy_from_slice(&pixel.to_le_bytes()[..C]);
    }
}

/// # Safety
/// See [`mix`].
#[inline(always)]
pub(super) unsafe fn sum<B: Bytes>(source: &[u8], rows: &[i32], weights: &[i16], line: &mut [i16]) {
    assert_eq!(rows.len(), weights.len());
    assert!(rows.iter().all(|&row| row >= 0 && row as usize + line.len() <= source.len()));
    let whole = line.len() / 32;
    for block in 0..whole {
        // SAFETY: each row holds as many bytes as the line has words, which is `whole` blocks of 32 at least.
        unsafe {
            let (mut low, mut high) = (B::words(0), B::words(0));
            for (&row, &weight) in rows.iter().zip(weights) {
                let from = source.as_ptr().add(row as usize + block * 32);
                let weight = B::words(weight);
                let share = B::mul_round(B::load(from).widen::<7>(), weight);
                low = B::add(low, share);
                let share = B::mul_round(B::load(from.add(16)).widen::<7>(), weight);
                high = B::add(high, share);
            }
            B::store_words(low, line.as_mut_ptr().add(block * 32));
            B::store_words(high, line.as_mut_ptr().add(block * 32 + 16));
        }
    }
    let done = whole * 32;
    if done < line.len() {
        let source = &source[done..];
        scalar::sum(source, rows, weights, &mut line[done..]);
    }
}
