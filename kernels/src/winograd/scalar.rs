//! The specification, the direct convolution of [`convolve_plainly`], and the method in plain loops, one lane, with the smallest tile.

use super::points::Two;
use super::{Layout, Panels, Shape, Sums, WinogradRow, error, stages, tile};
use crate::features::Schedule;
use crate::gemm::finish;
use crate::kernel::Identity;
use crate::layouts::WINOGRAD_PLAIN;
use half::f16;

/// The sums of the direct convolution, before the epilogue, in f64: `[batch, height', width', n]`. The weights are `[3, 3, c, n]`.
pub fn convolve_plainly(shape: &Shape, input: &[f32], weights: &[f32]) -> Vec<f64> {
    let Shape { batch, height, width, channels_in, channels_out, padding: [top, left, ..] } =
        *shape;
    let [rows, columns] = shape.size_out();
    let mut sums = vec![0.0; batch * rows * columns * channels_out];
    for (place, sums) in sums.chunks_exact_mut(channels_out.max(1)).enumerate() {
        let (image, y, x) = (place / (rows * columns), place / columns % rows, place % columns);
        for (u, v) in (0..9).map(|tap| (tap / 3, tap % 3)) {
            // Wraps beyond the image where the tap is in the padding above or to the left.
            let (y, x) = ((y + u).wrapping_sub(top), (x + v).wrapping_sub(left));
            if y >= height || x >= width {
                continue;
            }
            for c in 0..channels_in {
                let value = f64::from(input[((image * height + y) * width + x) * channels_in + c]);
                let weights = &weights[((u * 3 + v) * channels_in + c) * channels_out..];
                for (sum, &weight) in sums.iter_mut().zip(weights) {
                    *sum += value * f64::from(weight);
                }
            }
        }
    }
    sums
}

pub(super) const TWO_BY_TWO_F16: WinogradRow<f16> = WinogradRow {
    identity: identity("winograd_f16_2x2_scalar", "f16"),
    layout: LAYOUT,
    mr: 1,
    error: error::<f16>(LAYOUT.tile, Sums::F32),
    input: stages::input::<f16, f32, Two, Two>,
    multiply: multiply_f16,
    finish: stages::finish::<f16, f32, Two, Two>,
    gather: stages::gather::<f16, f32, Two, Two>,
    epilogue: finish::<f32, f32>,
};

pub(super) const TWO_BY_TWO_F32: WinogradRow<f32> = WinogradRow {
    identity: identity("winograd_f32_2x2_scalar", "f32"),
    layout: LAYOUT,
    mr: 1,
    error: error::<f32>(LAYOUT.tile, Sums::F32),
    input: stages::input::<f32, f32, Two, Two>,
    multiply: multiply_f32,
    finish: stages::finish::<f32, f32, Two, Two>,
    gather: stages::gather::<f32, f32, Two, Two>,
    epilogue: finish::<f32, f32>,
};

const LAYOUT: Layout = {
    let [nr, group] = WINOGRAD_PLAIN;
    Layout { tile: tile::<Two, Two>(), nr, group }
};

const fn identity(name: &'static str, element: &'static str) -> Identity {
    Identity {
        name,
        operation: "winograd",
        element,
        tile: "2x2",
        needs: &[],
        schedule: Schedule::OutOfOrder,
    }
}

unsafe fn multiply_f16(work: &Panels<f16>) {
    for tile in 0..work.tiles {
        // SAFETY: the caller's pointers are good for `groups` values of each tile.
        unsafe {
            let a = work.a.add(tile * work.groups);
            let products =
                (0..work.groups).map(|k| (*a.add(k)).to_f32() * (*work.b.add(k)).to_f32());
            *work.sums.add(tile) = f16::from_f32(products.sum());
        }
    }
}

unsafe fn multiply_f32(work: &Panels<f32>) {
    for tile in 0..work.tiles {
        // SAFETY: the caller's pointers are good for `groups` values of each tile.
        unsafe {
            let a = work.a.add(tile * work.groups);
            *work.sums.add(tile) =
                (0..work.groups).fold(0.0, |sum, k| (*a.add(k)).mul_add(*work.b.add(k), sum));
        }
    }
}
