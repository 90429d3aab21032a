"""Times plain Neural Cleanse (Wang et al., IEEE S&P 2019) in PyTorch on a network that we audit, with the constants of
its authors' road-sign script.

    python tests/python/neural_cleanse.py MODEL.onnx IMAGES [--labels 8 0 5] [--threads 2]

MODEL is a plain chain of convolutions (Conv, Elu, Relu, MaxPool, Flatten, Gemm) for pixels from 0 to 1; IMAGES the
npz or CIFAR-10 file beside it. Prints for each label the size of its mask, how often it works, and the seconds; for
all labels together the authors' anomaly index. Needs torch, onnx and numpy.
"""

import argparse
import time

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch.nn import functional as F

RATE, BETAS, BATCH, PICTURES = 0.1, (0.5, 0.9), 32, 1000
STEPS, SUCCESS, FIRST_COST, PATIENCE, UP, DOWN = 1000, 0.99, 1e-3, 5, 2.0, 2.0**1.5
EARLY_STOP, EARLY_PATIENCE = 1.0, 25


class Chain(torch.nn.Module):
    """The graph of an ONNX file, node by node."""

    def __init__(self, path):
        super().__init__()
        graph = onnx.load(path).graph
        self.nodes = list(graph.node)
        self.input = graph.input[0].name
        self.output = graph.output[0].name
        self.constants = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in graph.initializer}

    def forward(self, x):
        values = dict(self.constants)
        values[self.input] = x
        for node in self.nodes:
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            x, *more = [values[name] for name in node.input]
            values[node.output[0]] = self.run(node.op_type, attributes, x, more)
        return values[self.output]

    @staticmethod
    def run(kind, attributes, x, more):
        if kind == "Conv":
            return F.conv2d(x, *more, stride=attributes["strides"], padding=attributes["pads"][:2])
        if kind == "Gemm":
            return F.linear(x, more[0] if attributes.get("transB") else more[0].T, more[1])
        if kind == "MaxPool":
            return F.max_pool2d(x, attributes["kernel_shape"], attributes["strides"])
        return {"Elu": F.elu, "Relu": F.relu, "Flatten": lambda x: x.flatten(1)}[kind](x)


def pictures(path):
    """Pictures `[n, 3, h, w]` from 0 to 1."""
    if path.endswith(".bin"):
        rows = np.fromfile(path, np.uint8).reshape(-1, 3073)
        return torch.from_numpy(rows[:, 1:].reshape(-1, 3, 32, 32).astype(np.float32) / 255)
    archive = np.load(path)
    name = max(archive.files, key=lambda name: archive[name].ndim)
    x = archive[name].astype(np.float32) / 255
    return torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if x.shape[-1] == 3 else x)


def smallest_mask(model, images, label, generator):
    """The smallest mask that works, its size and rate, and the steps and batches it took."""
    shape = images.shape[1:]
    raw = [torch.rand(s, generator=generator).mul(2).sub(1).mul(1 - 1e-7).atanh() for s in ((1, *shape[1:]), shape)]
    mask, pattern = [r.requires_grad_() for r in raw]
    squash = lambda u: u.tanh() / (2 - 1e-7) + 0.5
    adam = torch.optim.Adam([mask, pattern], lr=RATE, betas=BETAS)
    targets = torch.full((BATCH,), label)
    cost, best, best_rate = 0.0, float("inf"), 0.0
    set_again = up = down = rested = 0
    went_up = went_down = False
    last_best = float("inf")
    for step in range(STEPS):
        rates = []
        for _ in range(PICTURES // BATCH):
            x = images[torch.randint(len(images), (BATCH,), generator=generator)]
            m = squash(mask)
            logits = model((1 - m) * x + m * squash(pattern))
            loss = F.cross_entropy(logits, targets) + cost * m.sum()
            adam.zero_grad()
            loss.backward()
            adam.step()
            rates.append((logits.argmax(1) == label).float().mean().item())
        rate, size = float(np.mean(rates)), squash(mask).sum().item()
        if rate >= SUCCESS and size < best:
            best, best_rate = size, rate
        if best < float("inf"):
            rested = 0 if best < EARLY_STOP * last_best else rested + 1
            last_best = min(best, last_best)
            if went_up and went_down and rested >= EARLY_PATIENCE:
                break
        if cost == 0 and rate >= SUCCESS:
            set_again += 1
            if set_again >= PATIENCE:
                cost, up, down, went_up, went_down = FIRST_COST, 0, 0, False, False
        else:
            set_again = 0
        if rate >= SUCCESS:
            up, down = up + 1, 0
        else:
            up, down = 0, down + 1
        if up >= PATIENCE:
            up, went_up, cost = 0, True, cost * UP
        elif down >= PATIENCE:
            down, went_down, cost = 0, True, cost / DOWN
    return best, best_rate, step + 1


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("model")
    arguments.add_argument("images")
    arguments.add_argument("--labels", type=int, nargs="*")
    arguments.add_argument("--threads", type=int, default=2)
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    # The faster of PyTorch's two layouts on this network.
    model = Chain(options.model).eval()
    images = pictures(options.images).contiguous(memory_format=torch.channels_last)
    labels = options.labels
    if labels is None:
        labels = range(model(images[:1]).shape[1])
    sizes, began = [], time.perf_counter()
    for label in labels:
        start = time.perf_counter()
        size, rate, steps = smallest_mask(model, images, label, torch.Generator().manual_seed(label))
        sizes.append(size)
        took = time.perf_counter() - start
        print(f"label {label}: mask {size:.2f}, works on {rate:.1%}, {steps} steps, {took:.1f} s", flush=True)
    if len(sizes) >= 8:
        middle = np.median(sizes)
        deviation = 1.4826 * np.median(np.abs(sizes - middle))
        flagged = [(l, round(abs(s - middle) / deviation, 2)) for l, s in zip(labels, sizes) if s <= middle]
        print("flagged (index above 2):", [f"{l}: {index}" for l, index in flagged if index > 2])
    print(f"{len(sizes)} labels in {time.perf_counter() - began:.1f} s")


main()
