//! What int8 and int4 do to a layer's result, computed in f32: operands are quantized and dequantized, products stay exact. No engine is needed.

use half::f16;
use models::nn::Layer;
use rayon::prelude::*;
use vitrine::runtime::program::Quantization;

/// Values of k that share a step in int4.
pub const GROUP: usize = kernels::gemm_i4::GROUP;

/// A layer with weights as a product of rows: `y[row, o] = Σk x[row, group(o)·depth + k] · w[o, k]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Product {
    /// Outputs `o · groups / outputs` share a group.
    pub groups: usize,
    /// Values of a group in a row.
    pub depth: usize,
    /// Values of a result's row.
    pub outputs: usize,
    /// Output o belongs to channel `o % channels`.
    pub channels: usize,
    /// `[outputs, depth]`
    pub weights: Vec<f32>,
    /// `[channels]`
    pub bias: Vec<f32>,
}

/// How a row of the input is quantized.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rows {
    /// Not at all.
    Exact,
    /// One step for all.
    Tensor(Quantization),
    /// By each row's greatest magnitude.
    Each,
}

/// How far a result is from what it should be.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Fidelity {
    /// `20 log10(greatest magnitude / root of the mean square error)`, dB.
    pub psnr: f64,
    /// `10 log10(mean square / mean square error)`, dB.
    pub sqnr: f64,
}

impl Fidelity {
    /// Where there is no error at all: so that it can be printed and compared.
    pub const EXACT: f64 = 200.0;

    /// Of a result against the reference.
    ///
    /// # Panics
    /// Where there are not as many values.
    pub fn of(reference: &[f32], result: &[f32]) -> Self {
        assert_eq!(reference.len(), result.len());
        let (mut peak, mut power, mut error) = (0.0f64, 0.0f64, 0.0f64);
        for (&reference, &result) in reference.iter().zip(result) {
            let (reference, result) = (f64::from(reference), f64::from(result));
            peak = peak.max(reference.abs());
            power += reference * reference;
            error += (result - reference).powi(2);
        }
        let decibels = |ratio: f64| match ratio {
            ratio if ratio.is_nan() => 0.0,
            ratio => (10.0 * ratio.log10()).clamp(-Self::EXACT, Self::EXACT),
        };
        if error == 0.0 {
            return Self { psnr: Self::EXACT, sqnr: Self::EXACT };
        }
        let mean = error / reference.len() as f64;
        Self { psnr: decibels(peak * peak / mean), sqnr: decibels(power / error) }
    }
}

impl Product {
    /// The product of a layer; `None` for one without weights.
    pub fn of(layer: &Layer) -> Option<Self> {
        let bias = |bias: &Option<models::nn::Parameter>, channels: usize| {
            bias.as_ref().map_or_else(|| vec![0.0; channels], |bias| bias.values.to_vec())
        };
        match layer {
            Layer::Convolution(layer) => {
                let &[outputs, down, across, depth] = layer.weights.shape.as_slice() else {
                    return None;
                };
                Some(Self {
                    groups: layer.groups,
                    depth: down * across * depth,
                    outputs,
                    channels: outputs,
                    weights: layer.weights.values.to_vec(),
                    bias: bias(&layer.bias, outputs),
                })
            }
            Layer::Transposed(layer) => {
                let &[down, across, depth, channels] = layer.weights.shape.as_slice() else {
                    return None;
                };
                let outputs = down * across * channels;
                let mut weights = vec![0.0; outputs * depth];
                for (index, weight) in layer.weights.values.iter().enumerate() {
                    let (tap, k, o) =
                        (index / channels / depth, index / channels % depth, index % channels);
                    weights[(tap * channels + o) * depth + k] = *weight;
                }
                let bias = bias(&layer.bias, channels);
                Some(Self { groups: 1, depth, outputs, channels, weights, bias })
            }
            Layer::Linear(layer) => {
                let &[outputs, depth] = layer.weights.shape.as_slice() else { return None };
                Some(Self {
                    groups: 1,
                    depth,
                    outputs,
                    channels: outputs,
                    weights: layer.weights.values.to_vec(),
                    bias: bias(&layer.bias, outputs),
                })
            }
            _ => None,
        }
    }

