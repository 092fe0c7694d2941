//! Every version of the resize of feature maps against plain loops and positions worked out by hand.

mod harness;

use half::f16;
use harness::{Guarded, Values, assert_near, assert_same, every_kernel};
use kernels::interpolate::{Convention, InterpolateRow, Sizes, nearest};
use kernels::kernel::{Kernel, Row};
use kernels::stored::Stored;
use std::ops::Range;

const CONVENTIONS: [Convention; 3] =
    [Convention::HalfPixel, Convention::AlignCorners, Convention::Asymmetric];

/// Height and width of source and target, channels.
const SIZES: [([usize; 2], [usize; 2], usize); 8] = [
    ([1, 1], [1, 1], 1),
    ([1, 1], [3, 4], 5),
    ([2, 3], [4, 6], 8),
    ([5, 4], [3, 7], 3),
    ([4, 4], [8, 8], 17),
    ([7, 5], [1, 1], 9),
    ([6, 9], [6, 9], 33),
    ([3, 8], [11, 5], 16),
];

fn run<T: Stored>(
    kernel: Kernel<InterpolateRow<T>>,
    sizes: Sizes,
    convention: Convention,
    from: &[T],
    rows: Range<usize>,
) -> Vec<T>
where
    InterpolateRow<T>: Row,
{
    let mut to = Guarded::new(rows.len() * sizes.to[1] * sizes.channels, T::nearest(99.0), 1);
    kernel.bilinear(sizes, convention, from, rows, to.slice());
    to.check(kernel.identity().name);
    to.values().to_vec()
}

fn compare<T: Stored>(scale: f32, precision: f32)
where
    InterpolateRow<T>: Row,
{
    let mut values = Values::new(25);
    for (from_size, to_size, channels) in SIZES {
        let sizes = Sizes { from: from_size, to: to_size, channels };
        let count = from_size[0] * from_size[1] * channels;
        let from: Vec<T> = values.f32(count).iter().map(|v| T::nearest(v * scale)).collect();
        for convention in CONVENTIONS {
            let expected = run(Kernel::plain(), sizes, convention, &from, 0..to_size[0]);
            let position = |i: usize, axis: usize| {
                let (i, s, n) = (i as f64, from_size[axis] as f64, to_size[axis] as f64);
                let position = match convention {
                    Convention::HalfPixel => (i + 0.5) * (s / n) - 0.5,
                    Convention::AlignCorners => i * (s - 1.0) / (n - 1.0).max(1.0),
                    Convention::Asymmetric => i * (s / n),
                };
                position.clamp(0.0, s - 1.0)
            };
            let exact: Vec<f32> = (0..expected.len())
                .map(|index| {
                    let (c, x, y) = (
                        index % channels,
                        index / channels % to_size[1],
                        index / channels / to_size[1],
                    );
                    let (px, py) = (position(x, 1), position(y, 0));
                    let read = |y: f64, x: f64| {
                        let (y, x) =
                            (y.min(from_size[0] as f64 - 1.0), x.min(from_size[1] as f64 - 1.0));
                        f64::from(
                            from[(y as usize * from_size[1] + x as usize) * channels + c].value(),
                        )
                    };
                    let (fx, fy) = (px.floor(), py.floor());
                    let (u, v) = (px - fx, py - fy);
                    let top = read(fy, fx) * (1.0 - u) + read(fy, fx + 1.0) * u;
                    let bottom = read(fy + 1.0, fx) * (1.0 - u) + read(fy + 1.0, fx + 1.0) * u;
                    (top * (1.0 - v) + bottom * v) as f32
                })
                .collect();
            let got: Vec<f32> = expected.iter().map(|value| value.value()).collect();
            assert_near(&got, &exact, |_| precision, format!("plain, {sizes:?} {convention:?}"));
            every_kernel::<InterpolateRow<T>>(|kernel| {
                let case = format!("{}, {sizes:?} {convention:?}", kernel.identity().name);
                let got = run(kernel, sizes, convention, &from, 0..to_size[0]);
                assert_same(&got, &expected, &case);
                let first = to_size[0] / 2;
                let part = run(kernel, sizes, convention, &from, first..to_size[0]);
                assert_same(
                    &part,
                    &expected[first * to_size[1] * channels..],
                    format!("{case}, part"),
                );
            });
        }
    }
}

#[test]
fn every_version_is_bilinear() {
    compare::<f32>(1.0, 1e-6);
    compare::<f16>(1.0, 1e-3);
    compare::<i8>(127.0, 0.51);
}

#[test]
fn nearest_copies_the_pixels_that_each_convention_names() {
    let picked = |convention, from: usize, to: usize| {
        let sizes = Sizes { from: [1, from], to: [1, to], channels: 1 };
        let source: Vec<usize> = (0..from).collect();
        let mut target = vec![99; to];
        nearest(sizes, convention, &source, 0..1, &mut target);
        target
    };
    assert_eq!(picked(Convention::HalfPixel, 3, 6), [0, 0, 1, 1, 2, 2]);
    assert_eq!(picked(Convention::Asymmetric, 3, 6), [0, 0, 1, 1, 2, 2]);
    assert_eq!(picked(Convention::AlignCorners, 3, 5), [0, 0, 1, 1, 2]);
    assert_eq!(picked(Convention::HalfPixel, 6, 3), [0, 2, 4]);
    assert_eq!(picked(Convention::Asymmetric, 6, 3), [0, 2, 4]);
    assert_eq!(picked(Convention::AlignCorners, 6, 3), [0, 2, 5]);
}
