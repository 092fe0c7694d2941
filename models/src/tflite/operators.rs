//! One TensorFlow Lite operation at a time to tract operations.

mod windowed;

use super::bilinear::{Bilinear, Corners};
use super::depth_to_space::DepthToSpace;
use super::file::{Code, Operator};
use super::{Graph, Wire, compile};
use crate::ModelError;
use tract_core::internal::*;
use tract_core::ops::array::{Pad, PadMode, Slice, TypedConcat};
use tract_core::ops::binary::TypedBinOp;
use tract_core::ops::einsum::EinSum;
use tract_core::ops::math;
use tract_core::ops::nn::{Reduce, Reducer, hard_swish, sigmoid};

/// Largest stride, dilation, block or pad accepted.
const STEP_LIMIT: usize = 1 << 10;

/// The operation being wired.
struct Step<'g, 'a, 'o> {
    graph: &'g mut Graph<'a>,
    operator: &'o Operator<'o>,
    index: usize,
    name: &'static str,
}

/// How one kind of operation is wired.
type Rule = fn(&mut Step) -> Result<(), ModelError>;

/// Adds what `operator`, the `index`-th of the file, computes.
pub(super) fn wire<'o>(
    graph: &mut Graph,
    index: usize,
    operator: &'o Operator<'o>,
) -> Result<(), ModelError> {
    let unknown = |name: String| ModelError::UnknownOperation { index, name };
    let (name, rule): (_, Rule) = match &operator.code {
        Code::Custom(name) => match name.as_str() {
            "Convolution2DTransposeBias" => {
                ("Convolution2DTransposeBias", windowed::transposed_convolution)
            }
            _ => return Err(unknown(name.clone())),
        },
        Code::Builtin(code) => match code {
            0 => ("ADD", |step| step.binary(math::add())),
            1 => ("AVERAGE_POOL_2D", windowed::average_pool),
            2 => ("CONCATENATION", |step| step.concatenation()),
            3 => ("CONV_2D", windowed::convolution),
            4 => ("DEPTHWISE_CONV_2D", windowed::depthwise_convolution),
            5 => ("DEPTH_TO_SPACE", |step| step.depth_to_space()),
            6 => ("DEQUANTIZE", |step| step.pass_constant()),
            9 => ("FULLY_CONNECTED", |step| step.fully_connected()),
            14 => ("LOGISTIC", |step| step.each_element(|graph, x| graph.add(sigmoid(), &[x]))),
            17 => ("MAX_POOL_2D", windowed::max_pool),
            18 => ("MUL", |step| step.binary(math::mul())),
            19 => ("RELU", |step| step.each_element(|graph, x| activation(graph, x, 1))),
            21 => ("RELU6", |step| step.each_element(|graph, x| activation(graph, x, 3))),
            22 => ("RESHAPE", |step| step.reshape()),
            23 => ("RESIZE_BILINEAR", |step| step.resize_bilinear()),
            34 => ("PAD", |step| step.pad()),
            40 => ("MEAN", |step| step.mean()),
            41 => ("SUB", |step| step.binary(math::sub())),
            45 => ("STRIDED_SLICE", |step| step.strided_slice()),
            54 => ("PRELU", |step| step.prelu()),
            117 => {
                ("HARD_SWISH", |step| step.each_element(|graph, x| graph.add(hard_swish(), &[x])))
            }
            124 => ("DENSIFY", |step| step.pass_constant()),
            _ => return Err(unknown(format!("builtin {code}"))),
        },
    };
    let mut step = Step { graph, operator, index, name };
    let output = step.output()?;
    if step.graph.wires[output].is_some() || step.graph.is_constant(output) {
        return Err(step.unsupported("its output exists already"));
    }
    step.graph.spend(output)?;
    rule(&mut step)
}

/// Adds a fused activation, by its code in the schema.
fn activation(graph: &mut Graph, outlet: OutletId, code: i8) -> Result<OutletId, ModelError> {
    let (low, high) = match code {
        1 => (0.0, None),
        2 => (-1.0, Some(1.0)),
        3 => (0.0, Some(6.0)),
        _ => return Ok(outlet),
    };
    let rank = graph.model.outlet_fact(outlet).map_err(compile)?.rank();
    let low = graph.add_constant(&[1; 4][..rank], &[low])?;
    let outlet = graph.add(math::max(), &[outlet, low])?;
    let Some(high) = high else { return Ok(outlet) };
    let high = graph.add_constant(&[1; 4][..rank], &[high])?;
    graph.add(math::min(), &[outlet, high])
}

