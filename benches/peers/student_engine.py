"""One peer with one workload in a process of its own: `student_engine.py PEER PRECISION MODEL SAMPLES THREADS`.

`student_engine.py --prepare PEER PRECISION MODEL SAMPLES` converts or quantizes beforehand, with the peer's own tools, into the
folder of the model; what is there already is kept.

Reads lines on standard input: `run` does one step and answers with its seconds, on the wall and of all threads' processor time; `memory` answers with the peak of
private memory and with what files take, in MB; `output FILE` writes the first output as `.npy`; `quit`. The first line that it says by
itself is `ready`, with the seconds from opening the model until the first step could begin, and those of the first step. Inputs are the middle sample's.
"""
import os, pathlib, re, subprocess, sys, time

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "workloads"))
import graph as graphs


def sample_files(folder):
    files = sorted(pathlib.Path(folder).glob("*.safetensors"))
    if not files:
        raise SystemExit(f"no samples (*.safetensors) in {folder}")
    return files


def inputs_of(model_path, samples):
    """The middle sample's arrays, in the order of the model's inputs."""
    import onnx
    files = sample_files(samples)
    arrays = graphs.read_safetensors(files[len(files) // 2])
    return {one.name: arrays[one.name] for one in onnx.load(model_path, load_external_data=False).graph.input}


def beside(model, ending):
    return model.with_name(f"{model.stem}{ending}")


# ONNX Runtime: static QDQ by its own quantizer, weights signed with a step for each channel, activations unsigned, of every layer
# with weights.

def prepare_onnxruntime(precision, model, samples):
    if precision == "f32":
        return
    target = beside(model, f".{precision}.onnx")
    if target.exists():
        return
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.left = [graphs.read_safetensors(path) for path in sample_files(samples)[:2]]

        def get_next(self):
            return self.left.pop() if self.left else None

    bare = onnx.load(model, load_external_data=False)
    weights = {one.name for one in bare.graph.initializer}
    kept = [node.name for node in bare.graph.node
            if node.op_type == "MatMul" and node.input[1] not in weights]
    external = beside(model, ".onnx.data").exists()
    prepared, part = beside(model, ".prepared.onnx"), beside(model, f".{precision}.part.onnx")
    # Its symbolic shape inference fails on graphs with external weights of this size; the optimizer's shapes do.
    quant_pre_process(str(model), str(prepared), skip_symbolic_shape=True, save_as_external_data=external,
                      external_data_location=f"{prepared.name}.data" if external else None, all_tensors_to_one_file=True)
    quantize_static(str(prepared), str(part), Reader(), quant_format=QuantFormat.QDQ, activation_type=QuantType.QUInt8,
                    weight_type=QuantType.QInt8, per_channel=True, op_types_to_quantize=["Conv", "MatMul", "Gemm"],
                    nodes_to_exclude=kept, use_external_data_format=False)
    part.rename(target)
    for left in (prepared, prepared.with_name(f"{prepared.name}.data")):
        left.unlink(missing_ok=True)


def onnxruntime(precision, model, inputs, threads):
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    # Threads stop when a run ends, so that waiting ones do not take time from whoever's turn it is.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    path = model if precision == "f32" else beside(model, f".{precision}.onnx")
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    for name, array in inputs.items():
        binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array))
    for output in session.get_outputs():
        binding.bind_output(output.name, "cpu")
    return lambda: session.run_with_iobinding(binding), lambda: binding.copy_outputs_to_cpu()[0]


# OpenVINO: `bf16` is what its plugin takes by itself where the processor has it; int8 comes from its own quantizer (NNCF).

def prepare_openvino(precision, model, samples):
    if not precision.startswith("int8") or beside(model, ".nncf.xml").exists():
        return
    import nncf, openvino as ov
    network = ov.Core().read_model(str(model))
    files = sample_files(samples)
    dataset = nncf.Dataset([graphs.read_safetensors(path) for path in files[:2]])
    transformer = any("attentions" in operation.get_friendly_name() for operation in network.get_ops())
    quantized = nncf.quantize(network, dataset, preset=nncf.QuantizationPreset.MIXED, subset_size=len(files[:2]),
                              target_device=nncf.TargetDevice.CPU, fast_bias_correction=True,
                              model_type=nncf.ModelType.TRANSFORMER if transformer else None)
    ov.save_model(quantized, str(beside(model, ".part.xml")), compress_to_fp16=False)
    beside(model, ".part.bin").rename(beside(model, ".nncf.bin"))
    beside(model, ".part.xml").rename(beside(model, ".nncf.xml"))


def openvino(precision, model, inputs, threads):
    import openvino as ov
    core = ov.Core()
    kind, _, rest = precision.partition("-")
    settings = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_PRECISION_HINT": (rest or "f32") if kind == "int8" else kind}
    path = beside(model, ".nncf.xml") if kind == "int8" else model
    request = core.compile_model(str(path), "CPU", settings).create_infer_request()
    for name, array in inputs.items():
        request.set_tensor(name, ov.Tensor(np.ascontiguousarray(array)))
    return request.infer, lambda: request.get_output_tensor(0).data


# MNN: `int8` has weights of 8 bits and quantizes activations as it goes; `bf16` is its precision `low` where the wheel has it.

def prepare_mnn(precision, model, samples):
    target = beside(model, ".int8.mnn" if precision == "int8" else ".mnn")
    if target.exists():
        return
    import _tools
    part = beside(model, ".part.mnn")
    bits = ["--weightQuantBits", "8"] if precision == "int8" else []
    _tools.mnnconvert(["convert", "-f", "ONNX", "--modelFile", str(model), "--MNNModel", str(part), "--bizCode", "bench", *bits])
    part.rename(target)


