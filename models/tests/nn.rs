//! Each layer against values worked out by hand, or against its formula in f64, written down here once more.

mod plain;

use kernels::math::Activation;
use models::nn::{
    self, Attention, Binary, Convolution, Corners, Gated, GroupNorm, Layer, LayerNorm, Linear,
    Operation, Pad, Pairs, Parameter, Plain, Pool, Pooling, Resize, RmsNorm, Rotary, Sampling,
    Slice, TransposedConvolution,
};
use plain::{Random, assert_near, evaluated, run};
use tract_core::internal::*;

fn image(h: usize, w: usize, values: &[f32]) -> Plain {
    Plain::new(&[1, h, w, values.len() / (h * w)], values.to_vec())
}

fn parameter(shape: &[usize], values: &[f32]) -> Parameter {
    Parameter::new("p", shape, values.to_vec())
}

#[test]
fn a_convolution_by_hand() {
    let x = image(3, 3, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
    let mut layer = Convolution {
        weights: parameter(&[1, 2, 2, 1], &[1.0, 0.0, 0.0, 10.0]),
        bias: Some(parameter(&[1], &[0.5])),
        stride: [1, 1],
        dilation: [1, 1],
        padding: [0; 4],
        groups: 1,
        enlargement: 1,
    };
    let y = evaluated(&Layer::Convolution(layer.clone()), &[&x]);
    assert_eq!(y, image(2, 2, &[51.5, 62.5, 84.5, 95.5]));
    layer.padding = [0, 0, 1, 1];
    let y = evaluated(&Layer::Convolution(layer.clone()), &[&x]);
    assert_eq!(y, image(3, 3, &[51.5, 62.5, 3.5, 84.5, 95.5, 6.5, 7.5, 8.5, 9.5]));
    layer.enlargement = 2;
    layer.padding = [0; 4];
    layer.stride = [3, 4];
    // The enlarged image begins 1 1 2 2 3 3; rows 0 and 3, columns 0 and 4.
    let y = evaluated(&Layer::Convolution(layer), &[&x]);
    assert_eq!(y, image(2, 2, &[11.5, 33.5, 4.5 + 70.0, 6.5 + 90.0]));
}

#[test]
fn a_convolution_is_its_formula() {
    let mut random = Random(1);
    // height, width, channels, outputs, kernel, stride, dilation, padding, groups, enlargement
    type Case = ([usize; 4], [usize; 2], [usize; 2], [usize; 2], [usize; 4], usize, usize);
    let cases: [Case; 9] = [
        ([5, 7, 3, 4], [3, 3], [1, 1], [1, 1], [1, 1, 1, 1], 1, 1),
        ([6, 6, 17, 5], [3, 3], [2, 2], [1, 1], [0, 0, 1, 1], 1, 1),
        ([6, 5, 2, 3], [2, 2], [1, 2], [1, 1], [1, 0, 0, 1], 1, 1),
        ([9, 8, 4, 6], [3, 2], [1, 1], [2, 3], [2, 1, 3, 0], 2, 1),
        ([5, 4, 6, 6], [3, 5], [2, 1], [1, 1], [1, 2, 1, 2], 6, 1),
        ([4, 4, 3, 6], [3, 3], [1, 1], [1, 1], [1, 1, 1, 1], 3, 1),
        ([4, 3, 5, 3], [3, 3], [1, 1], [1, 1], [1, 1, 1, 1], 1, 2),
        ([4, 3, 4, 4], [4, 4], [2, 2], [1, 1], [3, 0, 2, 1], 4, 2),
        ([2, 2, 33, 19], [1, 1], [1, 1], [1, 1], [0; 4], 1, 1),
    ];
    for ([h, w, c, out], kernel, stride, dilation, padding, groups, enlargement) in cases {
        let depth = c / groups;
        let layer = Convolution {
            weights: random.parameter("w", &[out, kernel[0], kernel[1], depth]),
            bias: Some(random.parameter("b", &[out])),
            stride,
            dilation,
            padding,
            groups,
            enlargement,
        };
        let x = random.plain(&[2, h, w, c]);
        let y = evaluated(&Layer::Convolution(layer.clone()), &[&x]);
        for (index, &found) in y.values.iter().enumerate() {
            let (o, j, i, b) = (
                index % out,
                index / out % y.shape[2],
                index / out / y.shape[2] % y.shape[1],
                index / out / y.shape[2] / y.shape[1],
            );
            let mut sum = f64::from(layer.bias.as_ref().expect("a bias").values[o]);
            for u in 0..kernel[0] {
                for v in 0..kernel[1] {
                    let row = (i * stride[0] + u * dilation[0]) as i64 - padding[0] as i64;
                    let column = (j * stride[1] + v * dilation[1]) as i64 - padding[1] as i64;
                    let e = enlargement as i64;
                    let (row, column) = (row.div_euclid(e), column.div_euclid(e));
                    if !(0..h as i64).contains(&row) || !(0..w as i64).contains(&column) {
                        continue;
                    }
                    for k in 0..depth {
                        let channel = o / (out / groups) * depth + k;
                        let x =
                            x.values[((b * h + row as usize) * w + column as usize) * c + channel];
                        let weight = ((o * kernel[0] + u) * kernel[1] + v) * depth + k;
                        sum += f64::from(x) * f64::from(layer.weights.values[weight]);
                    }
                }
            }
            assert!((f64::from(found) - sum).abs() < 1e-5, "{layer:?} at {index}: {found}, {sum}");
        }
    }
}

#[test]
fn enlargement_is_a_nearest_resize_before() {
    let mut random = Random(2);
    let x = random.plain(&[1, 5, 4, 3]);
    let layer = |enlargement| {
        Layer::Convolution(Convolution {
            weights: Random(3).parameter("w", &[4, 3, 3, 3]),
            bias: None,
            stride: [1, 1],
            dilation: [1, 1],
            padding: [1, 1, 1, 1],
            groups: 1,
            enlargement,
        })
    };
    let resize = Resize { height: 10, width: 8, sampling: Sampling::Nearest };
    let enlarged = evaluated(&Layer::Resize(resize), &[&x]);
    assert_eq!(evaluated(&layer(2), &[&x]), evaluated(&layer(1), &[&enlarged]));
}

#[test]
fn a_transposed_convolution_by_hand() {
    let x = image(1, 2, &[1.0, 2.0]);
    let mut layer = TransposedConvolution {
        weights: parameter(&[2, 3, 1, 1], &[1.0, 2.0, 3.0, 10.0, 20.0, 30.0]),
        bias: Some(parameter(&[1], &[100.0])),
        stride: [1, 2],
        cropping: [0; 4],
    };
    let y = evaluated(&Layer::Transposed(layer.clone()), &[&x]);
    let whole = [101.0, 102.0, 105.0, 104.0, 106.0, 110.0, 120.0, 150.0, 140.0, 160.0];
    assert_eq!(y, image(2, 5, &whole));
    layer.cropping = [1, 1, 0, 2];
    let y = evaluated(&Layer::Transposed(layer), &[&x]);
    assert_eq!(y, image(1, 2, &[120.0, 150.0]));
}

#[test]
fn a_transposed_convolution_is_its_formula() {
    let mut random = Random(4);
    let (h, w, c, out, [kh, kw], [sh, sw]) = (3, 4, 5, 3, [3, 2], [2, 1]);
    let cropping = [1, 0, 0, 1];
    let layer = TransposedConvolution {
        weights: random.parameter("w", &[kh, kw, c, out]),
        bias: None,
        stride: [sh, sw],
        cropping,
    };
    let x = random.plain(&[2, h, w, c]);
    let y = evaluated(&Layer::Transposed(layer.clone()), &[&x]);
    assert_eq!(y.shape, [2, 6, 4, 3]);
    for (index, &found) in y.values.iter().enumerate() {
        let (o, q, p, b) = (index % 3, index / 3 % 4, index / 12 % 6, index / 72);
        let mut sum = 0.0;
        for (i, j, u, v) in (0..h * w * kh * kw)
            .map(|all| (all / (w * kh * kw), all / (kh * kw) % w, all / kw % kh, all % kw))
        {
            if i * sh + u == p + cropping[0] && j * sw + v == q + cropping[1] {
                for k in 0..c {
                    let x = x.values[((b * h + i) * w + j) * c + k];
                    let weight = layer.weights.values[((u * kw + v) * c + k) * out + o];
                    sum += f64::from(x) * f64::from(weight);
                }
            }
        }
        assert!((f64::from(found) - sum).abs() < 1e-5, "at {index}: {found}, {sum}");
    }
}

#[test]
fn a_linear_layer_is_its_formula() {
    let mut random = Random(5);
    for (rows, n, k) in [(1, 1, 1), (3, 5, 15), (40, 7, 16), (33, 3, 50)] {
        let (weights, bias) = (random.parameter("w", &[n, k]), random.parameter("b", &[n]));
        let x = random.plain(&[1, rows, k]);
        let expected = (0..rows * n)
            .map(|i| {
                let (row, o) = (i / n, i % n);
                let products = (0..k).map(|j| {
                    f64::from(x.values[row * k + j]) * f64::from(weights.values[o * k + j])
                });
                (products.sum::<f64>() + f64::from(bias.values[o])) as f32
            })
            .collect::<Vec<_>>();
        let y = evaluated(&Layer::Linear(Linear { weights, bias: Some(bias) }), &[&x]);
        assert_near(&y.values, &expected, 1e-5, "linear");
    }
}

#[test]
fn norms_by_hand() {
    let scale = Some(parameter(&[2], &[1.0, 10.0]));
    let shift = Some(parameter(&[2], &[0.0, 1.0]));
    let x = Plain::new(&[1, 2, 2], vec![1.0, 3.0, 5.0, 7.0]);
    // Each channel by itself: means 3 and 5, both variances 4.
    let norm = GroupNorm { groups: 2, epsilon: 0.0, scale: scale.clone(), shift: shift.clone() };
    let y = evaluated(&Layer::GroupNorm(norm), &[&x]);
    assert_near(&y.values, &[-1.0, -9.0, 1.0, 11.0], 1e-6, "group norm of two groups");
    // All together: mean 4, variance 5; with ε = 4 the divisor is 3.
    let norm = GroupNorm { groups: 1, epsilon: 4.0, scale: None, shift: None };
    let y = evaluated(&Layer::GroupNorm(norm), &[&x]);
    assert_near(&y.values, &[-1.0, -1.0 / 3.0, 1.0 / 3.0, 1.0], 1e-6, "group norm of one group");
    // Each token: means 2 and 6, variances 1.
    let norm = LayerNorm { epsilon: 0.0, scale, shift };
    let y = evaluated(&Layer::LayerNorm(norm), &[&x]);
    assert_near(&y.values, &[-1.0, 11.0, -1.0, 11.0], 1e-6, "layer norm");
    // Heads of two: mean squares 5 and 37.
    let norm = RmsNorm { size: 2, epsilon: 4.0, scale: Some(parameter(&[2], &[3.0, 1.0])) };
    let y = evaluated(&Layer::RmsNorm(norm), &[&Plain::new(&[1, 1, 4], x.values.clone())]);
    let root = 41.0_f32.sqrt();
    assert_near(&y.values, &[1.0, 1.0, 15.0 / root, 7.0 / root], 1e-6, "RMS norm");
}

#[test]
fn a_norm_of_values_far_from_zero_keeps_their_differences() {
    let x = Plain::new(&[1, 1, 4], vec![100_000.0, 100_001.0, 100_002.0, 100_003.0]);
    let norm = LayerNorm { epsilon: 0.0, scale: None, shift: None };
    let y = evaluated(&Layer::LayerNorm(norm), &[&x]);
    let unit = 1.25_f32.sqrt();
    assert_near(&y.values, &[-1.5 / unit, -0.5 / unit, 0.5 / unit, 1.5 / unit], 1e-6, "layer norm");
}

/// Attention of one image, by its formula in f64.
fn attention(layer: &Attention, q: &Plain, k: &Plain, v: &Plain, bias: Option<&Plain>) -> Vec<f32> {
    let (rows, keys) = (q.shape[1], k.shape[1]);
    let size = q.shape[2] / layer.heads;
    let value_size = v.shape[2] / layer.key_heads;
    let mut output = vec![0.0; rows * layer.heads * value_size];
    for i in 0..rows {
        for head in 0..layer.heads {
            let key_head = head * layer.key_heads / layer.heads;
            let scores = (0..keys).map(|j| {
                if layer.causal && j > i {
                    return 0.0;
                }
                let product = (0..size).map(|s| {
                    let a = q.values[i * q.shape[2] + head * size + s];
                    let b = k.values[j * k.shape[2] + key_head * size + s];
                    f64::from(a) * f64::from(b)
                });
                let bias = bias.map_or(0.0, |bias| {
                    let at = |axis: usize, index| if bias.shape[axis] == 1 { 0 } else { index };
                    let [_, _, r, c] = bias.shape[..] else { panic!("a bias of four axes") };
                    f64::from(bias.values[(at(1, head) * r + at(2, i)) * c + at(3, j)])
                });
                (product.sum::<f64>() * f64::from(layer.scale) + bias).exp()
            });
            let scores = scores.collect::<Vec<_>>();
            let sum = scores.iter().sum::<f64>();
            for s in 0..value_size {
                let mixed = (0..keys).map(|j| {
                    let value = v.values[j * v.shape[2] + key_head * value_size + s];
                    scores[j] / sum * f64::from(value)
                });
                output[(i * layer.heads + head) * value_size + s] = mixed.sum::<f64>() as f32;
            }
        }
    }
    output
}

#[test]
fn attention_is_its_formula() {
    let mut random = Random(6);
    // heads, key heads, size, value size, queries, keys, causal, bias
    type Case = (usize, usize, usize, usize, usize, usize, bool, Option<[usize; 4]>);
    let cases: [Case; 9] = [
        (2, 2, 40, 40, 21, 21, false, None),
        (2, 2, 56, 56, 21, 5, false, None),
        (1, 1, 3, 5, 4, 7, false, None),
        (3, 3, 8, 8, 9, 9, true, None),
        (4, 2, 8, 8, 6, 6, false, None),
        (4, 1, 8, 6, 6, 3, true, None),
        (2, 2, 8, 8, 3, 4, false, Some([1, 2, 3, 4])),
        (2, 2, 8, 8, 3, 4, false, Some([1, 1, 1, 4])),
        (2, 1, 8, 8, 3, 4, false, Some([1, 2, 1, 1])),
    ];
    for (heads, key_heads, size, value_size, rows, keys, causal, bias) in cases {
        let scale = 1.0 / (size as f32).sqrt();
        let layer = Attention { heads, key_heads, scale, causal };
        let q = random.plain(&[1, rows, heads * size]);
        let k = random.plain(&[1, keys, key_heads * size]);
        let v = random.plain(&[1, keys, key_heads * value_size]);
        let bias = bias.map(|shape| random.plain(&shape));
        let mut inputs = vec![&q, &k, &v];
        inputs.extend(&bias);
        let y = evaluated(&Layer::Attention(layer), &inputs);
        let expected = attention(&layer, &q, &k, &v, bias.as_ref());
        assert_near(&y.values, &expected, 2e-6, &format!("{layer:?}"));
    }
}

#[test]
fn the_images_of_a_batch_do_not_see_each_other() {
    let mut random = Random(7);
    let layer = Layer::Attention(Attention { heads: 2, key_heads: 2, scale: 0.5, causal: false });
    let [q, k, v] = [random.plain(&[2, 3, 8]), random.plain(&[2, 5, 8]), random.plain(&[2, 5, 8])];
    let both = evaluated(&layer, &[&q, &k, &v]);
    for b in 0..2 {
        let [q, k, v] = [&q, &k, &v].map(|all| {
            let half = all.values.len() / 2;
            let shape = [1, all.shape[1], all.shape[2]];
            Plain::new(&shape, all.values[b * half..(b + 1) * half].to_vec())
        });
        assert_eq!(both.values[b * 24..(b + 1) * 24], evaluated(&layer, &[&q, &k, &v]).values);
    }
}

#[test]
fn rotary_turns_the_pairs_of_each_head() {
    let x = Plain::new(&[1, 2, 6], (1..=12).map(|x| x as f32).collect());
    let mut layer = Rotary {
        heads: 2,
        cosines: parameter(&[2, 1], &[1.0, 0.0]),
        sines: parameter(&[2, 1], &[0.0, 1.0]),
        pairs: Pairs::Adjacent,
    };
    // The second token is turned by a right angle; the third value of each head is kept.
    let y = evaluated(&Layer::Rotary(layer.clone()), &[&x]);
    let expected = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, -8.0, 7.0, 9.0, -11.0, 10.0, 12.0];
    assert_eq!(y.values, expected);
    layer.heads = 1;
    layer.cosines = parameter(&[2, 2], &[1.0, 1.0, 0.0, 0.0]);
    layer.sines = parameter(&[2, 2], &[0.0, 0.0, 1.0, 1.0]);
    layer.pairs = Pairs::Halves;
    let y = evaluated(&Layer::Rotary(layer), &[&x]);
    let expected = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, -9.0, -10.0, 7.0, 8.0, 11.0, 12.0];
    assert_eq!(y.values, expected);
}

