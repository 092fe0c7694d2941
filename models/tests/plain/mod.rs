//! What tests of layers share: random values and running a model.

use models::nn::{Layer, Parameter, Plain};
use tract_core::internal::*;

/// xorshift64*
pub struct Random(pub u64);

impl Random {
    /// Between −1 and 1.
    pub fn value(&mut self) -> f32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 40;
        bits as f32 / (1 << 23) as f32 - 1.0
    }

    pub fn plain(&mut self, shape: &[usize]) -> Plain {
        Plain::new(shape, (0..shape.iter().product::<usize>()).map(|_| self.value()).collect())
    }

    pub fn parameter(&mut self, name: &str, shape: &[usize]) -> Parameter {
        Parameter::new(name, shape, self.plain(shape).values)
    }
}

/// The layer's output, after checking that its shape is the one that the shape rule gives.
pub fn evaluated(layer: &Layer, inputs: &[&Plain]) -> Plain {
    let shapes = inputs.iter().map(|input| input.shape.as_slice()).collect::<Vec<_>>();
    let shape = layer.output_shape(&shapes).unwrap_or_else(|error| panic!("{layer:?}: {error}"));
    let output = layer.evaluate(inputs);
    assert_eq!(output.shape, shape, "{}", layer.kind());
    output
}

pub fn assert_near(found: &[f32], expected: &[f32], bound: f32, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= bound, "{what} at {i}: {found}, expected {expected}");
    }
}

/// The outputs of a model, unoptimised.
pub fn run(model: &TypedModel, inputs: &[&Plain]) -> Vec<Plain> {
    let inputs = inputs
        .iter()
        .map(|input| {
            Tensor::from_shape(&input.shape, &input.values).expect("a tensor").into_tvalue()
        })
        .collect();
    let plan = model.clone().into_runnable().expect("the model runs");
    let outputs = plan.run(inputs).expect("the model runs");
    outputs
        .iter()
        .map(|output| {
            let values = output.try_as_plain_ram().expect("values");
            Plain::new(output.shape(), values.as_slice::<f32>().expect("f32").to_vec())
        })
        .collect()
}
