//! The specification: plain loops.

use super::{Edge, Places, Source, WarpRow};
use crate::bytes::{mix, mul_round, narrow};
use crate::features::Schedule;
use crate::kernel::Identity;

pub(super) const WARP: WarpRow = WarpRow {
    identity: Identity {
        name: "warp_u8_1_scalar",
        operation: "warp",
        element: "u8",
        tile: "1",
        needs: &[],
        schedule: Schedule::OutOfOrder,
    },
    sample: [sample::<3>, sample::<4>],
};

fn sample<const C: usize>(source: &Source<'_>, places: &Places, edge: Edge, pixels: &mut [u8]) {
    for (index, to) in pixels.as_chunks_mut::<C>().0.iter_mut().enumerate() {
        *to = pixel(source, places.x[index], places.y[index], edge);
    }
}

/// One sample.
pub(super) fn pixel<const C: usize>(source: &Source<'_>, x: i32, y: i32, edge: Edge) -> [u8; C] {
    let [width, height] = source.size.map(|size| size as i32);
    let (x, y) = match edge {
        Edge::Repeat => (x.clamp(0, (width - 1) << 16), y.clamp(0, (height - 1) << 16)),
        Edge::Clear => (x, y),
    };
    let (column, row) = (x >> 16, y >> 16);
    let across = (((x & 0xffff) + 256) >> 9) as u8;
    let down = ((y & 0xffff) >> 1) as i16;
    let read = |column: i32, row: i32, c: usize| {
        let inside = (0..width).contains(&column) && (0..height).contains(&row);
        if !inside {
            return 0;
        }
        source.bytes[row as usize * source.stride_bytes + column as usize * C + c]
    };
    std::array::from_fn(|c| {
        let top = mix(read(column, row, c), read(column + 1, row, c), across);
        let bottom = mix(read(column, row + 1, c), read(column + 1, row + 1, c), across);
        narrow(top + mul_round(bottom - top, down), 7)
    })
}
