//! Convolutions: which kernel a step asks for, and the direct one.

use super::weights::{
    Blocks, Finish, Multiplied, Panels, check_source, gemm_packing, operand, result,
};
use super::{Call, Context, Execute, depthwise, linear, refused, winograd};
use crate::runtime::check::MOST_REACH;
use crate::runtime::engine::RuntimeError;
use crate::runtime::pool::shares;
use crate::runtime::program::{Element, Epilogue, Op, Packing, Quantization, Step, Weights};
use half::f16;
use kernels::convolution::{Convolution as Images, Filters, Geometry};
use kernels::gemm::{GemmRow, Layout};
use kernels::kernel::Row;
use std::fmt;
use std::ops::Range;

pub(super) fn prepare(context: &Context, step: &Step) -> Result<Box<dyn Execute>, RuntimeError> {
    let Op::Convolution { weights, quantization, epilogue, .. } = &step.op else {
        return Err(refused(step, "no convolution"));
    };
    let geometry = geometry(context, step)?;
    let one_tap = geometry.taps() == 1
        && geometry.stride == [1; 2]
        && geometry.padding == [0; 4]
        && geometry.groups == 1
        && geometry.upsample == 1;
    if one_tap && matches!(weights.packing, Packing::Gemm { .. } | Packing::GemmI4 { .. }) {
        return linear::multiply(context, step, weights, *quantization, epilogue);
    }
    if operand(context, step, 0)?.row_steps.is_some() {
        return Err(refused(step, "x has a step for each row, but a result is made of several"));
    }
    match weights.packing {
        Packing::Taps { element } => {
            depthwise::prepare(context, step, geometry, element, weights, *quantization, epilogue)
        }
        Packing::Winograd { element, tile, nr, group } => {
            let layout = kernels::winograd::Layout { tile, nr, group };
            winograd::prepare(context, step, geometry, (element, layout), weights, epilogue)
        }
        packing => {
            let Some((element, layout)) = gemm_packing(packing) else {
                return Err(refused(step, "int4 weights of a convolution of several taps"));
            };
            let what = Wanted { geometry, layout, weights, quantization: *quantization, epilogue };
            match element {
                Element::I8 => Convolution::<i8>::new(context, step, what),
                Element::F16 => Convolution::<f16>::new(context, step, what),
                Element::F32 => Convolution::<f32>::new(context, step, what),
            }
        }
    }
}

/// The sizes that a step states, where its x and y have them.
fn geometry(context: &Context, step: &Step) -> Result<Geometry, RuntimeError> {
    let Op::Convolution { kernel, stride, dilation, padding, groups, enlargement, .. } = &step.op
    else {
        return Err(refused(step, "no convolution"));
    };
    let (x, y) = (operand(context, step, 0)?, result(context, step)?);
    let (&[batch, height, width, channels], &[y_batch, y_height, y_width, channels_out]) =
        (&x.shape[..], &y.shape[..])
    else {
        return Err(refused(step, format!("no images: {:?} becomes {:?}", x.shape, y.shape)));
    };
    let positive = [*kernel, *stride, *dilation].concat();
    if !positive.iter().all(|size| (1..=MOST_REACH).contains(size))
        || !padding.iter().all(|size| *size <= MOST_REACH)
    {
        return Err(refused(
            step,
            format!("a kernel, stride, dilation or padding of 0 or above {MOST_REACH}"),
        ));
    }
    let divides = |channels: usize| *groups > 0 && channels.is_multiple_of(*groups);
    if !divides(channels) || !divides(channels_out) {
        return Err(refused(
            step,
            format!("{groups} groups of {channels} and {channels_out} channels"),
        ));
    }
    if !matches!(enlargement, 1 | 2) {
        return Err(refused(step, format!("images enlarged {enlargement} times")));
    }
    let geometry = Geometry {
        batch,
        height,
        width,
        channels,
        channels_out,
        kernel: *kernel,
        stride: *stride,
        dilation: *dilation,
        padding: *padding,
        groups: *groups,
        upsample: *enlargement,
    };
    let made = [batch, geometry.out_height(), geometry.out_width()];
    if made != [y_batch, y_height, y_width] {
        return Err(refused(
            step,
            format!("images {made:?} are made of {:?}, the result is {:?}", x.shape, y.shape),
        ));
    }
    Ok(geometry)
}

