"""What torch's exporters write of ViT-B/16 and Swin-T, converted to half: it loads and agrees.

convert_exports.py TORCH_PYTHON JOULELINE [MODEL:OPSET...]: TORCH_PYTHON has torch and torchvision.
Without words both models, every opset from 11 on that this torch's TorchScript exporter knows (18
at the most), and its dynamo exporter, written MODEL:dynamo, where it and onnxscript are there. The
exported classes have the zoo's weights; the file is converted, checked in full, and run in ONNX
Runtime in a process of its own, at another batch than it was exported with. ONNX Runtime computes
half on a CPU in FP32 between casts (emulated)."""
import os
import pathlib
import subprocess
import sys
import tempfile

LEAST_COSINE = 0.999
SHARE = pathlib.Path(__file__).resolve().parents[2] / "share/jouleline"

VERSIONS = r"""
import importlib.util
import torch
from torch.onnx import _constants as c
most = getattr(c, "ONNX_TORCHSCRIPT_EXPORTER_MAX_OPSET", getattr(c, "ONNX_MAX_OPSET", 17))
words = [str(v) for v in range(11, min(most, 18) + 1)]
if importlib.util.find_spec("onnxscript") and not torch.__version__.startswith("1."):
    words.append("dynamo")
print(torch.__version__, *words)
"""

EXPORT = r"""
import sys, warnings, logging
warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
import torch
from jouleline_torch import models
name, weights, word, path = sys.argv[1:]
model, _ = models.zoo_model(name, weights)
x = torch.zeros(2, 3, 224, 224)
old = torch.__version__.startswith("1.")
for parameter in model.parameters():
    parameter.requires_grad_(True)  # else attention takes a fused path that cannot be exported
if word == "dynamo":
    batch = torch.export.Dim("batch", min=1, max=64)
    torch.onnx.export(model.eval(), (x,), path, dynamo=True, dynamic_shapes=({0: batch},),
                      input_names=["input"], output_names=["logits"], external_data=False, verbose=False)
else:
    torch.onnx.export(model.eval(), x, path, opset_version=int(word), input_names=["input"],
                      output_names=["logits"], dynamic_axes={"input": {0: "batch"}, "logits": {0: "batch"}},
                      **({} if old else {"dynamo": False}))
"""

COMPARE = r"""
import sys
import numpy as np, onnx, onnxruntime as ort
onnx.checker.check_model(sys.argv[2], full_check=True)
opset = next(o.version for o in onnx.load(sys.argv[1]).opset_import if o.domain in ("", "ai.onnx"))
def run(path, x):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    s = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    i = s.get_inputs()[0]
    return s.run(None, {i.name: x.astype(np.float16 if "16" in i.type else np.float32)})[0].astype(np.float64)
x = np.random.default_rng(7).standard_normal((3, 3, 224, 224)).astype(np.float32)
a, b = (run(p, x) for p in sys.argv[1:3])
print(opset, ((a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))).min())
"""


def tell(done):
    text = (done.stderr + done.stdout).strip().splitlines()
    return f"signal {-done.returncode}" if done.returncode < 0 else text[-1][:300] if text else "no words"


def call(*command, **more):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, **more)


def one(python, jouleline, folder, name, word):
    """The least cosine over the items and the file's opset, or the words of the step that failed."""
    source, half = folder / "a.onnx", folder / "b.onnx"
    environment = dict(os.environ, PYTHONPATH=str(SHARE))
    done = call(python, "-c", EXPORT, name, folder / f"{name}.safetensors", word, source, env=environment)
    if done.returncode:
        return None, None, f"torch cannot export it: {tell(done)}"
    done = call(jouleline, "model", "convert", source, "-o", half)
    if done.returncode:
        return None, None, f"model convert: {tell(done)}"
    done = call(sys.executable, "-c", COMPARE, source, half)
    if done.returncode:
        return None, None, f"ONNX Runtime: {tell(done)}"
    opset, cosine = done.stdout.split()
    return opset, float(cosine), None


def main():
    python, jouleline, words = sys.argv[1], sys.argv[2], sys.argv[3:]
    version, *opsets = call(python, "-c", VERSIONS).stdout.split()
    words = words or [f"{name}:{word}" for name in ("vit_b_16", "swin_t") for word in opsets]
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for word in words:
            name, opset = word.split(":")
            if not (folder / f"{name}.safetensors").exists():
                subprocess.run([jouleline, "model", "export", name, "-f", "safetensors", "-o",
                                folder / f"{name}.safetensors"], check=True, capture_output=True)
            written, cosine, words_of_it = one(python, jouleline, folder, name, opset)
            bad = cosine is None or not cosine >= LEAST_COSINE
            failed += bad
            text = words_of_it or f"opset {written}, cosine {cosine:.6f}{' FAILED' if bad else ''}"
            print(f"torch {version}  {name:9} {opset:7} {text}", flush=True)
    print(f"{len(words) - failed} of {len(words)} load and agree (CPU, emulated)")
    return 1 if failed or not words else 0


if __name__ == "__main__":
    sys.exit(main())
