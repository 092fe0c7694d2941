//! Products of rows that are multiplied where they stand: for few columns or few values of k, of which packing would be most of the work.
//!
//! A strip is a run of output rows whose values of k are found alike: each segment of k starts some values further on for each row. What a row's sum
//! is does not depend on the strip that it is in.

use super::epilogue::Registers;
use super::{Element, Finish, GemmRow, Product, finish};
use crate::kernel::{Kernel, Row};
use crate::lanes::Lanes;
use crate::scratch::{bytes_for, cut};
use std::ops::Range;

/// The most segments of k.
pub(crate) const MOST_SEGMENTS: usize = 64;

/// The most rows whose sums are in memory at a time.
const BLOCK: usize = 256;

/// Every row's scale: only int8 has others.
const ONES: [f32; BLOCK] = [1.0; BLOCK];

/// Where a segment's values are for the first row, and how many values further for each next one.
#[derive(Clone, Copy)]
pub(crate) struct Run<E> {
    pub start: *const E,
    pub step: usize,
}

/// Rows to multiply.
pub(crate) struct Strip<'a, E> {
    /// One for each segment.
    runs: &'a [Run<E>],
    /// Values of a segment.
    depth: usize,
    /// Rows of the runs that come before the strip's first.
    skipped: usize,
    rows: usize,
}

impl<E> Strip<'_, E> {
    /// Values of a segment.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// Where a segment's values are for a row, and how many values further for each next one.
    #[inline(always)]
    unsafe fn run(&self, segment: usize, row: usize) -> (*const E, usize) {
        // SAFETY: the caller asks for segments and rows that there are.
        unsafe {
            let Run { start, step } = *self.runs.get_unchecked(segment);
            (start.add((self.skipped + row) * step), step)
        }
    }
}

/// Multiplies a strip by a panel of B and finishes it: `tile` is of the strip's rows, `sums` has room for `nr` of each.
///
/// # Safety
/// Every run is good for `depth` values in each row, `b` is a panel of as many segments, `tile` came from `Finish::new`.
pub(crate) type Direct<E> = unsafe fn(
    strip: &Strip<E>,
    b: *const E,
    sums: *mut <E as Element>::Sum,
    tile: &Finish<<E as Element>::Sum>,
);

impl<E: Element> Kernel<GemmRow<E>>
where
    GemmRow<E>: Row,
{
    /// The function for rows of so many segments and values of k, where they are multiplied where they stand.
    fn direct(self, [segments, depth]: [usize; 2]) -> Option<Direct<E>> {
        let (direct, most) = self.row().direct?;
        (segments <= MOST_SEGMENTS && segments * depth <= most).then_some(direct)
    }

    /// Whether rows of so many segments and values of k are multiplied where they stand.
    pub(crate) fn is_direct(self, shape: [usize; 2]) -> bool {
        self.direct(shape).is_some()
    }

    /// Bytes of working memory for rows that are multiplied where they stand.
    pub(crate) fn strips_scratch_bytes(self) -> usize {
        if self.row().direct.is_some() { bytes_for::<E::Sum>(BLOCK * self.layout().nr) } else { 0 }
    }
}

/// Computes rows of C from strips of rows of A: `strips` calls what it is given with ranges of rows and their runs.
///
/// # Panics
/// Where rows are to be packed, a slice is too short for the shape, or the weights are packed for another layout.
///
/// # Safety
/// Every run is good for a segment's values in each of its rows.
pub(crate) unsafe fn drive_strips<E: Element>(
    kernel: Kernel<GemmRow<E>>,
    product: Product<E>,
    scratch: &mut [u8],
    strips: impl FnOnce(&mut dyn FnMut(Range<usize>, &[Run<E>])),
) where
    GemmRow<E>: Row,
{
    /// Bytes of A that are read for a block of rows: they stay in a first-level cache while the panels of B pass by.
    const CACHE: usize = 48 << 10;
    let Product { rows, weights, epilogue, mut output } = product;
    let (layout, mr) = (kernel.layout(), kernel.tile_rows());
    assert_eq!(weights.layout(), layout, "the weights are packed for another kernel");
    epilogue.check(rows, weights.n());
    output.check(rows, weights.n());
    let shape = [weights.segments(), weights.depth()];
    let direct = kernel.direct(shape).expect("rows that are multiplied where they stand");
    let mut scratch = scratch;
    let sums = cut::<E::Sum>(&mut scratch, BLOCK * layout.nr);
    let fitting = CACHE / (weights.k() * size_of::<E>()).max(1) / mr * mr;
    let block = fitting.clamp(2 * mr, BLOCK / mr * mr);
    strips(&mut |strip, runs| {
        assert_eq!(runs.len(), weights.segments());
        for first in strip.clone().step_by(block) {
            let rows = first..strip.end.min(first + block);
            let part = Strip {
                runs,
                depth: weights.depth(),
                skipped: first - strip.start,
                rows: rows.len(),
            };
            for column in (0..weights.n()).step_by(layout.nr) {
                let columns = column..weights.n().min(column + layout.nr);
                let panel = weights.panel(column / layout.nr);
                let to = sums.as_mut_ptr();
                let mut tile = Finish::new(
                    sums,
                    layout.nr,
                    rows.clone(),
                    columns,
                    0,
                    &[],
                    &ONES,
                    &epilogue,
                    &mut output,
                );
                tile.sums = to;
                // SAFETY: the kernel is supported, the caller vouches for the runs, and `Finish::new` found every operand long enough.
                unsafe { direct(&part, panel.as_ptr(), to, &tile) };
            }
        }
    });
}

