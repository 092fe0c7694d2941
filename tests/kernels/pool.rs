//! Every version of pooling against plain loops and the definition.

mod harness;

use half::f16;
use harness::{Guarded, Values, assert_near, assert_same, every_kernel};
use kernels::kernel::{Kernel, Row};
use kernels::pool::{Counted, PoolRow, Window};
use kernels::stored::Stored;
use std::ops::Range;

#[derive(Clone, Copy, Debug)]
enum Way {
    Greatest,
    Mean(Counted),
}

const WAYS: [Way; 3] = [Way::Greatest, Way::Mean(Counted::Inside), Way::Mean(Counted::Window)];

fn windows() -> Vec<Window> {
    let mut windows = Vec::new();
    for (size, channels, kernel, stride, dilation, padding) in [
        ([1, 1], 1, [1, 1], [1, 1], [1, 1], [0, 0, 0, 0]),
        ([5, 7], 3, [2, 2], [2, 2], [1, 1], [0, 0, 0, 0]),
        ([6, 6], 8, [3, 3], [2, 2], [1, 1], [1, 1, 1, 1]),
        ([9, 4], 17, [3, 2], [1, 3], [2, 1], [2, 0, 1, 1]),
        ([4, 5], 33, [3, 3], [1, 1], [1, 2], [1, 2, 1, 2]),
        ([7, 3], 40, [5, 1], [3, 1], [1, 1], [4, 0, 0, 0]),
    ] {
        windows.push(Window { size, channels, kernel, stride, dilation, padding });
        windows.push(Window::whole(size, channels));
    }
    windows
}

fn run<T: Stored>(
    kernel: Kernel<PoolRow<T>>,
    way: Way,
    window: &Window,
    from: &[T],
    rows: Range<usize>,
) -> Vec<T>
where
    PoolRow<T>: Row,
{
    let mut to =
        Guarded::new(rows.len() * window.size_to()[1] * window.channels, T::nearest(99.0), 1);
    match way {
        Way::Greatest => kernel.greatest(window, from, rows, to.slice()),
        Way::Mean(counted) => kernel.mean(window, counted, from, rows, to.slice()),
    }
    to.check(kernel.identity().name);
    to.values().to_vec()
}

fn by_definition<T: Stored>(way: Way, window: &Window, from: &[T]) -> Vec<f32> {
    let ([height, width], channels) = (window.size_to(), window.channels);
    let mut all = Vec::new();
    for index in 0..height * width * channels {
        let (c, x, y) = (index % channels, index / channels % width, index / channels / width);
        let mut seen = Vec::new();
        for r in 0..window.kernel[0] {
            for s in 0..window.kernel[1] {
                let at = |i: usize, tap: usize, axis: usize| {
                    (i * window.stride[axis] + tap * window.dilation[axis]) as i64
                        - window.padding[axis] as i64
                };
                let (py, px) = (at(y, r, 0), at(x, s, 1));
                if (0..window.size[0] as i64).contains(&py)
                    && (0..window.size[1] as i64).contains(&px)
                {
                    let pixel = py as usize * window.size[1] + px as usize;
                    seen.push(f64::from(from[pixel * channels + c].value()));
                }
            }
        }
        let count = match way {
            Way::Mean(Counted::Window) => window.kernel[0] * window.kernel[1],
            _ => seen.len(),
        };
        let value = match way {
            Way::Greatest => seen.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            Way::Mean(_) => seen.iter().sum::<f64>() / count as f64,
        };
        all.push(value as f32);
    }
    all
}

fn compare<T: Stored>(scale: f32, precision: f32)
where
    PoolRow<T>: Row,
{
    let mut values = Values::new(26);
    for window in windows() {
        let count = window.size[0] * window.size[1] * window.channels;
        let from: Vec<T> = values.f32(count).iter().map(|v| T::nearest(v * scale)).collect();
        for way in WAYS {
            let height = window.size_to()[0];
            let expected = run(Kernel::plain(), way, &window, &from, 0..height);
            let got: Vec<f32> = expected.iter().map(|value| value.value()).collect();
            let exact = by_definition(way, &window, &from);
            assert_near(&got, &exact, |_| precision, format!("plain, {way:?} {window:?}"));
            every_kernel::<PoolRow<T>>(|kernel| {
                let case = format!("{}, {way:?} {window:?}", kernel.identity().name);
                assert_same(&run(kernel, way, &window, &from, 0..height), &expected, &case);
                let first = height / 2;
                let row = window.size_to()[1] * window.channels;
                let part = run(kernel, way, &window, &from, first..height);
                assert_same(&part, &expected[first * row..], format!("{case}, part"));
            });
        }
    }
}

#[test]
fn every_version_pools_as_defined() {
    compare::<f32>(1.0, 1e-6);
    compare::<f16>(1.0, 1e-3);
    compare::<i8>(127.0, 0.51);
}

#[test]
#[should_panic(expected = "outside of the source")]
fn a_window_of_padding_only_is_refused() {
    let window = Window { padding: [9, 0, 0, 0], kernel: [2, 1], ..Window::whole([3, 3], 1) };
    let mut to = vec![0.0_f32; window.size_to()[0] * window.size_to()[1]];
    Kernel::plain().greatest(&window, &[0.0; 9], 0..window.size_to()[0], &mut to);
}
