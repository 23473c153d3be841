"""Half-precision files of other converters, through `jouleline run` with +convert=.

usage: test_converters.py JOULELINE CRASH_ORT

The Python of this test has onnxconverter-common and onnxruntime. CRASH_ORT is a library that dies
when it is asked for ONNX Runtime. What a converter does wrong is the outcome of its cells, with its
own words; the study goes on.
"""

import json
import os
import pathlib
import sqlite3
import stat
import subprocess
import sys
import tempfile
import unittest

import numpy as np
import onnx
import onnxconverter_common
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

PROGRAM, CRASH_ORT = sys.argv[1], sys.argv[2]
QUICK = ["-q", "-r", "1", "--min-time", "0.02s", "-w", "0.05s", "--max-time", "0.1s", "--retries", "0",
         "--idle", "0.1s", "--seed", "2"]
OCC = "onnxconverter-common " + onnxconverter_common.__version__


def save(path):
    """x divided by the root of its width, computed in the graph, as attention's scale is: the Cast
    keeps its FP32 in what onnxconverter-common writes, so ONNX Runtime refuses the file."""
    nodes = [helper.make_node("Mul", ["x", "w"], ["a"]), helper.make_node("Shape", ["a"], ["s"]),
             helper.make_node("Gather", ["s", "last"], ["d"]),
             helper.make_node("Cast", ["d"], ["f"], to=TensorProto.FLOAT),
             helper.make_node("Sqrt", ["f"], ["r"]), helper.make_node("Div", ["a", "r"], ["y"])]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "g", [info("x", TensorProto.FLOAT, ["batch", 16])],
                              [info("y", TensorProto.FLOAT, ["batch", 16])],
                              [numpy_helper.from_array(np.full(16, 2, np.float32), "w"),
                               numpy_helper.from_array(np.array(-1), "last")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


FAKE = r"""#!/bin/sh
echo "$*" >> "$CALLS"
if [ "$2" = --probe ]; then
    echo '{"package": "onnxconverter-common", "version": "0.1", "onnx": "1"}'
elif [ "$HOW" = crash ]; then
    kill -SEGV $$
elif [ "$HOW" = error ]; then
    echo '{"error": "ValueError: no such node"}'; exit 1
else
    cp "$3" "$4"; echo '{"written": true}'
fi
"""


class Converters(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.model, self.store = self.folder / "m.onnx", self.folder / "s.db"
        save(self.model)

    def run_study(self, configurations, *options, models=None, status=5, **environment):
        done = subprocess.run(
            [PROGRAM, "run", "-m", models or f"m=onnx:{self.model}", "-c", configurations, *QUICK, "--db",
             str(self.store), *map(str, options)], capture_output=True, text=True,
            env=dict(os.environ, XDG_CACHE_HOME=str(self.folder / "cache"),
                     JOULELINE_CONVERTER_PYTHON=environment.pop("python", sys.executable), **environment))
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        if not self.store.exists():
            return done
        rows = sqlite3.connect(self.store).execute(
            "SELECT configuration.text, outcome, stage, signal, message, facts.json FROM run JOIN cell ON "
            "cell.id = run.cell JOIN configuration ON configuration.id = cell.configuration LEFT JOIN facts ON "
            "facts.id = run.facts ORDER BY run.id").fetchall()
        self.all = {r[0]: dict(zip(("outcome", "stage", "signal", "message"), r[1:5]),
                               converter=json.loads(r[5] or "{}").get("converter")) for r in rows}
        return done

    def fake(self, how):
        path = self.folder / "python"
        path.write_text(FAKE)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return {"python": str(path), "HOW": how, "CALLS": str(self.folder / "calls")}

    def test_what_each_converter_comes_to(self):
        self.run_study("ort-cpu/fp16,ort-cpu/fp16+convert=occ,ort-cpu/fp16+convert=ort-transformers,"
                       "ort-cpu/fp16+convert=mixed,ort-cpu/fp32")
        occ = self.all[f"ort-cpu/fp16+convert=occ:{onnxconverter_common.__version__}"]
        theirs = self.all[f"ort-cpu/fp16+convert=ort-transformers:{onnxruntime.__version__}"]
        self.assertEqual((occ["outcome"], occ["stage"]), ("unsupported", "load"))
        self.assertRegex(occ["message"], r"^ONNX Runtime cannot load the model: Type Error: .*tensor\(float16\)")
        self.assertEqual(theirs["outcome"], "ok")
        self.assertEqual(theirs["converter"], "onnxruntime.transformers " + onnxruntime.__version__)
        self.assertEqual(self.all["ort-cpu/fp16"]["outcome"], "ok")
        self.assertIsNone(self.all["ort-cpu/fp16"]["converter"])
        self.assertEqual(self.all["ort-cpu/fp16+convert=mixed"]["converter"], "jouleline, mixed at batch 1")
        report = subprocess.run([PROGRAM, "report", "--db", self.store, "-s", "portability", "-o", "json"], check=True,
                                capture_output=True, text=True).stdout
        self.assertIn('"runs_as": "ort-cpu/fp16"', report)

    def test_no_interpreter_and_no_package_is_missing(self):
        self.run_study("ort-cpu/fp16+convert=occ,ort-cpu/fp16", "--converter-python", "/none/python")
        row = self.all["ort-cpu/fp16+convert=occ"]
        self.assertEqual((row["outcome"], self.all["ort-cpu/fp16"]["outcome"]), ("missing", "ok"))
        self.assertIn("--converter-python", row["message"])
        empty = self.folder / "bare"
        empty.write_text(f"#!/bin/sh\nexec {sys.executable} -S -I \"$@\"\n")
        empty.chmod(0o755)
        self.store.unlink()
        self.run_study("ort-cpu/fp16+convert=ort-transformers", python=str(empty))
        row = self.all["ort-cpu/fp16+convert=ort-transformers"]
        self.assertEqual(row["outcome"], "missing")
        self.assertIn("No module named", row["message"])

    def test_another_version_is_missing(self):
        self.run_study("ort-cpu/fp16+convert=occ:0.0.1")
        row = self.all["ort-cpu/fp16+convert=occ:0.0.1"]
        self.assertEqual(row["outcome"], "missing")
        self.assertIn(onnxconverter_common.__version__, row["message"])

    def test_an_exception_and_a_crash_are_outcomes_of_the_stage_convert(self):
        self.run_study("ort-cpu/fp16+convert=occ,ort-cpu/fp16", **self.fake("error"))
        row = self.all["ort-cpu/fp16+convert=occ:0.1"]
        self.assertEqual((row["outcome"], row["stage"]), ("unsupported", "convert"))
        self.assertEqual(row["message"], "onnxconverter-common 0.1: ValueError: no such node")
        self.assertEqual(self.all["ort-cpu/fp16"]["outcome"], "ok")
        self.store.unlink()
        self.run_study("ort-cpu/fp16+convert=occ", **self.fake("crash"))
        row = self.all["ort-cpu/fp16+convert=occ:0.1"]
        self.assertEqual((row["outcome"], row["stage"], row["signal"]), ("crash", "convert", 11))

    def test_a_range_pass_that_crashes_is_a_crash_of_its_cells_alone(self):
        self.run_study("ort-cpu/fp16+convert=mixed", JOULELINE_ORT=CRASH_ORT)
        row = self.all["ort-cpu/fp16+convert=mixed"]
        self.assertIn(row["outcome"], ("crash", "missing"))  # missing: the probe meets it first

    def test_a_file_is_converted_once(self):
        for _ in range(2):
            self.run_study("ort-cpu/fp16+convert=occ", status=0, **self.fake("copy"))
            self.store.unlink()
        calls = (self.folder / "calls").read_text().splitlines()
        self.assertEqual(sum("--probe" not in c for c in calls), 1, calls)

    def test_a_file_of_the_user(self):
        half = self.folder / "half.onnx"
        subprocess.run([PROGRAM, "model", "convert", self.model, "-o", half], check=True, capture_output=True)
        self.run_study(f"ort-cpu/fp16+convert={half}", status=0)
        row = self.all[f"ort-cpu/fp16+convert={half}"]
        self.assertRegex(row["converter"], "^file [0-9a-f]{32}$")
        done = self.run_study(f"ort-cpu/fp16+convert={half}", models=f"a=onnx:{self.model},b=onnx:{self.model}",
                              status=2)
        self.assertIn("one file cannot stand for 2 models", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
