"""Writes the fixtures of `models/tests/onnx.rs`: small nets, and what ONNX Runtime makes of a seeded input.

Usage: export.py FOLDER [NAME...]. Needs torch, onnx, onnxruntime, onnxscript and safetensors.
NAME.onnx is the net; NAME.safetensors holds its inputs and outputs in the file's order of axes.
"""

import math
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file
from torch import nn

FOLDER = Path(sys.argv[1])
CHOSEN = sys.argv[2:]


def chosen(name):
    return not CHOSEN or name in CHOSEN


def record(name, model, feeds, outputs=None):
    (FOLDER / f"{name}.onnx").write_bytes(model.SerializeToString())
    if outputs is None:
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        names = [node.name for node in session.get_outputs()]
        outputs = dict(zip(names, session.run(None, feeds)))
    tensors = {f"in.{key}": np.ascontiguousarray(value) for key, value in feeds.items()}
    tensors |= {f"out.{key}": np.ascontiguousarray(value) for key, value in outputs.items()}
    save_file(tensors, str(FOLDER / f"{name}.safetensors"))


def export(name, module, *shapes, dynamo=False, opset=17, names=None, randomise=True):
    if not chosen(name):
        return
    torch.manual_seed(7)
    module = module.eval()
    if randomise:
        for parameter in module.parameters():
            nn.init.normal_(parameter, std=0.4)
    inputs = tuple(torch.randn(*shape) for shape in shapes)
    names = names or ["x", "y", "z"][: len(inputs)]
    path = FOLDER / f"{name}.onnx"
    options = dict(input_names=names, opset_version=opset, dynamo=dynamo)
    if dynamo:
        options.update(external_data=False, verbose=False)
    with torch.no_grad():
        torch.onnx.export(module, inputs, str(path), **options)
    model = onnx.load(path)
    record(name, model, {key: value.numpy() for key, value in zip(names, inputs)})


