//! AVX2 with few columns: eight, or one whose lanes run along k. Rows are multiplied where they stand.

use super::direct::{Strip, columns, dots, multiply_column, multiply_register};
use super::x86::{Floats, interleave};
use super::{Finish, GemmRow, avx2};
use crate::features::{Isa, Schedule};
use crate::kernel::Identity;
use crate::lanes::Avx2;
use crate::layouts;

pub(super) const MR: usize = 8;

const fn identity(name: &'static str, tile: &'static str) -> Identity {
    Identity {
        name,
        operation: "gemm",
        element: "f32",
        tile,
        needs: &[Isa::Avx2],
        schedule: Schedule::OutOfOrder,
    }
}

pub(super) const GEMM_F32_EIGHT: GemmRow<f32> = GemmRow {
    identity: identity("gemm_f32_8x8x1_avx2", "8x8x1"),
    layout: layouts::EIGHT,
    mr: MR,
    widening: 1,
    steps: 1024,
    multiply: multiply_eight,
    fused: None,
    direct: Some((direct_eight, usize::MAX)),
    packing: pack,
    finish: avx2::finish_f32,
};

pub(super) const GEMM_F32_ONE: GemmRow<f32> = GemmRow {
    identity: identity("gemm_f32_8x1x8_avx2", "8x1x8"),
    layout: layouts::PLAIN,
    multiply: multiply_one,
    direct: Some((direct_one, usize::MAX)),
    ..GEMM_F32_EIGHT
};

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn direct_eight(strip: &Strip<f32>, b: *const f32, sums: *mut f32, tile: &Finish<f32>) {
    // SAFETY: passed on to the caller.
    unsafe { columns::<Avx2, MR, 1>(strip, b, sums, tile) }
}

#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn direct_one(
    strip: &Strip<f32>,
    b: *const f32,
    sums: *mut f32,
    tile: &Finish<f32>,
) {
    // SAFETY: passed on to the caller.
    unsafe { dots::<Avx2, MR>(strip, b, sums, tile) }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn multiply_eight(steps: usize, a: *const f32, b: *const f32, sums: *mut f32, first: bool) {
    // SAFETY: passed on to the caller.
    unsafe { multiply_register::<Avx2, MR>(steps, a, b, sums, first) }
}

#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn multiply_one(
    steps: usize,
    a: *const f32,
    b: *const f32,
    sums: *mut f32,
    first: bool,
) {
    // SAFETY: passed on to the caller.
    unsafe { multiply_column::<Avx2, 1>(steps, a, b, sums, first) }
}

#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn pack(rows: *const *const f32, depth: usize, to: *mut f32) {
    // SAFETY: passed on to the caller.
    unsafe { interleave::<_, MR>(&Floats, rows, depth, to.cast()) }
}