#[test]
fn operations_on_values_by_hand() {
    let x = Plain::new(&[2, 2], vec![1.0, -2.0, 3.0, -4.0]);
    let of = |operation, a: &Plain, b: &Plain| {
        evaluated(&Layer::Binary(Binary { operation }), &[a, b]).values
    };
    let (row, column) = (Plain::new(&[2], vec![10.0, 20.0]), Plain::new(&[2, 1], vec![2.0, 4.0]));
    assert_eq!(of(Operation::Add, &x, &row), [11.0, 18.0, 13.0, 16.0]);
    assert_eq!(of(Operation::Subtract, &column, &x), [1.0, 4.0, 1.0, 8.0]);
    assert_eq!(of(Operation::Multiply, &x, &x), [1.0, 4.0, 9.0, 16.0]);
    assert_eq!(of(Operation::Divide, &row, &column), [5.0, 10.0, 2.5, 5.0]);
    assert_eq!(of(Operation::Add, &Plain::new(&[], vec![1.0]), &row), [11.0, 21.0]);

    let slopes = parameter(&[2], &[0.5, 0.25]);
    assert_eq!(evaluated(&Layer::PRelu(slopes), &[&x]).values, [1.0, -0.5, 3.0, -1.0]);
    let relu = Layer::Activate(Activation::Relu);
    assert_eq!(evaluated(&relu, &[&x]).values, [1.0, 0.0, 3.0, 0.0]);
    for (gate_first, expected) in [(true, [-2.0, -12.0]), (false, [0.0, 0.0])] {
        let gated = Layer::Gated(Gated { activation: Activation::Relu, gate_first });
        assert_eq!(evaluated(&gated, &[&x]).values, expected);
    }
    let thirds = Plain::new(&[1, 2], vec![1000.0, 1000.0 + 2.0_f32.ln()]);
    let y = evaluated(&Layer::Softmax, &[&thirds]);
    assert_near(&y.values, &[1.0 / 3.0, 2.0 / 3.0], 2e-5, "softmax");
}

