//! Matrix multiply: `C[m, n] = act((Σk A[m, k] · B[k, n] − z·Σk B[k, n]) · row[m] · scale[n] + bias[n] + residual[m, n])`.
//!
//! | operand | type | shape | layout |
//! |---------|------|-------|--------|
//! | A | i8, f16, f32 | `[m, k]` | rows, `stride` values apart; int8 products take f16 and f32 too and quantize while they pack |
//! | B | i8, f16, f32 | `[k, n]` | packed once by [`pack_weights`]: see [`Layout`] |
//! | row, z | f32, i32 | `[m]` or one | scale and zero point of A (int8 only): see [`I8Rows`] |
//! | scale, bias | f32 | `[n]` | per output channel, see [`Epilogue`] |
//! | residual | i8, f16, f32 | `[m, n]` | rows, `stride` values apart |
//! | C | i8, f16, f32 | `[m, n]` | rows, `stride` values apart |
//!
//! int8 products are summed in i32 and finished in f32, operation by operation as [`finish`] says, so that every version
//! gives the same bits. The bound for f32 against the plain version is `2k·2⁻²⁴·Σ|a·b|`; f16 products may be summed
//! in f16 over at most [`F16_BLOCK`] values of k, then in f32: `2·F16_BLOCK·2⁻¹¹·Σ|a·b|` at worst, and in practice the
//! square root of it, since roundings are as often up as down. Where one block takes all of k and C is f16, bias and
//! residual are added in f16 too.
//!
//! A convolution is this product with another way to find A's rows: it packs them itself and calls [`drive`]. Rows of few values of k, and f32
//! products of few columns, are not packed: `direct.rs` multiplies them where they stand.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512_vnni;
#[cfg(target_arch = "x86_64")]
mod avx_vnni;
pub(crate) mod direct;
pub(crate) mod epilogue;
#[cfg(target_arch = "x86_64")]
mod few_avx2;
#[cfg(target_arch = "x86_64")]
mod few_avx512;
#[cfg(target_arch = "aarch64")]
mod few_neon;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod neon_dotprod;
#[cfg(target_arch = "aarch64")]
mod neon_fp16;
#[cfg(target_arch = "aarch64")]
mod neon_i8mm;
pub(crate) mod scalar;
mod weights;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use epilogue::{Epilogue, Finish, Output, Residual, finish};
pub use scalar::{finish_plainly, quantize};
pub use weights::{Layout, Weights, column_sums, pack_weights};

use crate::features::{Features, Isa};
use crate::kernel::{Identity, Kernel, Row};
use crate::layouts::FEW;
use crate::scratch::{Plain, bytes_for, cut};
use direct::{Direct, Run, drive_strips};
use half::f16;
use std::ops::Range;

/// The most values of k whose products are summed in f16.
pub const F16_BLOCK: usize = 512;

/// The most rows a tile may have.
pub const MOST_ROWS: usize = 16;

/// What is multiplied, and what its products are summed in.
pub trait Element: Plain + Default + PartialEq + std::fmt::Debug + Sync + 'static {
    /// i32 for i8, f32 for the others.
    type Sum: Plain + Default + Sync + epilogue::Sum;
    /// The functions that bring rows of A into panels.
    type Packing: Copy + Sync;
    /// The value that pads panels.
    const ZERO: Self;
}

impl Element for i8 {
    type Sum = i32;
    type Packing = I8Packing;
    const ZERO: Self = 0;
}

impl Element for f16 {
    type Sum = f32;
    type Packing = Pack<f16, f16>;
    const ZERO: Self = f16::ZERO;
}

impl Element for f32 {
    type Sum = f32;
    type Packing = Pack<f32, f32>;
    const ZERO: Self = 0.0;
}

/// Packs `depth` values of each of `mr` rows into `[⌈depth / kr⌉][mr][kr]`, the last step filled up with A's zero.
/// A version with a `widening` of 2 writes i16 for i8 and f32 for f16.
///
/// # Safety
/// `rows` holds `mr` pointers, each good for `depth` values; `to` is good for the panel.
pub type Pack<From, To> = unsafe fn(rows: *const *const From, depth: usize, to: *mut To);

