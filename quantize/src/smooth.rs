//! SmoothQuant (Xiao et al., 2023): where a norm feeds linear layers, channels that reach far are divided before quantizing and their weights multiplied.
//!
//! `y = (x / s) · (s · w)` with `s[c] = max|x[c]|^α / max|w[c]|^(1 − α)`; 1 / s goes into the norm's scale and shift, so nothing is computed more.

use crate::error::QuantizeError;
use crate::layers::{rebuild_error, replace};
use models::nn::{self, Layer, Parameter};
use std::collections::BTreeMap;
use tract_core::internal::*;

/// A norm that was smoothed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Smoothed {
    /// The norm's name.
    pub norm: String,
    /// Names of the linear layers that read it.
    pub linears: Vec<String>,
}

/// Smooths every norm that linear layers alone read. `channels` gives the greatest magnitude of each channel of what a node makes.
///
/// # Errors
/// Where the net is not whole.
pub fn smooth<'a>(
    model: &mut TypedModel,
    alpha: f32,
    channels: impl Fn(&str) -> Option<&'a [f32]>,
) -> Result<Vec<Smoothed>, QuantizeError> {
    let outputs = model.output_outlets().map_err(rebuild_error)?.to_vec();
    let mut layers = BTreeMap::new();
    let mut all_smoothed = Vec::new();
    for node in model.nodes() {
        let Some(norm @ (Layer::LayerNorm(_) | Layer::RmsNorm(_))) = nn::layer(node) else {
            continue;
        };
        let Some(greatest) = channels(&node.name) else { continue };
        if matches!(norm, Layer::RmsNorm(norm) if norm.size != greatest.len())
            || outputs.contains(&node.id.into())
        {
            continue;
        }
        let readers = model.outlet_successors(node.id.into());
        let linear = |inlet: &InletId| {
            let reader = model.node(inlet.node);
            match nn::layer(reader) {
                Some(Layer::Linear(linear)) => Some((reader.name.clone(), linear)),
                _ => None,
            }
        };
        let Some(linears) = readers.iter().map(linear).collect::<Option<Vec<_>>>() else {
            continue;
        };
        if linears.is_empty() {
            continue;
        }
        let mut of_weights = vec![0.0f32; greatest.len()];
        for (_, linear) in &linears {
            for row in linear.weights.values.chunks_exact(greatest.len()) {
                for (most, weight) in of_weights.iter_mut().zip(row) {
                    *most = most.max(weight.abs());
                }
            }
        }
        let factor = |(x, w): (&f32, &f32)| match x.powf(alpha) / w.powf(1.0 - alpha) {
            factor if factor.is_normal() => factor,
            _ => 1.0,
        };
        let factors: Vec<f32> = greatest.iter().zip(&of_weights).map(factor).collect();
        layers.insert(node.name.clone(), divided(norm, &factors));
        for (name, linear) in &linears {
            let rows = linear.weights.values.chunks_exact(factors.len());
            let values: Vec<f32> =
                rows.flat_map(|row| row.iter().zip(&factors).map(|(w, s)| w * s)).collect();
            let mut linear = (*linear).clone();
            linear.weights = Parameter::new(&*linear.weights.name, &linear.weights.shape, values);
            layers.insert(name.clone(), Layer::Linear(linear));
        }
        let linears = linears.into_iter().map(|(name, _)| name).collect();
        all_smoothed.push(Smoothed { norm: node.name.clone(), linears });
    }
    replace(model, layers);
    Ok(all_smoothed)
}

