//! Every version of the depthwise convolution against direct loops.

mod harness;

use half::f16;
use harness::{Guarded, Values, assert_near, assert_same, every_kernel};
use kernels::convolution::Geometry;
use kernels::depthwise::{Depthwise, DepthwiseRow};
use kernels::gemm::{Element, Epilogue, Output, Quantization, Residual, Rows, finish_plainly};
use kernels::kernel::{Kernel, Row};
use kernels::math::Activation;
use std::ops::Range;

const UNIT: Quantization = Quantization { scale: 1.0, zero_point: 0 };

/// The kernels and strides that versions know, and others; every border; channels and widths around a register and a tile; images of one pixel.
fn geometries() -> Vec<Geometry> {
    let new = Geometry::depthwise;
    let mut all = vec![
        Geometry { padding: [1; 4], dilation: [2; 2], ..new([1, 7, 6, 9], 3) },
        Geometry { padding: [2, 0, 1, 3], stride: [1, 2], ..new([1, 6, 9, 12], 3) },
        Geometry { padding: [3; 4], ..new([1, 5, 4, 19], 7) },
        Geometry { kernel: [1, 4], ..new([2, 3, 9, 8], 1) },
        Geometry { kernel: [6, 5], padding: [3; 4], dilation: [2, 1], ..new([1, 7, 5, 37], 1) },
        new([1, 4, 3, 16], 1),
    ];
    for (kernel, stride) in [(3, 1), (3, 2), (5, 1), (5, 2)] {
        let stride = [stride; 2];
        for (size, channels) in [
            ([1, 1, 1], 8),
            ([1, 3, 2], 1),
            ([2, 5, 7], 7),
            ([1, 6, 10], 16),
            ([1, 4, 13], 21),
            ([1, 11, 5], 4),
        ] {
            let [batch, height, width] = size;
            for padding in [[kernel / 2; 4], [0, 1, 3, 2]] {
                all.push(Geometry {
                    stride,
                    padding,
                    ..new([batch, height, width, channels], kernel)
                });
            }
        }
    }
    all.retain(|geometry| geometry.pixels() > 0);
    all
}

/// `Σ product(input index, filter index)` for each output value.
fn direct<S: Default + Clone + std::ops::AddAssign>(
    geometry: &Geometry,
    product: impl Fn(usize, usize) -> S,
) -> Vec<S> {
    let Geometry { height, width, channels, kernel, stride, dilation, padding, .. } = *geometry;
    let (out_height, out_width) = (geometry.out_height(), geometry.out_width());
    let mut sums = vec![S::default(); geometry.pixels() * channels];
    for (index, sum) in sums.iter_mut().enumerate() {
        let (c, pixel) = (index % channels, index / channels);
        let image = pixel / out_width / out_height;
        let (oy, ox) = (pixel / out_width % out_height, pixel % out_width);
        for tap in 0..kernel[0] * kernel[1] {
            let y = (oy * stride[0] + tap / kernel[1] * dilation[0]).wrapping_sub(padding[0]);
            let x = (ox * stride[1] + tap % kernel[1] * dilation[1]).wrapping_sub(padding[1]);
            if y < height && x < width {
                let pixel = (image * height + y) * width + x;
                *sum += product(pixel * channels + c, tap * channels + c);
            }
        }
    }
    sums
}

fn inputs(geometry: &Geometry) -> usize {
    geometry.batch * geometry.height * geometry.width * geometry.channels
}

/// Where outputs go, and what is read as residuals: for `Output` and `Residual` of each type alike.
fn run<E: Element>(
    kernel: Kernel<DepthwiseRow<E>>,
    geometry: &Geometry,
    (input, quantization): (Rows<E>, Quantization),
    filters: &[E],
    (pixels, epilogue, output): (Range<usize>, Epilogue, Output),
) where
    DepthwiseRow<E>: Row,
{
    // Poisoned: a version that reads what it did not write shows it.
    let mut scratch = vec![0xa5; kernel.scratch_bytes(geometry)];
    let depthwise = Depthwise { geometry, input, quantization, filters, pixels, epilogue, output };
    kernel.run(depthwise, &mut scratch);
}

