//! Packed weights as the multiply's kernels of this CPU read them: where they are stored, or brought to another layout in memory of our own.

use super::{Context, Tensor, refused};
use crate::runtime::check::check_quantization;
use crate::runtime::engine::{RuntimeError, View};
use crate::runtime::program::{
    Element, Epilogue as Wanted, Packing, Quantization, Step, Value, Weights,
};
use half::f16;
use kernels::convolution::Convolution;
use kernels::gemm::{
    self, Epilogue, GemmRow, I8Rows, Layout, Precision, Product, Residual, Rows, column_sums,
};
use kernels::gemv::GemvRow;
use kernels::kernel::{Kernel, Row};
use kernels::math::Activation;
use kernels::memory::{Memory, values_mut};
use kernels::transposed::Transposed;
use std::fmt;
use std::ops::Range;

/// The widest panel of any CPU, with room to spare: a layout beyond it is none.
const MOST_COLUMNS: usize = 256;
/// As above, of values of k side by side.
const MOST_DEPTH: usize = 64;

/// What weights are made of, and the kernels that multiply by them.
pub(super) trait Multiplied: gemm::Element + Send {
    /// As programs say it.
    const ELEMENT: Element;
    /// Rows of x.
    type Source<'a>;

    /// Why an x with a quantization for the step is none that these weights can be multiplied with.
    fn refusal(x: &Value, quantization: Option<Quantization>) -> Option<&'static str>;
    /// x from a row on.
    fn source<'a>(
        x: &View<'a>,
        first: usize,
        quantization: Option<Quantization>,
    ) -> Self::Source<'a>;
    /// Column sums of packed blocks, where kernels need them.
    fn sums(shape: Blocks, layout: Layout, panels: &[Self]) -> Option<Tensor<i32>>;

    fn multiply(
        kernel: Kernel<GemmRow<Self>>,
        x: Self::Source<'_>,
        product: Product<Self>,
        scratch: &mut [u8],
    );
    fn multiply_row(
        kernel: Kernel<GemvRow<Self>>,
        x: Self::Source<'_>,
        columns: Range<usize>,
        product: Product<Self>,
        scratch: &mut [u8],
    );
    fn convolve(
        kernel: Kernel<GemmRow<Self>>,
        x: Self::Source<'_>,
        what: Convolution<Self>,
        scratch: &mut [u8],
    );
    fn convolve_transposed(
        kernel: Kernel<GemmRow<Self>>,
        x: Self::Source<'_>,
        what: Transposed<Self>,
        scratch: &mut [u8],
    );
}

macro_rules! calls_of_kernels {
    () => {
        fn multiply(
            kernel: Kernel<GemmRow<Self>>,
            x: Self::Source<'_>,
            product: Product<Self>,
            scratch: &mut [u8],
        ) {
            kernel.run(x, product, scratch);
        }
        fn multiply_row(
            kernel: Kernel<GemvRow<Self>>,
            x: Self::Source<'_>,
            columns: Range<usize>,
            product: Product<Self>,
            scratch: &mut [u8],
        ) {
            kernel.run(x, columns, product, scratch);
        }
        fn convolve(
            kernel: Kernel<GemmRow<Self>>,
            x: Self::Source<'_>,
            what: Convolution<Self>,
            scratch: &mut [u8],
        ) {
            kernel.convolve(x, what, scratch);
        }
        fn convolve_transposed(
            kernel: Kernel<GemmRow<Self>>,
            x: Self::Source<'_>,
            what: Transposed<Self>,
            scratch: &mut [u8],
        ) {
            kernel.convolve_transposed(x, what, scratch);
        }
    };
}

