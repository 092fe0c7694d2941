//! From the graph to tract's model: axes are stored in the order that the layers take, and only moved where two orders meet.

mod names;
mod stored;
mod tracts;

use super::graph::{Graph, NodeId, Op, Order, ValueId};
use super::{Onnx, OnnxError};
use crate::Imported;
use crate::nn::{self, Binary, Layer, Pool, Pooling, Slice};
use std::collections::{BTreeMap, HashMap};
use stored::Stored;
use tract_core::internal::*;

/// A model under construction.
pub(super) struct Emitter {
    graph: Graph,
    opset: i64,
    model: TypedModel,
    stored: Vec<Option<Stored>>,
    /// Values in orders other than those in which they were computed.
    turned: HashMap<(ValueId, Vec<usize>), OutletId>,
    names: HashMap<String, usize>,
    left_to_tract: Vec<(String, String)>,
    weights: BTreeMap<String, Vec<f32>>,
}

/// `[n, c, h, w]` as `[n, h, w, c]`, and so for other ranks.
fn channels_last(rank: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rank).collect();
    if rank > 2 {
        let channels = order.remove(1);
        order.push(channels);
    }
    order
}

pub(super) fn emit(graph: Graph, opset: i64) -> Result<Onnx, OnnxError> {
    let images = images(&graph);
    let mut emitter = Emitter {
        stored: graph.values.iter().map(|_| None).collect(),
        graph,
        opset,
        model: TypedModel::default(),
        turned: HashMap::new(),
        names: HashMap::new(),
        left_to_tract: Vec::new(),
        weights: BTreeMap::new(),
    };
    let mut inputs = Vec::new();
    for value in emitter.graph.inputs.clone() {
        inputs.push(emitter.add_source(value, images[value])?);
    }
    for node in emitter.sorted() {
        emitter.node(node)?;
    }
    let mut outputs = Vec::new();
    let mut outlets = Vec::new();
    for (name, value) in emitter.graph.outputs.clone() {
        let rank = emitter.graph.shape(value).len();
        let order = if images[value] { channels_last(rank) } else { (0..rank).collect() };
        let outlet = emitter.in_order(value, &order)?;
        outputs.push((name, emitter.shape_of(outlet)));
        outlets.push(outlet);
    }
    let ranges = emitter.ranges();
    let Emitter { mut model, left_to_tract, weights, .. } = emitter;
    let whole = |error: TractError| OnnxError::Shape {
        node: "outputs".to_string(),
        operation: "model".to_string(),
        reason: format!("{error:#}"),
    };
    model.select_output_outlets(&outlets).map_err(whole)?;
    model.compact().map_err(whole)?;
    Ok(Onnx { imported: Imported { model, inputs, outputs, left_to_tract }, ranges, weights })
}

/// Which values are images `[n, c, h, w]`: those that image layers take or give, and those bound to them by operations that keep the axes.
fn images(graph: &Graph) -> Vec<bool> {
    let mut images = vec![false; graph.values.len()];
    let mut changed = true;
    while changed {
        changed = false;
        for (id, node) in graph.nodes.iter().enumerate() {
            if graph.is_dead(id) {
                continue;
            }
            let all = || node.inputs.iter().chain(&node.outputs).copied();
            let keeps = match &node.op {
                Op::Layer(_, Order::ChannelsLast) => true,
                Op::Layer(_, Order::Any)
                | Op::Binary(_)
                | Op::Slice(_)
                | Op::Concat(_)
                | Op::Expand
                | Op::Softmax(_) => all().any(|value| images[value]),
                Op::Mean(axes) => axes[..] == [2, 3] || all().any(|value| images[value]),
                Op::Tract => {
                    let same = node.outputs.iter().all(|&output| {
                        graph.shape(output).len() == 4
                            && node.inputs.first().is_some_and(|&first| {
                                graph.shape(first).len() == 4
                                    && graph.shape(first)[..2] == graph.shape(output)[..2]
                            })
                    });
                    same && all().any(|value| images[value])
                }
                Op::Layer(_, Order::File) | Op::Reshape | Op::Transpose(_) | Op::MatMul => false,
            };
            if !keeps {
                continue;
            }
            for value in all() {
                if graph.shape(value).len() == 4 && !images[value] {
                    images[value] = graph.values[value].element == f32::datum_type();
                    changed |= images[value];
                }
            }
        }
    }
    images
}

