use super::{Pointers, lanes};
use crate::lanes::Avx2;
use crate::math::Activation;

#[target_feature(enable = "avx2,fma,f16c")]
pub unsafe fn run(activation: Activation, pointers: Pointers) {
    // SAFETY: the features are enabled here, the rest is the caller's.
    unsafe { lanes::run::<Avx2>(activation, pointers) }
}

#[target_feature(enable = "avx2,fma,f16c")]
pub unsafe fn prelu(slopes: &[f32], pointers: Pointers) {
    // SAFETY: the features are enabled here, the rest is the caller's.
    unsafe { lanes::prelu::<Avx2>(slopes, pointers) }
}
