//! Pooling: the greatest or the mean value of a window.
//!
//! | operand | type | shape | layout |
//! |---------|------|-------|--------|
//! | from | f32, f16, i8 | `[height, width, channels]` | one after the other |
//! | to | the same | `[rows, width, channels]` | one after the other |
//!
//! Target pixel `(i, j)` looks at source rows `i·stride − top + r·dilation` for `r < kernel`, columns likewise; what lies
//! outside counts for nothing. The mean is the f32 sum, row by row, times `1/n` rounded to f32, where n counts the pixels inside or
//! the whole window ([`Counted`]); then it is rounded to the type. NaN is undefined. The same bits on every engine.

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

/// A window and the tensor that it moves over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// Height and width of the source.
    pub size: [usize; 2],
    /// Channels.
    pub channels: usize,
    /// Height and width of the window, in taps.
    pub kernel: [usize; 2],
    /// Source pixels from target pixel to target pixel, down and across.
    pub stride: [usize; 2],
    /// Source pixels from tap to tap, down and across.
    pub dilation: [usize; 2],
    /// Rows and columns around the source: top, left, bottom, right; less than the window reaches.
    pub padding: [usize; 4],
}

/// What a mean is divided by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Counted {
    /// The pixels that are in the source.
    Inside,
    /// The whole window (`count_include_pad`).
    Window,
}

impl Window {
    /// A window over the whole source: global pooling.
    pub fn whole(size: [usize; 2], channels: usize) -> Self {
        let one = [1, 1];
        Self { size, channels, kernel: size, stride: one, dilation: one, padding: [0; 4] }
    }

    /// Height and width of the target.
    ///
    /// # Panics
    /// Where the window is larger than the padded source, or a size is 0.
    pub fn size_to(&self) -> [usize; 2] {
        std::array::from_fn(|axis| {
            let reach = (self.kernel[axis] - 1) * self.dilation[axis] + 1;
            let padded = self.size[axis] + self.padding[axis] + self.padding[axis + 2];
            assert!(self.stride[axis] > 0 && reach <= padded, "a window of {reach} in {padded}");
            (padded - reach) / self.stride[axis] + 1
        })
    }

    /// The taps inside of the source along an axis: the first one's position and how many.
    fn inside(&self, axis: usize, index: usize) -> (usize, usize) {
        let (dilation, padding) = (self.dilation[axis], self.padding[axis]);
        let start = index * self.stride[axis];
        let skipped = padding.saturating_sub(start).div_ceil(dilation);
        let first = start + skipped * dilation - padding;
        let end = self.size[axis].saturating_sub(first).div_ceil(dilation);
        (first, end.min(self.kernel[axis].saturating_sub(skipped)))
    }
}

/// Where a pixel's taps are in the source: the first of `rows × columns`, and the steps between them.
#[derive(Clone, Copy)]
pub(crate) struct Taps {
    first: usize,
    rows: usize,
    columns: usize,
    row_step: usize,
    column_step: usize,
    share: f32,
}

impl Taps {
    fn offsets(&self) -> impl Iterator<Item = usize> {
        let Self { first, rows, columns, row_step, column_step, .. } = *self;
        (0..rows).flat_map(move |row| {
            (0..columns).map(move |column| first + row * row_step + column * column_step)
        })
    }

    /// Panics where a tap has fewer than `channels` values after it.
    fn check(&self, length: usize, channels: usize) {
        let last =
            (self.rows.max(1) - 1) * self.row_step + (self.columns.max(1) - 1) * self.column_step;
        assert!(self.rows * self.columns == 0 || self.first + last + channels <= length);
    }
}

/// Pools one target pixel.
type Pixel<T> = unsafe fn(&[T], &Taps, &mut [T]);

/// A version; its functions need its instructions.
pub struct PoolRow<T: 'static> {
    identity: Identity,
    greatest: Pixel<T>,
    mean: Pixel<T>,
}

impl Row for PoolRow<f32> {
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

impl Row for PoolRow<f16> {
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

impl Row for PoolRow<i8> {
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

impl<T: Stored> Kernel<PoolRow<T>>
where
    PoolRow<T>: Row,
{
    /// Writes the greatest values of rows `rows` of the target; `to` holds those rows.
    ///
    /// # Panics
    /// Where a slice's length is not what the sizes ask, or a window lies wholly outside of the source.
    pub fn greatest(self, window: &Window, from: &[T], rows: Range<usize>, to: &mut [T]) {
        self.all(window, Counted::Inside, self.row().greatest, from, rows, to);
    }

    /// Writes the means of rows `rows` of the target; `to` holds those rows.
    ///
    /// # Panics
    /// Where a slice's length is not what the sizes ask, or a window lies wholly outside of the source.
    pub fn mean(
        self,
        window: &Window,
        counted: Counted,
        from: &[T],
        rows: Range<usize>,
        to: &mut [T],
    ) {
        self.all(window, counted, self.row().mean, from, rows, to);
    }

    fn all(
        self,
        window: &Window,
        counted: Counted,
        pixel: Pixel<T>,
        from: &[T],
        rows: Range<usize>,
        to: &mut [T],
    ) {
        let [height, width] = window.size_to();
        let channels = window.channels;
        assert!(channels > 0 && window.dilation.iter().all(|&step| step > 0), "{window:?}");
        assert!(rows.start <= rows.end && rows.end <= height, "rows {rows:?} of {height}");
        assert_eq!(from.len(), window.size[0] * window.size[1] * channels, "the source's values");
        assert_eq!(to.len(), rows.len() * width * channels, "the target's values");
        let places = rows.flat_map(|y| (0..width).map(move |x| (y, x)));
        for ((y, x), to) in places.zip(to.chunks_exact_mut(channels)) {
            let (top, rows) = window.inside(0, y);
            let (left, columns) = window.inside(1, x);
            assert!(rows * columns > 0, "a window outside of the source: {window:?}");
            let count = match counted {
                Counted::Inside => rows * columns,
                Counted::Window => window.kernel[0] * window.kernel[1],
            };
            let taps = Taps {
                first: (top * window.size[1] + left) * channels,
                rows,
                columns,
                row_step: window.dilation[0] * window.size[1] * channels,
                column_step: window.dilation[1] * channels,
                share: 1.0 / count as f32,
            };
            // SAFETY: holding the kernel says that the CPU has its instructions.
            unsafe { pixel(from, &taps, to) };
        }
    }
}
