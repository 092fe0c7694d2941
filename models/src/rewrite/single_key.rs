//! Attention to one key: its softmax is 1, so that each query gets the key's value.

use super::{Rebuilt, rebuild, shape};
use crate::nn::{self, Binary, Layer, Operation};
use std::collections::HashMap;
use tract_core::internal::*;

/// Attention without a bias whose keys are one token becomes that token's values. What follows for each token by itself, such as the
/// linear layer of the output, is then done once, `[n, 1, c]`; a sum with all tokens spreads the result over them. Where something else
/// takes it, zeros `[1, tokens, 1]` are added, under the name `<layer>.spread`.
///
/// The queries, with what makes them, are removed. Heads that share keys are left as they are. Values that are not finite stay what they
/// are, where such attention would make some of them NaN.
///
/// # Errors
/// Where tract refuses the graph.
pub fn fold_single_key_attention(model: &TypedModel) -> TractResult<TypedModel> {
    let outputs = model.output_outlets()?;
    let mut spread = Spread::default();
    let folded = rebuild(model, |rebuilt, node, inputs| {
        let inputs = if takes_one_for_all(node) {
            inputs.into()
        } else {
            let pairs = node.inputs.iter().zip(inputs);
            pairs
                .map(|(&old, &new)| spread.over_tokens(model, old, rebuilt, new))
                .collect::<TractResult<TVec<_>>>()?
        };
        let mut outlets = if has_single_key(model, node) {
            tvec![inputs[2]]
        } else {
            rebuilt.model.wire_node(&node.name, node.op.clone(), &inputs)?
        };
        if outputs.contains(&node.id.into()) {
            outlets[0] = spread.over_tokens(model, node.id.into(), rebuilt, outlets[0])?;
        }
        Ok(Some(outlets))
    })?;
    super::prune(&folded)
}

fn has_single_key(model: &TypedModel, node: &TypedNode) -> bool {
    let Some(Layer::Attention(attention)) = nn::layer(node) else { return false };
    attention.heads == attention.key_heads
        && node.inputs.len() == 3
        && matches!(shape(model, node.inputs[1]), Some([_, 1, _]))
}

/// Whether a node treats each token by itself, so that one token may stand for all.
fn takes_one_for_all(node: &TypedNode) -> bool {
    matches!(
        nn::layer(node),
        Some(
            Layer::Linear(_)
                | Layer::LayerNorm(_)
                | Layer::RmsNorm(_)
                | Layer::Activate(_)
                | Layer::PRelu(_)
                | Layer::Gated(_)
                | Layer::Softmax
                | Layer::Binary(_)
        )
    )
}

/// Single tokens that were brought to all tokens, by their outlets in the new model and the number of tokens.
#[derive(Default)]
struct Spread(HashMap<(OutletId, usize), OutletId>);

impl Spread {
    /// The outlet in the shape that it has in the old model.
    fn over_tokens(
        &mut self,
        model: &TypedModel,
        old: OutletId,
        rebuilt: &mut Rebuilt,
        new: OutletId,
    ) -> TractResult<OutletId> {
        let (Some(&[_, tokens, _]), Some(&[_, 1, _])) =
            (shape(model, old), shape(&rebuilt.model, new))
        else {
            return Ok(new);
        };
        if tokens == 1 {
            return Ok(new);
        }
        if let Some(&spread) = self.0.get(&(new, tokens)) {
            return Ok(spread);
        }
        let name = format!("{}.spread", model.node(old.node).name);
        let zeros = Tensor::zero::<f32>(&[1, tokens, 1])?;
        let zeros = rebuilt.model.add_const(format!("{name}.zeros"), zeros)?;
        let add = Layer::Binary(Binary { operation: Operation::Add });
        let spread = nn::add(&mut rebuilt.model, name, add, &[new, zeros])?;
        self.0.insert((new, tokens), spread);
        Ok(spread)
    }
}
