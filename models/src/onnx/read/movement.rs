//! Operations that move values.

use super::{Reader, Step};
use crate::nn::Slice;
use crate::onnx::OnnxError;
use crate::onnx::file::{computed, title};
use crate::onnx::graph::{Node, Op, ValueId};
use tract_core::internal::DatumType;
use tract_onnx::pb::tensor_proto::DataType;

impl Reader<'_> {
    /// The value that a movement gives; `Some(None)` where it named its outputs itself.
    pub(super) fn translate_movement(
        &mut self,
        step: &Step,
    ) -> Result<Option<Option<ValueId>>, OnnxError> {
        let kind = step.message.op_type.as_str();
        let one = |value: Option<ValueId>| value.map(Some);
        match kind {
            "Identity" => return Ok(Some(Some(step.input(0)?))),
            "Dropout" if step.message.output.iter().skip(1).all(String::is_empty) => {
                return Ok(Some(Some(step.input(0)?)));
            }
            "Cast" | "CastLike" => return self.cast(step).map(one),
            _ => {}
        }
        let Some(input) = step.optional(0) else { return Ok(None) };
        if !self.is_float(input) {
            return Ok(None);
        }
        let shape = self.graph.shape(input).to_vec();
        match kind {
            "Reshape" => {
                let Some(wanted) = self.graph.integers(step.input(1)?) else { return Ok(None) };
                let copies = step.attributes().int("allowzero")?.unwrap_or(0) == 0;
                let shape = reshaped(step, &shape, &wanted, copies)?;
                self.reshape(step, input, &shape).map(|value| Some(Some(value)))
            }
            "Flatten" => {
                let axis = step.attributes().int("axis")?.unwrap_or(1);
                let at = match axis {
                    axis if axis == shape.len() as i64 => shape.len(),
                    axis => step.axis(axis, shape.len())?,
                };
                let flat = [shape[..at].iter().product(), shape[at..].iter().product()];
                self.reshape(step, input, &flat).map(|value| Some(Some(value)))
            }
            "Squeeze" | "Unsqueeze" => {
                let axes = match step.optional(1) {
                    Some(id) => match self.graph.integers(id) {
                        Some(axes) => Some(axes),
                        None => return Ok(None),
                    },
                    None => step.attributes().ints("axes")?.map(<[i64]>::to_vec),
                };
                let shape = if kind == "Squeeze" {
                    squeezed(step, &shape, axes.as_deref())?
                } else {
                    unsqueezed(step, &shape, &axes.unwrap_or_default())?
                };
                self.reshape(step, input, &shape).map(|value| Some(Some(value)))
            }
            "Transpose" => {
                let axes = match step.attributes().ints("perm")? {
                    None => (0..shape.len()).rev().collect(),
                    Some(axes) => axes
                        .iter()
                        .map(|&axis| step.axis(axis, shape.len()))
                        .collect::<Result<Vec<_>, _>>()?,
                };
                let mut sorted = axes.clone();
                sorted.sort_unstable();
                if sorted != (0..shape.len()).collect::<Vec<_>>() {
                    return Err(
                        step.shape_error(format!("{axes:?} is no permutation of {shape:?}"))
                    );
                }
                let moved: Vec<usize> = axes.iter().map(|&axis| shape[axis]).collect();
                self.add(step, Op::Transpose(axes), &[input], &moved).map(|value| Some(Some(value)))
            }
            "Expand" => {
                let Some(wanted) = self.graph.integers(step.input(1)?) else { return Ok(None) };
                let wanted: Vec<usize> = wanted
                    .iter()
                    .map(|&extent| usize::try_from(extent))
                    .collect::<Result<_, _>>()
                    .map_err(|_| step.shape_error(format!("to {wanted:?}")))?;
                let Some(wide) = super::sizes::broadcast(&shape, &wanted) else {
                    return Err(step.shape_error(format!("{shape:?} to {wanted:?}")));
                };
                if wide == shape {
                    return Ok(Some(Some(input)));
                }
                self.add(step, Op::Expand, &[input], &wide).map(|value| Some(Some(value)))
            }
            "Concat" => self.concat(step).map(one),
            "Slice" => self.slice(step).map(one),
            "Split" => self.split(step),
            "Gather" => self.gather(step).map(one),
            _ => Ok(None),
        }
    }

    /// The same values under another shape.
    pub(super) fn reshape(
        &mut self,
        step: &Step,
        input: ValueId,
        shape: &[usize],
    ) -> Result<ValueId, OnnxError> {
        self.add(step, Op::Reshape, &[input], shape)
    }

    /// One type of float to another changes nothing here: all are f32.
    fn cast(&mut self, step: &Step) -> Result<Option<ValueId>, OnnxError> {
        let input = step.input(0)?;
        let floats = if step.message.op_type == "CastLike" {
            self.is_float(step.input(1)?)
        } else {
            let to = step.attributes().int("to")?.and_then(|code| i32::try_from(code).ok());
            matches!(
                to.and_then(|code| DataType::try_from(code).ok()),
                Some(DataType::Float | DataType::Float16 | DataType::Bfloat16 | DataType::Double)
            )
        };
        Ok((floats && self.is_float(input)).then_some(input))
    }

    fn concat(&mut self, step: &Step) -> Result<Option<ValueId>, OnnxError> {
        let inputs: Vec<ValueId> = step.inputs.iter().flatten().copied().collect();
        if inputs.iter().any(|&id| !self.is_float(id)) {
            return Ok(None);
        }
        let mut shape = self.graph.shape(step.input(0)?).to_vec();
        let axis = step
            .attributes()
            .int("axis")?
            .ok_or_else(|| step.attributes().wrong("axis", "an integer"))?;
        let axis = step.axis(axis, shape.len())?;
        shape[axis] = 0;
        for &id in &inputs {
            let own = self.graph.shape(id);
            let fits = own.len() == shape.len()
                && (0..own.len()).all(|at| at == axis || own[at] == shape[at]);
            if !fits {
                return Err(step.shape_error(format!("{own:?} beside {shape:?}")));
            }
            shape[axis] += own[axis];
        }
        if inputs.len() == 1 {
            return Ok(Some(inputs[0]));
        }
        self.add(step, Op::Concat(axis), &inputs, &shape).map(Some)
    }

    fn slice(&mut self, step: &Step) -> Result<Option<ValueId>, OnnxError> {
        let input = step.input(0)?;
        let mut shape = self.graph.shape(input).to_vec();
        let list = |at, attribute| match step.optional(at) {
            Some(id) => Ok(self.graph.integers(id)),
            None => Ok::<_, OnnxError>(step.attributes().ints(attribute)?.map(<[i64]>::to_vec)),
        };
        let (Some(starts), Some(ends)) = (list(1, "starts")?, list(2, "ends")?) else {
            return Ok(None);
        };
        let axes = list(3, "axes")?.unwrap_or_else(|| (0..starts.len() as i64).collect());
        let steps = list(4, "steps")?.unwrap_or_else(|| vec![1; starts.len()]);
        if starts.len() != ends.len() || starts.len() != axes.len() || starts.len() != steps.len() {
            return Err(step.shape_error("as many starts, ends, axes and steps as one another"));
        }
        if steps.iter().any(|&by| by != 1) {
            return Ok(None);
        }
        let mut value = input;
        for ((&start, &end), &axis) in starts.iter().zip(&ends).zip(&axes) {
            let axis = step.axis(axis, shape.len())?;
            let extent = shape[axis] as i64;
            let bound =
                |at: i64| (if at < 0 { at.saturating_add(extent) } else { at }).clamp(0, extent);
            let (start, end) = (bound(start) as usize, bound(end) as usize);
            if start >= end {
                return Err(
                    step.shape_error(format!("nothing is left of axis {axis} of {shape:?}"))
                );
            }
            if end - start < shape[axis] {
                shape[axis] = end - start;
                value = self.add(step, Op::Slice(Slice { axis, start, end }), &[value], &shape)?;
            }
        }
        Ok(Some(value))
    }

    fn split(&mut self, step: &Step) -> Result<Option<Option<ValueId>>, OnnxError> {
        let input = step.input(0)?;
        let shape = self.graph.shape(input).to_vec();
        let axis = step.axis(step.attributes().int("axis")?.unwrap_or(0), shape.len())?;
        let extents = match step.optional(1) {
            Some(id) => match self.graph.integers(id) {
                Some(extents) => Some(extents),
                None => return Ok(None),
            },
            None => step.attributes().ints("split")?.map(<[i64]>::to_vec),
        };
        let count = step.message.output.len().max(1);
        let extents = extents.unwrap_or_else(|| {
            let each = shape[axis].div_ceil(count);
            (0..count).map(|at| each.min(shape[axis].saturating_sub(at * each)) as i64).collect()
        });
        if extents.len() != count
            || extents.iter().any(|&extent| extent <= 0)
            || extents.iter().try_fold(0i64, |sum, &e| sum.checked_add(e))
                != Some(shape[axis] as i64)
        {
            return Err(step.shape_error(format!("axis {axis} of {shape:?} into {extents:?}")));
        }
        let mut start = 0;
        for (name, extent) in step.message.output.iter().zip(extents) {
            let end = start + extent as usize;
            let mut own = shape.clone();
            own[axis] = end - start;
            if !name.is_empty() {
                computed(name, &own)?;
                let output = self.graph.add_value(name, &own, DatumType::F32);
                self.graph.add_node(Node {
                    title: title(&step.message),
                    op: Op::Slice(Slice { axis, start, end }),
                    inputs: vec![input],
                    outputs: vec![output],
                    message: step.message.clone(),
                });
                self.name(name, output)?;
            }
            start = end;
        }
        Ok(Some(None))
    }

    /// An index or a range of indices that are constants.
    fn gather(&mut self, step: &Step) -> Result<Option<ValueId>, OnnxError> {
        let (input, indices) = (step.input(0)?, step.input(1)?);
        let mut shape = self.graph.shape(input).to_vec();
        let rank = self.graph.shape(indices).len();
        let Some(values) = self.graph.integers(indices).filter(|_| rank <= 1) else {
            return Ok(None);
        };
        let axis = step.axis(step.attributes().int("axis")?.unwrap_or(0), shape.len())?;
        let extent = shape[axis] as i64;
        let Some(&first) = values.first() else { return Ok(None) };
        let start = if first < 0 { first.saturating_add(extent) } else { first };
        let follow = values.iter().enumerate().all(|(at, &value)| {
            let value = if value < 0 { value.saturating_add(extent) } else { value };
            value == start.saturating_add(at as i64)
        });
        if start < 0 || start.saturating_add(values.len() as i64) > extent || !follow {
            return Ok(None);
        }
        let (start, end) = (start as usize, start as usize + values.len());
        shape[axis] = values.len();
        let slice = self.add(step, Op::Slice(Slice { axis, start, end }), &[input], &shape)?;
        if rank == 1 {
            return Ok(Some(slice));
        }
        shape.remove(axis);
        self.reshape(step, slice, &shape).map(Some)
    }
}

