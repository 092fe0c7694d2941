"""TAEF2, a tiny autoencoder, as ONNX: image [1, 3, 384, 512] in 0..1 <-> latent [1, 32, 48, 64].

`taef2.py FOLDER [--weights FOLDER] [--samples FOLDER --photos FOLDER]` writes `taef2_decoder.onnx` and `taef2_encoder.onnx`, and for
calibration the photos and their latents. Weights: `taef2_decoder.safetensors` and `taef2_encoder.safetensors` in `--weights`, else in
VITRINE_WEIGHTS. `--check` compares ONNX Runtime's results with the stored ones in `taef2_io.safetensors`.
"""
import argparse, os, pathlib, sys

import numpy as np
import onnx
from onnx import TensorProto

import graph as graphs

HEIGHT, WIDTH, LATENT_CHANNELS, CHANNELS, POOL_CHANNELS, POOL_GROUPS = 384, 512, 32, 64, 256, 4
# Layers in the order of the checkpoints' numbers; `None` has no weights.
DECODER = [None, "conv", None, *["block"] * 3, None, "conv", *["block"] * 3, None, "conv", *["block"] * 3, None, "conv", "block", "conv"]
ENCODER = ["conv", "block", *(["down"] + ["block"] * 3) * 3, "conv"]
UPSAMPLINGS, ACTIVATION = (6, 11, 16), 2


