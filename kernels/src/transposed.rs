//! Transposed convolution whose kernel is as large as its stride, so that no two taps meet:
//! `C[y·ky + i, x·kx + j, n] = act(Σc (A[y, x, c] − z) · B[i, j, c, n] · … )`, finished as the multiply finishes.
//!
//! | operand | type | shape | layout |
//! |---------|------|-------|--------|
//! | A | i8, f16, f32 | `[batch, height, width, channels]` | whole images, pixels `stride` values apart; int8 filters take f16 and f32 too |
//! | B | i8, f16, f32 | `[ky, kx, channels, channels_out]` | for each tap in turn what [`pack_weights`] makes of one segment: see [`TransposedFilters`] |
//! | scale, bias, residual | | | as for the multiply: per output channel, per output value |
//! | C | i8, f16, f32 | `[batch, height · ky, width · kx, channels_out]` | pixels `stride` values apart |
//!
//! Each tap is a multiply of a row of the input whose output pixels are `kx` apart. Any range of `batch · height` input
//! rows, which is `ky` times as many output rows, can be computed alone and gives the bits of the whole. Other strides are not supported.
//! Bounds are those of the multiply with `k = channels`.

use crate::gemm::{
    Element, Epilogue, GemmRow, I8Rows, Layout, Output, Product, Residual, Rows, Weights,
    check_steps, column_sums, pack_weights,
};
use crate::kernel::{Kernel, Row};
use half::f16;
use std::ops::Range;

/// Sizes of a transposed convolution.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TransposedGeometry {
    /// Images.
    pub batch: usize,
    /// Of an input image.
    pub height: usize,
    /// Of an input image.
    pub width: usize,
    /// Of the input.
    pub channels: usize,
    /// Of the output.
    pub channels_out: usize,
    /// Height and width of the kernel, which are its strides, too.
    pub kernel: [usize; 2],
}

impl TransposedGeometry {
    /// Taps of the kernel.
    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Output pixels of so many input rows.
    pub fn pixels(&self, rows: usize) -> usize {
        rows * self.width * self.taps()
    }
}

/// Packed filters of a transposed convolution, tap by tap from the top left.
#[derive(Clone, Copy, Debug)]
pub struct TransposedFilters<'a, E> {
    panels: &'a [E],
    sums: &'a [i32],
    layout: Layout,
    geometry: TransposedGeometry,
}

impl<'a, E: Element> TransposedFilters<'a, E> {
    /// Filters that [`pack_transposed`] packed; `sums` come from [`transposed_sums`] for int8 and are empty for the others.
    ///
    /// # Panics
    /// Where a slice has another length than the geometry asks for.
    pub fn new(
        geometry: &TransposedGeometry,
        layout: Layout,
        panels: &'a [E],
        sums: &'a [i32],
    ) -> Self {
        let needed = Self::packed_length(geometry, layout);
        assert_eq!(panels.len(), needed, "packed filters of {geometry:?} in {layout:?}");
        let needed = Self::sums_length(geometry, layout);
        let found = sums.len();
        assert!(found == 0 || found == needed, "{needed} filter sums expected, found {found}");
        Self { panels, sums, layout, geometry: *geometry }
    }

    /// Values that packed filters take.
    pub fn packed_length(geometry: &TransposedGeometry, layout: Layout) -> usize {
        geometry.taps() * layout.packed_length(1, geometry.channels, geometry.channels_out)
    }

    /// Sums that go with them.
    pub fn sums_length(geometry: &TransposedGeometry, layout: Layout) -> usize {
        geometry.taps() * geometry.channels_out.next_multiple_of(layout.nr)
    }

    fn tap(&self, tap: usize) -> Weights<'a, E> {
        let TransposedGeometry { channels, channels_out, .. } = self.geometry;
        let length = self.panels.len() / self.geometry.taps();
        let padded = self.sums.len() / self.geometry.taps();
        let panels = &self.panels[tap * length..][..length];
        let sums = &self.sums[tap * padded..][..padded];
        Weights::new(panels, sums, self.layout, 1, channels, channels_out)
    }
}

/// Packs filters given as `at(ky, kx, channel, channel_out)`.
///
/// # Panics
/// Where `panels` is not as long as [`TransposedFilters::packed_length`] says.
pub fn pack_transposed<E: Element>(
    geometry: &TransposedGeometry,
    layout: Layout,
    at: impl Fn(usize, usize, usize, usize) -> E,
    panels: &mut [E],
) {
    let needed = TransposedFilters::<E>::packed_length(geometry, layout);
    assert_eq!(panels.len(), needed, "packed filters of {geometry:?} in {layout:?}");
    let width = geometry.kernel[1];
    for (tap, panels) in panels.chunks_exact_mut((needed / geometry.taps()).max(1)).enumerate() {
        let value = |_: usize, k: usize, n: usize| at(tap / width, tap % width, k, n);
        pack_weights(layout, 1, geometry.channels, geometry.channels_out, value, panels);
    }
}

/// The sums of packed int8 filters, for [`TransposedFilters::new`].
///
/// # Panics
/// Where a slice has another length than the geometry asks for.
pub fn transposed_sums(
    geometry: &TransposedGeometry,
    layout: Layout,
    panels: &[i8],
    sums: &mut [i32],
) {
    let (needed, padded) = (
        TransposedFilters::<i8>::packed_length(geometry, layout),
        TransposedFilters::<i8>::sums_length(geometry, layout),
    );
    assert_eq!(panels.len(), needed, "packed filters of {geometry:?} in {layout:?}");
    assert_eq!(sums.len(), padded, "filter sums of {geometry:?}");
    let panels = panels.chunks_exact((needed / geometry.taps()).max(1));
    for (panels, sums) in panels.zip(sums.chunks_exact_mut((padded / geometry.taps()).max(1))) {
        column_sums(layout, 1, geometry.channels, geometry.channels_out, panels, sums);
    }
}

