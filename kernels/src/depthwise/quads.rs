//! int8 by products of four rows at once: a column of pixels, four rows deep, brings its bytes channel by channel side by side, and one
//! instruction adds the products of four taps to each channel's sum. Two rows of outputs share such a column.
//!
//! Values are multiplied as they stand; what the zero point makes too much, `z · Σ B`, is where sums start from.

use super::engine::Engine;
use super::sweep::{Job, Place, finish_tile, input_pixel, places, sweep};
use super::{MOST_PIXELS, TAP_WORDS};
use crate::convolution::Geometry;
use crate::gemm::Output;

/// 1.5 · 2²³: of a float so large the last bit counts ones, and its bits, as those of a whole number, grow by one with each.
pub(super) const WHOLE: f32 = 12_582_912.0;

/// The most taps of a known kernel: |Σ (A − z) · B| < 25 · 2⁸ · 2⁷ < 2²², as `WHOLE` asks.
const MOST_TAPS: usize = 25;

/// How an engine multiplies columns of four rows.
///
/// # Safety
/// All methods need the CPU to have the engine's instructions, and pointers to be good for `COUNT` values.
pub(super) unsafe trait Quads: Copy {
    /// Channels of a register.
    const COUNT: usize;
    /// Words of 32 bits that a channel's four taps take.
    const WORDS: usize;
    /// What is added to values as they are read.
    const OFFSET: i32;
    /// What computes other kernels and fewer channels.
    type Engine: Engine<Element = i8>;
    /// Four rows of a column, or four taps.
    type Column: Copy;
    /// Sums of each channel.
    type Sum: Copy;

    unsafe fn new(job: &Job<i8>, finish: Whole) -> Self;
    /// Brings a channel's taps to where `filter` reads them; `to` is good for `COUNT · WORDS` words.
    unsafe fn prepare(taps: [i8; 4], lane: usize, to: *mut i32);
    unsafe fn filter(from: *const i32) -> Self::Column;
    unsafe fn column(rows: [*const i8; 4]) -> Self::Column;
    unsafe fn start(from: *const i32) -> Self::Sum;
    unsafe fn dot(sum: Self::Sum, column: Self::Column, filter: Self::Column) -> Self::Sum;
    unsafe fn store_sums(sum: Self::Sum, to: *mut i32);
    /// Finishes sums that started from the bits of [`WHOLE`].
    unsafe fn finish(self, sum: Self::Sum, channel: usize, to: *mut i8);
}

/// How sums become bytes by additions alone: clamped first to what the zero point and the activation leave, they are rounded by adding [`WHOLE`].
#[derive(Clone, Copy)]
pub(super) struct Whole {
    /// 1 / the output's scale.
    pub inverse: f32,
    /// Of the output.
    pub zero_point: i8,
    /// What `value · inverse` is clamped to.
    pub limits: [f32; 2],
}

impl Whole {
    /// None where the epilogue is another, or where infinity or NaN could come about.
    fn of(job: &Job<i8>) -> Option<Self> {
        let [low, high] = job.epilogue.activation.limits()?;
        if job.epilogue.residual.is_some() {
            return None;
        }
        let Output::I8 { scale, zero_point, .. } = *job.output else { return None };
        let zero_point = i8::try_from(zero_point).ok()?;
        let inverse = 1.0 / scale;
        let greatest = job.scales.iter().fold(0.0, |most: f32, scale| most.max(scale.abs()));
        let finite = (job.scale * WHOLE * greatest).is_finite()
            && (job.scale * WHOLE).is_finite()
            && job.bias.iter().chain(job.scales).all(|value| value.is_finite());
        let usable = finite && inverse > 0.0 && inverse.is_finite();
        let [least, most] = [-128.0, 127.0].map(|end: f32| end - f32::from(zero_point));
        let limits = [least.max(low * inverse), most.min(high * inverse)];
        usable.then_some(Self { inverse, zero_point, limits })
    }
}

