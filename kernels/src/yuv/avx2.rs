use super::{Chroma, ChromaMut, Matrix, YuvRow, lanes};
use crate::bytes::Avx2;
use crate::features::{Isa, Schedule};
use crate::kernel::Identity;

pub(super) const YUV: YuvRow = YuvRow {
    identity: Identity {
        name: "yuv_u8_32_avx2",
        operation: "yuv",
        element: "u8",
        tile: "32",
        needs: &[Isa::Avx2],
        schedule: Schedule::OutOfOrder,
    },
    rgb_from_yuyv,
    rgb_from_planes,
    yuyv_from_rgb,
    luma_from_rgb,
    chroma_from_rgb,
};

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn rgb_from_yuyv(yuyv: &[u8], matrix: &Matrix, rgb: &mut [u8]) {
    // SAFETY: the features are enabled here; the rest is passed on to the caller.
    unsafe { lanes::rgb_from_yuyv::<Avx2>(yuyv, matrix, rgb) }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn rgb_from_planes(luma: &[u8], chroma: Chroma<'_>, matrix: &Matrix, rgb: &mut [u8]) {
    // SAFETY: the features are enabled here; the rest is passed on to the caller.
    unsafe { lanes::rgb_from_planes::<Avx2>(luma, chroma, matrix, rgb) }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn yuyv_from_rgb(rgb: &[u8], matrix: &Matrix, yuyv: &mut [u8]) {
    // SAFETY: the features are enabled here; the rest is passed on to the caller.
    unsafe { lanes::yuyv_from_rgb::<Avx2>(rgb, matrix, yuyv) }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn luma_from_rgb(rgb: &[u8], matrix: &Matrix, luma: &mut [u8]) {
    // SAFETY: the features are enabled here; the rest is passed on to the caller.
    unsafe { lanes::luma_from_rgb::<Avx2>(rgb, matrix, luma) }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn chroma_from_rgb(rows: [&[u8]; 2], matrix: &Matrix, to: ChromaMut<'_>) {
    // SAFETY: the features are enabled here; the rest is passed on to the caller.
    unsafe { lanes::chroma_from_rgb::<Avx2>(rows, matrix, to) }
}
