//! Heads: which part of a token each value of `[n, heads, tokens, size]` is, however it was reshaped and transposed.

use crate::nn::{Layer, Operation, RmsNorm, Slice};
use crate::onnx::graph::{Graph, NodeId, Op, Order, ValueId};

/// A run of values of the source, `stride` of its values from one to the next.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Run {
    pub extent: usize,
    pub stride: usize,
}

/// A value as values of another one that were moved, and multiplied by a factor.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub source: ValueId,
    pub offset: usize,
    /// For each axis its runs, outermost first, none of extent 1.
    pub axes: Vec<Vec<Run>>,
    pub factor: f32,
}

fn merged(runs: impl IntoIterator<Item = Run>) -> Vec<Run> {
    let mut merged: Vec<Run> = Vec::new();
    for run in runs.into_iter().filter(|run| run.extent != 1) {
        match merged.last_mut() {
            Some(last) if last.stride == run.stride * run.extent => {
                *last = Run { extent: last.extent * run.extent, stride: run.stride };
            }
            _ => merged.push(run),
        }
    }
    merged
}

impl View {
    fn whole(graph: &Graph, source: ValueId) -> Self {
        let shape = graph.shape(source);
        let mut stride = 1;
        let mut axes: Vec<Vec<Run>> = shape
            .iter()
            .rev()
            .map(|&extent| {
                let run = Run { extent, stride };
                stride *= extent;
                merged([run])
            })
            .collect();
        axes.reverse();
        Self { source, offset: 0, axes, factor: 1.0 }
    }

    pub fn extent(&self, axis: usize) -> usize {
        self.axes[axis].iter().map(|run| run.extent).product()
    }

    pub fn reshaped(&self, shape: &[usize]) -> Option<Self> {
        let mut left = merged(self.axes.iter().flatten().copied());
        left.reverse();
        let mut axes = Vec::with_capacity(shape.len());
        for &extent in shape {
            let mut needed = extent;
            let mut runs = Vec::new();
            while needed > 1 {
                let run = left.pop()?;
                if needed % run.extent == 0 {
                    needed /= run.extent;
                    runs.push(run);
                } else if run.extent % needed == 0 {
                    let inner = run.extent / needed;
                    left.push(Run { extent: inner, stride: run.stride });
                    runs.push(Run { extent: needed, stride: run.stride * inner });
                    needed = 1;
                } else {
                    return None;
                }
            }
            axes.push(merged(runs));
        }
        Some(Self { axes, ..self.clone() })
    }

    pub fn transposed(&self, axes: &[usize]) -> Self {
        let axes = axes.iter().map(|&axis| self.axes[axis].clone()).collect();
        Self { axes, ..self.clone() }
    }

    fn sliced(&self, slice: Slice) -> Option<Self> {
        let mut view = self.clone();
        let run = match self.axes[slice.axis][..] {
            [run] => run,
            // Of several runs one index of the outermost can be taken.
            [run, ref inner @ ..] => {
                let each: usize = inner.iter().map(|run| run.extent).product();
                if !slice.start.is_multiple_of(each) || slice.end - slice.start != each {
                    return None;
                }
                view.offset += slice.start / each * run.stride;
                view.axes[slice.axis] = inner.to_vec();
                return Some(view);
            }
            [] => return Some(view),
        };
        view.offset += slice.start * run.stride;
        let extent = slice.end - slice.start;
        view.axes[slice.axis] = merged([Run { extent, stride: run.stride }]);
        Some(view)
    }

    fn expanded(&self, from: &[usize], to: &[usize]) -> Self {
        let before = to.len() - from.len();
        let axes = (0..to.len())
            .map(|axis| match axis.checked_sub(before) {
                Some(own) if from[own] == to[axis] => self.axes[own].clone(),
                _ => merged([Run { extent: to[axis], stride: 0 }]),
            })
            .collect();
        Self { axes, ..self.clone() }
    }