/// What is computed beside the image.
#[derive(Debug)]
pub struct Transposed<'a, E> {
    /// B.
    pub filters: &'a TransposedFilters<'a, E>,
    /// Which of `batch · height` input rows.
    pub rows: Range<usize>,
    /// What is done with the sums; a residual starts at the first output pixel to compute.
    pub epilogue: Epilogue<'a>,
    /// C, from the first output pixel to compute.
    pub output: Output<'a>,
}

impl<E: Element> Kernel<GemmRow<E>>
where
    GemmRow<E>: Row,
{
    /// Bytes of working memory for a transposed convolution, whatever the range of rows.
    pub fn transposed_scratch_bytes(self, filters: &TransposedFilters<E>) -> usize {
        self.scratch_bytes(filters.geometry.width, &filters.tap(0))
    }
}

impl Kernel<GemmRow<i8>> {
    /// Convolves images that are quantized already, or quantizes them on the way.
    ///
    /// # Panics
    /// Where a slice is too short for the geometry, or the filters are packed for another layout.
    pub fn convolve_transposed(self, input: I8Rows, what: Transposed<i8>, scratch: &mut [u8]) {
        match input {
            I8Rows::I8(input, quantization) => each_row(input, what, |row, _, product| {
                self.run(I8Rows::I8(row, quantization), product, scratch);
            }),
            I8Rows::I8PerRow(input, steps) => {
                let TransposedGeometry { batch, height, width, .. } = what.filters.geometry;
                check_steps(batch * height * width, steps);
                each_row(input, what, |row, pixels, product| {
                    self.run(I8Rows::I8PerRow(row, &steps[pixels]), product, scratch);
                });
            }
            I8Rows::F16(input, precision) => each_row(input, what, |row, _, product| {
                self.run(I8Rows::F16(row, precision), product, scratch);
            }),
            I8Rows::F32(input, precision) => each_row(input, what, |row, _, product| {
                self.run(I8Rows::F32(row, precision), product, scratch);
            }),
        }
    }
}

impl Kernel<GemmRow<f16>> {
    /// Convolves images.
    ///
    /// # Panics
    /// Where a slice is too short for the geometry, or the filters are packed for another layout.
    pub fn convolve_transposed(self, input: Rows<f16>, what: Transposed<f16>, scratch: &mut [u8]) {
        each_row(input, what, |row, _, product| self.run(row, product, scratch));
    }
}

impl Kernel<GemmRow<f32>> {
    /// Convolves images.
    ///
    /// # Panics
    /// Where a slice is too short for the geometry, or the filters are packed for another layout.
    pub fn convolve_transposed(self, input: Rows<f32>, what: Transposed<f32>, scratch: &mut [u8]) {
        each_row(input, what, |row, _, product| self.run(row, product, scratch));
    }
}

/// Hands each input row, its pixels' numbers and each tap to `multiply`.
fn each_row<T: Copy, E: Element>(
    input: Rows<T>,
    Transposed { filters, rows, epilogue, mut output }: Transposed<E>,
    mut multiply: impl FnMut(Rows<T>, Range<usize>, Product<E>),
) {
    let TransposedGeometry { batch, height, width, channels, channels_out, kernel } =
        filters.geometry;
    input.check(batch * height * width, channels);
    let all = batch * height;
    assert!(rows.start <= rows.end && rows.end <= all, "input rows {rows:?} of {all}");
    let pixels = filters.geometry.pixels(rows.len());
    epilogue.check(pixels, channels_out);
    output.check(pixels, channels_out);
    if pixels == 0 || channels_out == 0 {
        return;
    }
    for (index, row) in rows.enumerate() {
        let values = &input.values[row * width * input.stride..];
        for tap in 0..kernel[0] * kernel[1] {
            let (ky, kx) = (tap / kernel[1], tap % kernel[1]);
            let first = (index * kernel[0] + ky) * width * kernel[1] + kx;
            let residual = epilogue.residual.map(|residual| every(residual, first, kernel[1]));
            let product = Product {
                rows: width,
                weights: &filters.tap(tap),
                epilogue: Epilogue { residual, ..epilogue },
                output: every_output(&mut output, first, kernel[1]),
            };
            let pixels = row * width..(row + 1) * width;
            multiply(Rows { values, stride: input.stride }, pixels, product);
        }
    }
}

/// Every `step`th pixel from `first`.
fn every(residual: Residual, first: usize, step: usize) -> Residual {
    match residual {
        Residual::F32 { values, stride } => {
            Residual::F32 { values: &values[first * stride..], stride: stride * step }
        }
        Residual::F16 { values, stride } => {
            Residual::F16 { values: &values[first * stride..], stride: stride * step }
        }
        Residual::I8 { values, stride, scale, zero_point } => Residual::I8 {
            values: &values[first * stride..],
            stride: stride * step,
            scale,
            zero_point,
        },
    }
}

/// Every `step`th pixel from `first`.
fn every_output<'a>(output: &'a mut Output, first: usize, step: usize) -> Output<'a> {
    match output {
        Output::F32 { values, stride } => {
            Output::F32 { values: &mut values[first * *stride..], stride: *stride * step }
        }
        Output::F16 { values, stride } => {
            Output::F16 { values: &mut values[first * *stride..], stride: *stride * step }
        }
        Output::I8 { values, stride, scale, zero_point } => Output::I8 {
            values: &mut values[first * *stride..],
            stride: *stride * step,
            scale: *scale,
            zero_point: *zero_point,
        },
    }
}
