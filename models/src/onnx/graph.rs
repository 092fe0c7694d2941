//! The net in the order of ONNX's axes: what is read from the file, rewritten by the recognisers and then emitted.

use crate::nn::{Layer, Operation, Slice};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use tract_core::internal::{DatumType, Tensor};
use tract_onnx::pb::NodeProto;

pub(super) type ValueId = usize;
pub(super) type NodeId = usize;

/// Values that the file holds, or that follow from them.
#[derive(Clone)]
pub(super) struct Constant {
    pub tensor: Arc<Tensor>,
    /// The name of the initialiser it was made of.
    pub origin: Option<String>,
}

/// What flows between nodes.
pub(super) struct Value {
    pub name: String,
    pub shape: Vec<usize>,
    pub element: DatumType,
    pub constant: Option<Constant>,
}

/// In which order of axes a layer takes its inputs and gives its output.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Order {
    /// As in the file.
    File,
    /// Axis 1 last.
    ChannelsLast,
    /// Any.
    Any,
}

/// What a node does, in the order of the file's axes.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Layer(Layer, Order),
    Binary(Operation),
    Reshape,
    Transpose(Vec<usize>),
    Slice(Slice),
    Concat(usize),
    /// Extents of 1 repeated to those of the output.
    Expand,
    Softmax(usize),
    /// Of these axes, kept as extents of 1 or not.
    Mean(Vec<usize>),
    MatMul,
    /// What the message says.
    Tract,
}

pub(super) struct Node {
    /// Name of the ONNX node.
    pub title: String,
    pub op: Op,
    pub inputs: Vec<ValueId>,
    pub outputs: Vec<ValueId>,
    pub message: Rc<NodeProto>,
}

#[derive(Default)]
pub(super) struct Graph {
    pub values: Vec<Value>,
    pub nodes: Vec<Node>,
    pub inputs: Vec<ValueId>,
    pub outputs: Vec<(String, ValueId)>,
    /// Scale and zero point of quantised values.
    pub ranges: BTreeMap<ValueId, (f32, i32)>,
    /// Scales of int8 weights by parameter name.
    pub scales: BTreeMap<String, Arc<[f32]>>,
    producers: Vec<Option<NodeId>>,
    uses: Vec<usize>,
}

impl Graph {
    pub fn add_value(&mut self, name: &str, shape: &[usize], element: DatumType) -> ValueId {
        self.values.push(Value {
            name: name.to_string(),
            shape: shape.to_vec(),
            element,
            constant: None,
        });
        self.producers.push(None);
        self.uses.push(0);
        self.values.len() - 1
    }

    pub fn add_constant(&mut self, name: &str, constant: Constant) -> ValueId {
        let (shape, element) = (constant.tensor.shape().to_vec(), constant.tensor.datum_type());
        let id = self.add_value(name, &shape, element);
        self.values[id].constant = Some(constant);
        id
    }

    /// Adds a node that computes one or more values.
    pub fn add_node(&mut self, node: Node) -> NodeId {
        let id = self.nodes.len();
        for &input in &node.inputs {
            self.uses[input] += 1;
        }
        for &output in &node.outputs {
            self.producers[output] = Some(id);
        }
        self.nodes.push(node);
        id
    }

    /// Adds an operation in the name of another node and returns what it computes.
    pub fn derive(&mut self, of: NodeId, op: Op, inputs: &[ValueId], shape: &[usize]) -> ValueId {
        let (title, message) = (self.nodes[of].title.clone(), self.nodes[of].message.clone());
        let name = self.values[self.nodes[of].outputs[0]].name.clone();
        let output = self.add_value(&name, shape, DatumType::F32);
        self.add_node(Node { title, op, inputs: inputs.to_vec(), outputs: vec![output], message });
        output
    }

    /// Makes a node compute its output in another way.
    pub fn rewrite(&mut self, node: NodeId, op: Op, inputs: &[ValueId]) {
        for &input in inputs {
            self.uses[input] += 1;
        }
        let old = std::mem::replace(&mut self.nodes[node].inputs, inputs.to_vec());
        self.nodes[node].op = op;
        self.release(old);
    }

    fn release(&mut self, mut values: Vec<ValueId>) {
        while let Some(value) = values.pop() {
            self.uses[value] -= 1;
            let Some(producer) = self.producers[value] else { continue };
            if self.is_dead(producer) {
                values.append(&mut self.nodes[producer].inputs);
            }
        }
    }

    /// Whether nothing uses what a node computes.
    pub fn is_dead(&self, node: NodeId) -> bool {
        self.nodes[node].outputs.iter().all(|&output| self.uses[output] == 0)
    }

    /// Counts the graph's outputs as uses, and removes what nothing uses.
    pub fn seal(&mut self) {
        for at in 0..self.outputs.len() {
            self.uses[self.outputs[at].1] += 1;
        }
        for node in (0..self.nodes.len()).rev() {
            if self.is_dead(node) {
                let inputs = std::mem::take(&mut self.nodes[node].inputs);
                self.release(inputs);
            }
        }
    }

