"""Writes the nets of one or two operations in operators/, each with what LiteRT makes of a random input.

    pip install ai-edge-litert numpy flatbuffers
    python record_operators.py

Each NAME.tflite goes with NAME.f32: the input's values, then each output's, little-endian.
"""

import pathlib

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as s
from ai_edge_litert.interpreter import Interpreter

HERE = pathlib.Path(__file__).parent / "operators"
RANDOM = np.random.default_rng(20)
TYPES = {np.dtype("f4"): 0, np.dtype("f2"): 1, np.dtype("i4"): 2}


def values(*shape):
    return RANDOM.normal(size=shape).astype("f4")


class Net:
    def __init__(self, *shape):
        self.model = s.ModelT()
        self.model.version = 3
        self.model.operatorCodes = []
        self.model.buffers = [s.BufferT()]
        self.graph = s.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.model.subgraphs = [self.graph]
        self.input = self.tensor(shape)
        self.shape = shape

    def tensor(self, shape, kind=0, data=None, sparsity=None):
        tensor = s.TensorT()
        tensor.shape, tensor.type, tensor.buffer = list(shape), kind, 0
        tensor.name = f"t{len(self.graph.tensors)}"
        tensor.sparsity = sparsity
        if data is not None:
            buffer = s.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), "u1")
            self.model.buffers.append(buffer)
            tensor.buffer = len(self.model.buffers) - 1
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def constant(self, array):
        array = np.asarray(array)
        array = array.astype("i4") if array.dtype == "i8" else array
        return self.tensor(array.shape, TYPES[array.dtype], array)

    def add(self, code, inputs, shape, options=None, custom=None, **fields):
        opcode = s.OperatorCodeT()
        opcode.builtinCode = code
        opcode.deprecatedBuiltinCode = min(code, 127)
        opcode.version = {6: 2, 23: 3, 4: 2, 3: 1}.get(code, 1)
        opcode.customCode = custom
        self.model.operatorCodes.append(opcode)
        operator = s.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        operator.inputs, operator.outputs = inputs, [self.tensor(shape)]
        if custom:
            operator.customOptions = np.frombuffer(fields["words"], "u1")
        elif options:
            table = getattr(s, options + "T")()
            for name, value in fields.items():
                assert hasattr(table, name), name
                setattr(table, name, value)
            operator.builtinOptions = table
            operator.builtinOptionsType = getattr(s.BuiltinOptions, options)
        self.graph.operators.append(operator)
        return operator.outputs[0]

    def save(self, name, *outputs):
        self.graph.inputs, self.graph.outputs = [self.input], list(outputs)
        builder = flatbuffers.Builder(0)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        content = bytes(builder.Output())
        interpreter = Interpreter(model_content=content)
        interpreter.allocate_tensors()
        x = values(*self.shape) * 3
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
        interpreter.invoke()
        results = [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]
        (HERE / f"{name}.tflite").write_bytes(content)
        (HERE / f"{name}.f32").write_bytes(b"".join(a.astype("<f4").tobytes() for a in [x, *results]))
        print(name, len(content), [a.shape for a in results])


def image():
    return Net(1, 6, 5, 4)


def conv(name, kernel, out_shape, **options):
    net = image()
    out = kernel[0]
    net.save(name, net.add(3, [net.input, net.constant(values(*kernel)), net.constant(values(out))], out_shape, "Conv2DOptions", **options))


def depthwise(name, kernel, out_shape, **options):
    net = image()
    net.save(name, net.add(4, [net.input, net.constant(values(*kernel)), net.constant(values(kernel[3]))], out_shape, "DepthwiseConv2DOptions", **options))


def dimension(dense=None, segments=None, indices=None):
    metadata = s.DimensionMetadataT()
    if dense is not None:
        metadata.format, metadata.denseSize = 0, dense
        return metadata
    metadata.format = 1
    wide = max(segments + indices) > 255
    vector = s.Uint16VectorT if wide else s.Uint8VectorT
    metadata.arraySegmentsType = metadata.arrayIndicesType = 2 if wide else 3
    metadata.arraySegments, metadata.arrayIndices = vector(), vector()
    metadata.arraySegments.values, metadata.arrayIndices.values = segments, indices
    return metadata


