//! Steps made ready: one file an operation, each calls the kernels of one name.
//!
//! [`prepare`] checks a step against its values and weights, once, so that nothing a bundle may hold can make a kernel panic or read what it
//! should not; picks the kernel; and gives what runs it.

mod activation;
mod attention;
mod binary;
mod constant;
mod convert;
mod convolution;
mod depthwise;
mod gated;
mod group_norm;
mod linear;
mod movement;
mod operands;
mod pool;
mod resize;
mod rotary;
mod row_norm;
mod softmax;
mod tract;
mod transposed;
mod weights;
mod winograd;

use super::blob::Blob;
use super::engine::{RuntimeError, View};
use super::pool::Pool;
use super::program::{Op, Program, Span, Step, Value};
pub(super) use super::view::{RowsMut, ViewMut};
use kernels::features::Features;
use kernels::memory::values;
use kernels::scratch::Plain;
use std::marker::PhantomData;
use std::ops::Deref;

/// A step made ready for a CPU.
pub(super) trait Execute: std::fmt::Debug + Send + Sync {
    /// Bytes of working memory for each thread.
    fn scratch_bytes(&self) -> usize {
        0
    }

    /// Bytes of working memory that the threads share.
    fn shared_bytes(&self) -> usize {
        0
    }

    /// Bytes of weights that it keeps in memory of its own, since they are stored in another layout than its kernel reads.
    fn repacked_bytes(&self) -> usize {
        0
    }

    /// Computes the outputs.
    fn run(&self, call: Call);
}

/// What a step runs with.
pub(super) struct Call<'a> {
    /// In the step's order.
    pub inputs: &'a [View<'a>],
    /// In the step's order; what they hold before is whatever the memory held.
    pub outputs: &'a mut [ViewMut<'a>],
    /// Threads.
    pub pool: &'a Pool,
    /// For each thread [`Execute::scratch_bytes`] or more, aligned to 64 bytes.
    pub scratch: &'a mut [&'a mut [u8]],
    /// [`Execute::shared_bytes`] or more, aligned to 64 bytes.
    pub shared: &'a mut [u8],
}

/// What a step is made ready from. [`Program::check`] found the program to be one: every id names a value that is there when the step reads
/// it; extents are 1 or more and their products small enough to multiply; int8 values have a quantization or row steps of the right shape.
pub(super) struct Context<'a> {
    pub program: &'a Program,
    pub weights: &'a Blob,
    pub features: Features,
    /// Of the pool.
    pub threads: usize,
}

/// A tensor of the weights, kept by a step.
#[derive(Clone, Debug)]
pub(super) struct Tensor<T> {
    blob: Blob,
    start: usize,
    end: usize,
    element: PhantomData<T>,
}

impl<T: Plain> Tensor<T> {
    /// All of a blob.
    pub fn all(blob: Blob) -> Self {
        let end = blob.len();
        Self { blob, start: 0, end, element: PhantomData }
    }
}

impl<T: Plain> Deref for Tensor<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        values(&self.blob.bytes()[self.start..self.end]).expect("checked when it was taken")
    }
}

/// That a step contradicts itself, its values or its weights.
pub(super) fn refused(step: &Step, reason: impl Into<String>) -> RuntimeError {
    RuntimeError::Step { step: step.name.clone(), reason: reason.into() }
}

impl<'a> Context<'a> {
    /// The values of exactly so many inputs.
    ///
    /// # Errors
    /// [`RuntimeError::Step`] where there are more or fewer.
    pub fn inputs<const N: usize>(&self, step: &Step) -> Result<[&'a Value; N], RuntimeError> {
        self.values(step, "inputs", &step.inputs)
    }

    /// The values of exactly so many outputs.
    ///
    /// # Errors
    /// [`RuntimeError::Step`] where there are more or fewer.
    pub fn outputs<const N: usize>(&self, step: &Step) -> Result<[&'a Value; N], RuntimeError> {
        self.values(step, "outputs", &step.outputs)
    }

    fn values<const N: usize>(
        &self,
        step: &Step,
        what: &str,
        ids: &[usize],
    ) -> Result<[&'a Value; N], RuntimeError> {
        let ids: [usize; N] = ids
            .try_into()
            .map_err(|_| refused(step, format!("{N} {what} expected, found {}", ids.len())))?;
        Ok(ids.map(|id| &self.program.values[id]))
    }

    /// A tensor of the weights that must hold so many elements.
    ///
    /// # Errors
    /// [`RuntimeError`] where the span is none of the weights', or of another length.
    pub fn tensor<T: Plain>(
        &self,
        step: &Step,
        what: &str,
        span: Span,
        length: usize,
    ) -> Result<Tensor<T>, RuntimeError> {
        let named = |source| RuntimeError::Weights { step: step.name.clone(), source };
        let found = self.weights.tensor::<T>(span).map_err(named)?.len();
        if found != length {
            return Err(refused(
                step,
                format!("{what} of {length} values expected, found {found}"),
            ));
        }
        // `Blob::tensor` found that both ends lie within the blob.
        let start = span.offset as usize;
        let end = start + span.bytes as usize;
        Ok(Tensor { blob: self.weights.clone(), start, end, element: PhantomData })
    }

    /// As [`Context::tensor`], of finite f32, where there is one.
    ///
    /// # Errors
    /// As [`Context::tensor`], and where a value is not finite.
    pub fn floats(
        &self,
        step: &Step,
        what: &str,
        span: Option<Span>,
        length: usize,
    ) -> Result<Option<Tensor<f32>>, RuntimeError> {
        let Some(span) = span else { return Ok(None) };
        let tensor = self.tensor::<f32>(step, what, span, length)?;
        if !tensor.iter().all(|value| value.is_finite()) {
            return Err(refused(step, format!("{what}: a value that is no finite number")));
        }
        Ok(Some(tensor))
    }
}

/// Makes a step ready.
///
/// # Errors
/// [`RuntimeError`] where the step contradicts itself, its values or its weights.
pub(super) fn prepare(context: &Context, step: &Step) -> Result<Box<dyn Execute>, RuntimeError> {
    match &step.op {
        Op::Convolution { .. } => convolution::prepare(context, step),
        Op::Linear { .. } => linear::prepare(context, step),
        Op::Transposed { .. } => transposed::prepare(context, step),
        Op::GroupNorm { .. } => group_norm::prepare(context, step),
        Op::LayerNorm { .. } | Op::RmsNorm { .. } => row_norm::prepare(context, step),
        Op::Attention { .. } => attention::prepare(context, step),
        Op::Gated { .. } => gated::prepare(context, step),
        Op::Activate { .. } | Op::PRelu { .. } => activation::prepare(context, step),
        Op::Binary { .. } => binary::prepare(context, step),
        Op::Softmax => softmax::prepare(context, step),
        Op::Rotary { .. } => rotary::prepare(context, step),
        Op::Pool { .. } => pool::prepare(context, step),
        Op::Resize { .. } => resize::prepare(context, step),
        Op::DepthToSpace { .. }
        | Op::Concat { .. }
        | Op::Slice { .. }
        | Op::Transpose { .. }
        | Op::Pad { .. } => movement::prepare(context, step),
        Op::Constant { .. } => constant::prepare(context, step),
        Op::Convert => convert::prepare(context, step),
        Op::Tract { .. } => tract::prepare(context, step),
    }
}

/// A model of one operation as an archive that [`Op::Tract`] takes.
///
/// # Errors
/// What tract says where it cannot write the operation, or why it would be refused.
pub(super) fn archive(model: &tract_core::internal::TypedModel) -> Result<Vec<u8>, String> {
    tract::archive(model)
}
