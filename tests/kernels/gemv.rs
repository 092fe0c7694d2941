//! Every version of the multiply of one row against `gemm`'s plain version.

mod harness;

use half::f16;
use harness::{Guarded, Values, assert_near, assert_same, every_kernel};
use kernels::features::Features;
use kernels::gemm::{
    Element, Epilogue, F16_BLOCK, GemmRow, I8Rows, Layout, Output, Precision, Product,
    Quantization, Residual, Rows, Weights, column_sums, pack_weights,
};
use kernels::gemv::GemvRow;
use kernels::kernel::{Kernel, Row};
use kernels::layouts::Layouts;
use kernels::math::Activation;

const DEPTHS: [usize; 10] = [1, 3, 4, 7, 16, 17, 31, 64, 129, 1037];
const COLUMNS: [usize; 6] = [1, 7, 16, 33, 64, 70];

struct Packed<E> {
    panels: Vec<E>,
    sums: Vec<i32>,
    layout: Layout,
    size: [usize; 2],
}

impl<E: Element> Packed<E> {
    fn new(layout: Layout, size: [usize; 2], b: &[E]) -> Self {
        let [k, n] = size;
        let mut panels = vec![E::default(); layout.packed_length(1, k, n)];
        pack_weights(layout, 1, k, n, |_, row, column| b[row * n + column], &mut panels);
        Self { panels, sums: Vec::new(), layout, size }
    }
    fn weights(&self) -> Weights<'_, E> {
        let [k, n] = self.size;
        Weights::new(&self.panels, &self.sums, self.layout, 1, k, n)
    }
}

fn packed_i8(layout: Layout, size: [usize; 2], b: &[i8]) -> Packed<i8> {
    let mut packed = Packed::new(layout, size, b);
    let [k, n] = size;
    packed.sums = vec![0; n.next_multiple_of(layout.nr)];
    column_sums(layout, 1, k, n, &packed.panels, &mut packed.sums);
    packed
}

/// What `gemm`'s plain version makes of it.
fn plainly(a: I8Rows, size @ [_, n]: [usize; 2], b: &[i8], epilogue: Epilogue) -> Vec<f32> {
    let plain = Kernel::<GemmRow<i8>>::plain();
    let packed = packed_i8(plain.layout(), size, b);
    let weights = packed.weights();
    let mut expected = vec![f32::NAN; n];
    let output = Output::F32 { values: &mut expected, stride: n };
    let mut scratch = vec![0xa5; plain.scratch_bytes(1, &weights)];
    plain.run(a, Product { rows: 1, weights: &weights, epilogue, output }, &mut scratch);
    expected
}

#[test]
fn int8_rows_give_the_bits_of_the_plain_multiply() {
    every_kernel::<GemvRow<i8>>(|kernel| {
        for size @ [k, n] in DEPTHS.into_iter().flat_map(|k| COLUMNS.map(|n| [k, n])) {
            let mut values = Values::new((k * 100 + n) as u64);
            let (bytes, b) = (Guarded::holding(&values.i8(k), 99, 1), values.i8(k * n));
            let mut halves = values.f16(k);
            halves[k / 2] = f16::from_f32(-3.0);
            let floats = harness::widened(&halves);
            let (scales, bias, residual) = (values.f32(n), values.f32(n), values.f32(n));
            let epilogue = Epilogue {
                scales: Some(&scales),
                bias: Some(&bias),
                residual: Some(Residual::F32 { values: &residual, stride: n }),
                activation: Activation::Silu,
            };
            let packed = packed_i8(kernel.layout(), size, &b);
            let weights = packed.weights();
            let tensor = Quantization { scale: 0.01, zero_point: -7 };
            for a in [
                I8Rows::I8(Rows { values: bytes.values(), stride: k }, tensor),
                I8Rows::I8PerRow(Rows { values: bytes.values(), stride: k }, &[0.03]),
                I8Rows::F16(Rows { values: &halves, stride: k }, Precision::Tensor(tensor)),
                I8Rows::F16(Rows { values: &halves, stride: k }, Precision::Row),
                I8Rows::F32(Rows { values: &floats, stride: k }, Precision::Tensor(tensor)),
                I8Rows::F32(Rows { values: &floats, stride: k }, Precision::Row),
            ] {
                let mut got = Guarded::new(n, f32::NAN, 1);
                let output = Output::F32 { values: got.slice(), stride: n };
                let mut scratch = vec![0xa5; kernel.scratch_bytes(&weights)];
                let product = Product { rows: 1, weights: &weights, epilogue, output };
                kernel.run(a, 0..n, product, &mut scratch);
                let case = format!("{} at {size:?}", kernel.identity().name);
                assert_same(got.values(), &plainly(a, size, &b, epilogue), &case);
                got.check(&case);
            }
        }
    });
}

