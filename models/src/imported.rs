//! What import of a model file gives.

use tract_core::internal::TypedModel;

/// A net read from a file: a graph of [vocabulary nodes](crate::nn), sources, constants, and what stays tract's.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The graph. Its sources carry the names of the inputs; its i-th output outlet is the i-th output.
    pub model: TypedModel,
    /// Name and shape of each input; images are `[n, h, w, c]`.
    pub inputs: Vec<(String, Vec<usize>)>,
    /// Name and shape of each output; images are `[n, h, w, c]`.
    pub outputs: Vec<(String, Vec<usize>)>,
    /// Name and operation of each node that the vocabulary has no layer for.
    pub left_to_tract: Vec<(String, String)>,
}
