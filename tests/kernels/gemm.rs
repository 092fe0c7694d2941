//! Every version of the multiply against the plain loops.

mod harness;

use half::f16;
use harness::{Guarded, Values, assert_near, assert_same, every_kernel};
use kernels::gemm::{
    Element, Epilogue, F16_BLOCK, GemmRow, I8Rows, Layout, Output, Precision, Product,
    Quantization, Residual, Rows, Weights, column_sums, finish_plainly, pack_weights, part,
    quantize, row_scale,
};
use kernels::kernel::{Kernel, Row};
use kernels::math::Activation;

/// Below, at and above the edges of every tile there is; primes; one.
const SHAPES: [[usize; 3]; 14] = [
    [1, 1, 1],
    [1, 64, 17],
    [2, 3, 5],
    [3, 7, 11],
    [4, 16, 16],
    [5, 31, 13],
    [7, 32, 23],
    [8, 33, 24],
    [9, 40, 25],
    [12, 64, 32],
    [13, 65, 37],
    [17, 128, 48],
    [31, 129, 61],
    [16, 700, 19],
];

struct Packed<E> {
    panels: Vec<E>,
    sums: Vec<i32>,
    layout: Layout,
    shape: [usize; 3],
}

impl<E: Element> Packed<E> {
    fn new(layout: Layout, [m, k, n]: [usize; 3], b: &[E]) -> Self {
        let mut panels = vec![E::default(); layout.packed_length(1, k, n)];
        pack_weights(layout, 1, k, n, |_, row, column| b[row * n + column], &mut panels);
        Self { panels, sums: Vec::new(), layout, shape: [m, k, n] }
    }
    fn weights(&self) -> Weights<'_, E> {
        let [_, k, n] = self.shape;
        Weights::new(&self.panels, &self.sums, self.layout, 1, k, n)
    }
}

fn packed_i8(layout: Layout, shape: [usize; 3], b: &[i8]) -> Packed<i8> {
    let mut packed = Packed::new(layout, shape, b);
    let [_, k, n] = shape;
    packed.sums = vec![0; n.next_multiple_of(layout.nr)];
    column_sums(layout, 1, k, n, &packed.panels, &mut packed.sums);
    packed
}

/// `Σ (a − z) · b` in i32.
fn exact_sums([m, k, n]: [usize; 3], a: &[i8], b: &[i8], zero_point: i32) -> Vec<i32> {
    let mut sums = vec![0; m * n];
    for row in 0..m {
        for (i, b) in b.chunks_exact(n).take(k).enumerate() {
            let a = i32::from(a[row * k + i]) - zero_point;
            for (sum, &b) in sums[row * n..].iter_mut().zip(b) {
                *sum += a * i32::from(b);
            }
        }
    }
    sums
}

fn scratch<E: Element>(kernel: Kernel<GemmRow<E>>, rows: usize, weights: &Weights<E>) -> Vec<u8>
where
    GemmRow<E>: Row,
{
    // Poisoned: a version that reads what it did not write shows it.
    vec![0xa5; kernel.scratch_bytes(rows, weights)]
}

#[test]
fn int8_sums_are_exact_at_every_shape() {
    every_kernel::<GemmRow<i8>>(|kernel| {
        for shape @ [m, k, n] in SHAPES {
            let case = format!("{} at {shape:?}", kernel.identity().name);
            let mut values = Values::new(7);
            let (a, b, zero_point) =
                (values.i8(m * k), values.i8(k * n), values.below(256) as i32 - 128);
            let packed = packed_i8(kernel.layout(), shape, &b);
            let (sums, one) = (exact_sums(shape, &a, &b, zero_point), Epilogue::default());
            let expected: Vec<f32> = sums.iter().map(|&sum| sum as f32).collect();
            let input = Guarded::holding(&a, 99, 1);
            let mut got = Guarded::new(m * n, f32::NAN, 1);
            let rows = I8Rows::I8(
                Rows { values: input.values(), stride: k },
                Quantization { scale: 1.0, zero_point },
            );
            let output = Output::F32 { values: got.slice(), stride: n };
            let weights = packed.weights();
            let product = Product { rows: m, weights: &weights, epilogue: one, output };
            kernel.run(rows, product, &mut scratch(kernel, m, &packed.weights()));
            assert_same(got.values(), &expected, &case);
            got.check(&case);
        }
    });
}

