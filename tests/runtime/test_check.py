"""model check on other runtimes than ONNX Runtime, and its accuracy on a folder of labelled pictures.

test_check.py JOULELINE CRASH_ORT, a library that dies when it is asked for ONNX Runtime"""
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh

jouleline, CRASH_ORT = sys.argv[1:3]

PICTURES = """
import sys
from PIL import Image
for i, (name, colour) in enumerate({
        "a.jpg": (220, 30, 20), "b.png": (10, 200, 40), "c.jpeg": (15, 25, 230), "d.PNG": (250, 60, 50),
        "e.png": (60, 240, 70), "f.jpg": (40, 50, 200)}.items()):
    picture = Image.new("RGB", (40 + i, 32), colour)
    picture.save(f"{sys.argv[1]}/{name}", "JPEG" if "j" in name else "PNG")
"""


def call(*arguments, fails=False):
    done = subprocess.run([jouleline, "model", *map(str, arguments)], capture_output=True, text=True)
    assert (done.returncode != 0) == fails, f"{arguments}: {done.stdout}{done.stderr}"
    return done.stderr if fails else done.stdout


def check(*arguments):
    return json.loads(call("check", *arguments, "-o", "json"))


def save(path, nodes, constants, shape, opset=17):
    g = h.make_graph(nodes, "g", [h.make_tensor_value_info("x", T.FLOAT, shape)],
                     [h.make_tensor_value_info("y", T.FLOAT, ["batch", "n"])],
                     [nh.from_array(v, k) for k, v in constants.items()])
    onnx.save(h.make_model(g, opset_imports=[h.make_opsetid("", opset)], ir_version=8), str(path))
    return path


def every_runtime_sees_every_item(folder):
    """Were the first item's inputs used again, the other items' outputs would not agree."""
    fp32, int8 = folder / "m.onnx", folder / "m8.onnx"
    call("export", "mobilenet_v3_small", "-o", fp32)
    call("quantize", fp32, "-o", int8, "-n", 8)
    for new in ("libtorch-cpu/fp32", "openvino-cpu/fp32"):
        got = check(fp32, "--new", new, "-n", 5)
        assert got["items"] == 5 and got["cosine_least"] > 0.9999 and got["top1"]["count"] == 5, (new, got)
        back = check(fp32, "--base", new, "-n", 5)
        assert abs(back["cosine_mean"] - got["cosine_mean"]) < 1e-5, (new, back, got)
    ort = check(fp32, int8, "--new", "ort-cpu/int8", "-n", 5)
    openvino = check(fp32, int8, "--new", "openvino-cpu/int8", "-n", 5)
    assert abs(ort["cosine_mean"] - openvino["cosine_mean"]) < 0.03, (ort, openvino)
    assert openvino["centred_cosine_mean"] > 0.5, openvino


def a_bad_value_is_found_where_it_appears(folder):
    nodes = [h.make_node("Exp", ["x"], ["e"], name="first"), h.make_node("Pow", ["e", "k"], ["p"], name="boom"),
             h.make_node("Log", ["p"], ["y"], name="last")]
    model = save(folder / "bad.onnx", nodes, {"k": np.array(1e6, np.float32)}, ["batch", 8])
    for new in ("ort-cpu/fp32", "libtorch-cpu/fp32", "openvino-cpu/fp32"):
        got = check(model, "--new", new, "-n", 3)
        assert got["new_bad"] > 0, (new, got)
        assert "boom" in got.get("first_bad", ""), (new, got)
    assert "libtorch has the same" in call("check", model, "--new", "pytorch-cpu/fp32", fails=True)


