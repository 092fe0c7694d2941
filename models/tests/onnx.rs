//! Import of ONNX files, against what ONNX Runtime makes of them; `data/onnx/export.py` writes the fixtures.

use models::onnx::{OnnxError, import, import_with};
use models::{Imported, nn};
use safetensors::SafeTensors;
use std::path::{Path, PathBuf};
use tract_core::internal::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/onnx")
}

/// The kinds of a net's layers in order; what is left to tract in brackets.
fn kinds(imported: &Imported) -> String {
    let layers = imported.model.nodes().iter().filter_map(nn::layer).map(|layer| layer.kind());
    let mut kinds: Vec<String> = layers.map(str::to_string).collect();
    kinds.sort_unstable();
    let left = imported.left_to_tract.iter().map(|(_, operation)| format!("[{operation}]"));
    kinds.extend(left);
    kinds.join(" ")
}

/// A recorded tensor in the order of the net's axes.
fn stored(shape: &[usize], values: &[f32], wanted: &[usize]) -> Tensor {
    let tensor = Tensor::from_shape(shape, values).unwrap();
    if shape == wanted {
        return tensor;
    }
    let moved = tensor.permute_axes(&[0, 2, 3, 1]).unwrap();
    assert_eq!(moved.shape(), wanted, "neither in the file's order nor channels last");
    moved
}

/// The greatest difference between what a net gives and what is recorded.
fn difference(imported: Imported, recorded: &[u8]) -> f32 {
    let recorded = SafeTensors::deserialize(recorded).unwrap();
    let tensor = |name: String, wanted: &[usize]| {
        let view = recorded.tensor(&name).unwrap();
        let words = view.data().as_chunks::<4>().0.iter();
        let values: Vec<f32> = words.map(|&word| f32::from_le_bytes(word)).collect();
        stored(view.shape(), &values, wanted)
    };
    let inputs: TVec<TValue> = imported
        .inputs
        .iter()
        .map(|(name, shape)| tensor(format!("in.{name}"), shape).into_tvalue())
        .collect();
    let found = imported.model.into_runnable().unwrap().run(inputs).unwrap();
    let mut greatest = 0.0f32;
    for ((name, shape), found) in imported.outputs.iter().zip(found) {
        let expected = tensor(format!("out.{name}"), shape);
        let values = |tensor: &Tensor| {
            tensor.try_as_plain_ram().unwrap().as_slice::<f32>().unwrap().to_vec()
        };
        for (a, b) in values(&found.into_tensor()).iter().zip(values(&expected)) {
            greatest = greatest.max(if a.is_nan() { f32::INFINITY } else { (a - b).abs() });
        }
    }
    greatest
}