    /// Follows a value back through what moves or scales it.
    pub fn of(graph: &Graph, value: ValueId) -> Self {
        Self::follow(graph, value, true)
    }

    fn follow(graph: &Graph, value: ValueId, everything: bool) -> Self {
        let mut chain = Vec::new();
        let mut at = value;
        while let Some(node) = graph.producer(at) {
            let inputs = &graph.nodes[node].inputs;
            at = match graph.op(node) {
                Op::Reshape | Op::Transpose(_) => inputs[0],
                Op::Slice(_) | Op::Expand if everything => inputs[0],
                Op::Binary(operation @ (Operation::Multiply | Operation::Divide)) if everything => {
                    match graph.with_scalar(at, *operation) {
                        Some((other, _)) if graph.shape(other) == graph.shape(at) => other,
                        _ => break,
                    }
                }
                _ => break,
            };
            chain.push((node, at));
        }
        // The longest part of the chain that can be followed.
        let mut view = Self::whole(graph, at);
        while let Some((node, from)) = chain.pop() {
            let to = graph.nodes[node].outputs[0];
            let next = match graph.op(node) {
                Op::Reshape => view.reshaped(graph.shape(to)),
                Op::Transpose(axes) => Some(view.transposed(axes)),
                Op::Slice(slice) => view.sliced(*slice),
                Op::Expand => Some(view.expanded(graph.shape(from), graph.shape(to))),
                Op::Binary(operation) => graph.with_scalar(to, *operation).map(|(_, factor)| {
                    let factor = match operation {
                        Operation::Divide => 1.0 / factor,
                        _ => factor,
                    };
                    Self { factor: view.factor * factor, ..view.clone() }
                }),
                _ => None,
            };
            view = next.unwrap_or_else(|| Self::whole(graph, to));
        }
        view
    }
}

/// Where the heads of `[n, heads, tokens, size]` are.
pub(super) struct Heads {
    pub n: usize,
    pub heads: usize,
    pub tokens: usize,
    pub size: usize,
    /// `[n, tokens, heads · size]`, only those heads that are stored.
    pub flat: ValueId,
    pub stored: usize,
    pub factor: f32,
}

/// The tokens that a value `[n, heads, tokens, size]` is made of; its axes are `order` of the view's.
pub(super) fn tokens(
    graph: &mut Graph,
    node: NodeId,
    view: &View,
    order: [usize; 4],
) -> Option<Heads> {
    let view = view.transposed(&order);
    let [n, heads, tokens, size] = [0, 1, 2, 3].map(|axis| view.extent(axis));
    let run = |axis: usize| match view.axes[axis][..] {
        [] => Some(None),
        [run] => Some(Some(run.stride)),
        _ => None,
    };
    let (repeats, heads_stride) = match view.axes[1][..] {
        [] => (1, None),
        [Run { extent, stride: 0 }] => (extent, None),
        [run] => (1, Some(run.stride)),
        [outer, Run { extent, stride: 0 }] => (extent, Some(outer.stride)),
        _ => return None,
    };
    let (n_stride, tokens_stride, size_stride) = (run(0)?, run(2)?, run(3)?);
    let stored = heads / repeats;
    let total = graph.elements(view.source);
    if n == 0 || tokens == 0 || !total.is_multiple_of(n * tokens) {
        return None;
    }
    let width = total / (n * tokens);
    let is = |stride: Option<usize>, expected: usize| stride.is_none_or(|found| found == expected);
    let (source, offset) = (view.source, view.offset);
    let whole = is(n_stride, tokens * width);
    let (flat, first) = if whole
        && is(tokens_stride, width)
        && is(size_stride, 1)
        && is(heads_stride, size)
        && offset + stored * size <= width
    {
        (graph.derive(node, Op::Reshape, &[source], &[n, tokens, width]), offset)
    } else if whole
        && is(tokens_stride, 1)
        && is(size_stride, tokens)
        && is(heads_stride, size * tokens)
        && offset.is_multiple_of(tokens)
        && offset / tokens + stored * size <= width
    {
        let rows = graph.derive(node, Op::Reshape, &[source], &[n, width, tokens]);
        let turned = Op::Transpose(vec![0, 2, 1]);
        (graph.derive(node, turned, &[rows], &[n, tokens, width]), offset / tokens)
    } else {
        return None;
    };
    let end = first + stored * size;
    let flat = if (first, end) == (0, width) {
        flat
    } else {
        let slice = Op::Slice(Slice { axis: 2, start: first, end });
        graph.derive(node, slice, &[flat], &[n, tokens, stored * size])
    };
    Some(Heads { n, heads, tokens, size, flat, stored, factor: view.factor })
}

