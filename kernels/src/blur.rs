//! Box blur: the mean over a `(2r + 1) × (2r + 1)` window, the edge pixel repeated outside.
//!
//! | operand | type | shape            | layout                                      |
//! |---------|------|------------------|---------------------------------------------|
//! | source  | f32  | [height, width]  | row-major, no padding                       |
//! | target  | f32  | [height, width]  | row-major, no padding                       |
//! | scratch | f32  | [height + 1, width] | overwritten                              |
//!
//! Both passes keep running sums, so the cost does not depend on the radius. A Gaussian of standard
//! deviation σ is approached by three box blurs (Kovesi, "Fast almost-Gaussian filtering", 2010).
//!
//! Pictures of bytes have versions of their own ([`BlurRow`]): `target = round_ties_even(sum · (1 / n))` of the exact sum of the
//! `n = (2r + 1)²` bytes, product and reciprocal in f32; the same bits on every engine. A Gaussian is three calls with the radii that
//! [`box_radii_of_gaussian`] gives, from picture to picture.
//!
//! | operand | type | shape                      | layout                                    |
//! |---------|------|----------------------------|-------------------------------------------|
//! | source  | u8   | [height, width, channels]  | interleaved, rows `stride_bytes` apart    |
//! | target  | u8   | [rows, width, channels]    | interleaved, rows `stride_bytes` apart    |

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

use crate::kernel::{Identity, Kernel, Row};
use crate::plane::{Plane, PlaneMut};
use crate::scratch::{bytes_for, cut};
use std::ops::Range;

/// The greatest radius of a blur of bytes: the sum of a column fits into 16 bits.
pub const MOST_RADIUS: usize = 127;

/// Values behind the sums of columns that may be read or written.
const SPARE: usize = 4;

/// A version for bytes; its functions need its instructions.
pub struct BlurRow {
    identity: Identity,
    /// Adds a row to the sums of columns.
    enter: unsafe fn(row: &[u8], sums: &mut [i16]),
    /// Adds one row and takes off another.
    slide: unsafe fn(entering: &[u8], leaving: &[u8], sums: &mut [i16]),
    /// The mean of each window, from sums of all that lies before its start and its end.
    means: unsafe fn(starts: &[i32], ends: &[i32], share: f32, row: &mut [u8]),
}

impl Row for BlurRow {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "aarch64")]
        neon::BLUR,
        #[cfg(target_arch = "x86_64")]
        avx2::BLUR,
        scalar::BLUR,
    ];
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl Kernel<BlurRow> {
    /// Bytes of scratch that [`Kernel::box_u8`] needs.
    pub fn box_scratch(self, width: usize, channels: usize, radius: usize) -> usize {
        bytes_for::<i16>(width * channels + SPARE)
            + bytes_for::<i32>((width + 2 * radius + 1) * channels + SPARE)
    }

    /// Blurs rows `rows` of a picture; `target` starts at the first of them.
    ///
    /// # Panics
    /// Where a slice is shorter than the sizes ask, or the radius is more than [`MOST_RADIUS`].
    #[expect(clippy::too_many_arguments, reason = "two pictures, their sizes and a radius")]
    pub fn box_u8(
        self,
        source: Plane<'_>,
        [width, height]: [usize; 2],
        channels: usize,
        radius: usize,
        rows: Range<usize>,
        mut target: PlaneMut<'_>,
        mut scratch: &mut [u8],
    ) {
        let bytes = width * channels;
        assert!(radius <= MOST_RADIUS, "a radius of {radius}");
        assert!(bytes > 0 && rows.start <= rows.end && rows.end <= height, "rows {rows:?}");
        source.check(height, bytes);
        target.check(rows.len(), bytes);
        let sums = cut::<i16>(&mut scratch, bytes + SPARE);
        let before = cut::<i32>(&mut scratch, (width + 2 * radius + 1) * channels + SPARE);
        let share = 1.0 / ((2 * radius + 1) * (2 * radius + 1)) as f32;
        let line = |y: usize| source.row(y.saturating_sub(radius).min(height - 1), bytes);
        let row = self.row();
        sums.fill(0);
        for y in rows.clone() {
            // SAFETY: holding the kernel says that the CPU has its instructions.
            unsafe {
                if y == rows.start {
                    for entering in y..=y + 2 * radius {
                        (row.enter)(line(entering), &mut sums[..bytes]);
                    }
                } else {
                    (row.slide)(line(y + 2 * radius), line(y - 1), &mut sums[..bytes]);
                }
                sum_before(sums, [width, channels], radius, before);
                let to = target.row(y - rows.start, bytes);
                (row.means)(before, &before[(2 * radius + 1) * channels..], share, to);
            }
        }
    }
}

/// Sums, wrapping, of all columns that lie before each column of the widened row.
fn sum_before(sums: &[i16], [width, channels]: [usize; 2], radius: usize, before: &mut [i32]) {
    if channels > SPARE {
        before[..channels].fill(0);
        for index in 0..(width + 2 * radius) * channels {
            let column = (index / channels).saturating_sub(radius).min(width - 1);
            let sum = i32::from(sums[column * channels + index % channels] as u16);
            before[index + channels] = before[index].wrapping_add(sum);
        }
        return;
    }
    // Four values whatever the channels: the next column overwrites what is too much.
    let mut total = [0_i32; SPARE];
    let mut to = 0;
    let mut follow = |column: usize| {
        before[to..to + SPARE].copy_from_slice(&total);
        to += channels;
        for (total, &sum) in total.iter_mut().zip(&sums[column * channels..][..SPARE]) {
            *total = total.wrapping_add(i32::from(sum as u16));
        }
    };
    (0..radius).for_each(|_| follow(0));
    (0..width).for_each(&mut follow);
    (0..radius).for_each(|_| follow(width - 1));
    before[to..to + SPARE].copy_from_slice(&total);
}

