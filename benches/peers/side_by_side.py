"""Times the project's picks and other engines in turns, one thread each, and compares with the bars.

For each shape of benches/shapes.toml that has a bar on the host: the project and every peer, each in a process of its
own, load the layer; each peer keeps the fastest of several forms of the model (layouts, kinds of int8, operators).
Then they take turns of about 30 ms, in an order that rotates, so that what else the machine does slows all of them.
Times are processor time, which being interrupted does not change, and of each turn the least counts; the ratio is the best
peer's median of those over ours. Only the shape's own peers count for the bar, the others are shown.
"""
import argparse, json, os, pathlib, platform, statistics, subprocess, sys, tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
PEERS = ("onnxruntime", "openvino", "mnn")
# What each level lets every program use: our features, and what narrowed.c leaves of the peers' `cpuid`.
LEVELS = {"avx2": ("avx2", {}), "avx_vnni": ("avx2,avx_vnni", {"VITRINE_KEEP_AVX_VNNI": "1"}), "native": None}


class Contender:
    """A process that answers `load SHAPE` and `run`."""

    def __init__(self, name, command, environment):
        self.name, self.log = name, open(ROOT / f"target/peers/{name}.log", "w")
        self.process = subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
                                        env=os.environ | environment)

    def ask(self, line):
        try:
            print(line, file=self.process.stdin, flush=True)
        except BrokenPipeError:
            return None
        answer = self.process.stdout.readline().strip()
        return None if answer in ("", "none") else answer

    def load(self, shape):
        # The least of each turn, in seconds.
        self.times, self.form = [], self.ask(f"load {shape}")
        if self.process.poll() is not None:
            print(f"{self.name} ended with {self.process.returncode} at {shape}: see {self.log.name}", file=sys.stderr)
        return self.form

    def turn(self):
        times = (self.ask("run") or "").split()
        self.times += [min(map(float, times))] if times else []


def main():
    parser = argparse.ArgumentParser(prog="bench-peers", description=__doc__.splitlines()[0])
    parser.add_argument("shapes", nargs="*", help="parts of shapes' names; none: every shape with a bar on the host")
    parser.add_argument("--level", choices=LEVELS, default="avx2", help="the instruction sets that everybody may use")
    parser.add_argument("--peers", default=",".join(PEERS), help="split by commas")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--server", required=True)
    options = parser.parse_args()
    data = tomllib.loads((ROOT / "benches/shapes.toml").read_text())
    shapes = [s for s in data["shape"] if "host" in s and (not options.shapes or any(w in s["name"] for w in options.shapes))]
    if not shapes:
        sys.exit("no shape with a bar on the host has such a name")
    describe(options)
    line = "{:<30} {:<14} {:>10} {:>10}  {:<34} {:>6} {:>5} {}"
    print(line.format("shape", "who", "best ms", "median ms", "form", "ratio", "bar", "reached"), flush=True)
    report, missed = [], []
    for shape in shapes:
        ours, peers = contenders(options, shape)
        everybody = [one for one in [ours, *peers] if one.load(shape["name"])]
        for round in range(options.rounds):
            for one in everybody[round % len(everybody):] + everybody[: round % len(everybody)] if everybody else []:
                one.turn()
        entry = summary(shape, options.level, ours, peers)
        report.append(entry)
        if not entry["reached"]:
            missed.append(shape["name"])
        for one in [ours, *peers]:
            mine = one is ours
            ratio = (entry["ratio"] if mine else entry["ratios"].get(one.name)) or ""
            cells = (f"{min(one.times) * 1e3:.3f}", f"{statistics.median(one.times) * 1e3:.3f}") if one.times else ("-", "-")
            verdict = ("yes" if entry["reached"] else "NO") if mine else "" if one.name in shape["host"]["against"] else "(not in the bar)"
            print(line.format(shape["name"] if mine else "", one.name, *cells, (one.form or "does not run")[:34],
                              f"{ratio:.2f}" if ratio else "-", f"{shape['host']['bar']:g}" if mine else "", verdict), flush=True)
            one.process.stdin.close()
            one.process.wait()
    path = ROOT / f"target/bench-peers-{options.level}.json"
    path.write_text("[\n" + ",\n".join(json.dumps(entry) for entry in report) + "\n]\n")
    print(f"\n{len(missed)} bars not reached" + "".join(f"\n  {name}" for name in missed) + f"\nwritten: {path.relative_to(ROOT)}")


def contenders(options, shape):
    folder = ROOT / "target/peers"
    us, them = {}, {}
    if LEVELS[options.level]:
        features, kept = LEVELS[options.level]
        us = {"VITRINE_FEATURES": features}
        them = {"LD_PRELOAD": str(folder / "libnarrowed.so"), "PYTHONPATH": str(folder / "narrowed")} | kept
    engine = str(ROOT / "benches/peers/engine.py")
    wanted = [name for name in options.peers.split(",") if name in PEERS]
    wanted = [name for name in wanted if shape["element"] == "f32" or name != "mnn"]
    return (Contender("vitrine", [options.server], us),
            [Contender(name, [sys.executable, engine, name], them) for name in wanted])


def summary(shape, level, ours, peers):
    median = {one.name: statistics.median(one.times) for one in [ours, *peers] if one.times}
    ratios = {one.name: median[one.name] / median["vitrine"] for one in peers if {one.name, "vitrine"} <= median.keys()}
    rivals = [ratio for name, ratio in ratios.items() if name in shape["host"]["against"]]
    ratio = min(rivals, default=None)
    return {"shape": shape["name"], "level": level, "kernel": ours.form, "seconds": median,
            "best_seconds": {one.name: min(one.times) for one in [ours, *peers] if one.times},
            "forms": {one.name: one.form for one in peers}, "ratios": ratios, "ratio": ratio,
            "bar": shape["host"]["bar"], "reached": ratio is not None and ratio >= shape["host"]["bar"]}


def describe(options):
    model = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.processor())
    flags = next((l.split() for l in open("/proc/cpuinfo") if l.startswith("flags")), [])
    has = [name for name in ("avx2", "fma", "avx_vnni", "avx512f", "avx512_vnni", "amx_int8") if name in flags]
    print(f"{model}: {' '.join(has)}; level {options.level}; {options.rounds} rounds; load average {os.getloadavg()[0]:.1f}")


main()