macro_rules! floating_point {
    ($element:ty, $name:expr, $rows:ident) => {
        impl Multiplied for $element {
            const ELEMENT: Element = $name;
            type Source<'a> = Rows<'a, Self>;

            fn refusal(x: &Value, quantization: Option<Quantization>) -> Option<&'static str> {
                if x.element != $name {
                    return Some("x and weights in floating point are of one element");
                }
                quantization.map(|_| "only for int8 weights x is quantized")
            }
            fn source<'a>(x: &View<'a>, first: usize, _: Option<Quantization>) -> Self::Source<'a> {
                x.$rows(first)
            }
            fn sums(_: Blocks, _: Layout, _: &[Self]) -> Option<Tensor<i32>> {
                None
            }
            calls_of_kernels!();
        }
    };
}

floating_point!(f32, Element::F32, rows_f32);
floating_point!(f16, Element::F16, rows_f16);

impl Multiplied for i8 {
    const ELEMENT: Element = Element::I8;
    type Source<'a> = I8Rows<'a>;

    fn refusal(x: &Value, quantization: Option<Quantization>) -> Option<&'static str> {
        let unusable = quantization.is_some_and(|steps| check_quantization(steps).is_err());
        match x.element {
            _ if unusable => Some("a quantization whose step is no positive number"),
            Element::I8 if quantization.is_some() => Some("x is quantized already"),
            _ => None,
        }
    }
    fn source<'a>(
        x: &View<'a>,
        first: usize,
        quantization: Option<Quantization>,
    ) -> Self::Source<'a> {
        i8_rows(x, first, quantization)
    }
    fn sums(shape: Blocks, layout: Layout, panels: &[Self]) -> Option<Tensor<i32>> {
        let Blocks { segments, depth, columns, .. } = shape;
        let (length, padded) =
            (layout.packed_length(segments, depth, columns), columns.next_multiple_of(layout.nr));
        let mut memory = Memory::zeroed(shape.sums_length(layout) * size_of::<i32>());
        let sums = values_mut::<i32>(&mut memory).expect("aligned");
        for (panels, sums) in panels.chunks_exact(length).zip(sums.chunks_exact_mut(padded)) {
            column_sums(layout, segments, depth, columns, panels, sums);
        }
        Some(Tensor::all(memory.into()))
    }
    calls_of_kernels!();
}

/// x from a row on, as int8 products take it; no quantization is a step for each row.
pub(super) fn i8_rows<'a>(
    x: &View<'a>,
    first: usize,
    quantization: Option<Quantization>,
) -> I8Rows<'a> {
    let precision = match quantization {
        Some(quantization) => Precision::Tensor(Quantization::of_gemm(Some(quantization))),
        None => Precision::Row,
    };
    match x.value.element {
        Element::F32 => I8Rows::F32(x.rows_f32(first), precision),
        Element::F16 => I8Rows::F16(x.rows_f16(first), precision),
        Element::I8 => match x.row_steps() {
            Some(steps) => I8Rows::I8PerRow(x.rows_i8(first), &steps[first..]),
            None => I8Rows::I8(x.rows_i8(first), Quantization::of_gemm(x.value.quantization)),
        },
    }
}

/// What packed weights consist of: blocks, each packed as for a multiply. A convolution has one for each group, a transposed one for each tap.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blocks {
    pub blocks: usize,
    /// Runs of k.
    pub segments: usize,
    /// Values of a run.
    pub depth: usize,
    pub columns: usize,
}

impl Blocks {
    /// One multiply.
    pub fn multiply(k: usize, n: usize) -> Self {
        Self { blocks: 1, segments: 1, depth: k, columns: n }
    }

    /// None where there are more than an address space holds.
    fn length(self, layout: Layout) -> Option<usize> {
        let Self { blocks, segments, depth, columns } = self;
        let panels = columns.div_ceil(layout.nr);
        let steps = segments.checked_mul(layout.segment_steps(depth))?;
        let length = panels.checked_mul(steps)?.checked_mul(layout.nr * layout.kr)?;
        length.checked_mul(blocks).filter(|&length| length <= isize::MAX as usize / 8)
    }

