#!/usr/bin/env python3
"""Estimated cycles of one run of a bundle's net on an Arm core, one thread, as a table by kind of step.

Steps that differ in weights and names only are one: each is run once under an emulator with the plugin
(benches/arm_cycles/steps.rs), and counts as often as the net has it. Needs no Arm machine and does not depend on what
else this one does.
"""
import argparse, collections, json, math, os, pathlib, subprocess, sys, tempfile, tomllib, zipfile

from cycles import MCA, Estimator

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "target"
BYTES = {"f32": 4, "f16": 2, "i8": 1}
KINDS = ("3x3 convolutions", "linear and 1x1", "attention", "norms", "element-wise", "copies", "rest")


def main():
    parser = argparse.ArgumentParser(prog="net-cycles", description=__doc__)
    parser.add_argument("bundle", type=pathlib.Path)
    parser.add_argument("net", nargs="?", help="by default the bundle's only one")
    parser.add_argument("--core", default="cortex-a76", help="one of benches/shapes.toml")
    parser.add_argument("--bar", type=float, help="G cycles; the exit code is 1 where the net takes more")
    parser.add_argument("--steps", action="store_true", help="also list every distinct step")
    parser.add_argument("--top", type=int, default=0, help="also list so many of the hottest blocks of each distinct step")
    parser.add_argument("--output", type=pathlib.Path, default=OUT / "arm-cycles-net.json")
    parser.add_argument("--plugin", required=True)
    parser.add_argument("--program", required=True)
    options = parser.parse_args()
    cores = {core["name"]: core for core in tomllib.loads((ROOT / "benches/shapes.toml").read_text())["core"]}
    if options.core not in cores:
        parser.error(f"--core: one of {', '.join(cores)}")
    core = cores[options.core]
    name, program = read(options.bundle, options.net)

    llvm = subprocess.run([MCA, "--version"], text=True, capture_output=True).stdout.split("version ")[1].split()[0]
    (OUT / "armcycles").mkdir(parents=True, exist_ok=True)
    estimator = Estimator(OUT / f"armcycles/costs-llvm-{llvm}.json")
    distinct = collections.defaultdict(list)
    for index, step in enumerate(program["step"]):
        distinct[identity(program, step)].append(index)
    print(f"{name} of {options.bundle} on {core['name']}, estimated with llvm-mca {llvm}: one run, one thread, caches are not modelled; "
          f"{len(program['step'])} steps, {len(distinct)} of them distinct", flush=True)
    cycles = measured(options, name, core, estimator, [places[0] for places in distinct.values()])
    entries, missing = [], []
    for places in distinct.values():
        first = program["step"][places[0]]
        entry = {"step": first["name"], "kind": kind(first), "operation": operation(first), "precision": precision(program, first),
                 "shapes": shapes(program, first), "count": len(places), "macs": macs(program, first) * len(places),
                 "weight_bytes": sum(weight_bytes(program["step"][place]) for place in places),
                 "value_bytes": value_bytes(program, first) * len(places)}
        if places[0] in cycles:
            entries.append(entry | {"cycles": cycles[places[0]] * len(places)})
        else:
            missing.append(entry)
    report = summary(entries, missing, options.bar)
    table(entries, missing, report, options)
    report |= {"bundle": str(options.bundle), "net": name, "core": core["name"], "llvm": llvm, "steps": entries, "not_counted": missing}
    unfinished = options.output.with_name(f".{options.output.name}.{os.getpid()}")
    unfinished.write_text(json.dumps(report, indent=1) + "\n")
    unfinished.replace(options.output)
    if missing or report.get("reached") is False:
        sys.exit(1)


def read(bundle, net):
    with zipfile.ZipFile(bundle) as file:
        nets = [path[len("graphs/"):-len(".toml")] for path in file.namelist() if path.startswith("graphs/")]
        if net not in nets and (net or len(nets) != 1):
            sys.exit(f"{bundle}: name one of its nets: {', '.join(nets)}")
        name = net or nets[0]
        return name, tomllib.loads(file.read(f"graphs/{name}.toml").decode())


def operation(step):
    return step["op"] if isinstance(step["op"], str) else next(iter(step["op"]))


def fields(step):
    return {} if isinstance(step["op"], str) else step["op"][operation(step)]


def identity(program, step):
    """What of a step decides how long it takes."""
    def plain(value):
        if not isinstance(value, dict):
            return value
        # Spans of weights: that there are some, and how many.
        return value["bytes"] if "offset" in value else {key: plain(one) for key, one in sorted(value.items()) if key != "quantization"}
    def of(id):
        value = program["value"][id]
        return value["shape"], value["element"], "row_steps" in value
    # Where a value is read twice, queries, keys and values may be one.
    places = [step["inputs"].index(id) for id in step["inputs"]]
    quantized = "quantization" in fields(step)
    return json.dumps([operation(step), plain(fields(step)), quantized, [of(id) for id in step["inputs"]], [of(id) for id in step["outputs"]], places])


def kind(step):
    name, window = operation(step), fields(step).get("kernel")
    if name == "convolution" and window != [1, 1]:
        return KINDS[0] if window == [3, 3] else "rest"
    groups = {"linear": 1, "convolution": 1, "attention": 2, "group_norm": 3, "layer_norm": 3, "rms_norm": 3, "gated": 4, "binary": 4,
              "activate": 4, "p_relu": 4, "convert": 4, "concat": 5, "slice": 5, "transpose": 5, "pad": 5, "resize": 5, "depth_to_space": 5}
    return KINDS[groups.get(name, 6)]


