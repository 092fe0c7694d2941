//! Constants after a layer of weights: `(W x + b) · s + t = (s W) x + (s b + t)`.

use super::{rebuild, shape};
use crate::nn::{self, Binary, Layer, Operation, Parameter};
use std::collections::HashMap;
use tract_core::internal::*;
use tract_core::ops::konst::Const;

/// What channel o of a layer's result becomes: `scale[o] · y[o] + shift[o]`.
struct Affine {
    scale: Vec<f32>,
    shift: Vec<f32>,
}

/// Sums, differences, products and quotients with a constant for each channel, which follow a convolution or a linear layer and nothing
/// else takes its result, go into its weights and bias.
///
/// # Errors
/// Where tract refuses the graph.
pub fn fold_constants_into_linear(model: &TypedModel) -> TractResult<TypedModel> {
    // By the last node of what is folded, what it is folded into.
    let mut ends = HashMap::new();
    let folded = rebuild(model, |rebuilt, node, inputs| {
        if let Some(&outlet) = ends.get(&node.id) {
            return Ok(Some(tvec![outlet]));
        }
        let Some(layer) = nn::layer(node) else { return Ok(None) };
        let mut channels = match layer {
            Layer::Convolution(layer) => layer.weights.shape[0],
            Layer::Linear(layer) => layer.weights.shape[0],
            _ => return Ok(None),
        };
        let mut affine = Affine { scale: vec![1.0; channels], shift: vec![0.0; channels] };
        let mut end = node;
        while let Some((next, step)) = following(model, end, &mut channels) {
            for channel in 0..channels {
                let scale = step.scale[channel];
                affine.scale[channel] *= scale;
                affine.shift[channel] = affine.shift[channel] * scale + step.shift[channel];
            }
            end = next;
        }
        if end.id == node.id {
            return Ok(None);
        }
        let outlet = nn::add(&mut rebuilt.model, &node.name, affine.into_layer(layer), inputs)?;
        ends.insert(end.id, outlet);
        Ok(Some(tvec![outlet]))
    })?;
    super::prune(&folded)
}

/// The only node that takes a node's result, where it is an operation with a constant for each channel.
fn following<'a>(
    model: &'a TypedModel,
    node: &TypedNode,
    channels: &mut usize,
) -> Option<(&'a TypedNode, Affine)> {
    let outlet = OutletId::from(node.id);
    let [successor] = node.outputs[0].successors[..] else { return None };
    if model.output_outlets().ok()?.contains(&outlet) {
        return None;
    }
    let next = model.node(successor.node);
    let Some(Layer::Binary(Binary { operation })) = nn::layer(next) else { return None };
    let constant = next.inputs[1 - successor.slot];
    let constant = model.node(constant.node).op_as::<Const>()?.val();
    if shape(model, outlet)? != shape(model, next.id.into())? {
        return None;
    }
    let extents = constant.shape();
    let values = constant.try_as_plain_ram().ok()?;
    let values = values.as_slice::<f32>().ok()?;
    if values.len() != 1 && (values.len() != *channels || extents.last() != Some(channels)) {
        return None;
    }
    let of = |rule: fn(f32) -> f32| -> Vec<f32> {
        (0..*channels).map(|channel| rule(values[channel % values.len()])).collect()
    };
    let all = |value: f32| vec![value; *channels];
    let (scale, shift) = match (operation, successor.slot) {
        (Operation::Add, _) => (all(1.0), of(|k| k)),
        (Operation::Multiply, _) => (of(|k| k), all(0.0)),
        (Operation::Subtract, 0) => (all(1.0), of(|k| -k)),
        (Operation::Subtract, _) => (all(-1.0), of(|k| k)),
        (Operation::Divide, 0) => (of(|k| 1.0 / k), all(0.0)),
        (Operation::Divide, _) => return None,
    };
    let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
    (finite(&scale) && finite(&shift)).then_some((next, Affine { scale, shift }))
}

impl Affine {
    /// The layer with this applied to its result.
    fn into_layer(self, layer: &Layer) -> Layer {
        let mut layer = layer.clone();
        let (weights, bias) = match &mut layer {
            Layer::Convolution(layer) => (&mut layer.weights, &mut layer.bias),
            Layer::Linear(layer) => (&mut layer.weights, &mut layer.bias),
            _ => unreachable!("only convolutions and linear layers take constants in"),
        };
        let channels = self.scale.len();
        if self.scale.iter().any(|&scale| scale != 1.0) {
            let row = weights.values.len() / channels;
            let values = weights.values.iter().enumerate().map(|(i, w)| w * self.scale[i / row]);
            let values = values.collect::<Vec<_>>();
            *weights = Parameter::new(weights.name.as_str(), &weights.shape, values);
        }
        let old = |channel: usize| bias.as_ref().map_or(0.0, |bias| bias.values[channel]);
        let values = (0..channels).map(|o| old(o) * self.scale[o] + self.shift[o]);
        let values = values.collect::<Vec<_>>();
        if bias.is_some() || values.iter().any(|&value| value != 0.0) {
            let name = bias.take().map_or_else(|| format!("{}.bias", weights.name), |b| b.name);
            *bias = Some(Parameter::new(name, &[channels], values));
        }
        layer
    }
}
