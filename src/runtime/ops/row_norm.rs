//! Layer norm and RMS norm.

use super::operands::{
    cut_up, element, epsilon, expect, float, per_tensor, require, row_shares, rows_of, typed_mut,
};
use super::{Call, Context, Execute, Tensor, refused};
use crate::runtime::engine::RuntimeError;
use crate::runtime::program::{Element, Op, Step, Value};
use kernels::elements::{Input, Output};
use kernels::kernel::Kernel;
use kernels::layer_norm::{self, RowNorm};
use kernels::math::Activation;
use kernels::rms_norm;

pub(super) fn prepare(context: &Context, step: &Step) -> Result<Box<dyn Execute>, RuntimeError> {
    let [x] = context.inputs(step)?;
    float(step, x)?;
    let (kernel, size, added, scale, shift) = match &step.op {
        Op::LayerNorm { epsilon, scale, shift } => {
            let kernel = Version::Layer(Kernel::first(context.features));
            (kernel, x.channels(), *epsilon, *scale, *shift)
        }
        Op::RmsNorm { size, epsilon, scale } => {
            let channels = x.channels();
            let holds = *size > 0 && channels.is_multiple_of(*size);
            require(step, holds, "size", &format!("a divisor of {channels}"), size)?;
            (Version::Rms(Kernel::first(context.features)), *size, *epsilon, *scale, None)
        }
        _ => return Err(refused(step, "no norm of rows")),
    };
    epsilon(step, added)?;
    let y = rows_out(context, step, &x.shape)?;
    let dynamic = y.row_steps.is_some();
    if dynamic {
        expect(step, "size with a step for each row", x.channels(), size)?;
    }
    let factors = |what, span, missing| {
        let stored = context.floats(step, what, span, size)?;
        Ok::<_, RuntimeError>(match stored {
            Some(tensor) => Factors::Stored(tensor),
            None => Factors::Missing(vec![missing; size].into()),
        })
    };
    Ok(Box::new(Ready {
        kernel,
        epsilon: added,
        scale: factors("scale", scale, 1.0)?,
        shift: factors("shift", shift, 0.0)?,
        dynamic,
    }))
}

/// The first output: of this shape, and where there are two, int8 with the second one as the steps of its rows.
pub(super) fn rows_out<'a>(
    context: &Context<'a>,
    step: &Step,
    shape: &[usize],
) -> Result<&'a Value, RuntimeError> {
    if step.outputs.len() != 2 {
        let [y] = context.outputs(step)?;
        per_tensor(step, y)?;
        expect(step, &y.name, shape, &y.shape)?;
        return Ok(y);
    }
    let [y, steps] = context.outputs(step)?;
    element(step, y, Element::I8)?;
    expect(step, &y.name, shape, &y.shape)?;
    expect(step, "the steps of the rows", Some(step.outputs[1]), y.row_steps)?;
    element(step, steps, Element::F32)?;
    expect(step, &steps.name, y.rows(), steps.elements())?;
    Ok(y)
}

#[derive(Debug)]
struct Ready {
    kernel: Version,
    epsilon: f32,
    scale: Factors,
    shift: Factors,
    /// Each row gets a step of its own.
    dynamic: bool,
}

#[derive(Clone, Copy, Debug)]
enum Version {
    Layer(Kernel<layer_norm::Version>),
    Rms(Kernel<rms_norm::Version>),
}

#[derive(Debug)]
enum Factors {
    Stored(Tensor<f32>),
    Missing(Box<[f32]>),
}

impl Factors {
    fn values(&self) -> &[f32] {
        match self {
            Factors::Stored(tensor) => tensor,
            Factors::Missing(values) => values,
        }
    }
}

impl Version {
    fn run(self, norm: RowNorm, input: Input, output: Output) {
        match self {
            Version::Layer(kernel) => kernel.run(norm, input, output),
            Version::Rms(kernel) => kernel.run(norm, input, output),
        }
    }

    fn run_dynamic(self, norm: RowNorm, input: Input, output: &mut [i8], steps: &mut [f32]) {
        match self {
            Version::Layer(kernel) => kernel.run_dynamic(norm, input, output, steps),
            Version::Rms(kernel) => kernel.run_dynamic(norm, input, output, steps),
        }
    }
}

impl Execute for Ready {
    fn run(&self, call: Call) {
        let Call { inputs, outputs, pool, scratch, .. } = call;
        let x = inputs[0].input().expect("floats, as was checked");
        let value = inputs[0].value;
        let (rows, channels) = (value.rows(), value.channels());
        let norm = RowNorm {
            epsilon: self.epsilon,
            scale: self.scale.values(),
            shift: self.shift.values(),
            activation: Activation::None,
        };
        let ranges = row_shares(rows, channels * value.element.size(), pool.threads());
        let (y, rest) = outputs.split_first_mut().expect("an output, as was checked");
        let parts = y.split_rows(&ranges);
        if !self.dynamic {
            pool.for_each(parts, scratch, |mut part, _| {
                let from = rows_of(x, part.rows.clone(), channels);
                self.kernel.run(norm, from, part.elements());
            });
            return;
        }
        let steps = cut_up(typed_mut(rest[0].bytes), ranges.iter().map(|range| range.len()));
        let tasks = parts.into_iter().zip(steps).collect();
        pool.for_each(tasks, scratch, |(mut part, steps), _| {
            let from = rows_of(x, part.rows.clone(), channels);
            self.kernel.run_dynamic(norm, from, part.i8(), steps);
        });
    }
}
