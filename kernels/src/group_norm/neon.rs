use super::{Coefficients, lanes};
use crate::elements::{Input, Output};
use crate::lanes::Neon;

#[target_feature(enable = "neon")]
pub unsafe fn sums(pivot: Input, rows: Input, sums: &mut [f32]) {
    // SAFETY: the features are enabled here, the rest is the caller's.
    unsafe { lanes::sums::<Neon>(pivot, rows, sums) }
}

#[target_feature(enable = "neon")]
pub unsafe fn apply(coefficients: Coefficients, rows: Input, output: Output) {
    // SAFETY: the features are enabled here, the rest is the caller's.
    unsafe { lanes::apply::<Neon>(coefficients, rows, output) }
}
