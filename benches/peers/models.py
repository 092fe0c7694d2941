"""Builds a layer of benches/shapes.toml as ONNX, in every form that might suit an engine."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RANDOM = np.random.default_rng(1)
QUANTIZED = {"u8": (np.uint8, TensorProto.UINT8, 128), "i8": (np.int8, TensorProto.INT8, 0)}


def forms(shape):
    """Yields (form's name, model): the caller keeps whichever its engine runs fastest."""
    operation, element, dims = shape["operation"], shape["element"], shape["dims"]
    if operation == "linear" and element == "f32":
        yield "matmul", linear_f32(dims)
    elif operation == "linear":
        for activation in QUANTIZED:
            for edges in ("int", "f32"):
                yield f"{activation}, {edges} edges", linear_i8(dims, activation, edges)
    elif operation == "convolution" and element == "f32":
        for layout in ("nchw", "nhwc"):
            yield layout, convolution_f32(dims, layout)
    elif operation == "convolution":
        for layout in ("nchw", "nhwc"):
            for activation in QUANTIZED:
                for edges in ("int", "f32"):
                    yield f"{layout}, {activation}, {edges} edges", convolution_i8(dims, layout, activation, edges)
    elif operation == "attention":
        yield "matmul, softmax, matmul", attention_plain(dims)
        yield "Attention-23", attention_onnx(dims)
        yield "MultiHeadAttention", attention_contrib(dims)
    elif operation == "group_norm_silu":
        yield "GroupNormalization", group_norm(dims)
        yield "InstanceNormalization", group_norm_by_instance(dims)
    else:
        raise ValueError(f"{shape['name']}: no peer's model for operation {operation}, element {element}")


class Graph:
    """A model under construction."""

    def __init__(self):
        self.nodes, self.weights, self.count = [], [], 0

    def weight(self, value):
        self.count += 1
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value), f"weight{self.count}"))
        return f"weight{self.count}"

    def node(self, operator, *inputs, domain="", **attributes):
        self.count += 1
        self.nodes.append(helper.make_node(operator, list(inputs), [f"value{self.count}"], domain=domain, **attributes))
        return f"value{self.count}"

    def model(self, inputs, output, shape_out, kind_out=TensorProto.FLOAT, opset=21):
        self.nodes.append(helper.make_node("Identity", [output], ["output"])) if not self.nodes else None
        self.nodes[-1].output[0] = "output"
        graph = helper.make_graph(
            self.nodes, "layer", [helper.make_tensor_value_info(*one) for one in inputs],
            [helper.make_tensor_value_info("output", kind_out, shape_out)], self.weights)
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def normal(*size):
    return RANDOM.standard_normal(size).astype(np.float32)


def linear_f32(dims):
    m, k, n = dims["m"], dims["k"], dims["n"]
    graph = Graph()
    product = graph.node("MatMul", "input", graph.weight(normal(k, n) / k**0.5))
    out = graph.node("Add", product, graph.weight(normal(n)))
    return graph.model([("input", TensorProto.FLOAT, [m, k])], out, [m, n])


def quantized_weight(graph, size, axis):
    """Signed 7-bit weights with a scale per output channel: what AVX2 without VNNI needs, and as fast elsewhere."""
    weight = graph.weight(RANDOM.integers(-64, 64, size).astype(np.int8))
    scale = graph.weight(np.full(size[axis], 0.01, np.float32))
    zero = graph.weight(np.zeros(size[axis], np.int8))
    return graph.node("DequantizeLinear", weight, scale, zero, axis=axis)


def quantized_edges(graph, activation, edges, first="input"):
    """The input, dequantized from int8, and the function that makes int8 of an output."""
    kind, _, zero_point = QUANTIZED[activation]
    parameters = [graph.weight(np.float32(0.02)), graph.weight(kind(zero_point))]
    if edges == "f32":
        first = graph.node("QuantizeLinear", first, *parameters)

    def finish(value):
        value = graph.node("QuantizeLinear", value, graph.weight(np.float32(0.5)), parameters[1])
        return graph.node("DequantizeLinear", value, graph.weight(np.float32(0.5)), parameters[1]) if edges == "f32" else value

    return lambda first=first: graph.node("DequantizeLinear", first, *parameters), finish, first


def edge_kind(activation, edges):
    return TensorProto.FLOAT if edges == "f32" else QUANTIZED[activation][1]


def linear_i8(dims, activation, edges):
    m, k, n = dims["m"], dims["k"], dims["n"]
    graph = Graph()
    start, finish, _ = quantized_edges(graph, activation, edges)
    out = finish(graph.node("MatMul", start(), quantized_weight(graph, (k, n), 1)))
    kind = edge_kind(activation, edges)
    return graph.model([("input", kind, [m, k])], out, [m, n], kind)


