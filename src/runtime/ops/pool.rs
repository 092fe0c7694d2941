//! Pooling of images; a mean of whole images is shared out by channels.

use super::convert::{Conversion, Form};
use super::operands::{
    cut_up, expect, image, image_shares, per_tensor, require, row_shares, typed, typed_mut,
    worthwhile,
};
use super::{Call, Context, Execute, refused};
use crate::runtime::engine::RuntimeError;
use crate::runtime::program::{Element, Op, Pooling, Step, Value};
use half::f16;
use kernels::kernel::{Kernel, Row};
use kernels::pool::{Counted, PoolRow, Window};
use kernels::scratch::{Plain, bytes_for, cut};
use kernels::stored::Stored;
use std::ops::Range;

/// The greatest window and stride.
const GREATEST_REACH: usize = 1 << 15;

pub(super) fn prepare(context: &Context, step: &Step) -> Result<Box<dyn Execute>, RuntimeError> {
    let Op::Pool { pooling, window: size, stride, padding } = step.op else {
        return Err(refused(step, "no pooling"));
    };
    let [x] = context.inputs(step)?;
    let [y] = context.outputs(step)?;
    per_tensor(step, x)?;
    per_tensor(step, y)?;
    let [images, height, width, channels] = image(step, x)?;
    let [top, left, bottom, right] = padding;
    for (what, extents) in [("window", size), ("stride", stride)] {
        let holds = extents.iter().all(|extent| (1..=GREATEST_REACH).contains(extent));
        require(step, holds, what, &format!("1 to {GREATEST_REACH}"), extents)?;
    }
    let holds = top.max(bottom) < size[0] && left.max(right) < size[1];
    require(step, holds, "padding", &format!("less than the window {size:?}"), padding)?;
    let extent = |extent: usize, before: usize, after: usize, size: usize, stride: usize| {
        let padded = extent.checked_add(before)?.checked_add(after)?;
        Some(padded.checked_sub(size)? / stride + 1)
    };
    let rows = extent(height, top, bottom, size[0], stride[0]);
    let columns = extent(width, left, right, size[1], stride[1]);
    let (Some(rows), Some(columns)) = (rows, columns) else {
        let found = [height, width];
        return Err(refused(
            step,
            format!("a window of {size:?} with padding {padding:?} does not fit {found:?}"),
        ));
    };
    let expected = [images, rows, columns, channels];
    expect(step, &y.name, expected.as_slice(), &y.shape[..])?;

    let mut window =
        Window { size: [height, width], channels, kernel: size, stride, dilation: [1, 1], padding };
    if size == [height, width] && padding == [0; 4] {
        window = by_channels(window, x.element.size(), context.threads);
    }
    // What counts as 0 outside of an int8 image is its zero point, which the kernel does not know.
    let padded = pooling == Pooling::MeanWithPadding && padding != [0; 4];
    let alike = Form::of(x) == Form::of(y);
    let shifted = x.quantization.is_some_and(|quantization| quantization.zero_point != 0);
    if !alike || padded && shifted {
        return Ok(Box::new(widened(context, window, pooling, images, [x, y])));
    }
    Ok(match x.element {
        Element::F32 => Box::new(Direct::<f32>::of(context, window, pooling, images)),
        Element::F16 => Box::new(Direct::<f16>::of(context, window, pooling, images)),
        Element::I8 => Box::new(Direct::<i8>::of(context, window, pooling, images)),
    })
}

/// A window over a whole image that gives several pixels of a part of the channels each, in rows of their own, where that is worth it:
/// the image seen as one column of parts of pixels.
fn by_channels(whole: Window, size: usize, threads: usize) -> Window {
    const PART_BYTES: usize = 64;
    let Window { size: [height, width], channels, .. } = whole;
    let pixels = height * width;
    // One image of a part of its channels is what a task reads.
    let fits = |&parts: &usize| {
        let part = channels / parts * size;
        channels.is_multiple_of(parts) && part >= PART_BYTES && worthwhile(pixels * part) == 1
    };
    let Some(parts) = (2..=threads).rev().find(fits) else { return whole };
    Window {
        size: [pixels * parts, 1],
        channels: channels / parts,
        kernel: [pixels, 1],
        stride: [1, 1],
        dilation: [parts, 1],
        padding: [0; 4],
    }
}

/// An image's values.
fn length(window: &Window) -> usize {
    window.size[0] * window.size[1] * window.channels
}

