//! Matrix multiply of the last axis: `y[…, n] = Σk x[…, k] · w[n, k] + bias[n]`.

use super::shape::{self, misfit, sized};
use super::{Parameter, Plain, ShapeError};

/// A linear layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    /// `[n, k]`
    pub weights: Parameter,
    /// `[n]`
    pub bias: Option<Parameter>,
}

impl Linear {
    pub(super) fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, ShapeError> {
        let [n, k] = self.weights.shape[..] else {
            return Err(ShapeError::Parameter {
                name: self.weights.name.clone(),
                expected: "[n, k]".into(),
                found: self.weights.shape.clone(),
            });
        };
        shape::expect_positive("extents of the weights", &[n, k])?;
        shape::expect_optional(&self.bias, &[n])?;
        if shape::last(input)? != k {
            return Err(misfit(format!("{k} channels"), input));
        }
        let mut output = input.to_vec();
        output[input.len() - 1] = n;
        sized(output)
    }

    pub(super) fn evaluate(&self, input: &Plain) -> Plain {
        let shape = self.output_shape(&input.shape).expect("a shape that fits");
        let (n, k) = (self.weights.shape[0], self.weights.shape[1]);
        let mut output = Plain::new(&shape, vec![0.0; shape.iter().product()]);
        let blocks = input.values.chunks(ROWS * k).zip(output.values.chunks_mut(ROWS * n));
        for (rows, output) in blocks {
            for (o, weights) in self.weights.values.chunks_exact(k).enumerate() {
                let bias = self.bias.as_ref().map_or(0.0, |bias| bias.values[o]);
                for (row, output) in rows.chunks_exact(k).zip(output.chunks_exact_mut(n)) {
                    output[o] = dot(row, weights) + bias;
                }
            }
        }
        output
    }
}

/// Rows that meet a row of weights while it is in the cache.
const ROWS: usize = 32;

/// `Σ a·b`, in 16 partial sums.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a_blocks, a_rest) = a.as_chunks::<16>();
    let (b_blocks, b_rest) = b.as_chunks::<16>();
    let mut sums = [0.0; 16];
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..16 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>();
    sums.iter().sum::<f32>() + rest
}
