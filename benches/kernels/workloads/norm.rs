use super::{Case, Shape, f16s, f32s, zeros};
use half::f16;
use kernels::affine::Affine;
use kernels::elements::{Input, Output, Quantization};
use kernels::features::Features;
use kernels::group_norm::{self, GroupNorm};
use kernels::kernel::{Kernel, Row};
use kernels::layer_norm::{self, RowNorm};
use kernels::math::Activation;
use kernels::rms_norm;

const STEPS: Quantization = Quantization { scale: 0.03, zero_point: -119 };

pub fn cases(shape: &Shape, features: Features) -> Vec<Case> {
    match shape.operation.as_str() {
        "group_norm_silu" => group_norm(shape, features),
        "layer_norm" => rows(shape, features, |kernel: Kernel<layer_norm::Version>, norm, x, y| {
            kernel.run(norm, x, y)
        }),
        "rms_norm" => rows(shape, features, |kernel: Kernel<rms_norm::Version>, norm, x, y| {
            kernel.run(norm, x, y)
        }),
        _ => Vec::new(),
    }
}

/// f16 to int8 for int8 shapes, f32 to f32 for others.
fn group_norm(shape: &Shape, features: Features) -> Vec<Case> {
    let norm = GroupNorm {
        rows: shape.size("height") * shape.size("width"),
        channels: shape.size("channels"),
        groups: shape.size("groups"),
        epsilon: 1e-5,
    };
    let count = norm.rows * norm.channels;
    let is_i8 = shape.element() == "i8";
    Kernel::<group_norm::Version>::supported(features)
        .filter(|kernel| is_i8 || kernel.identity().element == "f32")
        .enumerate()
        .map(|(index, kernel)| {
            Case::new(shape, kernel.identity().name, index == 0, move || {
                let (scale, shift) = (f32s(1, norm.channels), f32s(2, norm.channels));
                let (halves, singles) = if is_i8 {
                    (f16s(3, count), zeros(0))
                } else {
                    (zeros::<f16>(0), f32s(3, count))
                };
                let mut bytes = zeros::<i8>(if is_i8 { count } else { 0 });
                let mut values = zeros::<f32>(if is_i8 { 0 } else { count });
                let mut scratch = zeros::<f32>(norm.scratch_length());
                move || {
                    let affine =
                        Affine { scale: Some(&scale), shift: Some(&shift), modulation: None };
                    let (input, output) = if is_i8 {
                        (Input::F16(&halves), Output::I8(&mut bytes, STEPS))
                    } else {
                        (Input::F32(&singles), Output::F32(&mut values))
                    };
                    kernel.run(norm, affine, Activation::Silu, input, &mut scratch, output)
                }
            })
        })
        .collect()
}

/// f16 to f16 for f16 shapes and versions in f16, f32 to f32 for versions in f32.
fn rows<V: Row>(
    shape: &Shape,
    features: Features,
    run: fn(Kernel<V>, RowNorm, Input, Output),
) -> Vec<Case> {
    let channels = shape.size("channels");
    let count = shape.size("rows") * channels;
    let mut picks = Vec::new();
    Kernel::<V>::supported(features)
        .filter_map(|kernel| {
            let element = kernel.identity().element;
            let is_f16 = element == "f16" || shape.element() == "f16";
            if !shape.wants(if is_f16 { "f16" } else { "f32" }) {
                return None;
            }
            let picked = !picks.contains(&element);
            picks.push(element);
            Some(Case::new(shape, kernel.identity().name, picked, move || {
                let (scale, shift) = (f32s(1, channels), f32s(2, channels));
                let (mut scales, mut shifts) = (zeros(channels), zeros(channels));
                Affine { scale: Some(&scale), shift: Some(&shift), modulation: None }
                    .fold(&mut scales, &mut shifts);
                let (halves, singles) = (f16s(3, count), f32s(3, count));
                let mut halves_out = zeros::<f16>(if is_f16 { count } else { 0 });
                let mut singles_out = zeros::<f32>(if is_f16 { 0 } else { count });
                move || {
                    let norm = RowNorm {
                        epsilon: 1e-5,
                        scale: &scales,
                        shift: &shifts,
                        activation: Activation::None,
                    };
                    if is_f16 {
                        run(kernel, norm, Input::F16(&halves), Output::F16(&mut halves_out))
                    } else {
                        run(kernel, norm, Input::F32(&singles), Output::F32(&mut singles_out))
                    }
                }
            }))
        })
        .collect()
}
