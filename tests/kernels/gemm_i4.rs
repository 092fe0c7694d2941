//! Every version of the multiply by int4 weights against plain loops over unpacked operands.

mod harness;

use half::f16;
use harness::{Guarded, Values, assert_same, every_kernel};
use kernels::gemm::{
    Epilogue, I8Rows, Layout, Output, Precision, Quantization, Residual, Rows, finish_plainly,
    part, quantize, row_scale,
};
use kernels::gemm_i4::{
    GROUP, GemmI4Row, I4Product, I4Weights, Scales, pack_nibbles, pack_scales, terms,
};
use kernels::kernel::Kernel;
use kernels::math::Activation;
use std::ops::Range;

/// Below, at and above the edges of tiles and groups; primes; one.
const SHAPES: [[usize; 3]; 12] = [
    [1, 1, 1],
    [1, 32, 16],
    [1, 65, 37],
    [1, 320, 70],
    [2, 31, 5],
    [3, 33, 8],
    [4, 64, 15],
    [5, 96, 17],
    [8, 127, 24],
    [12, 128, 32],
    [13, 200, 33],
    [29, 64, 19],
];

/// Unpacked weights.
struct Plain {
    size: [usize; 2],
    weights: Vec<i8>,
    scales: Vec<f16>,
}

struct Packed {
    nibbles: Vec<u8>,
    halves: Vec<f16>,
    floats: Vec<f32>,
    terms: Vec<f32>,
    layout: Layout,
    size: [usize; 2],
}

impl Plain {
    fn new(values: &mut Values, size @ [k, n]: [usize; 2]) -> Self {
        let weights = values.i8(k * n).into_iter().map(|value| value >> 4).collect();
        Self { size, weights, scales: values.f16(k.div_ceil(GROUP) * n) }
    }

    fn packed(&self, layout: Layout) -> Packed {
        let [k, n] = self.size;
        let (columns, groups) = (n.next_multiple_of(layout.nr), k.div_ceil(GROUP));
        let (mut nibbles, mut halves) =
            (vec![0; columns * groups * 16], vec![f16::NAN; columns * groups]);
        pack_nibbles(layout, k, n, |row, column| self.weights[row * n + column], &mut nibbles);
        let scale = |group: usize, column: usize| self.scales[group * n + column];
        pack_scales(layout, k, n, scale, f16::ZERO, &mut halves);
        let mut column_terms = vec![f32::NAN; columns];
        terms(layout, k, &nibbles, Scales::F16(&halves), &mut column_terms);
        let floats = harness::widened(&halves);
        Packed { nibbles, halves, floats, terms: column_terms, layout, size: self.size }
    }

    /// `S`, as the operation's page has it.
    fn sum(&self, a: &[i8], zero_point: i32, column: usize) -> f32 {
        let [k, n] = self.size;
        let groups =
            || (0..k).step_by(GROUP).map(|first| (first / GROUP, first..k.min(first + GROUP)));
        let scale = |group: usize| self.scales[group * n + column].to_f32();
        let weight = |row: usize| i32::from(self.weights[row * n + column]);
        let term = groups().fold(0.0_f32, |term, (group, rows)| {
            (rows.map(weight).sum::<i32>() as f32).mul_add(scale(group), term)
        });
        groups().fold(-zero_point as f32 * term, |sum, (group, rows)| {
            let inner: i32 = rows.map(|row| i32::from(a[row]) * weight(row)).sum();
            (inner as f32).mul_add(scale(group), sum)
        })
    }

    fn expected(
        &self,
        rows: usize,
        a: &[i8],
        zero_point: i32,
        row_scale: impl Fn(usize) -> f32,
        epilogue: &Epilogue,
    ) -> Vec<f32> {
        let [k, n] = self.size;
        let mut expected = vec![f32::NAN; rows * n];
        let sum = |row: usize, column: usize| self.sum(&a[row * k..][..k], zero_point, column);
        let mut output = Output::F32 { values: &mut expected, stride: n };
        finish_plainly([rows, n], sum, row_scale, epilogue, &mut output);
        expected
    }
}

