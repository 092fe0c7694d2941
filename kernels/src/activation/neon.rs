use super::{Pointers, lanes};
use crate::lanes::Neon;
use crate::math::Activation;

#[target_feature(enable = "neon")]
pub unsafe fn run(activation: Activation, pointers: Pointers) {
    // SAFETY: the features are enabled here, the rest is the caller's.
    unsafe { lanes::run::<Neon>(activation, pointers) }
}

#[target_feature(enable = "neon")]
pub unsafe fn prelu(slopes: &[f32], pointers: Pointers) {
    // SAFETY: the features are enabled here, the rest is the caller's.
    unsafe { lanes::prelu::<Neon>(slopes, pointers) }
}
