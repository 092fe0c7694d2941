//! Steps of programs: each does what plain evaluation of its layer does, at odd shapes, whatever its operands are made of and however many
//! threads share it; a step that contradicts itself is refused.

use kernels::features::Features;
use kernels::math::Activation;
use kernels::memory::{Memory, bytes};
use models::nn::{
    self, Attention, Corners, Gated, GroupNorm, Layer, LayerNorm, Pad, Parameter, Plain, RmsNorm,
    Rotary,
};
use std::sync::Arc;
use vitrine::runtime::blob::Blob;
use vitrine::runtime::engine::{Array, Engine, RuntimeError, Settings};
use vitrine::runtime::pool::Pool;
use vitrine::runtime::program::{
    Element, Op, Operation, Pooling, Port, Program, Quantization, Repeat, Sampling, Span, Step,
    Value, ValueId,
};

/// What a value is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    F32,
    F16,
    I8(Quantization),
    /// int8 with a step for each row.
    Rows,
}

const FLOATS: [Form; 2] = [Form::F32, Form::F16];

/// In which [`samples`] are exact.
const EXACT: Form = Form::I8(Quantization { scale: 1.0 / 64.0, zero_point: -3 });

/// A step with its values and weights.
#[derive(Clone)]
struct Net {
    program: Program,
    weights: Vec<u8>,
}

impl Net {
    fn new() -> Self {
        let program = Program {
            name: "step".into(),
            element: Element::F32,
            weight_bytes: 0,
            inputs: Vec::new(),
            outputs: Vec::new(),
            values: Vec::new(),
            steps: Vec::new(),
        };
        Self { program, weights: Vec::new() }
    }

    fn value(&mut self, name: String, shape: &[usize], form: Form) -> ValueId {
        let (element, quantization) = match form {
            Form::F32 => (Element::F32, None),
            Form::F16 => (Element::F16, None),
            Form::I8(quantization) => (Element::I8, Some(quantization)),
            Form::Rows => (Element::I8, None),
        };
        let shape = shape.to_vec();
        let (row_steps, same_as) = (None, None);
        self.program.values.push(Value { name, shape, element, quantization, row_steps, same_as });
        self.program.values.len() - 1
    }

    fn input(&mut self, shape: &[usize], form: Form) -> ValueId {
        let name = format!("input{}", self.program.inputs.len());
        let value = self.value(name.clone(), shape, form);
        self.program.inputs.push(Port { name, value });
        value
    }

    /// The values of an output, and the steps of its rows.
    fn output(&mut self, shape: &[usize], form: Form) -> Vec<ValueId> {
        let name = format!("output{}", self.program.outputs.len());
        let value = self.value(name.clone(), shape, form);
        self.program.outputs.push(Port { name: name.clone(), value });
        if form != Form::Rows {
            return vec![value];
        }
        let rows = shape[..shape.len() - 1].iter().product();
        let steps = self.value(format!("{name}.steps"), &[rows], Form::F32);
        self.program.values[value].row_steps = Some(steps);
        vec![value, steps]
    }

    fn floats(&mut self, values: &[f32]) -> Span {
        let offset = self.weights.len();
        self.weights.extend_from_slice(bytes(values));
        self.weights.resize(self.weights.len().next_multiple_of(64), 0);
        Span { offset: offset as u64, bytes: 4 * values.len() as u64 }
    }

    fn step(&mut self, inputs: Vec<ValueId>, outputs: Vec<ValueId>, op: Op) {
        let name = format!("step{}", self.program.steps.len());
        self.program.steps.push(Step { name, inputs, outputs, op });
    }

    /// One step from these inputs to one output.
    fn of(inputs: &[(&Plain, Form)], y: &Plain, form: Form, op: Op) -> Self {
        let mut net = Self::new();
        net.wire(inputs, y, form, op);
        net
    }

    fn wire(&mut self, inputs: &[(&Plain, Form)], y: &Plain, form: Form, op: Op) {
        let inputs = inputs.iter().map(|(x, form)| self.input(&x.shape, *form)).collect();
        let outputs = self.output(&y.shape, form);
        self.step(inputs, outputs, op);
    }

    fn engine(&self, features: Features, threads: usize) -> Result<Arc<Engine>, RuntimeError> {
        let mut program = self.program.clone();
        program.weight_bytes = self.weights.len() as u64;
        let pool = Arc::new(Pool::new(threads).expect("threads"));
        let settings = Settings { features, pool, memory_limit: None };
        let weights = Blob::from(Memory::from(&self.weights[..]));
        Engine::new(program, weights, settings).map(Arc::new)
    }

