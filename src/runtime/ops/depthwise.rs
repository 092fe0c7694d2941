//! Depthwise convolutions.

use super::weights::{Finish, operand};
use super::{Call, Context, Execute, Tensor, refused};
use crate::runtime::engine::{RuntimeError, View};
use crate::runtime::pool::shares;
use crate::runtime::program::{Element, Epilogue, Quantization, Step, Weights};
use half::f16;
use kernels::convolution::Geometry;
use kernels::depthwise::{Depthwise as Images, DepthwiseRow};
use kernels::gemm::{self, Rows};
use kernels::kernel::{Kernel, Row};
use std::fmt;
use std::ops::Range;

pub(super) fn prepare(
    context: &Context,
    step: &Step,
    geometry: Geometry,
    element: Element,
    weights: &Weights,
    quantization: Option<Quantization>,
    epilogue: &Epilogue,
) -> Result<Box<dyn Execute>, RuntimeError> {
    let Geometry { channels, channels_out, groups, upsample, .. } = geometry;
    if groups != channels || channels_out != channels || upsample != 1 {
        return Err(refused(step, "weights of a depthwise convolution, and it is none"));
    }
    if operand(context, step, 0)?.element != element || quantization.is_some() {
        return Err(refused(step, "x and weights of a depthwise convolution are of one element"));
    }
    let finish = Finish::new(context, step, weights, epilogue, channels)?;
    match element {
        Element::I8 => Depthwise::<i8>::new(context, step, geometry, weights, finish),
        Element::F16 => Depthwise::<f16>::new(context, step, geometry, weights, finish),
        Element::F32 => Depthwise::<f32>::new(context, step, geometry, weights, finish),
    }
}

/// An element that images of are read.
trait Source: gemm::Element + Send {
    fn rows<'a>(x: &View<'a>) -> Rows<'a, Self>;
    fn run(kernel: Kernel<DepthwiseRow<Self>>, what: Images<Self>, scratch: &mut [u8]);
}

macro_rules! source {
    ($element:ty, $rows:ident) => {
        impl Source for $element {
            fn rows<'a>(x: &View<'a>) -> Rows<'a, Self> {
                x.$rows(0)
            }
            fn run(kernel: Kernel<DepthwiseRow<Self>>, what: Images<Self>, scratch: &mut [u8]) {
                kernel.run(what, scratch);
            }
        }
    };
}

source!(i8, rows_i8);
source!(f16, rows_f16);
source!(f32, rows_f32);

struct Depthwise<E: gemm::Element> {
    kernel: Kernel<DepthwiseRow<E>>,
    geometry: Geometry,
    taps: Tensor<E>,
    finish: Finish,
    shares: Vec<Range<usize>>,
}

impl<E: Source> Depthwise<E>
where
    DepthwiseRow<E>: Row,
{
    #[expect(clippy::new_ret_no_self, reason = "a step made ready")]
    fn new(
        context: &Context,
        step: &Step,
        geometry: Geometry,
        weights: &Weights,
        finish: Finish,
    ) -> Result<Box<dyn Execute>, RuntimeError> {
        const WORK: usize = 50_000;
        // A kernel's size and an image's channels are bounded.
        let length = geometry.taps() * geometry.channels;
        let taps = context.tensor::<E>(step, "weights of taps", weights.panels, length)?;
        let kernel = Kernel::<DepthwiseRow<E>>::first(context.features);
        // A sweep goes along rows of the image; where there are few, their halves are shared, too.
        let (pixels, width) = (geometry.pixels(), geometry.out_width());
        let rows = pixels / width >= 2 * context.threads;
        let multiple = if rows { width } else { 8 };
        let shares = shares(pixels, multiple, WORK.div_ceil(length), context.threads);
        Ok(Box::new(Self { kernel, geometry, taps, finish, shares }))
    }
}

impl<E: Source> Execute for Depthwise<E>
where
    DepthwiseRow<E>: Row,
{
    fn scratch_bytes(&self) -> usize {
        self.kernel.scratch_bytes(&self.geometry)
    }

    fn run(&self, call: Call) {
        let Call { inputs, outputs, pool, scratch, .. } = call;
        let x = &inputs[0];
        let parts = outputs[0].split_rows(&self.shares);
        pool.for_each(parts, scratch, |mut part, scratch| {
            let pixels = part.rows.clone();
            let what = Images {
                geometry: &self.geometry,
                input: E::rows(x),
                quantization: Quantization::of_gemm(x.value.quantization),
                filters: &self.taps,
                epilogue: self.finish.epilogue(inputs, pixels.start),
                pixels,
                output: part.product(),
            };
            E::run(self.kernel, what, scratch);
        });
    }
}

impl<E: gemm::Element> fmt::Debug for Depthwise<E>
where
    DepthwiseRow<E>: Row,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Depthwise")
            .field("kernel", &self.kernel.identity().name)
            .field("geometry", &self.geometry)
            .field("shares", &self.shares)
            .finish_non_exhaustive()
    }
}
