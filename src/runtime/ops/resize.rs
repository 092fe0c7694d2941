//! Images of another height and width.

use super::convert::{Conversion, Form};
use super::operands::{expect, image, image_shares, per_tensor, typed, typed_mut};
use super::{Call, Context, Execute, refused};
use crate::runtime::engine::RuntimeError;
use crate::runtime::program::{Element, Op, Sampling, Step};
use half::f16;
use kernels::interpolate::{Convention, InterpolateRow, Sizes, nearest};
use kernels::kernel::{Kernel, Row};
use kernels::scratch::{Plain, bytes_for, cut};
use kernels::stored::Stored;

pub(super) fn prepare(context: &Context, step: &Step) -> Result<Box<dyn Execute>, RuntimeError> {
    let [x] = context.inputs(step)?;
    match x.element {
        Element::F32 => ready::<f32>(context, step),
        Element::F16 => ready::<f16>(context, step),
        Element::I8 => ready::<i8>(context, step),
    }
}

fn ready<T: Stored + Plain>(
    context: &Context,
    step: &Step,
) -> Result<Box<dyn Execute>, RuntimeError>
where
    InterpolateRow<T>: Row,
{
    let Op::Resize { sampling } = step.op else {
        return Err(refused(step, "no resize"));
    };
    let [x] = context.inputs(step)?;
    let [y] = context.outputs(step)?;
    per_tensor(step, x)?;
    per_tensor(step, y)?;
    let [images, height, width, channels] = image(step, x)?;
    let [n, height_to, width_to, c] = image(step, y)?;
    expect(step, &y.name, [images, channels], [n, c])?;
    Ok(Box::new(Ready::<T> {
        kernel: Kernel::first(context.features),
        sizes: Sizes { from: [height, width], to: [height_to, width_to], channels },
        images,
        sampling,
        conversion: Conversion::between(context.features, Form::of(x), Form::of(y)),
    }))
}

#[derive(Debug)]
struct Ready<T: 'static> {
    kernel: Kernel<InterpolateRow<T>>,
    sizes: Sizes,
    images: usize,
    sampling: Sampling,
    /// To what y is made of.
    conversion: Conversion,
}

impl<T: Stored + Plain> Ready<T>
where
    InterpolateRow<T>: Row,
{
    /// Values of a row of the result.
    fn row(&self) -> usize {
        self.sizes.to[1] * self.sizes.channels
    }

    fn rows(&self, from: &[T], rows: std::ops::Range<usize>, to: &mut [T]) {
        let convention = match self.sampling {
            Sampling::Nearest => {
                return nearest(self.sizes, Convention::Asymmetric, from, rows, to);
            }
            Sampling::BilinearHalfPixel => Convention::HalfPixel,
            Sampling::BilinearAligned => Convention::AlignCorners,
            Sampling::BilinearOrigin => Convention::Asymmetric,
        };
        self.kernel.bilinear(self.sizes, convention, from, rows, to);
    }
}

impl<T: Stored + Plain> Execute for Ready<T>
where
    InterpolateRow<T>: Row,
{
    fn scratch_bytes(&self) -> usize {
        if self.conversion.is_copy() { 0 } else { bytes_for::<T>(self.row()) }
    }

    fn run(&self, call: Call) {
        let Call { inputs, outputs, pool, scratch, .. } = call;
        let x = typed::<T>(inputs[0].bytes);
        let Sizes { from, to, channels } = self.sizes;
        let image = from[0] * from[1] * channels;
        let row_bytes = self.row() * size_of::<T>();
        let rows = image_shares(self.images, to[0], 1, row_bytes, pool.threads());
        let pixels = rows.iter().map(|rows| rows.start * to[1]..rows.end * to[1]);
        let parts = outputs[0].split_rows(&pixels.collect::<Vec<_>>());
        let tasks = rows.into_iter().zip(parts).collect();
        pool.for_each(tasks, scratch, |(rows, part), mut scratch| {
            let first = rows.start / to[0] * to[0];
            let from = &x[rows.start / to[0] * image..][..image];
            let rows = rows.start - first..rows.end - first;
            if self.conversion.is_copy() {
                self.rows(from, rows, typed_mut(part.bytes));
                return;
            }
            let resized = cut::<u8>(&mut scratch, row_bytes);
            let row_to = part.bytes.len() / rows.len();
            for (row, to) in rows.zip(part.bytes.chunks_exact_mut(row_to)) {
                self.rows(from, row..row + 1, typed_mut(resized));
                self.conversion.all(resized, to);
            }
        });
    }
}
