//! NEON with one column, whose lanes run along k. Rows are multiplied where they stand.

use super::direct::{Strip, dots, multiply_column};
use super::neon::GEMM_F32;
use super::{Finish, GemmRow};
use crate::kernel::Identity;
use crate::lanes::Neon;
use crate::layouts;

pub(super) const GEMM_F32_ONE: GemmRow<f32> = GemmRow {
    identity: Identity { name: "gemm_f32_12x1x4_neon", tile: "12x1x4", ..GEMM_F32.identity },
    layout: layouts::PLAIN,
    multiply,
    fused: None,
    direct: Some((direct, usize::MAX)),
    ..GEMM_F32
};

#[target_feature(enable = "neon")]
unsafe fn direct(strip: &Strip<f32>, b: *const f32, sums: *mut f32, tile: &Finish<f32>) {
    // SAFETY: passed on to the caller.
    unsafe { dots::<Neon, 8>(strip, b, sums, tile) }
}

#[target_feature(enable = "neon")]
unsafe fn multiply(steps: usize, a: *const f32, b: *const f32, sums: *mut f32, first: bool) {
    // SAFETY: passed on to the caller; a panel has twelve rows.
    unsafe { multiply_column::<Neon, 3>(steps, a, b, sums, first) }
}
