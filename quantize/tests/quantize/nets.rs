//! Small nets of the vocabulary with seeded weights.

use kernels::math::Activation;
use models::Imported;
use models::nn::{
    self, Attention, Binary, Convolution, Gated, GroupNorm, Layer, LayerNorm, Linear, Operation,
    Parameter,
};
use quantize::samples::Normal;
use tract_core::internal::*;

pub struct Net {
    pub model: TypedModel,
    seed: u64,
}

impl Net {
    pub fn new() -> Self {
        Self { model: TypedModel::default(), seed: 100 }
    }

    pub fn source(&mut self, name: &str, shape: &[usize]) -> OutletId {
        self.model.add_source(name, f32::fact(shape)).unwrap()
    }

    /// Values of standard deviation `scale`.
    pub fn parameter(&mut self, shape: &[usize], scale: f32) -> Parameter {
        self.seed += 1;
        let values = Normal::new(self.seed).take(shape.iter().product());
        let values: Vec<f32> = values.into_iter().map(|x| x * scale).collect();
        Parameter::new(format!("p{}", self.seed), shape, values)
    }

    pub fn add(&mut self, name: &str, layer: Layer, inputs: &[OutletId]) -> OutletId {
        nn::add(&mut self.model, name, layer, inputs).unwrap()
    }

    pub fn convolution(
        &mut self,
        name: &str,
        x: OutletId,
        [from, to, kernel]: [usize; 3],
    ) -> OutletId {
        let scale = 1.0 / ((from * kernel * kernel) as f32).sqrt();
        let layer = Convolution {
            weights: self.parameter(&[to, kernel, kernel, from], scale),
            bias: Some(self.parameter(&[to], 0.1)),
            stride: [1, 1],
            dilation: [1, 1],
            padding: [kernel / 2; 4],
            groups: 1,
            enlargement: 1,
        };
        self.add(name, Layer::Convolution(layer), &[x])
    }

    pub fn linear(&mut self, name: &str, x: OutletId, [from, to]: [usize; 2]) -> OutletId {
        let weights = self.parameter(&[to, from], 1.0 / (from as f32).sqrt());
        let bias = Some(self.parameter(&[to], 0.1));
        self.add(name, Layer::Linear(Linear { weights, bias }), &[x])
    }

    pub fn group_norm(&mut self, name: &str, x: OutletId, channels: usize) -> OutletId {
        let scale = Some(self.parameter(&[channels], 1.0));
        let shift = Some(self.parameter(&[channels], 0.2));
        let norm = GroupNorm { groups: 8, epsilon: 1e-5, scale, shift };
        let y = self.add(name, Layer::GroupNorm(norm), &[x]);
        self.add(&format!("{name}.silu"), Layer::Activate(Activation::Silu), &[y])
    }

    pub fn layer_norm(&mut self, name: &str, x: OutletId, channels: usize) -> OutletId {
        let scale = Some(self.parameter(&[channels], 1.0));
        let shift = Some(self.parameter(&[channels], 0.2));
        self.add(name, Layer::LayerNorm(LayerNorm { epsilon: 1e-5, scale, shift }), &[x])
    }

    pub fn sum(&mut self, name: &str, a: OutletId, b: OutletId) -> OutletId {
        self.add(name, Layer::Binary(Binary { operation: Operation::Add }), &[a, b])
    }

    pub fn finish(self, outputs: &[OutletId]) -> Imported {
        let model = self.model.with_output_outlets(outputs).unwrap();
        let port = |outlet: &OutletId| {
            let shape = model.outlet_fact(*outlet).unwrap().shape.as_concrete().unwrap().to_vec();
            (model.node(outlet.node).name.clone(), shape)
        };
        let inputs = model.input_outlets().unwrap().iter().map(port).collect();
        let outputs = outputs.iter().map(port).collect();
        Imported { inputs, outputs, model, left_to_tract: Vec::new() }
    }
}

/// An image in, an image out: two residual blocks between two convolutions.
pub fn residual() -> Imported {
    let mut net = Net::new();
    let x = net.source("image", &[1, 64, 64, 3]);
    let mut y = net.convolution("conv_in", x, [3, 32, 3]);
    for block in 0..2 {
        let name = |part: &str| format!("blocks.{block}.{part}");
        let normed = net.group_norm(&name("norm1"), y, 32);
        let inner = net.convolution(&name("conv1"), normed, [32, 32, 3]);
        let normed = net.group_norm(&name("norm2"), inner, 32);
        let inner = net.convolution(&name("conv2"), normed, [32, 32, 3]);
        y = net.sum(&name("add"), y, inner);
    }
    let normed = net.group_norm("norm_out", y, 32);
    let y = net.convolution("conv_out", normed, [32, 3, 3]);
    net.finish(&[y])
}

/// A transformer block with a time embedding.
pub fn transformer() -> Imported {
    const WIDTH: usize = 64;
    let mut net = Net::new();
    let x = net.source("tokens", &[1, 48, WIDTH]);
    let t = net.source("timestep", &[1, 1]);
    let t = net.linear("time_embedding.linear_1", t, [1, WIDTH]);
    let t = net.add("time_embedding.act", Layer::Activate(Activation::Tanh), &[t]);
    let t = net.add("time_embedding.shape", Layer::Reshape { shape: vec![1, 1, WIDTH] }, &[t]);
    let x = net.sum("timed", x, t);
    let normed = net.layer_norm("norm1", x, WIDTH);
    let queries = net.linear("attn1.to_q", normed, [WIDTH, WIDTH]);
    let keys = net.linear("attn1.to_k", normed, [WIDTH, WIDTH]);
    let values = net.linear("attn1.to_v", normed, [WIDTH, WIDTH]);
    let attention =
        Layer::Attention(Attention { heads: 4, key_heads: 4, scale: 0.25, causal: false });
    let y = net.add("attn1", attention, &[queries, keys, values]);
    let y = net.linear("attn1.to_out", y, [WIDTH, WIDTH]);
    let x = net.sum("attended", x, y);
    let normed = net.layer_norm("norm3", x, WIDTH);
    let y = net.linear("ff.proj", normed, [WIDTH, 4 * WIDTH]);
    let gated = Gated { activation: Activation::Gelu, gate_first: false };
    let y = net.add("ff.geglu", Layer::Gated(gated), &[y]);
    let y = net.linear("ff.out", y, [2 * WIDTH, WIDTH]);
    let y = net.sum("out", x, y);
    net.finish(&[y])
}
