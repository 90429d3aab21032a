#!/usr/bin/env python3
"""Stores what Keras answers to the .h5 files we export, for tests/export.rs to compare with.

    answer_keras_exports.py FOLDER OUT

FOLDER was filled by `POISDETC_EXPORTS=FOLDER cargo test --test export`. Made with tensorflow-cpu 2.21.0, keras 3.15.1:
too large to be installed whenever the tests run, so the answers are kept in tests/fixtures/keras_export_answers.json
together with the SHA-256 of the files they belong to.
"""

import hashlib
import json
import sys
from pathlib import Path

import keras
import numpy

answers = {}
for path in sorted(Path(sys.argv[1]).glob("*.h5")):
    ours = json.loads(path.with_suffix(".h5.json").read_text())
    pixels = numpy.array(ours["pixels"], numpy.float32).reshape(ours["shape"]).transpose(0, 2, 3, 1)
    model = keras.models.load_model(path, compile=False)
    pixels = pixels.reshape(len(pixels), *model.input_shape[1:])
    answers[path.stem] = {
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "shares": numpy.asarray(model(pixels, training=False)).astype(float).round(7).tolist(),
    }
    print(path.name, len(answers[path.stem]["shares"]))
Path(sys.argv[2]).write_text(json.dumps(answers) + "\n")
