//! What all engines share: a row brought into its panel, and a loop with four sums for each register of columns, so that
//! no multiplication waits for the one before.

use super::GemvRow;
use crate::features::{Isa, Schedule};
use crate::gemm::{Element, Finish, GemmRow, Layout, Multiply};
use crate::kernel::Identity;
use crate::lanes::Lanes;
use half::f16;

/// How many sums there are for each register of columns.
const SUMS: usize = 4;

/// A version without anything unusual.
pub(super) const fn version<E: Element>(
    [name, element, tile]: [&'static str; 3],
    needs: &'static [Isa],
    layout: Layout,
    widening: usize,
    multiply: Multiply<E>,
    packing: E::Packing,
    finish: unsafe fn(&Finish<E::Sum>),
) -> GemvRow<E> {
    GemvRow(GemmRow {
        identity: Identity {
            name,
            operation: "gemv",
            element,
            tile,
            needs,
            schedule: Schedule::OutOfOrder,
        },
        layout,
        mr: 1,
        widening,
        steps: usize::MAX,
        multiply,
        fused: None,
        direct: None,
        packing,
        finish,
    })
}

/// `multiply(sum, step, register)` for each step and register; the sums of each register.
///
/// # Safety
/// What the functions ask for.
#[inline(always)]
pub(crate) unsafe fn sums<V: Copy, const REGISTERS: usize>(
    steps: usize,
    zero: V,
    multiply: impl Fn(V, usize, usize) -> V,
    add: impl Fn(V, V) -> V,
) -> [V; REGISTERS] {
    let mut sums = [[zero; REGISTERS]; SUMS];
    let whole = steps / SUMS * SUMS;
    for step in (0..whole).step_by(SUMS) {
        for part in 0..SUMS {
            for register in 0..REGISTERS {
                sums[part][register] = multiply(sums[part][register], step + part, register);
            }
        }
    }
    for step in whole..steps {
        for register in 0..REGISTERS {
            sums[0][register] = multiply(sums[0][register], step, register);
        }
    }
    let mut all = [zero; REGISTERS];
    for register in 0..REGISTERS {
        let [first, second, third, fourth] = [0, 1, 2, 3].map(|part| sums[part][register]);
        all[register] = add(add(first, second), add(third, fourth));
    }
    all
}

/// A row as it is; the end of its last step of `KR` is 0.
pub(crate) unsafe fn copied<T: Element, const KR: usize>(
    rows: *const *const T,
    depth: usize,
    to: *mut T,
) {
    // SAFETY: there is one row, good for `depth` values, and `to` takes whole steps.
    unsafe {
        std::ptr::copy_nonoverlapping(*rows, to, depth);
        for k in depth..depth.next_multiple_of(KR) {
            *to.add(k) = T::ZERO;
        }
    }
}

/// Halves as floats.
///
/// # Safety
/// See [`Pack`](crate::gemm::Pack), and the CPU has the engine's instructions.
#[inline(always)]
pub(crate) unsafe fn widened<L: Lanes>(rows: *const *const f16, depth: usize, to: *mut f16) {
    // SAFETY: every access ends at or before `depth`; the panel has room for floats.
    unsafe {
        let (row, to) = (*rows, to.cast::<f32>());
        let whole = depth / L::COUNT * L::COUNT;
        for k in (0..whole).step_by(L::COUNT) {
            L::load_f16(row.add(k)).store(to.add(k));
        }
        for k in whole..depth {
            f32::load_f16(row.add(k)).store(to.add(k));
        }
    }
}

/// What is read as floats.
pub(crate) trait Float: Copy {
    /// # Safety
    /// `from` is good for `L::COUNT` values, and the CPU has the engine's instructions.
    unsafe fn load<L: Lanes>(from: *const Self) -> L;
}

impl Float for f32 {
    #[inline(always)]
    unsafe fn load<L: Lanes>(from: *const f32) -> L {
        // SAFETY: passed on to the caller.
        unsafe { L::load(from) }
    }
}

impl Float for f16 {
    #[inline(always)]
    unsafe fn load<L: Lanes>(from: *const f16) -> L {
        // SAFETY: passed on to the caller.
        unsafe { L::load_f16(from) }
    }
}

/// Adds 128 to every byte, whatever it is: another sign bit.
unsafe fn offset(to: *mut i8, length: usize) {
    // SAFETY: passed on to the caller.
    for byte in unsafe { std::slice::from_raw_parts_mut(to, length) } {
        *byte ^= -128;
    }
}

/// A row that is int8 already.
///
/// # Safety
/// See [`Pack`](crate::gemm::Pack).
#[inline(always)]
pub(crate) unsafe fn bytes<const KR: usize, const OFFSET: bool>(
    rows: *const *const i8,
    depth: usize,
    to: *mut i8,
) {
    // SAFETY: passed on to the caller.
    unsafe {
        copied::<i8, KR>(rows, depth, to);
        if OFFSET {
            offset(to, depth);
        }
    }
}

/// A row quantized.
///
/// # Safety
/// See [`PackQuantized`](crate::gemm::PackQuantized), and the CPU has the engine's instructions.
#[inline(always)]
pub(crate) unsafe fn quantized<T: Float, L: Lanes, const KR: usize, const OFFSET: bool>(
    rows: *const *const T,
    depth: usize,
    inverse_scales: *const f32,
    zero_point: i32,
    to: *mut i8,
) {
    // SAFETY: every access ends at or before `depth`, or at the end of the last step.
    unsafe {
        let (row, inverse, zero_point) = (*rows, *inverse_scales, zero_point as f32);
        let whole = depth / L::COUNT * L::COUNT;
        for k in (0..whole).step_by(L::COUNT) {
            let steps = T::load::<L>(row.add(k)).mul(L::splat(inverse)).round();
            steps.add(L::splat(zero_point)).store_i8(to.add(k));
        }
        for k in whole..depth {
            let steps = T::load::<f32>(row.add(k)).mul(inverse).round();
            steps.add(zero_point).store_i8(to.add(k));
        }
        for k in depth..depth.next_multiple_of(KR) {
            *to.add(k) = 0;
        }
        if OFFSET {
            offset(to, depth);
        }
    }
}

/// The greatest magnitude; NaN is passed over.
///
/// # Safety
/// `row` is good for `length` values, and the CPU has the engine's instructions.
#[inline(always)]
pub(crate) unsafe fn greatest<T: Float, L: Lanes>(row: *const T, length: usize) -> f32 {
    // SAFETY: every read ends at or before `length`.
    unsafe {
        let mut most = L::splat(0.0);
        let whole = length / L::COUNT * L::COUNT;
        for k in (0..whole).step_by(L::COUNT) {
            let size = T::load::<L>(row.add(k)).abs();
            most = L::select(most.less_than(size), size, most);
        }
        let mut all = most.greatest();
        for k in whole..length {
            all = all.max(T::load::<f32>(row.add(k)).abs());
        }
        all
    }
}
