//! Convolution on every version of the multiply, against direct loops over unpacked filters.

mod harness;

use half::f16;
use harness::{Guarded, Values, assert_near, assert_same, every_kernel};
use kernels::convolution::{Convolution, Filters, Geometry, filter_sums, pack_filters};
use kernels::gemm::{
    Element, Epilogue, F16_BLOCK, GemmRow, I8Rows, Output, Precision, Quantization, Residual, Rows,
    finish_plainly, quantize,
};
use kernels::kernel::{Kernel, Row};
use kernels::math::Activation;
use std::ops::Range;

/// Paddings of every side, strides, dilations, groups down to one channel, batches, enlarged inputs, primes, images of one pixel,
/// kernels larger than the image, few and many channels.
fn geometries() -> Vec<Geometry> {
    let new = Geometry::new;
    vec![
        new([1, 1, 1, 1], 1, 1),
        new([2, 3, 5, 7], 11, 1),
        Geometry { groups: 3, ..new([1, 4, 5, 9], 6, 1) },
        Geometry { stride: [2, 3], ..new([2, 5, 7, 20], 5, 1) },
        Geometry { padding: [1; 4], ..new([1, 1, 1, 5], 3, 3) },
        Geometry { padding: [1; 4], ..new([2, 7, 6, 17], 13, 3) },
        Geometry { padding: [0, 0, 1, 1], stride: [2; 2], ..new([1, 8, 10, 3], 24, 3) },
        Geometry { padding: [2, 1, 0, 3], ..new([2, 5, 4, 4], 9, 3) },
        Geometry { padding: [1; 4], stride: [2; 2], ..new([1, 9, 11, 33], 17, 3) },
        Geometry { padding: [2; 4], dilation: [2; 2], ..new([1, 6, 7, 19], 8, 3) },
        Geometry { padding: [3, 0, 3, 0], dilation: [3, 2], ..new([1, 7, 9, 2], 5, 3) },
        Geometry { padding: [1; 4], groups: 2, ..new([1, 5, 5, 34], 10, 3) },
        Geometry { padding: [1; 4], groups: 6, ..new([1, 4, 5, 6], 6, 3) },
        Geometry { padding: [1; 4], upsample: 2, ..new([2, 3, 4, 18], 7, 3) },
        Geometry { padding: [0, 1, 1, 0], upsample: 2, stride: [2; 2], ..new([1, 5, 3, 4], 3, 3) },
        Geometry { padding: [4; 4], ..new([1, 2, 3, 16], 4, 7) },
        Geometry { padding: [7; 4], stride: [4; 2], ..new([1, 2, 2, 3], 4, 3) },
        Geometry { kernel: [1, 5], padding: [0, 2, 0, 2], ..new([1, 3, 7, 12], 5, 1) },
        Geometry { kernel: [4, 2], stride: [1, 2], ..new([2, 6, 6, 5], 3, 1) },
    ]
}

/// `Σ product(input index, filter index)` for each output value; filters are `[channels_out][ky][kx][channels / groups]`.
fn direct<S: Default + Clone + std::ops::AddAssign>(
    geometry: &Geometry,
    product: impl Fn(usize, usize) -> S,
) -> Vec<S> {
    let Geometry { batch, height, width, channels, channels_out, kernel, .. } = *geometry;
    let (depth, upsample) = (channels / geometry.groups, geometry.upsample);
    let (out_height, out_width) = (geometry.out_height(), geometry.out_width());
    let mut sums = vec![S::default(); batch * out_height * out_width * channels_out];
    for (index, sum) in sums.iter_mut().enumerate() {
        let (n, pixel) = (index % channels_out, index / channels_out);
        let (ox, oy, image) =
            (pixel % out_width, pixel / out_width % out_height, pixel / out_width / out_height);
        let group = n / (channels_out / geometry.groups);
        for tap in 0..kernel[0] * kernel[1] {
            let (ky, kx) = (tap / kernel[1], tap % kernel[1]);
            let y = (oy * geometry.stride[0] + ky * geometry.dilation[0])
                .wrapping_sub(geometry.padding[0]);
            let x = (ox * geometry.stride[1] + kx * geometry.dilation[1])
                .wrapping_sub(geometry.padding[1]);
            if y >= height * upsample || x >= width * upsample {
                continue;
            }
            let pixel = (image * height + y / upsample) * width + x / upsample;
            for c in 0..depth {
                let filter = (n * kernel[0] * kernel[1] + tap) * depth + c;
                *sum += product(pixel * channels + group * depth + c, filter);
            }
        }
    }
    sums
}