/// Computes the job.
///
/// # Safety
/// The CPU has the engine's instructions.
#[inline(always)]
pub(super) unsafe fn sweep_quads<V: Quads>(job: &mut Job<i8>) {
    let Geometry { channels, kernel, stride, dilation, .. } = *job.geometry;
    // SAFETY: passed on to the caller.
    unsafe {
        match (kernel, stride, dilation) {
            _ if channels < V::COUNT => sweep::<V::Engine>(job),
            ([3, 3], [1, 1], [1, 1]) => known_kernel::<V, 3, 1, 2, 4, 6, 1>(job),
            ([3, 3], [2, 2], [1, 1]) => known_kernel::<V, 3, 2, 1, 4, 9, 1>(job),
            ([5, 5], [1, 1], [1, 1]) => known_kernel::<V, 5, 1, 2, 4, 8, 2>(job),
            ([5, 5], [2, 2], [1, 1]) => known_kernel::<V, 5, 2, 1, 4, 11, 2>(job),
            _ => sweep::<V::Engine>(job),
        }
    }
}

/// Brings filters into the order in which they are read: for each register of channels what sums start from, then for each row of outputs, column
/// and quad of rows the four taps.
#[inline(always)]
unsafe fn prepare<V: Quads>(job: &mut Job<i8>, shape: [usize; 4], whole: bool) {
    let [kernel, stride, rows, quads] = shape;
    let channels = job.geometry.channels;
    job.outside.fill(job.zero_point as i8);
    let registers = channels.div_ceil(V::COUNT);
    let words = 1 + rows * kernel * quads * V::WORDS;
    assert!(registers * words * V::COUNT <= job.prepared.len() && kernel * kernel <= MOST_TAPS);
    let mut to = job.prepared.as_mut_ptr().cast::<i32>();
    for register in 0..registers {
        let first = (register * V::COUNT).min(channels - V::COUNT);
        for lane in 0..V::COUNT {
            let taps = (0..kernel * kernel).map(|tap| job.filters[tap * channels + first + lane]);
            let sum: i32 = taps.map(i32::from).sum();
            let start = -(job.zero_point + V::OFFSET) * sum;
            let start = if whole { start + WHOLE.to_bits() as i32 } else { start };
            // SAFETY: the assertion above counts every word that is written.
            unsafe { to.add(lane).write(start) };
            for (index, quad) in (0..rows * kernel * quads).enumerate() {
                let (below, column, quad) =
                    (quad / quads / kernel, quad / quads % kernel, quad % quads);
                let taps = std::array::from_fn(|row| {
                    let row = (quad * 4 + row).wrapping_sub(below * stride);
                    if row < kernel {
                        job.filters[(row * kernel + column) * channels + first + lane]
                    } else {
                        0
                    }
                });
                // SAFETY: as above.
                unsafe { V::prepare(taps, lane, to.add((1 + index * V::WORDS) * V::COUNT)) };
            }
        }
        // SAFETY: as above.
        to = unsafe { to.add(words * V::COUNT) };
    }
}

/// `ROWS × PIXELS` output pixels of `KERNEL × KERNEL` taps see `QUADS` quads of rows, of which the last may reach too far down, and
/// `COLUMNS = (PIXELS − 1) · STRIDE + KERNEL` columns of input.
#[inline(always)]
unsafe fn known_kernel<
    V: Quads,
    const KERNEL: usize,
    const STRIDE: usize,
    const ROWS: usize,
    const PIXELS: usize,
    const COLUMNS: usize,
    const QUADS: usize,
