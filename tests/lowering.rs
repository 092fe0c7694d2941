//! A net of the vocabulary, lowered and run, does what plain evaluation does.

use kernels::features::{Features, Isa};
use kernels::layouts::Layouts;
use kernels::math::Activation;
use models::Imported;
use models::nn::{
    self, Attention, Binary, Convolution, Gated, GroupNorm, Layer, LayerNorm, Linear, Operation,
    Parameter,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use tract_core::internal::*;
use vitrine::runtime::choices::{Activations, Algorithm, Choice, Choices, Precision};
use vitrine::runtime::engine::{Array, Engine, Settings};
use vitrine::runtime::lower::{Lowered, Target, lower};
use vitrine::runtime::pool::Pool;
use vitrine::runtime::program::{Element, Op, Quantization};

/// Adds layers one after the other, with seeded weights.
struct Builder {
    model: TypedModel,
    state: u64,
}

impl Builder {
    fn new() -> Self {
        Self { model: TypedModel::default(), state: 7 }
    }

    /// Between −1 and 1.
    fn random(&mut self, count: usize) -> Vec<f32> {
        (0..count)
            .map(|_| {
                self.state = self.state.wrapping_mul(6364136223846793005).wrapping_add(1);
                (self.state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
            })
            .collect()
    }

    fn parameter(&mut self, name: String, shape: &[usize], scale: f32, offset: f32) -> Parameter {
        let count = shape.iter().product();
        let values: Vec<f32> =
            self.random(count).iter().map(|value| value * scale + offset).collect();
        Parameter::new(name, shape, values)
    }

    fn source(&mut self, name: &str, shape: &[usize]) -> OutletId {
        self.model.add_source(name, f32::fact(shape)).expect("a source")
    }

    fn add(&mut self, name: &str, layer: Layer, inputs: &[OutletId]) -> OutletId {
        nn::add(&mut self.model, name, layer, inputs).unwrap_or_else(|error| panic!("{error:#}"))
    }

    fn shape(&self, outlet: OutletId) -> Vec<usize> {
        let fact = self.model.outlet_fact(outlet).expect("a fact");
        fact.shape.as_concrete().expect("a known shape").to_vec()
    }

    fn convolution(
        &mut self,
        name: &str,
        x: OutletId,
        columns: usize,
        kernel: usize,
        [stride, enlargement]: [usize; 2],
    ) -> OutletId {
        let channels = self.shape(x)[3];
        let shape = [columns, kernel, kernel, channels];
        let scale = 1.7 / ((kernel * kernel * channels) as f32).sqrt();
        let weights = self.parameter(format!("{name}.weight"), &shape, scale, 0.0);
        let bias = Some(self.parameter(format!("{name}.bias"), &[columns], 0.2, 0.0));
        let layer = Convolution {
            weights,
            bias,
            stride: [stride; 2],
            dilation: [1; 2],
            padding: [kernel / 2; 4],
            groups: 1,
            enlargement,
        };
        self.add(name, Layer::Convolution(layer), &[x])
    }

    fn linear(&mut self, name: &str, x: OutletId, columns: usize, biased: bool) -> OutletId {
        let k = *self.shape(x).last().expect("an axis");
        let scale = 1.7 / (k as f32).sqrt();
        let weights = self.parameter(format!("{name}.weight"), &[columns, k], scale, 0.0);
        let bias = biased.then(|| self.parameter(format!("{name}.bias"), &[columns], 0.2, 0.0));
        self.add(name, Layer::Linear(Linear { weights, bias }), &[x])
    }

    fn group_norm(&mut self, name: &str, x: OutletId) -> OutletId {
        let channels = self.shape(x)[3];
        let scale = Some(self.parameter(format!("{name}.weight"), &[channels], 0.3, 1.0));
        let shift = Some(self.parameter(format!("{name}.bias"), &[channels], 0.2, 0.0));
        let layer = GroupNorm { groups: 4, epsilon: 1e-5, scale, shift };
        self.add(name, Layer::GroupNorm(layer), &[x])
    }

    fn layer_norm(&mut self, name: &str, x: OutletId) -> OutletId {
        let channels = *self.shape(x).last().expect("an axis");
        let scale = Some(self.parameter(format!("{name}.weight"), &[channels], 0.3, 1.0));
        let shift = Some(self.parameter(format!("{name}.bias"), &[channels], 0.2, 0.0));
        self.add(name, Layer::LayerNorm(LayerNorm { epsilon: 1e-5, scale, shift }), &[x])
    }

    fn activate(&mut self, name: &str, x: OutletId) -> OutletId {
        self.add(name, Layer::Activate(Activation::Silu), &[x])
    }

    fn sum(&mut self, name: &str, a: OutletId, b: OutletId) -> OutletId {
        self.add(name, Layer::Binary(Binary { operation: Operation::Add }), &[a, b])
    }

    fn reshape(&mut self, name: &str, x: OutletId, shape: &[usize]) -> OutletId {
        self.add(name, Layer::Reshape { shape: shape.to_vec() }, &[x])
    }
}

/// What a diffusion UNet is made of, once: a resnet with a time embedding, a transformer block, down, up, a skip connection.
fn unet() -> Imported {
    let mut net = Builder::new();
    let sample = net.source("sample", &[1, 8, 6, 5]);
    let time = net.source("time", &[1, 24]);
    let x = net.convolution("conv_in", sample, 16, 3, [1, 1]);

    let h = net.group_norm("norm1", x);
    let h = net.activate("norm1.silu", h);
    let h = net.convolution("conv1", h, 24, 3, [1, 1]);
    let t = net.activate("time.silu", time);
    let t = net.linear("time_emb_proj", t, 24, true);
    let t = net.reshape("time.reshape", t, &[1, 1, 1, 24]);
    let h = net.sum("time.add", h, t);
    let h = net.group_norm("norm2", h);
    let h = net.activate("norm2.silu", h);
    let h = net.convolution("conv2", h, 24, 3, [1, 1]);
    let shortcut = net.convolution("conv_shortcut", x, 24, 1, [1, 1]);
    let x = net.sum("resnet.add", shortcut, h);

    let h = net.group_norm("norm", x);
    let h = net.convolution("proj_in", h, 24, 1, [1, 1]);
    let h = net.reshape("tokens", h, &[1, 48, 24]);
    let n = net.layer_norm("norm_attention", h);
    let q = net.linear("to_q", n, 24, false);
    let k = net.linear("to_k", n, 24, false);
    let v = net.linear("to_v", n, 24, false);
    let attention = Attention { heads: 3, key_heads: 3, scale: 0.35, causal: false };
    let a = net.add("attention", Layer::Attention(attention), &[q, k, v]);
    let a = net.linear("to_out", a, 24, true);
    let h = net.sum("attention.add", a, h);
    let n = net.layer_norm("norm_ff", h);
    let f = net.linear("ff.0", n, 192, true);
    let gated = Gated { activation: Activation::Gelu, gate_first: false };
    let f = net.add("ff.gelu", Layer::Gated(gated), &[f]);
    let f = net.linear("ff.2", f, 24, true);
    let h = net.sum("ff.add", f, h);
    let h = net.linear("proj_out", h, 24, true);
    let h = net.reshape("image", h, &[1, 8, 6, 24]);
    let skip = net.sum("transformer.add", h, x);

    let h = net.convolution("down", skip, 32, 3, [2, 1]);
    let h = net.convolution("up", h, 24, 3, [1, 2]);
    let h = net.add("concat", Layer::Concat { axis: 3 }, &[h, skip]);
    let h = net.group_norm("norm_out", h);
    let h = net.activate("norm_out.silu", h);
    let h = net.convolution("conv_out", h, 4, 3, [1, 1]);
    let mut model = net.model;
    model.select_output_outlets(&[h]).expect("an output");
    Imported {
        model,
        inputs: vec![("sample".to_owned(), vec![1, 8, 6, 5]), ("time".to_owned(), vec![1, 24])],
        outputs: vec![("noise".to_owned(), vec![1, 8, 6, 4])],
        left_to_tract: Vec::new(),
    }
}

fn inputs() -> [Array; 2] {
    let mut random = Builder::new();
    random.state = 99;
    let sample = Array { shape: vec![1, 8, 6, 5], values: random.random(8 * 6 * 5) };
    let time = Array { shape: vec![1, 24], values: random.random(24) };
    [sample, time]
}

fn plainly(model: &TypedModel, inputs: &[Array]) -> Vec<f32> {
    let inputs = inputs
        .iter()
        .map(|array| Tensor::from_shape(&array.shape, &array.values).expect("a tensor").into())
        .collect();
    let plan = model.clone().into_runnable().expect("a plan");
    let outputs = plan.run(inputs).expect("a run");
    let view = outputs[0].try_as_plain_ram().expect("in memory");
    view.as_slice::<f32>().expect("floats").to_vec()
}

fn here(element: Element) -> Target {
    Target { element, layouts: Layouts::here(Features::detect()) }
}

fn run(lowered: Lowered, inputs: &[Array], threads: usize) -> Vec<f32> {
    let pool = Arc::new(Pool::new(threads).expect("threads"));
    let settings = Settings { features: Features::detect(), pool, memory_limit: None };
    let engine = Engine::new(lowered.program, lowered.weights, settings)
        .unwrap_or_else(|error| panic!("{error}"));
    let mut session = Arc::new(engine).session();
    let named = [("sample", &inputs[0]), ("time", &inputs[1])];
    session.run(&named).unwrap_or_else(|error| panic!("{error}")).swap_remove(0).values
}

/// 20 · log10(greatest / root of the mean square of the difference)
fn psnr(expected: &[f32], found: &[f32]) -> f32 {
    assert_eq!(expected.len(), found.len());
    let greatest = expected.iter().fold(0f32, |m, x| m.max(x.abs()));
    let square: f32 = expected.iter().zip(found).map(|(a, b)| (a - b) * (a - b)).sum();
    20.0 * (greatest / (square / expected.len() as f32).sqrt()).log10()
}

fn count(lowered: &Lowered, wanted: impl Fn(&Op) -> bool) -> usize {
    lowered.program.steps.iter().filter(|step| wanted(&step.op)).count()
}

/// int8 everywhere but at the ends; images with the ranges that calibration would find, tokens row by row.
fn int8(model: &TypedModel, inputs: &[Array]) -> Choices {
    let mut choices = Choices::float(Precision::F32);
    let int8 = |activations| Choice {
        precision: Precision::Int8,
        activations,
        algorithm: Algorithm::Direct,
    };
    for node in &model.nodes {
        let Some(layer) = nn::layer(node) else { continue };
        let ends = ["conv_in", "conv_out", "time_emb_proj"].contains(&node.name.as_str());
        match layer {
            Layer::Convolution(_) if !ends => {
                choices.layers.insert(node.name.clone(), int8(Activations::Tensor));
            }
            Layer::Linear(_) if !ends => {
                choices.layers.insert(node.name.clone(), int8(Activations::Row));
            }
            _ => {}
        }
    }
    // Ranges: each node's values in plain evaluation.
    for node in &model.nodes {
        let mut upto = model.clone();
        upto.select_output_outlets(&[node.id.into()]).expect("an output");
        let values = plainly(&upto, inputs);
        let greatest = values.iter().fold(1e-6f32, |m, x| m.max(x.abs()));
        let range = Quantization { scale: greatest / 127.0, zero_point: 0 };
        choices.ranges.insert(node.name.clone(), range);
    }
    choices
}

#[test]
fn a_lowered_net_does_what_plain_evaluation_does() {
    let (model, inputs) = (unet(), inputs());
    let expected = plainly(&model.model, &inputs);
    let choices = Choices::float(Precision::F32);
    let lowered = lower("unet", &model, &choices, &here(Element::F32))
        .unwrap_or_else(|error| panic!("{error}"));
    assert!(lowered.left_to_tract.is_empty(), "{:?}", lowered.left_to_tract);
    let found = run(lowered.clone(), &inputs, 1);
    assert!(psnr(&expected, &found) > 100.0, "{} dB", psnr(&expected, &found));
    assert_eq!(found, run(lowered, &inputs, 3), "threads change nothing");
}

#[test]
fn what_a_kernel_does_on_the_way_takes_no_step() {
    let lowered = lower("unet", &unet(), &Choices::float(Precision::F32), &here(Element::F32))
        .unwrap_or_else(|error| panic!("{error}"));
    // SiLU of the time embedding stands alone, all others are in norms.
    assert_eq!(count(&lowered, |op| matches!(op, Op::Activate { .. })), 1);
    assert_eq!(count(&lowered, |op| matches!(op, Op::Binary { .. })), 0, "sums are epilogues");
    assert_eq!(
        count(&lowered, |op| matches!(op, Op::Linear { .. })),
        6,
        "to_q, to_k, to_v are one"
    );
    assert_eq!(count(&lowered, |op| matches!(op, Op::Convert | Op::Transpose { .. })), 0);
    let shifted = |op: &Op| matches!(op, Op::Convolution { epilogue, .. } if epilogue.shift);
    assert_eq!(count(&lowered, shifted), 1, "conv1 adds the time embedding");
}

#[test]
fn an_int8_net_is_near_and_reads_int8_where_it_can() {
    let (model, inputs) = (unet(), inputs());
    let expected = plainly(&model.model, &inputs);
    let choices = int8(&model.model, &inputs);
    let lowered = lower("unet", &model, &choices, &here(Element::F32))
        .unwrap_or_else(|error| panic!("{error}"));
    // Norms write int8: with one step before convolutions, with a step for each row before linear layers.
    let of = |name: &str| {
        let value = lowered.program.values.iter().find(|value| value.name == name);
        value.unwrap_or_else(|| panic!("no value `{name}`"))
    };
    for name in ["norm1.silu", "norm2.silu", "norm"] {
        assert!(of(name).element == Element::I8 && of(name).quantization.is_some(), "{name}");
    }
    for name in ["norm_attention", "norm_ff", "ff.gelu"] {
        assert!(of(name).element == Element::I8 && of(name).row_steps.is_some(), "{name}");
    }
    assert_eq!(of("resnet.add").element, Element::F32, "a norm reads it");
    let found = run(lowered.clone(), &inputs, 1);
    let error = psnr(&expected, &found);
    assert!((30.0..70.0).contains(&error), "{error} dB");
    assert_eq!(found, run(lowered, &inputs, 3), "threads change nothing");
}

#[test]
fn half_precision_is_near() {
    let (model, inputs) = (unet(), inputs());
    let expected = plainly(&model.model, &inputs);
    for choices in [Choices::float(Precision::F16), int8(&model.model, &inputs)] {
        let lowered = lower("unet", &model, &choices, &here(Element::F16))
            .unwrap_or_else(|error| panic!("{error}"));
        let error = psnr(&expected, &run(lowered, &inputs, 2));
        assert!((30.0..100.0).contains(&error), "{error} dB");
    }
}

#[test]
fn winograd_and_int4_are_near() {
    let (model, inputs) = (unet(), inputs());
    let expected = plainly(&model.model, &inputs);
    let mut choices = Choices::float(Precision::F32);
    let winograd =
        Choice { algorithm: Algorithm::Winograd([4, 4]), ..Choice::float(Precision::F32) };
    choices.layers =
        BTreeMap::from([("conv1".to_owned(), winograd), ("conv2".to_owned(), winograd)]);
    let lowered = lower("unet", &model, &choices, &here(Element::F32))
        .unwrap_or_else(|error| panic!("{error}"));
    let error = psnr(&expected, &run(lowered, &inputs, 2));
    assert!(error > 80.0, "Winograd: {error} dB");

    let int4 = Choice {
        precision: Precision::Int4,
        activations: Activations::Row,
        algorithm: Algorithm::Direct,
    };
    choices.layers = BTreeMap::from([("ff.0".to_owned(), int4), ("to_out".to_owned(), int4)]);
    let lowered = lower("unet", &model, &choices, &here(Element::F32))
        .unwrap_or_else(|error| panic!("{error}"));
    let error = psnr(&expected, &run(lowered, &inputs, 2));
    assert!((15.0..60.0).contains(&error), "int4: {error} dB");
}

#[test]
fn what_cannot_be_done_is_told_by_the_layers_name() {
    let mut choices = Choices::float(Precision::F32);
    let row = Choice {
        precision: Precision::Int8,
        activations: Activations::Row,
        algorithm: Algorithm::Direct,
    };
    for (choice, expected) in [
        (row, "a step for each row is for products of one tap"),
        (Choice { activations: Activations::Tensor, ..row }, "its input has no range"),
        (Choice { precision: Precision::Int4, ..row }, "for"),
    ] {
        choices.layers = BTreeMap::from([("conv1".to_owned(), choice)]);
        let error = lower("unet", &unet(), &choices, &here(Element::F32)).expect_err("refused");
        let text = error.to_string();
        assert!(text.contains("conv1") && text.contains(expected), "{text}");
    }
}

#[test]
fn a_program_survives_its_text() {
    let (model, inputs) = (unet(), inputs());
    let choices = int8(&model.model, &inputs);
    let lowered = lower("unet", &model, &choices, &here(Element::F32))
        .unwrap_or_else(|error| panic!("{error}"));
    let text = toml::to_string(&lowered.program).expect("a text");
    let read: vitrine::runtime::program::Program = toml::from_str(&text).expect("a program");
    assert_eq!(read, lowered.program);
    let _ = Isa::ALL;
}
