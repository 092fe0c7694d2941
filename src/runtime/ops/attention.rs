//! Attention: keys and values of all heads are packed, then ranges of queries are shared among the threads.

use super::operands::{expect, float, image_shares, require, sequence, typed, typed_mut};
use super::{Call, Context, Execute, refused};
use crate::runtime::engine::RuntimeError;
use crate::runtime::program::{Element, Op, Step, Value};
use half::f16;
use kernels::attention::{AttentionRow, Int8, Part, Precision, Shape, Strides, Task, Tokens};
use kernels::kernel::{Kernel, Row};
use kernels::scratch::{Plain, bytes_for, cut};

/// The greatest head that the kernels take.
const GREATEST_HEAD: usize = 1024;

/// Queries are shared out in multiples of this many: a few register tiles of any engine.
const QUERIES: usize = 16;

pub(super) fn prepare(context: &Context, step: &Step) -> Result<Box<dyn Execute>, RuntimeError> {
    let Op::Attention { int8, .. } = step.op else {
        return Err(refused(step, "no attention"));
    };
    let Some(&queries) = step.inputs.first() else {
        return Err(refused(step, "3 or 4 inputs expected, found 0"));
    };
    let queries = &context.program.values[queries];
    float(step, queries)?;
    match (queries.element, int8) {
        (Element::F16, false) => ready::<f16>(context, step),
        (Element::F16, true) => ready::<Int8<f16>>(context, step),
        (_, false) => ready::<f32>(context, step),
        (_, true) => ready::<Int8<f32>>(context, step),
    }
}

fn ready<P>(context: &Context, step: &Step) -> Result<Box<dyn Execute>, RuntimeError>
where
    P: Precision + std::fmt::Debug,
    P::Value: Plain + Send + Sync,
    AttentionRow<P>: Row,
{
    let Op::Attention {
        heads,
        key_heads,
        key_size,
        value_size,
        scale,
        causal,
        zero_keys,
        channels,
        ..
    } = step.op
    else {
        return Err(refused(step, "no attention"));
    };
    let (operands, bias) = if step.inputs.len() == 4 {
        let [q, k, v, bias] = context.inputs(step)?;
        ([q, k, v], Some(bias))
    } else {
        (context.inputs(step)?, None)
    };
    let [y] = context.outputs(step)?;
    for operand in operands {
        expect(step, &operand.name, operands[0].element, operand.element)?;
    }
    expect(step, &y.name, operands[0].element, y.element)?;

    let holds = heads > 0 && key_heads > 0 && heads.is_multiple_of(key_heads);
    require(step, holds, "key_heads", &format!("a divisor of {heads} heads"), key_heads)?;
    for (what, size) in [("key_size", key_size), ("value_size", value_size)] {
        let holds = (1..=GREATEST_HEAD).contains(&size);
        require(step, holds, what, &format!("1 to {GREATEST_HEAD}"), size)?;
    }
    require(step, scale.is_finite(), "scale", "a finite number", scale)?;
    let [batches, queries, _] = sequence(step, operands[0])?;
    let [_, keys, _] = sequence(step, operands[1])?;
    let widths = [(heads, key_size), (key_heads, key_size), (key_heads, value_size)];
    let tokens = [queries, keys, keys];
    for index in 0..3 {
        let operand = operands[index];
        let [n, count, width] = sequence(step, operand)?;
        expect(step, &operand.name, [batches, tokens[index]], [n, count])?;
        let (heads, size) = widths[index];
        let end = heads.checked_mul(size).and_then(|all| all.checked_add(channels[index]));
        let holds = end.is_some_and(|end| end <= width);
        let expected = format!("{heads} heads of {size} from channel {} on", channels[index]);
        require(step, holds, &operand.name, &expected, width)?;
    }
    // The heads of queries fit the channels of one operand, and a head is small.
    expect(step, &y.name, [batches, queries, heads * value_size].as_slice(), &y.shape[..])?;
    let bias =
        bias.map(|bias| bias_strides(step, bias, [batches, heads, queries, keys])).transpose()?;

    let shape = Shape { batches, heads, key_heads, queries, keys, key_size, value_size };
    let strides = [0, 1, 2].map(|index| {
        let width = operands[index].channels();
        Strides { batch: tokens[index] * width, head: widths[index].1, token: width }
    });
    Ok(Box::new(Ready::<P> {
        kernel: Kernel::first(context.features),
        shape,
        scale,
        causal: causal.then_some(0),
        zero_keys,
        channels,
        strides,
        bias,
    }))
}

