//! Steps with weights do what the vocabulary's plain evaluation does; damaged programs are refused; a bundle for another CPU computes the same.

use half::f16;
use kernels::convolution::{Filters, Geometry, filter_sums, pack_filters};
use kernels::features::Features;
use kernels::gemm::{Element as Multiplied, GemmRow, Layout, column_sums, pack_weights, row_scale};
use kernels::gemm_i4::{GROUP, GemmI4Row, pack_nibbles, pack_scales};
use kernels::kernel::{Kernel, Row};
use kernels::math::Activation;
use kernels::memory::{Memory, bytes};
use kernels::scratch::Plain as Bytes;
use kernels::transposed::{
    TransposedFilters, TransposedGeometry, pack_transposed, transposed_sums,
};
use kernels::winograd::{self, WinogradRow};
use models::nn::{Convolution, Layer, Linear, Parameter, Plain, TransposedConvolution};
use std::sync::Arc;
use vitrine::runtime::blob::Blob;
use vitrine::runtime::engine::{Array, Engine, RuntimeError, Settings};
use vitrine::runtime::pool::Pool;
use vitrine::runtime::program::{
    Element, Epilogue, Op, Operation, Packing, Pooling, Port, Program, Quantization, Repeat,
    Sampling, Span, Step, Value, ValueId, Weights,
};

/// Pseudorandom numbers.
struct Random(u64);

impl Random {
    /// −1 to 1
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }
    fn values(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.next()).collect()
    }
}

/// A program and its weights, step by step.
struct Net {
    program: Program,
    weights: Vec<u8>,
}

impl Net {
    fn new() -> Self {
        let program = Program {
            name: "net".into(),
            element: Element::F32,
            weight_bytes: 0,
            inputs: Vec::new(),
            outputs: Vec::new(),
            values: Vec::new(),
            steps: Vec::new(),
        };
        Self { program, weights: Vec::new() }
    }

    fn value(&mut self, shape: &[usize], kind: (Element, Option<Quantization>)) -> ValueId {
        let id = self.program.values.len();
        let (element, quantization) = kind;
        self.program.values.push(Value {
            name: format!("value{id}"),
            shape: shape.to_vec(),
            element,
            quantization,
            row_steps: None,
            same_as: None,
        });
        id
    }

    fn input(&mut self, shape: &[usize], kind: (Element, Option<Quantization>)) -> ValueId {
        let value = self.value(shape, kind);
        self.program.inputs.push(Port { name: format!("input{value}"), value });
        value
    }

    fn output(&mut self, shape: &[usize], kind: (Element, Option<Quantization>)) -> ValueId {
        let value = self.value(shape, kind);
        self.program.outputs.push(Port { name: format!("output{value}"), value });
        value
    }

    fn put<T: Bytes>(&mut self, values: &[T]) -> Span {
        self.weights.resize(self.weights.len().next_multiple_of(64), 0);
        let (offset, values) = (self.weights.len() as u64, bytes(values));
        self.weights.extend_from_slice(values);
        self.program.weight_bytes = self.weights.len() as u64;
        Span { offset, bytes: values.len() as u64 }
    }

    fn step(&mut self, op: Op, inputs: &[ValueId], outputs: &[ValueId]) {
        let name = format!("step{}", self.program.steps.len());
        let (inputs, outputs) = (inputs.to_vec(), outputs.to_vec());
        self.program.steps.push(Step { name, inputs, outputs, op });
    }

    fn blob(&self) -> Blob {
        Memory::from(&self.weights[..]).into()
    }

    fn engine(&self, features: Features, threads: usize) -> Result<Engine, RuntimeError> {
        let pool = Arc::new(Pool::new(threads).expect("threads"));
        let settings = Settings { features, pool, memory_limit: Some(64 << 20) };
        Engine::new(self.program.clone(), self.blob(), settings)
    }

    fn run(&self, features: Features, threads: usize, inputs: &[Array]) -> Vec<Array> {
        let engine = self.engine(features, threads).unwrap_or_else(|error| panic!("{error}"));
        let ports = self.program.inputs.iter().map(|port| port.name.as_str());
        let inputs: Vec<_> = ports.zip(inputs).collect();
        let mut session = Arc::new(engine).session();
        // A second run must not see what the first left behind.
        session.run(&inputs).expect("arrays of the inputs' shapes");
        session.run(&inputs).expect("arrays of the inputs' shapes")
    }
}

/// The elements of a product.
#[derive(Clone, Copy, Debug)]
struct Kind {
    x: Element,
    weights: Element,
    y: Element,
    /// An x that is not int8 meets int8 weights with a step for each row.
    by_row: bool,
}

const KINDS: [Kind; 9] = {
    use Element::{F16, F32, I8};
    const fn kind(x: Element, weights: Element, y: Element) -> Kind {
        Kind { x, weights, y, by_row: false }
    }
    [
        kind(F32, F32, F32),
        kind(F32, F32, I8),
        kind(F16, F16, F16),
        kind(F16, F16, F32),
        kind(I8, I8, F32),
        kind(I8, I8, I8),
        kind(F32, I8, F32),
        kind(F16, I8, F16),
        Kind { by_row: true, ..kind(F16, I8, F32) },
    ]
};

const X: Quantization = Quantization { scale: 0.011, zero_point: -7 };
const RESIDUAL: Quantization = Quantization { scale: 0.02, zero_point: 11 };
const Y: Quantization = Quantization { scale: 0.06, zero_point: 5 };

fn quantized(element: Element, quantization: Quantization) -> (Element, Option<Quantization>) {
    (element, (element == Element::I8).then_some(quantization))
}

fn nearest(value: f32, Quantization { scale, zero_point }: Quantization) -> f32 {
    let q = (value * (1.0 / scale)).round_ties_even() + f32::from(zero_point);
    (q.clamp(-128.0, 127.0) - f32::from(zero_point)) * scale
}

fn rounded(values: &[f32], kind: (Element, Option<Quantization>)) -> Vec<f32> {
    let round = |&value: &f32| match kind {
        (Element::F16, _) => f16::from_f32(value).to_f32(),
        (_, Some(quantization)) => nearest(value, quantization),
        _ => value,
    };
    values.iter().map(round).collect()
}

/// Weights `[n][k]` as they are stored: int8 ones in steps of their output channel.
struct Stored {
    values: Vec<f32>,
    quantized: Vec<i8>,
    scales: Vec<f32>,
}

impl Stored {
    /// `channel` of an index of the weights.
    fn new(
        values: &[f32],
        element: Element,
        channels: usize,
        channel: impl Fn(usize) -> usize,
    ) -> Self {
        let mut scales = vec![0f32; channels];
        for (index, value) in values.iter().enumerate() {
            let scale = &mut scales[channel(index)];
            *scale = scale.max(value.abs() / 127.0);
        }
        let q = |(index, value): (usize, &f32)| (value / scales[channel(index)]).round() as i8;
        let quantized: Vec<i8> = values.iter().enumerate().map(q).collect();
        let values = match element {
            Element::F32 => values.to_vec(),
            Element::F16 => values.iter().map(|&value| f16::from_f32(value).to_f32()).collect(),
            Element::I8 => {
                let value = |(index, &q): (usize, &i8)| f32::from(q) * scales[channel(index)];
                quantized.iter().enumerate().map(value).collect()
            }
        };
        Self { values, quantized, scales }
    }
}

