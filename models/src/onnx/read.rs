//! From the file's nodes to the graph: constants folded, shapes known, each operation in one form whatever the opset.

mod attention;
mod image;
mod movement;
mod quantized;
mod sizes;
mod weights;

use super::OnnxError;
use super::file::{self, Attributes, computed, title};
use super::graph::{Constant, Graph, Node, Op, Order, ValueId};
use super::tract::{self, Input};
use crate::nn::{GroupNorm, Layer, LayerNorm, Operation, Parameter, RmsNorm};
use kernels::math::Activation;
use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use tract_core::internal::{DatumType, Tensor};
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{ModelProto, NodeProto};

/// Operations that are evaluated where all their inputs are constants.
const FOLDED: &[&str] = &[
    "Abs",
    "Add",
    "And",
    "Cast",
    "Ceil",
    "Concat",
    "ConstantOfShape",
    "Cos",
    "CumSum",
    "Div",
    "Equal",
    "Erf",
    "Exp",
    "Expand",
    "Flatten",
    "Floor",
    "Gather",
    "GatherElements",
    "Gemm",
    "Greater",
    "GreaterOrEqual",
    "Identity",
    "IsInf",
    "IsNaN",
    "Less",
    "LessOrEqual",
    "Log",
    "MatMul",
    "Max",
    "Min",
    "Mod",
    "Mul",
    "Neg",
    "Not",
    "Or",
    "Pow",
    "Range",
    "Reciprocal",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "Reshape",
    "Round",
    "ScatterND",
    "Sigmoid",
    "Sign",
    "Sin",
    "Slice",
    "Softmax",
    "Split",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Tanh",
    "Tile",
    "Transpose",
    "Trilu",
    "Unsqueeze",
    "Where",
];

pub(super) struct Reader<'a> {
    pub graph: Graph,
    pub opset: i64,
    folder: &'a Path,
    names: HashMap<String, ValueId>,
}

/// A node with its inputs found.
pub(super) struct Step {
    pub message: Rc<NodeProto>,
    pub inputs: Vec<Option<ValueId>>,
}

impl Step {
    pub fn attributes(&self) -> Attributes<'_> {
        Attributes(&self.message)
    }

    pub fn optional(&self, index: usize) -> Option<ValueId> {
        self.inputs.get(index).copied().flatten()
    }

    pub fn input(&self, index: usize) -> Result<ValueId, OnnxError> {
        self.optional(index).ok_or_else(|| self.lacks("input", index))
    }

    fn lacks(&self, what: &'static str, index: usize) -> OnnxError {
        let operation = self.message.op_type.clone();
        OnnxError::Operand { node: title(&self.message), operation, what, index }
    }

    pub fn shape_error(&self, reason: impl Into<String>) -> OnnxError {
        OnnxError::Shape {
            node: title(&self.message),
            operation: self.message.op_type.clone(),
            reason: reason.into(),
        }
    }

    /// An axis that may be counted from the back.
    pub fn axis(&self, axis: i64, rank: usize) -> Result<usize, OnnxError> {
        let positive = if axis < 0 { axis + rank as i64 } else { axis };
        usize::try_from(positive)
            .ok()
            .filter(|&found| found < rank)
            .ok_or_else(|| self.shape_error(format!("axis {axis} of a tensor of rank {rank}")))
    }

    /// Values of which only the first is used.
    fn has_one_output(&self) -> bool {
        self.message.output.iter().skip(1).all(String::is_empty)
    }
}

