"""The student of LiteMP-VTON as ONNX: a Stable Diffusion 1.5 UNet of 13 channels, narrowed to 320, 448, 640, 640.

`litemp.py FOLDER [--samples FOLDER]` writes `litemp.onnx` with `litemp.onnx.data` and, for calibration, inputs at four
timesteps as safetensors. Weights are seeded random. The graph is node for node what `torch.onnx.export(dynamo=False,
opset_version=17)` of PyTorch 2.15 makes of diffusers' `UNet2DConditionModel`; `litemp.py --check GOLDEN [--like EXPORTED.onnx]` builds
it from a configuration with stored weights, inputs and outputs, and compares the outputs of ONNX Runtime, and the graph with an exported one.
"""
import argparse, json, math, pathlib, sys

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

import graph as graphs

HEIGHT, WIDTH, CONTEXT_TOKENS = 64, 48, 1
CONFIGURATION = {
    "in_channels": 13, "out_channels": 4, "block_out_channels": [320, 448, 640, 640], "layers_per_block": 2,
    "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
    "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
    "cross_attention_dim": 768, "attention_head_dim": 8, "norm_num_groups": 32, "norm_eps": 1e-5,
}
TIMESTEPS = (999, 749, 499, 249)
SEED = 4
# Layers that end a residual branch are scaled down, so that the sum of all branches stays of order 1.
ENDS_OF_BRANCHES = (".conv2.weight", ".to_out.0.weight", ".ff.net.2.weight", ".proj_out.weight")


class RandomWeights:
    """Normal with the variance that keeps a layer's output at its input's, whatever is asked for by name and shape."""

    def __init__(self, seed):
        self.random, self.tensors = np.random.default_rng(seed), {}

    def __call__(self, name, *shape):
        if name not in self.tensors:
            value = self.random.standard_normal(shape, np.float32)
            if len(shape) == 1:
                value *= np.float32(0.1)
                value += np.float32("norm" in name and name.endswith("weight"))
            else:
                value *= np.float32((0.5 if name.endswith(ENDS_OF_BRANCHES) else 1.0) / math.sqrt(np.prod(shape[1:])))
            self.tensors[name] = value
        return self.tensors[name]


class StoredWeights:
    """A checkpoint's; every tensor has the shape that the network wants."""

    def __init__(self, path):
        self.tensors = graphs.read_safetensors(path)

    def __call__(self, name, *shape):
        value = self.tensors[name]
        if value.shape != shape:
            raise ValueError(f"{name}: expected shape {shape}, found {value.shape}")
        return value