/// As [`Pack`], and quantizes: `clamp(round(value · inverse_scale[row]) + zero_point)`. `inverse_scales` holds `mr` values.
pub type PackQuantized<From> = unsafe fn(
    rows: *const *const From,
    depth: usize,
    inverse_scales: *const f32,
    zero_point: i32,
    to: *mut i8,
);

/// How an int8 version packs rows of each type.
#[derive(Clone, Copy)]
pub struct I8Packing {
    /// Values that are quantized already.
    pub from_i8: Pack<i8, i8>,
    /// Halves.
    pub from_f16: PackQuantized<f16>,
    /// Floats.
    pub from_f32: PackQuantized<f32>,
    /// The greatest magnitude among the values of a row of halves.
    pub greatest_f16: unsafe fn(row: *const f16, length: usize) -> f32,
    /// The greatest magnitude among the values of a row of floats.
    pub greatest_f32: unsafe fn(row: *const f32, length: usize) -> f32,
    /// What this version adds to every value that it packs (a CPU that only multiplies u8 by i8 wants 128).
    pub offset: i32,
}

/// Multiplies a panel of A by a panel of B: `sums[row][column] (+)= Σ a · b` over `steps` steps of `kr`.
/// `first` says that the sums are to be written, not added to.
///
/// # Safety
/// `a` is good for `steps·mr·kr` values (each of `widening` elements), `b` for `steps·nr·kr`, `sums` for `mr·nr`, aligned to 64 bytes.
pub type Multiply<E> =
    unsafe fn(steps: usize, a: *const E, b: *const E, sums: *mut <E as Element>::Sum, first: bool);

/// Multiplies and finishes whole tiles of a column of tiles in one go, without sums in memory between; returns how many rows it
/// did: a multiple of `mr` or all, 0 where it does not know the epilogue. The bits are those of `multiply` and `finish`, but for f16
/// values, whose sums may be finished in f16.
///
/// # Safety
/// `a` is good for as many panels of `steps` steps as `tile` has rows for, `b` for one, and `tile` came from `Finish::new`.
pub type Fused<E> =
    unsafe fn(steps: usize, a: *const E, b: *const E, tile: &Finish<<E as Element>::Sum>) -> usize;

/// A version of the multiply.
pub struct GemmRow<E: Element> {
    pub(crate) identity: Identity,
    pub(crate) layout: Layout,
    pub(crate) mr: usize,
    /// How many values' room a value of A takes in a panel: 2 where the packing widens i8 to i16 or f16 to f32, else 1.
    pub(crate) widening: usize,
    /// The most steps of k that one call of `multiply` takes; more would lose precision or fall out of the cache.
    pub(crate) steps: usize,
    pub(crate) multiply: Multiply<E>,
    /// Taken first where all steps fit into one call.
    pub(crate) fused: Option<Fused<E>>,
    /// Taken instead of packing and `multiply` for up to so many values of k.
    pub(crate) direct: Option<(Direct<E>, usize)>,
    pub(crate) packing: E::Packing,
    pub(crate) finish: unsafe fn(&Finish<E::Sum>),
}

