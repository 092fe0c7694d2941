use super::{Coefficients, lanes};
use crate::elements::{Input, Output};
use crate::lanes::Avx512;

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub unsafe fn sums(pivot: Input, rows: Input, sums: &mut [f32]) {
    // SAFETY: the features are enabled here, the rest is the caller's.
    unsafe { lanes::sums::<Avx512>(pivot, rows, sums) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub unsafe fn apply(coefficients: Coefficients, rows: Input, output: Output) {
    // SAFETY: the features are enabled here, the rest is the caller's.
    unsafe { lanes::apply::<Avx512>(coefficients, rows, output) }
}
