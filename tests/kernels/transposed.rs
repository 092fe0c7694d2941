//! Transposed convolution on every version of the multiply, against direct loops over unpacked filters.

mod harness;

use half::f16;
use harness::{Guarded, Values, assert_near, assert_same, every_kernel};
use kernels::gemm::{
    Element, Epilogue, GemmRow, I8Rows, Output, Precision, Quantization, Residual, Rows,
    finish_plainly, quantize,
};
use kernels::kernel::{Kernel, Row};
use kernels::math::Activation;
use kernels::transposed::{
    Transposed, TransposedFilters, TransposedGeometry, pack_transposed, transposed_sums,
};
use std::ops::Range;

fn geometries() -> Vec<TransposedGeometry> {
    let new = |[batch, height, width, channels]: [usize; 4], channels_out, kernel| {
        TransposedGeometry { batch, height, width, channels, channels_out, kernel }
    };
    vec![
        new([1, 1, 1, 1], 1, [2, 2]),
        new([2, 3, 5, 7], 11, [2, 2]),
        new([1, 4, 13, 33], 16, [2, 2]),
        new([1, 2, 17, 8], 25, [3, 1]),
        new([2, 1, 3, 20], 3, [1, 4]),
    ]
}

/// `Σ product(input index, filter index)` for each output value; filters are `[ky][kx][channels][channels_out]`.
fn direct<S: Default + Clone + std::ops::AddAssign>(
    geometry: &TransposedGeometry,
    product: impl Fn(usize, usize) -> S,
) -> Vec<S> {
    let TransposedGeometry { batch, height, width, channels, channels_out: n, kernel } = *geometry;
    let mut sums = vec![S::default(); geometry.pixels(batch * height) * n];
    for (index, sum) in sums.iter_mut().enumerate() {
        let (column, pixel) = (index % n, index / n);
        let (x, y) = (pixel % (width * kernel[1]), pixel / (width * kernel[1]));
        let tap = y % kernel[0] * kernel[1] + x % kernel[1];
        let from = y / kernel[0] * width + x / kernel[1];
        for c in 0..channels {
            *sum += product(from * channels + c, (tap * channels + c) * n + column);
        }
    }
    sums
}

fn inputs(geometry: &TransposedGeometry) -> usize {
    geometry.batch * geometry.height * geometry.width * geometry.channels
}

fn weights(geometry: &TransposedGeometry) -> usize {
    geometry.taps() * geometry.channels * geometry.channels_out
}

fn packed<E: Element>(
    kernel: Kernel<GemmRow<E>>,
    geometry: &TransposedGeometry,
    filters: &[E],
) -> Vec<E>
where
    GemmRow<E>: Row,
{
    let layout = kernel.layout();
    let mut panels = vec![E::default(); TransposedFilters::<E>::packed_length(geometry, layout)];
    let at = |ky: usize, kx: usize, c: usize, n: usize| {
        let tap = ky * geometry.kernel[1] + kx;
        filters[(tap * geometry.channels + c) * geometry.channels_out + n]
    };
    pack_transposed(geometry, layout, at, &mut panels);
    panels
}

