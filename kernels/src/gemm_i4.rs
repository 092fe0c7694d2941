//! Matrix multiply with int4 weights in groups along k: `C[m, n] = act(S[m, n] · row[m] · scale[n] + bias[n] + residual[m, n])` with
//! `S[m, n] = Σg (Σk∈g (A[m, k] − z) · B[k, n]) · group_scale[g, n]`, a group being [`GROUP`] values of k.
//!
//! | operand | type | shape | layout |
//! |---------|------|-------|--------|
//! | A | i8, f16, f32 | `[m, k]` | rows, as in [`gemm`](crate::gemm): f16 and f32 are quantized first |
//! | B | −8..=7 | `[k, n]` | nibbles, see [`I4Weights`] |
//! | group_scale | f16, f32 | `[⌈k / 32⌉, n]` | see [`I4Weights`] |
//! | epilogue, C | | | as in `gemm` |
//!
//! Every version gives the same bits, since all do this for each value of C:
//!
//! 1. `S = −z · Σg (Σk∈g B[k, n]) · group_scale[g, n]`: the product of two f32, of which the second is what [`terms`] computes
//! 2. for each group in turn `S = fma(Σk∈g A[m, k] · B[k, n], group_scale[g, n], S)`, the inner sum exact in i32
//! 3. what [`finish`](crate::gemm::finish) does with S
//!
//! One row has a loop of its own in each version. Any range of whole panels of columns can be computed alone, like any rows.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512_vnni;
#[cfg(target_arch = "x86_64")]
mod avx_vnni;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod neon_dotprod;
#[cfg(target_arch = "aarch64")]
mod neon_i8mm;
mod scalar;
mod weights;

pub use weights::{GROUP, I4Weights, Scales, pack_nibbles, pack_scales, terms};

use crate::features::Features;
use crate::gemm::{
    Epilogue, Finish, I8Packing, I8Rows, Layout, Output, Precision, Rows, check_steps, row_scale,
};
use crate::kernel::{Identity, Kernel, Row};
use crate::scratch::{bytes_for, cut};
use half::f16;
use std::ops::Range;

/// Adds groups to a tile: `sums[row][column] = fma(start + Σ a · u, scale, sums[row][column])` for each group in turn, where u are the
/// nibbles as they are stored and `starts[group][row]` takes off what they have too much.
///
/// # Safety
/// `a` is good for `groups` times `[32 / kr][mr][kr]`, `starts` for `[groups][mr]`, `b` for a panel of so many groups, `scales`
/// for `[groups][nr]`, `sums` for `[mr][nr]`, aligned to 64 bytes.
type Multiply = unsafe fn(
    groups: usize,
    a: *const i8,
    starts: *const i32,
    b: *const u8,
    scales: *const f32,
    sums: *mut f32,
);

/// A version of the multiply.
pub struct GemmI4Row {
    identity: Identity,
    layout: Layout,
    mr: usize,
    /// For tiles of `mr` rows.
    multiply: Multiply,
    /// For one row.
    multiply_one: Multiply,
    /// Quantizes one row, filled up with zeros to a whole group.
    packing: I8Packing,
    /// Reads halves into floats: one pointer, their number, where they go.
    widen: unsafe fn(*const *const f16, usize, *mut f16),
    finish: unsafe fn(&Finish<f32>),
}

impl Row for GemmI4Row {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "x86_64")]
        avx512_vnni::GEMM_I4,
        #[cfg(target_arch = "x86_64")]
        avx_vnni::GEMM_I4,
        #[cfg(target_arch = "x86_64")]
        avx2::GEMM_I4,
        #[cfg(target_arch = "aarch64")]
        neon_i8mm::GEMM_I4,
        #[cfg(target_arch = "aarch64")]
        neon_dotprod::GEMM_I4,
        #[cfg(target_arch = "aarch64")]
        neon::GEMM_I4,
        scalar::GEMM_I4,
    ];
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

/// What is computed beside the left operand.
#[derive(Debug)]
pub struct I4Product<'a> {
    /// How many rows.
    pub rows: usize,
    /// B.
    pub weights: &'a I4Weights<'a>,
    /// What is done with the sums.
    pub epilogue: Epilogue<'a>,
    /// C; starts at the first column of the range that is computed.
    pub output: Output<'a>,
}