struct Wanted<'a> {
    geometry: Geometry,
    layout: Layout,
    weights: &'a Weights,
    quantization: Option<Quantization>,
    epilogue: &'a Epilogue,
}

/// Product by product.
struct Convolution<E: Multiplied> {
    geometry: Geometry,
    panels: Panels<E>,
    finish: Finish,
    quantization: Option<Quantization>,
    shares: Vec<Range<usize>>,
    scratch: usize,
}

impl<E: Multiplied> Convolution<E>
where
    GemmRow<E>: Row,
{
    #[expect(clippy::new_ret_no_self, reason = "a step made ready")]
    fn new(context: &Context, step: &Step, what: Wanted) -> Result<Box<dyn Execute>, RuntimeError> {
        let Wanted { geometry, layout, weights, quantization, epilogue } = what;
        let x = operand(context, step, 0)?;
        check_source::<E>(step, x, quantization)?;
        if E::ELEMENT == Element::I8 && x.element != Element::I8 && quantization.is_none() {
            return Err(refused(step, "x is to be quantized, but the step does not say how"));
        }
        let finish = Finish::new(context, step, weights, epilogue, geometry.channels_out)?;
        let [segments, depth] = geometry.segments();
        let (blocks, columns) = (geometry.groups, geometry.columns());
        let shape = Blocks { blocks, segments, depth, columns };
        let panels = Panels::<E>::new(context, step, weights, layout, shape)?;
        let (pixels, threads) = (geometry.pixels(), context.threads);
        let least = panels.least_rows(pixels, threads);
        let shares = shares(pixels, panels.kernel.tile_rows(), least, threads);
        let mut ready =
            Self { geometry, panels, finish, quantization, shares: Vec::new(), scratch: 0 };
        let filters = ready.filters();
        let bytes = |pixels: &Range<usize>| {
            ready.panels.kernel.convolution_scratch_bytes(&geometry, &filters, pixels)
        };
        ready.scratch = shares.iter().map(bytes).max().unwrap_or(0);
        ready.shares = shares;
        Ok(Box::new(ready))
    }

    fn filters(&self) -> Filters<'_, E> {
        let Panels { values, .. } = &self.panels;
        Filters::new(&self.geometry, self.panels.layout(), values, self.panels.sums())
    }
}

impl<E: Multiplied> Execute for Convolution<E>
where
    GemmRow<E>: Row,
{
    fn scratch_bytes(&self) -> usize {
        self.scratch
    }
    fn repacked_bytes(&self) -> usize {
        self.panels.repacked_bytes()
    }

    fn run(&self, call: Call) {
        let Call { inputs, outputs, pool, scratch, .. } = call;
        let filters = &self.filters();
        let parts = outputs[0].split_rows(&self.shares);
        pool.for_each(parts, scratch, |mut part, scratch| {
            let pixels = part.rows.clone();
            let what = Images {
                geometry: &self.geometry,
                filters,
                epilogue: self.finish.epilogue(inputs, pixels.start),
                pixels,
                output: part.product(),
            };
            let x = E::source(&inputs[0], 0, self.quantization);
            E::convolve(self.panels.kernel, x, what, scratch);
        });
    }
}

impl<E: Multiplied> fmt::Debug for Convolution<E>
where
    GemmRow<E>: Row,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Convolution")
            .field("geometry", &self.geometry)
            .field("panels", &self.panels)
            .field("shares", &self.shares)
            .finish_non_exhaustive()
    }
}
