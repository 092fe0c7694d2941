//! Linear layers, and convolutions of one tap: the multiply; the matrix-vector product for one row.

use super::weights::{
    Blocks, Finish, Multiplied, Panels, check_layout, check_source, gemm_packing, i8_rows, operand,
    result,
};
use super::{Call, Context, Execute, Tensor, refused};
use crate::runtime::engine::RuntimeError;
use crate::runtime::pool::shares;
use crate::runtime::program::{Element, Epilogue, Op, Packing, Quantization, Step, Value, Weights};
use crate::runtime::view::ColumnsMut;
use half::f16;
use kernels::gemm::{GemmRow, Layout, Output, Product};
use kernels::gemm_i4::{
    GROUP, GemmI4Row, I4Product, I4Weights, Scales, pack_nibbles, pack_scales, terms,
};
use kernels::gemv::GemvRow;
use kernels::kernel::{Kernel, Row};
use kernels::memory::{Memory, values_mut};
use std::fmt;
use std::ops::Range;

pub(super) fn prepare(context: &Context, step: &Step) -> Result<Box<dyn Execute>, RuntimeError> {
    let Op::Linear { weights, quantization, epilogue } = &step.op else {
        return Err(refused(step, "no linear layer"));
    };
    let (x, y) = (operand(context, step, 0)?, result(context, step)?);
    let outer = x.shape.len() - 1;
    if y.shape.len() != x.shape.len() || y.shape[..outer] != x.shape[..outer] {
        return Err(refused(step, format!("x of shape {:?} becomes {:?}", x.shape, y.shape)));
    }
    multiply(context, step, weights, *quantization, epilogue)
}

/// Each row of x by the weights.
pub(super) fn multiply(
    context: &Context,
    step: &Step,
    weights: &Weights,
    quantization: Option<Quantization>,
    epilogue: &Epilogue,
) -> Result<Box<dyn Execute>, RuntimeError> {
    if let Packing::GemmI4 { nr, kr } = weights.packing {
        let layout = Layout { nr, kr };
        return LinearI4::new(context, step, weights, layout, quantization, epilogue);
    }
    let Some((element, layout)) = gemm_packing(weights.packing) else {
        return Err(refused(step, "its weights are packed for another operation"));
    };
    match element {
        Element::I8 => Linear::<i8>::new(context, step, weights, layout, quantization, epilogue),
        Element::F16 => Linear::<f16>::new(context, step, weights, layout, quantization, epilogue),
        Element::F32 => Linear::<f32>::new(context, step, weights, layout, quantization, epilogue),
    }
}

/// How a product is shared among threads.
#[derive(Debug)]
enum Split {
    Rows(Vec<Range<usize>>),
    Columns(Vec<Range<usize>>),
}

impl Split {
    /// By rows, in whole tiles, unless there are fewer tiles than threads: then by columns, in whole panels.
    fn new(
        [rows, columns]: [usize; 2],
        [tile_rows, nr]: [usize; 2],
        [least_rows, least_columns]: [usize; 2],
        threads: usize,
    ) -> Self {
        let tiles = rows.div_ceil(tile_rows);
        if rows == 1 || tiles < threads && tiles < columns.div_ceil(nr) {
            return Self::Columns(shares(columns, nr, least_columns, threads));
        }
        Self::Rows(shares(rows, tile_rows, least_rows, threads))
    }

    /// Bytes of memory in which columns are written before they take their places in rows.
    fn shared_bytes(&self, y: &Value) -> usize {
        match self {
            Self::Columns(ranges) if y.rows() > 1 && ranges.len() > 1 => y.bytes(),
            _ => 0,
        }
    }

    /// The rows of the greatest task.
    fn most_rows(&self, rows: usize) -> usize {
        match self {
            Self::Rows(ranges) => ranges.iter().map(Range::len).max().unwrap_or(0),
            Self::Columns(_) => rows,
        }
    }

    /// Runs `work` for each task: its rows, columns and place, and the thread's memory.
    fn run(&self, call: Call, work: impl Fn(Range<usize>, Range<usize>, Output, &mut [u8]) + Sync) {
        let Call { outputs, pool, scratch, shared, .. } = call;
        let y = &mut outputs[0];
        let (rows, columns) = (y.value.rows(), y.value.channels());
        match self {
            Self::Rows(ranges) => {
                let parts = y.split_rows(ranges);
                pool.for_each(parts, scratch, |mut part, scratch| {
                    work(part.rows.clone(), 0..columns, part.product(), scratch);
                });
            }
            Self::Columns(ranges) if rows == 1 || ranges.len() == 1 => {
                let parts = ColumnsMut::split(y.value, y.bytes, ranges);
                pool.for_each(parts, scratch, |mut part, scratch| {
                    work(0..rows, part.columns.clone(), part.product(), scratch);
                });
            }
            Self::Columns(ranges) => {
                let parts = ColumnsMut::split(y.value, shared, ranges);
                pool.for_each(parts, scratch, |mut part, scratch| {
                    work(0..rows, part.columns.clone(), part.product(), scratch);
                });
                let size = y.value.element.size();
                for ColumnsMut { columns: part, bytes, .. } in
                    ColumnsMut::split(y.value, shared, ranges)
                {
                    let to = y.bytes.chunks_exact_mut(columns * size);
                    for (to, from) in to.zip(bytes.chunks_exact(part.len() * size)) {
                        to[part.start * size..part.end * size].copy_from_slice(from);
                    }
                }
            }
        }
    }
}

