//! Depthwise convolution of NHWC images: each channel by itself,
//! `C[p, c] = act(Σ(ky, kx) (A[y(p, ky), x(p, kx), c] − z) · B[ky, kx, c] · … )`, finished as the multiply finishes; `y` and `x` as in
//! [`convolution`](crate::convolution), and what lies outside the image is `z`.
//!
//! | operand | type | shape | layout |
//! |---------|------|-------|--------|
//! | A | i8, f16, f32 | `[batch, height, width, channels]` | whole images, pixels `stride` values apart |
//! | B | i8, f16, f32 | `[taps, channels]` | rows of taps from the top left; the same for every version |
//! | scale, bias, residual | | | as for the multiply: per channel, per output value |
//! | C | i8, f16, f32 | `[batch, out_height, out_width, channels]` | pixels `stride` values apart |
//!
//! Any range of `batch · out_height · out_width` output pixels can be computed alone and gives the bits of the whole.
//!
//! int8 products are summed in i32 and finished in f32 as [`finish`](crate::gemm::finish()) says, so every version gives the same bits.
//! f32 is within `(taps + 2)·2⁻²³·(Σ|a·b| + |bias|)` of the exact sum. f16 may be summed in f16, the bias with it:
//! `(taps + 2)·2⁻¹¹·(Σ|a·b| + |bias|)`; an f16 sum above 65504 is then infinite.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx_vnni;
mod engine;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod neon_fp16;
#[cfg(target_arch = "x86_64")]
mod quads;
mod scalar;
mod sweep;

use crate::convolution::Geometry;
use crate::gemm::{Element, Epilogue, Output, Quantization, Rows};
use crate::kernel::{Identity, Kernel, Row};
use crate::scratch::{bytes_for, cut};
use half::f16;
use std::ops::Range;
use sweep::Job;

/// A version of the depthwise convolution.
pub struct DepthwiseRow<E: Element> {
    pub(crate) identity: Identity,
    /// Channels that it computes at a time.
    lanes: usize,
    run: unsafe fn(&mut Job<E>),
}

impl Row for DepthwiseRow<i8> {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "aarch64")]
        neon::DEPTHWISE_I8,
        #[cfg(target_arch = "x86_64")]
        avx_vnni::DEPTHWISE_I8,
        #[cfg(target_arch = "x86_64")]
        avx2::DEPTHWISE_I8,
        scalar::DEPTHWISE_I8,
    ];
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl Row for DepthwiseRow<f16> {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "aarch64")]
        neon_fp16::DEPTHWISE_F16,
        #[cfg(target_arch = "aarch64")]
        neon::DEPTHWISE_F16,
        #[cfg(target_arch = "x86_64")]
        avx2::DEPTHWISE_F16,
        scalar::DEPTHWISE_F16,
    ];
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl Row for DepthwiseRow<f32> {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "aarch64")]
        neon::DEPTHWISE_F32,
        #[cfg(target_arch = "x86_64")]
        avx2::DEPTHWISE_F32,
        scalar::DEPTHWISE_F32,
    ];
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

/// What is computed.
#[derive(Debug)]
pub struct Depthwise<'a, E> {
    /// Sizes; as many groups and output channels as channels, see [`Geometry::depthwise`].
    pub geometry: &'a Geometry,
    /// A.
    pub input: Rows<'a, E>,
    /// What the values of A stand for; scale 1 and zero point 0 for f16 and f32.
    pub quantization: Quantization,
    /// B.
    pub filters: &'a [E],
    /// Which of `batch · out_height · out_width` output pixels.
    pub pixels: Range<usize>,
    /// What is done with the sums; a residual starts at the first pixel to compute.
    pub epilogue: Epilogue<'a>,
    /// C, from the first pixel to compute.
    pub output: Output<'a>,
}

/// The most output pixels that a version computes together.
const MOST_PIXELS: usize = 8;

/// The most words of 32 bits that prepared filters take for each tap, and for what sums start from.
const TAP_WORDS: usize = 2;

impl<E: Element> Kernel<DepthwiseRow<E>>
where
    DepthwiseRow<E>: Row,
{
    /// Bytes of working memory, whatever the range of pixels.
    pub fn scratch_bytes(self, geometry: &Geometry) -> usize {
        let channels = geometry.channels;
        bytes_for::<f32>(self.prepared_length(geometry))
            + bytes_for::<E>(channels)
            + bytes_for::<f32>(channels)
            + bytes_for::<E::Sum>(MOST_PIXELS * channels)
            + 2 * bytes_for::<f32>(channels)
    }

    /// Filters in the order of the sweep, with room for a bias.
    fn prepared_length(self, geometry: &Geometry) -> usize {
        geometry.channels.next_multiple_of(self.row().lanes) * (geometry.taps() + 1) * TAP_WORDS
    }

    /// Convolves each channel by itself.
    ///
    /// # Panics
    /// Where a slice is too short for the geometry, or the geometry has fewer groups than channels or an enlarged input.
    pub fn run(self, depthwise: Depthwise<E>, scratch: &mut [u8]) {
        let Depthwise { geometry, input, quantization, filters, pixels, epilogue, mut output } =
            depthwise;
        geometry.check();
        let channels = geometry.channels;
        assert!(
            geometry.groups == channels && geometry.channels_out == channels,
            "as many groups and output channels as channels: {geometry:?}"
        );
        assert_eq!(geometry.upsample, 1, "a depthwise convolution enlarges nothing: {geometry:?}");
        assert!(
            pixels.start <= pixels.end && pixels.end <= geometry.pixels(),
            "pixels {pixels:?} of {}",
            geometry.pixels()
        );
        input.check(geometry.batch * geometry.height * geometry.width, channels);
        let taps = geometry.taps();
        assert_eq!(filters.len(), taps * channels, "filters of {taps} taps, {channels} channels");
        epilogue.check(pixels.len(), channels);
        output.check(pixels.len(), channels);
        let Quantization { scale, zero_point } = quantization;
        assert!((-128..=127).contains(&zero_point), "a zero point is −128..=127");
        assert!(
            size_of::<E>() == size_of::<i8>() || scale == 1.0 && zero_point == 0,
            "only int8 is quantized"
        );
        if pixels.is_empty() || channels == 0 {
            return;
        }

        let mut scratch = scratch;
        let prepared = cut::<f32>(&mut scratch, self.prepared_length(geometry));
        let outside = cut::<E>(&mut scratch, channels);
        let unused = cut::<f32>(&mut scratch, channels);
        let sums = cut::<E::Sum>(&mut scratch, MOST_PIXELS * channels);
        let scales = cut::<f32>(&mut scratch, channels);
        let bias = cut::<f32>(&mut scratch, channels);
        match epilogue.scales {
            Some(values) => scales.copy_from_slice(values),
            None => scales.fill(1.0),
        }
        match epilogue.bias {
            Some(values) => bias.copy_from_slice(values),
            None => bias.fill(0.0),
        }
        let mut job = Job {
            geometry,
            pixels,
            input,
            filters,
            scale,
            zero_point,
            scales,
            bias,
            epilogue: &epilogue,
            output: &mut output,
            prepared,
            outside,
            unused,
            sums,
        };
        // SAFETY: the kernel is supported; every slice has the length that `Job` says.
        unsafe { (self.row().run)(&mut job) };
    }
}
