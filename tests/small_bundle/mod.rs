//! A bundle of two nets that take microseconds.

use half::f16;
use kernels::features::Isa;
use kernels::gemm::{GemmRow, pack_weights};
use kernels::kernel::Kernel;
use kernels::math::Activation;
use kernels::memory::{self, Memory as Owned};
use vitrine::bundle::{Contents, Description, Memory, PackedNet, Sampler};
use vitrine::runtime::blob::{ALIGNMENT, Blob};
use vitrine::runtime::program::{
    Element, Epilogue, Op, Operation, Packing, Port, Program, Quantization, Repeat, Span, Step,
    Value, Weights,
};

/// Programs and their weights.
pub type Nets = [(Program, Blob); 2];

/// Two nets: `head`, which scales, multiplies by weights in f32 and ends in a softmax; `edges`, whose program holds every awkward number.
pub fn nets() -> Nets {
    [head(), edges()]
}

pub fn description() -> Description {
    Description {
        name: "Small student".into(),
        system: "student".into(),
        tasks: vec!["try-on".into()],
        resolution: [256, 192],
        licence: "Apache-2.0".into(),
        packed_by: "the tests".into(),
        board: "desktop".into(),
        element: Element::F32,
        instructions: vec![Isa::Neon, Isa::NeonDotprod],
        memory: Memory { activations: 4096, scratch: 1024 },
        sampler: Some(Sampler { method: "lcm".into(), steps: 4, guidance: 1.5 }),
    }
}

pub fn contents(nets: &Nets) -> Contents<'_> {
    let nets = nets.iter().map(|(program, weights)| PackedNet { program, weights });
    Contents { description: description(), nets: nets.collect(), preview: None, report: None }
}

fn value(name: &str, shape: &[usize], element: Element) -> Value {
    let shape = shape.to_vec();
    Value { name: name.into(), shape, element, quantization: None, row_steps: None, same_as: None }
}

fn port(name: &str, value: usize) -> Port {
    Port { name: name.into(), value }
}

fn step(name: &str, inputs: &[usize], outputs: &[usize], op: Op) -> Step {
    Step { name: name.into(), inputs: inputs.to_vec(), outputs: outputs.to_vec(), op }
}

/// Tensors one after the other, each aligned.
#[derive(Default)]
struct Tensors(Vec<u8>);

impl Tensors {
    fn push(&mut self, bytes: &[u8]) -> Span {
        self.0.resize(self.0.len().next_multiple_of(ALIGNMENT), 0);
        let offset = self.0.len() as u64;
        self.0.extend(bytes);
        Span { offset, bytes: bytes.len() as u64 }
    }
}

/// Numbers between -1 and 1.
fn numbers(count: usize, mut state: u32) -> Vec<f32> {
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(count).collect()
}

fn head() -> (Program, Blob) {
    const ROWS: usize = 6;
    const K: usize = 16;
    const N: usize = 24;
    let layout = Kernel::<GemmRow<f32>>::plain().layout();
    let table = numbers(K * N, 7);
    let mut panels = vec![0.0; layout.packed_length(1, K, N)];
    pack_weights(layout, 1, K, N, |_, k, n| table[k * N + n], &mut panels);
    let mut tensors = Tensors::default();
    let factors = tensors.push(memory::bytes(&numbers(K, 3)));
    let panels = tensors.push(memory::bytes(&panels));
    let bias = tensors.push(memory::bytes(&numbers(N, 5)));
    let multiply = Op::Binary {
        operation: Operation::Multiply,
        repeat: Repeat::Channels,
        constant: Some(factors),
        activation: Activation::Silu,
    };
    let linear = Op::Linear {
        weights: Weights {
            packing: Packing::Gemm { element: Element::F32, nr: layout.nr, kr: layout.kr },
            panels,
            sums: None,
            scales: None,
            bias: Some(bias),
        },
        quantization: None,
        epilogue: Epilogue { shift: false, residual: false, activation: Activation::None },
    };
    let program = Program {
        name: "head".into(),
        element: Element::F32,
        weight_bytes: tensors.0.len() as u64,
        inputs: vec![port("x", 0)],
        outputs: vec![port("chances", 3)],
        values: vec![
            value("x", &[1, ROWS, K], Element::F32),
            value("scaled", &[1, ROWS, K], Element::F32),
            value("logits", &[1, ROWS, N], Element::F32),
            value("chances", &[1, ROWS, N], Element::F32),
        ],
        steps: vec![
            step("scale", &[0], &[1], multiply),
            step("classify", &[1], &[2], linear),
            step("softmax", &[2], &[3], Op::Softmax),
        ],
    };
    (program, Blob::from(Owned::from(tensors.0.as_slice())))
}

fn edges() -> (Program, Blob) {
    let mut tensors = Tensors::default();
    let taps = tensors.push(memory::bytes(&[f16::from_f32(0.1); 9 * 8]));
    let scales = tensors.push(memory::bytes(&numbers(8, 9)));
    let depthwise = Op::Convolution {
        kernel: [3, 3],
        stride: [2, 1],
        dilation: [1, 1],
        padding: [1, 1, 1, 1],
        groups: 8,
        enlargement: 1,
        weights: Weights {
            packing: Packing::Taps { element: Element::F16 },
            panels: taps,
            sums: None,
            scales: Some(scales),
            bias: None,
        },
        quantization: Some(Quantization { scale: 0.1, zero_point: -128 }),
        epilogue: Epilogue { shift: false, residual: false, activation: Activation::GeluTanh },
    };
    let norm = Op::GroupNorm {
        groups: 4,
        epsilon: f32::MIN_POSITIVE,
        scale: None,
        shift: Some(scales),
        activation: Activation::None,
    };
    let constant = Op::Binary {
        operation: Operation::Add,
        repeat: Repeat::One(f32::MAX),
        constant: None,
        activation: Activation::Relu6,
    };
    let mut values = vec![
        value("an image, \"quoted\" \u{1F457}", &[1, 8, 6, 8], Element::F16),
        value("y", &[1, 4, 6, 8], Element::F16),
        value("normed", &[1, 4, 6, 8], Element::I8),
        value("steps", &[24], Element::F32),
        value("z", &[1, 24, 8], Element::F16),
    ];
    values[2].row_steps = Some(3);
    values[4].same_as = Some(1);
    let program = Program {
        name: "edges".into(),
        element: Element::F16,
        weight_bytes: tensors.0.len() as u64,
        inputs: vec![port("image", 0)],
        outputs: vec![port("y", 1), port("z", 4)],
        values,
        steps: vec![
            step("depthwise", &[0], &[1], depthwise),
            step("norm", &[1], &[2, 3], norm),
            step("add", &[1], &[4], constant),
        ],
    };
    (program, Blob::from(Owned::from(tensors.0.as_slice())))
}