/// Fewest columns that are worth a task of their own.
fn least_columns(rows: usize, k: usize) -> usize {
    const WORK: usize = 100_000;
    WORK.div_ceil(rows.saturating_mul(k).max(1))
}

struct Linear<E: Multiplied> {
    panels: Panels<E>,
    row: Option<Kernel<GemvRow<E>>>,
    finish: Finish,
    quantization: Option<Quantization>,
    split: Split,
    scratch: usize,
    shared: usize,
}

impl<E: Multiplied + 'static> Linear<E>
where
    GemmRow<E>: Row,
    GemvRow<E>: Row,
{
    #[expect(clippy::new_ret_no_self, reason = "a step made ready")]
    fn new(
        context: &Context,
        step: &Step,
        weights: &Weights,
        layout: Layout,
        quantization: Option<Quantization>,
        epilogue: &Epilogue,
    ) -> Result<Box<dyn Execute>, RuntimeError> {
        let (x, y) = (operand(context, step, 0)?, result(context, step)?);
        check_source::<E>(step, x, quantization)?;
        let (rows, k, n) = (x.rows(), x.channels(), y.channels());
        let finish = Finish::new(context, step, weights, epilogue, n)?;
        let panels = Panels::<E>::new(context, step, weights, layout, Blocks::multiply(k, n))?;
        let layout = panels.layout();
        let row = (rows == 1)
            .then(|| Kernel::<GemvRow<E>>::with_layout(layout, context.features))
            .flatten();
        let threads = context.threads;
        let least = [panels.least_rows(rows, threads), least_columns(rows, k)];
        let split = Split::new([rows, n], [panels.kernel.tile_rows(), layout.nr], least, threads);
        let scratch = match row {
            Some(row) => row.scratch_bytes(&panels.weights()),
            None => panels.kernel.scratch_bytes(split.most_rows(rows), &panels.weights()),
        };
        let shared = split.shared_bytes(y);
        Ok(Box::new(Self { panels, row, finish, quantization, split, scratch, shared }))
    }
}

impl<E: Multiplied> Execute for Linear<E>
where
    GemmRow<E>: Row,
    GemvRow<E>: Row,
{
    fn scratch_bytes(&self) -> usize {
        self.scratch
    }
    fn shared_bytes(&self) -> usize {
        self.shared
    }
    fn repacked_bytes(&self) -> usize {
        self.panels.repacked_bytes()
    }

    fn run(&self, call: Call) {
        let inputs = call.inputs;
        let weights = self.panels.weights();
        self.split.run(call, |rows, columns, output, scratch| {
            let x = E::source(&inputs[0], rows.start, self.quantization);
            if let Some(kernel) = self.row {
                let epilogue = self.finish.epilogue(inputs, 0);
                let product = Product { rows: 1, weights: &weights, epilogue, output };
                E::multiply_row(kernel, x, columns, product, scratch);
                return;
            }
            let epilogue = self.finish.epilogue_of_columns(inputs, rows.start, &columns);
            let weights = &weights.columns(&columns);
            let product = Product { rows: rows.len(), weights, epilogue, output };
            E::multiply(self.panels.kernel, x, product, scratch);
        });
    }
}

impl<E: Multiplied> fmt::Debug for Linear<E>
where
    GemmRow<E>: Row,
    GemvRow<E>: Row,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Linear")
            .field("panels", &self.panels)
            .field("row", &self.row.map(|kernel| kernel.identity().name))
            .field("split", &self.split)
            .finish_non_exhaustive()
    }
}

/// By weights of four bits.
struct LinearI4 {
    kernel: Kernel<GemmI4Row>,
    nibbles: Tensor<u8>,
    scales: Tensor<f16>,
    /// What a zero point of x takes off; zeros where it is 0.
    terms: Vec<f32>,
    /// k, n
    size: [usize; 2],
    finish: Finish,
    quantization: Option<Quantization>,
    split: Split,
    scratch: usize,
    shared: usize,
    repacked: usize,
}

