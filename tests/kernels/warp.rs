//! Every version of the warp against plain loops, and those against exact samples.

mod harness;

use harness::{Guarded, Values, assert_same, every_kernel};
use kernels::kernel::Kernel;
use kernels::mesh::EMPTY;
use kernels::plane::{Plane, PlaneMut};
use kernels::warp::{Edge, Grid, Motion, WarpRow};
use std::ops::Range;

struct Picture {
    bytes: Box<[u8]>,
    stride_bytes: usize,
    size: [usize; 2],
    channels: usize,
}

impl Picture {
    /// The last row ends where its pixels do: nothing behind it may be read.
    fn new(values: &mut Values, size: [usize; 2], channels: usize) -> Self {
        let stride_bytes = size[0] * channels + 5;
        let bytes = values.bytes(stride_bytes * size[1] - 5).into_boxed_slice();
        Self { bytes, stride_bytes, size, channels }
    }

    fn warped(
        &self,
        kernel: Kernel<WarpRow>,
        motion: &Motion<'_>,
        edge: Edge,
        width: usize,
        rows: Range<usize>,
    ) -> Vec<u8> {
        let row_bytes = width * self.channels;
        let mut pixels = Guarded::new(rows.len() * row_bytes, 0xa5_u8, 1);
        let target = PlaneMut { bytes: pixels.slice(), stride_bytes: row_bytes };
        let source = Plane { bytes: &self.bytes, stride_bytes: self.stride_bytes };
        kernel.run(source, self.size, self.channels, motion, edge, width, rows, target);
        pixels.check(kernel.identity().name);
        pixels.values().to_vec()
    }
}

/// Identity, flips, turns, scales, shears, far away.
fn matrices([w, h]: [usize; 2]) -> Vec<[[f64; 3]; 2]> {
    let [w, h] = [w as f64, h as f64];
    vec![
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]],
        [[1.0, 0.0, 0.37], [0.0, 1.0, -0.61]],
        [[-1.0, 0.0, w], [0.0, -1.0, h]],
        [[0.8, -0.6, w * 0.4], [0.6, 0.8, -h * 0.2]],
        [[0.31, 0.05, 1.5], [-0.02, 0.44, 2.5]],
        [[3.7, 0.4, -9.0], [0.3, 2.9, -4.0]],
        [[0.0, 0.0, w - 0.5], [0.0, 0.0, h - 0.5]],
        [[1e6, 0.0, -1e9], [0.0, 1.0, 1e12]],
        [[1.0, 0.0, -30000.0], [0.0, 1.0, 30000.0]],
    ]
}

const SIZES: [[usize; 2]; 7] = [[1, 1], [2, 2], [1, 9], [8, 1], [5, 6], [33, 17], [70, 40]];

#[test]
fn every_version_equals_the_plain_one() {
    let mut values = Values::new(8);
    for size in SIZES {
        for channels in [3, 4] {
            let picture = Picture::new(&mut values, size, channels);
            for matrix in matrices(size) {
                for (width, height) in [(5, 3), (83, 4)] {
                    for edge in [Edge::Repeat, Edge::Clear] {
                        let motion = Motion::Affine(matrix);
                        let expected =
                            picture.warped(Kernel::plain(), &motion, edge, width, 0..height);
                        every_kernel::<WarpRow>(|kernel| {
                            let name = kernel.identity().name;
                            let case = format!(
                                "{name}, {size:?} of {channels} to {width}x{height}, {edge:?}, {matrix:?}"
                            );
                            let got = picture.warped(kernel, &motion, edge, width, 0..height);
                            assert_same(&got, &expected, &case);
                            let part = picture.warped(kernel, &motion, edge, width, 1..height);
                            assert_same(
                                &part,
                                &expected[width * channels..],
                                format!("{case}, from 1"),
                            );
                        });
                    }
                }
            }
        }
    }
}

