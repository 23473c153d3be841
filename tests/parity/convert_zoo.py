"""Half-precision conversions of the zoo: loads in ONNX Runtime, checks in full, cosine to FP32.

convert_zoo.py JOULELINE [MODEL...]: both export styles of each model (all fifteen without names).
ONNX Runtime computes half precision on a CPU in FP32 between casts (emulated), so the cosine
shows what rounding weights and activations costs, not how a GPU's units round."""
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime as ort

jouleline, names = sys.argv[1], sys.argv[2:]
ITEMS, LEAST_COSINE = 4, 0.999


def call(*arguments):
    return subprocess.run([jouleline, *arguments], check=True, capture_output=True, text=True).stdout


def run(path, x):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    x = x.astype(np.float16 if session.get_inputs()[0].type == "tensor(float16)" else np.float32)
    return session.run(None, {session.get_inputs()[0].name: x})[0].astype(np.float64)


def cosine(a, b):
    return (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))


if not names:
    listing = call("model", "list", "-o", "csv").splitlines()
    names = [line.split(",")[0] for line in listing[1:] if "+" not in line.split(",")[0]]
worst, failed = 1.0, []
with tempfile.TemporaryDirectory() as folder:
    source, target = pathlib.Path(folder, "a.onnx"), pathlib.Path(folder, "b.onnx")
    for name in names:
        for style in "zoo", "torchscript":
            call("model", "export", name, "--style", style, "-o", str(source))
            call("model", "convert", str(source), "-o", str(target))
            onnx.checker.check_model(onnx.load(str(target)), full_check=True)
            side = 300 if "b3" in name else 224
            x = np.random.default_rng(7).standard_normal((ITEMS, 3, side, side)).astype(np.float32)
            try:
                got = cosine(run(target, x), run(source, x)).min()
            except Exception as problem:
                got = -1.0
                print(f"{name} {style}: {str(problem)[:300]}")
            print(f"{name:24} {style:12} cosine {got:.6f}", flush=True)
            worst = min(worst, got)
            if not got >= LEAST_COSINE:
                failed.append((name, style))
print(f"{2 * len(names) - len(failed)} of {2 * len(names)} load and agree, worst cosine {worst:.6f} (CPU, emulated)")
sys.exit(bool(failed))
