//! Convolution: `y[b, i, j, o] = Σ x[b, ⌊(i·s + u·d − top) / e⌋, ⌊(j·s + v·d − left) / e⌋, c] · w[o, u, v, c] + bias[o]`, 0 outside; e is
//! [`Convolution::enlargement`].
//!
//! The sum is over the kernel's rows u and columns v and over the channels c of the group of o. The output is
//! `⌊(h·e + top + bottom − (kernel − 1)·d − 1) / s⌋ + 1` high.

use super::linear::dot;
use super::shape::{self, misfit, sized};
use super::{Parameter, Plain, ShapeError};

/// A convolution of `[n, h, w, c]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Convolution {
    /// `[c_out, kernel height, kernel width, c_in / groups]`
    pub weights: Parameter,
    /// `[c_out]`
    pub bias: Option<Parameter>,
    /// Down and across.
    pub stride: [usize; 2],
    /// Down and across.
    pub dilation: [usize; 2],
    /// Top, left, bottom, right; in pixels of the enlarged image.
    pub padding: [usize; 4],
    /// Channels of a group meet only weights of the same group.
    pub groups: usize,
    /// 2 where the image is first enlarged to twice its size, each pixel four times; else 1.
    pub enlargement: usize,
}

impl Convolution {
    /// Each channel by itself.
    pub fn is_depthwise(&self) -> bool {
        self.groups > 1 && matches!(self.weights.shape[..], [out, _, _, 1] if out == self.groups)
    }

    pub(super) fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, ShapeError> {
        let [n, h, w, c] = shape::image(input)?;
        let [out, height, width, depth] = self.weights.shape[..] else {
            return Err(ShapeError::Parameter {
                name: self.weights.name.clone(),
                expected: "[c_out, kernel height, kernel width, c_in / groups]".into(),
                found: self.weights.shape.clone(),
            });
        };
        shape::expect_positive("extents of the weights", &[out, height, width, depth])?;
        shape::expect_positive("stride", &self.stride)?;
        shape::expect_positive("dilation", &self.dilation)?;
        shape::expect_positive("groups", &[self.groups])?;
        shape::expect_optional(&self.bias, &[out])?;
        if !matches!(self.enlargement, 1 | 2) {
            return Err(ShapeError::Setting {
                setting: "enlargement",
                expected: "1 or 2".into(),
                found: vec![self.enlargement],
            });
        }
        if !out.is_multiple_of(self.groups) {
            return Err(ShapeError::Setting {
                setting: "groups",
                expected: format!("a divisor of {out} output channels"),
                found: vec![self.groups],
            });
        }
        if depth.checked_mul(self.groups) != Some(c) {
            return Err(misfit(format!("{depth} · {} channels", self.groups), input));
        }
        let [top, left, bottom, right] = self.padding;
        let extent = |axis: usize, extent: usize, kernel: usize, before, after| {
            let span = (kernel - 1).checked_mul(self.dilation[axis])?.checked_add(1)?;
            let enlarged = extent.checked_mul(self.enlargement)?;
            shape::windows(enlarged, before, after, span, self.stride[axis])
        };
        match (extent(0, h, height, top, bottom), extent(1, w, width, left, right)) {
            (Some(h), Some(w)) => sized(vec![n, h, w, out]),
            _ => Err(misfit(format!("an image that a kernel of {height} × {width} fits"), input)),
        }
    }

    pub(super) fn evaluate(&self, input: &Plain) -> Plain {
        let shape = self.output_shape(&input.shape).expect("a shape that fits");
        let mut output = Plain::new(&shape, vec![0.0; shape.iter().product()]);
        let row = shape[2] * shape[3];
        for (index, row) in output.values.chunks_exact_mut(row).enumerate() {
            if self.is_depthwise() {
                self.depthwise_row(input, index / shape[1], index % shape[1], row);
            } else {
                self.row(input, index / shape[1], index % shape[1], row);
            }
        }
        output
    }

    /// Row i of image b: what the kernel covers at each pixel is copied together, and meets all weights.
    fn row(&self, input: &Plain, b: usize, i: usize, output: &mut [f32]) {
        let [out, _, _, depth] = self.weights.shape[..] else { unreachable!() };
        let covered = self.weights.values.len() / out;
        let mut patches = vec![0.0; output.len() / out * covered];
        for group in 0..self.groups {
            let channels = group * depth..(group + 1) * depth;
            for (j, patch) in patches.chunks_exact_mut(covered).enumerate() {
                for (position, patch) in patch.chunks_exact_mut(depth).enumerate() {
                    match self.pixel(input, b, [i, j], position) {
                        Some(pixel) => patch.copy_from_slice(&pixel[channels.clone()]),
                        None => patch.fill(0.0),
                    }
                }
            }
            for o in group * out / self.groups..(group + 1) * out / self.groups {
                let weights = &self.weights.values[o * covered..(o + 1) * covered];
                let bias = self.bias.as_ref().map_or(0.0, |bias| bias.values[o]);
                for (pixel, patch) in
                    output.chunks_exact_mut(out).zip(patches.chunks_exact(covered))
                {
                    pixel[o] = dot(patch, weights) + bias;
                }
            }
        }
    }

    fn depthwise_row(&self, input: &Plain, b: usize, i: usize, output: &mut [f32]) {
        let c = self.groups;
        let positions = self.weights.values.len() / c;
        // The channels of a position side by side, as they are in the image.
        let weights = (0..positions * c)
            .map(|index| self.weights.values[index % c * positions + index / c])
            .collect::<Vec<_>>();
        for (j, output) in output.chunks_exact_mut(c).enumerate() {
            if let Some(bias) = &self.bias {
                output.copy_from_slice(&bias.values);
            }
            for (position, weights) in weights.chunks_exact(c).enumerate() {
                let Some(pixel) = self.pixel(input, b, [i, j], position) else { continue };
                for ((output, x), weight) in output.iter_mut().zip(pixel).zip(weights) {
                    *output += x * weight;
                }
            }
        }
    }

    /// The channels of the pixel that a position of the kernel meets; none outside the image.
    fn pixel<'a>(
        &self,
        input: &'a Plain,
        b: usize,
        output: [usize; 2],
        position: usize,
    ) -> Option<&'a [f32]> {
        let [_, h, w, c] = input.shape[..] else { unreachable!() };
        let width = self.weights.shape[2];
        let along = |axis: usize, kernel: usize, extent: usize| {
            let enlarged = output[axis] * self.stride[axis] + kernel * self.dilation[axis];
            let index = enlarged.checked_sub(self.padding[axis])? / self.enlargement;
            (index < extent).then_some(index)
        };
        let (i, j) = (along(0, position / width, h)?, along(1, position % width, w)?);
        let from = ((b * h + i) * w + j) * c;
        Some(&input.values[from..from + c])
    }
}