/// What a layer's weights are packed by.
enum Packed {
    Convolution(Geometry),
    Transposed(TransposedGeometry),
    Linear([usize; 2]),
}

/// Layouts that no version of any CPU has, so that weights in them are always brought to another.
const FOREIGN: [Layout; 2] = [Layout { nr: 5, kr: 3 }, Layout { nr: 24, kr: 8 }];

fn pick(features: Features, element: Element, k: usize) -> Layout {
    match element {
        Element::I8 => Kernel::<GemmRow<i8>>::pick(features, k).layout(),
        Element::F16 => Kernel::<GemmRow<f16>>::pick(features, k).layout(),
        Element::F32 => Kernel::<GemmRow<f32>>::pick(features, k).layout(),
    }
}

impl Packed {
    fn k(&self) -> usize {
        match self {
            Self::Convolution(geometry) => geometry.taps() * geometry.depth(),
            Self::Transposed(geometry) => geometry.channels,
            Self::Linear([k, _]) => *k,
        }
    }

    fn put(
        &self,
        net: &mut Net,
        element: Element,
        layout: Layout,
        stored: &Stored,
        bias: Option<&[f32]>,
    ) -> Weights {
        let (mut sums, mut scales) = (None, None);
        let panels = match element {
            Element::F32 => {
                let panels = self.pack(layout, |index| stored.values[index]);
                net.put(&panels)
            }
            Element::F16 => {
                let panels = self.pack(layout, |index| f16::from_f32(stored.values[index]));
                net.put(&panels)
            }
            Element::I8 => {
                let panels = self.pack(layout, |index| stored.quantized[index]);
                sums = Some(net.put(&self.sums(layout, &panels)));
                scales = Some(net.put(&stored.scales));
                net.put(&panels)
            }
        };
        let bias = bias.map(|bias| net.put(bias));
        let packing = Packing::Gemm { element, nr: layout.nr, kr: layout.kr };
        Weights { packing, panels, sums, scales, bias }
    }

    fn pack<E: Multiplied>(&self, layout: Layout, at: impl Fn(usize) -> E) -> Vec<E> {
        match self {
            Self::Convolution(geometry) => {
                let [_, width] = geometry.kernel;
                let (taps, depth) = (geometry.taps(), geometry.depth());
                let mut panels = vec![E::default(); Filters::<E>::packed_length(geometry, layout)];
                let value = |n, y, x, c| at((n * taps + y * width + x) * depth + c);
                pack_filters(geometry, layout, value, &mut panels);
                panels
            }
            Self::Transposed(geometry) => {
                let length = TransposedFilters::<E>::packed_length(geometry, layout);
                let mut panels = vec![E::default(); length];
                let (width, n) = (geometry.kernel[1], geometry.channels_out);
                let value = |y, x, c, o| at(((y * width + x) * geometry.channels + c) * n + o);
                pack_transposed(geometry, layout, value, &mut panels);
                panels
            }
            Self::Linear([k, n]) => {
                let mut panels = vec![E::default(); layout.packed_length(1, *k, *n)];
                pack_weights(layout, 1, *k, *n, |_, at_k, at_n| at(at_n * k + at_k), &mut panels);
                panels
            }
        }
    }

    fn sums(&self, layout: Layout, panels: &[i8]) -> Vec<i32> {
        let mut sums;
        match self {
            Self::Convolution(geometry) => {
                sums = vec![0; Filters::<i8>::sums_length(geometry, layout)];
                filter_sums(geometry, layout, panels, &mut sums);
            }
            Self::Transposed(geometry) => {
                sums = vec![0; TransposedFilters::<i8>::sums_length(geometry, layout)];
                transposed_sums(geometry, layout, panels, &mut sums);
            }
            Self::Linear([k, n]) => {
                sums = vec![0; n.next_multiple_of(layout.nr)];
                column_sums(layout, 1, *k, *n, panels, &mut sums);
            }
        }
        sums
    }
}

/// A layer, what it reads, and what is done with its result.
struct Case {
    layer: Layer,
    shape: Vec<usize>,
    shift: bool,
    residual: Option<Element>,
    activation: Activation,
}

impl Case {
    fn parameters(&self) -> (&Parameter, Option<&Parameter>) {
        match &self.layer {
            Layer::Convolution(layer) => (&layer.weights, layer.bias.as_ref()),
            Layer::Linear(layer) => (&layer.weights, layer.bias.as_ref()),
            Layer::Transposed(layer) => (&layer.weights, layer.bias.as_ref()),
            other => panic!("no weights: {}", other.kind()),
        }
    }

    fn with(&self, values: Vec<f32>, biased: bool) -> Layer {
        let (weights, _) = self.parameters();
        let new = Parameter::new("weights", &weights.shape, values);
        let mut layer = self.layer.clone();
        let (weights, bias) = match &mut layer {
            Layer::Convolution(layer) => (&mut layer.weights, &mut layer.bias),
            Layer::Linear(layer) => (&mut layer.weights, &mut layer.bias),
            Layer::Transposed(layer) => (&mut layer.weights, &mut layer.bias),
            other => panic!("no weights: {}", other.kind()),
        };
        *weights = new;
        if !biased {
            *bias = None;
        }
        layer
    }

    fn channels_out(&self) -> usize {
        let shape = &self.parameters().0.shape;
        if matches!(self.layer, Layer::Transposed(_)) { shape[3] } else { shape[0] }
    }

    fn packed(&self) -> Packed {
        let shape = &self.parameters().0.shape;
        match &self.layer {
            Layer::Convolution(layer) => Packed::Convolution(Geometry {
                batch: self.shape[0],
                height: self.shape[1],
                width: self.shape[2],
                channels: self.shape[3],
                channels_out: shape[0],
                kernel: [shape[1], shape[2]],
                stride: layer.stride,
                dilation: layer.dilation,
                padding: layer.padding,
                groups: layer.groups,
                upsample: layer.enlargement,
            }),
            Layer::Transposed(_) => Packed::Transposed(TransposedGeometry {
                batch: self.shape[0],
                height: self.shape[1],
                width: self.shape[2],
                channels: self.shape[3],
                channels_out: shape[3],
                kernel: [shape[0], shape[1]],
            }),
            _ => Packed::Linear([shape[1], shape[0]]),
        }
    }

