//! Every version of the normalisation against plain loops.

mod harness;

use half::f16;
use harness::{Guarded, Values, assert_near, assert_same, every_kernel, widened};
use kernels::kernel::{Kernel, Row};
use kernels::normalise::{Normalisation, NormaliseRow, Target, Value};
use kernels::plane::Plane;
use std::fmt::Debug;
use std::ops::Range;

/// Below, at and above blocks of 16 pixels and of 16 bytes; primes; one.
const WIDTHS: [usize; 11] = [1, 2, 5, 7, 15, 16, 17, 31, 33, 48, 101];

fn run<T: Value + PartialEq + Debug>(
    kernel: Kernel<NormaliseRow<T>>,
    source: Plane<'_>,
    width: usize,
    rows: Range<usize>,
    line: &Normalisation,
    planar: bool,
    poison: T,
) -> Vec<T>
where
    NormaliseRow<T>: Row,
{
    let mut values = Guarded::new(rows.len() * width * 3, poison, 1);
    let planes = planar.then_some(rows.len() * width);
    let stride = if planar { width } else { width * 3 };
    let target = Target { values: values.slice(), stride, planes };
    kernel.run(source, width, rows, line, target);
    values.check(kernel.identity().name);
    values.values().to_vec()
}

fn compare<T: Value + PartialEq + Debug>(
    poison: T,
    lines: &[Normalisation],
    same: impl Fn(&[T], &[T], &[u8], &Normalisation, bool, &str),
) where
    NormaliseRow<T>: Row,
{
    let mut random = Values::new(5);
    for width in WIDTHS {
        let stride_bytes = width * 3 + 1;
        let bytes = random.bytes(stride_bytes * 3);
        let source = Plane { bytes: &bytes, stride_bytes };
        let dense: Vec<u8> =
            (0..3).flat_map(|y| &bytes[y * stride_bytes..][..width * 3]).copied().collect();
        for line in lines {
            for planar in [false, true] {
                let plain = Kernel::plain();
                let expected = run::<T>(plain, source, width, 0..3, line, planar, poison);
                every_kernel::<NormaliseRow<T>>(|kernel| {
                    let case =
                        format!("{}, width {width}, planar {planar}", kernel.identity().name);
                    let got = run(kernel, source, width, 0..3, line, planar, poison);
                    same(&got, &expected, &dense, line, planar, &case);
                    let part = run(kernel, source, width, 1..2, line, planar, poison);
                    for c in 0..3 {
                        let (whole, part) = if planar {
                            (&got[(c * 3 + 1) * width..][..width], &part[c * width..][..width])
                        } else {
                            (&got[(3 + c) * width..][..width], &part[c * width..][..width])
                        };
                        assert_same(part, whole, format!("{case}, one row"));
                    }
                });
            }
        }
    }
}

fn lines() -> [Normalisation; 2] {
    let mean = Normalisation::from_mean_and_deviation([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    [mean, Normalisation { factor: [2.0 / 255.0; 3], term: [-1.0; 3], zero_point: 0 }]
}

#[test]
fn floats_are_the_same_bits_everywhere() {
    compare::<f32>(7.5e9, &lines(), |got, expected, _, _, _, case| {
        assert_same(got, expected, case)
    });
}

#[test]
fn halves_are_within_their_bound() {
    compare::<f16>(f16::MAX, &lines(), |got, expected, source, line, planar, case| {
        if !case.contains("fp16") {
            return assert_same(got, expected, case);
        }
        let bound = |index: usize| {
            let plane = got.len() / 3;
            let (at, c) = if planar {
                (index % plane * 3, index / plane)
            } else {
                (index / 3 * 3, index % 3)
            };
            let product = (f32::from(source[at + c]) * line.factor[c]).abs();
            (product + line.term[c].abs()) * 2.0_f32.powi(-10)
        };
        assert_near(&widened(got), &widened(expected), bound, case);
    });
}

#[test]
fn bytes_are_the_same_everywhere_and_stop_at_the_ends() {
    let [mean, symmetric] = lines();
    let far = Normalisation { factor: [3e9, -3e9, 1e3], term: [-9e9, 1e3, 0.5], zero_point: 0 };
    let all = [
        mean.quantized(0.02, -7),
        symmetric.quantized(1.0 / 127.0, 127),
        // Halves: ties to even before the zero point.
        Normalisation { factor: [0.5; 3], term: [0.0; 3], zero_point: -127 },
        far,
        Normalisation { zero_point: -128, ..far },
    ];
    compare::<i8>(-99, &all, |got, expected, _, _, _, case| assert_same(got, expected, case));
}

#[test]
fn a_mean_and_a_deviation_do_what_papers_say() {
    let line = Normalisation::from_mean_and_deviation([0.5, 0.25, 0.0], [0.5, 0.25, 2.0]);
    let source = Plane { bytes: &[255, 0, 51], stride_bytes: 3 };
    let got = run::<f32>(Kernel::plain(), source, 1, 0..1, &line, false, 9.0);
    assert_near(&got, &[1.0, -1.0, 0.1], |_| 1e-6, "plain");
}
