//! Warp: each target pixel is a bilinear sample of the source at a place that a matrix, a grid or a map gives.
//!
//! | operand | type | shape | layout |
//! |---------|------|-------|--------|
//! | source | u8 | `[height, width, C]`, C = 3 or 4 | interleaved, rows `stride_bytes` apart |
//! | target | u8 | `[rows, width, C]` | interleaved, rows `stride_bytes` apart |
//!
//! Places are continuous: pixel `(x, y)`'s centre is at `(x + ½, y + ½)`. They are brought to 2^−16 pixel, in steps of 64 pixels
//! within which they are followed with an increment of 2^−16; samples are taken at 1/128 pixel in a row and 1/32768
//! between rows. Values are 16-bit with 7 bits of fraction; all engines give the same bits.
//!
//! Four channels are premultiplied colour and alpha: mixing them needs no division, and outside of the source everything
//! is 0. See [`Edge`].

#[cfg(target_arch = "x86_64")]
mod avx2;
mod lanes;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

use crate::kernel::{Identity, Kernel, Row};
use crate::mesh::Texel;
use crate::plane::{Plane, PlaneMut};
use std::ops::Range;

/// What is read where the place is outside of the source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Edge {
    /// The nearest pixel of the source.
    Repeat,
    /// 0 in all channels; a sample between the last pixel and the outside mixes the two.
    Clear,
}

/// Where each target pixel's place in the source is.
#[derive(Clone, Copy, Debug)]
pub enum Motion<'a> {
    /// `[x', y'] = matrix · [x, y, 1]`, of the target pixel's centre. Steps beyond 127 pixels are cut there.
    Affine([[f64; 3]; 2]),
    /// Places at the corners of cells; between them both coordinates are bilinear.
    Grid(Grid<'a>),
    /// A place for each target pixel, from its first row: what [`crate::mesh::rasterise`] fills. NaN is outside.
    Map {
        /// The map; only x and y are read.
        texels: &'a [Texel],
        /// Texels from the start of a row to the start of the next.
        stride: usize,
    },
}

/// Control points on the corners of equal cells, the first at the target's first corner.
#[derive(Clone, Copy, Debug)]
pub struct Grid<'a> {
    /// Places in the source, row by row.
    pub points: &'a [[f32; 2]],
    /// Points in a row: cells and one.
    pub columns: usize,
    /// Width and height of a cell in target pixels.
    pub cell: [usize; 2],
}

/// The source as the versions read it.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    bytes: &'a [u8],
    stride_bytes: usize,
    size: [usize; 2],
}

/// Target pixels whose places are known at once.
const STEP: usize = 64;

/// Places of up to [`STEP`] pixels, in 2^−16 pixel, of what lies left above of a sample: 0 is the first pixel's centre.
pub(crate) struct Places {
    x: [i32; STEP],
    y: [i32; STEP],
}

/// Samples `pixels / C` places.
type Sample = unsafe fn(&Source<'_>, &Places, Edge, pixels: &mut [u8]);

/// A version; its functions, of three and of four channels, need its instructions.
pub struct WarpRow {
    identity: Identity,
    sample: [Sample; 2],
}

impl Row for WarpRow {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "aarch64")]
        neon::WARP,
        #[cfg(target_arch = "x86_64")]
        avx2::WARP,
        scalar::WARP,
    ];
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

/// The greatest width and height of a source: places are cut at 16384 pixels, far enough out that no 64 steps lead back.
pub const MOST: usize = 8191;

/// A place in 2^−16 pixel, half a pixel left; far away it stops, still outside of any source. NaN is outside.
fn fixed(place: f64) -> i32 {
    let fixed = (place - 0.5) * 65536.0;
    if fixed.is_nan() {
        -(1 << 30)
    } else {
        fixed.round().clamp(-1073741824.0, 1073741823.0) as i32
    }
}

fn fixed_step(step: f64) -> i32 {
    (step * 65536.0).round().clamp(-8323072.0, 8323072.0) as i32
}

impl Places {
    /// Places on a line: `[x, y]` and the step from pixel to pixel.
    fn follow(&mut self, range: Range<usize>, start: [f64; 2], step: [f64; 2]) {
        let starts = start.map(fixed);
        let steps = step.map(fixed_step);
        let count = range.len();
        for (index, x) in self.x[range.clone()].iter_mut().enumerate() {
            *x = starts[0] + steps[0] * index as i32;
        }
        for (index, y) in self.y[range].iter_mut().enumerate() {
            *y = starts[1] + steps[1] * index as i32;
        }
        debug_assert!(count <= STEP);
    }
}

