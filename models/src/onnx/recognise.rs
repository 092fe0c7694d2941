//! Layers of the vocabulary in the place of the nodes that compute them.

mod activation;
mod affine;
mod attention;
mod heads;
mod norm;
mod rotary;

use super::graph::{Graph, NodeId, Op, ValueId};

/// Rewrites the graph; what no recogniser knows stays as it is.
pub(super) fn recognise(graph: &mut Graph) {
    each(graph, norm::group_norm);
    each(graph, norm::over_channels);
    each(graph, affine::fold);
    each_backwards(graph, activation::recognise);
    each(graph, activation::gated);
    each(graph, rotary::halves);
    each(graph, rotary::adjacent);
    each(graph, heads::norm);
    each(graph, attention::without_nan);
    each(graph, attention::recognise);
    each(graph, heads::simplify);
    each(graph, affine::pixels);
}

/// A recogniser says whether it changed the node.
type Recogniser = fn(&mut Graph, NodeId) -> bool;

fn each(graph: &mut Graph, recogniser: Recogniser) {
    let mut node = 0;
    while node < graph.nodes.len() {
        if !graph.is_dead(node) {
            recogniser(graph, node);
        }
        node += 1;
    }
}

fn each_backwards(graph: &mut Graph, recogniser: Recogniser) {
    for node in (0..graph.nodes.len()).rev() {
        if !graph.is_dead(node) {
            recogniser(graph, node);
        }
    }
}

/// What a reshape is of.
fn reshaped_from(graph: &Graph, value: ValueId) -> Option<ValueId> {
    let node = graph.producer(value)?;
    matches!(graph.op(node), Op::Reshape).then(|| graph.nodes[node].inputs[0])
}