/// Each fixture with the kinds of its layers.
const FIXTURES: &[(&str, &str)] = &[
    ("attention_causal", "attention linear linear linear linear"),
    ("attention_causal_dynamo", "attention linear linear linear linear"),
    ("attention_grouped", "attention linear linear linear"),
    ("attention_grouped_dynamo", "attention linear linear linear"),
    ("attention_merged", "attention linear linear linear linear"),
    ("attention_merged_dynamo", "attention linear linear linear linear"),
    ("attention_op_rank_3", "attention"),
    (
        "attention_op_rank_4",
        "attention reshape reshape reshape reshape transpose transpose transpose transpose",
    ),
    ("attention_packed", "attention linear linear slice slice slice"),
    ("attention_packed_dynamo", "attention linear linear slice slice slice"),
    ("attention_scale_both", "attention linear linear linear linear"),
    ("attention_scale_divided", "attention linear linear linear linear"),
    ("attention_scale_k", "attention linear linear linear linear"),
    ("attention_scale_q", "attention linear linear linear linear"),
    ("attention_scale_scores", "attention linear linear linear linear"),
    ("attention_sdpa", "attention linear linear linear linear"),
    ("attention_sdpa_dynamo", "attention linear linear linear linear"),
    ("batch_norm", "activation convolution"),
    ("broadcasts", "binary binary convolution reshape transpose"),
    ("clip", "activation"),
    ("concat_slice_pad", "concat convolution pad slice slice slice"),
    ("convolutions", "convolution convolution depthwise"),
    ("gelu", "activation"),
    ("gelu_dynamo", "activation"),
    ("gelu_tanh", "activation"),
    ("gelu_tanh_dynamo", "activation"),
    ("group_norm_opset_18", "group_norm"),
    ("group_norm_opset_21", "group_norm"),
    ("hard_sigmoid_product", "activation"),
    ("hard_swish", "activation"),
    ("hard_swish_dynamo", "activation"),
    ("layer_norm", "layer_norm"),
    ("layer_norm_apart", "layer_norm"),
    ("layer_norm_dynamo", "layer_norm"),
    ("layer_norm_old", "layer_norm"),
    ("leaky_relu", "prelu"),
    ("left_to_tract", "convolution transpose transpose [Exp] [CumSum]"),
    ("mean_pixels", "convolution pool reshape"),
    ("pixel_shuffle", "convolution depth_to_space"),
    ("pixel_shuffle_dynamo", "convolution depth_to_space"),
    ("pools", "linear pool pool pool reshape"),
    ("prelu", "prelu"),
    ("quantised_convolution", "activation convolution"),
    ("quantised_pairs", "activation convolution"),
    ("resize_aligned", "resize"),
    ("resize_bilinear", "resize"),
    ("resize_nearest", "convolution resize"),
    (
        "resnet",
        "activation activation activation binary binary convolution convolution convolution group_norm group_norm linear reshape",
    ),
    (
        "resnet_dynamo",
        "activation activation activation binary binary convolution convolution convolution group_norm group_norm linear reshape",
    ),
    ("rms_norm", "rms_norm"),
    ("rms_norm_dynamo", "rms_norm"),
    ("rms_norm_op", "rms_norm"),
    ("rope_adjacent", "attention linear rms_norm rms_norm rotary rotary slice slice slice"),
    ("rope_adjacent_dynamo", "attention linear rms_norm rms_norm rotary rotary slice slice slice"),
    ("rope_halves", "attention linear rms_norm rms_norm rotary rotary slice slice slice"),
    ("rope_halves_dynamo", "attention linear rms_norm rms_norm rotary rotary slice slice slice"),
    ("rotary_op_adjacent", "reshape reshape rotary transpose transpose"),
    ("rotary_op_halves", "reshape reshape rotary transpose transpose"),
    ("sequence_convolution", "convolution reshape reshape transpose transpose"),
    ("silu_old", "activation"),
    ("swiglu", "gated linear"),
    (
        "transformer",
        "attention attention binary binary binary binary convolution convolution gated group_norm layer_norm layer_norm layer_norm linear linear linear linear linear linear linear linear linear linear reshape reshape",
    ),
    (
        "transformer_dynamo",
        "attention attention binary binary binary binary convolution convolution gated group_norm layer_norm layer_norm layer_norm linear linear linear linear linear linear linear linear linear linear reshape reshape",
    ),
    ("transposed_convolution", "transposed_convolution"),
];

/// Files that are read by a test of their own.
const OTHERS: &[&str] = &["external_outside", "external_short", "open_sizes"];

/// Quantised values are computed as f32: the recorded output is rounded to steps of 0.05.
fn tolerance(name: &str) -> f32 {
    if name.starts_with("quantised") { 0.026 } else { 1e-4 }
}

#[test]
fn every_fixture_becomes_the_layers_it_was_exported_from() {
    let mut failures = Vec::new();
    for &(name, expected) in FIXTURES {
        match import(&folder().join(format!("{name}.onnx"))) {
            Ok(imported) if kinds(&imported) == expected => {}
            Ok(imported) => failures.push(format!("(\"{name}\", \"{}\"),", kinds(&imported))),
            Err(error) => failures.push(format!("{name}: {error}")),
        }
    }
    assert!(failures.is_empty(), "found\n{}", failures.join("\n"));
}

