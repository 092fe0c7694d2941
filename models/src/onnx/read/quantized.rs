//! Quantised values: computed as f32, with their scales kept beside.

use super::{Reader, Step};
use crate::nn::Layer;
use crate::onnx::OnnxError;
use crate::onnx::graph::{Constant, Op, Order, ValueId};
use kernels::math::Activation;
use std::sync::Arc;
use tract_core::internal::{DatumType, Tensor};

impl Reader<'_> {
    /// Weights behind their scales.
    pub(super) fn fold_quantized(&mut self, step: &Step) -> Result<(), OnnxError> {
        let value = step.input(0)?;
        let made = if step.message.op_type == "DequantizeLinear" {
            let axis = step.attributes().int("axis")?.unwrap_or(1);
            self.dequantized(step, value, step.input(1)?, step.optional(2), axis)?
        } else {
            // Read again by the node after it, which finds f32 as it is.
            value
        };
        let name = step.message.output.first().ok_or_else(|| step.lacks("output", 0))?.clone();
        self.name(&name, made)
    }

    /// A constant of integers as f32: `(q − zero point) · scale`, one pair or one a channel.
    fn dequantized(
        &mut self,
        step: &Step,
        value: ValueId,
        scale: ValueId,
        zero: Option<ValueId>,
        axis: i64,
    ) -> Result<ValueId, OnnxError> {
        let Some(integers) = self.graph.integers(value) else { return Ok(value) };
        let shape = self.graph.shape(value).to_vec();
        let refuse = || step.shape_error(format!("scales that do not fit weights of {shape:?}"));
        let scales = self.graph.floats(scale).ok_or_else(refuse)?.to_vec();
        let zeros = match zero {
            None => vec![0; scales.len()],
            Some(id) => self.graph.integers(id).ok_or_else(refuse)?,
        };
        let (stride, count) = if scales.len() == 1 {
            (1, 1)
        } else {
            let axis = step.axis(axis, shape.len())?;
            (shape[axis + 1..].iter().product::<usize>(), shape[axis])
        };
        if scales.len() != count || zeros.len() != count {
            return Err(refuse());
        }
        let values: Vec<f32> = integers
            .iter()
            .enumerate()
            .map(|(at, &q)| {
                let channel = at / stride.max(1) % count;
                q.saturating_sub(zeros[channel]) as f32 * scales[channel]
            })
            .collect();
        let tensor = Arc::new(self.made(step, Tensor::from_shape(&shape, &values))?);
        let (name, origin) =
            (self.graph.values[value].name.clone(), self.graph.origin(value).map(str::to_string));
        let origin = origin.map(|origin| {
            origin.trim_end_matches("_quantized").trim_end_matches("_DequantizeLinear").to_string()
        });
        let scales: Arc<[f32]> = scales.into();
        let parameter = origin.clone().unwrap_or_else(|| name.clone());
        self.graph.scales.insert(parameter, scales);
        let constant = Constant { tensor, origin };
        Ok(self.graph.add_constant(&name, constant))
    }

    pub(super) fn translate_quantized(
        &mut self,
        step: &Step,
    ) -> Result<Option<ValueId>, OnnxError> {
        match step.message.op_type.as_str() {
            // What was never made of integers needs no way back.
            "DequantizeLinear" => Ok(Some(step.input(0)?)),
            "QuantizeLinear" => self.quantized(step, step.input(0)?, 1, 2),
            "QLinearConv" => {
                let filter =
                    self.dequantized(step, step.input(3)?, step.input(4)?, step.optional(5), 0)?;
                let bias = match step.optional(8) {
                    None => None,
                    Some(bias) => Some(self.bias_of(step, bias)?),
                };
                match self.convolution(step, step.input(0)?, filter, bias)? {
                    Some(value) => self.quantized(step, value, 6, 7),
                    None => Ok(None),
                }
            }
            _ => {
                let (a, b) = (step.input(0)?, step.input(3)?);
                let b = if self.graph.is_constant(b) {
                    self.dequantized(step, b, step.input(4)?, step.optional(5), -1)?
                } else {
                    b
                };
                match self.product(step, a, b)? {
                    Some(value) => self.quantized(step, value, 6, 7),
                    None => Ok(None),
                }
            }
        }
    }

    /// The bias of a quantised convolution, whose scale is the product of the input's and the weights'.
    fn bias_of(&mut self, step: &Step, bias: ValueId) -> Result<ValueId, OnnxError> {
        let refuse = || step.shape_error("a bias or scales that are no constants");
        let integers = self.graph.integers(bias).ok_or_else(refuse)?;
        let input = self.graph.scalar(step.input(1)?).ok_or_else(refuse)?;
        let weights = self.graph.floats(step.input(4)?).ok_or_else(refuse)?;
        if weights.len() != 1 && weights.len() != integers.len() {
            return Err(refuse());
        }
        let values: Vec<f32> = integers
            .iter()
            .enumerate()
            .map(|(at, &q)| q as f32 * input * weights[at % weights.len()])
            .collect();
        let tensor = Arc::new(self.made(step, Tensor::from_shape(&[values.len()], &values))?);
        let origin = self.graph.origin(bias).map(str::to_string);
        let name = self.graph.values[bias].name.clone();
        Ok(self.graph.add_constant(&name, Constant { tensor, origin }))
    }

    /// The value as it is, its range noted; negatives are cut off where the integers have none for them.
    fn quantized(
        &mut self,
        step: &Step,
        value: ValueId,
        scale: usize,
        zero: usize,
    ) -> Result<Option<ValueId>, OnnxError> {
        let Some(scale) = self.graph.scalar(step.input(scale)?) else { return Ok(None) };
        let (point, least) = match step.optional(zero) {
            None => (0, 0),
            Some(id) => {
                let Some(&[point]) = self.graph.integers(id).as_deref() else { return Ok(None) };
                let least = match self.graph.values[id].element {
                    DatumType::I8 => i64::from(i8::MIN),
                    DatumType::I16 => i64::from(i16::MIN),
                    DatumType::I32 => i64::from(i32::MIN),
                    _ => 0,
                };
                (point, least)
            }
        };
        let is_positive = self.graph.producer(value).is_some_and(|node| {
            matches!(
                self.graph.op(node),
                Op::Softmax(_)
                    | Op::Layer(
                        Layer::Activate(Activation::Relu | Activation::Relu6 | Activation::Sigmoid),
                        _,
                    )
            )
        });
        let value = if point == least && !is_positive {
            let shape = self.graph.shape(value).to_vec();
            let op = Op::Layer(Layer::Activate(Activation::Relu), Order::Any);
            self.add(step, op, &[value], &shape)?
        } else {
            value
        };
        self.graph.ranges.insert(value, (scale, point as i32));
        Ok(Some(value))
    }
}
