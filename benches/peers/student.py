"""Times whole networks, this project's bundles and other engines in turns, and compares with the bars.

Each contender is a process of its own. In each round everybody does one step, in an order that rotates, so that what else the
machine does slows all of them. A peer counts with its fastest precision. All engines at once would not fit into the memory of a
usual machine: after a heat of HEATS steps each, alone, the KEPT fastest take part. `make bench-student` runs this.
"""
import argparse, json, os, pathlib, platform, statistics, subprocess, sys, tempfile, time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benches/workloads"))
import graph as graphs

PRECISIONS = {"onnxruntime": ("f32", "int8"), "openvino": ("f32", "bf16", "int8", "int8-bf16"), "mnn": ("f32", "int8"), "ncnn": ("f32", "bf16")}
# `model` names the ONNX file, `options` are those of vitrine-quantize, `bar` is the most that ours may take of the best peer's time,
# `against` the peers' precisions that count.
WORKLOADS = {
    "litemp": dict(model="litemp", threads=2, rounds=7, bar=0.75, options=["--licence", "seeded random numbers"]),
    "litemp-float": dict(model="litemp", threads=2, rounds=7, bar=0.95, against="f32",
                         options=["--keep-f16", "*", "--licence", "seeded random numbers"]),
    "taef2": dict(model="taef2_decoder", threads=2, rounds=21, bar=0.9, options=["--licence", "MIT"]),
    # As the product runs it: in floats. In int8 its points are off by more than the bar allows.
    "blazepose": dict(model="blazepose", threads=1, rounds=101, bar=0.8, against="f32",
                      options=["--keep-f16", "*", "--licence", "Apache-2.0"]),
    "blazepose-int8": dict(model="blazepose", threads=1, rounds=101, bar=None, options=["--licence", "Apache-2.0"]),
    "selfie": dict(model="selfie", threads=1, rounds=101, bar=None, options=["--licence", "Apache-2.0"]),
}
LOADS, CGROUP_BYTES, REGION = 5, 512 << 20, 64
HEATS, KEPT = 3, 4
# Of BlazePose's 39 points, those that are landmarks of the body; the grid is the crop's.
LANDMARKS, GRID = 33, 256
PAUSE = 0.05


class Contender:
    """A process that says `ready`, its seconds to load and those of its first step, and then answers a line with a line."""

    def __init__(self, name, command, log, **process):
        self.name, self.times, self.used = name, [], []
        self.log = open(log, "w")
        self.process = subprocess.Popen(list(map(str, command)), text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.log, **process)
        word, *seconds = self.process.stdout.readline().split() or [""]
        self.ready = word == "ready"
        self.load, self.first = map(float, seconds) if self.ready else (None, None)

    def ask(self, line):
        try:
            print(line, file=self.process.stdin, flush=True)
        except BrokenPipeError:
            return ""
        return self.process.stdout.readline().strip()

    def turn(self):
        answer = self.ask("run").split()
        if len(answer) != 2:
            self.end()
            raise RuntimeError(f"{self.name} ended with {self.process.returncode}: see {self.log.name}")
        self.times.append(float(answer[0]))
        self.used.append(float(answer[1]))

    def memory(self):
        private, mapped = map(float, self.ask("memory").split())
        return {"private_peak_mb": round(private, 1), "mapped_mb": round(mapped, 1)}

    def end(self):
        try:
            self.process.communicate("quit\n", timeout=20)
        except (subprocess.TimeoutExpired, BrokenPipeError, ValueError):
            self.process.kill()
            self.process.wait()
        self.log.close()

    def summary(self, threads):
        """Seconds; `processor_s` is the processor time of all threads over their number: the step's time were the machine idle."""
        return {"median_s": statistics.median(self.times), "min_s": min(self.times), "rounds": len(self.times),
                "processor_s": statistics.median(self.used) / threads, "load_s": self.load, "first_step_s": self.first}