/// Reads the graph of a model, whose messages it empties.
pub(super) fn read(
    mut model: ModelProto,
    folder: &Path,
    sizes: &[(String, usize)],
) -> Result<(Graph, i64), OnnxError> {
    let opset = model
        .opset_import
        .iter()
        .find(|import| import.domain.is_empty() || import.domain == "ai.onnx")
        .map_or(0, |import| import.version);
    let mut source = model.graph.take().ok_or(OnnxError::Absent { what: "graph" })?;
    if source.output.is_empty() {
        return Err(OnnxError::Absent { what: "outputs" });
    }
    let mut reader = Reader { graph: Graph::default(), opset, folder, names: HashMap::new() };
    for initializer in &mut source.initializer {
        let name = initializer.name.clone();
        let tensor = Arc::new(file::tensor(initializer, folder)?);
        *initializer = Default::default();
        let constant = Constant { tensor, origin: Some(name.clone()) };
        let id = reader.graph.add_constant(&name, constant);
        reader.name(&name, id)?;
    }
    for input in &source.input {
        if !reader.names.contains_key(&input.name) {
            let cast = only_cast(&source.node, &input.name, CAST_DEPTH);
            reader.add_input(input, sizes, cast)?;
        }
    }
    for message in source.node {
        reader.node(message)?;
    }
    for output in &source.output {
        let id = reader.names.get(&output.name).copied().ok_or_else(|| {
            OnnxError::UnknownValue { node: "outputs".to_string(), value: output.name.clone() }
        })?;
        reader.graph.outputs.push((output.name.clone(), id));
    }
    Ok((reader.graph, opset))
}

/// How many nodes an integer input may pass on its way to a cast.
const CAST_DEPTH: usize = 8;

/// Whether all that is done with a value is to move it and to cast it to floats.
fn only_cast(nodes: &[NodeProto], value: &str, depth: usize) -> bool {
    let mut readers = nodes.iter().filter(|node| node.input.iter().any(|input| input == value));
    depth > 0
        && readers.all(|node| match node.op_type.as_str() {
            "Cast" => node.attribute.iter().any(|attribute| {
                let to = i32::try_from(attribute.i).map(DataType::try_from);
                attribute.name == "to"
                    && matches!(to, Ok(Ok(DataType::Float | DataType::Float16 | DataType::Double)))
            }),
            "Expand" | "Identity" | "Reshape" | "Squeeze" | "Unsqueeze" => {
                node.input[0] == value && node.output.iter().all(|o| only_cast(nodes, o, depth - 1))
            }
            _ => false,
        })
}

