//! Every version of a gate does what the plain one does, however its two halves lie.

mod elements;
mod harness;

use elements::{Given, KINDS, Kind, Results, assert_equal, in_kind};
use harness::{Guarded, Values, assert_near, every_kernel};
use kernels::elements::{Input, Quantization};
use kernels::gated::{Gated, Quantized, Version};
use kernels::kernel::Kernel;
use kernels::math::Activation;

/// The bound that the operation states.
fn bound(activation: Activation, value: f32, gate: f32, y: f32) -> f32 {
    let of_gate = if activation == Activation::Tanh { 2.0 / 1024.0 } else { 1.5 / 1024.0 };
    value.abs() * of_gate * gate.abs().max(1.0) + y.abs() / 2048.0 + 1e-7
}

fn compare(rows: usize, gated: Gated, value: &Given, gate: &Given, kind: Kind) {
    let columns = gated.columns;
    let run = |kernel: Kernel<Version>| {
        let mut results = Results::new(kind, rows * columns);
        kernel.run(gated, value.input(), gate.input(), results.output());
        results.check(kernel.identity().name);
        results.values()
    };
    let expected = run(Kernel::plain());
    let (values, gates) = (value.values(), gate.values());
    every_kernel::<Version>(|kernel| {
        let case = format!("{}, {rows} rows, {gated:?}, {kind:?}", kernel.identity().name);
        let got = run(kernel);
        if kernel.identity().element == "f32" {
            assert_equal(&got, &expected, case);
        } else {
            let near = |at: usize| {
                let (row, column) = (at / columns, at % columns);
                let value = values[row * gated.value_stride + column];
                let gate = gates[row * gated.gate_stride + column];
                let y = value * gated.activation.of(gate);
                // A step of int8 is rounded after the value was.
                let more = if matches!(kind, Kind::I8(_)) { 2.0 } else { 1.0 };
                in_kind(more * bound(gated.activation, value, gate, y), kind)
            };
            assert_near(&got, &expected, near, case);
        }
    });
}

#[test]
fn every_kernel_matches_the_plain_version() {
    let mut values = Values::new(1);
    for (rows, columns) in [(1, 1), (3, 7), (2, 8), (4, 15), (3, 16), (2, 17), (5, 40), (2, 133)] {
        for activation in Activation::ALL {
            for is_f16 in [false, true] {
                let both: Vec<f32> =
                    values.f32(2 * rows * columns).iter().map(|x| x * 5.0).collect();
                let value = Given::new(&both, is_f16);
                let gate = Given::new(&both[columns..], is_f16);
                let stride = 2 * columns;
                let gated =
                    Gated { columns, value_stride: stride, gate_stride: stride, activation };
                for kind in KINDS {
                    compare(rows, gated, &value, &gate, kind);
                }
            }
        }
    }
}

#[test]
fn halves_may_stand_apart_and_steps_may_be_small() {
    let mut values = Values::new(2);
    let (rows, columns) = (4, 29);
    let (value, gate) = (values.f32(rows * 31), values.f32(rows * columns));
    for is_f16 in [false, true] {
        let (value, gate) = (Given::new(&value, is_f16), Given::new(&gate, is_f16));
        for (scale, zero_point) in [(1e-3, 3), (0.004, -128), (0.1, 127)] {
            let activation = Activation::Silu;
            let gated = Gated { columns, value_stride: 31, gate_stride: columns, activation };
            compare(rows, gated, &value, &gate, Kind::I8(Quantization { scale, zero_point }));
        }
    }
}

#[test]
fn ranges_of_rows_give_the_bits_of_the_whole() {
    let mut values = Values::new(3);
    let (rows, columns) = (6, 50);
    let both = values.f32(2 * rows * columns);
    let given = Given::new(&both, true);
    let gated = Gated {
        columns,
        value_stride: 2 * columns,
        gate_stride: 2 * columns,
        activation: Activation::Gelu,
    };
    every_kernel::<Version>(|kernel| {
        let x = given.input();
        let mut whole = Results::new(Kind::F16, rows * columns);
        kernel.run(gated, x, x.part(columns..x.len()), whole.output());
        let mut parts = Results::new(Kind::F16, rows * columns);
        for own in [4..6, 0..4] {
            let from = x.part(own.start * 2 * columns..x.len());
            let to = own.start * columns..own.end * columns;
            kernel.run(gated, from, from.part(columns..from.len()), parts.output().part(to));
        }
        assert_equal(&parts.values(), &whole.values(), kernel.identity().name);
    });
}

