use super::{Aligned, Case, Shape, f32s, zeros};
use half::f16;
use kernels::features::Features;
use kernels::kernel::{Kernel, Row};
use kernels::rotary::{RotaryRow, scratch_length};
use kernels::stored::Stored;

pub fn cases(shape: &Shape, features: Features) -> Vec<Case> {
    let mut cases = Vec::new();
    if shape.operation == "rotary" && shape.wants("f16") {
        cases.extend(of::<f16>(shape, features));
    }
    if shape.operation == "rotary" && shape.wants("f32") {
        cases.extend(of::<f32>(shape, features));
    }
    cases
}

fn of<T: Stored>(shape: &Shape, features: Features) -> Vec<Case>
where
    RotaryRow<T>: Row,
{
    let [rows, heads, size] = ["rows", "heads", "head_size"].map(|name| shape.size(name));
    let pick = Kernel::<RotaryRow<T>>::first(features).identity().name;
    Kernel::<RotaryRow<T>>::supported(features)
        .map(|kernel| {
            let name = kernel.identity().name;
            Case::new(shape, name, name == pick, move || {
                let count = rows * heads * size;
                let drawn = f32s(1, count);
                let from = Aligned::from_fn(count, |at| T::nearest(drawn[at]));
                let angles = [f32s(2, rows * size / 2), f32s(3, rows * size / 2)];
                let mut to = zeros::<T>(count);
                let mut scratch = zeros::<f32>(scratch_length(size));
                move || {
                    let [cosines, sines] = &angles;
                    kernel.run([heads, size], size, &from, cosines, sines, &mut to, &mut scratch);
                }
            })
        })
        .collect()
}
