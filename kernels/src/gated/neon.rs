use super::{Gated, Quantized, lanes};
use crate::elements::{Input, Output};
use crate::lanes::Neon;

#[target_feature(enable = "neon")]
pub unsafe fn run(gated: Gated, value: Input, gate: Input, output: Output) {
    // SAFETY: the features are enabled here, the rest is the caller's.
    unsafe { lanes::run::<Neon>(gated, value, gate, output) }
}

#[target_feature(enable = "neon")]
pub unsafe fn run_dynamic(gated: Gated, value: Input, gate: Input, rows: Quantized) {
    // SAFETY: the features are enabled here, the rest is the caller's.
    unsafe { lanes::run_dynamic::<Neon>(gated, value, gate, rows) }
}