>(
    job: &mut Job<i8>,
) {
    const {
        assert!((ROWS - 1) * STRIDE + KERNEL <= QUADS * 4 && ROWS * PIXELS <= MOST_PIXELS);
        assert!(COLUMNS == (PIXELS - 1) * STRIDE + KERNEL);
        let words = 1 + ROWS * KERNEL * QUADS * V::WORDS;
        assert!(words <= TAP_WORDS * (1 + KERNEL * KERNEL));
    }
    let whole = Whole::of(job);
    // SAFETY: passed on to the caller.
    unsafe { prepare::<V>(job, [KERNEL, STRIDE, ROWS, QUADS], whole.is_some()) };
    let channels = job.geometry.channels;
    for place in places(job.geometry, job.pixels.clone(), ROWS, PIXELS) {
        let mut inputs = [[[job.outside.as_ptr(); 4]; QUADS]; COLUMNS];
        for (column, quads) in inputs.iter_mut().enumerate() {
            for (row, pixel) in quads.iter_mut().flatten().enumerate() {
                let (y, x) = (place.y * STRIDE + row, place.x * STRIDE + column);
                if row < (ROWS - 1) * STRIDE + KERNEL {
                    *pixel = input_pixel(job, place.image, y, x);
                }
            }
        }
        let filters = job.prepared.as_ptr().cast();
        // SAFETY: every pointer is good for `channels` values, the filters are prepared, sums have room for the tile.
        unsafe {
            match whole {
                Some(whole) => {
                    let outputs = outputs::<ROWS, PIXELS>(job, &place);
                    let engine = V::new(job, whole);
                    tile::<V, KERNEL, STRIDE, ROWS, PIXELS, COLUMNS, QUADS>(
                        channels,
                        &inputs,
                        filters,
                        |pixel, channel, sum| {
                            engine.finish(
                                sum,
                                channel,
                                outputs[pixel / PIXELS][pixel % PIXELS].add(channel),
                            );
                        },
                    );
                }
                None => {
                    let sums = job.sums.as_mut_ptr();
                    tile::<V, KERNEL, STRIDE, ROWS, PIXELS, COLUMNS, QUADS>(
                        channels,
                        &inputs,
                        filters,
                        |pixel, channel, sum| {
                            V::store_sums(sum, sums.add(pixel * channels + channel));
                        },
                    );
                    finish_tile::<V::Engine>(job, &place, ROWS, PIXELS);
                }
            }
        }
    }
}

/// Where each pixel's output starts; those beyond the range go where nobody reads.
#[inline(always)]
unsafe fn outputs<const ROWS: usize, const PIXELS: usize>(
    job: &mut Job<i8>,
    place: &Place,
) -> [[*mut i8; PIXELS]; ROWS] {
    let mut outputs = [[job.unused.as_mut_ptr().cast::<i8>(); PIXELS]; ROWS];
    let Output::I8 { values, stride, .. } = &mut *job.output else { return outputs };
    let (to, stride) = (values.as_mut_ptr(), *stride);
    for (below, pixels) in outputs.iter_mut().enumerate() {
        for (right, output) in pixels.iter_mut().enumerate() {
            if let Some(pixel) = place.pixel(job, below, right) {
                // SAFETY: the wrapper checked the output for every pixel of the range.
                *output = unsafe { to.add(pixel * stride) };
            }
        }
    }
    outputs
}

/// Hands each pixel's sums of a register of channels to `finish`.
#[inline(always)]
unsafe fn tile<
    V: Quads,
    const KERNEL: usize,
    const STRIDE: usize,
    const ROWS: usize,
    const PIXELS: usize,
    const COLUMNS: usize,
    const QUADS: usize,
>(
    channels: usize,
    inputs: &[[[*const i8; 4]; QUADS]; COLUMNS],
    filters: *const i32,
    finish: impl Fn(usize, usize, V::Sum),
) {
    let mut filters = filters;
    let last = channels - V::COUNT;
    let mut next = 0;
    // SAFETY: `channel + COUNT` never exceeds `channels`, for which all pointers are good; prepared filters hold a step for each register.
    unsafe {
        loop {
            let channel = next.min(last);
            let mut sums = [[V::start(filters); PIXELS]; ROWS];
            for column in 0..COLUMNS {
                for quad in 0..QUADS {
                    let value = V::column(inputs[column][quad].map(|row| row.add(channel)));
                    for right in 0..PIXELS {
                        let left = right * STRIDE;
                        if !(left..left + KERNEL).contains(&column) {
                            continue;
                        }
                        for below in 0..ROWS {
                            let index = (below * KERNEL + column - left) * QUADS + quad;
                            let filter = V::filter(filters.add((1 + index * V::WORDS) * V::COUNT));
                            sums[below][right] = V::dot(sums[below][right], value, filter);
                        }
                    }
                }
            }
            for below in 0..ROWS {
                for right in 0..PIXELS {
                    finish(below * PIXELS + right, channel, sums[below][right]);
                }
            }
            filters = filters.add((1 + ROWS * KERNEL * QUADS * V::WORDS) * V::COUNT);
            next += V::COUNT;
            if next >= channels {
                break;
            }
        }
    }
}
