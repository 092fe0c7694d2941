//! The loops that all engines share: tiles of output pixels of a row, in each of them all channels, a register at a time.
//!
//! Input pixels are found through pointers, those outside the image pointing to a row of zeros (of the zero point), so that borders and interior are
//! the same code. Filters are prepared once a call: for each register of channels the bias and then its taps, in the
//! type that the engine multiplies. The last register overlaps the one before where the channels are no multiple of it.

use super::MOST_PIXELS;
use super::engine::{Engine, Stored};
use crate::convolution::Geometry;
use crate::gemm::{Element, Epilogue, Finish, Output, Rows, finish};
use crate::math::Activation;
use std::ops::Range;

/// One call of a depthwise convolution; the safe wrapper has checked every length.
pub(super) struct Job<'a, 'o, E: Element> {
    pub geometry: &'a Geometry,
    pub pixels: Range<usize>,
    pub input: Rows<'a, E>,
    /// `[taps][channels]`
    pub filters: &'a [E],
    pub scale: f32,
    pub zero_point: i32,
    /// `[channels]`, 1 where the epilogue has none.
    pub scales: &'a [f32],
    /// `[channels]`, 0 where the epilogue has none.
    pub bias: &'a [f32],
    pub epilogue: &'a Epilogue<'a>,
    pub output: &'a mut Output<'o>,
    /// `[registers][1 + taps][lanes]`
    pub prepared: &'a mut [f32],
    /// `[channels]`
    pub outside: &'a mut [E],
    /// Output of pixels that are beyond the range: `[channels]` of any type.
    pub unused: &'a mut [f32],
    /// `[MOST_PIXELS][channels]`
    pub sums: &'a mut [E::Sum],
}

/// Sums go to memory and are finished there.
const SUMS: u8 = 0;
/// Sums are finished in their registers.
const PLAIN: u8 = 1;
/// As before, with an activation that clamps.
const CLAMPED: u8 = 2;

/// Computes the job.
///
/// # Safety
/// The CPU has the engine's instructions.
#[inline(always)]
pub(super) unsafe fn sweep<V: Engine>(job: &mut Job<V::Element>) {
    // SAFETY: passed on to the caller.
    unsafe {
        if job.geometry.channels < V::COUNT {
            sweep_channels::<V::Narrow>(job);
        } else {
            sweep_channels::<V>(job);
        }
    }
}

#[inline(always)]
unsafe fn sweep_channels<V: Engine>(job: &mut Job<V::Element>) {
    let Epilogue { residual, activation, scales, .. } = *job.epilogue;
    let same_type = V::Element::target(job.output).is_some();
    let in_registers = residual.is_none()
        && activation.limits().is_some()
        && same_type
        && (scales.is_none() || size_of::<V::Element>() == 1);
    let mode = match (in_registers, activation) {
        (false, _) => SUMS,
        (true, Activation::None) => PLAIN,
        (true, _) => CLAMPED,
    };
    let Geometry { kernel, stride, dilation, .. } = *job.geometry;
    // SAFETY: passed on to the caller.
    unsafe {
        prepare::<V>(job, in_registers);
        match (kernel, stride, dilation) {
            ([3, 3], [1, 1], [1, 1]) if V::TWO_ROWS => modes::<V, 3, 1, 2, 4, 4, 6>(job, mode),
            ([3, 3], [1, 1], [1, 1]) => modes::<V, 3, 1, 1, 3, 4, 6>(job, mode),
            ([3, 3], [2, 2], [1, 1]) => modes::<V, 3, 2, 1, 3, 3, 7>(job, mode),
            ([5, 5], [1, 1], [1, 1]) => modes::<V, 5, 1, 1, 5, 4, 8>(job, mode),
            ([5, 5], [2, 2], [1, 1]) => modes::<V, 5, 2, 1, 5, 3, 9>(job, mode),
            _ => any_kernel::<V>(job),
        }
    }
}

