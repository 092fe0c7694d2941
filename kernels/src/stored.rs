//! The types that tensors are stored in; kernels compute in f32 lanes whatever they are.

use crate::lanes::Lanes;
use half::f16;

/// A type of tensor elements.
pub trait Stored: Copy + Default + PartialEq + std::fmt::Debug + Send + Sync + 'static {
    /// As it stands in a kernel's name.
    const NAME: &'static str;
    /// Whether it stands for a value only with a scale.
    const QUANTIZED: bool = false;

    /// The exact value.
    fn value(self) -> f32;
    /// The nearest element, ties to even; i8 stops at its ends.
    fn nearest(value: f32) -> Self;
    /// Reads a register.
    ///
    /// # Safety
    /// The CPU has the engine's instructions; `from` is good for `L::COUNT` elements.
    unsafe fn load<L: Lanes>(from: *const Self) -> L;
    /// Writes a register, rounded as [`Stored::nearest`] does.
    ///
    /// # Safety
    /// The CPU has the engine's instructions; `to` is good for `L::COUNT` elements.
    unsafe fn store<L: Lanes>(values: L, to: *mut Self);
}

impl Stored for f32 {
    const NAME: &'static str = "f32";
    #[inline(always)]
    fn value(self) -> f32 {
        self
    }
    #[inline(always)]
    fn nearest(value: f32) -> Self {
        value
    }
    #[inline(always)]
    unsafe fn load<L: Lanes>(from: *const Self) -> L {
        // SAFETY: passed on to the caller.
        unsafe { L::load(from) }
    }
    #[inline(always)]
    unsafe fn store<L: Lanes>(values: L, to: *mut Self) {
        // SAFETY: passed on to the caller.
        unsafe { values.store(to) }
    }
}

impl Stored for f16 {
    const NAME: &'static str = "f16";
    #[inline(always)]
    fn value(self) -> f32 {
        self.to_f32()
    }
    #[inline(always)]
    fn nearest(value: f32) -> Self {
        f16::from_f32(value)
    }
    #[inline(always)]
    unsafe fn load<L: Lanes>(from: *const Self) -> L {
        // SAFETY: passed on to the caller.
        unsafe { L::load_f16(from) }
    }
    #[inline(always)]
    unsafe fn store<L: Lanes>(values: L, to: *mut Self) {
        // SAFETY: passed on to the caller.
        unsafe { values.store_f16(to) }
    }
}

impl Stored for i8 {
    const NAME: &'static str = "i8";
    const QUANTIZED: bool = true;
    #[inline(always)]
    fn value(self) -> f32 {
        f32::from(self)
    }
    #[inline(always)]
    fn nearest(value: f32) -> Self {
        value.round_ties_even() as i8
    }
    #[inline(always)]
    unsafe fn load<L: Lanes>(from: *const Self) -> L {
        // SAFETY: passed on to the caller.
        unsafe { L::load_i8(from) }
    }
    #[inline(always)]
    unsafe fn store<L: Lanes>(values: L, to: *mut Self) {
        // SAFETY: passed on to the caller.
        unsafe { values.store_i8(to) }
    }
}