    fn sums_length(self, layout: Layout) -> usize {
        self.blocks * self.columns.next_multiple_of(layout.nr)
    }

    /// Multiply-adds of a row.
    pub fn work(self) -> usize {
        self.segments * self.depth * self.columns * self.blocks
    }
}

/// Packed weights and the kernel that reads them.
pub(super) struct Panels<E: gemm::Element> {
    pub kernel: Kernel<GemmRow<E>>,
    pub shape: Blocks,
    pub values: Tensor<E>,
    sums: Option<Tensor<i32>>,
    repacked: bool,
}

impl<E: Multiplied> Panels<E>
where
    GemmRow<E>: Row,
{
    /// Takes weights as they are stored where a kernel of this CPU reads them so; else brings them to the layout of the one that dispatch takes.
    ///
    /// # Errors
    /// [`RuntimeError`] where the weights are not those of the shape.
    pub fn new(
        context: &Context,
        step: &Step,
        weights: &Weights,
        layout: Layout,
        shape: Blocks,
    ) -> Result<Self, RuntimeError> {
        check_layout(step, layout)?;
        let length = shape.length(layout);
        let length = length.ok_or_else(|| refused(step, "more weights than memory can hold"))?;
        let stored = context.tensor::<E>(step, "packed weights", weights.panels, length)?;
        let sums = weights.sums.map(|sums| {
            context.tensor::<i32>(step, "column sums", sums, shape.sums_length(layout))
        });
        let sums = sums.transpose()?;
        let pick = Kernel::<GemmRow<E>>::pick(context.features, shape.segments * shape.depth);
        if let Some(kernel) = with_layout(pick, context, layout) {
            let sums = sums.or_else(|| E::sums(shape, layout, &stored));
            return Ok(Self { kernel, shape, values: stored, sums, repacked: false });
        }
        let wanted = pick.layout();
        let length = shape.length(wanted);
        let length = length.ok_or_else(|| refused(step, "more weights than memory can hold"))?;
        let mut memory = Memory::zeroed(length * size_of::<E>());
        let to = values_mut::<E>(&mut memory).expect("aligned");
        let (from_block, to_block) = (stored.len() / shape.blocks, length / shape.blocks);
        for (from, to) in stored.chunks_exact(from_block).zip(to.chunks_exact_mut(to_block)) {
            relay(shape, [layout, wanted], from, to);
        }
        let values = Tensor::<E>::all(memory.into());
        let sums = E::sums(shape, wanted, &values);
        Ok(Self { kernel: pick, shape, values, sums, repacked: true })
    }

    /// Column sums: none of floating-point weights.
    pub fn sums(&self) -> &[i32] {
        self.sums.as_deref().unwrap_or_default()
    }

    /// How they are packed.
    pub fn layout(&self) -> Layout {
        self.kernel.layout()
    }

    /// As a multiply takes them: there is one block.
    pub fn weights(&self) -> gemm::Weights<'_, E> {
        let Blocks { segments, depth, columns, .. } = self.shape;
        gemm::Weights::new(&self.values, self.sums(), self.layout(), segments, depth, columns)
    }

    /// Bytes in memory of our own.
    pub fn repacked_bytes(&self) -> usize {
        let bytes = size_of_val(&self.values[..]) + size_of_val(self.sums());
        if self.repacked { bytes } else { 0 }
    }

    /// Fewest rows that are worth a task of their own: with fewer, handing out or reading weights takes longer than the work.
    pub fn least_rows(&self, rows: usize, threads: usize) -> usize {
        const WORK: usize = 200_000;
        // What a kernel packs at a time reads all weights once; weights that no cache keeps are read for few tasks only.
        const CACHED: usize = 1 << 20;
        const BLOCK: usize = 256 << 10;
        let work = WORK.div_ceil(self.shape.work().max(1));
        let depth = self.shape.segments * self.shape.depth * size_of::<E>();
        let cached = self.values.len() * size_of::<E>() <= CACHED;
        let block = if cached { 1 } else { (BLOCK / depth.max(1)).max(1) };
        work.max(block.min(rows / threads))
    }
}

