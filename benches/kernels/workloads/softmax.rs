use super::{Case, Shape, f16s, f32s, zeros};
use half::f16;
use kernels::elements::{Input, Output};
use kernels::features::Features;
use kernels::kernel::Kernel;
use kernels::softmax::{Softmax, Version};

/// f16 to f16 for f16 shapes and versions in f16, f32 to f32 for versions in f32.
pub fn cases(shape: &Shape, features: Features) -> Vec<Case> {
    if shape.operation != "softmax" {
        return Vec::new();
    }
    let columns = shape.size("channels");
    let count = shape.size("rows") * columns;
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
                let (halves, singles) = (f16s(3, count), f32s(3, count));
                let mut halves_out = zeros::<f16>(if is_f16 { count } else { 0 });
                let mut singles_out = zeros::<f32>(if is_f16 { 0 } else { count });
                let softmax = Softmax { columns, scale: 1.0 };
                move || {
                    if is_f16 {
                        kernel.run(softmax, Input::F16(&halves), Output::F16(&mut halves_out))
                    } else {
                        kernel.run(softmax, Input::F32(&singles), Output::F32(&mut singles_out))
                    }
                }
            }))
        })
        .collect()
}
