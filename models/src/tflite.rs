//! TensorFlow Lite files to the [vocabulary](crate::nn).
//!
//! The files are float nets as MediaPipe publishes them: weights in fp16 behind `DEQUANTIZE`,
//! sparse weights behind `DENSIFY`, images `[n, h, w, c]`, in the file as in the graph.
//!
//! A layer is named after the tensor that it gives: of the names that the converter put together with
//! `;` the first, without the scopes that all have, with dots between the rest, `re_lu_2.Relu6`. What
//! follows it for the same tensor, such as a fused activation, has the name of its kind appended;
//! where the file names nothing, a layer is `<index>.<kind>`.

mod file;
mod flatbuffer;
mod operators;
mod sparse;

use crate::nn::{self, Layer, Parameter};
use crate::{Imported, ModelError};
use file::{File, TensorEntry, element};
use std::collections::HashMap;
use tract_core::internal::*;

/// Most elements that all tensors of a graph may have together.
const TOTAL_LIMIT: usize = 1 << 28;

/// Reads a file.
///
/// # Errors
/// [`ModelError`] for whatever is damaged or unsupported; no file makes this panic.
pub fn import(bytes: &[u8]) -> Result<Imported, ModelError> {
    let file = File::parse(bytes)?;
    for (what, list) in [("inputs", &file.inputs), ("outputs", &file.outputs)] {
        if list.is_empty() {
            return Err(ModelError::Structure { what, expected: "1 or more", found: 0 });
        }
    }
    let mut graph = Graph::new(&file);
    let inputs = file
        .inputs
        .iter()
        .map(|&input| Ok((graph.add_input(input)?, file.tensors[input].shape.clone())))
        .collect::<Result<_, ModelError>>()?;
    for (index, operator) in file.operators.iter().enumerate() {
        operators::wire(&mut graph, index, operator)?;
    }
    let outlets =
        file.outputs.iter().map(|&output| graph.outlet(output)).collect::<Result<Vec<_>, _>>()?;
    let mut model = graph.model;
    model.select_output_outlets(&outlets).map_err(compile)?;
    let output =
        |&index: &usize| (file.tensors[index].name.clone(), file.tensors[index].shape.clone());
    let outputs = file.outputs.iter().map(output).collect();
    Ok(Imported { model, inputs, outputs, left_to_tract: Vec::new() })
}

/// Of the names that the converter put together, the first.
fn first_name(name: &str) -> &str {
    name.split(';').next().unwrap_or_default()
}

/// What the names of all computed tensors that have scopes begin with, up to a slash.
fn shared_scopes(file: &File) -> String {
    let computed = file.operators.iter().flat_map(|operator| &operator.outputs);
    let names = computed.map(|&output| first_name(&file.tensors[output].name));
    let mut names = names.filter(|name| name.contains('/'));
    let Some(first) = names.next() else { return String::new() };
    let mut shared = first;
    for name in names {
        let same = shared.bytes().zip(name.bytes()).take_while(|(a, b)| a == b).count();
        shared = shared.get(..same).unwrap_or_default();
    }
    shared[..shared.rfind('/').map_or(0, |slash| slash + 1)].to_owned()
}

fn compile(error: TractError) -> ModelError {
    ModelError::Compile { reason: format!("{error:#}") }
}

/// Zeros around a computed image that are not in the graph yet: a convolution takes them into its padding.
#[derive(Clone, Copy)]
struct Margin {
    /// The tensor without them.
    inner: usize,
    /// Top, left, bottom, right.
    pads: [usize; 4],
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
    wires: Vec<Option<OutletId>>,
    margins: Vec<Option<Margin>>,
    /// For the output of a `DEQUANTIZE` or `DENSIFY`, the constant it stands for.
    stands_for: Vec<usize>,
    elements_left: usize,
    /// The scopes that the names of all computed tensors begin with.
    scopes: String,
    /// How often each name was asked for.
    names: HashMap<String, usize>,
}