/// Tiles of `ROWS` rows by `R` registers of columns.
///
/// # Safety
/// As [`Direct`], and the CPU has the engine's instructions.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) unsafe fn columns<L: Lanes, const ROWS: usize, const R: usize>(
    strip: &Strip<f32>,
    b: *const f32,
    sums: *mut f32,
    tile: &Finish<f32>,
) {
    // SAFETY: passed on to the caller; rows and columns are within the tile.
    unsafe {
        match Registers::<L, R>::new(tile) {
            Some(registers) => columns_of::<L, ROWS, R>(strip, b, &registers),
            None => {
                columns_of::<L, ROWS, R>(strip, b, &Memory(sums));
                finish::<f32, L>(tile);
            }
        }
    }
}

/// Where the sums of a row go: a function with the engine's instructions must not be a closure.
trait Store<L, const R: usize> {
    /// # Safety
    /// There is room for the row, and the CPU has the engine's instructions.
    unsafe fn store(&self, row: usize, sums: [L; R]);
}

impl<L: Lanes, const R: usize> Store<L, R> for Registers<L, R> {
    #[inline(always)]
    unsafe fn store(&self, row: usize, sums: [L; R]) {
        // SAFETY: passed on to the caller.
        unsafe { self.finish(row, sums) }
    }
}

/// Sums that are finished later.
struct Memory(*mut f32);

impl<L: Lanes, const R: usize> Store<L, R> for Memory {
    #[inline(always)]
    unsafe fn store(&self, row: usize, sums: [L; R]) {
        for register in 0..R {
            // SAFETY: passed on to the caller.
            unsafe { sums[register].store(self.0.add((row * R + register) * L::COUNT)) };
        }
    }
}