    fn run(&self, features: Features, threads: usize, inputs: &[&Plain]) -> Vec<f32> {
        let engine = self.engine(features, threads).unwrap_or_else(|error| panic!("{error}"));
        let names = self.program.inputs.iter().map(|port| port.name.as_str());
        let array = |x: &&Plain| Array { shape: x.shape.clone(), values: x.values.clone() };
        let arrays = inputs.iter().map(array).collect::<Vec<_>>();
        let inputs = names.zip(&arrays).collect::<Vec<_>>();
        let mut session = engine.session();
        // A second run finds memory that the first one left.
        session.run(&inputs).expect("inputs that fit");
        session.run(&inputs).expect("inputs that fit").remove(0).values
    }

    /// That all kernels and threads give these values, within a part of the greatest of them.
    fn gives(&self, what: &str, inputs: &[&Plain], expected: &Plain, tolerance: f32) {
        let greatest = expected.values.iter().fold(0.0, |greatest: f32, y| greatest.max(y.abs()));
        for features in [Features::detect(), Features::detect().baseline()] {
            let found = self.run(features, 1, inputs);
            let shared = self.run(features, 3, inputs);
            let same = found.iter().zip(&shared).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{what}: three threads give other bits than one");
            assert_eq!(found.len(), expected.values.len(), "{what}");
            for (index, (found, expected)) in found.iter().zip(&expected.values).enumerate() {
                let error = (found - expected).abs();
                assert!(
                    error <= tolerance * greatest.max(1e-3),
                    "{what}: value {index} is {found}, plainly {expected}"
                );
            }
        }
    }
}

/// Multiples of 1/64 within ±1.9: exact in every form that tests read.
fn samples(shape: &[usize], seed: u64) -> Plain {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let values = (0..shape.iter().product()).map(|_| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((state >> 33) % 243) as f32 / 64.0 - 121.0 / 64.0
    });
    Plain::new(shape, values.collect())
}

fn parameter(values: &Plain) -> Parameter {
    Parameter::new("parameter", &values.shape, values.values.clone())
}

/// int8 that holds what is expected.
fn fitting(expected: &Plain) -> Form {
    let greatest = expected.values.iter().fold(1e-3, |greatest: f32, y| greatest.max(y.abs()));
    Form::I8(Quantization { scale: greatest / 120.0, zero_point: 4 })
}

/// How far an output of this form may be from the exact one, as a part of the greatest.
fn tolerance(x: Form, y: Form) -> f32 {
    let floats = if x == Form::F16 || y == Form::F16 { 4e-3 } else { 2e-5 };
    let steps = if matches!(y, Form::I8(_) | Form::Rows) { 0.51 / 119.0 } else { 0.0 };
    floats + steps
}

/// All pairs of an input's form and one that results may have.
fn pairs(outputs: &[Form]) -> impl Iterator<Item = (Form, Form)> {
    FLOATS.into_iter().flat_map(move |x| outputs.iter().map(move |&y| (x, y)))
}

#[test]
fn group_norm_does_what_its_layer_does() {
    for (shape, groups) in [
        (vec![2, 5, 7, 24], 4),
        (vec![1, 40, 33, 32], 8),
        (vec![3, 300, 20], 20),
        (vec![1, 1, 6], 1),
    ] {
        let x = samples(&shape, 1);
        let channels = x.channels();
        let (scale, shift) = (samples(&[channels], 2), samples(&[channels], 3));
        for affine in [true, false] {
            let layer = Layer::GroupNorm(GroupNorm {
                groups,
                epsilon: 1e-5,
                scale: affine.then(|| parameter(&scale)),
                shift: affine.then(|| parameter(&shift)),
            });
            let expected = layer.evaluate(&[&x]).map(|y| Activation::Silu.of(y));
            for (from, to) in pairs(&[Form::F32, Form::F16, fitting(&expected)]) {
                let mut net = Net::new();
                let spans = affine.then(|| (net.floats(&scale.values), net.floats(&shift.values)));
                let op = Op::GroupNorm {
                    groups,
                    epsilon: 1e-5,
                    scale: spans.map(|spans| spans.0),
                    shift: spans.map(|spans| spans.1),
                    activation: Activation::Silu,
                };
                net.wire(&[(&x, from)], &expected, to, op);
                let what = format!("{shape:?}, {groups} groups, {from:?} to {to:?}");
                net.gives(&what, &[&x], &expected, tolerance(from, to));
            }
        }
    }
}