    fn op(&self, weights: Weights, quantization: Option<Quantization>) -> Op {
        let epilogue = Epilogue {
            shift: self.shift,
            residual: self.residual.is_some(),
            activation: self.activation,
        };
        match &self.layer {
            Layer::Convolution(layer) => Op::Convolution {
                kernel: [layer.weights.shape[1], layer.weights.shape[2]],
                stride: layer.stride,
                dilation: layer.dilation,
                padding: layer.padding,
                groups: layer.groups,
                enlargement: layer.enlargement,
                weights,
                quantization,
                epilogue,
            },
            Layer::Transposed(layer) => {
                Op::Transposed { kernel: layer.stride, weights, quantization, epilogue }
            }
            _ => Op::Linear { weights, quantization, epilogue },
        }
    }

    /// A net of this one step, what it reads, and the operands as arrays.
    fn net(
        &self,
        kind: Kind,
        put: impl FnOnce(&mut Net, &Stored, Option<&[f32]>) -> Weights,
    ) -> (Net, Vec<Array>, Stored) {
        let (weights, bias) = self.parameters();
        let (n, per) = (self.channels_out(), weights.values.len() / self.channels_out());
        let transposed = matches!(self.layer, Layer::Transposed(_));
        let channel = |index: usize| if transposed { index % n } else { index / per };
        let stored = Stored::new(&weights.values, kind.weights, n, channel);
        let mut net = Net::new();
        let bias = bias.map(|bias| &bias.values[..]);
        let weights = put(&mut net, &stored, bias);
        let mut random = Random(99);
        let mut arrays = Vec::new();
        let mut input = |net: &mut Net, shape: &[usize], kind| {
            let values = random.values(shape.iter().product());
            arrays.push(Array { shape: shape.to_vec(), values });
            net.input(shape, kind)
        };
        let mut inputs = vec![input(&mut net, &self.shape, quantized(kind.x, X))];
        let y = self.layer.output_shape(&[&self.shape]).expect("a shape");
        if self.shift {
            inputs.push(input(&mut net, &[1, n], (Element::F32, None)));
        }
        if let Some(element) = self.residual {
            inputs.push(input(&mut net, &y, quantized(element, RESIDUAL)));
        }
        let output = net.output(&y, quantized(kind.y, Y));
        let meets = kind.weights == Element::I8 && kind.x != Element::I8 && !kind.by_row;
        net.step(self.op(weights, meets.then_some(X)), &inputs, &[output]);
        (net, arrays, stored)
    }

    /// What plain evaluation gives, and how far each value may be from it but for the rounding of y.
    fn truth(
        &self,
        kind: Kind,
        arrays: &[Array],
        stored: &Stored,
        share: f32,
    ) -> (Plain, Vec<f32>) {
        let x = rounded(&arrays[0].values, quantized(kind.x, X));
        let x = match kind {
            Kind { by_row: true, .. } => {
                let rows = x.chunks_exact(self.shape[self.shape.len() - 1]);
                let quantize = |row: &[f32]| {
                    let greatest = row.iter().fold(0f32, |most, value| most.max(value.abs()));
                    let steps = Quantization { scale: row_scale(greatest), zero_point: 0 };
                    row.iter().map(|&value| nearest(value, steps)).collect::<Vec<_>>()
                };
                rows.flat_map(quantize).collect()
            }
            Kind { weights: Element::I8, x: Element::F32 | Element::F16, .. } => {
                rounded(&x, (Element::I8, Some(X)))
            }
            _ => x,
        };
        let absolute = |values: &[f32]| values.iter().map(|value| value.abs()).collect();
        let magnitudes = self.with(absolute(&stored.values), false);
        let magnitudes = magnitudes.evaluate(&[&Plain::new(&self.shape, absolute(&x))]);
        let layer = self.with(stored.values.clone(), !self.shift);
        let mut y = layer.evaluate(&[&Plain::new(&self.shape, x)]);
        let mut others = arrays[1..].iter();
        let n = self.channels_out();
        if self.shift {
            let shift = others.next().expect("a shift");
            for (index, value) in y.values.iter_mut().enumerate() {
                *value += shift.values[index % n];
            }
        }
        if let Some(element) = self.residual {
            let residual = others.next().expect("a residual");
            let residual = rounded(&residual.values, quantized(element, RESIDUAL));
            y.values.iter_mut().zip(residual).for_each(|(value, residual)| *value += residual);
        }
        let y = y.map(|value| self.activation.of(value));
        // No activation here is steeper than 1.13; bias and residual are of the order of 1.
        let bounds = magnitudes.values.iter().map(|sum| 1.2 * share * (sum + 2.0));
        (y, bounds.collect())
    }
}

/// The share of `Σ|a·b|` that the kernels' documents allow.
fn share(kind: Kind, k: usize) -> f32 {
    let float = 2.0 * (k as f32 + 4.0) * 2f32.powi(-24);
    // Sums of halves: roundings are as often up as down.
    let half = 4.0 * (k.min(512) as f32).sqrt() * 2f32.powi(-11);
    if kind.weights == Element::F16 { half } else { float }
}

#[track_caller]
fn compare(name: &str, kind: Kind, found: &Array, truth: &Plain, bounds: &[f32]) {
    assert_eq!(found.shape, truth.shape, "{name} {kind:?}");
    for (index, (&found, &wanted)) in found.values.iter().zip(&truth.values).enumerate() {
        let (wanted, rounding) = match kind.y {
            Element::F32 => (wanted, 0.0),
            Element::F16 => (wanted, wanted.abs() * 2f32.powi(-11) + 1e-6),
            Element::I8 => {
                let end = |q: f32| (q - f32::from(Y.zero_point)) * Y.scale;
                (wanted.clamp(end(-128.0), end(127.0)), Y.scale * 0.501)
            }
        };
        let bound = bounds[index] + rounding;
        assert!(
            (found - wanted).abs() <= bound,
            "{name} {kind:?}: value {index} is {found}, plain evaluation gives {wanted} ± {bound}"
        );
    }
}

fn case(layer: Layer, shape: &[usize]) -> Case {
    Case {
        layer,
        shape: shape.to_vec(),
        shift: false,
        residual: None,
        activation: Activation::None,
    }
}

fn parameter(shape: &[usize], scale: f32, seed: u64) -> Parameter {
    let values = Random(seed).values(shape.iter().product());
    let values: Vec<f32> = values.iter().map(|value| value * scale).collect();
    Parameter::new("parameter", shape, values)
}

fn linear([k, n]: [usize; 2]) -> Layer {
    let weights = parameter(&[n, k], 1.7 / (k as f32).sqrt(), 1);
    Layer::Linear(Linear { weights, bias: Some(parameter(&[n], 0.5, 2)) })
}

fn convolution([out, height, width, depth]: [usize; 4], padding: usize) -> Convolution {
    let scale = 1.7 / ((height * width * depth) as f32).sqrt();
    Convolution {
        weights: parameter(&[out, height, width, depth], scale, 3),
        bias: Some(parameter(&[out], 0.5, 4)),
        stride: [1; 2],
        dilation: [1; 2],
        padding: [padding; 4],
        groups: 1,
        enlargement: 1,
    }
}

