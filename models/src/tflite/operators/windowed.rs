//! Convolutions and pools: a window that moves over an image.

use super::Step;
use crate::ModelError;
use crate::nn::{Convolution, Layer, Parameter, Pool, Pooling, TransposedConvolution};

/// How far beyond the image a window may reach.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Padding {
    /// Output extents are `ceil(input / stride)`.
    Same,
    /// Not at all.
    Valid,
}

impl Padding {
    fn from_code(step: &Step, code: i8) -> Result<Self, ModelError> {
        match code {
            0 => Ok(Padding::Same),
            1 => Ok(Padding::Valid),
            _ => Err(step.unsupported("the padding is unknown")),
        }
    }
}

/// A window's extent on the two axes of an image, `[vertical, horizontal]`.
struct Window {
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    padding: Padding,
}

impl Window {
    /// Positions of the window on each axis, and the padding that they need: top, left, bottom, right.
    fn place(
        &self,
        step: &Step,
        input: [usize; 2],
    ) -> Result<([usize; 2], [usize; 4]), ModelError> {
        let mut positions = [0; 2];
        let mut pads = [0; 4];
        for axis in 0..2 {
            let reach = (self.kernel[axis] - 1) * self.dilation[axis] + 1;
            let stride = self.stride[axis];
            positions[axis] = match self.padding {
                Padding::Same => input[axis].div_ceil(stride),
                Padding::Valid if input[axis] < reach => {
                    return Err(step.unsupported("its window is larger than the image"));
                }
                Padding::Valid => (input[axis] - reach) / stride + 1,
            };
            let needed = (positions[axis] - 1) * stride + reach;
            let missing = needed.saturating_sub(input[axis]);
            pads[axis] = missing / 2;
            pads[axis + 2] = missing - missing / 2;
        }
        Ok((positions, pads))
    }
}

/// `[o, kh, kw, i]` weights.
pub(super) fn convolution(step: &mut Step) -> Result<(), ModelError> {
    let weights = step.input(1)?;
    let [out, kernel_h, kernel_w, depth] = step.image_shape(weights)?;
    let [_, _, _, channels] = step.image_shape(step.input(0)?)?;
    if !channels.is_multiple_of(depth) || !out.is_multiple_of(channels / depth) {
        return Err(step.unsupported("its weights do not fit its input"));
    }
    let window = Window {
        kernel: [kernel_h, kernel_w],
        stride: [step.small(step.option_i32(2, 1)?)?, step.small(step.option_i32(1, 1)?)?],
        dilation: [step.small(step.option_i32(5, 1)?)?, step.small(step.option_i32(4, 1)?)?],
        padding: Padding::from_code(step, step.option_i8(0)?)?,
    };
    let weights = step.graph.parameter(weights)?;
    convolve(step, window, weights, channels / depth, 3)
}

/// `[1, kh, kw, c · multiplier]` weights.
pub(super) fn depthwise_convolution(step: &mut Step) -> Result<(), ModelError> {
    let weights = step.input(1)?;
    let [one, kernel_h, kernel_w, out] = step.image_shape(weights)?;
    let [_, _, _, channels] = step.image_shape(step.input(0)?)?;
    if one != 1 || !out.is_multiple_of(channels) {
        return Err(step.unsupported("its weights do not fit its input"));
    }
    let window = Window {
        kernel: [kernel_h, kernel_w],
        stride: [step.small(step.option_i32(2, 1)?)?, step.small(step.option_i32(1, 1)?)?],
        dilation: [step.small(step.option_i32(6, 1)?)?, step.small(step.option_i32(5, 1)?)?],
        padding: Padding::from_code(step, step.option_i8(0)?)?,
    };
    let weights = step.graph.parameter(weights)?;
    let places = kernel_h * kernel_w;
    let values = (0..out * places).map(|i| weights.values[i % places * out + i / places]);
    let values = values.collect::<Vec<_>>();
    let weights = Parameter::new(weights.name, &[out, kernel_h, kernel_w, 1], values);
    convolve(step, window, weights, channels, 4)
}

