//! The three stages, written once for every engine: it gives the vectors and wraps these in functions with its features.

use super::points::{Points, Vector};
use super::{FinishTile, InputTile, Panels};
use crate::lanes::Lanes;
use half::f16;
use std::mem::MaybeUninit;
use std::ops::Range;

/// A register that is read from and written to values of a type, rounding where they are narrower.
///
/// # Safety
/// As [`Vector`]; pointers are good for `COUNT` values.
pub(super) unsafe trait Stored<E>: Vector {
    const COUNT: usize;
    unsafe fn load(from: *const E) -> Self;
    unsafe fn store(self, to: *mut E);
}

// SAFETY: passed on.
unsafe impl<L: Lanes> Stored<f32> for L {
    const COUNT: usize = L::COUNT;
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: passed on to the caller.
        unsafe { L::load(from) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: passed on to the caller.
        unsafe { L::store(self, to) }
    }
}

// SAFETY: passed on.
unsafe impl<L: Lanes> Stored<f16> for L {
    const COUNT: usize = L::COUNT;
    #[inline(always)]
    unsafe fn load(from: *const f16) -> Self {
        // SAFETY: passed on to the caller.
        unsafe { L::load_f16(from) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f16) {
        // SAFETY: passed on to the caller.
        unsafe { L::store_f16(self, to) }
    }
}

/// A tile between its passes: row `i` starts at `8·i`.
type Cells<V> = [MaybeUninit<V>; 64];

/// Transforms a tile's pixels into values for each product: down each column, then along each row.
///
/// # Safety
/// The tile's pointers are good for what [`InputTile`] says, `V::COUNT` is its group, and the CPU has the engine's instructions.
#[inline(always)]
pub(super) unsafe fn input<E, V: Stored<E>, H: Points, W: Points>(tile: &InputTile<E>) {
    let InputTile { from, row, column, groups, to, product, group } = *tile;
    // SAFETY: cells are written before they are read; the rest is passed on to the caller.
    unsafe {
        for index in 0..groups {
            let from = from.add(index * V::COUNT);
            let to = to.add(index * group);
            let mut cells: Cells<V> = [const { MaybeUninit::uninit() }; 64];
            for x in 0..W::IN {
                let from = from.add(x * column);
                let cells = cells.as_mut_ptr().add(x);
                H::input(
                    |y| V::load(from.add(y * row)),
                    |y, value| {
                        (*cells.add(y * 8)).write(value);
                    },
                );
            }
            for y in 0..H::IN {
                let cells = cells.as_ptr().add(y * 8);
                let to = to.add(y * W::IN * product);
                W::input(
                    |x| (*cells.add(x)).assume_init(),
                    |x, value| value.store(to.add(x * product)),
                );
            }
        }
    }
}

/// Brings a tile's sums back: down each column, then along each row, of which `put(y, x, channel, values)` gets the outputs, with
/// the bias added where `tile` has one.
///
/// # Safety
/// The tile's pointers are good for what [`FinishTile`] says, and the CPU has the engine's instructions.
#[inline(always)]
unsafe fn output<E, V: Stored<E> + Stored<f32>, H: Points, W: Points>(
    tile: &FinishTile<E>,
    mut put: impl FnMut(usize, usize, usize, V),
) {
    // SAFETY: cells are written before they are read; the rest is passed on to the caller.
    unsafe {
        for channel in (0..tile.channels).step_by(<V as Stored<E>>::COUNT) {
            let from = tile.sums.add(channel);
            let mut cells: Cells<V> = [const { MaybeUninit::uninit() }; 64];
            for x in 0..W::IN {
                let from = from.add(x * tile.product);
                let cells = cells.as_mut_ptr().add(x);
                H::output(
                    |y| <V as Stored<E>>::load(from.add(y * W::IN * tile.product)),
                    |y, value| {
                        (*cells.add(y * 8)).write(value);
                    },
                );
            }
            let bias = if tile.bias.is_null() {
                V::splat(0.0)
            } else {
                <V as Stored<f32>>::load(tile.bias.add(channel))
            };
            for y in 0..tile.rows {
                let cells = cells.as_ptr().add(y * 8);
                W::output(
                    |x| (*cells.add(x)).assume_init(),
                    |x, value| put(y, x, channel, value.add(bias)),
                );
            }
        }
    }
}

/// Brings a tile back and writes it where it belongs.
///
/// # Safety
/// See [`output`].
#[inline(always)]
pub(super) unsafe fn finish<E, V: Stored<E> + Stored<f32>, H: Points, W: Points>(
    tile: &FinishTile<E>,
    to: *mut E,
    row: usize,
    column: usize,
) {
    // SAFETY: passed on to the caller.
    unsafe {
        output::<E, V, H, W>(tile, |y: usize, x: usize, channel: usize, value: V| {
            Stored::<E>::store(value, to.add(y * row + x * column + channel));
        });
    }
}

/// Brings a tile back into `[y][x][channel]`.
///
/// # Safety
/// See [`output`]; `to` is good for the tile.
#[inline(always)]
pub(super) unsafe fn gather<E, V: Stored<E> + Stored<f32>, H: Points, W: Points>(
    tile: &FinishTile<E>,
    to: *mut f32,
) {
    // SAFETY: passed on to the caller.
    unsafe {
        output::<E, V, H, W>(tile, |y: usize, x: usize, channel: usize, value: V| {
            Stored::<f32>::store(value, to.add((y * W::OUT + x) * tile.channels + channel));
        });
    }
}

/// Multiplies `panels` panels, `ROWS` rows of each, by a panel of `VECTORS` registers of columns.
///
/// # Safety
/// As [`Panels`] says, and the CPU has the engine's instructions.
#[inline(always)]
#[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "NEON multiplies by lanes"))]
pub(super) unsafe fn multiply<E, L: Lanes + Stored<E>, const ROWS: usize, const VECTORS: usize>(
    work: &Panels<E>,
    panels: Range<usize>,
    mr: usize,
) {
    let group = <L as Lanes>::COUNT;
    // SAFETY: E is f32 where it is as wide as one; the rest is passed on to the caller.
    unsafe {
        for panel in panels {
            let mut totals = [[<L as Lanes>::splat(0.0); VECTORS]; ROWS];
            let (mut a, mut b) = (work.a.add(panel * work.groups * mr * group), work.b);
            let mut widened = [[0.0_f32; 16]; ROWS];
            for _ in 0..work.groups {
                let (factors, apart) = if size_of::<E>() == size_of::<f32>() {
                    (a.cast::<f32>(), group)
                } else {
                    for row in 0..ROWS {
                        let values = <L as Stored<E>>::load(a.add(row * group));
                        <L as Lanes>::store(values, widened[row].as_mut_ptr());
                    }
                    (widened.as_ptr().cast::<f32>(), 16)
                };
                for k in 0..group {
                    let columns: [L; VECTORS] = std::array::from_fn(|v| {
                        <L as Stored<E>>::load(b.add((k * VECTORS + v) * group))
                    });
                    for row in 0..ROWS {
                        let factor = <L as Lanes>::splat(*factors.add(row * apart + k));
                        for v in 0..VECTORS {
                            totals[row][v] = <L as Lanes>::fma(columns[v], factor, totals[row][v]);
                        }
                    }
                }
                a = a.add(mr * group);
                b = b.add(group * VECTORS * group);
            }
            let sums = work.sums.add(panel * mr * VECTORS * group);
            for row in 0..ROWS {
                for v in 0..VECTORS {
                    Stored::<E>::store(totals[row][v], sums.add((row * VECTORS + v) * group));
                }
            }
        }
    }
}
