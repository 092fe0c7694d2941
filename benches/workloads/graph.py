"""A network under construction: nodes named as PyTorch's exporter names them, weights by their names in the checkpoint."""
import json, os, pathlib, struct

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
SAFETENSORS = {"F32": np.float32, "F16": np.float16, "I64": np.int64}


class Graph:
    """`/`-separated scopes name nodes; a value is called as its node, with `_output_0`."""

    def __init__(self):
        self.nodes, self.initializers, self.shapes, self.counts, self.products = [], {}, {}, {}, 0

    def initializer(self, name, value):
        self.initializers.setdefault(name, np.ascontiguousarray(value))
        return name

    def transposed(self, weight):
        """The right-hand side of a `MatMul`; the exporter folds the transposition and gives the result a number for a name."""
        self.products += 1
        return self.initializer(f"onnx::MatMul_{self.products}", weight.T)

    def constant(self, scope, value):
        return self.node(scope, "Constant", value=numpy_helper.from_array(np.asarray(value)))

    def node(self, scope, operator, *inputs, outputs=1, **attributes):
        name = f"{scope}/{operator}"
        index = self.counts.get(name, -1) + 1
        self.counts[name] = index
        name += f"_{index}" if index else ""
        results = [f"{name}_output_{output}" for output in range(outputs)]
        self.nodes.append(helper.make_node(operator, list(inputs), results, name=name, **attributes))
        return results[0] if outputs == 1 else results

    def model(self, inputs, outputs):
        """`inputs`: name, element, shape; `outputs`: name, value, shape."""
        for name, value, _ in outputs:
            for node in self.nodes:
                node.output[:] = [name if one == value else one for one in node.output]
                node.input[:] = [name if one == value else one for one in node.input]
        graph = helper.make_graph(
            self.nodes, "main_graph",
            [helper.make_tensor_value_info(*one) for one in inputs],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, _, shape in outputs],
            [numpy_helper.from_array(value, name) for name, value in self.initializers.items()])
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8,
                                 producer_name="vitrine benches/workloads")


def multiplications(model, known=()):
    """Multiply-accumulates of a model's convolutions and products, by operator. `known`: name, element and shape of values
    whose shape inference does not find."""
    sizes = {one.name: list(one.dims) for one in model.graph.initializer}
    weights = set(sizes)
    # Without the weights' values, which inference would copy, but with the small ones, which are shapes.
    bare = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    bare.graph.node.extend(model.graph.node)
    bare.graph.output.extend(model.graph.output)
    bare.graph.input.extend(model.graph.input)
    for one in model.graph.initializer:
        if np.prod(one.dims) <= 64:
            bare.graph.initializer.append(one)
        else:
            bare.graph.input.append(helper.make_tensor_value_info(one.name, one.data_type, one.dims))
    bare.graph.value_info.extend(helper.make_tensor_value_info(*one) for one in known)
    model = onnx.shape_inference.infer_shapes(bare, data_prop=True)
    for one in [*model.graph.value_info, *model.graph.input, *model.graph.output]:
        sizes[one.name] = [dim.dim_value for dim in one.type.tensor_type.shape.dim]
    total = {}
    for node in model.graph.node:
        if node.op_type == "Conv":
            weight = sizes[node.input[1]]
            kind = f"Conv {weight[2]}x{weight[3]}"
            count = np.prod(weight[1:]) * np.prod(sizes[node.output[0]])
        elif node.op_type == "ConvTranspose":
            kind, count = "ConvTranspose", np.prod(sizes[node.input[1]][1:]) * np.prod(sizes[node.input[0]])
        elif node.op_type in ("MatMul", "Gemm"):
            kind = "linear" if node.input[1] in weights else "attention"
            width = np.prod(sizes[node.input[1]]) // sizes[node.output[0]][-1] if kind == "linear" else sizes[node.input[0]][-1]
            count = width * np.prod(sizes[node.output[0]])
        else:
            continue
        if count <= 0:
            raise ValueError(f"{node.name}: no fixed shape")
        total[kind] = total.get(kind, 0) + int(count)
    return total


def save(model, path, external=False):
    """Writes a model, or none of it; large ones with their weights in a file beside it."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = path.parent / f".{path.name}.{os.getpid()}"
    folder.mkdir()
    try:
        if external:
            onnx.save(model, folder / path.name, save_as_external_data=True, location=f"{path.name}.data", size_threshold=1024)
            os.replace(folder / f"{path.name}.data", f"{path}.data")
        else:
            onnx.save(model, folder / path.name)
        os.replace(folder / path.name, path)
    finally:
        for left in folder.iterdir():
            left.unlink()
        folder.rmdir()


def read_safetensors(path):
    data = pathlib.Path(path).read_bytes()
    start = 8 + struct.unpack("<Q", data[:8])[0]
    tensors = {}
    for name, entry in json.loads(data[8:start]).items():
        if name != "__metadata__":
            begin, end = (start + offset for offset in entry["data_offsets"])
            tensors[name] = np.frombuffer(data[begin:end], SAFETENSORS[entry["dtype"]]).reshape(entry["shape"])
    return tensors


def write_safetensors(path, tensors):
    kinds = {np.dtype(kind): name for name, kind in SAFETENSORS.items()}
    header, blobs, offset = {}, [], 0
    for name, value in tensors.items():
        blob = np.ascontiguousarray(value).tobytes()
        header[name] = {"dtype": kinds[value.dtype], "shape": list(value.shape), "data_offsets": [offset, offset + len(blob)]}
        blobs.append(blob)
        offset += len(blob)
    header = json.dumps(header).encode()
    header += b" " * (-len(header) % 8)
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(struct.pack("<Q", len(header)) + header + b"".join(blobs))
    os.replace(temporary, path)
