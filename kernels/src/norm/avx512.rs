use super::{RowNorm, lanes};
use crate::elements::{Input, Output};
use crate::lanes::Avx512;

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub unsafe fn run<const CENTRED: bool>(norm: RowNorm, input: Input, output: Output) {
    // SAFETY: the features are enabled here, the rest is the caller's.
    unsafe { lanes::run::<Avx512, CENTRED>(norm, input, output) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub unsafe fn run_dynamic<const CENTRED: bool>(
    norm: RowNorm,
    input: Input,
    output: &mut [i8],
    steps: &mut [f32],
) {
    // SAFETY: the features are enabled here, the rest is the caller's.
    unsafe { lanes::run_dynamic::<Avx512, CENTRED>(norm, input, output, steps) }
}