impl Row for GemmRow<i8> {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "x86_64")]
        avx512_vnni::GEMM_I8,
        #[cfg(target_arch = "x86_64")]
        avx_vnni::GEMM_I8,
        #[cfg(target_arch = "x86_64")]
        avx2::GEMM_I8,
        #[cfg(target_arch = "aarch64")]
        neon_i8mm::GEMM_I8,
        #[cfg(target_arch = "aarch64")]
        neon_i8mm::GEMM_I8_INORDER,
        #[cfg(target_arch = "aarch64")]
        neon_dotprod::GEMM_I8_FP16,
        #[cfg(target_arch = "aarch64")]
        neon_dotprod::GEMM_I8,
        #[cfg(target_arch = "aarch64")]
        neon_dotprod::GEMM_I8_INORDER,
        #[cfg(target_arch = "aarch64")]
        neon::GEMM_I8,
        scalar::GEMM_I8,
    ];
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl Row for GemmRow<f16> {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "x86_64")]
        avx512::GEMM_F16,
        #[cfg(target_arch = "x86_64")]
        avx2::GEMM_F16,
        #[cfg(target_arch = "aarch64")]
        neon_fp16::GEMM_F16,
        #[cfg(target_arch = "aarch64")]
        neon::GEMM_F16,
        scalar::GEMM_F16,
    ];
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl Row for GemmRow<f32> {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "x86_64")]
        avx512::GEMM_F32,
        #[cfg(target_arch = "x86_64")]
        few_avx512::GEMM_F32_SIXTEEN,
        #[cfg(target_arch = "x86_64")]
        few_avx512::GEMM_F32_EIGHT,
        #[cfg(target_arch = "x86_64")]
        few_avx512::GEMM_F32_ONE,
        #[cfg(target_arch = "x86_64")]
        avx2::GEMM_F32,
        #[cfg(target_arch = "x86_64")]
        few_avx2::GEMM_F32_EIGHT,
        #[cfg(target_arch = "x86_64")]
        few_avx2::GEMM_F32_ONE,
        #[cfg(target_arch = "aarch64")]
        neon::GEMM_F32,
        #[cfg(target_arch = "aarch64")]
        few_neon::GEMM_F32_ONE,
        scalar::GEMM_F32,
    ];
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

/// The left operand: rows `stride` values apart, as many as the range of rows to compute.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a, T> {
    /// The first row to compute starts at the first value.
    pub values: &'a [T],
    /// Values from the start of a row to the start of the next.
    pub stride: usize,
}

impl<T> Rows<'_, T> {
    pub(crate) fn check(&self, rows: usize, k: usize) {
        assert!(self.stride >= k, "rows of {k} values are {} apart", self.stride);
        let needed = if rows == 0 { 0 } else { (rows - 1) * self.stride + k };
        assert!(
            self.values.len() >= needed,
            "{rows} rows need {needed} values, found {}",
            self.values.len()
        );
    }

    /// Pointers to `count` rows from `first`, the last repeated up to the end of the array.
    fn pointers(&self, first: usize, count: usize) -> [*const T; MOST_ROWS] {
        std::array::from_fn(|row| {
            self.values[(first + row.min(count - 1)) * self.stride..].as_ptr()
        })
    }
}

