//! The vocabulary: what the layers of the nets compute, each as a tract operation with a rule for its shape and a plain f32
//! evaluation, which is the truth that the runtime's lowered steps are tested against.
//!
//! Images are `[n, h, w, c]`, sequences `[n, tokens, c]`; all shapes are known and all values are f32. A layer has one output. Its node's
//! name is the layer's name wherever layers are named: in choices, reports and bundles.

mod attention;
mod convolution;
mod elementwise;
mod linear;
mod node;
mod norm;
mod parameter;
mod pool;
mod resize;
mod rotary;
mod shape;
mod transposed;

pub use attention::Attention;
pub use convolution::Convolution;
pub use elementwise::{Binary, Gated, Operation};
pub use linear::Linear;
pub use node::{Node, add, layer};
pub use norm::{GroupNorm, LayerNorm, RmsNorm};
pub use parameter::{Parameter, Plain};
pub use pool::{Pool, Pooling};
pub use resize::{Corners, Resize, Sampling};
pub use rotary::{Pairs, Rotary};
pub use shape::{Pad, ShapeError, Slice};
pub use transposed::TransposedConvolution;

use kernels::math::Activation;

/// A layer of a net.
#[derive(Clone, Debug, PartialEq)]
pub enum Layer {
    /// Dense, grouped or depthwise convolution.
    Convolution(Convolution),
    /// Transposed convolution.
    Transposed(TransposedConvolution),
    /// Matrix multiply of the last axis by weights.
    Linear(Linear),
    /// Group norm (instance norm where each channel is a group).
    GroupNorm(GroupNorm),
    /// Layer norm over the last axis.
    LayerNorm(LayerNorm),
    /// RMS norm over the last axis.
    RmsNorm(RmsNorm),
    /// An activation of each value.
    Activate(Activation),
    /// `x < 0 ? x · slope[c] : x`; slopes `[c]`.
    PRelu(Parameter),
    /// `value · act(gate)`, both halves of the last axis.
    Gated(Gated),
    /// Softmax over the last axis.
    Softmax,
    /// Attention. Inputs: queries, keys, values, and perhaps a bias.
    Attention(Attention),
    /// Rotary embedding.
    Rotary(Rotary),
    /// Two inputs, broadcast against each other as NumPy does.
    Binary(Binary),
    /// All inputs one after the other.
    Concat {
        /// Counted from the front.
        axis: usize,
    },
    /// A range of an axis.
    Slice(Slice),
    /// The same values under another shape.
    Reshape {
        /// The new shape.
        shape: Vec<usize>,
    },
    /// Axes in another order: output axis i is input axis `axes[i]`.
    Transpose {
        /// A permutation.
        axes: Vec<usize>,
    },
    /// Zeros around an image.
    Pad(Pad),
    /// Another height and width.
    Resize(Resize),
    /// `[n, h, w, b·b·c]` to `[n, h·b, w·b, c]`, TensorFlow's order: channel `(y·b + x)·c + i` goes to pixel (y, x), channel i.
    DepthToSpace {
        /// b.
        block: usize,
    },
    /// Greatest or mean value of a window.
    Pool(Pool),
}

impl Eq for Layer {}