class Resnet(nn.Module):
    """A residual block as diffusers has it."""

    def __init__(self):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(4, 8), nn.Conv2d(8, 12, 3, padding=1)
        self.time_emb_proj = nn.Linear(6, 12)
        self.norm2, self.conv2 = nn.GroupNorm(4, 12), nn.Conv2d(12, 12, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(8, 12, 1)

    def forward(self, x, y):
        h = self.conv1(F.silu(self.norm1(x)))
        h = h + self.time_emb_proj(F.silu(y))[:, :, None, None]
        return self.conv_shortcut(x) + self.conv2(F.silu(self.norm2(h)))


class Attend(nn.Module):
    def __init__(self, width=12, context=None, heads=3, form="matmul", scale_on="scores"):
        super().__init__()
        self.heads, self.form, self.scale_on = heads, form, scale_on
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(context or width, width, bias=False)
        self.to_v = nn.Linear(context or width, width, bias=False)
        self.to_out = nn.Sequential(nn.Linear(width, width))

    def forward(self, x, y=None):
        y = x if y is None else y
        q, k, v = self.to_q(x), self.to_k(y), self.to_v(y)
        n, t, c = q.shape
        split = lambda z: z.reshape(n, z.shape[1], self.heads, c // self.heads).permute(0, 2, 1, 3)
        q, k, v = split(q), split(k), split(v)
        scale = (c // self.heads) ** -0.5
        if self.form == "sdpa":
            out = F.scaled_dot_product_attention(q, k, v)
        elif self.form == "merged":
            flat = lambda z: z.reshape(n * self.heads, z.shape[2], z.shape[3])
            scores = torch.baddbmm(
                torch.empty(n * self.heads, t, k.shape[2]), flat(q), flat(k).transpose(-1, -2), beta=0, alpha=scale
            )
            out = torch.bmm(scores.softmax(-1), flat(v)).reshape(n, self.heads, t, c // self.heads)
        else:
            if self.scale_on == "q":
                q = q * scale
            elif self.scale_on == "k":
                k = k * scale
            elif self.scale_on == "both":
                q, k = q * math.sqrt(scale), k * math.sqrt(scale)
            scores = q @ k.transpose(-1, -2)
            if self.scale_on == "scores":
                scores = scores * scale
            elif self.scale_on == "divided":
                scores = scores / (1 / scale)
            out = scores.softmax(-1) @ v
        return self.to_out(out.permute(0, 2, 1, 3).reshape(n, t, c))


class Masked(Attend):
    def forward(self, x):
        q, k, v = self.to_q(x), self.to_k(x), self.to_v(x)
        n, t, c = q.shape
        split = lambda z: z.reshape(n, t, self.heads, c // self.heads).transpose(1, 2)
        mask = torch.full((t, t), float("-inf")).triu(1)
        scores = split(q) @ split(k).transpose(-1, -2) * (c // self.heads) ** -0.5 + mask
        out = scores.softmax(-1) @ split(v)
        return self.to_out(out.transpose(1, 2).reshape(n, t, c))


class Packed(nn.Module):
    """Queries, keys and values of one product, as vision transformers have them; fewer heads of keys."""

    def __init__(self):
        super().__init__()
        self.qkv, self.proj = nn.Linear(12, 36), nn.Linear(12, 12)

    def forward(self, x):
        n, t, c = x.shape
        q, k, v = self.qkv(x).reshape(n, t, 3, 3, 4).permute(2, 0, 3, 1, 4).unbind(0)
        out = (q * 0.5) @ k.transpose(-2, -1)
        return self.proj((out.softmax(-1) @ v).transpose(1, 2).reshape(n, t, c))


class Grouped(nn.Module):
    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = nn.Linear(12, 16), nn.Linear(12, 8), nn.Linear(12, 8)

    def forward(self, x):
        n, t, _ = x.shape
        q = self.q(x).view(n, t, 4, 4).transpose(1, 2)
        k, v = (z(x).view(n, t, 2, 4).transpose(1, 2) for z in (self.k, self.v))
        repeat = lambda z: z[:, :, None].expand(n, 2, 2, t, 4).reshape(n, 4, t, 4)
        out = (q @ repeat(k).transpose(-1, -2) * 0.5).softmax(-1) @ repeat(v)
        return out.transpose(1, 2).reshape(n, t, 16)


class Rope(nn.Module):
    """Queries and keys normed by head, turned, attended to."""

    def __init__(self, pairs):
        super().__init__()
        self.pairs, self.qkv = pairs, nn.Linear(8, 24)
        self.norm_q, self.norm_k = nn.Parameter(torch.ones(4)), nn.Parameter(torch.ones(4))
        angles = torch.outer(torch.arange(5.0), torch.tensor([1.0, 0.1]))
        wide = angles.repeat(1, 2) if pairs == "halves" else angles.repeat_interleave(2, 1)
        self.register_buffer("cos", wide.cos())
        self.register_buffer("sin", wide.sin())

    def turn(self, x):
        if self.pairs == "halves":
            first, second = x.chunk(2, -1)
            turned = torch.cat([-second, first], -1)
        else:
            first, second = x.reshape(*x.shape[:-1], -1, 2).unbind(-1)
            turned = torch.stack([-second, first], -1).flatten(3)
        return x * self.cos + turned * self.sin

    def forward(self, x):
        n, t, _ = x.shape
        split = lambda z: z.reshape(n, t, 2, 4).transpose(1, 2)
        q, k, v = (split(z) for z in self.qkv(x).chunk(3, -1))
        norm = lambda z, w: z * torch.rsqrt(z.pow(2).mean(-1, keepdim=True) + 1e-6) * w
        q, k = self.turn(norm(q, self.norm_q)), self.turn(norm(k, self.norm_k))
        out = (q @ k.transpose(-1, -2) * 0.5).softmax(-1) @ v
        return out.transpose(1, 2).reshape(n, t, 8)


class Transformer(nn.Module):
    """A block over the pixels of an image, with attention to a context and a gated feed-forward layer."""

    def __init__(self):
        super().__init__()
        self.norm, self.proj_in, self.proj_out = nn.GroupNorm(2, 8), nn.Conv2d(8, 12, 1), nn.Conv2d(12, 8, 1)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(12) for _ in range(3))
        self.attn1, self.attn2 = Attend(form="sdpa"), Attend(context=5, form="sdpa")
        self.proj, self.out = nn.Linear(12, 32), nn.Linear(16, 12)

    def forward(self, x, y):
        n, _, h, w = x.shape
        t = self.proj_in(self.norm(x)).permute(0, 2, 3, 1).reshape(n, h * w, 12)
        t = t + self.attn1(self.norm1(t))
        t = t + self.attn2(self.norm2(t), y)
        value, gate = self.proj(self.norm3(t)).chunk(2, -1)
        t = t + self.out(value * F.gelu(gate))
        return x + self.proj_out(t.reshape(n, h, w, 12).permute(0, 3, 1, 2))


class Of(nn.Module):
    """A function, perhaps with modules that it uses."""

    def __init__(self, function, *modules):
        super().__init__()
        self.function, self.inner = function, nn.ModuleList(modules)

    def forward(self, *inputs):
        return self.function(*inputs, *self.inner)


def apart(x, weight, bias):
    centred = x - x.mean(-1, keepdim=True)
    return centred / torch.sqrt(centred.pow(2).mean(-1, keepdim=True) + 1e-5) * weight + bias


class Apart(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(6)), nn.Parameter(torch.ones(6))

    def forward(self, x):
        return apart(x, self.weight, self.bias)


class Rms(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(6))

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))


def made(name, nodes, inputs, outputs, constants, opset, expected=None):
    if not chosen(name):
        return
    value = lambda key, shape: helper.make_tensor_value_info(key, TensorProto.FLOAT, shape)
    graph = helper.make_graph(
        nodes,
        name,
        [value(key, array.shape) for key, array in inputs.items()],
        [value(key, shape) for key, shape in outputs.items()],
        [numpy_helper.from_array(array, key) for key, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    record(name, model, inputs, expected)


def with_onnx():
    random = np.random.default_rng(11)
    draw = lambda *shape: random.standard_normal(shape).astype(np.float32)
    for rank, shape, options in [
        (4, (2, 4, 5, 6), {}),
        (3, (2, 5, 24), dict(q_num_heads=4, kv_num_heads=2)),
    ]:
        keys = (2, 2, 7, 6) if rank == 4 else (2, 7, 12)
        node = helper.make_node("Attention", ["q", "k", "v"], ["out"], name="attend", **options)
        made(f"attention_op_rank_{rank}", [node], dict(q=draw(*shape), k=draw(*keys), v=draw(*keys)),
             dict(out=shape), {}, 23)
    for name, interleaved in [("rotary_op_halves", 0), ("rotary_op_adjacent", 1)]:
        angles = np.outer(np.arange(9), [1.0, 0.1]).astype(np.float32)
        node = helper.make_node("RotaryEmbedding", ["x", "cos", "sin", "at"], ["out"], name="turn", interleaved=interleaved)
        made(name, [node], dict(x=draw(2, 3, 5, 4)), dict(out=(2, 3, 5, 4)),
             {"cos": np.cos(angles), "sin": np.sin(angles), "at": np.tile(np.arange(2, 7), (2, 1))}, 23)
    made("rms_norm_op", [helper.make_node("RMSNormalization", ["x", "norm.weight"], ["out"], name="norm", epsilon=1e-6)],
         dict(x=draw(2, 5, 6)), dict(out=(2, 5, 6)), {"norm.weight": draw(6)}, 23)
    for opset, count in [(18, 2), (21, 6)]:
        node = helper.make_node("GroupNormalization", ["x", "norm.weight", "norm.bias"], ["out"], name="norm", num_groups=2)
        x, scale, shift = draw(2, 6, 3, 4), draw(count), draw(count)
        # ONNX Runtime does not run opset 18's.
        each = lambda values: torch.from_numpy(values.repeat(6 // count))
        out = F.group_norm(torch.from_numpy(x), 2, each(scale), each(shift)).numpy()
        made(f"group_norm_opset_{opset}", [node], dict(x=x), dict(out=(2, 6, 3, 4)),
             {"norm.weight": scale, "norm.bias": shift}, opset, dict(out=out))
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["xq"], name="x_quantize"),
        helper.make_node("DequantizeLinear", ["xq", "xs", "xz"], ["xd"], name="x_dequantize"),
        helper.make_node("DequantizeLinear", ["conv.weight", "ws", "wz"], ["wd"], name="w_dequantize", axis=0),
        helper.make_node("Conv", ["xd", "wd", "conv.bias"], ["c"], name="conv", pads=[1, 1, 1, 1]),
        helper.make_node("QuantizeLinear", ["c", "cs", "cz"], ["cq"], name="c_quantize"),
        helper.make_node("DequantizeLinear", ["cq", "cs", "cz"], ["out"], name="c_dequantize"),
    ]
    weights = random.integers(-127, 128, (5, 3, 3, 3)).astype(np.int8)
    quantised = {
        "xs": np.float32(0.02), "xz": np.int8(3), "cs": np.float32(0.05), "cz": np.int8(-128),
        "conv.weight": weights, "ws": (0.001 * np.arange(1, 6)).astype(np.float32), "wz": np.zeros(5, np.int8),
        "conv.bias": draw(5),
    }
    # On the grid of its scale, so that only the output is rounded.
    grid = lambda: (random.integers(-120, 121, (1, 3, 6, 5)) * 0.02).astype(np.float32)
    made("quantised_pairs", nodes, dict(x=grid()), dict(out=(1, 5, 6, 5)), quantised, 17)
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["xq"], name="x_quantize"),
        helper.make_node("QLinearConv", ["xq", "xs", "xz", "conv.weight", "ws", "wz", "cs", "cz", "b"], ["cq"],
                         name="conv", pads=[1, 1, 1, 1]),
        helper.make_node("DequantizeLinear", ["cq", "cs", "cz"], ["out"], name="c_dequantize"),
    ]
    del quantised["conv.bias"]
    quantised["b"] = random.integers(-9000, 9000, 5).astype(np.int32)
    made("quantised_convolution", nodes, dict(x=grid()), dict(out=(1, 5, 6, 5)), quantised, 17)


def without_record():
    """Files that are refused, or need a size."""
    if not chosen("others"):
        return
    node = helper.make_node("Add", ["x", "w"], ["out"], name="add")
    value = lambda key, shape: helper.make_tensor_value_info(key, TensorProto.FLOAT, shape)
    for name, location, length, shape in [
        ("external_outside", "../onnx/export.py", 24, (2, 4, 6)),
        ("external_short", "gelu.onnx", 24, (2, 4, 6)),
        ("open_sizes", None, 24, (2, "tokens", 6)),
    ]:
        weights = numpy_helper.from_array(np.ones(6, np.float32), "w")
        if location:
            weights.ClearField("raw_data")
            weights.data_location = TensorProto.EXTERNAL
            for key, text in [("location", location), ("offset", "1000000000"), ("length", str(length))]:
                weights.external_data.add(key=key, value=text)
        graph = helper.make_graph([node], name, [value("x", shape)], [value("out", shape)], [weights])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        (FOLDER / f"{name}.onnx").write_bytes(model.SerializeToString())


def main():
    image = (1, 8, 6, 5)
    for dynamo in [False, True]:
        suffix = "_dynamo" if dynamo else ""
        options = dict(dynamo=dynamo, opset=18 if dynamo else 17)
        export("resnet" + suffix, Resnet(), (2, 8, 6, 5), (2, 6), **options)
        export("transformer" + suffix, Transformer(), (2, 8, 4, 3), (2, 7, 5), **options)
        export("attention_sdpa" + suffix, Attend(form="sdpa"), (2, 7, 12), **options)
        export("attention_merged" + suffix, Attend(form="merged"), (2, 7, 12), **options)
        export("attention_packed" + suffix, Packed(), (2, 7, 12), **options)
        export("attention_grouped" + suffix, Grouped(), (2, 7, 12), **options)
        export("attention_causal" + suffix, Masked(), (2, 7, 12), **options)
        export("rope_halves" + suffix, Rope("halves"), (2, 5, 8), **options)
        export("rope_adjacent" + suffix, Rope("adjacent"), (2, 5, 8), **options)
        export("layer_norm" + suffix, nn.LayerNorm(6), (2, 5, 6), **options)
        export("rms_norm" + suffix, Rms(), (2, 5, 6), **options)
        export("gelu" + suffix, nn.GELU(), (2, 5, 6), **options)
        export("gelu_tanh" + suffix, nn.GELU(approximate="tanh"), (2, 5, 6), **options)
        export("hard_swish" + suffix, nn.Hardswish(), image, **options)
        export("pixel_shuffle" + suffix, nn.Sequential(nn.Conv2d(8, 12, 3, padding=1), nn.PixelShuffle(2)), image, **options)
    for scale_on in ["scores", "divided", "q", "k", "both"]:
        export("attention_scale_" + scale_on, Attend(scale_on=scale_on), (2, 7, 12))
    export("layer_norm_apart", Apart(), (2, 5, 6), opset=13)
    export("layer_norm_old", nn.LayerNorm(6), (2, 5, 6), opset=13)
    export("silu_old", nn.SiLU(), image)
    export("clip", nn.ReLU6(), image)
    export("hard_sigmoid_product", Of(lambda x: x * F.hardsigmoid(x)), image)
    export("leaky_relu", nn.LeakyReLU(0.2), image)
    export("prelu", nn.PReLU(8), image)
    export("swiglu", Of(lambda x, a: (lambda h: h[..., 8:] * F.silu(h[..., :8]))(a(x)), nn.Linear(6, 16)), (2, 5, 6))
    export("batch_norm", nn.Sequential(nn.Conv2d(8, 6, 3, bias=False), nn.BatchNorm2d(6), nn.ReLU()), image)
    export("convolutions", nn.Sequential(
        nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.Conv2d(8, 12, 3, stride=2, padding=1, groups=2),
        nn.Conv2d(12, 4, 3, padding=2, dilation=2)), (1, 8, 9, 7))
    export("transposed_convolution", nn.ConvTranspose2d(8, 5, 4, stride=2, padding=1), image)
    export("sequence_convolution", nn.Conv1d(4, 6, 3, padding=1, stride=2), (2, 4, 9))
    export("pools", nn.Sequential(nn.MaxPool2d(3, 2, 1), nn.AvgPool2d(2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3)), (2, 8, 9, 7))
    export("mean_pixels", Of(lambda x, a: a(x).mean((2, 3)), nn.Conv2d(8, 4, 1)), image)
    export("resize_nearest", nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(8, 4, 3, padding=1)), image)
    export("resize_bilinear", nn.Upsample(size=(9, 13), mode="bilinear", align_corners=False), image)
    export("resize_aligned", nn.Upsample(size=(9, 13), mode="bilinear", align_corners=True), image)
    export("concat_slice_pad", Of(lambda x, y, a: F.pad(a(torch.cat([x, y], 1))[:, 1:4, 1:, :-1], (1, 2, 0, 1)), nn.Conv2d(12, 6, 1)),
           image, (1, 4, 6, 5))
    export("broadcasts", Of(lambda x, y, a: (a(x) - 2) * y / torch.tensor([1.0, 2.0, 4.0]).reshape(3, 1, 1), nn.Conv2d(8, 3, 1)), image, (3, 1, 5))
    export("left_to_tract", Of(lambda x, a: torch.exp(a(x)).cumsum(2), nn.Conv2d(8, 3, 1)), image)
    with_onnx()
    without_record()


if __name__ == "__main__":
    main()