/// Brings filters into the order in which they are read.
#[inline(always)]
unsafe fn prepare<V: Engine>(job: &mut Job<V::Element>, in_registers: bool) {
    let (channels, taps) = (job.geometry.channels, job.geometry.taps());
    job.outside.fill(V::outside(job.zero_point));
    let registers = channels.div_ceil(V::COUNT);
    assert!(
        registers * (taps + 1) * V::COUNT * size_of::<V::Filter>() <= size_of_val(job.prepared)
            && size_of::<V::Filter>() <= size_of::<f32>()
    );
    let mut to = job.prepared.as_mut_ptr().cast::<V::Filter>();
    for register in 0..registers {
        let first = (register * V::COUNT).min(channels - V::COUNT);
        for lane in 0..V::COUNT {
            let bias = if in_registers { job.bias[first + lane] } else { 0.0 };
            // SAFETY: the assertion above counts every value that is written.
            unsafe { to.add(lane).write(V::bias(bias)) };
        }
        for tap in 0..taps {
            let from = &job.filters[tap * channels + first..][..V::COUNT];
            for (lane, &value) in from.iter().enumerate() {
                // SAFETY: as above.
                unsafe { to.add((1 + tap) * V::COUNT + lane).write(V::filter(value)) };
            }
        }
        // SAFETY: as above.
        to = unsafe { to.add((1 + taps) * V::COUNT) };
    }
}

/// A tile of output pixels: its first row, counted through the batch, and what that is in its image.
pub(super) struct Place {
    /// Width and height of an output image.
    out: [usize; 2],
    row: usize,
    pub image: usize,
    pub y: usize,
    pub x: usize,
}

/// Tiles of `rows × columns` output pixels that cover the range; those at its ends hold other pixels, too.
pub(super) fn places(
    geometry: &Geometry,
    pixels: Range<usize>,
    rows: usize,
    columns: usize,
) -> impl Iterator<Item = Place> {
    let (width, height) = (geometry.out_width(), geometry.out_height());
    let (mut row, mut next) = (pixels.start / width, 0);
    std::iter::from_fn(move || {
        while row < pixels.end.div_ceil(width) {
            let (image, y, x) = (row / height, row % height, next);
            let place = Place { out: [width, height], row, image, y, x };
            let below = rows.min(height - y);
            next += columns;
            if next >= width {
                (next, row) = (0, row + below);
            }
            let (first, last) = (place.row * width + x, (place.row + below - 1) * width + x);
            if first < pixels.end
                && pixels.start < (last + columns).min((place.row + below) * width)
            {
                return Some(place);
            }
        }
        None
    })
}

impl Place {
    /// Which pixel of the range stands `below` and `right` of the first, if any does.
    pub fn pixel<E: Element>(&self, job: &Job<E>, below: usize, right: usize) -> Option<usize> {
        let [width, height] = self.out;
        let pixel = (self.row + below) * width + self.x + right;
        let exists = self.y + below < height && self.x + right < width;
        (exists && job.pixels.contains(&pixel)).then(|| pixel - job.pixels.start)
    }
}

/// The pixel of the input that lies `ky` below and `kx` right of an output pixel's first tap, or what stands for it outside.
#[inline(always)]
pub(super) fn input_pixel<E: Element>(job: &Job<E>, image: usize, y: usize, x: usize) -> *const E {
    let Geometry { height, width, padding: [top, left, ..], .. } = *job.geometry;
    let (y, x) = (y.wrapping_sub(top), x.wrapping_sub(left));
    if y >= height || x >= width {
        return job.outside.as_ptr();
    }
    job.input.values[((image * height + y) * width + x) * job.input.stride..].as_ptr()
}

#[inline(always)]
unsafe fn modes<
    V: Engine,
    const KERNEL: usize,
    const STRIDE: usize,
    const ROWS: usize,
    const HEIGHT: usize,
    const PIXELS: usize,
    const COLUMNS: usize,
>(
    job: &mut Job<V::Element>,
    mode: u8,
) {
    // SAFETY: passed on to the caller.
    unsafe {
        match mode {
            PLAIN => known_kernel::<V, KERNEL, STRIDE, ROWS, HEIGHT, PIXELS, COLUMNS, PLAIN>(job),
            CLAMPED => {
                known_kernel::<V, KERNEL, STRIDE, ROWS, HEIGHT, PIXELS, COLUMNS, CLAMPED>(job)
            }
            _ => known_kernel::<V, KERNEL, STRIDE, ROWS, HEIGHT, PIXELS, COLUMNS, SUMS>(job),
        }
    }
}

