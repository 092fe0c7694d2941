//! The specification: plain loops over unpacked filters, and the plain rows of the tables.

use super::DepthwiseRow;
use super::sweep::Job;
use crate::convolution::Geometry;
use crate::features::Schedule;
use crate::gemm::{Element, Finish, finish};
use crate::kernel::Identity;
use half::f16;

const fn identity(name: &'static str, element: &'static str) -> Identity {
    Identity {
        name,
        operation: "depthwise",
        element,
        tile: "1x1x1",
        needs: &[],
        schedule: Schedule::OutOfOrder,
    }
}

pub(super) const DEPTHWISE_I8: DepthwiseRow<i8> =
    DepthwiseRow { identity: identity("depthwise_i8_1x1x1_scalar", "i8"), lanes: 1, run: run_i8 };
pub(super) const DEPTHWISE_F16: DepthwiseRow<f16> = DepthwiseRow {
    identity: identity("depthwise_f16_1x1x1_scalar", "f16"),
    lanes: 1,
    run: run_f16,
};
pub(super) const DEPTHWISE_F32: DepthwiseRow<f32> = DepthwiseRow {
    identity: identity("depthwise_f32_1x1x1_scalar", "f32"),
    lanes: 1,
    run: run_f32,
};

unsafe fn run_i8(job: &mut Job<i8>) {
    let zero_point = job.zero_point;
    run(job, |sum, value, filter| sum + (i32::from(value) - zero_point) * i32::from(filter));
}

unsafe fn run_f16(job: &mut Job<f16>) {
    run(job, |sum, value, filter| sum + value.to_f32() * filter.to_f32());
}

unsafe fn run_f32(job: &mut Job<f32>) {
    run(job, |sum, value, filter| sum + value * filter);
}

fn run<E: Element>(job: &mut Job<E>, add: impl Fn(E::Sum, E, E) -> E::Sum) {
    let Geometry { height, width, channels, kernel, stride, dilation, .. } = *job.geometry;
    let [top, left, ..] = job.geometry.padding;
    let (out_width, out_height) = (job.geometry.out_width(), job.geometry.out_height());
    for (row, pixel) in job.pixels.clone().enumerate() {
        let (ox, oy) = (pixel % out_width, pixel / out_width % out_height);
        let image = pixel / out_width / out_height;
        let sums = &mut job.sums[..channels];
        sums.fill(E::Sum::default());
        for tap in 0..kernel[0] * kernel[1] {
            let y = (oy * stride[0] + tap / kernel[1] * dilation[0]).wrapping_sub(top);
            let x = (ox * stride[1] + tap % kernel[1] * dilation[1]).wrapping_sub(left);
            if y >= height || x >= width {
                continue;
            }
            let values = &job.input.values[((image * height + y) * width + x) * job.input.stride..];
            let filters = &job.filters[tap * channels..][..channels];
            for ((sum, &value), &filter) in sums.iter_mut().zip(values).zip(filters) {
                *sum = add(*sum, value, filter);
            }
        }
        let (rows, columns) = (row..row + 1, 0..channels);
        let (epilogue, output) = (job.epilogue, &mut *job.output);
        let tile =
            Finish::new(job.sums, channels, rows, columns, 0, &[], &[job.scale], epilogue, output);
        // SAFETY: `Finish::new` found every operand long enough, and one lane needs no instructions.
        unsafe { finish::<E::Sum, f32>(&tile) };
    }
}