/// The last tile overlaps the one before.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn columns_of<L: Lanes, const ROWS: usize, const R: usize>(
    strip: &Strip<f32>,
    b: *const f32,
    to: &impl Store<L, R>,
) {
    // SAFETY: passed on to the caller.
    unsafe {
        if strip.rows < ROWS {
            for row in 0..strip.rows {
                to.store(row, tile_of_columns::<L, 1, R>(strip, b, row)[0]);
            }
            return;
        }
        for row in (0..strip.rows).step_by(ROWS) {
            let row = row.min(strip.rows - ROWS);
            let tile = tile_of_columns::<L, ROWS, R>(strip, b, row);
            for below in 0..ROWS {
                to.store(row + below, tile[below]);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn tile_of_columns<L: Lanes, const ROWS: usize, const R: usize>(
    strip: &Strip<f32>,
    b: *const f32,
    row: usize,
) -> [[L; R]; ROWS] {
    let mut b = b;
    // SAFETY: every run is good for `depth` values in each row, the panel for a step of `R` registers for each of them.
    unsafe {
        let mut tile = [[L::splat(0.0); R]; ROWS];
        for segment in 0..strip.runs.len() {
            let (from, step) = strip.run(segment, row);
            for k in 0..strip.depth {
                let mut columns = [L::splat(0.0); R];
                for register in 0..R {
                    columns[register] = L::load(b.add(register * L::COUNT));
                }
                for below in 0..ROWS {
                    let value = L::splat(*from.add(below * step + k));
                    for register in 0..R {
                        tile[below][register] = value.fma(columns[register], tile[below][register]);
                    }
                }
                b = b.add(R * L::COUNT);
            }
        }
        tile
    }
}

/// One column: lanes run along k, and are added at the end.
///
/// # Safety
/// As [`Direct`], and the CPU has the engine's instructions.
#[inline(always)]
pub(super) unsafe fn dots<L: Lanes, const ROWS: usize>(
    strip: &Strip<f32>,
    b: *const f32,
    sums: *mut f32,
    tile: &Finish<f32>,
) {
    // SAFETY: passed on to the caller; rows are within the tile.
    unsafe {
        match Registers::<f32, 1>::new(tile) {
            Some(registers) => dots_of::<L, ROWS>(strip, b, &registers),
            None => {
                dots_of::<L, ROWS>(strip, b, &Memory(sums));
                finish::<f32, f32>(tile);
            }
        }
    }
}

#[inline(always)]
unsafe fn dots_of<L: Lanes, const ROWS: usize>(
    strip: &Strip<f32>,
    b: *const f32,
    to: &impl Store<f32, 1>,
) {
    // SAFETY: passed on to the caller.
    unsafe {
        if strip.rows < ROWS {
            for row in 0..strip.rows {
                to.store(row, tile_of_dots::<L, 1>(strip, b, row));
            }
            return;
        }
        for row in (0..strip.rows).step_by(ROWS) {
            let row = row.min(strip.rows - ROWS);
            let tile = tile_of_dots::<L, ROWS>(strip, b, row);
            for below in 0..ROWS {
                to.store(row + below, [tile[below]]);
            }
        }
    }
}

#[inline(always)]
unsafe fn tile_of_dots<L: Lanes, const ROWS: usize>(
    strip: &Strip<f32>,
    b: *const f32,
    row: usize,
) -> [f32; ROWS] {
    let mut b = b;
    let whole = strip.depth / L::COUNT * L::COUNT;
    // SAFETY: every run is good for `depth` values in each row, the panel for as many for each segment.
    unsafe {
        let (mut lanes, mut single) = ([L::splat(0.0); ROWS], [0.0; ROWS]);
        for segment in 0..strip.runs.len() {
            let (from, step) = strip.run(segment, row);
            for k in (0..whole).step_by(L::COUNT) {
                let weights = L::load(b.add(k));
                for below in 0..ROWS {
                    let values = L::load(from.add(below * step + k));
                    lanes[below] = values.fma(weights, lanes[below]);
                }
            }
            for k in whole..strip.depth {
                for below in 0..ROWS {
                    let value = *from.add(below * step + k);
                    single[below] = Lanes::fma(value, *b.add(k), single[below]);
                }
            }
            b = b.add(strip.depth);
        }
        for below in 0..ROWS {
            single[below] += lanes[below].sum();
        }
        single
    }
}

/// Panels of one column, packed: `R` registers of lanes run along the rows.
///
/// # Safety
/// As [`Multiply`](super::Multiply), and the CPU has the engine's instructions.
#[inline(always)]
pub(super) unsafe fn multiply_column<L: Lanes, const R: usize>(
    steps: usize,
    a: *const f32,
    b: *const f32,
    sums: *mut f32,
    first: bool,
) {
    // SAFETY: each step reads `R` registers of A and one value of B; sums are as many as rows.
    unsafe {
        let mut tile = [L::splat(0.0); R];
        for step in 0..steps {
            let weight = L::splat(*b.add(step));
            for register in 0..R {
                let values = L::load(a.add((step * R + register) * L::COUNT));
                tile[register] = values.fma(weight, tile[register]);
            }
        }
        for register in 0..R {
            let to = sums.add(register * L::COUNT);
            let sum = tile[register];
            if first { sum.store(to) } else { L::load(to).add(sum).store(to) }
        }
    }
}

/// Panels of one register of columns, packed.
///
/// # Safety
/// As [`Multiply`](super::Multiply), and the CPU has the engine's instructions.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) unsafe fn multiply_register<L: Lanes, const ROWS: usize>(
    steps: usize,
    a: *const f32,
    b: *const f32,
    sums: *mut f32,
    first: bool,
) {
    // SAFETY: each step reads `ROWS` values of A and a register of B; sums are a register for each row.
    unsafe {
        let mut tile = [L::splat(0.0); ROWS];
        for step in 0..steps {
            let columns = L::load(b.add(step * L::COUNT));
            for row in 0..ROWS {
                tile[row] = L::splat(*a.add(step * ROWS + row)).fma(columns, tile[row]);
            }
        }
        for row in 0..ROWS {
            let to = sums.add(row * L::COUNT);
            if first { tile[row].store(to) } else { L::load(to).add(tile[row]).store(to) }
        }
    }
}
