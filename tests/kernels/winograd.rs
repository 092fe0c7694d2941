//! Every version of Winograd's convolution against the direct one.

mod harness;

use half::f16;
use harness::{Guarded, Values, assert_near, assert_same, every_kernel};
use kernels::features::Features;
use kernels::gemm::{Epilogue, Output, Residual, Rows, finish_plainly};
use kernels::kernel::{Kernel, Row};
use kernels::math::Activation;
use kernels::winograd::{
    self, Convolution, Layout, Shape, TILES, Value, Weights, WinogradRow, convolve_plainly, pick,
};

/// Operands of a type, and what they are as floats.
trait Drawn: Value {
    fn from(values: &[f32]) -> Vec<Self>;
    fn to(self) -> f32;
    fn output(values: &mut [Self], stride: usize) -> Output<'_>;
}

impl Drawn for f16 {
    fn from(values: &[f32]) -> Vec<Self> {
        values.iter().map(|&value| f16::from_f32(value)).collect()
    }
    fn to(self) -> f32 {
        self.to_f32()
    }
    fn output(values: &mut [Self], stride: usize) -> Output<'_> {
        Output::F16 { values, stride }
    }
}

impl Drawn for f32 {
    fn from(values: &[f32]) -> Vec<Self> {
        values.to_vec()
    }
    fn to(self) -> f32 {
        self
    }
    fn output(values: &mut [Self], stride: usize) -> Output<'_> {
        Output::F32 { values, stride }
    }
}

/// A convolution's operands, rounded to the type, and its exact sums.
struct Layer<E> {
    shape: Shape,
    input: Vec<E>,
    raw: Vec<f32>,
    sums: Vec<f64>,
}

impl<E: Drawn> Layer<E> {
    fn new(shape: Shape, input: &[f32], raw: &[f32]) -> Self {
        let (input, raw) = (E::from(input), E::from(raw));
        let wide = |values: &[E]| values.iter().map(|value| value.to()).collect::<Vec<_>>();
        let sums = convolve_plainly(&shape, &wide(&input), &wide(&raw));
        Self { shape, raw: wide(&raw), input, sums }
    }

    /// Inputs from N(0, 1), weights from N(0, 1/9c).
    fn normal(shape: Shape, seed: u64) -> Self {
        let mut values = Values::new(seed);
        let pixels = shape.batch * shape.height * shape.width * shape.channels_in;
        let taps = 9 * shape.channels_in * shape.channels_out;
        let size = 1.0 / (9.0 * shape.channels_in as f32).sqrt();
        let raw: Vec<f32> = normal(&mut values, taps).iter().map(|value| value * size).collect();
        Self::new(shape, &normal(&mut values, pixels), &raw)
    }

    fn pack(&self, kernel: Kernel<WinogradRow<E>>) -> Vec<E>
    where
        WinogradRow<E>: Row,
    {
        let Shape { channels_in, channels_out, .. } = self.shape;
        let mut panels =
            vec![E::default(); kernel.layout().packed_length(channels_in, channels_out)];
        let at = |u, v, k, n| self.raw[((u * 3 + v) * channels_in + k) * channels_out + n];
        kernel.pack(channels_in, channels_out, at, &mut panels);
        panels
    }

    fn pixels(&self) -> usize {
        self.shape.batch * self.shape.size_out().iter().product::<usize>()
    }

    /// What the sums become.
    fn expected(&self, epilogue: &Epilogue) -> Vec<f32> {
        let n = self.shape.channels_out;
        let mut values = vec![0.0; self.sums.len()];
        let sum = |row: usize, column: usize| self.sums[row * n + column] as f32;
        let mut output = Output::F32 { values: &mut values, stride: n };
        finish_plainly([self.pixels(), n], sum, |_| 1.0, epilogue, &mut output);
        values
    }

