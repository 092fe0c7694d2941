//! Where a tile of output pixels finds its input: the pointers from which each run of k is packed.

use super::Geometry;
use crate::gemm::{MOST_ROWS, Rows};
use std::ops::Range;

/// Rows of the input, all images of the batch one below the other. Row `y` is row `y % held` of `values`.
#[derive(Clone, Copy)]
pub(super) struct Image<'a, T> {
    /// The first channel that is asked for is the first value.
    pub values: &'a [T],
    /// Values from a pixel to the next.
    pub stride: usize,
    pub held: usize,
}

/// Gives the input once it is known which of its rows are needed; the ranges asked for never move up.
pub(super) trait Source<T> {
    fn image(&mut self, needed: Range<usize>) -> Image<'_, T>;
}

impl<T> Source<T> for Image<'_, T> {
    fn image(&mut self, _: Range<usize>) -> Image<'_, T> {
        Image { ..*self }
    }
}

impl<'a, T> Image<'a, T> {
    /// The channels of a group, for the whole batch.
    pub fn new(input: Rows<'a, T>, geometry: &Geometry, group: usize) -> Self {
        let first = (group * geometry.depth()).min(input.values.len());
        Self { values: &input.values[first..], stride: input.stride, held: usize::MAX }
    }
}

/// Up to [`MOST_ROWS`] output pixels that follow each other.
pub(super) struct Tile<'g> {
    geometry: &'g Geometry,
    origins: [Origin; MOST_ROWS],
    rows: usize,
}

/// The place of a kernel's first tap; the image begins at row `top` of the input.
#[derive(Clone, Copy, Default)]
struct Origin {
    top: usize,
    y: isize,
    x: isize,
}

impl<'g> Tile<'g> {
    /// `count` pixels from `first`; the last stands for those that are missing to `rows`.
    pub fn new(geometry: &'g Geometry, first: usize, count: usize, rows: usize) -> Self {
        let (width, height) = (geometry.out_width(), geometry.out_height());
        let (mut x, row) = (first % width, first / width);
        let (mut y, mut image) = (row % height, row / height);
        let [top, left, ..] = geometry.padding;
        let mut origins = [Origin::default(); MOST_ROWS];
        for (index, origin) in origins[..rows].iter_mut().enumerate() {
            *origin = Origin {
                top: image * geometry.height,
                y: (y * geometry.stride[0]) as isize - top as isize,
                x: (x * geometry.stride[1]) as isize - left as isize,
            };
            if index + 1 >= count {
                continue;
            }
            x += 1;
            if x == width {
                (x, y) = (0, y + 1);
            }
            if y == height {
                (y, image) = (0, image + 1);
            }
        }
        Self { geometry, origins, rows }
    }

    /// The input rows that the tile reaches; empty where it sees only padding.
    pub fn needed(&self) -> Range<usize> {
        let Geometry { height, upsample, kernel, dilation, .. } = *self.geometry;
        let last = ((kernel[0] - 1) * dilation[0]) as isize;
        let end = (height * upsample) as isize - 1;
        let (mut first, mut past) = (usize::MAX, 0);
        for Origin { top, y, .. } in &self.origins[..self.rows] {
            let (low, high) = ((*y).max(0), (y + last).min(end));
            if low <= high {
                first = first.min(top + low as usize / upsample);
                past = past.max(top + high as usize / upsample + 1);
            }
        }
        first.min(past)..past
    }

    /// Where the rows of the tile find row `ky` of the kernel: the input row and whether there is one.
    fn input_rows<T>(&self, ky: usize, image: &Image<T>) -> [Option<usize>; MOST_ROWS] {
        let Geometry { height, upsample, dilation, width, .. } = *self.geometry;
        let mut rows = [None; MOST_ROWS];
        for (row, origin) in rows[..self.rows].iter_mut().zip(&self.origins) {
            let y = origin.y + (ky * dilation[0]) as isize;
            if (0..(height * upsample) as isize).contains(&y) {
                let y = origin.top + y as usize / upsample;
                let y = if image.held == usize::MAX { y } else { y % image.held };
                *row = Some(y * width * image.stride);
            }
        }
        rows
    }

    /// Hands each tap's pointers to `pack(tap, pointers)`, each good for the channels of a group; `outside` is what lies beyond the image.
    pub fn taps<T>(
        &self,
        image: Image<T>,
        outside: &[T],
        mut pack: impl FnMut(usize, &[*const T; MOST_ROWS]),
    ) {
        let Geometry { width, upsample, dilation, kernel, .. } = *self.geometry;
        let depth = outside.len();
        let wide = width * upsample;
        for ky in 0..kernel[0] {
            let starts = self.input_rows(ky, &image);
            for kx in 0..kernel[1] {
                let mut pointers = [outside.as_ptr(); MOST_ROWS];
                for row in 0..self.rows {
                    let x = self.origins[row].x + (kx * dilation[1]) as isize;
                    if let Some(start) = starts[row]
                        && (x as usize) < wide
                    {
                        let x = if upsample == 1 { x as usize } else { x as usize / upsample };
                        pointers[row] = image.values[start + x * image.stride..][..depth].as_ptr();
                    }
                }
                pack(ky * kernel[1] + kx, &pointers);
            }
        }
    }

    /// Hands the pointers of each row of taps to `pack(ky, pointers)`: each is good for the channels of all its taps. Those that cross the
    /// image's edge are gathered in `gathered`.
    pub fn tap_rows<T: Copy>(
        &self,
        image: Image<T>,
        outside: &[T],
        gathered: &mut [T],
        mut pack: impl FnMut(usize, &[*const T; MOST_ROWS]),
    ) {
        let Geometry { width, kernel, .. } = *self.geometry;
        let depth = outside.len();
        let run = kernel[1] * depth;
        for ky in 0..kernel[0] {
            let starts = self.input_rows(ky, &image);
            let mut offsets = [None; MOST_ROWS];
            for row in 0..self.rows {
                let x = self.origins[row].x;
                let inside = x >= 0 && x as usize + kernel[1] <= width && image.stride == depth;
                match starts[row] {
                    Some(start) if inside => offsets[row] = Some(start + x as usize * depth),
                    start => {
                        let taps = gathered[row * run..][..run].chunks_exact_mut(depth.max(1));
                        for (kx, tap) in taps.enumerate() {
                            let x = (x + kx as isize) as usize;
                            let from = match start {
                                Some(start) if x < width => {
                                    &image.values[start + x * image.stride..][..depth]
                                }
                                _ => outside,
                            };
                            tap.copy_from_slice(from);
                        }
                    }
                }
            }
            let gathered = &*gathered;
            let pointers = std::array::from_fn(|row| match offsets[row] {
                Some(offset) => image.values[offset..][..run].as_ptr(),
                None => gathered[row.min(self.rows - 1) * run..][..run].as_ptr(),
            });
            pack(ky, &pointers);
        }
    }
}
