//! Probabilities and values in bytes, four keys of a lane or column together:
//!
//! ```text
//! scores    become bytes in place: [block / 4, width, 4]     round(255 · 2^(x − m)), m the block's greatest
//! values    1 and padding (what the halves' last step reads)
//!           units [blocks, columns]     greatest of the column in the block / 127
//!           first [blocks, columns]     what is added to a column's sums
//!           a block after the other, in it panels of COLUMNS columns: [block / 4, COLUMNS, 4]
//! ```
//!
//! Sums of a block are exact in i32 and in f32: at most 384 keys of 255 · 127. Where an instruction takes no operand without
//! sign, probabilities are stored less 128 and a column's sums start at 128 times the sum of its integers.

use super::lanes::exp2;
use super::tiles::{Math, Memory, block, line};
use super::{GREATEST_SIZE, Shape, Value};
use crate::lanes::Lanes;
use std::marker::PhantomData;

/// An engine's inner loops.
pub(super) trait Bytes {
    /// What scores are made of, and who hides keys and writes the output.
    type Math: Math;
    /// What blocks are put together with.
    type Lanes: Lanes;
    /// Columns in a panel.
    const COLUMNS: usize;
    /// Whether probabilities are stored less 128.
    const SIGNED: bool;

    /// Turns `count` > 0 rows of scores into bytes; writes each query's greatest score and the sum of its bytes.
    ///
    /// # Safety
    /// The CPU has the instructions; operands are as long as the sizes say.
    unsafe fn weigh<const W: usize>(
        scores: *mut <Self::Math as Math>::Unit,
        count: usize,
        greatest: *mut f32,
        sums: *mut f32,
    );

    /// How many parts of a tile's queries [`Bytes::products`] writes one after the other.
    fn parts<const W: usize>() -> usize;

    /// Sums of a panel of columns over `groups` > 0 groups of four keys: `[parts, COLUMNS, width / parts]`.
    ///
    /// # Safety
    /// As for [`Bytes::weigh`].
    unsafe fn products<const W: usize>(
        values: *const i8,
        bytes: *const u8,
        groups: usize,
        to: *mut i32,
    );
}

/// Of 1, f and f² in `255 · 2^f`, within 0.002 of it for |f| ≤ ½, half a step of a byte: fitted to the least relative error with p(0) = 1.
pub(super) const BYTE_POLYNOMIAL: [f32; 3] = [255.0, 255.0 * 0.702_942, 255.0 * 0.239_864];

/// The greatest byte.
const WHOLE: f32 = 255.0;

pub(super) struct ByteValues<B>(PhantomData<B>);

/// Where a head's packed values are.
struct Packed {
    units: *mut f32,
    first: *mut f32,
    values: *mut i8,
}

/// Before a head's packed values.
const HEADER: usize = 16;

impl<B: Bytes> ByteValues<B> {
    fn blocks(shape: &Shape) -> usize {
        shape.keys.div_ceil(block::<Self>(shape.keys))
    }

    fn packed(shape: &Shape, to: *mut f32) -> Packed {
        let row = line(Self::blocks(shape) * Self::columns(shape));
        let units = to.wrapping_add(HEADER);
        let first = units.wrapping_add(row);
        Packed { units, first, values: first.wrapping_add(row).cast() }
    }
}

impl<B: Bytes> Math for ByteValues<B> {
    type Unit = <B::Math as Math>::Unit;
    const LANES: usize = B::Math::LANES;
    const ROWS: usize = B::COLUMNS;
    const BLOCK: usize = B::Math::BLOCK;
    const LOWEST: f32 = B::Math::LOWEST;

    fn columns(shape: &Shape) -> usize {
        shape.value_size.next_multiple_of(B::COLUMNS)
    }

    fn value_words(shape: &Shape) -> usize {
        let columns = Self::columns(shape);
        let bytes = shape.keys.next_multiple_of(4) * columns;
        HEADER + 2 * line(Self::blocks(shape) * columns) + line(bytes / 4)
    }

