//! Group norm over an image in NHWC: `y = act((x − mean) / √(variance + ε) · scale + shift)`, mean and variance over
//! all rows (pixels) and the `channels / groups` channels of a group (Wu and He, arXiv 1803.08494).
//!
//! | operand      | type         | shape                    | layout                                                |
//! |--------------|--------------|--------------------------|-------------------------------------------------------|
//! | x            | f32, f16     | [rows, channels]         | rows one after the other                              |
//! | affine       | f32          | `[channels]` each          | see [`crate::affine`]                                 |
//! | sums         | f32          | [blocks, 2, channels]    | per block of [`BLOCK`] rows: `Σ d`, `Σ d²`            |
//! | coefficients | f32          | [3, channels]            | centre, factor, term                                  |
//! | y            | f32, f16, i8 | [rows, channels]         | as x                                                  |
//!
//! Three steps, so that rows can be shared among threads: [`Kernel::sums`] of any ranges of blocks;
//! [`GroupNorm::fold`] once; [`Kernel::apply`] to any ranges of rows. The sums of a block depend on its rows and on
//! the image's first row alone, and blocks are added in order: the results do not depend on how rows were shared.
//! [`Kernel::run`] does all three for a batch.
//!
//! Statistics are about a pivot, the value of the channel in the image's first row: `d = x − pivot`. So a mean far
//! greater than the deviation costs no digits. Sums over a block are in f32, the rest in f64.
//!
//! `apply` computes `act(fma(x − centre, factor, term))`: the centre is the mean, rounded to x's precision, the
//! term makes up for the rounding. Versions named `f32` give the bits of the plain version. The version in f16 is
//! within `2⁻⁹ · (1 + |factor · (x − centre)| + |term|)` of it, and for int8 within one step where that is less
//! than a step. It takes the f32 path by itself for f32 inputs, for coefficients that are no normal halves and for
//! steps below 2⁻⁸; inputs in f16 are to be within ±32 768.
//!
//! A group that holds NaN or an infinity gives NaN, in int8 0.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod lanes;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod neon_fp16;
mod scalar;

use crate::affine::{Affine, Modulation};
use crate::elements::{Input, Output};
use crate::features::{Isa, Schedule};
use crate::kernel::{Identity, Kernel, Row};
use crate::math::Activation;
use half::f16;
use std::ops::Range;

/// How many rows are summed up in f32.
pub const BLOCK: usize = 256;

/// The norm of one image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GroupNorm {
    /// Pixels: height · width.
    pub rows: usize,
    /// Values of a pixel.
    pub channels: usize,
    /// A divisor of the channels.
    pub groups: usize,
    /// Added to the variance.
    pub epsilon: f32,
}

/// A version of group norm.
#[derive(Debug)]
pub struct Version {
    identity: Identity,
    /// The first row, the rows of a block, `Σ d` and `Σ d²` of each channel.
    sums: unsafe fn(Input, Input, &mut [f32]),
    /// Coefficients, rows, results.
    apply: unsafe fn(Coefficients, Input, Output),
}

#[derive(Clone, Copy)]
struct Coefficients<'a> {
    channels: usize,
    /// Centre, factor and term.
    values: &'a [f32],
    activation: Activation,
}

impl Row for Version {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "aarch64")]
        Version {
            identity: identity("group_norm_f16_neon_fp16", "f16", &[Isa::NeonFp16]),
            sums: neon_fp16::sums,
            apply: neon_fp16::apply,
        },
        #[cfg(target_arch = "aarch64")]
        Version {
            identity: identity("group_norm_f32_neon", "f32", &[Isa::Neon]),
            sums: neon::sums,
            apply: neon::apply,
        },
        #[cfg(target_arch = "x86_64")]
        Version {
            identity: identity("group_norm_f32_avx512", "f32", &[Isa::Avx512]),
            sums: avx512::sums,
            apply: avx512::apply,
        },
        #[cfg(target_arch = "x86_64")]
        Version {
            identity: identity("group_norm_f32_avx2", "f32", &[Isa::Avx2]),
            sums: avx2::sums,
            apply: avx2::apply,
        },
        Version {
            identity: identity("group_norm_f32_scalar", "f32", &[]),
            sums: scalar::sums,
            apply: scalar::apply,
        },
    ];

    fn identity(&self) -> &Identity {
        &self.identity
    }
}

const fn identity(name: &'static str, element: &'static str, needs: &'static [Isa]) -> Identity {
    let schedule = Schedule::OutOfOrder;
    Identity { name, operation: "group_norm", element, tile: "", needs, schedule }
}

impl GroupNorm {
    /// How many blocks of rows the statistics have.
    pub fn blocks(self) -> usize {
        self.rows.div_ceil(BLOCK)
    }

    /// How many f32 the sums of an image take.
    pub fn sums_length(self) -> usize {
        self.blocks() * 2 * self.channels
    }

    /// How many f32 the coefficients of an image take.
    pub fn coefficients_length(self) -> usize {
        3 * self.channels
    }

    /// How many f32 [`Kernel::run`] needs as scratch memory.
    pub fn scratch_length(self) -> usize {
        self.sums_length() + self.coefficients_length()
    }

