//! A layer as a tract operation.

use super::{Layer, Plain};
use tract_core::internal::*;

/// The tract operation of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node(pub Layer);

impl Op for Node {
    fn name(&self) -> StaticName {
        self.0.kind().into()
    }

    op_as_typed_op!();
}

impl EvalOp for Node {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let inputs = inputs
            .iter()
            .map(|input| {
                let values = input.try_as_plain_ram()?.as_slice::<f32>()?.to_vec();
                Ok(Plain { shape: input.shape().to_vec(), values })
            })
            .collect::<TractResult<Vec<_>>>()?;
        let shapes = inputs.iter().map(|input| input.shape.as_slice()).collect::<Vec<_>>();
        self.0.output_shape(&shapes)?;
        let output = self.0.evaluate(&inputs.iter().collect::<Vec<_>>());
        Ok(tvec!(Tensor::from_shape(&output.shape, &output.values)?.into_tvalue()))
    }
}

impl TypedOp for Node {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let shapes = inputs
            .iter()
            .map(|fact| {
                ensure!(fact.datum_type == f32::datum_type(), "{} takes f32", self.0.kind());
                fact.shape
                    .as_concrete()
                    .with_context(|| format!("{} takes known shapes", self.0.kind()))
            })
            .collect::<TractResult<Vec<_>>>()?;
        Ok(tvec!(f32::fact(self.0.output_shape(&shapes)?)))
    }

    as_op!();
}

/// Adds a layer to a model.
///
/// # Errors
/// Where the layer does not take these inputs.
pub fn add(
    model: &mut TypedModel,
    name: impl Into<String>,
    layer: Layer,
    inputs: &[OutletId],
) -> TractResult<OutletId> {
    Ok(model.wire_node(name.into(), Node(layer), inputs)?[0])
}

/// The layer behind a node, where it is of the vocabulary.
pub fn layer(node: &TypedNode) -> Option<&Layer> {
    node.op_as::<Node>().map(|Node(layer)| layer)
}