impl LinearI4 {
    #[expect(clippy::new_ret_no_self, reason = "a step made ready")]
    fn new(
        context: &Context,
        step: &Step,
        weights: &Weights,
        layout: Layout,
        quantization: Option<Quantization>,
        epilogue: &Epilogue,
    ) -> Result<Box<dyn Execute>, RuntimeError> {
        let (x, y) = (operand(context, step, 0)?, result(context, step)?);
        check_source::<i8>(step, x, quantization)?;
        check_layout(step, layout)?;
        if !16usize.is_multiple_of(layout.kr) {
            let reason = format!("{} values of k side by side do not divide a group", layout.kr);
            return Err(refused(step, reason));
        }
        let (rows, k, n) = (x.rows(), x.channels(), y.channels());
        let finish = Finish::new(context, step, weights, epilogue, n)?;
        let groups = k.div_ceil(GROUP);
        let Some(scales) = weights.scales else {
            return Err(refused(step, "int4 weights without a scale for each group"));
        };
        // Extents are bounded, so that these products do not overflow.
        let count = n.next_multiple_of(layout.nr) * groups;
        let nibbles = context.tensor::<u8>(step, "int4 weights", weights.panels, count * 16)?;
        let scales = context.tensor::<f16>(step, "scales of groups", scales, count)?;
        if !scales.iter().all(|scale| scale.is_finite()) {
            return Err(refused(step, "a scale that is no finite number"));
        }
        let size = [k, n];
        let kernel = Kernel::<GemmI4Row>::supported(context.features)
            .find(|kernel| kernel.layout() == layout);
        let first = Kernel::<GemmI4Row>::first(context.features);
        let plain = |kernel: &Kernel<GemmI4Row>| kernel.identity().needs.is_empty();
        let (kernel, nibbles, scales, repacked) = match kernel {
            Some(kernel) if !plain(&kernel) || plain(&first) => (kernel, nibbles, scales, 0),
            _ => {
                let (nibbles, scales) = relay(size, [layout, first.layout()], &nibbles, &scales);
                let bytes = nibbles.len() + scales.len() * size_of::<f16>();
                (first, nibbles, scales, bytes)
            }
        };
        let layout = kernel.layout();
        let mut column_terms = vec![0.0; n.next_multiple_of(layout.nr)];
        let zero_point = x.quantization.or(quantization).map_or(0, |steps| steps.zero_point);
        if zero_point != 0 {
            terms(layout, k, &nibbles, Scales::F16(&scales), &mut column_terms);
        }
        let least = [200_000usize.div_ceil(k * n), least_columns(rows, k)];
        let split = Split::new([rows, n], [kernel.tile_rows(), layout.nr], least, context.threads);
        let mut ready = Self {
            kernel,
            nibbles,
            scales,
            terms: column_terms,
            size,
            finish,
            quantization,
            shared: split.shared_bytes(y),
            split,
            scratch: 0,
            repacked,
        };
        ready.scratch = kernel.scratch_bytes(ready.split.most_rows(rows), &ready.weights());
        Ok(Box::new(ready))
    }

    fn weights(&self) -> I4Weights<'_> {
        let [k, n] = self.size;
        let scales = Scales::F16(&self.scales);
        I4Weights::new(&self.nibbles, scales, &self.terms, self.kernel.layout(), k, n)
    }
}

/// Brings int4 weights from one order to another.
fn relay(
    [k, n]: [usize; 2],
    [old, new]: [Layout; 2],
    nibbles: &[u8],
    scales: &[f16],
) -> (Tensor<u8>, Tensor<f16>) {
    let groups = k.div_ceil(GROUP);
    let weight = |k: usize, n: usize| {
        let step = (n / old.nr * groups + k / GROUP) * (16 / old.kr) + k % 16 / old.kr;
        let byte = nibbles[step * old.nr * old.kr + n % old.nr * old.kr + k % old.kr];
        let nibble = if k % GROUP < 16 { byte & 15 } else { byte >> 4 };
        nibble as i8 - 8
    };
    let scale =
        |group: usize, n: usize| scales[(n / old.nr * groups + group) * old.nr + n % old.nr];
    let count = n.next_multiple_of(new.nr) * groups;
    let mut packed = Memory::zeroed(count * 16);
    pack_nibbles(new, k, n, weight, &mut packed);
    let mut packed_scales = Memory::zeroed(count * size_of::<f16>());
    let to = values_mut::<f16>(&mut packed_scales).expect("aligned");
    pack_scales(new, k, n, scale, f16::ZERO, to);
    (Tensor::all(packed.into()), Tensor::all(packed_scales.into()))
}

impl Execute for LinearI4 {
    fn scratch_bytes(&self) -> usize {
        self.scratch
    }
    fn shared_bytes(&self) -> usize {
        self.shared
    }
    fn repacked_bytes(&self) -> usize {
        self.repacked
    }

    fn run(&self, call: Call) {
        let inputs = call.inputs;
        let weights = self.weights();
        self.split.run(call, |rows, columns, output, scratch| {
            let x = i8_rows(&inputs[0], rows.start, self.quantization);
            let epilogue = self.finish.epilogue(inputs, rows.start);
            let product = I4Product { rows: rows.len(), weights: &weights, epilogue, output };
            self.kernel.run(x, columns, product, scratch);
        });
    }
}

impl fmt::Debug for LinearI4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinearI4")
            .field("kernel", &self.kernel.identity().name)
            .field("size", &self.size)
            .field("split", &self.split)
            .finish_non_exhaustive()
    }
}
