//! f32 arithmetic, written once in lanes.

use super::tiles::{Math, Memory, Scores, WIDEST, line};
use super::{Shape, Value};
use crate::lanes::Lanes;
use std::marker::PhantomData;

/// An engine's inner loop, with as many rows as its registers hold.
pub(super) trait Rows: Lanes {
    /// Keys or columns of values in a panel: 4 or 8.
    const ROWS: usize;
    /// Registers of at most eight values.
    type Short: Lanes;

    /// `C[row, :] = C[row, :] · factor + Σk a[k, row] · b[k, :]` for a panel of `R` rows, with `b` and `C` of width `W` registers;
    /// without a factor C is only written.
    ///
    /// # Safety
    /// The CPU has the instructions; operands are as long as the sizes say.
    #[inline(always)]
    unsafe fn multiply<const R: usize, const W: usize>(
        a: *const f32,
        b: *const f32,
        depth: usize,
        factor: Option<*const f32>,
        c: *mut f32,
    ) {
        // SAFETY: passed on to the caller.
        unsafe { multiply::<Self, R, W>(a, b, depth, factor, c) }
    }

    /// Turns `count` rows of `W` registers of scores into probabilities in place and writes their sums.
    ///
    /// # Safety
    /// As for [`Rows::multiply`].
    #[inline(always)]
    unsafe fn probabilities<const W: usize>(
        scores: *mut f32,
        count: usize,
        greatest: *const f32,
        sums: *mut f32,
    ) {
        // SAFETY: passed on to the caller.
        unsafe {
            let mut all = [Self::splat(0.0); W];
            for key in 0..count {
                for w in 0..W {
                    let score = scores.add((key * W + w) * Self::COUNT);
                    let m = Self::load(greatest.add(w * Self::COUNT));
                    let p = exp2(Self::load(score).sub(m));
                    p.store(score);
                    all[w] = all[w].add(p);
                }
            }
            for w in 0..W {
                all[w].store(sums.add(w * Self::COUNT));
            }
        }
    }

    /// # Safety
    /// The CPU has the instructions.
    #[inline(always)]
    unsafe fn transposed(block: &Block) -> Block {
        std::array::from_fn(|column| std::array::from_fn(|row| block[row][column]))
    }
}

/// Eight rows of eight values.
pub(super) type Block = [[f32; 8]; 8];

/// [`Rows::multiply`] for any engine.
///
/// # Safety
/// As there.
#[inline(always)]
pub(super) unsafe fn multiply<L: Lanes, const R: usize, const W: usize>(
    a: *const f32,
    b: *const f32,
    depth: usize,
    factor: Option<*const f32>,
    c: *mut f32,
) {
    // SAFETY: passed on to the caller.
    unsafe {
        let mut sums = [[L::splat(0.0); W]; R];
        if let Some(factor) = factor {
            for row in 0..R {
                for w in 0..W {
                    let so_far = L::load(c.add((row * W + w) * L::COUNT));
                    sums[row][w] = so_far.mul(L::load(factor.add(w * L::COUNT)));
                }
            }
        }
        for k in 0..depth {
            let mut b_row = [L::splat(0.0); W];
            for w in 0..W {
                b_row[w] = L::load(b.add((k * W + w) * L::COUNT));
            }
            for row in 0..R {
                let x = L::splat(*a.add(k * R + row));
                for w in 0..W {
                    sums[row][w] = x.fma(b_row[w], sums[row][w]);
                }
            }
        }
        for row in 0..R {
            for w in 0..W {
                sums[row][w].store(c.add((row * W + w) * L::COUNT));
            }
        }
    }
}

/// Probabilities and sums in f32.
pub(super) struct Float<L>(PhantomData<L>);

/// Of f, f² … f⁵ in `2^f`.
pub(super) const POLYNOMIAL: [f32; 5] =
    [std::f32::consts::LN_2, 0.240_222_42, 0.055_507_34, 0.009_671_51, 0.001_326_47];

/// `2^x` for x ≤ 0, within 3·10⁻⁷ of it, and 0 below −127: a polynomial of degree 5 for |f| ≤ ½, fitted to the least relative error with
/// p(0) = 1.
///
/// # Safety
/// The CPU has the engine's instructions.
#[inline(always)]
pub(super) unsafe fn exp2<L: Lanes>(x: L) -> L {
    // SAFETY: passed on to the caller.
    unsafe {
        let x = x.at_least(L::splat(-127.0));
        let n = x.round();
        let f = x.sub(n);
        let [c1, c2, c3, c4, c5] = POLYNOMIAL.map(|c| L::splat(c));
        let p = c5.fma(f, c4).fma(f, c3).fma(f, c2).fma(f, c1).fma(f, L::splat(1.0));
        p.mul(n.exp2_of_integer())
    }
}

