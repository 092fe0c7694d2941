//! Resizes pictures of bytes: bilinear, or the mean of the area that a pixel covers.
//!
//! | operand | type | shape | layout |
//! |---------|------|-------|--------|
//! | source | u8 | `[height, width, C]`, C = 1, 3 or 4 | interleaved, rows `stride_bytes` apart |
//! | target | u8 | `[rows, width, C]` | interleaved, rows `stride_bytes` apart |
//!
//! Target pixel `(i, j)` of `W × H` covers the rectangle of the source `[x + i·w/W, x + (i+1)·w/W) × [y + j·h/H, …)` of a
//! [`Region`] `x, y, w, h`. Bilinear samples its centre; area takes its mean, and where it is narrower than a pixel that of
//! a pixel around its centre. Outside of the source its edge is repeated.
//!
//! Fixed point, the same bits on every engine: bilinear places samples to 1/128 pixel in a row and 1/32768 between rows; values
//! are 16-bit with 7 bits of fraction. Bilinear is within 1.5 of the exact value, area within `1 + taps/128` where a
//! pixel covers `taps` rows and columns in all.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod lanes;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

use crate::kernel::{Identity, Kernel, Row};
use crate::plane::{Plane, PlaneMut};
use crate::scratch::{bytes_for, cut};
use std::ops::Range;

/// A rectangle of the source, in pixels; it may leave the source.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Region {
    /// Left edge.
    pub x: f64,
    /// Top edge.
    pub y: f64,
    /// From left to right; positive.
    pub width: f64,
    /// From top to bottom; positive.
    pub height: f64,
}

impl Region {
    /// All of a picture.
    pub fn whole([width, height]: [usize; 2]) -> Self {
        Self { x: 0.0, y: 0.0, width: width as f64, height: height as f64 }
    }
}

/// The source and how its pixels become those of the target.
#[derive(Clone, Copy, Debug)]
pub struct Resize<'a> {
    /// The pixels.
    pub source: Plane<'a>,
    /// Width and height of the source.
    pub size: [usize; 2],
    /// What the target shows.
    pub region: Region,
    /// Width and height of the whole target.
    pub target: [usize; 2],
}

/// Words of a line that a group of pixels takes, whatever the channels.
const GROUP: usize = 16;

/// Pixels in a group.
const fn grouped(channels: usize) -> usize {
    if channels == 1 { 16 } else { 4 }
}

/// Mixes neighbours in a row of the source: `line` in groups of 16 words, in an order of the version's own. Offsets ascend, and each
/// is that of a pixel in the row.
type Line = unsafe fn(row: &[u8], offsets: &[i32], weights: &[u8], line: &mut [i16]);
/// Mixes two lines, `weight` · 2^−15 of the second, and writes pixels.
type Mix = unsafe fn(first: &[i16], second: &[i16], weight: i16, pixels: &mut [u8]);
/// The weighted sum of rows of the source: `rows[k]` starts where `line` does.
type Sum = unsafe fn(source: &[u8], rows: &[i32], weights: &[i16], line: &mut [i16]);

/// The weighted sum of a line's pixels for each target pixel: `starts` are the first ones' places in the line, `ends` count groups
/// of eight weights up to and with the pixel's own; the first is 0. The line has [`SPARE`] words more than its pixels.
type Across =
    unsafe fn(line: &[i16], starts: &[i32], ends: &[i32], weights: &[i16], pixels: &mut [u8]);

/// Words that may be read behind a line.
const SPARE: usize = 8;

/// A version; its functions need its instructions. Lists are of one, three and four channels.
pub struct ImageResizeRow {
    identity: Identity,
    line: [Line; 3],
    mix: [Mix; 3],
    sum: Sum,
    across: [Across; 3],
}

impl Row for ImageResizeRow {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "aarch64")]
        neon::IMAGE_RESIZE,
        #[cfg(target_arch = "x86_64")]
        avx2::IMAGE_RESIZE,
        scalar::IMAGE_RESIZE,
    ];
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

/// Where a channel count stands in a version's lists.
fn listed(channels: usize) -> usize {
    match channels {
        1 => 0,
        3 => 1,
        4 => 2,
        _ => panic!("{channels} channels: only 1, 3 and 4 are known"),
    }
}