#[test]
fn int8_is_exact_from_every_type_in_any_ranges_to_spread_pixels() {
    every_kernel::<GemmRow<i8>>(|kernel| {
        for geometry in geometries() {
            let case = format!("{} at {geometry:?}", kernel.identity().name);
            let mut values = Values::new(47);
            let (n, channels) = (geometry.channels_out, geometry.channels);
            let rows = geometry.batch * geometry.height;
            let pixels = geometry.pixels(rows);
            let (a, b) = (values.f16(inputs(&geometry)), values.i8(weights(&geometry)));
            let floats = harness::widened(&a);
            let quantization = Quantization { scale: 0.009, zero_point: 21 };
            let bytes: Vec<i8> = floats
                .iter()
                .map(|&value| quantize(value, 1.0 / quantization.scale, quantization.zero_point))
                .collect();
            let product = |at: usize, filter: usize| {
                (i32::from(bytes[at]) - quantization.zero_point) * i32::from(b[filter])
            };
            let exact = direct(&geometry, product);
            let (scales, bias, stride) = (values.f32(n), values.f32(n), n + 2);
            let residual = values.f32(pixels * stride);
            let epilogue = Epilogue {
                scales: Some(&scales),
                bias: Some(&bias),
                residual: Some(Residual::F32 { values: &residual, stride }),
                activation: Activation::Silu,
            };
            let mut expected = vec![99; pixels * stride];
            finish_plainly(
                [pixels, n],
                |row, column| exact[row * n + column] as f32,
                |_| quantization.scale,
                &epilogue,
                &mut Output::I8 { values: &mut expected, stride, scale: 0.02, zero_point: -4 },
            );
            let panels = packed(kernel, &geometry, &b);
            let layout = kernel.layout();
            let mut sums = vec![0; TransposedFilters::<i8>::sums_length(&geometry, layout)];
            transposed_sums(&geometry, layout, &panels, &mut sums);
            let filters = TransposedFilters::new(&geometry, layout, &panels, &sums);
            let mut scratch = vec![0xa5; kernel.transposed_scratch_bytes(&filters)];
            let tensor = Precision::Tensor(quantization);
            for input in [
                I8Rows::I8(Rows { values: &bytes, stride: channels }, quantization),
                I8Rows::F16(Rows { values: &a, stride: channels }, tensor),
                I8Rows::F32(Rows { values: &floats, stride: channels }, tensor),
            ] {
                for ranges in [std::slice::from_ref(&(0..rows)), &[0..rows / 2, rows / 2..rows]] {
                    let mut got = Guarded::new(pixels * stride, 99, 1);
                    for range in ranges {
                        let start = geometry.pixels(range.start) * stride;
                        let end = geometry.pixels(range.end) * stride;
                        let residual = Some(Residual::F32 { values: &residual[start..], stride });
                        let output = Output::I8 {
                            values: &mut got.slice()[start..end],
                            stride,
                            scale: 0.02,
                            zero_point: -4,
                        };
                        let epilogue = Epilogue { residual, ..epilogue };
                        let what =
                            Transposed { filters: &filters, rows: range.clone(), epilogue, output };
                        kernel.convolve_transposed(input, what, &mut scratch);
                    }
                    assert_same(got.values(), &expected, &case);
                    got.check(&case);
                }
            }
        }
    });
}

#[test]
fn pixels_with_steps_of_their_own_give_the_bits_of_the_plain_loops() {
    every_kernel::<GemmRow<i8>>(|kernel| {
        for geometry in geometries() {
            let case = format!("{} at {geometry:?}", kernel.identity().name);
            let mut values = Values::new(49);
            let (n, [height, width]) = (geometry.channels_out, geometry.kernel);
            let rows = geometry.batch * geometry.height;
            let pixels = geometry.pixels(rows);
            let (a, b) = (values.i8(inputs(&geometry)), values.i8(weights(&geometry)));
            let steps = values.f32(rows * geometry.width);
            let exact = direct(&geometry, |at, filter| i32::from(a[at]) * i32::from(b[filter]));
            let line = geometry.width * width;
            let source =
                |pixel: usize| pixel / line / height * geometry.width + pixel % line / width;
            let mut expected = vec![f32::NAN; pixels * n];
            finish_plainly(
                [pixels, n],
                |row, column| exact[row * n + column] as f32,
                |row| steps[source(row)],
                &Epilogue::default(),
                &mut Output::F32 { values: &mut expected, stride: n },
            );
            let panels = packed(kernel, &geometry, &b);
            let mut sums =
                vec![0; TransposedFilters::<i8>::sums_length(&geometry, kernel.layout())];
            transposed_sums(&geometry, kernel.layout(), &panels, &mut sums);
            let filters = TransposedFilters::new(&geometry, kernel.layout(), &panels, &sums);
            let mut scratch = vec![0xa5; kernel.transposed_scratch_bytes(&filters)];
            let input = I8Rows::I8PerRow(Rows { values: &a, stride: geometry.channels }, &steps);
            let mut got = Guarded::new(pixels * n, f32::NAN, 1);
            for range in [0..rows / 2, rows / 2..rows] {
                let part = geometry.pixels(range.start) * n..geometry.pixels(range.end) * n;
                let output = Output::F32 { values: &mut got.slice()[part], stride: n };
                let epilogue = Epilogue::default();
                let what = Transposed { filters: &filters, rows: range, epilogue, output };
                kernel.convolve_transposed(input, what, &mut scratch);
            }
            assert_same(got.values(), &expected, &case);
            got.check(&case);
        }
    });
}