/// Position in `[n, c, h, w]` of an axis of `[n, h, w, c]`.
const CHANNELS_FIRST_AXIS: [usize; 4] = [0, 2, 3, 1];

impl<'a> Step<'_, 'a, '_> {
    fn unsupported(&self, reason: &'static str) -> ModelError {
        ModelError::Unsupported { index: self.index, operation: self.name, reason }
    }

    fn optional_input(&self, position: usize) -> Option<usize> {
        self.operator.inputs.get(position).copied().flatten()
    }

    fn input(&self, position: usize) -> Result<usize, ModelError> {
        self.optional_input(position).ok_or(self.unsupported("an input is missing"))
    }

    fn output(&self) -> Result<usize, ModelError> {
        match self.operator.outputs[..] {
            [output] => Ok(output),
            _ => Err(self.unsupported("it does not have exactly one output")),
        }
    }

    /// The image `[n, h, w, c]` at an input or output.
    fn image_shape(&self, tensor: usize) -> Result<[usize; 4], ModelError> {
        self.graph
            .shape(tensor)
            .try_into()
            .map_err(|_| self.unsupported("a tensor is not an image [n, h, w, c]"))
    }

    fn is_image(&self, tensor: usize) -> bool {
        self.graph.shape(tensor).len() == 4
    }

    fn small(&self, value: i32) -> Result<usize, ModelError> {
        usize::try_from(value)
            .ok()
            .filter(|v| (1..=STEP_LIMIT).contains(v))
            .ok_or(self.unsupported("a stride, dilation, block or window is out of range"))
    }

    fn option_i8(&self, slot: usize) -> Result<i8, ModelError> {
        self.operator.options.map_or(Ok(0), |options| options.i8(slot, 0))
    }

    fn option_i32(&self, slot: usize, default: i32) -> Result<i32, ModelError> {
        self.operator.options.map_or(Ok(default), |options| options.i32(slot, default))
    }

    fn option_bool(&self, slot: usize) -> Result<bool, ModelError> {
        self.operator.options.map_or(Ok(false), |options| options.bool(slot))
    }

    fn activate(&mut self, outlet: OutletId, slot: usize) -> Result<OutletId, ModelError> {
        let code = self.option_i8(slot)?;
        if !(0..=3).contains(&code) {
            return Err(self.unsupported("the fused activation is unknown"));
        }
        activation(self.graph, outlet, code)
    }

    /// Fails unless `given`, in the file's layout, is the shape that the file declares.
    fn agree(&self, given: &[usize]) -> Result<(), ModelError> {
        let declared = self.graph.shape(self.output()?);
        if declared == given {
            return Ok(());
        }
        Err(ModelError::ShapeDisagrees {
            index: self.index,
            operation: self.name,
            declared: declared.to_vec(),
            given: given.to_vec(),
        })
    }

    /// Records where the output is, after checking its shape once more against the graph's.
    fn finish(&mut self, wire: Wire) -> Result<(), ModelError> {
        let (Wire::InFile(outlet) | Wire::ChannelsFirst(outlet)) = wire;
        let fact = self.graph.model.outlet_fact(outlet).map_err(compile)?;
        let mut given = fact.shape.as_concrete().unwrap_or_default().to_vec();
        if matches!(wire, Wire::ChannelsFirst(_)) && given.len() == 4 {
            given[1..].rotate_left(1);
        }
        self.agree(&given)?;
        let output = self.output()?;
        self.graph.wires[output] = Some(wire);
        Ok(())
    }

    fn pass_constant(&mut self) -> Result<(), ModelError> {
        let (input, output) = (self.input(0)?, self.output()?);
        if !self.graph.is_constant(input) {
            return Err(self.unsupported("its input is not a constant"));
        }
        self.agree(self.graph.shape(input))?;
        self.graph.stands_for[output] = self.graph.stands_for[input];
        Ok(())
    }

    /// An operation on every element by itself.
    fn each_element(
        &mut self,
        rule: impl Fn(&mut Graph, OutletId) -> Result<OutletId, ModelError>,
    ) -> Result<(), ModelError> {
        let input = self.input(0)?;
        self.agree(self.graph.shape(input))?;
        let wire = match self.graph.wire(input)? {
            Wire::InFile(outlet) => Wire::InFile(rule(self.graph, outlet)?),
            Wire::ChannelsFirst(outlet) => Wire::ChannelsFirst(rule(self.graph, outlet)?),
        };
        self.finish(wire)
    }

