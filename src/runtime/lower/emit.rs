//! Steps and values, one unit after the other.

use super::elements::{Form, forms};
use super::graph::{Graph, Kind, WireId};
use super::pack::Packer;
use super::unit::{Unit, units};
use super::{LowerError, Lowered, Target};
use crate::runtime::choices::{Activations, Choice, Choices, Precision};
use crate::runtime::ops::archive;
use crate::runtime::program::{
    Element, Epilogue, Op, Operation, Pooling, Port, Program, Quantization, Repeat, Sampling, Span,
    Step, Value, ValueId,
};
use kernels::math::Activation;
use models::Imported;
use models::nn::{self, Corners, Layer, Pairs, Parameter};
use std::collections::HashMap;
use tract_core::internal::*;
use tract_core::ops::math;

/// Where a wire's values are.
#[derive(Clone, Copy)]
struct Place {
    value: ValueId,
    /// The first channel, where several wires are one value.
    channel: usize,
    /// For int8 with a step for each row: the steps.
    steps: Option<ValueId>,
}

pub(super) struct Emitter<'m> {
    graph: Graph<'m>,
    choices: &'m Choices,
    target: &'m Target,
    forms: Vec<Form>,
    places: Vec<Option<Place>>,
    /// Copies of wires in another element.
    copies: HashMap<(WireId, Element), ValueId>,
    program: Program,
    packer: Packer<'m>,
    left_to_tract: Vec<(String, String)>,
    /// Biases of products with a shift, which the linear layer that makes the shift adds to its own: by the wire of the shift.
    carried: HashMap<WireId, Vec<f32>>,
}

impl<'m> Emitter<'m> {
    pub(super) fn run(
        name: &str,
        net: &'m Imported,
        choices: &'m Choices,
        target: &'m Target,
    ) -> Result<Lowered, LowerError> {
        let graph = Graph::of(&net.model)?;
        let units = units(&graph, choices);
        let forms = forms(&graph, &units, choices);
        let places = vec![None; graph.wires.len()];
        let program = Program {
            name: name.to_owned(),
            element: target.element,
            weight_bytes: 0,
            inputs: Vec::new(),
            outputs: Vec::new(),
            values: Vec::new(),
            steps: Vec::new(),
        };
        let mut emitter = Emitter {
            graph,
            choices,
            target,
            forms,
            places,
            copies: HashMap::new(),
            program,
            packer: Packer::default(),
            left_to_tract: Vec::new(),
            carried: HashMap::new(),
        };
        for wire in emitter.graph.inputs.clone() {
            let value = emitter.wire_value(wire);
            emitter.places[wire] = Some(Place { value, channel: 0, steps: None });
            let name = emitter.graph.wires[wire].name.clone();
            emitter.program.inputs.push(Port { name, value });
        }
        emitter.carry_biases(&units);
        for unit in &units {
            emitter.unit(unit)?;
        }
        for (index, wire) in emitter.graph.outputs.clone().into_iter().enumerate() {
            let value = emitter.float(wire)?;
            let name = net.outputs[index].0.clone();
            emitter.program.outputs.push(Port { name, value });
        }
        let weights = emitter.packer.finish();
        emitter.program.weight_bytes = weights.len() as u64;
        Ok(Lowered { program: emitter.program, weights, left_to_tract: emitter.left_to_tract })
    }

    /// A product with a shift has no bias of its own: the linear layer that makes the shift adds it, where nobody else reads that.
    fn carry_biases(&mut self, units: &[Unit]) {
        for unit in units {
            let Some(shift) = unit.shift else { continue };
            let Some(bias) = bias_of(&self.graph, unit) else { continue };
            let readers = units.iter().filter(|other| {
                let node = &self.graph.nodes[other.head];
                other.shift == Some(shift)
                    || other.residual == Some(shift)
                    || node.inputs.contains(&shift)
                        && !matches!(node.kind, Kind::Layer(Layer::Reshape { .. }))
            });
            let alone = readers.count() == 1 && !self.graph.wires[shift].is_output;
            let maker = units.iter().find(|maker| maker.outputs == [shift]);
            let adds = maker.is_some_and(|maker| {
                let linear =
                    matches!(self.graph.nodes[maker.head].kind, Kind::Layer(Layer::Linear(_)));
                linear && maker.shift.is_none() && maker.activation == Activation::None
            });
            if alone && adds {
                self.carried.insert(shift, bias.values.to_vec());
            }
        }
    }

    fn unit(&mut self, unit: &Unit) -> Result<(), LowerError> {
        let node = &self.graph.nodes[unit.head];
        match node.kind {
            Kind::Source | Kind::Constant(_) => Ok(()),
            Kind::Foreign(foreign) => self.foreign(unit, foreign),
            Kind::Layer(layer) => self.layer(unit, layer),
        }
    }