fn floats<E: Element>(
    random: impl Fn(&mut Values, usize) -> Vec<E>,
    wide: impl Fn(&E) -> f64,
    bound: impl Fn(usize) -> f32,
    convolve: impl Fn(Kernel<GemmRow<E>>, Rows<E>, Transposed<E>, &mut [u8]),
) where
    GemmRow<E>: Row,
{
    every_kernel::<GemmRow<E>>(|kernel| {
        for geometry in geometries() {
            let case = format!("{} at {geometry:?}", kernel.identity().name);
            let mut values = Values::new(53);
            let (n, rows) = (geometry.channels_out, geometry.batch * geometry.height);
            let a = random(&mut values, inputs(&geometry));
            let b = random(&mut values, weights(&geometry));
            let exact = direct(&geometry, |at, filter| wide(&a[at]) * wide(&b[filter]));
            let sizes = direct(&geometry, |at, filter| (wide(&a[at]) * wide(&b[filter])).abs());
            let expected: Vec<f32> = exact.iter().map(|&sum| sum as f32).collect();
            let panels = packed(kernel, &geometry, &b);
            let filters = TransposedFilters::new(&geometry, kernel.layout(), &panels, &[]);
            let mut scratch = vec![0xa5; kernel.transposed_scratch_bytes(&filters)];
            let mut run = |ranges: &[Range<usize>]| {
                let mut got = Guarded::new(exact.len(), f32::NAN, 1);
                for range in ranges {
                    let part = geometry.pixels(range.start) * n..geometry.pixels(range.end) * n;
                    let output = Output::F32 { values: &mut got.slice()[part], stride: n };
                    let epilogue = Epilogue::default();
                    let what =
                        Transposed { filters: &filters, rows: range.clone(), epilogue, output };
                    let input = Rows { values: &a[..], stride: geometry.channels };
                    convolve(kernel, input, what, &mut scratch);
                }
                got.check(&case);
                got.values().to_vec()
            };
            let whole = run(std::slice::from_ref(&(0..rows)));
            let bound = bound(geometry.channels);
            assert_near(&whole, &expected, |at| bound * sizes[at] as f32 + 1e-6, &case);
            assert_same(&run(&[0..rows / 2, rows / 2..rows]), &whole, &case);
        }
    });
}

#[test]
fn f32_is_within_its_bound() {
    floats(
        |values, count| values.f32(count),
        |&value| f64::from(value),
        |k| 2.0 * k as f32 * f32::EPSILON / 2.0,
        |kernel: Kernel<GemmRow<f32>>, input, what, scratch| {
            kernel.convolve_transposed(input, what, scratch);
        },
    );
}

#[test]
fn f16_is_within_its_bound() {
    floats(
        |values, count| values.f16(count),
        |value: &f16| value.to_f64(),
        |k| 2.0 * (k as f32).sqrt() * 2.0_f32.powi(-11),
        |kernel: Kernel<GemmRow<f16>>, input, what, scratch| {
            kernel.convolve_transposed(input, what, scratch);
        },
    );
}

#[test]
#[should_panic(expected = "output: 8 rows need 16 values, found 15")]
fn a_short_output_is_refused() {
    let kernel = Kernel::<GemmRow<f32>>::plain();
    let [batch, height, width, channels] = [1, 2, 1, 3];
    let geometry =
        TransposedGeometry { batch, height, width, channels, channels_out: 2, kernel: [2, 2] };
    let panels = packed(kernel, &geometry, &[0.0; 24]);
    let filters = TransposedFilters::new(&geometry, kernel.layout(), &panels, &[]);
    let output = Output::F32 { values: &mut [0.0; 15], stride: 2 };
    let what = Transposed { filters: &filters, rows: 0..2, epilogue: Epilogue::default(), output };
    kernel.convolve_transposed(Rows { values: &[0.0; 6], stride: 3 }, what, &mut [0; 4096]);
}
