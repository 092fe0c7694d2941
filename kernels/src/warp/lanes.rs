//! Four pixels at a time where all that they read is inside of the source; the others by the plain version.

use super::{Edge, Places, STEP, Source, scalar};
use crate::bytes::Bytes;

/// # Safety
/// The CPU has the engine's instructions.
#[inline(always)]
pub(super) unsafe fn sample<B: Bytes, const C: usize>(
    source: &Source<'_>,
    places: &Places,
    edge: Edge,
    pixels: &mut [u8],
) {
    let count = pixels.len() / C;
    assert!(count <= STEP);
    let [width, height] = source.size.map(|size| size as i32);
    let (right, bottom) = ((width - 1) << 16, (height - 1) << 16);
    let stride = source.stride_bytes as i32;
    let (mut xs, mut ys) = (places.x, places.y);
    if edge == Edge::Repeat {
        for index in 0..STEP {
            (xs[index], ys[index]) = (xs[index].clamp(0, right), ys[index].clamp(0, bottom));
        }
    }
    let mut offsets = [0_i32; STEP];
    let mut across = [0_u8; STEP];
    let mut down = [0_i16; STEP];
    // Negative where a pixel that the sample reads is outside of the source.
    let mut outside = [0_i32; STEP];
    // A loop a width: the compiler keeps lanes of one width in each.
    for index in 0..STEP {
        let (x, y) = (xs[index], ys[index]);
        outside[index] = x | y | (right - 1).wrapping_sub(x) | (bottom - 1).wrapping_sub(y);
        offsets[index] = (y >> 16).wrapping_mul(stride).wrapping_add((x >> 16) * C as i32);
    }
    for index in 0..STEP {
        across[index] = (((xs[index] & 0xffff) + 256) >> 9) as u8;
    }
    for index in 0..STEP {
        down[index] = ((ys[index] & 0xffff) >> 1) as i16;
    }
    // The last offset at which eight bytes of both rows may be read.
    let last = source.bytes.len() as i64 - i64::from(stride) - 8;
    let (mut far, mut greatest) = (0, 0);
    for index in 0..count {
        far |= outside[index];
        greatest = greatest.max(offsets[index]);
    }
    // The last sixteen bytes of a row are written only by a group that has them all.
    let groups = if C == 4 { count / 4 } else { (count * C + 12).saturating_sub(16) / 12 };
    let mut done = 0;
    if far >= 0 && i64::from(greatest) <= last {
        for group in 0..groups {
            let at = group * 4;
            // SAFETY: each offset is that of a pixel with neighbours to the right and below, and eight bytes may be read there
            // and a row further; the lists hold four values from `at` on, the row sixteen bytes.
            unsafe {
                let values = four::<B, C>(source, &offsets, &across, &down, at);
                values.store(pixels.as_mut_ptr().add(at * C));
            }
        }
        done = groups * 4;
    }
    while done + 4 <= count {
        let far = outside[done] | outside[done + 1] | outside[done + 2] | outside[done + 3];
        let greatest = offsets[done..done + 4].iter().max().copied().unwrap_or(0);
        let to = &mut pixels[done * C..][..4 * C];
        if far < 0 || i64::from(greatest) > last {
            plainly::<C>(source, places, edge, done..done + 4, to);
        } else {
            let mut values = [0; 16];
            // SAFETY: as above; there is room for sixteen bytes.
            unsafe {
                four::<B, C>(source, &offsets, &across, &down, done).store(values.as_mut_ptr());
            }
            to.copy_from_slice(&values[..4 * C]);
        }
        done += 4;
    }
    plainly::<C>(source, places, edge, done..count, &mut pixels[done * C..]);
}

/// Four samples, in the first `4 · C` bytes.
///
/// # Safety
/// The CPU has the engine's instructions; `at + 4 ≤ STEP`; at each offset, and a row further, eight bytes may be read.
#[inline(always)]
unsafe fn four<B: Bytes, const C: usize>(
    source: &Source<'_>,
    offsets: &[i32; STEP],
    across: &[u8; STEP],
    down: &[i16; STEP],
    at: usize,
) -> B {
    // SAFETY: passed on to the caller.
    unsafe {
        let base = source.bytes.as_ptr();
        let next = base.add(source.stride_bytes);
        let offsets = offsets.as_ptr().add(at);
        let [a, b, c, d] = [
            *offsets as usize,
            *offsets.add(1) as usize,
            *offsets.add(2) as usize,
            *offsets.add(3) as usize,
        ];
        let above = [base.add(a), base.add(b), base.add(c), base.add(d)];
        let below = [next.add(a), next.add(b), next.add(c), next.add(d)];
        let (across, down) = (across.as_ptr().add(at), down.as_ptr().add(at));
        let (top, bottom, down) = if C == 3 {
            (B::mix3(above, across), B::mix3(below, across), B::spread3(down))
        } else {
            (B::mix4(above, across), B::mix4(below, across), B::spread4(down))
        };
        let words = B::add(top, B::mul_round(B::sub(bottom, top), down));
        let values = B::narrow::<7>(words);
        if C == 3 { values.compact3() } else { values }
    }
}

#[inline(never)]
fn plainly<const C: usize>(
    source: &Source<'_>,
    places: &Places,
    edge: Edge,
    range: std::ops::Range<usize>,
    pixels: &mut [u8],
) {
    for (index, to) in range.zip(pixels.as_chunks_mut::<C>().0) {
        let (x, y) = (places.x[index], places.y[index]);
        let [width, height] = source.size.map(|size| (size as i32) << 16);
        let nowhere = x <= -65536 || y <= -65536 || x >= width || y >= height;
        *to =
            if nowhere && edge == Edge::Clear { [0; C] } else { scalar::pixel(source, x, y, edge) };
    }
}
