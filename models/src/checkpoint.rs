//! Checkpoints: trained weights in safetensors files, by the names that training gave them.
//!
//! A checkpoint is one `.safetensors` file, or several with an index, a JSON file whose `weight_map` says in which of the files beside it
//! a tensor is. Values are read when they are asked for, so that a checkpoint larger than the memory can be gone through.
//!
//! Checkpoints keep a convolution's weights as `[c_out, c_in, h, w]`, those of a transposed one as `[c_in, c_out, h, w]`; the
//! [vocabulary](crate::nn) keeps the channels last. [`Checkpoint::convolution`] and [`Checkpoint::transposed_convolution`] reorder them.

use crate::nn::Parameter;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Longest header accepted, in bytes.
const HEADER_LIMIT: u64 = 100_000_000;

/// Why a checkpoint, or a tensor of it, cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// A file cannot be read.
    #[error("cannot read {path}: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's words.
        #[source]
        error: std::io::Error,
    },
    /// A file is shorter or longer than its header says.
    #[error("{path} is damaged: expected {expected} bytes, found {found}; fetch it again")]
    Length {
        /// The file.
        path: PathBuf,
        /// Bytes that the header accounts for.
        expected: u64,
        /// Bytes in the file.
        found: u64,
    },
    /// The header is not one, or contradicts itself.
    #[error("{path} is not a safetensors file, or damaged: {error}")]
    Header {
        /// The file.
        path: PathBuf,
        /// What about it.
        #[source]
        error: serde_json::Error,
    },
    /// The index is not one.
    #[error("{path} is not an index of safetensors files: {error}")]
    Index {
        /// The file.
        path: PathBuf,
        /// What about it.
        #[source]
        error: serde_json::Error,
    },
    /// The index names something that is not a file beside it.
    #[error("{path}: `{file}` is not the name of a file beside the index")]
    Elsewhere {
        /// The index.
        path: PathBuf,
        /// What it names.
        file: String,
    },
    /// The index places a tensor in a file that does not have it.
    #[error("{path} does not hold `{name}`, which the index places there")]
    NotInFile {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
    },
    /// No tensor has this name.
    #[error("weight `{name}`: expected shape {expected:?}, found no tensor of this name")]
    Missing {
        /// The name asked for.
        name: String,
        /// The shape asked for.
        expected: Vec<usize>,
    },
    /// A tensor has another shape.
    #[error("weight `{name}`: expected shape {expected:?}, found {found:?}")]
    Shape {
        /// The tensor.
        name: String,
        /// The shape asked for.
        expected: Vec<usize>,
        /// Its shape.
        found: Vec<usize>,
    },
    /// A tensor's values are of a type that is not read.
    #[error("weight `{name}`: expected values of f32, f16 or bf16, found {found:?}")]
    ElementType {
        /// The tensor.
        name: String,
        /// Their type.
        found: Dtype,
    },
}

/// A checkpoint whose tensors can be taken by name.
pub struct Checkpoint {
    files: Vec<Shard>,
    /// Which file holds a tensor.
    places: BTreeMap<String, usize>,
    taken: BTreeSet<String>,
}

struct Shard {
    path: PathBuf,
    file: File,
    metadata: Metadata,
    /// Where values begin.
    start: u64,
}

#[derive(Deserialize)]
struct Index {
    weight_map: HashMap<String, String>,
}