#[test]
fn int8_sums_are_exact_at_the_extremes() {
    every_kernel::<GemmRow<i8>>(|kernel| {
        for (a, b) in [(-128, -128), (-128, 127), (127, -128), (127, 127), (-128, -127)] {
            let shape @ [m, k, n] = [9, 1037, 25];
            let packed = packed_i8(kernel.layout(), shape, &vec![b; k * n]);
            let expected = vec![(k as i32 * i32::from(a) * i32::from(b)) as f32; m * n];
            let mut got = vec![f32::NAN; m * n];
            let rows = I8Rows::I8(
                Rows { values: &vec![a; m * k], stride: k },
                Quantization { scale: 1.0, zero_point: 0 },
            );
            let output = Output::F32 { values: &mut got, stride: n };
            let mut scratch = scratch(kernel, m, &packed.weights());
            let weights = packed.weights();
            let product =
                Product { rows: m, weights: &weights, epilogue: Epilogue::default(), output };
            kernel.run(rows, product, &mut scratch);
            assert_same(&got, &expected, format!("{}, all {a} · all {b}", kernel.identity().name));
        }
    });
}

/// Sums of up to 2²² are floats by another way than larger ones, and whole tiles by another than their edges.
#[test]
fn int8_sums_are_exact_on_both_sides_of_the_small() {
    every_kernel::<GemmRow<i8>>(|kernel| {
        for (k, last) in [(255, 127), (256, 127), (257, 127), (300, 127), (300, -128)] {
            let [m, n] = [101, 17];
            // The magnitudes of a column add up to 2¹⁵ − 1 or to 2¹⁵ where k allows.
            let mut left = if last == 127 { 32767 } else { 32768 };
            let b: Vec<i8> = (0..k)
                .rev()
                .flat_map(|_| {
                    let value = left.min(128);
                    left -= value;
                    [(-value) as i8; 17]
                })
                .collect();
            let packed = packed_i8(kernel.layout(), [m, k, n], &b);
            let weights = packed.weights();
            for a in [-128, 127] {
                let a = vec![a; m * k];
                let sums = exact_sums([m, k, n], &a, &b, 0);
                let expected: Vec<f32> = sums.iter().map(|&sum| sum as f32).collect();
                let mut got = vec![f32::NAN; m * n];
                let rows = I8Rows::I8(
                    Rows { values: &a, stride: k },
                    Quantization { scale: 1.0, zero_point: 0 },
                );
                let output = Output::F32 { values: &mut got, stride: n };
                let product =
                    Product { rows: m, weights: &weights, epilogue: Epilogue::default(), output };
                kernel.run(rows, product, &mut scratch(kernel, m, &weights));
                let case = format!("{}, k = {k}, all {}", kernel.identity().name, a[0]);
                assert_same(&got, &expected, case);
            }
        }
    });
}

#[test]
fn rows_quantized_while_packing_equal_rows_quantized_before() {
    every_kernel::<GemmRow<i8>>(|kernel| {
        for shape @ [m, k, n] in SHAPES {
            let mut values = Values::new(3);
            let mut halves = values.f16(m * k);
            halves[0] = f16::MAX;
            halves[k - 1] = f16::NEG_INFINITY;
            halves[m * k / 2] = f16::ZERO;
            if m > 3 {
                halves[3 * k..4 * k].fill(f16::ZERO);
            }
            let floats = harness::widened(&halves);
            let b = values.i8(k * n);
            let packed = packed_i8(kernel.layout(), shape, &b);
            let tensor = Quantization { scale: 0.007, zero_point: -5 };
            for precision in [Precision::Tensor(tensor), Precision::Row] {
                if precision == Precision::Row {
                    halves[k - 1] = f16::ONE;
                }
                let floats = if precision == Precision::Row {
                    harness::widened(&halves)
                } else {
                    floats.clone()
                };
                let scale = |row: usize| match precision {
                    Precision::Tensor(quantization) => quantization.scale,
                    Precision::Row => row_scale(
                        floats[row * k..][..k]
                            .iter()
                            .fold(0.0, |most: f32, value| most.max(value.abs())),
                    ),
                };
                let zero_point = if precision == Precision::Row { 0 } else { tensor.zero_point };
                let quantized: Vec<i8> = floats
                    .iter()
                    .enumerate()
                    .map(|(index, &value)| quantize(value, 1.0 / scale(index / k), zero_point))
                    .collect();
                let sums = exact_sums(shape, &quantized, &b, zero_point);
                let mut expected = vec![0.0; m * n];
                let sum = |row, column| sums[row * n + column] as f32;
                let mut output = Output::F32 { values: &mut expected, stride: n };
                finish_plainly([m, n], sum, scale, &Epilogue::default(), &mut output);
                for a in [
                    I8Rows::F16(Rows { values: &halves, stride: k }, precision),
                    I8Rows::F32(Rows { values: &floats, stride: k }, precision),
                ] {
                    let mut got = vec![f32::NAN; m * n];
                    let mut scratch = scratch(kernel, m, &packed.weights());
                    let output = Output::F32 { values: &mut got, stride: n };
                    let weights = packed.weights();
                    let product = Product {
                        rows: m,
                        weights: &weights,
                        epilogue: Epilogue::default(),
                        output,
                    };
                    kernel.run(a, product, &mut scratch);
                    let source = if matches!(a, I8Rows::F16(..)) { "halves" } else { "floats" };
                    let case = format!(
                        "{} from {source}, {precision:?}, {shape:?}",
                        kernel.identity().name
                    );
                    assert_same(&got, &expected, case);
                }
            }
        }
    });
}

