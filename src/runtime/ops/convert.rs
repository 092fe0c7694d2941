//! Conversions between elements, and what other steps convert with.

use super::operands::{
    cut_up, element, expect, per_tensor, row_shares, same_shape, typed, typed_mut,
};
use super::{Call, Context, Execute, RowsMut};
use crate::runtime::engine::{RuntimeError, View};
use crate::runtime::program::{Element, Quantization, Step, Value};
use half::f16;
use kernels::convert::{ConvertRow, Factors, Scaling, Strided};
use kernels::features::Features;
use kernels::kernel::{Kernel, Row};
use kernels::scratch::Plain;
use kernels::stored::Stored;

pub(super) fn prepare(context: &Context, step: &Step) -> Result<Box<dyn Execute>, RuntimeError> {
    // A value with a step for each row may be followed by its steps.
    let x = if step.inputs.len() == 2 {
        let [x, steps] = context.inputs(step)?;
        expect(step, &steps.name, Some(step.inputs[1]), x.row_steps)?;
        x
    } else {
        let [x] = context.inputs(step)?;
        x
    };
    if step.outputs.len() == 2 {
        let [y, steps] = context.outputs(step)?;
        same_shape(step, x, y)?;
        element(step, y, Element::I8)?;
        expect(step, "the steps of the rows", Some(step.outputs[1]), y.row_steps)?;
        element(step, steps, Element::F32)?;
        expect(step, &steps.name, y.rows(), steps.elements())?;
        return Ok(match x.element {
            Element::F32 => {
                Box::new(ByRow { kernel: Kernel::<ConvertRow<f32, i8>>::first(context.features) })
            }
            Element::F16 => {
                Box::new(ByRow { kernel: Kernel::<ConvertRow<f16, i8>>::first(context.features) })
            }
            Element::I8 => {
                return Err(super::refused(
                    step,
                    format!("{}: expected f32 or f16, found int8", x.name),
                ));
            }
        });
    }
    let [y] = context.outputs(step)?;
    same_shape(step, x, y)?;
    per_tensor(step, y)?;
    if x.row_steps.is_some() {
        let whole = Form { element: Element::I8, quantization: None };
        let conversion = Conversion::between(context.features, whole, Form::of(y));
        return Ok(Box::new(FromRows { conversion }));
    }
    Ok(Box::new(Whole {
        conversion: Conversion::between(context.features, Form::of(x), Form::of(y)),
    }))
}

/// What a tensor's bytes mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Form {
    pub element: Element,
    pub quantization: Option<Quantization>,
}

impl Form {
    pub const F32: Self = Self { element: Element::F32, quantization: None };

    /// Of a value without steps of rows.
    pub fn of(value: &Value) -> Self {
        Self { element: value.element, quantization: value.quantization }
    }
}

/// A way from one form to another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conversion {
    pair: Pair,
    scaling: Scaling<'static>,
}

#[derive(Clone, Copy, Debug)]
enum Pair {
    /// The same bytes.
    Copy,
    F32F16(Kernel<ConvertRow<f32, f16>>),
    F32I8(Kernel<ConvertRow<f32, i8>>),
    F16F32(Kernel<ConvertRow<f16, f32>>),
    F16I8(Kernel<ConvertRow<f16, i8>>),
    I8F32(Kernel<ConvertRow<i8, f32>>),
    I8F16(Kernel<ConvertRow<i8, f16>>),
    I8I8(Kernel<ConvertRow<i8, i8>>),
}

impl Conversion {
    /// int8 without a quantization counts whole steps.
    pub fn between(features: Features, from: Form, to: Form) -> Self {
        use Element::{F16, F32, I8};
        let pair = match (from.element, to.element) {
            (F32, F32) | (F16, F16) => Pair::Copy,
            (F32, F16) => Pair::F32F16(Kernel::first(features)),
            (F32, I8) => Pair::F32I8(Kernel::first(features)),
            (F16, F32) => Pair::F16F32(Kernel::first(features)),
            (F16, I8) => Pair::F16I8(Kernel::first(features)),
            (I8, F32) => Pair::I8F32(Kernel::first(features)),
            (I8, F16) => Pair::I8F16(Kernel::first(features)),
            (I8, I8) if from == to => Pair::Copy,
            (I8, I8) => Pair::I8I8(Kernel::first(features)),
        };
        let of = |form: Form| match form.quantization {
            Some(Quantization { scale, zero_point }) => (scale, i32::from(zero_point)),
            None => (1.0, 0),
        };
        let ((scale_from, zero_from), (scale_to, zero_to)) = (of(from), of(to));
        let factor = if scale_to == 1.0 { scale_from } else { scale_from * (1.0 / scale_to) };
        let factors = Factors::One(factor);
        Self { pair, scaling: Scaling { factors, zero_from, zero_to } }
    }