fn inputs(geometry: &Geometry) -> usize {
    geometry.batch * geometry.height * geometry.width * geometry.channels
}

fn weights(geometry: &Geometry) -> usize {
    geometry.channels_out * geometry.taps() * geometry.depth()
}

fn packed<E: Element>(kernel: Kernel<GemmRow<E>>, geometry: &Geometry, filters: &[E]) -> Vec<E>
where
    GemmRow<E>: Row,
{
    let layout = kernel.layout();
    let mut panels = vec![E::default(); Filters::<E>::packed_length(geometry, layout)];
    let [height, width] = geometry.kernel;
    let at = |n: usize, ky: usize, kx: usize, c: usize| {
        filters[((n * height + ky) * width + kx) * geometry.depth() + c]
    };
    pack_filters(geometry, layout, at, &mut panels);
    panels
}

fn sums(kernel: Kernel<GemmRow<i8>>, geometry: &Geometry, panels: &[i8]) -> Vec<i32> {
    let mut sums = vec![0; Filters::<i8>::sums_length(geometry, kernel.layout())];
    filter_sums(geometry, kernel.layout(), panels, &mut sums);
    sums
}

/// Convolves int8 filters over the ranges in turn, to f32.
fn convolve_i8(
    kernel: Kernel<GemmRow<i8>>,
    geometry: &Geometry,
    input: I8Rows,
    filters: &[i8],
    epilogue: &Epilogue,
    ranges: &[Range<usize>],
) -> Guarded<f32> {
    let panels = packed(kernel, geometry, filters);
    let sums = sums(kernel, geometry, &panels);
    let filters = Filters::new(geometry, kernel.layout(), &panels, &sums);
    let n = geometry.channels_out;
    let mut got = Guarded::new(geometry.pixels() * n, f32::NAN, 1);
    for pixels in ranges {
        let mut epilogue = *epilogue;
        if let Some(Residual::F32 { values, .. }) = &mut epilogue.residual {
            *values = &values[pixels.start * n..];
        }
        let values = &mut got.slice()[pixels.start * n..pixels.end * n];
        let output = Output::F32 { values, stride: n };
        // Poisoned: a version that reads what it did not write shows it.
        let mut scratch = vec![0xa5; kernel.convolution_scratch_bytes(geometry, &filters, pixels)];
        let convolution =
            Convolution { geometry, filters: &filters, pixels: pixels.clone(), epilogue, output };
        kernel.convolve(input, convolution, &mut scratch);
    }
    got
}

#[test]
fn int8_sums_are_exact_and_what_lies_outside_is_the_zero_point() {
    every_kernel::<GemmRow<i8>>(|kernel| {
        for geometry in geometries() {
            let case = format!("{} at {geometry:?}", kernel.identity().name);
            let mut values = Values::new(17);
            let (a, b) = (values.i8(inputs(&geometry)), values.i8(weights(&geometry)));
            let zero_point = values.below(256) as i32 - 128;
            let product =
                |at: usize, filter: usize| (i32::from(a[at]) - zero_point) * i32::from(b[filter]);
            let exact: Vec<f32> =
                direct(&geometry, product).into_iter().map(|sum| sum as f32).collect();
            let stride = geometry.channels + 3;
            let spread: Vec<i8> = a
                .chunks(geometry.channels)
                .flat_map(|pixel| pixel.iter().copied().chain([99; 3]))
                .collect();
            let whole = 0..geometry.pixels();
            for (values, stride) in [(&a, geometry.channels), (&spread, stride)] {
                let input = Guarded::holding(values, 99, 1);
                let input = I8Rows::I8(
                    Rows { values: input.values(), stride },
                    Quantization { scale: 1.0, zero_point },
                );
                let ranges = std::slice::from_ref(&whole);
                let got = convolve_i8(kernel, &geometry, input, &b, &Epilogue::default(), ranges);
                assert_same(got.values(), &exact, &case);
                got.check(&case);
            }
        }
    });
}