struct Rows {
    output: Vec<f32>,
    steps: Vec<f32>,
}

fn dynamic(kernel: Kernel<Version>, gated: Gated, value: Input, gate: Input, count: usize) -> Rows {
    let name = kernel.identity().name;
    let mut output = Guarded::new(count * gated.columns, 77, 1);
    let mut steps = Guarded::new(count, -7.0, 1);
    let mut scratch = Guarded::new(gated.columns, -7.0, 1);
    let (bytes, own, scratch_row) = (output.slice(), steps.slice(), scratch.slice());
    kernel.run_dynamic(
        gated,
        value,
        gate,
        Quantized { output: bytes, steps: own, scratch: scratch_row },
    );
    output.check(name);
    steps.check(name);
    scratch.check(name);
    let output = output.values().iter().map(|&q| f32::from(q)).collect();
    Rows { output, steps: steps.values().to_vec() }
}

#[test]
fn rows_with_steps_of_their_own_are_near_the_plain_ones() {
    let mut values = Values::new(4);
    for (rows, columns) in [(1, 1), (3, 7), (2, 8), (4, 15), (3, 16), (2, 17), (5, 40), (2, 133)] {
        for activation in Activation::ALL {
            for (is_f16, size) in [(false, 5.0), (true, 5.0), (true, 0.01), (true, 300.0)] {
                let stride = 2 * columns;
                let both: Vec<f32> = values.f32(stride * rows).iter().map(|x| x * size).collect();
                let (value, gate) =
                    (Given::new(&both, is_f16), Given::new(&both[columns..], is_f16));
                let gated =
                    Gated { columns, value_stride: stride, gate_stride: stride, activation };
                let run = |kernel| dynamic(kernel, gated, value.input(), gate.input(), rows);
                let plain = run(Kernel::plain());
                let (values, gates) = (value.values(), gate.values());
                every_kernel::<Version>(|kernel| {
                    let name = kernel.identity().name;
                    let case = format!("{name}, {rows} rows, {gated:?}, size {size}");
                    let got = run(kernel);
                    if kernel.identity().element == "f32" {
                        assert_equal(&got.steps, &plain.steps, &case);
                        assert_equal(&got.output, &plain.output, &case);
                    }
                    for row in 0..rows {
                        let step = got.steps[row];
                        for column in 0..columns {
                            let at = row * stride + column;
                            let y = values[at] * activation.of(gates[at]);
                            let near = bound(activation, values[at], gates[at], y) + 0.6 * step;
                            let approximate = got.output[row * columns + column] * step;
                            assert!((approximate - y).abs() <= near, "{case}: {approximate}, {y}");
                        }
                    }
                });
            }
        }
    }
}

#[test]
fn rows_that_are_not_finite_have_no_step() {
    let columns = 21;
    let stride = 2 * columns;
    let mut both = Values::new(5).f32(5 * stride);
    both[stride + 20] = f32::NAN;
    both[2 * stride + columns + 3] = f32::INFINITY;
    both[3 * stride..4 * stride].fill(0.0);
    for is_f16 in [false, true] {
        let (value, gate) = (Given::new(&both, is_f16), Given::new(&both[columns..], is_f16));
        let activation = Activation::Gelu;
        let gated = Gated { columns, value_stride: stride, gate_stride: stride, activation };
        every_kernel::<Version>(|kernel| {
            let name = kernel.identity().name;
            let got = dynamic(kernel, gated, value.input(), gate.input(), 5);
            let are_nan: Vec<bool> = got.steps.iter().map(|step| step.is_nan()).collect();
            assert_eq!(are_nan, [false, true, true, false, false], "{name}");
            assert!(got.output[columns..4 * columns].iter().all(|&q| q == 0.0), "{name}");
            assert_eq!(got.steps[3], 0.0, "{name}");
            for row in [0, 4] {
                let own = &got.output[row * columns..(row + 1) * columns];
                assert!(own.iter().any(|q| q.abs() == 127.0), "{name}, row {row}");
            }
        });
    }
}
