//! Nodes that stay tract's.

use super::Emitter;
use super::stored::Stored;
use crate::onnx::OnnxError;
use crate::onnx::graph::{NodeId, Op, ValueId};
use crate::onnx::tract::{Input, decluttered, single};
use tract_core::internal::*;
use tract_core::ops::konst::Const;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::{AttributeProto, NodeProto};

/// Operations of each value by itself, whatever the order of the axes.
const ELEMENTWISE: &[&str] = &[
    "Abs",
    "Ceil",
    "Clip",
    "Cos",
    "Elu",
    "Erf",
    "Exp",
    "Floor",
    "HardSigmoid",
    "Log",
    "Mish",
    "Neg",
    "Reciprocal",
    "Round",
    "Selu",
    "Sign",
    "Sin",
    "Softplus",
    "Sqrt",
    "ThresholdedRelu",
];

impl Emitter {
    pub(super) fn leave(&mut self, node: NodeId) -> Result<(), OnnxError> {
        let (message, operands) = self.as_message(node);
        let first = operands.iter().flatten().next().copied();
        let axes = first
            .filter(|_| ELEMENTWISE.contains(&message.op_type.as_str()))
            .map(|value| self.stored_axes(value));
        let mut shapes = Vec::new();
        let mut sources = Vec::new();
        for operand in &operands {
            let Some(value) = *operand else {
                shapes.push(Vec::new());
                continue;
            };
            if self.graph.is_constant(value) {
                shapes.push(Vec::new());
                continue;
            }
            let order = match &axes {
                Some(axes) if Some(value) == first => axes.clone(),
                _ => (0..self.graph.shape(value).len()).collect(),
            };
            let outlet = self.in_order(value, &order)?;
            shapes.push(self.shape_of(outlet));
            sources.push(outlet);
        }
        let made = {
            let inputs: Vec<Input> = operands
                .iter()
                .zip(&shapes)
                .map(|(operand, shape)| match operand {
                    None => Input::Absent,
                    Some(value) => match &self.graph.values[*value].constant {
                        Some(constant) => Input::Constant(&constant.tensor),
                        None => {
                            Input::Computed { shape, element: self.graph.values[*value].element }
                        }
                    },
                })
                .collect();
            let opset = if matches!(self.graph.op(node), Op::Tract) { self.opset } else { 13 };
            decluttered(single(&message, opset, &inputs)?, &message)?
        };
        let outlets = self.splice(node, &made, &sources)?;
        let outputs = self.graph.nodes[node].outputs.clone();
        for (output, outlet) in outputs.into_iter().zip(outlets) {
            let rank = self.graph.shape(output).len();
            let axes = axes.clone().unwrap_or_else(|| (0..rank).collect());
            self.stored[output] = Some(Stored { outlet, axes });
        }
        self.left_to_tract.push((self.graph.nodes[node].title.clone(), message.op_type.clone()));
        Ok(())
    }

    /// The ONNX node of a graph node, and its operands by input.
    fn as_message(&mut self, node: NodeId) -> (NodeProto, Vec<Option<ValueId>>) {
        let found = &self.graph.nodes[node];
        let mut operands: Vec<Option<ValueId>> = found.inputs.iter().copied().map(Some).collect();
        let operation = match &found.op {
            Op::MatMul => "MatMul",
            Op::Mean(_) => "ReduceMean",
            Op::Expand => "Expand",
            _ => {
                let mut present = found.inputs.iter().copied();
                let operands = found
                    .message
                    .input
                    .iter()
                    .map(|name| if name.is_empty() { None } else { present.next() })
                    .collect();
                return (found.message.as_ref().clone(), operands);
            }
        };
        let mut message = NodeProto {
            name: found.title.clone(),
            op_type: operation.to_string(),
            output: vec!["output".to_string()],
            ..NodeProto::default()
        };
        let output = found.outputs[0];
        match &found.op {
            Op::Mean(axes) => {
                let keeps =
                    self.graph.shape(output).len() == self.graph.shape(found.inputs[0]).len();
                message.attribute = vec![
                    AttributeProto {
                        name: "axes".to_string(),
                        r#type: AttributeType::Ints as i32,
                        ints: axes.iter().map(|&axis| axis as i64).collect(),
                        ..AttributeProto::default()
                    },
                    AttributeProto {
                        name: "keepdims".to_string(),
                        r#type: AttributeType::Int as i32,
                        i: i64::from(keeps),
                        ..AttributeProto::default()
                    },
                ];
            }
            Op::Expand => {
                let extents: Vec<i64> =
                    self.graph.shape(output).iter().map(|&extent| extent as i64).collect();
                let tensor = Arc::new(tensor1(&extents));
                let constant = crate::onnx::graph::Constant { tensor, origin: None };
                let shape = self.graph.add_constant("shape", constant);
                self.stored.push(None);
                operands.push(Some(shape));
            }
            _ => {}
        }
        message.input = (0..operands.len()).map(|at| format!("operand{at}")).collect();
        (message, operands)
    }

    /// Copies the nodes of a small model into this one.
    fn splice(
        &mut self,
        node: NodeId,
        made: &TypedModel,
        sources: &[OutletId],
    ) -> Result<TVec<OutletId>, OnnxError> {
        let title = self.graph.nodes[node].title.clone();
        let operation = self.graph.nodes[node].message.op_type.clone();
        let base = {
            let path: Vec<&str> = title.split('/').filter(|part| !part.is_empty()).collect();
            path.join(".")
        };
        let mut outlets: HashMap<OutletId, OutletId> =
            made.inputs.iter().copied().zip(sources.iter().copied()).collect();
        let order = made.eval_order().map_err(|error| self.failed(&title, &operation, error))?;
        for id in order {
            let inner = made.node(id);
            if made.inputs.iter().any(|input| input.node == id) {
                continue;
            }
            let name = self.unique(&base);
            let wired = match inner.op_as::<Const>() {
                Some(constant) => {
                    self.model.add_const(name, constant.val().clone()).map(|outlet| tvec!(outlet))
                }
                None => {
                    let inputs: TVec<OutletId> = inner
                        .inputs
                        .iter()
                        .filter_map(|input| outlets.get(input).copied())
                        .collect();
                    self.model.wire_node(name, inner.op.clone(), &inputs)
                }
            };
            let wired = wired.map_err(|error| self.failed(&title, &operation, error))?;
            for (slot, outlet) in wired.into_iter().enumerate() {
                outlets.insert(OutletId::new(id, slot), outlet);
            }
        }
        Ok(made.outputs.iter().filter_map(|output| outlets.get(output).copied()).collect())
    }
}
