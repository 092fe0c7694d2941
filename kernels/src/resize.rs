//! Area resize: each target pixel is the mean of the source rectangle it covers.
//!
//! | operand | type      | shape                            | layout                    |
//! |---------|-----------|----------------------------------|---------------------------|
//! | source  | u8 or f32 | [source height, source width, c] | interleaved, row-major    |
//! | target  | f32       | [rows, target width, c]          | interleaved, row-major    |
//! | scratch | f32       | [source width, c]                | overwritten               |
//!
//! The window maps target pixel `(i, j)` to the source rectangle
//! `[x + i·s, x + (i+1)·s) × [y + j·s, y + (j+1)·s)`; parts outside the source repeat its edge. Where
//! `s < 1` (enlarging) the sample is bilinear at the rectangle's centre.

/// Where a target grid lies in its source.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// Left edge of the grid in source pixels.
    pub x: f32,
    /// Top edge of the grid in source pixels.
    pub y: f32,
    /// Source pixels per target pixel.
    pub scale: f32,
}

/// A source value that can be averaged.
pub trait Sample: Copy {
    /// The value as `f32`.
    fn value(self) -> f32;
}

impl Sample for u8 {
    fn value(self) -> f32 {
        self as f32
    }
}

impl Sample for u16 {
    fn value(self) -> f32 {
        self as f32
    }
}

impl Sample for f32 {
    fn value(self) -> f32 {
        self
    }
}

/// Fills target rows `first_row..` (as many as `target` holds) of a grid `target_width` wide.
/// `C` is the number of interleaved channels.
///
/// # Panics
/// If the source does not hold `width × height` pixels, is empty, target no whole rows, or scratch less than
/// a source row.
pub fn resize_area<T: Sample, const C: usize>(
    source: &[T],
    (width, height): (usize, usize),
    target: &mut [f32],
    target_width: usize,
    first_row: usize,
    window: Window,
    scratch: &mut [f32],
) {
    assert_eq!(source.len(), width * height * C);
    assert!(width > 0 && height > 0 && window.scale > 0.0);
    assert_eq!(target.len() % (target_width * C), 0);
    let left = span(window.x, window.scale, 0).0;
    let right = span(window.x, window.scale, target_width - 1).1;
    let pixel = |x: f32| (x.max(0.0) as usize).min(width - 1);
    let used = pixel(left)..pixel(right.ceil()) + 1;
    let scratch = &mut scratch[..width * C];
    for (row, out) in target.chunks_exact_mut(target_width * C).enumerate() {
        let (y0, y1) = span(window.y, window.scale, first_row + row);
        // First the source rows into one, then its columns.
        let line = &mut scratch[used.start * C..used.end * C];
        line.fill(0.0);
        let mut total = 0.0;
        for (sy, weight) in covered(y0, y1, height) {
            total += weight;
            let from = &source[(sy * width + used.start) * C..][..line.len()];
            line.iter_mut().zip(from).for_each(|(sum, v)| *sum += weight * v.value());
        }
        let first = used.start;
        for (i, out) in out.chunks_exact_mut(C).enumerate() {
            let (x0, x1) = span(window.x, window.scale, i);
            let mut sum = [0.0f32; C];
            let mut weight = 0.0f32;
            for (sx, wx) in covered(x0, x1, width) {
                weight += wx;
                let at = &line[(sx.clamp(used.start, used.end - 1) - first) * C..][..C];
                for c in 0..C {
                    sum[c] += wx * at[c];
                }
            }
            let norm = 1.0 / (weight * total);
            for c in 0..C {
                out[c] = sum[c] * norm;
            }
        }
    }
}

fn span(origin: f32, scale: f32, index: usize) -> (f32, f32) {
    if scale >= 1.0 {
        (origin + index as f32 * scale, origin + (index + 1) as f32 * scale)
    } else {
        let centre = origin + (index as f32 + 0.5) * scale;
        (centre - 0.5, centre + 0.5)
    }
}

/// Source pixels touched by `[from, to)`, each with the length of the overlap; positions outside are
/// moved to the edge pixel.
fn covered(from: f32, to: f32, limit: usize) -> impl Iterator<Item = (usize, f32)> {
    let first = from.floor() as i32;
    let last = (to.ceil() as i32 - 1).max(first);
    (first..=last).filter_map(move |pixel| {
        let overlap = to.min((pixel + 1) as f32) - from.max(pixel as f32);
        (overlap > 1e-6).then(|| (pixel.clamp(0, limit as i32 - 1) as usize, overlap))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halving_takes_the_mean_of_four() {
        let source: Vec<u8> = (0..24).collect();
        let mut target = [f32::NAN; 6];
        let window = Window { x: 0.0, y: 0.0, scale: 2.0 };
        resize_area::<u8, 1>(&source, (6, 4), &mut target, 3, 0, window, &mut [0.0; 6]);
        assert_eq!(target, [3.5, 5.5, 7.5, 15.5, 17.5, 19.5]);
    }

    #[test]
    fn any_scale_keeps_a_constant_and_any_row_range_agrees_with_the_whole() {
        for scale in [0.3f32, 0.99, 1.0, 1.7, 4.3] {
            let window = Window { x: -3.2, y: 1.4, scale };
            let mut scratch = vec![f32::NAN; 19 * 3];
            let flat = vec![7.0f32; 19 * 11 * 3];
            let mut whole = vec![f32::NAN; 8 * 6 * 3];
            resize_area::<f32, 3>(&flat, (19, 11), &mut whole, 8, 0, window, &mut scratch);
            assert!(whole.iter().all(|v| (v - 7.0).abs() < 1e-4), "{scale}");
            let ramp: Vec<f32> = (0..19 * 11 * 3).map(|i| i as f32).collect();
            resize_area::<f32, 3>(&ramp, (19, 11), &mut whole, 8, 0, window, &mut scratch);
            let mut part = vec![f32::NAN; 8 * 2 * 3];
            resize_area::<f32, 3>(&ramp, (19, 11), &mut part, 8, 3, window, &mut scratch);
            assert_eq!(part[..], whole[8 * 3 * 3..8 * 5 * 3]);
        }
    }
}
