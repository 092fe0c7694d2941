//! f32 lanes: what element-wise kernels are written in once and compiled for each engine.
//!
//! Every engine does the same correctly rounded operations in the same order, so a kernel written in lanes gives
//! the same bits everywhere, as long as it does not add across lanes. `f32` itself is the plain version: one lane.
//!
//! A kernel is an `#[inline(always)] unsafe fn kernel<L: Lanes>(…)`; each engine's row calls it from a function that
//! has the engine's `#[target_feature]`:
//!
//! ```ignore
//! #[target_feature(enable = "avx2,fma,f16c")]
//! unsafe fn silu_f32_avx2(x: &mut [f32]) {
//!     // SAFETY: the features are enabled here.
//!     unsafe { silu::<Avx2>(x) }
//! }
//! ```

use half::f16;

/// A register of f32 values.
///
/// # Safety
/// All methods need the CPU to have the engine's instructions, and the pointers to be good for as many values as
/// the method says; no alignment is asked for. An implementation gives the same bits as the one for `f32` does in each lane.
#[expect(
    clippy::missing_safety_doc,
    reason = "the trait's own section says what all of its methods need"
)]
#[expect(missing_docs, reason = "names that say all there is to say")]
pub unsafe trait Lanes: Copy {
    /// How many values.
    const COUNT: usize;
    /// One truth value a lane.
    type Mask: Copy;

    unsafe fn splat(value: f32) -> Self;
    /// Reads `COUNT` values.
    unsafe fn load(from: *const f32) -> Self;
    /// Writes `COUNT` values.
    unsafe fn store(self, to: *mut f32);
    /// Reads `COUNT` halves.
    unsafe fn load_f16(from: *const f16) -> Self;
    /// Writes `COUNT` halves, rounded to nearest, ties to even.
    unsafe fn store_f16(self, to: *mut f16);
    /// Reads `COUNT` integers, rounded to nearest, ties to even.
    unsafe fn load_i32(from: *const i32) -> Self;
    /// Reads `from[i] − factor · terms[i]`, computed in wrapping i32.
    unsafe fn load_i32_less(from: *const i32, factor: i32, terms: *const i32) -> Self;
    /// Reads `COUNT` bytes.
    unsafe fn load_i8(from: *const i8) -> Self;
    /// Writes `COUNT` bytes: rounded to nearest, ties to even, then clamped to −128..=127. NaN gives 0.
    unsafe fn store_i8(self, to: *mut i8);

    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    unsafe fn div(self, other: Self) -> Self;
    /// `self · factor + term`, rounded once.
    unsafe fn fma(self, factor: Self, term: Self) -> Self;
    unsafe fn sqrt(self) -> Self;
    unsafe fn abs(self) -> Self;
    /// To the nearest integer, ties to even.
    unsafe fn round(self) -> Self;
    /// The greater of the two; NaN in `self` stays. The limit is a number.
    unsafe fn at_least(self, limit: Self) -> Self;
    /// The lesser of the two; NaN in `self` stays. The limit is a number.
    unsafe fn at_most(self, limit: Self) -> Self;
    /// `2^self` for integers −126..=127; 0 for −127.
    unsafe fn exp2_of_integer(self) -> Self;
    unsafe fn less_than(self, other: Self) -> Self::Mask;
    unsafe fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;
    /// Lanes in pairs trade places; one lane stays.
    unsafe fn swap_pairs(self) -> Self;
    /// The sum over the lanes, in an order of the engine's own.
    unsafe fn sum(self) -> f32;
    /// The greatest lane. NaN is undefined here.
    unsafe fn greatest(self) -> f32;

    /// Reads `count` < `COUNT` values; the other lanes are 0.
    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> Self {
        let mut lanes = [0.0; 16];
        // SAFETY: `from` is good for `count` values, `lanes` for 16.
        unsafe {
            std::ptr::copy_nonoverlapping(from, lanes.as_mut_ptr(), count);
            Self::load(lanes.as_ptr())
        }
    }
    /// Writes the first `count` < `COUNT` lanes.
    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, count: usize) {
        let mut lanes = [0.0; 16];
        // SAFETY: `to` is good for `count` values, `lanes` for 16.
        unsafe {
            self.store(lanes.as_mut_ptr());
            std::ptr::copy_nonoverlapping(lanes.as_ptr(), to, count);
        }
    }
    /// Reads `count` < `COUNT` halves; the other lanes are 0.
    #[inline(always)]
    unsafe fn load_first_f16(from: *const f16, count: usize) -> Self {
        let mut lanes = [f16::ZERO; 16];
        // SAFETY: `from` is good for `count` values, `lanes` for 16.
        unsafe {
            std::ptr::copy_nonoverlapping(from, lanes.as_mut_ptr(), count);
            Self::load_f16(lanes.as_ptr())
        }
    }
    /// Writes the first `count` < `COUNT` lanes as halves.
    #[inline(always)]
    unsafe fn store_first_f16(self, to: *mut f16, count: usize) {
        let mut lanes = [f16::ZERO; 16];
        // SAFETY: `to` is good for `count` values, `lanes` for 16.
        unsafe {
            self.store_f16(lanes.as_mut_ptr());
            std::ptr::copy_nonoverlapping(lanes.as_ptr(), to, count);
        }
    }
    /// Writes the first `count` < `COUNT` lanes as bytes.
    #[inline(always)]
    unsafe fn store_first_i8(self, to: *mut i8, count: usize) {
        let mut lanes = [0; 16];
        // SAFETY: `to` is good for `count` values, `lanes` for 16.
        unsafe {
            self.store_i8(lanes.as_mut_ptr());
            std::ptr::copy_nonoverlapping(lanes.as_ptr(), to, count);
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(target_arch = "aarch64")]
pub use neon::Neon;
#[cfg(target_arch = "x86_64")]
pub use x86::{Avx2, Avx512};
