//! Convolution of NHWC images: the multiply of [`gemm`](crate::gemm), whose left operand is found in the input.
//! `C[p, n] = act(Σ(ky, kx, c) (A[y(p, ky), x(p, kx), c] − z) · B[ky, kx, c, n] · … )`, finished as the multiply finishes, where
//! `y(p, ky) = ⌊(oy · stride − top + ky · dilation) / upsample⌋` and likewise x; what lies outside the image is `z`.
//!
//! | operand | type | shape | layout |
//! |---------|------|-------|--------|
//! | A | i8, f16, f32 | `[batch, height, width, channels]` | whole images, pixels `stride` values apart; an int8 convolution takes f16 and f32 too |
//! | B | i8, f16, f32 | `[ky, kx, channels / groups, channels_out]` | packed once by [`pack_filters`]: see [`Filters`] |
//! | scale, bias, residual | | | as for the multiply: per output channel, per output value |
//! | C | i8, f16, f32 | `[batch, out_height, out_width, channels_out]` | pixels `stride` values apart |
//!
//! Rows of the multiply are output pixels, numbered through the batch: any range of `batch · out_height · out_width` can be
//! computed alone and gives the bits of the whole. A tile of `mr` pixels is packed tap by tap, each pixel's channels read where
//! they stand or from a row of `z`, so no larger part of the im2col matrix ever exists. Images of f16 and f32 that meet
//! int8 weights are quantized row by row, each row once a call, into a ring as high as a tile reaches. Bounds are those of the multiply
//! with `k = taps · channels / groups`.

mod geometry;
#[cfg(target_arch = "aarch64")]
mod neon;
mod quantize;
mod strips;
mod tile;

pub use geometry::{Filters, Geometry, filter_sums, pack_filters};

use crate::gemm::{
    Element, Epilogue, GemmRow, I8Rows, MOST_ROWS, Output, Pack, Precision, Product, Quantization,
    Residual, Rows, Weights, check_steps, drive,
};
use crate::kernel::{Kernel, Row};
use crate::scratch::{bytes_for, cut};
use half::f16;
use quantize::{Ring, Wide, quantize_row_for, ring_rows};
use std::ops::Range;
use tile::{Image, Source, Tile};

const SHARED_PIXELS: &str = "a scale for each pixel, and a kernel that is no multiply of pixels";

/// What is computed beside the image.
#[derive(Debug)]
pub struct Convolution<'a, E> {
    /// Sizes.
    pub geometry: &'a Geometry,
    /// B.
    pub filters: &'a Filters<'a, E>,
    /// Which of `batch · out_height · out_width` output pixels.
    pub pixels: Range<usize>,
    /// What is done with the sums; a residual starts at the first pixel to compute.
    pub epilogue: Epilogue<'a>,
    /// C, from the first pixel to compute.
    pub output: Output<'a>,
}

impl<E: Element> Kernel<GemmRow<E>>
where
    GemmRow<E>: Row,
{
    /// Bytes of working memory to convolve `pixels`, whatever the type of the image.
    pub fn convolution_scratch_bytes(
        self,
        geometry: &Geometry,
        filters: &Filters<E>,
        pixels: &Range<usize>,
    ) -> usize {
        filters.check(geometry);
        let [_, depth] = geometry.segments();
        let product = self.scratch_bytes(pixels.len(), &filters.group(0));
        let ring =
            ring_rows(geometry, pixels, self.tile_rows()) * geometry.width * geometry.depth();
        product
            + bytes_for::<E>(geometry.depth())
            + bytes_for::<E>(self.tile_rows() * depth)
            + bytes_for::<i8>(ring)
            + strips::scratch_bytes(self, geometry)
    }
}

impl Kernel<GemmRow<i8>> {
    /// Convolves images that are quantized already, or quantizes them on the way; a step for each row ([`Precision::Row`],
    /// [`I8Rows::I8PerRow`]) has no meaning but for a kernel of one tap, where a row is a pixel.
    ///
    /// # Panics
    /// Where a slice is too short for the geometry, the filters are packed for another geometry or layout, or pixels with
    /// steps of their own meet several taps, a stride or a padding.
    pub fn convolve(self, input: I8Rows, convolution: Convolution<i8>, scratch: &mut [u8]) {
        match input {
            I8Rows::I8(input, quantization) => {
                self.convolve_i8(input, quantization, convolution, scratch)
            }
            I8Rows::I8PerRow(input, steps) => {
                self.convolve_i8_per_row(input, steps, convolution, scratch);
            }
            I8Rows::F16(input, precision) => {
                self.convolve_wide(input, precision, convolution, scratch);
            }
            I8Rows::F32(input, precision) => {
                self.convolve_wide(input, precision, convolution, scratch);
            }
        }
    }