#[test]
fn rows_with_steps_of_their_own_give_the_bits_of_the_plain_loops() {
    every_kernel::<GemmRow<i8>>(|kernel| {
        for shape @ [m, k, n] in SHAPES {
            let mut values = Values::new(21);
            let (a, b) = (values.i8(m * k), values.i8(k * n));
            let steps: Vec<f32> = values.f32(m).iter().map(|step| step.abs() + 0.01).collect();
            let (scales, bias) = (values.f32(n), values.f32(n));
            let epilogue = Epilogue {
                scales: Some(&scales),
                bias: Some(&bias),
                activation: Activation::Silu,
                ..Epilogue::default()
            };
            let sums = exact_sums(shape, &a, &b, 0);
            let mut expected = vec![0.0; m * n];
            let sum = |row, column| sums[row * n + column] as f32;
            let mut output = Output::F32 { values: &mut expected, stride: n };
            finish_plainly([m, n], sum, |row| steps[row], &epilogue, &mut output);
            let packed = packed_i8(kernel.layout(), shape, &b);
            let weights = packed.weights();
            let input = Guarded::holding(&a, 99, 1);
            for cut in [0, m / 3] {
                let ranges = [0..cut, cut..m];
                let mut got = Guarded::new(m * n, f32::NAN, 1);
                for range in ranges {
                    let rows = part(Rows { values: input.values(), stride: k }, &range);
                    let values = &mut got.slice()[range.start * n..range.end * n];
                    let output = Output::F32 { values, stride: n };
                    let product =
                        Product { rows: range.len(), weights: &weights, epilogue, output };
                    let mut scratch = scratch(kernel, range.len(), &weights);
                    kernel.run(I8Rows::I8PerRow(rows, &steps[range]), product, &mut scratch);
                }
                let case = format!("{} at {shape:?}", kernel.identity().name);
                assert_same(got.values(), &expected, &case);
                got.check(&case);
            }
        }
    });
}

#[test]
#[should_panic(expected = "steps of 2 rows, found 1")]
fn a_row_without_a_step_is_refused() {
    let kernel = Kernel::<GemmRow<i8>>::plain();
    let packed = packed_i8(kernel.layout(), [2, 4, 4], &[0; 16]);
    let mut got = [0.0; 8];
    let output = Output::F32 { values: &mut got, stride: 4 };
    let rows = I8Rows::I8PerRow(Rows { values: &[0; 8], stride: 4 }, &[1.0]);
    let weights = packed.weights();
    let product = Product { rows: 2, weights: &weights, epilogue: Epilogue::default(), output };
    kernel.run(rows, product, &mut vec![0; 4096]);
}