#[test]
fn norms_of_rows_do_what_their_layers_do() {
    for shape in [vec![3, 57, 40], vec![2, 30, 9, 64], vec![5, 8]] {
        let x = samples(&shape, 1);
        let channels = x.channels();
        let (scale, shift) = (samples(&[channels], 2), samples(&[channels], 3));
        let layer = Layer::LayerNorm(LayerNorm {
            epsilon: 1e-5,
            scale: Some(parameter(&scale)),
            shift: Some(parameter(&shift)),
        });
        let expected = layer.evaluate(&[&x]);
        for (from, to) in pairs(&[Form::F32, Form::F16, fitting(&expected), Form::Rows]) {
            let mut net = Net::new();
            let (scale, shift) = (net.floats(&scale.values), net.floats(&shift.values));
            let op = Op::LayerNorm { epsilon: 1e-5, scale: Some(scale), shift: Some(shift) };
            net.wire(&[(&x, from)], &expected, to, op);
            let what = format!("layer norm of {shape:?}, {from:?} to {to:?}");
            net.gives(&what, &[&x], &expected, tolerance(from, to));
        }
        for size in [8, channels] {
            let scale = samples(&[size], 4);
            for scaled in [true, false] {
                let scale_of = scaled.then(|| parameter(&scale));
                let layer = Layer::RmsNorm(RmsNorm { size, epsilon: 1e-6, scale: scale_of });
                let expected = layer.evaluate(&[&x]);
                let mut forms = vec![Form::F32, Form::F16, fitting(&expected)];
                forms.extend((size == channels).then_some(Form::Rows));
                for (from, to) in pairs(&forms) {
                    let mut net = Net::new();
                    let scale = scaled.then(|| net.floats(&scale.values));
                    let op = Op::RmsNorm { size, epsilon: 1e-6, scale };
                    net.wire(&[(&x, from)], &expected, to, op);
                    let what = format!("RMS norm of {shape:?} by {size}, {from:?} to {to:?}");
                    net.gives(&what, &[&x], &expected, tolerance(from, to));
                }
            }
        }
    }
}

/// An attention from its own three inputs.
fn attention_op(layer: Attention, sizes: [usize; 2], zero_keys: usize, int8: bool) -> Op {
    Op::Attention {
        heads: layer.heads,
        key_heads: layer.key_heads,
        key_size: sizes[0],
        value_size: sizes[1],
        scale: layer.scale,
        causal: layer.causal,
        zero_keys,
        int8,
        channels: [0; 3],
    }
}

#[test]
fn attention_does_what_its_layer_does() {
    for (queries, keys, heads, key_heads, sizes, causal) in [
        (70, 33, 4, 2, [10, 12], false),
        (129, 129, 3, 3, [16, 16], true),
        (5, 1, 2, 1, [3, 40], false),
        (1, 77, 2, 2, [64, 8], false),
    ] {
        let layer = Attention { heads, key_heads, scale: 0.4, causal };
        let q = samples(&[2, queries, heads * sizes[0]], 1);
        let k = samples(&[2, keys, key_heads * sizes[0]], 2);
        let v = samples(&[2, keys, key_heads * sizes[1]], 3);
        for bias_shape in [
            None,
            Some(vec![2, heads, queries, keys]),
            Some(vec![1, 1, queries, keys]),
            Some(vec![2, 1, 1, keys]),
            Some(vec![queries, keys]),
        ] {
            let bias = bias_shape.as_ref().map(|shape| samples(shape, 4));
            let mut operands = vec![&q, &k, &v];
            operands.extend(&bias);
            let expected = Layer::Attention(layer).evaluate(&operands);
            for form in FLOATS {
                for int8 in [false, true] {
                    let op = attention_op(layer, sizes, 0, int8);
                    let mut inputs = vec![(&q, form), (&k, form), (&v, form)];
                    inputs.extend(bias.iter().map(|bias| (bias, Form::F32)));
                    let net = Net::of(&inputs, &expected, form, op);
                    let what = format!(
                        "{queries} queries, {keys} keys, {bias_shape:?}, {form:?}, int8 {int8}"
                    );
                    let bound = if int8 { 0.06 } else { tolerance(form, form) };
                    net.gives(&what, &operands, &expected, bound);
                }
            }
        }
    }
}

#[test]
fn attention_reads_channels_of_one_value() {
    let layer = Attention { heads: 2, key_heads: 2, scale: 0.3, causal: false };
    let (tokens, size) = (90, 24);
    let all = samples(&[1, tokens, 5 + 6 * size], 5);
    let part = |start: usize| {
        let rows = all.values.chunks_exact(all.channels());
        Plain::new(
            &[1, tokens, 2 * size],
            rows.flat_map(|row| row[start..start + 2 * size].to_vec()).collect(),
        )
    };
    let channels = [5, 5 + 2 * size, 5 + 4 * size];
    let [q, k, v] = channels.map(part);
    let expected = Layer::Attention(layer).evaluate(&[&q, &k, &v]);
    for form in FLOATS {
        let mut net = Net::new();
        let x = net.input(&all.shape, form);
        let outputs = net.output(&expected.shape, form);
        let mut op = attention_op(layer, [size; 2], 0, false);
        if let Op::Attention { channels: to, .. } = &mut op {
            *to = channels;
        }
        net.step(vec![x, x, x], outputs, op);
        net.gives("merged projections", &[&all], &expected, tolerance(form, form));
    }
}