    fn run(
        &self,
        kernel: Kernel<WinogradRow<E>>,
        panels: &[E],
        epilogue: Epilogue,
        output: Output,
        tile_rows: std::ops::Range<usize>,
    ) where
        WinogradRow<E>: Row,
    {
        let Shape { channels_in, channels_out, .. } = self.shape;
        let convolution = Convolution {
            shape: self.shape,
            input: Rows { values: &self.input, stride: channels_in },
            weights: &Weights::new(panels, kernel.layout(), channels_in, channels_out),
            epilogue,
            output,
        };
        // Poisoned: a version that reads what it did not write shows it.
        let mut scratch = vec![0xff; kernel.scratch_bytes(&self.shape, tile_rows.len())];
        kernel.run(convolution, tile_rows, &mut scratch);
    }

    fn whole(&self, kernel: Kernel<WinogradRow<E>>, epilogue: Epilogue, output: Output)
    where
        WinogradRow<E>: Row,
    {
        let tile_rows = kernel.tile_rows(&self.shape);
        self.run(kernel, &self.pack(kernel), epilogue, output, 0..tile_rows);
    }
}

fn normal(values: &mut Values, count: usize) -> Vec<f32> {
    let (radius, angle) = (values.f32(count), values.f32(count));
    let wave = |(radius, angle): (&f32, &f32)| {
        // −1..1 to 0..1, without the 0.
        (-2.0 * (1.0 - (radius + 1.0) / 2.0).max(1e-7).ln()).sqrt()
            * (angle * std::f32::consts::PI).cos()
    };
    radius.iter().zip(&angle).map(wave).collect()
}

/// [batch, height, width, channels in, channels out], top, left, bottom, right: below, at and above the edges of tiles, panels and groups.
const SHAPES: [([usize; 5], [usize; 4]); 14] = [
    ([1, 1, 1, 1, 1], [1, 1, 1, 1]),
    ([1, 1, 2, 3, 2], [2, 2, 2, 2]),
    ([1, 3, 3, 5, 7], [0, 0, 0, 0]),
    ([2, 4, 6, 8, 16], [1, 1, 1, 1]),
    ([1, 6, 4, 16, 8], [1, 1, 1, 1]),
    ([1, 8, 8, 7, 9], [0, 0, 0, 0]),
    ([2, 5, 7, 17, 33], [0, 1, 2, 1]),
    ([1, 7, 5, 24, 31], [2, 0, 1, 0]),
    ([1, 13, 11, 32, 32], [1, 1, 1, 1]),
    ([3, 12, 12, 4, 48], [1, 1, 1, 1]),
    ([1, 13, 25, 12, 17], [1, 2, 0, 1]),
    ([1, 2, 31, 19, 16], [1, 1, 1, 1]),
    ([1, 12, 18, 131, 20], [1, 1, 1, 1]),
    ([1, 6, 12, 270, 16], [1, 1, 1, 1]),
];

fn shape(
    ([batch, height, width, channels_in, channels_out], padding): ([usize; 5], [usize; 4]),
) -> Shape {
    Shape { batch, height, width, channels_in, channels_out, padding }
}

/// Twice the greatest error that a version states, since few channels spread it more, and the output's own rounding.
fn bound<E: Drawn>(kernel: Kernel<WinogradRow<E>>) -> f32
where
    WinogradRow<E>: Row,
{
    2.0 * kernel.error().greatest + if size_of::<E>() == 2 { 0.004 } else { 1e-6 }
}

