use super::{Aligned, Case, Shape, f32s, zeros};
use half::f16;
use kernels::features::Features;
use kernels::kernel::{Kernel, Row};
use kernels::pool::{PoolRow, Window};
use kernels::stored::Stored;

pub fn cases(shape: &Shape, features: Features) -> Vec<Case> {
    if shape.operation != "pool" {
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
    PoolRow<T>: Row,
{
    let [height, width, channels, kernel, stride, padding] =
        ["height", "width", "channels", "kernel", "stride", "padding"]
            .map(|name| shape.size_or(name, 0));
    let window = Window {
        size: [height, width],
        channels,
        kernel: [kernel; 2],
        stride: [stride; 2],
        dilation: [1; 2],
        padding: [padding; 4],
    };
    let [height_to, width_to] = window.size_to();
    let pick = Kernel::<PoolRow<T>>::first(features).identity().name;
    Kernel::<PoolRow<T>>::supported(features)
        .map(|kernel| {
            let name = kernel.identity().name;
            Case::new(shape, name, name == pick, move || {
                let drawn = f32s(1, height * width * channels);
                let from = Aligned::from_fn(drawn.len(), |at| T::nearest(drawn[at] * 100.0));
                let mut to = zeros::<T>(height_to * width_to * channels);
                move || kernel.greatest(&window, &from, 0..height_to, &mut to)
            })
        })
        .collect()
}