#[test]
fn every_fixture_computes_what_onnx_runtime_computes() {
    let mut failures = Vec::new();
    for &(name, _) in FIXTURES {
        let imported = import(&folder().join(format!("{name}.onnx"))).unwrap();
        let recorded = std::fs::read(folder().join(format!("{name}.safetensors"))).unwrap();
        let difference = difference(imported, &recorded);
        if difference > tolerance(name) {
            failures.push(format!("{name}: {difference}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_file_is_in_the_table() {
    let mut files: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "onnx"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_string())
        .filter(|name| !OTHERS.contains(&name.as_str()))
        .collect();
    files.sort_unstable();
    let mut table: Vec<&str> = FIXTURES.iter().map(|(name, _)| *name).collect();
    table.sort_unstable();
    assert_eq!(files, table);
}

/// Writes a file and imports it.
fn import_bytes(name: &str, bytes: &[u8]) -> Result<Imported, OnnxError> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.onnx"));
    std::fs::write(&path, bytes).unwrap();
    import(&path)
}

#[test]
fn a_truncated_file_is_refused() {
    let whole = std::fs::read(folder().join("transformer.onnx")).unwrap();
    for length in (0..whole.len()).step_by(97) {
        assert!(import_bytes("truncated", &whole[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn no_damaged_file_makes_the_importer_panic() {
    let mut refused = 0;
    for name in ["transformer", "attention_merged", "rope_adjacent", "quantised_pairs"] {
        let whole = std::fs::read(folder().join(format!("{name}.onnx"))).unwrap();
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        for _ in 0..300 {
            let mut damaged = whole.clone();
            for _ in 0..3 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let at = state as usize % damaged.len();
                damaged[at] ^= 1 << (state >> 60 & 7);
            }
            refused += usize::from(import_bytes("damaged", &damaged).is_err());
        }
    }
    assert!(refused > 0, "damage went unnoticed each time");
}

#[test]
fn layers_have_the_names_of_the_checkpoint() {
    for name in ["transformer", "transformer_dynamo"] {
        let imported = import(&folder().join(format!("{name}.onnx"))).unwrap();
        let names: Vec<&str> =
            imported.model.nodes().iter().map(|node| node.name.as_str()).collect();
        for expected in ["proj_in", "norm1", "attn2.to_out.0", "proj", "out", "proj_out"] {
            assert!(names.contains(&expected), "{name}: `{expected}` is not among {names:?}");
        }
    }
    let imported = import(&folder().join("transformer.onnx")).unwrap();
    assert!(imported.model.node_by_name("attn1.to_q").is_ok());
}

#[test]
fn images_are_stored_channels_last_and_sequences_as_in_the_file() {
    let imported = import(&folder().join("transformer.onnx")).unwrap();
    assert_eq!(
        imported.inputs,
        [("x".to_string(), vec![2, 4, 3, 8]), ("y".to_string(), vec![2, 7, 5])]
    );
    assert_eq!(imported.outputs[0].1, [2, 4, 3, 8]);
}

#[test]
fn a_size_without_a_number_is_asked_for() {
    let path = folder().join("open_sizes.onnx");
    let Err(OnnxError::UnknownSize { name, axis, .. }) = import(&path) else {
        panic!("a size is missing");
    };
    assert_eq!((name.as_str(), axis), ("tokens", 1));
    let onnx = import_with(&path, &[("tokens".to_string(), 4)]).unwrap();
    assert_eq!(onnx.imported.inputs[0].1, [2, 4, 6]);
}

#[test]
fn the_scales_of_quantised_values_and_weights_are_kept() {
    for name in ["quantised_pairs", "quantised_convolution"] {
        let onnx = import_with(&folder().join(format!("{name}.onnx")), &[]).unwrap();
        assert_eq!(onnx.ranges.get("x"), Some(&(0.02, 3)), "{name}");
        assert!(onnx.ranges.values().any(|&range| range == (0.05, -128)), "{name}");
        assert_eq!(onnx.weights.get("conv").map(Vec::len), Some(5), "{name}");
    }
}

#[test]
fn external_data_outside_the_folder_or_the_file_is_refused() {
    let import = |name: &str| match import(&folder().join(format!("{name}.onnx"))) {
        Err(OnnxError::External { reason, .. }) => reason,
        _ => panic!("{name} is accepted"),
    };
    assert_eq!(import("external_outside"), "its location is outside the model's folder");
    assert_eq!(import("external_short"), "it ends after the end of its file");
}
