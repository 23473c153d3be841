"""Models that users bring, through `jouleline run` on ONNX Runtime and OpenVINO.

usage: test_own_models.py JOULELINE TESTDATA

A two-input int64 transformer made here, and the three networks of the rapidocr-onnxruntime wheel
in TESTDATA/rapidocr_onnxruntime, which have dynamic shapes in several styles.
"""

import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import unittest

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

PROGRAM, TESTDATA = sys.argv[1], pathlib.Path(sys.argv[2])
# OpenVINO 2026.4.1 gets the recogniser wrong once its shapes are fixed; doc/runtimes.md.
CONFIGURATIONS = "ort-cpu/fp32+threads=1,openvino-cpu/fp32+threads=1+shapes=model"
QUICK = ["-r", "1", "--min-time", "0.02s", "-w", "0.05s", "--max-time", "0.1s", "--retries", "0",
         "--idle", "0.1s", "--seed", "2"]


def picture_of_text(path):
    """White strokes as of letters on black. For noise the detector finds no text: all its answers are some 1e-7, and the
    runtimes' last bits decide them."""
    picture = np.zeros((96, 192), "f")
    for i in range(8):
        x, bar = 16 + 20 * i, (36, 46, 56)[i % 3]
        picture[36:60, x:x + 4] = picture[36:60, x + 9:x + 13] = picture[bar:bar + 4, x:x + 13] = 1
    np.save(path, np.repeat(((picture - 0.45) / 0.225)[None, None], 3, axis=1).astype("f"))


