//! Attention over heads that stand side by side in a token: `softmax(scale · Q Kᵀ + bias) V`.
//!
//! `y[b, i, h] = Σj p[b, h, i, j] · v[b, j, h / r]`, where `p[b, h, i, ·]` is the softmax of
//! `scale · q[b, i, h] · k[b, j, h / r] + bias[b, h, i, j]` over the keys j and `r = heads / key_heads`.

use super::elementwise::softmax_row;
use super::linear::dot;
use super::shape::{self, broadcast_steps, misfit, sized};
use super::{Plain, ShapeError};

/// Queries `[n, queries, heads · key_size]`, keys `[n, keys, key_heads · key_size]`, values `[n, keys, key_heads · value_size]`, and perhaps a
/// bias that broadcasts to `[n, heads, queries, keys]`; the output is `[n, queries, heads · value_size]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attention {
    /// Heads of queries.
    pub heads: usize,
    /// Heads of keys and values; divides `heads`.
    pub key_heads: usize,
    /// The factor of the products.
    pub scale: f32,
    /// Query i sees the keys `0..=i`.
    pub causal: bool,
}

impl Attention {
    pub(super) fn output_shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, ShapeError> {
        let (queries, keys, values, bias) = match inputs {
            [queries, keys, values] => (*queries, *keys, *values, None),
            [queries, keys, values, bias] => (*queries, *keys, *values, Some(*bias)),
            _ => return Err(ShapeError::Inputs { expected: 3, found: inputs.len() }),
        };
        let Self { heads, key_heads, .. } = *self;
        shape::expect_positive("heads", &[heads, key_heads])?;
        if !heads.is_multiple_of(key_heads) {
            return Err(ShapeError::Setting {
                setting: "key_heads",
                expected: format!("a divisor of {heads} heads"),
                found: vec![key_heads],
            });
        }
        let [n, rows, width] = tokens(queries)?;
        let [_, columns, key_width] = tokens(keys)?;
        let [_, _, value_width] = tokens(values)?;
        if !width.is_multiple_of(heads) {
            return Err(misfit(format!("queries of {heads} heads"), queries));
        }
        let expected = (width / heads).checked_mul(key_heads);
        if expected != Some(key_width) || keys[0] != n {
            let expected = format!("keys [{n}, keys, {key_heads} · {}]", width / heads);
            return Err(misfit(expected, keys));
        }
        if values[..2] != [n, columns] || !value_width.is_multiple_of(key_heads) {
            let expected = format!("values [{n}, {columns}, {key_heads} · size]");
            return Err(misfit(expected, values));
        }
        let scores = sized(vec![n, heads, rows, columns])?;
        if let Some(bias) = bias
            && shape::broadcast(&[&scores, bias]).as_ref() != Ok(&scores)
        {
            return Err(misfit(format!("a bias that broadcasts to {scores:?}"), bias));
        }
        let value_size = value_width / key_heads;
        let width = value_size.checked_mul(heads).ok_or_else(|| shape::too_large(values))?;
        sized(vec![n, rows, width])
    }

    pub(super) fn evaluate(&self, inputs: &[&Plain]) -> Plain {
        let shapes = inputs.iter().map(|input| input.shape.as_slice()).collect::<Vec<_>>();
        let shape = self.output_shape(&shapes).expect("shapes that fit");
        let (queries, keys, values) = (inputs[0], inputs[1], inputs[2]);
        let (n, rows, columns) = (shape[0], shape[1], keys.shape[1]);
        let key_size = queries.channels() / self.heads;
        let value_size = values.channels() / self.key_heads;
        let head_of = |input: &Plain, token: usize, head: usize, size: usize| {
            let from = token * input.channels() + head * size;
            from..from + size
        };
        let bias = inputs.get(3).map(|bias| {
            (&bias.values, broadcast_steps(&bias.shape, &[n, self.heads, rows, columns]))
        });
        let mut output = Plain::new(&shape, vec![0.0; shape.iter().product()]);
        let mut scores = vec![0.0; columns];
        for (b, head, i) in indices(n, self.heads, rows) {
            let key_head = head / (self.heads / self.key_heads);
            let query = &queries.values[head_of(queries, b * rows + i, head, key_size)];
            let seen = if self.causal { columns.min(i + 1) } else { columns };
            for (j, score) in scores[..seen].iter_mut().enumerate() {
                let key = &keys.values[head_of(keys, b * columns + j, key_head, key_size)];
                *score = self.scale * dot(query, key);
                if let Some((bias, steps)) = &bias {
                    *score += bias[b * steps[0] + head * steps[1] + i * steps[2] + j * steps[3]];
                }
            }
            softmax_row(&mut scores[..seen]);
            let to = head_of(&output, b * rows + i, head, value_size);
            let to = &mut output.values[to];
            for (j, &weight) in scores[..seen].iter().enumerate() {
                let value = &values.values[head_of(values, b * columns + j, key_head, value_size)];
                to.iter_mut().zip(value).for_each(|(to, value)| *to += weight * value);
            }
        }
        output
    }
}

fn tokens(input: &[usize]) -> Result<[usize; 3], ShapeError> {
    input.try_into().map_err(|_| misfit("a sequence [n, tokens, c]", input))
}

fn indices(n: usize, heads: usize, rows: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..n * heads * rows).map(move |all| (all / (heads * rows), all / rows % heads, all % rows))
}
