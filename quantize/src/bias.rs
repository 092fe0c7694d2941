//! Bias correction: rounding weights moves the mean of what a layer makes; the bias takes that back.

use crate::simulate::Product;
use models::nn::{Layer, Parameter};
use std::sync::Arc;

/// The mean error of each channel over results `[rows, outputs]`.
///
/// # Panics
/// Where there are not as many results as references.
pub fn mean_error(product: &Product, reference: &[f32], result: &[f32]) -> Vec<f32> {
    assert_eq!(reference.len(), result.len());
    let mut sums = vec![0.0f64; product.channels];
    for (index, (reference, result)) in reference.iter().zip(result).enumerate() {
        sums[index % product.outputs % product.channels] += f64::from(result - reference);
    }
    let each = (reference.len() / product.channels).max(1) as f64;
    sums.into_iter().map(|sum| (sum / each) as f32).collect()
}

/// The layer with the mean error taken off its bias.
///
/// # Panics
/// Where the layer has no weights or another number of channels.
pub fn corrected(layer: &Layer, error: &[f32]) -> Layer {
    let mut layer = layer.clone();
    let (weights, bias) = match &mut layer {
        Layer::Convolution(layer) => (&layer.weights, &mut layer.bias),
        Layer::Transposed(layer) => (&layer.weights, &mut layer.bias),
        Layer::Linear(layer) => (&layer.weights, &mut layer.bias),
        other => panic!("a {} has no bias to correct", other.kind()),
    };
    let (name, values) = match bias {
        Some(bias) => {
            assert_eq!(bias.values.len(), error.len(), "channels of `{}`", bias.name);
            let values = bias.values.iter().zip(error).map(|(bias, error)| bias - error);
            (bias.name.clone(), values.collect::<Arc<[f32]>>())
        }
        None => {
            let name = weights.name.strip_suffix(".weight").unwrap_or(&weights.name);
            (format!("{name}.bias"), error.iter().map(|error| -error).collect())
        }
    };
    *bias = Some(Parameter::new(name, &[error.len()], values));
    layer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::Normal;
    use models::nn::Linear;

    #[test]
    fn correction_takes_the_mean_error_away_on_rows_it_has_not_seen() {
        let (depth, outputs) = (96, 40);
        let weights = Parameter::new("fc.weight", &[outputs, depth], Normal::new(1).take(96 * 40));
        let layer = Layer::Linear(Linear { weights, bias: None });
        // As after an activation: nothing is negative, so rounding errors of weights do not average out.
        let rows: Vec<f32> = Normal::new(2).take(depth * 400).iter().map(|x| x.max(0.0)).collect();
        let (seen, unseen) = rows.split_at(depth * 200);
        let product = Product::of(&layer).unwrap();
        let rounded = product.weights_int4();
        let error = |product: &Product, rows: &[f32]| {
            let reference = Product::of(&layer).unwrap();
            let exact = reference.multiply(rows, &reference.weights);
            mean_error(product, &exact, &product.multiply(rows, &rounded))
        };
        let before = error(&product, unseen);
        let fixed = corrected(&layer, &error(&product, seen));
        assert_eq!(fixed.parameters()[1].name, "fc.bias");
        let after = error(&Product::of(&fixed).unwrap(), unseen);
        let power = |errors: &[f32]| errors.iter().map(|e| e * e).sum::<f32>();
        assert!(power(&after) < 0.1 * power(&before), "{} {}", power(&after), power(&before));
    }
}
