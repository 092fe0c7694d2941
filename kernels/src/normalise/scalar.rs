//! The specification: plain loops.

use super::{Normalisation, NormaliseRow, Value};
use crate::features::Schedule;
use crate::kernel::Identity;
use half::f16;

const fn identity(name: &'static str, element: &'static str) -> Identity {
    Identity {
        name,
        operation: "normalise",
        element,
        tile: "1",
        needs: &[],
        schedule: Schedule::OutOfOrder,
    }
}

pub(super) const F32: NormaliseRow<f32> =
    NormaliseRow { identity: identity("normalise_u8_f32_1_scalar", "u8_f32"), interleaved, planar };

pub(super) const F16: NormaliseRow<f16> =
    NormaliseRow { identity: identity("normalise_u8_f16_1_scalar", "u8_f16"), interleaved, planar };

pub(super) const I8: NormaliseRow<i8> =
    NormaliseRow { identity: identity("normalise_u8_i8_1_scalar", "u8_i8"), interleaved, planar };

fn value(source: u8, channel: usize, line: &Normalisation) -> f32 {
    f32::from(source).mul_add(line.factor[channel], line.term[channel])
}

impl Value for f32 {
    fn of(source: u8, channel: usize, line: &Normalisation) -> Self {
        value(source, channel, line)
    }
}

impl Value for f16 {
    fn of(source: u8, channel: usize, line: &Normalisation) -> Self {
        f16::from_f32(value(source, channel, line))
    }
}

impl Value for i8 {
    fn of(source: u8, channel: usize, line: &Normalisation) -> Self {
        (value(source, channel, line).round_ties_even() + line.zero_point as f32) as i8
    }
}

pub(super) fn interleaved<T: Value>(source: &[u8], line: &Normalisation, target: &mut [T]) {
    for (index, (&source, target)) in source.iter().zip(target).enumerate() {
        *target = T::of(source, index % 3, line);
    }
}

pub(super) fn planar<T: Value>(source: &[u8], line: &Normalisation, target: [&mut [T]; 3]) {
    for (index, &source) in source.iter().enumerate() {
        target[index % 3][index / 3] = T::of(source, index % 3, line);
    }
}
