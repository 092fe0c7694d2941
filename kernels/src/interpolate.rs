//! Resizes feature maps: bilinear or nearest.
//!
//! | operand | type | shape | layout |
//! |---------|------|-------|--------|
//! | from | f32, f16, i8 | `[height, width, channels]` | one after the other |
//! | to | the same | `[rows, width, channels]` | one after the other |
//!
//! Along each axis target pixel `i` is at source position ([`Convention`]) `p`, cut to `0..=size − 1`. Bilinear:
//! `lerp(lerp(a, b), lerp(c, d))` in f32 with `lerp(a, b) = (b − a)·t + a`, the product and sum rounded once, `t` the
//! position's fraction; then rounded to the type (i8 keeps its scale and zero point: the weights add up to 1). Nearest:
//! the source's pixel `⌈p − ½⌉`, for [`Convention::Asymmetric`] `⌊p⌋`. The same bits on every engine.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod lanes;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

use crate::kernel::{Identity, Kernel, Row};
use crate::stored::Stored;
use half::f16;
use std::ops::Range;

/// Where target pixel `i` of `n` is in a source of `s`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Convention {
    /// `(i + ½)·s/n − ½`
    HalfPixel,
    /// `i·(s − 1)/(n − 1)`; 0 where n is 1.
    AlignCorners,
    /// `i·s/n`
    Asymmetric,
}

impl Convention {
    /// The position, cut to the source; computed in f64, so that whole ratios are exact.
    fn position(self, index: usize, source: usize, target: usize) -> f64 {
        let (i, s, n) = (index as f64, source as f64, target as f64);
        let position = match self {
            Convention::HalfPixel => (i + 0.5) * s / n - 0.5,
            Convention::AlignCorners if target == 1 => 0.0,
            Convention::AlignCorners => i * (s - 1.0) / (n - 1.0),
            Convention::Asymmetric => i * s / n,
        };
        position.clamp(0.0, s - 1.0)
    }

    fn nearest(self, index: usize, source: usize, target: usize) -> usize {
        let position = self.position(index, source, target);
        match self {
            Convention::Asymmetric => position as usize,
            _ => (position - 0.5).ceil().max(0.0) as usize,
        }
    }

    /// The pixel at or before the position, the one after, and how much of that.
    fn neighbours(self, index: usize, source: usize, target: usize) -> (usize, usize, f32) {
        let position = self.position(index, source, target);
        let first = position as usize;
        (first, (first + 1).min(source - 1), (position - first as f64) as f32)
    }
}

/// A version; its function takes pixels of a row of the target and needs its instructions.
pub struct InterpolateRow<T: 'static> {
    identity: Identity,
    mix: unsafe fn(&Pixels<T>, &mut [T]),
}

/// Where pixels of a row of the target come from.
struct Pixels<'a, T> {
    /// The row of the source at or before the position, the one after, and how much of that.
    lines: [&'a [T]; 2],
    down: f32,
    /// One for each pixel.
    columns: &'a [Column],
    channels: usize,
}

/// Where the pixels left and right of a position start in a row, and how much of the right one.
#[derive(Clone, Copy, Default)]
struct Column {
    left: usize,
    right: usize,
    across: f32,
}

impl Row for InterpolateRow<f32> {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "aarch64")]
        neon::F32,
        #[cfg(target_arch = "x86_64")]
        avx2::F32,
        scalar::F32,
    ];
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl Row for InterpolateRow<f16> {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "aarch64")]
        neon::F16,
        #[cfg(target_arch = "x86_64")]
        avx2::F16,
        scalar::F16,
    ];
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl Row for InterpolateRow<i8> {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "aarch64")]
        neon::I8,
        #[cfg(target_arch = "x86_64")]
        avx2::I8,
        scalar::I8,
    ];
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

/// Pixels of a row whose neighbours are worked out together.
const COLUMNS: usize = 64;

/// Sizes of a resize: height and width of source and target, and channels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sizes {
    /// Height and width of the source.
    pub from: [usize; 2],
    /// Height and width of the whole target.
    pub to: [usize; 2],
    /// Channels of both.
    pub channels: usize,
}

impl Sizes {
    fn check(&self, from: usize, rows: &Range<usize>, to: usize) {
        let Sizes { from: [height, width], to: [height_to, width_to], channels } = *self;
        assert!(height * width * channels > 0 && height_to * width_to > 0, "{self:?}");
        assert!(rows.start <= rows.end && rows.end <= height_to, "rows {rows:?} of {height_to}");
        assert_eq!(from, height * width * channels, "the source's values");
        assert_eq!(to, rows.len() * width_to * channels, "the target's values");
    }
}

impl<T: Stored> Kernel<InterpolateRow<T>>
where
    InterpolateRow<T>: Row,
{
    /// Writes rows `rows` of the target, bilinear; `to` holds those rows.
    ///
    /// # Panics
    /// Where a slice's length is not what the sizes ask.
    pub fn bilinear(
        self,
        sizes: Sizes,
        convention: Convention,
        from: &[T],
        rows: Range<usize>,
        to: &mut [T],
    ) {
        sizes.check(from.len(), &rows, to.len());
        let Sizes { from: [height, width], to: [height_to, width_to], channels } = sizes;
        let line = |y: usize| &from[y * width * channels..][..width * channels];
        for first in (0..width_to).step_by(COLUMNS) {
            let mut columns = [Column::default(); COLUMNS];
            let columns = &mut columns[..COLUMNS.min(width_to - first)];
            for (x, column) in (first..).zip(&mut *columns) {
                let (left, right, across) = convention.neighbours(x, width, width_to);
                *column = Column { left: left * channels, right: right * channels, across };
            }
            for (row, y) in rows.clone().enumerate() {
                let (top, bottom, down) = convention.neighbours(y, height, height_to);
                let pixels = Pixels { lines: [line(top), line(bottom)], down, columns, channels };
                let to = &mut to[(row * width_to + first) * channels..];
                // SAFETY: holding the kernel says that the CPU has its instructions.
                unsafe { (self.row().mix)(&pixels, &mut to[..columns.len() * channels]) };
            }
        }
    }
}

/// Writes rows `rows` of the target, nearest; `to` holds those rows. A copy is the same on every engine.
///
/// # Panics
/// Where a slice's length is not what the sizes ask.
pub fn nearest<T: Copy>(
    sizes: Sizes,
    convention: Convention,
    from: &[T],
    rows: Range<usize>,
    to: &mut [T],
) {
    sizes.check(from.len(), &rows, to.len());
    let Sizes { from: [height, width], to: [height_to, width_to], channels } = sizes;
    let places = rows.flat_map(|y| (0..width_to).map(move |x| (y, x)));
    for ((y, x), to) in places.zip(to.chunks_exact_mut(channels)) {
        let row = convention.nearest(y, height, height_to);
        let column = convention.nearest(x, width, width_to);
        to.copy_from_slice(&from[(row * width + column) * channels..][..channels]);
    }
}