impl Kernel<GemmI4Row> {
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
    pub fn scratch_bytes(self, rows: usize, weights: &I4Weights) -> usize {
        let (groups, nr) = (weights.groups(), self.layout().nr);
        let (mr, block) = self.block(rows, groups);
        bytes_for::<i8>(block * groups * GROUP)
            + bytes_for::<i32>(block * groups)
            + bytes_for::<i8>(groups * GROUP)
            + bytes_for::<f32>(groups * nr)
            + bytes_for::<f32>(nr)
            + bytes_for::<f32>(mr * nr)
            + bytes_for::<f32>(block)
    }

    /// Rows of a tile, and how many rows are packed at a time.
    fn block(self, rows: usize, groups: usize) -> (usize, usize) {
        const CACHE: usize = 256 << 10;
        const LEAST_PANELS: usize = 4;
        let mr = if rows == 1 { 1 } else { self.row().mr };
        let fitting = CACHE / (groups * GROUP).max(1) / mr * mr;
        (mr, fitting.max(LEAST_PANELS * mr).min(rows.max(1).next_multiple_of(mr)))
    }

    /// Multiplies rows of A by a range of columns, quantizing A where it is not int8.
    ///
    /// # Panics
    /// Where a slice is too short for the shape, the weights are packed for another layout, or the range is not of whole panels.
    pub fn run(self, a: I8Rows, columns: Range<usize>, product: I4Product, scratch: &mut [u8]) {
        let k = product.weights.k();
        let packing = self.row().packing;
        match a {
            I8Rows::I8(a, quantization) => {
                a.check(product.rows, k);
                let precision = Precision::Tensor(quantization);
                self.drive(columns, product, precision, scratch, |row, _, to| {
                    // SAFETY: the kernel is supported, `check` found the row long enough, and `to` is of whole groups.
                    unsafe { (packing.from_i8)(&pointer(&a, row), k, to.as_mut_ptr()) };
                    quantization.scale
                });
            }
            I8Rows::I8PerRow(a, steps) => {
                a.check(product.rows, k);
                check_steps(product.rows, steps);
                self.drive(columns, product, Precision::Row, scratch, |row, _, to| {
                    // SAFETY: as above.
                    unsafe { (packing.from_i8)(&pointer(&a, row), k, to.as_mut_ptr()) };
                    steps[row]
                });
            }
            I8Rows::F16(a, precision) => {
                a.check(product.rows, k);
                self.drive(columns, product, precision, scratch, |row, zero_point, to| {
                    let row = pointer(&a, row);
                    // SAFETY: as above.
                    let scale = scale(precision, || unsafe { (packing.greatest_f16)(row, k) });
                    let inverse = 1.0 / scale;
                    // SAFETY: as above.
                    unsafe { (packing.from_f16)(&row, k, &inverse, zero_point, to.as_mut_ptr()) };
                    scale
                });
            }
            I8Rows::F32(a, precision) => {
                a.check(product.rows, k);
                self.drive(columns, product, precision, scratch, |row, zero_point, to| {
                    let row = pointer(&a, row);
                    // SAFETY: as above.
                    let scale = scale(precision, || unsafe { (packing.greatest_f32)(row, k) });
                    let inverse = 1.0 / scale;
                    // SAFETY: as above.
                    unsafe { (packing.from_f32)(&row, k, &inverse, zero_point, to.as_mut_ptr()) };
                    scale
                });
            }
        }
    }

