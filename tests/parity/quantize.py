"""INT8 models and comparisons against ONNX Runtime run by hand, and their mistakes.

quantize.py JOULELINE CRASH_ORT: needs JOULELINE_ORT or a library that jouleline finds by itself. CRASH_ORT is a library
that dies when it is asked for ONNX Runtime, or later."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh

jouleline, crash_ort, ITEMS = *sys.argv[1:3], 24


def call(*arguments, fails=False, either=False, **environment):
    done = subprocess.run([jouleline, *map(str, arguments)], capture_output=True, text=True,
                          env=dict(os.environ, **environment))
    assert either or (done.returncode != 0) == fails, f"{arguments}: {done.stderr}"
    return done.stderr if done.returncode else done.stdout


def logits(path, x):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {session.get_inputs()[0].name: x[i:i + 1]})[0] for i in range(len(x))])


def quantized_resnet18(folder):
    fp32, int8, items = folder / "a.onnx", folder / "a8.onnx", folder / "x.npy"
    x = np.random.default_rng(3).standard_normal((ITEMS + 8, 3, 224, 224)).astype(np.float32)
    np.save(items, x)
    call("model", "export", "resnet18", "-o", fp32)
    call("model", "quantize", fp32, "-o", int8, "--npy", items, "-n", 8)
    model = onnx.load(str(int8))
    onnx.checker.check_model(model, full_check=True)
    kinds = [n.op_type for n in model.graph.node]
    assert kinds.count("Conv") == 20 and kinds.count("BatchNormalization") == 0
    weights = {i.name: i for i in model.graph.initializer}
    assert sum(i.data_type == T.INT8 and len(i.dims) == 4 for i in weights.values()) == 20
    a, b = logits(fp32, x[8:]), logits(int8, x[8:])
    cosine = (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))
    assert cosine.min() > 0.97, cosine.min()
    got = json.loads(call("model", "check", fp32, int8, "--new", "ort-cpu/int8", "--npy", items, "--skip", 8, "-n",
                          ITEMS, "-o", "json"))
    assert got["top1"]["count"] == int((a.argmax(1) == b.argmax(1)).sum()) and got["top1"]["n"] == ITEMS
    fives = [set(np.argsort(p)[-5:]) == set(np.argsort(q)[-5:]) for p, q in zip(a, b)]
    assert got["top5"]["count"] == sum(fives)
    assert abs(got["cosine_mean"] - cosine.mean()) < 1e-4 and abs(got["cosine_least"] - cosine.min()) < 1e-4
    assert abs(got["error_mean"] - np.abs(a - b).mean()) < 1e-4
    ca, cb = a - a.mean(0), b - b.mean(0)
    centred = ((ca * cb).sum(1) / np.sqrt((ca * ca).sum(1) * (cb * cb).sum(1))).mean()
    assert abs(got["centred_cosine_mean"] - centred) < 1e-4


def small(folder, nodes, constants, shape=("batch", 8), opset=17):
    g = h.make_graph(nodes, "g", [h.make_tensor_value_info("x", T.FLOAT, shape)],
                     [h.make_tensor_value_info("y", T.FLOAT, ["batch", "n"])],
                     [nh.from_array(v, k) for k, v in constants.items()])
    path = folder / "small.onnx"
    onnx.save(h.make_model(g, opset_imports=[h.make_opsetid("", opset)], ir_version=8), str(path))
    return path


def gemm_between_float_operators(folder):
    rng = np.random.default_rng(0)
    w, b = rng.standard_normal((8, 16)).astype(np.float32), rng.standard_normal(16).astype(np.float32)
    path = small(folder, [h.make_node("Erf", ["x"], ["e"]), h.make_node("Gemm", ["e", "w", "b"], ["m"]),
                          h.make_node("Relu", ["m"], ["y"])], {"w": w, "b": b})
    call("model", "quantize", path, "-o", folder / "s8.onnx")
    onnx.checker.check_model(onnx.load(str(folder / "s8.onnx")), full_check=True)
    x = rng.standard_normal((6, 8)).astype(np.float32)
    a, q = logits(path, x), logits(folder / "s8.onnx", x)
    assert np.abs(a - q).max() < 0.03 * np.abs(a).max()
    kept = call("model", "quantize", path, "-o", folder / "k.onnx", "--keep", "Gemm", fails=True)
    assert "no convolution" in kept, kept


def mean_error(folder, nodes, constants, shape, x, samples):
    """Of the outputs, in units of the noise of single items, as mean square over channels."""
    fp32, int8, items = small(folder, nodes, constants, shape), folder / "m8.onnx", folder / "m.npy"
    np.save(items, x[:64])
    call("model", "quantize", fp32, "-o", int8, "--npy", items, "-n", samples)
    onnx.checker.check_model(onnx.load(str(int8)), full_check=True)
    e = logits(int8, x[64:]) - logits(fp32, x[64:])
    e = e.reshape(len(e), e.shape[1], -1).mean(2)
    return float((e.mean(0) ** 2).mean() / e.var(0).mean())


def rounding_leaves_the_mean(folder):
    """Inputs with a mean: the errors of rounded weights would shift every output (by 12 times these bounds)."""
    rng = np.random.default_rng(5)
    rows = rng.uniform(0, 1, (256, 128)).astype(np.float32)
    w = rng.standard_normal((128, 24)).astype(np.float32)
    b = rng.standard_normal(24).astype(np.float32)
    last = [h.make_node("Exp", ["e"], ["f"]), h.make_node("Log", ["f"], ["y"])]  # no output bias to correct afterwards
    narrow = {"w": w * 0.05, "b": b * 0.05}
    for node, constants in (([h.make_node("Gemm", ["x", "w", "b"], ["e"])], narrow),
                            ([h.make_node("Gemm", ["x", "v"], ["e"], transB=1)], {"v": narrow["w"].T.copy()}),
                            ([h.make_node("MatMul", ["x", "w"], ["m"]), h.make_node("Add", ["b", "m"], ["e"])], narrow)):
        got = mean_error(folder, node + last, constants, ("batch", 128), rows, 4)
        assert got < 0.4, (node[0].op_type, len(constants), got)
    pictures = (rng.uniform(0, 1, (256, 8, 12, 12)) + np.arange(8).reshape(8, 1, 1)).astype(np.float32)
    for groups, k in ((1, 8), (2, 4), (8, 1)):
        kernels = rng.standard_normal((16, k, 3, 3)).astype(np.float32)
        kernels -= kernels.mean((1, 2, 3), keepdims=True)
        conv = [h.make_node("Abs", ["x"], ["a"]), h.make_node("Conv", ["a", "k"], ["c"], group=groups),
                h.make_node("GlobalAveragePool", ["c"], ["p"]), h.make_node("Flatten", ["p"], ["e"])]
        got = mean_error(folder, conv + last, {"k": kernels * 0.02}, ("batch", 8, 12, 12), pictures, 4)
        assert got < 0.5, (groups, got)


def outputs_are_recentred(folder):
    """Clipping (a narrow percentile) shifts the mean of the output; the last bias takes it back."""
    rng = np.random.default_rng(6)
    x = rng.exponential(1, (256, 64)).astype(np.float32)
    w = rng.uniform(0, 1, (64, 10)).astype(np.float32)
    nodes, fp32, items = [h.make_node("Gemm", ["x", "w"], ["y"])], folder / "small.onnx", folder / "m.npy"
    small(folder, nodes, {"w": w}, ("batch", 64))
    np.save(items, x[:64])
    shift = {}
    for n in (4, 9, 64):  # too few samples say too little, and the output stays as it is
        call("model", "quantize", fp32, "-o", folder / "o8.onnx", "--npy", items, "-n", n, "--calibration", "percentile",
             "--percentile", 90)
        shift[n] = np.abs((logits(folder / "o8.onnx", x[64:]) - logits(fp32, x[64:])).mean(0)).mean()
    assert shift[64] < 0.1 * shift[4] and shift[9] < 0.5 * shift[4], shift


def a_bias_beyond_32_bits(folder):
    """Tiny weights beside a large bias: the scale grows instead of the bias wrapping."""
    w, b = np.full((8, 4), 1e-9, np.float32), np.array([5, -5, 1, 0], np.float32)
    path = small(folder, [h.make_node("Gemm", ["x", "w", "b"], ["y"])], {"w": w, "b": b})
    call("model", "quantize", path, "-o", folder / "b8.onnx")
    x = np.ones((2, 8), np.float32)
    assert np.abs(logits(folder / "b8.onnx", x) - logits(path, x)).max() < 1e-3


def weights_have_7_bits_without_vnni(folder):
    """Where 8-bit products saturate in pairs; auto goes by what the processor says of itself."""
    rng = np.random.default_rng(8)
    w = rng.standard_normal((8, 16)).astype(np.float32)
    path = small(folder, [h.make_node("MatMul", ["x", "w"], ["y"])], {"w": w})
    flags = pathlib.Path("/proc/cpuinfo").read_text().split()
    vnni = any(f in flags for f in ("avx512_vnni", "avx_vnni", "asimddp"))
    for when, largest in (("yes", 63), ("no", 127), ("auto", 127 if vnni else 63)):
        call("model", "quantize", path, "-o", folder / "r8.onnx", "--reduce-range", when)
        bytes_ = [nh.to_array(i) for i in onnx.load(str(folder / "r8.onnx")).graph.initializer if i.data_type == T.INT8]
        most = max(np.abs(b.astype(int)).max() for b in bytes_)
        assert most == largest, (when, most)
        x = rng.standard_normal((4, 8)).astype(np.float32)
        a, b = logits(path, x), logits(folder / "r8.onnx", x)
        assert np.abs(a - b).max() < 0.2 * np.abs(a).max(), when


def culprit(folder, x):
    """One product reads a value with an outlier channel, so that 8 bits lose the others; it is small."""
    rng = np.random.default_rng(9)
    wide = np.array([1e4] + [1] * 15, np.float32)
    first = rng.standard_normal((16, 24)).astype(np.float32)
    first[0] *= 1e-6
    nodes = [h.make_node("Mul", ["x", "wide"], ["a"]), h.make_node("MatMul", ["a", "first"], ["b"], name="culprit"),
             h.make_node("Relu", ["b"], ["c"]), h.make_node("MatMul", ["c", "second"], ["d"]),
             h.make_node("Relu", ["d"], ["e"]), h.make_node("MatMul", ["e", "third"], ["y"])]
    constants = {"wide": wide, "first": first, "second": rng.standard_normal((24, 256)).astype(np.float32),
                 "third": rng.standard_normal((256, 4)).astype(np.float32)}
    np.save(folder / "k.npy", x)
    return small(folder, nodes, constants, ("batch", 16))


def auto_keeps_the_culprit(folder):
    x = np.random.default_rng(13).standard_normal((128, 16)).astype(np.float32)
    path, items, out = culprit(folder, x), folder / "k.npy", folder / "k8.onnx"
    words = call("model", "quantize", path, "-o", out, "--npy", items, "-n", 128, "--keep", "auto")
    assert "1 of 3 convolutions and products put back" in words and "\n  culprit\n" in words, words
    macs = 16 * 24 + 24 * 256 + 256 * 4
    share = f"{100 * 16 * 24 / macs:.1f} % of the multiplications"
    assert share in words, words
    agree = int((logits(path, x[64:]).argmax(1) == logits(out, x[64:]).argmax(1)).sum())
    assert f"on 64 samples held out: {agree}, {100 * agree / 64:.1f} %" in words and agree >= 63, (agree, words)
    kinds = {n.name: [k for k in n.input] for n in onnx.load(str(out)).graph.node if n.op_type == "MatMul"}
    assert kinds["culprit"] == ["a", "first"] and "#3" in kinds, kinds
    words = call("model", "quantize", path, "-o", out, "--npy", items, "-n", 128, "--keep", "auto,culprit")
    assert "0 of 2 convolutions and products put back" in words and share in words, words
    assert "16 samples or more" in call("model", "quantize", path, "-n", 15, "--keep", "auto", fails=True)
    shape = [h.make_node("MatMul", ["x", "w"], ["m"]), h.make_node("Reshape", ["m", "s"], ["y"])]
    grid = small(folder, shape, {"w": np.ones((16, 24), np.float32), "s": np.array([-1, 6, 4], np.int64)}, ("batch", 16))
    assert "no single output" in call("model", "quantize", grid, "-n", 16, "--keep", "auto", fails=True)


def a_crash_says_where(folder):
    """The runtime dies at once, or while it loads a certain model of the search; nothing is left behind."""
    x = np.random.default_rng(12).standard_normal((32, 16)).astype(np.float32)
    path, temporary = culprit(folder, x), folder / "tmp"
    given = [path, "-o", folder / "t8.onnx", "--npy", folder / "k.npy", "-n", 32]
    temporary.mkdir()
    real = os.environ.get("JOULELINE_ORT") or pathlib.Path(jouleline).parents[1] / "runtimes/onnxruntime/libonnxruntime.so.1"
    advice = ("; {} was not written. 'jouleline doctor' names the library that died, JOULELINE_ORT=PATH takes another, and "
              "--keep NAME leaves a node alone that it cannot run").format(folder / "t8.onnx")
    seen = set()
    for after in range(32):  # sessions that the runtime survives
        words = call("model", "quantize", *given, "--keep", "auto", "-q", either=True, JOULELINE_ORT=crash_ort,
                     TMPDIR=str(temporary), CRASH_ORT_REAL=str(real), CRASH_ORT_AFTER=str(after))
        assert not list(temporary.iterdir()), after
        if "put back to FP32" in words:
            break
        begin = f"jouleline model quantize: {path}: the helper process died of signal 11 (Segmentation fault) while "
        assert words.startswith(begin) and words.endswith(advice + "\n"), (after, words)
        assert not list(folder.glob("t8.onnx*")), after
        seen.add(words[len(begin):-len(advice) - 1])
    wanted = {"running the FP32 model on the samples", "calibrating by extremes", "calibrating by percentile",
              "trying the model with 0 of 3 nodes in FP32", "trying the model with 'culprit' in 8 bits"}
    assert wanted <= seen, seen
    words = call("model", "quantize", *given, fails=True, JOULELINE_ORT=crash_ort)
    assert "signal 11 (Segmentation fault) while running the model on the samples" in words, words


def an_interrupted_search_leaves_nothing(folder):
    model, out, temporary = folder / "a.onnx", folder / "i8.onnx", folder / "tmp"
    for number in (signal.SIGINT, signal.SIGTERM):
        process = subprocess.Popen([jouleline, "model", "quantize", model, "-o", out, "-n", "32", "--keep", "auto", "-q"],
                                   stderr=subprocess.PIPE, text=True, env=dict(os.environ, TMPDIR=str(temporary)))
        while process.poll() is None and not list(temporary.glob("*/keep-*.onnx")):
            time.sleep(0.01)
        process.send_signal(number)
        words = process.communicate(timeout=60)[1]
        assert process.returncode == 1 and "model quantize: interrupted while " in words, words
        assert not list(temporary.iterdir()) and not list(folder.glob("i8.onnx*"))


def samples_all_alike(folder):
    path = culprit(folder, np.ones((16, 16), np.float32))
    words = call("model", "quantize", path, "-o", folder / "alike8.onnx", "--npy", folder / "k.npy", "-n", 16, "--keep", "auto", "-q", fails=True)
    assert words == ("jouleline model quantize: FP32 answers all 16 samples alike, number for number, so that they cannot "
                     "say which nodes cost agreement: give samples that differ\n"), words
    assert not (folder / "alike8.onnx").exists()


def light_beginnings_stay_in_float(folder):
    """3 x 3 on a picture and the depthwise convolution after it; not the one after those, nor 7 x 7 on a picture."""
    rng = np.random.default_rng(10)
    kernel = {k: rng.standard_normal(s).astype(np.float32) for k, s in (
        ("a", (16, 3, 3, 3)), ("b", (16, 1, 3, 3)), ("c", (32, 16, 3, 3)), ("d", (32, 1, 3, 3)), ("e", (16, 3, 7, 7)))}
    end = [h.make_node("GlobalAveragePool", ["r"], ["p"]), h.make_node("Flatten", ["p"], ["y"])]
    def conv(name, x, y, group=1):
        return [h.make_node("Conv", [x, name], [name + y], name=name, group=group),
                h.make_node("Relu", [name + y], [y])]

    mobile = conv("a", "x", "s") + conv("b", "s", "t", 16) + conv("c", "t", "u") + conv("d", "u", "r", 32) + end
    for nodes, quantised in ((mobile, "cd"), (conv("e", "x", "s") + conv("b", "s", "r", 16) + end, "be")):
        used = {n.input[1] for n in nodes if n.op_type == "Conv"}
        path = small(folder, nodes, {k: v for k, v in kernel.items() if k in used}, ("batch", 3, 16, 16))
        words = call("model", "quantize", path, "-o", folder / "l8.onnx")
        after = onnx.load(str(folder / "l8.onnx")).graph.node
        left = {n.name for n in after if n.op_type == "Conv" and n.input[1] in used}
        assert left == used - set(quantised), (left, quantised)
        assert f"{len(left)} kept in FP32" in words, words


def refusals(folder):
    w = np.ones((8, 4), np.float32)
    matmul = [h.make_node("MatMul", ["x", "w"], ["y"])]
    assert "opset 11" in call("model", "quantize", small(folder, matmul, {"w": w}, opset=11), fails=True)
    assert "no node or operator" in call("model", "quantize", small(folder, matmul, {"w": w}), "--keep", "nobody",
                                         fails=True)
    log = [h.make_node("Log", ["x"], ["l"]), h.make_node("MatMul", ["l", "w"], ["y"])]
    words = call("model", "quantize", small(folder, log, {"w": w}), fails=True)
    assert "'l' is NaN" in words, words
    zero = small(folder, [h.make_node("Mul", ["x", "k"], ["l"]), h.make_node("MatMul", ["l", "w"], ["y"])],
                 {"w": w, "k": np.array(0, np.float32)})
    assert "one constant number" in call("model", "quantize", zero, "-o", folder / "z.onnx")
    assert "holds 0" in call("model", "quantize", small(folder, matmul, {"w": w}, ("batch", 3, 2, 8)), "--images", folder,
                             fails=True)
    overflow = small(folder, [h.make_node("Exp", ["x"], ["e"], name="first"), h.make_node("Pow", ["e", "k"], ["p"], name="boom"),
                              h.make_node("Log", ["p"], ["y"])], {"k": np.array(1e6, np.float32)})
    got = json.loads(call("model", "check", overflow, "-n", 4, "-o", "json"))
    assert got["new_bad"] > 0 and "boom" in got["first_bad"], got


with tempfile.TemporaryDirectory() as name:
    tests = [quantized_resnet18, gemm_between_float_operators, rounding_leaves_the_mean, outputs_are_recentred,
             a_bias_beyond_32_bits, weights_have_7_bits_without_vnni, auto_keeps_the_culprit, a_crash_says_where,
             an_interrupted_search_leaves_nothing, samples_all_alike, light_beginnings_stay_in_float, refusals]
    for test in tests:
        test(pathlib.Path(name))
print(f"{len(tests)} groups of quantised models as expected")
