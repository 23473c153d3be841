"""What torch's exporters write of ViT-B/16 and Swin-T, converted to half: it loads and agrees.

convert_exports.py TORCH_PYTHON JOULELINE [MODEL:WORD...]: TORCH_PYTHON has torch and torchvision;
share/jouleline/onnx_export.py says the words, by default all that this torch knows. The exported
classes have the zoo's weights; the file is converted, checked in full, and run in ONNX Runtime in a
process of its own, at another batch than it was exported with. ONNX Runtime computes
half on a CPU in FP32 between casts (emulated)."""
import pathlib
import re
import subprocess
import sys
import tempfile

LEAST_COSINE = 0.999
EXPORT = pathlib.Path(__file__).resolve().parents[2] / "share/jouleline/onnx_export.py"

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
    if done.returncode < 0:
        return f"signal {-done.returncode}"
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()] or ["no words"]
    return ([line for line in lines if re.match(r"[\w.]+(Error|Exception): ", line)] or lines)[-1][:300]


def call(*command):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True)


def one(python, jouleline, folder, name, word):
    """What came of it: "ok", "not exported" or "failed", and its words."""
    source, half = folder / "a.onnx", folder / "b.onnx"
    done = call(python, EXPORT, name, folder / f"{name}.safetensors", word, source)
    if done.returncode:
        return "not exported", f"torch does not export it: {tell(done)}"
    done = call(jouleline, "model", "convert", source, "-o", half)
    if done.returncode:
        return "failed", f"model convert: {tell(done)}"
    done = call(sys.executable, "-c", COMPARE, source, half)
    if done.returncode:
        return "failed", f"ONNX Runtime: {tell(done)}"
    opset, cosine = done.stdout.split()
    return "ok" if float(cosine) >= LEAST_COSINE else "failed", f"opset {opset}, cosine {float(cosine):.6f}"


def main():
    python, jouleline, words = sys.argv[1], sys.argv[2], sys.argv[3:]
    version, *opsets = call(python, EXPORT, "--list").stdout.split()
    words = words or [f"{name}:{word}" for name in ("vit_b_16", "swin_t") for word in opsets]
    count = {"ok": 0, "not exported": 0, "failed": 0}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for word in words:
            name, opset = word.split(":", 1)
            if not (folder / f"{name}.safetensors").exists():
                subprocess.run([jouleline, "model", "export", name, "-f", "safetensors", "-o",
                                folder / f"{name}.safetensors"], check=True, capture_output=True)
            outcome, text = one(python, jouleline, folder, name, opset)
            count[outcome] += 1
            print(f"torch {version}  {name:9} {opset:9} {'FAILED ' if outcome == 'failed' else ''}{text}", flush=True)
    print(f"{count['ok']} of {len(words)} load and agree (CPU, emulated), {count['not exported']} not exported")
    return 1 if count["failed"] or not count["ok"] else 0


if __name__ == "__main__":
    sys.exit(main())
