//! Every version of the masked mean and variance against plain loops and the definition.

mod harness;

use harness::{Values, every_kernel};
use kernels::kernel::Kernel;
use kernels::moments::{Moments, MomentsRow};
use kernels::plane::Plane;

#[test]
fn every_version_gives_the_plain_ones_sums() {
    let mut values = Values::new(31);
    for size @ [width, height] in [[1, 1], [15, 3], [256, 2], [257, 2], [600, 3]] {
        for full in [false, true] {
            let mut bytes = values.bytes(width * height * 3);
            let mut mask = values.bytes(width * height);
            if full {
                bytes.fill(255);
                mask.fill(255);
            }
            let picture = Plane { bytes: &bytes, stride_bytes: width * 3 };
            let weights = Plane { bytes: &mask, stride_bytes: width };
            let expected = Kernel::<MomentsRow>::plain().run(size, picture, weights);
            every_kernel::<MomentsRow>(|kernel| {
                let name = kernel.identity().name;
                assert_eq!(kernel.run(size, picture, weights), expected, "{name}, {size:?}");
                let rows = |first: usize, count: usize| {
                    let picture = Plane { bytes: &bytes[first * width * 3..], ..picture };
                    let weights = Plane { bytes: &mask[first * width..], ..weights };
                    kernel.run([width, count], picture, weights)
                };
                let both = rows(0, 1).joined(rows(1.min(height - 1), height - 1));
                assert_eq!(both, expected, "{name}, {size:?} in two parts");
            });
        }
    }
}

#[test]
fn mean_and_variance_are_those_of_the_pixels_in_the_mask() {
    let picture = Plane { bytes: &[10, 0, 255, 20, 0, 255, 99, 99, 99], stride_bytes: 9 };
    let mask = Plane { bytes: &[255, 255, 0], stride_bytes: 3 };
    let moments = Kernel::<MomentsRow>::plain().run([3, 1], picture, mask);
    assert_eq!(moments.mean(), Some([15.0, 0.0, 255.0]));
    assert_eq!(moments.variance(), Some([25.0, 0.0, 0.0]));
    assert_eq!(Moments::default().mean(), None);
    assert_eq!(Moments::default().variance(), None);
}