impl Layer {
    /// The kind, as reports name it.
    pub fn kind(&self) -> &'static str {
        match self {
            Layer::Convolution(layer) if layer.is_depthwise() => "depthwise",
            Layer::Convolution(_) => "convolution",
            Layer::Transposed(_) => "transposed_convolution",
            Layer::Linear(_) => "linear",
            Layer::GroupNorm(_) => "group_norm",
            Layer::LayerNorm(_) => "layer_norm",
            Layer::RmsNorm(_) => "rms_norm",
            Layer::Activate(_) => "activation",
            Layer::PRelu(_) => "prelu",
            Layer::Gated(_) => "gated",
            Layer::Softmax => "softmax",
            Layer::Attention(_) => "attention",
            Layer::Rotary(_) => "rotary",
            Layer::Binary(_) => "binary",
            Layer::Concat { .. } => "concat",
            Layer::Slice(_) => "slice",
            Layer::Reshape { .. } => "reshape",
            Layer::Transpose { .. } => "transpose",
            Layer::Pad(_) => "pad",
            Layer::Resize(_) => "resize",
            Layer::DepthToSpace { .. } => "depth_to_space",
            Layer::Pool(_) => "pool",
        }
    }

    /// The shape of the output.
    ///
    /// # Errors
    /// [`ShapeError`] where the inputs are not what the layer takes.
    pub fn output_shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, ShapeError> {
        for input in inputs {
            shape::expect_values(input)?;
        }
        match self {
            Layer::Convolution(layer) => layer.output_shape(shape::one(inputs)?),
            Layer::Transposed(layer) => layer.output_shape(shape::one(inputs)?),
            Layer::Linear(layer) => layer.output_shape(shape::one(inputs)?),
            Layer::GroupNorm(layer) => layer.output_shape(shape::one(inputs)?),
            Layer::LayerNorm(layer) => layer.output_shape(shape::one(inputs)?),
            Layer::RmsNorm(layer) => layer.output_shape(shape::one(inputs)?),
            Layer::Activate(_) => Ok(shape::one(inputs)?.to_vec()),
            Layer::PRelu(slopes) => elementwise::prelu_shape(slopes, shape::one(inputs)?),
            Layer::Gated(_) => elementwise::gated_shape(shape::one(inputs)?),
            Layer::Softmax => elementwise::softmax_shape(shape::one(inputs)?),
            Layer::Attention(layer) => layer.output_shape(inputs),
            Layer::Rotary(layer) => layer.output_shape(shape::one(inputs)?),
            Layer::Binary(_) => shape::broadcast(inputs),
            Layer::Concat { axis } => shape::concat(*axis, inputs),
            Layer::Slice(layer) => layer.output_shape(shape::one(inputs)?),
            Layer::Reshape { shape } => shape::reshape(shape, shape::one(inputs)?),
            Layer::Transpose { axes } => shape::transpose(axes, shape::one(inputs)?),
            Layer::Pad(layer) => layer.output_shape(shape::one(inputs)?),
            Layer::Resize(layer) => layer.output_shape(shape::one(inputs)?),
            Layer::DepthToSpace { block } => shape::depth_to_space(*block, shape::one(inputs)?),
            Layer::Pool(layer) => layer.output_shape(shape::one(inputs)?),
        }
    }

    /// The output, by plain loops in f32.
    ///
    /// # Panics
    /// Where the inputs do not have shapes that [`Layer::output_shape`] accepts.
    pub fn evaluate(&self, inputs: &[&Plain]) -> Plain {
        match self {
            Layer::Convolution(layer) => layer.evaluate(inputs[0]),
            Layer::Transposed(layer) => layer.evaluate(inputs[0]),
            Layer::Linear(layer) => layer.evaluate(inputs[0]),
            Layer::GroupNorm(layer) => layer.evaluate(inputs[0]),
            Layer::LayerNorm(layer) => layer.evaluate(inputs[0]),
            Layer::RmsNorm(layer) => layer.evaluate(inputs[0]),
            Layer::Activate(activation) => inputs[0].map(|x| activation.of(x)),
            Layer::PRelu(slopes) => elementwise::prelu(slopes, inputs[0]),
            Layer::Gated(layer) => layer.evaluate(inputs[0]),
            Layer::Softmax => elementwise::softmax(inputs[0]),
            Layer::Attention(layer) => layer.evaluate(inputs),
            Layer::Rotary(layer) => layer.evaluate(inputs[0]),
            Layer::Binary(layer) => layer.evaluate(inputs[0], inputs[1]),
            Layer::Concat { axis } => shape::concatenated(*axis, inputs),
            Layer::Slice(layer) => layer.evaluate(inputs[0]),
            Layer::Reshape { shape } => inputs[0].reshaped(shape),
            Layer::Transpose { axes } => shape::transposed(axes, inputs[0]),
            Layer::Pad(layer) => layer.evaluate(inputs[0]),
            Layer::Resize(layer) => layer.evaluate(inputs[0]),
            Layer::DepthToSpace { block } => shape::pixels_from_depth(*block, inputs[0]),
            Layer::Pool(layer) => layer.evaluate(inputs[0]),
        }
    }

    /// What training left in it, weights first.
    pub fn parameters(&self) -> Vec<&Parameter> {
        fn present(all: [Option<&Parameter>; 2]) -> Vec<&Parameter> {
            all.into_iter().flatten().collect()
        }
        match self {
            Layer::Convolution(layer) => present([Some(&layer.weights), layer.bias.as_ref()]),
            Layer::Transposed(layer) => present([Some(&layer.weights), layer.bias.as_ref()]),
            Layer::Linear(layer) => present([Some(&layer.weights), layer.bias.as_ref()]),
            Layer::GroupNorm(layer) => present([layer.scale.as_ref(), layer.shift.as_ref()]),
            Layer::LayerNorm(layer) => present([layer.scale.as_ref(), layer.shift.as_ref()]),
            Layer::RmsNorm(layer) => present([layer.scale.as_ref(), None]),
            Layer::PRelu(slopes) => vec![slopes],
            Layer::Rotary(layer) => vec![&layer.cosines, &layer.sines],
            _ => Vec::new(),
        }
    }
}
