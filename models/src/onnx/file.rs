//! The file: protobuf messages, tensors inside and outside it, attributes.

use super::OnnxError;
use half::{bf16, f16};
use prost::Message;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path};
use tract_core::internal::{DatumType, Tensor};
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::{DataLocation, DataType};
use tract_onnx::pb::{AttributeProto, ModelProto, NodeProto, TensorProto};

/// Most elements of one tensor.
pub(super) const LIMIT: usize = 1 << 30;

/// Reads the messages of a file.
pub(super) fn read(path: &Path) -> Result<ModelProto, OnnxError> {
    let bytes = std::fs::read(path)
        .map_err(|source| OnnxError::Read { path: path.to_path_buf(), source })?;
    ModelProto::decode(&bytes[..]).map_err(|source| OnnxError::Decode { source })
}

/// Elements of a shape; extents beside one of 0 count too.
pub(super) fn elements(value: &str, shape: &[usize]) -> Result<usize, OnnxError> {
    within(value, shape, LIMIT)?;
    Ok(shape.iter().product())
}

/// Refuses a shape of too many elements.
pub(super) fn within(value: &str, shape: &[usize], limit: usize) -> Result<(), OnnxError> {
    let elements = shape
        .iter()
        .try_fold(1usize, |product, &extent| product.checked_mul(extent.max(1)))
        .unwrap_or(usize::MAX);
    if elements > limit {
        return Err(OnnxError::TooLarge { value: value.to_string(), elements, limit });
    }
    Ok(())
}

/// Refuses a shape of a computed value that has too many elements or none.
pub(super) fn computed(value: &str, shape: &[usize]) -> Result<(), OnnxError> {
    if shape.contains(&0) {
        let extents = shape.iter().map(|&extent| extent as i64).collect();
        return Err(OnnxError::Extents { value: value.to_string(), extents });
    }
    within(value, shape, LIMIT)
}

/// The values of a constant, floats as f32; empties the message.
pub(super) fn tensor(proto: &mut TensorProto, folder: &Path) -> Result<Tensor, OnnxError> {
    let name = std::mem::take(&mut proto.name);
    let shape = proto
        .dims
        .iter()
        .map(|&extent| usize::try_from(extent).ok())
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| OnnxError::Extents { value: name.clone(), extents: proto.dims.clone() })?;
    let elements = elements(&name, &shape)?;
    let unsupported = || OnnxError::ElementType { value: name.clone(), code: proto.data_type };
    let kind = DataType::try_from(proto.data_type).map_err(|_| unsupported())?;
    let bytes_each = match kind {
        DataType::Float | DataType::Int32 | DataType::Uint32 => 4,
        DataType::Double | DataType::Int64 | DataType::Uint64 => 8,
        DataType::Float16 | DataType::Bfloat16 | DataType::Int16 | DataType::Uint16 => 2,
        DataType::Int8 | DataType::Uint8 | DataType::Bool => 1,
        _ => return Err(unsupported()),
    };
    let raw = if proto.data_location == Some(DataLocation::External as i32) {
        Some(external(proto, &name, folder, elements * bytes_each)?)
    } else if proto.raw_data.is_empty() {
        None
    } else {
        Some(std::mem::take(&mut proto.raw_data))
    };
    let raw = match raw {
        Some(raw) => raw,
        None => listed(proto, kind),
    };
    if raw.len() != elements * bytes_each {
        let found = raw.len() / bytes_each;
        return Err(OnnxError::ValueCount { tensor: name, expected: elements, found });
    }
    macro_rules! words {
        ($type:ty, $bytes:literal) => {
            raw.as_chunks::<$bytes>().0.iter().map(|&word| <$type>::from_le_bytes(word))
        };
    }
    macro_rules! plain {
        ($type:ty, $bytes:literal) => {
            Tensor::from_shape(&shape, &words!($type, $bytes).collect::<Vec<_>>())
        };
    }
    let made = match kind {
        DataType::Float => plain!(f32, 4),
        DataType::Double => {
            let values: Vec<f32> = words!(f64, 8).map(|value| value as f32).collect();
            Tensor::from_shape(&shape, &values)
        }
        DataType::Float16 => {
            let values: Vec<f32> = words!(f16, 2).map(f16::to_f32).collect();
            Tensor::from_shape(&shape, &values)
        }
        DataType::Bfloat16 => {
            let values: Vec<f32> = words!(bf16, 2).map(bf16::to_f32).collect();
            Tensor::from_shape(&shape, &values)
        }
        DataType::Int64 => plain!(i64, 8),
        DataType::Uint64 => plain!(u64, 8),
        DataType::Int32 => plain!(i32, 4),
        DataType::Uint32 => plain!(u32, 4),
        DataType::Int16 => plain!(i16, 2),
        DataType::Uint16 => plain!(u16, 2),
        DataType::Int8 => plain!(i8, 1),
        DataType::Uint8 => plain!(u8, 1),
        _ => {
            let values: Vec<bool> = raw.iter().map(|&byte| byte != 0).collect();
            Tensor::from_shape(&shape, &values)
        }
    };
    made.map_err(|_| OnnxError::ValueCount { tensor: name, expected: elements, found: 0 })
}

