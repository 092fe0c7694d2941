//! AVX-512 with few columns: sixteen, eight, or one whose lanes run along k. Rows are multiplied where they stand.

use super::direct::{Strip, columns, dots, multiply_register};
use super::few_avx2::{self, multiply_one};
use super::x86::{Floats, interleave};
use super::{Finish, GemmRow, avx512};
use crate::features::{Isa, Schedule};
use crate::kernel::Identity;
use crate::lanes::{Avx2, Avx512, Lanes};
use crate::layouts;

const MR: usize = 12;

const fn identity(name: &'static str, tile: &'static str) -> Identity {
    Identity {
        name,
        operation: "gemm",
        element: "f32",
        tile,
        needs: &[Isa::Avx512],
        schedule: Schedule::OutOfOrder,
    }
}

pub(super) const GEMM_F32_SIXTEEN: GemmRow<f32> = GemmRow {
    identity: identity("gemm_f32_12x16x1_avx512", "12x16x1"),
    layout: layouts::SIXTEEN,
    mr: MR,
    widening: 1,
    steps: 1024,
    multiply: multiply_sixteen,
    fused: None,
    direct: Some((direct_sixteen, usize::MAX)),
    packing: pack,
    finish: avx512::finish_f32,
};

pub(super) const GEMM_F32_EIGHT: GemmRow<f32> = GemmRow {
    identity: identity("gemm_f32_12x8x1_avx512", "12x8x1"),
    layout: layouts::EIGHT,
    multiply: multiply_eight,
    direct: Some((direct_eight, usize::MAX)),
    ..GEMM_F32_SIXTEEN
};

pub(super) const GEMM_F32_ONE: GemmRow<f32> = GemmRow {
    identity: identity("gemm_f32_8x1x16_avx512", "8x1x16"),
    layout: layouts::PLAIN,
    mr: few_avx2::MR,
    multiply: multiply_one,
    direct: Some((direct_one, usize::MAX)),
    packing: few_avx2::pack,
    ..GEMM_F32_SIXTEEN
};

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn direct_sixteen(strip: &Strip<f32>, b: *const f32, sums: *mut f32, tile: &Finish<f32>) {
    // SAFETY: passed on to the caller.
    unsafe { columns::<Avx512, MR, 1>(strip, b, sums, tile) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn direct_eight(strip: &Strip<f32>, b: *const f32, sums: *mut f32, tile: &Finish<f32>) {
    // SAFETY: passed on to the caller.
    unsafe { columns::<Avx2, MR, 1>(strip, b, sums, tile) }
}

/// Segments that are no whole number of registers are multiplied in narrower ones.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn direct_one(strip: &Strip<f32>, b: *const f32, sums: *mut f32, tile: &Finish<f32>) {
    // SAFETY: passed on to the caller.
    unsafe {
        if strip.depth().is_multiple_of(Avx512::COUNT) {
            dots::<Avx512, { few_avx2::MR }>(strip, b, sums, tile);
        } else {
            few_avx2::direct_one(strip, b, sums, tile);
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn multiply_sixteen(
    steps: usize,
    a: *const f32,
    b: *const f32,
    sums: *mut f32,
    first: bool,
) {
    // SAFETY: passed on to the caller.
    unsafe { multiply_register::<Avx512, MR>(steps, a, b, sums, first) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn multiply_eight(steps: usize, a: *const f32, b: *const f32, sums: *mut f32, first: bool) {
    // SAFETY: passed on to the caller.
    unsafe { multiply_register::<Avx2, MR>(steps, a, b, sums, first) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn pack(rows: *const *const f32, depth: usize, to: *mut f32) {
    // SAFETY: passed on to the caller.
    unsafe { interleave::<_, MR>(&Floats, rows, depth, to.cast()) }
}