def transformer(path, vocabulary=1000, width=32):
    rng = np.random.default_rng(0)

    def weight(name, *shape):
        return numpy_helper.from_array((rng.standard_normal(shape) * 0.1).astype("f"), name)

    def constant(name, value, dtype):
        return numpy_helper.from_array(np.array(value, dtype), name)

    node = helper.make_node
    nodes = [
        node("Gather", ["tokens", "input_ids"], ["x"]),
        node("MatMul", ["x", "wq"], ["q"]), node("MatMul", ["x", "wk"], ["k"]),
        node("MatMul", ["x", "wv"], ["v"]), node("Transpose", ["k"], ["kt"], perm=[0, 2, 1]),
        node("MatMul", ["q", "kt"], ["scores"]), node("Mul", ["scores", "scale"], ["scaled"]),
        node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        node("Sub", ["one", "mask"], ["hidden"]), node("Mul", ["hidden", "low"], ["flat"]),
        node("Unsqueeze", ["flat", "axis"], ["bias"]), node("Add", ["scaled", "bias"], ["masked"]),
        node("Softmax", ["masked"], ["p"], axis=-1), node("MatMul", ["p", "v"], ["mixed"]),
        node("ReduceMean", ["mixed"], ["pooled"], axes=[1], keepdims=0),
        node("MatMul", ["pooled", "head"], ["logits"]),
    ]
    weights = [weight("tokens", vocabulary, width), weight("wq", width, width),
               weight("wk", width, width), weight("wv", width, width), weight("head", width, 10),
               constant("scale", width ** -0.5, "f"), constant("one", 1, "f"),
               constant("low", -1e4, "f"), constant("axis", [1], "i8")]
    inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, ["batch", "seq"])
              for n in ("input_ids", "attention_mask")]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 10])]
    graph = helper.make_graph(nodes, "transformer", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


class OwnModels(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.store = f"{self.folder.name}/store.db"

    def run_model(self, *arguments):
        done = subprocess.run([PROGRAM, "run", "--db", self.store, *QUICK, *map(str, arguments)],
                              capture_output=True, text=True)
        rows = []
        if pathlib.Path(self.store).exists():
            rows = sqlite3.connect(self.store).execute("SELECT outcome, message FROM run").fetchall()
        return done, rows

    def all_ok(self, count, *arguments):
        done, rows = self.run_model("-c", CONFIGURATIONS, *arguments)
        self.assertEqual([r[0] for r in rows], ["ok"] * count, (rows, done.stderr))
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stderr

    def test_transformer(self):
        path = f"{self.folder.name}/transformer.onnx"
        transformer(path)
        said = self.all_ok(4, "-m", path, "-b", "1,3", "--shape", "input_ids=Bx16")
        for words in ("'batch' is 3, as elsewhere", "int:0..999", "named like a mask",
                      "'seq' is 16"):
            self.assertIn(words, said)

    def test_transformer_with_files(self):
        path, ids = f"{self.folder.name}/transformer.onnx", f"{self.folder.name}/ids.npy"
        transformer(path)
        np.save(ids, np.arange(24, dtype="i8").reshape(2, 12))
        self.all_ok(2, "-m", path, "-b", "2", "--input", f"input_ids={ids}")

    def test_dimension_without_value(self):
        path = f"{self.folder.name}/transformer.onnx"
        transformer(path)
        done, rows = self.run_model("-c", CONFIGURATIONS, "-m", path)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("--shape input_ids=Bx128", done.stderr)
        self.assertNotIn("ok", [r[0] for r in rows])

    def test_output_that_is_nan_everywhere(self):
        path = f"{self.folder.name}/log.onnx"
        value = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", 4]) for n in "xy"]
        graph = helper.make_graph([helper.make_node("Log", ["x"], ["y"])], "log", value[:1],
                                  value[1:])
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)],
                                    ir_version=8), path)
        done, rows = self.run_model("-c", CONFIGURATIONS, "-m", path, "--fill", "x=const:-1")
        self.assertEqual(done.returncode, 5, done.stderr)
        self.assertEqual([r[0] for r in rows], ["numerical"] * 2, rows)
        for row in rows:
            self.assertIn("NaN everywhere", row[1])

    def test_files_in_another_precision_run_under_no_wrong_name(self):
        """A runtime that computes in the types of the file ran the same under every name once."""
        fp32, half, int8 = (f"{self.folder.name}/{n}.onnx" for n in ("m", "half", "int8"))
        for words in (["export", "shufflenet_v2_x1_0", "-o", fp32], ["convert", fp32, "-o", half],
                      ["quantize", fp32, "-n", "2", "-o", int8]):
            subprocess.run([PROGRAM, "model", *words], check=True, capture_output=True)
        for path, own, asked in ((half, "fp16", "ort-cpu/fp32,ort-cpu/fp16,ort-cpu/int8,ort-cpu/native"),
                                 (int8, "int8", "ort-cpu/fp32,ort-cpu/int8,openvino-cpu/fp32,ort-cpu/fp16")):
            pathlib.Path(self.store).unlink(missing_ok=True)
            self.run_model("-c", asked, "-m", path)
            got = sqlite3.connect(self.store).execute(
                "SELECT configuration, outcome, message FROM result").fetchall()
            self.assertEqual(len(got), 4)
            for configuration, outcome, message in got:
                fits = configuration.endswith((own, "native"))
                self.assertEqual(outcome, "ok" if fits else "unsupported", (configuration, message))
                if not fits:
                    self.assertIn(f"is a file in {own}, which", message)
        pathlib.Path(self.store).unlink()
        self.run_model("-c", f"ort-cpu/fp16+convert={fp32}", "-m", fp32)
        got = sqlite3.connect(self.store).execute("SELECT outcome, message FROM result").fetchall()
        self.assertEqual([(o, m.endswith("m.onnx is a file in fp32, not in fp16")) for o, m in got],
                         [("unsupported", True)], got)

    def test_weights_beyond_half(self):
        """They are clamped, and every study says so: a cosine does not see a scale."""
        path = f"{self.folder.name}/large.onnx"
        value = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", 4]) for n in "xy"]
        graph = helper.make_graph([helper.make_node("Mul", ["x", "w"], ["y"])], "large", value[:1], value[1:],
                                  [numpy_helper.from_array(np.array([1e5, 2, 3e38, -7e4], "f"), "w")])
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
        for _ in range(2):  # made, then found in the cache
            pathlib.Path(self.store).unlink(missing_ok=True)
            done, rows = self.run_model("-c", "ort-cpu/fp16", "-m", path, "--fill", "x=const:0.1")
            self.assertIn("3 weights are beyond the range of fp16 and were clamped", done.stderr)
        done, rows = self.run_model("-c", "ort-cpu/fp16+convert=mixed", "-m", path, "--fill", "x=const:0.1")
        self.assertEqual(rows[-1][0], "ok", rows)

    def test_strings(self):
        """As outputs they are passed over, as inputs told."""
        path = f"{self.folder.name}/strings.onnx"
        info = helper.make_tensor_value_info
        for kind, shape, expected in ((TensorProto.FLOAT, ["batch", 4], "ok"), (TensorProto.STRING, ["batch"], "invalid")):
            nodes = [helper.make_node("Identity", ["x"], ["y"]), helper.make_node("Gather", ["words", "at"], ["z"])]
            graph = helper.make_graph(nodes, "g", [info("x", kind, shape)], [info("y", kind, shape), info("z", TensorProto.STRING, [1])],
                                      [numpy_helper.from_array(np.array(["a", "b"], object), "words"),
                                       numpy_helper.from_array(np.array([1]), "at")])
            onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
            pathlib.Path(self.store).unlink(missing_ok=True)
            done, rows = self.run_model("-c", "ort-cpu/fp32", "-m", path)
            self.assertEqual([r[0] for r in rows], [expected], (rows, done.stderr))
        self.assertIn("'x' holds strings, which no worker can be given", rows[0][1])

    def test_external_data_that_is_not_there(self):
        path, data = f"{self.folder.name}/transformer.onnx", pathlib.Path(self.folder.name, "weights.bin")
        transformer(path)
        onnx.save_model(onnx.load(path), path, save_as_external_data=True, location=data.name, size_threshold=0)
        for cut, words in ((lambda: data.write_bytes(data.read_bytes()[:100]), "has 100 bytes, but"),
                           (data.unlink, "cannot open external data")):
            cut()
            pathlib.Path(self.store).unlink(missing_ok=True)
            done, rows = self.run_model("-c", CONFIGURATIONS, "-m", path, "--shape", "input_ids=Bx16")
            self.assertEqual([r[0] for r in rows], ["invalid"] * 2, rows)
            self.assertIn(words, rows[0][1])
            said = subprocess.run([PROGRAM, "model", "convert", path], capture_output=True, text=True)
            self.assertEqual(said.returncode, 1, said.stdout)
            self.assertIn("weights.bin", said.stderr)

    def test_ocr_networks(self):
        text = f"{self.folder.name}/text.npy"
        picture_of_text(text)
        words = {"det": ["--input", f"x={text}"], "rec": ["--shape", "Bx3x48x64"], "cls": ["--shape", "Bx3x48x96"]}
        found = sorted((TESTDATA / "rapidocr_onnxruntime").glob("*.onnx"))
        self.assertEqual(len(found), 3, "./dev test unpacks the wheel")
        for path in found:
            with self.subTest(path.name):
                pathlib.Path(self.store).unlink(missing_ok=True)
                self.all_ok(2, "-m", path, *next(w for kind, w in words.items() if kind in path.name))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
