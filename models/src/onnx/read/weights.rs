//! Convolutions and matrix multiplies by constants.

use super::{Reader, Step};
use crate::nn::{Convolution, Layer, Linear, Parameter, TransposedConvolution};
use crate::onnx::OnnxError;
use crate::onnx::graph::{Op, Order, ValueId};

/// A window that moves over an image.
pub(super) struct Window {
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
    /// Top, left, bottom, right.
    pub padding: [usize; 4],
}

impl Reader<'_> {
    pub(super) fn translate_weights(&mut self, step: &Step) -> Result<Option<ValueId>, OnnxError> {
        match step.message.op_type.as_str() {
            "MatMul" => self.matmul(step),
            "Gemm" => self.gemm(step),
            "Conv" => {
                let bias = step.optional(2);
                self.convolution(step, step.input(0)?, step.input(1)?, bias)
            }
            _ => self.transposed(step),
        }
    }

    /// Weights `[k, n]` as `[n, k]`.
    fn turned(&self, value: ValueId, k: usize, n: usize, factor: f32) -> Option<Parameter> {
        let values = self.graph.floats(value)?;
        const TILE: usize = 32;
        let mut turned = vec![0.0; k * n];
        for rows in (0..k).step_by(TILE) {
            for columns in (0..n).step_by(TILE) {
                for row in rows..k.min(rows + TILE) {
                    for column in columns..n.min(columns + TILE) {
                        turned[column * k + row] = values[row * n + column] * factor;
                    }
                }
            }
        }
        Some(self.parameter(value, &[n, k], turned))
    }

    fn matmul(&mut self, step: &Step) -> Result<Option<ValueId>, OnnxError> {
        let (a, b) = (step.input(0)?, step.input(1)?);
        self.product(step, a, b)
    }

    pub(super) fn product(
        &mut self,
        step: &Step,
        a: ValueId,
        b: ValueId,
    ) -> Result<Option<ValueId>, OnnxError> {
        if !self.is_float(a) || !self.is_float(b) {
            return Ok(None);
        }
        let (left, right) = (self.graph.shape(a).to_vec(), self.graph.shape(b).to_vec());
        let (&[ref batch @ .., m, k], &[ref batches @ .., rows, n]) = (&left[..], &right[..])
        else {
            return Ok(None);
        };
        let refuse = || step.shape_error(format!("{left:?} by {right:?}"));
        if k != rows {
            return Err(refuse());
        }
        if batches.iter().all(|&extent| extent == 1)
            && right.len() <= left.len()
            && !self.graph.is_constant(a)
            && let Some(weights) = self.turned(b, k, n, 1.0)
        {
            let mut shape = left.clone();
            shape[left.len() - 1] = n;
            let layer = Layer::Linear(Linear { weights, bias: None });
            return self.add(step, Op::Layer(layer, Order::File), &[a], &shape).map(Some);
        }
        let mut shape = super::sizes::broadcast(batch, batches).ok_or_else(refuse)?;
        shape.extend([m, n]);
        self.add(step, Op::MatMul, &[a, b], &shape).map(Some)
    }

    fn gemm(&mut self, step: &Step) -> Result<Option<ValueId>, OnnxError> {
        let (a, b) = (step.input(0)?, step.input(1)?);
        let attributes = step.attributes();
        let turns = |attribute| Ok::<_, OnnxError>(attributes.int(attribute)?.unwrap_or(0) != 0);
        let alpha = attributes.float("alpha")?.unwrap_or(1.0);
        let beta = attributes.float("beta")?.unwrap_or(1.0);
        let (&[m, k], &[rows, columns]) = (self.graph.shape(a), self.graph.shape(b)) else {
            return Err(step.shape_error("expected matrices"));
        };
        if turns("transA")? || self.graph.is_constant(a) || self.graph.floats(b).is_none() {
            return Ok(None);
        }
        let (n, inner) = if turns("transB")? { (rows, columns) } else { (columns, rows) };
        if inner != k {
            return Err(step.shape_error(format!("[{m}, {k}] by [{rows}, {columns}]")));
        }
        let weights = if turns("transB")? {
            let values =
                self.graph.floats(b).map(|values| values.iter().map(|x| x * alpha).collect());
            values.map(|values| self.parameter(b, &[n, k], values))
        } else {
            self.turned(b, k, n, alpha)
        };
        let Some(weights) = weights else { return Ok(None) };
        let bias = match step.optional(2) {
            None => None,
            Some(id) => match self.graph.along(id, &[m, n], 1) {
                Some(values) => {
                    let values = values.iter().map(|x| x * beta).collect();
                    Some(self.parameter(id, &[n], values))
                }
                None => return Ok(None),
            },
        };
        let layer = Layer::Linear(Linear { weights, bias });
        self.add(step, Op::Layer(layer, Order::File), &[a], &[m, n]).map(Some)
    }

    pub(super) fn convolution(
        &mut self,
        step: &Step,
        input: ValueId,
        filter: ValueId,
        bias: Option<ValueId>,
    ) -> Result<Option<ValueId>, OnnxError> {
        let (shape, kernel) = (self.graph.shape(input).to_vec(), self.graph.shape(filter).to_vec());
        let Some(values) = self.graph.floats(filter) else { return Ok(None) };
        if let (&[n, c, l], &[o, i, k]) = (&shape[..], &kernel[..]) {
            return self.sequence_convolution(step, input, [n, c, l], filter, [o, i, k], bias);
        }
        let (&[n, c, h, w], &[o, i, kh, kw]) = (&shape[..], &kernel[..]) else { return Ok(None) };
        let groups = self.groups(step, c, i, o)?;
        let Some(window) = window(step, [h, w], [kh, kw])? else { return Ok(None) };
        let mut turned = vec![0.0; values.len()];
        let area = kh * kw;
        for out in 0..o {
            for channel in 0..i {
                for at in 0..area {
                    turned[(out * area + at) * i + channel] =
                        values[(out * i + channel) * area + at];
                }
            }
        }
        let weights = self.parameter(filter, &[o, kh, kw, i], turned);
        let bias = bias.map(|id| self.channels(step, id, o)).transpose()?;
        let [height, width] = window.output([h, w], [kh, kw], false).ok_or_else(|| {
            step.shape_error(format!("a kernel of {kh}×{kw} over an image of {h}×{w}"))
        })?;
        let Window { stride, dilation, padding } = window;
        let layer =
            Convolution { weights, bias, stride, dilation, padding, groups, enlargement: 1 };
        let op = Op::Layer(Layer::Convolution(layer), Order::ChannelsLast);
        self.add(step, op, &[input], &[n, o, height, width]).map(Some)
    }

    /// Over a sequence `[n, c, l]`: an image of one row.
    fn sequence_convolution(
        &mut self,
        step: &Step,
        input: ValueId,
        [n, c, l]: [usize; 3],
        filter: ValueId,
        [o, i, k]: [usize; 3],
        bias: Option<ValueId>,
    ) -> Result<Option<ValueId>, OnnxError> {
        let groups = self.groups(step, c, i, o)?;
        let attributes = step.attributes();
        if !matches!(attributes.text("auto_pad")?, None | Some("NOTSET" | "VALID")) {
            return Ok(None);
        }
        let [stride] = numbers(step, "strides", 1)?;
        let [dilation] = numbers(step, "dilations", 1)?;
        let [left, right] = numbers(step, "pads", 0)?;
        let window =
            Window { stride: [1, stride], dilation: [1, dilation], padding: [0, left, 0, right] };
        let Some([_, width]) = window.output([1, l], [1, k], false) else {
            return Err(step.shape_error(format!("a kernel of {k} over a sequence of {l}")));
        };
        let Some(values) = self.graph.floats(filter) else { return Ok(None) };
        let mut turned = vec![0.0; values.len()];
        for out in 0..o {
            for channel in 0..i {
                for at in 0..k {
                    turned[(out * k + at) * i + channel] = values[(out * i + channel) * k + at];
                }
            }
        }
        let weights = self.parameter(filter, &[o, 1, k, i], turned);
        let bias = bias.map(|id| self.channels(step, id, o)).transpose()?;
        let Window { stride, dilation, padding } = window;
        let layer =
            Convolution { weights, bias, stride, dilation, padding, groups, enlargement: 1 };
        let row = self.reshape(step, input, &[n, c, 1, l])?;
        let op = Op::Layer(Layer::Convolution(layer), Order::ChannelsLast);
        let image = self.add(step, op, &[row], &[n, o, 1, width])?;
        self.reshape(step, image, &[n, o, width]).map(Some)
    }

    fn groups(&self, step: &Step, c: usize, i: usize, o: usize) -> Result<usize, OnnxError> {
        let attributes = step.attributes();
        let groups = attributes.int("group")?.unwrap_or(1);
        usize::try_from(groups)
            .ok()
            .filter(|&groups| {
                groups > 0 && groups.checked_mul(i) == Some(c) && o.is_multiple_of(groups)
            })
            .ok_or_else(|| {
                step.shape_error(format!("{groups} groups of {i} of {c} channels to {o}"))
            })
    }

    fn transposed(&mut self, step: &Step) -> Result<Option<ValueId>, OnnxError> {
        let (input, filter) = (step.input(0)?, step.input(1)?);
        let attributes = step.attributes();
        let (&[n, c, h, w], &[i, o, kh, kw]) = (self.graph.shape(input), self.graph.shape(filter))
        else {
            return Ok(None);
        };
        let plain = attributes.int("group")?.unwrap_or(1) == 1
            && matches!(attributes.text("auto_pad")?, None | Some("NOTSET" | "VALID"))
            && attributes.ints("output_shape")?.is_none_or(<[i64]>::is_empty)
            && numbers(step, "dilations", 1)? == [1, 1]
            && numbers(step, "output_padding", 0)? == [0, 0];
        let Some(values) = self.graph.floats(filter).filter(|_| plain) else { return Ok(None) };
        if i != c {
            return Err(step.shape_error(format!("weights for {i} channels, the image has {c}")));
        }
        let stride = numbers(step, "strides", 1)?;
        let cropping: [usize; 4] = numbers(step, "pads", 0)?;
        let extent = |size: usize, kernel: usize, axis: usize| {
            (size.checked_sub(1)?.checked_mul(stride[axis])?.checked_add(kernel)?)
                .checked_sub(cropping[axis].checked_add(cropping[axis + 2])?)
                .filter(|&extent| extent > 0)
        };
        let (Some(height), Some(width)) = (extent(h, kh, 0), extent(w, kw, 1)) else {
            return Err(step.shape_error(format!("nothing is left of {h}×{w}")));
        };
        let area = kh * kw;
        let mut turned = vec![0.0; values.len()];
        for channel in 0..i {
            for out in 0..o {
                for at in 0..area {
                    turned[(at * i + channel) * o + out] = values[(channel * o + out) * area + at];
                }
            }
        }
        let weights = self.parameter(filter, &[kh, kw, i, o], turned);
        let bias = step.optional(2).map(|id| self.channels(step, id, o)).transpose()?;
        let layer = Layer::Transposed(TransposedConvolution { weights, bias, stride, cropping });
        self.add(step, Op::Layer(layer, Order::ChannelsLast), &[input], &[n, o, height, width])
            .map(Some)
    }
}

