//! 3×3 convolution, stride 1, dilation 1, by Winograd's method: `r × s` outputs from `(r + 2) · (s + 2)` products for each pair of
//! channels instead of `9 · r · s`.
//!
//! `y[b, i, j, n] = act(Σ_{u, v, c} x[b, i + u − top, j + v − left, c] · w[u, v, c, n] + bias[n] + residual[b, i, j, n])`
//!
//! | operand | type | shape | layout |
//! |---------|------|-------|--------|
//! | x | f16, f32 | `[batch, height, width, c]` | pixels, `stride` values apart; 0 outside |
//! | w | f16, f32 | `[3, 3, c, n]` | transformed and packed once by [`pack`]: see [`Layout`] |
//! | bias, scale | f32 | `[n]` | see [`Epilogue`] |
//! | residual, y | i8, f16, f32 | `[batch, height', width', n]` | pixels, `stride` values apart |
//!
//! An image is cut into tiles of `r × s` outputs. The pixels that a tile needs are transformed, `V = Bᵀ x B`; so are the weights,
//! `U = G w Gᵀ`; for each of the `(r + 2) · (s + 2)` products the values of all channels are multiplied, `M = Σ_c V · U`, and the outputs
//! are `Aᵀ M A` (Lavin and Gray, *Fast Algorithms for Convolutional Neural Networks*, 2015). The points are in `points.rs`. A tile
//! is computed alone: any range of rows of tiles gives the bits of the whole.
//!
//! # Error
//! Against the direct convolution of the same operands in f64, as a share of the outputs' standard deviation; `x` from N(0, 1), `w` from N(0, 1/9c),
//! c = 320: root of the mean square, and greatest. The tests measure these and hold them:
//!
//! | tile | f32 | f16, summed in f32 | f16, summed in f16 |
//! |------|-----|--------------------|--------------------|
//! | 2×2 | 7·10⁻⁷, 4·10⁻⁶ | 0.0008, 0.004 | 0.003, 0.015 |
//! | 4×4 | 2.2·10⁻⁶, 2·10⁻⁵ | 0.0025, 0.016 | 0.0095, 0.065 |
//! | 4×6, 6×4 | 4.5·10⁻⁶, 5·10⁻⁵ | 0.005, 0.04 | 0.019, 0.16 |
//! | 6×6 | 9·10⁻⁶, 1·10⁻⁴ | 0.009, 0.09 | 0.037, 0.3 |
//!
//! `neon_fp16` sums products of halves in f16, over at most [`PART`] values of k, and so the sums of these parts. That, not the rounding of the
//! operands, is most of its error, which grows with the root of c. Other engines widen halves, and round V, U and M to f16.
//! Halves must not exceed 65504 divided by the square of the greatest sum of a row of Bᵀ: 4000 for 2, 2000 for 4, 290 for 6.
//!
//! # Which
//! [`pick`] takes the tile with the fewest products, what hangs over the image's edge included, among those whose error is within the caller's
//! limit; a direct convolution is better for few channels.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod driver;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod neon_fp16;
mod pick;
mod points;
mod scalar;
mod stages;

pub use pick::pick;
pub use scalar::convolve_plainly;

use crate::features::Features;
use crate::gemm::{Element, Epilogue, Output, Rows};
use crate::kernel::{Identity, Kernel, Row};
use half::f16;
use points::{Four, Points, Six, Two};
use std::array::from_fn;

/// The most values of k that are summed one after the other in f16.
pub const PART: usize = 80;

/// The sizes of a convolution.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    /// Images.
    pub batch: usize,
    /// Rows of an image.
    pub height: usize,
    /// Pixels of a row.
    pub width: usize,
    /// Channels of the input.
    pub channels_in: usize,
    /// Channels of the output.
    pub channels_out: usize,
    /// Rows and columns of zeros around each image: top, left, bottom, right; at most 2 each.
    pub padding: [usize; 4],
}

impl Shape {
    /// Height and width of the output; 0 where the padded image is smaller than the filter.
    pub fn size_out(&self) -> [usize; 2] {
        let [top, left, bottom, right] = self.padding;
        [
            (self.height + top + bottom).saturating_sub(2),
            (self.width + left + right).saturating_sub(2),
        ]
    }
}

/// How weights are packed: in panels of `nr` output channels; a panel as `[product][k][nr]`, where k counts input channels, filled up with zeros to
/// a multiple of `group`, and `product = i · (s + 2) + j`. A bundle stores panels in this order and maps them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// Rows and columns of outputs of a tile: `r`, `s`.
    pub tile: [usize; 2],
    /// Output channels of a panel.
    pub nr: usize,
    /// Input channels are filled up to a multiple of this.
    pub group: usize,
}

