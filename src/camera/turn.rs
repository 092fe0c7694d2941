//! Rows of pixels put where they are seen: turned in steps of 90°, then mirrored.

use super::frame::Turn;

/// Columns that are put at once: a tile of them and of a band's rows stays in the nearest cache.
const TILE: usize = 16;

/// Puts a band of rows, the first of which is row `first` of a picture of this size, into the turned picture.
pub fn place(band: &[u8], first: usize, [width, height]: [usize; 2], turn: Turn, into: &mut [u8]) {
    let rows = band.len() / (width * 3);
    let (band, _) = band.as_chunks::<3>();
    let (into, _) = into.as_chunks_mut::<3>();
    let Turn { mirrored, quarter_turns } = turn;
    if quarter_turns % 2 == 0 {
        let half = quarter_turns == 2;
        for (y, from) in band.chunks_exact(width).enumerate() {
            let y = if half { height - 1 - first - y } else { first + y };
            let to = &mut into[y * width..][..width];
            // Half a turn and the mirror undo each other along a row.
            if half == mirrored {
                to.copy_from_slice(from);
            } else {
                to.iter_mut().zip(from.iter().rev()).for_each(|(to, from)| *to = *from);
            }
        }
        return;
    }
    // A column becomes a row. One turn: x' = height - 1 - y, y' = x; three: x' = y, y' = width - 1 - x.
    let clockwise = quarter_turns == 1;
    let reversed = clockwise != mirrored;
    for tile in (0..width).step_by(TILE) {
        for top in (0..rows).step_by(TILE) {
            let bottom = (top + TILE).min(rows);
            for x in tile..(tile + TILE).min(width) {
                let line = if clockwise { x } else { width - 1 - x } * height;
                let column = band[top * width + x..].iter().step_by(width);
                if reversed {
                    let to = &mut into[line + height - first - bottom..][..bottom - top];
                    to.iter_mut().rev().zip(column).for_each(|(to, from)| *to = *from);
                } else {
                    let to = &mut into[line + first + top..][..bottom - top];
                    to.iter_mut().zip(column).for_each(|(to, from)| *to = *from);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where a pixel goes, one by one.
    fn placed([x, y]: [usize; 2], [width, height]: [usize; 2], turn: Turn) -> [usize; 2] {
        let ([mut x, mut y], [mut width, mut height]) = ([x, y], [width, height]);
        for _ in 0..turn.quarter_turns {
            [x, y] = [height - 1 - y, x];
            [width, height] = [height, width];
        }
        [if turn.mirrored { width - 1 - x } else { x }, y]
    }

    #[test]
    fn every_turn_puts_every_pixel_where_it_belongs() {
        for size @ [width, height] in [[1, 1], [5, 3], [16, 16], [33, 50], [40, 17]] {
            let from: Vec<u8> = (0..width * height)
                .flat_map(|pixel| [pixel as u8, (pixel >> 8) as u8, 7])
                .collect();
            for quarter_turns in 0..4 {
                for mirrored in [false, true] {
                    let turn = Turn { mirrored, quarter_turns };
                    let mut into = vec![0xaa; from.len()];
                    for (band, rows) in from.chunks(width * 3 * 16).enumerate() {
                        place(rows, band * 16, size, turn, &mut into);
                    }
                    let across = turn.size(size)[0];
                    for (pixel, expected) in from.chunks(3).enumerate() {
                        let [x, y] = placed([pixel % width, pixel / width], size, turn);
                        let found = &into[(y * across + x) * 3..][..3];
                        assert_eq!(found, expected, "{size:?} {turn:?} pixel {pixel}");
                    }
                }
            }
        }
    }
}