/// A list of sizes, all the same where it is absent.
pub(super) fn numbers<const N: usize>(
    step: &Step,
    attribute: &'static str,
    default: usize,
) -> Result<[usize; N], OnnxError> {
    let attributes = step.attributes();
    let Some(found) = attributes.ints(attribute)? else { return Ok([default; N]) };
    let wrong = || attributes.wrong(attribute, "a list of sizes, one or two for each axis");
    let mut numbers = [0; N];
    if found.len() != N {
        return Err(wrong());
    }
    for (number, &given) in numbers.iter_mut().zip(found) {
        // Larger ones exceed any image.
        *number = usize::try_from(given).ok().filter(|&size| size < 1 << 20).ok_or_else(wrong)?;
    }
    Ok(numbers)
}

/// The window that a node's attributes describe.
pub(super) fn window(
    step: &Step,
    image: [usize; 2],
    kernel: [usize; 2],
) -> Result<Option<Window>, OnnxError> {
    let stride: [usize; 2] = numbers(step, "strides", 1)?;
    let dilation: [usize; 2] = numbers(step, "dilations", 1)?;
    if stride.contains(&0) || dilation.contains(&0) || kernel.contains(&0) {
        return Err(step.shape_error("strides, dilations and kernels are 1 or more"));
    }
    let automatic = step.attributes().text("auto_pad")?;
    let padding = match automatic {
        None | Some("NOTSET") => {
            if step.attributes().ints("pads")?.is_some_and(|pads| pads.iter().any(|&pad| pad < 0)) {
                return Ok(None);
            }
            numbers(step, "pads", 0)?
        }
        Some("VALID") => [0; 4],
        Some(same @ ("SAME_UPPER" | "SAME_LOWER")) => {
            let mut padding = [0; 4];
            for axis in 0..2 {
                let span = (image[axis].div_ceil(stride[axis]).max(1) - 1) * stride[axis]
                    + (kernel[axis] - 1) * dilation[axis]
                    + 1;
                let total = span.saturating_sub(image[axis]);
                let (less, more) = (total / 2, total - total / 2);
                (padding[axis], padding[axis + 2]) =
                    if same == "SAME_UPPER" { (less, more) } else { (more, less) };
            }
            padding
        }
        Some(_) => return Err(step.attributes().wrong("auto_pad", "one of ONNX's four")),
    };
    Ok(Some(Window { stride, dilation, padding }))
}

impl Window {
    /// The extents of what a kernel gives; `None` where it does not fit the image.
    pub fn output(
        &self,
        image: [usize; 2],
        kernel: [usize; 2],
        ceiling: bool,
    ) -> Option<[usize; 2]> {
        let mut output = [0; 2];
        for axis in 0..2 {
            if self.stride[axis] == 0 || self.dilation[axis] == 0 || kernel[axis] == 0 {
                return None;
            }
            let span = (kernel[axis] - 1).checked_mul(self.dilation[axis])?.checked_add(1)?;
            let padded = image[axis] + self.padding[axis] + self.padding[axis + 2];
            let free = padded.checked_sub(span)?;
            output[axis] =
                if ceiling { free.div_ceil(self.stride[axis]) } else { free / self.stride[axis] }
                    + 1;
        }
        Some(output)
    }
}