#[test]
fn zero_keys_are_keys_of_zeros() {
    let layer = Attention { heads: 2, key_heads: 2, scale: 0.5, causal: false };
    let (q, k, v) = (samples(&[1, 9, 16], 1), samples(&[1, 7, 16], 2), samples(&[1, 7, 16], 3));
    let longer = |x: &Plain| {
        let mut values = x.values.clone();
        values.resize(values.len() + 6 * 16, 0.0);
        Plain::new(&[1, 13, 16], values)
    };
    let expected = Layer::Attention(layer).evaluate(&[&q, &longer(&k), &longer(&v)]);
    for form in FLOATS {
        let op = attention_op(layer, [8; 2], 6, false);
        let net = Net::of(&[(&q, form), (&k, form), (&v, form)], &expected, form, op);
        net.gives("zero keys", &[&q, &k, &v], &expected, tolerance(form, form));
    }
}

#[test]
fn gates_do_what_their_layers_do() {
    for shape in [vec![3, 50, 2 * 37], vec![2, 6, 5, 2 * 96], vec![1, 2]] {
        let x = samples(&shape, 1);
        for gate_first in [false, true] {
            for activation in [Activation::Gelu, Activation::GeluTanh, Activation::Silu] {
                let expected = Layer::Gated(Gated { activation, gate_first }).evaluate(&[&x]);
                for (from, to) in pairs(&[Form::F32, Form::F16, fitting(&expected), Form::Rows]) {
                    let op = Op::Gated { activation, gate_first };
                    let net = Net::of(&[(&x, from)], &expected, to, op);
                    let what = format!("{activation:?} of {shape:?}, {from:?} to {to:?}");
                    net.gives(&what, &[&x], &expected, tolerance(from, to));
                }
            }
        }
    }
}

#[test]
fn activations_do_what_their_layers_do() {
    let x = samples(&[2, 50, 30, 7], 1);
    for activation in Activation::ALL {
        let expected = Layer::Activate(activation).evaluate(&[&x]);
        for from in [Form::F32, Form::F16, EXACT] {
            for to in [Form::F32, Form::F16, fitting(&expected)] {
                let net = Net::of(&[(&x, from)], &expected, to, Op::Activate { activation });
                let what = format!("{activation:?}, {from:?} to {to:?}");
                net.gives(&what, &[&x], &expected, tolerance(from, to));
            }
        }
    }
    let slopes = samples(&[7], 2);
    let expected = Layer::PRelu(parameter(&slopes)).evaluate(&[&x]);
    for from in [Form::F32, Form::F16, EXACT] {
        for to in [Form::F32, Form::F16, fitting(&expected)] {
            let mut net = Net::new();
            let slopes = net.floats(&slopes.values);
            net.wire(&[(&x, from)], &expected, to, Op::PRelu { slopes });
            let what = format!("PReLU, {from:?} to {to:?}");
            net.gives(&what, &[&x], &expected, tolerance(from, to));
        }
    }
}

#[test]
fn sums_and_products_do_what_their_layers_do() {
    let shape = [2, 40, 9, 33];
    let x = samples(&shape, 1);
    // How b is repeated, the shape that says so in the vocabulary, and the one that the step has.
    let cases: [(Repeat, &[usize], &[usize]); 5] = [
        (Repeat::One(0.75), &[1], &[1]),
        (Repeat::Channels, &[33], &[33]),
        (Repeat::Rows, &[2, 40, 9, 1], &[720]),
        (Repeat::Images, &[2, 1, 1, 33], &[2, 33]),
        (Repeat::All, &shape, &shape),
    ];
    for (repeat, plain_shape, own_shape) in cases {
        let b = match repeat {
            Repeat::One(value) => Plain::new(&[1], vec![value]),
            _ => samples(plain_shape, 2),
        };
        let own = b.reshaped(own_shape);
        for operation in [Operation::Add, Operation::Multiply] {
            let layer = Layer::Binary(nn::Binary {
                operation: match operation {
                    Operation::Add => nn::Operation::Add,
                    Operation::Multiply => nn::Operation::Multiply,
                },
            });
            let mut whole = vec![1; 4 - b.shape.len()];
            whole.extend(&b.shape);
            let activation = Activation::HardSwish;
            let expected = layer.evaluate(&[&x, &b.reshaped(&whole)]).map(|y| activation.of(y));
            for a_form in [Form::F32, Form::F16, EXACT] {
                for to in [Form::F32, Form::F16, fitting(&expected)] {
                    let what = format!("{operation:?} {repeat:?}, {a_form:?} to {to:?}");
                    let mut net = Net::new();
                    let one = matches!(repeat, Repeat::One(_));
                    let constant = (!one).then(|| net.floats(&b.values));
                    let op = Op::Binary { operation, repeat, constant, activation };
                    net.wire(&[(&x, a_form)], &expected, to, op.clone());
                    // A constant becomes int8 with 127 steps to its greatest.
                    let coarse = a_form == EXACT && matches!(to, Form::I8(_));
                    let bound = tolerance(a_form, to) + if coarse { 0.02 } else { 0.0 };
                    net.gives(&format!("{what}, constant"), &[&x], &expected, bound);
                    if one {
                        continue;
                    }
                    for b_form in [Form::F32, Form::F16, EXACT] {
                        let op = Op::Binary { operation, repeat, constant: None, activation };
                        let net = Net::of(&[(&x, a_form), (&own, b_form)], &expected, to, op);
                        let what = format!("{what}, b {b_form:?}");
                        net.gives(&what, &[&x, &own], &expected, tolerance(a_form, to));
                    }
                }
            }
        }
    }
}