def mnn(precision, model, inputs, threads):
    import MNN
    interpreter = MNN.Interpreter(str(beside(model, ".int8.mnn" if precision == "int8" else ".mnn")))
    session = interpreter.createSession({"numThread": threads, "backend": "CPU", "precision": "low" if precision == "bf16" else "high",
                                         "memory": "low" if precision == "int8" else "normal"})
    given = []
    for name, array in inputs.items():
        kind = MNN.Halide_Type_Int if array.dtype == np.int64 else MNN.Halide_Type_Float
        array = array.astype(np.int32) if array.dtype == np.int64 else array
        given.append((interpreter.getSessionInput(session, name), MNN.Tensor(array.shape, kind, array, MNN.Tensor_DimensionType_Caffe), array))

    def run():
        # A run may overwrite its inputs.
        for tensor, host, _ in given:
            tensor.copyFrom(host)
        interpreter.runSession(session)

    def output():
        tensor = next(iter(interpreter.getSessionOutputAll(session).values()))
        shape = tensor.getShape()
        host = MNN.Tensor(shape, MNN.Halide_Type_Float, np.zeros(shape, np.float32), MNN.Tensor_DimensionType_Caffe)
        tensor.copyToHostTensor(host)
        return np.array(host.getNumpyData()).reshape(shape)
    return run, output


# ncnn, by way of pnnx; its wheel has no quantizer. `bf16` stores activations so.

def prepare_ncnn(precision, model, samples):
    if beside(model, ".ncnn.bin").exists():
        return
    import importlib.util
    # The package's own entry needs PyTorch; the program in it does not.
    program = pathlib.Path(importlib.util.find_spec("pnnx").submodule_search_locations[0]) / "pnnx"
    folder = model.parent / f".pnnx-{os.getpid()}"
    folder.mkdir()
    kinds = {"float32": "f32", "int64": "i64"}
    shapes = ",".join(f"{list(array.shape)}{kinds[str(array.dtype)]}".replace(" ", "") for array in inputs_of(model, samples).values())
    for link in (model, beside(model, ".onnx.data")):
        if link.exists():
            (folder / link.name).symlink_to(link.resolve())
    try:
        subprocess.run([program, model.name, f"inputshape={shapes}", "fp16=0"], cwd=folder, check=True, stdout=sys.stderr)
        # A conversion of the timestep to float, which ncnn does not have; it is given as float.
        param = folder / f"{model.stem}.ncnn.param"
        param.write_text(re.sub(r"(?m)^Tensor\.to ( *\S+ +1 1 \S+ \S+).*$", r"Noop      \1", param.read_text()))
        param.rename(beside(model, ".ncnn.param"))
        (folder / f"{model.stem}.ncnn.bin").rename(beside(model, ".ncnn.bin"))
    finally:
        for left in folder.iterdir():
            left.unlink()
        folder.rmdir()


def ncnn(precision, model, inputs, threads):
    import ncnn
    net = ncnn.Net()
    net.opt.num_threads = threads
    net.opt.openmp_blocktime = 0
    net.opt.use_bf16_storage = precision == "bf16"
    net.load_param(str(beside(model, ".ncnn.param")))
    net.load_model(str(beside(model, ".ncnn.bin")))
    mats = []
    for array in inputs.values():
        array = array.astype(np.float32)
        mats.append(ncnn.Mat(array[0] if array.ndim > 1 else array).clone())
    last = []

    def run():
        with net.create_extractor() as extractor:
            for number, mat in enumerate(mats):
                extractor.input(f"in{number}", mat)
            code, out = extractor.extract("out0")
            if code != 0:
                raise RuntimeError(f"ncnn answered {code}")
            last[:] = [out]
    return run, lambda: np.array(last[0])


PEERS = {"onnxruntime": (prepare_onnxruntime, onnxruntime), "openvino": (prepare_openvino, openvino),
         "mnn": (prepare_mnn, mnn), "ncnn": (prepare_ncnn, ncnn)}


def status(*names):
    lines = dict(line.split(":", 1) for line in pathlib.Path("/proc/self/status").read_text().splitlines())
    return [int(lines[name].split()[0]) / 1024 for name in names]


class Memory:
    """The peak of private memory, as a thread sees it: the system keeps one of all memory only."""

    def __init__(self):
        import threading
        self.peak, self.over = 0.0, threading.Event()
        threading.Thread(target=self.watch, daemon=True).start()

    def watch(self):
        while not self.over.wait(0.02):
            self.peak = max(self.peak, status("RssAnon")[0])


def main():
    if sys.argv[1] == "--prepare":
        peer, precision, model, samples = sys.argv[2:]
        return PEERS[peer][0](precision, pathlib.Path(model), samples)
    # The engines' own chatter must not get between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    peer, precision, model, samples, threads = sys.argv[1:]
    model = pathlib.Path(model)
    inputs = inputs_of(model, samples)
    memory = Memory()
    begin = time.perf_counter()
    run, output = PEERS[peer][1](precision, model, inputs, int(threads))
    loaded = time.perf_counter()
    run()
    print("ready", loaded - begin, time.perf_counter() - loaded, file=answers, flush=True)
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        if command == "run":
            begin = time.perf_counter(), time.process_time()
            run()
            print(time.perf_counter() - begin[0], time.process_time() - begin[1], file=answers, flush=True)
        elif command == "memory":
            print(memory.peak, status("RssFile")[0], file=answers, flush=True)
        elif command == "output":
            np.save(argument, output())
            print("written", file=answers, flush=True)
        elif command == "quit":
            # Some engines crash as they are taken down.
            answers.flush()
            os._exit(0)


main()
