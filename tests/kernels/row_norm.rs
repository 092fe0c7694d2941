//! What layer norm and RMS norm promise; the programs that hold this module say which of them is meant.

use crate::elements::{Given, KINDS, Kind, Results, assert_equal, in_kind};
use crate::harness::{Values, assert_near, every_kernel};
use crate::{CENTRED, RowNorm, Version};
use kernels::affine::{Affine, Modulation};
use kernels::elements::Quantization;
use kernels::kernel::Kernel;
use kernels::math::Activation;

const SHAPES: [(usize, usize); 11] = [
    (1, 1),
    (3, 2),
    (5, 7),
    (6, 31),
    (4, 32),
    (7, 33),
    (2, 71),
    (9, 96),
    (5, 100),
    (3, 320),
    (1, 4100),
];

struct Case {
    channels: usize,
    x: Vec<f32>,
    scale: Vec<f32>,
    shift: Vec<f32>,
}

impl Case {
    fn new(values: &mut Values, (rows, channels): (usize, usize)) -> Self {
        let x = values.f32(rows * channels).iter().map(|x| x * 3.0 + 0.3).collect();
        Self { channels, x, scale: values.f32(channels), shift: values.f32(channels) }
    }
    fn norm(&self, activation: Activation) -> RowNorm<'_> {
        RowNorm { epsilon: 1e-5, scale: &self.scale, shift: &self.shift, activation }
    }
    /// The exact values before scale and shift.
    fn normal(&self, x: &[f32]) -> Vec<f32> {
        let count = self.channels as f64;
        x.chunks(self.channels)
            .flat_map(|row| {
                let row: Vec<f64> = row.iter().map(|&x| f64::from(x)).collect();
                let mean = if CENTRED { row.iter().sum::<f64>() / count } else { 0.0 };
                let squares = row.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count;
                let inverse = 1.0 / (squares + 1e-5).sqrt();
                row.into_iter().map(move |x| ((x - mean) * inverse) as f32)
            })
            .collect()
    }
    /// The bound that the operation states.
    fn bound(&self, normal: &[f32], at: usize) -> f32 {
        let (scale, shift) = (self.scale[at % self.channels], self.shift[at % self.channels]);
        3.0 / 1024.0 * (1.0 + (scale * normal[at]).abs() + shift.abs())
    }
    fn compare(&self, given: &Given, activation: Activation, kind: Kind) {
        let run = |kernel: Kernel<Version>, case: &str| {
            let mut results = Results::new(kind, self.x.len());
            kernel.run(self.norm(activation), given.input(), results.output());
            results.check(case);
            results.values()
        };
        let expected = run(Kernel::plain(), "plain");
        let normal = self.normal(&given.values());
        every_kernel::<Version>(|kernel| {
            let name = kernel.identity().name;
            let case = format!("{name}, {} channels, {activation:?}, {kind:?}", self.channels);
            let got = run(kernel, &case);
            if kernel.identity().element == "f32" {
                assert_equal(&got, &expected, case);
            } else {
                assert_near(&got, &expected, |at| in_kind(self.bound(&normal, at), kind), case);
            }
        });
    }
}

#[test]
fn every_kernel_matches_the_plain_version() {
    let mut values = Values::new(1);
    for shape in SHAPES {
        let case = Case::new(&mut values, shape);
        for is_f16 in [false, true] {
            let given = Given::new(&case.x, is_f16);
            for kind in KINDS {
                for activation in [Activation::None, Activation::Silu] {
                    case.compare(&given, activation, kind);
                }
            }
            let steps = Quantization { scale: 0.002, zero_point: 5 };
            case.compare(&given, Activation::None, Kind::I8(steps));
        }
    }
}

#[test]
fn the_plain_version_is_near_the_formula() {
    let mut values = Values::new(2);
    for shape in SHAPES {
        let case = Case::new(&mut values, shape);
        let given = Given::new(&case.x, false);
        let normal = case.normal(&case.x);
        let exact: Vec<f32> = (0..case.x.len())
            .map(|at| {
                let channel = at % case.channels;
                normal[at].mul_add(case.scale[channel], case.shift[channel])
            })
            .collect();
        let mut results = Results::new(Kind::F32, case.x.len());
        let norm = case.norm(Activation::None);
        Kernel::<Version>::plain().run(norm, given.input(), results.output());
        assert_near(&results.values(), &exact, |_| 4e-6, format!("{shape:?}"));
    }
}

#[test]
fn large_and_small_values_keep_their_digits() {
    let mut values = Values::new(3);
    for (is_f16, mean, spread) in [
        (false, 1e5, 1.0),
        (true, 2000.0, 16.0),
        (true, -500.0, 100.0),
        (true, 0.0, 3e-3),
        (true, 0.0, 9000.0),
    ] {
        let mut case = Case::new(&mut values, (6, 77));
        case.x.iter_mut().for_each(|x| *x = mean + *x * spread);
        let given = Given::new(&case.x, is_f16);
        let normal = case.normal(&given.values());
        let exact: Vec<f32> = (0..case.x.len())
            .map(|at| normal[at] * case.scale[at % 77] + case.shift[at % 77])
            .collect();
        every_kernel::<Version>(|kernel| {
            let kind = if is_f16 { Kind::F16 } else { Kind::F32 };
            let mut results = Results::new(kind, case.x.len());
            kernel.run(case.norm(Activation::None), given.input(), results.output());
            let name = format!("{}, {mean} and {spread}", kernel.identity().name);
            let bound = |at| if is_f16 { case.bound(&normal, at) } else { 2e-4 };
            assert_near(&results.values(), &exact, bound, name);
        });
    }
}

