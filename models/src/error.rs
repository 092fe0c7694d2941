//! Why a model file is refused or a net does not run.

/// What went wrong with a model file or a net made of it.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The file does not begin like a TensorFlow Lite model.
    #[error("not a TensorFlow Lite model: the bytes 4 to 8 are not `TFL3`")]
    NotTflite,
    /// A reference in the file points outside it.
    #[error(
        "model file is damaged: {size} bytes at offset {offset} do not lie within its {length} bytes"
    )]
    OutOfFile {
        /// Where the reference points.
        offset: usize,
        /// How many bytes it needs there.
        size: usize,
        /// Length of the file.
        length: usize,
    },
    /// A field that the format demands is absent.
    #[error("model file is damaged: `{field}` is missing")]
    MissingField {
        /// Name in the TensorFlow Lite schema.
        field: &'static str,
    },
    /// An index names nothing.
    #[error("model file is damaged: {what} {index} does not exist, there are {count}")]
    NoSuchEntry {
        /// What is indexed.
        what: &'static str,
        /// The index.
        index: i64,
        /// How many there are.
        count: usize,
    },
    /// The file asks for more than any net that this runtime is made for.
    #[error("model file asks for {found} {what}, more than the {limit} that are allowed")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// The amount found.
        found: usize,
        /// The largest amount accepted.
        limit: usize,
    },
    /// The model does not have exactly one main graph, or that graph no input or output.
    #[error("model file has {found} {what}, expected {expected}")]
    Structure {
        /// What was counted.
        what: &'static str,
        /// How many were expected.
        expected: &'static str,
        /// How many were found.
        found: usize,
    },
    /// An operation that the importer does not know.
    #[error("operation {index} is `{name}`, which is not supported")]
    UnknownOperation {
        /// Position in the graph.
        index: usize,
        /// The builtin's code, or the custom operation's name.
        name: String,
    },
    /// An operation is used in a way that the importer does not support.
    #[error("operation {index} ({operation}): {reason}")]
    Unsupported {
        /// Position in the graph.
        index: usize,
        /// The operation's name.
        operation: &'static str,
        /// What about it.
        reason: &'static str,
    },
    /// The shape that an operation gives is not the one that the file declares.
    #[error(
        "operation {index} ({operation}): the file declares shape {declared:?}, the operation gives {given:?}"
    )]
    ShapeDisagrees {
        /// Position in the graph.
        index: usize,
        /// The operation's name.
        operation: &'static str,
        /// Shape in the file, `[n, h, w, c]`.
        declared: Vec<usize>,
        /// Shape that follows from the inputs.
        given: Vec<usize>,
    },
    /// A tensor has a shape that cannot be.
    #[error("tensor {tensor}: the shape {shape:?} is not supported")]
    BadShape {
        /// Index of the tensor.
        tensor: usize,
        /// The shape as declared.
        shape: Vec<i32>,
    },
    /// A tensor's values are of a type that the importer does not read.
    #[error("tensor {tensor}: element type {code} is not supported here")]
    ElementType {
        /// Index of the tensor.
        tensor: usize,
        /// Code in the TensorFlow Lite schema.
        code: i8,
    },
    /// A constant's buffer does not hold what its shape demands.
    #[error("tensor {tensor}: expected {expected} bytes of values, found {found}")]
    ValueCount {
        /// Index of the tensor.
        tensor: usize,
        /// Bytes that the shape demands.
        expected: usize,
        /// Bytes in the buffer.
        found: usize,
    },
    /// The description of a sparse tensor contradicts itself.
    #[error("tensor {tensor}: sparse layout is damaged: {reason}")]
    Sparse {
        /// Index of the tensor.
        tensor: usize,
        /// What about it.
        reason: &'static str,
    },
    /// The compiler refused a graph that the importer accepted.
    #[error("the net does not compile: {reason}")]
    Compile {
        /// The compiler's words.
        reason: String,
    },
    /// [`Net::run`](crate::Net::run) was given the wrong number of values.
    #[error("the net's input is {shape:?}, {expected} values; {found} were given")]
    InputLength {
        /// The input's shape.
        shape: Vec<usize>,
        /// Values in that shape.
        expected: usize,
        /// Values given.
        found: usize,
    },
    /// Execution failed.
    #[error("the net does not run: {reason}")]
    Run {
        /// The engine's words.
        reason: String,
    },
}
