use super::{Softmax, lanes};
use crate::elements::{Input, Output};
use crate::lanes::Avx512;

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub unsafe fn run(softmax: Softmax, input: Input, output: Output) {
    // SAFETY: the features are enabled here, the rest is the caller's.
    unsafe { lanes::run::<Avx512>(softmax, input, output) }
}