#[test]
fn rows_have_steps_of_their_own() {
    let mut values = Values::new(4);
    for shape in SHAPES {
        let case = Case::new(&mut values, shape);
        for is_f16 in [false, true] {
            let given = Given::new(&case.x, is_f16);
            let run = |kernel: Kernel<Version>| {
                let (mut bytes, mut steps) = (vec![99; case.x.len()], vec![-1.0; shape.0]);
                let norm = case.norm(Activation::None);
                kernel.run_dynamic(norm, given.input(), &mut bytes, &mut steps);
                (bytes, steps)
            };
            let (expected, expected_steps) = run(Kernel::plain());
            let mut whole = Results::new(Kind::F32, case.x.len());
            let norm = case.norm(Activation::None);
            Kernel::<Version>::plain().run(norm, given.input(), whole.output());
            let exact = whole.values();
            every_kernel::<Version>(|kernel| {
                let name = format!("{}, {shape:?}", kernel.identity().name);
                let (bytes, steps) = run(kernel);
                if kernel.identity().element == "f32" {
                    assert_eq!(bytes, expected, "{name}");
                    assert_eq!(steps, expected_steps, "{name}");
                }
                for (at, &byte) in bytes.iter().enumerate() {
                    let step = steps[at / case.channels];
                    let bound =
                        step * 0.51 + if is_f16 { exact[at].abs() / 128.0 + 3e-3 } else { 1e-6 };
                    let got = f32::from(byte) * step;
                    assert!((got - exact[at]).abs() <= bound, "{name}, {at}: {got}, {}", exact[at]);
                }
            });
        }
    }
}

#[test]
fn ranges_of_rows_give_the_bits_of_the_whole() {
    let mut values = Values::new(5);
    let mut case = Case::new(&mut values, (11, 45));
    // A row whose mean is far greater than its deviation, and one that is nothing.
    case.x[3 * 45..4 * 45].iter_mut().for_each(|x| *x += 900.0);
    case.x[6 * 45..7 * 45].fill(0.0);
    for (is_f16, kind) in [false, true].into_iter().flat_map(|is| KINDS.map(|kind| (is, kind))) {
        let given = Given::new(&case.x, is_f16);
        every_kernel::<Version>(|kernel| {
            let norm = case.norm(Activation::None);
            let mut whole = Results::new(kind, case.x.len());
            kernel.run(norm, given.input(), whole.output());
            let mut parts = Results::new(kind, case.x.len());
            for rows in [8..11, 1..8, 0..1] {
                let own = rows.start * 45..rows.end * 45;
                kernel.run(norm, given.input().part(own.clone()), parts.output().part(own));
            }
            assert_equal(&parts.values(), &whole.values(), kernel.identity().name);
        });
    }
}

#[test]
fn a_row_with_nan_or_infinity_is_nan_and_others_are_not() {
    let mut values = Values::new(6);
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for place in [0, 27, 38, 64] {
            let mut case = Case::new(&mut values, (5, 65));
            case.x[2 * 65 + place] = bad;
            for (is_f16, kind) in
                [false, true].into_iter().flat_map(|is| KINDS.map(|kind| (is, kind)))
            {
                let given = Given::new(&case.x, is_f16);
                every_kernel::<Version>(|kernel| {
                    let mut results = Results::new(kind, case.x.len());
                    kernel.run(case.norm(Activation::None), given.input(), results.output());
                    for (at, value) in results.values().into_iter().enumerate() {
                        let name = kernel.identity().name;
                        let text = format!("{name}, {bad} at {place}, {kind:?}, {at}: {value}");
                        let is_bad =
                            if CENTRED || bad.is_nan() { at / 65 == 2 } else { at == 130 + place };
                        match (is_bad, kind) {
                            (true, Kind::I8(_)) => assert_eq!(value, 0.0, "{text}"),
                            (true, _) => assert!(value.is_nan(), "{text}"),
                            (false, _) => assert!(value.is_finite(), "{text}"),
                        }
                    }
                    let (mut bytes, mut steps) = (vec![99; case.x.len()], vec![-1.0; 5]);
                    let norm = case.norm(Activation::None);
                    kernel.run_dynamic(norm, given.input(), &mut bytes, &mut steps);
                    if CENTRED || bad.is_nan() {
                        assert!(steps[2].is_nan(), "{}", kernel.identity().name);
                        assert!(bytes[130..195].iter().all(|&byte| byte == 0));
                    }
                    assert!(steps[1] > 0.0 && steps[3] > 0.0);
                });
            }
        }
    }
}

#[test]
fn modulation_is_folded_into_scale_and_shift() {
    let mut values = Values::new(7);
    let case = Case::new(&mut values, (4, 40));
    let (more, on_top) = (values.f32(40), values.f32(40));
    let modulation = Some(Modulation { scale: &more, shift: &on_top });
    let affine = Affine { scale: Some(&case.scale), shift: Some(&case.shift), modulation };
    let (mut scale, mut shift) = (vec![0.0; 40], vec![0.0; 40]);
    affine.fold(&mut scale, &mut shift);
    let given = Given::new(&case.x, false);
    let run = |norm: RowNorm| {
        let mut results = Results::new(Kind::F32, case.x.len());
        Kernel::<Version>::plain().run(norm, given.input(), results.output());
        results.values()
    };
    let plain = run(case.norm(Activation::None));
    let expected: Vec<f32> = plain
        .iter()
        .enumerate()
        .map(|(at, y)| y * (1.0 + more[at % 40]) + on_top[at % 40])
        .collect();
    let norm = RowNorm { scale: &scale, shift: &shift, ..case.norm(Activation::None) };
    assert_near(&run(norm), &expected, |_| 1e-5, "modulated");
}