impl<L: Rows> Math for Float<L> {
    type Unit = f32;
    const LANES: usize = L::COUNT;
    const ROWS: usize = L::ROWS;
    const BLOCK: usize = 128;
    const LOWEST: f32 = f32::MIN;

    fn columns(shape: &Shape) -> usize {
        shape.value_size.next_multiple_of(4)
    }

    fn value_words(shape: &Shape) -> usize {
        line(shape.keys * Self::columns(shape))
    }

    #[inline(always)]
    unsafe fn pack_values<T: Value>(shape: &Shape, from: *const T, stride: usize, to: *mut f32) {
        let columns = Self::columns(shape);
        // SAFETY: the caller vouches for the operands' lengths.
        unsafe {
            for key in 0..shape.keys {
                let token = from.add(key * stride);
                for column in (0..columns).step_by(8) {
                    let values = eight::<T, L>(token, column, shape.value_size);
                    let panel = to.add(column * shape.keys);
                    if L::ROWS == 8 && columns - column >= 8 {
                        panel.add(key * 8).copy_from_nonoverlapping(values.as_ptr(), 8);
                    } else {
                        panel.add(key * 4).copy_from_nonoverlapping(values.as_ptr(), 4);
                        if columns - column >= 8 {
                            let panel = panel.add((shape.keys + key) * 4);
                            panel.copy_from_nonoverlapping(values.as_ptr().add(4), 4);
                        }
                    }
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn add_terms<const W: usize>(row: *mut f32, terms: *const f32) {
        for at in (0..W * L::COUNT).step_by(L::COUNT) {
            // SAFETY: passed on to the caller.
            unsafe { L::load(row.add(at)).add(L::load(terms.add(at))).store(row.add(at)) };
        }
    }

    #[inline(always)]
    unsafe fn softmax<const W: usize>(memory: &Memory<Self>, count: usize) {
        // SAFETY: passed on to the caller.
        unsafe {
            let lane = |from: *mut f32, w: usize| L::load(from.add(w * L::COUNT));
            let mut greatest = [L::splat(Self::LOWEST); W];
            for w in 0..W {
                greatest[w] = lane(memory.greatest, w);
            }
            for key in 0..count {
                for w in 0..W {
                    greatest[w] = lane(memory.scores, key * W + w).at_least(greatest[w]);
                }
            }
            for w in 0..W {
                let factor = exp2(lane(memory.greatest, w).sub(greatest[w]));
                factor.store(memory.factor.add(w * L::COUNT));
                greatest[w].store(memory.greatest.add(w * L::COUNT));
            }
            L::probabilities::<W>(memory.scores, count, memory.greatest, memory.spare);
            for w in 0..W {
                let factor = lane(memory.factor, w);
                let total = lane(memory.total, w).fma(factor, lane(memory.spare, w));
                total.store(memory.total.add(w * L::COUNT));
            }
        }
    }

    #[inline(always)]
    unsafe fn accumulate<const W: usize>(
        memory: &Memory<Self>,
        shape: &Shape,
        values: *const f32,
        first: usize,
        count: usize,
    ) {
        let columns = Self::columns(shape);
        let mut column = 0;
        // SAFETY: panels lie one after the other, each `keys` rows long; the rest is passed on to the caller.
        unsafe {
            while column < columns {
                let panel = values.add(column * shape.keys);
                let sums = memory.sums.add(column * W * L::COUNT);
                let factor = Some(memory.factor.cast_const());
                if L::ROWS == 8 && columns - column >= 8 {
                    let a = panel.add(first * 8);
                    L::multiply::<8, W>(a, memory.scores, count, factor, sums);
                    column += 8;
                } else {
                    let a = panel.add(first * 4);
                    L::multiply::<4, W>(a, memory.scores, count, factor, sums);
                    column += 4;
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn finish<T: Value, const W: usize>(
        memory: &Memory<Self>,
        shape: &Shape,
        _: *const f32,
        queries: usize,
        to: *mut T,
        stride: usize,
    ) {
        let width = W * L::COUNT;
        // SAFETY: passed on to the caller.
        unsafe {
            let mut inverse = [L::splat(0.0); W];
            for w in 0..W {
                let total = L::load(memory.total.add(w * L::COUNT));
                let some =
                    L::splat(Self::LOWEST).less_than(L::load(memory.greatest.add(w * L::COUNT)));
                inverse[w] = L::select(some, L::splat(1.0).div(total), L::splat(0.0));
            }
            for column in 0..shape.value_size {
                for w in 0..W {
                    let sum = memory.sums.add(column * width + w * L::COUNT);
                    L::load(sum).mul(inverse[w]).store(sum);
                }
            }
            for first in (0..queries).step_by(8) {
                for column in (0..shape.value_size).step_by(8) {
                    let columns = (shape.value_size - column).min(8);
                    let mut block = [[0.0; 8]; 8];
                    for row in 0..columns {
                        let sums = memory.sums.add((column + row) * width + first);
                        let row = block[row].as_mut_ptr();
                        row.copy_from_nonoverlapping(sums, 4);
                        if width - first >= 8 {
                            row.add(4).copy_from_nonoverlapping(sums.add(4), 4);
                        }
                    }
                    let block = L::transposed(&block);
                    for query in 0..(queries - first).min(8) {
                        let to = to.add((first + query) * stride + column);
                        let mut at = 0;
                        while at < columns {
                            let lanes = L::Short::load(block[query].as_ptr().add(at));
                            if columns - at >= L::Short::COUNT {
                                T::store(lanes, to.add(at));
                            } else {
                                T::store_first(lanes, to.add(at), columns - at);
                            }
                            at += L::Short::COUNT;
                        }
                    }
                }
            }
        }
    }
}

/// Eight values of a token from `at` on; 0 beyond `size`.
///
/// # Safety
/// `token` holds `size` values; the CPU has the engine's instructions.
#[inline(always)]
unsafe fn eight<T: Value, L: Rows>(token: *const T, at: usize, size: usize) -> [f32; 8] {
    let mut values = [0.0; 8];
    for half in (0..8).step_by(L::Short::COUNT) {
        let start = at + half;
        // SAFETY: values below `size` are read; the rest is passed on to the caller.
        unsafe {
            let to = values.as_mut_ptr().add(half);
            if start + L::Short::COUNT <= size {
                T::load::<L::Short>(token.add(start)).store(to);
            } else if start < size {
                T::load_first::<L::Short>(token.add(start), size - start).store(to);
            }
        }
    }
    values
}

/// Eight values of eight tokens from `at` on, times the tokens' factors, one row a position. Integers with `INT8`.
///
/// # Safety
/// As for [`eight`].
#[inline(always)]
unsafe fn positions<T: Value, L: Rows, const INT8: bool>(
    tokens: &[*const T; 8],
    factors: &[f32; 8],
    at: usize,
    size: usize,
) -> Block {
    let mut block = [[0.0; 8]; 8];
    // SAFETY: passed on to the caller.
    unsafe {
        for token in 0..8 {
            block[token] = eight::<T, L>(tokens[token], at, size);
            for half in (0..8).step_by(L::Short::COUNT) {
                let values = block[token].as_mut_ptr().add(half);
                let lanes = L::Short::load(values).mul(L::Short::splat(factors[token]));
                if INT8 { lanes.round() } else { lanes }.store(values);
            }
        }
        L::transposed(&block)
    }
}

/// Scores in f32. With `INT8` of quantized tokens, whose products and their sums are exact: they stay below 2²⁴.
pub(super) struct FloatScores<L, const INT8: bool>(PhantomData<L>);

/// `127 / max|x|` of a token, and what its integers are to be multiplied with. The plain version's operations.
///
/// # Safety
/// As for [`for_each`].
#[inline(always)]
pub(super) unsafe fn token_scale<T: Value, L: Lanes>(from: *const T, size: usize) -> (f32, f32) {
    // SAFETY: passed on to the caller.
    unsafe {
        let mut greatest = L::splat(0.0);
        for start in (0..size).step_by(L::COUNT) {
            let count = L::COUNT.min(size - start);
            let x: L = if count == L::COUNT {
                T::load(from.add(start))
            } else {
                T::load_first(from.add(start), count)
            };
            greatest = x.abs().at_least(greatest);
        }
        let greatest = greatest.greatest();
        (if greatest > 0.0 { 127.0 / greatest } else { 0.0 }, greatest / 127.0)
    }
}

impl<L: Rows, const INT8: bool> FloatScores<L, INT8> {
    fn panels(shape: &Shape) -> usize {
        shape.keys.next_multiple_of(L::ROWS)
    }
}

impl<L: Rows, const INT8: bool> Scores for FloatScores<L, INT8> {
    type Math = Float<L>;

    fn key_words(shape: &Shape) -> usize {
        let keys = Self::panels(shape);
        line(keys * shape.key_size) + if INT8 { line(keys) } else { 0 }
    }

    fn query_words(shape: &Shape) -> usize {
        (shape.key_size + 1) * WIDEST * L::COUNT
    }

    #[inline(always)]
    unsafe fn pack_keys<T: Value>(shape: &Shape, from: *const T, stride: usize, to: *mut f32) {
        let (keys, size) = (Self::panels(shape), shape.key_size);
        // SAFETY: the caller vouches for the operands' lengths.
        unsafe {
            for first in (0..keys).step_by(8) {
                let token = |row: usize| from.add((first + row).min(shape.keys - 1) * stride);
                let tokens: [*const T; 8] = std::array::from_fn(token);
                let mut factors = [1.0; 8];
                if INT8 {
                    for row in 0..(keys - first).min(8) {
                        let (factor, unit) = token_scale::<T, L>(tokens[row], size);
                        factors[row] = factor;
                        *to.add(line(keys * size) + first + row) = unit;
                    }
                }
                for at in (0..size).step_by(8) {
                    let block = positions::<T, L, INT8>(&tokens, &factors, at, size);
                    for (at, row) in (at..size.min(at + 8)).zip(&block) {
                        let panel = to.add(first * size + at * L::ROWS);
                        if L::ROWS == 8 {
                            panel.copy_from_nonoverlapping(row.as_ptr(), 8);
                        } else {
                            panel.copy_from_nonoverlapping(row.as_ptr(), 4);
                            if keys - first >= 8 {
                                let panel = panel.add(4 * size);
                                panel.copy_from_nonoverlapping(row.as_ptr().add(4), 4);
                            }
                        }
                    }
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn pack_queries<T: Value, const W: usize>(
        shape: &Shape,
        from: *const T,
        stride: usize,
        count: usize,
        scale: f32,
        to: *mut f32,
    ) {
        let (width, size) = (W * L::COUNT, shape.key_size);
        // SAFETY: the caller vouches for the operands' lengths; the last query stands in for those that are missing.
        unsafe {
            for first in (0..width).step_by(8) {
                let token = |row: usize| from.add((first + row).min(count - 1) * stride);
                let tokens: [*const T; 8] = std::array::from_fn(token);
                let lanes = (width - first).min(8);
                let mut factors = [scale; 8];
                if INT8 {
                    for row in 0..lanes {
                        let (factor, unit) = token_scale::<T, L>(tokens[row], size);
                        factors[row] = factor;
                        *to.add(size * width + first + row) = unit * scale;
                    }
                }
                for at in (0..size).step_by(8) {
                    let block = positions::<T, L, INT8>(&tokens, &factors, at, size);
                    for (at, row) in (at..size.min(at + 8)).zip(&block) {
                        let to = to.add(at * width + first);
                        to.copy_from_nonoverlapping(row.as_ptr(), 4);
                        if lanes == 8 {
                            to.add(4).copy_from_nonoverlapping(row.as_ptr().add(4), 4);
                        }
                    }
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn scores<const W: usize>(
        memory: &Memory<Float<L>>,
        shape: &Shape,
        keys: *const f32,
        first: usize,
        count: usize,
    ) {
        let width = W * L::COUNT;
        // SAFETY: a block starts with a panel; its rows and those that fill up the last panel lie within the
        // working memory; the rest is passed on to the caller.
        unsafe {
            for row in (0..count).step_by(L::ROWS) {
                let panel = keys.add((first + row) * shape.key_size);
                let to = memory.scores.add(row * width);
                if L::ROWS == 8 {
                    L::multiply::<8, W>(panel, memory.queries, shape.key_size, None, to);
                } else {
                    L::multiply::<4, W>(panel, memory.queries, shape.key_size, None, to);
                }
            }
            if INT8 {
                let units = keys.add(line(Self::panels(shape) * shape.key_size) + first);
                let scales = memory.queries.add(shape.key_size * width);
                for row in 0..count {
                    let unit = L::splat(*units.add(row));
                    for at in (0..width).step_by(L::COUNT) {
                        let score = memory.scores.add(row * width + at);
                        L::load(score).mul(L::load(scales.add(at))).mul(unit).store(score);
                    }
                }
            }
        }
    }
}
