//! Tensors whose axes are stored in another order than the file's.

use super::Emitter;
use crate::nn::{self, Layer};
use crate::onnx::OnnxError;
use crate::onnx::graph::{NodeId, ValueId};
use tract_core::internal::*;

/// Where a value is.
#[derive(Clone)]
pub(super) struct Stored {
    pub outlet: OutletId,
    /// Which of the file's axes each stored one is.
    pub axes: Vec<usize>,
}

/// Where an axis of the file is stored.
pub(super) fn place(axes: &[usize], axis: usize) -> usize {
    axes.iter().position(|&found| found == axis).unwrap_or(axis)
}

impl Emitter {
    pub(super) fn stored_axes(&self, value: ValueId) -> Vec<usize> {
        match &self.stored[value] {
            Some(stored) => stored.axes.clone(),
            None => (0..self.graph.shape(value).len()).collect(),
        }
    }

    /// A value with its axes in this order.
    pub(super) fn in_order(
        &mut self,
        value: ValueId,
        order: &[usize],
    ) -> Result<OutletId, OnnxError> {
        let stored = self.stored[value].clone();
        if let Some(stored) = &stored
            && stored.axes == order
        {
            return Ok(stored.outlet);
        }
        let key = (value, order.to_vec());
        if let Some(&outlet) = self.turned.get(&key) {
            return Ok(outlet);
        }
        let name = self.graph.values[value].name.clone();
        let outlet = match stored {
            Some(stored) => {
                let axes: Vec<usize> =
                    order.iter().map(|&axis| place(&stored.axes, axis)).collect();
                let shape = self.shape_of(stored.outlet);
                let moved: Vec<usize> =
                    axes.iter().copied().filter(|&axis| shape[axis] != 1).collect();
                let layer = if moved.is_sorted() {
                    Layer::Reshape { shape: axes.iter().map(|&axis| shape[axis]).collect() }
                } else {
                    Layer::Transpose { axes }
                };
                match layer {
                    Layer::Reshape { shape } => {
                        self.reshape_outlet(&name, stored.outlet, &shape)?
                    }
                    layer => {
                        let name = self.unique(&format!("{name}.transpose"));
                        nn::add(&mut self.model, &name, layer, &[stored.outlet])
                            .map_err(|error| self.failed(&name, "Transpose", error))?
                    }
                }
            }
            None => {
                let tensor = match &self.graph.values[value].constant {
                    Some(constant) => constant.tensor.clone(),
                    None => {
                        return Err(OnnxError::UnknownValue {
                            node: "graph".to_string(),
                            value: name,
                        });
                    }
                };
                let turned = if order.is_sorted() {
                    tensor
                } else {
                    let moved = tensor.as_ref().clone().permute_axes(order);
                    Arc::new(moved.map_err(|error| self.failed(&name, "Constant", error))?)
                };
                let unique = self.unique(&name);
                self.model
                    .add_const(unique, turned)
                    .map_err(|error| self.failed(&name, "Constant", error))?
            }
        };
        self.turned.insert(key, outlet);
        Ok(outlet)
    }

    /// The order in which values that meet are brought: that of the largest computed one, and not the file's where two are as large.
    pub(super) fn common_axes(&self, values: &[ValueId], rank: usize) -> Vec<usize> {
        let best =
            values.iter().filter(|&&value| self.stored[value].is_some()).max_by_key(|&&value| {
                let turned = !self.stored_axes(value).is_sorted();
                (self.graph.elements(value), self.graph.shape(value).len(), turned)
            });
        let Some(&best) = best else { return (0..rank).collect() };
        let own = self.stored_axes(best);
        let before = rank - own.len();
        (0..before).chain(own.iter().map(|axis| axis + before)).collect()
    }

    /// A value that broadcasts to tensors stored in this order.
    pub(super) fn broadcastable(
        &mut self,
        value: ValueId,
        order: &[usize],
    ) -> Result<OutletId, OnnxError> {
        let shape = self.graph.shape(value).to_vec();
        let before = order.len() - shape.len();
        let own: Vec<usize> = order.iter().filter_map(|&axis| axis.checked_sub(before)).collect();
        let wide: Vec<usize> = order
            .iter()
            .map(|&axis| axis.checked_sub(before).map_or(1, |axis| shape[axis]))
            .collect();
        if self.stored[value].is_some() {
            let outlet = self.in_order(value, &own)?;
            let name = self.graph.values[value].name.clone();
            return self.reshape_outlet(&name, outlet, &wide);
        }
        let constant = self.graph.values[value].constant.as_ref().map(|found| found.tensor.clone());
        let name = self.graph.values[value].name.clone();
        let Some(tensor) = constant else {
            return Err(OnnxError::UnknownValue { node: "graph".to_string(), value: name });
        };
        let key = (value, order.to_vec());
        if let Some(&outlet) = self.turned.get(&key) {
            return Ok(outlet);
        }
        let made = tensor
            .as_ref()
            .clone()
            .permute_axes(&own)
            .and_then(|tensor| tensor.into_shape(&wide))
            .map_err(|error| self.failed(&name, "Constant", error))?;
        let unique = self.unique(&name);
        let outlet = self
            .model
            .add_const(unique, made)
            .map_err(|error| self.failed(&name, "Constant", error))?;
        self.turned.insert(key, outlet);
        Ok(outlet)
    }

