//! Linear layers with int4 weights in groups, from floats quantized by row to floats.

use super::{Case, Shape, f16s, f32s, i8s, zeros};
use half::f16;
use kernels::features::Features;
use kernels::gemm::{Epilogue, I8Rows, Output, Precision, Rows};
use kernels::gemm_i4::{
    GROUP, GemmI4Row, I4Product, I4Weights, Scales, pack_nibbles, pack_scales, terms,
};
use kernels::kernel::Kernel;

pub fn cases(shape: &Shape, features: Features) -> Vec<Case> {
    if shape.operation != "linear" || !shape.wants("i4") {
        return Vec::new();
    }
    let pick = Kernel::<GemmI4Row>::first(features).identity().name;
    Kernel::<GemmI4Row>::supported(features)
        .map(|kernel| case(shape, kernel, kernel.identity().name == pick))
        .collect()
}

fn case(shape: &Shape, kernel: Kernel<GemmI4Row>, picked: bool) -> Case {
    let [m, k, n] = ["m", "k", "n"].map(|name| shape.size(name));
    Case::new(shape, kernel.identity().name, picked, move || {
        let layout = kernel.layout();
        let (columns, groups) = (n.next_multiple_of(layout.nr), k.div_ceil(GROUP));
        let (input, values, unpacked) = (f32s(1, m * k), i8s(2, k * n), f16s(3, groups * n));
        let mut nibbles = zeros::<u8>(columns * groups * 16);
        let mut scales = zeros::<f16>(columns * groups);
        let mut column_terms = zeros::<f32>(columns);
        pack_nibbles(layout, k, n, |row, column| values[row * n + column] >> 4, &mut nibbles);
        let scale = |group: usize, column: usize| unpacked[group * n + column];
        pack_scales(layout, k, n, scale, f16::ZERO, &mut scales);
        terms(layout, k, &nibbles, Scales::F16(&scales), &mut column_terms);
        let mut output = zeros::<f32>(m * n);
        let weights = I4Weights::new(&nibbles, Scales::F16(&scales), &column_terms, layout, k, n);
        let mut scratch = zeros(kernel.scratch_bytes(m, &weights));
        move || {
            let scales = Scales::F16(&scales);
            let weights = I4Weights::new(&nibbles, scales, &column_terms, layout, k, n);
            let epilogue = Epilogue::default();
            let output = Output::F32 { values: &mut output, stride: n };
            let product = I4Product { rows: m, weights: &weights, epilogue, output };
            let rows = I8Rows::F32(Rows { values: &input, stride: k }, Precision::Row);
            kernel.run(rows, 0..n, product, &mut scratch);
        }
    })
}
