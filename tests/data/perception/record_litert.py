"""Records what LiteRT makes of the crops that the runtime makes of a photo.

    pip install ai-edge-litert numpy
    VITRINE_RECORD=DIR cargo test --release --test perception -- --ignored crops_for_recording
    python record_litert.py MODELS DIR

DIR/PHOTO.NET.f32 is a net's input; beside this script PHOTO.NET.litert is written, a sequence of
little-endian f32: a detector's 16 best scores (logits) each with its 12 box values, in the order of their index, after the
index itself; a landmark net's 39 x 5 points, presence, 39 x 3 world points and the mask's
probabilities at 32 x 32 places (every eighth, from the fourth); selfie segmentation's at the same places.
"""

import pathlib
import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter

models, crops = map(pathlib.Path, sys.argv[1:])
here = pathlib.Path(__file__).parent
sigmoid = lambda x: 1 / (1 + np.exp(-x.astype("f8")))
sampled = lambda mask: mask.reshape(256, 256)[4::8, 4::8]
NETS = {"detector": "pose_detection", "pose": "pose_landmark_full", "selfie": "selfie_segmentation"}

for path in sorted(crops.glob("*.f32")):
    photo, net = path.stem.rsplit(".", 1)
    interpreter = Interpreter(str(models / f"{NETS[net]}.tflite"))
    interpreter.allocate_tensors()
    given = interpreter.get_input_details()[0]
    interpreter.set_tensor(given["index"], np.fromfile(path, "<f4").reshape(given["shape"]))
    interpreter.invoke()
    out = {tuple(d["shape"]): interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()}
    if net == "detector":
        scores, boxes = out[1, 2254, 1].ravel(), out[1, 2254, 12][0]
        best = np.sort(np.argsort(-scores)[:16])
        parts = [np.concatenate([[i], [scores[i]], boxes[i]]) for i in best]
    elif net == "pose":
        parts = [out[1, 195], out[1, 1], out[1, 117], sigmoid(sampled(out[1, 256, 256, 1]))]
    else:
        parts = [sampled(out[1, 256, 256, 1])]
    record = np.concatenate([np.ravel(p) for p in parts]).astype("<f4")
    record.tofile(here / f"{photo}.{net}.litert")
    print(photo, net, record.size)