impl Packed {
    fn weights(&self, halves: bool) -> I4Weights<'_> {
        let [k, n] = self.size;
        let scales = if halves { Scales::F16(&self.halves) } else { Scales::F32(&self.floats) };
        I4Weights::new(&self.nibbles, scales, &self.terms, self.layout, k, n)
    }
}

fn run(kernel: Kernel<GemmI4Row>, a: I8Rows, columns: Range<usize>, product: I4Product) {
    // Poisoned: a version that reads what it did not write shows it.
    let mut scratch = vec![0xa5; kernel.scratch_bytes(product.rows, product.weights)];
    kernel.run(a, columns, product, &mut scratch);
}

#[test]
fn every_version_gives_the_bits_of_the_plain_loops() {
    every_kernel::<GemmI4Row>(|kernel| {
        for shape @ [m, k, n] in SHAPES {
            let mut values = Values::new((m * k + n) as u64);
            let plain = Plain::new(&mut values, [k, n]);
            let packed = plain.packed(kernel.layout());
            let bytes = Guarded::holding(&values.i8(m * k), 99, 1);
            let halves = values.f16(m * k);
            let floats = harness::widened(&halves);
            let (scales, bias, residual) = (values.f32(n), values.f32(n), values.f16(m * n));
            let epilogue = Epilogue {
                scales: Some(&scales),
                bias: Some(&bias),
                residual: Some(Residual::F16 { values: &residual, stride: n }),
                activation: Activation::Silu,
            };
            let tensor = Quantization { scale: 0.01, zero_point: -9 };
            let symmetric = Quantization { scale: 0.02, zero_point: 0 };
            let rows = Rows { values: &halves[..], stride: k };
            let steps: Vec<f32> = values.f32(m).iter().map(|step| step.abs() + 0.01).collect();
            for (index, a) in [
                I8Rows::I8(Rows { values: bytes.values(), stride: k }, tensor),
                I8Rows::I8(Rows { values: bytes.values(), stride: k }, symmetric),
                I8Rows::I8PerRow(Rows { values: bytes.values(), stride: k }, &steps),
                I8Rows::F16(rows, Precision::Tensor(tensor)),
                I8Rows::F16(rows, Precision::Row),
                I8Rows::F32(Rows { values: &floats, stride: k }, Precision::Tensor(tensor)),
                I8Rows::F32(Rows { values: &floats, stride: k }, Precision::Row),
            ]
            .into_iter()
            .enumerate()
            {
                let case = format!(
                    "{} at {shape:?}, {}",
                    kernel.identity().name,
                    ["i8", "i8 symmetric", "i8 by row", "f16", "f16 by row", "f32", "f32 by row"]
                        [index]
                );
                let precision = match a {
                    I8Rows::I8(_, quantization) => Precision::Tensor(quantization),
                    I8Rows::I8PerRow(..) => Precision::Row,
                    I8Rows::F16(_, precision) | I8Rows::F32(_, precision) => precision,
                };
                let scale = |row: usize| match precision {
                    Precision::Tensor(quantization) => quantization.scale,
                    Precision::Row if matches!(a, I8Rows::I8PerRow(..)) => steps[row],
                    Precision::Row => row_scale(
                        floats[row * k..][..k]
                            .iter()
                            .fold(0.0, |most: f32, value| most.max(value.abs())),
                    ),
                };
                let zero_point = match precision {
                    Precision::Tensor(quantization) => quantization.zero_point,
                    Precision::Row => 0,
                };
                let quantized: Vec<i8> = if matches!(a, I8Rows::I8(..) | I8Rows::I8PerRow(..)) {
                    bytes.values().to_vec()
                } else {
                    let each = floats.iter().enumerate();
                    each.map(|(at, &value)| quantize(value, 1.0 / scale(at / k), zero_point))
                        .collect()
                };
                let expected = plain.expected(m, &quantized, zero_point, scale, &epilogue);
                for halves in [false, true] {
                    let mut got = Guarded::new(m * n, f32::NAN, 1);
                    let output = Output::F32 { values: got.slice(), stride: n };
                    let weights = packed.weights(halves);
                    run(
                        kernel,
                        a,
                        0..n,
                        I4Product { rows: m, weights: &weights, epilogue, output },
                    );
                    assert_same(got.values(), &expected, &case);
                    got.check(&case);
                }
            }
        }
    });
}