/// The pixel left of or at a sample, the one after it, and how much of that: 0..=1. Inside a source wider than one pixel
/// the two are neighbours.
fn neighbours(position: f64, length: usize) -> (usize, f64) {
    let bounded = position.clamp(0.0, (length - 1) as f64);
    let first = (bounded as usize).min(length.saturating_sub(2));
    (first, bounded - first as f64)
}

/// The source pixels under `[from, to)`: the first, and how many; positions outside are the edge's. Their shares add up to 32767.
fn shares(from: f64, to: f64, length: usize, mut share: impl FnMut(usize, i16)) -> (usize, usize) {
    let (from, to) = if to - from < 1.0 {
        let centre = (from + to) / 2.0;
        (centre - 0.5, centre + 0.5)
    } else {
        (from, to)
    };
    let edge = |pixel: f64| (pixel as i64).clamp(0, length as i64 - 1) as usize;
    let first = edge(from.floor());
    let last = edge(to.ceil() - 1.0).max(first);
    let until = |position: usize| {
        if position > last {
            return 32767;
        }
        ((position as f64).clamp(from, to) - from).mul_add(32767.0 / (to - from), 0.5) as i16
    };
    let mut before = 0;
    for pixel in first..=last {
        let end = until(pixel + 1);
        share(pixel, end - before);
        before = end;
    }
    (first, last + 1 - first)
}

/// The most pixels that [`shares`] gives.
fn most_shares(scale: f64) -> usize {
    scale.ceil() as usize + 2
}

/// The most groups of eight weights that a target pixel takes.
fn most_groups(scale: f64, channels: usize) -> usize {
    most_shares(scale).div_ceil(8 / channels)
}

impl Resize<'_> {
    fn check(&self, channels: usize, rows: &Range<usize>, target: &PlaneMut<'_>) {
        let Self { source, size: [width, height], region, target: [target_width, target_height] } =
            *self;
        assert!(width > 0 && height > 0 && target_width > 0 && target_height > 0, "no pixels");
        let sane = region.width > 0.0 && region.height > 0.0;
        assert!(sane && (region.x + region.y + region.width + region.height).is_finite());
        assert!(rows.start <= rows.end && rows.end <= target_height, "rows {rows:?}");
        assert!(source.bytes.len() <= i32::MAX as usize, "more than 2 GiB");
        source.check(height, width * channels);
        target.check(rows.len(), target_width * channels);
    }

    fn scale(&self) -> [f64; 2] {
        [self.region.width / self.target[0] as f64, self.region.height / self.target[1] as f64]
    }
}

impl Kernel<ImageResizeRow> {
    /// Bytes of scratch that [`Kernel::bilinear`] needs for a target of this width.
    pub fn bilinear_scratch(self, target_width: usize, channels: usize) -> usize {
        let groups = target_width.div_ceil(grouped(channels));
        let pixels = groups * grouped(channels);
        bytes_for::<i32>(pixels) + bytes_for::<u8>(pixels) + 2 * bytes_for::<i16>(groups * GROUP)
    }

    /// Bytes of scratch that [`Kernel::area`] needs.
    pub fn area_scratch(self, resize: &Resize<'_>, channels: usize) -> usize {
        let groups = resize.target[0] * most_groups(resize.scale()[0], channels);
        let rows = most_shares(resize.scale()[1]);
        2 * bytes_for::<i32>(resize.target[0] + 1)
            + bytes_for::<i16>(groups * 8)
            + bytes_for::<i32>(rows)
            + bytes_for::<i16>(rows)
            + bytes_for::<i16>(resize.size[0] * channels + SPARE)
    }