/// Of a bias `[n | 1, heads | 1, queries | 1, keys]`, 0 where it is repeated.
fn bias_strides(step: &Step, bias: &Value, sizes: [usize; 4]) -> Result<Strides, RuntimeError> {
    expect(step, &bias.name, Element::F32, bias.element)?;
    // Missing axes in front are of one index.
    let missing = 4usize.checked_sub(bias.shape.len());
    let found = missing.map(|missing| {
        let axis = |axis: usize| axis.checked_sub(missing).map_or(1, |axis| bias.shape[axis]);
        std::array::from_fn::<usize, 4, _>(axis)
    });
    let fits = |found: &[usize; 4]| {
        let repeated = (0..3).all(|axis| found[axis] == 1 || found[axis] == sizes[axis]);
        repeated && found[3] == sizes[3]
    };
    let Some(found) = found.filter(fits) else {
        let [n, heads, queries, keys] = sizes;
        let expected = format!("[{n} or 1, {heads} or 1, {queries} or 1, {keys}]");
        return Err(refused(
            step,
            format!("{}: expected {expected}, found {:?}", bias.name, bias.shape),
        ));
    };
    let stride = |axis: usize| {
        if found[axis] == 1 { 0 } else { found[axis + 1..].iter().product() }
    };
    Ok(Strides { batch: stride(0), head: stride(1), token: stride(2) })
}

#[derive(Debug)]
struct Ready<P: Precision> {
    kernel: Kernel<AttentionRow<P>>,
    shape: Shape,
    scale: f32,
    causal: Option<usize>,
    zero_keys: usize,
    /// Where head 0 of queries, keys and values starts in a token.
    channels: [usize; 3],
    /// Of queries, keys and values.
    strides: [Strides; 3],
    bias: Option<Strides>,
}

impl<P> Ready<P>
where
    P: Precision,
    AttentionRow<P>: Row,
{
    /// Words that the packed keys and values of all heads take.
    fn packed_length(&self) -> usize {
        self.shape.batches * self.shape.key_heads * self.kernel.packed_length(&self.shape)
    }
}

impl<P> Execute for Ready<P>
where
    P: Precision + std::fmt::Debug,
    P::Value: Plain + Send + Sync,
    AttentionRow<P>: Row,
{
    fn scratch_bytes(&self) -> usize {
        bytes_for::<f32>(self.kernel.scratch_length(&self.shape))
    }

    fn shared_bytes(&self) -> usize {
        bytes_for::<f32>(self.packed_length())
    }

    fn run(&self, call: Call) {
        let Call { inputs, outputs, pool, scratch, mut shared } = call;
        let shape = &self.shape;
        let operand = |index: usize| Tokens {
            values: &typed::<P::Value>(inputs[index].bytes)[self.channels[index]..],
            strides: self.strides[index],
        };
        let [queries, keys, values] = [0, 1, 2].map(operand);

        let packed = cut::<f32>(&mut shared, self.packed_length());
        let tasks = packed.chunks_mut(self.kernel.packed_length(shape).max(1)).enumerate();
        pool.for_each(tasks.collect(), scratch, |(head, packed), _| {
            self.kernel.pack(shape, keys, values, head..head + 1, packed);
        });

        let bias = self.bias.map(|strides| Tokens { values: inputs[3].f32(), strides });
        let (scale, causal, zero_keys) = (self.scale, self.causal, self.zero_keys);
        let task = Task { shape: *shape, scale, queries, bias, causal, zero_keys };
        let width = shape.heads * shape.value_size;
        // What a query costs, as the bytes of the keys and values that it meets.
        let sizes = shape.key_size + shape.value_size;
        let query_bytes = shape.heads.saturating_mul(shape.keys * sizes * size_of::<P::Value>());
        let ranges =
            image_shares(shape.batches, shape.queries, QUERIES, query_bytes, pool.threads());
        let strides =
            Strides { batch: shape.queries * width, head: shape.value_size, token: width };
        let packed = &*packed;
        pool.for_each(outputs[0].split_rows(&ranges), scratch, |rows, mut scratch| {
            let batch = rows.rows.start / shape.queries;
            let first = rows.rows.start - batch * shape.queries;
            let part = Part {
                heads: batch * shape.heads..(batch + 1) * shape.heads,
                queries: first..first + rows.rows.len(),
            };
            let scratch = cut::<f32>(&mut scratch, self.kernel.scratch_length(shape));
            self.kernel.attend(&task, packed, &part, typed_mut(rows.bytes), strides, scratch);
        });
    }
}
