//! The quantized net as standard ONNX, opset 21, for other engines: int8 layers read through `QuantizeLinear` and `DequantizeLinear` with the
//! bundle's scales, their weights are stored as integers.
//!
//! Inputs and outputs are those of the imported net: images `[n, h, w, c]`. Layers that want channels first are put between transposes, which
//! engines cancel against each other. Layers that stay in floating point are f32.

use crate::error::QuantizeError;
use crate::layers::rebuild_error;
use crate::simulate::{GROUP, Product};
use half::f16;
use kernels::math::Activation;
use models::Imported;
use models::nn::{
    self, Attention, Convolution, Corners, Layer, Operation, Pairs, Parameter, Pooling, Resize,
    Rotary, Sampling,
};
use prost::Message;
use std::collections::{BTreeMap, HashMap};
use tract_core::internal::*;
use tract_core::ops::konst::Const;
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TypeProto, ValueInfoProto, attribute_proto::AttributeType,
    tensor_proto::DataType, tensor_shape_proto, type_proto,
};
use vitrine::runtime::choices::{Activations, Choice, Choices, Precision};
use vitrine::runtime::program::Quantization;

const OPSET: i64 = 21;
/// The version of the format that came with the opset.
const FORMAT: i64 = 10;

/// Writes a net of the vocabulary with its choices.
///
/// # Errors
/// [`QuantizeError::NoOnnx`] for what only tract has.
pub fn encode(net: &Imported, choices: &Choices) -> Result<Vec<u8>, QuantizeError> {
    let model = &net.model;
    let mut writer = Writer::new(choices);
    let mut graph = GraphProto { name: "quantized".into(), ..Default::default() };
    let mut names: HashMap<OutletId, String> = HashMap::new();
    for id in model.eval_order().map_err(rebuild_error)? {
        let node = model.node(id);
        let outlet = OutletId::from(id);
        let shape_of = |outlet: OutletId| -> Result<Vec<usize>, QuantizeError> {
            let fact = model.outlet_fact(outlet).map_err(rebuild_error)?;
            let shape = fact.shape.as_concrete().map(<[usize]>::to_vec);
            shape.ok_or_else(|| QuantizeError::InputShape { input: node.name.clone() })
        };
        let unknown = || QuantizeError::NoOnnx {
            layer: node.name.clone(),
            operation: node.op.name().into_owned(),
        };
        let name = if model.input_outlets().map_err(rebuild_error)?.contains(&outlet) {
            graph.input.push(port(&node.name, &shape_of(outlet)?));
            node.name.clone()
        } else if let Some(constant) = node.op_as::<Const>() {
            let tensor = constant.val();
            let plain = tensor.try_as_plain_ram().map_err(rebuild_error)?;
            let values = plain.as_slice::<f32>().map_err(|_| unknown())?;
            writer.floats(&node.name, tensor.shape(), values)
        } else {
            let layer = nn::layer(node).ok_or_else(unknown)?;
            let mut inputs = Vec::new();
            for input in &node.inputs {
                let name = names.get(input).cloned().ok_or_else(unknown)?;
                let node = model.node(input.node).name.clone();
                inputs.push(Operand { name, node, shape: shape_of(*input)? });
            }
            writer.prefix = node.name.clone();
            writer.layer(&node.name, layer, &inputs, &shape_of(outlet)?)
        };
        names.insert(outlet, name);
    }
    for (index, outlet) in model.output_outlets().map_err(rebuild_error)?.iter().enumerate() {
        let node = model.node(outlet.node);
        let fact = model.outlet_fact(*outlet).map_err(rebuild_error)?;
        let shape = fact.shape.as_concrete().unwrap_or_default().to_vec();
        let label = net.outputs.get(index).map_or(&node.name, |(name, _)| name);
        let taken = graph.input.iter().any(|input| input.name == *label);
        let name = if taken { format!("output.{index}") } else { label.clone() };
        let from = names[outlet].clone();
        writer.nodes.push(NodeProto {
            op_type: "Identity".into(),
            name: format!("{name}/output"),
            input: vec![from],
            output: vec![name.clone()],
            ..Default::default()
        });
        graph.output.push(port(&name, &shape));
    }
    graph.node = writer.nodes;
    graph.initializer = writer.initializers;
    let opset = OperatorSetIdProto { domain: String::new(), version: OPSET };
    let model = ModelProto {
        ir_version: FORMAT,
        opset_import: vec![opset],
        producer_name: "vitrine-quantize".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        graph: Some(graph),
        ..Default::default()
    };
    Ok(model.encode_to_vec())
}

