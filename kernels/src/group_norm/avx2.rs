use super::{Coefficients, lanes};
use crate::elements::{Input, Output};
use crate::lanes::Avx2;

#[target_feature(enable = "avx2,fma,f16c")]
pub unsafe fn sums(pivot: Input, rows: Input, sums: &mut [f32]) {
    // SAFETY: the features are enabled here, the rest is the caller's.
    unsafe { lanes::sums::<Avx2>(pivot, rows, sums) }
}

#[target_feature(enable = "avx2,fma,f16c")]
pub unsafe fn apply(coefficients: Coefficients, rows: Input, output: Output) {
    // SAFETY: the features are enabled here, the rest is the caller's.
    unsafe { lanes::apply::<Avx2>(coefficients, rows, output) }
}