fn reshaped(
    step: &Step,
    shape: &[usize],
    wanted: &[i64],
    copies: bool,
) -> Result<Vec<usize>, OnnxError> {
    let total: usize = shape.iter().product();
    let refuse = || step.shape_error(format!("{shape:?} to {wanted:?}"));
    let mut found = Vec::with_capacity(wanted.len());
    let mut open = None;
    for (axis, &extent) in wanted.iter().enumerate() {
        found.push(match extent {
            -1 if open.replace(axis).is_none() => 1,
            0 if copies => *shape.get(axis).ok_or_else(refuse)?,
            extent => usize::try_from(extent).map_err(|_| refuse())?,
        });
    }
    let known =
        found.iter().try_fold(1usize, |product, &e| product.checked_mul(e)).ok_or_else(refuse)?;
    if let Some(axis) = open {
        if known == 0 {
            return Err(refuse());
        }
        found[axis] = total / known;
    }
    if found.iter().product::<usize>() != total {
        return Err(refuse());
    }
    Ok(found)
}

fn squeezed(step: &Step, shape: &[usize], axes: Option<&[i64]>) -> Result<Vec<usize>, OnnxError> {
    let axes = match axes {
        None => (0..shape.len()).filter(|&axis| shape[axis] == 1).collect(),
        Some(axes) => {
            axes.iter().map(|&axis| step.axis(axis, shape.len())).collect::<Result<Vec<_>, _>>()?
        }
    };
    if axes.iter().any(|&axis| shape[axis] != 1) {
        return Err(step.shape_error(format!("axes {axes:?} of {shape:?} are not 1")));
    }
    Ok((0..shape.len()).filter(|axis| !axes.contains(axis)).map(|axis| shape[axis]).collect())
}

fn unsqueezed(step: &Step, shape: &[usize], axes: &[i64]) -> Result<Vec<usize>, OnnxError> {
    let rank = shape.len() + axes.len();
    let axes = axes.iter().map(|&axis| step.axis(axis, rank)).collect::<Result<Vec<_>, _>>()?;
    let mut rest = shape.iter().copied();
    let wide: Vec<usize> = (0..rank)
        .map(|axis| if axes.contains(&axis) { 1 } else { rest.next().unwrap_or(1) })
        .collect();
    if rest.next().is_some() {
        return Err(step.shape_error(format!("axes {axes:?} are given twice")));
    }
    Ok(wide)
}