#[test]
fn softmax_does_what_its_layer_does() {
    for shape in [vec![3, 100, 77], vec![2, 1], vec![9]] {
        let x = samples(&shape, 1);
        let expected = Layer::Softmax.evaluate(&[&x]);
        for (from, to) in pairs(&FLOATS) {
            let net = Net::of(&[(&x, from)], &expected, to, Op::Softmax);
            let what = format!("{shape:?}, {from:?} to {to:?}");
            net.gives(&what, &[&x], &expected, tolerance(from, to));
        }
    }
}

#[test]
fn rotary_embeddings_do_what_their_layers_do() {
    for (tokens, heads, size, turned) in [(61, 3, 10, 6), (200, 2, 64, 64), (1, 1, 2, 2)] {
        let x = samples(&[2, tokens, heads * size], 1);
        let (cosines, sines) =
            (samples(&[tokens, turned / 2], 2), samples(&[tokens, turned / 2], 3));
        let layer = Layer::Rotary(Rotary {
            heads,
            cosines: parameter(&cosines),
            sines: parameter(&sines),
            pairs: nn::Pairs::Adjacent,
        });
        let expected = layer.evaluate(&[&x]);
        for form in FLOATS {
            let mut net = Net::new();
            let (cosines, sines) = (net.floats(&cosines.values), net.floats(&sines.values));
            net.wire(&[(&x, form)], &expected, form, Op::Rotary { heads, turned, cosines, sines });
            net.gives(&format!("{tokens} tokens"), &[&x], &expected, tolerance(form, form));
        }
    }
}

#[test]
fn pools_do_what_their_layers_do() {
    for (shape, window, stride, padding) in [
        ([2, 31, 22, 19], [3, 2], [2, 1], [1, 0, 2, 1]),
        ([1, 64, 65, 8], [2, 2], [2, 2], [0, 0, 0, 0]),
        ([2, 30, 40, 96], [30, 40], [1, 1], [0, 0, 0, 0]),
        ([1, 7, 7, 5], [7, 7], [7, 7], [0, 0, 0, 0]),
    ] {
        let x = samples(&shape, 1);
        for (plain, pooling) in [
            (nn::Pooling::Greatest, Pooling::Greatest),
            (nn::Pooling::Mean, Pooling::Mean),
            (nn::Pooling::MeanWithPadding, Pooling::MeanWithPadding),
        ] {
            let layer = Layer::Pool(nn::Pool { pooling: plain, window, stride, padding });
            let expected = layer.evaluate(&[&x]);
            for from in [Form::F32, Form::F16, EXACT] {
                for to in [from, Form::F32, fitting(&expected)] {
                    let op = Op::Pool { pooling, window, stride, padding };
                    let net = Net::of(&[(&x, from)], &expected, to, op);
                    let greatest = expected.values.iter().fold(0.0, |a: f32, y| a.max(y.abs()));
                    let step = if to == EXACT { 0.51 / 64.0 / greatest.max(1e-3) } else { 0.0 };
                    let what = format!("{pooling:?} of {shape:?}, {from:?} to {to:?}");
                    net.gives(&what, &[&x], &expected, tolerance(from, to) + step);
                }
            }
        }
    }
}

