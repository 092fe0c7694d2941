//! A net as the runtime executes it: steps, in order, over values of known shape; weights as spans of a [`Blob`](super::blob::Blob). This is
//! what a bundle's `graphs/<net>.toml` holds.

use kernels::math::Activation;
use serde::{Deserialize, Serialize};

/// What a value's elements are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Element {
    /// Single precision.
    F32,
    /// Half precision.
    F16,
    /// Quantized: see [`Value::quantization`] and [`Value::row_steps`].
    I8,
}

/// `value = (q − zero_point) · scale`
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantization {
    /// The size of a step; positive.
    pub scale: f32,
    /// What stands for 0.
    pub zero_point: i8,
}

/// Index into [`Program::values`].
pub type ValueId = usize;

/// A tensor that a step reads or writes. Its rows are all axes but the last, one after the other without gaps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Value {
    /// The node of the imported net that made it.
    pub name: String,
    /// Extents, outermost first.
    pub shape: Vec<usize>,
    /// What it is made of.
    pub element: Element,
    /// int8 with one step for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantization: Option<Quantization>,
    /// int8 with a step for each row (zero point 0): the f32 value of shape `[rows]` that holds them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_steps: Option<ValueId>,
    /// The value whose memory this one is, under another shape of as many elements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_as: Option<ValueId>,
}

/// An input or output of a net; f32 at the edge, whatever the value's element.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Port {
    /// As in the imported net.
    pub name: String,
    /// Its value.
    pub value: ValueId,
}

/// A range of bytes of the weights; starts at a multiple of 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// First byte.
    pub offset: u64,
    /// How many bytes.
    pub bytes: u64,
}

/// In which order weights are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Packing {
    /// Panels of the multiply, [`kernels::gemm::Layout`]; for a convolution by its geometry's segments and groups, for a transposed one tap by tap.
    Gemm {
        /// i8, f16 or f32.
        element: Element,
        /// Columns of a panel.
        nr: usize,
        /// Values of k side by side.
        kr: usize,
    },
    /// int4 panels, [`kernels::gemm_i4`]: the scales are f16.
    GemmI4 {
        /// Columns of a panel.
        nr: usize,
        /// Values of k side by side.
        kr: usize,
    },
    /// Transformed weights, [`kernels::winograd::Layout`].
    Winograd {
        /// f16 or f32.
        element: Element,
        /// Rows and columns of outputs of a tile.
        tile: [usize; 2],
        /// Output channels of a panel.
        nr: usize,
        /// Input channels are filled up to a multiple of this.
        group: usize,
    },
    /// `[taps, channels]`, [`kernels::depthwise`].
    Taps {
        /// i8, f16 or f32.
        element: Element,
    },
}

/// The weights of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// Order.
    pub packing: Packing,
    /// The packed values.
    pub panels: Span,
    /// int8: column sums, i32, as the packing's kernel wants them; int4: its terms, f32.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sums: Option<Span>,
    /// int8: f32 `[output channels]`; int4: f16, as packed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scales: Option<Span>,
    /// f32 `[output channels]`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bias: Option<Span>,
}

/// One call of a kernel, shared out among threads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The layer's name in the imported net.
    pub name: String,
    /// Operands, in the order that the operation states.
    pub inputs: Vec<ValueId>,
    /// Results, as a rule one.
    pub outputs: Vec<ValueId>,
    /// What is computed.
    pub op: Op,
}