fn every_shape_is_near<E: Drawn>(poison: E)
where
    WinogradRow<E>: Row,
{
    for (seed, sizes) in SHAPES.into_iter().enumerate() {
        let layer = Layer::<E>::normal(shape(sizes), seed as u64);
        let bias = Values::new(3).f32(layer.shape.channels_out);
        let epilogue =
            Epilogue { bias: (seed % 2 == 0).then_some(&bias[..]), ..Epilogue::default() };
        let expected = layer.expected(&epilogue);
        every_kernel::<WinogradRow<E>>(|kernel| {
            let case = format!("{} at {:?}", kernel.identity().name, layer.shape);
            let stride = layer.shape.channels_out + 3;
            let mut got = Guarded::new(layer.pixels() * stride, poison, 1);
            layer.whole(kernel, epilogue, E::output(got.slice(), stride));
            let rows = got.values().chunks(stride);
            let values: Vec<f32> = rows
                .flat_map(|row| {
                    let (values, rest) = row.split_at(layer.shape.channels_out);
                    assert_eq!(
                        format!("{rest:?}"),
                        format!("{:?}", [poison; 3]),
                        "{case}: between rows"
                    );
                    values.iter().map(|value| value.to())
                })
                .collect();
            assert_near(&values, &expected, |_| bound(kernel), &case);
            got.check(&case);
        });
    }
}

#[test]
fn halves_are_near_the_direct_convolution_at_every_shape() {
    every_shape_is_near(f16::NAN);
}

#[test]
fn floats_are_near_the_direct_convolution_at_every_shape() {
    every_shape_is_near(f32::NAN);
}

fn measured<E: Drawn>()
where
    WinogradRow<E>: Row,
{
    let layer = Layer::<E>::normal(shape(([1, 12, 12, 320, 32], [1; 4])), 1);
    let deviation =
        (layer.sums.iter().map(|sum| sum * sum).sum::<f64>() / layer.sums.len() as f64).sqrt();
    every_kernel::<WinogradRow<E>>(|kernel| {
        let mut got = vec![0.0; layer.sums.len()];
        let stride = layer.shape.channels_out;
        layer.whole(kernel, Epilogue::default(), Output::F32 { values: &mut got, stride });
        let errors: Vec<f64> = got
            .iter()
            .zip(&layer.sums)
            .map(|(&got, sum)| (f64::from(got) - sum) / deviation)
            .collect();
        let mean =
            (errors.iter().map(|error| error * error).sum::<f64>() / errors.len() as f64).sqrt();
        let greatest = errors.iter().fold(0.0, |most: f64, error| most.max(error.abs()));
        let name = kernel.identity().name;
        println!("{name}: root mean square {mean:.2e}, greatest {greatest:.2e}");
        let stated = kernel.error();
        assert!(
            mean <= f64::from(stated.mean) && greatest <= f64::from(stated.greatest),
            "{name}: root mean square {mean:.2e}, greatest {greatest:.2e}, stated {stated:?}"
        );
    });
}

#[test]
fn the_error_is_what_the_documentation_states() {
    measured::<f16>();
    measured::<f32>();
}

fn parts_equal_the_whole<E: Drawn>(poison: E)
where
    WinogradRow<E>: Row,
{
    let layer = Layer::<E>::normal(shape(([2, 17, 13, 21, 34], [1, 1, 1, 1])), 5);
    let n = layer.shape.channels_out;
    let mut values = Values::new(6);
    let (bias, residual) = (values.f32(n), values.f32(layer.pixels() * n));
    every_kernel::<WinogradRow<E>>(|kernel| {
        for activation in [Activation::None, Activation::Silu] {
            let epilogue = |first: usize| Epilogue {
                bias: Some(&bias),
                residual: (activation != Activation::None)
                    .then_some(Residual::F32 { values: &residual[first * n..], stride: n }),
                activation,
                ..Epilogue::default()
            };
            let all = kernel.tile_rows(&layer.shape);
            let panels = layer.pack(kernel);
            let mut whole = vec![poison; layer.pixels() * n];
            layer.run(kernel, &panels, epilogue(0), E::output(&mut whole, n), 0..all);
            let mut parts = Vec::new();
            let mut start = 0;
            for length in (1..).map(|step| step % 3) {
                let range = start..all.min(start + length);
                start = range.end;
                let pixels = kernel.pixels(&layer.shape, range.clone());
                assert_eq!(pixels.start * n, parts.len());
                let mut part = Guarded::new(pixels.len() * n, poison, 1);
                layer.run(
                    kernel,
                    &panels,
                    epilogue(pixels.start),
                    E::output(part.slice(), n),
                    range,
                );
                part.check(kernel.identity().name);
                parts.extend_from_slice(part.values());
                if start == all {
                    break;
                }
            }
            assert_same(&parts, &whole, format!("{}, {activation:?}", kernel.identity().name));
        }
    });
}

