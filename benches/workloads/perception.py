"""The perception nets as ONNX, for other engines: `blazepose.onnx` and `selfie.onnx` from MediaPipe's TensorFlow Lite files.

`perception.py FOLDER --models FOLDER [--samples FOLDER]` reads `pose_landmark_full.tflite` and `selfie_segmentation.tflite` and, for
calibration and comparison, the photos in `samples/`: each photo as a whole in a square, and the square around the person that
BlazePose itself finds in it. Images stay [1, 256, 256, 3] in 0..1 at the edges, inside they are channels first.
"""
import argparse, pathlib, struct, sys

import numpy as np
import onnx
import tflite
from onnx import TensorProto

import graph as graphs

NETS = {"blazepose": "pose_landmark_full.tflite", "selfie": "selfie_segmentation.tflite"}
SIZE = 256
OPERATORS = {value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}
ELEMENTS = {0: np.float32, 1: np.float16, 2: np.int32, 4: np.int64, 9: np.int8}
# Landmarks of BlazePose, five values each: the hips' middle, and a point on the circle around the whole body.
MIDDLE, CIRCLE, MARGIN = 33, 34, 1.25


def options(operator, kind):
    table = kind()
    table.Init(operator.BuiltinOptions().Bytes, operator.BuiltinOptions().Pos)
    return table


