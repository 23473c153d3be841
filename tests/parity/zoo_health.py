"""The zoo's weights behave: tensors at useful scales, different answers for different inputs, and
the planted overflow where it was planted.

usage: zoo_health.py JOULELINE [MODEL...]   (all models without names)

For each model, on standard normal images: every tensor between two nodes of the default export has
a standard deviation within 0.05 to 50 (two images), and 64 images get at least 30 different
top-1 answers. For a +overflow variant, converted to half: finite logits at batch 1 and 8, NaN at
32; in FP32 equal to the plain model's. (Cosines of half precision: convert_zoo.py.)"""
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime

LEAST, MOST, DISTINCT, IMAGES = 0.05, 50, 30, 64


def call(*arguments):
    return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout


def session(model, optimise=True):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    options.log_severity_level = 3
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def images(count, pixels):
    return np.random.default_rng(2).standard_normal((count, 3, pixels, pixels), np.float32)


def deviations(path, x):
    """(deviation, name) of every float tensor that a node makes, least first."""
    model = onnx.load(path)
    types = {v.name: v.type.tensor_type.elem_type for v in onnx.shape_inference.infer_shapes(model).graph.value_info}
    names = [name for node in model.graph.node for name in node.output if types.get(name) == onnx.TensorProto.FLOAT]
    for name in names:
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    values = session(model.SerializeToString(), optimise=False).run(None, {"input": x})
    return sorted((float(v.std()), name) for name, v in zip(["logits"] + names, values))


def check_plain(path, pixels):
    x = images(IMAGES, pixels)
    s = session(path)
    logits = np.concatenate([s.run(None, {"input": x[i:i + 8]})[0] for i in range(0, IMAGES, 8)])
    distinct = len(set(logits.argmax(1)))
    found = deviations(path, x[:2])
    wrong = [f"'{name}' has deviation {value:.3g}" for value, name in found if not LEAST <= value <= MOST]
    if distinct < DISTINCT:
        wrong.append(f"fewer than {DISTINCT} answers")
    print(f"{distinct} answers, deviations {found[0][0]:.3g} to {found[-1][0]:.3g}", *wrong, sep=", ", flush=True)
    return not wrong


def check_overflow(jouleline, path, plain, pixels):
    half = path + ".half"
    call(jouleline, "model", "convert", path, "--to", "fp16", "-o", half)
    as_half, as_float, reference = session(half), session(path), session(plain)
    x = images(32, pixels)
    finite = [bool(np.isfinite(as_half.run(None, {"input": x[:n].astype(np.float16)})[0]).all()) for n in (1, 8, 32)]
    same = np.allclose(as_float.run(None, {"input": x[:8]})[0], reference.run(None, {"input": x[:8]})[0], atol=1e-5)
    good = finite == [True, True, False] and same
    print(f"half is finite at batch 1, 8, 32: {finite}; FP32 {'equals' if same else 'differs from'} the plain model",
          flush=True)
    return good


def main():
    jouleline, *names = sys.argv[1:]
    pixels = {}
    for line in call(jouleline, "model", "list", "-o", "csv").splitlines()[1:]:
        name, _, size = line.split(",")[:3]
        pixels[name] = int(size.split("x")[1])
    failed = []
    with tempfile.TemporaryDirectory(prefix="jl_health_") as folder:
        path, plain = os.path.join(folder, "model.onnx"), os.path.join(folder, "plain.onnx")
        for name in names or pixels:
            call(jouleline, "model", "export", name, "-o", path)
            print(name, end=": ", flush=True)
            if "+overflow" in name:
                call(jouleline, "model", "export", name.split("+")[0], "-o", plain)
                good = check_overflow(jouleline, path, plain, pixels[name])
            else:
                good = check_plain(path, pixels[name])
            if not good:
                failed.append(name)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
