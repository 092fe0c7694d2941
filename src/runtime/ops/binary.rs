//! Sums and products of two values, the second one repeated.

use super::convert::{Conversion, Form, bytes_of};
use super::operands::{
    BLOCK, expect, image_shares, per_tensor, require, same_shape, typed, typed_mut,
};
use super::{Call, Context, Execute, Tensor, refused};
use crate::runtime::engine::{RuntimeError, View};
use crate::runtime::program::{Element, Op, Operation, Quantization, Repeat, Step, Value};
use half::f16;
use kernels::broadcast::{self, BroadcastRow, Scales, Second};
use kernels::kernel::{Kernel, Row};
use kernels::math::Activation;
use kernels::memory;
use kernels::scratch::{Plain, bytes_for, cut};
use kernels::stored::Stored;
use std::ops::{Deref, Range};

pub(super) fn prepare(context: &Context, step: &Step) -> Result<Box<dyn Execute>, RuntimeError> {
    let Op::Binary { operation, repeat, constant, activation } = &step.op else {
        return Err(refused(step, "no operation on two values"));
    };
    let one = matches!(repeat, Repeat::One(_));
    let (x, b) = if one || constant.is_some() {
        let [x] = context.inputs(step)?;
        (x, None)
    } else {
        let [x, b] = context.inputs(step)?;
        (x, Some(b))
    };
    let [y] = context.outputs(step)?;
    for value in [Some(x), Some(y), b].into_iter().flatten() {
        per_tensor(step, value)?;
    }
    same_shape(step, x, y)?;
    let (images, rows, channels) = (x.shape[0], x.rows(), x.channels());
    let length = match repeat {
        Repeat::One(value) => {
            require(step, value.is_finite(), "the value for all", "a finite number", value)?;
            0
        }
        Repeat::Channels => channels,
        Repeat::Rows => rows,
        Repeat::Images => {
            require(step, x.shape.len() >= 2, &x.name, "[n, …, c]", &x.shape)?;
            images * channels
        }
        Repeat::All => rows * channels,
    };
    if let Some(b) = b {
        expect(step, &format!("elements of {}", b.name), length, b.elements())?;
    }
    let constant = match constant {
        Some(_) if one => return Err(refused(step, "one value for all, and a constant besides")),
        Some(span) => Some(context.tensor::<f32>(step, "constant", *span, length)?),
        None => None,
    };

    let operation = match operation {
        Operation::Add => broadcast::Operation::Add,
        Operation::Multiply => broadcast::Operation::Mul,
    };
    let common = Common {
        operation,
        activation: *activation,
        repeat: *repeat,
        // Repeated for each image, b changes from image to image.
        images: if *repeat == Repeat::Images { images } else { 1 },
        rows,
        channels,
    };
    // What is repeated for each row stays f32 whatever the others are.
    let wanted = if *repeat == Repeat::Rows { Element::F32 } else { x.element };
    let alike = x.element == y.element && b.is_none_or(|b| b.element == wanted);
    let made = Made { x, b, y, constant };
    Ok(match x.element {
        Element::F32 if alike => Box::new(Same::<f32>::of(context, common, made)),
        Element::F16 if alike => Box::new(Same::<f16>::of(context, common, made)),
        Element::I8 if alike => Box::new(Same::<i8>::of(context, common, made)),
        _ => Box::new(Mixed::of(context, common, made)),
    })
}

/// Checked operands.
struct Made<'a> {
    x: &'a Value,
    b: Option<&'a Value>,
    y: &'a Value,
    constant: Option<Tensor<f32>>,
}

/// What every version needs to know.
#[derive(Clone, Copy, Debug)]
struct Common {
    operation: broadcast::Operation,
    activation: Activation,
    repeat: Repeat,
    /// Rows of one image stay together; 1 where that does not matter.
    images: usize,
    /// Of all images.
    rows: usize,
    channels: usize,
}

impl Common {
    fn shares(&self, row_bytes: usize, threads: usize) -> Vec<Range<usize>> {
        image_shares(self.images, self.rows / self.images, 1, row_bytes, threads)
    }

    /// Which of b's values some rows of an image meet.
    fn part(&self, rows: &Range<usize>) -> Range<usize> {
        let channels = self.channels;
        match self.repeat {
            Repeat::One(_) => 0..0,
            Repeat::Channels => 0..channels,
            Repeat::Rows => rows.clone(),
            Repeat::Images => {
                let image = rows.start / (self.rows / self.images);
                image * channels..(image + 1) * channels
            }
            Repeat::All => rows.start * channels..rows.end * channels,
        }
    }