#[test]
fn int8_sums_are_exact_and_what_lies_outside_is_the_zero_point() {
    every_kernel::<DepthwiseRow<i8>>(|kernel| {
        for geometry in geometries() {
            let case = format!("{} at {geometry:?}", kernel.identity().name);
            let mut values = Values::new(31);
            let channels = geometry.channels;
            let a = values.i8(inputs(&geometry));
            let b = values.i8(geometry.taps() * channels);
            let zero_point = values.below(256) as i32 - 128;
            let product =
                |at: usize, filter: usize| (i32::from(a[at]) - zero_point) * i32::from(b[filter]);
            let exact: Vec<f32> =
                direct(&geometry, product).into_iter().map(|sum| sum as f32).collect();
            let spread: Vec<i8> =
                a.chunks(channels).flat_map(|pixel| pixel.iter().copied().chain([99; 3])).collect();
            let pixels = geometry.pixels();
            for (values, stride) in [(&a, channels), (&spread, channels + 3)] {
                let input = Guarded::holding(values, 99, 1);
                let input = Rows { values: input.values(), stride };
                let mut got = Guarded::new(pixels * channels, f32::NAN, 1);
                let output = Output::F32 { values: got.slice(), stride: channels };
                let quantization = Quantization { scale: 1.0, zero_point };
                let what = (0..pixels, Epilogue::default(), output);
                run(kernel, &geometry, (input, quantization), &b, what);
                assert_same(got.values(), &exact, &case);
                got.check(&case);
            }
        }
    });
}

#[test]
fn int8_sums_are_exact_at_the_extremes() {
    every_kernel::<DepthwiseRow<i8>>(|kernel| {
        for (a, b, zero_point) in [(-128, -128, 127), (127, -128, -128), (-128, -128, 0)] {
            let geometry = Geometry { padding: [2; 4], ..Geometry::depthwise([1, 6, 7, 24], 5) };
            let (a, b) = (vec![a; inputs(&geometry)], vec![b; 25 * 24]);
            let product =
                |at: usize, filter: usize| (i32::from(a[at]) - zero_point) * i32::from(b[filter]);
            let exact: Vec<f32> =
                direct(&geometry, product).into_iter().map(|sum| sum as f32).collect();
            let mut got = vec![f32::NAN; exact.len()];
            let input =
                (Rows { values: &a[..], stride: 24 }, Quantization { scale: 1.0, zero_point });
            let output = Output::F32 { values: &mut got, stride: 24 };
            run(kernel, &geometry, input, &b, (0..42, Epilogue::default(), output));
            assert_same(&got, &exact, kernel.identity().name);
        }
    });
}

/// All ways to finish, in registers and in memory; int8 sums, so that the results must be equal.
#[test]
fn every_epilogue_gives_the_bits_of_the_plain_one() {
    every_kernel::<DepthwiseRow<i8>>(|kernel| {
        for geometry in [
            Geometry { padding: [1; 4], ..Geometry::depthwise([1, 3, 7, 13], 3) },
            Geometry { padding: [2; 4], dilation: [2; 2], ..Geometry::depthwise([1, 4, 4, 11], 3) },
        ] {
            let mut values = Values::new(37);
            let (n, m) = (geometry.channels, geometry.pixels());
            let (a, b) = (values.i8(inputs(&geometry)), values.i8(9 * n));
            let quantization = Quantization { scale: 0.03, zero_point: -11 };
            let product = |at: usize, filter: usize| {
                (i32::from(a[at]) - quantization.zero_point) * i32::from(b[filter])
            };
            let sums = direct(&geometry, product);
            let sum = |row: usize, column: usize| sums[row * n + column] as f32;
            let (scales, bias) = (values.f32(n), values.f32(n));
            let stride = n + 2;
            let (halves, bytes) = (values.f16(m * stride), values.i8(m * stride));
            let input = (Rows { values: &a[..], stride: n }, quantization);
            for activation in Activation::ALL {
                for residual in [
                    None,
                    Some(Residual::F16 { values: &halves, stride }),
                    Some(Residual::I8 { values: &bytes, stride, scale: 0.2, zero_point: 5 }),
                ] {
                    for whole in [true, false] {
                        let epilogue = Epilogue {
                            scales: whole.then_some(&scales[..]),
                            bias: whole.then_some(&bias[..]),
                            residual,
                            activation,
                        };
                        let case = format!("{}, {epilogue:?}", kernel.identity().name);

                        let mut got = Guarded::new(m * stride, 99, 1);
                        let mut expected = vec![99; m * stride];
                        let output =
                            Output::I8 { values: got.slice(), stride, scale: 0.3, zero_point: 9 };
                        run(kernel, &geometry, input, &b, (0..m, epilogue, output));
                        let mut output =
                            Output::I8 { values: &mut expected, stride, scale: 0.3, zero_point: 9 };
                        finish_plainly([m, n], sum, |_| quantization.scale, &epilogue, &mut output);
                        assert_same(got.values(), &expected, &case);
                        got.check(&case);

                        let mut got = Guarded::new(m * n, f16::NAN, 1);
                        let mut expected = vec![f16::ZERO; m * n];
                        let output = Output::F16 { values: got.slice(), stride: n };
                        run(kernel, &geometry, input, &b, (0..m, epilogue, output));
                        let mut output = Output::F16 { values: &mut expected, stride: n };
                        finish_plainly([m, n], sum, |_| quantization.scale, &epilogue, &mut output);
                        assert_same(got.values(), &expected, &case);
                    }
                }
            }
        }
    });
}

