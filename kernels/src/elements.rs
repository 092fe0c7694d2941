//! Slices of f32 or f16 that element-wise kernels read, and of f32, f16 or int8 that they write.
//!
//! A kernel computes in f32 (or, in a `neon_fp16` version, in f16) whatever the elements are: one row of a table
//! serves all of them.

use crate::lanes::Lanes;
use crate::math::{Activation, silu};
use half::f16;
use std::ops::Range;

/// What a kernel reads.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Single precision.
    F32(&'a [f32]),
    /// Half precision.
    F16(&'a [f16]),
}

/// What a kernel writes.
#[derive(Debug)]
pub enum Output<'a> {
    /// Single precision.
    F32(&'a mut [f32]),
    /// Half precision, rounded to nearest, ties to even.
    F16(&'a mut [f16]),
    /// Quantized.
    I8(&'a mut [i8], Quantization),
}

/// Per-tensor int8: `q = clamp(round_ties_even(y · (1 / scale)) + zero_point)`; NaN gives 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantization {
    /// The value of a step.
    pub scale: f32,
    /// The int8 that stands for 0.
    pub zero_point: i8,
}

impl Quantization {
    pub(crate) const NONE: Self = Self { scale: 1.0, zero_point: 0 };

    /// The specification.
    pub fn of(self, value: f32) -> i8 {
        let shifted = (value * (1.0 / self.scale)).round_ties_even() + f32::from(self.zero_point);
        shifted as i8
    }
}

#[expect(clippy::len_without_is_empty, reason = "nobody asks whether a tensor is empty")]
impl<'a> Input<'a> {
    /// How many values.
    pub fn len(self) -> usize {
        match self {
            Input::F32(values) => values.len(),
            Input::F16(values) => values.len(),
        }
    }

    /// A part.
    pub fn part(self, range: Range<usize>) -> Input<'a> {
        match self {
            Input::F32(values) => Input::F32(&values[range]),
            Input::F16(values) => Input::F16(&values[range]),
        }
    }

    /// The value at a position, as the plain versions read it.
    pub fn at(self, position: usize) -> f32 {
        match self {
            Input::F32(values) => values[position],
            Input::F16(values) => values[position].to_f32(),
        }
    }
}

#[expect(clippy::len_without_is_empty, reason = "nobody asks whether a tensor is empty")]
impl Output<'_> {
    /// How many values.
    pub fn len(&self) -> usize {
        match self {
            Output::F32(values) => values.len(),
            Output::F16(values) => values.len(),
            Output::I8(values, _) => values.len(),
        }
    }

    /// A part.
    pub fn part(&mut self, range: Range<usize>) -> Output<'_> {
        match self {
            Output::F32(values) => Output::F32(&mut values[range]),
            Output::F16(values) => Output::F16(&mut values[range]),
            Output::I8(values, quantization) => Output::I8(&mut values[range], *quantization),
        }
    }

    /// Writes the value at a position, as the plain versions do.
    pub fn put(&mut self, position: usize, value: f32) {
        match self {
            Output::F32(values) => values[position] = value,
            Output::F16(values) => values[position] = f16::from_f32(value),
            Output::I8(values, quantization) => values[position] = quantization.of(value),
        }
    }

    /// Panics where a quantized output has no usable scale.
    pub(crate) fn check(&self) {
        if let Output::I8(_, quantization) = self {
            let scale = quantization.scale;
            assert!(scale.is_normal() && scale > 0.0, "a scale of {scale}");
        }
    }
}

/// An element that lanes are read from.
///
/// # Safety
/// What [`Lanes`] asks for.
pub(crate) unsafe trait Source: Copy {
    unsafe fn load<L: Lanes>(from: *const Self) -> L;
    /// Reads `count` < `COUNT` values; the other lanes are 0.
    unsafe fn load_first<L: Lanes>(from: *const Self, count: usize) -> L;
}

/// An element that lanes are written to.
///
/// # Safety
/// What [`Lanes`] asks for.
pub(crate) unsafe trait Sink: Copy {
    const QUANTIZED: bool;
    unsafe fn store<L: Lanes>(values: L, to: *mut Self);
    /// Writes the first `count` < `COUNT` lanes.
    unsafe fn store_first<L: Lanes>(values: L, to: *mut Self, count: usize);
}

// SAFETY: passed on to the caller.
unsafe impl Source for f32 {
    #[inline(always)]
    unsafe fn load<L: Lanes>(from: *const Self) -> L {
        // SAFETY: passed on to the caller.
        unsafe { L::load(from) }
    }
    #[inline(always)]
    unsafe fn load_first<L: Lanes>(from: *const Self, count: usize) -> L {
        // SAFETY: passed on to the caller.
        unsafe { L::load_first(from, count) }
    }
}

// SAFETY: passed on to the caller.
unsafe impl Source for f16 {
    #[inline(always)]
    unsafe fn load<L: Lanes>(from: *const Self) -> L {
        // SAFETY: passed on to the caller.
        unsafe { L::load_f16(from) }
    }
    #[inline(always)]
    unsafe fn load_first<L: Lanes>(from: *const Self, count: usize) -> L {
        // SAFETY: passed on to the caller.
        unsafe { L::load_first_f16(from, count) }
    }
}

