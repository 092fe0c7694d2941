use crate::lanes::Lanes;
use crate::math::Activation;
use half::f16;
use std::ops::Range;

/// What is done with the sums before they are stored.
#[derive(Clone, Copy, Debug, Default)]
pub struct Epilogue<'a> {
    /// A factor for each output channel: the scales of int8 weights. None is 1.
    pub scales: Option<&'a [f32]>,
    /// A term for each output channel. None is 0.
    pub bias: Option<&'a [f32]>,
    /// A term for each output value, added before the activation.
    pub residual: Option<Residual<'a>>,
    /// The function applied last.
    pub activation: Activation,
}

/// Values that are added to the product; the first row to compute starts at the first value, rows are `stride` values apart.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are the slice and its stride")]
pub enum Residual<'a> {
    F32 {
        values: &'a [f32],
        stride: usize,
    },
    F16 {
        values: &'a [f16],
        stride: usize,
    },
    /// `value = (q − zero_point) · scale`
    I8 {
        values: &'a [i8],
        stride: usize,
        scale: f32,
        zero_point: i32,
    },
}

/// Where the product goes; the first row to compute starts at the first value, rows are `stride` values apart.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields are the slice and its stride")]
pub enum Output<'a> {
    F32 {
        values: &'a mut [f32],
        stride: usize,
    },
    F16 {
        values: &'a mut [f16],
        stride: usize,
    },
    /// `q = clamp(round(value / scale) + zero_point)`, where dividing is multiplying by `1 / scale` in f32.
    I8 {
        values: &'a mut [i8],
        stride: usize,
        scale: f32,
        zero_point: i32,
    },
}

impl<'a> Epilogue<'a> {
    /// The epilogue of a range of columns.
    pub(crate) fn columns(&self, columns: &Range<usize>) -> Self {
        let from = |length: usize| columns.start.min(length);
        Self {
            scales: self.scales.map(|values| &values[columns.clone()]),
            bias: self.bias.map(|values| &values[columns.clone()]),
            residual: self.residual.map(|residual| match residual {
                Residual::F32 { values, stride } => {
                    Residual::F32 { values: &values[from(values.len())..], stride }
                }
                Residual::F16 { values, stride } => {
                    Residual::F16 { values: &values[from(values.len())..], stride }
                }
                Residual::I8 { values, stride, scale, zero_point } => Residual::I8 {
                    values: &values[from(values.len())..],
                    stride,
                    scale,
                    zero_point,
                },
            }),
            activation: self.activation,
        }
    }

    pub(crate) fn check(&self, rows: usize, columns: usize) {
        for (name, values) in [("scales", self.scales), ("bias", self.bias)] {
            let found = values.map_or(columns, <[f32]>::len);
            assert_eq!(found, columns, "{name} of {columns} output channels");
        }
        let (length, stride) = match self.residual {
            None => return,
            Some(Residual::F32 { values, stride }) => (values.len(), stride),
            Some(Residual::F16 { values, stride }) => (values.len(), stride),
            Some(Residual::I8 { values, stride, .. }) => (values.len(), stride),
        };
        check_rows("residual", length, stride, rows, columns);
    }
}

impl Output<'_> {
    pub(crate) fn check(&self, rows: usize, columns: usize) {
        let (length, stride) = match self {
            Output::F32 { values, stride } => (values.len(), *stride),
            Output::F16 { values, stride } => (values.len(), *stride),
            Output::I8 { values, stride, .. } => (values.len(), *stride),
        };
        check_rows("output", length, stride, rows, columns);
    }
}

fn check_rows(name: &str, length: usize, stride: usize, rows: usize, columns: usize) {
    assert!(stride >= columns, "{name}: rows of {columns} values are {stride} apart");
    let needed = if rows == 0 { 0 } else { (rows - 1) * stride + columns };
    assert!(length >= needed, "{name}: {rows} rows need {needed} values, found {length}");
}

/// Sums of some rows of a panel of columns, and where their values go: [`drive`](super::drive) makes one, a version's finishing function uses it up.
pub struct Finish<S> {
    /// `[rows][nr]`
    pub(crate) sums: *const S,
    pub(crate) nr: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// What each sum has too much: `zero_point · column_sums[n]`; null where `zero_point` is 0.
    pub(crate) zero_point: i32,
    pub(crate) column_sums: *const i32,
    /// `[rows]`
    pub(crate) row_scales: *const f32,
    /// `[columns]`, or null.
    pub(crate) scales: *const f32,
    /// `[columns]`, or null.
    pub(crate) bias: *const f32,
    pub(crate) residual: Option<Source>,
    pub(crate) activation: Activation,
    pub(crate) output: Target,
}

/// The tile's residual.
#[derive(Clone, Copy)]
pub(crate) enum Source {
    F32(*const f32, usize),
    F16(*const f16, usize),
    I8(*const i8, usize, f32, f32),
}

/// The tile's output; an i8 one with the inverse of its scale and its zero point.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    F32(*mut f32, usize),
    F16(*mut f16, usize),
    I8(*mut i8, usize, f32, f32),
}