    /// The values of [`Common::part`] as a kernel takes them.
    fn second<'a, T>(&self, values: &'a [T], row_values: &'a [f32]) -> Second<'a, T> {
        match self.repeat {
            Repeat::One(value) => Second::One(value),
            Repeat::Channels | Repeat::Images => Second::Channels(values),
            Repeat::Rows => Second::Rows(row_values),
            Repeat::All => Second::All(values),
        }
    }
}

/// An element that a version of the kernel computes with.
trait Broadcast: Stored + Plain {
    /// A constant in this element, and how it is quantized.
    fn constant(values: Tensor<f32>) -> (Values<Self>, kernels::gemm::Quantization);

    fn compute(
        kernel: Kernel<BroadcastRow<Self>>,
        common: &Common,
        a: &[Self],
        b: Second<Self>,
        scales: &Scales,
        to: &mut [Self],
    ) where
        BroadcastRow<Self>: Row;
}

/// A constant as it is stored, or in another element.
#[derive(Debug)]
enum Values<T> {
    Stored(Tensor<T>),
    Owned(Box<[T]>),
}

impl<T: Plain> Deref for Values<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        match self {
            Values::Stored(tensor) => tensor,
            Values::Owned(values) => values,
        }
    }
}

impl Broadcast for f32 {
    fn constant(values: Tensor<f32>) -> (Values<Self>, kernels::gemm::Quantization) {
        (Values::Stored(values), Quantization::of_gemm(None))
    }

    fn compute(
        kernel: Kernel<BroadcastRow<Self>>,
        common: &Common,
        a: &[Self],
        b: Second<Self>,
        _: &Scales,
        to: &mut [Self],
    ) {
        kernel.run(common.operation, common.channels, a, b, common.activation, to);
    }
}

impl Broadcast for f16 {
    fn constant(values: Tensor<f32>) -> (Values<Self>, kernels::gemm::Quantization) {
        let values = values.iter().map(|&value| f16::from_f32(value)).collect();
        (Values::Owned(values), Quantization::of_gemm(None))
    }

    fn compute(
        kernel: Kernel<BroadcastRow<Self>>,
        common: &Common,
        a: &[Self],
        b: Second<Self>,
        _: &Scales,
        to: &mut [Self],
    ) {
        kernel.run(common.operation, common.channels, a, b, common.activation, to);
    }
}

impl Broadcast for i8 {
    fn constant(values: Tensor<f32>) -> (Values<Self>, kernels::gemm::Quantization) {
        let finite = values.iter().map(|value| value.abs()).filter(|value| value.is_finite());
        let greatest = finite.fold(0.0, f32::max);
        let scale = greatest / 127.0;
        let scale = if scale.is_normal() { scale } else { 1.0 };
        let quantized = values.iter().map(|&value| i8::nearest(value / scale)).collect();
        (Values::Owned(quantized), kernels::gemm::Quantization { scale, zero_point: 0 })
    }

    fn compute(
        kernel: Kernel<BroadcastRow<Self>>,
        common: &Common,
        a: &[Self],
        b: Second<Self>,
        scales: &Scales,
        to: &mut [Self],
    ) {
        let Common { operation, activation, channels, .. } = *common;
        kernel.run_quantized(operation, channels, a, b, scales, activation, to);
    }
}

/// All of one element.
#[derive(Debug)]
struct Same<T: 'static> {
    kernel: Kernel<BroadcastRow<T>>,
    common: Common,
    constant: Option<Values<T>>,
    /// A constant for each row.
    row_constant: Option<Tensor<f32>>,
    scales: Scales,
}

impl<T: Broadcast> Same<T>
where
    BroadcastRow<T>: Row,
{
    fn of(context: &Context, common: Common, made: Made) -> Self {
        let Made { x, b, y, constant } = made;
        let mut second = Quantization::of_gemm(b.and_then(|b| b.quantization));
        let (mut values, mut row_constant) = (None, None);
        match constant {
            Some(tensor) if common.repeat == Repeat::Rows => row_constant = Some(tensor),
            Some(tensor) => {
                let (constant, quantization) = T::constant(tensor);
                (values, second) = (Some(constant), quantization);
            }
            None => {}
        }
        let (a, to) =
            (Quantization::of_gemm(x.quantization), Quantization::of_gemm(y.quantization));
        let kernel = Kernel::first(context.features);
        Self { kernel, common, constant: values, row_constant, scales: Scales { a, b: second, to } }
    }
}