fn cases() -> Vec<(&'static str, Case)> {
    let images = |layer: Convolution, shape: &[usize]| case(Layer::Convolution(layer), shape);
    let transposed = TransposedConvolution {
        weights: parameter(&[2, 3, 9, 21], 0.5, 5),
        bias: Some(parameter(&[21], 0.5, 6)),
        stride: [2, 3],
        cropping: [0; 4],
    };
    vec![
        ("one row", case(linear([70, 131]), &[1, 70])),
        ("one row of many columns", case(linear([300, 900]), &[1, 1, 300])),
        ("rows", case(linear([130, 37]), &[2, 19, 130])),
        ("few rows of many columns", case(linear([256, 640]), &[3, 256])),
        ("many rows", case(linear([64, 48]), &[257, 64])),
        ("one value", case(linear([1, 1]), &[1, 1])),
        (
            "rows with a residual",
            Case {
                residual: Some(Element::F32),
                activation: Activation::Silu,
                ..case(linear([33, 40]), &[50, 33])
            },
        ),
        (
            "few rows with a shift and a residual",
            Case {
                shift: true,
                residual: Some(Element::I8),
                activation: Activation::Relu,
                ..case(linear([256, 640]), &[2, 256])
            },
        ),
        ("one tap", images(convolution([40, 1, 1, 24], 0), &[2, 5, 7, 24])),
        ("one tap, stride 2", {
            let layer = Convolution { stride: [2; 2], ..convolution([18, 1, 1, 20], 0) };
            images(layer, &[1, 7, 9, 20])
        }),
        (
            "3×3 with a shift and a residual",
            Case {
                shift: true,
                residual: Some(Element::F16),
                activation: Activation::HardSwish,
                ..images(convolution([35, 3, 3, 19], 1), &[2, 13, 11, 19])
            },
        ),
        ("few channels", images(convolution([16, 3, 3, 3], 1), &[1, 17, 15, 3])),
        ("stride and dilation", {
            let layer = Convolution {
                stride: [2, 1],
                dilation: [1, 2],
                padding: [0, 1, 2, 3],
                ..convolution([24, 3, 2, 17], 0)
            };
            images(layer, &[1, 12, 10, 17])
        }),
        ("groups", {
            let layer = Convolution { groups: 2, ..convolution([10, 3, 3, 18], 1) };
            images(layer, &[1, 9, 8, 36])
        }),
        ("enlarged", {
            let layer = Convolution { enlargement: 2, ..convolution([21, 3, 3, 16], 1) };
            images(layer, &[1, 6, 5, 16])
        }),
        ("transposed", {
            let activation = Activation::Relu6;
            Case { activation, ..case(Layer::Transposed(transposed), &[2, 5, 4, 9]) }
        }),
    ]
}

/// By-row steps exist for layers whose results are made of one row.
fn takes(case: &Case, kind: Kind) -> bool {
    let one_row = match &case.layer {
        Layer::Convolution(layer) => {
            layer.weights.shape[1..3] == [1, 1] && layer.stride == [1; 2] && layer.groups == 1
        }
        _ => true,
    };
    one_row || !kind.by_row
}

