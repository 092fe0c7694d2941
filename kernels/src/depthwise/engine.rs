//! What the sweep asks of an engine; f32 lanes, and one channel of bytes.

use super::sweep::Job;
use crate::gemm::{Element, Output};
use crate::lanes::Lanes;
use crate::scratch::Plain;
use half::f16;
use std::marker::PhantomData;

/// How an engine multiplies registers of channels.
///
/// # Safety
/// All methods need the CPU to have the engine's instructions, and pointers to be good for `COUNT` values.
pub(super) unsafe trait Engine: Copy {
    const COUNT: usize;
    /// Whether there are registers for the sums of two rows of outputs.
    const TWO_ROWS: bool;
    type Element: Stored + Element;
    /// What prepared filters are.
    type Filter: Plain;
    /// A register of input or filter.
    type Value: Copy;
    /// Its sums.
    type Sum: Copy;
    /// The lanes in which sums are finished.
    type Lanes: Lanes;
    /// What computes fewer channels than a register holds.
    type Narrow: Engine<Element = Self::Element>;

    fn outside(zero_point: i32) -> Self::Element;
    fn filter(value: Self::Element) -> Self::Filter;
    /// What sums start with where the bias is theirs; anything for an engine that adds it at the end.
    fn bias(value: f32) -> Self::Filter;
    unsafe fn new(job: &Job<Self::Element>) -> Self;
    unsafe fn load(self, from: *const Self::Element) -> Self::Value;
    unsafe fn load_filter(from: *const Self::Filter) -> Self::Value;
    unsafe fn zero() -> Self::Sum;
    unsafe fn start(bias: *const Self::Filter) -> Self::Sum;
    unsafe fn accumulate(sum: Self::Sum, value: Self::Value, filter: Self::Value) -> Self::Sum;
    unsafe fn load_sums(from: *const <Self::Element as Element>::Sum) -> Self::Sum;
    unsafe fn store_sums(sum: Self::Sum, to: *mut <Self::Element as Element>::Sum);
    /// Bias, activation and output of the input's type; `clamped` says whether there is an activation.
    unsafe fn finish(self, sum: Self::Sum, channel: usize, clamped: bool, to: *mut Self::Element);
}

/// f32 lanes, for images of f32 and of f16; one lane is what is left over of any engine.
#[derive(Clone, Copy)]
pub(super) struct Wide<L, E> {
    limits: [L; 2],
    element: PhantomData<E>,
}

/// What f32 lanes read and write.
pub(super) trait Float: Stored + Element<Sum = f32> {
    fn wide(self) -> f32;
    unsafe fn load<L: Lanes>(from: *const Self) -> L;
    unsafe fn store<L: Lanes>(lanes: L, to: *mut Self);
}

impl Float for f32 {
    fn wide(self) -> f32 {
        self
    }
    #[inline(always)]
    unsafe fn load<L: Lanes>(from: *const Self) -> L {
        // SAFETY: passed on to the caller.
        unsafe { L::load(from) }
    }
    #[inline(always)]
    unsafe fn store<L: Lanes>(lanes: L, to: *mut Self) {
        // SAFETY: passed on to the caller.
        unsafe { lanes.store(to) }
    }
}

impl Float for f16 {
    fn wide(self) -> f32 {
        self.to_f32()
    }
    #[inline(always)]
    unsafe fn load<L: Lanes>(from: *const Self) -> L {
        // SAFETY: passed on to the caller.
        unsafe { L::load_f16(from) }
    }
    #[inline(always)]
    unsafe fn store<L: Lanes>(lanes: L, to: *mut Self) {
        // SAFETY: passed on to the caller.
        unsafe { lanes.store_f16(to) }
    }
}

// SAFETY: each method reads and writes a register of lanes.
unsafe impl<L: Lanes, E: Float> Engine for Wide<L, E> {
    const COUNT: usize = L::COUNT;
    const TWO_ROWS: bool = true;
    type Element = E;
    type Filter = f32;
    type Value = L;
    type Sum = L;
    type Lanes = L;
    type Narrow = Wide<f32, E>;

    fn outside(_: i32) -> E {
        E::ZERO
    }
    fn filter(value: E) -> f32 {
        value.wide()
    }
    fn bias(value: f32) -> f32 {
        value
    }
    #[inline(always)]
    unsafe fn new(job: &Job<E>) -> Self {
        let limits = job.epilogue.activation.limits().unwrap_or_default();
        // SAFETY: what the trait asks of the caller.
        unsafe { Self { limits: limits.map(|limit| L::splat(limit)), element: PhantomData } }
    }
    #[inline(always)]
    unsafe fn load(self, from: *const E) -> L {
        // SAFETY: what the trait asks of the caller.
        unsafe { E::load(from) }
    }
    #[inline(always)]
    unsafe fn load_filter(from: *const f32) -> L {
        // SAFETY: what the trait asks of the caller.
        unsafe { L::load(from) }
    }
    #[inline(always)]
    unsafe fn zero() -> L {
        // SAFETY: what the trait asks of the caller.
        unsafe { L::splat(0.0) }
    }
    #[inline(always)]
    unsafe fn start(bias: *const f32) -> L {
        // SAFETY: what the trait asks of the caller.
        unsafe { L::load(bias) }
    }
    #[inline(always)]
    unsafe fn accumulate(sum: L, value: L, filter: L) -> L {
        // SAFETY: what the trait asks of the caller.
        unsafe { value.fma(filter, sum) }
    }
    #[inline(always)]
    unsafe fn load_sums(from: *const f32) -> L {
        // SAFETY: what the trait asks of the caller.
        unsafe { L::load(from) }
    }
    #[inline(always)]
    unsafe fn store_sums(sum: L, to: *mut f32) {
        // SAFETY: what the trait asks of the caller.
        unsafe { sum.store(to) }
    }
    #[inline(always)]
    unsafe fn finish(self, sum: L, _: usize, clamped: bool, to: *mut E) {
        let [low, high] = self.limits;
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let value = if clamped { sum.at_least(low).at_most(high) } else { sum };
            E::store(value, to);
        }
    }
}