    /// Values of a row of the input.
    pub fn row_length(&self) -> usize {
        self.groups * self.depth
    }

    /// The step of each channel's weights in int8: the greatest magnitude is 127.
    pub fn scales(&self) -> Vec<f32> {
        let mut greatest = vec![0.0f32; self.channels];
        for (o, row) in self.weights.chunks_exact(self.depth).enumerate() {
            let channel = &mut greatest[o % self.channels];
            *channel = row.iter().fold(*channel, |greatest, weight| greatest.max(weight.abs()));
        }
        greatest.into_iter().map(|greatest| step(greatest, 127.0)).collect()
    }

    /// The weights as int8 has them.
    pub fn weights_int8(&self) -> Vec<f32> {
        let scales = self.scales();
        let mut weights = self.weights.clone();
        for (o, row) in weights.chunks_exact_mut(self.depth).enumerate() {
            let scale = scales[o % self.channels];
            for weight in row {
                *weight = (*weight / scale).round_ties_even().clamp(-127.0, 127.0) * scale;
            }
        }
        weights
    }

    /// The weights as int4 has them: groups of [`GROUP`] along k, each with a step in half precision.
    pub fn weights_int4(&self) -> Vec<f32> {
        let mut weights = self.weights.clone();
        for row in weights.chunks_exact_mut(self.depth) {
            for group in row.chunks_mut(GROUP) {
                let greatest = group.iter().fold(0.0f32, |greatest, w| greatest.max(w.abs()));
                let scale = f16::from_f32(step(greatest, 7.0)).to_f32();
                for weight in group {
                    *weight = (*weight / scale).round_ties_even().clamp(-8.0, 7.0) * scale;
                }
            }
        }
        weights
    }

    /// Each row of the input as it arrives at the product.
    pub fn quantized(&self, rows: &[f32], how: Rows) -> Vec<f32> {
        match how {
            Rows::Exact => rows.to_vec(),
            Rows::Tensor(Quantization { scale, zero_point }) => {
                let (inverse, zero) = (1.0 / scale, f32::from(zero_point));
                let value = |x: f32| {
                    let quantized = ((x * inverse).round_ties_even() + zero).clamp(-128.0, 127.0);
                    (quantized - zero) * scale
                };
                rows.iter().map(|&x| value(x)).collect()
            }
            Rows::Each => {
                let row = |row: &[f32]| quantized_by_greatest(row);
                rows.chunks_exact(self.row_length()).flat_map(row).collect()
            }
        }
    }

    /// The results of rows with weights in the place of its own, `[rows, outputs]`, bias included.
    pub fn multiply(&self, rows: &[f32], weights: &[f32]) -> Vec<f32> {
        let in_group = (self.outputs / self.groups).max(1);
        let mut results = vec![0.0; rows.len() / self.row_length() * self.outputs];
        results
            .par_chunks_mut(self.outputs)
            .zip(rows.par_chunks_exact(self.row_length()))
            .for_each(|(results, row)| {
                for (o, result) in results.iter_mut().enumerate() {
                    let values = &row[o / in_group * self.depth..][..self.depth];
                    let weights = &weights[o * self.depth..][..self.depth];
                    *result = dot(values, weights) + self.bias[o % self.channels];
                }
            });
        results
    }
}

/// The size of a step with which `greatest` is the number `most`.
fn step(greatest: f32, most: f32) -> f32 {
    if greatest > f32::MIN_POSITIVE { greatest / most } else { 1.0 }
}

/// A row by its own greatest magnitude.
pub fn quantized_by_greatest(row: &[f32]) -> Vec<f32> {
    let greatest = row.iter().fold(0.0f32, |greatest, x| greatest.max(x.abs()));
    let scale = step(greatest, 127.0);
    row.iter().map(|x| (x / scale).round_ties_even() * scale).collect()
}

