//! What the tests of all operations share: seeded values, outputs between guards, comparisons that name the kernel.
#![allow(dead_code, reason = "every test program uses its part")]

use half::f16;
use kernels::features::Features;
use kernels::kernel::{Kernel, Row};
use std::fmt::{Debug, Display};

/// Seeded values; the same on every machine.
pub struct Values(fastrand::Rng);

impl Values {
    pub fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.0.u8(..)).collect()
    }
    /// −128..=127, each as likely as any other.
    pub fn i8(&mut self, count: usize) -> Vec<i8> {
        (0..count).map(|_| self.0.i8(..)).collect()
    }
    /// −1..1.
    pub fn f32(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.0.f32() * 2.0 - 1.0).collect()
    }
    /// −1..1.
    pub fn f16(&mut self, count: usize) -> Vec<f16> {
        (0..count).map(|_| f16::from_f32(self.0.f32() * 2.0 - 1.0)).collect()
    }
    pub fn below(&mut self, limit: usize) -> usize {
        self.0.usize(..limit)
    }
}

const GUARD: usize = 64;

/// A slice that starts at an odd element, filled with a poison value, between guards that must stay as they are.
pub struct Guarded<T> {
    all: Vec<T>,
    start: usize,
    length: usize,
    poison: T,
}

impl<T: Copy + PartialEq + Debug> Guarded<T> {
    /// `offset` moves the slice by that many elements: 1 makes it unaligned.
    pub fn new(length: usize, poison: T, offset: usize) -> Self {
        Self {
            all: vec![poison; length + 2 * GUARD + offset],
            start: GUARD + offset,
            length,
            poison,
        }
    }
    /// An input between guards, at an offset.
    pub fn holding(values: &[T], poison: T, offset: usize) -> Self {
        let mut guarded = Self::new(values.len(), poison, offset);
        guarded.slice().copy_from_slice(values);
        guarded
    }
    pub fn slice(&mut self) -> &mut [T] {
        &mut self.all[self.start..self.start + self.length]
    }
    pub fn values(&self) -> &[T] {
        &self.all[self.start..self.start + self.length]
    }
    /// Panics where a guard was written to; `case` names the kernel and the shape.
    pub fn check(&self, case: impl Display) {
        let end = self.start + self.length;
        for (index, value) in self.all.iter().enumerate() {
            // Compared by bytes' text, so that a NaN poison equals itself.
            let whole = format!("{value:?}") == format!("{:?}", self.poison);
            assert!(
                whole || (self.start..end).contains(&index),
                "{case}: wrote element {} of {}",
                index as isize - self.start as isize,
                self.length
            );
        }
    }
}

/// Runs `body` for every row that this CPU supports; the plain version runs last.
pub fn every_kernel<R: Row>(mut body: impl FnMut(Kernel<R>)) {
    for kernel in Kernel::<R>::supported(Features::detect()) {
        body(kernel);
    }
}

/// Panics at the first element that differs.
pub fn assert_same<T: PartialEq + Debug>(got: &[T], expected: &[T], case: impl Display) {
    assert_eq!(got.len(), expected.len(), "{case}: length");
    for (index, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert!(
            got == expected,
            "{case}: element {index} is {got:?}, the plain version gives {expected:?}"
        );
    }
}

/// Panics at the first element that is further than `bound(index)` from the expected one. NaN must meet NaN, infinity itself.
pub fn assert_near(
    got: &[f32],
    expected: &[f32],
    bound: impl Fn(usize) -> f32,
    case: impl Display,
) {
    assert_eq!(got.len(), expected.len(), "{case}: length");
    for (index, (&got, &expected)) in got.iter().zip(expected).enumerate() {
        let bound = bound(index);
        let near =
            got == expected || got.is_nan() && expected.is_nan() || (got - expected).abs() <= bound;
        assert!(
            near,
            "{case}: element {index} is {got}, the plain version gives {expected}, the bound is {bound}"
        );
    }
}

pub fn widened(values: &[f16]) -> Vec<f32> {
    values.iter().map(|value| value.to_f32()).collect()
}