/// All ways to finish, on a tile with edges; int8 sums, so that the results must be equal.
#[test]
fn every_epilogue_gives_the_bits_of_the_plain_one() {
    every_kernel::<GemmRow<i8>>(|kernel| {
        for shape @ [m, k, n] in [[3, 8, 5], [25, 12, 33]] {
            let mut values = Values::new(11);
            let (a, b) = (values.i8(m * k), values.i8(k * n));
            let packed = packed_i8(kernel.layout(), shape, &b);
            let quantization = Quantization { scale: 0.02, zero_point: 3 };
            let sums = exact_sums(shape, &a, &b, quantization.zero_point);
            let (scales, bias) = (values.f32(n), values.f32(n));
            let stride = n + 3;
            let (floats, halves, bytes) =
                (values.f32(m * stride), values.f16(m * stride), values.i8(m * stride));
            let residuals = [
                None,
                Some(Residual::F32 { values: &floats, stride }),
                Some(Residual::F16 { values: &halves, stride }),
                Some(Residual::I8 { values: &bytes, stride, scale: 0.1, zero_point: -7 }),
            ];
            for (index, activation) in Activation::ALL.into_iter().enumerate() {
                for (residual, plain) in
                    residuals.into_iter().flat_map(|residual| [(residual, false), (residual, true)])
                {
                    let epilogue = Epilogue {
                        scales: (!plain).then_some(&scales[..]),
                        bias: (index % 2 == 0).then_some(&bias[..]),
                        residual,
                        activation,
                    };
                    let case = format!("{} at {shape:?}, {epilogue:?}", kernel.identity().name);
                    let rows = I8Rows::I8(Rows { values: &a, stride: k }, quantization);
                    let mut scratch = scratch(kernel, m, &packed.weights());
                    let sum = |row, column| sums[row * n + column] as f32;

                    let (mut got, mut expected) =
                        (Guarded::new(m * n, f32::NAN, 1), vec![0.0; m * n]);
                    let output = Output::F32 { values: got.slice(), stride: n };
                    let weights = packed.weights();
                    let product = Product { rows: m, weights: &weights, epilogue, output };
                    kernel.run(rows, product, &mut scratch);
                    let mut output = Output::F32 { values: &mut expected, stride: n };
                    finish_plainly([m, n], sum, |_| quantization.scale, &epilogue, &mut output);
                    assert_same(got.values(), &expected, &case);
                    got.check(&case);

                    let (mut got, mut expected) =
                        (Guarded::new(m * n, f16::NAN, 1), vec![f16::ZERO; m * n]);
                    let output = Output::F16 { values: got.slice(), stride: n };
                    let weights = packed.weights();
                    let product = Product { rows: m, weights: &weights, epilogue, output };
                    kernel.run(rows, product, &mut scratch);
                    let mut output = Output::F16 { values: &mut expected, stride: n };
                    finish_plainly([m, n], sum, |_| quantization.scale, &epilogue, &mut output);
                    assert_same(got.values(), &expected, &case);
                    got.check(&case);

                    let (mut got, mut expected) = (Guarded::new(m * n, 99, 1), vec![0; m * n]);
                    let output =
                        Output::I8 { values: got.slice(), stride: n, scale: 0.3, zero_point: 9 };
                    let weights = packed.weights();
                    let product = Product { rows: m, weights: &weights, epilogue, output };
                    kernel.run(rows, product, &mut scratch);
                    let mut output =
                        Output::I8 { values: &mut expected, stride: n, scale: 0.3, zero_point: 9 };
                    finish_plainly([m, n], sum, |_| quantization.scale, &epilogue, &mut output);
                    assert_same(got.values(), &expected, &case);
                    got.check(&case);
                }
            }
        }
    });
}

#[test]
fn what_lies_between_rows_of_the_output_stays() {
    every_kernel::<GemmRow<i8>>(|kernel| {
        let shape @ [m, k, n] = [11, 12, 26];
        let mut values = Values::new(5);
        let (a, b) = (values.i8(m * (k + 5)), values.i8(k * n));
        let packed = packed_i8(kernel.layout(), shape, &b);
        let stride = n + 7;
        let mut got = vec![f32::INFINITY; m * stride];
        let rows = I8Rows::I8(
            Rows { values: &a, stride: k + 5 },
            Quantization { scale: 1.0, zero_point: 0 },
        );
        let output = Output::F32 { values: &mut got, stride };
        let mut scratch = scratch(kernel, m, &packed.weights());
        let weights = packed.weights();
        let product = Product { rows: m, weights: &weights, epilogue: Epilogue::default(), output };
        kernel.run(rows, product, &mut scratch);
        let tight: Vec<i8> = a.chunks(k + 5).flat_map(|row| &row[..k]).copied().collect();
        let sums = exact_sums(shape, &tight, &b, 0);
        for (row, values) in got.chunks(stride).enumerate() {
            let expected: Vec<f32> = sums[row * n..][..n].iter().map(|&sum| sum as f32).collect();
            assert_same(&values[..n], &expected, kernel.identity().name);
            assert!(
                values[n..].iter().all(|&value| value == f32::INFINITY),
                "{}: wrote between rows",
                kernel.identity().name
            );
        }
    });
}

