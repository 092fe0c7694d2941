//! Layers put together as published nets are, against recorded results of their reference implementations.
//!
//! The recordings are not in the repository: `VITRINE_GOLDEN` names their folder, else `../shared/golden` beside the repository is looked
//! at. Without them the tests only say so.

#[expect(dead_code, reason = "each test program uses a part")]
mod plain;

use kernels::math::Activation;
use models::checkpoint::Checkpoint;
use models::nn::{
    self, Attention, Binary, Convolution, Layer, Linear, Operation, Plain, Resize, Sampling,
};
use plain::{assert_near, evaluated, run};
use std::path::PathBuf;
use tract_core::internal::*;

/// The distance that the recordings' description allows a port in f32.
const BOUND: f32 = 5e-5;

/// The weights and the recorded tensors of a case.
fn golden(name: &str) -> Option<(Checkpoint, Checkpoint)> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/golden");
    let folder = std::env::var_os("VITRINE_GOLDEN").map_or_else(beside, PathBuf::from).join(name);
    if !folder.is_dir() {
        println!("skipped: no golden data");
        return None;
    }
    let open = |file| Checkpoint::open(&folder.join(file)).expect("the file can be read");
    Some((open("model.safetensors"), open("io.safetensors")))
}

fn recorded(recordings: &mut Checkpoint, name: &str) -> Plain {
    let shape = recordings.shape(name).expect("it is recorded").to_vec();
    let values = recordings.parameter(name, &shape).expect("it is recorded").values.to_vec();
    let plain = Plain::new(&shape, values);
    if shape.len() == 4 {
        return evaluated(&Layer::Transpose { axes: vec![0, 2, 3, 1] }, &[&plain]);
    }
    plain
}

#[test]
fn attention_with_odd_heads_is_that_of_the_reference() {
    let Some((mut weights, mut recordings)) = golden("attention_odd_heads") else { return };
    for (size, heads) in [(40, 2), (56, 2), (80, 2), (160, 1)] {
        let x = recorded(&mut recordings, &format!("input.hd{size}"));
        let other = recorded(&mut recordings, "input.context");
        for (kind, context) in [("self", &x), ("cross", &other)] {
            let prefix = format!("hd{size}.{kind}");
            let mut linear = |name: &str, input: &Plain| {
                let shape = [heads * size, input.channels()];
                let weight = format!("{prefix}.{name}.weight");
                let weights_of = weights.parameter(&weight, &shape).expect("the weights");
                let bias = weights.optional(&format!("{prefix}.{name}.bias"), &shape[..1]);
                let bias = bias.expect("the bias");
                evaluated(&Layer::Linear(Linear { weights: weights_of, bias }), &[input])
            };
            let [q, k, v] =
                [("to_q", &x), ("to_k", context), ("to_v", context)].map(|(n, x)| linear(n, x));
            let scale = 1.0 / (size as f32).sqrt();
            let layer = Attention { heads, key_heads: heads, scale, causal: false };
            let mixed = evaluated(&Layer::Attention(layer), &[&q, &k, &v]);
            let y = linear("to_out.0", &mixed);
            let expected = recorded(&mut recordings, &format!("output.{prefix}"));
            assert_near(&y.values, &expected.values, BOUND, &prefix);
        }
    }
    assert_eq!(weights.left_over().count(), 0);
}

/// A net under construction, with weights by upstream names.
struct Net {
    model: TypedModel,
    weights: Checkpoint,
    at: OutletId,
}

impl Net {
    fn add(&mut self, name: &str, layer: Layer, inputs: &[OutletId]) {
        self.at = nn::add(&mut self.model, name, layer, inputs).expect("the layer fits");
    }

    fn convolve(&mut self, name: &str, stride: usize) {
        let shape = self.weights.shape(&format!("{name}.weight")).expect("the weights").to_vec();
        let [out, depth, height, width] = shape[..] else { panic!("a convolution") };
        let weights = format!("{name}.weight");
        let weights = self.weights.convolution(&weights, [out, height, width, depth]);
        let layer = Convolution {
            weights: weights.expect("the weights"),
            bias: self.weights.optional(&format!("{name}.bias"), &[out]).expect("the bias"),
            stride: [stride; 2],
            dilation: [1, 1],
            padding: [1; 4],
            groups: 1,
            enlargement: 1,
        };
        self.add(name, Layer::Convolution(layer), &[self.at]);
    }

    fn activate(&mut self, name: &str, activation: Activation) {
        self.add(name, Layer::Activate(activation), &[self.at]);
    }

