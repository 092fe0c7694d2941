//! The specification: one value of C at a time.

use super::{GROUP, GemmI4Row};
use crate::features::Schedule;
use crate::gemm::I8Packing;
use crate::gemm::{epilogue, scalar};
use crate::gemv::row::widened;
use crate::gemv::row::{bytes, quantized};
use crate::kernel::Identity;
use crate::layouts;
use half::f16;

pub(super) const GEMM_I4: GemmI4Row = GemmI4Row {
    identity: Identity {
        name: "gemm_i4_i8_1x1x1_scalar",
        operation: "gemm_i4",
        element: "i8",
        tile: "1x1x1",
        needs: &[],
        schedule: Schedule::OutOfOrder,
    },
    layout: layouts::PLAIN,
    mr: 1,
    multiply,
    multiply_one: multiply,
    packing: I8Packing {
        from_i8: bytes::<GROUP, false>,
        from_f16: quantized::<f16, f32, GROUP, false>,
        from_f32: quantized::<f32, f32, GROUP, false>,
        ..scalar::GEMM_I8.packing
    },
    widen: widened::<f32>,
    finish: epilogue::finish::<f32, f32>,
};

unsafe fn multiply(
    groups: usize,
    a: *const i8,
    starts: *const i32,
    b: *const u8,
    scales: *const f32,
    sum: *mut f32,
) {
    for group in 0..groups {
        // SAFETY: a group has 32 values of A in 32 bytes and of B in 16.
        unsafe {
            let mut inner = *starts.add(group);
            for k in 0..16 {
                let byte = *b.add(group * 16 + k);
                inner += i32::from(*a.add(group * GROUP + k)) * i32::from(byte & 15);
                inner += i32::from(*a.add(group * GROUP + 16 + k)) * i32::from(byte >> 4);
            }
            *sum = (inner as f32).mul_add(*scales.add(group), *sum);
        }
    }
}