/// Pools rows of an image.
fn pool<T: Stored>(
    kernel: Kernel<PoolRow<T>>,
    window: &Window,
    pooling: Pooling,
    from: &[T],
    rows: Range<usize>,
    to: &mut [T],
) where
    PoolRow<T>: Row,
{
    match pooling {
        Pooling::Greatest => kernel.greatest(window, from, rows, to),
        Pooling::Mean => kernel.mean(window, Counted::Inside, from, rows, to),
        Pooling::MeanWithPadding => kernel.mean(window, Counted::Window, from, rows, to),
    }
}

/// x and y alike.
#[derive(Debug)]
struct Direct<T: 'static> {
    kernel: Kernel<PoolRow<T>>,
    window: Window,
    pooling: Pooling,
    images: usize,
}

impl<T: Stored + Plain> Direct<T>
where
    PoolRow<T>: Row,
{
    fn of(context: &Context, window: Window, pooling: Pooling, images: usize) -> Self {
        Self { kernel: Kernel::first(context.features), window, pooling, images }
    }
}

impl<T: Stored + Plain> Execute for Direct<T>
where
    PoolRow<T>: Row,
{
    fn run(&self, call: Call) {
        let Call { inputs, outputs, pool: threads, scratch, .. } = call;
        let x = typed::<T>(inputs[0].bytes);
        let window = &self.window;
        let [rows, columns] = window.size_to();
        let row_bytes = columns * window.kernel[0] * window.kernel[1] * window.channels;
        let row_bytes = row_bytes * size_of::<T>();
        let ranges = image_shares(self.images, rows, 1, row_bytes, threads.threads());
        let row = columns * window.channels;
        let parts =
            cut_up(typed_mut::<T>(outputs[0].bytes), ranges.iter().map(|range| range.len() * row));
        threads.for_each(ranges.iter().zip(parts).collect(), scratch, |(range, to), _| {
            let image = range.start / rows;
            let own = range.start - image * rows..range.end - image * rows;
            let from = &x[image * length(window)..][..length(window)];
            pool(self.kernel, window, self.pooling, from, own, to);
        });
    }
}

fn widened(
    context: &Context,
    window: Window,
    pooling: Pooling,
    images: usize,
    [x, y]: [&Value; 2],
) -> Widened {
    let features = context.features;
    Widened {
        kernel: Kernel::first(features),
        window,
        pooling,
        images,
        widen: Conversion::between(features, Form::of(x), Form::F32),
        narrow: Conversion::between(features, Form::F32, Form::of(y)),
    }
}

/// Through f32.
#[derive(Debug)]
struct Widened {
    kernel: Kernel<PoolRow<f32>>,
    window: Window,
    pooling: Pooling,
    images: usize,
    widen: Conversion,
    narrow: Conversion,
}

impl Widened {
    /// Values of a row of the result.
    fn row(&self) -> usize {
        self.window.size_to()[1] * self.window.channels
    }
}

impl Execute for Widened {
    fn scratch_bytes(&self) -> usize {
        bytes_for::<f32>(self.row())
    }

    fn shared_bytes(&self) -> usize {
        bytes_for::<f32>(self.images * length(&self.window))
    }

    fn run(&self, call: Call) {
        let Call { inputs, outputs, pool: threads, scratch, mut shared } = call;
        let (window, x) = (&self.window, &inputs[0]);
        let elements = self.images * length(window);
        let size = x.value.element.size();
        let wide = cut::<u8>(&mut shared, elements * size_of::<f32>());
        let ranges = row_shares(elements, size_of::<f32>(), threads.threads());
        let parts = cut_up(wide, ranges.iter().map(|range| range.len() * size_of::<f32>()));
        threads.for_each(ranges.iter().zip(parts).collect(), scratch, |(range, to), _| {
            self.widen.all(&x.bytes[range.start * size..range.end * size], to);
        });

        let wide = typed::<f32>(wide);
        let (rows, row) = (window.size_to()[0], self.row());
        let row_bytes = row * window.kernel[0] * window.kernel[1] * size_of::<f32>();
        let ranges = image_shares(self.images, rows, 1, row_bytes, threads.threads());
        let size = outputs[0].value.element.size();
        let parts = cut_up(outputs[0].bytes, ranges.iter().map(|range| range.len() * row * size));
        threads.for_each(
            ranges.iter().zip(parts).collect(),
            scratch,
            |(range, to), mut scratch| {
                let pooled = cut::<u8>(&mut scratch, row * size_of::<f32>());
                for (all, to) in range.clone().zip(to.chunks_exact_mut(row * size)) {
                    let (image, own) = (all / rows, all % rows);
                    let from = &wide[image * length(window)..][..length(window)];
                    pool(self.kernel, window, self.pooling, from, own..own + 1, typed_mut(pooled));
                    self.narrow.all(pooled, to);
                }
            },
        );
    }
}