/// Blurs one plane. `radius` 0 copies.
///
/// # Panics
/// If a slice does not hold `width × height` values, or scratch not `width × (height + 1)`.
pub fn box_blur_f32(
    source: &[f32],
    target: &mut [f32],
    width: usize,
    height: usize,
    radius: usize,
    scratch: &mut [f32],
) {
    assert_eq!(source.len(), width * height);
    assert_eq!(target.len(), width * height);
    assert!(scratch.len() >= width * (height + 1));
    if radius == 0 || source.is_empty() {
        target.copy_from_slice(source);
        return;
    }
    let (sums, rows) = scratch.split_at_mut(width);
    let block = width * ROWS_AT_ONCE;
    let whole = height / ROWS_AT_ONCE * block;
    for (source, target) in source[..whole].chunks(block).zip(rows[..whole].chunks_mut(block)) {
        blur_rows::<ROWS_AT_ONCE>(source, target, width, radius);
    }
    for (source, target) in source[whole..].chunks(width).zip(rows[whole..].chunks_mut(width)) {
        blur_rows::<1>(source, target, width, radius);
    }
    let last = height - 1;
    let norm = 1.0 / (2 * radius + 1) as f32;
    for (x, sum) in sums.iter_mut().enumerate() {
        *sum = rows[x] * (radius + 1) as f32;
    }
    for ahead in 1..=radius {
        let row = &rows[ahead.min(last) * width..][..width];
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    for y in 0..height {
        let entering = &rows[(y + radius + 1).min(last) * width..][..width];
        let leaving = &rows[y.saturating_sub(radius) * width..][..width];
        let out = &mut target[y * width..][..width];
        for (((out, sum), enter), leave) in
            out.iter_mut().zip(&mut *sums).zip(entering).zip(leaving)
        {
            *out = *sum * norm;
            *sum += enter - leave;
        }
    }
}

/// Rows whose running sums are kept side by side: one sum waits for its last addition, eight do not.
const ROWS_AT_ONCE: usize = 8;

fn blur_rows<const N: usize>(source: &[f32], target: &mut [f32], width: usize, radius: usize) {
    assert!(source.len() == N * width && target.len() == N * width);
    let last = width - 1;
    let norm = 1.0 / (2 * radius + 1) as f32;
    let mut sums: [f32; N] = std::array::from_fn(|row| source[row * width] * (radius + 1) as f32);
    for ahead in 1..=radius {
        let x = ahead.min(last);
        sums.iter_mut().enumerate().for_each(|(row, sum)| *sum += source[row * width + x]);
    }
    for x in 0..width {
        let enter = (x + radius + 1).min(last);
        let leave = x.saturating_sub(radius);
        for (row, sum) in sums.iter_mut().enumerate() {
            target[row * width + x] = *sum * norm;
            *sum += source[row * width + enter] - source[row * width + leave];
        }
    }
}

/// Radii of three box blurs whose sum has the variance of a Gaussian of standard deviation `sigma`.
pub fn box_radii_of_gaussian(sigma: f32) -> [usize; 3] {
    let variance = sigma * sigma;
    let ideal = (12.0 * variance / 3.0 + 1.0).sqrt();
    let mut small = ideal.floor() as i64;
    if small % 2 == 0 {
        small -= 1;
    }
    let small = small.max(1);
    let s = small as f32;
    let count_small =
        ((12.0 * variance - 3.0 * s * s - 12.0 * s - 9.0) / (-4.0 * s - 4.0)).round() as i64;
    let radius = |index: i64| {
        let width = if index < count_small { small } else { small + 2 };
        ((width - 1) / 2) as usize
    };
    [radius(0), radius(1), radius(2)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean_by_definition(source: &[f32], w: usize, h: usize, r: usize, x: usize, y: usize) -> f64 {
        let clamp = |v: i64, n: usize| v.clamp(0, n as i64 - 1) as usize;
        let mut sum = 0.0;
        for dy in -(r as i64)..=r as i64 {
            for dx in -(r as i64)..=r as i64 {
                sum += source[clamp(y as i64 + dy, h) * w + clamp(x as i64 + dx, w)] as f64;
            }
        }
        sum / ((2 * r + 1) * (2 * r + 1)) as f64
    }

    #[test]
    fn box_blur_is_the_mean_of_the_window() {
        for (w, h, r) in [(1, 1, 3), (7, 5, 1), (13, 4, 6), (16, 31, 2), (3, 64, 9), (5, 5, 0)] {
            let source: Vec<f32> = (0..w * h).map(|i| ((i * 7919) % 251) as f32 / 251.0).collect();
            let mut target = vec![f32::NAN; w * h];
            let mut scratch = vec![f32::NAN; w * (h + 1)];
            box_blur_f32(&source, &mut target, w, h, r, &mut scratch);
            for y in 0..h {
                for x in 0..w {
                    let truth = mean_by_definition(&source, w, h, r, x, y);
                    let found = target[y * w + x] as f64;
                    assert!((found - truth).abs() < 1e-5, "{w}x{h} r{r} at {x},{y}");
                }
            }
        }
    }

    #[test]
    fn three_boxes_have_the_variance_of_the_gaussian() {
        for sigma in [1.0f32, 2.0, 3.7, 8.0, 20.0] {
            let variance: f32 = box_radii_of_gaussian(sigma)
                .iter()
                .map(|&r| ((2 * r + 1) * (2 * r + 1) - 1) as f32 / 12.0)
                .sum();
            assert!((variance.sqrt() / sigma - 1.0).abs() < 0.2, "{sigma}: {}", variance.sqrt());
        }
    }
}