#[test]
fn resizes_do_what_their_layers_do() {
    for (shape, to_size) in
        [([2, 9, 13, 21], [18, 26]), ([1, 40, 31, 16], [17, 50]), ([1, 1, 5, 3], [4, 1])]
    {
        let x = samples(&shape, 1);
        for (plain, sampling) in [
            (nn::Sampling::Nearest, Sampling::Nearest),
            (nn::Sampling::Bilinear(Corners::HalfPixel), Sampling::BilinearHalfPixel),
            (nn::Sampling::Bilinear(Corners::Aligned), Sampling::BilinearAligned),
            (nn::Sampling::Bilinear(Corners::Origin), Sampling::BilinearOrigin),
        ] {
            let [height, width] = to_size;
            let expected =
                Layer::Resize(nn::Resize { height, width, sampling: plain }).evaluate(&[&x]);
            for from in [Form::F32, Form::F16, EXACT] {
                for to in [from, Form::F32, fitting(&expected)] {
                    let net = Net::of(&[(&x, from)], &expected, to, Op::Resize { sampling });
                    // int8 is rounded once before it goes to another form.
                    let greatest = expected.values.iter().fold(0.0, |a: f32, y| a.max(y.abs()));
                    let step = if from == EXACT { 0.51 / 64.0 / greatest.max(1e-3) } else { 0.0 };
                    let what = format!("{sampling:?} of {shape:?}, {from:?} to {to:?}");
                    net.gives(&what, &[&x], &expected, tolerance(from, to) + step);
                }
            }
        }
    }
}

#[test]
fn moved_values_stay_what_they_are() {
    // Large enough to be shared.
    let x = samples(&[2, 24, 33, 36], 1);
    let mut cases = vec![
        (Layer::DepthToSpace { block: 3 }, Op::DepthToSpace { block: 3 }),
        (
            Layer::Pad(Pad { image: [1, 2, 0, 3], channels: [0, 0] }),
            Op::Pad { image: [1, 2, 0, 3], channels: [0, 0] },
        ),
        (
            Layer::Pad(Pad { image: [0, 0, 2, 0], channels: [3, 5] }),
            Op::Pad { image: [0, 0, 2, 0], channels: [3, 5] },
        ),
    ];
    for (axis, start, end) in [(0, 1, 2), (1, 3, 12), (2, 0, 16), (3, 30, 36)] {
        let layer = Layer::Slice(nn::Slice { axis, start, end });
        cases.push((layer, Op::Slice { axis, start }));
    }
    for axes in [[0, 3, 1, 2], [0, 2, 3, 1], [3, 2, 1, 0], [0, 1, 3, 2], [2, 0, 1, 3], [0, 1, 2, 3]]
    {
        let axes = axes.to_vec();
        cases.push((Layer::Transpose { axes: axes.clone() }, Op::Transpose { axes }));
    }
    for (layer, op) in cases {
        let expected = layer.evaluate(&[&x]);
        for form in [Form::F32, Form::F16, EXACT] {
            let net = Net::of(&[(&x, form)], &expected, form, op.clone());
            net.gives(&format!("{op:?} of {form:?}"), &[&x], &expected, 0.0);
        }
    }
    let x = samples(&[3, 2, 5, 1, 4, 6], 2);
    let axes = vec![5, 0, 3, 4, 2, 1];
    let expected = Layer::Transpose { axes: axes.clone() }.evaluate(&[&x]);
    let net = Net::of(&[(&x, Form::F16)], &expected, Form::F16, Op::Transpose { axes });
    net.gives("six axes", &[&x], &expected, 0.0);
}

#[test]
fn concatenated_values_stay_what_they_are() {
    for axis in 0..4 {
        let shaped = |extent: usize, seed: u64| {
            let mut shape = [2, 9, 11, 40];
            shape[axis] = extent;
            samples(&shape, seed)
        };
        let parts = [shaped(3, 1), shaped(1, 2), shaped(14, 3)];
        let operands = parts.iter().collect::<Vec<_>>();
        let expected = Layer::Concat { axis }.evaluate(&operands);
        let other = Form::I8(Quantization { scale: 1.0 / 60.0, zero_point: 7 });
        for (forms, to) in [
            ([Form::F32; 3], Form::F32),
            ([Form::F16; 3], Form::F16),
            ([EXACT; 3], EXACT),
            ([EXACT, other, Form::F32], fitting(&expected)),
            ([Form::F16, Form::F32, EXACT], Form::F32),
        ] {
            let inputs = operands.iter().copied().zip(forms).collect::<Vec<_>>();
            let net = Net::of(&inputs, &expected, to, Op::Concat { axis });
            let rounded = if forms.contains(&other) { 2.0 * 0.51 / 119.0 } else { 0.0 };
            net.gives(&format!("axis {axis}, {forms:?} to {to:?}"), &operands, &expected, rounded);
        }
    }
}