/// The left operand of an int8 product, and how it is quantized.
#[derive(Clone, Copy, Debug)]
pub enum I8Rows<'a> {
    /// Quantized already: `value = (q − zero_point) · scale`.
    I8(Rows<'a, i8>, Quantization),
    /// Quantized already, each row with a step of its own: `value = q · steps[row]`. The steps start where the rows' values do: one for each
    /// row to compute, of an image one for each pixel.
    I8PerRow(Rows<'a, i8>, &'a [f32]),
    /// Quantized while it is packed.
    F16(Rows<'a, f16>, Precision),
    /// Quantized while it is packed.
    F32(Rows<'a, f32>, Precision),
}

/// `value = (q − zero_point) · scale`
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Quantization {
    /// The size of a step; positive.
    pub scale: f32,
    /// What stands for 0; −128..=127.
    pub zero_point: i32,
}

/// How values are quantized while they are packed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Precision {
    /// With one scale, known before.
    Tensor(Quantization),
    /// Each row by its greatest magnitude, symmetric: `scale = max|value| / 127`, 1 where all values are 0.
    Row,
}

impl<E: Element> Kernel<GemmRow<E>>
where
    GemmRow<E>: Row,
{
    /// The version that dispatch takes for `k` values of k. Of few, packing and finishing are most of the work, and the widest int8
    /// tiles on x86 are not the fastest.
    pub fn pick(features: Features, k: usize) -> Self {
        let wide = |kernel: &Self| kernel.identity().needs.contains(&Isa::Avx512Vnni);
        let narrow = features.has(&[Isa::AvxVnni]) && k < FEW;
        Self::supported(features)
            .find(|kernel| !(narrow && wide(kernel)))
            .unwrap_or_else(Self::plain)
    }

    /// The version for weights that are packed so; none where this CPU has no such version.
    pub fn with_layout(layout: Layout, features: Features) -> Option<Self> {
        Self::supported(features).find(|kernel| kernel.layout() == layout)
    }

    /// How the weights of this version are packed.
    pub fn layout(self) -> Layout {
        self.row().layout
    }

    /// Rows of a tile: ranges of rows that are multiples of it waste nothing.
    pub fn tile_rows(self) -> usize {
        self.row().mr
    }

    /// Bytes of working memory for `rows` rows.
    pub fn scratch_bytes(self, rows: usize, weights: &Weights<E>) -> usize {
        let block = self.block_rows(rows, weights.steps());
        let strips = self.strips_scratch_bytes();
        let packed = bytes_for::<E>(block * weights.steps() * self.step_length() / self.row().mr)
            + bytes_for::<E::Sum>(block * self.layout().nr)
            + bytes_for::<f32>(block);
        packed.max(strips)
    }

    /// Elements that a step of k takes in a panel of A: `mr · kr · widening`.
    pub(crate) fn step_length(self) -> usize {
        self.row().mr * self.layout().kr * self.row().widening
    }

    /// How many rows are packed at a time: as many as leave room for a panel of weights in a second-level cache, but
    /// enough that the weights are not read for each panel anew.
    fn block_rows(self, rows: usize, steps: usize) -> usize {
        const CACHE: usize = 256 << 10;
        const LEAST_PANELS: usize = 4;
        let mr = self.row().mr;
        let fitting = CACHE / (size_of::<E>() * steps * self.step_length() / mr).max(1) / mr * mr;
        fitting.max(LEAST_PANELS * mr).min(rows.max(1).next_multiple_of(mr))
    }
}

/// What is computed beside the left operand.
#[derive(Debug)]
pub struct Product<'a, E> {
    /// How many rows.
    pub rows: usize,
    /// B.
    pub weights: &'a Weights<'a, E>,
    /// What is done with the sums.
    pub epilogue: Epilogue<'a>,
    /// C.
    pub output: Output<'a>,
}

