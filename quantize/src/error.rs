//! Why a net could not be quantized.

use std::path::PathBuf;

/// Why a net could not be quantized.
#[derive(Debug, thiserror::Error)]
pub enum QuantizeError {
    /// The observer's name.
    #[error(
        "observer `{found}`: expected min-max, percentile, percentile=SHARE (50 to 100), entropy or mse"
    )]
    Observer {
        /// What was given.
        found: String,
    },
    /// How timesteps are merged.
    #[error("`{found}`: expected maximum or a percentage of the timesteps, 0 to 100")]
    Merge {
        /// What was given.
        found: String,
    },
    /// A pattern that is none.
    #[error("pattern `{found}` is empty; give a layer's name, * stands for any letters")]
    Pattern {
        /// What was given.
        found: String,
    },
    /// A pattern that no layer's name matches.
    #[error(
        "no layer with weights has a name that matches `{pattern}`; the report lists the names"
    )]
    NothingMatches {
        /// What was given.
        pattern: String,
    },
    /// A file or folder could not be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A picture could not be decoded.
    #[error("`{}` is no readable picture", path.display())]
    Picture {
        /// Which.
        path: PathBuf,
        /// What the decoder said.
        source: image::ImageError,
    },
    /// A picture for an input that is none.
    #[error(
        "`{}` is a picture, but input `{input}` has shape {shape:?}; give it .npy or .safetensors",
        path.display()
    )]
    NoPicture {
        /// The file.
        path: PathBuf,
        /// The input.
        input: String,
        /// The input's shape.
        shape: Vec<usize>,
    },
    /// A file is not what its ending says.
    #[error("`{}` is no .npy file of numbers", path.display())]
    Npy {
        /// Which.
        path: PathBuf,
        /// What the reader said.
        source: std::io::Error,
    },
    /// Elements that nets do not take.
    #[error("`{}` holds {found}, expected f16, f32, f64 or integers", path.display())]
    Element {
        /// Which.
        path: PathBuf,
        /// The element.
        found: String,
    },
    /// A file is not what its ending says.
    #[error("`{}` is no .safetensors file", path.display())]
    Safetensors {
        /// Which.
        path: PathBuf,
        /// What the reader said.
        source: safetensors::SafeTensorError,
    },
    /// A tensor is missing in a file.
    #[error("`{}` has no tensor `{input}`, only {found:?}; name tensors like the net's inputs", path.display())]
    NoTensor {
        /// The file.
        path: PathBuf,
        /// The input.
        input: String,
        /// What there is.
        found: Vec<String>,
    },
    /// A tensor of another shape.
    #[error("`{}`: input `{input}` has shape {expected:?}, found {found:?}", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// The input.
        input: String,
        /// The input's shape.
        expected: Vec<usize>,
        /// The tensor's.
        found: Vec<usize>,
    },
    /// A value that is no number.
    #[error("`{}` holds values that are infinite or no numbers", path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
    },
    /// Nothing in the folder.
    #[error(
        "no samples in `{}`: expected pictures, .npy or .safetensors{}",
        path.display(),
        several_inputs(inputs)
    )]
    NoSamples {
        /// The folder.
        path: PathBuf,
        /// The net's inputs.
        inputs: Vec<String>,
    },
    /// A sample lacks an input.
    #[error("sample `{sample}` in `{}` has no file for input `{input}`", path.display())]
    Incomplete {
        /// The folder.
        path: PathBuf,
        /// The sample.
        sample: String,
        /// The input.
        input: String,
    },
    /// The net takes no timestep.
    #[error(
        "--steps: none of the inputs {inputs:?} is a timestep of one value; name it with --step-input"
    )]
    NoTimestep {
        /// The net's inputs.
        inputs: Vec<String>,
    },
    /// An input of the net whose shape is not known.
    #[error("input `{input}` has no fixed shape; export the net with fixed sizes")]
    InputShape {
        /// The input.
        input: String,
    },
    /// A value of the net is infinite or no number.
    #[error(
        "layer `{layer}` makes {count} values that are infinite or no numbers; check the samples' range (--mean, --std)"
    )]
    Diverges {
        /// The layer.
        layer: String,
        /// How many.
        count: u64,
    },
    /// A board that there is not.
    #[error(transparent)]
    Board(#[from] targets::UnknownBoard),
    /// The weights do not fit.
    #[error(
        "the weights take {megabytes:.1} MB, more than --max-mb {limit}; allow lower --min-psnr or int4 weights"
    )]
    TooLarge {
        /// What they take.
        megabytes: f64,
        /// What they may.
        limit: f64,
    },
    /// An operation without a form in ONNX.
    #[error(
        "layer `{layer}`: operation `{operation}` has no form in the ONNX file that --qdq writes; leave --qdq out"
    )]
    NoOnnx {
        /// The layer.
        layer: String,
        /// Its operation.
        operation: String,
    },
    /// The net could not be rebuilt.
    #[error("the net cannot be changed: {reason}")]
    Rebuild {
        /// What tract said.
        reason: String,
    },
    /// The runtime refused.
    #[error("the net does not run")]
    Runtime(#[from] vitrine::runtime::engine::RuntimeError),
    /// The net could not be lowered.
    #[error("the net cannot be lowered")]
    Lower(#[from] vitrine::runtime::lower::LowerError),
    /// Threads.
    #[error("the system gives no threads")]
    Threads {
        /// What it said.
        reason: String,
    },
    /// A file could not be written.
    #[error("nothing was written")]
    Output(#[from] vitrine::output::OutputError),
}

fn several_inputs(inputs: &[String]) -> String {
    if inputs.len() < 2 {
        return String::new();
    }
    format!(
        "; for the inputs {} a folder of that name each, files that start with the name, or .safetensors with all of them",
        inputs.join(", ")
    )
}
