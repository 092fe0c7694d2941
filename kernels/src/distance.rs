//! Exact Euclidean distance to the nearest marked pixel, and which pixel that is.
//!
//! Meijster, Roerdink and Hesselink, "A general algorithm for computing distance transforms in
//! linear time", 2000.
//!
//! | operand  | type | shape           | content                                            |
//! |----------|------|-----------------|----------------------------------------------------|
//! | marked   | u8   | [height, width] | non-zero: a marked pixel                           |
//! | nearest  | u32  | [height, width] | index of the nearest marked pixel, or [`NOWHERE`]  |
//! | squared  | u32  | [height, width] | squared distance to it, or [`NOWHERE`]             |
//! | scratch  | u32  | 3 · width       | anything                                           |

/// Stands for "no pixel is marked".
pub const NOWHERE: u32 = u32::MAX;

/// Largest width and height: squared distances stay within `u32`.
pub const SIDE_LIMIT: usize = 32_768;

/// Computes for every pixel the squared distance to the nearest marked pixel and its index.
///
/// # Panics
/// If a slice has another length than the table says, or a side is over [`SIDE_LIMIT`].
pub fn nearest_marked(
    marked: &[u8],
    width: usize,
    height: usize,
    nearest: &mut [u32],
    squared: &mut [u32],
    scratch: &mut [u32],
) {
    assert!(width < SIDE_LIMIT && height < SIDE_LIMIT);
    assert_eq!(marked.len(), width * height);
    assert_eq!(nearest.len(), width * height);
    assert_eq!(squared.len(), width * height);
    assert_eq!(scratch.len(), 3 * width);
    if width == 0 || height == 0 {
        return;
    }
    nearest_row_in_column(marked, width, height, nearest);
    let (columns, rest) = scratch.split_at_mut(width);
    let (starts, rows) = rest.split_at_mut(width);
    for y in 0..height {
        let range = y * width..(y + 1) * width;
        rows.copy_from_slice(&nearest[range.clone()]);
        let (nearest, squared) = (&mut nearest[range.clone()], &mut squared[range]);
        nearest_in_row(y, rows, columns, starts, nearest, squared);
    }
}

/// Leaves in `rows` the row of the nearest marked pixel of the same column.
fn nearest_row_in_column(marked: &[u8], width: usize, height: usize, rows: &mut [u32]) {
    for x in 0..width {
        rows[x] = if marked[x] != 0 { 0 } else { NOWHERE };
    }
    for y in 1..height {
        for x in 0..width {
            let here = y * width + x;
            rows[here] = if marked[here] != 0 { y as u32 } else { rows[here - width] };
        }
    }
    for y in (0..height - 1).rev() {
        for x in 0..width {
            let here = y * width + x;
            let (above, below) = (rows[here], rows[here + width]);
            let distance_above = if above == NOWHERE { NOWHERE } else { y as u32 - above };
            if below != NOWHERE && below >= y as u32 && below - (y as u32) < distance_above {
                rows[here] = below;
            }
        }
    }
}

fn nearest_in_row(
    y: usize,
    rows: &[u32],
    columns: &mut [u32],
    starts: &mut [u32],
    nearest: &mut [u32],
    squared: &mut [u32],
) {
    let width = rows.len();
    let height_at = |column: u32| {
        let apart = rows[column as usize] as i64 - y as i64;
        apart * apart
    };
    // Lower envelope of the parabolas `(x - column)² + height_at(column)`: parabola `columns[k]` is the
    // lowest from `starts[k]` to the next start.
    let mut count = 0;
    for x in 0..width as u32 {
        if rows[x as usize] == NOWHERE {
            continue;
        }
        let mut start = 0;
        while count > 0 {
            let last = columns[count - 1];
            let (a, b) = (i64::from(last), i64::from(x));
            let crossing = (b * b - a * a + height_at(x) - height_at(last)) / (2 * (b - a)) + 1;
            let falls_left_of_all = b * b - a * a + height_at(x) - height_at(last) < 0;
            let crossing = if falls_left_of_all { 0 } else { crossing };
            if crossing <= i64::from(starts[count - 1]) {
                count -= 1;
                continue;
            }
            start = crossing;
            break;
        }
        if start < width as i64 {
            columns[count] = x;
            starts[count] = start as u32;
            count += 1;
        }
    }
    if count == 0 {
        nearest.fill(NOWHERE);
        squared.fill(NOWHERE);
        return;
    }
    let mut k = 0;
    for x in 0..width {
        while k + 1 < count && starts[k + 1] as usize <= x {
            k += 1;
        }
        let column = columns[k];
        let apart = i64::from(column) - x as i64;
        nearest[x] = rows[column as usize] * width as u32 + column;
        squared[x] = (apart * apart + height_at(column)) as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pseudo_random(seed: &mut u32) -> u32 {
        *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *seed >> 16
    }

    #[test]
    fn every_distance_equals_the_exhaustive_search() {
        let mut seed = 7;
        for (width, height, one_in) in
            [(1, 1, 1), (17, 9, 5), (40, 31, 60), (23, 40, 2), (64, 3, 90)]
        {
            let marked: Vec<u8> = (0..width * height)
                .map(|_| pseudo_random(&mut seed).is_multiple_of(one_in) as u8)
                .collect();
            let mut nearest = vec![77; width * height];
            let mut squared = vec![77; width * height];
            let mut scratch = vec![77; 3 * width];
            nearest_marked(&marked, width, height, &mut nearest, &mut squared, &mut scratch);
            for y in 0..height {
                for x in 0..width {
                    let to = |i: usize| {
                        let (dx, dy) = ((i % width).abs_diff(x), (i / width).abs_diff(y));
                        (dx * dx + dy * dy) as u32
                    };
                    let truth = (0..marked.len())
                        .filter(|&i| marked[i] != 0)
                        .map(to)
                        .min()
                        .unwrap_or(NOWHERE);
                    let here = y * width + x;
                    assert_eq!(squared[here], truth, "{width}x{height} at {x},{y}");
                    if truth != NOWHERE {
                        assert_eq!(to(nearest[here] as usize), truth);
                        assert_ne!(marked[nearest[here] as usize], 0);
                    }
                }
            }
        }
    }
}