    fn layer(&mut self, unit: &Unit, layer: &'m Layer) -> Result<(), LowerError> {
        let inputs = self.graph.nodes[unit.head].inputs.clone();
        match layer {
            Layer::Convolution(_) | Layer::Linear(_) | Layer::Transposed(_) => {
                self.product(unit, layer)
            }
            Layer::GroupNorm(norm) => {
                let x = self.float(inputs[0])?;
                let op = Op::GroupNorm {
                    groups: norm.groups,
                    epsilon: norm.epsilon,
                    scale: self.parameter(&norm.scale),
                    shift: self.parameter(&norm.shift),
                    activation: unit.activation,
                };
                self.step_to(unit, vec![x], op);
                Ok(())
            }
            Layer::LayerNorm(norm) => {
                let x = self.float(inputs[0])?;
                let (scale, shift) = (self.parameter(&norm.scale), self.parameter(&norm.shift));
                self.step_to(unit, vec![x], Op::LayerNorm { epsilon: norm.epsilon, scale, shift });
                Ok(())
            }
            Layer::RmsNorm(norm) => {
                let x = self.float(inputs[0])?;
                let scale = self.parameter(&norm.scale);
                let op = Op::RmsNorm { size: norm.size, epsilon: norm.epsilon, scale };
                self.step_to(unit, vec![x], op);
                Ok(())
            }
            Layer::Activate(activation) => {
                let x = self.own(unit, inputs[0])?;
                self.step_to(unit, vec![x], Op::Activate { activation: *activation });
                Ok(())
            }
            Layer::PRelu(slopes) => {
                let x = self.own(unit, inputs[0])?;
                let slopes = self.packer.floats(&slopes.values);
                self.step_to(unit, vec![x], Op::PRelu { slopes });
                Ok(())
            }
            Layer::Gated(gated) => {
                let x = self.float(inputs[0])?;
                let op = Op::Gated { activation: gated.activation, gate_first: gated.gate_first };
                self.step_to(unit, vec![x], op);
                Ok(())
            }
            Layer::Softmax => {
                let x = self.float(inputs[0])?;
                self.step_to(unit, vec![x], Op::Softmax);
                Ok(())
            }
            Layer::Attention(attention) => self.attention(unit, attention),
            Layer::Rotary(rotary) => self.rotary(unit, rotary),
            Layer::Binary(binary) => self.binary(unit, binary.operation),
            Layer::Concat { axis } => {
                let parts = inputs
                    .iter()
                    .map(|&wire| self.own(unit, wire))
                    .collect::<Result<Vec<_>, _>>()?;
                self.step_to(unit, parts, Op::Concat { axis: *axis });
                Ok(())
            }
            Layer::Slice(slice) => {
                let x = self.own(unit, inputs[0])?;
                let op = Op::Slice { axis: slice.axis, start: slice.start };
                self.step_to(unit, vec![x], op);
                Ok(())
            }
            Layer::Reshape { .. } => {
                let x = self.own(unit, inputs[0])?;
                self.alias(unit.outputs[0], x);
                Ok(())
            }
            Layer::Transpose { axes } => {
                let x = self.own(unit, inputs[0])?;
                let shape = &self.graph.wires[inputs[0]].shape;
                let moved = axes.iter().filter(|&&axis| shape[axis] > 1);
                if moved.is_sorted() {
                    self.alias(unit.outputs[0], x);
                } else {
                    self.step_to(unit, vec![x], Op::Transpose { axes: axes.clone() });
                }
                Ok(())
            }
            Layer::Pad(pad) => {
                let x = self.own(unit, inputs[0])?;
                let op = Op::Pad { image: pad.image, channels: pad.channels };
                self.step_to(unit, vec![x], op);
                Ok(())
            }
            Layer::Resize(resize) => {
                let x = self.own(unit, inputs[0])?;
                let sampling = match resize.sampling {
                    nn::Sampling::Nearest => Sampling::Nearest,
                    nn::Sampling::Bilinear(Corners::HalfPixel) => Sampling::BilinearHalfPixel,
                    nn::Sampling::Bilinear(Corners::Aligned) => Sampling::BilinearAligned,
                    nn::Sampling::Bilinear(Corners::Origin) => Sampling::BilinearOrigin,
                };
                self.step_to(unit, vec![x], Op::Resize { sampling });
                Ok(())
            }
            Layer::DepthToSpace { block } => {
                let x = self.own(unit, inputs[0])?;
                self.step_to(unit, vec![x], Op::DepthToSpace { block: *block });
                Ok(())
            }
            Layer::Pool(pool) => {
                let x = self.own(unit, inputs[0])?;
                let pooling = match pool.pooling {
                    nn::Pooling::Greatest => Pooling::Greatest,
                    nn::Pooling::Mean => Pooling::Mean,
                    nn::Pooling::MeanWithPadding => Pooling::MeanWithPadding,
                };
                let nn::Pool { window, stride, padding, .. } = *pool;
                self.step_to(unit, vec![x], Op::Pool { pooling, window, stride, padding });
                Ok(())
            }
        }
    }