/// `Σ a·b` in 16 partial sums.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a_blocks, a_rest) = a.as_chunks::<16>();
    let (b_blocks, b_rest) = b.as_chunks::<16>();
    let mut sums = [0.0; 16];
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..16 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>();
    sums.iter().sum::<f32>() + rest
}

/// The row of the input that makes output pixel or token `row`, appended to `to`.
///
/// # Panics
/// Where `values` are not of the shape, or there is no such row.
pub fn gather(layer: &Layer, shape: &[usize], values: &[f32], row: usize, to: &mut Vec<f32>) {
    let Layer::Convolution(layer) = layer else {
        let channels = *shape.last().expect("rows have an extent");
        to.extend_from_slice(&values[row * channels..][..channels]);
        return;
    };
    let (&[_, height, width, channels], &[_, down, across, depth]) =
        (shape, layer.weights.shape.as_slice())
    else {
        panic!("a convolution of {shape:?} with weights {:?}", layer.weights.shape);
    };
    let [_, columns] = output_size(layer, height, width);
    let rows = output_size(layer, height, width)[0];
    let (image, i, j) = (row / (rows * columns), row / columns % rows, row % columns);
    let place = |out: usize, tap: usize, axis: usize, extent: usize| {
        let padded = out * layer.stride[axis] + tap * layer.dilation[axis];
        let position = padded.checked_sub(layer.padding[axis])? / layer.enlargement;
        (position < extent).then_some(position)
    };
    for group in 0..layer.groups {
        for u in 0..down {
            for v in 0..across {
                match (place(i, u, 0, height), place(j, v, 1, width)) {
                    (Some(y), Some(x)) => {
                        let pixel = ((image * height + y) * width + x) * channels + group * depth;
                        to.extend_from_slice(&values[pixel..pixel + depth]);
                    }
                    _ => to.resize(to.len() + depth, 0.0),
                }
            }
        }
    }
}

fn output_size(layer: &models::nn::Convolution, height: usize, width: usize) -> [usize; 2] {
    let [top, left, bottom, right] = layer.padding;
    let extent = |axis: usize, extent: usize, before: usize, after: usize| {
        let span = (layer.weights.shape[axis + 1] - 1) * layer.dilation[axis] + 1;
        (extent * layer.enlargement + before + after - span) / layer.stride[axis] + 1
    };
    [extent(0, height, top, bottom), extent(1, width, left, right)]
}

/// Queries of a head, the keys and values that they meet, for what int8 costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// The factor of the products.
    pub scale: f32,
    /// Values of a query or key.
    pub key_size: usize,
    /// Values of a value.
    pub value_size: usize,
    /// `[queries, key_size]`
    pub queries: Vec<f32>,
    /// `[keys, key_size]`
    pub keys: Vec<f32>,
    /// `[keys, value_size]`
    pub values: Vec<f32>,
    /// `[queries, keys]`, −∞ where a query does not see a key; or none.
    pub bias: Vec<f32>,
}

