//! The specification: plain loops. Groups hold their pixels in order.

use super::{GROUP, ImageResizeRow, grouped};
use crate::bytes::{mix, mul_round, narrow};
use crate::features::Schedule;
use crate::kernel::Identity;

pub(super) const IMAGE_RESIZE: ImageResizeRow = ImageResizeRow {
    identity: Identity {
        name: "image_resize_u8_1_scalar",
        operation: "image_resize",
        element: "u8",
        tile: "1",
        needs: &[],
        schedule: Schedule::OutOfOrder,
    },
    line: [line::<1>, line::<3>, line::<4>],
    mix: [lines::<1>, lines::<3>, lines::<4>],
    sum,
    across: [across::<1>, across::<3>, across::<4>],
};

fn line<const C: usize>(row: &[u8], offsets: &[i32], weights: &[u8], line: &mut [i16]) {
    for (index, (&offset, &weight)) in offsets.iter().zip(weights).enumerate() {
        let to = index / grouped(C) * GROUP + index % grouped(C) * C;
        line[to..to + C].copy_from_slice(&pixel::<C>(row, offset as usize, weight));
    }
}

/// A sample in a row, with 7 bits of fraction. A weight of 0 asks for no neighbour.
pub(super) fn pixel<const C: usize>(row: &[u8], offset: usize, weight: u8) -> [i16; C] {
    std::array::from_fn(|c| {
        let second = if weight == 0 { 0 } else { row[offset + C + c] };
        mix(row[offset + c], second, weight)
    })
}

fn lines<const C: usize>(first: &[i16], second: &[i16], weight: i16, pixels: &mut [u8]) {
    for (index, byte) in pixels.iter_mut().enumerate() {
        let (pixel, channel) = (index / C, index % C);
        let at = pixel / grouped(C) * GROUP + pixel % grouped(C) * C + channel;
        *byte = narrow(first[at] + mul_round(second[at] - first[at], weight), 7);
    }
}

pub(super) fn sum(source: &[u8], rows: &[i32], weights: &[i16], line: &mut [i16]) {
    for (x, value) in line.iter_mut().enumerate() {
        let share = |(&row, &weight): (&i32, &i16)| {
            mul_round(i16::from(source[row as usize + x]) << 7, weight)
        };
        *value = rows.iter().zip(weights).map(share).sum();
    }
}

fn across<const C: usize>(
    line: &[i16],
    starts: &[i32],
    ends: &[i32],
    weights: &[i16],
    pixels: &mut [u8],
) {
    let per_group = 8 / C;
    for (i, to) in pixels.as_chunks_mut::<C>().0.iter_mut().enumerate() {
        let mut sums = [0_i16; C];
        for (group, weights) in
            weights[ends[i] as usize * 8..ends[i + 1] as usize * 8].chunks(8).enumerate()
        {
            for tap in 0..per_group {
                let from = starts[i] as usize + (group * per_group + tap) * C;
                // A weight of 0 fills up the last group.
                for c in 0..C {
                    let weight = weights[tap * C + c];
                    let value = if weight == 0 { 0 } else { line[from + c] };
                    sums[c] += mul_round(value, weight);
                }
            }
        }
        *to = sums.map(|sum| narrow(sum, 7));
    }
}