impl Emitter {
    /// The nodes that the outputs need, each after those it needs.
    fn sorted(&self) -> Vec<NodeId> {
        let mut sorted = Vec::new();
        let mut done = vec![false; self.graph.nodes.len()];
        let mut pending: Vec<(NodeId, usize)> = Vec::new();
        for &(_, output) in &self.graph.outputs {
            let Some(root) = self.graph.producer(output) else { continue };
            if !std::mem::replace(&mut done[root], true) {
                pending.push((root, 0));
            }
            while let Some((node, next)) = pending.pop() {
                match self.graph.nodes[node].inputs.get(next) {
                    None => sorted.push(node),
                    Some(&input) => {
                        pending.push((node, next + 1));
                        if let Some(needed) = self.graph.producer(input)
                            && !std::mem::replace(&mut done[needed], true)
                        {
                            pending.push((needed, 0));
                        }
                    }
                }
            }
        }
        sorted
    }

    fn add_source(
        &mut self,
        value: ValueId,
        image: bool,
    ) -> Result<(String, Vec<usize>), OnnxError> {
        let rank = self.graph.shape(value).len();
        let axes = if image { channels_last(rank) } else { (0..rank).collect() };
        let shape: Vec<usize> = axes.iter().map(|&axis| self.graph.shape(value)[axis]).collect();
        let name = self.graph.values[value].name.clone();
        self.names.insert(name.clone(), 1);
        let fact = self.graph.values[value].element.fact(&shape);
        let outlet = self
            .model
            .add_source(&*name, fact)
            .map_err(|error| self.failed(&name, "input", error))?;
        self.stored[value] = Some(Stored { outlet, axes });
        Ok((name, shape))
    }

    fn failed(&self, node: &str, operation: &str, error: TractError) -> OnnxError {
        OnnxError::Shape {
            node: node.to_string(),
            operation: operation.to_string(),
            reason: format!("{error:#}"),
        }
    }

    fn shape_of(&self, outlet: OutletId) -> Vec<usize> {
        let fact = &self.model.nodes()[outlet.node].outputs[outlet.slot].fact;
        fact.shape.as_concrete().map(<[usize]>::to_vec).unwrap_or_default()
    }

    /// Adds a layer under a name made from the node's.
    fn layer(
        &mut self,
        node: NodeId,
        mut layer: Layer,
        inputs: &[OutletId],
    ) -> Result<OutletId, OnnxError> {
        let name = self.layer_name(node, &mut layer);
        nn::add(&mut self.model, &name, layer, inputs)
            .map_err(|error| self.failed(&name, &self.graph.nodes[node].message.op_type, error))
    }