impl<'a> Graph<'a> {
    fn new(file: &'a File<'a>) -> Self {
        Self {
            tensors: &file.tensors,
            model: TypedModel::default(),
            wires: vec![None; file.tensors.len()],
            margins: vec![None; file.tensors.len()],
            stands_for: (0..file.tensors.len()).collect(),
            elements_left: TOTAL_LIMIT,
            scopes: shared_scopes(file),
            names: HashMap::new(),
        }
    }

    /// Adds a source; its name.
    fn add_input(&mut self, index: usize) -> Result<String, ModelError> {
        let tensor = &self.tensors[index];
        if tensor.element != element::F32 {
            return Err(ModelError::ElementType { tensor: index, code: tensor.element });
        }
        if self.is_computed(index) || self.is_constant(index) {
            return Err(ModelError::Structure {
                what: "inputs",
                expected: "different ones without values",
                found: self.tensors.len(),
            });
        }
        self.spend(index)?;
        let name = self.free_name(if tensor.name.is_empty() { "input" } else { &tensor.name });
        let fact = f32::fact(&tensor.shape);
        let outlet = self.model.add_source(name.as_str(), fact).map_err(compile)?;
        self.wires[index] = Some(outlet);
        Ok(name)
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

    /// The values of a constant, as a layer keeps them.
    fn parameter(&mut self, index: usize) -> Result<Parameter, ModelError> {
        let values = self.floats(index)?;
        Ok(Parameter::new(self.tensors[index].name.as_str(), self.shape(index), values))
    }

    fn is_computed(&self, index: usize) -> bool {
        self.wires[index].is_some() || self.margins[index].is_some()
    }

    /// What a tensor is called in the graph, where the file names it.
    fn name(&self, index: usize) -> Option<String> {
        let name = first_name(&self.tensors[index].name);
        let name = name.strip_prefix(self.scopes.as_str()).unwrap_or(name);
        (!name.is_empty()).then(|| name.replace('/', "."))
    }

    /// A name that no node has: this one, or this one with a number.
    fn free_name(&mut self, name: &str) -> String {
        let mut free = name.to_owned();
        while self.names.contains_key(&free) {
            let times = self.names.entry(name.to_owned()).or_default();
            *times += 1;
            free = format!("{name}.{times}");
        }
        self.names.insert(free.clone(), 1);
        free
    }

    /// Adds a layer to the graph.
    fn add(
        &mut self,
        name: &str,
        layer: Layer,
        inputs: &[OutletId],
    ) -> Result<OutletId, ModelError> {
        let name = self.free_name(name);
        nn::add(&mut self.model, name, layer, inputs).map_err(compile)
    }

    /// Where a tensor is in the graph; a constant is put there, and so are zeros around an image.
    fn outlet(&mut self, index: usize) -> Result<OutletId, ModelError> {
        if let Some(outlet) = self.wires[index] {
            return Ok(outlet);
        }
        let name = self.name(index);
        let outlet = if let Some(Margin { inner, pads }) = self.margins[index] {
            let inner = self.outlet(inner)?;
            let name = name.unwrap_or_else(|| format!("{index}.pad"));
            let pad = nn::Pad { image: pads, channels: [0; 2] };
            self.add(&name, Layer::Pad(pad), &[inner])?
        } else if self.is_constant(index) {
            let values = self.floats(index)?;
            let name = name.unwrap_or_else(|| format!("{index}.constant"));
            let name = self.free_name(&name);
            let tensor = Tensor::from_shape(self.shape(index), &values).map_err(compile)?;
            self.model.add_const(name, tensor).map_err(compile)?
        } else {
            return Err(ModelError::NoSuchEntry {
                what: "computed tensor",
                index: index as i64,
                count: self.wires.iter().flatten().count(),
            });
        };
        self.wires[index] = Some(outlet);
        Ok(outlet)
    }
}
