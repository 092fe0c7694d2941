//! What quantizing wants to know of a net: its inputs, its layers with weights, what each of them reads.

use crate::error::QuantizeError;
use crate::samples::Input;
use models::nn::{self, Layer, Node, Plain};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tract_core::internal::*;
use tract_core::ops::konst::Const;

/// A layer with weights, where it stands in a net.
#[derive(Clone, Debug, PartialEq)]
pub struct Weighted {
    /// The node's name.
    pub name: String,
    /// The node that makes what it reads.
    pub input: String,
    /// Extents of what it reads.
    pub input_shape: Vec<usize>,
    /// Extents of what it makes.
    pub output_shape: Vec<usize>,
    /// An output of the net, but for activations, sums and what only moves values.
    pub makes_output: bool,
    /// Convolution, transposed convolution or linear layer.
    pub layer: Layer,
}

/// An attention layer, where it stands in a net.
#[derive(Clone, Debug, PartialEq)]
pub struct Attending {
    /// The node's name.
    pub name: String,
    /// Extents of queries, keys and values.
    pub shapes: [Vec<usize>; 3],
    /// Itself.
    pub layer: nn::Attention,
}

/// How large a layer's work is: what its cost depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerShape {
    /// What is computed.
    pub kind: LayerKind,
    /// Pixels or tokens of the output (of the input, for a transposed convolution), all images together.
    pub rows: usize,
    /// Values of the input that an output value is a sum over.
    pub depth: usize,
    /// Values of an output row; a transposed convolution's of all its taps.
    pub outputs: usize,
    /// Height and width of the kernel; 1 and 1 without.
    pub kernel: [usize; 2],
    /// Down and across; 1 and 1 without.
    pub stride: [usize; 2],
    /// Height and width of the output image; tokens and 1 of a sequence.
    pub size: [usize; 2],
    /// Whether [Winograd's method](kernels::winograd) can compute it.
    pub winograd: bool,
}

/// What a layer computes, as far as its cost is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum LayerKind {
    Convolution,
    Depthwise,
    Transposed,
    Linear,
    Attention,
}

impl LayerShape {
    /// Multiplications.
    pub fn products(&self) -> u64 {
        self.rows as u64 * self.depth as u64 * self.outputs as u64
    }
}

impl Weighted {
    /// How large its work is.
    pub fn shape(&self) -> LayerShape {
        let out = &self.output_shape;
        let outputs = *out.last().unwrap_or(&1);
        let rows = out.iter().product::<usize>() / outputs.max(1);
        let size = match out.as_slice() {
            [_, height, width, _] => [*height, *width],
            _ => [rows, 1],
        };
        match &self.layer {
            Layer::Convolution(layer) => {
                let [_, down, across, depth] = layer.weights.shape[..] else {
                    unreachable!("shapes are checked when a layer is added")
                };
                let plain = layer.stride == [1, 1] && layer.dilation == [1, 1];
                LayerShape {
                    kind: if layer.is_depthwise() {
                        LayerKind::Depthwise
                    } else {
                        LayerKind::Convolution
                    },
                    rows,
                    depth: down * across * depth,
                    outputs,
                    kernel: [down, across],
                    stride: layer.stride,
                    size,
                    winograd: plain
                        && [down, across] == [3, 3]
                        && layer.groups == 1
                        && layer.enlargement == 1,
                }
            }
            Layer::Transposed(layer) => {
                let [down, across, depth, _] = layer.weights.shape[..] else {
                    unreachable!("shapes are checked when a layer is added")
                };
                LayerShape {
                    kind: LayerKind::Transposed,
                    rows: self.input_shape.iter().product::<usize>() / depth.max(1),
                    depth,
                    outputs: down * across * outputs,
                    kernel: [down, across],
                    stride: layer.stride,
                    size,
                    winograd: false,
                }
            }
            layer => LayerShape {
                kind: LayerKind::Linear,
                rows,
                depth: layer.parameters().first().map_or(1, |weights| weights.shape[1]),
                outputs,
                kernel: [1, 1],
                stride: [1, 1],
                size,
                winograd: false,
            },
        }
    }

    /// Whether each row of its input may have a step of its own.
    pub fn takes_rows(&self) -> bool {
        match &self.layer {
            Layer::Linear(_) => true,
            Layer::Convolution(layer) => {
                self.shape().kernel == [1, 1]
                    && layer.groups == 1
                    && layer.padding == [0; 4]
                    && layer.enlargement == 1
            }
            _ => false,
        }
    }

    /// Its number of weights.
    pub fn weights(&self) -> usize {
        self.layer.parameters().first().map_or(0, |weights| weights.values.len())
    }
}

impl Attending {
    /// How large its work is: products with keys and with values together.
    pub fn shape(&self) -> LayerShape {
        let [queries, keys, values] = &self.shapes;
        let key_size = queries[2] / self.layer.heads;
        let value_size = values[2] / self.layer.key_heads;
        LayerShape {
            kind: LayerKind::Attention,
            rows: queries[0] * queries[1] * self.layer.heads,
            depth: keys[1],
            outputs: key_size + value_size,
            kernel: [1, 1],
            stride: [1, 1],
            size: [queries[1], 1],
            winograd: false,
        }
    }
}

fn shape_of(model: &TypedModel, outlet: OutletId) -> Option<Vec<usize>> {
    model.outlet_fact(outlet).ok()?.shape.as_concrete().map(<[usize]>::to_vec)
}

