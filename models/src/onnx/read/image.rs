//! Operations on images `[n, c, h, w]` without weights.

use super::weights::{numbers, window};
use super::{Reader, Step};
use crate::nn::{Corners, Layer, Pad, Pool, Pooling, Resize, Sampling};
use crate::onnx::OnnxError;
use crate::onnx::graph::{Op, Order, ValueId};

impl Reader<'_> {
    pub(super) fn translate_image(&mut self, step: &Step) -> Result<Option<ValueId>, OnnxError> {
        let input = step.input(0)?;
        let &[n, c, h, w] = self.graph.shape(input) else { return Ok(None) };
        let shape = [n, c, h, w];
        let made = match step.message.op_type.as_str() {
            "GlobalAveragePool" => {
                let pool = Pool {
                    pooling: Pooling::Mean,
                    window: [h, w],
                    stride: [1, 1],
                    padding: [0; 4],
                };
                Some((Layer::Pool(pool), [n, c, 1, 1]))
            }
            "MaxPool" | "AveragePool" => self.pool(step, shape)?,
            "Resize" | "Upsample" => self.resize(step, shape)?,
            "Pad" => self.pad(step, shape)?,
            _ => return self.depth_to_space(step, input, shape),
        };
        match made {
            Some((layer, shape)) => {
                self.add(step, Op::Layer(layer, Order::ChannelsLast), &[input], &shape).map(Some)
            }
            None => Ok(None),
        }
    }

    fn pool(
        &self,
        step: &Step,
        [n, c, h, w]: [usize; 4],
    ) -> Result<Option<(Layer, [usize; 4])>, OnnxError> {
        let attributes = step.attributes();
        if attributes.ints("kernel_shape")?.is_none() {
            return Err(attributes.wrong("kernel_shape", "a list of sizes"));
        }
        let kernel: [usize; 2] = numbers(step, "kernel_shape", 1)?;
        let Some(window) = window(step, [h, w], kernel)? else { return Ok(None) };
        let refuse = || step.shape_error(format!("a window of {kernel:?} over {h}×{w}"));
        let floor = window.output([h, w], kernel, false).ok_or_else(refuse)?;
        let ceiling = attributes.int("ceil_mode")?.unwrap_or(0) != 0
            && window.output([h, w], kernel, true) != Some(floor);
        if ceiling || window.dilation != [1, 1] || !step.has_one_output() {
            return Ok(None);
        }
        let pooling = match step.message.op_type.as_str() {
            "MaxPool" => Pooling::Greatest,
            _ if window.padding == [0; 4] => Pooling::Mean,
            _ if attributes.int("count_include_pad")?.unwrap_or(0) == 0 => Pooling::Mean,
            _ => Pooling::MeanWithPadding,
        };
        let pool = Pool { pooling, window: kernel, stride: window.stride, padding: window.padding };
        Ok(Some((Layer::Pool(pool), [n, c, floor[0], floor[1]])))
    }

    fn resize(
        &self,
        step: &Step,
        [n, c, h, w]: [usize; 4],
    ) -> Result<Option<(Layer, [usize; 4])>, OnnxError> {
        let attributes = step.attributes();
        // Opset 10 and Upsample have the scales where later ones have the region.
        let (scales, sizes) = if self.opset < 11 || step.message.op_type == "Upsample" {
            (step.optional(1), None)
        } else {
            (step.optional(2), step.optional(3))
        };
        let factors = match scales.and_then(|id| self.graph.floats(id)) {
            Some(values) => Some(values.to_vec()),
            None => attributes.floats("scales")?.map(<[f32]>::to_vec),
        };
        let sizes = sizes.and_then(|id| self.graph.integers(id));
        let size = |value: i64| usize::try_from(value).ok().filter(|&size| size > 0);
        let (height, width, exact) = match (sizes.as_deref(), factors.as_deref()) {
            (Some(&[sn, sc, sh, sw]), _) if size(sn) == Some(n) && size(sc) == Some(c) => {
                let (Some(height), Some(width)) = (size(sh), size(sw)) else {
                    return Err(step.shape_error("sizes are 1 or more"));
                };
                (height, width, true)
            }
            (None, Some(&[fn_, fc, fh, fw])) if fn_ == 1.0 && fc == 1.0 => {
                let (wide, tall) = (w as f32 * fw, h as f32 * fh);
                if !(tall >= 1.0 && wide >= 1.0 && tall < 1e6 && wide < 1e6) {
                    return Err(step.shape_error(format!("scales {fh} and {fw} of {h}×{w}")));
                }
                let exact = tall.fract() == 0.0 && wide.fract() == 0.0;
                (tall as usize, wide as usize, exact)
            }
            _ => return Ok(None),
        };
        let policy = attributes.text("keep_aspect_ratio_policy")?;
        if !exact
            || attributes.int("antialias")?.unwrap_or(0) != 0 && (height < h || width < w)
            || !matches!(policy, None | Some("stretch"))
            || attributes.ints("axes")?.is_some()
        {
            return Ok(None);
        }
        let older = self.opset < 11 || step.message.op_type == "Upsample";
        let default = if older { "asymmetric" } else { "half_pixel" };
        let coordinates = attributes.text("coordinate_transformation_mode")?.unwrap_or(default);
        let rounding = if older {
            "floor"
        } else {
            attributes.text("nearest_mode")?.unwrap_or("round_prefer_floor")
        };
        let single = height > 1 && width > 1;
        let sampling = match (attributes.text("mode")?.unwrap_or("nearest"), coordinates) {
            ("nearest", coordinates) => {
                let repeats = height.is_multiple_of(h) && width.is_multiple_of(w);
                let doubles = [height / h, width / w].iter().all(|factor| [1, 2].contains(factor));
                let same = match (coordinates, rounding) {
                    ("asymmetric", "floor") => true,
                    ("asymmetric", "round_prefer_floor") => repeats && doubles,
                    ("half_pixel", "round_prefer_floor" | "round_prefer_ceil") => repeats,
                    ("pytorch_half_pixel", "round_prefer_floor" | "round_prefer_ceil") => {
                        repeats && single
                    }
                    _ => height == h && width == w,
                };
                if !same {
                    return Ok(None);
                }
                Sampling::Nearest
            }
            ("linear" | "bilinear", "half_pixel") => Sampling::Bilinear(Corners::HalfPixel),
            ("linear" | "bilinear", "pytorch_half_pixel") if single => {
                Sampling::Bilinear(Corners::HalfPixel)
            }
            ("linear" | "bilinear", "align_corners") if single => {
                Sampling::Bilinear(Corners::Aligned)
            }
            ("linear" | "bilinear", "asymmetric") => Sampling::Bilinear(Corners::Origin),
            _ => return Ok(None),
        };
        Ok(Some((Layer::Resize(Resize { height, width, sampling }), [n, c, height, width])))
    }

    fn pad(
        &self,
        step: &Step,
        [n, c, h, w]: [usize; 4],
    ) -> Result<Option<(Layer, [usize; 4])>, OnnxError> {
        let attributes = step.attributes();
        let value = match step.optional(2) {
            Some(id) => self.graph.scalar(id),
            None => Some(attributes.float("value")?.unwrap_or(0.0)),
        };
        let pads = match step.optional(1) {
            Some(id) => self.graph.integers(id),
            None => attributes.ints("pads")?.map(<[i64]>::to_vec),
        };
        let zeros = matches!(attributes.text("mode")?, None | Some("constant"))
            && value == Some(0.0)
            && step.optional(3).is_none();
        let Some(&[n0, c0, top, left, n1, c1, bottom, right]) = pads.as_deref() else {
            return Ok(None);
        };
        let all = [n0, c0, top, left, n1, c1, bottom, right];
        if !zeros || all.iter().any(|pad| !(0..1 << 20).contains(pad)) || n0 + n1 != 0 {
            return Ok(None);
        }
        let [top, left, bottom, right] = [top, left, bottom, right].map(|pad| pad as usize);
        let channels = [c0, c1].map(|pad| pad as usize);
        let shape = [n, c + channels[0] + channels[1], h + top + bottom, w + left + right];
        Ok(Some((Layer::Pad(Pad { image: [top, left, bottom, right], channels }), shape)))
    }

    fn depth_to_space(
        &mut self,
        step: &Step,
        input: ValueId,
        [n, c, h, w]: [usize; 4],
    ) -> Result<Option<ValueId>, OnnxError> {
        let attributes = step.attributes();
        let block = attributes
            .int("blocksize")?
            .and_then(|block| usize::try_from(block).ok())
            .filter(|&block| block > 0 && block < 1 << 16 && c.is_multiple_of(block * block))
            .ok_or_else(|| {
                attributes.wrong("blocksize", "one whose square divides the channels")
            })?;
        let left = c / (block * block);
        let shape = [n, left, h * block, w * block];
        if matches!(attributes.text("mode")?, None | Some("DCR")) {
            let op = Op::Layer(Layer::DepthToSpace { block }, Order::ChannelsLast);
            return self.add(step, op, &[input], &shape).map(Some);
        }
        // Channel i·b² + y·b + x, which the vocabulary has as (y·b + x)·c + i.
        let split = self.reshape(step, input, &[n, left, block * block, h, w])?;
        let op = Op::Transpose(vec![0, 2, 1, 3, 4]);
        let turned = self.add(step, op, &[split], &[n, block * block, left, h, w])?;
        let joined = self.reshape(step, turned, &[n, c, h, w])?;
        let op = Op::Layer(Layer::DepthToSpace { block }, Order::ChannelsLast);
        self.add(step, op, &[joined], &shape).map(Some)
    }
}