class Ours:
    """A bundle and the program that runs it."""

    def __init__(self, server, bundle):
        self.server, self.bundle = server, bundle
        # The file's name is the net's, unless it is told otherwise.
        self.net = bundle.stem
        lines = subprocess.run([server, bundle, self.net, "--ports"], check=True, text=True, capture_output=True).stdout.split("\n")
        ports = [line.split(" ") for line in lines if line]
        self.inputs, self.outputs = ({name: list(map(int, filter(None, shape.split(",")))) for kind, name, shape in ports if kind == wanted}
                                     for wanted in ("input", "output"))

    def write_inputs(self, folder, arrays):
        for name, shape in self.inputs.items():
            array = np.asarray(arrays[name], np.float32)
            if list(array.shape) != shape and array.ndim == 4:
                array = array.transpose(0, 2, 3, 1)
            if array.size != np.prod(shape):
                raise SystemExit(f"input {name}: the bundle wants {shape}, the sample has {array.shape}")
            (pathlib.Path(folder) / f"{name}.f32").write_bytes(np.ascontiguousarray(array, "<f4").tobytes())

    def start(self, folder, threads, log, **process):
        return Contender("vitrine", [self.server, self.bundle, self.net, folder, threads], log, **process)

    def run(self, arrays, wanted):
        """Outputs for a sample, as arrays of the shapes wanted."""
        with tempfile.TemporaryDirectory() as folder:
            self.write_inputs(folder, arrays)
            contender = self.start(folder, 2, os.devnull)
            contender.ask(f"output {folder}")
            contender.end()
            results = {}
            for name, shape in wanted.items():
                array = np.fromfile(pathlib.Path(folder) / f"{name}.f32", "<f4").reshape(self.outputs[name])
                if list(array.shape) != list(shape) and array.ndim == 4:
                    array = array.transpose(0, 3, 1, 2)
                results[name] = array.reshape(shape)
            return results


def engine(*words):
    return [sys.executable, ROOT / "benches/peers/student_engine.py", *words]


def precisions(peer):
    flags = pathlib.Path("/proc/cpuinfo").read_text()
    has_bf16 = "avx512_bf16" in flags or "amx_bf16" in flags
    return [one for one in PRECISIONS[peer] if has_bf16 or "bf16" not in one]