#[test]
fn conversions_round_once() {
    let x = samples(&[3, 70, 90], 1);
    for from in [Form::F32, Form::F16, EXACT] {
        for to in
            [Form::F32, Form::F16, EXACT, Form::I8(Quantization { scale: 0.02, zero_point: -9 })]
        {
            let net = Net::of(&[(&x, from)], &x, to, Op::Convert);
            let bound =
                if to == Form::F32 || to == Form::F16 || to == EXACT { 0.0 } else { 0.00551 };
            net.gives(&format!("{from:?} to {to:?}"), &[&x], &x, bound);
        }
    }
    // To rows with steps of their own, and back.
    for from in FLOATS {
        for to in [Form::F32, Form::F16, fitting(&x)] {
            let mut net = Net::new();
            let input = net.input(&x.shape, from);
            let rows = net.value("rows".into(), &x.shape, Form::Rows);
            let steps = net.value("steps".into(), &[210], Form::F32);
            net.program.values[rows].row_steps = Some(steps);
            net.step(vec![input], vec![rows, steps], Op::Convert);
            let outputs = net.output(&x.shape, to);
            let mut with_steps = net.clone();
            net.step(vec![rows], outputs.clone(), Op::Convert);
            with_steps.step(vec![rows, steps], outputs, Op::Convert);
            let bound = 0.51 / 127.0 + tolerance(from, to);
            net.gives(&format!("{from:?} to rows to {to:?}"), &[&x], &x, bound);
            with_steps.gives("with steps", &[&x], &x, bound);
        }
    }
}

/// A net that is in order, for each operation.
fn good() -> Vec<Net> {
    let x = samples(&[2, 6, 8, 16], 1);
    let same = Plain::new(&x.shape, x.values.clone());
    let half = samples(&[2, 6, 8, 8], 1);
    let tokens = samples(&[2, 6, 16], 1);
    let f = Form::F32;
    let none = Activation::None;
    let one = |op: Op, x: &Plain, y: &Plain| {
        let mut net = Net::new();
        net.floats(&[1.0; 64]);
        net.wire(&[(x, f)], y, f, op);
        net
    };
    let span = |values: u64| Span { offset: 0, bytes: 4 * values };
    let norm =
        |scale| Op::GroupNorm { groups: 4, epsilon: 1e-5, scale, shift: scale, activation: none };
    let attention = Attention { heads: 2, key_heads: 2, scale: 1.0, causal: false };
    let [height, width] = [2, 2];
    vec![
        one(norm(Some(span(16))), &x, &same),
        one(Op::LayerNorm { epsilon: 1e-5, scale: Some(span(16)), shift: None }, &x, &same),
        one(Op::RmsNorm { size: 8, epsilon: 1e-5, scale: Some(span(8)) }, &x, &same),
        one(Op::Gated { activation: none, gate_first: true }, &x, &half),
        one(Op::Activate { activation: none }, &x, &same),
        one(Op::PRelu { slopes: span(16) }, &x, &same),
        one(
            Op::Binary {
                operation: Operation::Add,
                repeat: Repeat::Channels,
                constant: Some(span(16)),
                activation: none,
            },
            &x,
            &same,
        ),
        one(Op::Softmax, &x, &same),
        one(
            Op::Rotary { heads: 2, turned: 8, cosines: span(24), sines: span(24) },
            &tokens,
            &tokens,
        ),
        one(
            Op::Pool { pooling: Pooling::Mean, window: [2, 2], stride: [2, 2], padding: [0; 4] },
            &x,
            &samples(&[2, 3, 4, 16], 1),
        ),
        one(Op::Resize { sampling: Sampling::Nearest }, &x, &samples(&[2, height, width, 16], 1)),
        one(Op::DepthToSpace { block: 2 }, &x, &samples(&[2, 12, 16, 4], 1)),
        one(Op::Concat { axis: 1 }, &x, &same),
        one(Op::Slice { axis: 3, start: 8 }, &x, &half),
        one(Op::Transpose { axes: vec![0, 2, 1, 3] }, &x, &samples(&[2, 8, 6, 16], 1)),
        one(Op::Pad { image: [1, 1, 0, 0], channels: [0, 0] }, &x, &samples(&[2, 7, 9, 16], 1)),
        one(Op::Convert, &x, &same),
        Net::of(
            &[(&tokens, f), (&tokens, f), (&tokens, f)],
            &tokens,
            f,
            attention_op(attention, [8, 8], 0, false),
        ),
    ]
}

