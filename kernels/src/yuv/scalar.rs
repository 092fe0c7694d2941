//! The specification: plain loops.

use super::{Chroma, ChromaMut, Matrix, YuvRow};
use crate::bytes::{mul_round, narrow};
use crate::features::Schedule;
use crate::kernel::Identity;

pub(super) const YUV: YuvRow = YuvRow {
    identity: Identity {
        name: "yuv_u8_1_scalar",
        operation: "yuv",
        element: "u8",
        tile: "1",
        needs: &[],
        schedule: Schedule::OutOfOrder,
    },
    rgb_from_yuyv,
    rgb_from_planes,
    yuyv_from_rgb,
    luma_from_rgb,
    chroma_from_rgb,
};

/// Sums are in units of 2^−6; those that leave 16 bits stop there, far outside of 0..=255.
fn colour(y: u8, cb: u8, cr: u8, matrix: &Matrix) -> [u8; 3] {
    let luma = mul_round(i16::from(y) << 7, matrix.luma);
    let [cb, cr] = [cb, cr].map(|chroma| ((i16::from(chroma) - 128) << 7).wrapping_mul(2));
    let [red, green_cb, green_cr, blue] = matrix.chroma;
    let parts = [
        mul_round(cr, red) - matrix.offset,
        mul_round(cb, green_cb) + mul_round(cr, green_cr) - matrix.offset,
        mul_round(cb, blue) - matrix.offset,
    ];
    parts.map(|part| narrow(luma.saturating_add(part), 6))
}

pub(super) fn rgb_from_yuyv(yuyv: &[u8], matrix: &Matrix, rgb: &mut [u8]) {
    for (&[first, cb, second, cr], pixels) in yuyv.as_chunks::<4>().0.iter().zip(rgb.chunks_mut(6))
    {
        for (pixel, y) in pixels.as_chunks_mut::<3>().0.iter_mut().zip([first, second]) {
            *pixel = colour(y, cb, cr, matrix);
        }
    }
}

pub(super) fn rgb_from_planes(luma: &[u8], chroma: Chroma<'_>, matrix: &Matrix, rgb: &mut [u8]) {
    for (x, (&y, pixel)) in luma.iter().zip(rgb.as_chunks_mut::<3>().0).enumerate() {
        let (cb, cr) = match chroma {
            Chroma::Together(chroma) => (chroma[x / 2 * 2], chroma[x / 2 * 2 + 1]),
            Chroma::Apart(cb, cr) => (cb[x / 2], cr[x / 2]),
        };
        *pixel = colour(y, cb, cr, matrix);
    }
}

fn luma_of(pixel: [u8; 3], matrix: &Matrix) -> u8 {
    let sum: u16 = (0..3).map(|c| u16::from(matrix.to_luma[c]) * u16::from(pixel[c])).sum();
    ((sum + 128) >> 8) as u8 + matrix.black
}

/// 32895 is 128.5 · 2^8 less one: the greatest sum is the greatest u16.
fn chroma_of(pixel: [u8; 3], matrix: &Matrix) -> [u8; 2] {
    let [red, green, blue] = pixel.map(u16::from);
    let [[cb_red, cb_green, cb_blue], [cr_red, cr_green, cr_blue]] =
        matrix.to_chroma.map(|row| row.map(u16::from));
    let cb = (32895 - cb_red * red - cb_green * green) + cb_blue * blue;
    let cr = (32895 - cr_green * green - cr_blue * blue) + cr_red * red;
    [(cb >> 8) as u8, (cr >> 8) as u8]
}

fn mean(a: [u8; 3], b: [u8; 3]) -> [u8; 3] {
    std::array::from_fn(|c| (u16::from(a[c]) + u16::from(b[c])).div_ceil(2) as u8)
}

pub(super) fn yuyv_from_rgb(rgb: &[u8], matrix: &Matrix, yuyv: &mut [u8]) {
    for (pixels, pair) in rgb.chunks(6).zip(yuyv.as_chunks_mut::<4>().0) {
        let pixels = pixels.as_chunks::<3>().0;
        let (first, second) = (pixels[0], pixels[pixels.len() - 1]);
        let [cb, cr] = chroma_of(mean(first, second), matrix);
        *pair = [luma_of(first, matrix), cb, luma_of(second, matrix), cr];
    }
}

pub(super) fn luma_from_rgb(rgb: &[u8], matrix: &Matrix, luma: &mut [u8]) {
    for (&pixel, luma) in rgb.as_chunks::<3>().0.iter().zip(luma) {
        *luma = luma_of(pixel, matrix);
    }
}

pub(super) fn chroma_from_rgb(rows: [&[u8]; 2], matrix: &Matrix, mut to: ChromaMut<'_>) {
    let [top, bottom] = rows.map(|row| row.as_chunks::<3>().0);
    for (at, (top, bottom)) in top.chunks(2).zip(bottom.chunks(2)).enumerate() {
        let last = top.len() - 1;
        let [cb, cr] =
            chroma_of(mean(mean(top[0], bottom[0]), mean(top[last], bottom[last])), matrix);
        match &mut to {
            ChromaMut::Together(chroma) => chroma[2 * at..][..2].copy_from_slice(&[cb, cr]),
            ChromaMut::Apart(to_cb, to_cr) => (to_cb[at], to_cr[at]) = (cb, cr),
        }
    }
}
