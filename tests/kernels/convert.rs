//! Every version of the conversion against plain loops and the formula; concatenation as strided writes.

mod harness;

use half::f16;
use harness::{Guarded, Values, assert_same, every_kernel};
use kernels::concat::copy_rows;
use kernels::convert::{ConvertRow, Factors, Scaling, Strided};
use kernels::kernel::Row;
use kernels::stored::Stored;

const SPECIAL: [f32; 9] =
    [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.5, 1.5, -2.5, 1e30, -70000.0, 126.5];
const CHANNELS: [usize; 8] = [1, 3, 4, 7, 8, 17, 33, 100];

fn inputs<A: Stored>(values: &mut Values, count: usize) -> Vec<A> {
    let mut all: Vec<f32> = values.f32(count).iter().map(|value| value * 150.0).collect();
    for (slot, special) in all.iter_mut().step_by(5).zip(SPECIAL) {
        *slot = special;
    }
    all.into_iter().map(A::nearest).collect()
}

/// The bits, with every NaN the same.
fn bits<B: Stored>(values: &[B]) -> Vec<u32> {
    let bits = |v: &B| if v.value().is_nan() { 1 } else { v.value().to_bits() };
    values.iter().map(bits).collect()
}

fn compare<A: Stored, B: Stored>(poison: B)
where
    ConvertRow<A, B>: Row,
{
    let mut values = Values::new(20);
    let (quantized, makes_bytes) = (A::NAME == "i8", B::NAME == "i8");
    for channels in CHANNELS {
        let (from_stride, to_stride, rows) = (channels + 3, channels + 5, 3);
        let from: Vec<A> = inputs(&mut values, from_stride * rows);
        let per_channel: Vec<f32> = values.f32(channels).iter().map(|v| v.abs() + 0.1).collect();
        for factors in [Factors::One(1.0), Factors::One(0.37), Factors::Channels(&per_channel)] {
            for (zero_from, zero_to) in [(0, 0), (-7, 5), (127, -128)] {
                let scaling = Scaling {
                    factors,
                    zero_from: if quantized { zero_from } else { 0 },
                    zero_to: if makes_bytes { zero_to } else { 0 },
                };
                let formula = |index: usize| {
                    let factor = match factors {
                        Factors::One(factor) => factor,
                        Factors::Channels(factors) => factors[index % from_stride],
                    };
                    let value = (from[index].value() - scaling.zero_from as f32) * factor;
                    if makes_bytes {
                        let whole = value.round_ties_even() + scaling.zero_to as f32;
                        B::nearest(whole.clamp(-128.0, 127.0))
                    } else {
                        B::nearest(value)
                    }
                };
                every_kernel::<ConvertRow<A, B>>(|kernel| {
                    let case =
                        format!("{}, {channels} channels, {scaling:?}", kernel.identity().name);
                    let mut to = Guarded::new(to_stride * (rows - 1) + channels, poison, 1);
                    let from_rows = Strided { values: &from[..], stride: from_stride };
                    let to_rows = Strided { values: to.slice(), stride: to_stride };
                    kernel.run([rows, channels], from_rows, scaling, to_rows);
                    to.check(&case);
                    for row in 0..rows {
                        let got = &to.values()[row * to_stride..][..channels];
                        let expected: Vec<B> =
                            (0..channels).map(|c| formula(row * from_stride + c)).collect();
                        assert_same(&bits(got), &bits(&expected), format!("{case}, row {row}"));
                        if row + 1 < rows {
                            let between = &to.values()[row * to_stride + channels..][..5];
                            assert_same(
                                &bits(between),
                                &bits(&[poison; 5]),
                                format!("{case}, between"),
                            );
                        }
                    }
                });
            }
        }
    }
}

#[test]
fn every_version_gives_the_formulas_bits() {
    compare::<f32, f16>(f16::MAX);
    compare::<f16, f32>(7e9);
    compare::<f32, i8>(-99);
    compare::<f16, i8>(-99);
    compare::<i8, f32>(7e9);
    compare::<i8, f16>(f16::MAX);
    compare::<i8, i8>(-99);
}

fn by_row<A: Stored>()
where
    ConvertRow<A, i8>: Row,
{
    let mut values = Values::new(21);
    for channels in CHANNELS {
        let mut from: Vec<A> = values.f32(channels * 4).into_iter().map(A::nearest).collect();
        from[channels..2 * channels].fill(A::nearest(0.0));
        every_kernel::<ConvertRow<A, i8>>(|kernel| {
            let case = format!("{}, {channels} channels", kernel.identity().name);
            let mut to = Guarded::new(channels * 4, -99, 1);
            let mut scales = [0.0; 4];
            let from_rows = Strided { values: &from[..], stride: channels };
            let to_rows = Strided { values: to.slice(), stride: channels };
            kernel.by_row([4, channels], from_rows, to_rows, &mut scales);
            to.check(&case);
            for row in 0..4 {
                let from = &from[row * channels..][..channels];
                let greatest = from.iter().map(|v| v.value().abs()).fold(0.0, f32::max);
                let scale = if greatest == 0.0 { 1.0 } else { greatest / 127.0 };
                assert_eq!(scales[row], scale, "{case}");
                let expected: Vec<i8> = from
                    .iter()
                    .map(|v| (v.value() * (1.0 / scale)).round_ties_even() as i8)
                    .collect();
                assert_same(&to.values()[row * channels..][..channels], &expected, &case);
            }
        });
    }
}

#[test]
fn rows_are_quantized_by_their_greatest_magnitude() {
    by_row::<f32>();
    by_row::<f16>();
}

#[test]
fn operands_side_by_side_are_their_concatenation() {
    let (a, b) = ([1_u8, 2, 3, 4], [5_u8, 6]);
    let mut to = [0; 6];
    copy_rows(
        [2, 2],
        Strided { values: &a[..], stride: 2 },
        Strided { values: &mut to[..], stride: 3 },
    );
    copy_rows(
        [2, 1],
        Strided { values: &b[..], stride: 1 },
        Strided { values: &mut to[2..], stride: 3 },
    );
    assert_eq!(to, [1, 2, 5, 3, 4, 6]);
}