#[test]
fn ranges_of_rows_together_are_the_whole() {
    every_kernel::<GemmRow<i8>>(|kernel| {
        let shape @ [m, k, n] = [45, 70, 33];
        let mut values = Values::new(6);
        let (a, b) = (values.f16(m * k), values.i8(k * n));
        let packed = packed_i8(kernel.layout(), shape, &b);
        let all = Rows { values: &a[..], stride: k };
        let run = |ranges: &[std::ops::Range<usize>]| {
            let mut got = vec![f32::NAN; m * n];
            for range in ranges {
                let rows = I8Rows::F16(part(all, range), Precision::Row);
                let output =
                    Output::F32 { values: &mut got[range.start * n..range.end * n], stride: n };
                let mut scratch = scratch(kernel, range.len(), &packed.weights());
                let weights = packed.weights();
                let product = Product {
                    rows: range.len(),
                    weights: &weights,
                    epilogue: Epilogue::default(),
                    output,
                };
                kernel.run(rows, product, &mut scratch);
            }
            got
        };
        let whole = run(std::slice::from_ref(&(0..m)));
        assert_same(&run(&[0..1, 1..8, 8..8, 8..29, 29..45]), &whole, kernel.identity().name);
    });
}

fn same_type_shapes<E: Element>(
    random: impl Fn(&mut Values, usize) -> Vec<E>,
    wide: impl Fn(&E) -> f32,
    bound: impl Fn(usize) -> f32,
    run: impl Fn(Kernel<GemmRow<E>>, Rows<E>, Product<E>, &mut [u8]),
) where
    GemmRow<E>: Row,
{
    every_kernel::<GemmRow<E>>(|kernel| {
        for shape @ [m, k, n] in SHAPES {
            let case = format!("{} at {shape:?}", kernel.identity().name);
            let mut values = Values::new(8);
            let (a, b) = (random(&mut values, m * k), random(&mut values, k * n));
            let (bias, residual) = (values.f32(n), values.f32(m * n));
            let packed = Packed::new(kernel.layout(), shape, &b);
            let product = |row: usize, column: usize, i: usize| {
                f64::from(wide(&a[row * k + i])) * f64::from(wide(&b[i * n + column]))
            };
            let exact: Vec<f64> =
                (0..m * n).map(|at| (0..k).map(|i| product(at / n, at % n, i)).sum()).collect();
            let sizes: Vec<f64> = (0..m * n)
                .map(|at| (0..k).map(|i| product(at / n, at % n, i).abs()).sum())
                .collect();
            let epilogue = Epilogue {
                bias: Some(&bias),
                residual: Some(Residual::F32 { values: &residual, stride: n }),
                ..Epilogue::default()
            };
            let mut expected = vec![0.0; m * n];
            let mut output = Output::F32 { values: &mut expected, stride: n };
            finish_plainly(
                [m, n],
                |row, column| exact[row * n + column] as f32,
                |_| 1.0,
                &epilogue,
                &mut output,
            );
            let input = Guarded::holding(&a, E::default(), 1);
            let mut got = Guarded::new(m * n, f32::NAN, 1);
            let mut scratch = scratch(kernel, m, &packed.weights());
            let rows = Rows { values: input.values(), stride: k };
            let output = Output::F32 { values: got.slice(), stride: n };
            let weights = packed.weights();
            let product = Product { rows: m, weights: &weights, epilogue, output };
            run(kernel, rows, product, &mut scratch);
            assert_near(got.values(), &expected, |at| bound(k) * sizes[at] as f32 + 1e-6, &case);
            got.check(&case);
        }
    });
}

#[test]
fn f32_products_are_within_their_bound() {
    same_type_shapes(
        |values, count| values.f32(count),
        |&value| value,
        |k| 2.0 * k as f32 * f32::EPSILON / 2.0,
        |kernel: Kernel<GemmRow<f32>>, a, product, scratch| {
            kernel.run(a, product, scratch);
        },
    );
}

