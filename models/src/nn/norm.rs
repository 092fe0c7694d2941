//! Norms: `y = (x − mean) / √(variance + ε) · scale + shift`; RMS norm without mean and shift.
//!
//! | norm  | mean and variance are over                    | scale and shift are of |
//! |-------|-----------------------------------------------|------------------------|
//! | group | all pixels or tokens, the channels of a group | a channel              |
//! | layer | the last axis                                 | a channel              |
//! | RMS   | `size` channels side by side: `mean(x²)`      | a place among them     |
//!
//! The variance is that of the whole population, `mean((x − mean)²)`; statistics are taken in f64.

use super::shape::{self, misfit};
use super::{Parameter, Plain, ShapeError};

/// Over all pixels or tokens of an image and the channels of a group: `[n, …, c]`.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupNorm {
    /// Divides the channels.
    pub groups: usize,
    /// Added to the variance.
    pub epsilon: f32,
    /// `[c]`
    pub scale: Option<Parameter>,
    /// `[c]`
    pub shift: Option<Parameter>,
}

/// Over the last axis.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerNorm {
    /// Added to the variance.
    pub epsilon: f32,
    /// `[c]`
    pub scale: Option<Parameter>,
    /// `[c]`
    pub shift: Option<Parameter>,
}

/// `x / √(mean(x²) + ε) · scale` over groups of `size` values of the last axis: all of it, or each head by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct RmsNorm {
    /// Divides the last extent.
    pub size: usize,
    /// Added to the mean square.
    pub epsilon: f32,
    /// `[size]`
    pub scale: Option<Parameter>,
}

impl GroupNorm {
    pub(super) fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, ShapeError> {
        let [_, .., c] = *input else {
            return Err(misfit("an image or a sequence [n, …, c]", input));
        };
        shape::expect_positive("groups", &[self.groups])?;
        if !c.is_multiple_of(self.groups) {
            return Err(misfit(format!("channels in {} groups", self.groups), input));
        }
        shape::expect_optional(&self.scale, &[c])?;
        shape::expect_optional(&self.shift, &[c])?;
        Ok(input.to_vec())
    }

    pub(super) fn evaluate(&self, input: &Plain) -> Plain {
        let (n, c) = (input.shape[0], input.channels());
        let size = c / self.groups;
        let mut output = input.clone();
        for image in output.values.chunks_exact_mut(input.values.len() / n) {
            for group in 0..self.groups {
                let channels = group * size..(group + 1) * size;
                let values = || image.chunks_exact(c).flat_map(|pixel| &pixel[channels.clone()]);
                let statistics = Statistics::of(values, self.epsilon);
                for pixel in image.chunks_exact_mut(c) {
                    for channel in channels.clone() {
                        let x = statistics.normalised(pixel[channel]);
                        pixel[channel] = affine(x, &self.scale, &self.shift, channel);
                    }
                }
            }
        }
        output
    }
}

impl LayerNorm {
    pub(super) fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, ShapeError> {
        let c = shape::last(input)?;
        shape::expect_optional(&self.scale, &[c])?;
        shape::expect_optional(&self.shift, &[c])?;
        Ok(input.to_vec())
    }

    pub(super) fn evaluate(&self, input: &Plain) -> Plain {
        let mut output = input.clone();
        for row in output.values.chunks_exact_mut(input.channels()) {
            let statistics = Statistics::of(|| row.iter(), self.epsilon);
            for (channel, x) in row.iter_mut().enumerate() {
                *x = affine(statistics.normalised(*x), &self.scale, &self.shift, channel);
            }
        }
        output
    }
}

impl RmsNorm {
    pub(super) fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, ShapeError> {
        shape::expect_positive("size", &[self.size])?;
        if !shape::last(input)?.is_multiple_of(self.size) {
            return Err(misfit(format!("channels in groups of {}", self.size), input));
        }
        shape::expect_optional(&self.scale, &[self.size])?;
        Ok(input.to_vec())
    }

    pub(super) fn evaluate(&self, input: &Plain) -> Plain {
        let mut output = input.clone();
        for row in output.values.chunks_exact_mut(self.size) {
            let squares = row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
            let factor = factor(squares / self.size as f64, self.epsilon);
            for (place, x) in row.iter_mut().enumerate() {
                *x = affine((f64::from(*x) * factor) as f32, &self.scale, &None, place);
            }
        }
        output
    }
}

struct Statistics {
    mean: f64,
    /// `1 / √(variance + ε)`
    factor: f64,
}

impl Statistics {
    fn of<'a, I: Iterator<Item = &'a f32>>(values: impl Fn() -> I, epsilon: f32) -> Self {
        let (mut sum, mut count) = (0.0, 0_usize);
        for &x in values() {
            sum += f64::from(x);
            count += 1;
        }
        let mean = sum / count as f64;
        let squares = values().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>();
        Self { mean, factor: factor(squares / count as f64, epsilon) }
    }

    fn normalised(&self, x: f32) -> f32 {
        ((f64::from(x) - self.mean) * self.factor) as f32
    }
}

fn factor(variance: f64, epsilon: f32) -> f64 {
    1.0 / (variance + f64::from(epsilon)).sqrt()
}

fn affine(x: f32, scale: &Option<Parameter>, shift: &Option<Parameter>, place: usize) -> f32 {
    let scaled = scale.as_ref().map_or(x, |scale| x * scale.values[place]);
    shift.as_ref().map_or(scaled, |shift| scaled + shift.values[place])
}