#[test]
fn any_range_of_tile_rows_gives_the_bits_of_the_whole() {
    parts_equal_the_whole(f16::ZERO);
    parts_equal_the_whole(0.0_f32);
}

#[test]
fn every_epilogue_is_applied_to_the_same_sums() {
    let layer = Layer::<f32>::normal(shape(([1, 9, 14, 10, 37], [1; 4])), 7);
    let (n, count) = (layer.shape.channels_out, layer.sums.len());
    let mut values = Values::new(8);
    let (scales, bias) = (values.f32(n), values.f32(n));
    let (floats, halves, bytes) = (values.f32(count), values.f16(count), values.i8(count));
    let residuals = [
        None,
        Some(Residual::F32 { values: &floats, stride: n }),
        Some(Residual::F16 { values: &halves, stride: n }),
        Some(Residual::I8 { values: &bytes, stride: n, scale: 0.02, zero_point: -7 }),
    ];
    every_kernel::<WinogradRow<f32>>(|kernel| {
        let mut sums = vec![0.0; count];
        layer.whole(kernel, Epilogue::default(), Output::F32 { values: &mut sums, stride: n });
        for (index, activation) in Activation::ALL.into_iter().enumerate() {
            let epilogue = Epilogue {
                scales: (index % 3 == 0).then_some(&scales[..]),
                bias: (index % 2 == 0).then_some(&bias[..]),
                residual: residuals[index % 4],
                activation,
            };
            let case = format!("{}, {activation:?}", kernel.identity().name);
            let sum = |row: usize, column: usize| sums[row * n + column];
            let (mut got, mut expected) = (vec![f16::NAN; count], vec![f16::ZERO; count]);
            layer.whole(kernel, epilogue, Output::F16 { values: &mut got, stride: n });
            let mut output = Output::F16 { values: &mut expected, stride: n };
            finish_plainly([layer.pixels(), n], sum, |_| 1.0, &epilogue, &mut output);
            assert_same(&got, &expected, &case);
            let (mut got, mut expected) = (vec![99; count], vec![0; count]);
            let quantized = |values| Output::I8 { values, stride: n, scale: 0.03, zero_point: 4 };
            layer.whole(kernel, epilogue, quantized(&mut got));
            finish_plainly(
                [layer.pixels(), n],
                sum,
                |_| 1.0,
                &epilogue,
                &mut quantized(&mut expected),
            );
            assert_same(&got, &expected, &case);
        }
    });
}

#[test]
fn values_beyond_an_image_and_between_pixels_are_not_read() {
    every_kernel::<WinogradRow<f32>>(|kernel| {
        let layer = Layer::<f32>::normal(shape(([2, 8, 9, 5, 6], [1; 4])), 9);
        let mut expected = vec![0.0; layer.sums.len()];
        layer.whole(kernel, Epilogue::default(), Output::F32 { values: &mut expected, stride: 6 });
        // The same pixels, 11 values apart, NaN between them.
        let mut spread = vec![f32::NAN; 2 * 8 * 9 * 11];
        for (from, to) in layer.input.chunks(5).zip(spread.chunks_mut(11)) {
            to[..5].copy_from_slice(from);
        }
        let panels = layer.pack(kernel);
        let mut got = vec![f32::NAN; expected.len()];
        let convolution = Convolution {
            shape: layer.shape,
            input: Rows { values: &spread, stride: 11 },
            weights: &Weights::new(&panels, kernel.layout(), 5, 6),
            epilogue: Epilogue::default(),
            output: Output::F32 { values: &mut got, stride: 6 },
        };
        let rows = kernel.tile_rows(&layer.shape);
        kernel.run(convolution, 0..rows, &mut vec![0xff; kernel.scratch_bytes(&layer.shape, rows)]);
        assert_same(&got, &expected, kernel.identity().name);
    });
}

