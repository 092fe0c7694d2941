"""Turn the block counts of blockcount.c into estimated cycles on an Arm core.

Each hot block is costed by llvm-mca as a loop over itself in steady state (the slope between
two iteration counts, so pipeline fill drops out). Caches, TLBs, branch misses and overlap
between different blocks are not modelled: this is a figure for compute-bound code.
"""
import collections, glob, json, os, pathlib, re, subprocess, sys, tempfile

def _newest(tool):
    """The newest llvm tool on this machine; older models than LLVM 22's were not compared with the cores."""
    found = {int(m[2]): p for p in glob.glob("/usr/bin/" + tool + "-[0-9]*") + glob.glob(f"/usr/lib/llvm-[0-9]*/bin/{tool}")
             if (m := re.search(r"llvm-(mca-|mc-)?(\d+)", p))}
    if not found or max(found) < 22:
        sys.exit(f"{tool} of LLVM 22 or newer is missing: run targets/armcycles/setup.sh")
    return found[max(found)]

MCA = os.environ.get("LLVM_MCA") or _newest("llvm-mca")
MC = os.environ.get("LLVM_MC") or _newest("llvm-mc")
SEP = "0xa0 0xdb 0x3b 0xd4"  # brk #0xdedd, parts blocks in the disassembly
CORES = ("cortex-a55", "cortex-a72", "neoverse-n1", "neoverse-v2")

def _ends_in_branch(code):
    w = int.from_bytes(bytes.fromhex(code[-8:]), "little")
    return (w & 0x7C000000 == 0x14000000 or w & 0xFF000000 == 0x54000000 or w & 0x7C000000 == 0x34000000  # b, b.cond, cbz, tbz
            or w & 0xFE000000 == 0xD6000000 or w & 0xFF000000 == 0xD4000000 or w & 0xFFC00000 == 0xD5000000)  # br, svc, msr

def join(counted):
    """Joins what QEMU alone parted: it ends a block at the end of a page and after 512 instructions, where a core goes straight on.
    `counted` maps (address, code) to a count; each joint takes as many passes as both halves have."""
    counted = dict(counted)
    starts = collections.defaultdict(list)
    for address, code in counted: starts[address].append(code)
    for key in sorted(counted, reverse=True):  # from the end, so that what follows is joined already
        address, code = key
        if _ends_in_branch(code): continue
        end = address + len(code) // 2
        for following in sorted(starts[end], key=len, reverse=True):
            passes = min(counted[key], counted[end, following])
            if not passes: continue
            counted[key] -= passes; counted[end, following] -= passes
            counted[address, code + following] = counted.get((address, code + following), 0) + passes
            starts[address].append(code + following)
    return counted

def read(path):
    counted = collections.Counter()
    for line in open(path):
        count, address, code = line.split()
        counted[int(address, 16), code] += int(count)
    blocks = collections.Counter()
    for (_, code), count in join(counted).items():
        if count: blocks[code] += count
    return blocks

def disassemble(hexes):
    src = f"\n{SEP}\n".join(" ".join("0x" + h[i:i + 2] for i in range(0, len(h), 2)) for h in hexes)
    r = subprocess.run([MC, "-triple=aarch64", "-mattr=+all", "-disassemble"], input=src, text=True, capture_output=True)
    out, cur = [], []
    for line in r.stdout.splitlines():
        s = line.split("//")[0].strip()
        if not s or s.startswith(".text"): continue
        if s.startswith("brk\t#0xdedd"): out.append(cur); cur = []
        else: cur.append(s)
    out.append(cur)
    assert len(out) == len(hexes), (len(out), len(hexes), r.stderr[:400])
    return ["\n".join(b) for b in out]

def _mca(core, asm, iters):
    text = "\n".join(f"// LLVM-MCA-BEGIN b{i}\n{t}\n// LLVM-MCA-END" for i, t in enumerate(asm)) + "\n"
    with tempfile.NamedTemporaryFile("w", suffix=".s") as f:
        f.write(text); f.flush()
        r = subprocess.run([MCA, "-mtriple=aarch64", f"-mcpu={core}", "-mattr=+all", f"-iterations={iters}", "-json",
                            "-skip-unsupported-instructions=any", "-call-latency=1", f.name], text=True, capture_output=True)
    if r.returncode: sys.exit(r.stderr[:2000])
    regions = json.loads(r.stdout)["CodeRegions"]
    assert len(regions) == len(asm), (len(regions), len(asm), r.stderr[:400])
    skipped = r.stderr.count("warning: found an unsupported")
    return [x["SummaryView"]["TotalCycles"] for x in regions], skipped

class Estimator:
    """Keeps the cost of blocks already seen, so that many regions share the llvm-mca runs."""
    def __init__(self, cache=None):
        self.path = cache and pathlib.Path(cache)
        self.cost = json.loads(self.path.read_text()) if self.path and self.path.exists() else {}
    def save(self):
        if self.path:
            t = self.path.with_suffix(f".{os.getpid()}"); t.write_text(json.dumps(self.cost)); t.replace(self.path)
    def costs(self, core, hexes):
        new = [h for h in hexes if f"{core}:{h}" not in self.cost]
        if new:
            asm = disassemble(new)
            long, _ = _mca(core, asm, 150)
            short, _ = _mca(core, asm, 50)
            for h, l, s in zip(new, long, short): self.cost[f"{core}:{h}"] = (l - s) / 100
        return [self.cost[f"{core}:{h}"] for h in hexes]
    def estimate(self, path, cores=CORES, cover=0.97, top=0):
        blocks = read(path)
        items = sorted(((c * (len(h) // 8), c, h) for h, c in blocks.items()), reverse=True)
        total = sum(w for w, _, _ in items)
        if not total: return None
        chosen, acc = [], 0
        for it in items:
            if acc >= cover * total: break
            chosen.append(it); acc += it[0]
        hexes = [h for _, _, h in chosen]
        res = {"instructions": total, "modelled": round(acc / total, 4), "blocks": len(chosen), "cycles": {}}
        for core in cores:
            cy = self.costs(core, hexes)
            res["cycles"][core] = sum(c * x for (_, c, _), x in zip(chosen, cy)) * total / acc
        if top:
            asm = disassemble(hexes[:top])
            res["top"] = [{"share": round(w / total, 3), "times": c, "asm": a.splitlines(),
                           "cycles": {core: self.cost[f"{core}:{h}"] for core in cores}} for (w, c, h), a in zip(chosen, asm)]
        return res

if __name__ == "__main__":
    import argparse
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("blocks"); ap.add_argument("--core", action="append"); ap.add_argument("--cover", type=float, default=0.97); ap.add_argument("--top", type=int, default=3)
    a = ap.parse_args()
    r = Estimator().estimate(a.blocks, a.core or CORES, a.cover, a.top)
    for t in r.pop("top", []): print(f"-- {t['share']:.1%} of instructions, x{t['times']:,}, {len(t['asm'])} insns, cycles {t['cycles']}"); print("\n".join("   " + s for s in t["asm"][:60]))
    print(json.dumps(r, indent=1))