#[test]
fn every_version_follows_grids_and_maps() {
    let mut values = Values::new(9);
    for channels in [3, 4] {
        let picture = Picture::new(&mut values, [50, 40], channels);
        let noise = values.f32(64);
        let points: Vec<[f32; 2]> = (0..20)
            .map(|at| {
                [
                    (at % 5) as f32 * 14.0 - 3.0 + noise[at] * 5.0,
                    (at / 5) as f32 * 15.0 + noise[at + 20] * 6.0,
                ]
            })
            .collect();
        let grid = Grid { points: &points, columns: 5, cell: [19, 11] };
        let texels: Vec<_> = (0..73 * 31)
            .map(|at| {
                let (x, y) = ((at % 73) as f32, (at / 73) as f32);
                if at % 7 == 3 { EMPTY } else { [x * 0.8 - 2.0, y * 1.4 + x * 0.1, 0.0, 0.0] }
            })
            .collect();
        for motion in [Motion::Grid(grid), Motion::Map { texels: &texels, stride: 73 }] {
            for edge in [Edge::Repeat, Edge::Clear] {
                let expected = picture.warped(Kernel::plain(), &motion, edge, 71, 0..31);
                every_kernel::<WarpRow>(|kernel| {
                    let case = format!("{}, {channels} channels, {edge:?}", kernel.identity().name);
                    let got = picture.warped(kernel, &motion, edge, 71, 0..31);
                    assert_same(&got, &expected, &case);
                    let part = picture.warped(kernel, &motion, edge, 71, 13..29);
                    assert_same(&part, &expected[13 * 71 * channels..29 * 71 * channels], &case);
                });
            }
        }
    }
}

#[test]
fn the_identity_copies_and_a_straight_grid_is_the_identity() {
    let mut values = Values::new(10);
    let picture = Picture::new(&mut values, [37, 21], 4);
    let copy: Vec<u8> = (0..21)
        .flat_map(|y| &picture.bytes[y * picture.stride_bytes..][..37 * 4])
        .copied()
        .collect();
    let points: Vec<[f32; 2]> =
        (0..9).map(|at| [(at % 3) as f32 * 20.0, (at / 3) as f32 * 12.0]).collect();
    let grid = Motion::Grid(Grid { points: &points, columns: 3, cell: [20, 12] });
    let identity = Motion::Affine([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]);
    for motion in [identity, grid] {
        for edge in [Edge::Repeat, Edge::Clear] {
            assert_same(&picture.warped(Kernel::plain(), &motion, edge, 37, 0..21), &copy, "plain");
        }
    }
}

#[test]
fn the_plain_version_is_near_exact_samples() {
    let mut values = Values::new(11);
    let size @ [width, height] = [33, 17];
    let picture = Picture::new(&mut values, size, 3);
    for matrix in &matrices(size)[..6] {
        for edge in [Edge::Repeat, Edge::Clear] {
            let got = picture.warped(Kernel::plain(), &Motion::Affine(*matrix), edge, 40, 0..20);
            for (index, &byte) in got.iter().enumerate() {
                let (c, i, j) = (index % 3, index / 3 % 40, index / 120);
                let place =
                    matrix.map(|[a, b, t]| a * (i as f64 + 0.5) + b * (j as f64 + 0.5) + t - 0.5);
                let read = |x: f64, y: f64| {
                    let at = |v: f64, n: usize| v.clamp(0.0, n as f64 - 1.0);
                    let (cx, cy) = (at(x, width), at(y, height));
                    if edge == Edge::Clear && (cx, cy) != (x, y) {
                        return 0.0;
                    }
                    f64::from(
                        picture.bytes[cy as usize * picture.stride_bytes + cx as usize * 3 + c],
                    )
                };
                let [x, y] = place.map(f64::floor);
                let [u, v] = [place[0] - x, place[1] - y];
                let top = read(x, y) * (1.0 - u) + read(x + 1.0, y) * u;
                let bottom = read(x, y + 1.0) * (1.0 - u) + read(x + 1.0, y + 1.0) * u;
                let exact = top * (1.0 - v) + bottom * v;
                assert!(
                    (f64::from(byte) - exact).abs() <= 1.8,
                    "{matrix:?} {edge:?} {i},{j}: {byte}, exactly {exact}"
                );
            }
        }
    }
}