    #[inline(always)]
    unsafe fn pack_values<T: Value>(shape: &Shape, from: *const T, stride: usize, to: *mut f32) {
        let (columns, size) = (Self::columns(shape), shape.value_size);
        let length = block::<Self>(shape.keys);
        let packed = Self::packed(shape, to);
        let mut greatest = [0.0; GREATEST_SIZE];
        let mut factors = [0.0; GREATEST_SIZE];
        // Columns that fill up the last panel stay 0.
        let mut rows = [[0; GREATEST_SIZE]; 4];
        // SAFETY: `size` is at most `GREATEST_SIZE`; the caller vouches for the operands' lengths.
        unsafe {
            *to = 1.0;
            for (index, first) in (0..shape.keys).step_by(length).enumerate() {
                let count = length.min(shape.keys - first);
                let from = from.add(first * stride);
                greatest[..size].fill(0.0);
                for key in 0..count {
                    raise::<T, B::Lanes>(from.add(key * stride), size, &mut greatest);
                }
                let units = packed.units.add(index * columns);
                let starts = packed.first.add(index * columns);
                for column in 0..columns {
                    let greatest = if column < size { greatest[column] } else { 0.0 };
                    factors[column] = if greatest > 0.0 { 127.0 / greatest } else { 0.0 };
                    *units.add(column) = greatest / 127.0;
                    *starts.add(column) = 0.0;
                }
                // Whole blocks are whole groups.
                let values = packed.values.add(first * columns);
                let stored = count.next_multiple_of(4);
                for group in 0..stored / 4 {
                    for (row, to) in rows.iter_mut().enumerate() {
                        let key = group * 4 + row;
                        if key < count {
                            integers::<T, B::Lanes>(from.add(key * stride), size, &factors, to);
                        } else {
                            to[..size].fill(0);
                        }
                    }
                    for panel in (0..columns).step_by(B::COLUMNS) {
                        let to = values.add(panel * stored + group * B::COLUMNS * 4);
                        for column in 0..B::COLUMNS {
                            for row in 0..4 {
                                *to.add(column * 4 + row) = rows[row][panel + column];
                            }
                        }
                    }
                    if B::SIGNED {
                        for column in 0..size {
                            let sum: i32 = rows.iter().map(|row| i32::from(row[column])).sum();
                            *starts.add(column) += (128 * sum) as f32;
                        }
                    }
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn add_terms<const W: usize>(row: *mut Self::Unit, terms: *const f32) {
        // SAFETY: passed on to the caller.
        unsafe { B::Math::add_terms::<W>(row, terms) }
    }

    #[inline(always)]
    unsafe fn softmax<const W: usize>(memory: &Memory<Self>, count: usize) {
        let width = W * Self::LANES;
        let lanes = |from: *mut f32, at: usize| {
            // SAFETY: memory holds a tile.
            unsafe { B::Lanes::load(from.add(at)) }
        };
        // SAFETY: passed on to the caller.
        unsafe {
            let (greatest, sums) = (memory.spare, memory.spare.add(width));
            B::weigh::<W>(memory.scores, count, greatest, sums);
            for at in (0..width).step_by(B::Lanes::COUNT) {
                let (before, here) = (lanes(memory.greatest, at), lanes(greatest, at));
                let now = here.at_least(before);
                let factor = exp2(before.sub(now));
                let weight = exp2(here.sub(now)).mul(B::Lanes::splat(1.0 / WHOLE));
                let total = lanes(memory.total, at).mul(factor);
                lanes(sums, at).fma(weight, total).store(memory.total.add(at));
                now.store(memory.greatest.add(at));
                factor.store(memory.factor.add(at));
                weight.store(memory.weight.add(at));
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
        let length = block::<Self>(shape.keys);
        let stored = length.min(shape.keys - first).next_multiple_of(4);
        let packed = Self::packed(shape, values.cast_mut());
        let width = W * Self::LANES;
        let part = width / B::parts::<W>();
        let products = memory.spare.cast::<i32>();
        // SAFETY: a block starts where it was packed; the rest is passed on to the caller.
        unsafe {
            let units = packed.units.add(first / length * columns);
            let starts = packed.first.add(first / length * columns);
            let values = packed.values.add(first * columns);
            let bytes = memory.scores.cast::<u8>();
            let mut groups = count.div_ceil(4);
            if B::SIGNED {
                // First sums are of all keys of the block: those that no query of the tile sees are there with probability 0.
                let seen = groups * 4 * width;
                bytes.add(seen).write_bytes(0x80, stored * width - seen);
                groups = stored / 4;
            }
            for column in (0..columns).step_by(B::COLUMNS) {
                let panel = values.add(column * stored);
                B::products::<W>(panel, bytes, groups, products);
                for row in 0..B::COLUMNS {
                    let unit = B::Lanes::splat(*units.add(column + row));
                    let start = B::Lanes::splat(*starts.add(column + row));
                    let sums = memory.sums.add((column + row) * width);
                    for at in (0..width).step_by(B::Lanes::COUNT) {
                        let found = products.add((at / part * B::COLUMNS + row) * part + at % part);
                        let mut found = B::Lanes::load_i32(found);
                        if B::SIGNED {
                            found = found.add(start);
                        }
                        let weight = B::Lanes::load(memory.weight.add(at)).mul(unit);
                        let before = B::Lanes::load(sums.add(at));
                        let before = before.mul(B::Lanes::load(memory.factor.add(at)));
                        found.fma(weight, before).store(sums.add(at));
                    }
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn finish<T: Value, const W: usize>(
        memory: &Memory<Self>,
        shape: &Shape,
        values: *const f32,
        queries: usize,
        to: *mut T,
        stride: usize,
    ) {
        let memory = memory.of::<B::Math>();
        // SAFETY: passed on to the caller.
        unsafe { B::Math::finish::<T, W>(&memory, shape, values, queries, to, stride) }
    }
}

/// `greatest = max(greatest, |token|)`.
///
/// # Safety
/// `token` holds `size` ≤ [`GREATEST_SIZE`] values; the CPU has the engine's instructions.
#[inline(always)]
unsafe fn raise<T: Value, L: Lanes>(
    token: *const T,
    size: usize,
    greatest: &mut [f32; GREATEST_SIZE],
) {
    let greatest = greatest.as_mut_ptr();
    // SAFETY: passed on to the caller.
    unsafe {
        let mut at = 0;
        while at + L::COUNT <= size {
            let x = T::load::<L>(token.add(at)).abs();
            x.at_least(L::load(greatest.add(at))).store(greatest.add(at));
            at += L::COUNT;
        }
        if at < size {
            let x = T::load_first::<L>(token.add(at), size - at).abs();
            let before = L::load_first(greatest.add(at), size - at);
            x.at_least(before).store_first(greatest.add(at), size - at);
        }
    }
}

/// The integers of a token, each value times its own factor.
///
/// # Safety
/// As for [`raise`].
#[inline(always)]
unsafe fn integers<T: Value, L: Lanes>(
    from: *const T,
    size: usize,
    factors: &[f32; GREATEST_SIZE],
    to: &mut [i8; GREATEST_SIZE],
) {
    let (factors, to) = (factors.as_ptr(), to.as_mut_ptr());
    // SAFETY: passed on to the caller.
    unsafe {
        let mut at = 0;
        while at + L::COUNT <= size {
            T::load::<L>(from.add(at)).mul(L::load(factors.add(at))).store_i8(to.add(at));
            at += L::COUNT;
        }
        if at < size {
            let last = T::load_first::<L>(from.add(at), size - at);
            let last = last.mul(L::load_first(factors.add(at), size - at));
            last.store_first_i8(to.add(at), size - at);
        }
    }
}
