//! Convolutions by Winograd's method.

use super::weights::{Finish, operand};
use super::{Call, Context, Execute, Tensor, refused};
use crate::runtime::engine::{RuntimeError, View};
use crate::runtime::pool::shares;
use crate::runtime::program::{Element, Epilogue, Op, Step, Weights as Stored};
use half::f16;
use kernels::convolution::Geometry;
use kernels::gemm::Rows;
use kernels::kernel::{Kernel, Row};
use kernels::memory::{Memory, values_mut};
use kernels::winograd::{Convolution, Layout, Shape, Value, Weights, WinogradRow};
use std::fmt;
use std::ops::Range;

/// The widest panel or group of any CPU, with room to spare: a layout beyond it is none.
const MOST: usize = 256;

pub(super) fn prepare(
    context: &Context,
    step: &Step,
    geometry: Geometry,
    (element, layout): (Element, Layout),
    weights: &Stored,
    epilogue: &Epilogue,
) -> Result<Box<dyn Execute>, RuntimeError> {
    let Op::Convolution { quantization: None, .. } = step.op else {
        return Err(refused(step, "x of a convolution by Winograd's method is not quantized"));
    };
    let Geometry { batch, height, width, channels, channels_out, padding, .. } = geometry;
    let shape = Shape { batch, height, width, channels_in: channels, channels_out, padding };
    let plain =
        Geometry { padding, ..Geometry::new([batch, height, width, channels], channels_out, 3) };
    if geometry != plain || padding.iter().any(|&side| side > 2) {
        return Err(refused(step, "a convolution that Winograd's method does not compute"));
    }
    if operand(context, step, 0)?.element != element {
        return Err(refused(step, "x and weights in floating point are of one element"));
    }
    let sizes = [layout.nr, layout.group, layout.tile[0], layout.tile[1]];
    if !sizes.iter().all(|size| (1..=MOST).contains(size)) {
        return Err(refused(step, format!("weights in the layout {layout:?}")));
    }
    let finish = Finish::new(context, step, weights, epilogue, channels_out)?;
    match element {
        Element::F16 => Winograd::<f16>::new(context, step, shape, layout, weights, finish),
        Element::F32 => Winograd::<f32>::new(context, step, shape, layout, weights, finish),
        Element::I8 => Err(refused(step, "Winograd's method of int8")),
    }
}

trait Source: Value + Send {
    fn rows<'a>(x: &View<'a>) -> Rows<'a, Self>;
}

impl Source for f16 {
    fn rows<'a>(x: &View<'a>) -> Rows<'a, Self> {
        x.rows_f16(0)
    }
}

impl Source for f32 {
    fn rows<'a>(x: &View<'a>) -> Rows<'a, Self> {
        x.rows_f32(0)
    }
}

struct Winograd<E: Value> {
    kernel: Kernel<WinogradRow<E>>,
    shape: Shape,
    panels: Tensor<E>,
    finish: Finish,
    /// Of rows of tiles, and the output pixels that they make.
    shares: Vec<Range<usize>>,
    pixels: Vec<Range<usize>>,
    scratch: usize,
    repacked: usize,
}

impl<E: Source> Winograd<E>
where
    WinogradRow<E>: Row,
{
    #[expect(clippy::new_ret_no_self, reason = "a step made ready")]
    fn new(
        context: &Context,
        step: &Step,
        shape: Shape,
        stored: Layout,
        weights: &Stored,
        finish: Finish,
    ) -> Result<Box<dyn Execute>, RuntimeError> {
        // Tiles are small where a kernel has them, and only then is the product known not to overflow.
        let kernels = || Kernel::<WinogradRow<E>>::supported(context.features);
        let same = kernels().find(|kernel| kernel.layout() == stored);
        let kernel = same.or_else(|| kernels().find(|kernel| kernel.layout().tile == stored.tile));
        let Some(kernel) = kernel else {
            let [down, across] = stored.tile;
            return Err(RuntimeError::OtherCpu {
                step: step.name.clone(),
                packing: format!("tiles of {down} by {across} by Winograd's method"),
            });
        };
        let (k, n) = (shape.channels_in, shape.channels_out);
        let length = stored.packed_length(k, n);
        let mut panels = context.tensor::<E>(step, "packed weights", weights.panels, length)?;
        let layout = kernel.layout();
        let mut repacked = 0;
        if layout != stored {
            panels = relay([k, n], [stored, layout], &panels);
            repacked = panels.len() * size_of::<E>();
        }
        let rows = kernel.tile_rows(&shape);
        let threads = context.threads;
        // Fewer tiles would read all weights for little work.
        const LEAST_TILES: usize = 48;
        let across = shape.size_out()[1].div_ceil(layout.tile[1]);
        let least = LEAST_TILES.div_ceil(across).min(rows / threads);
        let shares = shares(rows, 1, least, threads);
        let scratch = |rows: &Range<usize>| kernel.scratch_bytes(&shape, rows.len());
        let scratch = shares.iter().map(scratch).max().unwrap_or(0);
        let pixels = shares.iter().map(|rows| kernel.pixels(&shape, rows.clone())).collect();
        Ok(Box::new(Self { kernel, shape, panels, finish, shares, pixels, scratch, repacked }))
    }
}

/// Brings weights from one order to another for the same tile.
fn relay<E: Value>([k, n]: [usize; 2], [old, new]: [Layout; 2], from: &[E]) -> Tensor<E> {
    let mut memory = Memory::zeroed(new.packed_length(k, n) * size_of::<E>());
    let to = values_mut::<E>(&mut memory).expect("aligned");
    let products = new.products();
    let place = |layout: Layout, product: usize, k_at: usize, n_at: usize| {
        let depth = k.next_multiple_of(layout.group);
        let panel = n_at / layout.nr * products;
        ((panel + product) * depth + k_at) * layout.nr + n_at % layout.nr
    };
    for product in 0..products {
        for k in 0..k {
            for n in 0..n {
                to[place(new, product, k, n)] = from[place(old, product, k, n)];
            }
        }
    }
    Tensor::all(memory.into())
}

impl<E: Source> Execute for Winograd<E>
where
    WinogradRow<E>: Row,
{
    fn scratch_bytes(&self) -> usize {
        self.scratch
    }
    fn repacked_bytes(&self) -> usize {
        self.repacked
    }

    fn run(&self, call: Call) {
        let Call { inputs, outputs, pool, scratch, .. } = call;
        let Shape { channels_in, channels_out, .. } = self.shape;
        let weights = &Weights::new(&self.panels, self.kernel.layout(), channels_in, channels_out);
        let parts = outputs[0].split_rows(&self.pixels);
        let tasks = self.shares.iter().cloned().zip(parts).collect();
        pool.for_each(tasks, scratch, |(rows, mut part): (Range<usize>, _), scratch| {
            let epilogue = self.finish.epilogue(inputs, part.rows.start);
            let input = E::rows(&inputs[0]);
            let output = part.product();
            let what = Convolution { shape: self.shape, input, weights, epilogue, output };
            self.kernel.run(what, rows, scratch);
        });
    }
}

impl<E: Value> fmt::Debug for Winograd<E>
where
    WinogradRow<E>: Row,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Winograd")
            .field("kernel", &self.kernel.identity().name)
            .field("shape", &self.shape)
            .field("shares", &self.shares)
            .field("repacked", &self.repacked)
            .finish_non_exhaustive()
    }
}