/// How an int8 sum becomes an output, in lanes.
#[derive(Clone, Copy)]
pub(super) struct Requantize<L> {
    scale: L,
    limits: [L; 2],
    inverse: L,
    zero_point: L,
    scales: *const f32,
    bias: *const f32,
}

impl<L: Lanes> Requantize<L> {
    /// # Safety
    /// The CPU has the engine's instructions.
    #[inline(always)]
    pub unsafe fn new(job: &Job<i8>) -> Self {
        let (inverse, zero_point) = match &*job.output {
            Output::I8 { scale, zero_point, .. } => (1.0 / *scale, *zero_point as f32),
            _ => (1.0, 0.0),
        };
        let limits = job.epilogue.activation.limits().unwrap_or_default();
        // SAFETY: passed on to the caller.
        unsafe {
            Self {
                scale: L::splat(job.scale),
                limits: limits.map(|limit| L::splat(limit)),
                inverse: L::splat(inverse),
                zero_point: L::splat(zero_point),
                scales: job.scales.as_ptr(),
                bias: job.bias.as_ptr(),
            }
        }
    }

    /// Sums as whole numbers to what is rounded and clamped to a byte; a missing scale is 1 and gives the same bits as none.
    ///
    /// # Safety
    /// The job that this was made of has `channel + COUNT` channels, and the CPU has the engine's instructions.
    #[inline(always)]
    pub unsafe fn value(self, sum: L, channel: usize, clamped: bool) -> L {
        let [low, high] = self.limits;
        // SAFETY: passed on to the caller.
        unsafe {
            let (scale, bias) =
                (L::load(self.scales.add(channel)), L::load(self.bias.add(channel)));
            let value = sum.mul(self.scale).fma(scale, bias);
            let value = if clamped { value.at_least(low).at_most(high) } else { value };
            value.mul(self.inverse).round().add(self.zero_point)
        }
    }
}

/// int8, one channel at a time.
#[derive(Clone, Copy)]
pub(super) struct Byte {
    zero_point: i32,
    requantize: Requantize<f32>,
}

// SAFETY: each method reads and writes one value.
unsafe impl Engine for Byte {
    const COUNT: usize = 1;
    const TWO_ROWS: bool = false;
    type Element = i8;
    type Filter = i32;
    type Value = i32;
    type Sum = i32;
    type Lanes = f32;
    type Narrow = Self;

    fn outside(zero_point: i32) -> i8 {
        zero_point as i8
    }
    fn filter(value: i8) -> i32 {
        value.into()
    }
    fn bias(_: f32) -> i32 {
        0
    }
    #[inline(always)]
    unsafe fn new(job: &Job<i8>) -> Self {
        // SAFETY: what the trait asks of the caller.
        Self { zero_point: job.zero_point, requantize: unsafe { Requantize::new(job) } }
    }
    #[inline(always)]
    unsafe fn load(self, from: *const i8) -> i32 {
        // SAFETY: what the trait asks of the caller.
        i32::from(unsafe { *from }) - self.zero_point
    }
    #[inline(always)]
    unsafe fn load_filter(from: *const i32) -> i32 {
        // SAFETY: what the trait asks of the caller.
        unsafe { *from }
    }
    #[inline(always)]
    unsafe fn zero() -> i32 {
        0
    }
    #[inline(always)]
    unsafe fn start(_: *const i32) -> i32 {
        0
    }
    #[inline(always)]
    unsafe fn accumulate(sum: i32, value: i32, filter: i32) -> i32 {
        sum + value * filter
    }
    #[inline(always)]
    unsafe fn load_sums(from: *const i32) -> i32 {
        // SAFETY: what the trait asks of the caller.
        unsafe { *from }
    }
    #[inline(always)]
    unsafe fn store_sums(sum: i32, to: *mut i32) {
        // SAFETY: what the trait asks of the caller.
        unsafe { *to = sum };
    }
    #[inline(always)]
    unsafe fn finish(self, sum: i32, channel: usize, clamped: bool, to: *mut i8) {
        // SAFETY: what the trait asks of the caller.
        unsafe { self.requantize.value(sum as f32, channel, clamped).store_i8(to) };
    }
}

/// An element that is written as it is read.
pub(super) trait Stored: Sized {
    /// Values and stride, where the output is of this type.
    fn target(output: &mut Output) -> Option<(*mut Self, usize)>;
}

impl Stored for i8 {
    fn target(output: &mut Output) -> Option<(*mut Self, usize)> {
        let Output::I8 { values, stride, .. } = output else { return None };
        Some((values.as_mut_ptr(), *stride))
    }
}

impl Stored for f16 {
    fn target(output: &mut Output) -> Option<(*mut Self, usize)> {
        let Output::F16 { values, stride } = output else { return None };
        Some((values.as_mut_ptr(), *stride))
    }
}

impl Stored for f32 {
    fn target(output: &mut Output) -> Option<(*mut Self, usize)> {
        let Output::F32 { values, stride } = output else { return None };
        Some((values.as_mut_ptr(), *stride))
    }
}
