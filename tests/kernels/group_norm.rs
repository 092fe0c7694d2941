//! Every version of group norm does what the plain one does; how rows are shared changes nothing.

mod elements;
mod harness;

use elements::{Given, KINDS, Kind, Results, STEPS, assert_equal, in_kind};
use harness::{Values, assert_near, every_kernel};
use kernels::affine::{Affine, Modulation};
use kernels::elements::{Input, Quantization};
use kernels::group_norm::{BLOCK, GroupNorm, Version};
use kernels::kernel::Kernel;
use kernels::math::Activation;

const SHAPES: [(usize, usize, usize); 10] = [
    (1, 1, 1),
    (7, 8, 2),
    (13, 33, 3),
    (9, 35, 7),
    (BLOCK + 1, 10, 5),
    (2 * BLOCK + 7, 6, 3),
    (5, 64, 32),
    (64, 40, 4),
    (67, 16, 2),
    (3, 520, 4),
];

fn norm((rows, channels, groups): (usize, usize, usize)) -> GroupNorm {
    GroupNorm { rows, channels, groups, epsilon: 1e-5 }
}

/// The coefficients by the plain version.
fn coefficients(norm: GroupNorm, affine: Affine, image: Input) -> Vec<f32> {
    let mut sums = vec![0.0; norm.sums_length()];
    Kernel::<Version>::plain().sums(norm, image, 0..norm.blocks(), &mut sums);
    let mut coefficients = vec![0.0; norm.coefficients_length()];
    norm.fold(image.part(0..norm.channels), &sums, affine, &mut coefficients);
    coefficients
}

/// The bound that the operation states.
fn bound(coefficients: &[f32], x: &[f32], at: usize) -> f32 {
    let channels = coefficients.len() / 3;
    let [centre, factor, term] =
        [0, 1, 2].map(|part| coefficients[part * channels + at % channels]);
    3.0 / 1024.0 * (1.0 + (factor * (x[at] - centre)).abs() + term.abs())
}

fn compare(norm: GroupNorm, affine: Affine, activation: Activation, given: &Given, kind: Kind) {
    let count = given.values().len();
    let run = |kernel: Kernel<Version>, case: &str| {
        let mut results = Results::new(kind, count);
        let mut scratch = vec![f32::NAN; norm.scratch_length()];
        kernel.run(norm, affine, activation, given.input(), &mut scratch, results.output());
        results.check(case);
        results.values()
    };
    let expected = run(Kernel::plain(), "plain");
    let coefficients = coefficients(norm, Affine { modulation: None, ..affine }, given.input());
    let x = given.values();
    every_kernel::<Version>(|kernel| {
        let case = format!("{}, {norm:?}, {activation:?}, {kind:?}", kernel.identity().name);
        let got = run(kernel, &case);
        if kernel.identity().element == "f32" {
            assert_equal(&got, &expected, case);
        } else {
            assert_near(&got, &expected, |at| in_kind(bound(&coefficients, &x, at), kind), case);
        }
    });
}

#[test]
fn every_kernel_matches_the_plain_version() {
    let mut values = Values::new(1);
    for shape in SHAPES {
        let norm = norm(shape);
        let x = values.f32(norm.rows * norm.channels);
        let (scale, shift) = (values.f32(norm.channels), values.f32(norm.channels));
        let affine = Affine { scale: Some(&scale), shift: Some(&shift), modulation: None };
        for is_f16 in [false, true] {
            let given = Given::new(&x, is_f16);
            for kind in KINDS {
                for activation in [Activation::None, Activation::Silu, Activation::GeluTanh] {
                    compare(norm, affine, activation, &given, kind);
                }
            }
        }
    }
}

#[test]
fn every_kernel_saturates_and_takes_any_step() {
    let mut values = Values::new(2);
    let norm = norm((20, 48, 3));
    let x: Vec<f32> =
        values.f32(norm.rows * norm.channels).iter().map(|x| x * x * x * 9.0).collect();
    let scale: Vec<f32> = values.f32(norm.channels).iter().map(|x| x * 20.0).collect();
    let shift: Vec<f32> = values.f32(norm.channels).iter().map(|x| x * 3.0).collect();
    let affine = Affine { scale: Some(&scale), shift: Some(&shift), modulation: None };
    let given = Given::new(&x, true);
    for scale in [1e-4, 0.004, 0.02, 0.3, 1.0, 30.0] {
        for zero_point in [-128, 127] {
            let kind = Kind::I8(Quantization { scale, zero_point });
            for activation in [Activation::None, Activation::Silu] {
                compare(norm, affine, activation, &given, kind);
            }
        }
    }
}