#[test]
fn int8_sums_are_exact_at_the_extremes() {
    every_kernel::<GemvRow<i8>>(|kernel| {
        for (a, b) in [(-128, -128), (-128, 127), (127, -128), (127, 127)] {
            let size @ [k, n] = [1037, 33];
            let packed = packed_i8(kernel.layout(), size, &vec![b; k * n]);
            let weights = packed.weights();
            let mut got = vec![f32::NAN; n];
            let output = Output::F32 { values: &mut got, stride: n };
            let mut scratch = vec![0xa5; kernel.scratch_bytes(&weights)];
            let row = I8Rows::I8(
                Rows { values: &vec![a; k], stride: k },
                Quantization { scale: 1.0, zero_point: 0 },
            );
            let epilogue = Epilogue::default();
            kernel.run(
                row,
                0..n,
                Product { rows: 1, weights: &weights, epilogue, output },
                &mut scratch,
            );
            let expected = vec![(k as i32 * i32::from(a) * i32::from(b)) as f32; n];
            assert_same(&got, &expected, format!("{}, all {a} · all {b}", kernel.identity().name));
        }
    });
}

#[test]
fn ranges_of_columns_together_are_the_whole() {
    every_kernel::<GemvRow<i8>>(|kernel| {
        let nr = kernel.layout().nr;
        let size @ [k, n] = [75, 4 * nr + nr.div_ceil(2)];
        let mut values = Values::new(4);
        let (a, b) = (values.f16(k), values.i8(k * n));
        let (scales, bias, residual) = (values.f32(n), values.f32(n), values.i8(n));
        let packed = packed_i8(kernel.layout(), size, &b);
        let weights = packed.weights();
        let run = |ranges: &[std::ops::Range<usize>]| {
            let mut got = vec![f32::NAN; n];
            for range in ranges.iter().cloned() {
                let epilogue = Epilogue {
                    scales: Some(&scales),
                    bias: Some(&bias),
                    residual: Some(Residual::I8 {
                        values: &residual,
                        stride: n,
                        scale: 0.5,
                        zero_point: 3,
                    }),
                    activation: Activation::Relu,
                };
                let output = Output::F32 { values: &mut got[range.clone()], stride: range.len() };
                let mut scratch = vec![0xa5; kernel.scratch_bytes(&weights)];
                let row = I8Rows::F16(Rows { values: &a, stride: k }, Precision::Row);
                kernel.run(
                    row,
                    range,
                    Product { rows: 1, weights: &weights, epilogue, output },
                    &mut scratch,
                );
            }
            got
        };
        let whole = run(std::slice::from_ref(&(0..n)));
        let parts = run(&[0..nr, nr..nr, nr..3 * nr, 3 * nr..n]);
        assert_same(&parts, &whole, kernel.identity().name);
    });
}

fn same_type<E: Element>(
    random: impl Fn(&mut Values, usize) -> Vec<E>,
    wide: impl Fn(&E) -> f32,
    bound: impl Fn(usize) -> f32,
    run: impl Fn(Kernel<GemvRow<E>>, Rows<E>, Product<E>, &mut [u8]),
) where
    GemvRow<E>: Row,
    GemmRow<E>: Row,
{
    every_kernel::<GemvRow<E>>(|kernel| {
        for size @ [k, n] in DEPTHS.into_iter().flat_map(|k| COLUMNS.map(|n| [k, n])) {
            let case = format!("{} at {size:?}", kernel.identity().name);
            let mut values = Values::new(9);
            let (a, b) = (random(&mut values, k), random(&mut values, k * n));
            let bias = values.f32(n);
            let packed = Packed::new(kernel.layout(), size, &b);
            let weights = packed.weights();
            let product = |column: usize, i: usize| {
                f64::from(wide(&a[i])) * f64::from(wide(&b[i * n + column]))
            };
            let expected: Vec<f32> = (0..n)
                .map(|column| (0..k).map(|i| product(column, i)).sum::<f64>() as f32 + bias[column])
                .collect();
            let sizes: Vec<f64> =
                (0..n).map(|column| (0..k).map(|i| product(column, i).abs()).sum()).collect();
            let input = Guarded::holding(&a, E::default(), 1);
            let mut got = Guarded::new(n, f32::NAN, 1);
            let epilogue = Epilogue { bias: Some(&bias), ..Epilogue::default() };
            let output = Output::F32 { values: got.slice(), stride: n };
            let mut scratch = vec![0xa5; kernel.scratch_bytes(&weights)];
            let row = Rows { values: input.values(), stride: k };
            run(
                kernel,
                row,
                Product { rows: 1, weights: &weights, epilogue, output },
                &mut scratch,
            );
            assert_near(got.values(), &expected, |at| bound(k) * sizes[at] as f32 + 1e-6, &case);
            got.check(&case);
        }
    });
}