    fn binary(&mut self, op: TypedBinOp) -> Result<(), ModelError> {
        let (a, b) = (self.input(0)?, self.input(1)?);
        let given = self.broadcast(self.graph.shape(a), self.graph.shape(b))?;
        self.agree(&given)?;
        let a = self.operand(a, given.len())?;
        let b = self.operand(b, given.len())?;
        let outlet = self.graph.add(op, &[a, b])?;
        let outlet = self.activate(outlet, 0)?;
        self.finish(if given.len() == 4 {
            Wire::ChannelsFirst(outlet)
        } else {
            Wire::InFile(outlet)
        })
    }

    fn broadcast(&self, a: &[usize], b: &[usize]) -> Result<Vec<usize>, ModelError> {
        let rank = a.len().max(b.len());
        let extent = |shape: &[usize], axis: usize| {
            (axis + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis])
        };
        (0..rank)
            .map(|axis| match (extent(a, axis), extent(b, axis)) {
                (a, b) if a == b || b == 1 => Ok(a),
                (1, b) => Ok(b),
                _ => Err(self.unsupported("the shapes of its operands do not go together")),
            })
            .collect()
    }

    /// One side of a binary operation, brought to `rank`; images channels first.
    fn operand(&mut self, tensor: usize, rank: usize) -> Result<OutletId, ModelError> {
        let shape = self.graph.shape(tensor);
        if !self.graph.is_constant(tensor) {
            return match (shape.len() == rank, rank) {
                (true, 4) => self.graph.channels_first(tensor),
                (true, _) => self.graph.as_in_file(tensor),
                _ => Err(self.unsupported("computed operands differ in rank")),
            };
        }
        let values = self.graph.floats(tensor)?;
        let mut extents = vec![1; rank - shape.len()];
        extents.extend(shape);
        let outlet = self.graph.add_constant(&extents, &values)?;
        if rank == 4 { self.graph.add(AxisOp::Move(3, 1), &[outlet]) } else { Ok(outlet) }
    }

    fn prelu(&mut self) -> Result<(), ModelError> {
        let (input, slope) = (self.input(0)?, self.input(1)?);
        let shape = self.graph.shape(input);
        if self.broadcast(shape, self.graph.shape(slope))? != shape {
            return Err(self.unsupported("its slopes are larger than its input"));
        }
        self.agree(shape)?;
        let rank = shape.len();
        let x = self.operand(input, rank)?;
        let slope = self.operand(slope, rank)?;
        let zero = self.graph.add_constant(&[1; 4][..rank], &[0.0])?;
        let positive = self.graph.add(math::max(), &[x, zero])?;
        let negative = self.graph.add(math::min(), &[x, zero])?;
        let scaled = self.graph.add(math::mul(), &[negative, slope])?;
        let outlet = self.graph.add(math::add(), &[positive, scaled])?;
        self.finish(if rank == 4 { Wire::ChannelsFirst(outlet) } else { Wire::InFile(outlet) })
    }

    fn concatenation(&mut self) -> Result<(), ModelError> {
        let inputs = (0..self.operator.inputs.len())
            .map(|position| self.input(position))
            .collect::<Result<Vec<_>, _>>()?;
        let first = self.graph.shape(self.input(0)?);
        let rank = first.len();
        let axis = self.axis(self.option_i32(0, 0)?, rank)?;
        let mut given = first.to_vec();
        given[axis] = 0;
        for &input in &inputs {
            let shape = self.graph.shape(input);
            if shape.len() != rank || (0..rank).any(|i| i != axis && shape[i] != first[i]) {
                return Err(self.unsupported("the shapes of its operands do not go together"));
            }
            given[axis] += shape[axis];
        }
        self.agree(&given)?;
        let outlets =
            inputs.iter().map(|&input| self.operand(input, rank)).collect::<Result<Vec<_>, _>>()?;
        let image = rank == 4;
        let axis = if image { CHANNELS_FIRST_AXIS[axis] } else { axis };
        let outlet = self.graph.add(TypedConcat { axis }, &outlets)?;
        let outlet = self.activate(outlet, 1)?;
        self.finish(if image { Wire::ChannelsFirst(outlet) } else { Wire::InFile(outlet) })
    }

    fn axis(&self, axis: i32, rank: usize) -> Result<usize, ModelError> {
        let counted = if axis < 0 { i64::from(axis) + rank as i64 } else { axis.into() };
        usize::try_from(counted)
            .ok()
            .filter(|&a| a < rank)
            .ok_or(self.unsupported("an axis lies outside its shape"))
    }

    fn depth_to_space(&mut self) -> Result<(), ModelError> {
        let input = self.input(0)?;
        let [n, h, w, c] = self.image_shape(input)?;
        let block = self.small(self.option_i32(0, 0)?)?;
        if !c.is_multiple_of(block * block) {
            return Err(self.unsupported("its block does not divide the channels"));
        }
        self.agree(&[n, h * block, w * block, c / (block * block)])?;
        let x = self.graph.channels_first(input)?;
        let outlet = self.graph.add(DepthToSpace { block }, &[x])?;
        self.finish(Wire::ChannelsFirst(outlet))
    }

    fn resize_bilinear(&mut self) -> Result<(), ModelError> {
        let input = self.input(0)?;
        let [n, _, _, c] = self.image_shape(input)?;
        let size = self.input(1)?;
        let size = self.graph.integers(size)?;
        let [height, width] = size[..] else {
            return Err(self.unsupported("its size is not [height, width]"));
        };
        let extent = |value: i32| usize::try_from(value).unwrap_or(0);
        let (height, width) = (extent(height), extent(width));
        self.agree(&[n, height, width, c])?;
        let corners = match (self.option_bool(2)?, self.option_bool(3)?) {
            (true, _) => Corners::Aligned,
            (false, true) => Corners::HalfPixel,
            (false, false) => Corners::Origin,
        };
        let x = self.graph.channels_first(input)?;
        let outlet = self.graph.add(Bilinear { height, width, corners }, &[x])?;
        self.finish(Wire::ChannelsFirst(outlet))
    }

    fn reshape(&mut self) -> Result<(), ModelError> {
        let (input, output) = (self.input(0)?, self.output()?);
        let (from, to) = (self.graph.shape(input), self.graph.shape(output));
        if from.iter().product::<usize>() != to.iter().product::<usize>() {
            return Err(self.unsupported("it changes the number of elements"));
        }
        let dims = |shape: &[usize]| shape.iter().map(|e| e.to_dim()).collect::<TVec<_>>();
        let x = self.graph.as_in_file(input)?;
        let outlet = if from == to {
            x
        } else {
            self.graph.add(AxisOp::Reshape(0, dims(from), dims(to)), &[x])?
        };
        self.finish(Wire::InFile(outlet))
    }

    fn pad(&mut self) -> Result<(), ModelError> {
        let (input, pads) = (self.input(0)?, self.input(1)?);
        let shape = self.graph.shape(input);
        let pads = self.graph.integers(pads)?;
        if pads.len() != 2 * shape.len() {
            return Err(self.unsupported("it does not have two pads for each axis"));
        }
        let mut pairs = Vec::new();
        for pair in pads.as_chunks::<2>().0 {
            let [before, after] =
                pair.map(|p| usize::try_from(p).ok().filter(|&p| p <= STEP_LIMIT));
            let (Some(before), Some(after)) = (before, after) else {
                return Err(self.unsupported("a pad is out of range"));
            };
            pairs.push((before, after));
        }
        let given = shape
            .iter()
            .zip(&pairs)
            .map(|(e, (before, after))| e + before + after)
            .collect::<Vec<_>>();
        self.agree(&given)?;
        let image = self.is_image(input);
        if image {
            pairs[1..].rotate_right(1);
        }
        let x = self.operand(input, shape.len())?;
        let mode = PadMode::Constant(rctensor0(0f32));
        let outlet = self.graph.add(Pad { pads: pairs, mode }, &[x])?;
        self.finish(if image { Wire::ChannelsFirst(outlet) } else { Wire::InFile(outlet) })
    }

    fn mean(&mut self) -> Result<(), ModelError> {
        let (input, axes) = (self.input(0)?, self.input(1)?);
        let shape = self.graph.shape(input);
        let keep = self.option_bool(0)?;
        let mut axes = self
            .graph
            .integers(axes)?
            .into_iter()
            .map(|axis| self.axis(axis, shape.len()))
            .collect::<Result<Vec<_>, _>>()?;
        axes.sort_unstable();
        axes.dedup();
        let kept = shape.iter().enumerate().map(|(i, &e)| if axes.contains(&i) { 1 } else { e });
        if keep {
            self.agree(&kept.collect::<Vec<_>>())?;
        }
        let image = self.is_image(input) && keep;
        let x =
            if image { self.graph.channels_first(input)? } else { self.graph.as_in_file(input)? };
        let mut reduced_axes: TVec<usize> =
            axes.iter().map(|&a| if image { CHANNELS_FIRST_AXIS[a] } else { a }).collect();
        reduced_axes.sort_unstable();
        let mut outlet =
            self.graph.add(Reduce { axes: reduced_axes, reducer: Reducer::Sum }, &[x])?;
        let count = axes.iter().map(|&a| shape[a]).product::<usize>();
        let share = self.graph.add_constant(&[1; 4][..shape.len()], &[1.0 / count as f32])?;
        outlet = self.graph.add(math::mul(), &[outlet, share])?;
        if !keep {
            for &axis in axes.iter().rev() {
                outlet = self.graph.add(AxisOp::Rm(axis), &[outlet])?;
            }
        }
        self.finish(if image { Wire::ChannelsFirst(outlet) } else { Wire::InFile(outlet) })
    }

    fn fully_connected(&mut self) -> Result<(), ModelError> {
        let (input, weights) = (self.input(0)?, self.input(1)?);
        let &[units, depth] = self.graph.shape(weights) else {
            return Err(self.unsupported("its weights are not a matrix"));
        };
        if self.option_i8(1)? != 0 {
            return Err(self.unsupported("its weights are shuffled"));
        }
        let shape = self.graph.shape(input);
        let elements = shape.iter().product::<usize>();
        if !elements.is_multiple_of(depth) {
            return Err(self.unsupported("its weights do not fit its input"));
        }
        let rows = elements / depth;
        let to = self.graph.shape(self.output()?);
        if to.iter().product::<usize>() != rows * units || to.last() != Some(&units) {
            self.agree(&[rows, units])?;
        }
        let dims = |shape: &[usize]| shape.iter().map(|e| e.to_dim()).collect::<TVec<_>>();
        let mut x = self.graph.as_in_file(input)?;
        if shape != [rows, depth] {
            x = self.graph.add(AxisOp::Reshape(0, dims(shape), dims(&[rows, depth])), &[x])?;
        }
        let values = self.graph.floats(weights)?;
        let weights = self.graph.add_constant(&[units, depth], &values)?;
        let axes = "mk,nk->mn".parse().map_err(compile)?;
        let product = EinSum { axes, operating_dt: f32::datum_type(), q_params: None };
        let mut outlet = self.graph.add(product, &[x, weights])?;
        if let Some(bias) = self.optional_input(2) {
            if self.graph.shape(bias) != [units] {
                return Err(self.unsupported("its bias does not have one value for each unit"));
            }
            let values = self.graph.floats(bias)?;
            let bias = self.graph.add_constant(&[1, units], &values)?;
            outlet = self.graph.add(math::add(), &[outlet, bias])?;
        }
        outlet = self.activate(outlet, 0)?;
        if to != [rows, units] {
            outlet =
                self.graph.add(AxisOp::Reshape(0, dims(&[rows, units]), dims(to)), &[outlet])?;
        }
        self.finish(Wire::InFile(outlet))
    }

    fn strided_slice(&mut self) -> Result<(), ModelError> {
        let input = self.input(0)?;
        let shape = self.graph.shape(input);
        let (begin, end, stride) = (self.input(1)?, self.input(2)?, self.input(3)?);
        let begin = self.graph.integers(begin)?;
        let end = self.graph.integers(end)?;
        let stride = self.graph.integers(stride)?;
        let [begin_mask, end_mask, ellipsis, new_axis, shrink] =
            [0, 1, 2, 3, 4].map(|slot| self.option_i32(slot, 0));
        let (begin_mask, end_mask, shrink) = (begin_mask?, end_mask?, shrink?);
        if ellipsis? != 0 || new_axis? != 0 {
            return Err(self.unsupported("it inserts axes"));
        }
        if begin.len() != shape.len() || end.len() != shape.len() || stride != vec![1; shape.len()]
        {
            return Err(self.unsupported("it does not slice every axis with stride 1"));
        }
        let mut outlet = self.graph.as_in_file(input)?;
        for (axis, &extent) in shape.iter().enumerate() {
            let place = |value: i32| {
                let value = i64::from(value) + if value < 0 { extent as i64 } else { 0 };
                value.clamp(0, extent as i64) as usize
            };
            let start = if begin_mask >> axis & 1 == 1 { 0 } else { place(begin[axis]) };
            let stop = match (shrink >> axis & 1 == 1, end_mask >> axis & 1 == 1) {
                (true, _) => start + 1,
                (false, true) => extent,
                (false, false) => place(end[axis]),
            };
            if start >= stop || stop > extent {
                return Err(self.unsupported("it leaves nothing of an axis"));
            }
            if (start, stop) != (0, extent) {
                outlet = self.graph.add(Slice::new(axis, start, stop), &[outlet])?;
            }
        }
        for axis in (0..shape.len()).rev().filter(|axis| shrink >> axis & 1 == 1) {
            outlet = self.graph.add(AxisOp::Rm(axis), &[outlet])?;
        }
        self.finish(Wire::InFile(outlet))
    }
}