def precision(program, step):
    packing = fields(step).get("weights", {}).get("packing")
    if packing is None:
        return program["value"][step["outputs"][0]]["element"]
    name = packing if isinstance(packing, str) else next(iter(packing))
    element = "i4" if name == "gemm_i4" else packing[name]["element"]
    return f"{element} Winograd {'x'.join(map(str, packing[name]['tile']))}" if name == "winograd" else element


def shapes(program, step):
    text = lambda ids: ", ".join("×".join(map(str, program["value"][id]["shape"])) for id in dict.fromkeys(ids))
    return f"{text(step['inputs'])} → {text(step['outputs'])}"


def macs(program, step):
    """Multiplications by the formula of the operation, whatever the algorithm."""
    extents = lambda ids, index: program["value"][ids[index]]["shape"]
    given, out, op = extents(step["inputs"], 0) if step["inputs"] else [], math.prod(extents(step["outputs"], 0)), fields(step)
    match operation(step):
        case "convolution":
            return out * math.prod(op["kernel"]) * given[-1] // op["groups"]
        case "linear" | "transposed":
            return out * given[-1]
        case "attention":
            queries, keys = given[1], extents(step["inputs"], 1)[1]
            met = min(queries, keys)
            pairs = met * (met + 1) // 2 + (queries - met) * keys if op["causal"] else queries * keys
            return given[0] * op["heads"] * pairs * (op["key_size"] + op["value_size"])
    return 0


def weight_bytes(step):
    def spans(value):
        if not isinstance(value, dict):
            return 0
        return value["bytes"] if "offset" in value else sum(map(spans, value.values()))
    return spans(fields(step))


def value_bytes(program, step):
    return sum(math.prod(program["value"][id]["shape"]) * BYTES[program["value"][id]["element"]]
               for id in [*dict.fromkeys(step["inputs"]), *step["outputs"]])


def measured(options, name, core, estimator, places):
    """Cycles of each of these steps, by its place; without those that the emulated program does not run."""
    cycles = {}
    with tempfile.TemporaryDirectory() as folder:
        command = ["qemu-aarch64", "-cpu", core["qemu"], "-plugin", f"{options.plugin},out={folder}/blocks", options.program]
        run = subprocess.Popen([*command, options.bundle, name, *map(str, places)], text=True, stdout=subprocess.PIPE)
        for line in run.stdout:
            region, place = map(int, line.split())
            blocks = pathlib.Path(f"{folder}/blocks.{region}")
            found = estimator.estimate(blocks, [core["llvm"]], top=options.top)
            blocks.unlink()
            cycles[place] = found["cycles"][core["llvm"]]
            if sys.stderr.isatty():
                print(f"\r{len(cycles)} of {len(places)} ", end="", file=sys.stderr, flush=True)
            for block in found.get("top", []):
                cost = block["cycles"][core["llvm"]]
                print(f"-- step {place}: {block['times'] * cost / cycles[place]:.1%} of cycles: {block['times']:,} times {cost:.2f} cycles")
                print("\n".join("   " + text for text in block["asm"]))
        if sys.stderr.isatty():
            print("\r\x1b[2K", end="", file=sys.stderr)
        if run.wait():
            sys.exit(f"qemu-aarch64 or the program in it failed with {run.returncode}; if the plugin was refused: it is written for QEMU 6 to 8")
    estimator.save()
    return cycles


def summary(entries, missing, bar):
    total = sum(one["cycles"] for one in entries)
    report = {"cycles": round(total), "macs": sum(one["macs"] for one in entries), "kinds": {}}
    for name in KINDS:
        of = [one for one in entries if one["kind"] == name]
        if of:
            report["kinds"][name] = {key: round(sum(one[key] for one in of)) for key in ("count", "macs", "cycles", "weight_bytes", "value_bytes")}
    if bar is not None:
        report |= {"bar": bar, "reached": not missing and total <= bar * 1e9}
    return report


def table(entries, missing, report, options):
    line = "{:<44} {:>6} {:>9} {:>10} {:>7} {:>8} {:>10} {:>9}"
    def row(name, one):
        rate = f"{one['macs'] / one['cycles']:.2f}" if one["macs"] else "-"
        return line.format(name, one["count"], f"{one['macs'] / 1e9:.2f}", f"{one['cycles'] / 1e9:.3f}", f"{one['cycles'] / report['cycles']:.1%}",
                           rate, f"{one['weight_bytes'] / 1e6:.1f}", f"{one['value_bytes'] / 1e6:.1f}")
    print(line.format("kind", "steps", "GMAC", "G cycles", "share", "MAC/cyc", "weights MB", "values MB"))
    for name, one in report["kinds"].items():
        print(row(name, one))
        parts = collections.defaultdict(lambda: collections.Counter(count=0))
        for entry in entries:
            if entry["kind"] == name:
                parts[entry["operation"], entry["precision"]].update({key: entry[key] for key in one})
        for (operation, precision), part in sorted(parts.items(), key=lambda pair: -pair[1]["cycles"]):
            print(row(f"  {operation} {precision}", part))
    total = {key: sum(one[key] for one in report["kinds"].values()) for key in ("count", "macs", "cycles", "weight_bytes", "value_bytes")}
    print(row("in all", total))
    if options.steps:
        print()
        for entry in sorted(entries, key=lambda entry: -entry["cycles"]):
            print(row(f"{entry['operation']} {entry['precision']}", entry), entry["shapes"], "like", entry["step"])
    for entry in missing:
        print(f"not counted: {entry['count']} × {entry['operation']} like {entry['step']}, {entry['value_bytes']:,} bytes of values")
    if options.bar is not None:
        over = report["cycles"] / 1e9 - options.bar
        print(f"bar {options.bar:g} G cycles: " + ("reached" if report["reached"] else f"missed by {over:.2f} G cycles ({over / options.bar:.0%})"))


main()