    /// Writes rows `rows` of the target, bilinear; `target` starts at the first of them.
    ///
    /// # Panics
    /// Where a slice is shorter than the sizes ask, a size is 0, or there are not 1, 3 or 4 channels.
    pub fn bilinear(
        self,
        resize: &Resize<'_>,
        channels: usize,
        rows: Range<usize>,
        mut target: PlaneMut<'_>,
        mut scratch: &mut [u8],
    ) {
        let at = listed(channels);
        resize.check(channels, &rows, &target);
        let Resize { source, size: [width, height], region, target: [target_width, _] } = *resize;
        let [across, down] = resize.scale();
        let groups = target_width.div_ceil(grouped(channels));
        let offsets = cut::<i32>(&mut scratch, groups * grouped(channels));
        let weights = cut::<u8>(&mut scratch, groups * grouped(channels));
        for (i, (offset, weight)) in offsets.iter_mut().zip(&mut *weights).enumerate() {
            let centre = i.min(target_width - 1) as f64 + 0.5;
            let (first, part) = neighbours(region.x + centre * across - 0.5, width);
            *offset = (first * channels) as i32;
            *weight = (part * 128.0).round() as u8;
        }
        let mut lines = [(); 2].map(|()| cut::<i16>(&mut scratch, groups * GROUP));
        let mut held = [usize::MAX; 2];
        let row = self.row();
        for y in rows.clone() {
            let (first, part) = neighbours(region.y + (y as f64 + 0.5) * down - 0.5, height);
            let weight = (part * 32768.0).round().min(32767.0) as i16;
            let second = if weight == 0 { first } else { (first + 1).min(height - 1) };
            if held[1] == first {
                held.swap(0, 1);
                lines.swap(0, 1);
            }
            for (side, wanted) in [first, second].into_iter().enumerate() {
                // The first line serves as the second where both are the same row.
                if held[side] != wanted && !(side == 1 && wanted == first) {
                    let from = source.row(wanted, width * channels);
                    // SAFETY: holding the kernel says that the CPU has its instructions; offsets ascend.
                    unsafe { (row.line[at])(from, offsets, weights, lines[side]) };
                    held[side] = wanted;
                }
            }
            let to = target.row(y - rows.start, target_width * channels);
            let other = if second == first { &*lines[0] } else { &*lines[1] };
            // SAFETY: as above.
            unsafe { (row.mix[at])(lines[0], other, weight, to) };
        }
    }

    /// Writes rows `rows` of the target, each pixel the mean of its area; `target` starts at the first of them.
    ///
    /// # Panics
    /// Where a slice is shorter than the sizes ask, a size is 0, or there are not 1, 3 or 4 channels.
    pub fn area(
        self,
        resize: &Resize<'_>,
        channels: usize,
        rows: Range<usize>,
        mut target: PlaneMut<'_>,
        mut scratch: &mut [u8],
    ) {
        let at = listed(channels);
        resize.check(channels, &rows, &target);
        let Resize { source, size: [width, height], region, target: [target_width, _] } = *resize;
        let [across, down] = resize.scale();
        let starts = cut::<i32>(&mut scratch, target_width);
        let ends = cut::<i32>(&mut scratch, target_width + 1);
        let weights = cut::<i16>(&mut scratch, target_width * most_groups(across, channels) * 8);
        let row_starts = cut::<i32>(&mut scratch, most_shares(down));
        let row_weights = cut::<i16>(&mut scratch, most_shares(down));
        let line = cut::<i16>(&mut scratch, width * channels + SPARE);
        let per_group = 8 / channels;
        let (mut groups, mut last) = (0, 0);
        weights.fill(0);
        ends[0] = 0;
        for i in 0..target_width {
            let left = region.x + i as f64 * across;
            let mut tap = 0;
            let (first, count) = shares(left, left + across, width, |_, share| {
                let to = (groups + tap / per_group) * 8 + tap % per_group * channels;
                weights[to..to + channels].fill(share);
                tap += 1;
            });
            starts[i] = first as i32;
            groups += count.div_ceil(per_group);
            ends[i + 1] = groups as i32;
            last = last.max(first + count);
        }
        let first = starts.iter().min().map_or(0, |&start| start as usize);
        for start in &mut *starts {
            *start = (*start - first as i32) * channels as i32;
        }
        let words = (last - first) * channels;
        line[words..words + SPARE].fill(0);
        for y in rows.clone() {
            let top = region.y + y as f64 * down;
            let mut count = 0;
            shares(top, top + down, height, |pixel, share| {
                row_starts[count] = (pixel * source.stride_bytes + first * channels) as i32;
                row_weights[count] = share;
                count += 1;
            });
            let to = target.row(y - rows.start, target_width * channels);
            let row = self.row();
            // SAFETY: holding the kernel says that the CPU has its instructions; the lists are as the functions ask.
            unsafe {
                let line = &mut line[..words + SPARE];
                (row.sum)(
                    source.bytes,
                    &row_starts[..count],
                    &row_weights[..count],
                    &mut line[..words],
                );
                (row.across[at])(line, starts, ends, weights, to);
            }
        }
    }
}