    fn product(&mut self, unit: &Unit, layer: &'m Layer) -> Result<(), LowerError> {
        let node = &self.graph.nodes[unit.head];
        let (name, x) = (node.name, node.inputs[0]);
        let choice = self.choices.of(name);
        let x_shape = self.graph.wires[x].shape.clone();
        let element = self.weight_element(layer, &x_shape, choice);
        let refused = |reason| LowerError::Choice { layer: name.to_owned(), reason };
        let depthwise = matches!(layer, Layer::Convolution(layer) if layer.is_depthwise() && layer.enlargement == 1);
        let int8 = element == Element::I8;
        let taps = match layer {
            Layer::Convolution(layer) => layer.weights.shape[1] * layer.weights.shape[2],
            _ => 1,
        };
        // Operands.
        let mut inputs = Vec::new();
        let mut quantization = None;
        match self.forms[x] {
            Form::Float if int8 => {
                quantization = match choice.activations {
                    Activations::Row if taps == 1 && !depthwise => None,
                    Activations::Row => {
                        return Err(refused("a step for each row is for products of one tap"));
                    }
                    Activations::Tensor => {
                        Some(self.range(x).ok_or(refused("its input has no range"))?)
                    }
                };
                match quantization {
                    Some(quantization) if depthwise => {
                        inputs.push(self.quantized(x, quantization)?);
                    }
                    _ => inputs.push(self.float(x)?),
                }
                if depthwise {
                    quantization = None;
                }
            }
            Form::Float => inputs.push(self.as_element(x, element)?),
            Form::Tensor(_) => inputs.push(self.place(x)?.value),
            Form::Rows => {
                let place = self.place(x)?;
                inputs.push(place.value);
                inputs.extend(place.steps);
            }
        }
        if let Some(shift) = unit.shift {
            inputs.push(self.shift(unit, shift)?);
        }
        let mut residual = None;
        if let Some(wire) = unit.residual {
            let value = match self.forms[wire] {
                Form::Tensor(_) => self.place(wire)?.value,
                _ => self.float(wire)?,
            };
            residual = Some(value);
        }

        // Weights.
        let parts: Vec<&'m Layer> = unit
            .parts
            .iter()
            .filter_map(|&part| match self.graph.nodes[part].kind {
                Kind::Layer(layer) => Some(layer),
                _ => None,
            })
            .collect();
        let own_wire = self.graph.nodes[unit.head].outputs[0];
        // With a shift, that has its bias; what reads it as a shift, its bias on top.
        let carried = self.carried.get(&unit.outputs[0]).cloned();
        let bias = if unit.shift.is_some() { None } else { summed_bias(&parts, carried) };
        let layouts = &self.target.layouts;
        let epilogue = Epilogue {
            shift: unit.shift.is_some(),
            residual: residual.is_some(),
            activation: unit.activation,
        };
        let mut shape = self.graph.wires[own_wire].shape.clone();
        let op = match layer {
            Layer::Convolution(layer) => {
                let image: [usize; 4] =
                    x_shape[..].try_into().map_err(|_| refused("its input is no image"))?;
                let weights = self
                    .packer
                    .convolution(layouts, layer, image, choice, element, bias)
                    .map_err(refused)?;
                Op::Convolution {
                    kernel: [layer.weights.shape[1], layer.weights.shape[2]],
                    stride: layer.stride,
                    dilation: layer.dilation,
                    padding: layer.padding,
                    groups: layer.groups,
                    enlargement: layer.enlargement,
                    weights,
                    quantization,
                    epilogue,
                }
            }
            Layer::Linear(_) => {
                let linears: Vec<&nn::Linear> = parts
                    .iter()
                    .filter_map(|layer| match layer {
                        Layer::Linear(linear) => Some(linear),
                        _ => None,
                    })
                    .collect();
                let columns = linears.iter().map(|linear| linear.weights.shape[0]).sum();
                *shape.last_mut().ok_or(refused("a tensor without axes"))? = columns;
                let weights = self
                    .packer
                    .linear(layouts, &linears, choice, element, bias)
                    .map_err(refused)?;
                Op::Linear { weights, quantization, epilogue }
            }
            Layer::Transposed(layer) => {
                let kernel = [layer.weights.shape[0], layer.weights.shape[1]];
                if layer.stride != kernel || layer.cropping != [0; 4] {
                    return Err(refused(
                        "a transposed convolution whose stride is not its kernel's size has no kernel",
                    ));
                }
                let image: [usize; 4] =
                    x_shape[..].try_into().map_err(|_| refused("its input is no image"))?;
                let weights = self
                    .packer
                    .transposed(layouts, layer, image, element, bias)
                    .map_err(refused)?;
                Op::Transposed { kernel, weights, quantization, epilogue }
            }
            _ => unreachable!("only products come here"),
        };

        // The result has the product's own shape; a reshape in between is undone for the residual and done again behind.
        let output = unit.outputs[0];
        if let Some(value) = residual {
            inputs.push(self.under_shape(value, &shape));
        }
        let mut value = self.new_value(output, &shape);
        if self.carried.contains_key(&output) {
            self.program.values[value].element = Element::F32;
        }
        let name = self.merged_name(unit);
        self.program.steps.push(Step { name, inputs, outputs: vec![value], op });
        let mut channel = 0;
        for &wire in &unit.outputs {
            let place = self.graph.wires[wire].shape.clone();
            if unit.outputs.len() == 1 && place != shape {
                value = self.under_shape(value, &place);
            }
            self.places[wire] = Some(Place { value, channel, steps: None });
            channel += place.last().copied().unwrap_or(0);
        }
        Ok(())
    }