impl Layout {
    /// Products of a tile.
    pub fn products(self) -> usize {
        (self.tile[0] + 2) * (self.tile[1] + 2)
    }

    /// Values that packed weights take.
    pub fn packed_length(self, channels_in: usize, channels_out: usize) -> usize {
        channels_out.div_ceil(self.nr) * self.panel_length(channels_in)
    }

    fn panel_length(self, channels_in: usize) -> usize {
        self.products() * channels_in.next_multiple_of(self.group) * self.nr
    }
}

/// Transformed and packed weights.
#[derive(Clone, Copy, Debug)]
pub struct Weights<'a, E> {
    panels: &'a [E],
    layout: Layout,
    channels: [usize; 2],
}

impl<'a, E> Weights<'a, E> {
    /// Weights that [`pack`] packed, perhaps long ago and into a file.
    ///
    /// # Panics
    /// Where the slice has another length than the shape asks for.
    pub fn new(panels: &'a [E], layout: Layout, channels_in: usize, channels_out: usize) -> Self {
        let needed = layout.packed_length(channels_in, channels_out);
        assert_eq!(panels.len(), needed, "weights {channels_in} → {channels_out} in {layout:?}");
        Self { panels, layout, channels: [channels_in, channels_out] }
    }

    /// How they are packed.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Input and output channels.
    pub fn channels(&self) -> [usize; 2] {
        self.channels
    }
}

/// The error of a version, as the table at the top defines it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Error {
    /// Root of the mean square.
    pub mean: f32,
    /// The greatest.
    pub greatest: f32,
}

/// A tile whose pixels are to be transformed: pixel (y, x) starts at `from + y · row + x · column`; values of a group of channels
/// for product p go to `to + p · product`, those of the next group `group` further.
pub(crate) struct InputTile<E> {
    from: *const E,
    row: usize,
    column: usize,
    groups: usize,
    to: *mut E,
    product: usize,
    group: usize,
}

/// A tile whose sums are to be brought back: `channels` sums of product p start at `sums + p · product`; `rows` rows are wanted; `bias` holds
/// `channels` values, or is null.
pub(crate) struct FinishTile<E> {
    sums: *const E,
    product: usize,
    rows: usize,
    channels: usize,
    bias: *const f32,
}

/// Tiles of a block and weights of a panel for one product: A is `[tiles / mr][groups][mr][group]`, B `[groups][group][nr]`,
/// the sums are `[tiles][nr]`.
pub(crate) struct Panels<E> {
    tiles: usize,
    groups: usize,
    a: *const E,
    b: *const E,
    sums: *mut E,
}

/// A version of the convolution.
pub struct WinogradRow<E: Value> {
    pub(crate) identity: Identity,
    pub(crate) layout: Layout,
    /// Tiles of a panel.
    pub(crate) mr: usize,
    pub(crate) error: Error,
    pub(crate) input: unsafe fn(&InputTile<E>),
    pub(crate) multiply: unsafe fn(&Panels<E>),
    pub(crate) finish: unsafe fn(&FinishTile<E>, to: *mut E, row: usize, column: usize),
    pub(crate) gather: unsafe fn(&FinishTile<E>, to: *mut f32),
    pub(crate) epilogue: unsafe fn(&crate::gemm::Finish<f32>),
}