def processor():
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    of = lambda key: next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "unknown")
    sets = [one for one in of("flags").split() if one in ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")]
    return {"processor": of("model name"), "family": of("cpu family"), "model": of("model\t"), "cores": os.cpu_count(),
            "instructions": sets, "system": platform.platform()}


def bundled(options, name, workload):
    """The quantized bundle, made where it is missing or older than the network; and the command."""
    model, bundle = options.files / f"{workload['model']}.onnx", options.files / f"{name}.vit"
    command = [options.quantize, model, "--samples", options.files / "samples" / workload["model"], "--board", "native",
               "--name", name, "-o", bundle, "--report", bundle.with_suffix(".html"), "--force", *workload["options"]]
    newest = max(path.stat().st_mtime for path in (model, pathlib.Path(options.quantize)))
    if not bundle.exists() or bundle.stat().st_mtime < newest:
        print(f"{name}: quantizing", flush=True)
        subprocess.run(list(map(str, command)), check=True)
    return bundle, " ".join(map(str, command))


def peers_of(options, name, workload):
    """Converts for everybody and gives everybody a heat; who cannot run is told and passed over. The fastest, still running, and the
    figures of the others."""
    model, samples = options.files / f"{workload['model']}.onnx", options.files / "samples" / workload["model"]
    started, beaten = [], {}
    for peer in options.peers:
        for precision in precisions(peer):
            if workload.get("against", precision) != precision:
                continue
            label = f"{peer} {precision}"
            log = options.files / "logs" / f"{name}-{peer}-{precision}.log"
            with open(log, "w") as chatter:
                prepared = subprocess.run(list(map(str, engine("--prepare", peer, precision, model, samples))), stdout=chatter, stderr=chatter)
            if prepared.returncode == 0:
                one = Contender(label, engine(peer, precision, model, samples, workload["threads"]), log)
                if one.ready:
                    take_turns([one], HEATS)
                    started.append(one)
                    if len(started) > KEPT:
                        slowest = max(started, key=lambda one: min(one.times))
                        started.remove(slowest)
                        beaten[slowest.name] = slowest.summary(workload["threads"]) | slowest.memory()
                        slowest.end()
                    continue
                one.end()
            print(f"{name}: {label} does not run: see {log}", file=sys.stderr, flush=True)
    for one in started:
        one.times, one.used = [], []
    return started, beaten


def take_turns(everybody, rounds):
    for turn in range(rounds):
        for one in everybody[turn % len(everybody):] + everybody[: turn % len(everybody)]:
            # Whoever had the last turn lets its threads go to sleep.
            time.sleep(PAUSE)
            one.turn()


def loads(ours, folder, threads, log):
    """Seconds from opening until the first step can begin, and seconds of the first step, of fresh processes; the file is in the page cache."""
    times = []
    for _ in range(LOADS):
        one = ours.start(folder, threads, log)
        one.end()
        if not one.ready:
            raise SystemExit(f"the bundle does not run: see {log}")
        times.append((one.load, one.first))
    load, first = map(statistics.median, zip(*times))
    return {"load_s": load, "first_step_s": first}


# By version of control groups: where groups of memory are, the files of the limit (the second, of memory and swap together or of swap
# alone, where the system counts swap), and that of the peak.
CGROUPS = {
    2: ("/sys/fs/cgroup", [("memory.max", CGROUP_BYTES), ("memory.swap.max", 0)], "memory.peak"),
    1: ("/sys/fs/cgroup/memory", [("memory.limit_in_bytes", CGROUP_BYTES), ("memory.memsw.limit_in_bytes", CGROUP_BYTES)],
        "memory.max_usage_in_bytes"),
}


def memory_cgroups():
    """Version of the control groups that limit memory here; none: `None`."""
    controllers = pathlib.Path(CGROUPS[2][0], "cgroup.controllers")
    if controllers.exists() and "memory" in controllers.read_text().split():
        return 2
    return 1 if pathlib.Path(CGROUPS[1][0], "memory.limit_in_bytes").exists() else None


def in_small_memory(ours, folder, threads, log):
    """A run in a control group of 512 MB, page cache included."""
    version = memory_cgroups()
    if version is None:
        return {"ran": False, "why": "no control groups that limit memory"}
    root, limits, peak = CGROUPS[version]
    group = pathlib.Path(root, f"vitrine-bench-{os.getpid()}")
    try:
        group.mkdir()
        for name, bytes in limits:
            if (group / name).exists():
                (group / name).write_text(str(bytes))
    except OSError as error:
        if group.exists():
            group.rmdir()
        return {"ran": False, "why": f"no control group: {error.strerror}"}
    one = None
    try:
        # Pages of the file that are cached already would not be counted.
        with open(ours.bundle, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        one = ours.start(folder, threads, log, preexec_fn=lambda: (group / "cgroup.procs").write_text(str(os.getpid())))
        if one.ready:
            one.turn()
        mapped = one.memory() if one.ready else {}
        one.end()
        found = {"ran": one.ready, "cgroup_version": version}
        if (group / peak).exists():
            found["peak_mb"] = round(int((group / peak).read_text()) / 1e6, 1)
        if not one.ready:
            return found | {"why": f"ended with {one.process.returncode}: see {log}"}
        return found | {"load_s": one.load, "first_step_s": one.first, "second_step_s": one.times[0]} | mapped
    finally:
        if one:
            one.end()
        group.rmdir()


def decibels(mean_square):
    """PSNR of values in 0..1."""
    return float("inf") if mean_square == 0 else float(-10 * np.log10(mean_square))


def regions(squares):
    """Mean over each region of 64 × 64 pixels, of [1, c, h, w]."""
    _, channels, height, width = squares.shape
    return squares.reshape(channels, height // REGION, REGION, width // REGION, REGION).mean((0, 2, 4))


def overlap(ours, theirs):
    together, either = (ours & theirs).sum(), (ours | theirs).sum()
    return float(together / either) if either else 1.0


def quality(options, name, workload, ours):
    """Ours against f32 by ONNX Runtime on every sample; the worst sample counts."""
    import onnxruntime
    session = onnxruntime.InferenceSession(str(options.files / f"{workload['model']}.onnx"), providers=["CPUExecutionProvider"])
    names, found = [one.name for one in session.get_outputs()], []
    for path in sorted((options.files / "samples" / workload["model"]).glob("*.safetensors")):
        arrays = graphs.read_safetensors(path)
        wanted = dict(zip(names, session.run(None, arrays)))
        got = ours.run(arrays, {one: value.shape for one, value in wanted.items()})
        first, second = got[names[0]], wanted[names[0]]
        if name == "taef2":
            squares = np.square(first - second, dtype=np.float64)
            found.append({"psnr_db": decibels(squares.mean()), "worst_region_db": decibels(regions(squares).max())})
        elif name.startswith("blazepose"):
            points = [one.reshape(-1, 5)[:LANDMARKS, :2] for one in (first, second)]
            mask = next(one for one in names if list(wanted[one].shape) == [1, GRID, GRID, 1])
            found.append({"landmarks_px": float(np.linalg.norm(points[0] - points[1], axis=1).mean()),
                          "mask_iou": overlap(got[mask] > 0, wanted[mask] > 0)})
        elif name == "selfie":
            found.append({"mask_iou": overlap(first > 0.5, second > 0.5)})
        else:
            error = np.square(first - second, dtype=np.float64).mean()
            found.append({"sqnr_db": decibels(error / np.square(second, dtype=np.float64).mean())})
    worst = {key: (max if key == "landmarks_px" else min)(one[key] for one in found) for key in found[0]}
    return worst | {"samples": len(found)}


def measured(options, name, workload):
    threads, rounds = options.threads or workload["threads"], options.rounds or workload["rounds"]
    workload = workload | {"threads": threads}
    entry = {"workload": name, "threads": threads, "bar": workload["bar"]}
    log = options.files / "logs" / f"{name}-vitrine.log"
    with tempfile.TemporaryDirectory() as folder:
        ours, everybody = None, []
        if not options.only_peers:
            bundle, entry["quantize"] = bundled(options, name, workload)
            ours = Ours(options.server, bundle)
            files = sorted((options.files / "samples" / workload["model"]).glob("*.safetensors"))
            ours.write_inputs(folder, graphs.read_safetensors(files[len(files) // 2]))
            entry |= {"file_mb": round(bundle.stat().st_size / 1e6, 1)} | loads(ours, folder, threads, log)
        # Ours begins when the heats are over: it is in memory for as long as those that are left.
        started, beaten = peers_of(options, name, workload)
        if ours:
            everybody.append(ours.start(folder, threads, log))
        everybody += started
        try:
            take_turns(everybody, rounds)
            for one in everybody:
                entry.setdefault("peers", {})[one.name] = one.summary(threads) | one.memory()
            entry.setdefault("peers", {}).update(beaten)
        finally:
            for one in everybody:
                one.end()
        peers = entry.get("peers", {})
        mine = peers.pop("vitrine", None)
        if peers:
            entry["best_peer"] = min(peers, key=lambda one: peers[one]["median_s"])
        if mine:
            entry |= {key: mine[key] for key in ("median_s", "min_s", "processor_s", "private_peak_mb", "mapped_mb")}
            if peers:
                entry["ratio_to_best_peer"] = mine["median_s"] / peers[entry["best_peer"]]["median_s"]
                entry["ratio_by_processor_time"] = mine["processor_s"] / min(one["processor_s"] for one in peers.values())
                entry["reached"] = workload["bar"] is None or entry["ratio_to_best_peer"] <= workload["bar"]
            entry |= quality(options, name, workload, ours)
            if name == "litemp":
                entry["cgroup_512_mb"] = in_small_memory(ours, folder, threads, log)
    return entry


def show(entry):
    line = "{:<14} {:<20} {:>10} {:>10} {:>10} {:>9} {:>9}"
    rows = dict(entry.get("peers", {}))
    if "median_s" in entry:
        rows = {"vitrine": entry} | rows
    for name, one in rows.items():
        milliseconds = [f"{one[key] * 1e3:.1f}" for key in ("median_s", "min_s", "processor_s")]
        print(line.format(entry["workload"], name, *milliseconds, f"{one['private_peak_mb']:.0f}", f"{one['load_s']:.2f}"))
    more = [f"{key} {entry[key]:.4g}" if isinstance(entry[key], float) else f"{key} {entry[key]}" for key in
            ("ratio_to_best_peer", "best_peer", "bar", "reached", "file_mb", "first_step_s", "psnr_db", "worst_region_db", "sqnr_db", "landmarks_px",
             "mask_iou", "cgroup_512_mb") if entry.get(key) is not None]
    print(f"{entry['workload']:<14} " + ", ".join(more), flush=True)


def main():
    parser = argparse.ArgumentParser(prog="bench-student", description=__doc__.splitlines()[0])
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=f"{', '.join(WORKLOADS)}; none: all")
    parser.add_argument("--files", type=pathlib.Path, default=ROOT / "target/student", help="networks and samples")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "target/bench-student.json")
    parser.add_argument("--server", help="the program of benches/student")
    parser.add_argument("--quantize", help="vitrine-quantize")
    parser.add_argument("--peers", type=lambda words: words.split(","), default=list(PRECISIONS), help="split by commas")
    parser.add_argument("--only-peers", action="store_true", help="without this project's bundles")
    parser.add_argument("--rounds", type=int, help="steps of each; by default more of short ones")
    parser.add_argument("--threads", type=int, help="by default two for the student and the autoencoder, one for the others")
    options = parser.parse_args()
    options.files = options.files.resolve()
    unknown = [*set(options.workloads) - set(WORKLOADS), *set(options.peers) - set(PRECISIONS)]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}")
    if not options.only_peers and not (options.server and options.quantize):
        parser.error("give --server and --quantize, or --only-peers")
    (options.files / "logs").mkdir(parents=True, exist_ok=True)
    machine = processor()
    print(f"{machine['processor']} (family {machine['family']}), {machine['cores']} cores, {' '.join(machine['instructions'])}; "
          f"load {os.getloadavg()[0]:.1f}", flush=True)
    print("{:<14} {:<20} {:>10} {:>10} {:>10} {:>9} {:>9}".format("workload", "who", "median ms", "min ms", "cpu ms", "peak MB", "load s"))
    report = {"command": " ".join(map(str, sys.argv)), "machine": machine, "load_average": os.getloadavg(), "workloads": []}
    for name in options.workloads or WORKLOADS:
        workload = WORKLOADS[name]
        if not (options.files / f"{workload['model']}.onnx").exists():
            print(f"{name:<14} skipped: no {workload['model']}.onnx in {options.files}")
            continue
        entry = measured(options, name, workload)
        report["workloads"].append(entry)
        show(entry)
        # Written after each, so that an interrupted run leaves what it has.
        temporary = options.output.with_name(f".{options.output.name}.{os.getpid()}")
        temporary.write_text(json.dumps(report, indent=1) + "\n")
        os.replace(temporary, options.output)
    missed = [one["workload"] for one in report["workloads"] if one.get("reached") is False]
    if missed:
        print(f"missed: {', '.join(missed)}")
        sys.exit(1)


if __name__ == "__main__":
    main()