    /// `to_q`, or `to_q+to_k+to_v` of merged projections.
    fn merged_name(&self, unit: &Unit) -> String {
        let mut name = self.graph.nodes[unit.parts[0]].name.to_owned();
        for &part in &unit.parts[1..] {
            let other = self.graph.nodes[part].name;
            name.push('+');
            name.push_str(other.rsplit('.').next().unwrap_or(other));
        }
        name
    }

    /// What a product adds for each channel, its bias included.
    fn shift(&mut self, unit: &Unit, wire: WireId) -> Result<ValueId, LowerError> {
        let value = self.as_element(wire, Element::F32)?;
        let channels = self.graph.wires[wire].shape.iter().product();
        let value = self.under_shape(value, &[channels]);
        let bias = bias_of(&self.graph, unit).filter(|_| !self.carried.contains_key(&wire));
        let Some(bias) = bias else { return Ok(value) };
        let name = format!("{}.shift", self.graph.nodes[unit.head].name);
        let sum = self.add_value(name.clone(), &[channels], Element::F32);
        let op = Op::Binary {
            operation: Operation::Add,
            repeat: Repeat::Channels,
            constant: Some(self.packer.floats(&bias.values)),
            activation: Activation::None,
        };
        self.program.steps.push(Step { name, inputs: vec![value], outputs: vec![sum], op });
        Ok(sum)
    }

    fn attention(&mut self, unit: &Unit, attention: &nn::Attention) -> Result<(), LowerError> {
        let node = &self.graph.nodes[unit.head];
        let (name, wires) = (node.name.to_owned(), node.inputs.clone());
        let mut inputs = Vec::new();
        let mut channels = [0; 3];
        for (operand, channel) in channels.iter_mut().enumerate() {
            let wire = wires[operand];
            match self.places[wire] {
                Some(place) if self.forms[wire] == Form::Float && self.is_float(place.value) => {
                    inputs.push(place.value);
                    *channel = place.channel;
                }
                _ => inputs.push(self.float(wire)?),
            }
        }
        if let Some(&bias) = wires.get(3) {
            inputs.push(self.as_element(bias, Element::F32)?);
        }
        let last = |wire: WireId| self.graph.wires[wire].shape.last().copied().unwrap_or(0);
        let op = Op::Attention {
            heads: attention.heads,
            key_heads: attention.key_heads,
            key_size: last(wires[0]) / attention.heads,
            value_size: last(wires[2]) / attention.key_heads,
            scale: attention.scale,
            causal: attention.causal,
            zero_keys: 0,
            int8: self.choices.int8_attention.contains(&name),
            channels,
        };
        self.step_to(unit, inputs, op);
        Ok(())
    }

