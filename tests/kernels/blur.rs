//! Every version of the blur of bytes against plain loops and the definition.

mod harness;

use harness::{Guarded, Values, assert_same, every_kernel};
use kernels::blur::{BlurRow, MOST_RADIUS};
use kernels::kernel::Kernel;
use kernels::plane::{Plane, PlaneMut};
use std::ops::Range;

/// Width, height, channels, radius.
const CASES: [[usize; 4]; 9] = [
    [1, 1, 1, 3],
    [7, 5, 3, 1],
    [16, 9, 4, 2],
    [33, 4, 3, 6],
    [5, 31, 1, 9],
    [20, 20, 3, 0],
    [9, 8, 2, 4],
    [70, 6, 3, 40],
    [3, 3, 1, MOST_RADIUS],
];

fn run(kernel: Kernel<BlurRow>, case: [usize; 4], bytes: &[u8], rows: Range<usize>) -> Vec<u8> {
    let [width, height, channels, radius] = case;
    let stride_bytes = width * channels;
    let mut pixels = Guarded::new(rows.len() * stride_bytes, 0xa5_u8, 1);
    let mut scratch = vec![0xa5; kernel.box_scratch(width, channels, radius)];
    let source = Plane { bytes, stride_bytes };
    let target = PlaneMut { bytes: pixels.slice(), stride_bytes };
    kernel.box_u8(source, [width, height], channels, radius, rows, target, &mut scratch);
    pixels.check(kernel.identity().name);
    pixels.values().to_vec()
}

#[test]
fn every_version_is_the_rounded_mean_of_the_window() {
    let mut values = Values::new(30);
    for case @ [width, height, channels, radius] in CASES {
        let mut bytes = values.bytes(width * height * channels);
        if radius == MOST_RADIUS {
            bytes.fill(255);
        }
        let side = 2 * radius as i64 + 1;
        let expected: Vec<u8> = (0..bytes.len())
            .map(|index| {
                let (c, x, y) =
                    (index % channels, index / channels % width, index / channels / width);
                let mut sum = 0;
                for dy in 0..side {
                    for dx in 0..side {
                        let at = |v: usize, d: i64, n: usize| {
                            (v as i64 + d - radius as i64).clamp(0, n as i64 - 1) as usize
                        };
                        let pixel = at(y, dy, height) * width + at(x, dx, width);
                        sum += u32::from(bytes[pixel * channels + c]);
                    }
                }
                (sum as f32 * (1.0 / (side * side) as f32)).round_ties_even() as u8
            })
            .collect();
        every_kernel::<BlurRow>(|kernel| {
            let name = format!("{}, {case:?}", kernel.identity().name);
            assert_same(&run(kernel, case, &bytes, 0..height), &expected, &name);
            let first = height / 2;
            let part = run(kernel, case, &bytes, first..height);
            assert_same(&part, &expected[first * width * channels..], format!("{name}, part"));
        });
    }
}
