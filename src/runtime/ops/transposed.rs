//! Transposed convolutions whose kernel is as large as their stride.

use super::weights::{
    Blocks, Finish, Multiplied, Panels, check_source, gemm_packing, operand, result,
};
use super::{Call, Context, Execute, refused};
use crate::runtime::check::MOST_REACH;
use crate::runtime::engine::RuntimeError;
use crate::runtime::pool::shares;
use crate::runtime::program::{Element, Op, Quantization, Step};
use half::f16;
use kernels::gemm::{GemmRow, Layout};
use kernels::kernel::Row;
use kernels::transposed::{Transposed as Images, TransposedFilters, TransposedGeometry};
use std::fmt;
use std::ops::Range;

pub(super) fn prepare(context: &Context, step: &Step) -> Result<Box<dyn Execute>, RuntimeError> {
    let Op::Transposed { weights, .. } = &step.op else {
        return Err(refused(step, "no transposed convolution"));
    };
    let Some((element, layout)) = gemm_packing(weights.packing) else {
        return Err(refused(step, "its weights are packed for another operation"));
    };
    match element {
        Element::I8 => Transposed::<i8>::new(context, step, layout),
        Element::F16 => Transposed::<f16>::new(context, step, layout),
        Element::F32 => Transposed::<f32>::new(context, step, layout),
    }
}

struct Transposed<E: Multiplied> {
    geometry: TransposedGeometry,
    panels: Panels<E>,
    finish: Finish,
    quantization: Option<Quantization>,
    /// Of input rows, and the output pixels that they become.
    shares: Vec<Range<usize>>,
    pixels: Vec<Range<usize>>,
    scratch: usize,
}

impl<E: Multiplied> Transposed<E>
where
    GemmRow<E>: Row,
{
    #[expect(clippy::new_ret_no_self, reason = "a step made ready")]
    fn new(
        context: &Context,
        step: &Step,
        layout: Layout,
    ) -> Result<Box<dyn Execute>, RuntimeError> {
        let Op::Transposed { kernel, weights, quantization, epilogue } = &step.op else {
            return Err(refused(step, "no transposed convolution"));
        };
        let (x, y) = (operand(context, step, 0)?, result(context, step)?);
        check_source::<E>(step, x, *quantization)?;
        if x.row_steps.is_some() {
            return Err(refused(step, "x has a step for each row"));
        }
        if epilogue.shift || epilogue.residual {
            return Err(refused(step, "a shift or residual of a transposed convolution"));
        }
        let (&[batch, height, width, channels], &[y_batch, y_height, y_width, channels_out]) =
            (&x.shape[..], &y.shape[..])
        else {
            return Err(refused(step, format!("no images: {:?} becomes {:?}", x.shape, y.shape)));
        };
        let taps = kernel.iter().all(|size| (1..=MOST_REACH).contains(size));
        // Extents are bounded, so that these products do not overflow.
        let made = [batch, height * kernel[0].min(MOST_REACH), width * kernel[1].min(MOST_REACH)];
        if !taps || made != [y_batch, y_height, y_width] {
            return Err(refused(
                step,
                format!("a kernel of {kernel:?} makes of {:?} no {:?}", x.shape, y.shape),
            ));
        }
        let finish = Finish::new(context, step, weights, epilogue, channels_out)?;
        let geometry =
            TransposedGeometry { batch, height, width, channels, channels_out, kernel: *kernel };
        let shape = Blocks { blocks: geometry.taps(), ..Blocks::multiply(channels, channels_out) };
        let panels = Panels::<E>::new(context, step, weights, layout, shape)?;
        let (rows, threads) = (batch * height, context.threads);
        let least = panels.least_rows(rows * width, threads).div_ceil(width);
        let shares = shares(rows, 1, least.min(rows / threads), threads);
        let pixels = |rows: &Range<usize>| geometry.pixels(rows.start)..geometry.pixels(rows.end);
        let pixels = shares.iter().map(pixels).collect();
        let quantization = *quantization;
        let mut ready = Self { geometry, panels, finish, quantization, shares, pixels, scratch: 0 };
        ready.scratch = ready.panels.kernel.transposed_scratch_bytes(&ready.filters());
        Ok(Box::new(ready))
    }

    fn filters(&self) -> TransposedFilters<'_, E> {
        let Panels { values, .. } = &self.panels;
        TransposedFilters::new(&self.geometry, self.panels.layout(), values, self.panels.sums())
    }
}

impl<E: Multiplied> Execute for Transposed<E>
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
        let parts = outputs[0].split_rows(&self.pixels);
        let tasks = self.shares.iter().cloned().zip(parts).collect();
        pool.for_each(tasks, scratch, |(rows, mut part): (Range<usize>, _), scratch| {
            let epilogue = self.finish.epilogue(inputs, part.rows.start);
            let what = Images { filters, rows, epilogue, output: part.product() };
            let x = E::source(&inputs[0], 0, self.quantization);
            E::convolve_transposed(self.panels.kernel, x, what, scratch);
        });
    }
}

impl<E: Multiplied> fmt::Debug for Transposed<E>
where
    GemmRow<E>: Row,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transposed")
            .field("geometry", &self.geometry)
            .field("panels", &self.panels)
            .field("shares", &self.shares)
            .finish_non_exhaustive()
    }
}
