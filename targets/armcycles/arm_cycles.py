#!/usr/bin/env python3
"""Estimated cycles of the project's kernels on Arm cores, as a table and as target/arm-cycles.json.

Runs the bench program (benches/arm_cycles) under an emulator with the plugin, once a core, and asks the model of
each core what the counted blocks cost. Needs no Arm machine and does not depend on what else this one does.
"""
import argparse, json, os, pathlib, shutil, subprocess, sys, tempfile, tomllib

from cycles import MCA, Estimator

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "target"


def main():
    parser = argparse.ArgumentParser(prog="arm-cycles", description=__doc__)
    parser.add_argument("shapes", nargs="*", help="parts of shapes' names; shapes without a bar only where none with one matches")
    parser.add_argument("--cores", default="", help="parts of cores' names, split by commas; none: every core")
    parser.add_argument("--kernels", default="", help="rows whose names hold one of these parts, split by commas; no JSON is written")
    parser.add_argument("--all", action="store_true", help="every supported row, the plain one too (slow), not only the pick")
    parser.add_argument("--top", type=int, default=0, help="also list so many of the hottest blocks with their cost")
    parser.add_argument("--plugin", required=True)
    parser.add_argument("--program", required=True)
    options = parser.parse_args()
    data = tomllib.loads((ROOT / "benches/shapes.toml").read_text())

    matches = lambda words, name: not words or any(word in name for word in words)
    shapes = [s for s in data["shape"] if matches(options.shapes, s["name"])]
    shapes = [s for s in shapes if "arm" in s] or shapes
    cores = [c for c in data["core"] if matches([w for w in options.cores.split(",") if w], c["name"])]
    kernels = [word for word in options.kernels.split(",") if word]
    if not shapes or not cores:
        sys.exit(f"no {'shape' if not shapes else 'core'} of benches/shapes.toml has such a name")
    if not shutil.which("qemu-aarch64"):
        sys.exit("qemu-aarch64 is missing: run targets/armcycles/setup.sh")

    llvm = subprocess.run([MCA, "--version"], text=True, capture_output=True).stdout.split("version ")[1].split()[0]
    (OUT / "armcycles").mkdir(parents=True, exist_ok=True)
    estimator = Estimator(OUT / f"armcycles/costs-llvm-{llvm}.json")
    print(f"estimated with llvm-mca {llvm}; MAC are those of the direct form; one thread; caches are not modelled\n")
    line = "{:<30} {:<10} {:<42} {:>12} {:>8} {:>6} {:>9}  {:<8} {}"
    print(line.format("shape", "core", "kernel", "cycles", "MAC/cyc", "peak", "bar", "reached", "best peer"), flush=True)
    entries, missed = [], []
    for core in cores:
        with tempfile.TemporaryDirectory() as folder:
            for shape in shapes:
                cases = measure(options, core, shape, folder, kernels)
                for case in cases:
                    estimate(case, core, shape, estimator, options.top)
                estimator.save()
                chosen = min((c for c in cases if c["picked"]), key=lambda c: c["cycles"], default=None)
                if chosen:
                    entries.append({"shape": shape["name"], "core": core["name"], "kernel": chosen["kernel"],
                                    "cycles": round(chosen["cycles"]), "mac_per_cycle": chosen["mac_per_cycle"]})
                shown = sorted(cases, key=lambda c: c["cycles"]) if options.all or kernels else [chosen] if chosen else []
                for case in shown:
                    report(line, case, case is chosen, core, shape, missed)
                if not shown:
                    print(line.format(shape["name"], core["name"], "- no fast version", "", "", "", *bar(core, shape)), flush=True)
                    if bar(core, shape)[0]:
                        missed.append((shape["name"], core["name"]))
    if not kernels:
        write(entries, {s["name"] for s in data["shape"]})
    print(f"\n{len(entries)} figures, {len(missed)} bars not reached" + "".join(f"\n  {s} on {c}" for s, c in missed))


