//! Values: those that training left, and those that plain evaluation passes on.

use std::sync::Arc;

/// Weights, a bias or a table: what training left.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Name in the checkpoint, `down_blocks.0.resnets.0.conv1.weight`.
    pub name: String,
    /// Extents, outermost first.
    pub shape: Vec<usize>,
    /// Row-major.
    pub values: Arc<[f32]>,
}

/// Two parameters are one where they share their values: comparing hundreds of megabytes would help nobody.
impl PartialEq for Parameter {
    fn eq(&self, other: &Self) -> bool {
        self.shape == other.shape && Arc::ptr_eq(&self.values, &other.values)
    }
}

impl Parameter {
    /// Values under a name.
    ///
    /// # Panics
    /// Where there are not as many values as the shape says.
    pub fn new(name: impl Into<String>, shape: &[usize], values: impl Into<Arc<[f32]>>) -> Self {
        let (name, shape, values) = (name.into(), shape.to_vec(), values.into());
        assert_eq!(values.len(), shape.iter().product::<usize>(), "`{name}`: values of {shape:?}");
        Self { name, shape, values }
    }
}

/// A tensor in plain evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct Plain {
    /// Extents, outermost first.
    pub shape: Vec<usize>,
    /// Row-major.
    pub values: Vec<f32>,
}

impl Plain {
    /// # Panics
    /// Where there are not as many values as the shape says.
    pub fn new(shape: &[usize], values: Vec<f32>) -> Self {
        assert_eq!(values.len(), shape.iter().product::<usize>(), "values of {shape:?}");
        Self { shape: shape.to_vec(), values }
    }

    /// A function of each value.
    pub fn map(&self, function: impl Fn(f32) -> f32) -> Self {
        Self {
            shape: self.shape.clone(),
            values: self.values.iter().map(|&x| function(x)).collect(),
        }
    }

    /// The same values under another shape.
    pub fn reshaped(&self, shape: &[usize]) -> Self {
        Self::new(shape, self.values.clone())
    }

    /// The last extent.
    pub fn channels(&self) -> usize {
        *self.shape.last().expect("a tensor of one axis or more")
    }
}
