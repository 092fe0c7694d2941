//! ONNX files to the vocabulary.
//!
//! A file is read into a graph with known shapes, in which what is made of constants is a constant. Recognisers then put one layer of the
//! vocabulary in the place of the nodes that compute it: attention, norms, gated and plain activations, rotary embeddings. Last the graph
//! becomes a tract model. Images, `[n, c, h, w]` in the file, are stored `[n, h, w, c]`: also at the inputs and outputs, as
//! [`Imported`] says. A transpose in the file only renames axes; values are moved where two orders meet.
//!
//! What the vocabulary lacks stays tract's operation, and is listed in [`Imported::left_to_tract`].

mod emit;
mod error;
mod file;
mod graph;
mod read;
mod recognise;
mod tract;

use crate::Imported;
pub use error::OnnxError;
use std::collections::BTreeMap;
use std::path::Path;

/// A net read from an ONNX file, and what the file says of its quantisation.
pub struct Onnx {
    /// The net.
    pub imported: Imported,
    /// Scale and zero point of the output of each node that the file quantises, by node name.
    pub ranges: BTreeMap<String, (f32, i32)>,
    /// Scales of the weights that the file stores as integers, one or one a channel, by layer name.
    pub weights: BTreeMap<String, Vec<f32>>,
}

/// Reads a file, all of whose sizes are numbers.
///
/// # Errors
/// As [`import_with`].
pub fn import(path: &Path) -> Result<Imported, OnnxError> {
    import_with(path, &[]).map(|onnx| onnx.imported)
}

/// Reads a file; `sizes` gives those that are names in it, and for nameless ones `INPUT.AXIS`.
///
/// # Errors
/// [`OnnxError`] for what is damaged or unsupported; no file makes this panic.
pub fn import_with(path: &Path, sizes: &[(String, usize)]) -> Result<Onnx, OnnxError> {
    let model = file::read(path)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let (mut graph, opset) = read::read(model, folder, sizes)?;
    graph.seal();
    recognise::recognise(&mut graph);
    emit::emit(graph, opset)
}
