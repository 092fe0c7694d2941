//! Convolutions and pools: a window that moves over an image.

use super::super::Wire;
use super::Step;
use crate::ModelError;
use tract_core::internal::*;
use tract_core::ops::cnn::{Conv, Deconv, KernelFormat, MaxPool, PaddingSpec, PoolSpec, SumPool};
use tract_core::ops::math;
use tract_core::ops::nn::{DataFormat, Reduce, Reducer};

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
    /// Positions of the window on each axis, and the pads before and after that they need.
    fn place(
        &self,
        step: &Step,
        input: [usize; 2],
    ) -> Result<([usize; 2], PaddingSpec), ModelError> {
        let mut positions = [0; 2];
        let (mut before, mut after) = (tvec![0; 2], tvec![0; 2]);
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
            before[axis] = missing / 2;
            after[axis] = missing - missing / 2;
        }
        let padding = if before.iter().chain(&after).all(|&pad| pad == 0) {
            PaddingSpec::Valid
        } else {
            PaddingSpec::Explicit(before, after)
        };
        Ok((positions, padding))
    }

    fn pool_spec(&self, padding: PaddingSpec, channels_in: usize, channels_out: usize) -> PoolSpec {
        PoolSpec {
            data_format: DataFormat::NCHW,
            kernel_shape: self.kernel.as_slice().into(),
            padding,
            dilations: Some(self.dilation.as_slice().into()),
            strides: Some(self.stride.as_slice().into()),
            input_channels: channels_in,
            output_channels: channels_out,
        }
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
    let values = step.graph.floats(weights)?;
    let kernel = step.graph.add_constant(&[out, kernel_h, kernel_w, depth], &values)?;
    let kernel = step.graph.add(AxisOp::Move(3, 1), &[kernel])?;
    convolve(step, window, kernel, out, channels / depth, 3)
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
    let values = step.graph.floats(weights)?;
    let kernel = step.graph.add_constant(&[1, kernel_h, kernel_w, out], &values)?;
    // [1, kh, kw, o] → [o, 1, kh, kw]
    let kernel = step.graph.add(AxisOp::Move(3, 0), &[kernel])?;
    convolve(step, window, kernel, out, channels, 4)
}

fn convolve(
    step: &mut Step,
    window: Window,
    kernel: OutletId,
    out: usize,
    group: usize,
    activation_slot: usize,
) -> Result<(), ModelError> {
    let input = step.input(0)?;
    let [n, h, w, channels] = step.image_shape(input)?;
    let ([out_h, out_w], padding) = window.place(step, [h, w])?;
    step.agree(&[n, out_h, out_w, out])?;
    let bias = bias(step, out)?;
    let bias = step.graph.add_constant(&[out], &bias)?;
    let x = step.graph.channels_first(input)?;
    let conv = Conv {
        pool_spec: window.pool_spec(padding, channels, out),
        kernel_fmt: KernelFormat::OIHW,
        group,
        q_params: None,
    };
    let outlet = step.graph.add(conv, &[x, kernel, bias])?;
    let outlet = step.activate(outlet, activation_slot)?;
    step.finish(Wire::ChannelsFirst(outlet))
}

fn bias(step: &mut Step, channels: usize) -> Result<Vec<f32>, ModelError> {
    let Some(bias) = step.optional_input(2) else { return Ok(vec![0.0; channels]) };
    if step.graph.shape(bias) != [channels] {
        return Err(step.unsupported("its bias does not have one value for each channel"));
    }
    step.graph.floats(bias)
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
    let (mut before, mut after) = (tvec![0; 2], tvec![0; 2]);
    for (axis, (from, to)) in [(h, out_h), (w, out_w)].into_iter().enumerate() {
        let reach = (from - 1) * stride[axis] + kernel[axis];
        let fits = match padding {
            Padding::Same => from * stride[axis] == to && reach >= to,
            Padding::Valid => reach == to,
        };
        if !fits {
            return Err(step.unsupported("its output does not follow from its input"));
        }
        before[axis] = (reach - to) / 2;
        after[axis] = (reach - to) - before[axis];
    }
    step.agree(&[n, out_h, out_w, out])?;
    let bias = bias(step, out)?;
    let bias = step.graph.add_constant(&[out], &bias)?;
    let values = step.graph.floats(weights)?;
    let weights = step.graph.add_constant(&[out, kernel_h, kernel_w, depth], &values)?;
    let weights = step.graph.add(AxisOp::Move(3, 1), &[weights])?;
    let x = step.graph.channels_first(input)?;
    let padding = if before.iter().chain(&after).all(|&pad| pad == 0) {
        PaddingSpec::Valid
    } else {
        PaddingSpec::Explicit(before, after)
    };
    let window = Window { kernel, stride, dilation: [1, 1], padding: Padding::Valid };
    let deconv = Deconv {
        pool_spec: window.pool_spec(padding, channels, out),
        kernel_format: KernelFormat::OIHW,
        adjustments: tvec![0; 2],
        group: 1,
    };
    let outlet = step.graph.add(deconv, &[x, weights, bias])?;
    step.finish(Wire::ChannelsFirst(outlet))
}

fn pool_window(step: &Step) -> Result<Window, ModelError> {
    Ok(Window {
        kernel: [step.small(step.option_i32(4, 0)?)?, step.small(step.option_i32(3, 0)?)?],
        stride: [step.small(step.option_i32(2, 0)?)?, step.small(step.option_i32(1, 0)?)?],
        dilation: [1, 1],
        padding: Padding::from_code(step, step.option_i8(0)?)?,
    })
}

pub(super) fn max_pool(step: &mut Step) -> Result<(), ModelError> {
    pool(step, |pool_spec| MaxPool { pool_spec, with_index_outputs: None }.into())
}

pub(super) fn average_pool(step: &mut Step) -> Result<(), ModelError> {
    let input = step.input(0)?;
    let [n, h, w, channels] = step.image_shape(input)?;
    let window = pool_window(step)?;
    if window.kernel != [h, w] || window.padding != Padding::Valid {
        return pool(step, |pool_spec| {
            SumPool { pool_spec, count_include_pad: false, normalize: true }.into()
        });
    }
    step.agree(&[n, 1, 1, channels])?;
    let x = step.graph.channels_first(input)?;
    let sum = step.graph.add(Reduce { axes: tvec![2, 3], reducer: Reducer::Sum }, &[x])?;
    let share = step.graph.add_constant(&[1; 4], &[1.0 / (h * w) as f32])?;
    let outlet = step.graph.add(math::mul(), &[sum, share])?;
    let outlet = step.activate(outlet, 5)?;
    step.finish(Wire::ChannelsFirst(outlet))
}

fn pool(
    step: &mut Step,
    rule: impl FnOnce(PoolSpec) -> Box<dyn TypedOp>,
) -> Result<(), ModelError> {
    let input = step.input(0)?;
    let [n, h, w, channels] = step.image_shape(input)?;
    let window = pool_window(step)?;
    let ([out_h, out_w], padding) = window.place(step, [h, w])?;
    step.agree(&[n, out_h, out_w, channels])?;
    let x = step.graph.channels_first(input)?;
    let outlet = step.graph.add(rule(window.pool_spec(padding, channels, channels)), &[x])?;
    let outlet = step.activate(outlet, 5)?;
    step.finish(Wire::ChannelsFirst(outlet))
}
