//! Every version of the activations does what the plain one does, in place or not.

mod harness;

use half::f16;
use harness::{Guarded, Values as Seeded, assert_near, every_kernel, widened};
use kernels::activation::{Values, Version};
use kernels::elements::Input;
use kernels::kernel::Kernel;
use kernels::math::Activation;

const COUNTS: [usize; 10] = [1, 2, 7, 8, 15, 16, 17, 31, 64, 133];

fn samples(values: &mut Seeded, count: usize) -> Vec<f32> {
    let mut x: Vec<f32> = values.f32(count).iter().map(|x| x * 9.0).collect();
    for (x, special) in x.iter_mut().zip([0.0, f32::NAN, f32::INFINITY, -70.0, 60000.0]) {
        *x = special;
    }
    x
}

/// The error of halves: `math/neon_fp16.rs`.
fn bound(activation: Activation, x: f32) -> f32 {
    match activation {
        Activation::None | Activation::Relu | Activation::Relu6 => 0.0,
        Activation::Sigmoid => 1.0 / 1024.0,
        Activation::Tanh => 2.0 / 1024.0,
        _ => 1.8 / 1024.0 * x.abs().max(1.0),
    }
}

fn run_f32(kernel: Kernel<Version>, activation: Activation, x: &[f32]) -> Vec<f32> {
    let mut y = Guarded::new(x.len(), -7.0, 1);
    kernel.run(activation, Input::F32(x), Values::F32(y.slice()));
    y.check(kernel.identity().name);
    let mut in_place = Guarded::holding(x, -7.0, 1);
    kernel.run_in_place(activation, Values::F32(in_place.slice()));
    in_place.check(kernel.identity().name);
    assert_near(in_place.values(), y.values(), |_| 0.0, kernel.identity().name);
    y.values().to_vec()
}

fn run_f16(kernel: Kernel<Version>, activation: Activation, x: &[f16]) -> Vec<f32> {
    let poison = f16::from_f32(-7.0);
    let mut y = Guarded::new(x.len(), poison, 1);
    kernel.run(activation, Input::F16(x), Values::F16(y.slice()));
    y.check(kernel.identity().name);
    let mut in_place = Guarded::holding(x, poison, 1);
    kernel.run_in_place(activation, Values::F16(in_place.slice()));
    in_place.check(kernel.identity().name);
    let y = widened(y.values());
    assert_near(&widened(in_place.values()), &y, |_| 0.0, kernel.identity().name);
    y
}

#[test]
fn every_kernel_matches_the_plain_version() {
    let mut values = Seeded::new(1);
    for count in COUNTS {
        let x = samples(&mut values, count);
        let halves: Vec<f16> = x.iter().map(|&x| f16::from_f32(x)).collect();
        for activation in Activation::ALL {
            let singles = run_f32(Kernel::plain(), activation, &x);
            let expected = run_f16(Kernel::plain(), activation, &halves);
            every_kernel::<Version>(|kernel| {
                let case = format!("{}, {activation:?} of {count}", kernel.identity().name);
                assert_near(&run_f32(kernel, activation, &x), &singles, |_| 0.0, &case);
                let is_f16 = kernel.identity().element == "f16";
                let near = |at: usize| if is_f16 { bound(activation, x[at]) } else { 0.0 };
                assert_near(&run_f16(kernel, activation, &halves), &expected, near, case);
            });
        }
    }
}

#[test]
fn prelu_has_a_slope_for_each_channel() {
    let mut values = Seeded::new(2);
    for (rows, channels) in [(1, 1), (5, 3), (4, 8), (3, 16), (3, 21), (2, 300)] {
        let (x, slopes) = (values.f32(rows * channels), values.f32(channels));
        let halves: Vec<f16> = x.iter().map(|&x| f16::from_f32(x)).collect();
        let of = |at: usize, x: f32| if x < 0.0 { x * slopes[at % channels] } else { x };
        let expected: Vec<f32> = x.iter().enumerate().map(|(at, &x)| of(at, x)).collect();
        let in_halves: Vec<f32> =
            halves.iter().enumerate().map(|(at, x)| of(at, x.to_f32())).collect();
        every_kernel::<Version>(|kernel| {
            let case = format!("{}, {rows} × {channels}", kernel.identity().name);
            let mut y = Guarded::new(x.len(), -7.0, 1);
            kernel.prelu(&slopes, Input::F32(&x), Values::F32(y.slice()));
            y.check(&case);
            assert_near(y.values(), &expected, |_| 0.0, &case);
            let mut y = Guarded::holding(&halves, f16::from_f32(-7.0), 1);
            kernel.prelu_in_place(&slopes, Values::F16(y.slice()));
            y.check(&case);
            assert_near(&widened(y.values()), &in_halves, |_| 1.0 / 1024.0, case);
        });
    }
}

#[test]
fn ranges_of_values_give_the_bits_of_the_whole() {
    let x = samples(&mut Seeded::new(3), 100);
    let halves: Vec<f16> = x.iter().map(|&x| f16::from_f32(x)).collect();
    every_kernel::<Version>(|kernel| {
        for activation in Activation::ALL {
            let whole = run_f16(kernel, activation, &halves);
            let mut parts = run_f16(kernel, activation, &halves[..13]);
            parts.extend(run_f16(kernel, activation, &halves[13..50]));
            parts.extend(run_f16(kernel, activation, &halves[50..]));
            assert_near(&parts, &whole, |_| 0.0, kernel.identity().name);
        }
    });
}
