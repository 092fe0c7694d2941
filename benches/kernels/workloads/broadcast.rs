use super::{Case, Shape, f16s, f32s, i8s, zeros};
use half::f16;
use kernels::broadcast::{BroadcastRow, Operation, Scales, Second};
use kernels::features::Features;
use kernels::gemm::Quantization;
use kernels::kernel::{Kernel, Row};
use kernels::math::Activation;

pub fn cases(shape: &Shape, features: Features) -> Vec<Case> {
    if shape.operation != "broadcast" {
        return Vec::new();
    }
    let mut cases = Vec::new();
    let (rows, channels) = (shape.size("rows"), shape.size("channels"));
    let count = rows * channels;
    if shape.wants("f32") {
        cases.extend(each(shape, features, move |kernel: Kernel<BroadcastRow<f32>>| {
            let (a, b, mut to) = (f32s(1, count), f32s(2, count), zeros::<f32>(count));
            Box::new(move || {
                let b = Second::All(&b);
                kernel.run(Operation::Add, channels, &a, b, Activation::None, &mut to);
            })
        }));
    }
    if shape.wants("f16") {
        cases.extend(each(shape, features, move |kernel: Kernel<BroadcastRow<f16>>| {
            let (a, b, mut to) = (f16s(1, count), f16s(2, count), zeros::<f16>(count));
            Box::new(move || {
                let b = Second::All(&b);
                kernel.run(Operation::Add, channels, &a, b, Activation::None, &mut to);
            })
        }));
    }
    if shape.wants("i8") {
        cases.extend(each(shape, features, move |kernel: Kernel<BroadcastRow<i8>>| {
            let (a, b, mut to) = (i8s(1, count), i8s(2, count), zeros::<i8>(count));
            let quantization = |scale: f32, zero_point: i32| Quantization { scale, zero_point };
            let scales = Scales {
                a: quantization(0.1, 3),
                b: quantization(0.2, -5),
                to: quantization(0.25, 0),
            };
            Box::new(move || {
                let (b, none) = (Second::All(&b[..]), Activation::None);
                kernel.run_quantized(Operation::Add, channels, &a, b, &scales, none, &mut to);
            })
        }));
    }
    cases
}

fn each<R: Row>(
    shape: &Shape,
    features: Features,
    prepare: impl Fn(Kernel<R>) -> Box<dyn FnMut()> + Copy + 'static,
) -> Vec<Case> {
    let pick = Kernel::<R>::first(features).identity().name;
    Kernel::<R>::supported(features)
        .map(|kernel| {
            let name = kernel.identity().name;
            Case::new(shape, name, name == pick, move || prepare(kernel))
        })
        .collect()
}
