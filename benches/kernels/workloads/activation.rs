use super::{Case, Shape, f16s, f32s};
use kernels::activation::{Values, Version};
use kernels::features::Features;
use kernels::kernel::Kernel;
use kernels::math::Activation;

/// In place: f16 for f16 shapes and versions in f16, f32 for versions in f32.
pub fn cases(shape: &Shape, features: Features) -> Vec<Case> {
    let activation = match shape.operation.as_str() {
        "gelu_tanh" => Activation::GeluTanh,
        "gelu" => Activation::Gelu,
        "silu" => Activation::Silu,
        _ => return Vec::new(),
    };
    let count = shape.size("rows") * shape.size("channels");
    let mut picks = Vec::new();
    Kernel::<Version>::supported(features)
        .filter_map(|kernel| {
            let element = kernel.identity().element;
            let is_f16 = element == "f16" || shape.element() == "f16";
            if !shape.wants(if is_f16 { "f16" } else { "f32" }) {
                return None;
            }
            let picked = !picks.contains(&element);
            picks.push(element);
            Some(Case::new(shape, kernel.identity().name, picked, move || {
                let (mut halves, mut singles) = (f16s(3, count), f32s(3, count));
                move || {
                    if is_f16 {
                        kernel.run_in_place(activation, Values::F16(&mut halves))
                    } else {
                        kernel.run_in_place(activation, Values::F32(&mut singles))
                    }
                }
            }))
        })
        .collect()
}