def accuracy_on_labelled_pictures(folder):
    """Three classes: the strongest of red, green and blue; the other model takes green for blue and blue for green."""
    pictures = folder / "pictures"
    pictures.mkdir()
    subprocess.run(["/usr/bin/python3", "-c", PICTURES, str(pictures)], check=True)
    pool = [h.make_node("GlobalAveragePool", ["x"], ["p"]), h.make_node("Flatten", ["p"], ["f"])]
    swap = np.eye(3, dtype=np.float32)[[0, 2, 1]]
    models = [save(folder / f"{k}.onnx", pool + [h.make_node("MatMul", ["f", "w"], ["y"])], {"w": w},
                   ["batch", 3, 24, 24]) for k, w in (("right", np.eye(3, dtype=np.float32)), ("swapped", swap))]
    by_name, in_order = folder / "names.txt", folder / "classes.txt"
    by_name.write_text("a.jpg 0\nelsewhere/b.png 1\nc.jpeg 2\nd.PNG 0\ne.png 0\n")  # e is green, f has no label
    in_order.write_text("0\n1\n2\n0\n1\n2\n")
    how = ["--images", pictures, "--preprocess", "resize=28,crop=24", "-n", 100]
    got = check(*models, *how, "--labels", by_name)
    assert got["items"] == 6 and (got["top1"]["count"], got["top1"]["n"]) == (2, 6), got
    assert [got["base_right"][k] for k in ("count", "n")] == [4, 5], got
    assert [got["new_right"][k] for k in ("count", "n")] == [2, 5], got
    assert 0.37 < got["base_right"]["low"] < 0.38 and 0.96 < got["base_right"]["high"] < 0.97, got  # Wilson, 4 of 5
    got = check(*models, *how, "--labels", in_order, "--new", "openvino-cpu/fp32")
    assert got["base_right"]["count"] == 6 and got["new_right"]["count"] == 2 and got["new_right"]["n"] == 6, got
    words = call("check", *models, *how, "--labels", by_name)
    assert "first answer right, base" in words and "4 of 5, 80.0 %" in words, words
    assert "noise" not in words, words
    got = check(*models, *how)
    assert "base_right" not in got, got
    (pictures / "a.jpg").rename(pictures / "a picture.jpg")
    by_name.write_text("a picture.jpg 0\n")
    got = check(*models, *how, "--labels", by_name)
    assert [got["base_right"][k] for k in ("count", "n")] == [1, 1], got
    for text, words in (("a.jpg zero\n", "names.txt:1: neither"), ("0\n-1\n", "names.txt:2: neither"), ("9" * 30, ":1: neither"),
                        ("z.jpg 1\n", "no line of"), ("", "no line of"), ("3\n", "none of the models' 3 classes")):
        by_name.write_text(text)
        assert words in call("check", *models, *how, "--labels", by_name, fails=True), text
    assert "Is a directory" in call("check", *models, *how, "--labels", folder, fails=True)
    features = save(folder / "features.onnx", [h.make_node("Relu", ["x"], ["y"])], {}, ["batch", 3, 24, 24])
    assert "labels need models with one output" in call("check", features, *how, "--labels", in_order, fails=True)
    (pictures / "g.jpg").write_bytes(b"no picture")
    assert "g.jpg" in call("check", *models, *how, fails=True)


def a_precision_is_what_ran(folder):
    """An FP32 file under the name fp16 is converted, under int8 refused; a half file is not called fp32."""
    fp32, half, int8 = (folder / f"p{n}.onnx" for n in ("32", "16", "8"))
    call("export", "shufflenet_v2_x1_0", "-o", fp32)
    call("convert", fp32, "-o", half)
    call("quantize", fp32, "-n", 2, "-o", int8)
    given = check(fp32, half, "-n", 2)
    assert (given["base"], given["new"], given["new_converted"]) == ("ort-cpu/fp32", "ort-cpu/fp16", False), given
    assert given["error_most"] > 0, given
    made = check(fp32, "--new", "ort-cpu/fp16", "-n", 2)
    assert made["new_converted"] and made["error_most"] == given["error_most"], (made, given)
    if platform.machine() == "x86_64":
        assert "casts to FP32" in made["new_emulated"] and "base_emulated" not in made, made
        assert "ort-cpu/fp16 is emulated: " in call("check", fp32, half, "-n", 1)
    assert check(fp32, int8, "-n", 2)["new"] == "ort-cpu/int8"
    refused = call("check", fp32, "--new", "ort-cpu/bf16", "-n", 1, fails=True)  # ONNX Runtime has few kernels of it
    assert f"{fp32}, converted, on ort-cpu/bf16: ONNX Runtime cannot" in refused, refused
    for words, arguments in (
            ("is not quantised: write it in 8 bits with 'jouleline model quantize", (fp32, "--new", "ort-cpu/int8")),
            ("is a file in fp16, which ort-cpu would run as it is", (fp32, half, "--new", "ort-cpu/fp32")),
            ("is a file in int8, which openvino-cpu would run", (fp32, int8, "--new", "openvino-cpu/fp32")),
            ("+convert=occ is for 'jouleline run'", (fp32, "--new", "ort-cpu/fp16+convert=occ")),
            ("ort has no provider 'gpu'; did you mean 'cpu'?", (fp32, "--new", "ort-gpu/fp32")),
            ("did you mean 'threads'?", (fp32, "--new", "ort-cpu/fp32+treads=1")),
            ("shufflenet_v2_x1_0 is a model of the zoo and no file here", ("shufflenet_v2_x1_0",))):
        got = call("check", *arguments, "-n", 1, fails=True)
        assert words in got, (words, got)
    words = call("check", fp32, "--npy", items_of(folder), "-n", 1)
    assert "The weights are the zoo's" in words, words


