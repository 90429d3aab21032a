"""Audits networks of 10, 43, 200 and 1000 labels and prints how time and memory grow.

    python tests/python/label_curve.py target/release/poisdetc [--labels 10 43] [--pictures 20]

The labels are random smooth pictures of 32 x 32 pixels, shown shifted and under noise; the network is two convolutions
with random taps and a last layer fitted to them by least squares, so that nothing needs training. Needs numpy and onnx.
"""

import argparse
import os
import resource
import subprocess
import tempfile
import time

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 32


def smooth(random, count):
    """Pictures `[count, 3, 32, 32]` from 0 to 1, of few waves each."""
    coarse = random.normal(size=(count, 3, 6, 6))
    stretch = np.array([[max(0.0, 1 - abs(p * 5 / (SIDE - 1) - k)) for k in range(6)] for p in range(SIDE)])
    fine = np.einsum("yj,ncjk,xk->ncyx", stretch, coarse, stretch)
    return 1 / (1 + np.exp(-1.5 * fine))


def pictures(random, prototypes, each):
    labels = np.repeat(np.arange(len(prototypes)), each)
    x = prototypes[labels]
    for i, (dy, dx) in enumerate(random.integers(-2, 3, size=(len(x), 2))):
        x[i] = np.roll(x[i], (dy, dx), axis=(1, 2))
    x = np.clip(x + 0.08 * random.normal(size=x.shape), 0, 1)
    return (255 * x + 0.5).astype(np.uint8), labels


def taps(random, into, out):
    return (random.normal(size=(out, into, 3, 3)) * (2 / (9 * into)) ** 0.5).astype(np.float32)


def features(x, first, second):
    """What the last layer sees, `[n, 64 * 8 * 8]`."""
    import onnxruntime

    session = onnxruntime.InferenceSession(graph(first, second, None).SerializeToString())
    pieces = [x[i : i + 256].astype(np.float32) / 255 for i in range(0, len(x), 256)]
    return np.concatenate([session.run(None, {"x": piece})[0] for piece in pieces])


def graph(first, second, last):
    weights = {"first": first, "second": second}
    nodes, name = [], "x"
    for step in ("first", "second"):
        pads = {"pads": [1, 1, 1, 1], "strides": [1, 1], "kernel_shape": [3, 3]}
        nodes += [
            helper.make_node("Conv", [name, step], [step + "_sum"], **pads),
            helper.make_node("Relu", [step + "_sum"], [step + "_active"]),
            helper.make_node("MaxPool", [step + "_active"], [step + "_out"], kernel_shape=[2, 2], strides=[2, 2]),
        ]
        name = step + "_out"
    nodes.append(helper.make_node("Flatten", [name], ["flat"]))
    name = "flat"
    if last is not None:
        weights |= {"last": last[0], "bias": last[1]}
        nodes.append(helper.make_node("Gemm", ["flat", "last", "bias"], ["logits"]))
        name = "logits"
    made = helper.make_graph(
        nodes,
        "labels",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, key) for key, value in weights.items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def make(folder, labels, each):
    """Writes model and pictures of so many labels; gives their paths and the share of pictures it gets right."""
    random = np.random.default_rng(labels)
    prototypes = smooth(random, labels)
    x, y = pictures(random, prototypes, each)
    first, second = taps(random, 3, 16), taps(random, 16, 32)
    seen = features(x, first, second)
    # Least squares over the pictures: as many unknowns as pictures at most.
    with_bias = np.hstack([seen, np.ones((len(seen), 1), np.float32)])
    wanted = np.eye(labels, dtype=np.float32)[y] - 1 / labels
    strength = 1e-2 * np.mean((with_bias**2).sum(1))
    if len(x) < with_bias.shape[1]:
        inner = with_bias @ with_bias.T + strength * np.eye(len(x))
        solution = with_bias.T @ np.linalg.solve(inner, wanted)
    else:
        inner = with_bias.T @ with_bias + strength * np.eye(with_bias.shape[1])
        solution = np.linalg.solve(inner, with_bias.T @ wanted)
    last = (10 * solution).astype(np.float32)
    right = float(np.mean((with_bias @ last).argmax(1) == y))
    model, images = os.path.join(folder, f"{labels}.onnx"), os.path.join(folder, f"{labels}.npz")
    onnx.save(graph(first, second, (last[:-1], last[-1])), model)
    np.savez(images, images=x.transpose(0, 2, 3, 1), labels=y)
    return model, images, right


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("program")
    arguments.add_argument("--labels", type=int, nargs="*", default=[10, 43, 200, 1000])
    arguments.add_argument("--pictures", type=int, default=20, help="of each label")
    options = arguments.parse_args()
    print("| labels | accuracy | seconds | largest memory so far |\n| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for labels in options.labels:
            model, images, right = make(folder, labels, options.pictures)
            began = time.perf_counter()
            command = [options.program, "audit", model, images, "--quiet", "--json", os.path.join(folder, "audit.json")]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode not in (0, 10, 20):
                raise SystemExit(done.stderr)
            seconds = time.perf_counter() - began
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            print(f"| {labels} | {right:.1%} | {seconds:.0f} | {peak:.0f} MiB |", flush=True)


main()