#[test]
fn what_is_not_finite_stays_within_its_tile_and_halves_at_the_limit_do_not_overflow() {
    every_kernel::<WinogradRow<f16>>(|kernel| {
        let sizes = shape(([1, 12, 24, 8, 16], [1; 4]));
        let greatest = match kernel.layout().tile.into_iter().max() {
            Some(2) => 4000.0,
            Some(4) => 2000.0,
            _ => 290.0,
        };
        let mut values = Values::new(10);
        let mut input: Vec<f32> =
            values.f32(12 * 24 * 8).iter().map(|value| value.signum() * greatest).collect();
        let raw: Vec<f32> = values.f32(9 * 8 * 16).iter().map(|value| value * 0.01).collect();
        let name = kernel.identity().name;
        let mut got = vec![f16::NAN; 12 * 24 * 16];
        let layer = Layer::<f16>::new(sizes, &input, &raw);
        layer.whole(kernel, Epilogue::default(), Output::F16 { values: &mut got, stride: 16 });
        assert!(got.iter().all(|value| value.is_finite()), "{name}: {greatest} overflows");
        input[0] = f32::NAN;
        let layer = Layer::<f16>::new(sizes, &input, &raw);
        layer.whole(kernel, Epilogue::default(), Output::F16 { values: &mut got, stride: 16 });
        assert!(got[0].is_nan(), "{name}: NaN is lost");
        let far = &got[(11 * 24 + 23) * 16..];
        assert!(far.iter().all(|value| value.is_finite()), "{name}: NaN leaves its tile");
    });
}

#[test]
fn the_pick_keeps_the_limit() {
    let features = Features::detect();
    let sizes = shape(([1, 32, 24, 320, 320], [1; 4]));
    for limit in [0.002, 0.005, 0.01, 0.02, 0.05] {
        let Some(kernel) = pick::<f16>(features, &sizes, limit) else {
            assert!(limit < 0.003);
            continue;
        };
        assert!(kernel.error().mean <= limit);
    }
    assert!(pick::<f32>(features, &sizes, 1e-5).is_some());
}

#[test]
fn weights_for_any_machine_are_those_of_one_lane_in_another_order() {
    let [channels_in, channels_out] = [11, 21];
    let weights = Values::new(31).f32(9 * channels_in * channels_out);
    let at = |u, v, k, n| weights[((u * 3 + v) * channels_in + k) * channels_out + n];
    for tile in TILES {
        let plain = Layout { tile, nr: 1, group: 1 };
        let mut expected = vec![f32::NAN; plain.packed_length(channels_in, channels_out)];
        winograd::pack(plain, channels_in, channels_out, at, &mut expected);
        for (nr, group) in [(8, 4), (16, 8), (32, 16)] {
            let layout = Layout { tile, nr, group };
            let mut packed = vec![f32::NAN; layout.packed_length(channels_in, channels_out)];
            winograd::pack(layout, channels_in, channels_out, at, &mut packed);
            let (products, depth) = (layout.products(), channels_in.next_multiple_of(group));
            for (index, &value) in packed.iter().enumerate() {
                let (n, k) =
                    (index / (products * depth * nr) * nr + index % nr, index / nr % depth);
                let product = index / (depth * nr) % products;
                let missing = k >= channels_in || n >= channels_out;
                let expected = if missing {
                    0.0
                } else {
                    expected[(n * products + product) * channels_in + k]
                };
                assert_eq!(value, expected, "{layout:?}, product {product}, {k} → {n}");
            }
        }
    }
}

#[test]
#[should_panic(expected = "no version has tiles of [3, 2]")]
fn weights_for_a_tile_that_no_version_has_are_refused() {
    let layout = Layout { tile: [3, 2], nr: 1, group: 1 };
    winograd::pack(layout, 1, 1, |_, _, _, _| 1.0_f32, &mut [0.0_f32; 20]);
}
