"""Mixed precision: what lacks headroom stays in FP32 and is named, the rest becomes half.

convert_mixed.py JOULELINE CRASH_ORT: graphs with planted large values, then the zoo's
efficientnet_b3+overflow, which half turns into NaN at batches above about 18. CRASH_ORT is a
library that dies when it is asked for ONNX Runtime."""
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh

jouleline, crash_ort = sys.argv[1:3]
X, Y = h.make_tensor_value_info("x", T.FLOAT, ["batch", 8]), h.make_tensor_value_info("y", T.FLOAT, ["batch", 8])


def model(nodes, path, **constants):
    graph = h.make_graph(nodes, "g", [X], [Y], [nh.from_array(np.asarray(v, np.float32), k)
                                               for k, v in constants.items()])
    made = h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made, full_check=True)
    onnx.save(made, path)


def convert(source, target, *options, **environment):
    return subprocess.run([jouleline, "model", "convert", str(source), "-o", str(target), *map(str, options)],
                          capture_output=True, text=True, env=dict(os.environ, **environment))


def run(path, x):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    x = x.astype(np.float16 if session.get_inputs()[0].type == "tensor(float16)" else np.float32)
    return session.run(None, {"x" if "x" in [i.name for i in session.get_inputs()] else
                              session.get_inputs()[0].name: x})[0].astype(np.float64)


def agrees(source, target, x, tolerance=5e-3):
    onnx.checker.check_model(str(target), full_check=True)
    mine, right = run(target, x), run(source, x)
    return np.isfinite(mine).all() and np.abs(mine - right).max() <= tolerance * np.abs(right).max()


NODES = {
    "large": [h.make_node("Relu", ["x"], ["r"], name="small"), h.make_node("Mul", ["r", "k"], ["a"], name="a"),
              h.make_node("Mul", ["a", "k"], ["b"], name="b"), h.make_node("Mul", ["b", "i"], ["c"], name="c"),
              h.make_node("Tanh", ["c"], ["y"], name="t")],
    "weight": [h.make_node("Mul", ["x", "tiny"], ["a"], name="a"), h.make_node("Mul", ["a", "huge"], ["b"], name="b"),
               h.make_node("Tanh", ["b"], ["y"], name="t")],
    "mask": [h.make_node("Add", ["x", "mask"], ["a"], name="a"), h.make_node("Softmax", ["a"], ["s"], name="s"),
             h.make_node("Relu", ["s"], ["y"], name="r")],
    "nan": [h.make_node("Abs", ["x"], ["p"]), h.make_node("Neg", ["p"], ["q"]), h.make_node("Sqrt", ["q"], ["y"])],
}
CONSTANTS = {"large": {"k": 300, "i": 1e-4}, "weight": {"tiny": 1e-5, "huge": 1e5},
             "mask": {"mask": [0, -np.inf, 0, 0, 0, 0, 0, 0]}, "nan": {}}
KEPT = {"large": {"b": "'b' reaches", "c": "'b' reaches"}, "weight": {"b": "'huge' reaches 1e+05 (limit 65504)"},
        "mask": {"a": "'a' reaches inf", "s": "'a' reaches inf"}}


def planted(name, folder):
    source, target = folder / "a.onnx", folder / "b.onnx"
    model(NODES[name], source, **CONSTANTS[name])
    done = convert(source, target, "--to", "mixed", "-n", 8)
    assert done.returncode == 0, done.stderr
    kept = {line.split("'")[1]: line for line in done.stdout.splitlines() if line.startswith("  FP32:")}
    assert kept.keys() == KEPT[name].keys(), done.stdout
    for node, words in KEPT[name].items():
        assert words in kept[node], kept[node]
    assert agrees(source, target, np.random.default_rng(3).standard_normal((5, 8)).astype(np.float32))


def share_of_macs(folder):
    """Three products of one size; what the last one reads is too large."""
    source, target = folder / "a.onnx", folder / "b.onnx"
    model([h.make_node("MatMul", ["x", "w"], ["a"], name="a"), h.make_node("MatMul", ["a", "w"], ["b"], name="b"),
           h.make_node("Mul", ["b", "k"], ["c"], name="c"), h.make_node("Mul", ["c", "k"], ["d"], name="d"),
           h.make_node("MatMul", ["d", "w"], ["e"], name="e"), h.make_node("Mul", ["e", "i"], ["y"], name="f")],
          source, w=0.1 * np.eye(8), k=3000, i=1e-3)
    done = convert(source, target, "--to", "mixed", "-n", 8)
    assert done.returncode == 0 and ", 33.33 % of the MACs" in done.stdout, done.stdout + done.stderr
    assert agrees(source, target, np.random.default_rng(3).standard_normal((5, 8)).astype(np.float32))
    done = convert(source, target, "--keep", "MatMul")
    assert done.returncode == 0 and ", 100.00 % of the MACs" in done.stdout, done.stdout + done.stderr
    done = convert(source, target)
    assert done.returncode == 0 and "MACs" not in done.stdout, "nothing stays in FP32"


