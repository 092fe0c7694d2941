use super::{Aligned, Case, Shape, f32s, zeros};
use half::f16;
use kernels::features::Features;
use kernels::interpolate::{Convention, InterpolateRow, Sizes};
use kernels::kernel::{Kernel, Row};
use kernels::stored::Stored;

pub fn cases(shape: &Shape, features: Features) -> Vec<Case> {
    if shape.operation != "interpolate" {
        return Vec::new();
    }
    let mut cases = Vec::new();
    if shape.wants("f32") {
        cases.extend(of::<f32>(shape, features));
    }
    if shape.wants("f16") {
        cases.extend(of::<f16>(shape, features));
    }
    if shape.wants("i8") {
        cases.extend(of::<i8>(shape, features));
    }
    cases
}

fn of<T: Stored>(shape: &Shape, features: Features) -> Vec<Case>
where
    InterpolateRow<T>: Row,
{
    let sizes = Sizes {
        from: [shape.size("height"), shape.size("width")],
        to: [shape.size("height_out"), shape.size("width_out")],
        channels: shape.size("channels"),
    };
    let pick = Kernel::<InterpolateRow<T>>::first(features).identity().name;
    Kernel::<InterpolateRow<T>>::supported(features)
        .map(|kernel| {
            let name = kernel.identity().name;
            Case::new(shape, name, name == pick, move || {
                let count = |[height, width]: [usize; 2]| height * width * sizes.channels;
                let drawn = f32s(1, count(sizes.from));
                let from = Aligned::from_fn(drawn.len(), |at| T::nearest(drawn[at] * 100.0));
                let mut to = zeros::<T>(count(sizes.to));
                move || {
                    let rows = 0..sizes.to[0];
                    kernel.bilinear(sizes, Convention::HalfPixel, &from, rows, &mut to);
                }
            })
        })
        .collect()
}
