//! Names of layers: those of the checkpoint where the file has them.

use super::Emitter;
use crate::nn::{Layer, Parameter};
use crate::onnx::graph::NodeId;

/// What a checkpoint's names end in.
const ENDINGS: &[&str] = &["weight", "bias", "gamma", "beta", "scale", "shift", "running_var"];

impl Emitter {
    /// A name that no other node has.
    pub(super) fn unique(&mut self, name: &str) -> String {
        let mut found = name.to_string();
        loop {
            let count = self.names.entry(found.clone()).or_insert(0);
            *count += 1;
            if *count == 1 {
                return found;
            }
            found = format!("{name}.{count}");
        }
    }

    /// The name of a layer; its parameters get names that begin with it where the file has none for them.
    pub(super) fn layer_name(&mut self, node: NodeId, layer: &mut Layer) -> String {
        let known = layer.parameters().iter().find_map(|parameter| checkpoint(&parameter.name));
        let is_trained = !layer.parameters().is_empty();
        let path = self.path(node);
        let base = match known {
            Some(name) => name,
            None if is_trained || matches!(layer, Layer::Attention(_)) => path,
            None => match self.graph.nodes[node].title.contains('/') {
                true => format!("{path}.{}", layer.kind()).trim_start_matches('.').to_string(),
                false => path,
            },
        };
        let base = if base.is_empty() { layer.kind().to_string() } else { base };
        let name = self.unique(&base);
        if let Some(weights) = layer.parameters().first()
            && let Some(scales) = self.graph.scales.get(&weights.name)
        {
            self.weights.insert(name.clone(), scales.to_vec());
        }
        for (parameter, ending) in parameters(layer) {
            if checkpoint(&parameter.name).is_none() {
                parameter.name = format!("{name}.{ending}");
            }
        }
        name
    }

    /// `/down_blocks.0/to_q/MatMul` as `down_blocks.0.to_q`.
    pub(super) fn path(&self, node: NodeId) -> String {
        let title = &self.graph.nodes[node].title;
        let mut parts: Vec<&str> = title.split('/').filter(|part| !part.is_empty()).collect();
        if parts.len() > 1 || title.starts_with('/') {
            parts.pop();
        }
        let mut path: Vec<&str> = Vec::new();
        for part in parts {
            // A sequence stands before its members, which repeat its name.
            if let Some(last) = path.last()
                && part.strip_prefix(last).is_some_and(|rest| rest.starts_with('.'))
            {
                path.pop();
            }
            path.push(part);
        }
        path.join(".")
    }
}

/// The layer's name in a parameter's.
fn checkpoint(name: &str) -> Option<String> {
    if name.contains("::") || name.contains('/') {
        return None;
    }
    let (layer, ending) = name.rsplit_once('.')?;
    ENDINGS.contains(&ending).then(|| layer.to_string())
}

fn parameters(layer: &mut Layer) -> Vec<(&mut Parameter, &'static str)> {
    let (first, second) = match layer {
        Layer::Convolution(layer) => (Some(&mut layer.weights), layer.bias.as_mut()),
        Layer::Transposed(layer) => (Some(&mut layer.weights), layer.bias.as_mut()),
        Layer::Linear(layer) => (Some(&mut layer.weights), layer.bias.as_mut()),
        Layer::GroupNorm(layer) => (layer.scale.as_mut(), layer.shift.as_mut()),
        Layer::LayerNorm(layer) => (layer.scale.as_mut(), layer.shift.as_mut()),
        Layer::RmsNorm(layer) => (layer.scale.as_mut(), None),
        Layer::PRelu(slopes) => (Some(slopes), None),
        _ => (None, None),
    };
    [(first, "weight"), (second, "bias")]
        .into_iter()
        .filter_map(|(parameter, ending)| Some((parameter?, ending)))
        .collect()
}
