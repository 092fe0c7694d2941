//! Every version of addition and multiplication with broadcast against plain loops.

mod harness;

use half::f16;
use harness::{Guarded, Values, assert_same, every_kernel};
use kernels::broadcast::{BroadcastRow, Operation, Scales, Second};
use kernels::gemm::Quantization;
use kernels::kernel::Kernel;
use kernels::math::Activation;
use kernels::stored::Stored;

const SHAPES: [[usize; 2]; 7] = [[1, 1], [3, 5], [2, 8], [4, 13], [2, 16], [3, 33], [1, 100]];
const OPERATIONS: [Operation; 2] = [Operation::Add, Operation::Mul];

fn seconds<'a, T: Stored>(all: &'a [T], rows: &'a [f32], channels: usize) -> [Second<'a, T>; 4] {
    [Second::One(0.7), Second::Channels(&all[..channels]), Second::Rows(rows), Second::All(all)]
}

fn value<T: Stored>(
    b: Second<'_, T>,
    index: usize,
    channels: usize,
    real: impl Fn(T) -> f32,
) -> f32 {
    match b {
        Second::One(value) => value,
        Second::Channels(values) => real(values[index % channels]),
        Second::Rows(values) => values[index / channels],
        Second::All(values) => real(values[index]),
    }
}

fn of(operation: Operation, a: f32, b: f32) -> f32 {
    match operation {
        Operation::Add => a + b,
        Operation::Mul => a * b,
    }
}

fn bits<T: Stored>(values: &[T]) -> Vec<u32> {
    let bits = |v: &T| if v.value().is_nan() { 1 } else { (v.value() + 0.0).to_bits() };
    values.iter().map(bits).collect()
}

macro_rules! floats {
    ($name:ident, $element:ty, $poison:expr) => {
        #[test]
        fn $name() {
            let mut values = Values::new(22);
            for [rows, channels] in SHAPES {
                let count = rows * channels;
                let mut draw = |count: usize| -> Vec<$element> {
                    values.f32(count).iter().map(|&v| <$element>::nearest(v * 9.0)).collect()
                };
                let (mut a, b) = (draw(count), draw(count));
                a[0] = <$element>::nearest(f32::INFINITY);
                a[count / 2] = <$element>::nearest(f32::NAN);
                let per_row: Vec<f32> = (0..rows).map(|row| row as f32 - 0.5).collect();
                for second in seconds(&b, &per_row, channels) {
                    for activation in Activation::ALL {
                        for operation in OPERATIONS {
                            let expected: Vec<$element> = (0..count)
                                .map(|i| {
                                    let b = value(second, i, channels, <$element>::value);
                                    <$element>::nearest(activation.of(of(
                                        operation,
                                        a[i].value(),
                                        b,
                                    )))
                                })
                                .collect();
                            every_kernel::<BroadcastRow<$element>>(|kernel| {
                                let case = format!(
                                    "{}, {rows}x{channels}, {operation:?} {activation:?}",
                                    kernel.identity().name
                                );
                                let mut to = Guarded::new(count, $poison, 1);
                                kernel.run(operation, channels, &a, second, activation, to.slice());
                                to.check(&case);
                                assert_same(&bits(to.values()), &bits(&expected), &case);
                            });
                        }
                    }
                }
            }
        }
    };
}
floats!(floats_are_added_and_multiplied, f32, 7e9);
floats!(halves_are_added_and_multiplied_and_rounded_once, f16, f16::MAX);

#[test]
fn bytes_are_added_and_multiplied_at_their_scales() {
    let mut values = Values::new(23);
    let quantization = |scale: f32, zero_point: i32| Quantization { scale, zero_point };
    let scales = Scales {
        a: quantization(0.11, -4),
        b: quantization(0.07, 127),
        to: quantization(0.19, -128),
    };
    let real = |q: i8, of: Quantization| (f32::from(q) - of.zero_point as f32) * of.scale;
    for [rows, channels] in SHAPES {
        let count = rows * channels;
        let (a, b) = (values.i8(count), values.i8(count));
        let per_row: Vec<f32> = (0..rows).map(|row| row as f32 - 0.5).collect();
        for second in seconds(&b, &per_row, channels) {
            for activation in [Activation::None, Activation::Relu, Activation::Silu] {
                for operation in OPERATIONS {
                    let expected: Vec<i8> = (0..count)
                        .map(|i| {
                            let b = value(second, i, channels, |b| real(b, scales.b));
                            let exact = activation.of(of(operation, real(a[i], scales.a), b));
                            ((exact * (1.0 / 0.19)).round_ties_even() - 128.0) as i8
                        })
                        .collect();
                    every_kernel::<BroadcastRow<i8>>(|kernel| {
                        let name = kernel.identity().name;
                        let case =
                            format!("{name}, {rows}x{channels}, {operation:?} {activation:?}");
                        let mut to = Guarded::new(count, -99, 1);
                        kernel.run_quantized(
                            operation,
                            channels,
                            &a,
                            second,
                            &scales,
                            activation,
                            to.slice(),
                        );
                        to.check(&case);
                        assert_same(to.values(), &expected, &case);
                    });
                }
            }
        }
    }
    assert_eq!(Kernel::<BroadcastRow<i8>>::plain().identity().element, "i8");
}
