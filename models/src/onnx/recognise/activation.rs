//! Activations that exporters take apart: found by their values, whatever the order of the steps.

use crate::nn::{Gated, Layer, Operation};
use crate::onnx::graph::{Graph, NodeId, Op, Order, ValueId};
use kernels::math::Activation;

/// Most steps of an activation.
const STEPS: usize = 12;

/// A function of one value that equals an activation.
pub(super) fn recognise(graph: &mut Graph, node: NodeId) -> bool {
    if matches!(graph.op(node), Op::Layer(Layer::Activate(_), _)) {
        return false;
    }
    let output = graph.nodes[node].outputs[0];
    let mut candidates = Vec::new();
    operands(graph, output, STEPS, &mut candidates);
    let shape = graph.shape(output).to_vec();
    let found =
        candidates.into_iter().filter(|&value| graph.shape(value) == shape).find_map(|value| {
            let known = Activation::ALL.into_iter().find(|&activation| {
                activation != Activation::None && equals(graph, output, value, activation)
            })?;
            Some((value, known))
        });
    let Some((value, activation)) = found else { return false };
    graph.rewrite(node, Op::Layer(Layer::Activate(activation), Order::Any), &[value]);
    true
}

/// The computed values that a value is a function of, the nearest first.
fn operands(graph: &Graph, value: ValueId, steps: usize, found: &mut Vec<ValueId>) {
    let Some(node) = graph.producer(value) else { return };
    if steps == 0 || !is_of_each_value(graph, node) {
        return;
    }
    for &input in &graph.nodes[node].inputs {
        if !graph.is_constant(input) && !found.contains(&input) && found.len() < STEPS {
            found.push(input);
            operands(graph, input, steps - 1, found);
        }
    }
}

fn is_of_each_value(graph: &Graph, node: NodeId) -> bool {
    match graph.op(node) {
        Op::Binary(_) | Op::Layer(Layer::Activate(_), _) => true,
        Op::Tract => matches!(
            graph.nodes[node].message.op_type.as_str(),
            "Erf"
                | "Exp"
                | "Neg"
                | "Reciprocal"
                | "Pow"
                | "Clip"
                | "HardSigmoid"
                | "Abs"
                | "Softplus"
        ),
        _ => false,
    }
}

fn equals(graph: &Graph, output: ValueId, variable: ValueId, activation: Activation) -> bool {
    (-40..=40).all(|step| {
        // No multiple of a corner's distance, so that corners lie between samples.
        let x = step as f32 * 0.217 + 0.013;
        let expected = activation.of(x);
        evaluate(graph, output, variable, x, STEPS)
            .is_some_and(|found| (found - expected).abs() <= 1e-5 * (1.0 + x.abs()))
    })
}

/// A value where the variable is x.
fn evaluate(graph: &Graph, value: ValueId, variable: ValueId, x: f32, steps: usize) -> Option<f32> {
    if value == variable {
        return Some(x);
    }
    if graph.is_constant(value) {
        return graph.scalar(value);
    }
    let node = graph.producer(value).filter(|_| steps > 0)?;
    if !is_of_each_value(graph, node) {
        return None;
    }
    let inputs = &graph.nodes[node].inputs;
    let operand = |at: usize| evaluate(graph, *inputs.get(at)?, variable, x, steps - 1);
    let message = &graph.nodes[node].message;
    Some(match graph.op(node) {
        Op::Binary(operation) => {
            let (a, b) = (operand(0)?, operand(1)?);
            match operation {
                Operation::Add => a + b,
                Operation::Subtract => a - b,
                Operation::Multiply => a * b,
                Operation::Divide => a / b,
            }
        }
        Op::Layer(Layer::Activate(activation), _) => activation.of(operand(0)?),
        _ => {
            let a = operand(0)?;
            let number = |name: &str, default: f32| {
                message.attribute.iter().find(|found| found.name == name).map_or(default, |a| a.f)
            };
            match message.op_type.as_str() {
                // From x·Φ(x), of which it is a part.
                "Erf" if a == 0.0 => 0.0,
                "Erf" => {
                    let z = a * std::f32::consts::SQRT_2;
                    2.0 * Activation::Gelu.of(z) / z - 1.0
                }
                "Exp" => a.exp(),
                "Neg" => -a,
                "Abs" => a.abs(),
                "Reciprocal" => 1.0 / a,
                "Softplus" => a.exp().ln_1p(),
                "Pow" => a.powf(operand(1)?),
                "HardSigmoid" => (a * number("alpha", 0.2) + number("beta", 0.5)).clamp(0.0, 1.0),
                "Clip" if message.input.iter().skip(1).any(String::is_empty) => return None,
                "Clip" => {
                    let low = if inputs.len() > 1 { operand(1)? } else { number("min", f32::MIN) };
                    let high = if inputs.len() > 2 { operand(2)? } else { number("max", f32::MAX) };
                    a.max(low).min(high)
                }
                _ => return None,
            }
        }
    })
}

/// A product of one half of the channels with the activation of the other.
pub(super) fn gated(graph: &mut Graph, node: NodeId) -> bool {
    let Some((layer, order, source)) = halves(graph, node) else { return false };
    graph.rewrite(node, Op::Layer(Layer::Gated(layer), order), &[source]);
    true
}

fn halves(graph: &Graph, node: NodeId) -> Option<(Gated, Order, ValueId)> {
    let (Op::Binary(Operation::Multiply), &[a, b]) =
        (graph.op(node), &graph.nodes[node].inputs[..])
    else {
        return None;
    };
    [(a, b), (b, a)].into_iter().find_map(|(value, gate)| {
        let active = graph.only(gate)?;
        let &Op::Layer(Layer::Activate(activation), _) = graph.op(active) else { return None };
        let (source, value) = sliced(graph, value)?;
        let (same, gate) = sliced(graph, graph.nodes[active].inputs[0])?;
        let shape = graph.shape(source);
        let axis = value.axis;
        let half = shape[axis] / 2;
        let order = if axis + 1 == shape.len() {
            Order::File
        } else if axis == 1 && shape.len() == 4 {
            Order::ChannelsLast
        } else {
            return None;
        };
        let fits = source == same
            && gate.axis == axis
            && shape[axis] == 2 * half
            && [value.start, gate.start].iter().all(|start| [0, half].contains(start))
            && value.start != gate.start
            && [value, gate].iter().all(|slice| slice.end - slice.start == half);
        fits.then_some((Gated { activation, gate_first: gate.start == 0 }, order, source))
    })
}

fn sliced(graph: &Graph, value: ValueId) -> Option<(ValueId, crate::nn::Slice)> {
    let node = graph.only(value)?;
    match graph.op(node) {
        Op::Slice(slice) => Some((graph.nodes[node].inputs[0], *slice)),
        _ => None,
    }
}
