"""The zoo against torchvision: with the same weights, the outputs of the exported files in ONNX
Runtime equal those of torchvision's classes within 1e-4 of the largest logit, batch 1 and 5.

usage: zoo.py JOULELINE SYSTEM_PYTHON [--options "EXPORT OPTIONS"] [MODEL...]

Runs in the test venv (onnx, onnxruntime); torch lives in the system's Python, so a second process
(zoo_torch.py) reads one job a line: model, weights, inputs, outputs. Every file is also given to
onnx.checker, and its initializers are counted against torchvision's parameters."""
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


def run_onnx(path, x):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return [session.run(None, {"input": part})[0] for part in (x[:1], x)]


def count(path):
    """Elements of the initializers that hold weights: a constant has a name of its own kind."""
    graph = onnx.load(path).graph
    constants = ("int64.", "int64s.", "float.", "attention_mask.", "region_difference.")
    return sum(int(np.prod(t.dims)) for t in graph.initializer if not t.name.startswith(constants))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("jouleline")
    parser.add_argument("python")
    parser.add_argument("--options", default="")
    parser.add_argument("models", nargs="*")
    args = parser.parse_args()
    listed = subprocess.run([args.jouleline, "model", "list", "-o", "json"], check=True, capture_output=True)
    zoo = {m["model"]: m for m in json.loads(listed.stdout)}
    torch = subprocess.Popen([args.python, str(HERE / "zoo_torch.py")], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "2"})
    failures = 0
    with tempfile.TemporaryDirectory(prefix="jl_zoo_") as folder:
        onnx_file, weights, inputs, outputs = (pathlib.Path(folder, n) for n in ("m.onnx", "w", "x.npy", "y.npy"))
        for name in args.models or zoo:
            plain = name.split("+")[0]
            export = [args.jouleline, "model", "export", name]
            subprocess.run(export + ["-o", str(onnx_file)] + args.options.split(), check=True)
            subprocess.run(export + ["-f", "safetensors", "-o", str(weights)], check=True)
            pixels = zoo[name]["input"][2]
            x = np.random.default_rng(5).standard_normal((5, 3, pixels, pixels), np.float32)
            np.save(inputs, x)
            print(plain, weights, inputs, outputs, file=torch.stdin, flush=True)
            onnx.checker.check_model(str(onnx_file), full_check=True)
            got = run_onnx(onnx_file, x)
            if torch.stdout.readline().strip() != plain:
                sys.exit(f"{name}: torchvision did not answer")
            expected = np.load(outputs)
            worst = max(np.abs(y - expected[:len(y)]).max() for y in got) / np.abs(expected).max()
            words = [f"largest difference {worst:.1e} of the largest logit"]
            if not worst <= LIMIT:
                words.append(f"more than {LIMIT}")
            elements = zoo[name]["parameters"] + zoo[name]["statistics"] + BAKED.get(name, 0)
            if not args.options and count(onnx_file) != elements:
                words.append(f"{count(onnx_file)} initializer elements, not {elements}")
            failures += len(words) > 1
            print(f"{name}: {', '.join(words)}", flush=True)
    torch.stdin.close()
    torch.wait()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