    /// The same values under another shape: one reshape where several follow each other, none where the shape is the same.
    pub(super) fn reshape_outlet(
        &mut self,
        name: &str,
        outlet: OutletId,
        shape: &[usize],
    ) -> Result<OutletId, OnnxError> {
        let mut from = outlet;
        while let Some(Layer::Reshape { .. }) = nn::layer(&self.model.nodes()[from.node])
            && self.shape_of(from) != shape
        {
            from = self.model.nodes()[from.node].inputs[0];
        }
        if self.shape_of(from) == shape {
            return Ok(from);
        }
        let name = self.unique(&format!("{name}.reshape"));
        nn::add(&mut self.model, &name, Layer::Reshape { shape: shape.to_vec() }, &[from])
            .map_err(|error| self.failed(&name, "Reshape", error))
    }

    pub(super) fn reshaped(
        &mut self,
        node: NodeId,
        outlet: OutletId,
        shape: &[usize],
    ) -> Result<OutletId, OnnxError> {
        let name = self.path(node);
        self.reshape_outlet(&name, outlet, shape)
    }

    /// A reshape of the file's axes, done on the stored ones where those it merges or splits lie beside each other.
    pub(super) fn reshape_stored(
        &mut self,
        node: NodeId,
        input: ValueId,
        output: ValueId,
    ) -> Result<Stored, OnnxError> {
        let (from, to) = (self.graph.shape(input).to_vec(), self.graph.shape(output).to_vec());
        let axes = self.stored_axes(input);
        if self.stored[input].is_some()
            && let Some(kept) = reshaped_axes(&from, &to, &axes)
        {
            let outlet = self.in_order(input, &axes)?;
            let shape: Vec<usize> = kept.iter().map(|&axis| to[axis]).collect();
            return Ok(Stored { outlet: self.reshaped(node, outlet, &shape)?, axes: kept });
        }
        let order: Vec<usize> = (0..from.len()).collect();
        let outlet = self.in_order(input, &order)?;
        Ok(Stored { outlet: self.reshaped(node, outlet, &to)?, axes: (0..to.len()).collect() })
    }
}

/// The order in which the axes of `to` come out where `from`, stored in the order `axes`, is reshaped as it lies; `None` where that is another tensor.
fn reshaped_axes(from: &[usize], to: &[usize], axes: &[usize]) -> Option<Vec<usize>> {
    let wide = |shape: &[usize]| -> Vec<usize> {
        (0..shape.len()).filter(|&axis| shape[axis] != 1).collect()
    };
    let (ins, outs) = (wide(from), wide(to));
    if from.contains(&0) || to.contains(&0) {
        return None;
    }
    let mut groups: Vec<(Vec<usize>, Vec<usize>)> = Vec::new();
    let (mut i, mut o) = (0, 0);
    while i < ins.len() {
        let (mut group, mut made) = (vec![ins[i]], vec![*outs.get(o)?]);
        let (mut left, mut right) = (from[ins[i]], to[outs[o]]);
        i += 1;
        o += 1;
        while left != right {
            if left < right {
                left *= from[*ins.get(i)?];
                group.push(ins[i]);
                i += 1;
            } else {
                right *= to[*outs.get(o)?];
                made.push(outs[o]);
                o += 1;
            }
        }
        groups.push((group, made));
    }
    let stored: Vec<usize> = axes.iter().copied().filter(|&axis| from[axis] != 1).collect();
    let mut kept = Vec::new();
    let mut at = 0;
    while at < stored.len() {
        let (group, made) = groups.iter().find(|(group, _)| group[0] == stored[at])?;
        if stored.get(at..at + group.len())? != group {
            return None;
        }
        kept.extend(made);
        at += group.len();
    }
    // An extent of 1 may stand anywhere: after the axis before it.
    for axis in (0..to.len()).filter(|&axis| to[axis] == 1) {
        let at = match axis {
            0 => 0,
            _ => kept.iter().position(|&other| other == axis - 1)? + 1,
        };
        kept.insert(at, axis);
    }
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::reshaped_axes;

    #[test]
    fn an_image_stored_channels_last_is_flattened_as_it_lies() {
        assert_eq!(reshaped_axes(&[2, 6, 4, 5], &[2, 6, 20], &[0, 2, 3, 1]), Some(vec![0, 2, 1]));
        assert_eq!(reshaped_axes(&[1, 6, 20], &[1, 6, 4, 5], &[0, 2, 1]), Some(vec![0, 2, 3, 1]));
    }

    #[test]
    fn axes_that_do_not_lie_beside_each_other_are_not_merged() {
        assert_eq!(reshaped_axes(&[2, 6, 4, 5], &[2, 24, 5], &[0, 2, 3, 1]), None);
        assert_eq!(reshaped_axes(&[2, 6, 4], &[2, 24], &[0, 2, 1]), None);
    }
}