impl<T: Broadcast> Execute for Same<T>
where
    BroadcastRow<T>: Row,
{
    fn repacked_bytes(&self) -> usize {
        match &self.constant {
            Some(Values::Owned(values)) => size_of_val(&values[..]),
            _ => 0,
        }
    }

    fn run(&self, call: Call) {
        let Call { inputs, outputs, pool, scratch, .. } = call;
        let common = &self.common;
        let channels = common.channels;
        let a = typed::<T>(inputs[0].bytes);
        let (mut values, mut row_values): (&[T], &[f32]) = (&[], &[]);
        match (&self.constant, &self.row_constant, inputs.get(1)) {
            (Some(constant), ..) => values = constant,
            (_, Some(constant), _) => row_values = constant,
            (_, _, Some(b)) if common.repeat == Repeat::Rows => row_values = b.f32(),
            (_, _, Some(b)) => values = typed(b.bytes),
            _ => {}
        }
        let ranges = common.shares(channels * size_of::<T>(), pool.threads());
        pool.for_each(outputs[0].split_rows(&ranges), scratch, |part, _| {
            let rows = part.rows;
            let own = common.part(&rows);
            let second = match common.repeat {
                Repeat::Rows => common.second(&[], &row_values[own]),
                _ => common.second(&values[own], &[]),
            };
            let a = &a[rows.start * channels..rows.end * channels];
            T::compute(self.kernel, common, a, second, &self.scales, typed_mut(part.bytes));
        });
    }
}

/// Of several elements: computed in f32.
#[derive(Debug)]
struct Mixed {
    kernel: Kernel<BroadcastRow<f32>>,
    common: Common,
    constant: Option<Tensor<f32>>,
    widen: Conversion,
    widen_second: Conversion,
    narrow: Conversion,
    /// How many are converted at once.
    rows: usize,
}

impl Mixed {
    fn of(context: &Context, common: Common, made: Made) -> Self {
        let Made { x, b, y, constant } = made;
        let features = context.features;
        Self {
            kernel: Kernel::first(features),
            common,
            constant,
            widen: Conversion::between(features, Form::of(x), Form::F32),
            widen_second: Conversion::between(features, b.map_or(Form::F32, Form::of), Form::F32),
            narrow: Conversion::between(features, Form::F32, Form::of(y)),
            rows: (BLOCK / common.channels).max(1),
        }
    }

    /// Bytes of rows that are converted at once.
    fn block_bytes(&self) -> usize {
        self.rows * self.common.channels * size_of::<f32>()
    }

    /// The second operand of some rows in f32.
    fn second<'a>(
        &'a self,
        b: Option<&View>,
        rows: &Range<usize>,
        wide: &'a mut [u8],
    ) -> &'a [f32] {
        let part = self.common.part(rows);
        match (b, &self.constant) {
            (Some(b), _) => {
                let size = b.value.element.size();
                let wide = &mut wide[..part.len() * size_of::<f32>()];
                self.widen_second.all(&b.bytes[part.start * size..part.end * size], wide);
                typed(wide)
            }
            (None, Some(constant)) => &constant[part],
            (None, None) => &[],
        }
    }
}

impl Execute for Mixed {
    fn scratch_bytes(&self) -> usize {
        3 * bytes_for::<u8>(self.block_bytes())
    }

    fn run(&self, call: Call) {
        let Call { inputs, outputs, pool, scratch, .. } = call;
        let common = &self.common;
        let (x, b) = (&inputs[0], inputs.get(1));
        let channels = common.channels;
        let row_bytes = channels * size_of::<f32>();
        let ranges = common.shares(row_bytes, pool.threads());
        pool.for_each(outputs[0].split_rows(&ranges), scratch, |part, mut scratch| {
            let [wide_a, wide_b, wide_y] =
                [(); 3].map(|()| cut::<u8>(&mut scratch, self.block_bytes()));
            let row_to = part.bytes.len() / part.rows.len();
            let mut first = part.rows.start;
            for to in part.bytes.chunks_mut(self.rows * row_to) {
                let rows = first..first + to.len() / row_to;
                let wide_a = &mut wide_a[..rows.len() * row_bytes];
                let wide_y = &mut wide_y[..rows.len() * row_bytes];
                self.widen.all(bytes_of(x, rows.clone()), wide_a);
                let second = self.second(b, &rows, wide_b);
                let second = common.second(second, second);
                let (a, y) = (typed(wide_a), typed_mut(wide_y));
                self.kernel.run(common.operation, channels, a, second, common.activation, y);
                self.narrow.all(memory::bytes(&*y), to);
                first = rows.end;
            }
        });
    }
}
