use super::{Aligned, Case, Shape, f32s, zeros};
use half::f16;
use kernels::convert::{ConvertRow, Factors, Scaling, Strided};
use kernels::features::Features;
use kernels::kernel::{Kernel, Row};
use kernels::stored::Stored;

/// `element` is what comes out; `from` and `to` strides are the channels, or `channels_out` for a wider target.
pub fn cases(shape: &Shape, features: Features) -> Vec<Case> {
    match (shape.operation.as_str(), shape.element()) {
        ("convert_f32", "f16") => of::<f32, f16>(shape, features),
        ("convert_f32", "i8") => of::<f32, i8>(shape, features),
        ("convert_f16", "f32") => of::<f16, f32>(shape, features),
        ("convert_f16", "i8") => of::<f16, i8>(shape, features),
        ("convert_i8", "f32") => of::<i8, f32>(shape, features),
        ("convert_i8", "f16") => of::<i8, f16>(shape, features),
        ("convert_i8", "i8") => of::<i8, i8>(shape, features),
        _ => Vec::new(),
    }
}

fn of<A: Stored, B: Stored>(shape: &Shape, features: Features) -> Vec<Case>
where
    ConvertRow<A, B>: Row,
{
    let (rows, channels) = (shape.size("rows"), shape.size("channels"));
    let stride = shape.size_or("channels_out", channels);
    let pick = Kernel::<ConvertRow<A, B>>::first(features).identity().name;
    Kernel::<ConvertRow<A, B>>::supported(features)
        .map(|kernel| {
            let name = kernel.identity().name;
            Case::new(shape, name, name == pick, move || {
                let drawn = f32s(1, rows * channels);
                let from = Aligned::from_fn(drawn.len(), |at| A::nearest(drawn[at] * 100.0));
                let mut to = zeros::<B>(rows * stride);
                let scaling = Scaling { factors: Factors::One(0.7), zero_from: 0, zero_to: 0 };
                move || {
                    let from = Strided { values: &from[..], stride: channels };
                    let to = Strided { values: &mut to[..], stride };
                    kernel.run([rows, channels], from, scaling, to);
                }
            })
        })
        .collect()
}
