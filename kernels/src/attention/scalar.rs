//! The specification: one row at a time, one key at a time. Packed keys and values are f32, a row of `key_size + 1 + value_size` for
//! each token: its key (int8 products: integers), what the key is to be multiplied with, its value.

use super::{Part, Shape, Strides, Task, Tokens, Value};
use std::ops::Range;

pub(super) fn packed(shape: &Shape) -> usize {
    shape.keys * (shape.key_size + 1 + shape.value_size)
}

pub(super) fn scratch(shape: &Shape) -> usize {
    shape.key_size + shape.value_size
}

/// A token as integers −127..=127 and what to multiply them with; without `INT8` as it is.
fn quantize<const INT8: bool>(token: impl Iterator<Item = f32> + Clone, to: &mut [f32]) -> f32 {
    let greatest = token.clone().fold(0.0, |greatest: f32, x| greatest.max(x.abs()));
    let factor = if greatest > 0.0 { 127.0 / greatest } else { 0.0 };
    for (to, x) in to.iter_mut().zip(token) {
        *to = if INT8 { (x * factor).round_ties_even() } else { x };
    }
    if INT8 { greatest / 127.0 } else { 1.0 }
}

/// # Safety
/// None is needed; fast versions share the signature.
pub(super) unsafe fn pack<T: Value, const INT8: bool>(
    shape: &Shape,
    keys: &Tokens<T>,
    values: &Tokens<T>,
    heads: Range<usize>,
    packed: &mut [f32],
) {
    let mut rows = packed.chunks_exact_mut(shape.key_size + 1 + shape.value_size);
    for head in heads {
        for token in 0..shape.keys {
            let key = &keys.values[keys.strides.at(shape.key_heads, head, token)..];
            let value = &values.values[values.strides.at(shape.key_heads, head, token)..];
            let row = rows.next().expect("the wrapper checked the length");
            let (to, rest) = row.split_at_mut(shape.key_size);
            rest[0] = quantize::<INT8>(key[..shape.key_size].iter().map(|x| x.wide()), to);
            rest[1..].iter_mut().zip(value).for_each(|(to, x)| *to = x.wide());
        }
    }
}

/// # Safety
/// None is needed; fast versions share the signature.
pub(super) unsafe fn attend<T: Value, const INT8: bool>(
    task: &Task<T>,
    packed: &[f32],
    part: &Part,
    output: &mut [T],
    strides: Strides,
    scratch: &mut [f32],
) {
    let shape = &task.shape;
    let (query, sums) = scratch.split_at_mut(shape.key_size);
    let sums = &mut sums[..shape.value_size];
    let row = shape.key_size + 1 + shape.value_size;
    let first = strides.at(shape.heads, part.heads.start, part.queries.start);
    for head in part.heads.clone() {
        let group = shape.heads / shape.key_heads;
        let key_head = head / group;
        for token in part.queries.clone() {
            let asked = &task.queries.values[task.queries.strides.at(shape.heads, head, token)..];
            let factor = quantize::<INT8>(asked[..shape.key_size].iter().map(|x| x.wide()), query);
            let visible = task.causal.map_or(shape.keys, |past| shape.keys.min(token + past + 1));
            let keys = packed[key_head * shape.keys * row..].chunks_exact(row).take(visible);
            let logit = |(index, key): (usize, &[f32])| {
                let products = query.iter().zip(key).map(|(q, k)| q * k);
                let logit = products.sum::<f32>() * (factor * task.scale) * key[shape.key_size];
                let bias = task.bias.map_or(0.0, |bias| {
                    bias.values[bias.strides.at(shape.heads, head, token) + index]
                });
                logit + if bias == f32::NEG_INFINITY { bias } else { bias.clamp(-1e38, 1e38) }
            };
            let none = if task.zero_keys > 0 { 0.0 } else { f32::NEG_INFINITY };
            let greatest = keys.clone().enumerate().map(logit).fold(none, f32::max);
            let mut total = 0.0;
            sums.fill(0.0);
            if greatest > f32::NEG_INFINITY {
                if task.zero_keys > 0 {
                    total = task.zero_keys as f32 * (-greatest).exp();
                }
                for (index, key) in keys.enumerate() {
                    let weight = (logit((index, key)) - greatest).exp();
                    total += weight;
                    let value = &key[shape.key_size + 1..];
                    sums.iter_mut().zip(value).for_each(|(sum, v)| *sum += weight * v);
                }
            }
            let to = strides.at(shape.heads, head, token) - first;
            for (to, sum) in output[to..].iter_mut().zip(&*sums) {
                *to = T::narrow(if total > 0.0 { sum / total } else { 0.0 });
            }
        }
    }
}
