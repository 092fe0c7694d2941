"""One peer in a process of its own, one thread: `engine.py PEER`. Speaks as benches/peers/server.rs does.

`load SHAPE` builds the layer in every form, keeps the form that this engine runs fastest and answers with its name
(`none` where no form runs); `run` times it for about 30 ms and answers with the seconds of processor
time of each call, all of the engine's threads together.
"""
import os, pathlib, sys, tempfile, time, tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
TURN, LEAST_CALLS = 0.03, 3


def onnxruntime(model, inputs, folder):
    import numpy as np, onnxruntime as ort
    ort.set_default_logger_severity(4)
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    for name, array in inputs.items():
        binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array))
    kinds = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8, "tensor(int8)": np.int8}
    output = session.get_outputs()[0]
    binding.bind_ortvalue_output("output", ort.OrtValue.ortvalue_from_numpy(np.zeros(output.shape, kinds[output.type])))
    return lambda: session.run_with_iobinding(binding)


def openvino(model, inputs, folder):
    import openvino as ov
    core = ov.Core()
    settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    request = core.compile_model(core.read_model(model.SerializeToString()), "CPU", settings).create_infer_request()
    for name, array in inputs.items():
        request.set_tensor(name, ov.Tensor(array))
    return request.infer


def mnn(model, inputs, folder):
    import _tools, MNN
    import models
    source, target = f"{folder}/layer.onnx", f"{folder}/layer.mnn"
    models.write(model, source)
    _tools.mnnconvert(["convert", "-f", "ONNX", "--modelFile", source, "--MNNModel", target, "--bizCode", "bench"])
    interpreter = MNN.Interpreter(target)
    session = interpreter.createSession({"numThread": 1, "precision": "high", "backend": "CPU"})
    for name, array in inputs.items():
        tensor = interpreter.getSessionInput(session, name)
        tensor.copyFrom(MNN.Tensor(array.shape, MNN.Halide_Type_Float, array, MNN.Tensor_DimensionType_Caffe))
    return lambda: interpreter.runSession(session)


def loaded(peer, shape):
    """The fastest form's name and its call; what an engine cannot run is passed over."""
    import models
    best = ("none", None, float("inf"))
    for name, model in models.forms(shape):
        try:
            with tempfile.TemporaryDirectory() as folder:
                call = globals()[peer](model, models.inputs_of(model), folder)
                call()
        except Exception as error:
            print(f"{peer}, {shape['name']}, {name}: {str(error).splitlines()[0][:150]}", file=sys.stderr)
            continue
        least = min(turn(call))
        print(f"{peer}, {shape['name']}, {name}: {least * 1e3:.3f} ms", file=sys.stderr)
        if least < best[2]:
            best = (name, call, least)
    return best[:2]


def turn(call):
    times, begin = [], time.process_time()
    while len(times) < LEAST_CALLS or time.process_time() - begin < TURN:
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return times


def main():
    # The engines' own chatter must not get between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    peer, call = sys.argv[1], None
    shapes = {s["name"]: s for s in tomllib.loads((ROOT / "benches/shapes.toml").read_text())["shape"]}
    for line in sys.stdin:
        command, _, name = line.strip().partition(" ")
        if command == "load":
            form, call = loaded(peer, shapes[name])
            print(form, file=answers, flush=True)
        else:
            print(" ".join(map(str, turn(call))) if call else "none", file=answers, flush=True)


main()