    fn convolve_i8(
        self,
        input: Rows<i8>,
        quantization: Quantization,
        convolution: Convolution<i8>,
        scratch: &mut [u8],
    ) {
        let Convolution { geometry, filters, pixels, epilogue, mut output } = convolution;
        check(&input, geometry, filters, &pixels);
        for group in 0..groups(geometry, &pixels) {
            let weights = filters.group(group);
            let product = product(geometry, &pixels, &weights, group, &epilogue, &mut output);
            if geometry.is_multiply() {
                let rows = multiply_rows(input, geometry, &pixels, group);
                self.run(I8Rows::I8(rows, quantization), product, scratch);
                continue;
            }
            let source = Image::new(input, geometry, group);
            let packing = Packing::of(self.row(), quantization);
            pack_and_drive(self, packing, (geometry, pixels.start), source, product, scratch);
        }
    }

    fn convolve_i8_per_row(
        self,
        input: Rows<i8>,
        steps: &[f32],
        convolution: Convolution<i8>,
        scratch: &mut [u8],
    ) {
        let Convolution { geometry, filters, pixels, epilogue, mut output } = convolution;
        check(&input, geometry, filters, &pixels);
        assert!(geometry.is_multiply(), "{SHARED_PIXELS}: {geometry:?}");
        check_steps(geometry.pixels(), steps);
        for group in 0..groups(geometry, &pixels) {
            let weights = filters.group(group);
            let product = product(geometry, &pixels, &weights, group, &epilogue, &mut output);
            let rows = multiply_rows(input, geometry, &pixels, group);
            self.run(I8Rows::I8PerRow(rows, &steps[pixels.clone()]), product, scratch);
        }
    }

    fn convolve_wide<T: Wide>(
        self,
        input: Rows<T>,
        precision: Precision,
        convolution: Convolution<i8>,
        scratch: &mut [u8],
    ) {
        let Convolution { geometry, filters, pixels, epilogue, mut output } = convolution;
        check(&input, geometry, filters, &pixels);
        for group in 0..groups(geometry, &pixels) {
            let weights = filters.group(group);
            let product = product(geometry, &pixels, &weights, group, &epilogue, &mut output);
            let quantization = match precision {
                Precision::Tensor(quantization) if !geometry.is_multiply() => quantization,
                _ if geometry.is_multiply() => {
                    let rows = multiply_rows(input, geometry, &pixels, group);
                    self.run(T::rows(rows, precision), product, scratch);
                    continue;
                }
                _ => panic!("{SHARED_PIXELS}: {geometry:?}"),
            };
            let mut scratch = &mut *scratch;
            let (depth, width) = (geometry.depth(), geometry.width);
            let held = ring_rows(geometry, &pixels, self.tile_rows());
            let source = Ring {
                input,
                first_channel: group * depth,
                depth,
                width,
                quantization,
                quantize: quantize_row_for(self.identity().needs),
                rows: cut::<i8>(&mut scratch, held * width * depth),
                held,
                done: 0,
            };
            let packing = Packing::of(self.row(), quantization);
            pack_and_drive(self, packing, (geometry, pixels.start), source, product, scratch);
        }
    }
}

macro_rules! same_type_convolution {
    ($element:ty) => {
        impl Kernel<GemmRow<$element>> {
            /// Convolves images.
            ///
            /// # Panics
            /// Where a slice is too short for the geometry, or the filters are packed for another geometry or layout.
            pub fn convolve(
                self,
                input: Rows<$element>,
                convolution: Convolution<$element>,
                scratch: &mut [u8],
            ) {
                let Convolution { geometry, filters, pixels, epilogue, mut output } = convolution;
                check(&input, geometry, filters, &pixels);
                for group in 0..groups(geometry, &pixels) {
                    let weights = filters.group(group);
                    let product =
                        product(geometry, &pixels, &weights, group, &epilogue, &mut output);
                    if geometry.is_multiply() {
                        let rows = multiply_rows(input, geometry, &pixels, group);
                        self.run(rows, product, scratch);
                        continue;
                    }
                    let source = Image::new(input, geometry, group);
                    if strips::apply(self, geometry) {
                        strips::convolve(self, (geometry, &pixels), source, product, scratch);
                        continue;
                    }
                    let (pack, outside) = (self.row().packing, <$element>::ZERO);
                    let packing = Packing { pack, outside, scale: 1.0, zero_point: 0 };
                    let place = (geometry, pixels.start);
                    pack_and_drive(self, packing, place, source, product, scratch);
                }
            }
        }
    };
}