#[test]
fn images_quantized_on_the_way_equal_images_quantized_before_in_any_ranges() {
    every_kernel::<GemmRow<i8>>(|kernel| {
        for geometry in geometries() {
            let case = format!("{} at {geometry:?}", kernel.identity().name);
            let mut values = Values::new(19);
            let (mut a, b) = (values.f16(inputs(&geometry)), values.i8(weights(&geometry)));
            let n = geometry.channels_out;
            a[0] = f16::NEG_INFINITY;
            let floats = harness::widened(&a);
            let quantization = Quantization { scale: 0.011, zero_point: -9 };
            let bytes: Vec<i8> = floats
                .iter()
                .map(|&value| quantize(value, 1.0 / quantization.scale, quantization.zero_point))
                .collect();
            let (scales, bias) = (values.f32(n), values.f32(n));
            let residual = values.f32(geometry.pixels() * n);
            let epilogue = Epilogue {
                scales: Some(&scales),
                bias: Some(&bias),
                residual: Some(Residual::F32 { values: &residual, stride: n }),
                activation: Activation::HardSwish,
            };
            let product = |at: usize, filter: usize| {
                (i32::from(bytes[at]) - quantization.zero_point) * i32::from(b[filter])
            };
            let exact = direct(&geometry, product);
            let pixels = geometry.pixels();
            let mut expected = vec![0.0; pixels * n];
            finish_plainly(
                [pixels, n],
                |row, column| exact[row * n + column] as f32,
                |_| quantization.scale,
                &epilogue,
                &mut Output::F32 { values: &mut expected, stride: n },
            );
            let stride = geometry.channels;
            let (first, second) = (pixels / 5, pixels * 2 / 3);
            let parts = [0..first, first..first, first..second, second..pixels];
            let tensor = Precision::Tensor(quantization);
            for input in [
                I8Rows::I8(Rows { values: &bytes, stride }, quantization),
                I8Rows::F16(Rows { values: &a, stride }, tensor),
                I8Rows::F32(Rows { values: &floats, stride }, tensor),
            ] {
                for ranges in [std::slice::from_ref(&(0..pixels)), &parts] {
                    let got = convolve_i8(kernel, &geometry, input, &b, &epilogue, ranges);
                    assert_same(got.values(), &expected, &case);
                    got.check(&case);
                }
            }
        }
    });
}

#[test]
fn random_geometries_are_exact() {
    let mut values = Values::new(23);
    for _ in 0..40 {
        let mut pick = |limit: usize| values.below(limit);
        let groups = 1 + pick(3);
        let geometry = Geometry {
            kernel: [1 + pick(4), 1 + pick(4)],
            stride: [1 + pick(3), 1 + pick(3)],
            dilation: [1 + pick(3), 1 + pick(2)],
            padding: [pick(5), pick(5), pick(5), pick(5)],
            groups,
            upsample: 1 + pick(2),
            ..Geometry::new(
                [1 + pick(2), 1 + pick(8), 1 + pick(8), groups * (1 + pick(9))],
                groups * (1 + pick(7)),
                1,
            )
        };
        let (a, b) = (values.i8(inputs(&geometry)), values.i8(weights(&geometry)));
        let zero_point = values.below(256) as i32 - 128;
        let product =
            |at: usize, filter: usize| (i32::from(a[at]) - zero_point) * i32::from(b[filter]);
        let exact: Vec<f32> =
            direct(&geometry, product).into_iter().map(|sum| sum as f32).collect();
        let cut = values.below(geometry.pixels() + 1);
        every_kernel::<GemmRow<i8>>(|kernel| {
            let input = I8Rows::I8(
                Rows { values: &a, stride: geometry.channels },
                Quantization { scale: 1.0, zero_point },
            );
            let ranges = [0..cut, cut..geometry.pixels()];
            let got = convolve_i8(kernel, &geometry, input, &b, &Epilogue::default(), &ranges);
            let case = format!("{} at {geometry:?}", kernel.identity().name);
            assert_same(got.values(), &exact, &case);
        });
    }
}

