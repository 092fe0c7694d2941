//! Rotary embedding of adjacent pairs.

use super::operands::{
    expect, float, image_shares, require, same_shape, sequence, typed, typed_mut,
};
use super::{Call, Context, Execute, Tensor, refused};
use crate::runtime::engine::RuntimeError;
use crate::runtime::program::{Element, Op, Step};
use half::f16;
use kernels::kernel::{Kernel, Row};
use kernels::rotary::{RotaryRow, scratch_length};
use kernels::scratch::{Plain, bytes_for, cut};
use kernels::stored::Stored;

pub(super) fn prepare(context: &Context, step: &Step) -> Result<Box<dyn Execute>, RuntimeError> {
    let [x] = context.inputs(step)?;
    let [y] = context.outputs(step)?;
    float(step, x)?;
    expect(step, &y.name, x.element, y.element)?;
    same_shape(step, x, y)?;
    match x.element {
        Element::F16 => ready::<f16>(context, step),
        _ => ready::<f32>(context, step),
    }
}

fn ready<T: Stored + Plain>(
    context: &Context,
    step: &Step,
) -> Result<Box<dyn Execute>, RuntimeError>
where
    RotaryRow<T>: Row,
{
    let Op::Rotary { heads, turned, cosines, sines } = step.op else {
        return Err(refused(step, "no rotary embedding"));
    };
    let [x] = context.inputs(step)?;
    let [images, tokens, channels] = sequence(step, x)?;
    let holds = heads > 0 && channels.is_multiple_of(heads);
    require(step, holds, "heads", &format!("a divisor of {channels}"), heads)?;
    let size = channels / heads;
    let holds = turned > 0 && turned.is_multiple_of(2) && turned <= size;
    require(step, holds, "turned", &format!("an even number of {size} or less"), turned)?;
    let angles = tokens * (turned / 2);
    Ok(Box::new(Ready::<T> {
        kernel: Kernel::first(context.features),
        images,
        tokens,
        sizes: [heads, size],
        turned,
        cosines: context.tensor(step, "cosines", cosines, angles)?,
        sines: context.tensor(step, "sines", sines, angles)?,
    }))
}

#[derive(Debug)]
struct Ready<T: 'static> {
    kernel: Kernel<RotaryRow<T>>,
    images: usize,
    tokens: usize,
    /// Heads, and values of a head.
    sizes: [usize; 2],
    turned: usize,
    cosines: Tensor<f32>,
    sines: Tensor<f32>,
}

impl<T: Stored + Plain> Execute for Ready<T>
where
    RotaryRow<T>: Row,
{
    fn scratch_bytes(&self) -> usize {
        bytes_for::<f32>(scratch_length(self.turned))
    }

    fn run(&self, call: Call) {
        let Call { inputs, outputs, pool, scratch, .. } = call;
        let x = typed::<T>(inputs[0].bytes);
        let channels = self.sizes[0] * self.sizes[1];
        let row_bytes = channels * size_of::<T>();
        let ranges = image_shares(self.images, self.tokens, 1, row_bytes, pool.threads());
        let pairs = self.turned / 2;
        pool.for_each(outputs[0].split_rows(&ranges), scratch, |part, mut scratch| {
            let first = part.rows.start % self.tokens;
            let angles = first * pairs..(first + part.rows.len()) * pairs;
            self.kernel.run(
                self.sizes,
                self.turned,
                &x[part.rows.start * channels..part.rows.end * channels],
                &self.cosines[angles.clone()],
                &self.sines[angles],
                typed_mut(part.bytes),
                cut(&mut scratch, scratch_length(self.turned)),
            );
        });
    }
}