impl<S> Finish<S> {
    /// # Panics
    /// Where an operand does not reach the tile's end.
    #[expect(clippy::too_many_arguments, reason = "one call, in `drive`, of what it has in locals")]
    pub(crate) fn new(
        sums: &[S],
        nr: usize,
        rows: Range<usize>,
        columns: Range<usize>,
        zero_point: i32,
        column_sums: &[i32],
        row_scales: &[f32],
        epilogue: &Epilogue,
        output: &mut Output,
    ) -> Self {
        assert!(
            sums.len() >= rows.len() * nr && columns.len() <= nr && row_scales.len() >= rows.len()
        );
        let last = |stride: usize| (rows.end - 1) * stride + columns.end;
        let first = |stride: usize| rows.start * stride + columns.start;
        let tail = |values: &Option<&[f32]>| {
            values.map_or(std::ptr::null(), |values| values[columns.clone()].as_ptr())
        };
        Self {
            sums: sums.as_ptr(),
            nr,
            rows: rows.len(),
            columns: columns.len(),
            zero_point,
            // The sums are padded to whole panels.
            column_sums: if zero_point == 0 {
                std::ptr::null()
            } else {
                column_sums[columns.start..][..nr].as_ptr()
            },
            row_scales: row_scales.as_ptr(),
            scales: tail(&epilogue.scales),
            bias: tail(&epilogue.bias),
            residual: epilogue.residual.map(|residual| match residual {
                Residual::F32 { values, stride } => {
                    Source::F32(values[first(stride)..last(stride)].as_ptr(), stride)
                }
                Residual::F16 { values, stride } => {
                    Source::F16(values[first(stride)..last(stride)].as_ptr(), stride)
                }
                Residual::I8 { values, stride, scale, zero_point } => Source::I8(
                    values[first(stride)..last(stride)].as_ptr(),
                    stride,
                    scale,
                    zero_point as f32,
                ),
            }),
            activation: epilogue.activation,
            output: match output {
                Output::F32 { values, stride } => {
                    Target::F32(values[first(*stride)..last(*stride)].as_mut_ptr(), *stride)
                }
                Output::F16 { values, stride } => {
                    Target::F16(values[first(*stride)..last(*stride)].as_mut_ptr(), *stride)
                }
                Output::I8 { values, stride, scale, zero_point } => Target::I8(
                    values[first(*stride)..last(*stride)].as_mut_ptr(),
                    *stride,
                    1.0 / *scale,
                    *zero_point as f32,
                ),
            },
        }
    }
}

/// What sums are read as.
pub trait Sum: Sized {
    /// Reads a register of sums, less `factor` times the terms where `terms` is not null.
    ///
    /// # Safety
    /// The pointers are good for `L::COUNT` values, and the CPU has the engine's instructions.
    unsafe fn load<L: Lanes>(from: *const Self, factor: i32, terms: *const i32) -> L;
}

impl Sum for i32 {
    #[inline(always)]
    unsafe fn load<L: Lanes>(from: *const Self, factor: i32, terms: *const i32) -> L {
        // SAFETY: passed on to the caller.
        unsafe {
            if terms.is_null() { L::load_i32(from) } else { L::load_i32_less(from, factor, terms) }
        }
    }
}

impl Sum for f32 {
    #[inline(always)]
    unsafe fn load<L: Lanes>(from: *const Self, _: i32, _: *const i32) -> L {
        // SAFETY: passed on to the caller.
        unsafe { L::load(from) }
    }
}

/// Finishes a tile, in lanes; the specification in one lane, and what an engine uses that has nothing better:
///
/// 1. `x = (sum − zero_point · column_sum) as f32`
/// 2. `x = fma(x · row_scale, scale, bias)`; without a scale `x · row_scale + bias`
/// 3. `x = x + residual`, where an i8 residual is `(q − zero_point) · scale`
/// 4. `x = act(x)`
/// 5. stored; an i8 output is `clamp(round(x · (1 / scale)) + zero_point)`
///
/// # Safety
/// `tile` came from `Finish::new`, and the CPU has the engine's instructions.
#[inline(always)]
pub unsafe fn finish<S: Sum, L: Lanes>(tile: &Finish<S>) {
    // SAFETY: rows and columns stay within the tile that `Finish::new` checked; the last columns that fill no register are
    // done one by one, in f32, which gives the same bits.
    unsafe {
        let whole = tile.columns / L::COUNT * L::COUNT;
        for row in 0..tile.rows {
            for column in (0..whole).step_by(L::COUNT) {
                finish_lanes::<S, L>(tile, row, column);
            }
            for column in whole..tile.columns {
                finish_lanes::<S, f32>(tile, row, column);
            }
        }
    }
}

