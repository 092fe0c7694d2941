//! Every version of the colour conversion against plain loops, and those against the formulas.

mod harness;

use harness::{Guarded, Values, assert_same, every_kernel};
use kernels::kernel::Kernel;
use kernels::plane::{Plane, PlaneMut};
use kernels::yuv::{Levels, Matrix, Picture, PictureMut, Standard, YuvRow};

const ALL: [(Standard, Levels); 4] = [
    (Standard::Bt601, Levels::Limited),
    (Standard::Bt601, Levels::Full),
    (Standard::Bt709, Levels::Limited),
    (Standard::Bt709, Levels::Full),
];

/// Below, at and above the blocks of 16 and 32; odd sizes; one.
const SIZES: [[usize; 2]; 12] = [
    [1, 1],
    [2, 3],
    [5, 2],
    [15, 1],
    [16, 4],
    [31, 3],
    [32, 2],
    [33, 5],
    [47, 2],
    [63, 1],
    [64, 3],
    [97, 7],
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Format {
    Yuyv,
    Nv12,
    I420,
}

const FORMATS: [Format; 3] = [Format::Yuyv, Format::Nv12, Format::I420];

/// Bytes of a row of each plane, and rows of each.
fn planes(format: Format, [width, height]: [usize; 2]) -> Vec<[usize; 2]> {
    let (pairs, squares) = (width.div_ceil(2), height.div_ceil(2));
    match format {
        Format::Yuyv => vec![[pairs * 4, height]],
        Format::Nv12 => vec![[width, height], [pairs * 2, squares]],
        Format::I420 => vec![[width, height], [pairs, squares], [pairs, squares]],
    }
}

fn picture<'a>(format: Format, planes: &[Plane<'a>]) -> Picture<'a> {
    match format {
        Format::Yuyv => Picture::Yuyv(planes[0]),
        Format::Nv12 => Picture::Nv12 { luma: planes[0], chroma: planes[1] },
        Format::I420 => Picture::I420 { luma: planes[0], cb: planes[1], cr: planes[2] },
    }
}

fn written(
    kernel: Kernel<YuvRow>,
    format: Format,
    rgb: Plane<'_>,
    size: [usize; 2],
    matrix: &Matrix,
    rows: std::ops::Range<usize>,
    case: &str,
) -> Vec<Vec<u8>> {
    let part = [size[0], rows.len()];
    let mut outputs: Vec<_> = planes(format, part)
        .into_iter()
        .map(|[bytes, rows]| Guarded::new(bytes * rows, 0xa5_u8, 3))
        .collect();
    let mut all = outputs
        .iter_mut()
        .zip(planes(format, part))
        .map(|(output, [bytes, _])| PlaneMut { bytes: output.slice(), stride_bytes: bytes });
    let mut next = || all.next().unwrap();
    let to = match format {
        Format::Yuyv => PictureMut::Yuyv(next()),
        Format::Nv12 => PictureMut::Nv12 { luma: next(), chroma: next() },
        Format::I420 => PictureMut::I420 { luma: next(), cb: next(), cr: next() },
    };
    kernel.from_rgb(rgb, size, matrix, rows, to);
    outputs
        .iter()
        .map(|output| {
            output.check(case);
            output.values().to_vec()
        })
        .collect()
}

#[test]
fn every_version_equals_the_plain_one_both_ways() {
    let mut values = Values::new(3);
    for size @ [width, height] in SIZES {
        for (standard, levels) in ALL {
            let matrix = Matrix::new(standard, levels);
            for format in FORMATS {
                let inputs: Vec<_> = planes(format, size)
                    .into_iter()
                    .map(|[bytes, rows]| (values.bytes((bytes + 5) * rows), bytes + 5))
                    .collect();
                let inputs: Vec<_> = inputs
                    .iter()
                    .map(|(bytes, stride_bytes)| Plane { bytes, stride_bytes: *stride_bytes })
                    .collect();
                let stride_bytes = width * 3 + 7;
                let bytes = values.bytes(stride_bytes * height);
                let source = Plane { bytes: &bytes, stride_bytes };
                let first = values.below(height + 1) / 2 * 2;
                let rgb = |kernel: Kernel<YuvRow>, rows: std::ops::Range<usize>, case: &str| {
                    let mut rgb = Guarded::new(rows.len() * width * 3, 0xa5_u8, 1);
                    let to = PlaneMut { bytes: rgb.slice(), stride_bytes: width * 3 };
                    kernel.to_rgb(picture(format, &inputs), size, &matrix, rows, to);
                    rgb.check(case);
                    rgb.values().to_vec()
                };
                let plain = Kernel::<YuvRow>::plain();
                let expected = rgb(plain, 0..height, "plain");
                let back = written(plain, format, source, size, &matrix, 0..height, "plain");
                every_kernel::<YuvRow>(|kernel| {
                    let case = format!(
                        "{}, {format:?} {width}x{height}, {standard:?} {levels:?}",
                        kernel.identity().name
                    );
                    assert_same(&rgb(kernel, 0..height, &case), &expected, &case);
                    let part = rgb(kernel, first..height, &case);
                    assert_same(
                        &part,
                        &expected[first * width * 3..],
                        format!("{case} from {first}"),
                    );
                    let got = written(kernel, format, source, size, &matrix, 0..height, &case);
                    let part = written(kernel, format, source, size, &matrix, first..height, &case);
                    for (plane, [bytes, _]) in planes(format, size).into_iter().enumerate() {
                        let case = format!("{case}, plane {plane}");
                        assert_same(&got[plane], &back[plane], &case);
                        let skipped = if plane == 0 { first } else { first / 2 } * bytes;
                        assert_same(&part[plane], &back[plane][skipped..], format!("{case}, part"));
                    }
                });
            }
        }
    }
}

