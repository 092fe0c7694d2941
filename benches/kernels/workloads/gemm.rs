//! Linear layers: a bias for each output channel; int8 ones with a scale for each channel, from halves to halves, or
//! from floats to floats where the CPU does not compute with halves.

use super::{Case, Shape, bell_i8s, f16s, f32s, zeros};
use half::f16;
use kernels::features::{Features, Isa};
use kernels::gemm::{
    Element, Epilogue, GemmRow, I8Rows, Layout, Output, Precision, Product, Quantization, Rows,
    Weights, column_sums, pack_weights,
};
use kernels::kernel::{Kernel, Row};

pub fn cases(shape: &Shape, features: Features) -> Vec<Case> {
    if shape.operation != "linear" {
        return Vec::new();
    }
    let mut cases = Vec::new();
    if shape.wants("i8") {
        cases.extend(rows(shape, features, i8_case));
    }
    if shape.wants("f16") {
        cases.extend(rows(shape, features, f16_case));
    }
    if shape.wants("f32") {
        cases.extend(rows(shape, features, f32_case));
    }
    cases
}

fn rows<E: Element>(
    shape: &Shape,
    features: Features,
    case: fn(&Shape, Kernel<GemmRow<E>>, bool) -> Case,
) -> Vec<Case>
where
    GemmRow<E>: Row,
{
    let pick = Kernel::<GemmRow<E>>::pick(features, shape.size("k")).identity().name;
    Kernel::<GemmRow<E>>::supported(features)
        .map(|kernel| case(shape, kernel, kernel.identity().name == pick))
        .collect()
}

fn i8_case(shape: &Shape, kernel: Kernel<GemmRow<i8>>, picked: bool) -> Case {
    let [m, k, n] = ["m", "k", "n"].map(|name| shape.size(name));
    let halves = Features::detect().has(&[Isa::NeonFp16]);
    Case::new(shape, kernel.identity().name, picked, move || {
        let layout = kernel.layout();
        let (input, input_halves, weights) = (f32s(1, m * k), f16s(1, m * k), bell_i8s(2, k * n));
        let panels = packed(layout, k, n, &weights);
        let mut sums = zeros(n.next_multiple_of(layout.nr));
        column_sums(layout, 1, k, n, &panels, &mut sums);
        let (scales, bias) = (f32s(3, n), f32s(4, n));
        let (mut output, mut output_halves) = (zeros::<f32>(m * n), zeros::<f16>(m * n));
        let mut scratch =
            zeros(kernel.scratch_bytes(m, &Weights::new(&panels, &sums, layout, 1, k, n)));
        move || {
            let weights = Weights::new(&panels, &sums, layout, 1, k, n);
            let epilogue =
                Epilogue { scales: Some(&scales), bias: Some(&bias), ..Epilogue::default() };
            let precision = Precision::Tensor(Quantization { scale: 0.008, zero_point: 0 });
            let (input, output) = if halves {
                let rows = Rows { values: &input_halves[..], stride: k };
                let output = Output::F16 { values: &mut output_halves, stride: n };
                (I8Rows::F16(rows, precision), output)
            } else {
                let rows = Rows { values: &input[..], stride: k };
                let output = Output::F32 { values: &mut output, stride: n };
                (I8Rows::F32(rows, precision), output)
            };
            let product = Product { rows: m, weights: &weights, epilogue, output };
            kernel.run(input, product, &mut scratch);
        }
    })
}

fn f16_case(shape: &Shape, kernel: Kernel<GemmRow<f16>>, picked: bool) -> Case {
    let [m, k, n] = ["m", "k", "n"].map(|name| shape.size(name));
    Case::new(shape, kernel.identity().name, picked, move || {
        let layout = kernel.layout();
        let (input, panels) = (f16s(1, m * k), packed(layout, k, n, &f16s(2, k * n)));
        let (bias, mut output) = (f32s(4, n), zeros::<f16>(m * n));
        let mut scratch =
            zeros(kernel.scratch_bytes(m, &Weights::new(&panels, &[], layout, 1, k, n)));
        move || {
            let weights = Weights::new(&panels, &[], layout, 1, k, n);
            let epilogue = Epilogue { bias: Some(&bias), ..Epilogue::default() };
            let output = Output::F16 { values: &mut output, stride: n };
            let product = Product { rows: m, weights: &weights, epilogue, output };
            kernel.run(Rows { values: &input, stride: k }, product, &mut scratch);
        }
    })
}

fn f32_case(shape: &Shape, kernel: Kernel<GemmRow<f32>>, picked: bool) -> Case {
    let [m, k, n] = ["m", "k", "n"].map(|name| shape.size(name));
    Case::new(shape, kernel.identity().name, picked, move || {
        let layout = kernel.layout();
        let (input, panels) = (f32s(1, m * k), packed(layout, k, n, &f32s(2, k * n)));
        let (bias, mut output) = (f32s(4, n), zeros::<f32>(m * n));
        let mut scratch =
            zeros(kernel.scratch_bytes(m, &Weights::new(&panels, &[], layout, 1, k, n)));
        move || {
            let weights = Weights::new(&panels, &[], layout, 1, k, n);
            let epilogue = Epilogue { bias: Some(&bias), ..Epilogue::default() };
            let output = Output::F32 { values: &mut output, stride: n };
            let product = Product { rows: m, weights: &weights, epilogue, output };
            kernel.run(Rows { values: &input, stride: k }, product, &mut scratch);
        }
    })
}

fn packed<E: Element>(layout: Layout, k: usize, n: usize, weights: &[E]) -> super::Aligned<E> {
    let mut panels = zeros(layout.packed_length(1, k, n));
    pack_weights(layout, 1, k, n, |_, row, column| weights[row * n + column], &mut panels);
    panels
}
