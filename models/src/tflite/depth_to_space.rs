//! Depth to space of `[n, c, h, w]`, f32: channel `(y · block + x) · c' + k` becomes channel `k` of
//! the pixel `(y, x)` of a block.

use tract_core::internal::*;

/// Moves `block²` channels into each pixel's block.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct DepthToSpace {
    pub block: usize,
}

impl Op for DepthToSpace {
    fn name(&self) -> StaticName {
        "DepthToSpace".into()
    }

    op_as_typed_op!();
}

impl EvalOp for DepthToSpace {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let [batch, deep, height, width] = *inputs[0].shape() else {
            bail!("depth to space expects [n, c, h, w], found {:?}", inputs[0].shape());
        };
        let block = self.block;
        let channels = deep / (block * block);
        let input = inputs[0].try_as_plain_ram()?;
        let input = input.as_slice::<f32>()?;
        let mut output = Tensor::zero::<f32>(&[batch, channels, height * block, width * block])?;
        let mut view = output.try_as_plain_ram_mut()?;
        let target = view.as_slice_mut::<f32>()?;
        for (source_row, row) in input.chunks_exact(width).enumerate() {
            let (plane, y) = (source_row / height, source_row % height);
            let (n, depth) = (plane / deep, plane % deep);
            let (place, channel) = (depth / channels, depth % channels);
            let (block_y, block_x) = (place / block, place % block);
            let target_row = (n * channels + channel) * height * block + y * block + block_y;
            let target = &mut target[target_row * width * block..][..width * block];
            for (value, pixel) in row.iter().zip(target[block_x..].iter_mut().step_by(block)) {
                *pixel = *value;
            }
        }
        Ok(tvec!(output.into_tvalue()))
    }
}

impl TypedOp for DepthToSpace {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        ensure!(inputs[0].rank() == 4);
        let block = self.block;
        let mut shape = inputs[0].shape.to_tvec();
        shape[1] = shape[1].clone() / (block * block);
        shape[2] = shape[2].clone() * block;
        shape[3] = shape[3].clone() * block;
        Ok(tvec!(inputs[0].datum_type.fact(shape)))
    }

    as_op!();
}