    /// From the sums of all blocks to a centre, a factor and a term for each channel. The first row tells the pivots.
    ///
    /// # Panics
    /// Where a length is not that of the operand table, or the groups do not divide the channels.
    pub fn fold(self, first_row: Input, sums: &[f32], affine: Affine, coefficients: &mut [f32]) {
        self.check();
        let channels = self.channels;
        assert_eq!(first_row.len(), channels, "the first row");
        assert_eq!(sums.len(), self.sums_length(), "the sums of all blocks");
        assert_eq!(coefficients.len(), self.coefficients_length(), "the coefficients");
        affine.check(channels);
        let (centres, rest) = coefficients.split_at_mut(channels);
        let (factors, terms) = rest.split_at_mut(channels);
        let rows = self.rows as f64;
        let in_group = channels / self.groups;
        // The mean and the variance of a channel.
        let channel = |channel: usize| {
            let (mut sum, mut squares) = (0.0, 0.0);
            for block in sums.chunks_exact(2 * channels) {
                sum += f64::from(block[channel]);
                squares += f64::from(block[channels + channel]);
            }
            let mean = sum / rows;
            (f64::from(first_row.at(channel)) + mean, squares / rows - mean * mean)
        };
        for start in (0..channels).step_by(in_group) {
            let range = start..start + in_group;
            let mean = range.clone().map(|c| channel(c).0).sum::<f64>() / in_group as f64;
            let spread = |c| {
                let (own, variance) = channel(c);
                variance + (own - mean) * (own - mean)
            };
            let variance = range.clone().map(spread).sum::<f64>() / in_group as f64;
            // Rounding may leave a little less than nothing; NaN stays.
            let variance = if variance < 0.0 { 0.0 } else { variance };
            let inverse = 1.0 / (variance + f64::from(self.epsilon)).sqrt();
            let centre = match first_row {
                Input::F32(_) => mean as f32,
                Input::F16(_) => f16::from_f64(mean).to_f32(),
            };
            for c in range {
                let (scale, shift) = affine.of(c);
                let factor = f64::from(scale) * inverse;
                centres[c] = centre;
                factors[c] = factor as f32;
                terms[c] = (f64::from(shift) + (f64::from(centre) - mean) * factor) as f32;
            }
        }
    }

    fn check(self) {
        assert!(self.rows > 0 && self.channels > 0, "an image of no values");
        assert!(self.groups > 0 && self.channels.is_multiple_of(self.groups), "groups of channels");
    }
}

impl Kernel<Version> {
    /// The sums of some blocks of an image; `sums` holds `[blocks.len(), 2, channels]`.
    ///
    /// # Panics
    /// Where a length is not that of the operand table.
    pub fn sums(self, norm: GroupNorm, image: Input, blocks: Range<usize>, sums: &mut [f32]) {
        norm.check();
        let channels = norm.channels;
        assert_eq!(image.len(), norm.rows * channels, "the image");
        assert!(blocks.end <= norm.blocks(), "a block beyond the image");
        assert_eq!(sums.len(), blocks.len() * 2 * channels, "the sums");
        let first_row = image.part(0..channels);
        for (block, sums) in blocks.zip(sums.chunks_exact_mut(2 * channels)) {
            let rows = block * BLOCK..norm.rows.min((block + 1) * BLOCK);
            let rows = image.part(rows.start * channels..rows.end * channels);
            // SAFETY: the CPU has what the row needs; a whole number of rows, two sums a channel.
            unsafe { (self.row().sums)(first_row, rows, sums) }
        }
    }

    /// Normalises rows with the coefficients of their image.
    ///
    /// # Panics
    /// Where a length is not that of the operand table.
    pub fn apply(
        self,
        norm: GroupNorm,
        coefficients: &[f32],
        activation: Activation,
        rows: Input,
        output: Output,
    ) {
        norm.check();
        assert!(rows.len().is_multiple_of(norm.channels), "whole rows");
        assert_eq!(rows.len(), output.len(), "a result for each value");
        assert_eq!(coefficients.len(), norm.coefficients_length(), "the coefficients");
        output.check();
        let values = coefficients;
        // SAFETY: the CPU has what the row needs; the lengths were compared.
        unsafe {
            let coefficients = Coefficients { channels: norm.channels, values, activation };
            (self.row().apply)(coefficients, rows, output)
        }
    }

    /// A batch of images `[n, rows, channels]`; modulation, where there is one, is `[n, channels]`.
    /// `scratch` holds [`GroupNorm::scratch_length`] values.
    ///
    /// # Panics
    /// Where a length is not that of the operand table.
    pub fn run(
        self,
        norm: GroupNorm,
        affine: Affine,
        activation: Activation,
        images: Input,
        scratch: &mut [f32],
        mut output: Output,
    ) {
        norm.check();
        assert_eq!(scratch.len(), norm.scratch_length(), "scratch memory");
        assert_eq!(images.len(), output.len(), "a result for each value");
        let size = norm.rows * norm.channels;
        assert!(images.len().is_multiple_of(size), "whole images");
        let (sums, coefficients) = scratch.split_at_mut(norm.sums_length());
        for index in 0..images.len() / size {
            let own = index * norm.channels..(index + 1) * norm.channels;
            let modulation = affine.modulation.map(|all| Modulation {
                scale: &all.scale[own.clone()],
                shift: &all.shift[own.clone()],
            });
            let values = index * size..(index + 1) * size;
            let image = images.part(values.clone());
            self.sums(norm, image, 0..norm.blocks(), sums);
            let affine = Affine { modulation, ..affine };
            norm.fold(image.part(0..norm.channels), sums, affine, coefficients);
            self.apply(norm, coefficients, activation, image, output.part(values));
        }
    }
}