    fn rotary(&mut self, unit: &Unit, rotary: &nn::Rotary) -> Result<(), LowerError> {
        let wire = self.graph.nodes[unit.head].inputs[0];
        let mut x = self.float(wire)?;
        let shape = self.graph.wires[wire].shape.clone();
        let turned = 2 * rotary.cosines.shape.last().copied().unwrap_or(0);
        let op = Op::Rotary {
            heads: rotary.heads,
            turned,
            cosines: self.packer.floats(&rotary.cosines.values),
            sines: self.packer.floats(&rotary.sines.values),
        };
        if rotary.pairs == Pairs::Adjacent {
            self.step_to(unit, vec![x], op);
            return Ok(());
        }
        // Halves become adjacent pairs and go back: [.., 2, turned / 2] to [.., turned / 2, 2].
        let name = self.graph.nodes[unit.head].name.to_owned();
        let channels = shape.last().copied().unwrap_or(0);
        if turned * rotary.heads != channels {
            return Err(LowerError::Choice {
                layer: name,
                reason: "a rotary embedding that turns halves must turn whole heads",
            });
        }
        let rows = shape.iter().product::<usize>() / turned;
        let element = self.target.element;
        let swap = |emitter: &mut Self, x: ValueId, from: [usize; 3], what: &str| {
            let seen = emitter.under_shape(x, &from);
            let swapped =
                emitter.add_value(format!("{name}.{what}"), &[from[0], from[2], from[1]], element);
            emitter.program.steps.push(Step {
                name: format!("{name}.{what}"),
                inputs: vec![seen],
                outputs: vec![swapped],
                op: Op::Transpose { axes: vec![0, 2, 1] },
            });
            emitter.under_shape(swapped, &shape)
        };
        x = swap(self, x, [rows, 2, turned / 2], "pairs");
        let done = self.add_value(format!("{name}.turned"), &shape, element);
        self.program.steps.push(Step {
            name: name.clone(),
            inputs: vec![x],
            outputs: vec![done],
            op,
        });
        let value = swap(self, done, [rows, turned / 2, 2], "halves");
        self.places[unit.outputs[0]] = Some(Place { value, channel: 0, steps: None });
        Ok(())
    }

    fn binary(&mut self, unit: &Unit, operation: nn::Operation) -> Result<(), LowerError> {
        let wires = self.graph.nodes[unit.head].inputs.clone();
        let [mut a, mut b] = [wires[0], wires[1]];
        let shape = self.graph.wires[self.graph.nodes[unit.head].outputs[0]].shape.clone();
        let commutes = matches!(operation, nn::Operation::Add | nn::Operation::Multiply);
        if commutes && (self.graph.constant(a).is_some() || self.graph.wires[a].shape != shape) {
            std::mem::swap(&mut a, &mut b);
        }
        let repeat = repeat(&shape, &self.graph.wires[b].shape);
        let fits = self.graph.constant(a).is_none() && self.graph.wires[a].shape == shape;
        let (Some(repeat), true) = (repeat, fits) else {
            return self.tract_binary(unit, operation);
        };
        // a − b and a / b with a constant b are a sum and a product.
        let constant = match self.graph.constant(b) {
            None if commutes => None,
            None => return self.tract_binary(unit, operation),
            Some(tensor) => {
                let values = floats(tensor).ok_or_else(|| LowerError::Element {
                    layer: self.graph.nodes[unit.head].name.to_owned(),
                    element: format!("{:?}", tensor.datum_type()),
                })?;
                Some(match operation {
                    nn::Operation::Add | nn::Operation::Multiply => values,
                    nn::Operation::Subtract => values.iter().map(|x| -x).collect(),
                    nn::Operation::Divide => values.iter().map(|x| 1.0 / x).collect(),
                })
            }
        };
        let operation = match operation {
            nn::Operation::Add | nn::Operation::Subtract => Operation::Add,
            nn::Operation::Multiply | nn::Operation::Divide => Operation::Multiply,
        };
        let mut inputs = vec![self.own(unit, a)?];
        let (repeat, constant) = match constant {
            Some(values) if repeat == Repeat::One(0.0) => (Repeat::One(values[0]), None),
            Some(values) => (repeat, Some(self.packer.floats(&values))),
            None if repeat == Repeat::One(0.0) => {
                return self.tract_binary(
                    unit,
                    match operation {
                        Operation::Add => nn::Operation::Add,
                        Operation::Multiply => nn::Operation::Multiply,
                    },
                );
            }
            None => {
                inputs.push(self.own(unit, b)?);
                (repeat, None)
            }
        };
        let op = Op::Binary { operation, repeat, constant, activation: unit.activation };
        self.step_to(unit, inputs, op);
        Ok(())
    }

    /// What no kernel does with two operands, tract does.
    fn tract_binary(&mut self, unit: &Unit, operation: nn::Operation) -> Result<(), LowerError> {
        let op: Box<dyn TypedOp> = match operation {
            nn::Operation::Add => Box::new(math::add()),
            nn::Operation::Subtract => Box::new(math::sub()),
            nn::Operation::Multiply => Box::new(math::mul()),
            nn::Operation::Divide => Box::new(math::div()),
        };
        let wires = self.graph.nodes[unit.head].inputs.clone();
        let rank = wires.iter().map(|&wire| self.graph.wires[wire].shape.len()).max().unwrap_or(0);
        self.tract(unit, op, &wires, Some(rank), unit.activation)
    }