#[test]
fn a_mean_far_greater_than_the_deviation_costs_no_digits() {
    let mut values = Values::new(3);
    let norm = GroupNorm { rows: BLOCK + 44, channels: 12, groups: 3, epsilon: 1e-6 };
    for (is_f16, mean, spread, bound) in [(false, 1e5, 1.0, 1e-4), (true, 2000.0, 16.0, 0.012)] {
        let noise = values.f32(norm.rows * norm.channels);
        let given =
            Given::new(&noise.iter().map(|x| mean + x * spread).collect::<Vec<_>>(), is_f16);
        let x = given.values();
        let exact: Vec<f32> = (0..x.len())
            .map(|at| {
                let group = at % norm.channels / 4;
                let own = |other: usize| other % norm.channels / 4 == group;
                let all = || (0..x.len()).filter(|&at| own(at)).map(|at| f64::from(x[at]));
                let count = all().count() as f64;
                let mean = all().sum::<f64>() / count;
                let variance = all().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count;
                ((f64::from(x[at]) - mean) / (variance + 1e-6).sqrt()) as f32
            })
            .take(60)
            .collect();
        every_kernel::<Version>(|kernel| {
            let mut results = Results::new(if is_f16 { Kind::F16 } else { Kind::F32 }, x.len());
            let mut scratch = vec![0.0; norm.scratch_length()];
            let (affine, output) = (Affine::default(), results.output());
            kernel.run(norm, affine, Activation::None, given.input(), &mut scratch, output);
            let case = format!("{}, mean {mean}", kernel.identity().name);
            assert_near(&results.values()[..60], &exact, |_| bound, case);
        });
    }
}

#[test]
fn ranges_of_rows_give_the_bits_of_the_whole() {
    let mut values = Values::new(4);
    let norm = norm((2 * BLOCK + 25, 9, 3));
    let x = values.f32(norm.rows * norm.channels);
    for is_f16 in [false, true] {
        let given = Given::new(&x, is_f16);
        let image = given.input();
        every_kernel::<Version>(|kernel| {
            let case = kernel.identity().name;
            let mut whole = Results::new(Kind::I8(STEPS), x.len());
            let mut scratch = vec![0.0; norm.scratch_length()];
            let affine = Affine::default();
            kernel.run(norm, affine, Activation::Silu, image, &mut scratch, whole.output());

            let mut sums = vec![0.0; norm.sums_length()];
            let (first, last) = sums.split_at_mut(2 * norm.channels);
            kernel.sums(norm, image, 1..norm.blocks(), last);
            kernel.sums(norm, image, 0..1, first);
            let mut coefficients = vec![0.0; norm.coefficients_length()];
            norm.fold(image.part(0..norm.channels), &sums, affine, &mut coefficients);
            let mut parts = Results::new(Kind::I8(STEPS), x.len());
            for rows in [300..norm.rows, 1..300, 0..1] {
                let own = rows.start * norm.channels..rows.end * norm.channels;
                let (rows, mut output) = (image.part(own.clone()), parts.output());
                kernel.apply(norm, &coefficients, Activation::Silu, rows, output.part(own));
            }
            assert_equal(&parts.values(), &whole.values(), case);
        });
    }
}

#[test]
fn a_batch_is_its_images_each_with_its_modulation() {
    let mut values = Values::new(5);
    let norm = norm((11, 24, 4));
    let size = norm.rows * norm.channels;
    let x = values.f32(3 * size);
    let (scale, shift) = (values.f32(3 * norm.channels), values.f32(3 * norm.channels));
    let own = values.f32(norm.channels);
    for is_f16 in [false, true] {
        let given = Given::new(&x, is_f16);
        every_kernel::<Version>(|kernel| {
            let mut scratch = vec![0.0; norm.scratch_length()];
            let mut run = |scale, shift, images, results: &mut Results| {
                let modulation = Some(Modulation { scale, shift });
                let affine = Affine { scale: Some(&own), shift: None, modulation };
                let activation = Activation::None;
                kernel.run(norm, affine, activation, images, &mut scratch, results.output());
            };
            let mut batch = Results::new(Kind::F16, x.len());
            run(&scale, &shift, given.input(), &mut batch);
            for index in 0..3 {
                let mut one = Results::new(Kind::F16, size);
                let channels = index * norm.channels..(index + 1) * norm.channels;
                let image = given.input().part(index * size..(index + 1) * size);
                run(&scale[channels.clone()], &shift[channels], image, &mut one);
                let case = format!("{}, image {index}", kernel.identity().name);
                assert_equal(&batch.values()[index * size..][..size], &one.values(), case);
            }
        });
    }
}

#[test]
fn a_group_with_nan_or_infinity_is_nan_and_others_are_not() {
    let mut values = Values::new(6);
    let norm = norm((20, 32, 2));
    let clean = values.f32(norm.rows * norm.channels);
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut x = clean.clone();
        x[7 * norm.channels + 3] = bad;
        for (is_f16, kind) in [false, true].into_iter().flat_map(|is| KINDS.map(|kind| (is, kind)))
        {
            let given = Given::new(&x, is_f16);
            every_kernel::<Version>(|kernel| {
                let mut results = Results::new(kind, x.len());
                let mut scratch = vec![0.0; norm.scratch_length()];
                let (affine, output) = (Affine::default(), results.output());
                kernel.run(norm, affine, Activation::Silu, given.input(), &mut scratch, output);
                for (at, value) in results.values().into_iter().enumerate() {
                    let case = format!("{}, {kind:?}, {at}: {value}", kernel.identity().name);
                    match (at % norm.channels < 16, kind) {
                        (true, Kind::I8(_)) => assert_eq!(value, 0.0, "{case}"),
                        (true, _) => assert!(value.is_nan(), "{case}"),
                        (false, _) => assert!(value.is_finite() && value.abs() < 128.0, "{case}"),
                    }
                }
            });
        }
    }
}