#[test]
fn layers_that_move_values_by_hand() {
    let count = |n: usize| (0..n).map(|x| x as f32).collect::<Vec<_>>();
    let x = Plain::new(&[2, 3], count(6));
    let y = evaluated(&Layer::Transpose { axes: vec![1, 0] }, &[&x]);
    assert_eq!(y, Plain::new(&[3, 2], vec![0.0, 3.0, 1.0, 4.0, 2.0, 5.0]));
    let y = evaluated(&Layer::Slice(Slice { axis: 1, start: 1, end: 3 }), &[&x]);
    assert_eq!(y, Plain::new(&[2, 2], vec![1.0, 2.0, 4.0, 5.0]));
    let y = evaluated(&Layer::Concat { axis: 1 }, &[&x, &y]);
    assert_eq!(y.values, [0.0, 1.0, 2.0, 1.0, 2.0, 3.0, 4.0, 5.0, 4.0, 5.0]);
    let y = evaluated(&Layer::Reshape { shape: vec![1, 6] }, &[&x]);
    assert_eq!(y, Plain::new(&[1, 6], count(6)));

    // [2, 3, 4] with the axes in the order 2, 0, 1.
    let x = Plain::new(&[2, 3, 4], count(24));
    let y = evaluated(&Layer::Transpose { axes: vec![2, 0, 1] }, &[&x]);
    assert_eq!(y.shape, [4, 2, 3]);
    assert_eq!(y.values[..7], [0.0, 4.0, 8.0, 12.0, 16.0, 20.0, 1.0]);

    let pad = Layer::Pad(Pad { image: [1, 0, 0, 1], channels: [0, 1] });
    let y = evaluated(&pad, &[&image(1, 1, &[3.0, 4.0])]);
    let expected = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0, 4.0, 0.0, 0.0, 0.0, 0.0];
    assert_eq!(y, Plain::new(&[1, 2, 2, 3], expected.to_vec()));

    let y = evaluated(&Layer::DepthToSpace { block: 2 }, &[&image(1, 2, &count(16))]);
    let expected =
        [0.0, 1.0, 2.0, 3.0, 8.0, 9.0, 10.0, 11.0, 4.0, 5.0, 6.0, 7.0, 12.0, 13.0, 14.0, 15.0];
    assert_eq!(y, image(2, 4, &expected));
}

