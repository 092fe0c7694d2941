//! Attention from its two products: heads in an axis of their own or together with the images.

use super::heads::{Heads, View, moved};
use super::reshaped_from;
use crate::nn::{Attention, Layer, Operation};
use crate::onnx::graph::{Graph, NodeId, Op, Order, ValueId};

/// Rows of NaN become rows of 0 in some exports; a row sees at least one key here.
pub(super) fn without_nan(graph: &mut Graph, node: NodeId) -> bool {
    if !graph.is(node, "Where") {
        return false;
    }
    let &[condition, zero, value] = &graph.nodes[node].inputs[..] else { return false };
    let is_nan = graph
        .producer_is(condition, "IsNaN")
        .is_some_and(|test| graph.nodes[test].inputs[0] == value);
    let is_softmax =
        graph.producer(value).is_some_and(|before| matches!(graph.op(before), Op::Softmax(_)));
    let output = graph.nodes[node].outputs[0];
    let same = graph.shape(output) == graph.shape(value);
    if is_nan && is_softmax && same && graph.scalar(zero) == Some(0.0) {
        graph.redirect(output, value);
        return true;
    }
    false
}

/// The parts of `softmax(factor · q · kᵀ + bias) · v`.
struct Parts {
    q: ValueId,
    /// `[…, size, keys]`
    k: ValueId,
    v: ValueId,
    factor: f32,
    bias: Option<ValueId>,
}

pub(super) fn recognise(graph: &mut Graph, node: NodeId) -> bool {
    let Some(parts) = parts(graph, node) else { return false };
    let output = graph.nodes[node].outputs[0];
    let rank = graph.shape(output).len();
    let (batch, queries) =
        (graph.shape(output)[..rank - 2].to_vec(), graph.shape(output)[rank - 2]);
    let &[.., size, keys] = graph.shape(parts.k) else { return false };
    let value_size = graph.shape(output)[rank - 1];
    let Some([n, heads]) = batches(graph, &batch, &parts) else { return false };
    let bias = match parts.bias {
        None => None,
        Some(bias) => match bias_of(graph, node, bias, &batch, [n, heads, queries, keys]) {
            Some(bias) => Some(bias),
            None => return false,
        },
    };
    let causal = bias.is_some_and(|bias| is_causal(graph, bias, queries, keys));
    let bias = bias.filter(|_| !causal);
    let q = moved(graph, node, parts.q, [n, heads, queries, size], [0, 1, 2, 3]);
    let k = moved(graph, node, parts.k, [n, heads, size, keys], [0, 1, 3, 2]);
    let v = moved(graph, node, parts.v, [n, heads, keys, value_size], [0, 1, 2, 3]);
    let [q_flat, k, v] = [(q, heads), (k, 0), (v, 0)].map(|(part, heads)| (part, heads));
    let q = whole(graph, node, q_flat.0);
    let (k, v) = (k.0, v.0);
    // Keys and values that are repeated for the heads must be so alike.
    let (k, v) =
        if k.stored == v.stored { (k, v) } else { (whole(graph, node, k), whole(graph, node, v)) };
    let scale = parts.factor * q.factor * k.factor;
    let key_heads = k.stored;
    if v.factor != 1.0 || key_heads == 0 || heads % key_heads != 0 {
        return false;
    }
    let layer = Attention { heads, key_heads, scale, causal };
    let mut inputs = vec![q.flat, k.flat, v.flat];
    inputs.extend(bias);
    let width = heads * value_size;
    let op = Op::Layer(Layer::Attention(layer), Order::File);
    let flat = graph.derive(node, op, &inputs, &[n, queries, width]);
    let split = graph.derive(node, Op::Reshape, &[flat], &[n, queries, heads, value_size]);
    let turned = Op::Transpose(vec![0, 2, 1, 3]);
    let four = graph.derive(node, turned, &[split], &[n, heads, queries, value_size]);
    graph.rewrite(node, Op::Reshape, &[four]);
    true
}

/// Heads of which each is stored.
fn whole(graph: &mut Graph, node: NodeId, found: Heads) -> Heads {
    if found.stored == found.heads {
        return found;
    }
    let Heads { n, heads, tokens, size, stored, .. } = found;
    let split = graph.derive(node, Op::Reshape, &[found.flat], &[n, tokens, stored, 1, size]);
    let wide = [n, tokens, stored, heads / stored, size];
    let repeated = graph.derive(node, Op::Expand, &[split], &wide);
    let flat = graph.derive(node, Op::Reshape, &[repeated], &[n, tokens, heads * size]);
    Heads { flat, stored: heads, ..found }
}

