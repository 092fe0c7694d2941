//! Growing and shrinking of masks.
//!
//! | operand | type | shape           | content                              |
//! |---------|------|-----------------|--------------------------------------|
//! | mask    | u8   | [height, width] | non-zero: set                        |
//! | target  | u8   | [height, width] | 1 where set, 0 elsewhere             |
//! | scratch | u8   | [height, width] | anything                             |
//!
//! A pixel beyond the picture counts as unset for growing and as set for shrinking: a mask that
//! touches the border does not shrink away from it.

/// Grows the mask by a square of side `2 · radius + 1`.
///
/// # Panics
/// If a slice has another length than the table says.
pub fn dilate_square(
    mask: &[u8],
    target: &mut [u8],
    width: usize,
    height: usize,
    radius: usize,
    scratch: &mut [u8],
) {
    check(mask, target, width, height);
    assert_eq!(scratch.len(), width * height);
    for (row, spread) in mask.chunks_exact(width.max(1)).zip(scratch.chunks_exact_mut(width.max(1)))
    {
        spread.fill(0);
        spread_row(row, spread, radius, |value| value != 0);
    }
    target.fill(0);
    for y in 0..height {
        for from in y.saturating_sub(radius)..(y + radius + 1).min(height) {
            merge(&scratch[from * width..][..width], &mut target[y * width..][..width]);
        }
    }
}

/// Shrinks the mask by a square of side `2 · radius + 1`.
///
/// # Panics
/// If a slice has another length than the table says.
pub fn erode_square(
    mask: &[u8],
    target: &mut [u8],
    width: usize,
    height: usize,
    radius: usize,
    scratch: &mut [u8],
) {
    check(mask, target, width, height);
    assert_eq!(scratch.len(), width * height);
    for (row, spread) in mask.chunks_exact(width.max(1)).zip(scratch.chunks_exact_mut(width.max(1)))
    {
        spread.fill(0);
        spread_row(row, spread, radius, |value| value == 0);
    }
    target.fill(0);
    for y in 0..height {
        for from in y.saturating_sub(radius)..(y + radius + 1).min(height) {
            merge(&scratch[from * width..][..width], &mut target[y * width..][..width]);
        }
    }
    target.iter_mut().for_each(|value| *value = 1 - *value);
}

/// Grows the mask by a disc: every pixel within `radius` of a set pixel's centre.
///
/// # Panics
/// If a slice has another length than the table says.
pub fn dilate_disc(mask: &[u8], target: &mut [u8], width: usize, height: usize, radius: f32) {
    spread_disc(mask, target, width, height, radius, |value| value != 0);
}

/// Shrinks the mask by a disc: keeps the pixels farther than `radius` from every unset pixel.
///
/// # Panics
/// If a slice has another length than the table says.
pub fn erode_disc(mask: &[u8], target: &mut [u8], width: usize, height: usize, radius: f32) {
    spread_disc(mask, target, width, height, radius, |value| value == 0);
    target.iter_mut().for_each(|value| *value = 1 - *value);
}

fn spread_disc(
    mask: &[u8],
    target: &mut [u8],
    width: usize,
    height: usize,
    radius: f32,
    spreads: impl Fn(u8) -> bool + Copy,
) {
    check(mask, target, width, height);
    target.fill(0);
    let reach = radius.max(0.0) as usize;
    for y in 0..height {
        for from in y.saturating_sub(reach)..(y + reach + 1).min(height) {
            let apart = from.abs_diff(y) as f32;
            let half = (radius * radius - apart * apart).max(0.0).sqrt() as usize;
            let source = &mask[from * width..][..width];
            spread_row(source, &mut target[y * width..][..width], half, spreads);
        }
    }
}

/// Sets every pixel of `target` within `radius` columns of a pixel that `spreads`.
fn spread_row(source: &[u8], target: &mut [u8], radius: usize, spreads: impl Fn(u8) -> bool) {
    let mut done = 0;
    for (x, &value) in source.iter().enumerate() {
        if spreads(value) {
            let end = (x + radius + 1).min(target.len());
            target[x.saturating_sub(radius).max(done)..end].fill(1);
            done = end;
        }
    }
}

fn merge(source: &[u8], target: &mut [u8]) {
    for (target, &source) in target.iter_mut().zip(source) {
        *target |= source;
    }
}

fn check(mask: &[u8], target: &[u8], width: usize, height: usize) {
    assert_eq!(mask.len(), width * height);
    assert_eq!(target.len(), width * height);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(
        mask: &[u8],
        width: usize,
        height: usize,
        near: impl Fn(i64, i64) -> bool,
    ) -> Vec<u8> {
        let mut target = vec![0; width * height];
        for (i, value) in target.iter_mut().enumerate() {
            *value = (0..mask.len()).any(|j| {
                let dx = (j % width) as i64 - (i % width) as i64;
                let dy = (j / width) as i64 - (i / width) as i64;
                mask[j] != 0 && near(dx, dy)
            }) as u8;
        }
        target
    }

    #[test]
    fn growing_and_shrinking_equal_the_exhaustive_search() {
        let (width, height) = (29, 17);
        let mask: Vec<u8> = (0..width * height).map(|i| (i * i % 31 < 2) as u8).collect();
        let opposite: Vec<u8> = mask.iter().map(|v| 1 - v).collect();
        let mut target = vec![9; width * height];
        let mut scratch = vec![9; width * height];
        for radius in [0, 1, 2, 5] {
            let square = |dx: i64, dy: i64| dx.abs().max(dy.abs()) <= radius;
            let disc = |dx: i64, dy: i64| dx * dx + dy * dy <= radius * radius;
            let r = radius as usize;
            dilate_square(&mask, &mut target, width, height, r, &mut scratch);
            assert_eq!(target, reference(&mask, width, height, square), "square {radius}");
            erode_square(&opposite, &mut target, width, height, r, &mut scratch);
            let grown = reference(&mask, width, height, square);
            assert!(target.iter().zip(&grown).all(|(a, b)| a + b == 1), "square {radius}");
            dilate_disc(&mask, &mut target, width, height, radius as f32);
            assert_eq!(target, reference(&mask, width, height, disc), "disc {radius}");
            erode_disc(&opposite, &mut target, width, height, radius as f32);
            let grown = reference(&mask, width, height, disc);
            assert!(target.iter().zip(&grown).all(|(a, b)| a + b == 1), "disc {radius}");
        }
    }
}
