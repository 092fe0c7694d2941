//! Reading checkpoints.

use half::{bf16, f16};
use models::checkpoint::{Checkpoint, CheckpointError};
use safetensors::tensor::{TensorView, serialize};
use safetensors::{Dtype, SafeTensorError};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A folder of its own for a test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("vitrine-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the folder can be made");
        Self(path)
    }

    fn write(&self, file: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(file);
        std::fs::write(&path, bytes).expect("the file can be written");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn file(tensors: &[(&str, Dtype, &[usize], Vec<u8>)]) -> Result<Vec<u8>, SafeTensorError> {
    let views = tensors
        .iter()
        .map(|(name, dtype, shape, bytes)| {
            Ok((*name, TensorView::new(*dtype, shape.to_vec(), bytes)?))
        })
        .collect::<Result<HashMap<_, _>, SafeTensorError>>()?;
    serialize(views, None)
}

fn words(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn two_layers() -> Vec<u8> {
    let values = [1.5, -2.0, 0.25];
    let halves = values.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect();
    let brains = values.iter().flat_map(|&v| bf16::from_f32(v).to_le_bytes()).collect();
    file(&[
        ("a.weight", Dtype::F32, &[1, 3], words(&values)),
        ("a.bias", Dtype::F16, &[3], halves),
        ("b.weight", Dtype::BF16, &[3, 1], brains),
        ("step", Dtype::I64, &[1], vec![7, 0, 0, 0, 0, 0, 0, 0]),
    ])
    .expect("it can be serialized")
}

#[test]
fn tensors_of_every_float_type_are_read_and_the_rest_is_listed() {
    let folder = Folder::new("types");
    let mut checkpoint =
        Checkpoint::open(&folder.write("one.safetensors", &two_layers())).expect("it opens");
    assert_eq!(checkpoint.shape("b.weight"), Some(&[3, 1][..]));
    for (name, shape) in [("a.weight", &[1, 3][..]), ("a.bias", &[3]), ("b.weight", &[3, 1])] {
        let parameter = checkpoint.parameter(name, shape).expect("it is there");
        assert_eq!((parameter.name.as_str(), parameter.shape.as_slice()), (name, shape));
        assert_eq!(*parameter.values, [1.5, -2.0, 0.25], "{name}");
    }
    assert_eq!(checkpoint.left_over().collect::<Vec<_>>(), ["step"]);
    assert!(checkpoint.optional("b.bias", &[3]).expect("it may be absent").is_none());
}

#[test]
fn what_is_missing_or_different_is_named_with_both_shapes() {
    let folder = Folder::new("misfits");
    let mut checkpoint =
        Checkpoint::open(&folder.write("one.safetensors", &two_layers())).expect("it opens");
    let mut said = |name: &str, shape: &[usize]| {
        checkpoint.parameter(name, shape).expect_err("it does not fit").to_string()
    };
    assert_eq!(said("a.weight", &[3, 1]), "weight `a.weight`: expected shape [3, 1], found [1, 3]");
    assert_eq!(
        said("b.bias", &[3]),
        "weight `b.bias`: expected shape [3], found no tensor of this name"
    );
    assert_eq!(said("step", &[1]), "weight `step`: expected values of f32, f16 or bf16, found I64");
    assert_eq!(checkpoint.left_over().count(), 4, "what failed was not taken");
}

#[test]
fn convolutions_are_turned_to_channels_last() {
    let folder = Folder::new("convolutions");
    let count = (0..12).map(|x| x as f32).collect::<Vec<_>>();
    let bytes = file(&[("w", Dtype::F32, &[2, 3, 1, 2], words(&count))]).expect("it serializes");
    let mut checkpoint =
        Checkpoint::open(&folder.write("w.safetensors", &bytes)).expect("it opens");
    let w = checkpoint.convolution("w", [2, 1, 2, 3]).expect("it fits");
    assert_eq!(w.shape, [2, 1, 2, 3]);
    assert_eq!(*w.values, [0.0, 2.0, 4.0, 1.0, 3.0, 5.0, 6.0, 8.0, 10.0, 7.0, 9.0, 11.0]);
    let w = checkpoint.transposed_convolution("w", [1, 2, 2, 3]).expect("it fits");
    assert_eq!(*w.values, [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 1.0, 3.0, 5.0, 7.0, 9.0, 11.0]);
    assert!(matches!(
        checkpoint.convolution("w", [2, 2, 1, 3]),
        Err(CheckpointError::Shape { .. })
    ));
}

fn index(folder: &Folder, map: &str) -> PathBuf {
    folder.write("model.safetensors.index.json", format!("{{\"weight_map\":{map}}}").as_bytes())
}

#[test]
fn an_index_leads_to_the_file_of_each_tensor() {
    let folder = Folder::new("index");
    let shard = |name, value| file(&[(name, Dtype::F32, &[1], words(&[value]))]);
    folder.write("1.safetensors", &shard("a", 1.0).expect("it serializes"));
    folder.write("2.safetensors", &shard("b", 2.0).expect("it serializes"));
    let path = index(&folder, r#"{"a":"1.safetensors","b":"2.safetensors"}"#);
    let mut checkpoint = Checkpoint::open(&path).expect("it opens");
    assert_eq!(checkpoint.names().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(*checkpoint.parameter("b", &[1]).expect("it is there").values, [2.0]);
    assert_eq!(*checkpoint.parameter("a", &[1]).expect("it is there").values, [1.0]);

    let refused = |map: &str| Checkpoint::open(&index(&folder, map)).err().expect("it is refused");
    assert!(matches!(refused(r#"{"a":"2.safetensors"}"#), CheckpointError::NotInFile { .. }));
    assert!(matches!(refused(r#"{"a":"3.safetensors"}"#), CheckpointError::Read { .. }));
    assert!(matches!(refused(r#"{"a":3}"#), CheckpointError::Index { .. }));
    for elsewhere in ["../1.safetensors", "/1.safetensors", "x/1.safetensors", "..", ""] {
        let map = format!("{{\"a\":\"{elsewhere}\"}}");
        assert!(matches!(refused(&map), CheckpointError::Elsewhere { .. }), "{elsewhere}");
    }
}

#[test]
fn a_damaged_file_is_an_error_and_no_panic() {
    let folder = Folder::new("damage");
    let whole = two_layers();
    let opened = |bytes: &[u8]| Checkpoint::open(&folder.write("one.safetensors", bytes));
    for length in 0..whole.len() {
        assert!(opened(&whole[..length]).is_err(), "cut at {length}");
    }
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x41;
        let Ok(mut checkpoint) = opened(&bytes) else { continue };
        for (name, shape) in [("a.weight", &[1, 3][..]), ("a.bias", &[3]), ("b.weight", &[3, 1])] {
            let _ = checkpoint.parameter(name, shape);
        }
    }
    let mut long = u64::MAX.to_le_bytes().to_vec();
    long.extend(b"{}");
    assert!(matches!(opened(&long), Err(CheckpointError::Length { .. })));
    let absent = Checkpoint::open(Path::new("/nowhere/one.safetensors"));
    assert!(matches!(absent, Err(CheckpointError::Read { .. })));
}
