//! sRGB to CIE L\*a\*b\* (D65) and luma.
//!
//! | operand | type | shape       | layout                                   |
//! |---------|------|-------------|------------------------------------------|
//! | rgb     | u8   | [pixels, 3] | interleaved, sRGB-encoded                |
//! | lab     | f32  | [pixels, 3] | interleaved: L 0..100, a and b about ±110 |
//!
//! sRGB decoding follows IEC 61966-2-1, L\*a\*b\* CIE 15:2004.

const WHITE: [f32; 3] = [0.950_456, 1.0, 1.088_754];
const XYZ_FROM_RGB: [[f32; 3]; 3] = [
    [0.412_453, 0.357_580, 0.180_423],
    [0.212_671, 0.715_160, 0.072_169],
    [0.019_334, 0.119_193, 0.950_227],
];
const RGB_FROM_XYZ: [[f32; 3]; 3] = [
    [3.240_479, -1.537_15, -0.498_535],
    [-0.969_256, 1.875_991, 0.041_556],
    [0.055_648, -0.204_043, 1.057_311],
];

/// Linear light, 0..1, of one sRGB-encoded value, 0..1.
pub fn linear_from_srgb(encoded: f32) -> f32 {
    if encoded <= 0.040_45 { encoded / 12.92 } else { ((encoded + 0.055) / 1.055).powf(2.4) }
}

/// sRGB-encoded value, 0..1, of linear light, 0..1.
pub fn srgb_from_linear(linear: f32) -> f32 {
    if linear <= 0.003_130_8 { linear * 12.92 } else { 1.055 * linear.powf(1.0 / 2.4) - 0.055 }
}

/// Linear light of all 256 sRGB values: the table that [`lab_from_srgb8`] reads.
pub fn linear_table() -> [f32; 256] {
    std::array::from_fn(|i| linear_from_srgb(i as f32 / 255.0))
}

/// Cube root by Kahan's bit estimate and two Halley steps; relative error below 1e-6 for x in 1e-6..2.
fn cube_root(x: f32) -> f32 {
    let mut y = f32::from_bits(x.to_bits() / 3 + 0x2a51_37a0);
    for _ in 0..2 {
        let cube = y * y * y;
        y *= (cube + 2.0 * x) / (2.0 * cube + x);
    }
    y
}

fn lab_curve(t: f32) -> f32 {
    if t > 0.008_856 { cube_root(t) } else { 7.787 * t + 16.0 / 116.0 }
}

/// L\*a\*b\* of sRGB pixels. `table` is [`linear_table`]'s.
///
/// # Panics
/// If the slices differ in length or do not hold whole pixels.
pub fn lab_from_srgb8(rgb: &[u8], lab: &mut [f32], table: &[f32; 256]) {
    assert_eq!(rgb.len(), lab.len());
    assert_eq!(rgb.len() % 3, 0);
    for (rgb, lab) in rgb.chunks_exact(3).zip(lab.chunks_exact_mut(3)) {
        let linear = [table[rgb[0] as usize], table[rgb[1] as usize], table[rgb[2] as usize]];
        lab.copy_from_slice(&lab_from_linear(linear));
    }
}

/// L\*a\*b\* of one colour in linear light, 0..1.
pub fn lab_from_linear(rgb: [f32; 3]) -> [f32; 3] {
    let [x, y, z] = std::array::from_fn(|i| {
        let row = XYZ_FROM_RGB[i];
        lab_curve((row[0] * rgb[0] + row[1] * rgb[1] + row[2] * rgb[2]) / WHITE[i])
    });
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// Linear light of one L\*a\*b\* colour; values may leave 0..1 for colours outside sRGB.
pub fn linear_from_lab(lab: [f32; 3]) -> [f32; 3] {
    let y = (lab[0] + 16.0) / 116.0;
    let curve = [y + lab[1] / 500.0, y, y - lab[2] / 200.0];
    let xyz: [f32; 3] = std::array::from_fn(|i| {
        let t = curve[i];
        WHITE[i] * if t > 0.206_893 { t * t * t } else { (t - 16.0 / 116.0) / 7.787 }
    });
    std::array::from_fn(|i| {
        let row = RGB_FROM_XYZ[i];
        row[0] * xyz[0] + row[1] * xyz[1] + row[2] * xyz[2]
    })
}

/// sRGB-encoded colour, 0..1 and clamped to it, of one L\*a\*b\* colour.
pub fn srgb_from_lab(lab: [f32; 3]) -> [f32; 3] {
    linear_from_lab(lab).map(|linear| srgb_from_linear(linear.clamp(0.0, 1.0)))
}

/// Luma Y' (BT.601) of one sRGB-encoded pixel, same range as its channels.
pub fn luma(rgb: [f32; 3]) -> f32 {
    0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_colours_have_their_published_coordinates() {
        let table = linear_table();
        let cases: [([u8; 3], [f32; 3]); 4] = [
            ([255, 255, 255], [100.0, 0.0, 0.0]),
            ([0, 0, 0], [0.0, 0.0, 0.0]),
            ([255, 0, 0], [53.24, 80.09, 67.20]),
            ([0, 0, 255], [32.30, 79.19, -107.86]),
        ];
        for (rgb, truth) in cases {
            let mut lab = [f32::NAN; 3];
            lab_from_srgb8(&rgb, &mut lab, &table);
            for i in 0..3 {
                assert!((lab[i] - truth[i]).abs() < 0.15, "{rgb:?}: {lab:?}");
            }
        }
    }

    #[test]
    fn lab_and_back_is_the_same_colour() {
        let table = linear_table();
        for step in 0..500u32 {
            let rgb = [step * 37 % 256, step * 101 % 256, step * 59 % 256].map(|v| v as u8);
            let mut lab = [0.0; 3];
            lab_from_srgb8(&rgb, &mut lab, &table);
            let back = srgb_from_lab(lab).map(|v| (v * 255.0).round() as u8);
            assert_eq!(rgb, back);
        }
    }
}