/// Computes rows of C from rows of A that `pack` brings into panels. `pack(first, count, panel, scales)` packs rows `first..first + count`
/// (`count` ≤ `mr`; the panel's other rows may hold anything) and writes the rows' scales. A panel holds [`GemmRow`]'s
/// `mr · kr · widening` elements for each step of the weights.
///
/// The order is: a block of rows is packed; then for each panel of B, each block of k, each panel of A in turn. `zero_point` is A's, with
/// what the packing added.
///
/// # Panics
/// Where a slice is too short for the shape, or the weights are packed for another layout.
pub fn drive<E: Element>(
    kernel: Kernel<GemmRow<E>>,
    product: Product<E>,
    zero_point: i32,
    scratch: &mut [u8],
    mut pack: impl FnMut(usize, usize, &mut [E], &mut [f32]),
) where
    GemmRow<E>: Row,
{
    let Product { rows, weights, epilogue, mut output } = product;
    let row = kernel.row();
    let Layout { nr, kr } = row.layout;
    assert_eq!(
        weights.layout(),
        row.layout,
        "the weights are packed for another kernel than {}",
        row.identity.name
    );
    epilogue.check(rows, weights.n());
    output.check(rows, weights.n());
    let (mr, steps, step_length) = (row.mr, weights.steps(), kernel.step_length());
    let block_rows = kernel.block_rows(rows, steps);
    let parts = steps.div_ceil(row.steps).max(1);
    let part = steps.div_ceil(parts).max(1);
    let mut scratch = scratch;
    let panels = cut::<E>(&mut scratch, block_rows / mr * steps * step_length);
    let sums = cut::<E::Sum>(&mut scratch, block_rows * nr);
    let scales = cut::<f32>(&mut scratch, block_rows);

    for block in (0..rows).step_by(block_rows) {
        let block = block..rows.min(block + block_rows);
        for (index, first) in block.clone().step_by(mr).enumerate() {
            let panel = &mut panels[index * steps * step_length..][..steps * step_length];
            pack(first, mr.min(rows - first), panel, &mut scales[index * mr..][..mr]);
        }
        for column in (0..weights.n()).step_by(nr) {
            let columns = column..weights.n().min(column + nr);
            let b = weights.panel(column / nr);
            let mut tile = |rows: Range<usize>, sums: &[E::Sum]| {
                let scales = &scales[rows.start - block.start..];
                let (terms, epilogue) = (weights.sums(), &epilogue);
                let columns = columns.clone();
                Finish::new(
                    sums,
                    nr,
                    rows,
                    columns,
                    zero_point,
                    terms,
                    scales,
                    epilogue,
                    &mut output,
                )
            };
            let done = match row.fused {
                Some(fused) if steps <= row.steps => {
                    // SAFETY: the kernel is supported, the panels are as long as `Fused` says, and `Finish::new` found every
                    // operand long enough for the block.
                    unsafe { fused(steps, panels.as_ptr(), b.as_ptr(), &tile(block.clone(), sums)) }
                }
                _ => 0,
            };
            for step in (0..steps).step_by(part) {
                let taken = part.min(steps - step);
                let b = &b[step * nr * kr..][..taken * nr * kr];
                for index in done.div_ceil(mr)..block.len().div_ceil(mr) {
                    let a = &panels[(index * steps + step) * step_length..][..taken * step_length];
                    let sums = &mut sums[index * mr * nr..][..mr * nr];
                    // SAFETY: the kernel is supported; the slices are as long as `Multiply` says, and scratch is cut to 64 bytes.
                    unsafe {
                        (row.multiply)(taken, a.as_ptr(), b.as_ptr(), sums.as_mut_ptr(), step == 0)
                    };
                }
            }
            if done < block.len() {
                let finish = tile(block.start + done..block.end, &sums[done * nr..]);
                // SAFETY: the kernel is supported; `Finish::new` found every operand long enough for the rows.
                unsafe { (row.finish)(&finish) };
            }
        }
        if weights.n() == 0 {
            break;
        }
    }
}

impl Kernel<GemmRow<i8>> {
    /// Multiplies rows of A, quantizing them while it packs where they are not int8.
    ///
    /// # Panics
    /// Where a slice is too short for the shape, or the weights are packed for another layout.
    pub fn run(self, a: I8Rows, product: Product<i8>, scratch: &mut [u8]) {
        let (rows, weights) = (product.rows, product.weights);
        let packing = self.row().packing;
        let k = weights.k();
        assert_eq!(weights.segments(), 1, "the weights are packed for a convolution");
        match a {
            I8Rows::I8(a, quantization) => {
                a.check(rows, k);
                let zero_point = quantization.zero_point + packing.offset;
                drive(self, product, zero_point, scratch, |first, count, panel, scales| {
                    scales.fill(quantization.scale);
                    // SAFETY: the kernel is supported; `check` found every row long enough, the panel is of its length.
                    unsafe {
                        (packing.from_i8)(a.pointers(first, count).as_ptr(), k, panel.as_mut_ptr())
                    };
                });
            }
            I8Rows::I8PerRow(a, steps) => {
                a.check(rows, k);
                check_steps(rows, steps);
                drive(self, product, packing.offset, scratch, |first, count, panel, scales| {
                    let steps = &steps[first..][..count];
                    scales[..count].copy_from_slice(steps);
                    scales[count..].fill(steps[count - 1]);
                    // SAFETY: the kernel is supported; `check` found every row long enough, the panel is of its length.
                    unsafe {
                        (packing.from_i8)(a.pointers(first, count).as_ptr(), k, panel.as_mut_ptr())
                    };
                });
            }
            I8Rows::F16(a, precision) => {
                a.check(rows, k);
                let (quantize, greatest) = (packing.from_f16, packing.greatest_f16);
                let zero_point = precision.zero_point() + packing.offset;
                drive(self, product, zero_point, scratch, |first, count, panel, scales| {
                    let pointers = a.pointers(first, count);
                    // SAFETY: the kernel is supported and `check` found every row long enough.
                    let inverses =
                        precision.scales(scales, |row| unsafe { greatest(pointers[row], k) });
                    let zero_point = precision.zero_point();
                    // SAFETY: as above, and the panel is of its length.
                    unsafe {
                        quantize(
                            pointers.as_ptr(),
                            k,
                            inverses.as_ptr(),
                            zero_point,
                            panel.as_mut_ptr(),
                        )
                    };
                });
            }
            I8Rows::F32(a, precision) => {
                a.check(rows, k);
                let (quantize, greatest) = (packing.from_f32, packing.greatest_f32);
                let zero_point = precision.zero_point() + packing.offset;
                drive(self, product, zero_point, scratch, |first, count, panel, scales| {
                    let pointers = a.pointers(first, count);
                    // SAFETY: the kernel is supported and `check` found every row long enough.
                    let inverses =
                        precision.scales(scales, |row| unsafe { greatest(pointers[row], k) });
                    let zero_point = precision.zero_point();
                    // SAFETY: as above, and the panel is of its length.
                    unsafe {
                        quantize(
                            pointers.as_ptr(),
                            k,
                            inverses.as_ptr(),
                            zero_point,
                            panel.as_mut_ptr(),
                        )
                    };
                });
            }
        }
    }
}

