use super::{Shape, Value, WinogradRow};
use crate::features::Features;
use crate::kernel::{Kernel, Row};

/// The version to take for a shape: of those whose root mean square error is at most `limit` (see [`Error`](super::Error)), and of these those of
/// the best engine, the one with the least work. None where no version is accurate enough.
pub fn pick<E: Value>(
    features: Features,
    shape: &Shape,
    limit: f32,
) -> Option<Kernel<WinogradRow<E>>>
where
    WinogradRow<E>: Row,
{
    let accurate = || {
        Kernel::<WinogradRow<E>>::supported(features).filter(|kernel| kernel.error().mean <= limit)
    };
    let engine = accurate().next()?.identity().needs;
    accurate()
        .filter(|kernel| kernel.identity().needs == engine)
        .min_by_key(|kernel| work(*kernel, shape))
}

/// Multiplications, and as many as take the time of the rest: each value that goes through a transform, each weight that is read.
fn work<E: Value>(kernel: Kernel<WinogradRow<E>>, shape: &Shape) -> usize
where
    WinogradRow<E>: Row,
{
    const TRANSFORM: usize = 20;
    const WEIGHT: usize = 4;
    let layout = kernel.layout();
    let tiles = kernel.tile_rows(shape) * shape.size_out()[1].div_ceil(layout.tile[1]);
    let (k, n) = (shape.channels_in, shape.channels_out);
    let weights = k.next_multiple_of(layout.group) * n.next_multiple_of(layout.nr);
    layout.products() * (tiles * (weights + TRANSFORM * (k + n)) + WEIGHT * weights)
}