#[test]
fn f32_rows_are_within_their_bound() {
    same_type(
        |values, count| values.f32(count),
        |&value| value,
        |k| k as f32 * f32::EPSILON,
        |kernel: Kernel<GemvRow<f32>>, a, product, scratch| {
            kernel.run(a, 0..product.weights.n(), product, scratch);
        },
    );
}

#[test]
fn f16_rows_are_within_their_bound() {
    same_type(
        |values, count| values.f16(count),
        |value| value.to_f32(),
        |k| 2.0 * (k.min(F16_BLOCK) as f32).sqrt() * 2.0_f32.powi(-11),
        |kernel: Kernel<GemvRow<f16>>, a, product, scratch| {
            kernel.run(a, 0..product.weights.n(), product, scratch);
        },
    );
}

#[test]
fn long_f16_sums_do_not_overflow() {
    every_kernel::<GemvRow<f16>>(|kernel| {
        let size @ [k, n] = [4096, 9];
        let packed = Packed::new(kernel.layout(), size, &vec![f16::from_f32(4.0); k * n]);
        let weights = packed.weights();
        let mut got = vec![f32::NAN; n];
        let output = Output::F32 { values: &mut got, stride: n };
        let mut scratch = vec![0xa5; kernel.scratch_bytes(&weights)];
        let row = Rows { values: &vec![f16::from_f32(8.0); k], stride: k };
        let epilogue = Epilogue::default();
        kernel.run(
            row,
            0..n,
            Product { rows: 1, weights: &weights, epilogue, output },
            &mut scratch,
        );
        assert_same(&got, &vec![131072.0; n], kernel.identity().name);
    });
}

#[test]
fn every_layout_of_the_multiply_has_a_version_for_one_row() {
    let features = Features::detect();
    // Only products of many rows are packed in narrow panels.
    let narrow = Layouts::here(features).narrow_f32;
    for kernel in Kernel::<GemmRow<i8>>::supported(features) {
        let found = Kernel::<GemvRow<i8>>::with_layout(kernel.layout(), features);
        assert!(found.is_some(), "{}", kernel.identity().name);
    }
    for kernel in Kernel::<GemmRow<f16>>::supported(features) {
        let found = Kernel::<GemvRow<f16>>::with_layout(kernel.layout(), features);
        assert!(found.is_some(), "{}", kernel.identity().name);
    }
    let wide = |kernel: &Kernel<GemmRow<f32>>| !narrow.contains(&kernel.layout());
    for kernel in Kernel::<GemmRow<f32>>::supported(features).filter(wide) {
        let found = Kernel::<GemvRow<f32>>::with_layout(kernel.layout(), features);
        assert!(found.is_some(), "{}", kernel.identity().name);
    }
}

#[test]
#[should_panic(expected = "no whole panels")]
fn a_range_beyond_the_columns_is_refused() {
    let kernel = Kernel::<GemvRow<f32>>::first(Features::detect());
    let layout = kernel.layout();
    let n = 3 * layout.nr.max(2);
    let packed = Packed::new(layout, [4, n], &vec![0.0; 4 * n]);
    let weights = packed.weights();
    let mut got = vec![0.0; n];
    let output = Output::F32 { values: &mut got, stride: n };
    let row = Rows { values: &[0.0; 4], stride: 4 };
    let epilogue = Epilogue::default();
    let product = Product { rows: 1, weights: &weights, epilogue, output };
    kernel.run(row, 0..n + 1, product, &mut vec![0; 4096]);
}
