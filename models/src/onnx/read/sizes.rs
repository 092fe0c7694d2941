//! Sizes: of inputs, of broadcasts, and of what folding would make.

use super::{Reader, Step};
use crate::onnx::OnnxError;
use crate::onnx::file::within;
use tract_onnx::pb::ValueInfoProto;
use tract_onnx::pb::tensor_shape_proto::dimension::Value as Dimension;
use tract_onnx::pb::type_proto::Value as Type;

/// An input's shape and its element type's code.
pub(super) fn of_input(
    input: &ValueInfoProto,
    sizes: &[(String, usize)],
) -> Result<(Vec<usize>, i32), OnnxError> {
    let Some(Type::TensorType(tensor)) = input.r#type.as_ref().and_then(|kind| kind.value.as_ref())
    else {
        return Err(OnnxError::ElementType { value: input.name.clone(), code: 0 });
    };
    let dimensions = tensor.shape.as_ref().map_or(&[][..], |shape| &shape.dim[..]);
    let size = |axis: usize, name: String| {
        sizes
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, size)| *size)
            .ok_or_else(|| OnnxError::UnknownSize { input: input.name.clone(), axis, name })
    };
    let shape = dimensions
        .iter()
        .enumerate()
        .map(|(axis, dimension)| match &dimension.value {
            Some(Dimension::DimValue(extent)) => usize::try_from(*extent).map_err(|_| {
                OnnxError::Extents { value: input.name.clone(), extents: vec![*extent] }
            }),
            Some(Dimension::DimParam(name)) if !name.is_empty() => size(axis, name.clone()),
            _ => size(axis, format!("{}.{axis}", input.name)),
        })
        .collect::<Result<_, _>>()?;
    Ok((shape, tensor.elem_type))
}

/// The shape of two tensors together, as NumPy broadcasts.
pub(super) fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let extent = |shape: &[usize], axis: usize| {
        (axis + shape.len()).checked_sub(rank).map_or(1, |own| shape[own])
    };
    (0..rank)
        .map(|axis| match (extent(a, axis), extent(b, axis)) {
            (x, y) if x == y => Some(x),
            (1, y) => Some(y),
            (x, 1) => Some(x),
            _ => None,
        })
        .collect()
}

/// Most elements of a constant that folding makes larger than what it is made of.
const GROWN: usize = 1 << 24;

impl Reader<'_> {
    /// Refuses to fold what would not fit in memory.
    pub(super) fn limit_folded(&self, step: &Step) -> Result<(), OnnxError> {
        let name = step.message.output.first().map_or("", String::as_str);
        let refuse = || step.shape_error("its constants do not fit together");
        let integers = |at| self.graph.integers(step.input(at)?).ok_or_else(refuse);
        let own = |at| Ok::<_, OnnxError>(self.graph.shape(step.input(at)?));
        let extents = |values: Vec<i64>| {
            let shape: Option<Vec<usize>> =
                values.iter().map(|&value| usize::try_from(value).ok()).collect();
            shape.ok_or_else(|| OnnxError::Extents { value: name.to_string(), extents: values })
        };
        let shape = match step.message.op_type.as_str() {
            "ConstantOfShape" => extents(integers(0)?)?,
            "Expand" => broadcast(own(0)?, &extents(integers(1)?)?).ok_or_else(refuse)?,
            "Tile" => {
                let repeats = extents(integers(1)?)?;
                if own(0)?.len() != repeats.len() {
                    return Err(refuse());
                }
                own(0)?.iter().zip(&repeats).map(|(&a, &b)| a.saturating_mul(b)).collect()
            }
            "Range" => {
                let bound = |at| self.graph.scalar(step.input(at)?).ok_or_else(refuse);
                let count = ((bound(1)? - bound(0)?) / bound(2)?).ceil().max(0.0);
                if !count.is_finite() {
                    return Err(refuse());
                }
                vec![count as usize]
            }
            "MatMul" | "Gemm" => {
                // Whatever is turned or broadcast, no more than every row by every column.
                let rows = |shape: &[usize]| {
                    let inner = shape.iter().rev().take(2).copied().min().unwrap_or(1).max(1);
                    shape.iter().product::<usize>() / inner
                };
                vec![rows(own(0)?), rows(own(1)?)]
            }
            "Gather" | "GatherElements" => {
                let data = own(0)?;
                let axis = step.axis(step.attributes().int("axis")?.unwrap_or(0), data.len())?;
                let rest = data.iter().enumerate().filter(|&(at, _)| at != axis);
                let rest = rest.map(|(_, &extent)| extent).product();
                vec![rest, own(1)?.iter().product()]
            }
            _ => {
                let mut shape = Vec::new();
                for &id in step.inputs.iter().flatten() {
                    if let Some(wider) = broadcast(&shape, self.graph.shape(id)) {
                        shape = wider;
                    }
                }
                shape
            }
        };
        let largest = step.inputs.iter().flatten().map(|&id| self.graph.elements(id)).max();
        within(name, &shape, largest.unwrap_or(0).max(GROWN))
    }
}