impl Row for WinogradRow<f16> {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "aarch64")]
        neon_fp16::SIX_BY_SIX,
        #[cfg(target_arch = "aarch64")]
        neon_fp16::FOUR_BY_SIX,
        #[cfg(target_arch = "aarch64")]
        neon_fp16::SIX_BY_FOUR,
        #[cfg(target_arch = "aarch64")]
        neon_fp16::FOUR_BY_FOUR,
        #[cfg(target_arch = "aarch64")]
        neon_fp16::TWO_BY_TWO,
        #[cfg(target_arch = "aarch64")]
        neon::SIX_BY_SIX_F16,
        #[cfg(target_arch = "aarch64")]
        neon::FOUR_BY_SIX_F16,
        #[cfg(target_arch = "aarch64")]
        neon::SIX_BY_FOUR_F16,
        #[cfg(target_arch = "aarch64")]
        neon::FOUR_BY_FOUR_F16,
        #[cfg(target_arch = "aarch64")]
        neon::TWO_BY_TWO_F16,
        #[cfg(target_arch = "x86_64")]
        avx512::SIX_BY_SIX_F16,
        #[cfg(target_arch = "x86_64")]
        avx512::FOUR_BY_SIX_F16,
        #[cfg(target_arch = "x86_64")]
        avx512::SIX_BY_FOUR_F16,
        #[cfg(target_arch = "x86_64")]
        avx512::FOUR_BY_FOUR_F16,
        #[cfg(target_arch = "x86_64")]
        avx512::TWO_BY_TWO_F16,
        #[cfg(target_arch = "x86_64")]
        avx2::SIX_BY_SIX_F16,
        #[cfg(target_arch = "x86_64")]
        avx2::FOUR_BY_SIX_F16,
        #[cfg(target_arch = "x86_64")]
        avx2::SIX_BY_FOUR_F16,
        #[cfg(target_arch = "x86_64")]
        avx2::FOUR_BY_FOUR_F16,
        #[cfg(target_arch = "x86_64")]
        avx2::TWO_BY_TWO_F16,
        scalar::TWO_BY_TWO_F16,
    ];
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl Row for WinogradRow<f32> {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "aarch64")]
        neon::SIX_BY_SIX_F32,
        #[cfg(target_arch = "aarch64")]
        neon::FOUR_BY_SIX_F32,
        #[cfg(target_arch = "aarch64")]
        neon::SIX_BY_FOUR_F32,
        #[cfg(target_arch = "aarch64")]
        neon::FOUR_BY_FOUR_F32,
        #[cfg(target_arch = "aarch64")]
        neon::TWO_BY_TWO_F32,
        #[cfg(target_arch = "x86_64")]
        avx512::SIX_BY_SIX_F32,
        #[cfg(target_arch = "x86_64")]
        avx512::FOUR_BY_SIX_F32,
        #[cfg(target_arch = "x86_64")]
        avx512::SIX_BY_FOUR_F32,
        #[cfg(target_arch = "x86_64")]
        avx512::FOUR_BY_FOUR_F32,
        #[cfg(target_arch = "x86_64")]
        avx512::TWO_BY_TWO_F32,
        #[cfg(target_arch = "x86_64")]
        avx2::SIX_BY_SIX_F32,
        #[cfg(target_arch = "x86_64")]
        avx2::FOUR_BY_SIX_F32,
        #[cfg(target_arch = "x86_64")]
        avx2::SIX_BY_FOUR_F32,
        #[cfg(target_arch = "x86_64")]
        avx2::FOUR_BY_FOUR_F32,
        #[cfg(target_arch = "x86_64")]
        avx2::TWO_BY_TWO_F32,
        scalar::TWO_BY_TWO_F32,
    ];
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

/// What products are summed in.
#[derive(Clone, Copy)]
enum Sums {
    #[cfg_attr(not(target_arch = "aarch64"), expect(dead_code, reason = "only NEON adds halves"))]
    F16,
    F32,
}

/// The error of versions, by tile.
const fn error<E: Value>(tile: [usize; 2], sums: Sums) -> Error {
    let (mean, greatest) = match (size_of::<E>(), sums, tile) {
        (2, Sums::F16, [2, 2]) => (0.003, 0.015),
        (2, Sums::F16, [4, 4]) => (0.0095, 0.065),
        (2, Sums::F16, [6, 6]) => (0.037, 0.3),
        (2, Sums::F16, _) => (0.019, 0.16),
        (2, Sums::F32, [2, 2]) => (8e-4, 0.004),
        (2, Sums::F32, [4, 4]) => (0.0025, 0.016),
        (2, Sums::F32, [6, 6]) => (0.009, 0.09),
        (2, Sums::F32, _) => (0.005, 0.04),
        (_, _, [2, 2]) => (7e-7, 4e-6),
        (_, _, [4, 4]) => (2.2e-6, 2e-5),
        (_, _, [6, 6]) => (9e-6, 1e-4),
        _ => (4.5e-6, 5e-5),
    };
    Error { mean, greatest }
}

/// The element as it stands in a version's name.
const fn element<E: Value>() -> &'static str {
    if size_of::<E>() == 2 { "f16" } else { "f32" }
}

const fn tile<H: Points, W: Points>() -> [usize; 2] {
    [H::OUT, W::OUT]
}

/// What the convolution's operands are made of.
pub trait Value: Element {
    /// The nearest value to an f64.
    fn nearest(value: f64) -> Self;

    /// The values and the stride of an output of this type.
    fn of<'a>(output: &'a mut Output) -> Option<(&'a mut [Self], usize)>;
}

impl Value for f16 {
    fn nearest(value: f64) -> Self {
        f16::from_f64(value)
    }
    fn of<'a>(output: &'a mut Output) -> Option<(&'a mut [Self], usize)> {
        match output {
            Output::F16 { values, stride } => Some((values, *stride)),
            _ => None,
        }
    }
}