/// What a step computes. `x` is its first input, `y` its first output. Elements are what the kernel of that name takes; where an input or output is
/// int8, [`Value`] says how it is quantized.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Op {
    /// x `[n, h, w, c]`; then, as flagged, a shift f32 `[c_out]` in place of the bias, a residual of y's shape.
    /// Also depthwise: groups = c and packing `Taps`. Where one tap meets each pixel (kernel and stride 1, no padding, one group), x may be int8 with a
    /// step for each row: its steps are then the second input.
    Convolution {
        /// Height and width.
        kernel: [usize; 2],
        /// Down and across.
        stride: [usize; 2],
        /// Down and across.
        dilation: [usize; 2],
        /// Top, left, bottom, right.
        padding: [usize; 4],
        /// Channels of a group meet only weights of the same group.
        groups: usize,
        /// 2 or 1.
        enlargement: usize,
        /// B.
        weights: Weights,
        /// How an f16 or f32 x is quantized for int8 weights (one tap: `None` is a step for each row).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quantization: Option<Quantization>,
        /// What is done with the result.
        epilogue: Epilogue,
    },
    /// x `[…, k]`, then as for a convolution. One row is a matrix-vector product. x int8 with a step for each row is followed by its steps.
    Linear {
        /// B.
        weights: Weights,
        /// How an f16 or f32 x is quantized for int8 or int4 weights; `None` is a step for each row.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quantization: Option<Quantization>,
        /// What is done with the result.
        epilogue: Epilogue,
    },
    /// x `[n, h, w, c]`, y `[n, h · kernel, w · kernel, c_out]`: kernel and stride are one.
    Transposed {
        /// Height and width.
        kernel: [usize; 2],
        /// B.
        weights: Weights,
        /// How an f16 or f32 x is quantized for int8 weights.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quantization: Option<Quantization>,
        /// What is done with the result; no residual, no shift.
        epilogue: Epilogue,
    },
    /// x `[n, …, c]`, statistics over all axes but the first and the last.
    GroupNorm {
        /// Divides c.
        groups: usize,
        /// Added to the variance.
        epsilon: f32,
        /// f32 `[c]`
        scale: Option<Span>,
        /// f32 `[c]`
        shift: Option<Span>,
        /// Applied last.
        #[serde(with = "activation_name")]
        activation: Activation,
    },
    /// x `[…, c]`; with two outputs y is int8 with a step for each row, the second output f32 `[rows]`.
    LayerNorm {
        /// Added to the variance.
        epsilon: f32,
        /// f32 `[c]`
        scale: Option<Span>,
        /// f32 `[c]`
        shift: Option<Span>,
    },
    /// As layer norm; over groups of `size` values of the last axis.
    RmsNorm {
        /// Divides c.
        size: usize,
        /// Added to the mean square.
        epsilon: f32,
        /// f32 `[size]`
        scale: Option<Span>,
    },
    /// Inputs q, k, v (they may be one value: projections side by side), and perhaps a bias f32 `[n | 1, heads | 1, queries | 1, keys]`; y `[n, queries, heads · value_size]`.
    Attention {
        /// Heads of queries.
        heads: usize,
        /// Heads of keys and values.
        key_heads: usize,
        /// Values of a query or key in a head.
        key_size: usize,
        /// Values of a value in a head.
        value_size: usize,
        /// The factor of the products.
        scale: f32,
        /// Query i sees the keys 0..=i.
        causal: bool,
        /// Keys of logit 0 and value 0 besides.
        zero_keys: usize,
        /// Products in int8: see [`kernels::attention`].
        int8: bool,
        /// The channel of q, k and v at which head 0 starts.
        channels: [usize; 3],
    },
    /// x `[…, 2c]`, y `[…, c]`; two outputs as for layer norm.
    Gated {
        /// What is applied to the gate.
        #[serde(with = "activation_name")]
        activation: Activation,
        /// The gate is the first half.
        gate_first: bool,
    },
    /// Of each value.
    Activate {
        /// Which.
        #[serde(with = "activation_name")]
        activation: Activation,
    },
    /// `x < 0 ? x · slope[c] : x`
    PRelu {
        /// f32 `[c]`
        slopes: Span,
    },
    /// `act(x ∘ b)`; b is the second input, or the constant, or the one value.
    Binary {
        /// ∘
        operation: Operation,
        /// How b is repeated.
        repeat: Repeat,
        /// f32, where b is not an input.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        constant: Option<Span>,
        /// Applied last.
        #[serde(with = "activation_name")]
        activation: Activation,
    },
    /// Over the last axis.
    Softmax,
    /// x `[n, tokens, heads · size]`, adjacent pairs.
    Rotary {
        /// Heads of a token.
        heads: usize,
        /// Of each head's values the first so many are turned.
        turned: usize,
        /// f32 `[tokens, turned / 2]`
        cosines: Span,
        /// f32 `[tokens, turned / 2]`
        sines: Span,
    },
    /// Pooling of `[n, h, w, c]`.
    Pool {
        /// What a window becomes.
        pooling: Pooling,
        /// Height and width.
        window: [usize; 2],
        /// Down and across.
        stride: [usize; 2],
        /// Top, left, bottom, right.
        padding: [usize; 4],
    },
    /// `[n, h, w, c]` to y's height and width.
    Resize {
        /// How.
        sampling: Sampling,
    },
    /// TensorFlow's order.
    DepthToSpace {
        /// b
        block: usize,
    },
    /// All inputs one after the other along an axis; int8 inputs are brought to y's step.
    Concat {
        /// Counted from the front.
        axis: usize,
    },
    /// `start..start + y's extent` of an axis.
    Slice {
        /// Counted from the front.
        axis: usize,
        /// First index.
        start: usize,
    },
    /// Output axis i is input axis `axes[i]`.
    Transpose {
        /// A permutation.
        axes: Vec<usize>,
    },
    /// Zeros around.
    Pad {
        /// Top, left, bottom, right.
        image: [usize; 4],
        /// Before the first and after the last channel.
        channels: [usize; 2],
    },
    /// Writes values that do not depend on the inputs.
    Constant {
        /// f32, of y's shape.
        values: Span,
    },
    /// To another element: widens, narrows, quantizes, dequantizes.
    Convert,
    /// An operation that no kernel has: tract's. Inputs and outputs are f32.
    Tract {
        /// What it is, for people.
        operation: String,
        /// A model of this one node as tract writes it: an NNEF archive (tar).
        archive: Span,
    },
}

