"""Times this engine, PyTorch (both layouts) and onnxruntime on the same networks, in turn and in one run.

Prints our time, and its ratio to the better of PyTorch's two layouts and to onnxruntime; the shortest of many
rounds counts. With one thread processor time is taken, which other work on the machine hardly changes; with more,
time by the clock.

    cargo bench --no-run --bench serve     # prints the program's path
    python tests/python/compare_engines.py PROGRAM [--threads 2] [--rounds 10] [--only NAME] [--modes picture ...]

Needs torch, torchvision, onnx, onnxscript and onnxruntime.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time

# The same memory for both sides: large buffers are kept, not handed back and asked for again at every step.
KEPT = {"MALLOC_MMAP_THRESHOLD_": "4000000000", "MALLOC_TRIM_THRESHOLD_": "8000000000"}


def road_sign_network():
    from torch import nn

    layers, channels = [], 3
    for width in (32, 64, 128):
        for into in (channels, width):
            layers += [nn.Conv2d(into, width, 3, padding=1), nn.ELU()]
        layers.append(nn.MaxPool2d(2))
        channels = width
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * 4 * 4, 43))


def resnet18():
    from torch import nn
    from torchvision.models import resnet18

    model = resnet18(num_classes=10)
    model.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    model.maxpool = nn.Identity()
    return model


def mobilenet():
    from torchvision.models import mobilenet_v2

    return mobilenet_v2(num_classes=43)


def vit():
    from torchvision.models import VisionTransformer

    return VisionTransformer(
        image_size=32, patch_size=4, num_layers=4, num_heads=3, hidden_dim=192, mlp_dim=768, num_classes=43
    )


# Name, maker, height and width, batches.
NETWORKS = [
    ("gtsrb", road_sign_network, 32, (32, 430)),
    ("resnet18", resnet18, 32, (32,)),
    ("mobilenet", mobilenet, 64, (32,)),
    ("vit", vit, 32, (32,)),
]


def trained(model):
    """With other numbers in each BatchNorm, as after training: equal parameters would be exported as one."""
    import torch

    for child in model.modules():
        if isinstance(child, torch.nn.BatchNorm2d):
            for values, low, high in (
                (child.weight, 0.8, 1.2), (child.bias, -0.2, 0.2),
                (child.running_mean, -0.2, 0.2), (child.running_var, 0.8, 1.2),
            ):
                torch.nn.init.uniform_(values, low, high)
    return model.eval()


def folded(model):
    """The same network with each BatchNorm folded into its convolution, as the exporter writes it."""
    import torch
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    for parent in list(model.modules()):
        before = None
        for name, child in list(parent.named_children()):
            if isinstance(child, torch.nn.BatchNorm2d) and before is not None:
                setattr(parent, before[0], fuse_conv_bn_eval(before[1], child))
                setattr(parent, name, torch.nn.Identity())
                before = None
            else:
                before = (name, child) if isinstance(child, torch.nn.Conv2d) else None
    return model


class Torch:
    def __init__(self, model, batch, size, channels_last, threads):
        import copy

        import torch

        self.torch, self.threads = torch, threads
        self.layout = torch.channels_last if channels_last else torch.contiguous_format
        self.model = copy.deepcopy(model).to(memory_format=self.layout)
        self.x = torch.rand(batch, 3, size, size).contiguous(memory_format=self.layout)
        self.labels = torch.zeros(batch, dtype=torch.long)

    def run(self, mode, runs):
        torch = self.torch
        for p in self.model.parameters():
            p.requires_grad_(mode == "weights")
        best = [float("inf")] * 2
        for _ in range(runs):
            for p in self.model.parameters():
                p.grad = None
            x = self.x.clone(memory_format=torch.preserve_format).requires_grad_(mode == "picture")
            clock, processor = time.perf_counter(), time.process_time()
            if mode == "forward":
                with torch.no_grad():
                    self.model(x)
            else:
                torch.nn.functional.cross_entropy(self.model(x), self.labels).backward()
            best = [min(best[0], time.perf_counter() - clock), min(best[1], time.process_time() - processor)]
        return best[self.threads == 1] * 1e3


class OnnxRuntime:
    def __init__(self, path, batch, size, threads):
        import numpy as np
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.x = {self.session.get_inputs()[0].name: np.random.rand(batch, 3, size, size).astype("float32")}
        self.threads = threads

    def run(self, mode, runs):
        best = [float("inf")] * 2
        for _ in range(runs):
            clock, processor = time.perf_counter(), time.process_time()
            self.session.run(None, self.x)
            best = [min(best[0], time.perf_counter() - clock), min(best[1], time.process_time() - processor)]
        return best[self.threads == 1] * 1e3


class Ours:
    def __init__(self, program, threads):
        environment = os.environ | {"RAYON_NUM_THREADS": str(threads), "CANDLE_NUM_THREADS": "1"}
        self.program = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True)
        self.threads = threads

    def run(self, path, batch, mode, runs):
        self.program.stdin.write(f"{path} {batch} {mode} {runs}\n")
        self.program.stdin.flush()
        answer = self.program.stdout.readline().split()
        if len(answer) != 2:
            sys.exit("the program gave no answer")
        return float(answer[self.threads == 1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--modes", nargs="*", default=["forward", "picture", "weights"])
    arguments = parser.parse_args()
    if any(os.environ.get(name) != value for name, value in KEPT.items()):
        os.execve(sys.executable, [sys.executable] + sys.argv, os.environ | KEPT)

    import torch

    torch.manual_seed(0)
    torch.set_num_threads(arguments.threads)
    ours = Ours(arguments.program, arguments.threads)
    print(f"{arguments.threads} threads, ms, {'processor' if arguments.threads == 1 else 'clock'} time")
    print("| network | batch | what | ours | torch | channels last | onnxruntime | to torch | to onnxruntime |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for name, make, size, batches in NETWORKS:
            if arguments.only and name not in arguments.only:
                continue
            model = folded(trained(make()))
            path = os.path.join(folder, name + ".onnx")
            torch.onnx.export(
                model, torch.rand(2, 3, size, size), path, dynamo=False, opset_version=17, input_names=["x"],
                output_names=["logits"], dynamic_axes={"x": {0: "n"}, "logits": {0: "n"}},
            )
            for batch in batches:
                straight, last = (Torch(model, batch, size, c, arguments.threads) for c in (False, True))
                runtime = OnnxRuntime(path, batch, size, arguments.threads)
                runs = 5 if batch < 100 else 1
                for mode in arguments.modes:
                    best = [float("inf")] * 4
                    for _ in range(arguments.rounds):
                        times = [ours.run(path, batch, mode, runs), straight.run(mode, runs), last.run(mode, runs)]
                        times.append(runtime.run(mode, runs) if mode == "forward" else float("inf"))
                        best = [min(pair) for pair in zip(best, times)]
                    torch_best = min(best[1:3])
                    to_runtime = f"{best[0] / best[3]:.2f}" if mode == "forward" else "-"
                    shown = " | ".join(f"{t:.1f}" if t < float("inf") else "-" for t in best)
                    print(f"| {name} | {batch} | {mode} | {shown} | {best[0] / torch_best:.2f} | {to_runtime} |", flush=True)


if __name__ == "__main__":
    main()
