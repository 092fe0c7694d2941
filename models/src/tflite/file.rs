//! The parts of the TensorFlow Lite schema that the importer reads.
//!
//! Slot numbers are the fields' positions in `schema.fbs`.

use super::flatbuffer::{Bytes, Table};
use crate::ModelError;

/// Largest tensor accepted, in elements.
const TENSOR_LIMIT: usize = 1 << 24;
/// Most entries accepted in any list of the file.
const LIST_LIMIT: usize = 1 << 14;

/// Element types, by their code in the schema.
pub(super) mod element {
    pub const F32: i8 = 0;
    pub const F16: i8 = 1;
    pub const I32: i8 = 2;
}

/// A model file, taken apart but for its values.
pub(super) struct File<'a> {
    pub operators: Vec<Operator<'a>>,
    pub tensors: Vec<TensorEntry<'a>>,
    pub inputs: Vec<usize>,
    pub outputs: Vec<usize>,
}

/// One operation of the graph.
pub(super) struct Operator<'a> {
    pub code: Code,
    /// Tensor indices; `None` marks an optional input that is absent.
    pub inputs: Vec<Option<usize>>,
    pub outputs: Vec<usize>,
    pub options: Option<Table<'a>>,
    pub custom_options: &'a [u8],
}

/// Which operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Code {
    Builtin(i32),
    Custom(String),
}

/// One tensor of the graph.
pub(super) struct TensorEntry<'a> {
    pub name: String,
    /// As in the file: `[n, h, w, c]` for images. Every extent is positive.
    pub shape: Vec<usize>,
    pub element: i8,
    /// Empty for what the graph computes.
    pub values: &'a [u8],
    pub sparsity: Option<Table<'a>>,
}

impl<'a> File<'a> {
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ModelError> {
        if bytes.get(4..8) != Some(b"TFL3") {
            return Err(ModelError::NotTflite);
        }
        let model = Bytes(bytes).root()?;
        let graphs = limited("subgraphs", model.table_vector(2)?)?;
        let [graph] = graphs.as_slice() else {
            return Err(ModelError::Structure {
                what: "subgraphs",
                expected: "1",
                found: graphs.len(),
            });
        };
        let codes = model.table_vector(1)?.iter().map(code).collect::<Result<Vec<_>, _>>()?;
        let buffers = limited("buffers", model.table_vector(4)?)?
            .iter()
            .map(|buffer| buffer.byte_vector(0))
            .collect::<Result<Vec<_>, _>>()?;
        let tensors = limited("tensors", graph.table_vector(0)?)?
            .iter()
            .enumerate()
            .map(|(index, table)| tensor(index, table, &buffers))
            .collect::<Result<Vec<_>, _>>()?;
        let operators = limited("operations", graph.table_vector(3)?)?
            .iter()
            .map(|table| operator(table, &codes, tensors.len()))
            .collect::<Result<Vec<_>, _>>()?;
        let inputs = tensor_indices(&graph.i32_vector(1)?, tensors.len())?;
        let outputs = tensor_indices(&graph.i32_vector(2)?, tensors.len())?;
        Ok(Self { operators, tensors, inputs, outputs })
    }
}

fn limited<T>(what: &'static str, list: Vec<T>) -> Result<Vec<T>, ModelError> {
    if list.len() > LIST_LIMIT {
        return Err(ModelError::TooLarge { what, found: list.len(), limit: LIST_LIMIT });
    }
    Ok(list)
}

fn code(table: &Table) -> Result<Code, ModelError> {
    const CUSTOM: i32 = 32;
    // Codes above 126 moved to a wider field; the old one then holds a placeholder.
    let builtin = table.i32(3, 0)?.max(table.i8(0, 0)?.into());
    Ok(if builtin == CUSTOM { Code::Custom(table.string(1)?) } else { Code::Builtin(builtin) })
}

fn tensor<'a>(
    index: usize,
    table: &Table<'a>,
    buffers: &[&'a [u8]],
) -> Result<TensorEntry<'a>, ModelError> {
    let declared = table.i32_vector(0)?;
    let bad_shape = || ModelError::BadShape { tensor: index, shape: declared.clone() };
    if declared.len() > 4 {
        return Err(ModelError::BadShape { tensor: index, shape: declared[..4].to_vec() });
    }
    let mut elements = 1usize;
    let mut shape = Vec::with_capacity(declared.len());
    for &extent in &declared {
        let extent = usize::try_from(extent).ok().filter(|&e| e > 0).ok_or_else(bad_shape)?;
        elements = elements.saturating_mul(extent);
        shape.push(extent);
    }
    if elements > TENSOR_LIMIT {
        let what = "elements in one tensor";
        return Err(ModelError::TooLarge { what, found: elements, limit: TENSOR_LIMIT });
    }
    let buffer = table.u32(2, 0)?;
    let values = *buffers.get(buffer as usize).ok_or(ModelError::NoSuchEntry {
        what: "buffer",
        index: buffer.into(),
        count: buffers.len(),
    })?;
    Ok(TensorEntry {
        name: table.string(3)?,
        shape,
        element: table.i8(1, 0)?,
        values,
        sparsity: table.table(6)?,
    })
}

fn operator<'a>(
    table: &Table<'a>,
    codes: &[Code],
    tensors: usize,
) -> Result<Operator<'a>, ModelError> {
    let index = table.u32(0, 0)?;
    let code = codes.get(index as usize).ok_or(ModelError::NoSuchEntry {
        what: "operator code",
        index: index.into(),
        count: codes.len(),
    })?;
    let inputs = table
        .i32_vector(1)?
        .iter()
        .map(|&i| if i == -1 { Ok(None) } else { tensor_index(i, tensors).map(Some) })
        .collect::<Result<_, _>>()?;
    Ok(Operator {
        code: code.clone(),
        inputs,
        outputs: tensor_indices(&table.i32_vector(2)?, tensors)?,
        options: table.table(4)?,
        custom_options: table.byte_vector(5)?,
    })
}

fn tensor_index(index: i32, count: usize) -> Result<usize, ModelError> {
    usize::try_from(index).ok().filter(|&i| i < count).ok_or(ModelError::NoSuchEntry {
        what: "tensor",
        index: index.into(),
        count,
    })
}

fn tensor_indices(indices: &[i32], count: usize) -> Result<Vec<usize>, ModelError> {
    indices.iter().map(|&index| tensor_index(index, count)).collect()
}