fn same_type<E: Element>(
    random: impl Fn(&mut Values, usize) -> Vec<E>,
    wide: impl Fn(&E) -> f64,
    bound: impl Fn(usize) -> f32,
    convolve: impl Fn(Kernel<GemmRow<E>>, Rows<E>, Convolution<E>, &mut [u8]),
) where
    GemmRow<E>: Row,
{
    every_kernel::<GemmRow<E>>(|kernel| {
        for geometry in geometries() {
            let case = format!("{} at {geometry:?}", kernel.identity().name);
            let mut values = Values::new(29);
            let a = random(&mut values, inputs(&geometry));
            let b = random(&mut values, weights(&geometry));
            let (n, pixels) = (geometry.channels_out, geometry.pixels());
            let bias = values.f32(n);
            let exact = direct(&geometry, |at, filter| wide(&a[at]) * wide(&b[filter]));
            let sizes = direct(&geometry, |at, filter| (wide(&a[at]) * wide(&b[filter])).abs());
            let expected: Vec<f32> = exact
                .iter()
                .enumerate()
                .map(|(index, sum)| (sum + f64::from(bias[index % n])) as f32)
                .collect();
            let panels = packed(kernel, &geometry, &b);
            let filters = Filters::new(&geometry, kernel.layout(), &panels, &[]);
            let input = Guarded::holding(&a, E::default(), 1);
            let run = |ranges: &[Range<usize>]| {
                let mut got = Guarded::new(pixels * n, f32::NAN, 1);
                for range in ranges {
                    let values = &mut got.slice()[range.start * n..range.end * n];
                    let convolution = Convolution {
                        geometry: &geometry,
                        filters: &filters,
                        pixels: range.clone(),
                        epilogue: Epilogue { bias: Some(&bias), ..Epilogue::default() },
                        output: Output::F32 { values, stride: n },
                    };
                    let length = kernel.convolution_scratch_bytes(&geometry, &filters, range);
                    let rows = Rows { values: input.values(), stride: geometry.channels };
                    convolve(kernel, rows, convolution, &mut vec![0xa5; length]);
                }
                got.check(&case);
                got.values().to_vec()
            };
            let whole = run(std::slice::from_ref(&(0..pixels)));
            let k = geometry.taps() * geometry.depth();
            assert_near(&whole, &expected, |at| bound(k) * sizes[at] as f32 + 1e-6, &case);
            assert_same(&run(&[0..pixels / 3, pixels / 3..pixels]), &whole, &case);
        }
    });
}

#[test]
fn f32_is_within_its_bound_in_any_ranges() {
    same_type(
        |values, count| values.f32(count),
        |&value| f64::from(value),
        |k| 2.0 * k as f32 * f32::EPSILON / 2.0,
        |kernel: Kernel<GemmRow<f32>>, input, convolution, scratch| {
            kernel.convolve(input, convolution, scratch);
        },
    );
}

#[test]
fn f16_is_within_its_bound_in_any_ranges() {
    same_type(
        |values, count| values.f16(count),
        |value| value.to_f64(),
        |k| 2.0 * (k.min(F16_BLOCK) as f32).sqrt() * 2.0_f32.powi(-11),
        |kernel: Kernel<GemmRow<f16>>, input, convolution, scratch| {
            kernel.convolve(input, convolution, scratch);
        },
    );
}

#[test]
fn an_infinity_reaches_only_the_pixels_that_see_it() {
    every_kernel::<GemmRow<f32>>(|kernel| {
        let geometry = Geometry { padding: [1; 4], ..Geometry::new([1, 5, 5, 6], 2, 3) };
        let mut a = vec![1.0; inputs(&geometry)];
        a[12 * 6] = f32::INFINITY;
        let panels = packed(kernel, &geometry, &vec![1.0; weights(&geometry)]);
        let filters = Filters::new(&geometry, kernel.layout(), &panels, &[]);
        let mut got = vec![f32::NAN; 25 * 2];
        let mut scratch = vec![0; kernel.convolution_scratch_bytes(&geometry, &filters, &(0..25))];
        let convolution = Convolution {
            geometry: &geometry,
            filters: &filters,
            pixels: 0..25,
            epilogue: Epilogue::default(),
            output: Output::F32 { values: &mut got, stride: 2 },
        };
        kernel.convolve(Rows { values: &a, stride: 6 }, convolution, &mut scratch);
        for (index, value) in got.iter().enumerate() {
            let (x, y) = (index / 2 % 5, index / 10);
            let sees = (1..4).contains(&x) && (1..4).contains(&y);
            assert_eq!(value.is_infinite(), sees, "{} at {x}, {y}", kernel.identity().name);
        }
    });
}