def convolution_sizes(dims):
    height, width, kernel = dims["height"], dims["width"], dims["kernel"]
    padding, stride = dims.get("padding", 0), dims.get("stride", 1)
    size_out = [(size + 2 * padding - kernel) // stride + 1 for size in (height, width)]
    attributes = dict(kernel_shape=[kernel, kernel], pads=[padding] * 4, strides=[stride, stride])
    nchw_in, nchw_out = [1, dims["channels_in"], height, width], [1, dims["channels_out"], *size_out]
    return nchw_in, nchw_out, (dims["channels_out"], dims["channels_in"], kernel, kernel), attributes


def last(size):
    return [size[0], size[2], size[3], size[1]]


def convolution_f32(dims, layout):
    size_in, size_out, size_weight, attributes = convolution_sizes(dims)
    graph = Graph()
    value = graph.node("Transpose", "input", perm=[0, 3, 1, 2]) if layout == "nhwc" else "input"
    value = graph.node("Conv", value, graph.weight(normal(*size_weight) / 50), graph.weight(normal(size_weight[0])), **attributes)
    if layout == "nhwc":
        value, size_in, size_out = graph.node("Transpose", value, perm=[0, 2, 3, 1]), last(size_in), last(size_out)
    return graph.model([("input", TensorProto.FLOAT, size_in)], value, size_out)


def convolution_i8(dims, layout, activation, edges):
    size_in, size_out, size_weight, attributes = convolution_sizes(dims)
    graph = Graph()
    first = graph.node("Transpose", "input", perm=[0, 3, 1, 2]) if layout == "nhwc" else "input"
    start, finish, _ = quantized_edges(graph, activation, edges, first)
    value = finish(graph.node("Conv", start(), quantized_weight(graph, size_weight, 0), **attributes))
    if layout == "nhwc":
        value, size_in, size_out = graph.node("Transpose", value, perm=[0, 2, 3, 1]), last(size_in), last(size_out)
    kind = edge_kind(activation, edges)
    return graph.model([("input", kind, size_in)], value, size_out, kind)


def attention_inputs(dims, rank):
    heads, size = dims["heads"], dims["head_size"]
    of = lambda rows: [1, heads, rows, size] if rank == 4 else [1, rows, heads * size]
    rows = {"query": dims["queries"], "key": dims["keys"], "value": dims["keys"]}
    return [(name, TensorProto.FLOAT, of(count)) for name, count in rows.items()], of(dims["queries"])


def attention_plain(dims):
    inputs, size_out = attention_inputs(dims, 4)
    graph = Graph()
    scaled = graph.node("Mul", "query", graph.weight(np.float32(dims["head_size"] ** -0.5)))
    scores = graph.node("MatMul", scaled, graph.node("Transpose", "key", perm=[0, 1, 3, 2]))
    out = graph.node("MatMul", graph.node("Softmax", scores, axis=-1), "value")
    return graph.model(inputs, out, size_out)


def attention_onnx(dims):
    inputs, size_out = attention_inputs(dims, 4)
    graph = Graph()
    return graph.model(inputs, graph.node("Attention", "query", "key", "value"), size_out, opset=23)


def attention_contrib(dims):
    inputs, size_out = attention_inputs(dims, 3)
    graph = Graph()
    out = graph.node("MultiHeadAttention", "query", "key", "value", domain="com.microsoft", num_heads=dims["heads"])
    return graph.model(inputs, out, size_out)


def silu(graph, value):
    return graph.node("Mul", value, graph.node("Sigmoid", value))


def group_norm(dims):
    channels, size = dims["channels"], [1, dims["channels"], dims["height"], dims["width"]]
    graph = Graph()
    scale, shift = graph.weight(normal(channels)), graph.weight(normal(channels))
    value = graph.node("GroupNormalization", "input", scale, shift, num_groups=dims["groups"], epsilon=1e-5)
    return graph.model([("input", TensorProto.FLOAT, size)], silu(graph, value), size)


def group_norm_by_instance(dims):
    channels, groups, size = dims["channels"], dims["groups"], [1, dims["channels"], dims["height"], dims["width"]]
    graph = Graph()
    value = graph.node("Reshape", "input", graph.weight(np.array([1, groups, -1], np.int64)))
    ones, zeros = graph.weight(np.ones(groups, np.float32)), graph.weight(np.zeros(groups, np.float32))
    value = graph.node("InstanceNormalization", value, ones, zeros, epsilon=1e-5)
    value = graph.node("Reshape", value, graph.weight(np.array(size, np.int64)))
    value = graph.node("Mul", value, graph.weight(normal(channels, 1, 1)))
    value = graph.node("Add", value, graph.weight(normal(channels, 1, 1)))
    return graph.model([("input", TensorProto.FLOAT, size)], silu(graph, value), size)


def inputs_of(model):
    """An array for each of a model's inputs."""
    kinds = {TensorProto.FLOAT: np.float32, TensorProto.UINT8: np.uint8, TensorProto.INT8: np.int8}
    arrays = {}
    for one in model.graph.input:
        size = [dim.dim_value for dim in one.type.tensor_type.shape.dim]
        kind = kinds[one.type.tensor_type.elem_type]
        arrays[one.name] = (normal(*size) if kind is np.float32
                            else RANDOM.integers(np.iinfo(kind).min, np.iinfo(kind).max, size).astype(kind))
    return arrays


def write(model, path):
    onnx.save(model, path)
