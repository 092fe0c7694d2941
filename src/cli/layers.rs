//! What the steps of a program are, for people: kind, precision, weights, products.

use crate::runtime::program::{Element, Op, Packing, Program, Span, Step, Value, Weights};
use half::f16;
use kernels::features::Features;
use kernels::gemm::GemmRow;
use kernels::gemm_i4::GemmI4Row;
use kernels::kernel::{Kernel, Row};
use kernels::winograd::WinogradRow;
use serde::Serialize;

/// A step of a program.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Layer {
    pub name: String,
    pub kind: &'static str,
    /// What its products are computed in; without products, what it writes.
    pub precision: &'static str,
    pub weight_bytes: u64,
    /// Multiplications of weights or, for attention, of queries, keys and values, by the formula of the operation, whatever the algorithm.
    pub products: u64,
    /// How its weights are packed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layout: Option<Layout>,
}

/// An order of weights.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Layout {
    pub name: String,
    /// Whether a kernel of this machine reads it; else weights are repacked into memory of the process.
    pub read_as_it_is: bool,
}

/// All steps of a program that may contradict itself.
pub(super) fn layers(program: &Program, features: Features) -> Vec<Layer> {
    program.steps.iter().map(|step| Layer::of(program, step, features)).collect()
}

impl Layer {
    fn of(program: &Program, step: &Step, features: Features) -> Self {
        let weights = weights(&step.op);
        let output = value(program, &step.outputs, 0);
        let precision = match weights {
            Some(Weights { packing, .. }) => precision(packing),
            None => output.map_or("none", |value| element_name(value.element)),
        };
        Self {
            name: step.name.clone(),
            kind: kind(&step.op),
            precision,
            weight_bytes: spans(&step.op)
                .iter()
                .fold(0, |sum, span| span.bytes.saturating_add(sum)),
            products: products(program, step).unwrap_or(0),
            layout: weights.map(|weights| Layout {
                name: layout_name(&weights.packing),
                read_as_it_is: is_read(&weights.packing, features),
            }),
        }
    }
}

fn value<'a>(program: &'a Program, ids: &[usize], index: usize) -> Option<&'a Value> {
    program.values.get(*ids.get(index)?)
}

fn weights(op: &Op) -> Option<&Weights> {
    match op {
        Op::Convolution { weights, .. }
        | Op::Linear { weights, .. }
        | Op::Transposed { weights, .. } => Some(weights),
        _ => None,
    }
}

fn kind(op: &Op) -> &'static str {
    match op {
        Op::Convolution { weights: Weights { packing: Packing::Winograd { .. }, .. }, .. } => {
            "convolution by Winograd"
        }
        Op::Convolution { weights: Weights { packing: Packing::Taps { .. }, .. }, .. } => {
            "depthwise convolution"
        }
        Op::Convolution { .. } => "convolution",
        Op::Linear { .. } => "linear",
        Op::Transposed { .. } => "transposed convolution",
        Op::GroupNorm { .. } => "group norm",
        Op::LayerNorm { .. } => "layer norm",
        Op::RmsNorm { .. } => "RMS norm",
        Op::Attention { .. } => "attention",
        Op::Gated { .. } => "gated activation",
        Op::Activate { .. } => "activation",
        Op::PRelu { .. } => "PReLU",
        Op::Binary { .. } => "binary",
        Op::Softmax => "softmax",
        Op::Rotary { .. } => "rotary",
        Op::Pool { .. } => "pool",
        Op::Resize { .. } => "resize",
        Op::DepthToSpace { .. } => "depth to space",
        Op::Concat { .. } => "concat",
        Op::Slice { .. } => "slice",
        Op::Transpose { .. } => "transpose",
        Op::Pad { .. } => "pad",
        Op::Constant { .. } => "constant",
        Op::Convert => "convert",
        Op::Tract { .. } => "left to tract",
    }
}

fn element_name(element: Element) -> &'static str {
    match element {
        Element::F32 => "f32",
        Element::F16 => "f16",
        Element::I8 => "int8",
    }
}

fn precision(packing: &Packing) -> &'static str {
    match packing {
        Packing::Gemm { element, .. }
        | Packing::Winograd { element, .. }
        | Packing::Taps { element } => element_name(*element),
        Packing::GemmI4 { .. } => "int4",
    }
}

fn layout_name(packing: &Packing) -> String {
    let precision = precision(packing);
    match packing {
        Packing::Gemm { nr, kr, .. } | Packing::GemmI4 { nr, kr } => {
            format!("{precision} panels of {nr} columns, {kr} deep")
        }
        Packing::Winograd { tile: [rows, columns], nr, group, .. } => {
            format!("{precision} Winograd {rows}x{columns}, panels of {nr}, groups of {group}")
        }
        Packing::Taps { .. } => format!("{precision} taps"),
    }
}

/// Whether one of the kernels that the CPU can run reads weights in this order.
fn is_read(packing: &Packing, features: Features) -> bool {
    fn gemm<E: kernels::gemm::Element>(features: Features, order: [usize; 2]) -> bool
    where
        GemmRow<E>: Row,
    {
        Kernel::<GemmRow<E>>::supported(features)
            .any(|kernel| [kernel.layout().nr, kernel.layout().kr] == order)
    }
    match *packing {
        Packing::Gemm { element: Element::I8, nr, kr } => gemm::<i8>(features, [nr, kr]),
        Packing::Gemm { element: Element::F16, nr, kr } => gemm::<f16>(features, [nr, kr]),
        Packing::Gemm { element: Element::F32, nr, kr } => gemm::<f32>(features, [nr, kr]),
        Packing::GemmI4 { nr, kr } => Kernel::<GemmI4Row>::supported(features)
            .any(|kernel| [kernel.layout().nr, kernel.layout().kr] == [nr, kr]),
        Packing::Winograd { element, tile, nr, group } => {
            let layout = kernels::winograd::Layout { tile, nr, group };
            match element {
                Element::F16 => Kernel::<WinogradRow<f16>>::supported(features)
                    .any(|kernel| kernel.layout() == layout),
                Element::F32 => Kernel::<WinogradRow<f32>>::supported(features)
                    .any(|kernel| kernel.layout() == layout),
                Element::I8 => false,
            }
        }
        Packing::Taps { .. } => true,
    }
}