#[test]
fn steps_that_contradict_their_values_are_refused() {
    for net in good() {
        let op = net.program.steps[0].op.clone();
        let features = Features::detect();
        assert!(net.engine(features, 2).is_ok(), "{op:?}: {:?}", net.engine(features, 2).err());
        let refused = |what: &str, change: &dyn Fn(&mut Net)| {
            let mut net = net.clone();
            change(&mut net);
            let error = net.engine(features, 2).err();
            assert!(error.is_some(), "{op:?}: {what} is taken");
        };
        let output = net.program.outputs[0].value;
        refused("one input too many", &|net| {
            let first = net.program.steps[0].inputs[0];
            let odd = net.input(&[5, 3], Form::F32);
            net.program.steps[0].inputs.extend([odd, first]);
        });
        refused("no input", &|net| net.program.steps[0].inputs.clear());
        refused("one output too many", &|net| {
            let more = net.output(&[3], Form::F32);
            net.program.steps[0].outputs.extend(more);
        });
        for axis in 0..net.program.values[output].shape.len() {
            // A resize makes any height and width.
            if matches!(op, Op::Resize { .. }) && (1..3).contains(&axis) {
                continue;
            }
            refused("a longer output", &|net| net.program.values[output].shape[axis] += 1);
        }
        refused("another rank", &|net| net.program.values[output].shape.push(2));
        // Those that quantize what they make, or move only int8 of one kind, take other outputs.
        refused("an output with steps for rows that nobody writes", &|net| {
            let rows = net.program.values[output].shape.iter().rev().skip(1).product();
            let steps = net.value("steps".into(), &[rows], Form::F32);
            net.program.values[output].element = Element::I8;
            net.program.values[output].row_steps = Some(steps);
        });
    }
}

#[test]
fn operations_with_impossible_numbers_are_refused() {
    let nets = good();
    let refused = |change: &dyn Fn(&mut Op) -> bool| {
        let mut tried = 0;
        for net in &nets {
            let mut net = net.clone();
            if !change(&mut net.program.steps[0].op) {
                continue;
            }
            tried += 1;
            let op = net.program.steps[0].op.clone();
            let error = net.engine(Features::detect(), 2).err();
            let named =
                matches!(error, Some(RuntimeError::Step { .. } | RuntimeError::Weights { .. }));
            assert!(named, "{op:?}: {error:?}");
        }
        assert!(tried > 0);
    };
    macro_rules! refuse {
        ($($operation:ident { $($field:ident = $value:expr),+ })*) => {$(
            refused(&|op| match op {
                Op::$operation { $($field,)+ .. } => { $(*$field = $value;)+ true }
                _ => false,
            });
        )*};
    }
    let (most, odd) = (usize::MAX, f32::NAN);
    refuse! {
        GroupNorm { groups = 0 }
        GroupNorm { groups = 5 }
        GroupNorm { groups = most }
        GroupNorm { epsilon = odd }
        GroupNorm { epsilon = -1.0 }
        GroupNorm { scale = Some(Span { offset: 0, bytes: 4 }) }
        GroupNorm { shift = Some(Span { offset: u64::MAX, bytes: 64 }) }
        GroupNorm { shift = Some(Span { offset: 4, bytes: 64 }) }
        LayerNorm { epsilon = f32::INFINITY }
        RmsNorm { size = 0 }
        RmsNorm { size = 3 }
        RmsNorm { size = 32 }
        PRelu { slopes = Span { offset: 0, bytes: 60 } }
        Binary { constant = Some(Span { offset: 0, bytes: 68 }) }
        Binary { repeat = Repeat::All }
        Binary { repeat = Repeat::One(1.0) }
        Binary { repeat = Repeat::Rows }
        Rotary { heads = 0 }
        Rotary { heads = 3 }
        Rotary { turned = 3 }
        Rotary { turned = 10 }
        Rotary { turned = most }
        Pool { window = [0, 2] }
        Pool { window = [most, most] }
        Pool { stride = [0, 2] }
        Pool { stride = [most, most] }
        Pool { padding = [2, 0, 0, 0] }
        Pool { padding = [most; 4] }
        DepthToSpace { block = 0 }
        DepthToSpace { block = 3 }
        DepthToSpace { block = most }
        Concat { axis = 4 }
        Concat { axis = most }
        Slice { axis = 4 }
        Slice { axis = most }
        Slice { start = 9 }
        Slice { start = most }
        Transpose { axes = vec![] }
        Transpose { axes = vec![0, 1, 1, 3] }
        Transpose { axes = vec![0, 2, 1, 4] }
        Transpose { axes = vec![most; 4] }
        Pad { image = [most; 4] }
        Pad { channels = [most, 1] }
        Attention { heads = 0 }
        Attention { heads = 3 }
        Attention { heads = most }
        Attention { key_heads = 0 }
        Attention { key_heads = most, heads = most }
        Attention { key_size = 0 }
        Attention { key_size = 9 }
        Attention { key_size = most }
        Attention { value_size = most }
        Attention { value_size = 0 }
        Attention { scale = odd }
        Attention { channels = [0, 1, 0] }
        Attention { channels = [most; 3] }
    }
}