def items_of(folder):
    np.save(folder / "items.npy", np.random.default_rng(3).standard_normal((2, 3, 224, 224)).astype(np.float32))
    return folder / "items.npy"


def nothing_is_said_of_what_is_not_finite(folder):
    """NaN has no distance from NaN: neither a cosine of 0 nor a difference of 0."""
    root = [h.make_node("Abs", ["x"], ["a"]), h.make_node("Neg", ["a"], ["b"]), h.make_node("Sqrt", ["b"], ["y"])]
    model = save(folder / "nan.onnx", root, {}, ["batch", 8])
    got = check(model, "-n", 3)
    assert (got["items"], got["compared"], got["base_bad"], got["new_bad"]) == (3, 0, 24, 24), got
    assert got["cosine_mean"] is got["cosine_least"] is got["error_mean"] is got["error_most"] is None, got
    words = call("check", model, "-n", 3)
    assert "0 of 3 items, which are finite on both sides" in words and "cosine" not in words, words
    x = np.ones((3, 8), np.float32)
    x[1, 4] = np.nan
    np.save(folder / "x.npy", x)
    relu = save(folder / "relu.onnx", [h.make_node("Neg", ["x"], ["y"])], {}, ["batch", 8])
    got = check(relu, "--npy", folder / "x.npy")
    assert (got["compared"], got["cosine_least"], got["new_bad"]) == (2, 1, 1), got


def outputs_of_other_shapes(folder):
    """Cosine and errors only; also where the size follows from the data."""
    three = [h.make_node("Unsqueeze", ["x", "axis"], ["y"])]
    got = check(save(folder / "three.onnx", three, {"axis": np.array([1])}, ["batch", 8]), "-n", 2)
    assert "top1" not in got and got["cosine_least"] == 1, got
    nodes = [h.make_node("NonZero", ["x"], ["z"]), h.make_node("Cast", ["z"], ["y"], to=T.FLOAT)]
    model = save(folder / "some.onnx", nodes, {}, ["batch", 64])
    x = np.zeros((4, 64), np.float32)
    for i, n in enumerate((3, 60, 1, 30)):
        x[i, :n] = 1
    np.save(folder / "some.npy", x)
    for new in ("openvino-cpu/fp32+shapes=model", "ort-cpu/fp32"):
        got = check(model, "--npy", folder / "some.npy", "--new", new)
        assert got["items"] == 4 and got["cosine_least"] == 1 and "centred_cosine_mean" not in got, (new, got)


def an_end_is_explained(folder):
    """A runtime that dies, and one that takes too long."""
    relu = save(folder / "end.onnx", [h.make_node("Relu", ["x"], ["y"])], {}, ["batch", 8])
    done = subprocess.run([jouleline, "model", "check", relu], capture_output=True, text=True,
                          env=dict(os.environ, JOULELINE_ORT=CRASH_ORT))
    words = "end.onnx: the helper process died of signal 11 (Segmentation fault) while running the models"
    assert done.returncode == 1 and words in done.stderr and "JOULELINE_ORT=PATH takes another" in done.stderr, done.stderr
    done = call("check", relu, "-n", 10000000, "--timeout", "0.2s", fails=True)
    assert "did not answer within 0.2 s" in done and "more time with --timeout" in done, done


with tempfile.TemporaryDirectory() as name:
    tests = [every_runtime_sees_every_item, a_bad_value_is_found_where_it_appears, accuracy_on_labelled_pictures,
             a_precision_is_what_ran, nothing_is_said_of_what_is_not_finite, outputs_of_other_shapes, an_end_is_explained]
    for test in tests:
        test(pathlib.Path(name))
print(f"{len(tests)} groups of comparisons as expected")