/// The bytes of values that stand in the message one by one.
fn listed(proto: &mut TensorProto, kind: DataType) -> Vec<u8> {
    let ints = std::mem::take(&mut proto.int32_data);
    match kind {
        DataType::Float => proto.float_data.iter().flat_map(|value| value.to_le_bytes()).collect(),
        DataType::Double => {
            proto.double_data.iter().flat_map(|value| value.to_le_bytes()).collect()
        }
        DataType::Int64 => proto.int64_data.iter().flat_map(|value| value.to_le_bytes()).collect(),
        DataType::Uint64 | DataType::Uint32 => {
            let wide = proto.uint64_data.iter();
            match kind {
                DataType::Uint64 => wide.flat_map(|value| value.to_le_bytes()).collect(),
                _ => wide.flat_map(|&value| (value as u32).to_le_bytes()).collect(),
            }
        }
        DataType::Int32 => ints.iter().flat_map(|value| value.to_le_bytes()).collect(),
        DataType::Int8 | DataType::Uint8 | DataType::Bool => {
            ints.iter().map(|&value| value as u8).collect()
        }
        _ => ints.iter().flat_map(|&value| (value as u16).to_le_bytes()).collect(),
    }
}

/// The bytes of values in another file of the model's folder.
fn external(
    proto: &TensorProto,
    name: &str,
    folder: &Path,
    expected: usize,
) -> Result<Vec<u8>, OnnxError> {
    let damaged = |reason| OnnxError::External { tensor: name.to_string(), reason };
    let entry = |key: &str| {
        proto.external_data.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str())
    };
    let number = |key: &str| match entry(key) {
        None => Ok(None),
        Some(text) => text.parse::<u64>().map(Some).map_err(|_| damaged("a number is no number")),
    };
    let location = Path::new(entry("location").ok_or_else(|| damaged("it has no location"))?);
    if location.components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(damaged("its location is outside the model's folder"));
    }
    let offset = number("offset")?.unwrap_or(0);
    let length = number("length")?.unwrap_or(expected as u64);
    if length != expected as u64 {
        return Err(damaged("its length is not that of its shape"));
    }
    let path = folder.join(location);
    let failed = |source| OnnxError::Read { path: path.clone(), source };
    let mut file = File::open(&path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    if offset.checked_add(length).is_none_or(|end| end > size) {
        return Err(damaged("it ends after the end of its file"));
    }
    file.seek(SeekFrom::Start(offset)).map_err(failed)?;
    let mut bytes = vec![0; expected];
    file.read_exact(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// The attributes of a node, with their types checked.
pub(super) struct Attributes<'a>(pub &'a NodeProto);

impl<'a> Attributes<'a> {
    fn find(
        &self,
        attribute: &'static str,
        kind: AttributeType,
        expected: &'static str,
    ) -> Result<Option<&'a AttributeProto>, OnnxError> {
        let Some(found) = self.0.attribute.iter().find(|entry| entry.name == attribute) else {
            return Ok(None);
        };
        if found.r#type != kind as i32 {
            return Err(self.wrong(attribute, expected));
        }
        Ok(Some(found))
    }

    pub fn wrong(&self, attribute: &'static str, expected: &'static str) -> OnnxError {
        OnnxError::Attribute { node: title(self.0), attribute, expected }
    }

    pub fn int(&self, attribute: &'static str) -> Result<Option<i64>, OnnxError> {
        Ok(self.find(attribute, AttributeType::Int, "an integer")?.map(|found| found.i))
    }

    pub fn float(&self, attribute: &'static str) -> Result<Option<f32>, OnnxError> {
        Ok(self.find(attribute, AttributeType::Float, "a number")?.map(|found| found.f))
    }

    pub fn ints(&self, attribute: &'static str) -> Result<Option<&'a [i64]>, OnnxError> {
        Ok(self.find(attribute, AttributeType::Ints, "a list of integers")?.map(|a| &a.ints[..]))
    }

    pub fn floats(&self, attribute: &'static str) -> Result<Option<&'a [f32]>, OnnxError> {
        Ok(self.find(attribute, AttributeType::Floats, "a list of numbers")?.map(|a| &a.floats[..]))
    }

    pub fn text(&self, attribute: &'static str) -> Result<Option<&'a str>, OnnxError> {
        match self.find(attribute, AttributeType::String, "a text")? {
            None => Ok(None),
            Some(found) => {
                std::str::from_utf8(&found.s).map(Some).map_err(|_| self.wrong(attribute, "a text"))
            }
        }
    }

    pub fn tensor(&self, attribute: &'static str) -> Result<Option<TensorProto>, OnnxError> {
        match self.find(attribute, AttributeType::Tensor, "a tensor")? {
            None => Ok(None),
            Some(found) => match &found.t {
                Some(tensor) => Ok(Some(tensor.clone())),
                None => Err(self.wrong(attribute, "a tensor")),
            },
        }
    }
}

/// What a node is called in messages: its name, else its first output's.
pub(super) fn title(node: &NodeProto) -> String {
    if !node.name.is_empty() {
        return node.name.clone();
    }
    node.output.first().cloned().unwrap_or_default()
}

/// A constant as a message for tract.
pub(super) fn message(name: &str, tensor: &Tensor) -> Option<TensorProto> {
    let view = tensor.as_plain_ram()?;
    let (data_type, raw_data) = match tensor.datum_type() {
        DatumType::Bool => {
            let values = view.as_slice::<bool>().ok()?;
            (DataType::Bool, values.iter().map(|&value| u8::from(value)).collect())
        }
        kind => {
            let data_type = match kind {
                DatumType::F32 => DataType::Float,
                DatumType::I64 => DataType::Int64,
                DatumType::U64 => DataType::Uint64,
                DatumType::I32 => DataType::Int32,
                DatumType::U32 => DataType::Uint32,
                DatumType::I16 => DataType::Int16,
                DatumType::U16 => DataType::Uint16,
                DatumType::I8 => DataType::Int8,
                DatumType::U8 => DataType::Uint8,
                _ => return None,
            };
            (data_type, tensor.as_bytes().to_vec())
        }
    };
    Some(TensorProto {
        name: name.to_string(),
        dims: tensor.shape().iter().map(|&extent| extent as i64).collect(),
        data_type: data_type as i32,
        raw_data,
        ..TensorProto::default()
    })
}
