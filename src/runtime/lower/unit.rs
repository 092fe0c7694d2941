//! What becomes one step: a layer, and the layers after it that its kernel does on the way.

use super::graph::{Graph, Kind, WireId};
use crate::runtime::choices::Choices;
use kernels::math::Activation;
use models::nn::{Layer, Operation};

/// Layers that become one step.
pub(super) struct Unit {
    /// Index of the node that gives it its name and operation.
    pub head: usize,
    /// Linear layers that read the same and are computed as one: `head` and those beside it. Else only `head`.
    pub parts: Vec<usize>,
    /// Where in the order it is emitted: at its last node.
    pub place: usize,
    /// Added for each output channel.
    pub shift: Option<WireId>,
    /// Added for each output value.
    pub residual: Option<WireId>,
    /// Applied last.
    pub activation: Activation,
    /// What it makes; of merged parts, one for each.
    pub outputs: Vec<WireId>,
}

impl Unit {
    fn new(graph: &Graph, head: usize) -> Self {
        Self {
            head,
            parts: vec![head],
            place: head,
            shift: None,
            residual: None,
            activation: Activation::None,
            outputs: graph.nodes[head].outputs.clone(),
        }
    }
}

/// Groups the nodes of a net; constants belong to none.
pub(super) fn units(graph: &Graph, choices: &Choices) -> Vec<Unit> {
    let mut taken = vec![false; graph.nodes.len()];
    let mut units = Vec::new();
    merge_projections(graph, choices, &mut taken, &mut units);
    for index in 0..graph.nodes.len() {
        if taken[index] || matches!(graph.nodes[index].kind, Kind::Constant(_)) {
            continue;
        }
        taken[index] = true;
        let mut unit = Unit::new(graph, index);
        if let Kind::Layer(layer) = &graph.nodes[index].kind {
            match layer {
                Layer::Convolution(_) | Layer::Linear(_) | Layer::Transposed(_) => {
                    let plain = matches!(layer, Layer::Transposed(_));
                    absorb_epilogue(graph, &mut unit, !plain, &mut taken);
                }
                Layer::GroupNorm(_) => absorb_activation(graph, &mut unit, &mut taken),
                Layer::Binary(binary)
                    if matches!(binary.operation, Operation::Add | Operation::Multiply) =>
                {
                    absorb_activation(graph, &mut unit, &mut taken);
                }
                _ => {}
            }
        }
        units.push(unit);
    }
    units.sort_by_key(|unit| unit.place);
    without_unread(graph, units)
}

/// Leaves out what nobody reads.
fn without_unread(graph: &Graph, units: Vec<Unit>) -> Vec<Unit> {
    let mut read: Vec<bool> = graph.wires.iter().map(|wire| wire.is_output).collect();
    let mut kept: Vec<Unit> = Vec::new();
    for unit in units.into_iter().rev() {
        let node = &graph.nodes[unit.head];
        if !matches!(node.kind, Kind::Source) && !unit.outputs.iter().any(|&wire| read[wire]) {
            continue;
        }
        let operands = node.inputs.iter().chain(&unit.shift).chain(&unit.residual);
        operands.for_each(|&wire| read[wire] = true);
        kept.push(unit);
    }
    kept.reverse();
    kept
}

/// Queries, keys and values that are projected from one wire are projected at once.
fn merge_projections(graph: &Graph, choices: &Choices, taken: &mut [bool], units: &mut Vec<Unit>) {
    for node in &graph.nodes {
        let Kind::Layer(Layer::Attention(_)) = node.kind else { continue };
        // The projection of an operand, where only this attention reads it.
        let projection = |operand: usize| {
            let wire = node.inputs[operand];
            graph.only_reader(wire)?;
            let producer = graph.wires[wire].producer;
            matches!(graph.layer(wire), Some(Layer::Linear(_))).then_some(producer)
        };
        let all = [projection(0), projection(1), projection(2)];
        let alike = |a: usize, b: usize| match (all[a], all[b]) {
            (Some(a), Some(b)) => {
                let (first, second) = (&graph.nodes[a], &graph.nodes[b]);
                a != b
                    && first.inputs == second.inputs
                    && choices.of(first.name) == choices.of(second.name)
            }
            _ => false,
        };
        let operands = match (alike(0, 1), alike(1, 2)) {
            (true, true) => &[0, 1, 2][..],
            (false, true) => &[1, 2],
            (true, false) => &[0, 1],
            (false, false) => continue,
        };
        let parts: Vec<usize> = operands.iter().filter_map(|&operand| all[operand]).collect();
        if parts.iter().any(|&part| taken[part]) {
            continue;
        }
        for &part in &parts {
            taken[part] = true;
        }
        let outputs = parts.iter().map(|&part| graph.nodes[part].outputs[0]).collect();
        let place = parts.iter().copied().max().unwrap_or(0);
        units.push(Unit { parts: parts.clone(), place, outputs, ..Unit::new(graph, parts[0]) });
    }
}