/// As [`tokens`], and where the heads lie otherwise, moved.
pub(super) fn moved(
    graph: &mut Graph,
    node: NodeId,
    value: ValueId,
    shape: [usize; 4],
    order: [usize; 4],
) -> Heads {
    let view = View::of(graph, value).reshaped(&shape);
    if let Some(found) = view.and_then(|view| tokens(graph, node, &view, order)) {
        return found;
    }
    let [n, heads, tokens, size] = order.map(|axis| shape[axis]);
    let four = graph.derive(node, Op::Reshape, &[value], &shape);
    let axes = vec![order[0], order[2], order[1], order[3]];
    let turned = graph.derive(node, Op::Transpose(axes), &[four], &[n, tokens, heads, size]);
    let flat = graph.derive(node, Op::Reshape, &[turned], &[n, tokens, heads * size]);
    Heads { n, heads, tokens, size, flat, stored: heads, factor: 1.0 }
}

/// An RMS norm of heads, as one of the tokens that they are parts of.
pub(super) fn norm(graph: &mut Graph, node: NodeId) -> bool {
    let Op::Layer(Layer::RmsNorm(RmsNorm { size, epsilon, scale }), Order::File) =
        graph.op(node).clone()
    else {
        return false;
    };
    let input = graph.nodes[node].inputs[0];
    let &[a, b, c, d] = graph.shape(input) else { return false };
    let view = View::of(graph, input);
    if view.factor != 1.0 || view.source == input || size != d {
        return false;
    }
    // Heads stand before the tokens or after them.
    for (order, back) in [([0, 1, 2, 3], Some([0, 2, 1, 3])), ([0, 2, 1, 3], None)] {
        let Some(found) = tokens(graph, node, &view, order) else { continue };
        if found.stored != found.heads {
            continue;
        }
        let width = found.heads * size;
        let layer = RmsNorm { size, epsilon, scale: scale.clone() };
        let op = Op::Layer(Layer::RmsNorm(layer), Order::File);
        let flat = graph.derive(node, op, &[found.flat], &[found.n, found.tokens, width]);
        match back {
            Some(axes) => {
                let split = graph.derive(node, Op::Reshape, &[flat], &[a, c, b, d]);
                graph.rewrite(node, Op::Transpose(axes.to_vec()), &[split]);
            }
            None => graph.rewrite(node, Op::Reshape, &[flat]),
        }
        return true;
    }
    false
}

/// Reshapes and transposes that together change nothing but the shape.
pub(super) fn simplify(graph: &mut Graph, node: NodeId) -> bool {
    if !matches!(graph.op(node), Op::Reshape | Op::Transpose(_)) {
        return false;
    }
    let output = graph.nodes[node].outputs[0];
    let view = View::follow(graph, output, false);
    let lies = merged(view.axes.iter().flatten().copied());
    let total = graph.elements(output);
    let contiguous =
        view.offset == 0 && (lies.is_empty() || lies == [Run { extent: total, stride: 1 }]);
    if !contiguous || graph.nodes[node].inputs[0] == view.source || view.source == output {
        return false;
    }
    graph.rewrite(node, Op::Reshape, &[view.source]);
    true
}
