"""The zoo against torchvision: with the same weights, the outputs of the exported files in ONNX
Runtime equal those of torchvision's classes within 1e-4 of the largest logit, batch 1 and 5; those
of probes equal the module that the Python worker makes.

usage: zoo.py JOULELINE SYSTEM_PYTHON [MODEL...]

Runs in the test venv (onnx, onnxruntime); torch lives in the system's Python, so a second process
(zoo_torch.py) reads one job a line: model, weights, inputs, outputs. Every file is also given to
onnx.checker, and its initializers are counted against torchvision's parameters. Models that hold
every layer which an export option changes are also written with these options."""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime

HERE = pathlib.Path(__file__).resolve().parent
LIMIT = 1e-4
# What a file holds beyond the state_dict: Swin's position biases, gathered from their tables.
BAKED = {"swin_t": 308016}
OLD, NEW = "--opset 13 --style torchscript --fold-bn", "--opset 21 --fold-bn"
VARIANTS = {
    "mobilenet_v3_small": [OLD, NEW],
    "shufflenet_v2_x1_0": [OLD, NEW],
    "densenet121": [OLD, NEW],
    "vit_b_16": ["--style torchscript"],
    "swin_t": [OLD, NEW, "--opset 18 --decompose"],
    "convnext_tiny": [OLD, NEW],
}
# Probes, small, and the rows of their input.
PROBES = {"probe_matmul_24x16x3": 1, "probe_stream_8x16x4": 1, "probe_read_8x16x1": 8,
          "probe_chain_2x16x5": 2}


def run_onnx(path, x):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return [session.run(None, {"input": part})[0] for part in (x[:1], x)]


def count(path):
    """Elements of the initializers that hold weights: a constant has a name of its own kind."""
    graph = onnx.load(path).graph
    constants = ("int64.", "int64s.", "float.", "attention_mask.")
    return sum(int(np.prod(t.dims)) for t in graph.initializer if not t.name.startswith(constants))


class Torch:
    """torchvision in its own process."""

    def __init__(self, python, folder):
        self.process = subprocess.Popen([python, str(HERE / "zoo_torch.py")], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, "OMP_NUM_THREADS": "2"})
        self.inputs, self.outputs = (os.path.join(folder, n) for n in ("x.npy", "y.npy"))

    def run(self, name, weights, x):
        np.save(self.inputs, x)
        print(name, weights, self.inputs, self.outputs, file=self.process.stdin, flush=True)
        if self.process.stdout.readline().strip() != name:
            sys.exit(f"{name}: torchvision did not answer")
        return np.load(self.outputs)


def check(export, options, path, x, expected, elements):
    """What is wrong with one file, and its largest difference."""
    subprocess.run(export + ["-o", path] + options.split(), check=True)
    onnx.checker.check_model(path, full_check=True)
    worst = max(np.abs(y - expected[:len(y)]).max() for y in run_onnx(path, x)) / np.abs(expected).max()
    wrong = [] if worst <= LIMIT else [f"more than {LIMIT}"]
    if not options and elements is not None and count(path) != elements:
        wrong.append(f"{count(path)} initializer elements, not {elements}")
    return wrong, worst


def report(what, worst, wrong):
    print(f"{what}: largest difference {worst:.1e} of the largest logit" + "".join(", " + w for w in wrong), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("jouleline")
    parser.add_argument("python")
    parser.add_argument("models", nargs="*")
    args = parser.parse_args()
    listed = subprocess.run([args.jouleline, "model", "list", "-o", "json"], check=True, capture_output=True)
    zoo = {m["model"]: m for m in json.loads(listed.stdout)}
    failures = 0
    with tempfile.TemporaryDirectory(prefix="jl_zoo_") as folder:
        torch = Torch(args.python, folder)
        file, weights = os.path.join(folder, "model.onnx"), os.path.join(folder, "weights")
        for name in args.models or [*zoo, *PROBES]:
            export = [args.jouleline, "model", "export", name]
            subprocess.run(export + ["-f", "safetensors", "-o", weights], check=True)
            if name in PROBES:
                shape, elements = (PROBES[name], 16), None
            else:
                shape = (3, zoo[name]["input"][2], zoo[name]["input"][2])
                elements = zoo[name]["parameters"] + zoo[name]["statistics"] + BAKED.get(name, 0)
            x = np.random.default_rng(5).standard_normal((5, *shape), np.float32)
            expected = torch.run(name.split("+")[0], weights, x)
            for options in ["", *VARIANTS.get(name, [])]:
                wrong, worst = check(export, options, file, x, expected, elements)
                failures += bool(wrong)
                report(f"{name} {options}".rstrip(), worst, wrong)
        # Weights that torchvision made, through the tool that takes them to jouleline.
        name, x = "mobilenet_v2", np.random.default_rng(6).standard_normal((5, 3, 224, 224), np.float32)
        subprocess.run([args.python, str(HERE.parents[1] / "tools/torchvision_to_safetensors.py"), name, weights],
                       check=True)
        export = [args.jouleline, "model", "export", name, "--weights", weights]
        wrong, worst = check(export, "", file, x, torch.run(name, weights, x),
                             zoo[name]["parameters"] + zoo[name]["statistics"])
        failures += bool(wrong)
        report(f"{name} with torchvision's initial weights", worst, wrong)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
