#!/usr/bin/env python3
"""Draws the garment pictures of the catalogue, their descriptions and the ground truth of their control points.

`python3 garments/draw.py` draws all of them, `python3 garments/draw.py tee-red-print …` only those named.
"""

import json
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2

from catalogue import CATALOGUE
from cloth import put_on_ground
from picture_file import jpeg, palette_png, rgb_png, rgba_png, webp

HERE = Path(__file__).parent


def draw(name):
    """Draws one garment and returns its control points."""
    entry = CATALOGUE[name]
    garment = entry.build()
    piece, points = garment.piece, garment.points()
    picture = piece.render()
    if entry.ground:
        picture = put_on_ground(picture, entry.ground)
    encode = {"jpg": jpeg, "webp": webp, "png": rgb_png if entry.ground else palette_png}[entry.kind]
    if entry.category == "eyeglasses":
        encode = rgba_png
    (HERE / f"{name}.{entry.kind}").write_bytes(encode(picture))
    (HERE / f"{name}.toml").write_text(description(entry, points))
    return {
        "file": f"{name}.{entry.kind}",
        "category": entry.category,
        "width": piece.w,
        "height": piece.h,
        "transparent": entry.ground is None,
        "points": points,
    }


def description(entry, points):
    lines = [f'name = "{entry.title}"', f'category = "{entry.category}"']
    lines += [f'{key} = "{value}"' for key, value in entry.fields.items()]
    if entry.with_points:
        lines += ["", "[points]"]
        lines += [f"{key} = {json.dumps(value)}" for key, value in points.items() if key != "sleeve_cuffs"]
    return "\n".join(lines) + "\n"


def main():
    names = sys.argv[1:] or list(CATALOGUE)
    unknown = [n for n in names if n not in CATALOGUE]
    if unknown:
        sys.exit(f"no garment is called {', '.join(unknown)}; there are: {', '.join(CATALOGUE)}")
    truth_file = HERE / "ground_truth.json"
    truth = json.loads(truth_file.read_text()) if truth_file.exists() else {}
    with ProcessPoolExecutor(2, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        truth.update(zip(names, pool.map(draw, names)))
    rows = [f"  {json.dumps(n)}: {json.dumps(truth[n])}" for n in sorted(truth) if n in CATALOGUE]
    truth_file.write_text("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main()
