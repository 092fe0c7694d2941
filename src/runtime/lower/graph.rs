//! A net as lowering sees it: nodes in order, and who reads what.

use super::LowerError;
use models::nn::{self, Layer};
use tract_core::internal::*;
use tract_core::ops::konst::Const;
use tract_core::ops::source::TypedSource;

/// Index into [`Graph::wires`].
pub(super) type WireId = usize;

/// Nodes in the order of execution.
pub(super) struct Graph<'m> {
    pub nodes: Vec<GraphNode<'m>>,
    pub wires: Vec<Wire>,
    pub inputs: Vec<WireId>,
    pub outputs: Vec<WireId>,
}

pub(super) struct GraphNode<'m> {
    pub name: &'m str,
    pub kind: Kind<'m>,
    pub inputs: Vec<WireId>,
    pub outputs: Vec<WireId>,
}

pub(super) enum Kind<'m> {
    Source,
    Constant(&'m Tensor),
    Layer(&'m Layer),
    Foreign(&'m TypedNode),
}

/// What a node makes.
pub(super) struct Wire {
    /// The node's name; of a node with several outputs, with the output's number.
    pub name: String,
    pub shape: Vec<usize>,
    /// Index of the node.
    pub producer: usize,
    /// Indices of nodes, one for each time that it is read.
    pub readers: Vec<usize>,
    pub is_output: bool,
}

impl<'m> Graph<'m> {
    pub(super) fn of(model: &'m TypedModel) -> Result<Self, LowerError> {
        let order = model
            .eval_order()
            .map_err(|error| LowerError::Order { reason: format!("{error:#}") })?;
        let mut graph =
            Self { nodes: Vec::new(), wires: Vec::new(), inputs: Vec::new(), outputs: Vec::new() };
        let mut wire_of = HashMap::new();
        for id in order {
            let node = model.node(id);
            let index = graph.nodes.len();
            let inputs: Vec<WireId> = node.inputs.iter().map(|outlet| wire_of[outlet]).collect();
            for &input in &inputs {
                graph.wires[input].readers.push(index);
            }
            let kind = if node.op_is::<TypedSource>() {
                Kind::Source
            } else if let Some(constant) = node.op_as::<Const>() {
                Kind::Constant(constant.val())
            } else if let Some(layer) = nn::layer(node) {
                Kind::Layer(layer)
            } else {
                Kind::Foreign(node)
            };
            let mut outputs = Vec::new();
            for (slot, output) in node.outputs.iter().enumerate() {
                let shape = output.fact.shape.as_concrete();
                let shape =
                    shape.ok_or_else(|| LowerError::Shape { layer: node.name.clone() })?.to_vec();
                if output.fact.datum_type != f32::datum_type() && !matches!(kind, Kind::Constant(_))
                {
                    let element = format!("{:?}", output.fact.datum_type);
                    return Err(LowerError::Element { layer: node.name.clone(), element });
                }
                let name = match node.outputs.len() {
                    1 => node.name.clone(),
                    _ => format!("{}.{slot}", node.name),
                };
                wire_of.insert(OutletId::new(id, slot), graph.wires.len());
                outputs.push(graph.wires.len());
                graph.wires.push(Wire {
                    name,
                    shape,
                    producer: index,
                    readers: Vec::new(),
                    is_output: false,
                });
            }
            graph.nodes.push(GraphNode { name: &node.name, kind, inputs, outputs });
        }
        for outlet in &model.inputs {
            // An input that nothing reads is not in the order of execution.
            let Some(&wire) = wire_of.get(outlet) else { continue };
            graph.inputs.push(wire);
        }
        for outlet in &model.outputs {
            let wire = wire_of[outlet];
            graph.wires[wire].is_output = true;
            graph.outputs.push(wire);
        }
        Ok(graph)
    }

    /// The layer that makes a wire.
    pub(super) fn layer(&self, wire: WireId) -> Option<&'m Layer> {
        match self.nodes[self.wires[wire].producer].kind {
            Kind::Layer(layer) => Some(layer),
            _ => None,
        }
    }

    /// The tensor of a constant wire.
    pub(super) fn constant(&self, wire: WireId) -> Option<&'m Tensor> {
        match self.nodes[self.wires[wire].producer].kind {
            Kind::Constant(tensor) => Some(tensor),
            _ => None,
        }
    }

    /// The only reader of a wire that is no output of the net.
    pub(super) fn only_reader(&self, wire: WireId) -> Option<usize> {
        match self.wires[wire].readers[..] {
            [reader] if !self.wires[wire].is_output => Some(reader),
            _ => None,
        }
    }
}