    fn node(&mut self, node: NodeId) -> Result<(), OnnxError> {
        let op = self.graph.nodes[node].op.clone();
        let inputs = self.graph.nodes[node].inputs.clone();
        let output = self.graph.nodes[node].outputs[0];
        let rank = self.graph.shape(output).len();
        let stored = match op {
            Op::Layer(layer, order) => {
                let orders: Vec<Vec<usize>> = match order {
                    Order::Any => vec![self.stored_axes(inputs[0])],
                    _ => inputs
                        .iter()
                        .map(|&input| {
                            let rank = self.graph.shape(input).len();
                            match order {
                                Order::ChannelsLast => channels_last(rank),
                                _ => (0..rank).collect(),
                            }
                        })
                        .collect(),
                };
                let outlets = inputs
                    .iter()
                    .zip(&orders)
                    .map(|(&input, order)| self.in_order(input, order))
                    .collect::<Result<Vec<_>, _>>()?;
                let axes = match order {
                    Order::ChannelsLast => channels_last(rank),
                    Order::File => (0..rank).collect(),
                    Order::Any => orders[0].clone(),
                };
                Stored { outlet: self.layer(node, layer, &outlets)?, axes }
            }
            Op::Binary(operation) => {
                let axes = self.common_axes(&inputs, rank);
                let a = self.broadcastable(inputs[0], &axes)?;
                let b = self.broadcastable(inputs[1], &axes)?;
                let layer = Layer::Binary(Binary { operation });
                Stored { outlet: self.layer(node, layer, &[a, b])?, axes }
            }
            Op::Reshape => self.reshape_stored(node, inputs[0], output)?,
            Op::Transpose(permutation) => {
                let place = |axis: usize| permutation.iter().position(|&from| from == axis);
                match self.stored[inputs[0]].clone() {
                    Some(stored) => Stored {
                        outlet: stored.outlet,
                        axes: stored.axes.iter().filter_map(|&axis| place(axis)).collect(),
                    },
                    None => {
                        let order: Vec<usize> = (0..rank).collect();
                        let outlet = self.in_order(inputs[0], &order)?;
                        let axes = order.iter().filter_map(|&axis| place(axis)).collect();
                        Stored { outlet, axes }
                    }
                }
            }
            Op::Slice(slice) => {
                let axes = self.stored_axes(inputs[0]);
                let outlet = self.in_order(inputs[0], &axes)?;
                let axis = stored::place(&axes, slice.axis);
                let layer = Layer::Slice(Slice { axis, ..slice });
                Stored { outlet: self.layer(node, layer, &[outlet])?, axes }
            }
            Op::Concat(axis) => {
                let axes = self.common_axes(&inputs, rank);
                let outlets = inputs
                    .iter()
                    .map(|&input| self.in_order(input, &axes))
                    .collect::<Result<Vec<_>, _>>()?;
                let layer = Layer::Concat { axis: stored::place(&axes, axis) };
                Stored { outlet: self.layer(node, layer, &outlets)?, axes }
            }
            Op::Softmax(axis) => {
                let mut axes = self.stored_axes(inputs[0]);
                if axes.last() != Some(&axis) {
                    axes = (0..rank).filter(|&other| other != axis).collect();
                    axes.push(axis);
                }
                let outlet = self.in_order(inputs[0], &axes)?;
                Stored { outlet: self.layer(node, Layer::Softmax, &[outlet])?, axes }
            }
            Op::Mean(means) if means.len() == 2 && self.graph.shape(inputs[0]).len() == 4 => {
                self.pooled(node, inputs[0], &means, output)?
            }
            Op::Mean(_) | Op::MatMul | Op::Expand | Op::Tract => return self.leave(node),
        };
        self.stored[output] = Some(stored);
        Ok(())
    }

    /// A mean over two of four axes is a pool.
    fn pooled(
        &mut self,
        node: NodeId,
        input: ValueId,
        means: &[usize],
        output: ValueId,
    ) -> Result<Stored, OnnxError> {
        let kept: Vec<usize> = (0..4).filter(|axis| !means.contains(axis)).collect();
        let axes = vec![kept[0], means[0], means[1], kept[1]];
        let outlet = self.in_order(input, &axes)?;
        let shape = self.graph.shape(input);
        let pool = Pool {
            pooling: Pooling::Mean,
            window: [shape[means[0]], shape[means[1]]],
            stride: [1, 1],
            padding: [0; 4],
        };
        let (n, c) = (shape[kept[0]], shape[kept[1]]);
        let outlet = self.layer(node, Layer::Pool(pool), &[outlet])?;
        if self.graph.shape(output).len() == 4 {
            return Ok(Stored { outlet, axes });
        }
        let outlet = self.reshaped(node, outlet, &[n, c])?;
        Ok(Stored { outlet, axes: vec![0, 1] })
    }

    fn ranges(&self) -> BTreeMap<String, (f32, i32)> {
        self.graph
            .ranges
            .iter()
            .filter_map(|(&value, &range)| {
                let outlet = self.stored[value].as_ref()?.outlet;
                Some((self.model.nodes()[outlet.node].name.clone(), range))
            })
            .collect()
    }
}