fn convolve(
    step: &mut Step,
    window: Window,
    weights: Parameter,
    groups: usize,
    activation_slot: usize,
) -> Result<(), ModelError> {
    let input = step.input(0)?;
    let out = weights.shape[0];
    let [n, h, w, _] = step.image_shape(input)?;
    let ([out_h, out_w], mut padding) = window.place(step, [h, w])?;
    step.agree(&[n, out_h, out_w, out])?;
    let bias = step.bias(out)?;
    // Zeros around zeros: the sums are those of the padded image.
    let inner = match step.graph.margins[input] {
        Some(margin) => {
            padding.iter_mut().zip(margin.pads).for_each(|(padding, pad)| *padding += pad);
            margin.inner
        }
        None => input,
    };
    let x = step.graph.outlet(inner)?;
    let (stride, dilation) = (window.stride, window.dilation);
    let convolution =
        Convolution { weights, bias, stride, dilation, padding, groups, enlargement: 1 };
    let outlet = step.add(Layer::Convolution(convolution), &[x])?;
    let outlet = step.activate(outlet, activation_slot)?;
    step.finish(outlet)
}

/// MediaPipe's transposed convolution with a bias: `[o, kh, kw, i]` weights; its options are three
/// 32-bit words: padding (1 same, 2 valid), horizontal and vertical stride.
pub(super) fn transposed_convolution(step: &mut Step) -> Result<(), ModelError> {
    let (input, weights) = (step.input(0)?, step.input(1)?);
    let [n, h, w, channels] = step.image_shape(input)?;
    let [out, kernel_h, kernel_w, depth] = step.image_shape(weights)?;
    let [_, out_h, out_w, _] = step.image_shape(step.output()?)?;
    if depth != channels {
        return Err(step.unsupported("its weights do not fit its input"));
    }
    let (words, _) = step.operator.custom_options.as_chunks::<4>();
    let [padding, stride_w, stride_h, ..] = *words else {
        return Err(step.unsupported("its options are missing"));
    };
    let stride =
        [step.small(i32::from_le_bytes(stride_h))?, step.small(i32::from_le_bytes(stride_w))?];
    let padding = match i32::from_le_bytes(padding) {
        1 => Padding::Same,
        2 => Padding::Valid,
        _ => return Err(step.unsupported("the padding is unknown")),
    };
    let kernel = [kernel_h, kernel_w];
    let mut cropping = [0; 4];
    for (axis, (from, to)) in [(h, out_h), (w, out_w)].into_iter().enumerate() {
        let reach = (from - 1) * stride[axis] + kernel[axis];
        let fits = match padding {
            Padding::Same => from * stride[axis] == to && reach >= to,
            Padding::Valid => reach == to,
        };
        if !fits {
            return Err(step.unsupported("its output does not follow from its input"));
        }
        cropping[axis] = (reach - to) / 2;
        cropping[axis + 2] = (reach - to) - cropping[axis];
    }
    step.agree(&[n, out_h, out_w, out])?;
    let bias = step.bias(out)?;
    let weights = step.graph.parameter(weights)?;
    let elements = weights.values.len();
    let values = (0..elements).map(|i| weights.values[i % out * (elements / out) + i / out]);
    let values = values.collect::<Vec<_>>();
    let weights = Parameter::new(weights.name, &[kernel_h, kernel_w, depth, out], values);
    let x = step.graph.outlet(input)?;
    let layer = TransposedConvolution { weights, bias, stride, cropping };
    let outlet = step.add(Layer::Transposed(layer), &[x])?;
    step.finish(outlet)
}

/// The greatest value of a window, or the mean of those inside the image.
pub(super) fn pool(step: &mut Step, pooling: Pooling) -> Result<(), ModelError> {
    let window = Window {
        kernel: [step.small(step.option_i32(4, 0)?)?, step.small(step.option_i32(3, 0)?)?],
        stride: [step.small(step.option_i32(2, 0)?)?, step.small(step.option_i32(1, 0)?)?],
        dilation: [1, 1],
        padding: Padding::from_code(step, step.option_i8(0)?)?,
    };
    let input = step.input(0)?;
    let [n, h, w, channels] = step.image_shape(input)?;
    let ([out_h, out_w], padding) = window.place(step, [h, w])?;
    step.agree(&[n, out_h, out_w, channels])?;
    let x = step.graph.outlet(input)?;
    let pool = Pool { pooling, window: window.kernel, stride: window.stride, padding };
    let outlet = step.add(Layer::Pool(pool), &[x])?;
    let outlet = step.activate(outlet, 5)?;
    step.finish(outlet)
}
