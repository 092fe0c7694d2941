"""Copies the peers so that they can be held to AVX2: `narrow.py SITE_PACKAGES TARGET`.

No setting does it: ONNX Runtime and MNN have none, and OpenVINO's ONEDNN_MAX_CPU_ISA does not reach its f32 matrix product.
In the copy every `cpuid` of their libraries is an illegal instruction, which narrowed.c, preloaded, answers with what
an AVX2 machine would say. For measuring on this machine only.
"""
import pathlib, re, shutil, subprocess, sys

PACKAGES = ("onnxruntime", "openvino", "MNN", "mnn.libs", "_mnncengine*.so", "_tools*.so")
CPUID, UD2 = b"\x0f\xa2", b"\x0f\x0b"


def main():
    source, target = map(pathlib.Path, sys.argv[1:])
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for pattern in PACKAGES:
        for found in source.glob(pattern):
            copy = shutil.copytree if found.is_dir() else shutil.copy2
            copy(found, target / found.name)
    for library in target.rglob("*.so*"):
        count = patch(library) if CPUID in library.read_bytes() else 0
        if count:
            print(f"{library.name}: {count} cpuid instructions narrowed")


def patch(library):
    """Replaces the instructions that a disassembler finds; the same bytes inside others are left."""
    headers = subprocess.run(["readelf", "-SW", library], text=True, capture_output=True, check=True).stdout
    text = re.search(r"\.text\s+PROGBITS\s+([0-9a-f]+)\s+([0-9a-f]+)", headers)
    start, offset = int(text[1], 16), int(text[2], 16)
    listing = subprocess.Popen(["objdump", "-d", "-j", ".text", "--no-show-raw-insn", library], text=True, stdout=subprocess.PIPE)
    places = [int(line.split(":")[0], 16) for line in listing.stdout if line.rstrip().endswith("\tcpuid")]
    data = bytearray(library.read_bytes())
    for place in places:
        at = offset + place - start
        assert data[at : at + 2] == CPUID, f"{library}: no cpuid at {place:x}"
        data[at : at + 2] = UD2
    library.write_bytes(data)
    return len(places)


main()
