//! Inputs and outputs of either float type, or int8, between guards.
#![allow(dead_code, reason = "every test program uses its part")]

use crate::harness::Guarded;
use half::f16;
use kernels::elements::{Input, Output, Quantization};
use std::fmt::Display;

/// Values as f32 or f16, at an odd address.
pub struct Given {
    singles: Vec<f32>,
    halves: Vec<f16>,
    is_f16: bool,
}

impl Given {
    pub fn new(values: &[f32], is_f16: bool) -> Self {
        let mut singles = vec![f32::NAN];
        let mut halves = vec![f16::NAN];
        if is_f16 {
            halves.extend(values.iter().map(|&value| f16::from_f32(value)));
        } else {
            singles.extend(values);
        }
        Self { singles, halves, is_f16 }
    }
    pub fn input(&self) -> Input<'_> {
        if self.is_f16 { Input::F16(&self.halves[1..]) } else { Input::F32(&self.singles[1..]) }
    }
    pub fn values(&self) -> Vec<f32> {
        let input = self.input();
        (0..input.len()).map(|at| input.at(at)).collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    F32,
    F16,
    I8(Quantization),
}

pub const STEPS: Quantization = Quantization { scale: 0.04, zero_point: -11 };
pub const KINDS: [Kind; 3] = [Kind::F32, Kind::F16, Kind::I8(STEPS)];

/// Poisoned results.
pub struct Results {
    kind: Kind,
    singles: Guarded<f32>,
    halves: Guarded<f16>,
    bytes: Guarded<i8>,
}

impl Results {
    pub fn new(kind: Kind, count: usize) -> Self {
        let of = |own: bool| if own { count } else { 0 };
        Self {
            kind,
            singles: Guarded::new(of(kind == Kind::F32), -77777.0, 1),
            halves: Guarded::new(of(kind == Kind::F16), f16::from_f32(-7777.0), 1),
            bytes: Guarded::new(of(matches!(kind, Kind::I8(_))), 77, 1),
        }
    }
    pub fn output(&mut self) -> Output<'_> {
        match self.kind {
            Kind::F32 => Output::F32(self.singles.slice()),
            Kind::F16 => Output::F16(self.halves.slice()),
            Kind::I8(steps) => Output::I8(self.bytes.slice(), steps),
        }
    }
    pub fn values(&self) -> Vec<f32> {
        match self.kind {
            Kind::F32 => self.singles.values().to_vec(),
            Kind::F16 => self.halves.values().iter().map(|value| value.to_f32()).collect(),
            Kind::I8(_) => self.bytes.values().iter().map(|&value| f32::from(value)).collect(),
        }
    }
    pub fn check(&self, case: impl Display) {
        self.singles.check(&case);
        self.halves.check(&case);
        self.bytes.check(&case);
    }
}

/// How far an int8 may be from the plain one where the value may be so far: one step, or as many as the value's.
pub fn in_kind(bound: f32, kind: Kind) -> f32 {
    match kind {
        Kind::I8(steps) => (bound / steps.scale).ceil().max(1.0),
        _ => bound,
    }
}

/// Panics at the first value that is not the expected one; NaN is NaN.
pub fn assert_equal(got: &[f32], expected: &[f32], case: impl Display) {
    crate::harness::assert_near(got, expected, |_| 0.0, case);
}