fn port(name: &str, shape: &[usize]) -> ValueInfoProto {
    let dimension = |&extent: &usize| tensor_shape_proto::Dimension {
        value: Some(tensor_shape_proto::dimension::Value::DimValue(extent as i64)),
        ..Default::default()
    };
    let tensor = type_proto::Tensor {
        elem_type: DataType::Float as i32,
        shape: Some(TensorShapeProto { dim: shape.iter().map(dimension).collect() }),
    };
    let value = Some(type_proto::Value::TensorType(tensor));
    let r#type = Some(TypeProto { value, ..Default::default() });
    ValueInfoProto { name: name.into(), r#type, ..Default::default() }
}

/// What a layer reads.
struct Operand {
    /// In the graph.
    name: String,
    /// The node that makes it.
    node: String,
    shape: Vec<usize>,
}

enum Attribute<'a> {
    Int(i64),
    Float(f32),
    Ints(Vec<i64>),
    Text(&'a str),
}

struct Writer<'a> {
    choices: &'a Choices,
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
    /// Of the names of what a layer is made of.
    prefix: String,
    count: usize,
    /// Quantized forms of values, by the value.
    quantized: BTreeMap<String, [String; 3]>,
}

const TO_CHANNELS_FIRST: [usize; 4] = [0, 3, 1, 2];
const TO_CHANNELS_LAST: [usize; 4] = [0, 2, 3, 1];

fn long(values: &[usize]) -> Vec<i64> {
    values.iter().map(|&value| value as i64).collect()
}

impl<'a> Writer<'a> {
    fn new(choices: &'a Choices) -> Self {
        Self {
            choices,
            nodes: Vec::new(),
            initializers: Vec::new(),
            prefix: String::new(),
            count: 0,
            quantized: BTreeMap::new(),
        }
    }

    fn fresh(&mut self, what: &str) -> String {
        self.count += 1;
        format!("{}/{what}.{}", self.prefix, self.count)
    }