/// What a net reads.
///
/// # Errors
/// [`QuantizeError::InputShape`]
pub fn inputs(model: &TypedModel) -> Result<Vec<Input>, QuantizeError> {
    let outlets = model.input_outlets().map_err(rebuild_error)?;
    let input = |outlet: &OutletId| {
        let name = model.node(outlet.node).name.clone();
        match shape_of(model, *outlet) {
            Some(shape) => Ok(Input { name, shape }),
            None => Err(QuantizeError::InputShape { input: name }),
        }
    };
    outlets.iter().map(input).collect()
}

/// The layers with weights, in the order of the net.
///
/// # Errors
/// Where the net is not whole.
pub fn weighted(model: &TypedModel) -> Result<Vec<Weighted>, QuantizeError> {
    let mut found = Vec::new();
    let makers = makers_of_outputs(model);
    for id in model.eval_order().map_err(rebuild_error)? {
        let node = model.node(id);
        let Some(layer @ (Layer::Convolution(_) | Layer::Transposed(_) | Layer::Linear(_))) =
            nn::layer(node)
        else {
            continue;
        };
        let shapes = (shape_of(model, node.inputs[0]), shape_of(model, id.into()));
        if let (Some(input_shape), Some(output_shape)) = shapes {
            found.push(Weighted {
                name: node.name.clone(),
                input: model.node(node.inputs[0].node).name.clone(),
                input_shape,
                output_shape,
                makes_output: makers.contains(&id),
                layer: layer.clone(),
            });
        }
    }
    Ok(found)
}

/// Nodes that stand before an output with nothing between that computes more than an activation or a sum with a constant.
fn makers_of_outputs(model: &TypedModel) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut pending: Vec<usize> = model.outputs.iter().map(|outlet| outlet.node).collect();
    while let Some(id) = pending.pop() {
        if !found.insert(id) {
            continue;
        }
        let node = model.node(id);
        let computed =
            || node.inputs.iter().filter(|input| !model.node(input.node).op_is::<Const>());
        match nn::layer(node) {
            Some(Layer::Binary(_) | Layer::Concat { .. }) if computed().count() > 1 => {}
            Some(
                Layer::Activate(_)
                | Layer::Binary(_)
                | Layer::Concat { .. }
                | Layer::DepthToSpace { .. }
                | Layer::Pad(_)
                | Layer::Reshape { .. }
                | Layer::Resize(_)
                | Layer::Slice(_)
                | Layer::Softmax
                | Layer::Transpose { .. },
            ) => pending.extend(computed().map(|input| input.node)),
            _ => {}
        }
    }
    found
}

/// The attention layers, in the order of the net.
///
/// # Errors
/// Where the net is not whole.
pub fn attending(model: &TypedModel) -> Result<Vec<Attending>, QuantizeError> {
    let mut found = Vec::new();
    for id in model.eval_order().map_err(rebuild_error)? {
        let node = model.node(id);
        let Some(Layer::Attention(layer)) = nn::layer(node) else { continue };
        let shapes: Option<Vec<_>> =
            node.inputs[..3].iter().map(|input| shape_of(model, *input)).collect();
        let shapes = shapes.and_then(|shapes| <[Vec<usize>; 3]>::try_from(shapes).ok());
        if let Some(shapes) = shapes {
            found.push(Attending { name: node.name.clone(), shapes, layer: *layer });
        }
    }
    Ok(found)
}

/// Puts other layers in the place of those of the same name; shapes stay.
pub fn replace(model: &mut TypedModel, mut layers: BTreeMap<String, Layer>) {
    for node in model.nodes_mut() {
        if let Some(layer) = layers.remove(&node.name) {
            node.op = Box::new(Node(layer));
        }
    }
}

/// What every node makes, by plain evaluation: slow, and the truth.
///
/// # Errors
/// What tract says.
pub fn evaluate(
    model: &TypedModel,
    inputs: &BTreeMap<String, Plain>,
) -> Result<BTreeMap<String, Plain>, QuantizeError> {
    let evaluate = || -> TractResult<BTreeMap<String, Plain>> {
        let order = model.eval_order()?;
        let outlets: Vec<OutletId> = order.iter().map(|&id| id.into()).collect();
        let tensors = model
            .input_outlets()?
            .iter()
            .map(|outlet| {
                let name = &model.node(outlet.node).name;
                let input = inputs.get(name).with_context(|| format!("no input `{name}`"))?;
                Ok(Tensor::from_shape(&input.shape, &input.values)?.into_tvalue())
            })
            .collect::<TractResult<TVec<_>>>()?;
        let plan = Arc::new(model.clone().with_output_outlets(&outlets)?).into_runnable()?;
        let mut values = BTreeMap::new();
        for (id, tensor) in order.iter().zip(plan.run(tensors)?) {
            if tensor.datum_type() == f32::datum_type() {
                let plain = tensor.try_as_plain_ram()?.as_slice::<f32>()?.to_vec();
                values.insert(model.node(*id).name.clone(), Plain::new(tensor.shape(), plain));
            }
        }
        Ok(values)
    };
    evaluate().map_err(rebuild_error)
}

pub(crate) fn rebuild_error(error: TractError) -> QuantizeError {
    QuantizeError::Rebuild { reason: format!("{error:#}") }
}