    fn foreign(&mut self, unit: &Unit, node: &'m TypedNode) -> Result<(), LowerError> {
        let wires = self.graph.nodes[unit.head].inputs.clone();
        self.tract(unit, node.op.clone(), &wires, None, Activation::None)
    }

    /// A model of one operation; constants stand inside it. `rank` says to how many axes operands are brought first.
    fn tract(
        &mut self,
        unit: &Unit,
        op: Box<dyn TypedOp>,
        wires: &[WireId],
        rank: Option<usize>,
        activation: Activation,
    ) -> Result<(), LowerError> {
        let name = self.graph.nodes[unit.head].name.to_owned();
        let operation = op.name().to_string();
        let failed = |reason: String| LowerError::Tract {
            layer: name.clone(),
            operation: operation.clone(),
            reason,
        };
        let mut inputs = Vec::new();
        let build = |emitter: &Self, inputs: &mut Vec<WireId>| -> TractResult<TypedModel> {
            let mut model = TypedModel::default();
            let mut outlets: TVec<OutletId> = tvec!();
            for (index, &wire) in wires.iter().enumerate() {
                let mut outlet = match emitter.graph.constant(wire) {
                    Some(tensor) => model.add_const(format!("constant{index}"), tensor.clone())?,
                    None => {
                        inputs.push(wire);
                        let fact = f32::fact(&emitter.graph.wires[wire].shape);
                        model.add_source(format!("input{index}"), fact)?
                    }
                };
                let own = emitter.graph.wires[wire].shape.len();
                for axis in own..rank.unwrap_or(own) {
                    let name = format!("axis{index}.{axis}");
                    outlet = model.wire_node(name, AxisOp::Add(0), &[outlet])?[0];
                }
                outlets.push(outlet);
            }
            let outputs = model.wire_node("operation", op, &outlets)?;
            model.select_output_outlets(&outputs)?;
            Ok(model)
        };
        let model = build(self, &mut inputs).map_err(|error| failed(format!("{error:#}")))?;
        let archive = archive(&model).map_err(failed)?;
        let archive = self.packer.bytes(&archive);
        let inputs = inputs
            .into_iter()
            .map(|wire| self.as_element(wire, Element::F32))
            .collect::<Result<Vec<_>, _>>()?;
        let mut outputs = Vec::new();
        for &wire in &self.graph.nodes[unit.head].outputs.clone() {
            let (label, shape) =
                (self.graph.wires[wire].name.clone(), self.graph.wires[wire].shape.clone());
            let value = self.add_value(label, &shape, Element::F32);
            self.places[wire] = Some(Place { value, channel: 0, steps: None });
            outputs.push(value);
        }
        if activation != Activation::None {
            let value =
                self.new_value(unit.outputs[0], &self.graph.wires[unit.outputs[0]].shape.clone());
            self.program.values[value].element = Element::F32;
            let x = outputs[0];
            self.program.steps.push(Step {
                name: name.clone(),
                inputs,
                outputs,
                op: Op::Tract { operation: operation.clone(), archive },
            });
            self.program.steps.push(Step {
                name: format!("{name}.activation"),
                inputs: vec![x],
                outputs: vec![value],
                op: Op::Activate { activation },
            });
            self.places[unit.outputs[0]] = Some(Place { value, channel: 0, steps: None });
        } else {
            self.program.steps.push(Step {
                name: name.clone(),
                inputs,
                outputs,
                op: Op::Tract { operation: operation.clone(), archive },
            });
        }
        self.left_to_tract.push((name, operation));
        Ok(())
    }

    /// A step whose result is the unit's, in the form that was decided on.
    fn step_to(&mut self, unit: &Unit, inputs: Vec<ValueId>, op: Op) {
        let wire = unit.outputs[0];
        let shape = self.graph.wires[wire].shape.clone();
        let value = self.new_value(wire, &shape);
        let mut outputs = vec![value];
        let mut steps = None;
        if self.forms[wire] == Form::Rows {
            let rows = shape.iter().rev().skip(1).product();
            let label = format!("{}.steps", self.graph.wires[wire].name);
            let id = self.add_value(label, &[rows], Element::F32);
            self.program.values[value].row_steps = Some(id);
            outputs.push(id);
            steps = Some(id);
        }
        let name = self.graph.nodes[unit.head].name.to_owned();
        self.program.steps.push(Step { name, inputs, outputs, op });
        self.places[wire] = Some(Place { value, channel: 0, steps });
    }

