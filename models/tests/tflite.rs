//! Reading TensorFlow Lite files.
//!
//! `tests/data/operators` holds nets of one or two operations with LiteRT's results on a random
//! input; `tests/data/record_operators.py` made them.

use models::{Net, nn};
use std::path::PathBuf;
use tract_core::ops::konst::Const;

struct Recorded {
    name: String,
    file: Vec<u8>,
    /// The input's values, then each output's.
    values: Vec<f32>,
}

fn recorded() -> Vec<Recorded> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/operators");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("the recorded nets are in the repository")
        .map(|entry| entry.expect("the folder is readable").path())
        .filter(|path| path.extension().is_some_and(|e| e == "tflite"))
        .collect();
    paths.sort();
    let read = |path: PathBuf| std::fs::read(path).expect("the file is readable");
    paths
        .into_iter()
        .map(|path| Recorded {
            name: path.file_stem().expect("it has a name").to_string_lossy().into_owned(),
            values: read(path.with_extension("f32"))
                .as_chunks()
                .0
                .iter()
                .map(|bytes| f32::from_le_bytes(*bytes))
                .collect(),
            file: read(path),
        })
        .collect()
}

/// xorshift64*
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % limit
    }
}

#[test]
fn every_operation_gives_what_litert_gives() {
    let recorded = recorded();
    assert!(recorded.len() > 30);
    for case in recorded {
        let net = Net::load(&case.file).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let length = net.input_shape().iter().product();
        let (input, mut expected) = case.values.split_at(length);
        let outputs = net.run(input).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        for output in outputs {
            assert_eq!(output.values.len(), output.shape.iter().product::<usize>());
            let (these, rest) = expected.split_at(output.values.len());
            expected = rest;
            for (i, (found, expected)) in output.values.iter().zip(these).enumerate() {
                assert!(
                    (found - expected).abs() <= 2e-5 * expected.abs().max(1.0),
                    "{} {:?} at {i}: {found}, LiteRT {expected}",
                    case.name,
                    output.shape,
                );
            }
        }
        assert!(expected.is_empty(), "{}: LiteRT has more outputs", case.name);
    }
}

#[test]
fn a_file_cut_anywhere_is_an_error_and_no_panic() {
    for case in recorded() {
        for length in 0..case.file.len() {
            let cut = Net::load(&case.file[..length]);
            // The last bytes may be padding.
            assert!(cut.is_err() || length + 8 > case.file.len(), "{} at {length}", case.name);
        }
    }
}

#[test]
fn a_file_with_changed_bytes_is_never_a_panic() {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut accepted = 0;
    for case in recorded() {
        for _ in 0..600 {
            let mut file = case.file.clone();
            for _ in 0..=random.below(3) {
                let at = random.below(file.len());
                file[at] = match random.below(4) {
                    0 => 0,
                    1 => 0xFF,
                    2 => file[at] ^ (1 << random.below(8)),
                    _ => random.below(256) as u8,
                };
            }
            let Ok(net) = Net::load(&file) else { continue };
            accepted += 1;
            let length = net.input_shape().iter().product::<usize>();
            if length < 10_000 {
                let _ = net.run(&vec![0.5; length]);
            }
        }
    }
    assert!(accepted > 0);
}

#[test]
fn an_input_of_the_wrong_length_is_an_error() {
    let case = recorded().swap_remove(0);
    let net = Net::load(&case.file).expect("the recorded net loads");
    assert!(matches!(net.run(&[0.0; 3]), Err(models::ModelError::InputLength { found: 3, .. })));
}

#[test]
fn other_files_are_not_taken_for_models() {
    for bytes in [&b""[..], b"PK\x03\x04", b"\x1c\0\0\0TFL2", b"\x1c\0\0\0TFL3"] {
        assert!(Net::load(bytes).is_err());
    }
}

fn layers(file: &[u8]) -> Vec<(String, &'static str)> {
    let imported = models::tflite::import(file).expect("the net is read");
    let nodes = imported.model.nodes().iter();
    let layers = nodes.filter_map(|node| Some((node.name.clone(), nn::layer(node)?.kind())));
    layers.collect()
}

#[test]
fn every_node_is_a_layer_a_source_or_a_constant_with_a_name_of_its_own() {
    let mut files = recorded().into_iter().map(|case| (case.name, case.file)).collect::<Vec<_>>();
    files.extend(published());
    for (name, file) in files {
        let imported = models::tflite::import(&file).expect("the net is read");
        assert!(imported.left_to_tract.is_empty());
        let mut names = std::collections::HashSet::new();
        for node in imported.model.nodes() {
            assert!(names.insert(&node.name), "{name}: two nodes are named `{}`", node.name);
            assert!(!node.name.is_empty() && !node.name.contains(['/', ';']), "{}", node.name);
            let known =
                nn::layer(node).is_some() || node.op_is::<Const>() || node.inputs.is_empty();
            assert!(known, "{name}: `{}` is {}", node.name, node.op.name());
        }
        let sources = imported.model.input_outlets().expect("inputs");
        for ((input, shape), source) in imported.inputs.iter().zip(sources) {
            assert_eq!(imported.model.node(source.node).name, *input, "{name}");
            let fact = imported.model.outlet_fact(*source).expect("a fact");
            assert_eq!(fact.shape.as_concrete(), Some(shape.as_slice()), "{name}");
        }
    }
}

/// The nets that the product uses, where they were fetched.
fn published() -> Vec<(String, Vec<u8>)> {
    let folder = std::env::var_os("VITRINE_MODELS").map(PathBuf::from).or_else(|| {
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache"));
        Some(cache.or_else(home)?.join("vitrine/models"))
    });
    let read = |file: &models::published::PublishedFile| {
        let bytes = std::fs::read(folder.as_ref()?.join(file.name)).ok()?;
        Some((file.name.to_owned(), bytes))
    };
    let found = models::published::NETS.iter().filter_map(|file| read(file)).collect::<Vec<_>>();
    if found.is_empty() {
        println!("skipped: no published nets");
    }
    found
}

#[test]
fn zeros_around_an_image_go_into_the_convolution_that_follows() {
    for (name, file) in published() {
        let layers = layers(&file);
        assert!(layers.len() > 100, "{name}: {} layers", layers.len());
        for (index, (layer, kind)) in layers.iter().enumerate() {
            let next = layers.get(index + 1).map(|(_, kind)| *kind);
            let taken = matches!(next, Some("convolution" | "depthwise"));
            assert!(*kind != "pad" || !taken, "{name}: `{layer}` is left");
        }
    }
}
