//! How each layer of a net is to be computed: what `vitrine-quantize` decides and lowering obeys.

use super::program::Quantization;
use std::collections::BTreeMap;

/// What a layer's products are computed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// Single precision.
    F32,
    /// Half precision, where the target computes in it; else single.
    F16,
    /// Weights of each output channel with a step of their own; activations as [`Activations`] says.
    Int8,
    /// Linear layers: weights in groups of 32 with a step for each; activations as for int8.
    Int4,
}

/// How the input of an int8 layer is quantized.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activations {
    /// With the range that [`Choices::ranges`] has for the node that makes the input.
    Tensor,
    /// Each row by its greatest magnitude, as it comes. Linear layers and 1x1 convolutions.
    Row,
}

/// How a convolution of 3x3 and stride 1 is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// Product by product.
    Direct,
    /// By Winograd's method with tiles of so many output rows and columns; in f16 and f32.
    Winograd([usize; 2]),
}

/// How a layer with weights is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// What its products are computed in.
    pub precision: Precision,
    /// int8 and int4 only.
    pub activations: Activations,
    /// Convolutions only.
    pub algorithm: Algorithm,
}

impl Choice {
    /// Products in floating point, one by one.
    pub const fn float(precision: Precision) -> Self {
        Self { precision, activations: Activations::Tensor, algorithm: Algorithm::Direct }
    }
}

/// The choices for a net.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choices {
    /// For layers that [`Choices::layers`] does not name.
    pub default: Choice,
    /// By the layer's name: convolutions, transposed and depthwise ones, linear layers.
    #[serde(default)]
    pub layers: BTreeMap<String, Choice>,
    /// Attention layers that are computed in int8, by name.
    #[serde(default)]
    pub int8_attention: std::collections::BTreeSet<String>,
    /// How what a node makes is quantized, by the node's name; an input of the net is a node, too. Where all that read it are int8 layers
    /// it is stored quantized; else each reader quantizes it.
    #[serde(default)]
    pub ranges: BTreeMap<String, Quantization>,
}

impl Choices {
    /// Everything in f32 (or f16), directly: the reference.
    pub fn float(precision: Precision) -> Self {
        Self {
            default: Choice::float(precision),
            layers: BTreeMap::new(),
            int8_attention: Default::default(),
            ranges: BTreeMap::new(),
        }
    }

    /// The choice for a layer.
    pub fn of(&self, layer: &str) -> Choice {
        self.layers.get(layer).copied().unwrap_or(self.default)
    }
}
