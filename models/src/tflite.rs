//! TensorFlow Lite files to tract graphs.
//!
//! The files are float nets as MediaPipe publishes them: weights in fp16 behind `DEQUANTIZE`,
//! sparse weights behind `DENSIFY`, images `[n, h, w, c]`. Inside the graph images are
//! `[n, c, h, w]`, which tract's convolutions prefer; at its edges they are as in the file.

mod bilinear;
mod depth_to_space;
mod file;
mod flatbuffer;
mod operators;
mod sparse;

use crate::ModelError;
use file::{File, TensorEntry, element};
use tract_core::internal::*;

/// Most elements that all tensors of a graph may have together.
const TOTAL_LIMIT: usize = 1 << 28;

/// A graph made from a file, with the names and shapes of its outputs.
pub(crate) struct Imported {
    pub model: TypedModel,
    pub input_shape: Vec<usize>,
    pub outputs: Vec<(String, Vec<usize>)>,
}

/// Reads a file.
///
/// # Errors
/// [`ModelError`] for whatever is damaged or unsupported; no file makes this panic.
pub(crate) fn import(bytes: &[u8]) -> Result<Imported, ModelError> {
    let file = File::parse(bytes)?;
    let [input] = file.inputs[..] else {
        let found = file.inputs.len();
        return Err(ModelError::Structure { what: "inputs", expected: "1", found });
    };
    if file.outputs.is_empty() {
        return Err(ModelError::Structure { what: "outputs", expected: "1 or more", found: 0 });
    }
    let mut graph = Graph::new(&file);
    graph.add_input(input)?;
    for (index, operator) in file.operators.iter().enumerate() {
        operators::wire(&mut graph, index, operator)?;
    }
    let outlets = file
        .outputs
        .iter()
        .map(|&output| graph.as_in_file(output))
        .collect::<Result<Vec<_>, _>>()?;
    let mut model = graph.model;
    model.select_output_outlets(&outlets).map_err(compile)?;
    let shape_of = |index: usize| file.tensors[index].shape.clone();
    Ok(Imported {
        model,
        input_shape: shape_of(input),
        outputs: file
            .outputs
            .iter()
            .map(|&output| (file.tensors[output].name.clone(), shape_of(output)))
            .collect(),
    })
}

fn compile(error: TractError) -> ModelError {
    ModelError::Compile { reason: format!("{error:#}") }
}

/// Where a computed tensor is in the graph.
#[derive(Clone, Copy)]
enum Wire {
    /// As in the file.
    InFile(OutletId),
    /// `[n, h, w, c]` in the file, `[n, c, h, w]` here.
    ChannelsFirst(OutletId),
}

/// A constant's values.
enum Values {
    Float(Vec<f32>),
    Integer(Vec<i32>),
}

/// A graph under construction.
struct Graph<'a> {
    tensors: &'a [TensorEntry<'a>],
    model: TypedModel,
    wires: Vec<Option<Wire>>,
    /// For the output of a `DEQUANTIZE` or `DENSIFY`, the constant it stands for.
    stands_for: Vec<usize>,
    elements_left: usize,
    nodes: usize,
}

impl<'a> Graph<'a> {
    fn new(file: &'a File<'a>) -> Self {
        Self {
            tensors: &file.tensors,
            model: TypedModel::default(),
            wires: vec![None; file.tensors.len()],
            stands_for: (0..file.tensors.len()).collect(),
            elements_left: TOTAL_LIMIT,
            nodes: 0,
        }
    }

    fn add_input(&mut self, index: usize) -> Result<(), ModelError> {
        let tensor = &self.tensors[index];
        if tensor.element != element::F32 {
            return Err(ModelError::ElementType { tensor: index, code: tensor.element });
        }
        self.spend(index)?;
        let fact = f32::fact(&tensor.shape);
        let outlet = self.model.add_source("input", fact).map_err(compile)?;
        self.wires[index] = Some(Wire::InFile(outlet));
        Ok(())
    }

    /// Counts a tensor's elements against what a graph may have.
    fn spend(&mut self, index: usize) -> Result<(), ModelError> {
        let elements = self.tensors[index].shape.iter().product::<usize>();
        self.elements_left =
            self.elements_left.checked_sub(elements).ok_or(ModelError::TooLarge {
                what: "elements in all tensors",
                found: TOTAL_LIMIT - self.elements_left + elements,
                limit: TOTAL_LIMIT,
            })?;
        Ok(())
    }

