//! Why an ONNX file is refused.

use std::path::PathBuf;

/// What is wrong with an ONNX file.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The bytes are no ONNX model.
    #[error("not an ONNX model: {source}")]
    Decode {
        /// Where decoding stopped.
        source: prost::DecodeError,
    },
    /// The model has no graph, or its graph no outputs.
    #[error("the model has no {what}; export it again")]
    Absent {
        /// What is absent.
        what: &'static str,
    },
    /// An input's size is a name, and no size was given for it.
    #[error("input `{input}`: axis {axis} has no size; pass one as (\"{name}\", size)")]
    UnknownSize {
        /// The input.
        input: String,
        /// Counted from the front.
        axis: usize,
        /// The size's name in the file, or the name under which to pass it.
        name: String,
    },
    /// A node uses a value that no node before it computes.
    #[error("node `{node}` uses `{value}`, which no node before it computes")]
    UnknownValue {
        /// The node.
        node: String,
        /// The value.
        value: String,
    },
    /// Two nodes compute the same value.
    #[error("`{value}` is computed twice")]
    ComputedTwice {
        /// The value.
        value: String,
    },
    /// An extent is negative or too large.
    #[error("`{value}`: the extents {extents:?} are not supported")]
    Extents {
        /// The value.
        value: String,
        /// As in the file.
        extents: Vec<i64>,
    },
    /// A constant does not have the bytes that its shape demands.
    #[error("`{tensor}`: expected {expected} values, found {found}")]
    ValueCount {
        /// The constant.
        tensor: String,
        /// Values that the shape demands.
        expected: usize,
        /// Values that there are.
        found: usize,
    },
    /// Values of a type that is not read.
    #[error("`{value}`: element type {code} is not supported; export as f32 or f16")]
    ElementType {
        /// The value.
        value: String,
        /// Code in the ONNX schema.
        code: i32,
    },
    /// Values in another file are described wrongly.
    #[error("`{tensor}`: its external data is damaged: {reason}")]
    External {
        /// The constant.
        tensor: String,
        /// What about it.
        reason: &'static str,
    },
    /// An attribute is missing or of another type.
    #[error("node `{node}`: attribute `{attribute}` must be {expected}")]
    Attribute {
        /// The node.
        node: String,
        /// The attribute.
        attribute: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// A node has too few inputs or outputs.
    #[error("node `{node}` ({operation}) lacks its {what} {index}")]
    Operand {
        /// The node.
        node: String,
        /// Its operation.
        operation: String,
        /// `input` or `output`.
        what: &'static str,
        /// Counted from 0.
        index: usize,
    },
    /// A tensor is larger than any net that this importer is made for.
    #[error("`{value}` has {elements} elements, more than the {limit} that are allowed")]
    TooLarge {
        /// The value.
        value: String,
        /// Elements; the greatest number where there are more than that.
        elements: usize,
        /// Most that are accepted.
        limit: usize,
    },
    /// A node's inputs do not fit its operation.
    #[error("node `{node}` ({operation}): {reason}")]
    Shape {
        /// The node.
        node: String,
        /// Its operation.
        operation: String,
        /// What does not fit.
        reason: String,
    },
    /// Neither the vocabulary nor tract has the operation in this form.
    #[error("node `{node}` ({operation}) is not supported: {reason}")]
    Unsupported {
        /// The node.
        node: String,
        /// Its operation.
        operation: String,
        /// tract's reason.
        reason: String,
    },
}