impl Scores {
    /// The results `[queries, value_size]`, by exact operands, or as int8 has them: see [`kernels::attention`].
    pub fn attend(&self, int8: bool) -> Vec<f32> {
        let tokens = |values: &[f32]| -> Vec<f32> {
            if !int8 {
                return values.to_vec();
            }
            values.chunks_exact(self.key_size).flat_map(quantized_by_greatest).collect()
        };
        let (queries, keys) = (tokens(&self.queries), tokens(&self.keys));
        let values = if int8 { self.values_int8() } else { self.values.clone() };
        let count = keys.len() / self.key_size;
        let queries: Vec<_> = queries.chunks_exact(self.key_size).enumerate().collect();
        let result = |&(index, query): &(usize, &[f32])| {
            let bias = self.bias.get(index * count..(index + 1) * count);
            let logit = |(j, key)| self.scale * dot(query, key) + bias.map_or(0.0, |bias| bias[j]);
            let logits: Vec<f32> =
                keys.chunks_exact(self.key_size).enumerate().map(logit).collect();
            let mut result = vec![0.0; self.value_size];
            let mut sum = 0.0;
            let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let blocks = logits.chunks(BLOCK).zip(values.chunks(BLOCK * self.value_size));
            for (logits, values) in blocks {
                let here = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                // A block whose keys are all hidden.
                let weight = if here > f32::NEG_INFINITY { (here - greatest).exp() } else { 0.0 };
                for (logit, value) in logits.iter().zip(values.chunks_exact(self.value_size)) {
                    let share = if weight > 0.0 { (logit - here).exp() } else { 0.0 };
                    let share =
                        if int8 { (255.0 * share).round_ties_even() / 255.0 } else { share };
                    sum += weight * share;
                    result.iter_mut().zip(value).for_each(|(sum, x)| *sum += weight * share * x);
                }
            }
            result.iter_mut().for_each(|result| *result /= sum);
            result
        };
        queries.par_iter().flat_map_iter(result).collect()
    }

    /// Values in steps of 1/127 of the greatest of their column in a block.
    fn values_int8(&self) -> Vec<f32> {
        let mut values = self.values.clone();
        for block in values.chunks_mut(BLOCK * self.value_size) {
            for column in 0..self.value_size {
                let of_column = || block.iter().skip(column).step_by(self.value_size);
                let greatest = of_column().fold(0.0, |greatest: f32, x| greatest.max(x.abs()));
                if greatest > 0.0 {
                    for x in block.iter_mut().skip(column).step_by(self.value_size) {
                        *x = (*x * 127.0 / greatest).round_ties_even() * greatest / 127.0;
                    }
                }
            }
        }
        values
    }
}

