//! Norms that exporters take apart.

use super::reshaped_from;
use crate::nn::{GroupNorm, Layer, LayerNorm, Operation, Parameter, RmsNorm};
use crate::onnx::graph::{Graph, NodeId, Op, Order, ValueId};

/// An instance norm of `[n, groups, …]` between two reshapes is a group norm.
pub(super) fn group_norm(graph: &mut Graph, node: NodeId) -> bool {
    let Some((layer, input)) = grouped(graph, node) else { return false };
    graph.rewrite(node, Op::Layer(Layer::GroupNorm(layer), Order::ChannelsLast), &[input]);
    true
}

fn grouped(graph: &Graph, node: NodeId) -> Option<(GroupNorm, ValueId)> {
    let Op::Reshape = graph.op(node) else { return None };
    let inner = graph.only(graph.nodes[node].inputs[0])?;
    let Op::Layer(Layer::GroupNorm(norm), _) = graph.op(inner) else { return None };
    let input = reshaped_from(graph, graph.nodes[inner].inputs[0])?;
    let (outer, grouped) = (graph.shape(input), graph.shape(graph.nodes[inner].outputs[0]));
    let (c, groups) = (*outer.get(1)?, grouped[1]);
    let fits = outer == graph.shape(graph.nodes[node].outputs[0])
        && outer.len() >= 3
        && outer[0] == grouped[0]
        && norm.groups == groups
        && c.is_multiple_of(groups);
    if !fits {
        return None;
    }
    let each = |parameter: &Option<Parameter>, neutral: f32| {
        let parameter = parameter.as_ref()?;
        if parameter.values.iter().all(|&value| value == neutral) {
            return None;
        }
        let values: Vec<f32> = parameter
            .values
            .iter()
            .flat_map(|&value| std::iter::repeat_n(value, c / groups))
            .collect();
        Some(Parameter::new(&*parameter.name, &[c], values))
    };
    let (scale, shift) = (each(&norm.scale, 1.0), each(&norm.shift, 0.0));
    Some((GroupNorm { groups, epsilon: norm.epsilon, scale, shift }, input))
}

/// `d / √(mean(d²) + ε)`: a layer norm where d is what differs from the mean, else an RMS norm.
pub(super) fn over_channels(graph: &mut Graph, node: NodeId) -> bool {
    let Some((layer, order, input)) = normed(graph, node) else { return false };
    graph.rewrite(node, Op::Layer(layer, order), &[input]);
    true
}

fn normed(graph: &Graph, node: NodeId) -> Option<(Layer, Order, ValueId)> {
    let (value, variance, epsilon) = divided(graph, node)?;
    let (squares, axis) = mean(graph, variance)?;
    if square(graph, squares)? != value {
        return None;
    }
    let shape = graph.shape(value);
    let order = if axis + 1 == shape.len() {
        Order::File
    } else if axis == 1 && shape.len() == 4 {
        Order::ChannelsLast
    } else {
        return None;
    };
    let centred = graph.binary(value, Operation::Subtract).and_then(|(x, subtracted)| {
        let (of, along) = mean(graph, subtracted)?;
        (of == x && along == axis).then_some(x)
    });
    Some(match centred {
        Some(x) => (Layer::LayerNorm(LayerNorm { epsilon, scale: None, shift: None }), order, x),
        None => (Layer::RmsNorm(RmsNorm { size: shape[axis], epsilon, scale: None }), order, value),
    })
}

/// The value, variance and ε of `value / √(variance + ε)`, however it is written.
fn divided(graph: &Graph, node: NodeId) -> Option<(ValueId, ValueId, f32)> {
    let inputs = &graph.nodes[node].inputs;
    match (graph.op(node), &inputs[..]) {
        (Op::Binary(Operation::Divide), &[value, root]) => {
            let (variance, epsilon) = root_of(graph, root)?;
            Some((value, variance, epsilon))
        }
        (Op::Binary(Operation::Multiply), &[a, b]) => {
            [(a, b), (b, a)].into_iter().find_map(|(value, inverse)| {
                let (variance, epsilon) = inverse_root(graph, inverse)?;
                Some((value, variance, epsilon))
            })
        }
        _ => None,
    }
}

fn root_of(graph: &Graph, value: ValueId) -> Option<(ValueId, f32)> {
    let node = graph.producer(value)?;
    let root = graph.is(node, "Sqrt")
        || graph.is(node, "Pow") && graph.scalar(graph.nodes[node].inputs[1]) == Some(0.5);
    let sum = root.then(|| graph.nodes[node].inputs[0])?;
    graph.with_scalar(sum, Operation::Add)
}

fn inverse_root(graph: &Graph, value: ValueId) -> Option<(ValueId, f32)> {
    if let Some(node) = graph.producer_is(value, "Reciprocal") {
        return root_of(graph, graph.nodes[node].inputs[0]);
    }
    if let Some(node) = graph.producer_is(value, "Pow") {
        let inputs = &graph.nodes[node].inputs;
        return (graph.scalar(inputs[1]) == Some(-0.5))
            .then(|| graph.with_scalar(inputs[0], Operation::Add))?;
    }
    let (one, root) = graph.binary(value, Operation::Divide)?;
    (graph.scalar(one) == Some(1.0)).then(|| root_of(graph, root))?
}

/// What a mean over one axis is of, and the axis.
fn mean(graph: &Graph, value: ValueId) -> Option<(ValueId, usize)> {
    let node = graph.producer(value)?;
    let Op::Mean(axes) = graph.op(node) else { return None };
    let input = graph.nodes[node].inputs[0];
    match axes[..] {
        [axis] if graph.shape(value).len() == graph.shape(input).len() => Some((input, axis)),
        _ => None,
    }
}

fn square(graph: &Graph, value: ValueId) -> Option<ValueId> {
    if let Some(node) = graph.producer_is(value, "Pow") {
        let inputs = &graph.nodes[node].inputs;
        return (graph.scalar(inputs[1]) == Some(2.0)).then(|| inputs[0]);
    }
    let (a, b) = graph.binary(value, Operation::Multiply)?;
    (a == b).then_some(a)
}
