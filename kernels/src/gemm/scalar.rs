//! The specification: plain loops over unpacked operands ([`finish_plainly`]), and the plain rows of the tables.

use super::{Epilogue, GemmRow, I8Packing, Output, Residual, epilogue};
use crate::features::Schedule;
use crate::kernel::Identity;
use crate::layouts;
use half::f16;

const fn identity(name: &'static str, element: &'static str) -> Identity {
    Identity {
        name,
        operation: "gemm",
        element,
        tile: "1x1x1",
        needs: &[],
        schedule: Schedule::OutOfOrder,
    }
}

pub(crate) const GEMM_I8: GemmRow<i8> = GemmRow {
    identity: identity("gemm_i8_1x1x1_scalar", "i8"),
    layout: layouts::PLAIN,
    mr: 1,
    widening: 1,
    steps: usize::MAX,
    multiply: multiply_i8,
    fused: None,
    direct: None,
    packing: I8Packing {
        from_i8: pack,
        from_f16: quantize_f16,
        from_f32: quantize_f32,
        greatest_f16,
        greatest_f32,
        offset: 0,
    },
    finish: epilogue::finish::<i32, f32>,
};

pub(crate) const GEMM_F16: GemmRow<f16> = GemmRow {
    identity: identity("gemm_f16_1x1x1_scalar", "f16"),
    layout: layouts::PLAIN,
    mr: 1,
    widening: 1,
    steps: usize::MAX,
    multiply: multiply_f16,
    fused: None,
    direct: None,
    packing: pack,
    finish: epilogue::finish::<f32, f32>,
};

pub(crate) const GEMM_F32: GemmRow<f32> = GemmRow {
    identity: identity("gemm_f32_1x1x1_scalar", "f32"),
    layout: layouts::PLAIN,
    mr: 1,
    widening: 1,
    steps: usize::MAX,
    multiply: multiply_f32,
    fused: None,
    direct: None,
    packing: pack,
    finish: epilogue::finish::<f32, f32>,
};

unsafe fn multiply_i8(steps: usize, a: *const i8, b: *const i8, sum: *mut i32, first: bool) {
    // SAFETY: the caller's pointers are good for `steps` values.
    unsafe {
        let products = (0..steps).map(|k| i32::from(*a.add(k)) * i32::from(*b.add(k))).sum::<i32>();
        *sum = if first { products } else { *sum + products };
    }
}

unsafe fn multiply_f16(steps: usize, a: *const f16, b: *const f16, sum: *mut f32, first: bool) {
    // SAFETY: the caller's pointers are good for `steps` values.
    unsafe {
        let products = (0..steps).map(|k| (*a.add(k)).to_f32() * (*b.add(k)).to_f32()).sum::<f32>();
        *sum = if first { products } else { *sum + products };
    }
}

unsafe fn multiply_f32(steps: usize, a: *const f32, b: *const f32, sum: *mut f32, first: bool) {
    // SAFETY: the caller's pointers are good for `steps` values.
    unsafe {
        let products = (0..steps).map(|k| *a.add(k) * *b.add(k)).sum::<f32>();
        *sum = if first { products } else { *sum + products };
    }
}

unsafe fn pack<T: Copy>(rows: *const *const T, depth: usize, to: *mut T) {
    // SAFETY: there is one row, good for `depth` values, and `to` takes them.
    unsafe { std::ptr::copy_nonoverlapping(*rows, to, depth) };
}

unsafe fn quantize_f16(
    rows: *const *const f16,
    depth: usize,
    inverses: *const f32,
    zero_point: i32,
    to: *mut i8,
) {
    for k in 0..depth {
        // SAFETY: there is one row, good for `depth` values, and `to` takes them.
        unsafe { *to.add(k) = quantize((*(*rows).add(k)).to_f32(), *inverses, zero_point) };
    }
}

unsafe fn quantize_f32(
    rows: *const *const f32,
    depth: usize,
    inverses: *const f32,
    zero_point: i32,
    to: *mut i8,
) {
    for k in 0..depth {
        // SAFETY: there is one row, good for `depth` values, and `to` takes them.
        unsafe { *to.add(k) = quantize(*(*rows).add(k), *inverses, zero_point) };
    }
}

unsafe fn greatest_f16(row: *const f16, length: usize) -> f32 {
    // SAFETY: the caller's row is good for `length` values.
    (0..length).map(|k| unsafe { *row.add(k) }.to_f32().abs()).fold(0.0, f32::max)
}

unsafe fn greatest_f32(row: *const f32, length: usize) -> f32 {
    // SAFETY: the caller's row is good for `length` values.
    (0..length).map(|k| unsafe { *row.add(k) }.abs()).fold(0.0, f32::max)
}

/// `clamp(round(value · inverse_scale) + zero_point)`; NaN gives 0.
pub fn quantize(value: f32, inverse_scale: f32, zero_point: i32) -> i8 {
    ((value * inverse_scale).round_ties_even() + zero_point as f32) as i8
}

/// The whole operation from exact sums: `sum(m, n)` is `Σk (A[m, k] − z) · B[k, n]`, an i32 or f32 as f32. Writes `m` rows.
pub fn finish_plainly(
    [m, n]: [usize; 2],
    sum: impl Fn(usize, usize) -> f32,
    row_scale: impl Fn(usize) -> f32,
    epilogue: &Epilogue,
    output: &mut Output,
) {
    for row in 0..m {
        for column in 0..n {
            let scaled = sum(row, column) * row_scale(row);
            let bias = epilogue.bias.map_or(0.0, |bias| bias[column]);
            let value = match epilogue.scales {
                Some(scales) => scaled.mul_add(scales[column], bias),
                None => scaled + bias,
            };
            let residual = match epilogue.residual {
                None => 0.0,
                Some(Residual::F32 { values, stride }) => values[row * stride + column],
                Some(Residual::F16 { values, stride }) => values[row * stride + column].to_f32(),
                Some(Residual::I8 { values, stride, scale, zero_point }) => {
                    (f32::from(values[row * stride + column]) - zero_point as f32) * scale
                }
            };
            let value = if epilogue.residual.is_some() { value + residual } else { value };
            let value = epilogue.activation.of(value);
            match output {
                Output::F32 { values, stride } => values[row * *stride + column] = value,
                Output::F16 { values, stride } => {
                    values[row * *stride + column] = f16::from_f32(value)
                }
                Output::I8 { values, stride, scale, zero_point } => {
                    values[row * *stride + column] = quantize(value, 1.0 / *scale, *zero_point);
                }
            }
        }
    }
}