/// `ROWS × PIXELS` output pixels of `KERNEL × KERNEL` taps see `HEIGHT = (ROWS − 1) · STRIDE + KERNEL` rows and
/// `COLUMNS = (PIXELS − 1) · STRIDE + KERNEL` columns of input.
#[inline(always)]
unsafe fn known_kernel<
    V: Engine,
    const KERNEL: usize,
    const STRIDE: usize,
    const ROWS: usize,
    const HEIGHT: usize,
    const PIXELS: usize,
    const COLUMNS: usize,
    const MODE: u8,
>(
    job: &mut Job<V::Element>,
) {
    const {
        assert!(HEIGHT == (ROWS - 1) * STRIDE + KERNEL);
        assert!(COLUMNS == (PIXELS - 1) * STRIDE + KERNEL && ROWS * PIXELS <= MOST_PIXELS);
    }
    let Geometry { height, width, channels, padding: [top, left, ..], .. } = *job.geometry;
    let target = V::Element::target(job.output).filter(|_| MODE != SUMS);
    // SAFETY: passed on to the caller.
    let engine = unsafe { V::new(job) };
    for place in places(job.geometry, job.pixels.clone(), ROWS, PIXELS) {
        let mut inputs = [[job.outside.as_ptr(); COLUMNS]; HEIGHT];
        for (row, pixels) in inputs.iter_mut().enumerate() {
            let y = (place.y * STRIDE + row).wrapping_sub(top);
            if y >= height {
                continue;
            }
            let start = (place.image * height + y) * width;
            for (column, pixel) in pixels.iter_mut().enumerate() {
                let x = (place.x * STRIDE + column).wrapping_sub(left);
                if x < width {
                    *pixel = job.input.values[(start + x) * job.input.stride..].as_ptr();
                }
            }
        }
        let mut outputs = [[job.unused.as_mut_ptr().cast::<V::Element>(); PIXELS]; ROWS];
        if let Some((to, stride)) = target {
            for (below, pixels) in outputs.iter_mut().enumerate() {
                for (right, output) in pixels.iter_mut().enumerate() {
                    if let Some(pixel) = place.pixel(job, below, right) {
                        // SAFETY: the wrapper checked the output for every pixel of the range.
                        *output = unsafe { to.add(pixel * stride) };
                    }
                }
            }
        }
        // SAFETY: every pointer is good for `channels` values, the filters are prepared, sums have room for the tile.
        unsafe {
            let filters = job.prepared.as_ptr().cast();
            let sums = job.sums.as_mut_ptr();
            tile::<V, KERNEL, STRIDE, ROWS, HEIGHT, PIXELS, COLUMNS, MODE>(
                engine, channels, &inputs, filters, &outputs, sums,
            );
            if MODE == SUMS {
                finish_tile::<V>(job, &place, ROWS, PIXELS);
            }
        }
    }
}

#[inline(always)]
unsafe fn tile<
    V: Engine,
    const KERNEL: usize,
    const STRIDE: usize,
    const ROWS: usize,
    const HEIGHT: usize,
    const PIXELS: usize,
    const COLUMNS: usize,
    const MODE: u8,
>(
    engine: V,
    channels: usize,
    inputs: &[[*const V::Element; COLUMNS]; HEIGHT],
    filters: *const V::Filter,
    outputs: &[[*mut V::Element; PIXELS]; ROWS],
    to: *mut <V::Element as Element>::Sum,
) {
    let mut filters = filters;
    let last = channels - V::COUNT;
    let mut next = 0;
    // SAFETY: `channel + COUNT` never exceeds `channels`, for which all pointers are good; prepared filters hold a step for each register.
    unsafe {
        loop {
            let channel = next.min(last);
            let mut sums = [[V::start(filters); PIXELS]; ROWS];
            for row in 0..HEIGHT {
                for column in 0..COLUMNS {
                    let value = engine.load(inputs[row][column].add(channel));
                    for below in 0..ROWS {
                        for right in 0..PIXELS {
                            let (top, left) = (below * STRIDE, right * STRIDE);
                            let seen = (top..top + KERNEL).contains(&row)
                                && (left..left + KERNEL).contains(&column);
                            if seen {
                                let tap = (row - top) * KERNEL + column - left;
                                let filter = V::load_filter(filters.add((1 + tap) * V::COUNT));
                                let sum = &mut sums[below][right];
                                *sum = V::accumulate(*sum, value, filter);
                            }
                        }
                    }
                }
            }
            for below in 0..ROWS {
                for right in 0..PIXELS {
                    let sum = sums[below][right];
                    if MODE == SUMS {
                        V::store_sums(sum, to.add((below * PIXELS + right) * channels + channel));
                    } else {
                        let output = outputs[below][right].add(channel);
                        engine.finish(sum, channel, MODE == CLAMPED, output);
                    }
                }
            }
            filters = filters.add((1 + KERNEL * KERNEL) * V::COUNT);
            next += V::COUNT;
            if next >= channels {
                break;
            }
        }
    }
}

