use super::{ImageResizeRow, lanes};
use crate::bytes::Avx2;
use crate::features::{Isa, Schedule};
use crate::kernel::Identity;

pub(super) const IMAGE_RESIZE: ImageResizeRow = ImageResizeRow {
    identity: Identity {
        name: "image_resize_u8_16_avx2",
        operation: "image_resize",
        element: "u8",
        tile: "16",
        needs: &[Isa::Avx2],
        schedule: Schedule::OutOfOrder,
    },
    line: [line::<1>, line::<3>, line::<4>],
    mix: [mix::<1>, mix::<3>, mix::<4>],
    sum,
    across: [across::<1>, across::<3>, across::<4>],
};

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn line<const C: usize>(row: &[u8], offsets: &[i32], weights: &[u8], line: &mut [i16]) {
    // SAFETY: the features are enabled here; the rest is passed on to the caller.
    unsafe { lanes::line::<Avx2, C>(row, offsets, weights, line) }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn mix<const C: usize>(first: &[i16], second: &[i16], weight: i16, pixels: &mut [u8]) {
    // SAFETY: the features are enabled here.
    unsafe { lanes::mix::<Avx2, C>(first, second, weight, pixels) }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn sum(source: &[u8], rows: &[i32], weights: &[i16], line: &mut [i16]) {
    // SAFETY: the features are enabled here.
    unsafe { lanes::sum::<Avx2>(source, rows, weights, line) }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn across<const C: usize>(
    line: &[i16],
    starts: &[i32],
    ends: &[i32],
    weights: &[i16],
    pixels: &mut [u8],
) {
    // SAFETY: the features are enabled here; the rest is passed on to the caller.
    unsafe { lanes::across::<Avx2, C>(line, starts, ends, weights, pixels) }
}
