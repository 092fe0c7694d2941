//! Every version of softmax does what the plain one does, masks and long tails included.

mod elements;
mod harness;

use elements::{Given, Kind, Results, assert_equal};
use harness::{Values, assert_near, every_kernel};
use kernels::kernel::Kernel;
use kernels::softmax::{Softmax, Version};

const SHAPES: [(usize, usize); 11] = [
    (1, 1),
    (3, 2),
    (4, 7),
    (2, 15),
    (3, 16),
    (2, 31),
    (5, 32),
    (3, 33),
    (2, 64),
    (4, 97),
    (2, 768),
];

fn run(kernel: Kernel<Version>, softmax: Softmax, given: &Given, kind: Kind) -> Vec<f32> {
    let mut results = Results::new(kind, given.values().len());
    kernel.run(softmax, given.input(), results.output());
    results.check(kernel.identity().name);
    results.values()
}

fn compare(softmax: Softmax, given: &Given, kind: Kind) {
    let expected = run(Kernel::plain(), softmax, given, kind);
    every_kernel::<Version>(|kernel| {
        let case = format!("{}, {softmax:?}, {kind:?}", kernel.identity().name);
        let got = run(kernel, softmax, given, kind);
        if kernel.identity().element == "f32" {
            assert_equal(&got, &expected, case);
        } else {
            let bound = |at: usize| expected[at] / 256.0 + 1.0 / 4096.0;
            assert_near(&got, &expected, bound, case);
        }
    });
}

#[test]
fn every_kernel_matches_the_plain_version() {
    let mut values = Values::new(1);
    for (rows, columns) in SHAPES {
        for (size, scale) in [(1.0, 1.0), (30.0, 0.125), (12.0, 1.0), (500.0, 3.0), (9.0, 1e-3)] {
            let x: Vec<f32> = values.f32(rows * columns).iter().map(|x| x * size).collect();
            for is_f16 in [false, true] {
                let given = Given::new(&x, is_f16);
                for kind in [Kind::F32, Kind::F16] {
                    compare(Softmax { columns, scale }, &given, kind);
                }
            }
        }
    }
}

#[test]
fn the_plain_version_is_near_the_formula_and_adds_up_to_one() {
    let mut values = Values::new(2);
    for (rows, columns) in SHAPES {
        let x: Vec<f32> = values.f32(rows * columns).iter().map(|x| x * 8.0).collect();
        let softmax = Softmax { columns, scale: 0.7 };
        let exact: Vec<f32> = x
            .chunks(columns)
            .flat_map(|row| {
                let powers: Vec<f64> = row.iter().map(|&x| (f64::from(x) * 0.7).exp()).collect();
                let sum: f64 = powers.iter().sum();
                powers.into_iter().map(move |power| (power / sum) as f32)
            })
            .collect();
        let got = run(Kernel::plain(), softmax, &Given::new(&x, false), Kind::F32);
        assert_near(&got, &exact, |at| 4e-6 * exact[at] + 1e-9, format!("{rows} × {columns}"));
    }
}

#[test]
fn a_long_tail_of_small_shares_keeps_its_weight() {
    let columns = 3000;
    let mut x = vec![-11.0; columns];
    x[1234] = 0.0;
    let given = Given::new(&x, true);
    let exact = 1.0 / (1.0 + 2999.0 * (-11.0_f32).exp());
    every_kernel::<Version>(|kernel| {
        let got = run(kernel, Softmax { columns, scale: 1.0 }, &given, Kind::F16)[1234];
        assert!((got - exact).abs() < 2e-3, "{}: {got}, exactly {exact}", kernel.identity().name);
    });
}

#[test]
fn infinities_and_nan_are_as_stated() {
    let mut values = Values::new(3);
    let columns = 45;
    let mut x = values.f32(6 * columns);
    let at = |row: usize, column: usize| row * columns + column;
    x[at(0, 3)] = f32::NEG_INFINITY;
    x[at(0, 44)] = f32::NEG_INFINITY;
    x[at(1, 40)] = f32::INFINITY;
    x[at(2, 7)] = f32::NAN;
    x[at(3, 44)] = f32::NAN;
    x[at(4, 0)..at(5, 0)].fill(f32::NEG_INFINITY);
    for is_f16 in [false, true] {
        let given = Given::new(&x, is_f16);
        for kind in [Kind::F32, Kind::F16] {
            compare(Softmax { columns, scale: 1.0 }, &given, kind);
            every_kernel::<Version>(|kernel| {
                let name = kernel.identity().name;
                let got = run(kernel, Softmax { columns, scale: 1.0 }, &given, kind);
                assert_eq!((got[at(0, 3)], got[at(0, 44)]), (0.0, 0.0), "{name}");
                for row in 0..6 {
                    let is_nan = (1..5).contains(&row);
                    let all = &got[at(row, 0)..at(row + 1, 0)];
                    assert!(all.iter().all(|y| y.is_nan() == is_nan), "{name}, row {row}");
                }
            });
        }
    }
}

#[test]
fn ranges_of_rows_give_the_bits_of_the_whole() {
    let columns = 77;
    let x: Vec<f32> = Values::new(4).f32(5 * columns).iter().map(|x| x * 6.0).collect();
    let softmax = Softmax { columns, scale: 0.5 };
    for (is_f16, kind) in [(false, Kind::F32), (true, Kind::F16)] {
        every_kernel::<Version>(|kernel| {
            let whole = run(kernel, softmax, &Given::new(&x, is_f16), kind);
            let mut parts = run(kernel, softmax, &Given::new(&x[..2 * columns], is_f16), kind);
            parts.extend(run(kernel, softmax, &Given::new(&x[2 * columns..], is_f16), kind));
            assert_equal(&parts, &whole, kernel.identity().name);
        });
    }
}

#[test]
fn rows_may_be_longer_than_halves_can_share_one_among() {
    let columns = 16_411;
    let x = Values::new(5).f32(columns);
    for kind in [Kind::F32, Kind::F16] {
        compare(Softmax { columns, scale: 1.0 }, &Given::new(&x, true), kind);
    }
}
