//! What `--qdq` writes, run by ONNX Runtime: `VITRINE_PYTHON` names a Python that has it.

use super::nets::{self, Net};
use super::pipeline::request;
use kernels::math::Activation;
use models::Imported;
use models::nn::{
    Attention, Binary, Convolution, Corners, Gated, GroupNorm, Layer, Linear, Operation, Pad,
    Pairs, Plain, Pool, Pooling, Resize, RmsNorm, Rotary, Sampling, Slice, TransposedConvolution,
};
use quantize::layers;
use quantize::pipeline::{Unwatched, quantize};
use quantize::qdq::encode;
use quantize::samples::Normal;
use quantize::simulate::Fidelity;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use vitrine::runtime::choices::{Choices, Precision};
use vitrine::runtime::engine::{Array, Engine, Settings};

const RUN: &str = "
import sys, numpy, onnxruntime
for folder in sys.argv[1:]:
    session = onnxruntime.InferenceSession(folder + '/model.onnx', providers=['CPUExecutionProvider'])
    feed = {i.name: numpy.fromfile(f'{folder}/{n}.in', numpy.float32).reshape(i.shape) for n, i in enumerate(session.get_inputs())}
    for n, y in enumerate(session.run(None, feed)):
        y.astype(numpy.float32).tofile(f'{folder}/{n}.out')
";

/// Runs each folder's `model.onnx`; false where there is no Python to do so.
fn run(folders: &[&Path]) -> bool {
    let Some(python) = std::env::var_os("VITRINE_PYTHON") else {
        eprintln!("skipped: VITRINE_PYTHON names no Python with onnxruntime");
        return false;
    };
    let output = Command::new(python).arg("-c").arg(RUN).args(folders).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    true
}

fn write(folder: &Path, net: &Imported, choices: &Choices, inputs: &BTreeMap<String, Plain>) {
    std::fs::write(folder.join("model.onnx"), encode(net, choices).unwrap()).unwrap();
    for (index, input) in layers::inputs(&net.model).unwrap().iter().enumerate() {
        let values = inputs[&input.name].values.iter();
        let bytes: Vec<u8> = values.flat_map(|value| value.to_le_bytes()).collect();
        std::fs::write(folder.join(format!("{index}.in")), bytes).unwrap();
    }
}

