//! A layer of a concatenation as a sum: `W [a; b] = W_a a + W_b b`.

use super::{rebuild, shape};
use crate::nn::{self, Binary, Convolution, Layer, Linear, Operation, Parameter};
use std::ops::Range;
use tract_core::internal::*;

/// Linear layers and ungrouped convolutions whose input is a concatenation of channels, and for which `chosen` says so, become sums of
/// layers, one for each part, so that each part can be quantized with a scale of its own.
///
/// The layers are named `<layer>.part0`, `<layer>.part1`, …; the first has the bias. The last sum has the layer's name, those before it
/// `<layer>.sum1`, ….
///
/// # Errors
/// Where tract refuses the graph.
pub fn split_concat(
    model: &TypedModel,
    chosen: impl Fn(&TypedNode) -> bool,
) -> TractResult<TypedModel> {
    let split = rebuild(model, |rebuilt, node, inputs| {
        let Some(layer) = nn::layer(node).filter(|layer| can_be_split(layer)) else {
            return Ok(None);
        };
        let concat = rebuilt.model.node(inputs[0].node);
        let Some(Layer::Concat { axis }) = nn::layer(concat) else { return Ok(None) };
        let axis = *axis;
        let rank = shape(&rebuilt.model, inputs[0]).map(<[usize]>::len);
        if rank != Some(axis + 1) || concat.inputs.len() < 2 || !chosen(node) {
            return Ok(None);
        }
        let parts = concat.inputs.clone();
        let mut start = 0;
        let mut sum = None;
        for (index, &part) in parts.iter().enumerate() {
            let channels = shape(&rebuilt.model, part).map_or(0, |shape| shape[axis]);
            let layer = part_of(layer, start..start + channels, index);
            start += channels;
            let name = format!("{}.part{index}", node.name);
            let outlet = nn::add(&mut rebuilt.model, name, layer, &[part])?;
            sum = Some(match sum {
                None => outlet,
                Some(sum) => {
                    let last = index + 1 == parts.len();
                    let name =
                        if last { node.name.clone() } else { format!("{}.sum{index}", node.name) };
                    let add = Layer::Binary(Binary { operation: Operation::Add });
                    nn::add(&mut rebuilt.model, name, add, &[sum, outlet])?
                }
            });
        }
        Ok(sum.map(|sum| tvec![sum]))
    })?;
    super::prune(&split)
}

fn can_be_split(layer: &Layer) -> bool {
    matches!(layer, Layer::Linear(_) | Layer::Convolution(Convolution { groups: 1, .. }))
}

/// The layer for some of the input's channels; only that of the first part has the bias.
fn part_of(layer: &Layer, channels: Range<usize>, index: usize) -> Layer {
    let bias = |bias: &Option<Parameter>| bias.clone().filter(|_| index == 0);
    match layer {
        Layer::Linear(linear) => Layer::Linear(Linear {
            weights: columns(&linear.weights, channels, index),
            bias: bias(&linear.bias),
        }),
        Layer::Convolution(convolution) => Layer::Convolution(Convolution {
            weights: columns(&convolution.weights, channels, index),
            bias: bias(&convolution.bias),
            ..convolution.clone()
        }),
        _ => unreachable!("only linear layers and convolutions are split"),
    }
}

/// A range of the last axis.
fn columns(weights: &Parameter, range: Range<usize>, index: usize) -> Parameter {
    let mut shape = weights.shape.clone();
    let last = shape.len() - 1;
    shape[last] = range.len();
    let rows = weights.values.chunks_exact(weights.shape[last]);
    let values = rows.flat_map(|row| &row[range.clone()]).copied().collect::<Vec<_>>();
    Parameter::new(format!("{}.part{index}", weights.name), &shape, values)
}
