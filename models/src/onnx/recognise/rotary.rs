//! Rotary embeddings from their products with tables of cosines and sines.

use super::heads::moved;
use super::reshaped_from;
use crate::nn::{Layer, Operation, Pairs, Parameter, Rotary};
use crate::onnx::graph::{Graph, NodeId, Op, Order, ValueId};

/// `x · cos + turned(x) · sin`, where `turned` swaps the halves of a head and negates the first.
pub(super) fn halves(graph: &mut Graph, node: NodeId) -> bool {
    recognise(graph, node, Pairs::Halves)
}

/// The same where `turned` swaps the values of each pair.
pub(super) fn adjacent(graph: &mut Graph, node: NodeId) -> bool {
    recognise(graph, node, Pairs::Adjacent)
}

fn recognise(graph: &mut Graph, node: NodeId, pairs: Pairs) -> bool {
    let Some((input, cosines, sines)) = matched(graph, node, pairs) else { return false };
    let &[a, b, c, size] = graph.shape(input) else { return false };
    // The tables have tokens in one axis and are the same for all heads.
    let tables = [1, 2].into_iter().find_map(|axis| {
        let cosines = table(graph, cosines, [a, b, c, size], axis, pairs)?;
        let sines = table(graph, sines, [a, b, c, size], axis, pairs)?;
        Some((axis, cosines, sines))
    });
    let Some((axis, cosines, sines)) = tables else { return false };
    let order = if axis == 2 { [0, 1, 2, 3] } else { [0, 2, 1, 3] };
    let found = moved(graph, node, input, [a, b, c, size], order);
    if found.stored != found.heads || found.factor != 1.0 {
        return false;
    }
    let (n, tokens, heads) = (found.n, found.tokens, found.heads);
    let op = Op::Layer(Layer::Rotary(Rotary { heads, cosines, sines, pairs }), Order::File);
    let flat = graph.derive(node, op, &[found.flat], &[n, tokens, heads * size]);
    if axis == 1 {
        graph.rewrite(node, Op::Reshape, &[flat]);
    } else {
        let split = graph.derive(node, Op::Reshape, &[flat], &[n, tokens, heads, size]);
        graph.rewrite(node, Op::Transpose(vec![0, 2, 1, 3]), &[split]);
    }
    true
}

/// The value, the cosines and the sines.
fn matched(graph: &Graph, node: NodeId, pairs: Pairs) -> Option<(ValueId, ValueId, ValueId)> {
    let (Op::Binary(Operation::Add), &[left, right]) =
        (graph.op(node), &graph.nodes[node].inputs[..])
    else {
        return None;
    };
    let product = |value: ValueId| {
        let (a, b) = graph.binary(value, Operation::Multiply)?;
        match (graph.is_constant(a), graph.is_constant(b)) {
            (false, true) => Some((a, b)),
            (true, false) => Some((b, a)),
            _ => None,
        }
    };
    let (left, right) = (product(left)?, product(right)?);
    [(left, right), (right, left)].into_iter().find_map(|((x, cosines), (turned, sines))| {
        let is_turned = match pairs {
            Pairs::Halves => halves_turned(graph, turned, x),
            Pairs::Adjacent => pairs_turned(graph, turned, x),
        };
        is_turned.then_some((x, cosines, sines))
    })
}

/// `concat(−x[…, half..], x[…, ..half])`
fn halves_turned(graph: &Graph, turned: ValueId, x: ValueId) -> bool {
    let Some(&size) = graph.shape(x).last() else { return false };
    let last = graph.shape(x).len() - 1;
    let part = |value: ValueId, start: usize| {
        graph.producer(value).is_some_and(|node| match graph.op(node) {
            Op::Slice(slice) => {
                graph.nodes[node].inputs[0] == x
                    && slice.axis == last
                    && (slice.start, slice.end) == (start, start + size / 2)
            }
            _ => false,
        })
    };
    let Some(node) = graph.producer(turned) else { return false };
    match (graph.op(node), &graph.nodes[node].inputs[..]) {
        (Op::Concat(axis), &[first, second]) if *axis == last => {
            negated(graph, first).is_some_and(|first| part(first, size / 2)) && part(second, 0)
        }
        _ => false,
    }
}

/// `flatten(stack(−x[…, 1::2], x[…, ::2]))`, the pairs taken apart through an axis of 2.
fn pairs_turned(graph: &Graph, turned: ValueId, x: ValueId) -> bool {
    let Some(&size) = graph.shape(x).last() else { return false };
    let mut split = graph.shape(x).to_vec();
    split.pop();
    split.extend([size / 2, 2]);
    let axis = split.len() - 1;
    let part = |mut value: ValueId, index: usize| {
        while let Some(from) = reshaped_from(graph, value) {
            value = from;
        }
        graph.producer(value).is_some_and(|node| match graph.op(node) {
            Op::Slice(slice) => {
                let from = graph.nodes[node].inputs[0];
                graph.shape(from) == split
                    && reshaped_from(graph, from) == Some(x)
                    && slice.axis == axis
                    && (slice.start, slice.end) == (index, index + 1)
            }
            _ => false,
        })
    };
    let Some(stacked) = reshaped_from(graph, turned) else { return false };
    let Some(node) = graph.producer(stacked) else { return false };
    let unwrapped = |value: ValueId| {
        let inner = reshaped_from(graph, value).unwrap_or(value);
        negated(graph, inner).or_else(|| negated(graph, value))
    };
    match (graph.op(node), &graph.nodes[node].inputs[..]) {
        (Op::Concat(along), &[first, second])
            if *along == axis && graph.shape(stacked) == split =>
        {
            unwrapped(first).is_some_and(|first| part(first, 1)) && part(second, 0)
        }
        _ => false,
    }
}

fn negated(graph: &Graph, value: ValueId) -> Option<ValueId> {
    if let Some(node) = graph.producer_is(value, "Neg") {
        return Some(graph.nodes[node].inputs[0]);
    }
    graph
        .with_scalar(value, Operation::Multiply)
        .and_then(|(from, factor)| (factor == -1.0).then_some(from))
}

/// One value a pair of a table `[tokens, size]`, whose tokens are along this axis.
fn table(
    graph: &Graph,
    value: ValueId,
    shape: [usize; 4],
    axis: usize,
    pairs: Pairs,
) -> Option<Parameter> {
    let (tokens, size) = (shape[axis], shape[3]);
    let own = graph.shape(value);
    let mut wide = vec![1; 4usize.checked_sub(own.len())?];
    wide.extend(own);
    let fits = (0..3).all(|at| wide[at] == if at == axis { tokens } else { 1 }) && wide[3] == size;
    if !fits || size % 2 != 0 {
        return None;
    }
    let values = graph.floats(value)?;
    let half = size / 2;
    let mut chosen = Vec::with_capacity(tokens * half);
    for row in values.chunks_exact(size) {
        for pair in 0..half {
            let (first, second) = match pairs {
                Pairs::Halves => (row[pair], row[pair + half]),
                Pairs::Adjacent => (row[2 * pair], row[2 * pair + 1]),
            };
            if first != second {
                return None;
            }
            chosen.push(first);
        }
    }
    let name = graph.origin(value).unwrap_or(&graph.values[value].name);
    Some(Parameter::new(name, &[tokens, half], chosen))
}
