use super::{Softmax, lanes};
use crate::elements::{Input, Output};
use crate::lanes::Neon;

#[target_feature(enable = "neon")]
pub unsafe fn run(softmax: Softmax, input: Input, output: Output) {
    // SAFETY: the features are enabled here, the rest is the caller's.
    unsafe { lanes::run::<Neon>(softmax, input, output) }
}