def measure(options, core, shape, folder, kernels):
    """Runs every case of a shape under the emulated core; each gets the path of its block counts."""
    blocks = f"{folder}/blocks"
    command = ["qemu-aarch64", "-cpu", core["qemu"], "-plugin", f"{options.plugin},out={blocks}", options.program]
    command += ["--all"] if options.all or kernels else []
    command += [f"--kernel={word}" for word in kernels]
    run = subprocess.run(command + [shape["name"]], text=True, stdout=subprocess.PIPE)
    if run.returncode:
        sys.exit(f"{shape['name']} on {core['name']}: qemu-aarch64 or the bench program in it failed with {run.returncode}; "
                 "if the plugin was refused: it is written for QEMU 6 to 8")
    cases = []
    for text in run.stdout.splitlines():
        region, name, kernel, picked, macs, values = text.split("\t")
        cases.append({"kernel": kernel, "picked": picked == "true", "macs": int(macs), "values": int(values),
                      "blocks": f"{blocks}.{region}"})
    return cases


def estimate(case, core, shape, estimator, top):
    if top:
        print(f"\n{shape['name']} on {core['name']}: {case['kernel']}")
    result = estimator.estimate(case["blocks"], [core["llvm"]], top=top)
    case["cycles"] = result["cycles"][core["llvm"]]
    case["mac_per_cycle"] = round(case["macs"] / case["cycles"], 3) if case["macs"] else None
    for block in result.get("top", []):
        cost = block["cycles"][core["llvm"]]
        print(f"-- {block['times'] * cost / case['cycles']:.1%} of cycles, {block['share']:.1%} of instructions: "
              f"{block['times']:,} times {cost:.2f} cycles, {len(block['asm'])} instructions")
        print("\n".join("   " + text for text in block["asm"]))


def bar(core, shape):
    """The columns `bar`, `reached` (empty) and `best peer`."""
    arm = shape.get("arm", {})
    wanted, peer = arm.get("bars", {}).get(core["name"]), arm.get("peers", {}).get(core["name"])
    return figure(arm, wanted), "", f"{figure(arm, peer['value'])} {peer['name']}" if peer else ""


def figure(arm, value):
    return "" if value is None else f"{value / 1e6:.2f} M" if arm["unit"] == "cycles" else f"{value:g}"


def report(line, case, is_chosen, core, shape, missed):
    wanted = shape.get("arm", {}).get("bars", {}).get(core["name"])
    verdict = ""
    if wanted is not None and is_chosen:
        value = case["cycles"] if shape["arm"]["unit"] == "cycles" else case["mac_per_cycle"] or 0
        reached = value <= wanted if shape["arm"]["unit"] == "cycles" else value >= wanted
        verdict = "yes" if reached else "NO"
        if not reached:
            missed.append((shape["name"], core["name"]))
    element = next((e for e in case["kernel"].split("_") if e in ("i8", "i4", "f16", "f32")), None)
    peak = core["peak"].get("i8" if element == "i4" else element)
    rate = case["mac_per_cycle"]
    wanted_text, _, peer = bar(core, shape)
    print(line.format(shape["name"], core["name"], ("*" if case["picked"] else " ") + case["kernel"],
                      f"{case['cycles']:,.0f}", f"{rate:.2f}" if rate else "-", f"{rate / peak:.0%}" if rate and peak else "-",
                      wanted_text, verdict, peer), flush=True)


def write(entries, known):
    """Figures of a filtered run replace their like and leave the others of shapes that there still are."""
    path = OUT / "arm-cycles.json"
    try:
        kept = json.loads(path.read_text())
    except (OSError, ValueError):
        kept = []
    fresh = {(e["shape"], e["core"]) for e in entries}
    entries = [e for e in kept if e["shape"] in known and (e["shape"], e["core"]) not in fresh] + entries
    text = "[\n" + ",\n".join(" " + json.dumps(e) for e in entries) + "\n]\n"
    unfinished = path.with_suffix(f".{os.getpid()}")
    unfinished.write_text(text)
    unfinished.replace(path)


main()