class Network:
    def __init__(self, configuration, weights, batch, height, width, context_tokens):
        self.of, self.weights, self.graph = configuration, weights, graphs.Graph()
        self.batch, self.height, self.width, self.context_tokens = batch, height, width, context_tokens
        # Shapes that the graph computes and shape inference does not see through.
        self.computed = []

    # A layer's scope is `/` and its name in the checkpoint, with `/` where a module holds modules.
    def named(self, scope, part):
        name = scope[1:].replace("/", ".") + "." + part
        return name

    def weight(self, scope, part, *shape):
        name = self.named(scope, part)
        return self.graph.initializer(name, self.weights(name, *shape))

    def conv(self, scope, value, channels_in, channels_out, kernel=3, stride=1):
        inputs = [value, self.weight(scope, "weight", channels_out, channels_in, kernel, kernel), self.weight(scope, "bias", channels_out)]
        return self.graph.node(scope, "Conv", *inputs, dilations=[1, 1], group=1, kernel_shape=[kernel, kernel],
                               pads=[kernel // 2] * 4, strides=[stride, stride])

    def gemm(self, scope, value, size_in, size_out):
        inputs = [value, self.weight(scope, "weight", size_out, size_in), self.weight(scope, "bias", size_out)]
        return self.graph.node(scope, "Gemm", *inputs, alpha=1.0, beta=1.0, transB=1)

    def linear(self, scope, value, size_in, size_out, bias=True):
        weight = self.graph.transposed(self.weights(self.named(scope, "weight"), size_out, size_in))
        product = self.graph.node(scope, "MatMul", value, weight)
        return self.graph.node(scope, "Add", self.weight(scope, "bias", size_out), product) if bias else product

    def silu(self, scope, value):
        return self.graph.node(scope, "Mul", value, self.graph.node(scope, "Sigmoid", value))

    def group_norm(self, scope, value, channels, epsilon):
        graph, groups = self.graph, self.of["norm_num_groups"]
        grouped = graph.node(scope, "Reshape", value, graph.constant(scope, np.array([0, groups, -1])), allowzero=0)
        ones = graph.constant(scope, np.ones(groups, np.float32))
        zeros = graph.constant(scope, np.zeros(groups, np.float32))
        normal = graph.node(scope, "InstanceNormalization", grouped, ones, zeros, epsilon=epsilon)
        normal = graph.node(scope, "Reshape", normal, graph.node(scope, "Shape", value), allowzero=0)
        for operator, part in (("Mul", "weight"), ("Add", "bias")):
            name = self.named(scope, part)
            # The exporter folds the reshaping of these as well.
            folded = graph.initializer(f"onnx::{operator}_{name}", self.weights(name, channels).reshape(channels, 1, 1))
            normal = graph.node(scope, operator, normal, folded)
        return normal

    def layer_norm(self, scope, value, channels):
        return self.graph.node(scope, "LayerNormalization", value, self.weight(scope, "weight", channels),
                               self.weight(scope, "bias", channels), axis=-1, epsilon=1e-5)

    def time_embedding(self):
        graph, first = self.graph, self.of["block_out_channels"][0]
        one = graph.constant("", np.array([self.batch]))
        full = graph.node("", "ConstantOfShape", graph.constant("", np.array([1])),
                          value=numpy_helper.from_array(np.array([1])))
        wanted = graph.node("", "Mul", full, graph.constant("", np.array(-1)))
        shape = graph.node("", "Where", graph.node("", "Equal", one, wanted), full, one)
        steps = graph.node("", "Expand", "timestep", shape)
        self.computed.append((steps, TensorProto.INT64, [self.batch]))
        scope, half = "/time_proj", first // 2
        steps = graph.node(scope, "Unsqueeze", steps, graph.constant(scope, np.array([1])))
        steps = graph.node(scope, "Cast", steps, to=TensorProto.FLOAT)
        frequencies = np.exp(-math.log(10000) * np.arange(half, dtype=np.float32) / np.float32(half)).astype(np.float32)
        angles = graph.node(scope, "Mul", steps, graph.constant(scope, frequencies.reshape(1, half)))
        both = graph.node(scope, "Concat", graph.node(scope, "Sin", angles), graph.node(scope, "Cos", angles), axis=-1)
        halves = []
        for start, end in ((half, np.iinfo(np.int64).max), (0, half)):
            axis, start, end, step = (graph.constant(scope, np.array([one])) for one in (1, start, end, 1))
            halves.append(graph.node(scope, "Slice", both, start, end, axis, step))
        value = graph.node("", "Cast", graph.node(scope, "Concat", *halves, axis=-1), to=TensorProto.FLOAT)
        value = self.silu("/time_embedding/act", self.gemm("/time_embedding/linear_1", value, first, 4 * first))
        return self.gemm("/time_embedding/linear_2", value, 4 * first, 4 * first)

    def resnet(self, scope, value, channels_in, channels_out):
        graph, epsilon = self.graph, self.of["norm_eps"]
        hidden = self.silu(f"{scope}/nonlinearity", self.group_norm(f"{scope}/norm1", value, channels_in, epsilon))
        hidden = self.conv(f"{scope}/conv1", hidden, channels_in, channels_out)
        # The exporter merges what is computed twice: the first block's serves all, and only that one counts a call more.
        calls = 1 if self.shift else 2
        self.shift = self.shift or self.silu(f"{scope}/nonlinearity_1", self.time)
        shift = self.gemm(f"{scope}/time_emb_proj", self.shift, 4 * self.of["block_out_channels"][0], channels_out)
        shift = graph.node(scope, "Unsqueeze", shift, graph.constant(scope, np.array([2])))
        shift = graph.node(scope, "Unsqueeze", shift, graph.constant(scope, np.array([3])))
        hidden = graph.node(scope, "Add", hidden, shift)
        hidden = self.silu(f"{scope}/nonlinearity_{calls}", self.group_norm(f"{scope}/norm2", hidden, channels_out, epsilon))
        hidden = self.conv(f"{scope}/conv2", hidden, channels_out, channels_out)
        if channels_in != channels_out:
            value = self.conv(f"{scope}/conv_shortcut", value, channels_in, channels_out, kernel=1)
        total = graph.node(scope, "Add", value, hidden)
        return graph.node(scope, "Div", total, graph.constant(scope, np.float32(1)))

    def attention(self, scope, value, context, channels, context_channels):
        graph, heads = self.graph, self.of["attention_head_dim"]
        batch, size = self.batch, channels // heads
        projected = [self.linear(f"{scope}/to_q", value, channels, channels, bias=False)]
        projected += [self.linear(f"{scope}/{name}", context, context_channels, channels, bias=False) for name in ("to_k", "to_v")]
        shapes = [graph.constant(scope, np.array([batch, -1, heads, size])) for _ in projected]
        query = graph.node(scope, "Reshape", projected[0], shapes[0], allowzero=0)
        query = graph.node(scope, "Transpose", query, perm=[0, 2, 1, 3])
        key = graph.node(scope, "Reshape", projected[1], shapes[1], allowzero=0)
        values = graph.node(scope, "Reshape", projected[2], shapes[2], allowzero=0)
        values = graph.node(scope, "Transpose", values, perm=[0, 2, 1, 3])
        shape = graph.node(scope, "Shape", query)
        last = graph.constant(scope, np.array([-1]))
        width = graph.node(scope, "Slice", shape, last, graph.constant(scope, np.array([np.iinfo(np.int64).max])))
        root = graph.node(scope, "Sqrt", graph.node(scope, "Cast", width, to=TensorProto.FLOAT))
        scale = graph.node(scope, "Div", graph.constant(scope, np.array([1], np.float32)), root)
        scale = graph.node(scope, "Cast", scale, to=TensorProto.FLOAT)
        key = graph.node(scope, "Transpose", key, perm=[0, 2, 3, 1])
        query = graph.node(scope, "Mul", query, graph.node(scope, "Sqrt", scale))
        key = graph.node(scope, "Mul", key, graph.node(scope, "Sqrt", scale))
        weights = graph.node(scope, "Softmax", graph.node(scope, "MatMul", query, key), axis=-1)
        out = graph.node(scope, "Transpose", graph.node(scope, "MatMul", weights, values), perm=[0, 2, 1, 3])
        out = graph.node(scope, "Reshape", out, graph.constant(scope, np.array([batch, -1, channels])), allowzero=0)
        out = graph.node(scope, "Cast", out, to=TensorProto.FLOAT)
        out = self.linear(f"{scope}/to_out.0", out, channels, channels)
        return graph.node(scope, "Div", out, graph.constant(scope, np.float32(1)))

    def gated(self, scope, value, rows, channels):
        """GEGLU; the exporter halves the last axis by arithmetic on its shape."""
        graph = self.graph
        value = self.linear(f"{scope}/proj", value, channels, 8 * channels)
        shape, axis = graph.node(scope, "Shape", value), graph.constant(scope, np.array([-1]))
        width = graph.node(scope, "Gather", shape, axis, axis=0)
        start = graph.constant(scope, np.array([0]))
        half = graph.node(scope, "Add", width, graph.constant(scope, np.array([1])))
        half = graph.node(scope, "Div", half, graph.constant(scope, np.array([2])))
        middle = graph.node(scope, "Mul", half, graph.constant(scope, np.array([1])))
        first = graph.node(scope, "Slice", value, start, middle, axis)
        end = graph.node(scope, "Mul", half, graph.constant(scope, np.array([2])))
        gate = graph.node(scope, "Slice", value, middle, end, axis)
        self.computed += [(half, TensorProto.FLOAT, [self.batch, rows, 4 * channels]) for half in (first, gate)]
        error = graph.node(scope, "Erf", graph.node(scope, "Div", gate, graph.constant(scope, np.float32(math.sqrt(2)))))
        error = graph.node(scope, "Add", error, graph.constant(scope, np.float32(1)))
        gelu = graph.node(scope, "Mul", graph.node(scope, "Mul", gate, error), graph.constant(scope, np.float32(0.5)))
        return graph.node(scope, "Mul", first, gelu)

    def transformer(self, scope, value, channels, height, width):
        graph, batch = self.graph, self.batch
        hidden = self.conv(f"{scope}/proj_in", self.group_norm(f"{scope}/norm", value, channels, 1e-6), channels, channels, kernel=1)
        hidden = graph.node(scope, "Transpose", hidden, perm=[0, 2, 3, 1])
        hidden = graph.node(scope, "Reshape", hidden, graph.constant(scope, np.array([batch, height * width, channels])), allowzero=0)
        block, context = f"{scope}/transformer_blocks.0", self.of["cross_attention_dim"]
        normal = self.layer_norm(f"{block}/norm1", hidden, channels)
        hidden = graph.node(block, "Add", self.attention(f"{block}/attn1", normal, normal, channels, channels), hidden)
        normal = self.layer_norm(f"{block}/norm2", hidden, channels)
        crossed = self.attention(f"{block}/attn2", normal, "encoder_hidden_states", channels, context)
        hidden = graph.node(block, "Add", crossed, hidden)
        normal = self.layer_norm(f"{block}/norm3", hidden, channels)
        wide = self.gated(f"{block}/ff/net.0", normal, height * width, channels)
        hidden = graph.node(block, "Add", self.linear(f"{block}/ff/net.2", wide, 4 * channels, channels), hidden)
        hidden = graph.node(scope, "Reshape", hidden, graph.constant(scope, np.array([batch, height, width, channels])), allowzero=0)
        hidden = graph.node(scope, "Transpose", hidden, perm=[0, 3, 1, 2])
        hidden = self.conv(f"{scope}/proj_out", hidden, channels, channels, kernel=1)
        return graph.node(scope, "Add", hidden, value)

    def model(self):
        channels, layers = self.of["block_out_channels"], self.of["layers_per_block"]
        height, width, last = self.height, self.width, len(channels) - 1
        self.time, self.shift = self.time_embedding(), None
        value, now = self.conv("/conv_in", "sample", self.of["in_channels"], channels[0]), channels[0]
        skips = [(value, now)]
        for level, (kind, wanted) in enumerate(zip(self.of["down_block_types"], channels)):
            for layer in range(layers):
                value, now = self.resnet(f"/down_blocks.{level}/resnets.{layer}", value, now, wanted), wanted
                if kind.startswith("CrossAttn"):
                    value = self.transformer(f"/down_blocks.{level}/attentions.{layer}", value, now, height, width)
                skips.append((value, now))
            if level < last:
                value = self.conv(f"/down_blocks.{level}/downsamplers.0/conv", value, now, now, stride=2)
                height, width = (height + 1) // 2, (width + 1) // 2
                skips.append((value, now))
        value = self.resnet("/mid_block/resnets.0", value, now, now)
        value = self.transformer("/mid_block/attentions.0", value, now, height, width)
        value = self.resnet("/mid_block/resnets.1", value, now, now)
        for level, (kind, wanted) in enumerate(zip(self.of["up_block_types"], reversed(channels))):
            scope = f"/up_blocks.{level}"
            for layer in range(layers + 1):
                skip, more = skips.pop()
                value = self.graph.node(scope, "Concat", value, skip, axis=1)
                value, now = self.resnet(f"{scope}/resnets.{layer}", value, now + more, wanted), wanted
                if kind.startswith("CrossAttn"):
                    value = self.transformer(f"{scope}/attentions.{layer}", value, now, height, width)
            if level < last:
                scales = self.graph.constant(f"{scope}/upsamplers.0", np.array([1, 1, 2, 2], np.float32))
                value = self.graph.node(f"{scope}/upsamplers.0", "Resize", value, "", scales, cubic_coeff_a=-0.75, mode="nearest",
                                        coordinate_transformation_mode="asymmetric", nearest_mode="floor")
                value = self.conv(f"{scope}/upsamplers.0/conv", value, now, now)
                height, width = 2 * height, 2 * width
        value = self.silu("/conv_act", self.group_norm("/conv_norm_out", value, now, self.of["norm_eps"]))
        value = self.conv("/conv_out", value, now, self.of["out_channels"])
        size = [self.batch, self.of["in_channels"], self.height, self.width]
        inputs = [("sample", TensorProto.FLOAT, size), ("timestep", TensorProto.INT64, [self.batch]),
                  ("encoder_hidden_states", TensorProto.FLOAT, [self.batch, self.context_tokens, self.of["cross_attention_dim"]])]
        return self.graph.model(inputs, [("out_sample", value, [size[0], self.of["out_channels"], *size[2:]])])


def samples(count_a_timestep=1, seed=SEED + 1):
    """Inputs as at inference: latents of unit variance with a mask of zeros and ones; one context token."""
    random = np.random.default_rng(seed)
    for timestep in TIMESTEPS:
        for _ in range(count_a_timestep):
            sample = random.standard_normal((1, CONFIGURATION["in_channels"], HEIGHT, WIDTH), np.float32)
            sample[:, 4] = 0
            sample[:, 4, HEIGHT // 4:, WIDTH // 6: -WIDTH // 6] = 1
            context = random.standard_normal((1, CONTEXT_TOKENS, CONFIGURATION["cross_attention_dim"]), np.float32)
            yield {"sample": sample, "timestep": np.array([timestep]), "encoder_hidden_states": context}


def check(golden, like):
    """Differences from a stored output and from an exported graph; raises where there are any."""
    import onnxruntime
    golden = pathlib.Path(golden)
    configuration = json.loads((golden / "config.json").read_text())
    stored = graphs.read_safetensors(golden / "io.safetensors")
    inputs = {name.removeprefix("input."): value for name, value in stored.items() if name.startswith("input.")}
    worst = 0.0
    for item in range(len(inputs["sample"])):
        one = {name: value[item: item + 1] for name, value in inputs.items()}
        model = Network(configuration, StoredWeights(golden / "model.safetensors"), 1, *one["sample"].shape[2:],
                        one["encoder_hidden_states"].shape[1]).model()
        onnx.checker.check_model(model, full_check=True)
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        worst = max(worst, float(np.abs(session.run(None, one)[0] - stored["output.sample"][item: item + 1]).max()))
    print(f"largest difference from {golden.name}: {worst:.2e}")
    if not worst < 1e-4:
        raise SystemExit("the graph does not compute what the stored outputs say")
    if like:
        compare(model, onnx.load(like))


def compare(model, exported):
    """Nodes of both graphs in order: operator, name, attributes, constants' elements and shapes, and where inputs come from."""
    def described(model):
        folded = {one.name for one in model.graph.initializer if one.name.startswith("onnx::")}
        for node in model.graph.node:
            attributes = {}
            for one in node.attribute:
                value = onnx.helper.get_attribute_value(one)
                if isinstance(value, onnx.TensorProto):
                    array = numpy_helper.to_array(value)
                    value = (str(array.dtype), array.shape, np.round(array.astype(np.float64), 6).tolist())
                attributes[one.name] = value
            yield node.op_type, node.name, ["folded" if one in folded else one for one in node.input], attributes
    ours, theirs = list(described(model)), list(described(exported))
    for one, other in zip(ours, theirs):
        if one != other:
            raise SystemExit(f"the graphs differ:\n  here:     {one}\n  exported: {other}")
    if len(ours) != len(theirs):
        raise SystemExit(f"{len(ours)} nodes here, {len(theirs)} exported")
    print(f"the same {len(ours)} nodes as the exported graph")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", help="where litemp.onnx is written")
    parser.add_argument("--samples", metavar="FOLDER", help="where calibration samples are written")
    parser.add_argument("--check", metavar="GOLDEN", help="a folder with config.json, model.safetensors and io.safetensors")
    parser.add_argument("--like", metavar="ONNX", help="an export of the same network by PyTorch")
    options = parser.parse_args()
    if not (options.folder or options.samples or options.check):
        parser.error("nothing to do: give a folder, --samples or --check")
    if options.check:
        check(options.check, options.like)
    if options.samples:
        for number, sample in enumerate(samples()):
            graphs.write_safetensors(pathlib.Path(options.samples) / f"timestep-{TIMESTEPS[number]:03}.safetensors", sample)
    if options.folder:
        weights = RandomWeights(SEED)
        network = Network(CONFIGURATION, weights, 1, HEIGHT, WIDTH, CONTEXT_TOKENS)
        model = network.model()
        macs = graphs.multiplications(model, network.computed)
        print(f"{sum(value.size for value in weights.tensors.values()) / 1e6:.1f} M parameters; a step takes "
              f"{sum(macs.values()) / 1e9:.1f} GMAC: " + ", ".join(f"{kind} {count / 1e9:.1f}" for kind, count in macs.items()))
        graphs.save(model, pathlib.Path(options.folder) / "litemp.onnx", external=True)


if __name__ == "__main__":
    sys.exit(main())
