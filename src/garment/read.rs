//! A garment's file as upright pixels of working size.

use super::{GarmentError, Texture};
use crate::picture::RgbaPicture;
use std::path::Path;

/// Fewest pixels on a side.
pub const LEAST_SIDE: u32 = 24;
/// Longest side that is kept: a garment covers a part of a photo, and rarely more pixels than this.
pub const WORKING_SIDE: usize = 1600;

/// A garment's file as upright pixels of working size.
pub struct Source {
    /// The pixels; colour of transparent ones is as it was stored.
    pub pixels: Texture,
    /// Columns and rows of the upright file.
    pub size: (u32, u32),
    /// Whether the file says where the garment is: a part of it is transparent.
    pub has_alpha: bool,
}

/// Reads a picture. Its size is checked before a pixel is decoded.
///
/// # Errors
/// If the file cannot be read or decoded, or is too small or too large.
pub fn read(path: &Path) -> Result<Source, GarmentError> {
    let (picture, _) = RgbaPicture::open(path)?;
    let (width, height) = (picture.width, picture.height);
    let size = (width as u32, height as u32);
    if size.0.min(size.1) < LEAST_SIDE {
        return Err(GarmentError::TooSmall { width: size.0, height: size.1, least: LEAST_SIDE });
    }
    let pixels = shrink(picture.rgba, width, height, WORKING_SIDE);
    let clear = pixels.rgba.iter().filter(|pixel| pixel[3] < 128).count();
    let has_alpha = clear * 200 > pixels.rgba.len();
    Ok(Source { pixels, size, has_alpha })
}

/// Area mean, weighted with alpha, so that the longer side is at most `side`.
fn shrink(rgba: Vec<[u8; 4]>, width: usize, height: usize, side: usize) -> Texture {
    let scale = (width.max(height) as f64 / side as f64).max(1.0);
    if scale == 1.0 {
        return Texture { width, height, rgba };
    }
    let target_width = ((width as f64 / scale).round() as usize).max(1);
    let target_height = ((height as f64 / scale).round() as usize).max(1);
    let columns = overlaps(width, target_width);
    let rows = overlaps(height, target_height);
    let mut target = vec![[0u8; 4]; target_width * target_height];
    let mut sums = vec![[0f32; 4]; target_width];
    for (row, target) in rows.iter().zip(target.chunks_exact_mut(target_width)) {
        sums.fill([0.0; 4]);
        for &(y, row_weight) in row {
            let source = &rgba[y * width..][..width];
            for (column, sum) in columns.iter().zip(&mut sums) {
                for &(x, column_weight) in column {
                    let [r, g, b, a] = source[x].map(f32::from);
                    let weight = row_weight * column_weight;
                    let opacity = weight * a;
                    sum[0] += r * opacity;
                    sum[1] += g * opacity;
                    sum[2] += b * opacity;
                    sum[3] += opacity;
                }
            }
        }
        for (sum, target) in sums.iter().zip(target) {
            let opacity = sum[3].max(1e-6);
            *target = [sum[0] / opacity, sum[1] / opacity, sum[2] / opacity, sum[3]]
                .map(|value| value.round().clamp(0.0, 255.0) as u8);
        }
    }
    Texture { width: target_width, height: target_height, rgba: target }
}

/// For each target cell the source cells it covers, with weights that sum to 1.
fn overlaps(source: usize, target: usize) -> Vec<Vec<(usize, f32)>> {
    let scale = source as f64 / target as f64;
    (0..target)
        .map(|cell| {
            let (from, to) = (cell as f64 * scale, (cell + 1) as f64 * scale);
            (from as usize..source.min(to.ceil() as usize))
                .map(|i| {
                    let covered = to.min((i + 1) as f64) - from.max(i as f64);
                    (i, (covered.max(0.0) / scale) as f32)
                })
                .collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shrinking_keeps_the_colour_of_opaque_pixels_out_of_reach_of_clear_ones() {
        let rgba: Vec<[u8; 4]> = (0..64 * 32)
            .map(|i| if i % 64 < 33 { [200, 100, 50, 255] } else { [0, 0, 0, 0] })
            .collect();
        let small = shrink(rgba, 64, 32, 16);
        assert_eq!((small.width, small.height), (16, 8));
        assert_eq!(small.rgba[0], [200, 100, 50, 255]);
        assert_eq!(small.rgba[8], [200, 100, 50, 64]);
        assert_eq!(small.rgba[9][3], 0);
    }
}