fn spans(op: &Op) -> Vec<Span> {
    let all = match op {
        Op::Convolution { weights, .. }
        | Op::Linear { weights, .. }
        | Op::Transposed { weights, .. } => {
            vec![Some(weights.panels), weights.sums, weights.scales, weights.bias]
        }
        Op::GroupNorm { scale, shift, .. } | Op::LayerNorm { scale, shift, .. } => {
            vec![*scale, *shift]
        }
        Op::RmsNorm { scale, .. } => vec![*scale],
        Op::PRelu { slopes: values } | Op::Constant { values } => vec![Some(*values)],
        Op::Binary { constant, .. } => vec![*constant],
        Op::Rotary { cosines, sines, .. } => vec![Some(*cosines), Some(*sines)],
        Op::Tract { archive, .. } => vec![Some(*archive)],
        _ => Vec::new(),
    };
    all.into_iter().flatten().collect()
}

fn products(program: &Program, step: &Step) -> Option<u64> {
    let count = |shape: &[usize]| {
        shape.iter().try_fold(1u64, |product, &extent| product.checked_mul(extent as u64))
    };
    let times = |factors: &[u64]| {
        factors.iter().try_fold(1u64, |product, &factor| product.checked_mul(factor))
    };
    let input = value(program, &step.inputs, 0)?;
    let output = count(&value(program, &step.outputs, 0)?.shape)?;
    let channels = *input.shape.last()? as u64;
    match &step.op {
        Op::Convolution { kernel: [height, width], groups, .. } => {
            let taps = (*height as u64).checked_mul(*width as u64)?;
            times(&[output, taps, channels.checked_div(*groups as u64)?])
        }
        // Each output value has one tap of the kernel, since the stride is the kernel's size.
        Op::Linear { .. } | Op::Transposed { .. } => times(&[output, channels]),
        Op::Attention { heads, key_size, value_size, causal, .. } => {
            let [batch, queries] = [*input.shape.first()? as u64, *input.shape.get(1)? as u64];
            let keys = *value(program, &step.inputs, 1)?.shape.get(1)? as u64;
            let pairs = match causal {
                // Query i meets the keys 0..=i.
                true => {
                    let meeting = queries.min(keys);
                    times(&[meeting, meeting.checked_add(1)?])? / 2
                        + times(&[queries - meeting, keys])?
                }
                false => times(&[queries, keys])?,
            };
            let sizes = (*key_size as u64).checked_add(*value_size as u64)?;
            times(&[batch, *heads as u64, pairs, sizes])
        }
        _ => Some(0),
    }
}

/// Bytes, in MiB.
pub(super) fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_those_of_the_formulas() {
        let value = |shape: &[usize]| {
            format!("[[value]]\nname = \"v\"\nshape = {shape:?}\nelement = \"f32\"\n")
        };
        let weights = "{ packing = { gemm = { element = \"f32\", nr = 8, kr = 1 } }, panels = { offset = 0, bytes = 640 } }";
        let epilogue = "{ shift = false, residual = false, activation = \"none\" }";
        let step = |name: &str, inputs: &str, output: usize, op: String| {
            format!(
                "[[step]]\nname = \"{name}\"\ninputs = {inputs}\noutputs = [{output}]\nop = {op}\n"
            )
        };
        let attention = |causal: bool| {
            format!(
                "{{ attention = {{ heads = 2, key_heads = 2, key_size = 3, value_size = 4, scale = 1.0, causal = {causal}, \
                 zero_keys = 0, int8 = false, channels = [0, 6, 12] }} }}"
            )
        };
        let text = [
            "name = \"n\"\nelement = \"f32\"\nweight_bytes = 640\ninputs = []\noutputs = []\n".to_string(),
            value(&[1, 8, 6, 4]),
            value(&[1, 4, 3, 10]),
            value(&[2, 5, 20]),
            value(&[2, 7, 8]),
            step(
                "c",
                "[0]",
                1,
                format!(
                    "{{ convolution = {{ kernel = [3, 3], stride = [2, 2], dilation = [1, 1], padding = [0, 0, 1, 1], groups = 2, \
                     enlargement = 1, weights = {weights}, epilogue = {epilogue} }} }}"
                ),
            ),
            step("a", "[2, 3, 3]", 2, attention(false)),
            step("b", "[2, 3, 3]", 2, attention(true)),
            step("d", "[9]", 77, attention(true)),
        ]
        .concat();
        let program: Program = toml::from_str(&text).unwrap();
        let layers = layers(&program, Features::detect().baseline());
        let products: Vec<u64> = layers.iter().map(|layer| layer.products).collect();
        assert_eq!(
            products,
            [4 * 3 * 10 * 9 * 2, 2 * 2 * 5 * 7 * 7, 2 * 2 * (1 + 2 + 3 + 4 + 5) * 7, 0]
        );
        assert_eq!((layers[0].kind, layers[0].precision), ("convolution", "f32"));
        assert_eq!(layers[0].weight_bytes, 640);
    }
}
