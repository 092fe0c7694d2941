//! What each value is made of: floats, int8 with one step for all, or int8 with a step for each row.

use super::graph::{Graph, Kind, WireId};
use super::unit::Unit;
use crate::runtime::choices::{Activations, Choices, Precision};
use crate::runtime::program::Quantization;
use models::nn::{Layer, Operation, Pooling};

/// How a wire's value is stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Form {
    Float,
    Tensor(Quantization),
    Rows,
}

/// A layer whose products are int8 or int4, and how it wants its input.
pub(super) fn quantized(graph: &Graph, unit: &Unit, choices: &Choices) -> Option<Activations> {
    let node = &graph.nodes[unit.head];
    let Kind::Layer(Layer::Convolution(_) | Layer::Linear(_) | Layer::Transposed(_)) = node.kind
    else {
        return None;
    };
    let choice = choices.of(node.name);
    matches!(choice.precision, Precision::Int8 | Precision::Int4).then_some(choice.activations)
}

/// Layers that hand on the values that they read, so that they keep their step.
fn hands_on(layer: &Layer) -> bool {
    match layer {
        Layer::Reshape { .. }
        | Layer::Slice(_)
        | Layer::Transpose { .. }
        | Layer::Pad(_)
        | Layer::Resize(_)
        | Layer::DepthToSpace { .. } => true,
        Layer::Pool(pool) => pool.pooling == Pooling::Greatest,
        _ => false,
    }
}

/// Layers that compute with int8 values where all that they read and make are int8.
fn computes(layer: &Layer) -> bool {
    match layer {
        Layer::Concat { .. } | Layer::Activate(_) | Layer::PRelu(_) | Layer::Pool(_) => true,
        Layer::Binary(binary) => {
            matches!(binary.operation, Operation::Add | Operation::Multiply)
        }
        _ => hands_on(layer),
    }
}

/// Decides on each wire's form: as much int8 as the choices allow.
pub(super) fn forms(graph: &Graph, units: &[Unit], choices: &Choices) -> Vec<Form> {
    let mut forms = vec![Form::Float; graph.wires.len()];
    for unit in units {
        let Some(wire) = makes_rows(graph, unit) else { continue };
        let readers = readers(graph, units, wire);
        let rows = |&(reader, role): &(usize, Role)| {
            let layer =
                matches!(graph.nodes[units[reader].head].kind, Kind::Layer(Layer::Linear(_)));
            layer
                && role == Role::Data
                && quantized(graph, &units[reader], choices) == Some(Activations::Row)
        };
        if !graph.wires[wire].is_output && !readers.is_empty() && readers.iter().all(rows) {
            forms[wire] = Form::Rows;
        }
    }
    // A range where the choices have one; behind layers that hand values on, the range of what they read.
    for unit in units {
        for &wire in &unit.outputs {
            if forms[wire] != Form::Float || graph.wires[wire].is_output {
                continue;
            }
            let inherited = match graph.nodes[unit.head].kind {
                Kind::Layer(layer) if hands_on(layer) => {
                    match forms[graph.nodes[unit.head].inputs[0]] {
                        Form::Tensor(quantization) => Some(quantization),
                        _ => continue,
                    }
                }
                _ => None,
            };
            let range = inherited.or_else(|| choices.ranges.get(&graph.wires[wire].name).copied());
            if let Some(quantization) = range {
                forms[wire] = Form::Tensor(quantization);
            }
        }
    }
    let mut changed = true;
    while changed {
        changed = false;
        for (index, unit) in units.iter().enumerate() {
            for &wire in &unit.outputs {
                if matches!(forms[wire], Form::Tensor(_))
                    && !stays(graph, units, choices, &forms, index, wire)
                {
                    forms[wire] = Form::Float;
                    changed = true;
                }
            }
        }
    }
    forms
}

/// What a unit makes, where its kernel can quantize each row by itself.
fn makes_rows(graph: &Graph, unit: &Unit) -> Option<WireId> {
    let Kind::Layer(layer) = graph.nodes[unit.head].kind else { return None };
    let wire = *unit.outputs.first()?;
    let whole = |size: usize| graph.wires[wire].shape.last() == Some(&size);
    let able = match layer {
        Layer::LayerNorm(_) | Layer::Gated(_) => true,
        Layer::RmsNorm(norm) => whole(norm.size),
        _ => false,
    };
    able.then_some(wire)
}

/// What a unit reads a wire as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Data,
    Shift,
    Residual,
}

/// The units that read a wire.
fn readers(graph: &Graph, units: &[Unit], wire: WireId) -> Vec<(usize, Role)> {
    let mut found = Vec::new();
    for (index, unit) in units.iter().enumerate() {
        if unit.shift == Some(wire) {
            found.push((index, Role::Shift));
        }
        if unit.residual == Some(wire) {
            found.push((index, Role::Residual));
        }
        if graph.nodes[unit.head].inputs.contains(&wire) {
            found.push((index, Role::Data));
        }
    }
    found
}

fn stays(
    graph: &Graph,
    units: &[Unit],
    choices: &Choices,
    forms: &[Form],
    maker: usize,
    wire: WireId,
) -> bool {
    let unit = &units[maker];
    let int8 =
        |wire: WireId| matches!(forms[wire], Form::Tensor(_)) || graph.constant(wire).is_some();
    let inputs_int8 = |unit: &Unit| graph.nodes[unit.head].inputs.iter().all(|&wire| int8(wire));
    let made = match graph.nodes[unit.head].kind {
        Kind::Source => true,
        Kind::Constant(_) | Kind::Foreign(_) => false,
        Kind::Layer(layer) => match layer {
            Layer::GroupNorm(_) | Layer::LayerNorm(_) | Layer::RmsNorm(_) | Layer::Gated(_) => true,
            // Several projections at once feed an attention, which reads floats.
            Layer::Convolution(_) | Layer::Linear(_) | Layer::Transposed(_) => {
                unit.parts.len() == 1
            }
            layer if computes(layer) => inputs_int8(unit),
            _ => false,
        },
    };
    if !made {
        return false;
    }
    let readers = readers(graph, units, wire);
    !readers.is_empty()
        && readers.iter().all(|&(reader, role)| {
            let unit = &units[reader];
            match role {
                Role::Shift => false,
                Role::Residual => true,
                Role::Data => match graph.nodes[unit.head].kind {
                    Kind::Layer(
                        Layer::Convolution(_) | Layer::Linear(_) | Layer::Transposed(_),
                    ) => quantized(graph, unit, choices) == Some(Activations::Tensor),
                    Kind::Layer(layer) if computes(layer) => {
                        inputs_int8(unit)
                            && unit
                                .outputs
                                .iter()
                                .all(|&wire| matches!(forms[wire], Form::Tensor(_)))
                    }
                    _ => false,
                },
            }
        })
}