def sparse(name, block):
    net = image()
    dense = values(8, 1, 1, 4).astype("f2")
    dense[RANDOM.random(dense.shape) < 0.6] = 0
    rows = dense.reshape(8, 4 // block, block)
    segments, indices, stored = [0], [], []
    for row in rows:
        for i, part in enumerate(row):
            if np.any(part):
                indices.append(i)
                stored.append(part)
        segments.append(len(indices))
    sparsity = s.SparsityParametersT()
    sparsity.traversalOrder = [0, 1, 2, 3] + ([4] if block > 1 else [])
    sparsity.blockMap = [3] if block > 1 else []
    sparsity.dimMetadata = [dimension(8), dimension(1), dimension(1), dimension(None, segments, indices)]
    if block > 1:
        sparsity.dimMetadata.append(dimension(block))
    weights = net.tensor(dense.shape, 1, np.array(stored, "f2"), sparsity)
    half = net.add(124, [weights], dense.shape, "DensifyOptions")
    net.graph.tensors[half].type = 1
    full = net.add(6, [half], dense.shape, "DequantizeOptions")
    x = net.add(3, [net.input, full, net.constant(values(8))], (1, 6, 5, 8), "Conv2DOptions", padding=1, strideW=1, strideH=1)
    net.save(name, x)


SAME, VALID = 0, 1
conv("conv_same_stride_2_relu6", (3, 3, 3, 4), (1, 3, 3, 3), padding=SAME, strideW=2, strideH=2, fusedActivationFunction=3)
conv("conv_valid_dilated", (2, 3, 2, 4), (1, 2, 3, 2), padding=VALID, strideW=1, strideH=1, dilationHFactor=2, dilationWFactor=2)
conv("conv_pointwise_relu", (5, 1, 1, 4), (1, 6, 5, 5), padding=VALID, strideW=1, strideH=1, fusedActivationFunction=1)
depthwise("depthwise_same_stride_2", (1, 3, 3, 4), (1, 3, 3, 4), padding=SAME, strideW=2, strideH=2, depthMultiplier=1)
depthwise("depthwise_valid_wide", (1, 5, 3, 4), (1, 2, 3, 4), padding=VALID, strideW=1, strideH=1, depthMultiplier=1, fusedActivationFunction=1)
depthwise("depthwise_multiplier", (1, 3, 3, 8), (1, 6, 5, 8), padding=SAME, strideW=1, strideH=1, depthMultiplier=2)
sparse("sparse_rows", 1)
sparse("sparse_blocks", 2)

net = image()
net.save("add_constant", net.add(0, [net.input, net.constant(values(4))], net.shape, "AddOptions", fusedActivationFunction=1))
net = image()
net.save("multiply_by_gate", net.add(18, [net.input, net.add(1, [net.input], (1, 1, 1, 4), "Pool2DOptions", padding=VALID, strideW=5, strideH=6, filterWidth=5, filterHeight=6)], net.shape, "MulOptions"))
net = image()
net.save("subtract_from_constant", net.add(41, [net.constant(values(1, 6, 5, 4)), net.input], net.shape, "SubOptions"))
for name, code in [("relu", 19), ("relu6", 21), ("logistic", 14), ("hard_swish", 117)]:
    net = image()
    net.save(name, net.add(code, [net.input], net.shape))
net = image()
net.save("prelu", net.add(54, [net.input, net.constant(values(1, 1, 4))], net.shape))
net = image()
net.save("max_pool_same", net.add(17, [net.input], (1, 3, 3, 4), "Pool2DOptions", padding=SAME, strideW=2, strideH=2, filterWidth=2, filterHeight=3))
net = image()
net.save("average_pool_same", net.add(1, [net.input], (1, 3, 3, 4), "Pool2DOptions", padding=SAME, strideW=2, strideH=2, filterWidth=3, filterHeight=3))
net = image()
net.save("mean_kept", net.add(40, [net.input, net.constant([1, 2])], (1, 1, 1, 4), "ReducerOptions", keepDims=True))
net = image()
net.save("mean_dropped", net.add(40, [net.input, net.constant([1, 2])], (1, 4), "ReducerOptions", keepDims=False))
net = image()
net.save("pad", net.add(34, [net.input, net.constant([[0, 0], [1, 2], [0, 3], [1, 0]])], (1, 9, 8, 5), "PadOptions"))
for name, fields in [("resize_half_pixel", {"halfPixelCenters": True}), ("resize_aligned", {"alignCorners": True}), ("resize_origin", {})]:
    net = image()
    net.save(name, net.add(23, [net.input, net.constant([12, 7])], (1, 12, 7, 4), "ResizeBilinearOptions", **fields))
net = Net(1, 3, 2, 12)
net.save("depth_to_space", net.add(5, [net.input], (1, 6, 4, 3), "DepthToSpaceOptions", blockSize=2))
net = image()
net.save("reshape_concatenate", net.add(2, [net.add(22, [net.input, net.constant([1, 30, 4])], (1, 30, 4), "ReshapeOptions", newShape=[1, 30, 4])] * 2, (1, 60, 4), "ConcatenationOptions", axis=1))
net = image()
net.save("concatenate_channels", net.add(2, [net.input, net.add(19, [net.input], net.shape)], (1, 6, 5, 8), "ConcatenationOptions", axis=-1), net.input)
net = Net(2, 7)
net.save("fully_connected", net.add(9, [net.input, net.constant(values(3, 7)), net.constant(values(3))], (2, 3), "FullyConnectedOptions", fusedActivationFunction=1))
net = image()
net.save("strided_slice", net.add(45, [net.input, net.constant([0, 1, 0, 1]), net.constant([1, -1, 3, 2]), net.constant([1, 1, 1, 1])], (1, 4, 5), "StridedSliceOptions", endMask=0b0100, shrinkAxisMask=0b1000))
net = image()
net.save("transposed_convolution", net.add(32, [net.input, net.constant(values(2, 2, 2, 4)), net.constant(values(2))], (1, 12, 10, 2), custom="Convolution2DTransposeBias", words=np.array([1, 2, 2], "<i4").tobytes()))
net = image()
net.save("transposed_convolution_overlap", net.add(32, [net.input, net.constant(values(2, 3, 3, 4)), net.constant(values(2))], (1, 12, 10, 2), custom="Convolution2DTransposeBias", words=np.array([1, 2, 2], "<i4").tobytes()))
