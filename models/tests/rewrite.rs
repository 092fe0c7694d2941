//! Rewritten nets give what they gave, with less.

#[expect(dead_code, reason = "each test program uses a part")]
mod plain;

use kernels::math::Activation;
use models::nn::{
    self, Attention, Binary, Convolution, Layer, LayerNorm, Linear, Operation, Resize, RmsNorm,
    Sampling, Slice,
};
use models::rewrite::{
    fold_constants_into_linear, fold_enlargement, fold_single_key_attention, prune, split_concat,
};
use plain::{Random, assert_near, run};
use tract_core::internal::*;

/// A model under construction, with random weights.
struct Net {
    model: TypedModel,
    random: Random,
}

impl Net {
    fn new() -> Self {
        Self { model: TypedModel::default(), random: Random(11) }
    }

    fn source(&mut self, name: &str, shape: &[usize]) -> OutletId {
        self.model.add_source(name, f32::fact(shape)).expect("a source")
    }

    fn constant(&mut self, name: &str, shape: &[usize], values: &[f32]) -> OutletId {
        let tensor = Tensor::from_shape(shape, values).expect("a tensor");
        self.model.add_const(name, tensor).expect("a constant")
    }

    fn add(&mut self, name: &str, layer: Layer, inputs: &[OutletId]) -> OutletId {
        nn::add(&mut self.model, name, layer, inputs).expect("the layer fits")
    }

    fn linear(&mut self, name: &str, [n, k]: [usize; 2], input: OutletId) -> OutletId {
        let weights = self.random.parameter(&format!("{name}.weight"), &[n, k]);
        let bias = Some(self.random.parameter(&format!("{name}.bias"), &[n]));
        self.add(name, Layer::Linear(Linear { weights, bias }), &[input])
    }

    fn convolution(&mut self, name: &str, shape: [usize; 4], input: OutletId) -> OutletId {
        let weights = self.random.parameter(&format!("{name}.weight"), &shape);
        let bias = Some(self.random.parameter(&format!("{name}.bias"), &shape[..1]));
        let (top, left) = (shape[1] / 2, shape[2] / 2);
        let layer = Convolution {
            weights,
            bias,
            stride: [1, 1],
            dilation: [1, 1],
            padding: [top, left, top, left],
            groups: 1,
            enlargement: 1,
        };
        self.add(name, Layer::Convolution(layer), &[input])
    }

    fn binary(&mut self, name: &str, operation: Operation, inputs: [OutletId; 2]) -> OutletId {
        self.add(name, Layer::Binary(Binary { operation }), &inputs)
    }

    fn finish(mut self, outputs: &[OutletId]) -> TypedModel {
        self.model.select_output_outlets(outputs).expect("outputs");
        self.model
    }
}

/// Checks that both models give the same on random inputs.
fn assert_same(before: &TypedModel, after: &TypedModel) {
    let mut random = Random(12);
    let shape = |outlet: &OutletId| {
        before.outlet_fact(*outlet).expect("a fact").shape.as_concrete().expect("a shape").to_vec()
    };
    let inputs = before.input_outlets().expect("inputs").iter().map(|i| random.plain(&shape(i)));
    let inputs = inputs.collect::<Vec<_>>();
    let inputs = inputs.iter().collect::<Vec<_>>();
    let (expected, found) = (run(before, &inputs), run(after, &inputs));
    assert_eq!(expected.len(), found.len());
    for (expected, found) in expected.iter().zip(&found) {
        assert_eq!(expected.shape, found.shape);
        assert_near(&found.values, &expected.values, 1e-5, "a rewritten net");
    }
}

fn names(model: &TypedModel) -> Vec<&str> {
    model.nodes().iter().map(|node| node.name.as_str()).collect()
}

/// Cross attention as a transformer block has it, with norms of queries and keys.
fn cross_attention(net: &mut Net, x: OutletId, context: OutletId, heads: usize) -> OutletId {
    let c = 8;
    let norm = LayerNorm { epsilon: 1e-5, scale: None, shift: None };
    let normed = net.add("norm", Layer::LayerNorm(norm), &[x]);
    let q = net.linear("to_q", [c, c], normed);
    let rms = || Layer::RmsNorm(RmsNorm { size: c / heads, epsilon: 1e-6, scale: None });
    let q = net.add("norm_q", rms(), &[q]);
    let k = net.linear("to_k", [c, 6], context);
    let k = net.add("norm_k", rms(), &[k]);
    let v = net.linear("to_v", [c, 6], context);
    let attention = Attention { heads, key_heads: heads, scale: 0.5, causal: false };
    net.add("attention", Layer::Attention(attention), &[q, k, v])
}