    fn node(&mut self, op: &str, inputs: &[&str], attributes: &[(&str, Attribute)]) -> String {
        let output = self.fresh(op);
        let attribute = |(name, value): &(&str, Attribute)| {
            let empty = AttributeProto { name: (*name).into(), ..Default::default() };
            match value {
                Attribute::Int(i) => {
                    AttributeProto { i: *i, r#type: AttributeType::Int as i32, ..empty }
                }
                Attribute::Float(f) => {
                    AttributeProto { f: *f, r#type: AttributeType::Float as i32, ..empty }
                }
                Attribute::Ints(ints) => AttributeProto {
                    ints: ints.clone(),
                    r#type: AttributeType::Ints as i32,
                    ..empty
                },
                Attribute::Text(text) => AttributeProto {
                    s: text.as_bytes().to_vec(),
                    r#type: AttributeType::String as i32,
                    ..empty
                },
            }
        };
        self.nodes.push(NodeProto {
            op_type: op.into(),
            name: output.clone(),
            input: inputs.iter().map(|input| (*input).to_owned()).collect(),
            output: vec![output.clone()],
            attribute: attributes.iter().map(attribute).collect(),
            ..Default::default()
        });
        output
    }

    fn tensor(&mut self, name: &str, shape: &[usize], element: DataType, raw: Vec<u8>) -> String {
        let name = self.fresh(name);
        self.initializers.push(TensorProto {
            name: name.clone(),
            dims: long(shape),
            data_type: element as i32,
            raw_data: raw,
            ..Default::default()
        });
        name
    }

    fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) -> String {
        let raw = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.tensor(name, shape, DataType::Float, raw)
    }

    fn parameter(&mut self, parameter: &Parameter) -> String {
        self.floats(&parameter.name, &parameter.shape, &parameter.values)
    }

    fn one(&mut self, value: f32) -> String {
        self.floats("value", &[], &[value])
    }

    fn ints(&mut self, values: &[i64]) -> String {
        let raw = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.tensor("sizes", &[values.len()], DataType::Int64, raw)
    }

    fn transpose(&mut self, x: &str, axes: &[usize]) -> String {
        self.node("Transpose", &[x], &[("perm", Attribute::Ints(long(axes)))])
    }

    fn reshape(&mut self, x: &str, shape: &[usize]) -> String {
        let shape = self.ints(&long(shape));
        self.node("Reshape", &[x, &shape], &[])
    }

    fn slice(&mut self, x: &str, axis: usize, start: usize, end: usize) -> String {
        let [start, end, axis] = [start, end, axis].map(|value| self.ints(&[value as i64]));
        self.node("Slice", &[x, &start, &end, &axis], &[])
    }

    fn concat(&mut self, parts: &[&str], axis: usize) -> String {
        self.node("Concat", parts, &[("axis", Attribute::Int(axis as i64))])
    }

    fn layer(&mut self, name: &str, layer: &Layer, inputs: &[Operand], shape: &[usize]) -> String {
        let x = inputs.first().map_or("", |input| input.name.as_str());
        let input_shape = inputs.first().map_or(&[][..], |input| &input.shape);
        match layer {
            Layer::Convolution(layer) => self.convolution(name, layer, &inputs[0]),
            Layer::Transposed(_) => self.transposed(name, layer, &inputs[0]),
            Layer::Linear(linear) => {
                let x = self.operand(name, &inputs[0], None);
                let weights = self.linear_weights(self.choices.of(name), layer);
                let product = self.node("MatMul", &[&x, &weights], &[]);
                match &linear.bias {
                    Some(bias) => {
                        let bias = self.parameter(bias);
                        self.node("Add", &[&product, &bias], &[])
                    }
                    None => product,
                }
            }
            Layer::GroupNorm(norm) => {
                let rank = input_shape.len();
                let channels = input_shape[rank - 1];
                let scale = self.parameter_or(&norm.scale, channels, 1.0);
                let shift = self.parameter_or(&norm.shift, channels, 0.0);
                let first: Vec<usize> = [0, rank - 1].into_iter().chain(1..rank - 1).collect();
                let last: Vec<usize> = [0].into_iter().chain(2..rank).chain([1]).collect();
                let x = self.transpose(x, &first);
                let attributes = [
                    ("epsilon", Attribute::Float(norm.epsilon)),
                    ("num_groups", Attribute::Int(norm.groups as i64)),
                ];
                let y = self.node("GroupNormalization", &[&x, &scale, &shift], &attributes);
                self.transpose(&y, &last)
            }
            Layer::LayerNorm(norm) => {
                let channels = input_shape[input_shape.len() - 1];
                let scale = self.parameter_or(&norm.scale, channels, 1.0);
                let shift = self.parameter_or(&norm.shift, channels, 0.0);
                let attributes =
                    [("axis", Attribute::Int(-1)), ("epsilon", Attribute::Float(norm.epsilon))];
                self.node("LayerNormalization", &[x, &scale, &shift], &attributes)
            }
            Layer::RmsNorm(norm) => {
                let mut grouped = input_shape.to_vec();
                let channels = grouped.pop().unwrap_or(1);
                grouped.extend([channels / norm.size, norm.size]);
                let x = self.reshape(x, &grouped);
                let square = self.node("Mul", &[&x, &x], &[]);
                let axes = self.ints(&[-1]);
                let mean = self.node("ReduceMean", &[&square, &axes], &[]);
                let epsilon = self.one(norm.epsilon);
                let sum = self.node("Add", &[&mean, &epsilon], &[]);
                let root = self.node("Sqrt", &[&sum], &[]);
                let scale = self.parameter_or(&norm.scale, norm.size, 1.0);
                let y = self.node("Div", &[&x, &root], &[]);
                let y = self.node("Mul", &[&y, &scale], &[]);
                self.reshape(&y, shape)
            }
            Layer::Activate(activation) => self.activate(x, *activation),
            Layer::PRelu(slopes) => {
                let slopes = self.parameter(slopes);
                self.node("PRelu", &[x, &slopes], &[])
            }
            Layer::Gated(gated) => {
                let axis = input_shape.len() - 1;
                let half = input_shape[axis] / 2;
                let first = self.slice(x, axis, 0, half);
                let second = self.slice(x, axis, half, 2 * half);
                let (gate, value) =
                    if gated.gate_first { (first, second) } else { (second, first) };
                let gate = self.activate(&gate, gated.activation);
                self.node("Mul", &[&value, &gate], &[])
            }
            Layer::Softmax => self.node("Softmax", &[x], &[("axis", Attribute::Int(-1))]),
            Layer::Attention(attention) => self.attention(name, attention, inputs),
            Layer::Rotary(rotary) => self.rotary(rotary, &inputs[0]),
            Layer::Binary(binary) => {
                let operation = match binary.operation {
                    Operation::Add => "Add",
                    Operation::Subtract => "Sub",
                    Operation::Multiply => "Mul",
                    Operation::Divide => "Div",
                };
                self.node(operation, &[x, &inputs[1].name], &[])
            }
            Layer::Concat { axis } => {
                let parts: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
                self.concat(&parts, *axis)
            }
            Layer::Slice(slice) => self.slice(x, slice.axis, slice.start, slice.end),
            Layer::Reshape { shape } => self.reshape(x, shape),
            Layer::Transpose { axes } => self.transpose(x, axes),
            Layer::Pad(pad) => {
                let ([top, left, bottom, right], [before, after]) = (pad.image, pad.channels);
                let pads = long(&[0, top, left, before, 0, bottom, right, after]);
                let pads = self.ints(&pads);
                self.node("Pad", &[x, &pads], &[])
            }
            Layer::Resize(resize) => self.resize(x, resize, input_shape),
            Layer::DepthToSpace { block } => {
                let x = self.transpose(x, &TO_CHANNELS_FIRST);
                let attributes = [
                    ("blocksize", Attribute::Int(*block as i64)),
                    ("mode", Attribute::Text("DCR")),
                ];
                let y = self.node("DepthToSpace", &[&x], &attributes);
                self.transpose(&y, &TO_CHANNELS_LAST)
            }
            Layer::Pool(pool) => {
                let x = self.transpose(x, &TO_CHANNELS_FIRST);
                let mut attributes = vec![
                    ("kernel_shape", Attribute::Ints(long(&pool.window))),
                    ("strides", Attribute::Ints(long(&pool.stride))),
                    ("pads", Attribute::Ints(long(&pool.padding))),
                ];
                let operation = match pool.pooling {
                    Pooling::Greatest => "MaxPool",
                    Pooling::Mean => "AveragePool",
                    Pooling::MeanWithPadding => {
                        attributes.push(("count_include_pad", Attribute::Int(1)));
                        "AveragePool"
                    }
                };
                let y = self.node(operation, &[&x], &attributes);
                self.transpose(&y, &TO_CHANNELS_LAST)
            }
        }
    }

    fn parameter_or(&mut self, parameter: &Option<Parameter>, count: usize, value: f32) -> String {
        match parameter {
            Some(parameter) => self.parameter(parameter),
            None => self.floats("value", &[count], &vec![value; count]),
        }
    }

    fn activate(&mut self, x: &str, activation: Activation) -> String {
        match activation {
            Activation::None => x.to_owned(),
            Activation::Relu => self.node("Relu", &[x], &[]),
            Activation::Relu6 => {
                let [least, most] = [self.one(0.0), self.one(6.0)];
                self.node("Clip", &[x, &least, &most], &[])
            }
            Activation::Silu => {
                let gate = self.node("Sigmoid", &[x], &[]);
                self.node("Mul", &[x, &gate], &[])
            }
            Activation::Gelu => self.node("Gelu", &[x], &[]),
            Activation::GeluTanh => {
                self.node("Gelu", &[x], &[("approximate", Attribute::Text("tanh"))])
            }
            Activation::HardSwish => self.node("HardSwish", &[x], &[]),
            Activation::Sigmoid => self.node("Sigmoid", &[x], &[]),
            Activation::Tanh => self.node("Tanh", &[x], &[]),
        }
    }

    /// What a layer reads, axes in another order if asked, as its precision has it.
    fn operand(&mut self, layer: &str, operand: &Operand, axes: Option<&[usize]>) -> String {
        let choice = self.choices.of(layer);
        let moved = |writer: &mut Self, x: &str| match axes {
            Some(axes) => writer.transpose(x, axes),
            None => x.to_owned(),
        };
        if !matches!(choice.precision, Precision::Int8 | Precision::Int4) {
            return moved(self, &operand.name);
        }
        match (choice.activations, self.choices.ranges.get(&operand.node).copied()) {
            (Activations::Tensor, Some(quantization)) => {
                let key = format!("{}{axes:?}", operand.name);
                let [quantized, scale, zero] = match self.quantized.get(&key) {
                    Some(names) => names.clone(),
                    None => {
                        let x = moved(self, &operand.name);
                        let names = self.quantize(&x, quantization);
                        self.quantized.insert(key, names.clone());
                        names
                    }
                };
                self.node("DequantizeLinear", &[&quantized, &scale, &zero], &[])
            }
            _ => {
                let x = self.by_greatest(&operand.name);
                moved(self, &x)
            }
        }
    }

    /// A quantized value, its scale and its zero point.
    fn quantize(
        &mut self,
        x: &str,
        Quantization { scale, zero_point }: Quantization,
    ) -> [String; 3] {
        let scale = self.floats("scale", &[], &[scale]);
        let zero = self.tensor("zero_point", &[], DataType::Int8, vec![zero_point as u8]);
        [self.node("QuantizeLinear", &[x, &scale, &zero], &[]), scale, zero]
    }

    /// Each row of the last axis by its greatest magnitude, quantized and dequantized.
    fn by_greatest(&mut self, x: &str) -> String {
        let magnitude = self.node("Abs", &[x], &[]);
        let axes = self.ints(&[-1]);
        let greatest = self.node("ReduceMax", &[&magnitude, &axes], &[]);
        let [most, least] = [self.one(127.0), self.one(f32::MIN_POSITIVE)];
        let step = self.node("Div", &[&greatest, &most], &[]);
        let step = self.node("Max", &[&step, &least], &[]);
        let steps = self.node("Div", &[x, &step], &[]);
        let steps = self.node("Round", &[&steps], &[]);
        self.node("Mul", &[&steps, &step], &[])
    }

    /// Weights whose values `order` brings into ONNX's order: `order[i]` is the place in the product's `[outputs, depth]`. Integers where
    /// the layer is int8, with a step for each extent of `axis`.
    fn weights(
        &mut self,
        choice: Choice,
        product: &Product,
        shape: &[usize],
        axis: usize,
        order: &[usize],
    ) -> String {
        if choice.precision != Precision::Int8 {
            let values: Vec<f32> = order.iter().map(|&place| product.weights[place]).collect();
            return self.floats("weight", shape, &values);
        }
        let scales = product.scales();
        let integer = |&place: &usize| {
            let scale = scales[place / product.depth % product.channels];
            (product.weights[place] / scale).round_ties_even().clamp(-127.0, 127.0) as i8 as u8
        };
        let raw = order.iter().map(integer).collect();
        let integers = self.tensor("weight", shape, DataType::Int8, raw);
        let scale = self.floats("scale", &[scales.len()], &scales);
        let attributes = [("axis", Attribute::Int(axis as i64))];
        self.node("DequantizeLinear", &[&integers, &scale], &attributes)
    }

    /// `[k, n]`
    fn linear_weights(&mut self, choice: Choice, layer: &Layer) -> String {
        let product = Product::of(layer).expect("linear layers have weights");
        let (n, k) = (product.outputs, product.depth);
        let order: Vec<usize> = (0..k * n).map(|place| place % n * k + place / n).collect();
        if choice.precision != Precision::Int4 {
            return self.weights(choice, &product, &[k, n], 1, &order);
        }
        let groups = k.div_ceil(GROUP);
        let step = |group: usize, n: usize| {
            let from = n * k + group * GROUP;
            let values = &product.weights[from..(from + GROUP).min((n + 1) * k)];
            let greatest = values.iter().fold(0.0f32, |greatest, w| greatest.max(w.abs()));
            let step = if greatest > f32::MIN_POSITIVE { greatest / 7.0 } else { 1.0 };
            f16::from_f32(step).to_f32()
        };
        let steps: Vec<f32> = (0..groups * n).map(|place| step(place / n, place % n)).collect();
        let nibble = |&place: &usize| {
            let step = steps[place % k / GROUP * n + place / k];
            (product.weights[place] / step).round_ties_even().clamp(-8.0, 7.0) as i8 as u8 & 15
        };
        let nibbles: Vec<u8> = order.iter().map(nibble).collect();
        let pairs = nibbles.chunks(2).map(|pair| pair[0] | pair.get(1).unwrap_or(&0) << 4);
        let raw = pairs.collect();
        let integers = self.tensor("weight", &[k, n], DataType::Int4, raw);
        let scale = self.floats("scale", &[groups, n], &steps);
        let attributes =
            [("axis", Attribute::Int(0)), ("block_size", Attribute::Int(GROUP as i64))];
        self.node("DequantizeLinear", &[&integers, &scale], &attributes)
    }

    fn convolution(&mut self, name: &str, layer: &Convolution, input: &Operand) -> String {
        let product =
            Product::of(&Layer::Convolution(layer.clone())).expect("convolutions have weights");
        let mut x = self.operand(name, input, Some(&TO_CHANNELS_FIRST));
        if layer.enlargement == 2 {
            let scales = self.floats("scales", &[4], &[1.0, 1.0, 2.0, 2.0]);
            let attributes = [
                ("mode", Attribute::Text("nearest")),
                ("coordinate_transformation_mode", Attribute::Text("asymmetric")),
                ("nearest_mode", Attribute::Text("floor")),
            ];
            x = self.node("Resize", &[&x, "", &scales], &attributes);
        }
        let [out, down, across, depth] = layer.weights.shape[..] else {
            unreachable!("shapes are checked when a layer is added")
        };
        let taps = down * across;
        let order: Vec<usize> = (0..out * taps * depth)
            .map(|place| {
                let (o, c, tap) = (place / (taps * depth), place / taps % depth, place % taps);
                (o * taps + tap) * depth + c
            })
            .collect();
        let shape = [out, depth, down, across];
        let weights = self.weights(self.choices.of(name), &product, &shape, 0, &order);
        let attributes = [
            ("kernel_shape", Attribute::Ints(long(&[down, across]))),
            ("strides", Attribute::Ints(long(&layer.stride))),
            ("dilations", Attribute::Ints(long(&layer.dilation))),
            ("pads", Attribute::Ints(long(&layer.padding))),
            ("group", Attribute::Int(layer.groups as i64)),
        ];
        let bias = self.parameter_or(&layer.bias, out, 0.0);
        let y = self.node("Conv", &[&x, &weights, &bias], &attributes);
        self.transpose(&y, &TO_CHANNELS_LAST)
    }

    fn transposed(&mut self, name: &str, layer: &Layer, input: &Operand) -> String {
        let Layer::Transposed(transposed) = layer else {
            unreachable!("called for transposed convolutions")
        };
        let product = Product::of(layer).expect("convolutions have weights");
        let x = self.operand(name, input, Some(&TO_CHANNELS_FIRST));
        let [down, across, depth, out] = transposed.weights.shape[..] else {
            unreachable!("shapes are checked when a layer is added")
        };
        let taps = down * across;
        let order: Vec<usize> = (0..depth * out * taps)
            .map(|place| {
                let (c, o, tap) = (place / (out * taps), place / taps % out, place % taps);
                (tap * out + o) * depth + c
            })
            .collect();
        let shape = [depth, out, down, across];
        let weights = self.weights(self.choices.of(name), &product, &shape, 1, &order);
        let attributes = [
            ("kernel_shape", Attribute::Ints(long(&[down, across]))),
            ("strides", Attribute::Ints(long(&transposed.stride))),
            ("pads", Attribute::Ints(long(&transposed.cropping))),
        ];
        let bias = self.parameter_or(&transposed.bias, out, 0.0);
        let y = self.node("ConvTranspose", &[&x, &weights, &bias], &attributes);
        self.transpose(&y, &TO_CHANNELS_LAST)
    }

    fn attention(&mut self, name: &str, attention: &Attention, inputs: &[Operand]) -> String {
        let Attention { heads, key_heads, scale, causal } = *attention;
        let int8 = self.choices.int8_attention.contains(name);
        let (n, rows) = (inputs[0].shape[0], inputs[0].shape[1]);
        let columns = inputs[1].shape[1];
        let split = |writer: &mut Self, operand: &Operand, of: usize| {
            let size = operand.shape[2] / of;
            let mut x = writer.reshape(&operand.name, &[n, operand.shape[1], of, size]);
            if of < heads {
                let (tokens, times) = (operand.shape[1], heads / of);
                let one = writer.reshape(&x, &[n, tokens, of, 1, size]);
                let shape = writer.ints(&long(&[n, tokens, of, times, size]));
                let all = writer.node("Expand", &[&one, &shape], &[]);
                x = writer.reshape(&all, &[n, tokens, heads, size]);
            }
            x
        };
        let mut queries = split(self, &inputs[0], heads);
        let mut keys = split(self, &inputs[1], key_heads);
        let values = split(self, &inputs[2], key_heads);
        if int8 {
            queries = self.by_greatest(&queries);
            keys = self.by_greatest(&keys);
        }
        let queries = self.transpose(&queries, &[0, 2, 1, 3]);
        let keys = self.transpose(&keys, &[0, 2, 3, 1]);
        let values = self.transpose(&values, &[0, 2, 1, 3]);
        let logits = self.node("MatMul", &[&queries, &keys], &[]);
        let scale = self.one(scale);
        let mut logits = self.node("Mul", &[&logits, &scale], &[]);
        if let Some(bias) = inputs.get(3) {
            logits = self.node("Add", &[&logits, &bias.name], &[]);
        }
        if causal {
            let hidden = |place: usize| place % columns > place / columns;
            let mask: Vec<f32> = (0..rows * columns)
                .map(|place| if hidden(place) { f32::NEG_INFINITY } else { 0.0 })
                .collect();
            let mask = self.floats("mask", &[rows, columns], &mask);
            logits = self.node("Add", &[&logits, &mask], &[]);
        }
        let shares = self.node("Softmax", &[&logits], &[("axis", Attribute::Int(-1))]);
        let y = self.node("MatMul", &[&shares, &values], &[]);
        let y = self.transpose(&y, &[0, 2, 1, 3]);
        let size = inputs[2].shape[2] / key_heads;
        self.reshape(&y, &[n, rows, heads * size])
    }

    fn rotary(&mut self, rotary: &Rotary, input: &Operand) -> String {
        let [n, tokens, width] = input.shape[..] else {
            unreachable!("shapes are checked when a layer is added")
        };
        let (heads, size, pairs) = (rotary.heads, width / rotary.heads, rotary.cosines.shape[1]);
        let all = self.reshape(&input.name, &[n, tokens, heads, size]);
        let (axis, shape) = match rotary.pairs {
            Pairs::Adjacent => (4, vec![tokens, 1, pairs, 1]),
            Pairs::Halves => (3, vec![tokens, 1, pairs]),
        };
        let (first, second) = match rotary.pairs {
            Pairs::Adjacent => {
                let turned = self.slice(&all, 3, 0, 2 * pairs);
                let turned = self.reshape(&turned, &[n, tokens, heads, pairs, 2]);
                (self.slice(&turned, 4, 0, 1), self.slice(&turned, 4, 1, 2))
            }
            Pairs::Halves => (self.slice(&all, 3, 0, pairs), self.slice(&all, 3, pairs, 2 * pairs)),
        };
        let cosines = self.floats("cosines", &shape, &rotary.cosines.values);
        let sines = self.floats("sines", &shape, &rotary.sines.values);
        let mut product = |a: &str, b: &str| self.node("Mul", &[a, b], &[]);
        let [ac, bs] = [product(&first, &cosines), product(&second, &sines)];
        let [bc, a_s] = [product(&second, &cosines), product(&first, &sines)];
        let a = self.node("Sub", &[&ac, &bs], &[]);
        let b = self.node("Add", &[&bc, &a_s], &[]);
        let turned = self.concat(&[&a, &b], axis);
        let mut y = self.reshape(&turned, &[n, tokens, heads, 2 * pairs]);
        if 2 * pairs < size {
            let rest = self.slice(&all, 3, 2 * pairs, size);
            y = self.concat(&[&y, &rest], 3);
        }
        self.reshape(&y, &input.shape)
    }

    fn resize(&mut self, x: &str, resize: &Resize, shape: &[usize]) -> String {
        let x = self.transpose(x, &TO_CHANNELS_FIRST);
        let sizes = self.ints(&long(&[shape[0], shape[3], resize.height, resize.width]));
        let (mode, coordinates) = match resize.sampling {
            Sampling::Nearest => ("nearest", "asymmetric"),
            Sampling::Bilinear(Corners::HalfPixel) => ("linear", "half_pixel"),
            Sampling::Bilinear(Corners::Aligned) => ("linear", "align_corners"),
            Sampling::Bilinear(Corners::Origin) => ("linear", "asymmetric"),
        };
        let mut attributes = vec![
            ("mode", Attribute::Text(mode)),
            ("coordinate_transformation_mode", Attribute::Text(coordinates)),
        ];
        if mode == "nearest" {
            attributes.push(("nearest_mode", Attribute::Text("floor")));
        }
        let y = self.node("Resize", &[&x, "", "", &sizes], &attributes);
        self.transpose(&y, &TO_CHANNELS_LAST)
    }
}