impl Reader<'_> {
    fn name(&mut self, name: &str, id: ValueId) -> Result<(), OnnxError> {
        match self.names.insert(name.to_string(), id) {
            None => Ok(()),
            Some(_) => Err(OnnxError::ComputedTwice { value: name.to_string() }),
        }
    }

    fn node(&mut self, message: NodeProto) -> Result<(), OnnxError> {
        let inputs = message
            .input
            .iter()
            .map(|name| match name.as_str() {
                "" => Ok(None),
                _ => self.names.get(name).copied().map(Some).ok_or_else(|| {
                    OnnxError::UnknownValue { node: title(&message), value: name.clone() }
                }),
            })
            .collect::<Result<Vec<_>, _>>()?;
        let step = Step { message: Rc::new(message), inputs };
        if self.fold(&step)? {
            return Ok(());
        }
        let output = self.translate(&step)?;
        match output {
            Some(value) => {
                let name = step.message.output.first().ok_or_else(|| step.lacks("output", 0))?;
                self.name(name, value)
            }
            None => Ok(()),
        }
    }

    /// Evaluates a node of constants.
    fn fold(&mut self, step: &Step) -> Result<bool, OnnxError> {
        let kind = step.message.op_type.as_str();
        let shape_of = |at| Ok::<_, OnnxError>(self.graph.shape(step.input(at)?).to_vec());
        let tensors = match kind {
            "Constant" => vec![self.constant(step)?],
            "Shape" => {
                let shape = shape_of(0)?;
                let bound = |value: i64| {
                    (if value < 0 { value + shape.len() as i64 } else { value })
                        .clamp(0, shape.len() as i64) as usize
                };
                let start = bound(step.attributes().int("start")?.unwrap_or(0));
                let end = step.attributes().int("end")?.map_or(shape.len(), bound).max(start);
                let extents: Vec<i64> = shape[start..end].iter().map(|&e| e as i64).collect();
                vec![self.made(step, Tensor::from_shape(&[extents.len()], &extents))?]
            }
            "Size" => {
                let count = shape_of(0)?.iter().product::<usize>() as i64;
                vec![self.made(step, Tensor::from_shape(&[], &[count]))?]
            }
            "DequantizeLinear" | "QuantizeLinear"
                if step.inputs.iter().flatten().all(|&id| self.graph.is_constant(id)) =>
            {
                return self.fold_quantized(step).map(|()| true);
            }
            _ if FOLDED.contains(&kind)
                && step.inputs.iter().flatten().all(|&id| self.graph.is_constant(id)) =>
            {
                self.limit_folded(step)?;
                let inputs: Vec<Input> = step
                    .inputs
                    .iter()
                    .map(|input| match input {
                        None => Input::Absent,
                        Some(id) => match &self.graph.values[*id].constant {
                            Some(constant) => Input::Constant(&constant.tensor),
                            None => Input::Absent,
                        },
                    })
                    .collect();
                tract::evaluate(&step.message, self.opset, &inputs)?
            }
            _ => return Ok(false),
        };
        let names: Vec<&String> =
            step.message.output.iter().filter(|name| !name.is_empty()).collect();
        if names.len() != tensors.len() {
            return Err(step.lacks("output", tensors.len() - 1));
        }
        // A weight that is only moved or cast is still the weight.
        let source = match kind {
            "Cast" | "Identity" | "Reshape" | "Squeeze" | "Transpose" | "Unsqueeze" | "Flatten" => {
                step.optional(0).and_then(|id| self.graph.values[id].constant.as_ref())
            }
            _ => None,
        };
        let origin = source.and_then(|constant| constant.origin.clone());
        let origin = origin.or_else(|| {
            (kind == "Constant" && names[0].contains('.')).then(|| names[0].to_string())
        });
        for (name, tensor) in names.into_iter().zip(tensors) {
            let constant = Constant { tensor: Arc::new(tensor), origin: origin.clone() };
            let id = self.graph.add_constant(name, constant);
            self.name(name, id)?;
        }
        Ok(true)
    }

    fn made(
        &self,
        step: &Step,
        tensor: tract_core::internal::TractResult<Tensor>,
    ) -> Result<Tensor, OnnxError> {
        tensor.map_err(|error| step.shape_error(format!("{error:#}")))
    }

    fn constant(&mut self, step: &Step) -> Result<Tensor, OnnxError> {
        let attributes = step.attributes();
        if let Some(mut tensor) = attributes.tensor("value")? {
            tensor.name = title(&step.message);
            return file::tensor(&mut tensor, self.folder);
        }
        let tensor = if let Some(value) = attributes.float("value_float")? {
            Tensor::from_shape(&[], &[value])
        } else if let Some(values) = attributes.floats("value_floats")? {
            Tensor::from_shape(&[values.len()], values)
        } else if let Some(value) = attributes.int("value_int")? {
            Tensor::from_shape(&[], &[value])
        } else if let Some(values) = attributes.ints("value_ints")? {
            Tensor::from_shape(&[values.len()], values)
        } else {
            return Err(attributes.wrong("value", "a tensor"));
        };
        self.made(step, tensor)
    }

    /// Adds a node of one output, whose shape is known.
    pub fn add(
        &mut self,
        step: &Step,
        op: Op,
        inputs: &[ValueId],
        shape: &[usize],
    ) -> Result<ValueId, OnnxError> {
        let name = step.message.output.first().ok_or_else(|| step.lacks("output", 0))?;
        computed(name, shape)?;
        let output = self.graph.add_value(name, shape, DatumType::F32);
        self.graph.add_node(Node {
            title: title(&step.message),
            op,
            inputs: inputs.to_vec(),
            outputs: vec![output],
            message: step.message.clone(),
        });
        Ok(output)
    }

    /// A constant's values as a parameter under its origin's name.
    pub fn parameter(&self, value: ValueId, shape: &[usize], values: Vec<f32>) -> Parameter {
        let found = &self.graph.values[value];
        let name = self.graph.origin(value).unwrap_or(&found.name);
        Parameter::new(name, shape, values)
    }

    /// A constant `[c]`, or one value for all, as a parameter.
    pub fn channels(&self, step: &Step, value: ValueId, c: usize) -> Result<Parameter, OnnxError> {
        match self.graph.floats(value) {
            Some(values) if values.len() == c => Ok(self.parameter(value, &[c], values.to_vec())),
            Some(values) if values.len() == 1 => {
                Ok(self.parameter(value, &[c], vec![values[0]; c]))
            }
            _ => Err(step.shape_error(format!(
                "`{}`: expected {c} constants",
                self.graph.values[value].name
            ))),
        }
    }

    pub fn is_float(&self, value: ValueId) -> bool {
        self.graph.values[value].element == DatumType::F32
    }

    fn translate(&mut self, step: &Step) -> Result<Option<ValueId>, OnnxError> {
        let kind = step.message.op_type.as_str();
        if let Some(value) = self.translate_movement(step)? {
            return Ok(value);
        }
        let floats = step.inputs.iter().flatten().next().is_some_and(|&id| self.is_float(id));
        let made = match kind {
            _ if !floats => None,
            "Add" | "Sub" | "Mul" | "Div" | "Sum" if step.inputs.len() == 2 => self.binary(step)?,
            "Relu" => Some(self.activate(step, Activation::Relu)?),
            "Sigmoid" => Some(self.activate(step, Activation::Sigmoid)?),
            "Tanh" => Some(self.activate(step, Activation::Tanh)?),
            "HardSwish" => Some(self.activate(step, Activation::HardSwish)?),
            "Gelu" => {
                let activation = match step.attributes().text("approximate")? {
                    None | Some("none") => Activation::Gelu,
                    Some("tanh") => Activation::GeluTanh,
                    Some(_) => {
                        return Err(step.attributes().wrong("approximate", "`none` or `tanh`"));
                    }
                };
                Some(self.activate(step, activation)?)
            }
            "Swish" if step.attributes().float("alpha")?.unwrap_or(1.0) == 1.0 => {
                Some(self.activate(step, Activation::Silu)?)
            }
            "Clip" => self.clip(step)?,
            "LeakyRelu" | "PRelu" => self.prelu(step)?,
            "Softmax" => self.softmax(step)?,
            "ReduceMean" => self.mean(step)?,
            "InstanceNormalization" | "GroupNormalization" => self.group_norm(step)?,
            "LayerNormalization" | "RMSNormalization" | "SimplifiedLayerNormalization" => {
                self.layer_norm(step)?
            }
            "BatchNormalization" => self.batch_norm(step)?,
            "MatMul" | "Gemm" | "Conv" | "ConvTranspose" => self.translate_weights(step)?,
            "MaxPool" | "AveragePool" | "GlobalAveragePool" | "Resize" | "Upsample" | "Pad"
            | "DepthToSpace" => self.translate_image(step)?,
            "Attention" => self.attention(step)?,
            "RotaryEmbedding" => self.rotary(step)?,
            "QuantizeLinear" | "DequantizeLinear" | "QLinearConv" | "QLinearMatMul" => {
                self.translate_quantized(step)?
            }
            _ => None,
        };
        match made {
            Some(value) => Ok(Some(value)),
            None => self.leave(step).map(|()| None),
        }
    }

    /// Leaves a node to tract, which says what it gives.
    fn leave(&mut self, step: &Step) -> Result<(), OnnxError> {
        let inputs: Vec<Input> =
            step.inputs.iter().map(|input| self.fallback_input(*input)).collect();
        let model = tract::single(&step.message, self.opset, &inputs)?;
        let names: Vec<&String> =
            step.message.output.iter().filter(|name| !name.is_empty()).collect();
        let facts = model.outputs.iter().map(|&outlet| model.outlet_fact(outlet));
        let mut outputs = Vec::new();
        for (name, fact) in names.iter().zip(facts) {
            let fact = fact.map_err(|error| step.shape_error(format!("{error:#}")))?;
            let shape = fact
                .shape
                .as_concrete()
                .ok_or_else(|| step.shape_error("the output's shape depends on values"))?;
            computed(name, shape)?;
            outputs.push(self.graph.add_value(name, shape, fact.datum_type));
        }
        if outputs.len() != names.len() {
            return Err(step.lacks("output", outputs.len()));
        }
        for (name, &output) in names.iter().zip(&outputs) {
            self.name(name, output)?;
        }
        self.graph.add_node(Node {
            title: title(&step.message),
            op: Op::Tract,
            inputs: step.inputs.iter().flatten().copied().collect(),
            outputs,
            message: step.message.clone(),
        });
        Ok(())
    }

    fn fallback_input(&self, input: Option<ValueId>) -> Input<'_> {
        let Some(id) = input else { return Input::Absent };
        let value = &self.graph.values[id];
        match &value.constant {
            Some(constant) => Input::Constant(&constant.tensor),
            None => Input::Computed { shape: &value.shape, element: value.element },
        }
    }

    pub fn activate(&mut self, step: &Step, activation: Activation) -> Result<ValueId, OnnxError> {
        let input = step.input(0)?;
        let shape = self.graph.shape(input).to_vec();
        self.add(step, Op::Layer(Layer::Activate(activation), Order::Any), &[input], &shape)
    }

    fn binary(&mut self, step: &Step) -> Result<Option<ValueId>, OnnxError> {
        let operation = match step.message.op_type.as_str() {
            "Sub" => Operation::Subtract,
            "Mul" => Operation::Multiply,
            "Div" => Operation::Divide,
            _ => Operation::Add,
        };
        let (a, b) = (step.input(0)?, step.input(1)?);
        if !self.is_float(a) || !self.is_float(b) {
            return Ok(None);
        }
        let shape =
            sizes::broadcast(self.graph.shape(a), self.graph.shape(b)).ok_or_else(|| {
                step.shape_error(format!(
                    "{:?} and {:?} do not broadcast",
                    self.graph.shape(a),
                    self.graph.shape(b)
                ))
            })?;
        let all = |id, value| {
            self.graph.floats(id).is_some_and(|values| values.iter().all(|&x| x == value))
        };
        let (neutral, commutes) = match operation {
            Operation::Add => (0.0, true),
            Operation::Subtract => (0.0, false),
            Operation::Multiply => (1.0, true),
            Operation::Divide => (1.0, false),
        };
        if all(b, neutral) && self.graph.shape(a) == shape {
            return Ok(Some(a));
        }
        if commutes && all(a, neutral) && self.graph.shape(b) == shape {
            return Ok(Some(b));
        }
        self.add(step, Op::Binary(operation), &[a, b], &shape).map(Some)
    }

    fn clip(&mut self, step: &Step) -> Result<Option<ValueId>, OnnxError> {
        let bound = |index, attribute| match step.optional(index) {
            Some(id) => Ok(self.graph.scalar(id)),
            None => step.attributes().float(attribute),
        };
        let (low, high) = (bound(1, "min")?, bound(2, "max")?);
        let dynamic = [1, 2]
            .into_iter()
            .any(|at| step.optional(at).is_some_and(|id| self.graph.scalar(id).is_none()));
        if dynamic || low != Some(0.0) {
            return Ok(None);
        }
        match high {
            Some(6.0) => self.activate(step, Activation::Relu6).map(Some),
            Some(high) if high < f32::MAX => Ok(None),
            _ => self.activate(step, Activation::Relu).map(Some),
        }
    }

    fn prelu(&mut self, step: &Step) -> Result<Option<ValueId>, OnnxError> {
        let input = step.input(0)?;
        let shape = self.graph.shape(input).to_vec();
        if shape.len() < 2 {
            return Ok(None);
        }
        let slopes = |axis: usize| match step.message.op_type.as_str() {
            "LeakyRelu" => {
                let slope = step.attributes().float("alpha")?.unwrap_or(0.01);
                Ok(Some(Parameter::new("slope", &[shape[axis]], vec![slope; shape[axis]])))
            }
            _ => {
                let slope = step.input(1)?;
                let values = self.graph.along(slope, &shape, axis);
                Ok(values.map(|values| self.parameter(slope, &[shape[axis]], values)))
            }
        };
        let (first, order) = if shape.len() == 4 {
            (1, Order::ChannelsLast)
        } else {
            (shape.len() - 1, Order::File)
        };
        let (slopes, order) = match slopes(first)? {
            Some(slopes) => (slopes, order),
            None => match slopes(shape.len() - 1)? {
                Some(slopes) => (slopes, Order::File),
                None => return Ok(None),
            },
        };
        self.add(step, Op::Layer(Layer::PRelu(slopes), order), &[input], &shape).map(Some)
    }

    fn softmax(&mut self, step: &Step) -> Result<Option<ValueId>, OnnxError> {
        let input = step.input(0)?;
        let shape = self.graph.shape(input).to_vec();
        let default = if self.opset < 13 { 1 } else { -1 };
        let axis = step.axis(step.attributes().int("axis")?.unwrap_or(default), shape.len())?;
        // Before opset 13 all axes from this one on were one.
        if self.opset < 13 && axis + 1 != shape.len() {
            return Ok(None);
        }
        self.add(step, Op::Softmax(axis), &[input], &shape).map(Some)
    }

    fn mean(&mut self, step: &Step) -> Result<Option<ValueId>, OnnxError> {
        let input = step.input(0)?;
        let shape = self.graph.shape(input).to_vec();
        let given = match step.optional(1) {
            Some(id) => match self.graph.integers(id) {
                Some(axes) => Some(axes),
                None => return Ok(None),
            },
            None => step.attributes().ints("axes")?.map(<[i64]>::to_vec),
        };
        let given = given.unwrap_or_default();
        if given.is_empty() && step.attributes().int("noop_with_empty_axes")?.unwrap_or(0) == 1 {
            return Ok(Some(input));
        }
        let mut axes = given
            .iter()
            .map(|&axis| step.axis(axis, shape.len()))
            .collect::<Result<Vec<_>, _>>()?;
        if axes.is_empty() {
            axes = (0..shape.len()).collect();
        }
        axes.sort_unstable();
        axes.dedup();
        let keeps = step.attributes().int("keepdims")?.unwrap_or(1) != 0;
        let kept = (0..shape.len())
            .filter(|axis| keeps || !axes.contains(axis))
            .map(|axis| if axes.contains(&axis) { 1 } else { shape[axis] })
            .collect::<Vec<_>>();
        self.add(step, Op::Mean(axes), &[input], &kept).map(Some)
    }

    fn group_norm(&mut self, step: &Step) -> Result<Option<ValueId>, OnnxError> {
        let input = step.input(0)?;
        let shape = self.graph.shape(input).to_vec();
        if shape.len() < 3 {
            return Err(step.shape_error(format!("expected rank 3 or more, found {shape:?}")));
        }
        let (c, attributes) = (shape[1], step.attributes());
        let groups = match step.message.op_type.as_str() {
            "InstanceNormalization" => c,
            _ => attributes
                .int("num_groups")?
                .and_then(|groups| usize::try_from(groups).ok())
                .filter(|&groups| groups > 0 && c.is_multiple_of(groups))
                .ok_or_else(|| attributes.wrong("num_groups", "a divisor of the channels"))?,
        };
        let parameter = |index| {
            let id = step.input(index)?;
            let values = self.graph.floats(id).map(<[f32]>::to_vec);
            match values {
                Some(values) if values.len() == c => Ok(Some(self.parameter(id, &[c], values))),
                // Opset 18 has one value a group.
                Some(values) if values.len() == groups => {
                    let each = values.iter().flat_map(|&x| std::iter::repeat_n(x, c / groups));
                    Ok(Some(self.parameter(id, &[c], each.collect())))
                }
                Some(_) => Err(step.shape_error(format!("expected {c} scales and shifts"))),
                None => Ok(None),
            }
        };
        let (Some(scale), Some(shift)) = (parameter(1)?, parameter(2)?) else { return Ok(None) };
        let epsilon = attributes.float("epsilon")?.unwrap_or(1e-5);
        let layer = GroupNorm { groups, epsilon, scale: Some(scale), shift: Some(shift) };
        self.add(step, Op::Layer(Layer::GroupNorm(layer), Order::ChannelsLast), &[input], &shape)
            .map(Some)
    }

    fn layer_norm(&mut self, step: &Step) -> Result<Option<ValueId>, OnnxError> {
        let input = step.input(0)?;
        let shape = self.graph.shape(input).to_vec();
        let attributes = step.attributes();
        let axis = step.axis(attributes.int("axis")?.unwrap_or(-1), shape.len())?;
        let constants = [1, 2]
            .into_iter()
            .all(|at| step.optional(at).is_none_or(|id| self.graph.floats(id).is_some()));
        if axis + 1 != shape.len() || !constants || !step.has_one_output() {
            return Ok(None);
        }
        let c = shape[axis];
        let parameter = |at| step.optional(at).map(|id| self.channels(step, id, c)).transpose();
        let (scale, shift) = (parameter(1)?, parameter(2)?);
        let epsilon = attributes.float("epsilon")?.unwrap_or(1e-5);
        let layer = if step.message.op_type == "LayerNormalization" {
            Layer::LayerNorm(LayerNorm { epsilon, scale, shift })
        } else {
            Layer::RmsNorm(RmsNorm { size: c, epsilon, scale })
        };
        self.add(step, Op::Layer(layer, Order::File), &[input], &shape).map(Some)
    }

    /// As a product and a sum, which the recognisers move into the convolution before it.
    fn batch_norm(&mut self, step: &Step) -> Result<Option<ValueId>, OnnxError> {
        let input = step.input(0)?;
        let shape = self.graph.shape(input).to_vec();
        if shape.len() < 2 || !step.has_one_output() {
            return Ok(None);
        }
        let mut parameters = Vec::new();
        for at in 1..5 {
            let id = step.input(at)?;
            if self.graph.floats(id).is_none() {
                return Ok(None);
            }
            parameters.push(self.channels(step, id, shape[1])?);
        }
        let epsilon = step.attributes().float("epsilon")?.unwrap_or(1e-5);
        let [scale, shift, mean, variance] = &parameters[..] else { return Ok(None) };
        let factors: Vec<f32> = scale
            .values
            .iter()
            .zip(variance.values.iter())
            .map(|(scale, variance)| scale / (variance + epsilon).sqrt())
            .collect();
        let shifts: Vec<f32> =
            (0..shape[1]).map(|c| shift.values[c] - mean.values[c] * factors[c]).collect();
        let mut own = vec![1; shape.len() - 1];
        own[0] = shape[1];
        let mut value = input;
        for (operation, values, name) in
            [(Operation::Multiply, factors, &scale.name), (Operation::Add, shifts, &shift.name)]
        {
            let tensor = self.made(step, Tensor::from_shape(&own, &values))?;
            let constant = Constant { tensor: Arc::new(tensor), origin: Some(name.clone()) };
            let operand = self.graph.add_constant(name, constant);
            value = self.add(step, Op::Binary(operation), &[value, operand], &shape)?;
        }
        Ok(Some(value))
    }

    fn add_input(
        &mut self,
        input: &tract_onnx::pb::ValueInfoProto,
        sizes: &[(String, usize)],
        cast: bool,
    ) -> Result<(), OnnxError> {
        let (shape, code) = sizes::of_input(input, sizes)?;
        computed(&input.name, &shape)?;
        let unsupported = || OnnxError::ElementType { value: input.name.clone(), code };
        let element = match DataType::try_from(code).map_err(|_| unsupported())? {
            DataType::Float | DataType::Float16 | DataType::Bfloat16 | DataType::Double => {
                DatumType::F32
            }
            // A timestep: an integer only until the net casts it.
            DataType::Int64 | DataType::Int32 if cast => DatumType::F32,
            DataType::Int64 => DatumType::I64,
            DataType::Int32 => DatumType::I32,
            DataType::Int8 => DatumType::I8,
            DataType::Uint8 => DatumType::U8,
            DataType::Bool => DatumType::Bool,
            _ => return Err(unsupported()),
        };
        let id = self.graph.add_value(&input.name, &shape, element);
        self.graph.inputs.push(id);
        self.name(&input.name, id)
    }
}
