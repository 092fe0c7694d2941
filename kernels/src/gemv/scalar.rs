//! The plain rows: the plain multiply of `gemm` has tiles of one row already.

use super::GemvRow;
use crate::gemm::GemmRow;
use crate::gemm::scalar as plain;
use crate::kernel::Identity;
use half::f16;

pub(super) const GEMV_I8: GemvRow<i8> = GemvRow(GemmRow {
    identity: Identity {
        name: "gemv_i8_scalar",
        operation: "gemv",
        tile: "",
        ..plain::GEMM_I8.identity
    },
    ..plain::GEMM_I8
});

pub(super) const GEMV_F16: GemvRow<f16> = GemvRow(GemmRow {
    identity: Identity {
        name: "gemv_f16_scalar",
        operation: "gemv",
        tile: "",
        ..plain::GEMM_F16.identity
    },
    ..plain::GEMM_F16
});

pub(super) const GEMV_F32: GemvRow<f32> = GemvRow(GemmRow {
    identity: Identity {
        name: "gemv_f32_scalar",
        operation: "gemv",
        tile: "",
        ..plain::GEMM_F32.identity
    },
    ..plain::GEMM_F32
});