/// What a product goes through before it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Epilogue {
    /// The step's second input is added for each output channel, in place of the weights' bias: f32 `[c_out]`.
    pub shift: bool,
    /// The step's last input is added for each output value, before the activation.
    pub residual: bool,
    /// Applied last.
    #[serde(with = "activation_name")]
    pub activation: Activation,
}

/// An operation on two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Operation {
    Add,
    Multiply,
}

/// How the second operand of a [`Op::Binary`] is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    /// One value for all, given here.
    One(f32),
    /// `[c]`: for each row anew.
    Channels,
    /// `[rows]`: for each channel anew.
    Rows,
    /// `[n, c]`: for each row of an image anew (squeeze and excitation).
    Images,
    /// A value for each.
    All,
}

/// What a window becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "as in the vocabulary")]
pub enum Pooling {
    Greatest,
    Mean,
    MeanWithPadding,
}

/// What a value between samples is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "as in the vocabulary")]
pub enum Sampling {
    Nearest,
    BilinearHalfPixel,
    BilinearAligned,
    BilinearOrigin,
}

/// A net for a kind of CPU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// The net's name.
    pub name: String,
    /// What activations that are not quantized are made of: f16 on cores that compute in it, else f32.
    pub element: Element,
    /// Bytes of the weights.
    pub weight_bytes: u64,
    /// What the net reads.
    pub inputs: Vec<Port>,
    /// What it makes.
    pub outputs: Vec<Port>,
    /// Tensors.
    #[serde(rename = "value")]
    pub values: Vec<Value>,
    /// In the order of execution.
    #[serde(rename = "step")]
    pub steps: Vec<Step>,
}

/// Activations by name.
mod activation_name {
    use kernels::math::Activation;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    const NAMES: [(&str, Activation); 9] = [
        ("none", Activation::None),
        ("relu", Activation::Relu),
        ("relu6", Activation::Relu6),
        ("silu", Activation::Silu),
        ("gelu", Activation::Gelu),
        ("gelu_tanh", Activation::GeluTanh),
        ("hard_swish", Activation::HardSwish),
        ("sigmoid", Activation::Sigmoid),
        ("tanh", Activation::Tanh),
    ];

    pub(super) fn serialize<S: Serializer>(
        activation: &Activation,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let name = NAMES.iter().find(|(_, other)| other == activation);
        serializer.serialize_str(name.map_or("none", |(name, _)| name))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Activation, D::Error> {
        let found = String::deserialize(deserializer)?;
        let activation = NAMES.iter().find(|(name, _)| *name == found);
        activation.map(|(_, activation)| *activation).ok_or_else(|| {
            let names = NAMES.map(|(name, _)| name).join(", ");
            D::Error::custom(format!("activation `{found}`: expected one of {names}"))
        })
    }
}