    fn weight_element(&self, layer: &Layer, x: &[usize], choice: Choice) -> Element {
        let one_row = x.iter().rev().skip(1).all(|&extent| extent == 1);
        match choice.precision {
            // Reading its weights is all the work of a product of one row: halves are read in half the time.
            Precision::F16 if one_row && matches!(layer, Layer::Linear(_)) => Element::F16,
            Precision::F32 | Precision::F16 => self.target.element,
            Precision::Int8 | Precision::Int4 => Element::I8,
        }
    }

    fn range(&self, wire: WireId) -> Option<Quantization> {
        self.choices.ranges.get(&self.graph.wires[wire].name).copied()
    }

    fn parameter(&mut self, parameter: &Option<Parameter>) -> Option<Span> {
        parameter.as_ref().map(|parameter| self.packer.floats(&parameter.values))
    }

    fn add_value(&mut self, name: String, shape: &[usize], element: Element) -> ValueId {
        self.program.values.push(Value {
            name,
            shape: shape.to_vec(),
            element,
            quantization: None,
            row_steps: None,
            same_as: None,
        });
        self.program.values.len() - 1
    }

    /// A value for a wire under its own shape.
    fn wire_value(&mut self, wire: WireId) -> ValueId {
        self.new_value(wire, &self.graph.wires[wire].shape.clone())
    }

    /// A value in the form that was decided on for a wire.
    fn new_value(&mut self, wire: WireId, shape: &[usize]) -> ValueId {
        let (element, quantization) = match self.forms[wire] {
            Form::Float => (self.target.element, None),
            Form::Tensor(quantization) => (Element::I8, Some(quantization)),
            Form::Rows => (Element::I8, None),
        };
        let value = self.add_value(self.graph.wires[wire].name.clone(), shape, element);
        self.program.values[value].quantization = quantization;
        value
    }

    /// The same elements under another shape.
    fn under_shape(&mut self, value: ValueId, shape: &[usize]) -> ValueId {
        if self.program.values[value].shape == shape {
            return value;
        }
        let of = self.program.values[value].same_as.unwrap_or(value);
        if self.program.values[of].shape == shape {
            return of;
        }
        let seen =
            Value { shape: shape.to_vec(), same_as: Some(of), ..self.program.values[of].clone() };
        self.program.values.push(seen);
        self.program.values.len() - 1
    }

    fn alias(&mut self, wire: WireId, value: ValueId) {
        let shape = self.graph.wires[wire].shape.clone();
        let mut value = self.under_shape(value, &shape);
        if self.program.values[value].same_as.is_some() {
            self.program.values[value].name = self.graph.wires[wire].name.clone();
        }
        // An output of the net keeps a value of its own.
        if self.program.values[value].element == Element::I8 && self.forms[wire] == Form::Float {
            value = self.converted(value, self.target.element);
        }
        self.places[wire] = Some(Place { value, channel: 0, steps: None });
    }

    fn place(&mut self, wire: WireId) -> Result<Place, LowerError> {
        if let Some(place) = self.places[wire] {
            return Ok(place);
        }
        // A constant as an operand.
        let name = self.graph.wires[wire].name.clone();
        let values = self.graph.constant(wire).and_then(floats).ok_or_else(|| {
            LowerError::Element { layer: name.clone(), element: "no floats".to_owned() }
        })?;
        let values = self.packer.floats(&values);
        let shape = self.graph.wires[wire].shape.clone();
        let value = self.add_value(name.clone(), &shape, Element::F32);
        self.program.steps.push(Step {
            name,
            inputs: vec![],
            outputs: vec![value],
            op: Op::Constant { values },
        });
        let place = Place { value, channel: 0, steps: None };
        self.places[wire] = Some(place);
        Ok(place)
    }

    fn is_float(&self, value: ValueId) -> bool {
        self.program.values[value].element == self.target.element
    }

    /// A wire in the form that a unit's own result has: int8 where that is int8, else floats.
    fn own(&mut self, unit: &Unit, wire: WireId) -> Result<ValueId, LowerError> {
        match (self.forms[unit.outputs[0]], self.forms[wire]) {
            (Form::Tensor(_), Form::Tensor(_)) => Ok(self.place(wire)?.value),
            _ => self.float(wire),
        }
    }

    /// A wire in the element of activations.
    fn float(&mut self, wire: WireId) -> Result<ValueId, LowerError> {
        self.as_element(wire, self.target.element)
    }