#[test]
fn ranges_of_pixels_together_are_the_whole() {
    every_kernel::<DepthwiseRow<i8>>(|kernel| {
        for geometry in geometries() {
            let mut values = Values::new(41);
            let n = geometry.channels;
            let (a, b) = (values.i8(inputs(&geometry)), values.i8(geometry.taps() * n));
            let bias = values.f32(n);
            let pixels = geometry.pixels();
            let residual = values.f32(pixels * n);
            for activation in [Activation::Relu6, Activation::HardSwish] {
                let compute = |ranges: &[Range<usize>]| {
                    let mut got = vec![99; pixels * n];
                    for range in ranges {
                        let residual = match activation {
                            Activation::Relu6 => None,
                            _ => Some(Residual::F32 {
                                values: &residual[range.start * n..],
                                stride: n,
                            }),
                        };
                        let epilogue =
                            Epilogue { scales: None, bias: Some(&bias), residual, activation };
                        let values = &mut got[range.start * n..range.end * n];
                        let output = Output::I8 { values, stride: n, scale: 0.05, zero_point: -3 };
                        let input = Rows { values: &a[..], stride: n };
                        let quantization = Quantization { scale: 0.0004, zero_point: 20 };
                        let what = (range.clone(), epilogue, output);
                        run(kernel, &geometry, (input, quantization), &b, what);
                    }
                    got
                };
                let whole = compute(std::slice::from_ref(&(0..pixels)));
                let (first, second) = (pixels / 4, pixels * 4 / 5);
                let parts = compute(&[0..first, first..first, first..second, second..pixels]);
                assert_same(&parts, &whole, format!("{} at {geometry:?}", kernel.identity().name));
            }
        }
    });
}

fn floats<E: Element>(
    random: impl Fn(&mut Values, usize) -> Vec<E>,
    wide: impl Fn(&E) -> f64,
    unit: f32,
    output: impl for<'a> Fn(&'a mut [E], usize) -> Output<'a>,
) where
    DepthwiseRow<E>: Row,
{
    every_kernel::<DepthwiseRow<E>>(|kernel| {
        for geometry in geometries() {
            let mut values = Values::new(43);
            let (n, pixels) = (geometry.channels, geometry.pixels());
            let a = random(&mut values, inputs(&geometry));
            let b = random(&mut values, geometry.taps() * n);
            let bias = values.f32(n);
            let exact = direct(&geometry, |at, filter| wide(&a[at]) * wide(&b[filter]));
            let sizes = direct(&geometry, |at, filter| (wide(&a[at]) * wide(&b[filter])).abs());
            let input = Guarded::holding(&a, E::ZERO, 1);
            let rows = || (Rows { values: input.values(), stride: n }, UNIT);
            let bound = |at: usize| {
                (geometry.taps() + 2) as f32 * unit * (sizes[at] as f32 + bias[at % n].abs())
            };
            for activation in [Activation::None, Activation::Relu, Activation::Silu] {
                let case = format!("{}, {activation:?} at {geometry:?}", kernel.identity().name);
                let expected: Vec<f32> = exact
                    .iter()
                    .enumerate()
                    .map(|(at, sum)| activation.of((sum + f64::from(bias[at % n])) as f32))
                    .collect();
                let epilogue = Epilogue { bias: Some(&bias), activation, ..Epilogue::default() };

                let mut same = Guarded::new(pixels * n, random(&mut values, 1)[0], 1);
                let to = output(same.slice(), n);
                run(kernel, &geometry, rows(), &b, (0..pixels, epilogue, to));
                let got: Vec<f32> = same.values().iter().map(|value| wide(value) as f32).collect();
                // SiLU is no steeper than 1.1.
                assert_near(&got, &expected, |at| 1.1 * bound(at) + 1e-6, &case);
                same.check(&case);

                let mut cut = vec![E::ZERO; pixels * n];
                for range in [0..pixels / 3, pixels / 3..pixels] {
                    let to = output(&mut cut[range.start * n..range.end * n], n);
                    run(kernel, &geometry, rows(), &b, (range, epilogue, to));
                }
                assert_same(&cut, same.values(), &case);

                let mut got = Guarded::new(pixels * n, f32::NAN, 1);
                let to = Output::F32 { values: got.slice(), stride: n };
                run(kernel, &geometry, rows(), &b, (0..pixels, epilogue, to));
                assert_near(got.values(), &expected, |at| 1.1 * bound(at) + 1e-6, &case);
                got.check(&case);
            }
        }
    });
}