#[test]
fn resizes_by_hand() {
    let x = image(1, 2, &[0.0, 8.0]);
    let wide = |width, sampling| {
        evaluated(&Layer::Resize(Resize { height: 1, width, sampling }), &[&x]).values
    };
    assert_eq!(wide(4, Sampling::Bilinear(Corners::HalfPixel)), [0.0, 2.0, 6.0, 8.0]);
    assert_eq!(wide(5, Sampling::Bilinear(Corners::Aligned)), [0.0, 2.0, 4.0, 6.0, 8.0]);
    assert_eq!(wide(4, Sampling::Bilinear(Corners::Origin)), [0.0, 4.0, 8.0, 8.0]);
    assert_eq!(wide(1, Sampling::Bilinear(Corners::Aligned)), [0.0]);
    assert_eq!(wide(5, Sampling::Nearest), [0.0, 0.0, 0.0, 8.0, 8.0]);
    let square = image(2, 2, &[0.0, 4.0, 8.0, 12.0]);
    let resize = Resize { height: 3, width: 3, sampling: Sampling::Bilinear(Corners::Aligned) };
    let y = evaluated(&Layer::Resize(resize), &[&square]);
    assert_eq!(y.values, [0.0, 2.0, 4.0, 4.0, 6.0, 8.0, 8.0, 10.0, 12.0]);
}

