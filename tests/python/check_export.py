#!/usr/bin/env python3
"""Asks onnxruntime what exported models answer, and compares with what our program stored.

    check_export.py FOLDER

FOLDER was filled by `POISDETC_EXPORTS=FOLDER cargo test --test export`: each NAME.onnx has a NAME.json with pictures
and our logits. Models that end in a softmax are compared by their shares. Wants numpy and onnxruntime.
"""

import json
import sys
from pathlib import Path

import numpy
import onnxruntime

TOLERANCE = 1e-4


def log_shares(logits):
    logits = logits - logits.max(axis=1, keepdims=True)
    return logits - numpy.log(numpy.exp(logits).sum(axis=1, keepdims=True))


folder = Path(sys.argv[1])
failed = 0
stored = sorted(folder.glob("*.json"))
if not stored:
    sys.exit(f"no exported models in {folder}")
for path in stored:
    ours = json.loads(path.read_text())
    session = onnxruntime.InferenceSession(str(path.with_suffix(".onnx")), providers=["CPUExecutionProvider"])
    pixels = numpy.array(ours["pixels"], numpy.float32).reshape(ours["shape"])
    if ours["channels_last"]:
        pixels = pixels.transpose(0, 2, 3, 1)
    entrance = session.get_inputs()[0]
    if len(entrance.shape) == 3:
        pixels = pixels.reshape(len(pixels), *pixels.shape[2:]) if not ours["channels_last"] else pixels[..., 0]
    # Files made for one picture at a time are asked one by one.
    one = isinstance(entrance.shape[0], int) and entrance.shape[0] == 1
    rows = [pixels[i : i + 1] for i in range(len(pixels))] if one else [pixels]
    answers = numpy.concatenate([session.run(None, {entrance.name: row})[0] for row in rows]).reshape(len(pixels), -1)
    logits = numpy.array(ours["logits"], numpy.float32).reshape(len(pixels), -1)
    notes = " ".join(ours["notes"])
    if "log-softmax at the end" in notes:
        logits = log_shares(logits)
    elif "softmax at the end" in notes:
        logits = numpy.exp(log_shares(logits))
    worst = float(numpy.abs(answers - logits).max() / max(1.0, numpy.abs(logits).max()))
    good = worst <= TOLERANCE
    failed += not good
    print(f"{path.stem}: {worst:.1e} of the largest logit{'' if good else ', TOO FAR'}")
sys.exit(f"{failed} of {len(stored)} exported models answer otherwise" if failed else 0)