#[test]
#[should_panic(expected = "9 rows need 18 values, found 17")]
fn a_short_image_is_refused() {
    let kernel = Kernel::<GemmRow<f32>>::plain();
    let geometry = Geometry::new([1, 3, 3, 2], 1, 3);
    let panels = packed(kernel, &geometry, &[0.0; 18]);
    let filters = Filters::new(&geometry, kernel.layout(), &panels, &[]);
    let convolution = Convolution {
        geometry: &geometry,
        filters: &filters,
        pixels: 0..1,
        epilogue: Epilogue::default(),
        output: Output::F32 { values: &mut [0.0], stride: 1 },
    };
    kernel.convolve(Rows { values: &[0.0; 17], stride: 2 }, convolution, &mut [0; 4096]);
}

#[test]
fn pixels_with_steps_of_their_own_give_the_bits_of_the_plain_loops() {
    every_kernel::<GemmRow<i8>>(|kernel| {
        for (channels, groups) in [(7, 1), (64, 1), (24, 3)] {
            let geometry = Geometry { groups, ..Geometry::new([2, 5, 3, channels], 9 * groups, 1) };
            let case = format!("{} at {geometry:?}", kernel.identity().name);
            let mut values = Values::new(23);
            let (a, b) = (values.i8(inputs(&geometry)), values.i8(weights(&geometry)));
            let (n, pixels) = (geometry.channels_out, geometry.pixels());
            let steps: Vec<f32> = values.f32(pixels).iter().map(|step| step.abs() + 0.01).collect();
            let exact = direct(&geometry, |at, filter| i32::from(a[at]) * i32::from(b[filter]));
            let scales = values.f32(n);
            let epilogue = Epilogue { scales: Some(&scales), ..Epilogue::default() };
            let mut expected = vec![0.0; pixels * n];
            finish_plainly(
                [pixels, n],
                |row, column| exact[row * n + column] as f32,
                |row| steps[row],
                &epilogue,
                &mut Output::F32 { values: &mut expected, stride: n },
            );
            let input = I8Rows::I8PerRow(Rows { values: &a, stride: channels }, &steps);
            for ranges in [std::slice::from_ref(&(0..pixels)), &[0..7, 7..7, 7..pixels]] {
                let got = convolve_i8(kernel, &geometry, input, &b, &epilogue, ranges);
                assert_same(got.values(), &expected, &case);
                got.check(&case);
            }
        }
    });
}

#[test]
#[should_panic(expected = "a scale for each pixel")]
fn steps_of_pixels_are_refused_where_taps_share_pixels() {
    let kernel = Kernel::<GemmRow<i8>>::plain();
    let geometry = Geometry::new([1, 3, 3, 2], 1, 3);
    let input = I8Rows::I8PerRow(Rows { values: &[0; 18], stride: 2 }, &[1.0; 9]);
    let ranges = std::slice::from_ref(&(0..1));
    convolve_i8(kernel, &geometry, input, &[0; 18], &Epilogue::default(), ranges);
}

#[test]
#[should_panic(expected = "a scale for each pixel")]
fn a_scale_for_each_pixel_is_refused_where_taps_share_pixels() {
    let kernel = Kernel::<GemmRow<i8>>::plain();
    let geometry = Geometry::new([1, 3, 3, 2], 1, 3);
    let input = I8Rows::F32(Rows { values: &[0.0; 18], stride: 2 }, Precision::Row);
    let ranges = std::slice::from_ref(&(0..1));
    convolve_i8(kernel, &geometry, input, &[0; 18], &Epilogue::default(), ranges);
}