    /// Whether both forms are one.
    pub fn is_copy(&self) -> bool {
        matches!(self.pair, Pair::Copy)
    }

    /// Of values one after the other, `to` tells how many.
    pub fn all(&self, from: &[u8], to: &mut [u8]) {
        self.scaled(from, 1.0, to);
    }

    /// As [`Conversion::all`], of values `step` times as great.
    fn scaled(&self, from: &[u8], step: f32, to: &mut [u8]) {
        let Factors::One(factor) = self.scaling.factors else { unreachable!("one for all") };
        let scaling = Scaling { factors: Factors::One(factor * step), ..self.scaling };
        match self.pair {
            Pair::Copy => to.copy_from_slice(from),
            Pair::F32F16(kernel) => convert(kernel, scaling, from, to),
            Pair::F32I8(kernel) => convert(kernel, scaling, from, to),
            Pair::F16F32(kernel) => convert(kernel, scaling, from, to),
            Pair::F16I8(kernel) => convert(kernel, scaling, from, to),
            Pair::I8F32(kernel) => convert(kernel, scaling, from, to),
            Pair::I8F16(kernel) => convert(kernel, scaling, from, to),
            Pair::I8I8(kernel) => convert(kernel, scaling, from, to),
        }
    }
}

fn convert<A: Stored + Plain, B: Stored + Plain>(
    kernel: Kernel<ConvertRow<A, B>>,
    scaling: Scaling,
    from: &[u8],
    to: &mut [u8],
) where
    ConvertRow<A, B>: Row,
{
    let (from, to) = (typed::<A>(from), typed_mut::<B>(to));
    let stride = to.len();
    let from = Strided { values: from, stride };
    kernel.run([1, stride], from, scaling, Strided { values: to, stride });
}

/// The bytes of some rows of an input.
pub(super) fn bytes_of<'a>(view: &View<'a>, rows: std::ops::Range<usize>) -> &'a [u8] {
    let row = view.channels() * view.value.element.size();
    &view.bytes[rows.start * row..rows.end * row]
}

/// Every value by itself.
#[derive(Debug)]
struct Whole {
    conversion: Conversion,
}

impl Execute for Whole {
    fn run(&self, call: Call) {
        let Call { inputs, outputs, pool, scratch, .. } = call;
        // One row, or few, may be long; what a value is does not depend on its row.
        let (x, y) = (&inputs[0], &mut outputs[0]);
        let (size_from, size_to) = (x.value.element.size(), y.value.element.size());
        let ranges = row_shares(x.value.elements(), size_from + size_to, pool.threads());
        let parts = cut_up(y.bytes, ranges.iter().map(|range| range.len() * size_to));
        let tasks = ranges.iter().zip(parts).collect();
        pool.for_each(tasks, scratch, |(range, to), _| {
            self.conversion.all(&x.bytes[range.start * size_from..range.end * size_from], to);
        });
    }
}

/// int8 with a step for each row to something with one for all.
#[derive(Debug)]
struct FromRows {
    conversion: Conversion,
}

impl Execute for FromRows {
    fn run(&self, call: Call) {
        let Call { inputs, outputs, pool, scratch, .. } = call;
        let x = &inputs[0];
        let steps = x.row_steps().expect("steps, as was checked");
        let row_bytes = x.channels() * (1 + outputs[0].value.element.size());
        let ranges = row_shares(x.rows(), row_bytes, pool.threads());
        pool.for_each(outputs[0].split_rows(&ranges), scratch, |part: RowsMut, _| {
            let row_to = part.bytes.len() / part.rows.len();
            for (row, to) in part.rows.zip(part.bytes.chunks_exact_mut(row_to)) {
                self.conversion.scaled(bytes_of(x, row..row + 1), steps[row], to);
            }
        });
    }
}

/// To int8 with a step for each row.
#[derive(Debug)]
struct ByRow<A: 'static> {
    kernel: Kernel<ConvertRow<A, i8>>,
}

impl<A: Stored + Plain> Execute for ByRow<A>
where
    ConvertRow<A, i8>: Row,
{
    fn run(&self, call: Call) {
        let Call { inputs, outputs, pool, scratch, .. } = call;
        let x = &inputs[0];
        let stride = x.channels();
        let ranges = row_shares(x.rows(), stride * size_of::<A>(), pool.threads());
        let [y, steps] = outputs else { unreachable!("two outputs, as was checked") };
        let steps = cut_up(typed_mut(steps.bytes), ranges.iter().map(|range| range.len()));
        let tasks = y.split_rows(&ranges).into_iter().zip(steps).collect();
        pool.for_each(tasks, scratch, |(mut part, steps), _| {
            let sizes = [part.rows.len(), stride];
            let from = Strided { values: typed::<A>(bytes_of(x, part.rows.clone())), stride };
            self.kernel.by_row(sizes, from, Strided { values: part.i8(), stride }, steps);
        });
    }
}