    fn shape(&self, index: usize) -> &'a [usize] {
        &self.tensors[index].shape
    }

    /// Whether the tensor's values are in the file.
    fn is_constant(&self, index: usize) -> bool {
        !self.tensors[self.stands_for[index]].values.is_empty()
    }

    /// The values of a constant, dense; fp16 as f32.
    fn constant(&mut self, index: usize) -> Result<Values, ModelError> {
        let source = self.stands_for[index];
        self.spend(source)?;
        let tensor = &self.tensors[source];
        let shape = &tensor.shape;
        if shape != self.shape(index) {
            return Err(ModelError::BadShape {
                tensor: index,
                shape: self.shape(index).iter().map(|&e| e as i32).collect(),
            });
        }
        let bytes_each = match tensor.element {
            element::F32 | element::I32 => 4,
            element::F16 => 2,
            code => return Err(ModelError::ElementType { tensor: source, code }),
        };
        let expected = shape.iter().product::<usize>() * bytes_each;
        let found = tensor.values.len();
        if tensor.sparsity.is_none() && found != expected
            || tensor.sparsity.is_some() && !found.is_multiple_of(bytes_each)
        {
            return Err(ModelError::ValueCount { tensor: source, expected, found });
        }
        let float = |values: Vec<f32>| match &tensor.sparsity {
            None => Ok(values),
            Some(sparsity) => sparse::densify(source, sparsity, shape, &values),
        };
        let words = tensor.values.as_chunks::<4>().0.iter();
        Ok(match tensor.element {
            element::F32 => Values::Float(float(words.map(|&b| f32::from_le_bytes(b)).collect())?),
            element::F16 => {
                let halves = tensor.values.as_chunks::<2>().0.iter();
                let widened = halves.map(|&b| half::f16::from_le_bytes(b).to_f32());
                Values::Float(float(widened.collect())?)
            }
            _ if tensor.sparsity.is_some() => {
                return Err(ModelError::ElementType { tensor: source, code: tensor.element });
            }
            _ => Values::Integer(words.map(|&b| i32::from_le_bytes(b)).collect()),
        })
    }

    fn floats(&mut self, index: usize) -> Result<Vec<f32>, ModelError> {
        match self.constant(index)? {
            Values::Float(values) => Ok(values),
            Values::Integer(_) => {
                Err(ModelError::ElementType { tensor: index, code: element::I32 })
            }
        }
    }

    fn integers(&mut self, index: usize) -> Result<Vec<i32>, ModelError> {
        match self.constant(index)? {
            Values::Integer(values) => Ok(values),
            Values::Float(_) => Err(ModelError::ElementType { tensor: index, code: element::F32 }),
        }
    }

    fn name(&mut self, what: &str) -> String {
        self.nodes += 1;
        format!("{}.{what}", self.nodes)
    }

    /// Adds a constant to the graph.
    fn add_constant(&mut self, shape: &[usize], values: &[f32]) -> Result<OutletId, ModelError> {
        let name = self.name("constant");
        let tensor = Tensor::from_shape(shape, values).map_err(compile)?;
        self.model.add_const(name, tensor).map_err(compile)
    }

    /// Adds an operation to the graph.
    fn add(
        &mut self,
        op: impl Into<Box<dyn TypedOp>>,
        inputs: &[OutletId],
    ) -> Result<OutletId, ModelError> {
        let op = op.into();
        let name = self.name(&op.name());
        let outlets = self.model.wire_node(name, op, inputs).map_err(compile)?;
        Ok(outlets[0])
    }

    /// A tensor in the layout of the file.
    fn as_in_file(&mut self, index: usize) -> Result<OutletId, ModelError> {
        if self.is_constant(index) {
            let values = self.floats(index)?;
            return self.add_constant(self.shape(index), &values);
        }
        match self.wire(index)? {
            Wire::InFile(outlet) => Ok(outlet),
            Wire::ChannelsFirst(outlet) => {
                let outlet = self.add(AxisOp::Move(1, 3), &[outlet])?;
                Ok(outlet)
            }
        }
    }

    /// A computed image, `[n, c, h, w]`.
    fn channels_first(&mut self, index: usize) -> Result<OutletId, ModelError> {
        match self.wire(index)? {
            Wire::ChannelsFirst(outlet) => Ok(outlet),
            Wire::InFile(outlet) => {
                let outlet = self.add(AxisOp::Move(3, 1), &[outlet])?;
                self.wires[index] = Some(Wire::ChannelsFirst(outlet));
                Ok(outlet)
            }
        }
    }

    fn wire(&self, index: usize) -> Result<Wire, ModelError> {
        self.wires[index].ok_or(ModelError::NoSuchEntry {
            what: "computed tensor",
            index: index as i64,
            count: self.wires.iter().flatten().count(),
        })
    }
}
