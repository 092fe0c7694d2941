use super::{Case, Shape, f16s, f32s, zeros};
use half::f16;
use kernels::elements::{Input, Output};
use kernels::features::Features;
use kernels::gated::{Gated, Version};
use kernels::kernel::Kernel;
use kernels::math::Activation;

/// f16 to f16 for f16 shapes and versions in f16, f32 to f32 for versions in f32.
pub fn cases(shape: &Shape, features: Features) -> Vec<Case> {
    if shape.operation != "geglu" {
        return Vec::new();
    }
    let columns = shape.size("channels");
    let rows = shape.size("rows");
    let gated = Gated {
        columns,
        value_stride: 2 * columns,
        gate_stride: 2 * columns,
        activation: Activation::Gelu,
    };
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
                let count = 2 * rows * columns;
                let (halves, singles) = (f16s(3, count), f32s(3, count));
                let mut halves_out = zeros::<f16>(if is_f16 { rows * columns } else { 0 });
                let mut singles_out = zeros::<f32>(if is_f16 { 0 } else { rows * columns });
                move || {
                    if is_f16 {
                        let (value, gate) = (Input::F16(&halves), Input::F16(&halves[columns..]));
                        kernel.run(gated, value, gate, Output::F16(&mut halves_out))
                    } else {
                        let (value, gate) = (Input::F32(&singles), Input::F32(&singles[columns..]));
                        kernel.run(gated, value, gate, Output::F32(&mut singles_out))
                    }
                }
            }))
        })
        .collect()
}