same_type_convolution!(f16);
same_type_convolution!(f32);

fn check<T, E: Element>(
    input: &Rows<T>,
    geometry: &Geometry,
    filters: &Filters<E>,
    pixels: &Range<usize>,
) {
    filters.check(geometry);
    assert!(
        pixels.start <= pixels.end && pixels.end <= geometry.pixels(),
        "pixels {pixels:?} of {}",
        geometry.pixels()
    );
    input.check(geometry.batch * geometry.height * geometry.width, geometry.channels);
}

/// Groups to compute: none where there is no pixel.
fn groups(geometry: &Geometry, pixels: &Range<usize>) -> usize {
    if pixels.is_empty() { 0 } else { geometry.groups }
}

/// The output channels of a group.
fn product<'a, E: Element>(
    geometry: &Geometry,
    pixels: &Range<usize>,
    weights: &'a Weights<'a, E>,
    group: usize,
    epilogue: &Epilogue<'a>,
    output: &'a mut Output,
) -> Product<'a, E> {
    let first = group * geometry.columns();
    let columns = |values: Option<&'a [f32]>| {
        values.map(|values| {
            let found = values.len();
            assert_eq!(found, geometry.channels_out, "scales or bias of output channels");
            &values[first..][..geometry.columns()]
        })
    };
    let residual = epilogue.residual.map(|residual| match residual {
        Residual::F32 { values, stride } => Residual::F32 { values: &values[first..], stride },
        Residual::F16 { values, stride } => Residual::F16 { values: &values[first..], stride },
        Residual::I8 { values, stride, scale, zero_point } => {
            Residual::I8 { values: &values[first..], stride, scale, zero_point }
        }
    });
    let output = match output {
        Output::F32 { values, stride } => {
            Output::F32 { values: &mut values[first..], stride: *stride }
        }
        Output::F16 { values, stride } => {
            Output::F16 { values: &mut values[first..], stride: *stride }
        }
        Output::I8 { values, stride, scale, zero_point } => Output::I8 {
            values: &mut values[first..],
            stride: *stride,
            scale: *scale,
            zero_point: *zero_point,
        },
    };
    let (scales, bias) = (columns(epilogue.scales), columns(epilogue.bias));
    let epilogue = Epilogue { scales, bias, residual, ..*epilogue };
    Product { rows: pixels.len(), weights, epilogue, output }
}

fn multiply_rows<'a, T>(
    input: Rows<'a, T>,
    geometry: &Geometry,
    pixels: &Range<usize>,
    group: usize,
) -> Rows<'a, T> {
    let first = pixels.start * input.stride + group * geometry.depth();
    Rows { values: &input.values[first..], stride: input.stride }
}

/// How a type is packed, and what stands for 0 in it.
struct Packing<E> {
    pack: Pack<E, E>,
    outside: E,
    scale: f32,
    zero_point: i32,
}

impl Packing<i8> {
    fn of(row: &GemmRow<i8>, quantization: Quantization) -> Self {
        let Quantization { scale, zero_point } = quantization;
        let outside = i8::try_from(zero_point).expect("a zero point is −128..=127");
        let packing = row.packing;
        Self { pack: packing.from_i8, outside, scale, zero_point: zero_point + packing.offset }
    }
}

fn pack_and_drive<E: Element>(
    kernel: Kernel<GemmRow<E>>,
    Packing { pack, outside, scale, zero_point }: Packing<E>,
    (geometry, start): (&Geometry, usize),
    mut source: impl Source<E>,
    product: Product<E>,
    scratch: &mut [u8],
) where
    GemmRow<E>: Row,
{
    let mut scratch = scratch;
    let outside = {
        let row = cut::<E>(&mut scratch, geometry.depth());
        row.fill(outside);
        &*row
    };
    let [segments, depth] = geometry.segments();
    let gathered = cut::<E>(&mut scratch, kernel.tile_rows() * depth);
    drive(kernel, product, zero_point, scratch, |first, count, panel, scales| {
        scales.fill(scale);
        let tile = Tile::new(geometry, start + first, count, kernel.tile_rows());
        let image = source.image(tile.needed());
        let length = panel.len() / segments;
        let put = |segment: usize, pointers: &[*const E; MOST_ROWS]| {
            let to = &mut panel[segment * length..][..length];
            // SAFETY: the kernel is supported; the tile's pointers are good for `depth` values, `to` is a segment of the panel.
            unsafe { pack(pointers.as_ptr(), depth, to.as_mut_ptr()) };
        };
        if depth == outside.len() {
            tile.taps(image, outside, put);
        } else {
            tile.tap_rows(image, outside, gathered, put);
        }
    });
}