    /// Makes everything that used one value use another of the same shape.
    pub fn redirect(&mut self, from: ValueId, to: ValueId) {
        let mut moved = 0;
        for node in &mut self.nodes {
            for input in node.inputs.iter_mut().filter(|input| **input == from) {
                *input = to;
                moved += 1;
            }
        }
        for (_, output) in self.outputs.iter_mut().filter(|(_, output)| *output == from) {
            *output = to;
            moved += 1;
        }
        self.uses[to] += moved;
        self.uses[from] -= moved;
        if let Some(producer) = self.producers[from]
            && self.is_dead(producer)
        {
            let inputs = std::mem::take(&mut self.nodes[producer].inputs);
            self.release(inputs);
        }
    }

    pub fn shape(&self, value: ValueId) -> &[usize] {
        &self.values[value].shape
    }

    pub fn elements(&self, value: ValueId) -> usize {
        self.shape(value).iter().product()
    }

    pub fn is_constant(&self, value: ValueId) -> bool {
        self.values[value].constant.is_some()
    }

    pub fn producer(&self, value: ValueId) -> Option<NodeId> {
        self.producers[value]
    }

    /// The node that computes a value for one user only.
    pub fn only(&self, value: ValueId) -> Option<NodeId> {
        self.producers[value].filter(|_| self.uses[value] == 1)
    }

    pub fn op(&self, node: NodeId) -> &Op {
        &self.nodes[node].op
    }

    /// Whether a node is still an operation of this type of ONNX's.
    pub fn is(&self, node: NodeId, operation: &str) -> bool {
        matches!(self.nodes[node].op, Op::Tract) && self.nodes[node].message.op_type == operation
    }

    /// The producer where it is an operation of this type of ONNX's.
    pub fn producer_is(&self, value: ValueId, operation: &str) -> Option<NodeId> {
        self.producers[value].filter(|&node| self.is(node, operation))
    }

    /// The two operands of an operation.
    pub fn binary(&self, value: ValueId, operation: Operation) -> Option<(ValueId, ValueId)> {
        let node = self.producers[value]?;
        match (&self.nodes[node].op, &self.nodes[node].inputs[..]) {
            (Op::Binary(found), &[a, b]) if *found == operation => Some((a, b)),
            _ => None,
        }
    }

    /// The other operand of a sum or product with a constant of one value, and that value.
    pub fn with_scalar(&self, value: ValueId, operation: Operation) -> Option<(ValueId, f32)> {
        let (a, b) = self.binary(value, operation)?;
        if let Some(scalar) = self.scalar(b) {
            return Some((a, scalar));
        }
        let commutes = matches!(operation, Operation::Add | Operation::Multiply);
        self.scalar(a).filter(|_| commutes).map(|scalar| (b, scalar))
    }

    /// The value of a constant that has one.
    pub fn scalar(&self, value: ValueId) -> Option<f32> {
        let tensor = &self.values[value].constant.as_ref()?.tensor;
        if tensor.len() != 1 {
            return None;
        }
        Some(tensor.cast_to::<f32>().ok()?.as_plain_ram()?.as_slice::<f32>().ok()?[0])
    }

    /// The values of a constant of floats.
    pub fn floats(&self, value: ValueId) -> Option<&[f32]> {
        let tensor = &self.values[value].constant.as_ref()?.tensor;
        tensor.as_plain_ram()?.as_slice::<f32>().ok()
    }

    /// The values of a constant of integers.
    pub fn integers(&self, value: ValueId) -> Option<Vec<i64>> {
        let tensor = &self.values[value].constant.as_ref()?.tensor;
        match tensor.datum_type() {
            DatumType::F32 | DatumType::Bool => None,
            _ => {
                Some(tensor.cast_to::<i64>().ok()?.as_plain_ram()?.as_slice::<i64>().ok()?.to_vec())
            }
        }
    }

    /// The values of a constant of floats that spans one axis of those it is broadcast to, repeated where it is a scalar.
    pub fn along(&self, value: ValueId, shape: &[usize], axis: usize) -> Option<Vec<f32>> {
        let values = self.floats(value)?;
        let own = self.shape(value);
        if own.len() > shape.len() {
            return None;
        }
        if values.len() == 1 {
            return Some(vec![values[0]; shape[axis]]);
        }
        let before = shape.len() - own.len();
        let fits = own
            .iter()
            .enumerate()
            .all(|(at, &extent)| extent == if at + before == axis { shape[axis] } else { 1 });
        fits.then(|| values.to_vec())
    }

    pub fn origin(&self, value: ValueId) -> Option<&str> {
        self.values[value].constant.as_ref()?.origin.as_deref()
    }
}
