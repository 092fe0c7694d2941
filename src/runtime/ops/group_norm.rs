//! Group norm: sums of blocks, coefficients of images, then rows, each shared among the threads.

use super::operands::{
    cut_up, epsilon, float, image_shares, per_tensor, require, rows_of, same_shape,
};
use super::{Call, Context, Execute, Tensor, refused};
use crate::runtime::engine::RuntimeError;
use crate::runtime::pool::shares;
use crate::runtime::program::{Op, Step};
use kernels::affine::Affine;
use kernels::group_norm::{BLOCK, GroupNorm, Version};
use kernels::kernel::Kernel;
use kernels::math::Activation;
use kernels::scratch::{bytes_for, cut};
use std::ops::Range;

pub(super) fn prepare(context: &Context, step: &Step) -> Result<Box<dyn Execute>, RuntimeError> {
    let Op::GroupNorm { groups, epsilon: added, scale, shift, activation } = &step.op else {
        return Err(refused(step, "no group norm"));
    };
    let [x] = context.inputs(step)?;
    let [y] = context.outputs(step)?;
    float(step, x)?;
    per_tensor(step, y)?;
    same_shape(step, x, y)?;
    epsilon(step, *added)?;
    require(step, x.shape.len() >= 2, &x.name, "[n, …, c]", &x.shape)?;
    let (images, channels) = (x.shape[0], x.channels());
    let holds = *groups > 0 && channels.is_multiple_of(*groups);
    require(step, holds, "groups", &format!("a divisor of {channels}"), groups)?;
    let rows = x.rows() / images;
    Ok(Box::new(Ready {
        kernel: Kernel::first(context.features),
        norm: GroupNorm { rows, channels, groups: *groups, epsilon: *added },
        images,
        scale: context.floats(step, "scale", *scale, channels)?,
        shift: context.floats(step, "shift", *shift, channels)?,
        activation: *activation,
    }))
}

#[derive(Debug)]
struct Ready {
    kernel: Kernel<Version>,
    norm: GroupNorm,
    images: usize,
    scale: Option<Tensor<f32>>,
    shift: Option<Tensor<f32>>,
    activation: Activation,
}

impl Execute for Ready {
    fn shared_bytes(&self) -> usize {
        bytes_for::<f32>(self.images * self.norm.sums_length())
            + bytes_for::<f32>(self.images * self.norm.coefficients_length())
    }

    fn run(&self, call: Call) {
        let Call { inputs, outputs, pool, scratch, mut shared } = call;
        let norm = self.norm;
        let (rows, channels) = (norm.rows, norm.channels);
        let x = inputs[0].input().expect("floats, as was checked");
        let image = |index: usize| rows_of(x, index * rows..(index + 1) * rows, channels);
        let sums = cut::<f32>(&mut shared, self.images * norm.sums_length());
        let coefficients = cut::<f32>(&mut shared, self.images * norm.coefficients_length());

        let row_bytes = channels * inputs[0].value.element.size();
        let least = super::operands::worthwhile(row_bytes * BLOCK);
        let blocks = shares(norm.blocks(), 1, least, pool.threads());
        let tasks: Vec<(usize, Range<usize>)> = (0..self.images)
            .flat_map(|image| blocks.iter().map(move |range| (image, range.clone())))
            .collect();
        let lengths = tasks.iter().map(|(_, range)| range.len() * 2 * channels).collect::<Vec<_>>();
        let tasks = tasks.into_iter().zip(cut_up(sums, lengths)).collect();
        pool.for_each(tasks, scratch, |((index, blocks), sums), _| {
            self.kernel.sums(norm, image(index), blocks, sums);
        });

        let affine =
            Affine { scale: self.scale.as_deref(), shift: self.shift.as_deref(), modulation: None };
        let tasks = sums
            .chunks_exact(norm.sums_length())
            .zip(coefficients.chunks_exact_mut(norm.coefficients_length()))
            .enumerate()
            .collect();
        pool.for_each(tasks, scratch, |(index, (sums, coefficients)), _| {
            norm.fold(rows_of(image(index), 0..1, channels), sums, affine, coefficients);
        });

        let ranges = image_shares(self.images, rows, 1, row_bytes, pool.threads());
        pool.for_each(outputs[0].split_rows(&ranges), scratch, |mut part, _| {
            let length = norm.coefficients_length();
            let own = &coefficients[part.rows.start / rows * length..][..length];
            let from = rows_of(x, part.rows.clone(), channels);
            self.kernel.apply(norm, own, self.activation, from, part.elements());
        });
    }
}