/// Finishes the pixels of a tile that lie in the range from their sums in memory.
#[inline(always)]
pub(super) unsafe fn finish_tile<V: Engine>(
    job: &mut Job<V::Element>,
    place: &Place,
    rows: usize,
    columns: usize,
) {
    let channels = job.geometry.channels;
    let scales = [job.scale];
    for below in 0..rows {
        for right in 0..columns {
            let Some(pixel) = place.pixel(job, below, right) else { continue };
            let sums = &job.sums[(below * columns + right) * channels..][..channels];
            let (pixel, all) = (pixel..pixel + 1, 0..channels);
            let (epilogue, output) = (job.epilogue, &mut *job.output);
            let tile = Finish::new(sums, channels, pixel, all, 0, &[], &scales, epilogue, output);
            // SAFETY: `Finish::new` found every operand long enough; the caller vouches for the instructions.
            unsafe { finish::<_, V::Lanes>(&tile) };
        }
    }
}

/// Kernels of any size, stride and dilation: some taps at a time, sums in memory between.
#[inline(always)]
unsafe fn any_kernel<V: Engine>(job: &mut Job<V::Element>) {
    const PIXELS: usize = 4;
    const TAPS: usize = 16;
    let Geometry { channels, kernel: [_, width], stride, dilation, .. } = *job.geometry;
    let taps = job.geometry.taps();
    // SAFETY: passed on to the caller.
    let engine = unsafe { V::new(job) };
    for place in places(job.geometry, job.pixels.clone(), 1, PIXELS) {
        for first in (0..taps).step_by(TAPS) {
            let count = TAPS.min(taps - first);
            let mut inputs = [[job.outside.as_ptr(); PIXELS]; TAPS];
            for (tap, pixels) in (first..first + count).zip(&mut inputs) {
                for (pixel, from) in pixels.iter_mut().enumerate() {
                    let y = place.y * stride[0] + tap / width * dilation[0];
                    let x = (place.x + pixel) * stride[1] + tap % width * dilation[1];
                    *from = input_pixel(job, place.image, y, x);
                }
            }
            // SAFETY: every pointer is good for `channels` values, the filters are prepared, sums have room for the tile.
            unsafe {
                let mut filters = job.prepared.as_ptr().cast::<V::Filter>();
                let (last, sums) = (channels - V::COUNT, job.sums.as_mut_ptr());
                let sums_at = |pixel: usize, channel: usize| sums.add(pixel * channels + channel);
                // The last register overlaps the one before, which would have added to its sums already.
                let mut kept = [V::zero(); PIXELS];
                if first > 0 {
                    kept = std::array::from_fn(|pixel| V::load_sums(sums_at(pixel, last)));
                }
                for next in (0..channels).step_by(V::COUNT) {
                    let channel = next.min(last);
                    let mut sums = kept;
                    if first > 0 && channel < last {
                        sums = std::array::from_fn(|pixel| V::load_sums(sums_at(pixel, channel)));
                    }
                    for (tap, pixels) in inputs[..count].iter().enumerate() {
                        let filter = V::load_filter(filters.add((1 + first + tap) * V::COUNT));
                        for pixel in 0..PIXELS {
                            let value = engine.load(pixels[pixel].add(channel));
                            sums[pixel] = V::accumulate(sums[pixel], value, filter);
                        }
                    }
                    for pixel in 0..PIXELS {
                        V::store_sums(sums[pixel], sums_at(pixel, channel));
                    }
                    filters = filters.add((1 + taps) * V::COUNT);
                }
            }
        }
        // SAFETY: the caller vouches for the instructions.
        unsafe { finish_tile::<V>(job, &place, 1, PIXELS) };
    }
}
