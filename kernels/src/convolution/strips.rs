//! Convolutions that read the image where it stands: within a row of outputs all taps move on by as many values from pixel to pixel, so that a kernel
//! multiplies a whole strip of them. Pixels whose taps reach beyond the left or right edge are gathered first.

use super::Geometry;
use super::tile::Image;
use crate::gemm::direct::{MOST_SEGMENTS, Run, drive_strips};
use crate::gemm::{Element, GemmRow, Product};
use crate::kernel::{Kernel, Row};
use crate::scratch::{bytes_for, cut};
use std::ops::Range;

/// Pixels that are gathered at a time.
const GATHERED: usize = 12;

/// Whether the kernel takes the convolution so.
pub(super) fn apply<E: Element>(kernel: Kernel<GemmRow<E>>, geometry: &Geometry) -> bool
where
    GemmRow<E>: Row,
{
    geometry.upsample == 1 && kernel.is_direct(geometry.segments())
}

/// Bytes of working memory.
pub(super) fn scratch_bytes<E: Element>(kernel: Kernel<GemmRow<E>>, geometry: &Geometry) -> usize
where
    GemmRow<E>: Row,
{
    let [segments, depth] = geometry.segments();
    kernel.strips_scratch_bytes()
        + bytes_for::<E>(depth)
        + bytes_for::<E>(GATHERED * segments * depth)
}

/// Convolves `pixels` of a group.
pub(super) fn convolve<E: Element>(
    kernel: Kernel<GemmRow<E>>,
    (geometry, pixels): (&Geometry, &Range<usize>),
    image: Image<E>,
    product: Product<E>,
    scratch: &mut [u8],
) where
    GemmRow<E>: Row,
{
    let [segments, depth] = geometry.segments();
    let k = segments * depth;
    let mut scratch = scratch;
    let outside = cut::<E>(&mut scratch, depth);
    outside.fill(E::ZERO);
    let gathered = cut::<E>(&mut scratch, GATHERED * k);
    let width = geometry.out_width();
    let rows = pixels.start / width..pixels.end.div_ceil(width);
    // SAFETY: a run is a slice of the image, of zeros or of what was gathered, as long as its pixels ask.
    unsafe {
        drive_strips(kernel, product, scratch, |strip| {
            for row in rows {
                let (first, last) =
                    (pixels.start.max(row * width), pixels.end.min((row + 1) * width));
                let here = first - row * width..last - row * width;
                let lines = Lines::new(geometry, &image, row);
                let inside = lines.inside(&here);
                let at = |x: usize| row * width + x - pixels.start;
                for part in [here.start..inside.start, inside.end..here.end] {
                    for x in part.clone().step_by(GATHERED) {
                        let some = x..part.end.min(x + GATHERED);
                        for (x, to) in some.clone().zip(gathered.chunks_exact_mut(k.max(1))) {
                            lines.gather(x, to);
                        }
                        let run = |segment: usize| Run {
                            start: gathered.as_ptr().wrapping_add(segment * depth),
                            step: k,
                        };
                        let runs: [Run<E>; MOST_SEGMENTS] =
                            std::array::from_fn(|segment| run(segment.min(segments - 1)));
                        strip(at(some.start)..at(some.end), &runs[..segments]);
                    }
                }
                if !inside.is_empty() {
                    let runs: [Run<E>; MOST_SEGMENTS] = std::array::from_fn(|segment| {
                        lines.run(segment.min(segments - 1), &inside, outside)
                    });
                    strip(at(inside.start)..at(inside.end), &runs[..segments]);
                }
            }
        });
    }
}

/// What a row of outputs sees of the image.
struct Lines<'a, E> {
    geometry: &'a Geometry,
    image: &'a Image<'a, E>,
    /// The first row of the image in the batch, and which of its rows the first taps see.
    top: usize,
    y: isize,
}

impl<'a, E: Element> Lines<'a, E> {
    /// Of a row of outputs, counted through the batch.
    fn new(geometry: &'a Geometry, image: &'a Image<'a, E>, row: usize) -> Self {
        let height = geometry.out_height();
        let y = (row % height * geometry.stride[0]) as isize - geometry.padding[0] as isize;
        Self { geometry, image, top: row / height * geometry.height, y }
    }

    /// Where the row of the image that a row of taps sees begins, where there is one.
    fn line(&self, ky: usize) -> Option<usize> {
        let Geometry { height, width, dilation, .. } = *self.geometry;
        let y = (self.y + (ky * dilation[0]) as isize) as usize;
        (y < height).then(|| (self.top + y) * width * self.image.stride)
    }

    /// Those of the outputs all of whose taps are between the left and the right edge; none where a row of taps does not stand in one piece.
    fn inside(&self, here: &Range<usize>) -> Range<usize> {
        let Geometry { width, kernel, stride, dilation, padding, .. } = *self.geometry;
        let (left, reach) = (padding[1], (kernel[1] - 1) * dilation[1] + 1);
        let [segments, depth] = self.geometry.segments();
        let in_pieces = segments < self.geometry.taps() && self.image.stride * kernel[1] != depth;
        if in_pieces || width + left < reach {
            return here.end..here.end;
        }
        let first = left.div_ceil(stride[1]).clamp(here.start, here.end);
        let end = ((width + left - reach) / stride[1] + 1).clamp(first, here.end);
        first..end
    }

    /// The values that a segment of k has at outputs that are inside.
    fn run(&self, segment: usize, inside: &Range<usize>, outside: &[E]) -> Run<E> {
        let Geometry { kernel, stride, dilation, padding, .. } = *self.geometry;
        let [segments, depth] = self.geometry.segments();
        let across = if segments < self.geometry.taps() { 1 } else { kernel[1] };
        let Some(line) = self.line(segment / across) else {
            return Run { start: outside.as_ptr(), step: 0 };
        };
        let x = inside.start * stride[1] + segment % across * dilation[1] - padding[1];
        let step = stride[1] * self.image.stride;
        let length = (inside.len() - 1) * step + depth;
        let values = &self.image.values[line + x * self.image.stride..][..length];
        Run { start: values.as_ptr(), step }
    }

    /// Copies what an output's taps see.
    fn gather(&self, x: usize, to: &mut [E]) {
        let Geometry { width, kernel, stride, dilation, padding, .. } = *self.geometry;
        let depth = self.geometry.depth();
        for (tap, to) in to.chunks_exact_mut(depth.max(1)).enumerate() {
            let (ky, kx) = (tap / kernel[1], tap % kernel[1]);
            let x = (x * stride[1] + kx * dilation[1]).wrapping_sub(padding[1]);
            match self.line(ky) {
                Some(line) if x < width => {
                    to.copy_from_slice(&self.image.values[line + x * self.image.stride..][..depth]);
                }
                _ => to.fill(E::ZERO),
            }
        }
    }
}