fn output(folder: &Path) -> Vec<f32> {
    let bytes = std::fs::read(folder.join("0.out")).unwrap();
    bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

fn inputs(net: &Imported) -> BTreeMap<String, Plain> {
    let inputs = layers::inputs(&net.model).unwrap().into_iter().zip(1..);
    inputs
        .map(|(input, seed)| {
            let values = Normal::new(seed).take(input.shape.iter().product());
            (input.name, Plain::new(&input.shape, values))
        })
        .collect()
}

/// One net for each layer of the vocabulary.
fn single_layers() -> Vec<(String, Imported)> {
    let mut all = Vec::new();
    let mut one = |name: &str, shapes: &[&[usize]], layer: &dyn Fn(&mut Net) -> Layer| {
        let mut net = Net::new();
        let sources = shapes.iter().enumerate();
        let sources: Vec<_> =
            sources.map(|(index, shape)| net.source(&format!("x{index}"), shape)).collect();
        let layer = layer(&mut net);
        let y = net.add("y", layer, &sources);
        all.push((name.to_owned(), net.finish(&[y])));
    };
    let image: &[usize] = &[1, 6, 8, 16];
    let tokens: &[usize] = &[2, 10, 24];
    for (groups, enlargement, stride) in [(1, 1, 1), (4, 1, 2), (16, 1, 1), (1, 2, 1)] {
        one(&format!("convolution {groups} {enlargement}"), &[image], &|net| {
            Layer::Convolution(Convolution {
                weights: net.parameter(&[16, 3, 2, 16 / groups], 0.2),
                bias: Some(net.parameter(&[16], 1.0)),
                stride: [stride, 1],
                dilation: [1, 2],
                padding: [1, 0, 2, 1],
                groups,
                enlargement,
            })
        });
    }
    one("transposed", &[image], &|net| {
        Layer::Transposed(TransposedConvolution {
            weights: net.parameter(&[2, 2, 16, 5], 0.2),
            bias: Some(net.parameter(&[5], 1.0)),
            stride: [2, 2],
            cropping: [0; 4],
        })
    });
    one("linear", &[tokens], &|net| {
        Layer::Linear(Linear { weights: net.parameter(&[7, 24], 0.2), bias: None })
    });
    one("group norm", &[image], &|net| {
        let (scale, shift) = (net.parameter(&[16], 1.0), net.parameter(&[16], 1.0));
        Layer::GroupNorm(GroupNorm {
            groups: 4,
            epsilon: 1e-3,
            scale: Some(scale),
            shift: Some(shift),
        })
    });
    one("rms norm", &[tokens], &|net| {
        Layer::RmsNorm(RmsNorm { size: 8, epsilon: 1e-3, scale: Some(net.parameter(&[8], 1.0)) })
    });
    one("layer norm", &[tokens], &|_| {
        Layer::LayerNorm(models::nn::LayerNorm { epsilon: 1e-3, scale: None, shift: None })
    });
    for activation in Activation::ALL {
        one(&format!("{activation:?}"), &[tokens], &|_| Layer::Activate(activation));
    }
    one("prelu", &[image], &|net| Layer::PRelu(net.parameter(&[16], 0.3)));
    for gate_first in [false, true] {
        let gated = Gated { activation: Activation::Gelu, gate_first };
        one("gated", &[tokens], &|_| Layer::Gated(gated));
    }
    one("softmax", &[tokens], &|_| Layer::Softmax);
    for (key_heads, causal) in [(4, false), (2, true), (1, false)] {
        let keys: &[usize] = &[2, 10, key_heads * 6];
        let attention = Attention { heads: 4, key_heads, scale: 0.4, causal };
        one("attention", &[tokens, keys, keys], &|_| Layer::Attention(attention));
        one("biased attention", &[tokens, keys, keys, &[1, 4, 10, 10]], &|_| {
            Layer::Attention(attention)
        });
    }
    for (pairs, turned) in [(Pairs::Adjacent, 6), (Pairs::Halves, 4)] {
        one(&format!("{pairs:?}"), &[tokens], &|net| {
            let cosines = net.parameter(&[10, turned / 2], 1.0);
            let sines = net.parameter(&[10, turned / 2], 1.0);
            Layer::Rotary(Rotary { heads: 4, cosines, sines, pairs })
        });
    }
    for operation in [Operation::Add, Operation::Subtract, Operation::Multiply, Operation::Divide] {
        let layer = Layer::Binary(Binary { operation });
        one(&format!("{operation:?}"), &[tokens, &[1, 10, 1]], &|_| layer.clone());
    }
    one("concat", &[tokens, &[2, 10, 3]], &|_| Layer::Concat { axis: 2 });
    one("slice", &[tokens], &|_| Layer::Slice(Slice { axis: 1, start: 2, end: 9 }));
    one("reshape", &[tokens], &|_| Layer::Reshape { shape: vec![4, 5, 24] });
    one("transpose", &[image], &|_| Layer::Transpose { axes: vec![0, 2, 1, 3] });
    one("pad", &[image], &|_| Layer::Pad(Pad { image: [1, 2, 3, 0], channels: [0, 5] }));
    let samplings = [
        Sampling::Nearest,
        Sampling::Bilinear(Corners::HalfPixel),
        Sampling::Bilinear(Corners::Aligned),
        Sampling::Bilinear(Corners::Origin),
    ];
    for sampling in samplings {
        let resize = Resize { height: 12, width: 20, sampling };
        one(&format!("{sampling:?}"), &[image], &|_| Layer::Resize(resize));
    }
    one("depth to space", &[image], &|_| Layer::DepthToSpace { block: 2 });
    for pooling in [Pooling::Greatest, Pooling::Mean, Pooling::MeanWithPadding] {
        let pool = Pool { pooling, window: [3, 2], stride: [2, 2], padding: [1, 0, 1, 0] };
        one(&format!("{pooling:?}"), &[image], &|_| Layer::Pool(pool));
    }
    all
}

#[test]
fn every_layer_is_written_as_it_computes() {
    let choices = Choices::float(Precision::F32);
    let all = single_layers();
    let folders: Vec<_> = all.iter().map(|_| tempfile::tempdir().unwrap()).collect();
    for ((_, net), folder) in all.iter().zip(&folders) {
        write(folder.path(), net, &choices, &inputs(net));
    }
    let paths: Vec<&Path> = folders.iter().map(|folder| folder.path()).collect();
    if !run(&paths) {
        return;
    }
    for ((name, net), folder) in all.iter().zip(&paths) {
        let expected = layers::evaluate(&net.model, &inputs(net)).unwrap();
        let found = Fidelity::of(&expected["y"].values, &output(folder));
        assert!(found.psnr > 90.0, "{name}: {found:?}");
    }
}

#[test]
fn other_engines_compute_what_ours_does() {
    let mut int4 = request(nets::transformer(), &[1.0]);
    int4.rules.weights = Precision::Int4;
    int4.rules.min_psnr = Some(15.0);
    let requests = [request(nets::residual(), &[]), request(nets::transformer(), &[1.0]), int4];
    for request in requests {
        let (features, pool) = (request.features, Arc::clone(&request.pool));
        let quantized = quantize(request, &Unwatched).unwrap();
        let inputs = inputs(&quantized.net);
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &quantized.net, &quantized.choices, &inputs);
        if !run(&[folder.path()]) {
            return;
        }
        let (program, weights) = (quantized.lowered.program, quantized.lowered.weights);
        let settings = Settings { features, pool, memory_limit: None };
        let engine = Arc::new(Engine::new(program, weights, settings).unwrap());
        let array =
            |plain: &Plain| Array { shape: plain.shape.clone(), values: plain.values.clone() };
        let arrays: Vec<(&str, Array)> =
            inputs.iter().map(|(name, plain)| (name.as_str(), array(plain))).collect();
        let arrays: Vec<(&str, &Array)> =
            arrays.iter().map(|(name, array)| (*name, array)).collect();
        let ours = engine.session().run(&arrays).unwrap();
        let found = Fidelity::of(&ours[0].values, &output(folder.path()));
        let exact = layers::evaluate(&quantized.net.model, &inputs).unwrap();
        let (_, exact) =
            exact.iter().find(|(name, _)| ["conv_out", "out"].contains(&name.as_str())).unwrap();
        let lost = Fidelity::of(&exact.values, &ours[0].values);
        // Values that round the other way are few: both are nearer to each other than to f32.
        assert!(found.psnr > lost.psnr + 3.0 && found.psnr > 30.0, "{found:?} {lost:?}");
    }
}