    fn with_constant(&mut self, name: &str, operation: Operation, value: f32) {
        let constant = Tensor::from_shape(&[1], &[value]).expect("a tensor");
        let constant =
            self.model.add_const(format!("{name}.constant"), constant).expect("a constant");
        self.add(name, Layer::Binary(Binary { operation }), &[self.at, constant]);
    }

    fn block(&mut self, name: &str) {
        let skip = self.at;
        self.convolve(&format!("{name}.conv.0"), 1);
        self.activate(&format!("{name}.conv.1"), Activation::Relu);
        self.convolve(&format!("{name}.conv.2"), 1);
        self.activate(&format!("{name}.conv.3"), Activation::Relu);
        self.convolve(&format!("{name}.conv.4"), 1);
        let add = Layer::Binary(Binary { operation: Operation::Add });
        self.add(&format!("{name}.skip"), add, &[self.at, skip]);
        self.activate(&format!("{name}.fuse"), Activation::Relu);
    }

    fn enlarge(&mut self, name: &str) {
        let shape = self.model.outlet_fact(self.at).expect("a fact").shape.as_concrete();
        let Some(&[_, h, w, _]) = shape else { panic!("an image") };
        let resize = Resize { height: 2 * h, width: 2 * w, sampling: Sampling::Nearest };
        self.add(name, Layer::Resize(resize), &[self.at]);
    }
}

fn net(weights: Checkpoint, input: &Plain) -> Net {
    let mut model = TypedModel::default();
    let at = model.add_source("x", f32::fact(&input.shape)).expect("a source");
    Net { model, weights, at }
}

#[test]
fn a_tiny_autoencoder_decodes_as_the_reference() {
    let Some((weights, mut recordings)) = golden("autoencoder_tiny") else { return };
    let latent = recorded(&mut recordings, "input.latent");
    let mut net = net(weights, &latent);
    net.with_constant("shrink", Operation::Divide, 3.0);
    net.activate("tanh", Activation::Tanh);
    net.with_constant("grow", Operation::Multiply, 3.0);
    net.convolve("decoder.layers.0", 1);
    net.activate("decoder.layers.1", Activation::Relu);
    let mut index = 2;
    for (stage, blocks) in [3, 3, 3, 1].into_iter().enumerate() {
        for _ in 0..blocks {
            net.block(&format!("decoder.layers.{index}"));
            index += 1;
        }
        if stage < 3 {
            net.enlarge(&format!("decoder.layers.{index}"));
            index += 1;
        }
        net.convolve(&format!("decoder.layers.{index}"), 1);
        index += 1;
    }
    net.with_constant("double", Operation::Multiply, 2.0);
    net.with_constant("lower", Operation::Subtract, 1.0);
    net.model.select_output_outlets(&[net.at]).expect("an output");
    let expected = recorded(&mut recordings, "output.decoded");
    let decoded = &run(&net.model, &[&latent])[0];
    assert_near(&decoded.values, &expected.values, BOUND, "decoded");
    assert!(net.weights.left_over().all(|name| name.starts_with("encoder.")));

    let enlarging = models::rewrite::fold_enlargement(&net.model).expect("it can be rewritten");
    let folded = models::rewrite::fold_constants_into_linear(&enlarging).expect("so can this");
    assert_eq!(enlarging.nodes().len() + 3, net.model.nodes().len());
    assert!(folded.nodes().len() < enlarging.nodes().len());
    let decoded = &run(&folded, &[&latent])[0];
    assert_near(&decoded.values, &expected.values, BOUND, "decoded, rewritten");
}

#[test]
fn a_tiny_autoencoder_encodes_as_the_reference() {
    let Some((weights, mut recordings)) = golden("autoencoder_tiny") else { return };
    let image = recorded(&mut recordings, "input.image");
    let mut net = net(weights, &image);
    net.with_constant("raise", Operation::Add, 1.0);
    net.with_constant("halve", Operation::Divide, 2.0);
    net.convolve("encoder.layers.0", 1);
    net.block("encoder.layers.1");
    for first in [2, 6, 10] {
        net.convolve(&format!("encoder.layers.{first}"), 2);
        for index in first + 1..first + 4 {
            net.block(&format!("encoder.layers.{index}"));
        }
    }
    net.convolve("encoder.layers.14", 1);
    net.model.select_output_outlets(&[net.at]).expect("an output");
    let expected = recorded(&mut recordings, "output.latent");
    let latent = &run(&net.model, &[&image])[0];
    assert_near(&latent.values, &expected.values, BOUND, "encoded");
}