fn parts(graph: &Graph, node: NodeId) -> Option<Parts> {
    let (Op::MatMul, &[weights, v]) = (graph.op(node), &graph.nodes[node].inputs[..]) else {
        return None;
    };
    let mut at = weights;
    while let Some(from) = reshaped_from(graph, at) {
        graph.only(at)?;
        at = from;
    }
    let softmax = graph.only(at)?;
    match graph.op(softmax) {
        Op::Softmax(axis) if axis + 1 == graph.shape(at).len() => {}
        _ => return None,
    }
    let mut scores = graph.nodes[softmax].inputs[0];
    let (mut factor, mut bias) = (1.0, None);
    loop {
        let producer = graph.only(scores)?;
        let inputs = &graph.nodes[producer].inputs;
        match graph.op(producer) {
            Op::MatMul => {
                let (q, k) = (inputs[0], inputs[1]);
                let ranks = [q, k, v].map(|value| graph.shape(value).len());
                let batch = |value: ValueId| &graph.shape(value)[..graph.shape(value).len() - 2];
                let alike = ranks[0] == ranks[1]
                    && ranks[0] == ranks[2]
                    && [3, 4].contains(&ranks[0])
                    && batch(q) == batch(k)
                    && batch(q) == batch(v);
                return alike.then_some(Parts { q, k, v, factor, bias });
            }
            Op::Reshape => scores = inputs[0],
            Op::Binary(Operation::Add) => {
                // A bias of the scores before they are multiplied is none after it.
                if bias.is_some() || factor != 1.0 {
                    return None;
                }
                let shape = graph.shape(scores);
                let is_score = |value: ValueId| {
                    graph.shape(value) == shape && !graph.is_constant(value) && leads(graph, value)
                };
                let (next, added) = match (is_score(inputs[0]), is_score(inputs[1])) {
                    (true, _) => (inputs[0], inputs[1]),
                    (false, true) => (inputs[1], inputs[0]),
                    _ => return None,
                };
                // Its shape is that of the scores at this point.
                if shape.len() != graph.shape(weights).len() && shape.len() != 4 {
                    return None;
                }
                bias = Some(added);
                scores = next;
            }
            Op::Binary(operation @ (Operation::Multiply | Operation::Divide)) => {
                let (next, by) = graph.with_scalar(scores, *operation)?;
                factor *= if *operation == Operation::Divide { 1.0 / by } else { by };
                scores = next;
            }
            _ => return None,
        }
    }
}

/// Whether a value is a product of queries and keys, perhaps scaled.
fn leads(graph: &Graph, mut value: ValueId) -> bool {
    while let Some(node) = graph.producer(value) {
        match graph.op(node) {
            Op::MatMul => return true,
            Op::Reshape => value = graph.nodes[node].inputs[0],
            Op::Binary(operation @ (Operation::Multiply | Operation::Divide)) => {
                match graph.with_scalar(value, *operation) {
                    Some((next, _)) => value = next,
                    None => return false,
                }
            }
            _ => return false,
        }
    }
    false
}

/// Images and heads; where both are one axis, as the queries' or the values' place says.
fn batches(graph: &Graph, batch: &[usize], parts: &Parts) -> Option<[usize; 2]> {
    let both = match *batch {
        [n, heads] => return Some([n, heads]),
        [both] => both,
        _ => return None,
    };
    let sources = [parts.q, parts.k, parts.v].map(|value| View::of(graph, value));
    for view in &sources {
        match view.axes[0][..] {
            // The images are further apart than a head.
            [images, heads] if images.extent * heads.extent == both => {
                return Some([images.extent, heads.extent]);
            }
            [only] => {
                let token = view.axes[1].first().map_or(0, |run| run.stride);
                let is_images = only.stride >= token && only.stride >= inner(view);
                return Some(if is_images { [both, 1] } else { [1, both] });
            }
            _ => {}
        }
    }
    Some([1, both])
}

/// The values that tokens and sizes of a view span.
fn inner(view: &View) -> usize {
    view.axes[1..].iter().flatten().map(|run| run.extent * run.stride).max().unwrap_or(1)
}

/// A bias as `[n, heads, queries, keys]` or what broadcasts to it.
fn bias_of(
    graph: &mut Graph,
    node: NodeId,
    bias: ValueId,
    batch: &[usize],
    [n, heads, queries, keys]: [usize; 4],
) -> Option<ValueId> {
    let shape = graph.shape(bias).to_vec();
    let four = match (&shape[..], batch.len()) {
        (&[a, b, c, d], _) => [a, b, c, d],
        (&[both, c, d], 1) if both == n * heads && both != 1 => [n, heads, c, d],
        (&[1, c, d], _) => [1, 1, c, d],
        (&[b, c, d], 2) => [1, b, c, d],
        (&[c, d], _) => [1, 1, c, d],
        (&[d], _) => [1, 1, 1, d],
        _ => return None,
    };
    let fits =
        four.iter().zip([n, heads, queries, keys]).all(|(&own, extent)| own == extent || own == 1);
    if !fits {
        return None;
    }
    if shape == four {
        return Some(bias);
    }
    if let Some(constant) = &graph.values[bias].constant {
        let mut constant = constant.clone();
        constant.tensor = constant.tensor.as_ref().clone().into_shape(&four).ok()?.into();
        let name = graph.values[bias].name.clone();
        return Some(graph.add_constant(&name, constant));
    }
    Some(graph.derive(node, Op::Reshape, &[bias], &four))
}

/// Whether a constant bias lets query i see the keys `0..=i` and nothing else.
fn is_causal(graph: &Graph, bias: ValueId, queries: usize, keys: usize) -> bool {
    let Some(values) = graph.floats(bias) else { return false };
    queries == keys
        && queries > 1
        && values.len() == queries * keys
        && values.iter().enumerate().all(|(at, &value)| {
            let seen = at % keys <= at / keys;
            if seen { value == 0.0 } else { value <= -1e4 }
        })
}
