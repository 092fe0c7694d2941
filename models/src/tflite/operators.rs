//! One TensorFlow Lite operation at a time to layers.

mod windowed;

use super::file::{Code, Operator};
use super::{Graph, Margin, compile};
use crate::ModelError;
use crate::nn::{
    Binary, Corners, Layer, Linear, Operation, Pad, Parameter, Pool, Pooling, Resize, Sampling,
    Slice,
};
use kernels::math::Activation;
use tract_core::internal::*;

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
            0 => ("ADD", |step| step.binary(Operation::Add)),
            1 => ("AVERAGE_POOL_2D", |step| windowed::pool(step, Pooling::Mean)),
            2 => ("CONCATENATION", |step| step.concatenation()),
            3 => ("CONV_2D", windowed::convolution),
            4 => ("DEPTHWISE_CONV_2D", windowed::depthwise_convolution),
            5 => ("DEPTH_TO_SPACE", |step| step.depth_to_space()),
            6 => ("DEQUANTIZE", |step| step.pass_constant()),
            9 => ("FULLY_CONNECTED", |step| step.fully_connected()),
            14 => ("LOGISTIC", |step| step.each_element(Activation::Sigmoid)),
            17 => ("MAX_POOL_2D", |step| windowed::pool(step, Pooling::Greatest)),
            18 => ("MUL", |step| step.binary(Operation::Multiply)),
            19 => ("RELU", |step| step.each_element(Activation::Relu)),
            21 => ("RELU6", |step| step.each_element(Activation::Relu6)),
            22 => ("RESHAPE", |step| step.reshape()),
            23 => ("RESIZE_BILINEAR", |step| step.resize_bilinear()),
            34 => ("PAD", |step| step.pad()),
            40 => ("MEAN", |step| step.mean()),
            41 => ("SUB", |step| step.binary(Operation::Subtract)),
            45 => ("STRIDED_SLICE", |step| step.strided_slice()),
            54 => ("PRELU", |step| step.prelu()),
            117 => ("HARD_SWISH", |step| step.each_element(Activation::HardSwish)),
            124 => ("DENSIFY", |step| step.pass_constant()),
            _ => return Err(unknown(format!("builtin {code}"))),
        },
    };
    let mut step = Step { graph, operator, index, name };
    let output = step.output()?;
    if step.graph.is_computed(output) || step.graph.is_constant(output) {
        return Err(step.unsupported("its output exists already"));
    }
    step.graph.spend(output)?;
    rule(&mut step)
}

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

    /// Adds a layer under the name of the output.
    fn add(&mut self, layer: Layer, inputs: &[OutletId]) -> Result<OutletId, ModelError> {
        let name = self.graph.name(self.output()?);
        let name = name.unwrap_or_else(|| format!("{}.{}", self.index, layer.kind()));
        self.graph.add(&name, layer, inputs)
    }

    /// Adds a layer that comes with the operation's main one: the name of its kind is appended.
    fn add_beside(&mut self, layer: Layer, inputs: &[OutletId]) -> Result<OutletId, ModelError> {
        let name = self.graph.name(self.output()?).unwrap_or_else(|| self.index.to_string());
        self.graph.add(&format!("{name}.{}", layer.kind()), layer, inputs)
    }

    /// Adds the fused activation whose code is in a slot of the options.
    fn activate(&mut self, outlet: OutletId, slot: usize) -> Result<OutletId, ModelError> {
        let activation = match self.option_i8(slot)? {
            0 => return Ok(outlet),
            1 => Activation::Relu,
            3 => Activation::Relu6,
            2 => return Err(self.unsupported("values are held between -1 and 1")),
            _ => return Err(self.unsupported("the fused activation is unknown")),
        };
        self.add_beside(Layer::Activate(activation), &[outlet])
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
    fn finish(&mut self, outlet: OutletId) -> Result<(), ModelError> {
        let fact = self.graph.model.outlet_fact(outlet).map_err(compile)?;
        let given = fact.shape.as_concrete().unwrap_or_default().to_vec();
        self.agree(&given)?;
        let output = self.output()?;
        self.graph.wires[output] = Some(outlet);
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

    fn each_element(&mut self, activation: Activation) -> Result<(), ModelError> {
        let input = self.input(0)?;
        self.agree(self.graph.shape(input))?;
        let x = self.graph.outlet(input)?;
        let outlet = self.add(Layer::Activate(activation), &[x])?;
        self.finish(outlet)
    }

    fn binary(&mut self, operation: Operation) -> Result<(), ModelError> {
        let (a, b) = (self.input(0)?, self.input(1)?);
        let given = self.broadcast(self.graph.shape(a), self.graph.shape(b))?;
        self.agree(&given)?;
        let operands = [self.graph.outlet(a)?, self.graph.outlet(b)?];
        let outlet = self.add(Layer::Binary(Binary { operation }), &operands)?;
        let outlet = self.activate(outlet, 0)?;
        self.finish(outlet)
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

    fn prelu(&mut self) -> Result<(), ModelError> {
        let (input, slopes) = (self.input(0)?, self.input(1)?);
        let shape = self.graph.shape(input);
        let Some(&channels) = shape.last() else {
            return Err(self.unsupported("its input has no channels"));
        };
        self.agree(shape)?;
        let slopes = if self.graph.is_constant(slopes) {
            self.graph.parameter(slopes)?
        } else {
            return Err(self.unsupported("its slopes are not a constant"));
        };
        let slopes = match slopes.values.len() {
            1 => Parameter::new(slopes.name, &[channels], vec![slopes.values[0]; channels]),
            count if count == channels && slopes.shape.last() == Some(&channels) => {
                Parameter { shape: vec![channels], ..slopes }
            }
            _ => return Err(self.unsupported("it does not have one slope for each channel")),
        };
        let x = self.graph.outlet(input)?;
        let outlet = self.add(Layer::PRelu(slopes), &[x])?;
        self.finish(outlet)
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
            inputs.iter().map(|&input| self.graph.outlet(input)).collect::<Result<Vec<_>, _>>()?;
        let outlet = self.add(Layer::Concat { axis }, &outlets)?;
        let outlet = self.activate(outlet, 1)?;
        self.finish(outlet)
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
        let x = self.graph.outlet(input)?;
        let outlet = self.add(Layer::DepthToSpace { block }, &[x])?;
        self.finish(outlet)
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
        let x = self.graph.outlet(input)?;
        let resize = Resize { height, width, sampling: Sampling::Bilinear(corners) };
        let outlet = self.add(Layer::Resize(resize), &[x])?;
        self.finish(outlet)
    }

    fn reshape(&mut self) -> Result<(), ModelError> {
        let (input, output) = (self.input(0)?, self.output()?);
        let (from, to) = (self.graph.shape(input), self.graph.shape(output));
        if from.iter().product::<usize>() != to.iter().product::<usize>() {
            return Err(self.unsupported("it changes the number of elements"));
        }
        let x = self.graph.outlet(input)?;
        let outlet =
            if from == to { x } else { self.add(Layer::Reshape { shape: to.to_vec() }, &[x])? };
        self.finish(outlet)
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
        let [(0, 0), (top, bottom), (left, right), channels] = pairs[..] else {
            return Err(self.unsupported("it does not pad an image [n, h, w, c]"));
        };
        let pads = [top, left, bottom, right];
        let x = self.graph.outlet(input)?;
        if channels == (0, 0) {
            let output = self.output()?;
            self.graph.margins[output] = Some(Margin { inner: input, pads });
            return Ok(());
        }
        let pad = Pad { image: pads, channels: channels.into() };
        let outlet = self.add(Layer::Pad(pad), &[x])?;
        self.finish(outlet)
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
        let mut x = self.graph.outlet(input)?;
        let &[first, .., last] = &[&axes[..], &axes[..]].concat()[..] else {
            return self.finish(x);
        };
        if last - first != axes.len() - 1 {
            return Err(self.unsupported("its axes are not side by side"));
        }
        let mut window = [1, 1];
        if shape.len() == 4 && axes.iter().all(|axis| matches!(axis, 1 | 2)) {
            axes.iter().for_each(|&axis| window[axis - 1] = shape[axis]);
        } else {
            let extents = |axes: &[usize]| axes.iter().product::<usize>();
            let (before, over) = (extents(&shape[..first]), extents(&shape[first..=last]));
            let shape = vec![before, over, 1, extents(&shape[last + 1..])];
            x = self.add_beside(Layer::Reshape { shape }, &[x])?;
            window[0] = over;
        }
        let pool = Pool { pooling: Pooling::Mean, window, stride: [1, 1], padding: [0; 4] };
        let outlet = self.add(Layer::Pool(pool), &[x])?;
        let outlet = self.reshaped(outlet)?;
        self.finish(outlet)
    }

    /// The outlet in the shape of the output, where it has as many values.
    fn reshaped(&mut self, outlet: OutletId) -> Result<OutletId, ModelError> {
        let shape = self.graph.shape(self.output()?).to_vec();
        let fact = self.graph.model.outlet_fact(outlet).map_err(compile)?;
        let given = fact.shape.as_concrete().unwrap_or_default().to_vec();
        if given == shape {
            return Ok(outlet);
        }
        if given.iter().product::<usize>() != shape.iter().product::<usize>() {
            self.agree(&given)?;
        }
        self.add_beside(Layer::Reshape { shape }, &[outlet])
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
        let mut x = self.graph.outlet(input)?;
        if shape.last() != Some(&depth) {
            x = self.add_beside(Layer::Reshape { shape: vec![rows, depth] }, &[x])?;
        }
        let weights = self.graph.parameter(weights)?;
        let bias = self.bias(units)?;
        let outlet = self.add(Layer::Linear(Linear { weights, bias }), &[x])?;
        let outlet = self.activate(outlet, 0)?;
        let outlet = self.reshaped(outlet)?;
        self.finish(outlet)
    }

    /// The third input, one value for each channel.
    fn bias(&mut self, channels: usize) -> Result<Option<Parameter>, ModelError> {
        let Some(bias) = self.optional_input(2) else { return Ok(None) };
        if self.graph.shape(bias) != [channels] {
            return Err(self.unsupported("its bias does not have one value for each channel"));
        }
        self.graph.parameter(bias).map(Some)
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
        let mut outlet = self.graph.outlet(input)?;
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
                let slice = Slice { axis, start, end: stop };
                outlet = self.add(Layer::Slice(slice), &[outlet])?;
            }
        }
        let outlet = self.reshaped(outlet)?;
        self.finish(outlet)
    }
}