#[test]
fn f16_products_are_within_their_bound() {
    same_type_shapes(
        |values, count| values.f16(count),
        |value| value.to_f32(),
        |k| 2.0 * (k.min(F16_BLOCK) as f32).sqrt() * 2.0_f32.powi(-11),
        |kernel: Kernel<GemmRow<f16>>, a, product, scratch| {
            kernel.run(a, product, scratch);
        },
    );
}

#[test]
fn halves_from_halves_are_within_their_bound() {
    every_kernel::<GemmRow<f16>>(|kernel| {
        for shape @ [m, k, n] in [[25, 7, 33], [12, 64, 16], [13, 520, 35], [1, 3, 17]] {
            let mut values = Values::new(12);
            let (a, b) = (values.f16(m * k), values.f16(k * n));
            let (bias, residual) = (values.f32(n), values.f16(m * n));
            let packed = Packed::new(kernel.layout(), shape, &b);
            let weights = packed.weights();
            let product = |row: usize, column: usize, i: usize| {
                a[row * k + i].to_f32() * b[i * n + column].to_f32()
            };
            let sums: Vec<f32> =
                (0..m * n).map(|at| (0..k).map(|i| product(at / n, at % n, i)).sum()).collect();
            let sizes: Vec<f32> = (0..m * n)
                .map(|at| (0..k).map(|i| product(at / n, at % n, i).abs()).sum())
                .collect();
            for (bias, residual) in [
                (None, None),
                (Some(&bias[..]), None),
                (None, Some(Residual::F16 { values: &residual, stride: n })),
                (Some(&bias[..]), Some(Residual::F16 { values: &residual, stride: n })),
            ] {
                let epilogue = Epilogue { bias, residual, ..Epilogue::default() };
                let case = format!("{} at {shape:?}, {epilogue:?}", kernel.identity().name);
                let rows = Rows { values: &a[..], stride: k };
                let mut expected = vec![0.0; m * n];
                let mut output = Output::F32 { values: &mut expected, stride: n };
                let sum = |row, column| sums[row * n + column];
                finish_plainly([m, n], sum, |_| 1.0, &epilogue, &mut output);
                let bound = |at: usize| {
                    2.0 * (k.min(F16_BLOCK) as f32).sqrt() * 2.0_f32.powi(-11) * sizes[at]
                };

                let mut got = Guarded::new(m * n, f32::NAN, 1);
                let output = Output::F32 { values: got.slice(), stride: n };
                let product = Product { rows: m, weights: &weights, epilogue, output };
                kernel.run(rows, product, &mut scratch(kernel, m, &weights));
                assert_near(got.values(), &expected, |at| bound(at) + 1e-6, &case);
                got.check(&case);

                let mut got = Guarded::new(m * n, f16::NAN, 1);
                let output = Output::F16 { values: got.slice(), stride: n };
                let product = Product { rows: m, weights: &weights, epilogue, output };
                kernel.run(rows, product, &mut scratch(kernel, m, &weights));
                // The sum, the bias and what is stored are each rounded to a half.
                let rounded = |at: usize| bound(at) + (sizes[at] + 4.0) * 2.0_f32.powi(-10);
                assert_near(&harness::widened(got.values()), &expected, rounded, &case);
                got.check(&case);
            }
        }
    });
}

#[test]
fn ranges_of_rows_of_halves_together_are_the_whole() {
    every_kernel::<GemmRow<f16>>(|kernel| {
        let shape @ [m, k, n] = [29, 70, 37];
        let mut values = Values::new(13);
        let (a, b) = (values.f16(m * k), values.f16(k * n));
        let (bias, residual) = (values.f32(n), values.f16(m * n));
        let packed = Packed::new(kernel.layout(), shape, &b);
        let weights = packed.weights();
        let run = |ranges: &[std::ops::Range<usize>]| {
            let mut got = vec![f16::NAN; m * n];
            for range in ranges {
                let rows = part(Rows { values: &a[..], stride: k }, range);
                let residual = Residual::F16 { values: &residual[range.start * n..], stride: n };
                let epilogue =
                    Epilogue { bias: Some(&bias), residual: Some(residual), ..Epilogue::default() };
                let values = &mut got[range.start * n..range.end * n];
                let output = Output::F16 { values, stride: n };
                let product = Product { rows: range.len(), weights: &weights, epilogue, output };
                kernel.run(rows, product, &mut scratch(kernel, range.len(), &weights));
            }
            got
        };
        let whole = run(std::slice::from_ref(&(0..m)));
        assert_same(&run(&[0..1, 1..8, 8..8, 8..21, 21..29]), &whole, kernel.identity().name);
    });
}