#[test]
fn products_are_those_of_plain_evaluation_on_any_cpu() {
    let features = Features::detect();
    for (name, case) in cases() {
        for kind in KINDS.into_iter().filter(|kind| takes(&case, *kind)) {
            for features in [features, features.baseline()] {
                let packed = case.packed();
                let layout = pick(features, kind.weights, packed.k());
                let (net, arrays, stored) = case.net(kind, |net, stored, bias| {
                    packed.put(net, kind.weights, layout, stored, bias)
                });
                let (truth, bounds) = case.truth(kind, &arrays, &stored, share(kind, packed.k()));
                let found = net.run(features, 1, &arrays);
                compare(name, kind, &found[0], &truth, &bounds);
                assert_eq!(net.engine(features, 1).expect("checked").footprint().repacked, 0);
            }
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let features = Features::detect();
    for (name, case) in cases() {
        for kind in KINDS.into_iter().filter(|kind| takes(&case, *kind)) {
            let packed = case.packed();
            let layout = pick(features, kind.weights, packed.k());
            let put = |net: &mut Net, stored: &Stored, bias: Option<&[f32]>| {
                packed.put(net, kind.weights, layout, stored, bias)
            };
            let (net, arrays, _) = case.net(kind, put);
            let one = net.run(features, 1, &arrays);
            for threads in [2, 3] {
                let more = net.run(features, threads, &arrays);
                assert_eq!(more, one, "{name} {kind:?} on {threads} threads");
            }
        }
    }
}

#[test]
fn weights_packed_for_another_cpu_give_the_same_bits() {
    let features = Features::detect();
    for (name, case) in cases() {
        for kind in KINDS.into_iter().filter(|kind| takes(&case, *kind)) {
            let packed = case.packed();
            let run = |layout: Layout| {
                let put = |net: &mut Net, stored: &Stored, bias: Option<&[f32]>| {
                    packed.put(net, kind.weights, layout, stored, bias)
                };
                let (net, arrays, _) = case.net(kind, put);
                let engine = net.engine(features, 2).expect("checked");
                (net.run(features, 2, &arrays), engine.footprint().repacked)
            };
            let (native, none) = run(pick(features, kind.weights, packed.k()));
            assert_eq!(none, 0, "{name} {kind:?}");
            for layout in FOREIGN {
                let (found, repacked) = run(layout);
                assert!(repacked > 0, "{name} {kind:?}");
                assert_eq!(found, native, "{name} {kind:?} from {layout:?}");
            }
        }
    }
}

#[test]
fn depthwise_convolutions_are_those_of_plain_evaluation() {
    let features = Features::detect();
    let kinds = KINDS.into_iter().filter(|kind| kind.x == kind.weights);
    for kind in kinds {
        for (stride, kernel, channels) in [([1, 1], 3, 20), ([2, 2], 5, 33), ([1, 2], 3, 7)] {
            let layer = Convolution {
                groups: channels,
                stride,
                ..convolution([channels, kernel, kernel, 1], kernel / 2)
            };
            let case = Case {
                residual: (stride == [1, 1]).then_some(Element::F32),
                activation: Activation::Relu,
                ..case(Layer::Convolution(layer), &[2, 13, 10, channels])
            };
            let taps = kernel * kernel;
            let (net, arrays, stored) = case.net(kind, |net, stored, bias| {
                // From [channel][tap] to [tap][channel].
                let place = |index: usize| index % channels * taps + index / channels;
                let indices = 0..taps * channels;
                let (panels, scales) = match kind.weights {
                    Element::F32 => {
                        let values: Vec<_> =
                            indices.map(|index| stored.values[place(index)]).collect();
                        (net.put(&values), None)
                    }
                    Element::F16 => {
                        let value = |index| f16::from_f32(stored.values[place(index)]);
                        (net.put(&indices.map(value).collect::<Vec<_>>()), None)
                    }
                    Element::I8 => {
                        let values: Vec<_> =
                            indices.map(|index| stored.quantized[place(index)]).collect();
                        (net.put(&values), Some(net.put(&stored.scales)))
                    }
                };
                let bias = bias.map(|bias| net.put(bias));
                let packing = Packing::Taps { element: kind.weights };
                Weights { packing, panels, sums: None, scales, bias }
            });
            let (truth, bounds) = case.truth(kind, &arrays, &stored, 2.0 * share(kind, taps));
            let found = net.run(features, 1, &arrays);
            compare("depthwise", kind, &found[0], &truth, &bounds);
            assert_eq!(net.run(features, 3, &arrays), found, "{kind:?} on 3 threads");
        }
    }
}

/// Weights by Winograd's method, in a layout that may be another than the version's own.
fn winograd_weights<E: winograd::Value>(
    kernel: Kernel<WinogradRow<E>>,
    layout: winograd::Layout,
    [k, n]: [usize; 2],
    stored: &Stored,
) -> Vec<E>
where
    WinogradRow<E>: Row,
{
    let own = kernel.layout();
    let mut panels = vec![E::default(); own.packed_length(k, n)];
    kernel.pack(k, n, |u, v, c, o| stored.values[((o * 3 + u) * 3 + v) * k + c], &mut panels);
    let place = |layout: winograd::Layout, product: usize, c: usize, o: usize| {
        let depth = k.next_multiple_of(layout.group);
        ((o / layout.nr * layout.products() + product) * depth + c) * layout.nr + o % layout.nr
    };
    let mut moved = vec![E::default(); layout.packed_length(k, n)];
    for product in 0..layout.products() {
        for c in 0..k {
            for o in 0..n {
                moved[place(layout, product, c, o)] = panels[place(own, product, c, o)];
            }
        }
    }
    moved
}

#[test]
fn winograd_is_plain_evaluation_within_its_error_and_in_any_layout() {
    let features = Features::detect();
    let [k, n] = [24, 37];
    let case = Case {
        shift: true,
        residual: Some(Element::F32),
        ..case(Layer::Convolution(convolution([n, 3, 3, k], 1)), &[2, 21, 18, k])
    };
    for (x, y) in
        [(Element::F32, Element::F32), (Element::F16, Element::F16), (Element::F16, Element::I8)]
    {
        let kind = Kind { x, weights: x, y, by_row: false };
        for tile in [[2, 2], [4, 4], [4, 6]] {
            let run = |layout: Option<winograd::Layout>| {
                let mut error = 0.0;
                let (net, arrays, stored) = case.net(kind, |net, stored, bias| {
                    let (panels, layout) = match x {
                        Element::F32 => {
                            let kernel = Kernel::<WinogradRow<f32>>::supported(features)
                                .find(|kernel| kernel.layout().tile == tile)
                                .expect("a version");
                            error = kernel.error().greatest;
                            let layout = layout.unwrap_or(kernel.layout());
                            (net.put(&winograd_weights(kernel, layout, [k, n], stored)), layout)
                        }
                        _ => {
                            let kernel = Kernel::<WinogradRow<f16>>::supported(features)
                                .find(|kernel| kernel.layout().tile == tile)
                                .expect("a version");
                            error = kernel.error().greatest;
                            let layout = layout.unwrap_or(kernel.layout());
                            (net.put(&winograd_weights(kernel, layout, [k, n], stored)), layout)
                        }
                    };
                    let winograd::Layout { tile, nr, group } = layout;
                    let packing = Packing::Winograd { element: x, tile, nr, group };
                    let bias = bias.map(|bias| net.put(bias));
                    Weights { packing, panels, sums: None, scales: None, bias }
                });
                let found = net.run(features, 1, &arrays);
                assert_eq!(net.run(features, 3, &arrays), found, "{kind:?} on 3 threads");
                let repacked = net.engine(features, 1).expect("checked").footprint().repacked;
                (found, repacked, case.truth(kind, &arrays, &stored, 0.0).0, error)
            };
            let (native, none, truth, error) = run(None);
            let bounds = vec![2.0 * error; truth.values.len()];
            compare("winograd", kind, &native[0], &truth, &bounds);
            assert_eq!(none, 0);
            let (found, repacked, ..) = run(Some(winograd::Layout { tile, nr: 5, group: 3 }));
            assert_eq!(found, native, "{kind:?} {tile:?}");
            assert!(repacked > 0);
        }
    }
}

#[test]
fn int4_weights_are_those_of_plain_evaluation_in_any_layout() {
    let features = Features::detect();
    for (rows, [k, n]) in [(1, [70, 131]), (3, [256, 640]), (33, [96, 40])] {
        for kind in KINDS.into_iter().filter(|kind| kind.weights == Element::I8) {
            let case = case(linear([k, n]), &[rows, k]);
            let (groups, mut random) = (k.div_ceil(GROUP), Random(5));
            let weights: Vec<i8> = (0..n * k).map(|_| (random.next() * 7.99) as i8).collect();
            let scales: Vec<f16> =
                (0..n * groups).map(|_| f16::from_f32(0.02 + 0.01 * random.next())).collect();
            let run = |layout: Layout, features: Features| {
                let (net, arrays, _) = case.net(kind, |net, _, bias| {
                    let count = n.next_multiple_of(layout.nr) * groups;
                    let (mut nibbles, mut packed) = (vec![0; count * 16], vec![f16::ZERO; count]);
                    pack_nibbles(layout, k, n, |at, o| weights[o * k + at], &mut nibbles);
                    let scale = |group, o| scales[o * groups + group];
                    pack_scales(layout, k, n, scale, f16::ZERO, &mut packed);
                    let packing = Packing::GemmI4 { nr: layout.nr, kr: layout.kr };
                    let panels = net.put(&nibbles);
                    let scales = Some(net.put(&packed));
                    let bias = bias.map(|bias| net.put(bias));
                    Weights { packing, panels, sums: None, scales, bias }
                });
                let found = net.run(features, 1, &arrays);
                assert_eq!(net.run(features, 3, &arrays), found, "{kind:?} on 3 threads");
                (found, arrays, net.engine(features, 1).expect("checked").footprint().repacked)
            };
            let own = Kernel::<GemmI4Row>::first(features).layout();
            let (native, arrays, none) = run(own, features);
            let value = |index: usize| {
                let (o, at) = (index / k, index % k);
                f32::from(weights[index]) * scales[o * groups + at / GROUP].to_f32()
            };
            let values = (0..n * k).map(value).collect();
            let stored = Stored { values, quantized: Vec::new(), scales: Vec::new() };
            let (truth, bounds) = case.truth(kind, &arrays, &stored, share(kind, k));
            compare("int4", kind, &native[0], &truth, &bounds);
            assert_eq!(none, 0);
            let (foreign, _, repacked) = run(Layout { nr: 5, kr: 2 }, features);
            assert_eq!(foreign, native, "{kind:?}");
            assert!(repacked > 0);
        }
    }
}

/// A net with a step of each packing, a residual and a shift.
fn small() -> Net {
    let mut net = Net::new();
    let features = Features::detect();
    let mut random = Random(3);
    let float = (Element::F32, None);
    let epilogue = Epilogue { shift: false, residual: false, activation: Activation::Relu };
    let x = net.input(&[1, 6, 5, 8], float);
    let shift = net.input(&[8], float);
    let sides = |net: &mut Net, shape: [usize; 4]| net.value(&shape, float);

    let dense =
        Packed::Convolution(Geometry { padding: [1; 4], ..Geometry::new([1, 6, 5, 8], 8, 3) });
    let weights = |net: &mut Net, packed: &Packed, element, count: usize, n: usize| {
        let stored = Stored::new(&Random(4).values(count), element, n, |index| index % n);
        let layout = pick(features, element, packed.k());
        packed.put(net, element, layout, &stored, Some(&[0.5; 21][..n]))
    };
    let convolution = |weights: Weights, groups, quantization, epilogue| Op::Convolution {
        kernel: [3; 2],
        stride: [1; 2],
        dilation: [1; 2],
        padding: [1; 4],
        groups,
        enlargement: 1,
        weights,
        quantization,
        epilogue,
    };
    let first = sides(&mut net, [1, 6, 5, 8]);
    let packed = weights(&mut net, &dense, Element::I8, 3 * 3 * 8 * 8, 8);
    let shifted = Epilogue { shift: true, residual: true, ..epilogue };
    net.step(convolution(packed, 1, Some(X), shifted), &[x, shift, x], &[first]);

    let second = sides(&mut net, [1, 6, 5, 8]);
    let panels = net.put(&random.values(9 * 8));
    let bias = Some(net.put(&[0.25f32; 8]));
    let packing = Packing::Taps { element: Element::F32 };
    let taps = Weights { packing, panels, sums: None, scales: None, bias };
    net.step(convolution(taps, 8, None, epilogue), &[first], &[second]);

    let third = sides(&mut net, [1, 6, 5, 8]);
    let kernel = Kernel::<WinogradRow<f32>>::supported(features)
        .find(|kernel| kernel.layout().tile == [2, 2])
        .expect("a version");
    let stored = Stored::new(&random.values(9 * 8 * 8), Element::F32, 8, |index| index % 8);
    let winograd::Layout { tile, nr, group } = kernel.layout();
    let panels = net.put(&winograd_weights(kernel, kernel.layout(), [8, 8], &stored));
    let packing = Packing::Winograd { element: Element::F32, tile, nr, group };
    let tiles = Weights { packing, panels, sums: None, scales: None, bias: None };
    net.step(convolution(tiles, 1, None, epilogue), &[second], &[third]);

    let fourth = sides(&mut net, [1, 12, 15, 21]);
    let geometry = TransposedGeometry {
        batch: 1,
        height: 6,
        width: 5,
        channels: 8,
        channels_out: 21,
        kernel: [2, 3],
    };
    let packed = weights(&mut net, &Packed::Transposed(geometry), Element::F32, 6 * 8 * 21, 21);
    let op = Op::Transposed { kernel: [2, 3], weights: packed, quantization: None, epilogue };
    net.step(op, &[third], &[fourth]);

    let flat = net.value(&[1, 12 * 15 * 21], float);
    net.program.values[flat].same_as = Some(fourth);
    let last = net.output(&[1, 4], float);
    let layout = Kernel::<GemmI4Row>::first(features).layout();
    let k: usize = 12 * 15 * 21;
    let count = 4usize.next_multiple_of(layout.nr) * k.div_ceil(GROUP);
    let (mut nibbles, mut scales) = (vec![0; count * 16], vec![f16::ZERO; count]);
    pack_nibbles(layout, k, 4, |k, n| ((k * 7 + n * 3) % 16) as i8 - 8, &mut nibbles);
    pack_scales(layout, k, 4, |_, _| f16::from_f32(0.01), f16::ZERO, &mut scales);
    let packing = Packing::GemmI4 { nr: layout.nr, kr: layout.kr };
    let (panels, scales) = (net.put(&nibbles), Some(net.put(&scales)));
    let weights = Weights { packing, panels, sums: None, scales, bias: None };
    let epilogue = Epilogue { activation: Activation::None, ..epilogue };
    net.step(Op::Linear { weights, quantization: None, epilogue }, &[flat], &[last]);
    net
}

/// A net with a step of each operation that has no packed weights but one, which reads rows with steps of their own.
fn others() -> Net {
    let mut net = Net::new();
    let mut random = Random(6);
    let float = (Element::F32, None);
    let x = net.input(&[1, 6, 4, 16], float);
    let normed = net.value(&[1, 6, 4, 16], float);
    let scale = Some(net.put(&random.values(16)));
    let activation = Activation::Silu;
    let op = Op::GroupNorm { groups: 4, epsilon: 1e-5, scale, shift: None, activation };
    net.step(op, &[x], &[normed]);
    let tokens = net.value(&[1, 24, 16], float);
    net.program.values[tokens].same_as = Some(normed);

    let steps = net.value(&[24], float);
    let rows = net.output(&[1, 24, 16], (Element::I8, None));
    net.program.values[rows].row_steps = Some(steps);
    let shift = Some(net.put(&random.values(16)));
    let op = Op::LayerNorm { epsilon: 1e-5, scale, shift };
    net.step(op, &[tokens], &[rows, steps]);
    let projected = net.output(&[1, 24, 48], float);
    let packed = Packed::Linear([16, 48]);
    let stored = others_weights();
    let layout = pick(Features::detect(), Element::I8, 16);
    let weights = packed.put(&mut net, Element::I8, layout, &stored, None);
    let epilogue = Epilogue { shift: false, residual: false, activation: Activation::None };
    let op = Op::Linear { weights, quantization: None, epilogue };
    net.step(op, &[rows, steps], &[projected]);

    let next = |net: &mut Net, op: Op, inputs: &[ValueId], shape: &[usize], kind| {
        let y = net.value(shape, kind);
        net.step(op, inputs, &[y]);
        y
    };
    let attention = Op::Attention {
        heads: 2,
        key_heads: 2,
        key_size: 8,
        value_size: 8,
        scale: 0.35,
        causal: true,
        zero_keys: 0,
        int8: false,
        channels: [0, 16, 32],
    };
    let y = next(&mut net, attention, &[projected; 3], &[1, 24, 16], float);
    let gated = Op::Gated { activation: Activation::Gelu, gate_first: true };
    let shape = [1, 24, 8];
    let y = next(&mut net, gated, &[y], &shape, float);
    let y =
        next(&mut net, Op::RmsNorm { size: 8, epsilon: 1e-5, scale: None }, &[y], &shape, float);
    let (cosines, sines) = (net.put(&random.values(96)), net.put(&random.values(96)));
    let y = next(&mut net, Op::Rotary { heads: 1, turned: 8, cosines, sines }, &[y], &shape, float);
    let activation = Activation::Tanh;
    let y = next(&mut net, Op::Activate { activation }, &[y], &shape, float);
    let slopes = net.put(&random.values(8));
    let y = next(&mut net, Op::PRelu { slopes }, &[y], &shape, float);
    let y = next(&mut net, Op::Softmax, &[y], &shape, float);
    let constant = Some(net.put(&random.values(8)));
    let (operation, repeat) = (Operation::Multiply, Repeat::Channels);
    let activation = Activation::None;
    let binary = Op::Binary { operation, repeat, constant, activation };
    let y = next(&mut net, binary, &[y], &shape, float);
    let image = net.value(&[1, 6, 4, 8], float);
    net.program.values[image].same_as = Some(y);
    let pool = Op::Pool { pooling: Pooling::Mean, window: [2; 2], stride: [2; 2], padding: [0; 4] };
    let y = next(&mut net, pool, &[image], &[1, 3, 2, 8], float);
    let resize = Op::Resize { sampling: Sampling::BilinearHalfPixel };
    let y = next(&mut net, resize, &[y], &[1, 6, 4, 8], float);
    let y = next(&mut net, Op::Concat { axis: 3 }, &[y, image], &[1, 6, 4, 16], float);
    let y = next(&mut net, Op::Slice { axis: 1, start: 1 }, &[y], &[1, 4, 4, 16], float);
    let transpose = Op::Transpose { axes: vec![0, 2, 1, 3] };
    let y = next(&mut net, transpose, &[y], &[1, 4, 4, 16], float);
    let y = next(&mut net, Op::DepthToSpace { block: 2 }, &[y], &[1, 8, 8, 4], float);
    let pad = Op::Pad { image: [1; 4], channels: [1, 1] };
    let y = next(&mut net, pad, &[y], &[1, 10, 10, 6], float);
    let values = net.put(&[2.0f32; 600]);
    let two = next(&mut net, Op::Constant { values }, &[], &[1, 10, 10, 6], float);
    let (operation, repeat) = (Operation::Add, Repeat::All);
    let activation = Activation::Sigmoid;
    let binary = Op::Binary { operation, repeat, constant: None, activation };
    let y = next(&mut net, binary, &[y, two], &[1, 10, 10, 6], float);
    let y = next(&mut net, Op::Convert, &[y], &[1, 10, 10, 6], (Element::F16, None));
    let last = net.output(&[1, 10, 10, 6], (Element::I8, Some(Y)));
    net.step(Op::Convert, &[y], &[last]);
    net
}

fn others_weights() -> Stored {
    Stored::new(&Random(4).values(16 * 48), Element::I8, 48, |index| index / 16)
}

fn others_input() -> Vec<Array> {
    vec![Array { shape: vec![1, 6, 4, 16], values: Random(8).values(6 * 4 * 16) }]
}

#[test]
fn rows_with_steps_of_their_own_are_multiplied_by_them() {
    let found = others().run(Features::detect(), 2, &others_input());
    let [rows, product, _] = &found[..] else { panic!("three outputs") };
    let weights = Parameter::new("weights", &[48, 16], others_weights().values);
    let layer = Layer::Linear(Linear { weights, bias: None });
    let truth = layer.evaluate(&[&Plain::new(&rows.shape, rows.values.clone())]);
    for (found, wanted) in product.values.iter().zip(&truth.values) {
        assert!((found - wanted).abs() < 1e-4, "{found}, plain evaluation gives {wanted}");
    }
    let greatest = rows.values.iter().fold(0f32, |most, value| most.max(value.abs()));
    assert!(greatest > 0.5, "rows of zeros");
}

fn small_inputs() -> Vec<Array> {
    let array = |shape: &[usize]| Array {
        shape: shape.to_vec(),
        values: Random(8).values(shape.iter().product()),
    };
    vec![array(&[1, 6, 5, 8]), array(&[8])]
}

/// Every way to change one leaf of a document.
fn changes(at: &toml::Value, changed: &mut dyn FnMut(toml::Value)) {
    use toml::Value::{Array, Boolean, Float, Integer, String, Table};
    match at {
        Integer(found) => {
            for step in [-1, 1, 64, 1 << 20, 1 << 34, 1 << 62] {
                changed(Integer(found.wrapping_add(step)));
            }
            for value in [0, 1, 2, 3, 255, i64::from(u32::MAX), i64::MAX] {
                changed(Integer(value));
            }
        }
        Float(_) => {
            for value in [0.0, -1.0, 1e-45, 1e-38, 1e38, f64::NAN, f64::INFINITY] {
                changed(Float(value));
            }
        }
        Boolean(found) => changed(Boolean(!found)),
        String(_) => {
            for name in ["", "f32", "f16", "i8", "value0", "output10", "tanh", "gelu"] {
                changed(String(name.into()));
            }
        }
        Array(items) => {
            for index in 0..items.len() {
                let mut fewer = items.clone();
                fewer.remove(index);
                changed(Array(fewer));
                let mut more = items.clone();
                more.push(items[index].clone());
                changed(Array(more));
                let mut other = items.clone();
                other.swap(0, index);
                changed(Array(other));
                changes(&items[index], &mut |item| {
                    let mut items = items.clone();
                    items[index] = item;
                    changed(Array(items));
                });
            }
        }
        Table(entries) => {
            for (key, entry) in entries {
                let mut fewer = entries.clone();
                fewer.remove(key);
                changed(Table(fewer));
                changes(entry, &mut |entry| {
                    let mut entries = entries.clone();
                    entries.insert(key.clone(), entry);
                    changed(Table(entries));
                });
            }
            for (key, value) in [("same_as", 0), ("same_as", 7), ("row_steps", 1)] {
                if entries.contains_key("shape") {
                    let mut more = entries.clone();
                    more.insert(key.into(), Integer(value));
                    changed(Table(more));
                }
            }
        }
        other => panic!("no such thing is in a program: {other}"),
    }
}

#[test]
fn no_damage_to_a_program_makes_the_runtime_panic() {
    damaged(small(), &small_inputs());
}

#[test]
fn no_damage_to_a_program_of_other_operations_makes_the_runtime_panic() {
    damaged(others(), &others_input());
}

fn damaged(net: Net, inputs: &[Array]) {
    let whole = net.run(Features::detect(), 2, inputs);
    assert!(whole[0].values.iter().any(|&value| value != 0.0), "a net that computes nothing");
    let document = toml::Value::try_from(&net.program).expect("a program is a document");
    let pool = Arc::new(Pool::new(2).expect("threads"));
    let (mut refused, mut accepted) = (0, 0);
    let blob = net.blob();
    changes(&document, &mut |document| {
        let Ok(program) = document.try_into::<Program>() else { return };
        let settings = Settings {
            features: Features::detect(),
            pool: Arc::clone(&pool),
            memory_limit: Some(16 << 20),
        };
        match Engine::new(program.clone(), blob.clone(), settings) {
            Err(error) => {
                assert!(!error.to_string().is_empty());
                refused += 1;
            }
            Ok(engine) => {
                accepted += 1;
                let arrays: Vec<_> = program
                    .inputs
                    .iter()
                    .map(|port| {
                        let shape = program.values[port.value].shape.clone();
                        let values = Random(8).values(shape.iter().product());
                        (port.name.as_str(), Array { shape, values })
                    })
                    .collect();
                let inputs: Vec<_> = arrays.iter().map(|(name, array)| (*name, array)).collect();
                let mut session = Arc::new(engine).session();
                session.run(&inputs).expect("arrays of the inputs' shapes");
            }
        }
    });
    assert!(refused > 1500 && accepted > 50, "{refused} refused, {accepted} accepted");
}

#[track_caller]
fn refusal(part: &str, damage: impl FnOnce(&mut Program)) {
    let mut net = small();
    damage(&mut net.program);
    let Err(error) = net.engine(Features::detect(), 1) else {
        panic!("a program is accepted that should not be: {part}");
    };
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    assert!(text.contains(part), "expected `{part}` in: {text}");
}

/// The weights of a step.
fn weights(step: &mut Step) -> &mut Weights {
    match &mut step.op {
        Op::Convolution { weights, .. }
        | Op::Linear { weights, .. }
        | Op::Transposed { weights, .. } => weights,
        other => panic!("no weights: {other:?}"),
    }
}

#[test]
fn what_contradicts_itself_is_refused_with_its_cause() {
    refusal("no step before it writes", |program| program.steps.swap(0, 1));
    refusal("value 99 of", |program| program.steps[0].inputs[0] = 99);
    refusal("is written before", |program| {
        let step = program.steps[0].clone();
        program.steps.push(step);
    });
    refusal("is written before", |program| program.steps[1].outputs = vec![0]);
    refusal("another value's memory", |program| {
        let flat = program.steps[4].inputs[0];
        program.steps[3].outputs = vec![flat];
    });
    refusal("which holds something else", |program| program.values[6].shape = vec![1, 5]);
    refusal("in its own memory", |program| {
        program.values[6].same_as = Some(6);
    });
    refusal("in the memory of value 70 of", |program| program.values[6].same_as = Some(70));
    refusal("has no elements", |program| program.values[2].shape[1] = 0);
    refusal("more than", |program| program.values[2].shape = vec![1 << 40, 1 << 40]);
    refusal("0 axes", |program| program.values[2].shape.clear());
    refusal("either a quantization", |program| program.values[2].element = Element::I8);
    refusal("only int8 is quantized", |program| program.values[2].quantization = Some(X));
    refusal("steps of 0", |program| {
        program.values[2].element = Element::I8;
        program.values[2].quantization = Some(Quantization { scale: 0.0, zero_point: 0 });
    });
    refusal("no f32 of shape [30]", |program| {
        program.values[2].element = Element::I8;
        program.values[2].row_steps = Some(1);
    });
    refusal("two inputs or outputs", |program| {
        program.inputs[1].name = program.inputs[0].name.clone();
    });
    refusal("is value 77 of", |program| program.outputs[0].value = 77);
    refusal("no value of its own", |program| program.inputs[1].value = 0);
    refusal("without outputs", |program| program.outputs.clear());
    refusal("nothing writes output", |program| {
        program.steps.pop();
    });
    refusal("do not lie within", |program| weights(&mut program.steps[0]).panels.offset = 1 << 60);
    refusal("no aligned tensor", |program| weights(&mut program.steps[0]).panels.offset += 4);
    refusal("packed weights of", |program| weights(&mut program.steps[0]).panels.bytes -= 4);
    refusal("without a scale", |program| weights(&mut program.steps[0]).scales = None);
    refusal("of one element", |program| {
        weights(&mut program.steps[1]).packing = Packing::Taps { element: Element::F16 };
    });
    refusal("values of k", |program| {
        let packing = Packing::Gemm { element: Element::I8, nr: 0, kr: 4 };
        weights(&mut program.steps[0]).packing = packing;
    });
    refusal("packed for another CPU", |program| {
        let packing = Packing::Winograd { element: Element::F32, tile: [3, 3], nr: 8, group: 1 };
        weights(&mut program.steps[2]).packing = packing;
    });
    refusal("inputs expected", |program| program.steps[0].inputs.truncate(2));
    refusal("images", |program| {
        let Op::Convolution { stride, .. } = &mut program.steps[0].op else { unreachable!() };
        *stride = [2, 1];
    });
    refusal("of 0 or above", |program| {
        let Op::Convolution { dilation, .. } = &mut program.steps[0].op else { unreachable!() };
        *dilation = [usize::MAX, 1];
    });
    refusal("does not say how", |program| {
        let Op::Convolution { quantization, .. } = &mut program.steps[0].op else { unreachable!() };
        *quantization = None;
    });
    refusal("weights of", |program| program.weight_bytes += 1);
    refusal("are int8", |program| program.element = Element::I8);
    refusal("at most", |program| program.steps = vec![program.steps[0].clone(); 20_000]);
}

#[test]
fn a_program_that_needs_more_memory_than_allowed_is_refused_with_numbers() {
    let net = small();
    let pool = Arc::new(Pool::new(2).expect("threads"));
    let engine = |memory_limit| {
        let features = Features::detect();
        let settings = Settings { features, pool: Arc::clone(&pool), memory_limit };
        Engine::new(net.program.clone(), net.blob(), settings)
    };
    let footprint = engine(None).expect("no limit").footprint();
    assert_eq!([footprint.mapped, footprint.owned], [0, net.weights.len()]);
    let whole = footprint.owned + footprint.activations + footprint.scratch;
    engine(Some(whole)).expect("just enough");
    let Err(error) = engine(Some(whole - 1)) else { panic!("a byte too few is accepted") };
    let RuntimeError::Memory { needed, limit, step, .. } = &error else { panic!("{error}") };
    assert_eq!([*needed, *limit], [whole, whole - 1]);
    assert_eq!(step, "step3", "{error}");
}

#[test]
fn inputs_that_are_not_the_nets_are_refused() {
    let engine = Arc::new(small().engine(Features::detect(), 1).expect("checked"));
    let mut session = engine.session();
    let arrays = small_inputs();
    let [x, shift] = &arrays[..] else { unreachable!() };
    let other = Array { shape: vec![1, 6, 5, 7], values: vec![0.0; 210] };
    let short = Array { shape: vec![8], values: vec![0.0; 7] };
    for (inputs, wanted) in [
        (vec![("input0", x)], "input1"),
        (vec![("input0", x), ("input1", shift), ("input2", x)], "input2"),
        (vec![("input0", x), ("input1", shift), ("input0", x)], "input0"),
        (vec![("input0", &other), ("input1", shift)], "[1, 6, 5, 7]"),
        (vec![("input0", x), ("input1", &short)], "7 values"),
    ] {
        let error = session.run(&inputs).expect_err(wanted).to_string();
        assert!(error.contains(wanted), "{error}");
    }
    session.run(&[("input1", shift), ("input0", x)]).expect("in any order");
}