    /// `quantize(row, zero_point, to)` writes a row in whole groups and returns its scale.
    fn drive(
        self,
        columns: Range<usize>,
        product: I4Product,
        precision: Precision,
        scratch: &mut [u8],
        mut quantize: impl FnMut(usize, i32, &mut [i8]) -> f32,
    ) {
        let I4Product { rows, weights, epilogue, mut output } = product;
        let row = self.row();
        let Layout { nr, kr } = row.layout;
        assert_eq!(
            weights.layout(),
            row.layout,
            "the weights are packed for another kernel than {}",
            row.identity.name
        );
        epilogue.check(rows, weights.n());
        let (weights, epilogue) = (weights.columns(&columns), epilogue.columns(&columns));
        output.check(rows, weights.n());
        let zero_point = precision.zero_point();
        let groups = weights.groups();
        let (mr, block_rows) = self.block(rows, groups);
        let multiply = if mr == 1 { row.multiply_one } else { row.multiply };
        let mut scratch = scratch;
        let panels = cut::<i8>(&mut scratch, block_rows * groups * GROUP);
        let starts = cut::<i32>(&mut scratch, block_rows * groups);
        let one = cut::<i8>(&mut scratch, groups * GROUP);
        let wide = cut::<f32>(&mut scratch, groups * nr);
        let first = cut::<f32>(&mut scratch, nr);
        let sums = cut::<f32>(&mut scratch, mr * nr);
        let row_scales = cut::<f32>(&mut scratch, block_rows);

        for block in (0..rows).step_by(block_rows) {
            let block = block..rows.min(block + block_rows);
            for (at, row) in block.clone().enumerate() {
                row_scales[at] = quantize(row, zero_point, one);
                let panel = at / mr * mr * groups;
                let starts = &mut starts[panel..][..mr * groups];
                let panel = &mut panels[panel * GROUP..][..mr * groups * GROUP];
                interleave(one, at % mr, mr, kr, panel, starts);
            }
            for (panel, column) in (0..weights.n()).step_by(nr).enumerate() {
                let scales = match weights.panel_scales(panel) {
                    Scales::F32(scales) => scales,
                    Scales::F16(scales) => {
                        // SAFETY: the kernel is supported, and there is a float for each half.
                        unsafe {
                            (row.widen)(&scales.as_ptr(), scales.len(), wide.as_mut_ptr().cast());
                        }
                        &*wide
                    }
                };
                for (first, term) in first.iter_mut().zip(weights.panel_terms(panel)) {
                    *first = -zero_point as f32 * term;
                }
                let b = weights.panel(panel);
                for (index, row_first) in block.clone().step_by(mr).enumerate() {
                    for sums in sums.chunks_exact_mut(nr) {
                        sums.copy_from_slice(first);
                    }
                    let panel = index * mr * groups;
                    let starts = &starts[panel..][..mr * groups];
                    let a = &panels[panel * GROUP..][..mr * groups * GROUP];
                    // SAFETY: the kernel is supported; the slices are as long as `Multiply` says.
                    unsafe {
                        multiply(
                            groups,
                            a.as_ptr(),
                            starts.as_ptr(),
                            b.as_ptr(),
                            scales.as_ptr(),
                            sums.as_mut_ptr(),
                        );
                    }
                    let finish = Finish::new(
                        sums,
                        nr,
                        row_first..block.end.min(row_first + mr),
                        column..weights.n().min(column + nr),
                        0,
                        &[],
                        &row_scales[index * mr..],
                        &epilogue,
                        &mut output,
                    );
                    // SAFETY: the kernel is supported; `Finish::new` found every operand long enough for the tile.
                    unsafe { (row.finish)(&finish) };
                }
            }
        }
    }
}

fn pointer<T>(rows: &Rows<T>, row: usize) -> *const T {
    rows.values[row * rows.stride..].as_ptr()
}

fn scale(precision: Precision, greatest: impl FnOnce() -> f32) -> f32 {
    match precision {
        Precision::Tensor(quantization) => quantization.scale,
        Precision::Row => row_scale(greatest()),
    }
}

/// Brings a row of whole groups into row `at` of a panel, `[steps][mr][kr]`, and writes what each group's sum starts with: nibbles
/// are stored with 8 more than they should have.
fn interleave(row: &[i8], at: usize, mr: usize, kr: usize, panel: &mut [i8], starts: &mut [i32]) {
    if mr == 1 {
        panel.copy_from_slice(row);
    } else {
        for (values, step) in row.chunks_exact(kr).zip(panel.chunks_exact_mut(mr * kr)) {
            step[at * kr..][..kr].copy_from_slice(values);
        }
    }
    for (group, start) in row.chunks_exact(GROUP).zip(starts.chunks_exact_mut(mr)) {
        start[at] = -8 * group.iter().map(|&value| i32::from(value)).sum::<i32>();
    }
}