#[test]
fn f32_is_within_its_bound() {
    floats(
        |values, count| values.f32(count),
        |&value| f64::from(value),
        f32::EPSILON,
        |values, stride| Output::F32 { values, stride },
    );
}

#[test]
fn f16_is_within_its_bound() {
    floats(
        |values, count| values.f16(count),
        |value| value.to_f64(),
        2.0_f32.powi(-11),
        |values, stride| Output::F16 { values, stride },
    );
}

#[test]
fn nan_and_infinity_reach_only_the_pixels_that_see_them() {
    every_kernel::<DepthwiseRow<f16>>(|kernel| {
        for (special, activation) in [
            (f16::NAN, Activation::None),
            (f16::NAN, Activation::Relu6),
            (f16::INFINITY, Activation::None),
        ] {
            let n = 11;
            let geometry = Geometry { padding: [1; 4], ..Geometry::depthwise([1, 5, 5, n], 3) };
            let mut a = vec![f16::ONE; inputs(&geometry)];
            a[12 * n..13 * n].fill(special);
            let mut got = vec![f16::ZERO; 25 * n];
            let output = Output::F16 { values: &mut got, stride: n };
            let epilogue = Epilogue { activation, ..Epilogue::default() };
            let input = (Rows { values: &a[..], stride: n }, UNIT);
            run(kernel, &geometry, input, &vec![f16::ONE; 9 * n], (0..25, epilogue, output));
            for (index, value) in got.iter().enumerate() {
                let (x, y) = (index / n % 5, index / n / 5);
                let sees = (1..4).contains(&x) && (1..4).contains(&y);
                let case = format!("{} at {x}, {y}: {value}", kernel.identity().name);
                assert_eq!(value.is_finite(), !sees, "{case}");
                assert_eq!(value.is_nan(), sees && special.is_nan(), "{case}");
            }
        }
    });
}

#[test]
#[should_panic(expected = "as many groups and output channels as channels")]
fn a_convolution_with_fewer_groups_is_refused() {
    let geometry = Geometry::new([1, 3, 3, 2], 2, 3);
    let input = (Rows { values: &[0.0; 18][..], stride: 2 }, UNIT);
    let mut got = [0.0; 2];
    let output = Output::F32 { values: &mut got, stride: 2 };
    let kernel = Kernel::<DepthwiseRow<f32>>::plain();
    run(kernel, &geometry, input, &[0.0; 18], (0..1, Epilogue::default(), output));
}

#[test]
#[should_panic(expected = "9 rows need 18 values, found 17")]
fn a_short_image_is_refused() {
    let geometry = Geometry::depthwise([1, 3, 3, 2], 3);
    let input = (Rows { values: &[0.0; 17][..], stride: 2 }, UNIT);
    let mut got = [0.0; 2];
    let output = Output::F32 { values: &mut got, stride: 2 };
    let kernel = Kernel::<DepthwiseRow<f32>>::plain();
    run(kernel, &geometry, input, &[0.0; 18], (0..1, Epilogue::default(), output));
}
