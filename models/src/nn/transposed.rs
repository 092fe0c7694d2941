//! Transposed convolution: each input pixel adds its kernel to the output, `stride` pixels further for each.
//!
//! `y[b, p, q, o] = Σ x[b, i, j, c] · w[u, v, c, o] + bias[o]` over all i, j, u, v with `i·s + u = p + top` and `j·s + v = q + left`. The
//! output is `(h − 1)·s + kernel − top − bottom` high.

use super::shape::{self, misfit, sized};
use super::{Parameter, Plain, ShapeError};

/// A transposed convolution of `[n, h, w, c]`.
#[derive(Clone, Debug, PartialEq)]
pub struct TransposedConvolution {
    /// `[kernel height, kernel width, c_in, c_out]`
    pub weights: Parameter,
    /// `[c_out]`
    pub bias: Option<Parameter>,
    /// Down and across.
    pub stride: [usize; 2],
    /// Cut off the output: top, left, bottom, right.
    pub cropping: [usize; 4],
}

impl TransposedConvolution {
    pub(super) fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, ShapeError> {
        let [n, h, w, c] = shape::image(input)?;
        let [height, width, depth, out] = self.weights.shape[..] else {
            return Err(ShapeError::Parameter {
                name: self.weights.name.clone(),
                expected: "[kernel height, kernel width, c_in, c_out]".into(),
                found: self.weights.shape.clone(),
            });
        };
        shape::expect_positive("extents of the weights", &[height, width, depth, out])?;
        shape::expect_positive("stride", &self.stride)?;
        shape::expect_optional(&self.bias, &[out])?;
        if c != depth || h == 0 || w == 0 {
            return Err(misfit(format!("an image of {depth} channels"), input));
        }
        let [top, left, bottom, right] = self.cropping;
        let extent = |axis: usize, extent: usize, kernel: usize, before, after| {
            let whole = (extent - 1).checked_mul(self.stride[axis])?.checked_add(kernel)?;
            let kept = whole.checked_sub(before)?.checked_sub(after)?;
            (kept > 0).then_some(kept)
        };
        match (extent(0, h, height, top, bottom), extent(1, w, width, left, right)) {
            (Some(h), Some(w)) => sized(vec![n, h, w, out]),
            _ => Err(misfit("an image of which the cropping leaves something", input)),
        }
    }

    pub(super) fn evaluate(&self, input: &Plain) -> Plain {
        let shape = self.output_shape(&input.shape).expect("a shape that fits");
        let [_, h, w, c] = input.shape[..] else { unreachable!() };
        let [height, width, _, out] = self.weights.shape[..] else { unreachable!() };
        let mut output = Plain::new(&shape, vec![0.0; shape.iter().product()]);
        if let Some(bias) = &self.bias {
            output.values.chunks_exact_mut(out).for_each(|to| to.copy_from_slice(&bias.values));
        }
        let along = |axis: usize, index: usize, kernel: usize| {
            let place = index * self.stride[axis] + kernel;
            place.checked_sub(self.cropping[axis]).filter(|&place| place < shape[axis + 1])
        };
        for (pixel, x) in input.values.chunks_exact(c).enumerate() {
            let (b, i, j) = (pixel / (h * w), pixel / w % h, pixel % w);
            for (position, weights) in self.weights.values.chunks_exact(c * out).enumerate() {
                debug_assert!(position < height * width);
                let (Some(p), Some(q)) =
                    (along(0, i, position / width), along(1, j, position % width))
                else {
                    continue;
                };
                let to = ((b * shape[1] + p) * shape[2] + q) * out;
                let to = &mut output.values[to..to + out];
                for (x, weights) in x.iter().zip(weights.chunks_exact(out)) {
                    to.iter_mut().zip(weights).for_each(|(to, weight)| *to += x * weight);
                }
            }
        }
        output
    }
}