// SAFETY: passed on to the caller.
unsafe impl Sink for f32 {
    const QUANTIZED: bool = false;
    #[inline(always)]
    unsafe fn store<L: Lanes>(values: L, to: *mut Self) {
        // SAFETY: passed on to the caller.
        unsafe { values.store(to) }
    }
    #[inline(always)]
    unsafe fn store_first<L: Lanes>(values: L, to: *mut Self, count: usize) {
        // SAFETY: passed on to the caller.
        unsafe { values.store_first(to, count) }
    }
}

// SAFETY: passed on to the caller.
unsafe impl Sink for f16 {
    const QUANTIZED: bool = false;
    #[inline(always)]
    unsafe fn store<L: Lanes>(values: L, to: *mut Self) {
        // SAFETY: passed on to the caller.
        unsafe { values.store_f16(to) }
    }
    #[inline(always)]
    unsafe fn store_first<L: Lanes>(values: L, to: *mut Self, count: usize) {
        // SAFETY: passed on to the caller.
        unsafe { values.store_first_f16(to, count) }
    }
}

// SAFETY: passed on to the caller.
unsafe impl Sink for i8 {
    const QUANTIZED: bool = true;
    #[inline(always)]
    unsafe fn store<L: Lanes>(values: L, to: *mut Self) {
        // SAFETY: passed on to the caller.
        unsafe { values.store_i8(to) }
    }
    #[inline(always)]
    unsafe fn store_first<L: Lanes>(values: L, to: *mut Self, count: usize) {
        // SAFETY: passed on to the caller.
        unsafe { values.store_first_i8(to, count) }
    }
}

/// What quantizes lanes on their way to an int8 output, and leaves them alone on the way to others.
#[derive(Clone, Copy)]
pub(crate) struct Quantizer<L> {
    factor: L,
    zero_point: L,
}

impl<L: Lanes> Quantizer<L> {
    #[inline(always)]
    pub(crate) unsafe fn new(quantization: Quantization) -> Self {
        // SAFETY: passed on to the caller.
        unsafe { Self::with(1.0 / quantization.scale, quantization.zero_point) }
    }
    #[inline(always)]
    pub(crate) unsafe fn with(factor: f32, zero_point: i8) -> Self {
        // SAFETY: passed on to the caller.
        unsafe { Self { factor: L::splat(factor), zero_point: L::splat(f32::from(zero_point)) } }
    }
    #[inline(always)]
    unsafe fn of<O: Sink>(self, values: L) -> L {
        if !O::QUANTIZED {
            return values;
        }
        // SAFETY: passed on to the caller.
        unsafe { values.mul(self.factor).round().add(self.zero_point) }
    }
    #[inline(always)]
    pub(crate) unsafe fn store<O: Sink>(self, values: L, to: *mut O) {
        // SAFETY: passed on to the caller.
        unsafe { O::store(self.of::<O>(values), to) }
    }
    #[inline(always)]
    pub(crate) unsafe fn store_first<O: Sink>(self, values: L, to: *mut O, count: usize) {
        // SAFETY: passed on to the caller.
        unsafe { O::store_first(self.of::<O>(values), to, count) }
    }
}

/// A kernel's body for each pair of elements.
pub(crate) trait Body {
    /// # Safety
    /// The CPU has the engine's instructions; the pointers are those of slices that the kernel checked.
    unsafe fn run<I: Source, O: Sink>(self, input: *const I, output: *mut O, steps: Quantization);
}

/// Runs the body for the elements at hand.
///
/// # Safety
/// Those of the body.
#[inline(always)]
pub(crate) unsafe fn for_elements(body: impl Body, input: Input, output: Output) {
    let none = Quantization::NONE;
    // SAFETY: passed on to the caller.
    unsafe {
        match (input, output) {
            (Input::F32(x), Output::F32(y)) => body.run(x.as_ptr(), y.as_mut_ptr(), none),
            (Input::F32(x), Output::F16(y)) => body.run(x.as_ptr(), y.as_mut_ptr(), none),
            (Input::F32(x), Output::I8(y, steps)) => body.run(x.as_ptr(), y.as_mut_ptr(), steps),
            (Input::F16(x), Output::F32(y)) => body.run(x.as_ptr(), y.as_mut_ptr(), none),
            (Input::F16(x), Output::F16(y)) => body.run(x.as_ptr(), y.as_mut_ptr(), none),
            (Input::F16(x), Output::I8(y, steps)) => body.run(x.as_ptr(), y.as_mut_ptr(), steps),
        }
    }
}

/// An activation that a loop was compiled for.
pub(crate) trait Function: Copy {
    /// # Safety
    /// The CPU has the engine's instructions.
    unsafe fn of<L: Lanes>(self, x: L) -> L;
}

/// None.
#[derive(Clone, Copy)]
pub(crate) struct Nothing;

/// SiLU.
#[derive(Clone, Copy)]
pub(crate) struct Silu;

impl Function for Nothing {
    #[inline(always)]
    unsafe fn of<L: Lanes>(self, x: L) -> L {
        x
    }
}

impl Function for Silu {
    #[inline(always)]
    unsafe fn of<L: Lanes>(self, x: L) -> L {
        // SAFETY: passed on to the caller.
        unsafe { silu(x) }
    }
}

/// Any, chosen inside the loop.
impl Function for Activation {
    #[inline(always)]
    unsafe fn of<L: Lanes>(self, x: L) -> L {
        // SAFETY: passed on to the caller.
        unsafe { self.lanes(x) }
    }
}