/// The norm with its result divided by `factors`.
fn divided(norm: &Layer, factors: &[f32]) -> Layer {
    let divide = |parameter: &Parameter| {
        let values: Vec<f32> = parameter.values.iter().zip(factors).map(|(x, s)| x / s).collect();
        Parameter::new(&*parameter.name, &parameter.shape, values)
    };
    let ones = || Parameter::new("smoothed.weight", &[factors.len()], vec![1.0; factors.len()]);
    let scale = |scale: &Option<Parameter>| Some(divide(scale.as_ref().unwrap_or(&ones())));
    match norm {
        Layer::LayerNorm(norm) => {
            let shift = norm.shift.as_ref().map(divide);
            Layer::LayerNorm(nn::LayerNorm { scale: scale(&norm.scale), shift, ..*norm })
        }
        Layer::RmsNorm(norm) => Layer::RmsNorm(nn::RmsNorm { scale: scale(&norm.scale), ..*norm }),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::evaluate;
    use crate::samples::Normal;
    use crate::simulate::{Fidelity, Product, Rows};
    use models::nn::{LayerNorm, Linear, Plain};

    const CHANNELS: usize = 24;

    /// A norm with two loud channels that two linear layers read; `also` adds a reader that is none.
    fn net(also: bool) -> TypedModel {
        let parameter = |name: &str, shape: &[usize], seed| {
            Parameter::new(name, shape, Normal::new(seed).take(shape.iter().product()))
        };
        let mut scale = vec![1.0; CHANNELS];
        (scale[3], scale[17]) = (60.0, 35.0);
        let norm = Layer::LayerNorm(LayerNorm {
            epsilon: 1e-5,
            scale: Some(Parameter::new("norm.weight", &[CHANNELS], scale)),
            shift: Some(parameter("norm.bias", &[CHANNELS], 4)),
        });
        let mut model = TypedModel::default();
        let x = model.add_source("x", f32::fact([1, 40, CHANNELS])).unwrap();
        let norm = nn::add(&mut model, "norm", norm, &[x]).unwrap();
        let mut linear = |name: &str, seed| {
            let weights = parameter("w", &[16, CHANNELS], seed);
            let layer = Layer::Linear(Linear { weights, bias: None });
            nn::add(&mut model, name, layer, &[norm]).unwrap()
        };
        let mut outputs = vec![linear("to_q", 1), linear("to_k", 2)];
        if also {
            outputs.push(nn::add(&mut model, "softmax", Layer::Softmax, &[norm]).unwrap());
        }
        model.with_output_outlets(&outputs).unwrap()
    }

    fn values(model: &TypedModel) -> BTreeMap<String, Plain> {
        let x = Plain::new(&[1, 40, CHANNELS], Normal::new(7).take(40 * CHANNELS));
        evaluate(model, &BTreeMap::from([("x".to_owned(), x)])).unwrap()
    }

    fn greatest(values: &Plain) -> Vec<f32> {
        let rows = values.values.chunks(CHANNELS);
        rows.fold(vec![0.0; CHANNELS], |most, row| {
            most.iter().zip(row).map(|(a, b): (&f32, &f32)| a.max(b.abs())).collect()
        })
    }

    fn int8(model: &TypedModel, values: &BTreeMap<String, Plain>) -> Fidelity {
        let product = Product::of(nn::layer(model.node_by_name("to_q").unwrap()).unwrap()).unwrap();
        let rows = product.quantized(&values["norm"].values, Rows::Each);
        let result = product.multiply(&rows, &product.weights_int8());
        Fidelity::of(&values["to_q"].values, &result)
    }

    #[test]
    fn smoothing_keeps_what_the_net_computes_and_helps_int8() {
        let mut model = net(false);
        let before = values(&model);
        let int8_before = int8(&model, &before);
        let channels = greatest(&before["norm"]);
        let smoothed =
            smooth(&mut model, 0.5, |name| (name == "norm").then_some(channels.as_slice()))
                .unwrap();
        assert_eq!(smoothed[0].linears, ["to_q", "to_k"]);
        let after = values(&model);
        for name in ["to_q", "to_k"] {
            let same = Fidelity::of(&before[name].values, &after[name].values);
            assert!(same.psnr > 110.0, "{name}: {same:?}");
        }
        assert_ne!(before["norm"], after["norm"]);
        let int8_after = int8(&model, &after);
        assert!(int8_after.psnr > int8_before.psnr + 3.0, "{int8_before:?} {int8_after:?}");
    }

    #[test]
    fn a_norm_that_others_read_too_is_left_alone() {
        let mut model = net(true);
        let before = values(&model);
        let channels = greatest(&before["norm"]);
        let smoothed = smooth(&mut model, 0.5, |_| Some(channels.as_slice())).unwrap();
        assert!(smoothed.is_empty());
        assert_eq!(values(&model), before);
    }
}
