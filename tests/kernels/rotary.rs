//! Every version of the rotary embedding against plain loops and the rotation itself.

mod harness;

use half::f16;
use harness::{Guarded, Values, assert_near, assert_same, every_kernel};
use kernels::kernel::{Kernel, Row};
use kernels::rotary::{RotaryRow, scratch_length};
use kernels::stored::Stored;

/// Heads, size, turned.
const SHAPES: [[usize; 3]; 7] =
    [[1, 2, 2], [2, 7, 4], [3, 8, 8], [2, 20, 14], [1, 64, 64], [5, 40, 22], [2, 9, 0]];
const TOKENS: usize = 3;

fn run<T: Stored>(
    kernel: Kernel<RotaryRow<T>>,
    [heads, size, turned]: [usize; 3],
    from: &[T],
    cosines: &[f32],
    sines: &[f32],
) -> Vec<T>
where
    RotaryRow<T>: Row,
{
    let mut to = Guarded::new(from.len(), T::nearest(99.0), 1);
    let mut scratch = vec![f32::NAN; scratch_length(turned)];
    kernel.run([heads, size], turned, from, cosines, sines, to.slice(), &mut scratch);
    to.check(kernel.identity().name);
    to.values().to_vec()
}

fn compare<T: Stored>(precision: f32)
where
    RotaryRow<T>: Row,
{
    let mut values = Values::new(24);
    for shape @ [heads, size, turned] in SHAPES {
        let from: Vec<T> = values.f32(TOKENS * heads * size).into_iter().map(T::nearest).collect();
        let angles: Vec<f32> = values.f32(TOKENS * turned / 2).iter().map(|v| v * 9.0).collect();
        let cosines: Vec<f32> = angles.iter().map(|angle| angle.cos()).collect();
        let sines: Vec<f32> = angles.iter().map(|angle| angle.sin()).collect();
        let expected = run(Kernel::plain(), shape, &from, &cosines, &sines);
        let exact: Vec<f32> = (0..from.len())
            .map(|index| {
                let (token, at) = (index / (heads * size), index % size);
                if at >= turned {
                    return from[index].value();
                }
                let angle = f64::from(angles[token * turned / 2 + at / 2]);
                let first = index - at % 2;
                let [x, y] = [first, first + 1].map(|i| f64::from(from[i].value()));
                let turned = [x * angle.cos() - y * angle.sin(), x * angle.sin() + y * angle.cos()];
                turned[at % 2] as f32
            })
            .collect();
        let got: Vec<f32> = expected.iter().map(|value| value.value()).collect();
        assert_near(&got, &exact, |_| precision, format!("plain, {shape:?}"));
        every_kernel::<RotaryRow<T>>(|kernel| {
            let case = format!("{}, {shape:?}", kernel.identity().name);
            assert_same(&run(kernel, shape, &from, &cosines, &sines), &expected, &case);
            let (token, pairs) = (heads * size, turned / 2);
            let part = run(kernel, shape, &from[token..], &cosines[pairs..], &sines[pairs..]);
            assert_same(&part, &expected[token..], format!("{case}, from token 1"));
        });
    }
}

#[test]
fn every_version_turns_pairs() {
    compare::<f32>(1e-6);
    compare::<f16>(1e-3);
}
