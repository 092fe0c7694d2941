//! One ONNX node through tract's own reader: constants are evaluated with it, and what the vocabulary lacks becomes its operation.

use super::OnnxError;
use super::file::{message, title};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;
use tract_core::internal::*;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::Dimension;
use tract_onnx::pb::tensor_shape_proto::dimension;
use tract_onnx::pb::type_proto;
use tract_onnx::pb::{
    GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorShapeProto, TypeProto,
    ValueInfoProto,
};
use tract_onnx::tract_hir::infer::InferenceModelExt;

/// An input of the node.
pub(super) enum Input<'a> {
    Absent,
    Constant(&'a Tensor),
    Computed { shape: &'a [usize], element: DatumType },
}

/// tract's table of operations takes longer to make than most nodes to read.
static READER: LazyLock<tract_onnx::Onnx> = LazyLock::new(tract_onnx::onnx);

/// The model of one node; its inputs are those computed, in order.
///
/// # Errors
/// Where tract does not have the operation, or not for these inputs.
pub(super) fn single(
    node: &NodeProto,
    opset: i64,
    inputs: &[Input],
) -> Result<TypedModel, OnnxError> {
    let refuse = |reason: String| OnnxError::Unsupported {
        node: title(node),
        operation: node.op_type.clone(),
        reason,
    };
    let mut single = node.clone();
    let mut graph = GraphProto::default();
    for (at, input) in inputs.iter().enumerate() {
        let name = format!("input{at}");
        match input {
            Input::Absent => single.input[at] = String::new(),
            Input::Constant(tensor) => {
                let message = message(&name, tensor)
                    .ok_or_else(|| refuse("a constant of this type".to_string()))?;
                graph.initializer.push(message);
                single.input[at] = name;
            }
            Input::Computed { shape, element } => {
                let element =
                    code(*element).ok_or_else(|| refuse(format!("an input of {element:?}")))?;
                graph.input.push(declared(&name, shape, element));
                single.input[at] = name;
            }
        }
    }
    single.input.truncate(inputs.len());
    single.name = title(node);
    graph.output =
        single.output.iter().filter(|name| !name.is_empty()).map(|name| nameless(name)).collect();
    graph.node.push(single);
    let model = ModelProto {
        ir_version: 8,
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: opset }],
        graph: Some(graph),
        ..ModelProto::default()
    };
    // tract's operations assert what they expect of their inputs.
    let made =
        catch_unwind(AssertUnwindSafe(|| READER.model_for_proto_model(&model)?.into_typed()));
    match made {
        Ok(Ok(model)) => Ok(model),
        Ok(Err(error)) => Err(refuse(format!("{error:#}"))),
        Err(_) => Err(refuse("tract stops at it".to_string())),
    }
}

/// The same model without what it does not need.
pub(super) fn decluttered(model: TypedModel, node: &NodeProto) -> Result<TypedModel, OnnxError> {
    let reason = match catch_unwind(AssertUnwindSafe(|| model.into_decluttered())) {
        Ok(Ok(model)) => return Ok(model),
        Ok(Err(error)) => format!("{error:#}"),
        Err(_) => "tract stops at it".to_string(),
    };
    Err(OnnxError::Unsupported { node: title(node), operation: node.op_type.clone(), reason })
}

/// What a node makes of constants.
pub(super) fn evaluate(
    node: &NodeProto,
    opset: i64,
    inputs: &[Input],
) -> Result<Vec<Tensor>, OnnxError> {
    let model = single(node, opset, inputs)?;
    let ran = catch_unwind(AssertUnwindSafe(|| {
        let results = model.into_runnable()?.run(tvec!())?;
        results
            .into_iter()
            .map(|result| {
                let tensor = result.into_tensor();
                let plain = match tensor.datum_type() {
                    DatumType::TDim => i64::datum_type(),
                    DatumType::F16 | DatumType::F64 => f32::datum_type(),
                    other => other,
                };
                Ok(tensor.cast_to_dt(plain)?.into_owned())
            })
            .collect::<TractResult<Vec<_>>>()
    }));
    let refuse = |reason| OnnxError::Unsupported {
        node: title(node),
        operation: node.op_type.clone(),
        reason,
    };
    match ran {
        Ok(Ok(tensors)) => Ok(tensors),
        Ok(Err(error)) => Err(refuse(format!("{error:#}"))),
        Err(_) => Err(refuse("tract stops at it".to_string())),
    }
}

fn code(element: DatumType) -> Option<DataType> {
    Some(match element {
        DatumType::F32 => DataType::Float,
        DatumType::I64 => DataType::Int64,
        DatumType::I32 => DataType::Int32,
        DatumType::I8 => DataType::Int8,
        DatumType::U8 => DataType::Uint8,
        DatumType::Bool => DataType::Bool,
        _ => return None,
    })
}

fn declared(name: &str, shape: &[usize], element: DataType) -> ValueInfoProto {
    let dim = shape
        .iter()
        .map(|&extent| Dimension {
            value: Some(dimension::Value::DimValue(extent as i64)),
            ..Dimension::default()
        })
        .collect();
    let tensor =
        type_proto::Tensor { elem_type: element as i32, shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto {
        name: name.to_string(),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(tensor)),
            ..TypeProto::default()
        }),
        ..ValueInfoProto::default()
    }
}

fn nameless(name: &str) -> ValueInfoProto {
    ValueInfoProto { name: name.to_string(), ..ValueInfoProto::default() }
}