/// The kernel for stored weights: the one that dispatch takes, or another of this CPU that reads the same order. The plain version is none, unless
/// there is nothing else: bringing the weights to another order pays at once.
fn with_layout<E: gemm::Element>(
    pick: Kernel<GemmRow<E>>,
    context: &Context,
    layout: Layout,
) -> Option<Kernel<GemmRow<E>>>
where
    GemmRow<E>: Row,
{
    if pick.layout() == layout {
        return Some(pick);
    }
    Kernel::<GemmRow<E>>::supported(context.features)
        .find(|kernel| kernel.layout() == layout && !kernel.identity().needs.is_empty())
}

pub(super) fn check_layout(step: &Step, Layout { nr, kr }: Layout) -> Result<(), RuntimeError> {
    if (1..=MOST_COLUMNS).contains(&nr) && (1..=MOST_DEPTH).contains(&kr) {
        return Ok(());
    }
    Err(refused(step, format!("weights in panels of {nr} columns and {kr} values of k")))
}

/// Brings a block from one order to another; `to` holds zeros.
fn relay<E: Copy>(shape: Blocks, [old, new]: [Layout; 2], from: &[E], to: &mut [E]) {
    let place = |layout: Layout, column: usize| {
        let steps = shape.segments * layout.segment_steps(shape.depth);
        (column / layout.nr * steps * layout.nr + column % layout.nr) * layout.kr
    };
    for column in 0..shape.columns {
        let (old_column, new_column) = (place(old, column), place(new, column));
        for segment in 0..shape.segments {
            let old_step = old.nr * old.kr;
            let new_step = new.nr * new.kr;
            let old_segment = old_column + segment * old.segment_steps(shape.depth) * old_step;
            let new_segment = new_column + segment * new.segment_steps(shape.depth) * new_step;
            for k in 0..shape.depth {
                to[new_segment + k / new.kr * new_step + k % new.kr] =
                    from[old_segment + k / old.kr * old_step + k % old.kr];
            }
        }
    }
}

/// What is done with a product, as the kernels take it.
#[derive(Debug)]
pub(super) struct Finish {
    scales: Option<Tensor<f32>>,
    bias: Option<Tensor<f32>>,
    /// Of the step's inputs.
    shift: Option<usize>,
    residual: Option<usize>,
    activation: Activation,
}

impl Finish {
    /// Checks everything beside x and the weights themselves: the operands that the epilogue names, scales, bias, y.
    ///
    /// # Errors
    /// [`RuntimeError`] where these do not go together.
    pub fn new(
        context: &Context,
        step: &Step,
        weights: &Weights,
        wanted: &Wanted,
        channels: usize,
    ) -> Result<Self, RuntimeError> {
        let (x, y) = (operand(context, step, 0)?, result(context, step)?);
        let mut next = 1;
        if let Some(steps) = x.row_steps {
            if step.inputs.get(1) != Some(&steps) {
                return Err(refused(step, "x has a step for each row, its steps are to follow it"));
            }
            next = 2;
        }
        let shift = wanted.shift.then_some(next);
        next += usize::from(wanted.shift);
        let residual = wanted.residual.then_some(next);
        next += usize::from(wanted.residual);
        if step.inputs.len() != next {
            let found = step.inputs.len();
            return Err(refused(step, format!("{next} inputs expected, found {found}")));
        }
        if let Some(at) = shift {
            let shift = operand(context, step, at)?;
            if shift.element != Element::F32 || shift.elements() != channels {
                return Err(refused(step, format!("a shift that is no f32 of shape [{channels}]")));
            }
        }
        if let Some(at) = residual {
            let residual = operand(context, step, at)?;
            if residual.shape != y.shape || residual.row_steps.is_some() {
                return Err(refused(
                    step,
                    format!(
                        "a residual of shape {:?}, the result is {:?}",
                        residual.shape, y.shape
                    ),
                ));
            }
        }
        if y.row_steps.is_some() || y.channels() != channels {
            return Err(refused(
                step,
                format!("{channels} output channels, the result is {:?}", y.shape),
            ));
        }
        let scales = match weights.packing {
            Packing::Gemm { element: Element::I8, .. } | Packing::Taps { element: Element::I8 } => {
                let scales = weights.scales.ok_or_else(|| {
                    refused(step, "int8 weights without a scale for each output channel")
                })?;
                context.floats(step, "scales", Some(scales), channels)?
            }
            // Their scales are each group's.
            Packing::GemmI4 { .. } => None,
            _ if weights.scales.is_some() => {
                return Err(refused(step, "scales of weights that are not quantized"));
            }
            _ => None,
        };
        let bias = context.floats(step, "bias", weights.bias, channels)?;
        Ok(Self { scales, bias, shift, residual, activation: wanted.activation })
    }