#[test]
fn long_f16_sums_do_not_overflow() {
    every_kernel::<GemmRow<f16>>(|kernel| {
        let shape @ [m, k, n] = [3, 4096, 9];
        let (a, b) = (vec![f16::from_f32(8.0); m * k], vec![f16::from_f32(4.0); k * n]);
        let packed = Packed::new(kernel.layout(), shape, &b);
        let mut got = vec![f32::NAN; m * n];
        let output = Output::F32 { values: &mut got, stride: n };
        let mut scratch = scratch(kernel, m, &packed.weights());
        let rows = Rows { values: &a, stride: k };
        let weights = packed.weights();
        let product = Product { rows: m, weights: &weights, epilogue: Epilogue::default(), output };
        kernel.run(rows, product, &mut scratch);
        assert_same(&got, &vec![131072.0; m * n], kernel.identity().name);
    });
}

#[test]
fn packed_weights_stand_where_the_layout_says() {
    for (nr, kr) in [(1, 1), (4, 16), (8, 8), (16, 2), (32, 4), (3, 5)] {
        let layout = Layout { nr, kr };
        for (segments, depth, n) in [(1, 1, 1), (1, 33, 17), (9, 7, 40), (3, 16, 32), (2, 0, 5)] {
            let mut values = Values::new((nr * depth + n) as u64);
            let b = values.i8(segments * depth * n);
            let at = |segment, k, column| b[(segment * depth + k) * n + column];
            let mut panels = vec![99; layout.packed_length(segments, depth, n)];
            pack_weights(layout, segments, depth, n, at, &mut panels);
            let mut expected = vec![0; panels.len()];
            let segment_steps = layout.segment_steps(depth);
            for (segment, k, column) in (0..segments * depth * n)
                .map(|index| (index / n / depth, index / n % depth, index % n))
            {
                let step = segment * segment_steps + k / kr;
                let panel = column / nr * segments * segment_steps;
                expected[((panel + step) * nr + column % nr) * kr + k % kr] =
                    at(segment, k, column);
            }
            let case = format!("{layout:?}, {segments} × {depth}, {n}");
            assert_same(&panels, &expected, &case);
            let mut sums = vec![-1; n.next_multiple_of(nr)];
            column_sums(layout, segments, depth, n, &panels, &mut sums);
            let expected: Vec<i32> = (0..sums.len())
                .map(|column| {
                    let rows = (0..segments * depth).filter(|_| column < n);
                    rows.map(|row| i32::from(b[row * n + column])).sum()
                })
                .collect();
            assert_same(&sums, &expected, &case);
        }
    }
}

#[test]
#[should_panic(expected = "the weights are packed for another kernel")]
fn weights_of_another_layout_are_refused() {
    let kernel = Kernel::<GemmRow<f32>>::plain();
    let packed = Packed::new(Layout { nr: 3, kr: 2 }, [1, 4, 4], &[0.0; 16]);
    let mut got = [0.0; 4];
    let output = Output::F32 { values: &mut got, stride: 4 };
    let rows = Rows { values: &[0.0; 4], stride: 4 };
    let weights = packed.weights();
    let product = Product { rows: 1, weights: &weights, epilogue: Epilogue::default(), output };
    kernel.run(rows, product, &mut vec![0; 4096]);
}

#[test]
#[should_panic(expected = "2 rows need 8 values, found 7")]
fn a_short_operand_is_refused() {
    let kernel = Kernel::<GemmRow<f32>>::plain();
    let packed = Packed::new(kernel.layout(), [2, 4, 4], &[0.0; 16]);
    let mut got = [0.0; 8];
    let output = Output::F32 { values: &mut got, stride: 4 };
    let rows = Rows { values: &[0.0; 7], stride: 4 };
    let weights = packed.weights();
    let product = Product { rows: 2, weights: &weights, epilogue: Epilogue::default(), output };
    kernel.run(rows, product, &mut vec![0; 4096]);
}