impl Value for f32 {
    fn nearest(value: f64) -> Self {
        value as f32
    }
    fn of<'a>(output: &'a mut Output) -> Option<(&'a mut [Self], usize)> {
        match output {
            Output::F32 { values, stride } => Some((values, *stride)),
            _ => None,
        }
    }
}

impl<E: Value> Kernel<WinogradRow<E>>
where
    WinogradRow<E>: Row,
{
    /// The version for weights that are packed so; none where this CPU has no such version.
    pub fn with_layout(layout: Layout, features: Features) -> Option<Self> {
        Self::supported(features).find(|kernel| kernel.layout() == layout)
    }

    /// How the weights of this version are packed.
    pub fn layout(self) -> Layout {
        self.row().layout
    }

    /// How far this version is from the direct convolution.
    pub fn error(self) -> Error {
        self.row().error
    }

    /// Rows of tiles, of all images together: what ranges count.
    pub fn tile_rows(self, shape: &Shape) -> usize {
        shape.batch * shape.size_out()[0].div_ceil(self.layout().tile[0])
    }

    /// As [`pack`], for this version.
    ///
    /// # Panics
    /// Where `panels` is not as long as [`Layout::packed_length`] says.
    pub fn pack(
        self,
        channels_in: usize,
        channels_out: usize,
        at: impl Fn(usize, usize, usize, usize) -> f32,
        panels: &mut [E],
    ) {
        pack(self.layout(), channels_in, channels_out, at, panels);
    }
}

/// The tiles that there are versions for, on one CPU or another.
pub const TILES: [[usize; 2]; 5] = [[6, 6], [4, 6], [6, 4], [4, 4], [2, 2]];

/// Transforms weights given as `at(u, v, input channel, output channel)` in f64, rounds them once, and packs them, for any machine's version.
///
/// # Panics
/// Where `panels` is not as long as [`Layout::packed_length`] says, or the tile is none of [`TILES`].
pub fn pack<E: Value>(
    layout: Layout,
    channels_in: usize,
    channels_out: usize,
    at: impl Fn(usize, usize, usize, usize) -> f32,
    panels: &mut [E],
) {
    let length = layout.packed_length(channels_in, channels_out);
    assert_eq!(panels.len(), length, "weights {channels_in} → {channels_out} in {layout:?}");
    assert!(TILES.contains(&layout.tile), "no version has tiles of {:?}", layout.tile);
    let Layout { tile: [rows, columns], nr, group } = layout;
    let (down, across) = (transform(rows), transform(columns));
    let depth = channels_in.next_multiple_of(group);
    panels.fill(E::ZERO);
    for (panel, first) in
        panels.chunks_exact_mut(layout.panel_length(channels_in).max(1)).zip((0..).step_by(nr))
    {
        for k in 0..channels_in {
            for n in first..channels_out.min(first + nr) {
                let taps: [[f64; 3]; 3] = from_fn(|u| from_fn(|v| f64::from(at(u, v, k, n))));
                for (i, &factors) in down.iter().take(rows + 2).enumerate() {
                    let row = from_fn(|v| combine(factors, from_fn(|u| taps[u][v])));
                    for (j, &factors) in across.iter().take(columns + 2).enumerate() {
                        let product = i * (columns + 2) + j;
                        let to = (product * depth + k) * nr + n - first;
                        panel[to] = E::nearest(combine(factors, row));
                    }
                }
            }
        }
    }
}

/// The coefficients of the three taps in each product's weight, for a side of so many outputs; what lies beyond is 0.
fn transform(outputs: usize) -> [[f64; 3]; MOST_INPUTS] {
    let weights = match outputs {
        2 => Two::weights,
        4 => Four::weights,
        _ => Six::weights,
    };
    from_fn(|product| if product < outputs + 2 { weights(product) } else { [0.0; 3] })
}

/// Inputs of a side of the largest tile.
const MOST_INPUTS: usize = 8;

fn combine(factors: [f64; 3], terms: [f64; 3]) -> f64 {
    factors.iter().zip(&terms).map(|(factor, term)| factor * term).sum()
}

/// What is convolved.
#[derive(Debug)]
pub struct Convolution<'a, E> {
    /// The sizes.
    pub shape: Shape,
    /// x: all pixels of all images.
    pub input: Rows<'a, E>,
    /// w.
    pub weights: &'a Weights<'a, E>,
    /// What is done with the sums; the residual's first row is the first pixel to compute.
    pub epilogue: Epilogue<'a>,
    /// y, whose first row is the first pixel to compute.
    pub output: Output<'a>,
}
