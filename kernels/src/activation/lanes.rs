use super::Pointers;
use crate::elements::{Function, Silu, Sink, Source};
use crate::lanes::Lanes;
use crate::math::{self, Activation};
use crate::norm::lanes::each;

/// # Safety
/// The CPU has the engine's instructions; the pointers are good for so many values.
#[inline(always)]
pub unsafe fn run<L: Lanes>(activation: Activation, pointers: Pointers) {
    // SAFETY: passed on to the caller.
    unsafe {
        match activation {
            Activation::Silu => with::<L>(Silu, pointers),
            Activation::Gelu => with::<L>(Gelu, pointers),
            Activation::GeluTanh => with::<L>(GeluTanh, pointers),
            other => with::<L>(other, pointers),
        }
    }
}

#[derive(Clone, Copy)]
struct Gelu;
#[derive(Clone, Copy)]
struct GeluTanh;

impl Function for Gelu {
    #[inline(always)]
    unsafe fn of<L: Lanes>(self, x: L) -> L {
        // SAFETY: passed on to the caller.
        unsafe { math::gelu(x) }
    }
}

impl Function for GeluTanh {
    #[inline(always)]
    unsafe fn of<L: Lanes>(self, x: L) -> L {
        // SAFETY: passed on to the caller.
        unsafe { math::gelu_tanh(x) }
    }
}

#[inline(always)]
unsafe fn with<L: Lanes>(function: impl Function, pointers: Pointers) {
    // SAFETY: passed on to the caller.
    unsafe {
        match pointers {
            Pointers::F32(x, y, count) => run_of::<L, f32>(function, x, y, count),
            Pointers::F16(x, y, count) => run_of::<L, half::f16>(function, x, y, count),
        }
    }
}

#[inline(always)]
unsafe fn run_of<L: Lanes, T: Source + Sink>(
    function: impl Function,
    x: *const T,
    y: *mut T,
    count: usize,
) {
    // SAFETY: `each` stays within the values.
    unsafe {
        each::<L>(
            count,
            |at| T::store(function.of(T::load::<L>(x.add(at))), y.add(at)),
            |at, width| {
                T::store_first(function.of(T::load_first::<L>(x.add(at), width)), y.add(at), width);
            },
        );
    }
}

/// # Safety
/// The CPU has the engine's instructions; the pointers are good for whole rows.
#[inline(always)]
pub unsafe fn prelu<L: Lanes>(slopes: &[f32], pointers: Pointers) {
    // SAFETY: passed on to the caller.
    unsafe {
        match pointers {
            Pointers::F32(x, y, count) => prelu_of::<L, f32>(slopes, x, y, count),
            Pointers::F16(x, y, count) => prelu_of::<L, half::f16>(slopes, x, y, count),
        }
    }
}

#[inline(always)]
unsafe fn prelu_of<L: Lanes, T: Source + Sink>(
    slopes: &[f32],
    x: *const T,
    y: *mut T,
    count: usize,
) {
    let channels = slopes.len();
    let slopes = slopes.as_ptr();
    // SAFETY: `each` stays within a row's channels.
    unsafe {
        let of = |x: L, slope: L| L::select(x.less_than(L::splat(0.0)), x.mul(slope), x);
        for row in (0..count).step_by(channels) {
            let (x, y) = (x.add(row), y.add(row));
            each::<L>(
                channels,
                |at| T::store(of(T::load(x.add(at)), L::load(slopes.add(at))), y.add(at)),
                |at, width| {
                    let slope = L::load_first(slopes.add(at), width);
                    T::store_first(of(T::load_first(x.add(at), width), slope), y.add(at), width);
                },
            );
        }
    }
}
