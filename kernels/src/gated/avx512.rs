use super::{Gated, Quantized, lanes};
use crate::elements::{Input, Output};
use crate::lanes::Avx512;

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub unsafe fn run(gated: Gated, value: Input, gate: Input, output: Output) {
    // SAFETY: the features are enabled here, the rest is the caller's.
    unsafe { lanes::run::<Avx512>(gated, value, gate, output) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub unsafe fn run_dynamic(gated: Gated, value: Input, gate: Input, rows: Quantized) {
    // SAFETY: the features are enabled here, the rest is the caller's.
    unsafe { lanes::run_dynamic::<Avx512>(gated, value, gate, rows) }
}