fn absorb_activation(graph: &Graph, unit: &mut Unit, taken: &mut [bool]) {
    let Some(reader) = graph.only_reader(unit.outputs[0]) else { return };
    if let Kind::Layer(Layer::Activate(activation)) = graph.nodes[reader].kind {
        take(graph, unit, reader, taken);
        unit.activation = *activation;
    }
}

fn take(graph: &Graph, unit: &mut Unit, node: usize, taken: &mut [bool]) {
    taken[node] = true;
    unit.place = node;
    unit.outputs = graph.nodes[node].outputs.clone();
}

/// What follows a product: a term for each channel, a term for each value, an activation, in this order.
fn absorb_epilogue(graph: &Graph, unit: &mut Unit, sums: bool, taken: &mut [bool]) {
    while unit.activation == Activation::None {
        let output = unit.outputs[0];
        let Some(reader) = graph.only_reader(output) else { return };
        if taken[reader] {
            return;
        }
        let node = &graph.nodes[reader];
        match node.kind {
            Kind::Layer(Layer::Activate(activation)) => {
                take(graph, unit, reader, taken);
                unit.activation = *activation;
            }
            // The same rows under another shape.
            Kind::Layer(Layer::Reshape { shape })
                if shape.last() == graph.wires[output].shape.last() =>
            {
                // Worth it only where something follows.
                let Some(next) = graph.only_reader(node.outputs[0]) else { return };
                let adds = matches!(graph.nodes[next].kind, Kind::Layer(Layer::Binary(_)));
                if !adds || taken[next] || !sums || unit.residual.is_some() {
                    return;
                }
                if operand(graph, next, node.outputs[0]).is_none_or(|(_, is_shift)| is_shift) {
                    return;
                }
                take(graph, unit, reader, taken);
            }
            Kind::Layer(Layer::Binary(binary)) if sums && binary.operation == Operation::Add => {
                let Some((other, is_shift)) = operand(graph, reader, output) else { return };
                match (is_shift, unit.shift, unit.residual) {
                    (true, None, None) => unit.shift = Some(other),
                    (false, _, None) => unit.residual = Some(other),
                    _ => return,
                }
                take(graph, unit, reader, taken);
            }
            _ => return,
        }
    }
}

/// The other operand of an addition, where an epilogue can add it: and whether it is one value for each channel.
fn operand(graph: &Graph, addition: usize, own: WireId) -> Option<(WireId, bool)> {
    let node = &graph.nodes[addition];
    let other = match node.inputs[..] {
        [a, b] if a == own && b != own => b,
        [a, b] if b == own && a != own => a,
        _ => return None,
    };
    if graph.constant(other).is_some() {
        return None;
    }
    let (shape, others) = (&graph.wires[own].shape, &graph.wires[other].shape);
    let channels = *shape.last()?;
    if others == shape {
        // One row: a residual.
        return Some((other, false));
    }
    let per_channel = others.last() == Some(&channels)
        && others.iter().product::<usize>() == channels
        && others.len() <= shape.len();
    per_channel.then(|| (source(graph, other), true))
}

/// What a wire shows under another shape: the same values in the same order.
fn source(graph: &Graph, wire: WireId) -> WireId {
    match graph.layer(wire) {
        Some(Layer::Reshape { .. }) => {
            source(graph, graph.nodes[graph.wires[wire].producer].inputs[0])
        }
        _ => wire,
    }
}
