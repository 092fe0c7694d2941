//! The specification.

use super::Pointers;
use crate::math::Activation;
use half::f16;

pub unsafe fn run(activation: Activation, pointers: Pointers) {
    // SAFETY: the caller's.
    unsafe { each(pointers, |_, x| activation.of(x)) }
}

pub unsafe fn prelu(slopes: &[f32], pointers: Pointers) {
    let of = |at: usize, x: f32| if x < 0.0 { x * slopes[at % slopes.len()] } else { x };
    // SAFETY: the caller's.
    unsafe { each(pointers, of) }
}

unsafe fn each(pointers: Pointers, of: impl Fn(usize, f32) -> f32) {
    // SAFETY: both pointers are good for so many values.
    unsafe {
        match pointers {
            Pointers::F32(x, y, count) => {
                (0..count).for_each(|at| y.add(at).write(of(at, x.add(at).read())));
            }
            Pointers::F16(x, y, count) => (0..count).for_each(|at| {
                y.add(at).write(f16::from_f32(of(at, x.add(at).read().to_f32())));
            }),
        }
    }
}