#[test]
fn strides_are_kept_and_what_lies_between_rows_stays() {
    let yuyv = Values::new(4).bytes(40 * 4 * 3);
    every_kernel::<YuvRow>(|kernel| {
        let mut rgb = Guarded::new(130 * 2 + 99, 0xa5_u8, 0);
        let to = PlaneMut { bytes: rgb.slice(), stride_bytes: 130 };
        let from = Plane { bytes: &yuyv, stride_bytes: 160 };
        let matrix = Matrix::new(Standard::Bt601, Levels::Limited);
        kernel.to_rgb(Picture::Yuyv(from), [33, 3], &matrix, 0..3, to);
        for row in 0..2 {
            let between = &rgb.values()[row * 130 + 99..(row + 1) * 130];
            assert!(between.iter().all(|&byte| byte == 0xa5), "{}", kernel.identity().name);
        }
        rgb.check(kernel.identity().name);
    });
}

/// `kr` and `kb` in the formulas of the standards.
fn weights(standard: Standard) -> [f64; 2] {
    match standard {
        Standard::Bt601 => [0.299, 0.114],
        Standard::Bt709 => [0.2126, 0.0722],
    }
}

fn near(got: u8, exact: f64, case: &str) {
    let exact = exact.round().clamp(0.0, 255.0);
    assert!((f64::from(got) - exact).abs() <= 1.0, "{case}: {got}, exactly {exact}");
}

#[test]
fn the_plain_version_is_within_one_of_the_formulas() {
    for (standard, levels) in ALL {
        let matrix = Matrix::new(standard, levels);
        let [kr, kb] = weights(standard);
        let kg = 1.0 - kr - kb;
        let (black, luma_range, chroma_range) = match levels {
            Levels::Limited => (16.0, 219.0, 224.0),
            Levels::Full => (0.0, 255.0, 255.0),
        };
        let steps = || (0..=255_u8).step_by(15);
        for y in 0..=255_u8 {
            for (cb, cr) in steps().flat_map(|cb| steps().map(move |cr| (cb, cr))) {
                let mut rgb = [0; 6];
                let to = PlaneMut { bytes: &mut rgb, stride_bytes: 6 };
                let from = Plane { bytes: &[y, cb, y, cr], stride_bytes: 4 };
                Kernel::plain().to_rgb(Picture::Yuyv(from), [2, 1], &matrix, 0..1, to);
                let luma = (f64::from(y) - black) / luma_range * 255.0;
                let [u, v] = [cb, cr].map(|c| (f64::from(c) - 128.0) / chroma_range * 255.0);
                let case = format!("{standard:?} {levels:?} of {y} {cb} {cr}");
                near(rgb[0], luma + 2.0 * (1.0 - kr) * v, &case);
                let green = luma - 2.0 * kb * (1.0 - kb) / kg * u - 2.0 * kr * (1.0 - kr) / kg * v;
                near(rgb[1], green, &case);
                near(rgb[2], luma + 2.0 * (1.0 - kb) * u, &case);
            }
        }
        for (r, g) in steps().flat_map(|r| steps().map(move |g| (r, g))) {
            for b in steps() {
                let mut yuyv = [0; 4];
                let to = PictureMut::Yuyv(PlaneMut { bytes: &mut yuyv, stride_bytes: 4 });
                let from = Plane { bytes: &[r, g, b], stride_bytes: 3 };
                Kernel::plain().from_rgb(from, [1, 1], &matrix, 0..1, to);
                let [red, green, blue] = [r, g, b].map(f64::from);
                let y = kr * red + kg * green + kb * blue;
                let case = format!("{standard:?} {levels:?} of {r} {g} {b}");
                near(yuyv[0], y / 255.0 * luma_range + black, &case);
                assert_eq!(yuyv[0], yuyv[2], "{case}");
                let chroma =
                    |c: f64, k: f64| (c - y) / (2.0 - 2.0 * k) / 255.0 * chroma_range + 128.0;
                near(yuyv[1], chroma(blue, kb), &case);
                near(yuyv[3], chroma(red, kr), &case);
            }
        }
    }
}

#[test]
fn black_white_and_grey_stay_what_they_are() {
    for (standard, levels) in ALL {
        let matrix = Matrix::new(standard, levels);
        let (black, white) = if levels == Levels::Limited { (16, 235) } else { (0, 255) };
        let mut yuyv = [0; 4];
        let from = Plane { bytes: &[0, 0, 0, 255, 255, 255], stride_bytes: 6 };
        let to = PictureMut::Yuyv(PlaneMut { bytes: &mut yuyv, stride_bytes: 4 });
        Kernel::plain().from_rgb(from, [2, 1], &matrix, 0..1, to);
        assert_eq!(yuyv, [black, 128, white, 128], "{standard:?} {levels:?}");
        let mut rgb = [1; 6];
        let to = PlaneMut { bytes: &mut rgb, stride_bytes: 6 };
        let from = Plane { bytes: &yuyv, stride_bytes: 4 };
        Kernel::plain().to_rgb(Picture::Yuyv(from), [2, 1], &matrix, 0..1, to);
        assert_eq!(rgb, [0, 0, 0, 255, 255, 255], "{standard:?} {levels:?}");
    }
}