#[test]
fn attention_to_one_key_is_its_value() {
    let mut net = Net::new();
    let x = net.source("x", &[2, 5, 8]);
    let context = net.source("context", &[2, 1, 6]);
    let mixed = cross_attention(&mut net, x, context, 2);
    let out = net.linear("to_out", [8, 8], mixed);
    let sum = net.binary("residual", Operation::Add, [out, x]);
    let before = net.finish(&[sum]);
    let after = fold_single_key_attention(&before).expect("it can be rewritten");
    assert_eq!(names(&after), ["x", "context", "to_v", "to_out", "residual"]);
    let out = after.outlet_fact(after.node_by_name("to_out").expect("it is kept").id.into());
    assert_eq!(out.expect("a fact").shape.as_concrete(), Some(&[2, 1, 8][..]));
    assert_same(&before, &after);
}

#[test]
fn a_source_that_nothing_needs_any_more_stays() {
    let mut net = Net::new();
    let x = net.source("x", &[1, 5, 8]);
    let context = net.source("context", &[1, 1, 6]);
    let mixed = cross_attention(&mut net, x, context, 4);
    let before = net.finish(&[mixed]);
    let after = fold_single_key_attention(&before).expect("it can be rewritten");
    let kept = ["x", "context", "to_v", "attention.spread.zeros", "attention.spread"];
    let mut found = names(&after);
    found.sort_unstable();
    let mut kept = kept.to_vec();
    kept.sort_unstable();
    assert_eq!(found, kept);
    assert_same(&before, &after);
}

#[test]
fn one_value_is_spread_where_tokens_are_taken_apart() {
    let mut net = Net::new();
    let x = net.source("x", &[1, 5, 8]);
    let context = net.source("context", &[1, 1, 6]);
    let mixed = cross_attention(&mut net, x, context, 2);
    let active = net.add("active", Layer::Activate(Activation::Silu), &[mixed]);
    let slice = Layer::Slice(Slice { axis: 1, start: 1, end: 3 });
    let some = net.add("some", slice, &[active]);
    let both = net.add("both", Layer::Concat { axis: 1 }, &[active, some]);
    let squared = net.binary("squared", Operation::Multiply, [active, mixed]);
    let before = net.finish(&[both, squared]);
    let after = fold_single_key_attention(&before).expect("it can be rewritten");
    assert_eq!(names(&after).iter().filter(|name| name.ends_with(".spread")).count(), 2);
    assert_same(&before, &after);
}

#[test]
fn attention_to_more_keys_is_left_alone() {
    let mut net = Net::new();
    let x = net.source("x", &[1, 5, 8]);
    let context = net.source("context", &[1, 2, 6]);
    let mixed = cross_attention(&mut net, x, context, 2);
    let before = net.finish(&[mixed]);
    let after = fold_single_key_attention(&before).expect("it can be rewritten");
    assert_eq!(names(&after).len(), names(&before).len());
    assert_same(&before, &after);
}

#[test]
fn a_layer_of_a_concatenation_is_a_sum_of_layers() {
    let mut net = Net::new();
    let parts = [2, 3, 4].map(|c| net.source(&format!("x{c}"), &[1, 4, 5, c]));
    let all = net.add("all", Layer::Concat { axis: 3 }, &parts);
    let narrow = net.convolution("narrow", [6, 1, 1, 9], all);
    let wide = net.convolution("wide", [6, 3, 3, 9], all);
    let before = net.finish(&[narrow, wide]);

    let chosen = |node: &TypedNode| node.name == "narrow";
    let after = split_concat(&before, chosen).expect("it can be rewritten");
    for name in ["narrow.part0", "narrow.part1", "narrow.part2", "narrow.sum1", "narrow", "all"] {
        assert!(names(&after).contains(&name), "{name} of {:?}", names(&after));
    }
    assert!(!names(&after).contains(&"wide.part0"));
    assert_same(&before, &after);

    let after = split_concat(&before, |_| true).expect("it can be rewritten");
    assert!(!names(&after).contains(&"all"));
    assert_same(&before, &after);
    let layers = after.nodes().iter().filter_map(nn::layer);
    let bias = layers.filter(|layer| layer.parameters().len() == 2).count();
    assert_eq!(bias, 2, "one bias for each layer that was split");
}

#[test]
fn a_linear_layer_of_a_concatenation_is_split_at_its_channels_only() {
    let mut net = Net::new();
    let (a, b) = (net.source("a", &[1, 3, 4]), net.source("b", &[1, 3, 2]));
    let channels = net.add("channels", Layer::Concat { axis: 2 }, &[a, b]);
    let first = net.linear("first", [4, 6], channels);
    let tokens = net.add("tokens", Layer::Concat { axis: 1 }, &[first, a]);
    let second = net.linear("second", [5, 4], tokens);
    let before = net.finish(&[second]);
    let after = split_concat(&before, |_| true).expect("it can be rewritten");
    let expected = ["a", "b", "first.part0", "first.part1", "first", "tokens", "second"];
    assert_eq!(names(&after), expected);
    assert_same(&before, &after);
}