/// Keys whose probabilities and values share their steps, as on x86; Arm has larger blocks.
const BLOCK: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::Normal;
    use models::nn::{Convolution, Linear, Parameter, Plain, TransposedConvolution};

    fn parameter(shape: &[usize], seed: u64) -> Parameter {
        Parameter::new("w", shape, Normal::new(seed).take(shape.iter().product()))
    }

    fn plain(shape: &[usize], seed: u64) -> Plain {
        Plain::new(shape, Normal::new(seed).take(shape.iter().product()))
    }

    fn convolution(groups: usize, enlargement: usize, stride: usize) -> Layer {
        Layer::Convolution(Convolution {
            weights: parameter(&[6, 3, 2, 6 / groups], 1),
            bias: Some(parameter(&[6], 2)),
            stride: [stride, 1],
            dilation: [1, 2],
            padding: [1, 2, 0, 1],
            groups,
            enlargement,
        })
    }

    #[test]
    fn gathered_rows_times_weights_are_the_layer() {
        let linear = Layer::Linear(Linear {
            weights: parameter(&[5, 6], 1),
            bias: Some(parameter(&[5], 2)),
        });
        let layers = [
            convolution(1, 1, 1),
            convolution(2, 1, 2),
            convolution(6, 1, 1),
            convolution(3, 2, 1),
            linear,
        ];
        for layer in layers {
            let input = plain(&[2, 5, 4, 6], 3);
            let expected = layer.evaluate(&[&input]);
            let product = Product::of(&layer).unwrap();
            let mut rows = Vec::new();
            for row in 0..expected.values.len() / product.outputs {
                gather(&layer, &input.shape, &input.values, row, &mut rows);
            }
            let found = product.multiply(&rows, &product.weights);
            assert!(Fidelity::of(&expected.values, &found).psnr > 120.0, "{layer:?}");
        }
    }

    #[test]
    fn a_transposed_convolution_is_a_product_for_each_tap() {
        let layer = Layer::Transposed(TransposedConvolution {
            weights: parameter(&[2, 2, 3, 4], 1),
            bias: Some(parameter(&[4], 2)),
            stride: [2, 2],
            cropping: [0; 4],
        });
        let input = plain(&[1, 2, 3, 3], 3);
        let expected = layer.evaluate(&[&input]);
        let product = Product::of(&layer).unwrap();
        let found = product.multiply(&input.values, &product.weights);
        for (row, pixel) in found.chunks(16).enumerate() {
            for (tap, values) in pixel.chunks(4).enumerate() {
                let (y, x) = (row / 3 * 2 + tap / 2, row % 3 * 2 + tap % 2);
                for (a, b) in values.iter().zip(&expected.values[(y * 6 + x) * 4..]) {
                    assert!((a - b).abs() < 1e-5, "pixel {y} {x}");
                }
            }
        }
    }

    /// Rounding to steps of s makes an error of s²/12 a value.
    #[test]
    fn the_error_of_a_known_layer_is_what_theory_says() {
        let (depth, outputs, rows) = (512, 64, 64);
        let layer = Layer::Linear(Linear { weights: parameter(&[outputs, depth], 1), bias: None });
        let product = Product::of(&layer).unwrap();
        let input = Normal::new(9).take(rows * depth);
        let reference = product.multiply(&input, &product.weights);
        let power = |scale: f64| scale * scale / 12.0;

        let quantization = Quantization { scale: 4.0 / 127.0, zero_point: 0 };
        let quantized = product.quantized(&input, Rows::Tensor(quantization));
        let found = Fidelity::of(&reference, &product.multiply(&quantized, &product.weights));
        let expected = -10.0 * power(f64::from(quantization.scale)).log10();
        assert!((found.sqnr - expected).abs() < 0.5, "{found:?}, expected {expected}");

        let found = Fidelity::of(&reference, &product.multiply(&input, &product.weights_int8()));
        let mean = product.scales().iter().map(|&s| power(s.into())).sum::<f64>() / outputs as f64;
        let expected = -10.0 * mean.log10();
        assert!((found.sqnr - expected).abs() < 0.5, "{found:?}, expected {expected}");

        let int4 = Fidelity::of(&reference, &product.multiply(&input, &product.weights_int4()));
        assert!((15.0..25.0).contains(&int4.sqnr), "{int4:?}");
    }

    #[test]
    fn a_step_for_each_row_saves_quiet_rows_beside_loud_ones() {
        let layer = Layer::Linear(Linear { weights: parameter(&[8, 64], 1), bias: None });
        let product = Product::of(&layer).unwrap();
        let quiet = Normal::new(2).take(64 * 8);
        let loud: Vec<f32> = Normal::new(3).take(64).iter().map(|x| x * 200.0).collect();
        let rows = [quiet.as_slice(), &loud].concat();
        let reference = product.multiply(&rows, &product.weights);
        let greatest = rows.iter().fold(0.0f32, |a, b| a.max(b.abs()));
        let tensor = Rows::Tensor(Quantization { scale: greatest / 127.0, zero_point: 0 });
        let of_quiet = |how| {
            let result = product.multiply(&product.quantized(&rows, how), &product.weights);
            Fidelity::of(&reference[..64], &result[..64]).sqnr
        };
        assert!(of_quiet(Rows::Each) > 35.0);
        assert!(of_quiet(tensor) < 10.0);
        assert_eq!(of_quiet(Rows::Exact), Fidelity::EXACT);
    }

    #[test]
    fn int8_attention_is_near_and_masks_hide() {
        let mut scores = Scores {
            scale: 0.125,
            key_size: 64,
            value_size: 16,
            queries: Normal::new(1).take(4 * 64),
            keys: Normal::new(2).take(32 * 64),
            values: Normal::new(3).take(32 * 16),
            bias: Vec::new(),
        };
        let exact = scores.attend(false);
        let found = Fidelity::of(&exact, &scores.attend(true));
        assert!((35.0..70.0).contains(&found.psnr), "{found:?}");
        scores.bias = vec![f32::NEG_INFINITY; 4 * 32];
        (0..4).for_each(|query| scores.bias[query * 32 + 5] = 0.0);
        assert_eq!(scores.attend(false)[..16], scores.values[5 * 16..6 * 16]);
    }
}
