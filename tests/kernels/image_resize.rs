//! Every version of the resize against plain loops, and those against exact samples and means.

mod harness;

use harness::{Guarded, Values, assert_same, every_kernel};
use kernels::image_resize::{ImageResizeRow, Region, Resize};
use kernels::kernel::Kernel;
use kernels::plane::{Plane, PlaneMut};
use std::ops::Range;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Way {
    Bilinear,
    Area,
}

fn run(
    kernel: Kernel<ImageResizeRow>,
    way: Way,
    resize: &Resize<'_>,
    channels: usize,
    rows: Range<usize>,
) -> Vec<u8> {
    let row_bytes = resize.target[0] * channels;
    let mut pixels = Guarded::new(rows.len() * row_bytes, 0xa5_u8, 1);
    let target = PlaneMut { bytes: pixels.slice(), stride_bytes: row_bytes };
    match way {
        Way::Bilinear => {
            let mut scratch = vec![0xa5; kernel.bilinear_scratch(resize.target[0], channels)];
            kernel.bilinear(resize, channels, rows, target, &mut scratch);
        }
        Way::Area => {
            let mut scratch = vec![0xa5; kernel.area_scratch(resize, channels)];
            kernel.area(resize, channels, rows, target, &mut scratch);
        }
    }
    pixels.check(kernel.identity().name);
    pixels.values().to_vec()
}

/// Source, target and region; sizes around the groups of 4 and 16, odd ones, one, up, down and outside.
fn cases() -> Vec<([usize; 2], [usize; 2], Region)> {
    let mut cases = Vec::new();
    let sizes = [
        ([1, 1], [1, 1]),
        ([1, 1], [5, 3]),
        ([2, 2], [7, 5]),
        ([3, 1], [17, 2]),
        ([5, 7], [4, 4]),
        ([16, 9], [16, 9]),
        ([33, 20], [13, 7]),
        ([40, 23], [15, 31]),
        ([97, 31], [11, 3]),
        ([11, 6], [67, 13]),
    ];
    for (source, target) in sizes {
        cases.push((source, target, Region::whole(source)));
        let [w, h] = source.map(|size| size as f64);
        cases.push((
            source,
            target,
            Region { x: -0.3 * w, y: 0.25 * h, width: 1.7 * w, height: 0.9 * h },
        ));
    }
    cases
}

#[test]
fn every_version_equals_the_plain_one() {
    let mut values = Values::new(6);
    for (size, target, region) in cases() {
        for channels in [1, 3, 4] {
            let stride_bytes = size[0] * channels + 3;
            let bytes = values.bytes(stride_bytes * size[1]);
            // The last row ends where its pixels do: nothing behind it may be read.
            let bytes = bytes[..stride_bytes * size[1] - 3].to_vec().into_boxed_slice();
            let resize =
                Resize { source: Plane { bytes: &bytes, stride_bytes }, size, region, target };
            for way in [Way::Bilinear, Way::Area] {
                let expected = run(Kernel::plain(), way, &resize, channels, 0..target[1]);
                let first = values.below(target[1]);
                every_kernel::<ImageResizeRow>(|kernel| {
                    let name = kernel.identity().name;
                    let case =
                        format!("{name}, {way:?} {size:?} to {target:?} of {channels}, {region:?}");
                    let got = run(kernel, way, &resize, channels, 0..target[1]);
                    assert_same(&got, &expected, &case);
                    let part = run(kernel, way, &resize, channels, first..target[1]);
                    assert_same(
                        &part,
                        &expected[first * target[0] * channels..],
                        format!("{case} from {first}"),
                    );
                });
            }
        }
    }
}

fn sample(bytes: &[u8], [width, height]: [usize; 2], x: i64, y: i64) -> f64 {
    let at = |v: i64, n: usize| v.clamp(0, n as i64 - 1) as usize;
    f64::from(bytes[at(y, height) * width + at(x, width)])
}

#[test]
fn the_plain_version_is_near_exact_samples_and_means() {
    let mut values = Values::new(7);
    for (size, target, region) in cases() {
        let bytes = values.bytes(size[0] * size[1]);
        let source = Plane { bytes: &bytes, stride_bytes: size[0] };
        let resize = Resize { source, size, region, target };
        let [across, down] = [region.width / target[0] as f64, region.height / target[1] as f64];
        let bilinear = run(Kernel::plain(), Way::Bilinear, &resize, 1, 0..target[1]);
        let area = run(Kernel::plain(), Way::Area, &resize, 1, 0..target[1]);
        for j in 0..target[1] {
            for i in 0..target[0] {
                let x = region.x + (i as f64 + 0.5) * across;
                let y = region.y + (j as f64 + 0.5) * down;
                let mean = |wide: f64, high: f64| {
                    let (x0, x1, y0, y1) =
                        (x - wide / 2.0, x + wide / 2.0, y - high / 2.0, y + high / 2.0);
                    let mut sum = 0.0;
                    for py in y0.floor() as i64..y1.ceil() as i64 {
                        for px in x0.floor() as i64..x1.ceil() as i64 {
                            let over = |p: i64, a: f64, b: f64| {
                                (b.min((p + 1) as f64) - a.max(p as f64)).max(0.0)
                            };
                            sum +=
                                over(px, x0, x1) * over(py, y0, y1) * sample(&bytes, size, px, py);
                        }
                    }
                    sum / (wide * high)
                };
                let case = format!("{size:?} to {target:?}, pixel {i},{j}");
                let at = j * target[0] + i;
                let exact = mean(1.0, 1.0);
                assert!(
                    (f64::from(bilinear[at]) - exact).abs() <= 1.6,
                    "{case}: {} {exact}",
                    bilinear[at]
                );
                let (wide, high) = (across.max(1.0), down.max(1.0));
                let exact = mean(wide, high);
                let bound = 1.0 + (wide + high + 4.0) / 128.0;
                assert!(
                    (f64::from(area[at]) - exact).abs() <= bound,
                    "{case}: {} {exact}",
                    area[at]
                );
            }
        }
    }
}

#[test]
fn white_stays_white() {
    let bytes = vec![255; 90 * 40 * 3];
    let size = [90, 40];
    for target in [[7, 3], [90, 40], [200, 81]] {
        let source = Plane { bytes: &bytes, stride_bytes: 270 };
        let resize = Resize { source, size, region: Region::whole(size), target };
        for way in [Way::Bilinear, Way::Area] {
            let got = run(Kernel::plain(), way, &resize, 3, 0..target[1]);
            assert!(got.iter().all(|&byte| byte == 255), "{way:?} {target:?}");
        }
    }
}