#[test]
fn constants_for_each_channel_go_into_the_weights() {
    let mut net = Net::new();
    let x = net.source("x", &[1, 4, 5, 3]);
    let y = net.convolution("conv", [2, 3, 3, 3], x);
    let scale = net.constant("scale", &[1, 1, 2], &[0.5, -3.0]);
    let y = net.binary("scaled", Operation::Multiply, [scale, y]);
    let shift = net.constant("shift", &[2], &[1.0, 2.0]);
    let y = net.binary("shifted", Operation::Subtract, [shift, y]);
    let four = net.constant("four", &[], &[4.0]);
    let y = net.binary("divided", Operation::Divide, [y, four]);
    let y = net.binary("raised", Operation::Add, [y, shift]);
    let before = net.finish(&[y]);
    let after = fold_constants_into_linear(&before).expect("it can be rewritten");
    assert_eq!(names(&after), ["x", "conv"]);
    assert_same(&before, &after);
}

#[test]
fn constants_stay_where_the_layer_is_needed_as_it_is() {
    let mut net = Net::new();
    let x = net.source("x", &[1, 3, 4]);
    let two = net.constant("two", &[1], &[2.0]);
    let tokens = net.constant("tokens", &[3, 1], &[1.0, 2.0, 3.0]);
    let zeros = net.constant("zeros", &[2, 1, 1], &[0.0, 0.0]);
    let shared = net.linear("shared", [4, 4], x);
    let doubled = net.binary("doubled", Operation::Multiply, [shared, two]);
    let sum = net.binary("sum", Operation::Add, [doubled, shared]);
    let by_token = net.linear("by_token", [3, 4], sum);
    let by_token = net.binary("of_tokens", Operation::Multiply, [by_token, tokens]);
    let larger = net.linear("larger", [3, 4], sum);
    let larger = net.binary("twice", Operation::Add, [larger, zeros]);
    let divisor = net.linear("divisor", [3, 4], sum);
    let divisor = net.binary("inverse", Operation::Divide, [two, divisor]);
    let output = net.linear("output", [3, 4], sum);
    let after_output = net.binary("after_output", Operation::Add, [output, two]);
    let before = net.finish(&[by_token, larger, divisor, output, after_output]);
    let after = fold_constants_into_linear(&before).expect("it can be rewritten");
    assert_eq!(names(&after).len(), names(&before).len());
}

#[test]
fn an_image_enlarged_before_a_convolution_is_enlarged_by_it() {
    let mut net = Net::new();
    let x = net.source("x", &[1, 4, 3, 2]);
    let resize = Resize { height: 8, width: 6, sampling: Sampling::Nearest };
    let large = net.add("large", Layer::Resize(resize), &[x]);
    let y = net.convolution("conv", [3, 3, 3, 2], large);
    let before = net.finish(&[y]);
    let after = fold_enlargement(&before).expect("it can be rewritten");
    assert_eq!(names(&after), ["x", "conv"]);
    assert_same(&before, &after);
}

#[test]
fn other_resizes_stay() {
    let mut net = Net::new();
    let x = net.source("x", &[1, 4, 3, 2]);
    let bilinear = Sampling::Bilinear(nn::Corners::HalfPixel);
    for (name, height, sampling) in [("smooth", 8, bilinear), ("thrice", 12, Sampling::Nearest)] {
        let resize = Resize { height, width: 6, sampling };
        let large = net.add(name, Layer::Resize(resize), &[x]);
        net.convolution(&format!("{name}.conv"), [3, 3, 3, 2], large);
    }
    let outputs = ["smooth.conv", "thrice.conv"]
        .map(|name| net.model.node_by_name(name).expect("it was added").id.into());
    let before = net.finish(&outputs);
    let after = fold_enlargement(&before).expect("it can be rewritten");
    assert_eq!(names(&after).len(), names(&before).len());
    assert_same(&before, &after);
}

#[test]
fn pruning_keeps_the_sources_and_their_order() {
    let mut net = Net::new();
    let unused = net.source("unused", &[1, 2]);
    let used = net.source("used", &[1, 2]);
    net.linear("dead", [2, 2], unused);
    let alive = net.linear("alive", [2, 2], used);
    let pruned = prune(&net.finish(&[alive])).expect("it can be pruned");
    assert_eq!(names(&pruned), ["unused", "used", "alive"]);
    assert_eq!(pruned.input_outlets().expect("inputs").len(), 2);
}
