//! `Attention` and `RotaryEmbedding` of opset 23.

use super::{Reader, Step};
use crate::nn::{Attention, Layer, Pairs, Parameter, Rotary};
use crate::onnx::OnnxError;
use crate::onnx::graph::{Constant, Op, Order, ValueId};
use std::sync::Arc;
use tract_core::internal::{DatumType, Tensor};

impl Reader<'_> {
    pub(super) fn attention(&mut self, step: &Step) -> Result<Option<ValueId>, OnnxError> {
        let [q, k, v] = [step.input(0)?, step.input(1)?, step.input(2)?];
        let attributes = step.attributes();
        let plain = [4, 5, 6].into_iter().all(|at| step.optional(at).is_none())
            && attributes.float("softcap")?.unwrap_or(0.0) == 0.0
            && step.has_one_output()
            && step.message.domain.is_empty();
        let rank = self.graph.shape(q).len();
        if !plain || [k, v].iter().any(|&id| self.graph.shape(id).len() != rank) {
            return Ok(None);
        }
        let count = |attribute| {
            Ok::<_, OnnxError>(
                attributes.int(attribute)?.and_then(|n| usize::try_from(n).ok()).filter(|&n| n > 0),
            )
        };
        let (heads, key_heads) = match *self.graph.shape(q) {
            [_, heads, _, _] => (heads, self.graph.shape(k)[1]),
            [_, _, _] => match (count("q_num_heads")?, count("kv_num_heads")?) {
                (Some(heads), Some(key_heads)) => (heads, key_heads),
                _ => return Err(attributes.wrong("q_num_heads", "given where tensors have rank 3")),
            },
            _ => return Ok(None),
        };
        if key_heads == 0 || !heads.is_multiple_of(key_heads) {
            return Err(step.shape_error(format!("{heads} heads of queries, {key_heads} of keys")));
        }
        let tokens = |this: &mut Self, value: ValueId| match *this.graph.shape(value) {
            [n, h, t, d] => {
                let turned =
                    this.add(step, Op::Transpose(vec![0, 2, 1, 3]), &[value], &[n, t, h, d])?;
                this.reshape(step, turned, &[n, t, h * d])
            }
            _ => Ok(value),
        };
        let mut inputs = vec![tokens(self, q)?, tokens(self, k)?, tokens(self, v)?];
        let [n, t, width] = self.three(step, inputs[0])?;
        let [_, keys, key_width] = self.three(step, inputs[1])?;
        let [_, values, value_width] = self.three(step, inputs[2])?;
        let size = width / heads;
        if size * heads != width
            || size * key_heads != key_width
            || keys != values
            || !value_width.is_multiple_of(key_heads)
        {
            return Err(step.shape_error("heads of one size, and as many values as keys"));
        }
        if let Some(mask) = step.optional(3) {
            match self.bias(step, mask, [n, heads, t, keys])? {
                Some(bias) => inputs.push(bias),
                None => return Ok(None),
            }
        }
        let scale = attributes.float("scale")?.unwrap_or(1.0 / (size as f32).sqrt());
        let causal = attributes.int("is_causal")?.unwrap_or(0) != 0;
        let layer = Layer::Attention(Attention { heads, key_heads, scale, causal });
        let value_size = value_width / key_heads;
        let flat =
            self.add(step, Op::Layer(layer, Order::File), &inputs, &[n, t, heads * value_size])?;
        if rank == 3 {
            return Ok(Some(flat));
        }
        let split = self.reshape(step, flat, &[n, t, heads, value_size])?;
        let op = Op::Transpose(vec![0, 2, 1, 3]);
        self.add(step, op, &[split], &[n, heads, t, value_size]).map(Some)
    }

    fn three(&self, step: &Step, value: ValueId) -> Result<[usize; 3], OnnxError> {
        match *self.graph.shape(value) {
            [a, b, c] => Ok([a, b, c]),
            ref other => Err(step.shape_error(format!("expected rank 3, found {other:?}"))),
        }
    }

    /// A mask as what is added: −∞ where a mask of booleans is false.
    fn bias(
        &mut self,
        step: &Step,
        mask: ValueId,
        scores: [usize; 4],
    ) -> Result<Option<ValueId>, OnnxError> {
        let shape = self.graph.shape(mask).to_vec();
        if super::sizes::broadcast(&shape, &scores).is_none_or(|wide| wide != scores) {
            return Err(step.shape_error(format!("a mask of {shape:?} for scores of {scores:?}")));
        }
        let mut wide = vec![1; 4 - shape.len()];
        wide.extend(&shape);
        match (self.graph.values[mask].element, self.graph.values[mask].constant.clone()) {
            (DatumType::F32, _) => self.reshape(step, mask, &wide).map(Some),
            (DatumType::Bool, Some(constant)) => {
                let seen =
                    constant.tensor.as_plain_ram().and_then(|view| view.as_slice::<bool>().ok());
                let Some(seen) = seen else { return Ok(None) };
                let values: Vec<f32> =
                    seen.iter().map(|&seen| if seen { 0.0 } else { f32::NEG_INFINITY }).collect();
                let tensor = Arc::new(self.made(step, Tensor::from_shape(&wide, &values))?);
                let constant = Constant { tensor, origin: None };
                let name = self.graph.values[mask].name.clone();
                Ok(Some(self.graph.add_constant(&name, constant)))
            }
            _ => Ok(None),
        }
    }

    pub(super) fn rotary(&mut self, step: &Step) -> Result<Option<ValueId>, OnnxError> {
        let input = step.input(0)?;
        let attributes = step.attributes();
        let (cosines, sines) = (step.input(1)?, step.input(2)?);
        let positions = match step.optional(3) {
            None => None,
            Some(id) => match self.graph.integers(id) {
                Some(positions) => Some(positions),
                None => return Ok(None),
            },
        };
        let (n, t, heads, size) = match *self.graph.shape(input) {
            [n, heads, t, size] => (n, t, heads, size),
            [n, t, width] => {
                let heads = attributes.int("num_heads")?.and_then(|n| usize::try_from(n).ok());
                match heads.filter(|&heads| heads > 0 && width.is_multiple_of(heads)) {
                    Some(heads) => (n, t, heads, width / heads),
                    None => return Err(attributes.wrong("num_heads", "a divisor of the width")),
                }
            }
            _ => return Ok(None),
        };
        let turned = match attributes.int("rotary_embedding_dim")?.unwrap_or(0) {
            0 => size,
            turned => usize::try_from(turned)
                .ok()
                .filter(|&turned| turned <= size)
                .ok_or_else(|| attributes.wrong("rotary_embedding_dim", "at most a head's size"))?,
        };
        let half = turned / 2;
        if half == 0 || turned % 2 != 0 {
            return Err(step.shape_error(format!("{turned} values are no pairs")));
        }
        let table = |id: ValueId| -> Option<Parameter> {
            let values = self.graph.floats(id)?;
            let rows: Vec<&[f32]> = values.chunks_exact(half).collect();
            if self.graph.shape(id).last() != Some(&half) {
                return None;
            }
            let mut chosen = Vec::with_capacity(t * half);
            for image in 0..n {
                for token in 0..t {
                    let row = match &positions {
                        Some(positions) => {
                            let at = positions.get(image * t + token)?;
                            rows.get(usize::try_from(*at).ok()?)?
                        }
                        None => rows.get((image * t + token) % rows.len().max(1))?,
                    };
                    if image == 0 {
                        chosen.extend_from_slice(row);
                    } else if chosen[token * half..][..half] != **row {
                        return None;
                    }
                }
            }
            Some(self.parameter(id, &[t, half], chosen))
        };
        let (Some(cosines), Some(sines)) = (table(cosines), table(sines)) else { return Ok(None) };
        let pairs = match attributes.int("interleaved")?.unwrap_or(0) {
            0 => Pairs::Halves,
            _ => Pairs::Adjacent,
        };
        let op = Op::Layer(Layer::Rotary(Rotary { heads, cosines, sines, pairs }), Order::File);
        if self.graph.shape(input).len() == 3 {
            return self.add(step, op, &[input], &[n, t, heads * size]).map(Some);
        }
        let axes = vec![0, 2, 1, 3];
        let tokens = self.add(step, Op::Transpose(axes.clone()), &[input], &[n, t, heads, size])?;
        let flat = self.reshape(step, tokens, &[n, t, heads * size])?;
        let made = self.add(step, op, &[flat], &[n, t, heads * size])?;
        let split = self.reshape(step, made, &[n, t, heads, size])?;
        self.add(step, Op::Transpose(axes), &[split], &[n, heads, t, size]).map(Some)
    }
}
