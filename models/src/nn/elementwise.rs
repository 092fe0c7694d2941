//! Operations on each value by itself, and softmax.
//!
//! | layer   | output                                                                            |
//! |---------|-----------------------------------------------------------------------------------|
//! | binary  | `y = a ∘ b`, broadcast as NumPy does                                              |
//! | gated   | `y[…, j] = value[…, j] · act(gate[…, j])`                                         |
//! | prelu   | `y[…, j] = x[…, j] < 0 ? x[…, j] · slope[j] : x[…, j]`                            |
//! | softmax | `y[…, j] = e^(x[…, j] − m) / Σk e^(x[…, k] − m)`, m the greatest value of the row |

use super::shape::{self, advance, broadcast_steps, misfit};
use super::{Parameter, Plain, ShapeError};
use kernels::math::Activation;

/// `y[…, j] = value[…, j] · act(gate[…, j])`; both are halves of the last axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gated {
    /// What is applied to the gate.
    pub activation: Activation,
    /// The gate is the first half.
    pub gate_first: bool,
}

/// What is done with two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `a + b`
    Add,
    /// `a − b`
    Subtract,
    /// `a · b`
    Multiply,
    /// `a / b`
    Divide,
}

/// An operation on two tensors, broadcast as NumPy does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binary {
    /// Which.
    pub operation: Operation,
}

impl Operation {
    /// Of two values.
    pub fn of(self, a: f32, b: f32) -> f32 {
        match self {
            Operation::Add => a + b,
            Operation::Subtract => a - b,
            Operation::Multiply => a * b,
            Operation::Divide => a / b,
        }
    }
}

impl Gated {
    pub(super) fn evaluate(&self, input: &Plain) -> Plain {
        let shape = gated_shape(&input.shape).expect("a shape that fits");
        let half = input.channels() / 2;
        let mut values = Vec::with_capacity(input.values.len() / 2);
        for row in input.values.chunks_exact(2 * half) {
            let (first, second) = row.split_at(half);
            let (gate, value) = if self.gate_first { (first, second) } else { (second, first) };
            values.extend(value.iter().zip(gate).map(|(v, &g)| v * self.activation.of(g)));
        }
        Plain::new(&shape, values)
    }
}

impl Binary {
    pub(super) fn evaluate(&self, a: &Plain, b: &Plain) -> Plain {
        let of = |(a, b): (&f32, &f32)| self.operation.of(*a, *b);
        if a.shape == b.shape {
            return Plain::new(&a.shape, a.values.iter().zip(&b.values).map(of).collect());
        }
        let shape = shape::broadcast(&[&a.shape, &b.shape]).expect("shapes that fit");
        let a_steps = broadcast_steps(&a.shape, &shape);
        let b_steps = broadcast_steps(&b.shape, &shape);
        let place = |steps: &[usize], index: &[usize]| {
            index.iter().zip(steps).map(|(i, step)| i * step).sum::<usize>()
        };
        let elements = shape.iter().product();
        let mut index = vec![0; shape.len()];
        let mut values = Vec::with_capacity(elements);
        for _ in 0..elements {
            let (a, b) = (a.values[place(&a_steps, &index)], b.values[place(&b_steps, &index)]);
            values.push(self.operation.of(a, b));
            advance(&mut index, &shape);
        }
        Plain::new(&shape, values)
    }
}

pub(super) fn prelu_shape(slopes: &Parameter, input: &[usize]) -> Result<Vec<usize>, ShapeError> {
    shape::expect_parameter(slopes, &[shape::last(input)?])?;
    Ok(input.to_vec())
}

pub(super) fn gated_shape(input: &[usize]) -> Result<Vec<usize>, ShapeError> {
    let width = shape::last(input)?;
    if width == 0 || !width.is_multiple_of(2) {
        return Err(misfit("an even number of channels", input));
    }
    let mut output = input.to_vec();
    output[input.len() - 1] = width / 2;
    Ok(output)
}

pub(super) fn softmax_shape(input: &[usize]) -> Result<Vec<usize>, ShapeError> {
    shape::last(input)?;
    Ok(input.to_vec())
}

pub(super) fn prelu(slopes: &Parameter, input: &Plain) -> Plain {
    let mut output = input.clone();
    for row in output.values.chunks_exact_mut(slopes.values.len()) {
        for (x, slope) in row.iter_mut().zip(&*slopes.values) {
            *x = if *x < 0.0 { *x * slope } else { *x };
        }
    }
    output
}

pub(super) fn softmax(input: &Plain) -> Plain {
    let mut output = input.clone();
    output.values.chunks_exact_mut(input.channels()).for_each(softmax_row);
    output
}

/// Softmax in place; the sum is taken in f64.
pub(super) fn softmax_row(row: &mut [f32]) {
    let greatest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0_f64;
    for x in &mut *row {
        *x = (*x - greatest).exp();
        sum += f64::from(*x);
    }
    let scale = (1.0 / sum) as f32;
    row.iter_mut().for_each(|x| *x *= scale);
}