impl Motion<'_> {
    fn check(&self, width: usize, rows: &Range<usize>) {
        match self {
            Motion::Affine(matrix) => {
                assert!(matrix.iter().flatten().all(|value| value.is_finite()), "{matrix:?}");
            }
            Motion::Grid(Grid { points, columns, cell }) => {
                assert!(cell[0] > 0 && cell[1] > 0 && *columns >= 2, "a grid without cells");
                let across = (columns - 1) * cell[0];
                let down = (points.len() / columns).saturating_sub(1) * cell[1];
                assert!(width <= across && rows.end <= down, "the grid covers {across} × {down}");
            }
            Motion::Map { texels, stride } => {
                assert!(*stride >= width, "rows of {width} texels are {stride} apart");
                let needed = if rows.is_empty() { 0 } else { (rows.end - 1) * stride + width };
                assert!(texels.len() >= needed, "{} texels, {needed} needed", texels.len());
            }
        }
    }

    /// The places of target pixels `columns` of a row.
    fn fill(&self, row: usize, columns: Range<usize>, places: &mut Places) {
        let y = row as f64 + 0.5;
        match self {
            Motion::Affine(matrix) => {
                let x = columns.start as f64 + 0.5;
                let start = matrix.map(|[a, b, c]| a * x + b * y + c);
                places.follow(0..columns.len(), start, matrix.map(|row| row[0]));
            }
            Motion::Grid(grid) => {
                let [wide, high] = grid.cell;
                let (line, down) = (row / high, (row % high) as f64 + 0.5);
                let side = |column: usize, axis: usize| {
                    let [top, bottom] = [line, line + 1]
                        .map(|line| f64::from(grid.points[line * grid.columns + column][axis]));
                    top + (bottom - top) * (down / high as f64)
                };
                let mut at = columns.start;
                while at < columns.end {
                    let cell = at / wide;
                    let end = columns.end.min((cell + 1) * wide);
                    let left = [side(cell, 0), side(cell, 1)];
                    let right = [side(cell + 1, 0), side(cell + 1, 1)];
                    let step = [0, 1].map(|axis| (right[axis] - left[axis]) / wide as f64);
                    let inside = (at - cell * wide) as f64 + 0.5;
                    let start = [0, 1].map(|axis| left[axis] + step[axis] * inside);
                    places.follow(at - columns.start..end - columns.start, start, step);
                    at = end;
                }
            }
            Motion::Map { texels, stride } => {
                let texels = &texels[row * stride..][columns];
                for (texel, (x, y)) in texels.iter().zip(places.x.iter_mut().zip(&mut places.y)) {
                    (*x, *y) = (fixed(f64::from(texel[0])), fixed(f64::from(texel[1])));
                }
            }
        }
    }
}

impl Kernel<WarpRow> {
    /// Writes rows `rows` of a target `width` pixels wide; `target` starts at the first of them.
    ///
    /// # Panics
    /// Where a slice is shorter than the sizes ask, the source has no pixels or more than [`MOST`] in a row or column, there are
    /// not 3 or 4 channels, the matrix is not finite, or the grid does not cover the target.
    #[expect(clippy::too_many_arguments, reason = "a picture, a motion, a picture")]
    pub fn run(
        self,
        source: Plane<'_>,
        size: [usize; 2],
        channels: usize,
        motion: &Motion<'_>,
        edge: Edge,
        width: usize,
        rows: Range<usize>,
        mut target: PlaneMut<'_>,
    ) {
        assert!(rows.start <= rows.end, "rows {rows:?}");
        assert!(size.iter().all(|size| (1..=MOST).contains(size)), "a source of {size:?}");
        assert!(matches!(channels, 3 | 4), "{channels} channels: only 3 and 4 are known");
        assert!(source.bytes.len() <= i32::MAX as usize, "more than 2 GiB");
        source.check(size[1], size[0] * channels);
        target.check(rows.len(), width * channels);
        motion.check(width, &rows);
        let from = Source { bytes: source.bytes, stride_bytes: source.stride_bytes, size };
        let sample = self.row().sample[channels - 3];
        let mut places = Places { x: [0; STEP], y: [0; STEP] };
        for y in rows.clone() {
            let pixels = target.row(y - rows.start, width * channels);
            for (step, pixels) in pixels.chunks_mut(STEP * channels).enumerate() {
                let first = step * STEP;
                motion.fill(y, first..first + pixels.len() / channels, &mut places);
                // SAFETY: holding the kernel says that the CPU has its instructions.
                unsafe { sample(&from, &places, edge, pixels) };
            }
        }
    }
}