#[test]
fn sums_are_exact_at_the_extremes() {
    every_kernel::<GemmI4Row>(|kernel| {
        for (a, b) in [(-128, -8), (-128, 7), (127, -8), (127, 7), (-127, 7)] {
            for m in [1, 9] {
                let [k, n] = [1024, 19];
                let plain = Plain {
                    size: [k, n],
                    weights: vec![b; k * n],
                    scales: vec![f16::ONE; k / GROUP * n],
                };
                let packed = plain.packed(kernel.layout());
                let mut got = vec![f32::NAN; m * n];
                let output = Output::F32 { values: &mut got, stride: n };
                let weights = packed.weights(true);
                let rows = I8Rows::I8(
                    Rows { values: &vec![a; m * k], stride: k },
                    Quantization { scale: 1.0, zero_point: 0 },
                );
                let epilogue = Epilogue::default();
                run(kernel, rows, 0..n, I4Product { rows: m, weights: &weights, epilogue, output });
                let expected = vec![(k as i32 * i32::from(a) * i32::from(b)) as f32; m * n];
                assert_same(
                    &got,
                    &expected,
                    format!("{}, all {a} · all {b}", kernel.identity().name),
                );
            }
        }
    });
}

#[test]
fn parts_together_are_the_whole() {
    every_kernel::<GemmI4Row>(|kernel| {
        let nr = kernel.layout().nr;
        let [m, k, n] = [31, 96, 3 * nr + 1];
        let mut values = Values::new(2);
        let plain = Plain::new(&mut values, [k, n]);
        let packed = plain.packed(kernel.layout());
        let (a, residual) = (values.f16(m * k), values.f32(m * n));
        let all = Rows { values: &a[..], stride: k };
        let weights = packed.weights(true);
        let compute = |rows: Range<usize>, columns: Range<usize>, got: &mut [f32]| {
            let epilogue = Epilogue {
                residual: Some(Residual::F32 { values: &residual[rows.start * n..], stride: n }),
                ..Epilogue::default()
            };
            let output =
                Output::F32 { values: &mut got[rows.start * n + columns.start..], stride: n };
            let product = I4Product { rows: rows.len(), weights: &weights, epilogue, output };
            run(kernel, I8Rows::F16(part(all, &rows), Precision::Row), columns, product);
        };
        let (mut whole, mut parts) = (vec![f32::NAN; m * n], vec![f32::NAN; m * n]);
        compute(0..m, 0..n, &mut whole);
        for rows in [0..1, 1..8, 8..8, 8..31] {
            for columns in [0..nr, nr..nr, nr..3 * nr, 3 * nr..n] {
                compute(rows.clone(), columns, &mut parts);
            }
        }
        assert_same(&parts, &whole, kernel.identity().name);
    });
}

#[test]
#[should_panic(expected = "the weights are packed for another kernel")]
fn weights_of_another_layout_are_refused() {
    let plain = Plain::new(&mut Values::new(1), [32, 4]);
    let packed = plain.packed(Layout { nr: 2, kr: 2 });
    let rows = I8Rows::I8(
        Rows { values: &[0; 32], stride: 32 },
        Quantization { scale: 1.0, zero_point: 0 },
    );
    let mut got = [0.0; 4];
    let output = Output::F32 { values: &mut got, stride: 4 };
    let (weights, epilogue) = (packed.weights(false), Epilogue::default());
    run(Kernel::plain(), rows, 0..4, I4Product { rows: 1, weights: &weights, epilogue, output });
}

#[test]
#[should_panic(expected = "the weight [3, 1] is 8")]
fn a_weight_out_of_range_is_named() {
    let at = |k: usize, n: usize| if (k, n) == (3, 1) { 8 } else { 0 };
    pack_nibbles(Layout { nr: 2, kr: 4 }, 4, 2, at, &mut [0; 32]);
}