def samples_decide(folder):
    """The same graph on items so small that nothing lacks headroom, from a file, several a call."""
    source, target, items = folder / "a.onnx", folder / "b.onnx", folder / "items.npy"
    model(NODES["large"], source, **CONSTANTS["large"])
    np.save(items, np.full((6, 8), 0.01, np.float32))
    done = convert(source, target, "--to", "mixed", "--npy", items, "--batch", 3)
    assert done.returncode == 0 and " 0 kept in FP32" in done.stdout, done.stdout + done.stderr
    assert "on 6 items at batch 3" in done.stdout, done.stdout
    done = convert(source, target, "--to", "mixed", "--npy", items, "--batch", 7)
    assert done.returncode == 2 and "do not fill a batch of 7" in done.stderr, done.stderr


def inputs_and_outputs_keep_their_room(folder):
    """An output that half cannot hold stays FP32, and so does such an input; the others become half."""
    source, target = folder / "a.onnx", folder / "b.onnx"
    model([h.make_node("Tanh", ["x"], ["t"], name="t"), h.make_node("Mul", ["t", "k"], ["y"], name="m")], source, k=1e6)
    for x, types, words in ((1, ("float16", "float"), "1 inputs and outputs of the model stay FP32"),
                            (1e5, ("float", "float"), "2 inputs and outputs of the model stay FP32")):
        items = x * np.random.default_rng(3).standard_normal((8, 8)).astype(np.float32)
        np.save(folder / "i.npy", items)
        done = convert(source, target, "--to", "mixed", "--npy", folder / "i.npy")
        assert done.returncode == 0 and words in done.stdout, done.stdout + done.stderr
        onnx.checker.check_model(str(target), full_check=True)
        session = ort.InferenceSession(str(target), providers=["CPUExecutionProvider"])
        got = (session.get_inputs()[0], session.get_outputs()[0])
        assert tuple(g.type for g in got) == tuple(f"tensor({t})" for t in types), (x, [g.type for g in got])
        assert agrees(source, target, items)


def nan_is_an_error(folder):
    model(NODES["nan"], folder / "a.onnx")
    done = convert(folder / "a.onnx", folder / "nan.onnx", "--to", "mixed")
    assert done.returncode == 1 and "'y' of the samples is NaN" in done.stderr, done.stderr
    assert not (folder / "nan.onnx").exists()


def a_crash_is_an_error(folder):
    model(NODES["large"], folder / "a.onnx", **CONSTANTS["large"])
    done = convert(folder / "a.onnx", folder / "crash.onnx", "--to", "mixed", JOULELINE_ORT=crash_ort)
    assert done.returncode == 1 and "signal 11" in done.stderr and "ranges" in done.stderr, done.stderr
    assert not list(folder.glob("crash.onnx*")), "something is left"
    done = convert(folder / "a.onnx", folder / "static.onnx", JOULELINE_ORT=crash_ort)
    assert done.returncode == 0, "the static conversion needs no runtime"


def branches_are_said(folder):
    y = h.make_tensor_value_info("t", T.FLOAT, None)
    u = h.make_tensor_value_info("u", T.FLOAT, None)
    then = h.make_graph([h.make_node("Exp", ["x"], ["t"])], "then", [], [y])
    other = h.make_graph([h.make_node("Neg", ["x"], ["u"])], "else", [], [u])
    model([h.make_node("ReduceSum", ["x"], ["n"], keepdims=0), h.make_node("Greater", ["n", "zero"], ["up"]),
           h.make_node("If", ["up"], ["y"], then_branch=then, else_branch=other)], folder / "a.onnx", zero=0)
    done = convert(folder / "a.onnx", folder / "b.onnx", "--to", "mixed")
    assert done.returncode == 0 and "2 nodes are inside branches" in done.stdout, done.stdout + done.stderr
    onnx.checker.check_model(str(folder / "b.onnx"), full_check=True)


def planted_overflow(folder):
    batch, source = 20, folder / "o.onnx"
    subprocess.run([jouleline, "model", "export", "efficientnet_b3+overflow", "-o", source], check=True)
    x = np.random.default_rng(7).standard_normal((batch, 3, 300, 300)).astype(np.float32)
    right = run(source, x)
    for to in "fp16", "mixed":
        done = convert(source, folder / "b.onnx", "--to", to, *(["-n", batch, "-b", batch] if to == "mixed" else []))
        assert done.returncode == 0, done.stderr
        got = run(folder / "b.onnx", x)
        if to == "fp16":
            assert np.isnan(got).all(), "half alone should overflow"
    cosine = ((right * got).sum(1) / np.sqrt((right ** 2).sum(1) * (got ** 2).sum(1))).min()
    print(f"efficientnet_b3+overflow at batch {batch}: fp16 NaN, mixed cosine {cosine:.6f}")
    print(done.stdout.splitlines()[2])
    assert cosine >= 0.999 and " 3 kept in FP32" in done.stdout, done.stdout


failures = 0
with tempfile.TemporaryDirectory() as name:
    cases = [(f"planted {n}", lambda f, n=n: planted(n, f)) for n in KEPT] + [
        (f.__name__, f) for f in (share_of_macs, samples_decide, inputs_and_outputs_keep_their_room, nan_is_an_error, a_crash_is_an_error, branches_are_said,
                                  planted_overflow)]
    for label, check in cases:
        try:
            check(pathlib.Path(name))
        except AssertionError as problem:  # every case is reported, then the test fails
            failures += 1
            print(f"FAILED {label}: {str(problem)[:800]}")
print(f"{len(cases) - failures} of {len(cases)} as expected")
sys.exit(bool(failures))