    /// For rows from `first` on.
    pub fn epilogue<'a>(&'a self, inputs: &[View<'a>], first: usize) -> Epilogue<'a> {
        let bias = match self.shift {
            Some(at) => Some(inputs[at].f32()),
            None => self.bias.as_deref(),
        };
        let residual = self.residual.map(|at| inputs[at].residual(first));
        Epilogue { scales: self.scales.as_deref(), bias, residual, activation: self.activation }
    }

    /// For a range of columns of rows from `first` on.
    pub fn epilogue_of_columns<'a>(
        &'a self,
        inputs: &[View<'a>],
        first: usize,
        columns: &Range<usize>,
    ) -> Epilogue<'a> {
        let whole = self.epilogue(inputs, first);
        let part = |values: Option<&'a [f32]>| values.map(|values| &values[columns.clone()]);
        let from = columns.start;
        let residual = whole.residual.map(|residual| match residual {
            Residual::F32 { values, stride } => Residual::F32 { values: &values[from..], stride },
            Residual::F16 { values, stride } => Residual::F16 { values: &values[from..], stride },
            Residual::I8 { values, stride, scale, zero_point } => {
                Residual::I8 { values: &values[from..], stride, scale, zero_point }
            }
        });
        Epilogue { scales: part(whole.scales), bias: part(whole.bias), residual, ..whole }
    }
}

/// An input of a step.
pub(super) fn operand<'a>(
    context: &Context<'a>,
    step: &Step,
    at: usize,
) -> Result<&'a Value, RuntimeError> {
    let id = step.inputs.get(at);
    let id = id.ok_or_else(|| refused(step, format!("an input {at} is missing")))?;
    Ok(&context.program.values[*id])
}

/// The only output of a step.
pub(super) fn result<'a>(context: &Context<'a>, step: &Step) -> Result<&'a Value, RuntimeError> {
    let [y] = context.outputs(step)?;
    Ok(y)
}

/// That x can be multiplied with weights of an element.
pub(super) fn check_source<E: Multiplied>(
    step: &Step,
    x: &Value,
    quantization: Option<Quantization>,
) -> Result<(), RuntimeError> {
    E::refusal(x, quantization).map_or(Ok(()), |reason| Err(refused(step, reason)))
}

/// The layout that a packing says, where it is panels of the multiply.
pub(super) fn gemm_packing(packing: Packing) -> Option<(Element, Layout)> {
    match packing {
        Packing::Gemm { element, nr, kr } => Some((element, Layout { nr, kr })),
        _ => None,
    }
}

impl<E: gemm::Element> fmt::Debug for Panels<E>
where
    GemmRow<E>: Row,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Panels")
            .field("kernel", &self.kernel.identity().name)
            .field("shape", &self.shape)
            .field("repacked", &self.repacked)
            .finish_non_exhaustive()
    }
}