/// # Panics
/// Where a row has no step.
pub(crate) fn check_steps(rows: usize, steps: &[f32]) {
    assert!(steps.len() >= rows, "steps of {rows} rows, found {}", steps.len());
}

impl Precision {
    pub(crate) fn zero_point(self) -> i32 {
        match self {
            Precision::Tensor(quantization) => quantization.zero_point,
            Precision::Row => 0,
        }
    }

    /// Writes the scale of each row of a panel and returns their inverses.
    fn scales(self, scales: &mut [f32], greatest: impl Fn(usize) -> f32) -> [f32; MOST_ROWS] {
        for (row, scale) in scales.iter_mut().enumerate() {
            *scale = match self {
                Precision::Tensor(quantization) => quantization.scale,
                Precision::Row => row_scale(greatest(row)),
            };
        }
        std::array::from_fn(|row| 1.0 / scales.get(row).copied().unwrap_or(1.0))
    }
}

/// The scale of a row whose greatest magnitude is `greatest`. A row with infinity or NaN in it has no scale: its values are what
/// rounding and clamping make of them.
pub fn row_scale(greatest: f32) -> f32 {
    if greatest == 0.0 { 1.0 } else { greatest / 127.0 }
}

macro_rules! same_type_gemm {
    ($element:ty) => {
        impl Kernel<GemmRow<$element>> {
            /// Multiplies rows of A.
            ///
            /// # Panics
            /// Where a slice is too short for the shape, or the weights are packed for another layout.
            pub fn run(self, a: Rows<$element>, product: Product<$element>, scratch: &mut [u8]) {
                let weights = product.weights;
                assert_eq!(weights.segments(), 1, "the weights are packed for a convolution");
                a.check(product.rows, weights.k());
                if self.is_direct([1, weights.k()]) {
                    let (rows, run) =
                        (product.rows, Run { start: a.values.as_ptr(), step: a.stride });
                    // SAFETY: `check` found every row long enough.
                    unsafe {
                        drive_strips(self, product, scratch, |strip| strip(0..rows, &[run]));
                    }
                    return;
                }
                let pack = self.row().packing;
                drive(self, product, 0, scratch, |first, count, panel, scales| {
                    scales.fill(1.0);
                    // SAFETY: the kernel is supported; `check` found every row long enough, the panel is of its length.
                    unsafe {
                        pack(a.pointers(first, count).as_ptr(), weights.k(), panel.as_mut_ptr())
                    };
                });
            }
        }
    };
}

same_type_gemm!(f16);
same_type_gemm!(f32);

/// A range of rows as a part of the whole operand.
pub fn part<'a, T>(all: Rows<'a, T>, rows: &Range<usize>) -> Rows<'a, T> {
    Rows {
        values: &all.values[(rows.start * all.stride).min(all.values.len())..],
        stride: all.stride,
    }
}
