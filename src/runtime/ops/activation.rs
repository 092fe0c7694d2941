//! Activations of each value, and PReLU.

use super::convert::{Conversion, Form, bytes_of};
use super::operands::{BLOCK, cut_up, per_tensor, row_shares, same_shape, typed_mut};
use super::{Call, Context, Execute, Tensor, refused};
use crate::runtime::engine::RuntimeError;
use crate::runtime::program::{Element, Op, Quantization, Step};
use kernels::activation::{Values, Version};
use kernels::elements;
use kernels::kernel::Kernel;
use kernels::math::Activation;
use kernels::scratch::{bytes_for, cut};

pub(super) fn prepare(context: &Context, step: &Step) -> Result<Box<dyn Execute>, RuntimeError> {
    let [x] = context.inputs(step)?;
    let [y] = context.outputs(step)?;
    per_tensor(step, x)?;
    per_tensor(step, y)?;
    same_shape(step, x, y)?;
    let function = match &step.op {
        Op::Activate { activation } => Function::Activation(*activation),
        Op::PRelu { slopes } => {
            Function::PRelu(context.tensor(step, "slopes", *slopes, x.channels())?)
        }
        _ => return Err(refused(step, "no activation")),
    };
    let ways = (x.quantization, y.quantization);
    if let (Function::Activation(activation), (Some(from), Some(to))) = (&function, ways) {
        return Ok(Box::new(Table::of(*activation, from, to)));
    }
    let kernel = Kernel::first(context.features);
    if x.element == y.element && x.element != Element::I8 {
        return Ok(Box::new(Direct { kernel, function }));
    }
    let channels = x.channels();
    Ok(Box::new(Widened {
        kernel,
        function,
        widen: Conversion::between(context.features, Form::of(x), Form::F32),
        narrow: Conversion::between(context.features, Form::F32, Form::of(y)),
        rows: (BLOCK / channels).max(1),
        channels,
    }))
}

/// A function of a value, or of a value and its channel.
#[derive(Debug)]
enum Function {
    Activation(Activation),
    PRelu(Tensor<f32>),
}

/// From f32 to f32 or f16 to f16.
#[derive(Debug)]
struct Direct {
    kernel: Kernel<Version>,
    function: Function,
}

impl Execute for Direct {
    fn run(&self, call: Call) {
        let Call { inputs, outputs, pool, scratch, .. } = call;
        let x = inputs[0].input().expect("floats, as was checked");
        let value = inputs[0].value;
        // Activations do not know of rows: those of a long row are shared, too.
        let channels = match self.function {
            Function::Activation(_) => 1,
            Function::PRelu(_) => value.channels(),
        };
        let size = value.element.size();
        let ranges = row_shares(value.elements() / channels, channels * size, pool.threads());
        let lengths = ranges.iter().map(|range| range.len() * channels * size);
        let parts = cut_up(outputs[0].bytes, lengths);
        pool.for_each(ranges.iter().zip(parts).collect(), scratch, |(rows, to), _| {
            let from = x.part(rows.start * channels..rows.end * channels);
            let to = match value.element {
                Element::F16 => Values::F16(typed_mut(to)),
                _ => Values::F32(typed_mut(to)),
            };
            match &self.function {
                Function::Activation(activation) => self.kernel.run(*activation, from, to),
                Function::PRelu(slopes) => self.kernel.prelu(slopes, from, to),
            }
        });
    }
}

/// From int8 to int8: each of 256 values has its result.
#[derive(Debug)]
struct Table {
    results: Box<[i8; 256]>,
}

impl Table {
    fn of(activation: Activation, from: Quantization, to: Quantization) -> Self {
        let to = elements::Quantization { scale: to.scale, zero_point: to.zero_point };
        let result = |byte: usize| {
            let steps = i32::from(byte as u8 as i8) - i32::from(from.zero_point);
            to.of(activation.of(steps as f32 * from.scale))
        };
        Self { results: Box::new(std::array::from_fn(result)) }
    }
}

impl Execute for Table {
    fn run(&self, call: Call) {
        let Call { inputs, outputs, pool, scratch, .. } = call;
        let x = inputs[0].i8();
        let ranges = row_shares(x.len(), 2, pool.threads());
        let parts =
            cut_up(typed_mut::<i8>(outputs[0].bytes), ranges.iter().map(|range| range.len()));
        pool.for_each(ranges.iter().zip(parts).collect(), scratch, |(range, to), _| {
            for (to, &from) in to.iter_mut().zip(&x[range.clone()]) {
                *to = self.results[usize::from(from as u8)];
            }
        });
    }
}

/// From any element to any other, through f32.
#[derive(Debug)]
struct Widened {
    kernel: Kernel<Version>,
    function: Function,
    widen: Conversion,
    narrow: Conversion,
    /// How many are converted at once.
    rows: usize,
    channels: usize,
}

impl Widened {
    /// Of the values that are converted at once.
    fn wide_bytes(&self) -> usize {
        self.rows * self.channels * size_of::<f32>()
    }
}

impl Execute for Widened {
    fn scratch_bytes(&self) -> usize {
        bytes_for::<u8>(self.wide_bytes())
    }

    fn run(&self, call: Call) {
        let Call { inputs, outputs, pool, scratch, .. } = call;
        let x = &inputs[0];
        let row_bytes = self.channels * size_of::<f32>();
        let ranges = row_shares(x.rows(), row_bytes, pool.threads());
        pool.for_each(outputs[0].split_rows(&ranges), scratch, |part, mut scratch| {
            let wide = cut::<u8>(&mut scratch, self.wide_bytes());
            let row_to = part.bytes.len() / part.rows.len();
            let mut first = part.rows.start;
            for to in part.bytes.chunks_mut(self.rows * row_to) {
                let rows = to.len() / row_to;
                let wide = &mut wide[..rows * row_bytes];
                self.widen.all(bytes_of(x, first..first + rows), wide);
                let values = Values::F32(typed_mut(wide));
                match &self.function {
                    Function::Activation(activation) => {
                        self.kernel.run_in_place(*activation, values);
                    }
                    Function::PRelu(slopes) => {
                        self.kernel.prelu_in_place(slopes, values);
                    }
                }
                self.narrow.all(wide, to);
                first += rows;
            }
        });
    }
}
