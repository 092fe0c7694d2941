//! Linear layers of one row, as `gemm.rs` has them for many.

use super::{Case, Shape, f16s, f32s, i8s, zeros};
use kernels::features::Features;
use kernels::gemm::{
    Element, Epilogue, GemmRow, I8Rows, Output, Precision, Product, Rows, Weights, column_sums,
    pack_weights,
};
use kernels::gemv::GemvRow;
use kernels::kernel::{Kernel, Row};

pub fn cases(shape: &Shape, features: Features) -> Vec<Case> {
    if shape.operation != "linear" || shape.size("m") != 1 {
        return Vec::new();
    }
    let mut cases = Vec::new();
    if shape.wants("i8") {
        cases.extend(rows(shape, features, i8_case));
    }
    if shape.wants("f16") {
        cases.extend(rows(shape, features, |shape, kernel, picked| {
            same_type(
                shape,
                kernel,
                picked,
                f16s,
                |kernel: Kernel<GemvRow<_>>, a, n, product, scratch| {
                    kernel.run(a, 0..n, product, scratch);
                },
            )
        }));
    }
    if shape.wants("f32") {
        cases.extend(rows(shape, features, |shape, kernel, picked| {
            same_type(
                shape,
                kernel,
                picked,
                f32s,
                |kernel: Kernel<GemvRow<_>>, a, n, product, scratch| {
                    kernel.run(a, 0..n, product, scratch);
                },
            )
        }));
    }
    cases
}

fn rows<E: Element>(
    shape: &Shape,
    features: Features,
    case: fn(&Shape, Kernel<GemvRow<E>>, bool) -> Case,
) -> Vec<Case>
where
    GemvRow<E>: Row,
{
    let pick = Kernel::<GemvRow<E>>::first(features).identity().name;
    Kernel::<GemvRow<E>>::supported(features)
        .map(|kernel| case(shape, kernel, kernel.identity().name == pick))
        .collect()
}

fn i8_case(shape: &Shape, kernel: Kernel<GemvRow<i8>>, picked: bool) -> Case {
    let [k, n] = ["k", "n"].map(|name| shape.size(name));
    Case::new(shape, kernel.identity().name, picked, move || {
        let layout = kernel.layout();
        let (input, values, scales) = (f32s(1, k), i8s(2, k * n), f32s(3, n));
        let mut panels = zeros(layout.packed_length(1, k, n));
        pack_weights(layout, 1, k, n, |_, row, column| values[row * n + column], &mut panels);
        let mut sums = zeros(n.next_multiple_of(layout.nr));
        column_sums(layout, 1, k, n, &panels, &mut sums);
        let mut output = zeros::<f32>(n);
        let mut scratch =
            zeros(kernel.scratch_bytes(&Weights::new(&panels, &sums, layout, 1, k, n)));
        move || {
            let weights = Weights::new(&panels, &sums, layout, 1, k, n);
            let epilogue = Epilogue { scales: Some(&scales), ..Epilogue::default() };
            let output = Output::F32 { values: &mut output, stride: n };
            let product = Product { rows: 1, weights: &weights, epilogue, output };
            let row = I8Rows::F32(Rows { values: &input, stride: k }, Precision::Row);
            kernel.run(row, 0..n, product, &mut scratch);
        }
    })
}

fn same_type<E: Element>(
    shape: &Shape,
    kernel: Kernel<GemvRow<E>>,
    picked: bool,
    values: fn(u64, usize) -> super::Aligned<E>,
    run: impl Fn(Kernel<GemvRow<E>>, Rows<E>, usize, Product<E>, &mut [u8]) + 'static,
) -> Case
where
    GemvRow<E>: Row,
    GemmRow<E>: Row,
{
    let [k, n] = ["k", "n"].map(|name| shape.size(name));
    Case::new(shape, kernel.identity().name, picked, move || {
        let layout = kernel.layout();
        let (input, unpacked) = (values(1, k), values(2, k * n));
        let mut panels = zeros(layout.packed_length(1, k, n));
        pack_weights(layout, 1, k, n, |_, row, column| unpacked[row * n + column], &mut panels);
        let (bias, mut output) = (f32s(4, n), zeros::<f32>(n));
        let mut scratch = zeros(kernel.scratch_bytes(&Weights::new(&panels, &[], layout, 1, k, n)));
        move || {
            let weights = Weights::new(&panels, &[], layout, 1, k, n);
            let epilogue = Epilogue { bias: Some(&bias), ..Epilogue::default() };
            let output = Output::F32 { values: &mut output, stride: n };
            let product = Product { rows: 1, weights: &weights, epilogue, output };
            run(kernel, Rows { values: &input, stride: k }, n, product, &mut scratch);
        }
    })
}