class Converted:
    """A TensorFlow Lite graph, operator by operator; a value is kept channels last, channels first, or both."""

    def __init__(self, path):
        self.graph, self.last, self.first, self.constants = graphs.Graph(), {}, {}, {}
        model = tflite.Model.GetRootAsModel(pathlib.Path(path).read_bytes(), 0)
        self.net = model.Subgraphs(0)
        self.tensors = [self.net.Tensors(index) for index in range(self.net.TensorsLength())]
        for index, tensor in enumerate(self.tensors):
            buffer = model.Buffers(tensor.Buffer())
            if buffer.DataLength():
                if tensor.Sparsity():
                    raise ValueError(f"{path}: sparse weights are not supported")
                array = np.frombuffer(buffer.DataAsNumpy().tobytes(), ELEMENTS[tensor.Type()])
                self.constants[index] = array.reshape(self.shape(index) if tensor.ShapeLength() else [])
        for index in self.net.InputsAsNumpy():
            self.last[int(index)] = self.name(index)
        for index in range(self.net.OperatorsLength()):
            operator = self.net.Operators(index)
            code = model.OperatorCodes(operator.OpcodeIndex())
            number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
            kind = OPERATORS[number] if number != tflite.BuiltinOperator.CUSTOM else code.CustomCode().decode()
            inputs = [int(one) for one in operator.InputsAsNumpy()]
            self.scope, self.out = f"/{index}", int(operator.OutputsAsNumpy()[0])
            if kind == "DEQUANTIZE" and inputs[0] in self.constants:
                self.constants[self.out] = self.constants[inputs[0]].astype(np.float32)
                continue
            converter = getattr(self, kind.lower(), None)
            if converter is None:
                raise ValueError(f"{path}: operator {kind} is not supported")
            converter(operator, *inputs)

    def model(self):
        outputs = [(self.name(index), self.rows(int(index)), self.shape(index)) for index in self.net.OutputsAsNumpy()]
        inputs = [(self.name(index), TensorProto.FLOAT, self.shape(index)) for index in self.net.InputsAsNumpy()]
        return self.graph.model(inputs, outputs)

    def name(self, index):
        return self.tensors[index].Name().decode()

    def shape(self, index):
        return self.tensors[index].ShapeAsNumpy().tolist()

    def node(self, operator, *inputs, **attributes):
        return self.graph.node(self.scope, operator, *inputs, **attributes)

    def weight(self, value, part):
        return self.graph.initializer(f"{self.scope[1:]}.{part}", value)

    def rows(self, index):
        """Channels last, or not an image."""
        if index not in self.last:
            self.last[index] = self.node("Transpose", self.first[index], perm=[0, 2, 3, 1])
        return self.last[index]

    def planes(self, index):
        """Channels first."""
        if index not in self.first:
            self.first[index] = self.node("Transpose", self.last[index], perm=[0, 3, 1, 2])
        return self.first[index]

    def activated(self, value, activation):
        if activation == tflite.ActivationFunctionType.NONE:
            return value
        if activation == tflite.ActivationFunctionType.RELU:
            return self.node("Relu", value)
        if activation == tflite.ActivationFunctionType.RELU6:
            return self.node("Clip", value, self.weight(np.float32(0), "least"), self.weight(np.float32(6), "most"))
        raise ValueError(f"operator {self.scope}: activation {activation} is not supported")

    def padding(self, settings, source, kernel, strides, dilations=(1, 1)):
        if settings.Padding() == tflite.Padding.VALID:
            return [0, 0, 0, 0]
        missing = [max((-(-size // stride) - 1) * stride + (taps - 1) * dilation + 1 - size, 0)
                   for size, taps, stride, dilation in zip(self.shape(source)[1:3], kernel, strides, dilations)]
        return [one // 2 for one in missing] + [one - one // 2 for one in missing]

    def convolution(self, settings, axes, groups, source, weight, bias):
        weight = self.constants[weight].astype(np.float32).transpose(axes)
        kernel, strides = weight.shape[2:], [settings.StrideH(), settings.StrideW()]
        dilations = [settings.DilationHFactor(), settings.DilationWFactor()]
        value = self.node("Conv", self.planes(source), self.weight(weight, "weight"),
                          self.weight(self.constants[bias].astype(np.float32), "bias"), kernel_shape=list(kernel), strides=strides,
                          dilations=dilations, group=groups, pads=self.padding(settings, source, kernel, strides, dilations))
        self.first[self.out] = self.activated(value, settings.FusedActivationFunction())

    def conv_2d(self, operator, source, weight, bias):
        self.convolution(options(operator, tflite.Conv2DOptions), (0, 3, 1, 2), 1, source, weight, bias)

    def depthwise_conv_2d(self, operator, source, weight, bias):
        self.convolution(options(operator, tflite.DepthwiseConv2DOptions), (3, 0, 1, 2), self.shape(source)[3], source, weight, bias)

    def convolution2dtransposebias(self, operator, source, weight, bias):
        """MediaPipe's own: padding and strides in the first twelve bytes of its options."""
        weight = self.constants[weight].astype(np.float32).transpose(3, 0, 1, 2)
        _, across, down = struct.unpack("<iii", operator.CustomOptionsAsNumpy().tobytes()[:12])
        kernel, strides = weight.shape[2:], [down, across]
        cut = [max((size - 1) * stride + taps - wanted, 0) for size, stride, taps, wanted
               in zip(self.shape(source)[1:3], strides, kernel, self.shape(self.out)[1:3])]
        self.first[self.out] = self.node(
            "ConvTranspose", self.planes(source), self.weight(weight, "weight"),
            self.weight(self.constants[bias].astype(np.float32), "bias"), kernel_shape=list(kernel), strides=strides,
            pads=[one // 2 for one in cut] + [one - one // 2 for one in cut])

    def elementwise(self, operator, kind, left, right):
        self.first[self.out] = self.activated(self.node(kind, self.planes(left), self.planes(right)),
                                              operator.FusedActivationFunction())

    def add(self, operator, left, right):
        self.elementwise(options(operator, tflite.AddOptions), "Add", left, right)

    def mul(self, operator, left, right):
        self.elementwise(options(operator, tflite.MulOptions), "Mul", left, right)

    def of_each(self, kind, source):
        # Where the value is: what follows global pooling or a reshape is no image.
        values, form = (self.first, self.planes) if source in self.first else (self.last, self.rows)
        values[self.out] = self.node(kind, form(source))

    def relu(self, operator, source):
        self.of_each("Relu", source)

    def logistic(self, operator, source):
        self.of_each("Sigmoid", source)

    def hard_swish(self, operator, source):
        self.of_each("HardSwish", source)

    def pool(self, operator, kind, source):
        settings = options(operator, tflite.Pool2DOptions)
        window, strides = [settings.FilterHeight(), settings.FilterWidth()], [settings.StrideH(), settings.StrideW()]
        self.first[self.out] = self.node(kind, self.planes(source), kernel_shape=window, strides=strides,
                                         pads=self.padding(settings, source, window, strides))

    def max_pool_2d(self, operator, source):
        self.pool(operator, "MaxPool", source)

    def average_pool_2d(self, operator, source):
        self.pool(operator, "AveragePool", source)

    def pad(self, operator, source, widths):
        widths = self.constants[widths].astype(np.int64)[[0, 3, 1, 2]]
        self.first[self.out] = self.node("Pad", self.planes(source), self.weight(widths.T.reshape(-1), "widths"))

    def resize_bilinear(self, operator, source, size):
        settings = options(operator, tflite.ResizeBilinearOptions)
        mode = "align_corners" if settings.AlignCorners() else "half_pixel" if settings.HalfPixelCenters() else "asymmetric"
        batch, height, width, channels = self.shape(self.out)
        wanted = self.weight(np.array([batch, channels, height, width]), "shape")
        self.first[self.out] = self.node("Resize", self.planes(source), "", "", wanted, mode="linear",
                                         coordinate_transformation_mode=mode)

    def reshape(self, operator, source, *shape):
        self.last[self.out] = self.node("Reshape", self.rows(source), self.weight(np.array(self.shape(self.out)), "shape"))


def session(model):
    import onnxruntime
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def square(picture, left, top, side):
    """A square of a picture, resized, black outside; [1, 256, 256, 3] in 0..1."""
    from PIL import Image
    box = (left, top, left + side, top + side)
    cut = picture.crop(tuple(round(one) for one in box)).resize((SIZE, SIZE), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return (np.asarray(cut, np.float32) / 255)[None]


def crops(folder, blazepose):
    """Of each photo the whole and the square around the person that is found in it."""
    from PIL import Image
    landmarks = session(blazepose)
    source = blazepose.graph.input[0].name
    for path in sorted(pathlib.Path(folder).iterdir()):
        if path.suffix not in (".jpg", ".jpeg", ".png"):
            continue
        picture = Image.open(path).convert("RGB")
        side = max(picture.size)
        left, top = (picture.width - side) / 2, (picture.height - side) / 2
        for name in ("whole", "person"):
            image = square(picture, left, top, side)
            yield f"{path.stem}-{name}", image
            found = landmarks.run([blazepose.graph.output[0].name], {source: image})[0].reshape(-1, 5)[:, :2] / SIZE * side
            (x, y), around = found[MIDDLE], found[CIRCLE]
            radius = float(np.hypot(*(around - found[MIDDLE]))) * MARGIN
            left, top, side = left + float(x) - radius, top + float(y) - radius, 2 * radius


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="where the models are written")
    parser.add_argument("--models", required=True, help="a folder with " + " and ".join(NETS.values()))
    parser.add_argument("--samples", metavar="FOLDER", help="where samples are written, for each model a folder")
    parser.add_argument("--photos", metavar="FOLDER", help="photos that samples are made of; `samples` in --models")
    options = parser.parse_args()
    models = {}
    for name, file in NETS.items():
        path = pathlib.Path(options.models) / file
        if not path.exists():
            raise SystemExit(f"no {path}: run `vitrine models fetch --samples`, then try again")
        models[name] = Converted(path).model()
        onnx.checker.check_model(models[name], full_check=True)
        graphs.save(models[name], pathlib.Path(options.folder) / f"{name}.onnx")
    if options.samples:
        photos = options.photos or pathlib.Path(options.models) / "samples"
        for name, image in crops(photos, models["blazepose"]):
            for net, model in models.items():
                graphs.write_safetensors(pathlib.Path(options.samples) / net / f"{name}.safetensors",
                                         {model.graph.input[0].name: image})


if __name__ == "__main__":
    sys.exit(main())