#[test]
fn pools_by_hand() {
    let x = image(2, 2, &[-1.0, -2.0, -3.0, -6.0]);
    let pooled = |pooling| {
        let pool = Pool { pooling, window: [2, 2], stride: [1, 2], padding: [1, 1, 0, 1] };
        evaluated(&Layer::Pool(pool), &[&x])
    };
    // Two rows and two columns of windows: the first at (−1, −1) and (−1, 1), then at (0, −1) and (0, 1).
    assert_eq!(pooled(Pooling::Greatest), image(2, 2, &[-1.0, -2.0, -1.0, -2.0]));
    assert_eq!(pooled(Pooling::Mean), image(2, 2, &[-1.0, -2.0, -2.0, -4.0]));
    assert_eq!(pooled(Pooling::MeanWithPadding), image(2, 2, &[-0.25, -0.5, -1.0, -2.0]));
}

fn convolution(weights: &[usize]) -> Convolution {
    Convolution {
        weights: parameter(weights, &vec![0.0; weights.iter().product()]),
        bias: None,
        stride: [1, 1],
        dilation: [1, 1],
        padding: [0; 4],
        groups: 1,
        enlargement: 1,
    }
}

#[test]
fn what_does_not_fit_is_an_error_and_no_panic() {
    const HUGE: usize = usize::MAX;
    let zeros = |shape: &[usize]| parameter(shape, &vec![0.0; shape.iter().product()]);
    let conv = |change: fn(&mut Convolution)| {
        let mut layer = convolution(&[4, 3, 3, 2]);
        change(&mut layer);
        Layer::Convolution(layer)
    };
    let transposed = |stride, cropping| {
        let weights = zeros(&[2, 2, 3, 4]);
        Layer::Transposed(TransposedConvolution { weights, bias: None, stride, cropping })
    };
    let attention = |heads, key_heads| {
        Layer::Attention(Attention { heads, key_heads, scale: 1.0, causal: false })
    };
    let pool = |window, stride, padding| {
        Layer::Pool(Pool { pooling: Pooling::Mean, window, stride, padding })
    };
    let rms = |size| Layer::RmsNorm(RmsNorm { size, epsilon: 0.0, scale: None });
    let group =
        |groups| Layer::GroupNorm(GroupNorm { groups, epsilon: 0.0, scale: None, shift: None });
    let linear = Layer::Linear(Linear { weights: zeros(&[3, 2]), bias: None });
    let binary = Layer::Binary(Binary { operation: Operation::Add });
    let pad = |image| Layer::Pad(Pad { image, channels: [0; 2] });
    let resize = |height| Layer::Resize(Resize { height, width: 2, sampling: Sampling::Nearest });
    let slice = |axis, start, end| Layer::Slice(Slice { axis, start, end });
    let rotary = |heads, cosines: &[usize], sines: &[usize]| {
        let (cosines, sines) = (zeros(cosines), zeros(sines));
        Layer::Rotary(Rotary { heads, cosines, sines, pairs: Pairs::Halves })
    };
    let (photo, sequence): (&[usize], &[usize]) = (&[1, 8, 8, 2], &[1, 5, 8]);
    let huge: &[usize] = &[HUGE, HUGE, HUGE, 2];
    let none: &[usize] = &[];
    let cases: Vec<(Layer, Vec<&[usize]>)> = vec![
        (conv(|_| ()), vec![]),
        (conv(|_| ()), vec![photo, photo]),
        (conv(|_| ()), vec![sequence]),
        (conv(|_| ()), vec![&[1, 2, 8, 2]]),
        (conv(|_| ()), vec![&[1, 8, 8, 3]]),
        (conv(|_| ()), vec![&[1, 0, 8, 2]]),
        (conv(|_| ()), vec![huge]),
        (conv(|layer| layer.stride = [0, 1]), vec![photo]),
        (conv(|layer| layer.dilation = [1, 0]), vec![photo]),
        (conv(|layer| layer.dilation = [HUGE, 1]), vec![photo]),
        (conv(|layer| layer.padding = [HUGE, 1, 1, 1]), vec![photo]),
        (conv(|layer| layer.groups = 0), vec![photo]),
        (conv(|layer| layer.groups = 3), vec![&[1, 8, 8, 6]]),
        (conv(|layer| layer.groups = HUGE), vec![photo]),
        (conv(|layer| layer.enlargement = 3), vec![photo]),
        (conv(|layer| layer.weights.shape.truncate(3)), vec![photo]),
        (conv(|layer| layer.bias = Some(parameter(&[3], &[0.0; 3]))), vec![photo]),
        (transposed([0, 1], [0; 4]), vec![&[1, 2, 2, 3]]),
        (transposed([HUGE, 1], [0; 4]), vec![&[1, 3, 2, 3]]),
        (transposed([1, 1], [2, 0, 1, 0]), vec![&[1, 2, 2, 3]]),
        (transposed([1, 1], [0; 4]), vec![&[1, 2, 2, 4]]),
        (linear.clone(), vec![&[1, 3]]),
        (linear.clone(), vec![none]),
        (linear, vec![&[HUGE, 2]]),
        (group(0), vec![photo]),
        (group(3), vec![photo]),
        (group(1), vec![&[2]]),
        (rms(0), vec![sequence]),
        (rms(3), vec![sequence]),
        (rms(1), vec![none]),
        (
            Layer::LayerNorm(LayerNorm { epsilon: 0.0, scale: None, shift: Some(zeros(&[3])) }),
            vec![sequence],
        ),
        (attention(0, 1), vec![sequence; 3]),
        (attention(4, 3), vec![sequence; 3]),
        (attention(3, 3), vec![sequence; 3]),
        (attention(4, 2), vec![sequence; 3]),
        (attention(4, 4), vec![sequence; 2]),
        (attention(4, 4), vec![sequence, sequence, &[1, 6, 8]]),
        (attention(4, 4), vec![sequence, &[2, 5, 8], &[2, 5, 8]]),
        (attention(4, 4), vec![sequence, sequence, sequence, &[1, 4, 5, 6]]),
        (attention(4, 4), vec![sequence, sequence, sequence, &[2, 1, 1, 1, 1]]),
        (attention(HUGE, 1), vec![sequence; 3]),
        (rotary(2, &[5, 3], &[5, 3]), vec![sequence]),
        (rotary(2, &[4, 2], &[4, 2]), vec![sequence]),
        (rotary(2, &[5, 2], &[5, 1]), vec![sequence]),
        (rotary(0, &[5, 2], &[5, 2]), vec![sequence]),
        (binary.clone(), vec![&[2, 3], &[2]]),
        (binary, vec![&[HUGE, 1], &[1, HUGE]]),
        (Layer::Concat { axis: 3 }, vec![photo, &[1, 8, 7, 2]]),
        (Layer::Concat { axis: 4 }, vec![photo, photo]),
        (Layer::Concat { axis: 0 }, vec![&[HUGE], &[HUGE]]),
        (Layer::Concat { axis: 0 }, vec![]),
        (slice(4, 0, 1), vec![photo]),
        (slice(1, 3, 3), vec![photo]),
        (slice(1, 3, 9), vec![photo]),
        (Layer::Reshape { shape: vec![HUGE, 2] }, vec![photo]),
        (Layer::Reshape { shape: vec![127] }, vec![photo]),
        (Layer::Transpose { axes: vec![0, 1, 1, 2] }, vec![photo]),
        (Layer::Transpose { axes: vec![0, 1, 2] }, vec![photo]),
        (pad([HUGE, 0, 1, 0]), vec![photo]),
        (pad([0; 4]), vec![sequence]),
        (resize(0), vec![photo]),
        (resize(HUGE), vec![photo]),
        (Layer::DepthToSpace { block: 2 }, vec![photo]),
        (Layer::DepthToSpace { block: 0 }, vec![photo]),
        (Layer::DepthToSpace { block: HUGE }, vec![photo]),
        (pool([2, 0], [1, 1], [0; 4]), vec![photo]),
        (pool([2, 2], [1, 0], [0; 4]), vec![photo]),
        (pool([2, 2], [1, 1], [2, 0, 0, 0]), vec![photo]),
        (pool([9, 2], [1, 1], [0; 4]), vec![photo]),
        (Layer::PRelu(zeros(&[3])), vec![photo]),
        (Layer::PRelu(zeros(&[3])), vec![none]),
        (Layer::Softmax, vec![none]),
        (Layer::Gated(Gated { activation: Activation::Silu, gate_first: true }), vec![&[1, 3]]),
    ];
    for (index, (layer, inputs)) in cases.into_iter().enumerate() {
        let result = layer.output_shape(&inputs);
        assert!(result.is_err(), "case {index}, {}: {result:?}", layer.kind());
    }
}

