//! A compiled net.

use crate::{Imported, ModelError, tflite};
use std::sync::Arc;
use tract_core::internal::*;

/// A net ready to run; shared freely between threads.
pub struct Net {
    plan: Arc<TypedRunnableModel>,
    input_shape: Vec<usize>,
    outputs: Vec<(String, Vec<usize>)>,
}

/// One result of a net.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Name in the model file.
    pub name: String,
    /// Extents, outermost first; images are `[n, h, w, c]`.
    pub shape: Vec<usize>,
    /// Values, row-major.
    pub values: Vec<f32>,
}

impl Net {
    /// Reads and compiles a TensorFlow Lite file with float arithmetic.
    ///
    /// # Errors
    /// [`ModelError`] where the bytes are not such a file, are damaged, or use what is not supported.
    pub fn load(bytes: &[u8]) -> Result<Self, ModelError> {
        let compile = |error: TractError| ModelError::Compile { reason: format!("{error:#}") };
        let Imported { model, mut inputs, outputs, .. } = tflite::import(bytes)?;
        let (Some((_, input_shape)), true) = (inputs.pop(), inputs.is_empty()) else {
            return Err(ModelError::Structure {
                what: "inputs",
                expected: "1",
                found: inputs.len() + 1,
            });
        };
        let plan = model.into_optimized().and_then(|m| m.into_runnable()).map_err(compile)?;
        Ok(Self { plan, input_shape, outputs })
    }

    /// Extents of the input, outermost first; images are `[n, h, w, c]`.
    pub fn input_shape(&self) -> &[usize] {
        &self.input_shape
    }

    /// Names and extents of the outputs, in the order in which [`Net::run`] gives them.
    pub fn outputs(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.outputs.iter().map(|(name, shape)| (name.as_str(), shape.as_slice()))
    }

    /// Runs the net on row-major values of [`Net::input_shape`].
    ///
    /// # Errors
    /// [`ModelError::InputLength`] if `input` does not have as many values as the shape;
    /// [`ModelError::Run`] if execution fails.
    pub fn run(&self, input: &[f32]) -> Result<Vec<Output>, ModelError> {
        let expected = self.input_shape.iter().product();
        if input.len() != expected {
            let shape = self.input_shape.clone();
            return Err(ModelError::InputLength { shape, expected, found: input.len() });
        }
        self.execute(input).map_err(|error| ModelError::Run { reason: format!("{error:#}") })
    }

    fn execute(&self, input: &[f32]) -> TractResult<Vec<Output>> {
        let input = Tensor::from_shape(&self.input_shape, input)?;
        let results = self.plan.run(tvec!(input.into_tvalue()))?;
        self.outputs
            .iter()
            .zip(results)
            .map(|((name, shape), result)| {
                let values = result.try_as_plain_ram()?.as_slice::<f32>()?.to_vec();
                Ok(Output { name: name.clone(), shape: shape.clone(), values })
            })
            .collect()
    }
}
