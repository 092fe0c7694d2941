//! Exact savings: rules that rebuild a net of [vocabulary nodes](crate::nn) as one that gives the same with less work.
//!
//! Each rule takes a model and gives a new one, in which nodes that no output needs are gone; sources stay, in their order.

mod concat;
mod constants;
mod enlargement;
mod single_key;

pub use concat::split_concat;
pub use constants::fold_constants_into_linear;
pub use enlargement::fold_enlargement;
pub use single_key::fold_single_key_attention;

use crate::nn::{self, Layer};
use std::collections::HashMap;
use tract_core::internal::*;

/// All rules, for a net that is to be quantized: constants are folded, what is enlarged before a convolution is enlarged inside it, attention
/// over one key becomes its value, and 1x1 convolutions of a concatenation read its parts, so that each keeps its own scale.
///
/// # Errors
/// Where tract refuses the graph.
pub fn simplify(model: &TypedModel) -> TractResult<TypedModel> {
    let model = fold_single_key_attention(model)?;
    let model = fold_enlargement(&fold_constants_into_linear(&model)?)?;
    split_concat(&model, |node| match nn::layer(node) {
        Some(Layer::Convolution(layer)) => layer.weights.shape[1..3] == [1, 1],
        _ => false,
    })
}

/// Removes the nodes that no output needs, but for sources.
///
/// # Errors
/// Where tract refuses the graph.
pub fn prune(model: &TypedModel) -> TractResult<TypedModel> {
    rebuild(model, |_, _, _| Ok(None))
}

/// A model under reconstruction.
struct Rebuilt {
    model: TypedModel,
    /// Where the outlets of the old model are in the new one.
    places: HashMap<OutletId, OutletId>,
}

/// What a rule makes of a node, given its inputs in the new model: the outlets that take the place of its own; none where the node is kept.
type Replacement = TractResult<Option<TVec<OutletId>>>;

/// A new model in which `rule` has replaced nodes.
fn rebuild(
    model: &TypedModel,
    mut rule: impl FnMut(&mut Rebuilt, &TypedNode, &[OutletId]) -> Replacement,
) -> TractResult<TypedModel> {
    let fresh = TypedModel { symbols: model.symbols.clone(), ..TypedModel::default() };
    let mut rebuilt = Rebuilt { model: fresh, places: HashMap::new() };
    for &input in model.input_outlets()? {
        let name = model.node(input.node).name.as_str();
        let source = rebuilt.model.add_source(name, model.outlet_fact(input)?.clone())?;
        rebuilt.places.insert(input, source);
    }
    for id in model.eval_order()? {
        let node = model.node(id);
        if rebuilt.places.contains_key(&id.into()) {
            continue;
        }
        let inputs = node.inputs.iter().map(|input| rebuilt.places[input]).collect::<TVec<_>>();
        let outlets = match rule(&mut rebuilt, node, &inputs)? {
            Some(outlets) => outlets,
            None => rebuilt.model.wire_node(&node.name, node.op.clone(), &inputs)?,
        };
        for (slot, outlet) in outlets.into_iter().enumerate() {
            rebuilt.places.insert(OutletId::new(id, slot), outlet);
        }
    }
    let outputs = model.output_outlets()?.iter().map(|output| rebuilt.places[output]);
    let outputs = outputs.collect::<Vec<_>>();
    rebuilt.model.select_output_outlets(&outputs)?;
    Ok(rebuilt.model)
}

/// The shape of an outlet, where it is known.
fn shape(model: &TypedModel, outlet: OutletId) -> Option<&[usize]> {
    model.outlet_fact(outlet).ok()?.shape.as_concrete()
}
