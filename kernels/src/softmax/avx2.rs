use super::{Softmax, lanes};
use crate::elements::{Input, Output};
use crate::lanes::Avx2;

#[target_feature(enable = "avx2,fma,f16c")]
pub unsafe fn run(softmax: Softmax, input: Input, output: Output) {
    // SAFETY: the features are enabled here, the rest is the caller's.
    unsafe { lanes::run::<Avx2>(softmax, input, output) }
}