impl Checkpoint {
    /// Opens a `.safetensors` file, or the index of several, which ends in `.json`.
    ///
    /// # Errors
    /// [`CheckpointError`] where a file is absent or damaged.
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
        if path.extension().is_none_or(|extension| extension != "json") {
            let shard = Shard::open(path)?;
            let names = shard.metadata.offset_keys();
            let places = names.into_iter().map(|name| (name, 0)).collect();
            return Ok(Self { files: vec![shard], places, taken: BTreeSet::new() });
        }
        let index = std::fs::read(path).map_err(|error| unread(path, error))?;
        let index: Index = serde_json::from_slice(&index)
            .map_err(|error| CheckpointError::Index { path: path.into(), error })?;
        let mut files: Vec<Shard> = Vec::new();
        let mut numbers = HashMap::new();
        let mut places = BTreeMap::new();
        for (name, file) in index.weight_map {
            let number = match numbers.get(&file) {
                Some(&number) => number,
                None => {
                    if Path::new(&file).file_name().is_none_or(|name| name != file.as_str()) {
                        return Err(CheckpointError::Elsewhere { path: path.into(), file });
                    }
                    files.push(Shard::open(&path.with_file_name(&file))?);
                    numbers.insert(file, files.len() - 1);
                    files.len() - 1
                }
            };
            if files[number].metadata.info(&name).is_none() {
                return Err(CheckpointError::NotInFile { path: files[number].path.clone(), name });
            }
            places.insert(name, number);
        }
        Ok(Self { files, places, taken: BTreeSet::new() })
    }

    /// The shape of a tensor, as the checkpoint has it.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        let file = &self.files[*self.places.get(name)?];
        Some(&file.metadata.info(name)?.shape)
    }

    /// The names of all tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }

    /// The names of the tensors that nobody has asked for, sorted.
    pub fn left_over(&self) -> impl Iterator<Item = &str> {
        self.names().filter(|name| !self.taken.contains(*name))
    }

    /// A tensor, in f32.
    ///
    /// # Errors
    /// [`CheckpointError`] where there is none of this name and shape, its values are not floats, or the file cannot be read.
    pub fn parameter(&mut self, name: &str, shape: &[usize]) -> Result<Parameter, CheckpointError> {
        let Some(&place) = self.places.get(name) else {
            return Err(CheckpointError::Missing { name: name.into(), expected: shape.into() });
        };
        let file = &mut self.files[place];
        let values = file.values(name, shape)?;
        self.taken.insert(name.to_owned());
        Ok(Parameter::new(name, shape, values))
    }

    /// As [`Checkpoint::parameter`], none where no tensor has this name.
    ///
    /// # Errors
    /// As [`Checkpoint::parameter`], but for a missing one.
    pub fn optional(
        &mut self,
        name: &str,
        shape: &[usize],
    ) -> Result<Option<Parameter>, CheckpointError> {
        self.places.contains_key(name).then(|| self.parameter(name, shape)).transpose()
    }

    /// Weights of a convolution, `[c_out, height, width, c_in / groups]`, from a tensor `[c_out, c_in / groups, height, width]`.
    ///
    /// # Errors
    /// As [`Checkpoint::parameter`].
    pub fn convolution(
        &mut self,
        name: &str,
        shape: [usize; 4],
    ) -> Result<Parameter, CheckpointError> {
        let [out, height, width, depth] = shape;
        let stored = self.parameter(name, &[out, depth, height, width])?;
        Ok(reordered(stored, [0, 2, 3, 1]))
    }

    /// Weights of a transposed convolution, `[height, width, c_in, c_out]`, from a tensor `[c_in, c_out, height, width]`.
    ///
    /// # Errors
    /// As [`Checkpoint::parameter`].
    pub fn transposed_convolution(
        &mut self,
        name: &str,
        shape: [usize; 4],
    ) -> Result<Parameter, CheckpointError> {
        let [height, width, depth, out] = shape;
        let stored = self.parameter(name, &[depth, out, height, width])?;
        Ok(reordered(stored, [2, 3, 0, 1]))
    }
}

impl Shard {
    fn open(path: &Path) -> Result<Self, CheckpointError> {
        let read = |error| unread(path, error);
        let mut file = File::open(path).map_err(read)?;
        let found = file.metadata().map_err(read)?.len();
        let length = |expected| CheckpointError::Length { path: path.into(), expected, found };
        let mut size = [0; 8];
        file.read_exact(&mut size).map_err(|_| length(8))?;
        let size = u64::from_le_bytes(size);
        let start = size.saturating_add(8);
        if size > HEADER_LIMIT || start > found {
            return Err(length(start));
        }
        let mut header = vec![0; size as usize];
        file.read_exact(&mut header).map_err(read)?;
        let metadata: Metadata = serde_json::from_slice(&header)
            .map_err(|error| CheckpointError::Header { path: path.into(), error })?;
        let expected = start.saturating_add(metadata.data_len() as u64);
        if expected != found {
            return Err(length(expected));
        }
        Ok(Self { path: path.into(), file, metadata, start })
    }

    fn values(&mut self, name: &str, expected: &[usize]) -> Result<Vec<f32>, CheckpointError> {
        let Some(TensorInfo { dtype, shape, data_offsets: (start, end) }) =
            self.metadata.info(name)
        else {
            return Err(CheckpointError::Missing { name: name.into(), expected: expected.into() });
        };
        if shape != expected {
            return Err(CheckpointError::Shape {
                name: name.into(),
                expected: expected.into(),
                found: shape.clone(),
            });
        }
        if !matches!(dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16) {
            return Err(CheckpointError::ElementType { name: name.into(), found: *dtype });
        }
        let mut bytes = vec![0; end - start];
        self.file
            .seek(SeekFrom::Start(self.start + *start as u64))
            .and_then(|_| self.file.read_exact(&mut bytes))
            .map_err(|error| unread(&self.path, error))?;
        let halves = || bytes.as_chunks::<2>().0.iter();
        Ok(match dtype {
            Dtype::F16 => halves().map(|&b| half::f16::from_le_bytes(b).to_f32()).collect(),
            Dtype::BF16 => halves().map(|&b| half::bf16::from_le_bytes(b).to_f32()).collect(),
            _ => bytes.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
        })
    }
}

fn unread(path: &Path, error: std::io::Error) -> CheckpointError {
    CheckpointError::Read { path: path.into(), error }
}

/// The parameter with its axes in another order.
fn reordered(parameter: Parameter, axes: [usize; 4]) -> Parameter {
    let steps = axes.map(|axis| parameter.shape[axis + 1..].iter().product::<usize>());
    let shape = axes.map(|axis| parameter.shape[axis]);
    let mut values = Vec::with_capacity(parameter.values.len());
    for i in 0..shape[0] {
        for j in 0..shape[1] {
            for k in 0..shape[2] {
                let from = i * steps[0] + j * steps[1] + k * steps[2];
                values.extend((0..shape[3]).map(|l| parameter.values[from + l * steps[3]]));
            }
        }
    }
    Parameter::new(parameter.name, &shape, values)
}