#[inline(always)]
unsafe fn finish_lanes<S: Sum, L: Lanes>(tile: &Finish<S>, row: usize, column: usize) {
    // SAFETY: the caller stays `L::COUNT` columns within the tile.
    unsafe {
        let terms = if tile.column_sums.is_null() {
            tile.column_sums
        } else {
            tile.column_sums.add(column)
        };
        let sums: L = S::load(tile.sums.add(row * tile.nr + column), tile.zero_point, terms);
        let scaled = sums.mul(L::splat(*tile.row_scales.add(row)));
        let bias = if tile.bias.is_null() { L::splat(0.0) } else { L::load(tile.bias.add(column)) };
        let mut value = if tile.scales.is_null() {
            scaled.add(bias)
        } else {
            scaled.fma(L::load(tile.scales.add(column)), bias)
        };
        match tile.residual {
            None => {}
            Some(Source::F32(from, stride)) => {
                value = value.add(L::load(from.add(row * stride + column)))
            }
            Some(Source::F16(from, stride)) => {
                value = value.add(L::load_f16(from.add(row * stride + column)))
            }
            Some(Source::I8(from, stride, scale, zero_point)) => {
                let steps = L::load_i8(from.add(row * stride + column)).sub(L::splat(zero_point));
                value = value.add(steps.mul(L::splat(scale)));
            }
        }
        let value = tile.activation.lanes(value);
        match tile.output {
            Target::F32(to, stride) => value.store(to.add(row * stride + column)),
            Target::F16(to, stride) => value.store_f16(to.add(row * stride + column)),
            Target::I8(to, stride, inverse, zero_point) => {
                let rounded = value.mul(L::splat(inverse)).round();
                rounded.add(L::splat(zero_point)).store_i8(to.add(row * stride + column));
            }
        }
    }
}

/// How rows of `R` registers of f32 sums are finished without memory between, with the bits of [`finish`]: a bias, a residual of floats and an
/// activation that clamps, to floats or halves.
pub(crate) struct Registers<L, const R: usize> {
    columns: usize,
    bias: [L; R],
    /// Null where there is none.
    residual: *const f32,
    residual_stride: usize,
    limits: Option<[L; 2]>,
    output: Target,
}

impl<L: Lanes, const R: usize> Registers<L, R> {
    /// None where the tile is to be finished in another way.
    ///
    /// # Safety
    /// `tile` came from `Finish::new`, and the CPU has the engine's instructions.
    #[inline(always)]
    pub unsafe fn new(tile: &Finish<f32>) -> Option<Self> {
        let (residual, residual_stride) = match tile.residual {
            None => (std::ptr::null(), 0),
            Some(Source::F32(from, stride)) => (from, stride),
            _ => return None,
        };
        let limits = tile.activation.limits()?;
        if !tile.scales.is_null() || matches!(tile.output, Target::I8(..)) {
            return None;
        }
        // SAFETY: the bias has as many values as the tile has columns.
        unsafe {
            let mut bias = [L::splat(0.0); R];
            if !tile.bias.is_null() {
                for register in 0..R {
                    let (from, left) = Self::part(tile.bias, tile.columns, register);
                    if left >= L::COUNT {
                        bias[register] = L::load(from);
                    } else if left > 0 {
                        bias[register] = L::load_first(from, left);
                    }
                }
            }
            let clamps = tile.activation != Activation::None;
            let limits = [L::splat(limits[0]), L::splat(limits[1])];
            let limits = if clamps { Some(limits) } else { None };
            let (columns, output) = (tile.columns, tile.output);
            Some(Self { columns, bias, residual, residual_stride, limits, output })
        }
    }

    /// Where a register's columns are in a row, and how many there are from there on.
    #[inline(always)]
    fn part(row: *const f32, columns: usize, register: usize) -> (*const f32, usize) {
        let first = register * L::COUNT;
        (row.wrapping_add(first), columns.saturating_sub(first))
    }

    /// Finishes a row of the tile.
    ///
    /// # Safety
    /// The tile has the row, and the CPU has the engine's instructions.
    #[inline(always)]
    pub unsafe fn finish(&self, row: usize, sums: [L; R]) {
        // SAFETY: no register reaches beyond the tile's columns.
        unsafe {
            for register in 0..R {
                let residual = self.residual.wrapping_add(row * self.residual_stride);
                let (residual, left) = Self::part(residual, self.columns, register);
                if left == 0 {
                    return;
                }
                let whole = left >= L::COUNT;
                let mut value = sums[register].add(self.bias[register]);
                if !self.residual.is_null() {
                    let term =
                        if whole { L::load(residual) } else { L::load_first(residual, left) };
                    value = value.add(term);
                }
                if let Some([low, high]) = self.limits {
                    value = value.at_least(low).at_most(high);
                }
                let first = register * L::COUNT;
                match self.output {
                    Target::F32(to, stride) => {
                        let to = to.add(row * stride + first);
                        if whole { value.store(to) } else { value.store_first(to, left) }
                    }
                    Target::F16(to, stride) => {
                        let to = to.add(row * stride + first);
                        if whole { value.store_f16(to) } else { value.store_first_f16(to, left) }
                    }
                    Target::I8(..) => {}
                }
            }
        }
    }
}