    /// A wire in f32 or f16.
    fn as_element(&mut self, wire: WireId, element: Element) -> Result<ValueId, LowerError> {
        let place = self.place(wire)?;
        let whole =
            self.program.values[place.value].shape.last() == self.graph.wires[wire].shape.last();
        if whole && self.program.values[place.value].element == element {
            return Ok(place.value);
        }
        if let Some(&value) = self.copies.get(&(wire, element)) {
            return Ok(value);
        }
        let mut value = place.value;
        if !whole {
            // One of several projections that are one value.
            let shape = self.graph.wires[wire].shape.clone();
            let name = format!("{}.own", self.graph.wires[wire].name);
            let own = self.program.values[value].element;
            let slice = self.add_value(name.clone(), &shape, own);
            let op = Op::Slice { axis: shape.len() - 1, start: place.channel };
            self.program.steps.push(Step { name, inputs: vec![value], outputs: vec![slice], op });
            value = slice;
        }
        if self.program.values[value].element != element {
            value = self.converted(value, element);
        }
        self.copies.insert((wire, element), value);
        Ok(value)
    }

    fn converted(&mut self, value: ValueId, element: Element) -> ValueId {
        let Value { name, shape, .. } = self.program.values[value].clone();
        let suffix = if element == Element::F32 { "f32" } else { "f16" };
        let converted = self.add_value(format!("{name}.{suffix}"), &shape, element);
        self.program.steps.push(Step {
            name: format!("{name}.{suffix}"),
            inputs: vec![value],
            outputs: vec![converted],
            op: Op::Convert,
        });
        converted
    }

    /// A float wire in int8.
    fn quantized(
        &mut self,
        wire: WireId,
        quantization: Quantization,
    ) -> Result<ValueId, LowerError> {
        if let Some(&value) = self.copies.get(&(wire, Element::I8)) {
            return Ok(value);
        }
        let x = self.float(wire)?;
        let name = format!("{}.i8", self.graph.wires[wire].name);
        let shape = self.graph.wires[wire].shape.clone();
        let value = self.add_value(name.clone(), &shape, Element::I8);
        self.program.values[value].quantization = Some(quantization);
        self.program.steps.push(Step {
            name,
            inputs: vec![x],
            outputs: vec![value],
            op: Op::Convert,
        });
        self.copies.insert((wire, Element::I8), value);
        Ok(value)
    }
}

fn bias_of<'m>(graph: &Graph<'m>, unit: &Unit) -> Option<&'m Parameter> {
    match graph.nodes[unit.head].kind {
        Kind::Layer(Layer::Convolution(layer)) => layer.bias.as_ref(),
        Kind::Layer(Layer::Linear(layer)) => layer.bias.as_ref(),
        _ => None,
    }
}

/// The biases of parts side by side, and what is added to them.
fn summed_bias(parts: &[&Layer], carried: Option<Vec<f32>>) -> Option<Vec<f32>> {
    let mut values = Vec::new();
    let mut any = carried.is_some();
    for part in parts {
        let (columns, bias) = match part {
            Layer::Convolution(layer) => (layer.weights.shape[0], &layer.bias),
            Layer::Linear(layer) => (layer.weights.shape[0], &layer.bias),
            Layer::Transposed(layer) => (layer.weights.shape[3], &layer.bias),
            _ => continue,
        };
        match bias {
            Some(bias) => {
                any = true;
                values.extend_from_slice(&bias.values);
            }
            None => values.resize(values.len() + columns, 0.0),
        }
    }
    for (value, term) in values.iter_mut().zip(carried.unwrap_or_default()) {
        *value += term;
    }
    any.then_some(values)
}

/// How an operand of one shape is repeated to another; `Repeat::One(0.0)` stands for one value that is not known here.
fn repeat(shape: &[usize], operand: &[usize]) -> Option<Repeat> {
    let elements = operand.iter().product::<usize>();
    let channels = shape.last().copied().unwrap_or(1);
    let padded: Vec<usize> = std::iter::repeat_n(1, shape.len().checked_sub(operand.len())?)
        .chain(operand.iter().copied())
        .collect();
    if padded == shape {
        return Some(Repeat::All);
    }
    if elements == 1 {
        return Some(Repeat::One(0.0));
    }
    if elements == channels && padded.last() == Some(&channels) {
        return Some(Repeat::Channels);
    }
    let (rows, last) = padded.split_at(padded.len() - 1);
    if last == [1] && rows == &shape[..shape.len() - 1] {
        return Some(Repeat::Rows);
    }
    let per_image = padded.first() == shape.first()
        && last == [channels]
        && rows[1..].iter().all(|&extent| extent == 1);
    per_image.then_some(Repeat::Images)
}

/// A tensor's values in f32.
fn floats(tensor: &Tensor) -> Option<Vec<f32>> {
    let tensor = tensor.cast_to::<f32>().ok()?;
    Some(tensor.try_as_plain_ram().ok()?.as_slice::<f32>().ok()?.to_vec())
}
