//! Factors and shifts of channels, moved into the layer before them.

use crate::nn::{Layer, Operation, Parameter};
use crate::onnx::graph::{Graph, NodeId, Op, Order, ValueId};

/// A product or sum with a constant for each channel becomes part of a convolution, linear layer or norm.
pub(super) fn fold(graph: &mut Graph, node: NodeId) -> bool {
    let Some((layer, order, input)) = folded(graph, node) else { return false };
    graph.rewrite(node, Op::Layer(layer, order), &[input]);
    true
}

fn folded(graph: &Graph, node: NodeId) -> Option<(Layer, Order, ValueId)> {
    let &Op::Binary(operation) = graph.op(node) else { return None };
    let (value, constant) = match graph.nodes[node].inputs[..] {
        [a, b] if graph.is_constant(b) => (a, b),
        [a, b]
            if graph.is_constant(a)
                && matches!(operation, Operation::Add | Operation::Multiply) =>
        {
            (b, a)
        }
        _ => return None,
    };
    let before = graph.only(value)?;
    let Op::Layer(layer, order) = graph.op(before) else { return None };
    let shape = graph.shape(value);
    if shape != graph.shape(graph.nodes[node].outputs[0]) {
        return None;
    }
    let axis = if *order == Order::ChannelsLast { 1 } else { shape.len() - 1 };
    // A factor of all values is more often the scale of an attention than of the weights.
    let is_scale = matches!(operation, Operation::Multiply | Operation::Divide);
    if is_scale && graph.elements(constant) == 1 && shape[axis] != 1 {
        return None;
    }
    let values = graph.along(constant, shape, axis)?;
    let name = graph.origin(constant).unwrap_or(&graph.values[constant].name);
    let layer = match operation {
        Operation::Add => shifted(layer, &values, name)?,
        Operation::Subtract => {
            shifted(layer, &values.iter().map(|x| -x).collect::<Vec<_>>(), name)?
        }
        Operation::Multiply => scaled(layer, &values, name)?,
        Operation::Divide => {
            scaled(layer, &values.iter().map(|x| 1.0 / x).collect::<Vec<_>>(), name)?
        }
    };
    Some((layer, *order, graph.nodes[before].inputs[0]))
}

fn shifted(layer: &Layer, by: &[f32], name: &str) -> Option<Layer> {
    let mut layer = layer.clone();
    let shift = match &mut layer {
        Layer::Convolution(layer) => &mut layer.bias,
        Layer::Transposed(layer) => &mut layer.bias,
        Layer::Linear(layer) => &mut layer.bias,
        Layer::GroupNorm(layer) => &mut layer.shift,
        Layer::LayerNorm(layer) => &mut layer.shift,
        _ => return None,
    };
    *shift = Some(match shift.take() {
        None => Parameter::new(name, &[by.len()], by),
        Some(old) => {
            let sums: Vec<f32> = old.values.iter().zip(by).map(|(a, b)| a + b).collect();
            Parameter::new(old.name, &[by.len()], sums)
        }
    });
    Some(layer)
}

fn scaled(layer: &Layer, by: &[f32], name: &str) -> Option<Layer> {
    let mut layer = layer.clone();
    let times = |old: Option<Parameter>, name: &str| match old {
        None => Parameter::new(name, &[by.len()], by),
        Some(old) => {
            let products: Vec<f32> = old.values.iter().zip(by).map(|(a, b)| a * b).collect();
            Parameter::new(old.name, &[by.len()], products)
        }
    };
    let rows = |weights: &Parameter| {
        let row = weights.values.len() / by.len();
        let products: Vec<f32> =
            weights.values.iter().enumerate().map(|(at, w)| w * by[at / row]).collect();
        Parameter::new(&*weights.name, &weights.shape, products)
    };
    let bias = |bias: Option<Parameter>| bias.map(|bias| times(Some(bias), name));
    match &mut layer {
        Layer::Convolution(layer) => {
            layer.weights = rows(&layer.weights);
            layer.bias = bias(layer.bias.take());
        }
        Layer::Linear(layer) => {
            layer.weights = rows(&layer.weights);
            layer.bias = bias(layer.bias.take());
        }
        Layer::Transposed(layer) => {
            let old = &layer.weights;
            let products: Vec<f32> =
                old.values.iter().enumerate().map(|(at, w)| w * by[at % by.len()]).collect();
            layer.weights = Parameter::new(&*old.name, &old.shape, products);
            layer.bias = bias(layer.bias.take());
        }
        Layer::GroupNorm(layer) => {
            layer.scale = Some(times(layer.scale.take(), name));
            layer.shift = bias(layer.shift.take());
        }
        Layer::LayerNorm(layer) => {
            layer.scale = Some(times(layer.scale.take(), name));
            layer.shift = bias(layer.shift.take());
        }
        Layer::RmsNorm(layer) if layer.size == by.len() => {
            layer.scale = Some(times(layer.scale.take(), name));
        }
        _ => return None,
    }
    Some(layer)
}

/// PyTorch's order of channels before a depth to space, brought about in the convolution's weights.
pub(super) fn pixels(graph: &mut Graph, node: NodeId) -> bool {
    let Some((convolution, layer, input)) = shuffled(graph, node) else { return false };
    let made = {
        let shape = graph.shape(graph.nodes[convolution].outputs[0]).to_vec();
        graph.derive(convolution, Op::Layer(layer, Order::ChannelsLast), &[input], &shape)
    };
    let op = graph.op(node).clone();
    graph.rewrite(node, op, &[made]);
    true
}

fn shuffled(graph: &Graph, node: NodeId) -> Option<(NodeId, Layer, ValueId)> {
    let &Op::Layer(Layer::DepthToSpace { block }, _) = graph.op(node) else { return None };
    let step = |value: ValueId| graph.only(value);
    let joined = step(graph.nodes[node].inputs[0])?;
    let turned = step(graph.nodes[joined].inputs[0])?;
    let split = step(*graph.nodes[turned].inputs.first()?)?;
    let convolution = step(*graph.nodes[split].inputs.first()?)?;
    match (graph.op(joined), graph.op(turned), graph.op(split)) {
        (Op::Reshape, Op::Transpose(axes), Op::Reshape) if axes[..] == [0, 2, 1, 3, 4] => {}
        _ => return None,
    }
    let Op::Layer(Layer::Convolution(layer), _) = graph.op(convolution) else { return None };
    if layer.groups != 1 {
        return None;
    }
    let (area, channels) = (block * block, layer.weights.shape[0]);
    let left = channels / area;
    let from = |to: usize| to % left * area + to / left;
    let rows = |old: &Parameter| {
        let row = old.values.len() / channels;
        let values: Vec<f32> =
            (0..channels).flat_map(|to| &old.values[from(to) * row..][..row]).copied().collect();
        Parameter::new(&*old.name, &old.shape, values)
    };
    let mut layer = layer.clone();
    layer.weights = rows(&layer.weights);
    layer.bias = layer.bias.as_ref().map(rows);
    Some((convolution, Layer::Convolution(layer), graph.nodes[convolution].inputs[0]))
}