class Network:
    def __init__(self, tensors):
        self.tensors = {name: value.astype(np.float32) for name, value in tensors.items()}
        self.graph = graphs.Graph()

    def weight(self, name):
        return self.graph.initializer(name, self.tensors[name])

    def conv(self, scope, value, stride=1):
        name = scope[1:].replace("/", ".")
        kernel = self.tensors[f"{name}.weight"].shape[2]
        inputs = [value, self.weight(f"{name}.weight")]
        if f"{name}.bias" in self.tensors:
            inputs.append(self.weight(f"{name}.bias"))
        return self.graph.node(scope, "Conv", *inputs, dilations=[1, 1], group=1, kernel_shape=[kernel, kernel],
                               pads=[kernel // 2] * 4, strides=[stride, stride])

    def group_norm(self, scope, value):
        graph, name = self.graph, scope[1:].replace("/", ".")
        grouped = graph.node(scope, "Reshape", value, graph.constant(scope, np.array([0, POOL_GROUPS, -1])), allowzero=0)
        ones = graph.constant(scope, np.ones(POOL_GROUPS, np.float32))
        zeros = graph.constant(scope, np.zeros(POOL_GROUPS, np.float32))
        normal = graph.node(scope, "InstanceNormalization", grouped, ones, zeros, epsilon=1e-5)
        normal = graph.node(scope, "Reshape", normal, graph.node(scope, "Shape", value), allowzero=0)
        for operator, part in (("Mul", "weight"), ("Add", "bias")):
            folded = graph.initializer(f"onnx::{operator}_{name}.{part}", self.tensors[f"{name}.{part}"].reshape(POOL_CHANNELS, 1, 1))
            normal = graph.node(scope, operator, normal, folded)
        return normal

    def block(self, scope, value):
        graph = self.graph
        if f"{scope[1:]}.pool.0.weight" in self.tensors:
            pooled = self.group_norm(f"{scope}/pool/1", self.conv(f"{scope}/pool/0", value))
            pooled = graph.node(f"{scope}/pool/2", "Relu", pooled)
            value = graph.node(scope, "Add", value, self.conv(f"{scope}/pool/3", pooled))
        hidden = value
        for layer in range(0, 5, 2):
            hidden = self.conv(f"{scope}/conv/{layer}", hidden)
            if layer < 4:
                hidden = graph.node(f"{scope}/conv/{layer + 1}", "Relu", hidden)
        return graph.node(f"{scope}/fuse", "Relu", graph.node(scope, "Add", hidden, value))

    def decoder(self, height, width):
        graph = self.graph
        value = graph.node("/0", "Tanh", graph.node("/0", "Div", "latent", graph.constant("/0", np.float32(3))))
        value = graph.node("/0", "Mul", value, graph.constant("/0", np.float32(3)))
        for number, layer in enumerate(DECODER):
            scope = f"/{number}"
            if layer == "conv":
                value = self.conv(scope, value)
            elif layer == "block":
                value = self.block(scope, value)
            elif number == ACTIVATION:
                value = graph.node(scope, "Relu", value)
            elif number in UPSAMPLINGS:
                scales = graph.constant(scope, np.array([1, 1, 2, 2], np.float32))
                value = graph.node(scope, "Resize", value, "", scales, cubic_coeff_a=-0.75, mode="nearest",
                                   coordinate_transformation_mode="asymmetric", nearest_mode="floor")
        return graph.model([("latent", TensorProto.FLOAT, [1, LATENT_CHANNELS, height // 8, width // 8])],
                           [("image", value, [1, 3, height, width])])

    def encoder(self, height, width):
        value = "image"
        for number, layer in enumerate(ENCODER):
            scope = f"/{number}"
            value = self.block(scope, value) if layer == "block" else self.conv(scope, value, stride=2 if layer == "down" else 1)
        return self.graph.model([("image", TensorProto.FLOAT, [1, 3, height, width])],
                                [("latent", value, [1, LATENT_CHANNELS, height // 8, width // 8])])


def models(weights, height=HEIGHT, width=WIDTH):
    """Decoder and encoder for images of a size."""
    networks = (Network(graphs.read_safetensors(weights / f"taef2_{name}.safetensors")) for name in ("decoder", "encoder"))
    decoder, encoder = networks
    return decoder.decoder(height, width), encoder.encoder(height, width)


def session(model):
    import onnxruntime
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def check(weights):
    stored = graphs.read_safetensors(weights / "taef2_io.safetensors")
    decoder, encoder = models(weights, *stored["image"].shape[2:])
    for model, given, wanted in ((encoder, "image", "latent"), (decoder, "latent", "reconstruction")):
        onnx.checker.check_model(model, full_check=True)
        difference = float(np.abs(session(model).run(None, {given: stored[given]})[0] - stored[wanted]).max())
        print(f"largest difference of the {wanted} from the stored one: {difference:.2e}")
        if not difference < 1e-4:
            raise SystemExit("the graph does not compute what the stored outputs say")


def photos(folder):
    """The photos of a folder as [1, 3, 384, 512] in 0..1: as wide as fits, the middle of the height."""
    from PIL import Image
    for path in sorted(pathlib.Path(folder).iterdir()):
        if path.suffix in (".jpg", ".jpeg", ".png"):
            picture = Image.open(path).convert("RGB")
            scale = max(WIDTH / picture.width, HEIGHT / picture.height)
            picture = picture.resize((max(WIDTH, round(picture.width * scale)), max(HEIGHT, round(picture.height * scale))),
                                     Image.Resampling.LANCZOS)
            left, top = (picture.width - WIDTH) // 2, (picture.height - HEIGHT) // 2
            # Two cuts of a tall photo: its top, where the face is, and its middle.
            for name, top in {"top": 0, "middle": top}.items() if top else {"middle": 0}.items():
                cut = np.asarray(picture.crop((left, top, left + WIDTH, top + HEIGHT)), np.float32) / 255
                yield f"{path.stem}-{name}", np.ascontiguousarray(cut.transpose(2, 0, 1)[None])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", help="where the models are written")
    parser.add_argument("--weights", default=os.environ.get("VITRINE_WEIGHTS"), help="a folder with taef2_*.safetensors")
    parser.add_argument("--samples", metavar="FOLDER", help="where calibration samples are written, for each model a folder")
    parser.add_argument("--photos", metavar="FOLDER", help="photos that samples are made of")
    parser.add_argument("--check", action="store_true", help="compare with stored results")
    options = parser.parse_args()
    if not options.weights or not (pathlib.Path(options.weights) / "taef2_decoder.safetensors").exists():
        raise SystemExit("no weights: give --weights FOLDER or set VITRINE_WEIGHTS to a folder with taef2_decoder.safetensors")
    if options.samples and not options.photos:
        parser.error("--samples needs --photos")
    weights = pathlib.Path(options.weights)
    if options.check:
        check(weights)
    decoder, encoder = models(weights)
    if options.folder:
        for name, model in (("taef2_decoder", decoder), ("taef2_encoder", encoder)):
            macs = graphs.multiplications(model)
            print(f"{name}: {sum(macs.values()) / 1e9:.1f} GMAC: " + ", ".join(f"{kind} {count / 1e9:.2f}" for kind, count in macs.items()))
            graphs.save(model, pathlib.Path(options.folder) / f"{name}.onnx")
    if options.samples:
        encode = session(encoder)
        for name, image in photos(options.photos):
            latent = encode.run(None, {"image": image})[0]
            samples = pathlib.Path(options.samples)
            graphs.write_safetensors(samples / "taef2_encoder" / f"{name}.safetensors", {"image": image})
            graphs.write_safetensors(samples / "taef2_decoder" / f"{name}.safetensors", {"latent": latent})


if __name__ == "__main__":
    sys.exit(main())