#[test]
fn a_misfit_says_what_was_expected_and_what_was_found() {
    let layer = Layer::Convolution(convolution(&[4, 3, 3, 2]));
    let error = layer.output_shape(&[&[1, 8, 8, 3]]).expect_err("three channels");
    assert_eq!(error.to_string(), "expected 2 · 1 channels, found an input of [1, 8, 8, 3]");
    let layer = Layer::PRelu(Parameter::new("slope", &[3], vec![0.0; 3]));
    let error = layer.output_shape(&[&[1, 8, 8, 2]]).expect_err("three slopes");
    assert_eq!(error.to_string(), "parameter `slope`: expected shape [2], found [3]");
}

#[test]
fn a_layer_in_a_model_gives_what_it_gives_by_itself() {
    let mut random = Random(8);
    let weights = random.parameter("fc.weight", &[5, 6]);
    let layer = Layer::Linear(Linear { weights, bias: None });
    let mut model = TypedModel::default();
    let source = model.add_source("x", f32::fact([1, 4, 6])).expect("a source");
    let outlet = nn::add(&mut model, "fc", layer.clone(), &[source]).expect("it fits");
    assert!(nn::add(&mut model, "again", layer.clone(), &[outlet]).is_err());
    model.select_output_outlets(&[outlet]).expect("an output");
    assert_eq!(nn::layer(model.node(outlet.node)), Some(&layer));
    let x = random.plain(&[1, 4, 6]);
    assert_eq!(run(&model, &[&x]), [evaluated(&layer, &[&x])]);
    let optimized = model.into_optimized().expect("it can be optimized");
    assert_eq!(run(&optimized, &[&x]), [evaluated(&layer, &[&x])]);
}
