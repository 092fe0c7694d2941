//! Every version of the blend against plain loops, and those against the formulas.

mod harness;

use harness::{Guarded, Values, assert_same, every_kernel};
use kernels::blend::{Alpha, BlendRow, Mask};
use kernels::kernel::Kernel;
use kernels::plane::{Plane, PlaneMut};

#[derive(Clone, Copy, Debug)]
enum Way {
    Over(Alpha),
    MaskU8,
    MaskF32,
}

const WAYS: [Way; 4] =
    [Way::Over(Alpha::Straight), Way::Over(Alpha::Premultiplied), Way::MaskU8, Way::MaskF32];

struct Case {
    size: [usize; 2],
    over: Vec<u8>,
    mask: Vec<u8>,
    floats: Vec<f32>,
    under: Vec<u8>,
}

impl Case {
    fn new(values: &mut Values, size @ [width, height]: [usize; 2]) -> Self {
        let mut mask = values.bytes(width * height);
        let mut floats: Vec<f32> = values.f32(width * height).iter().map(|m| m * 1.2).collect();
        for (at, special) in [f32::NAN, f32::INFINITY, -1.0, 0.5, 1.0].into_iter().enumerate() {
            if let Some(value) = floats.get_mut(at * 3) {
                *value = special;
            }
        }
        mask.iter_mut().step_by(3).for_each(|value| *value = if *value > 99 { 255 } else { 0 });
        let over = values.bytes(width * height * 4);
        Self { size, over, mask, floats, under: values.bytes(width * height * 3) }
    }

    fn run(&self, kernel: Kernel<BlendRow>, way: Way) -> Vec<u8> {
        let [width, _] = self.size;
        let mut under = Guarded::holding(&self.under, 0xa5_u8, 1);
        let to = PlaneMut { bytes: under.slice(), stride_bytes: width * 3 };
        let over = Plane { bytes: &self.over, stride_bytes: width * 4 };
        match way {
            Way::Over(alpha) => kernel.over(self.size, over, alpha, to),
            Way::MaskU8 => {
                let mask = Plane { bytes: &self.mask, stride_bytes: width };
                kernel.masked(self.size, over, Mask::U8(mask), to);
            }
            Way::MaskF32 => {
                let mask = Mask::F32 { values: &self.floats, stride: width };
                kernel.masked(self.size, over, mask, to);
            }
        }
        under.check(format!("{}, {way:?} {:?}", kernel.identity().name, self.size));
        under.values().to_vec()
    }
}

#[test]
fn every_version_equals_the_plain_one() {
    let mut values = Values::new(12);
    for width in [1, 3, 15, 16, 17, 31, 33, 64, 300] {
        let case = Case::new(&mut values, [width, 3]);
        for way in WAYS {
            let expected = case.run(Kernel::plain(), way);
            every_kernel::<BlendRow>(|kernel| {
                let name = format!("{}, {way:?}, width {width}", kernel.identity().name);
                assert_same(&case.run(kernel, way), &expected, name);
            });
        }
    }
}

#[test]
fn the_plain_version_is_the_rounded_formula() {
    let case = Case::new(&mut Values::new(13), [200, 20]);
    for way in WAYS {
        let got = case.run(Kernel::plain(), way);
        for (index, &byte) in got.iter().enumerate() {
            let (pixel, c) = (index / 3, index % 3);
            let under = f64::from(case.under[index]);
            let row = pixel / 200;
            let (over, alpha) = match way {
                Way::Over(_) => (case.over[pixel * 4 + c], f64::from(case.over[pixel * 4 + 3])),
                Way::MaskU8 => {
                    (case.over[row * 800 + pixel % 200 * 3 + c], f64::from(case.mask[pixel]))
                }
                Way::MaskF32 => {
                    let mask = case.floats[pixel];
                    let mask = if mask.is_nan() { 0.0 } else { mask.clamp(0.0, 1.0) };
                    (
                        case.over[row * 800 + pixel % 200 * 3 + c],
                        (f64::from(mask) * 255.0).round_ties_even(),
                    )
                }
            };
            let over = f64::from(over);
            let exact = match way {
                Way::Over(Alpha::Premultiplied) => {
                    (over + (under * (255.0 - alpha) / 255.0).round()).min(255.0)
                }
                _ => ((over * alpha + under * (255.0 - alpha)) / 255.0).round(),
            };
            assert_eq!(f64::from(byte), exact, "{way:?} at {index}");
        }
    }
}
