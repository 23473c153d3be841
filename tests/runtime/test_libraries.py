"""Libraries that a configuration names by path, through `jouleline run`: execution providers of others, and other
releases of ONNX Runtime. What is emulated, and what ran elsewhere, is said.

usage: test_libraries.py JOULELINE RELU_EP SPY_ORT

RELU_EP is a provider library that takes Relu and nothing else; SPY_ORT an ONNX Runtime that gives another version.
"""

import os
import pathlib
import platform
import sqlite3
import subprocess
import sys
import tempfile
import unittest

import onnx
from onnx import TensorProto, helper

PROGRAM, RELU_EP, SPY = sys.argv[1:4]
REAL = os.environ.get("JOULELINE_ORT") or str(
    pathlib.Path(PROGRAM).resolve().parents[1] / "runtimes/onnxruntime/libonnxruntime.so.1")
QUICK = ["-q", "-r", "1", "--min-time", "0.02s", "-w", "0.05s", "--max-time", "0.05s", "--retries", "0", "--idle", "0"]


class Libraries(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.store = self.folder / "s.db"
        value = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", 8]) for n in "xy"]
        nodes = [helper.make_node("Neg", ["x"], ["a"]), helper.make_node("Relu", ["a"], ["b"]),
                 helper.make_node("Exp", ["b"], ["c"]), helper.make_node("Relu", ["c"], ["y"])]
        graph = helper.make_graph(nodes, "g", value[:1], value[1:])
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
                  self.folder / "m.onnx")

    def run_study(self, *configurations, **environment):
        done = subprocess.run([PROGRAM, "run", "-m", self.folder / "m.onnx", "-c", ",".join(configurations), *QUICK,
                               "--db", self.store], capture_output=True, text=True,
                              env=dict(os.environ, SPY_ORT_REAL=REAL, **environment))
        rows = sqlite3.connect(self.store).execute(
            "SELECT configuration, outcome, message, device FROM result").fetchall()
        return done.stderr, {r[0]: r[1:] for r in rows}

    def report(self):
        return " ".join(subprocess.run([PROGRAM, "report", "--db", self.store], check=True, capture_output=True,
                                       text=True).stdout.split())

    def test_a_provider_by_path(self):
        given = f"ort-plugin/fp32+ep_library={RELU_EP}"
        said, got = self.run_study("ort-cpu/fp32", given, given + "+ep_name=ReluProvider", given + "+ep_name=Other",
                                   "ort-plugin/fp32", "ort-plugin/fp32+ep_library=/none.so",
                                   f"ort-plugin/fp32+ep_library={__file__}")
        self.assertEqual([got[c][0] for c in ("ort-cpu/fp32", given, given + "+ep_name=ReluProvider")], ["ok"] * 3, got)
        # It computes on the processor, so that it is compared with what does so too.
        self.assertEqual(got[given][2], got["ort-cpu/fp32"][2])
        elsewhere = "CPUExecutionProvider: Neg, Exp"
        self.assertIn(f"m {given}: 2 of 4 nodes run elsewhere: {elsewhere}", said)
        self.assertNotIn("ort-cpu/fp32:", said)
        self.assertIn(f"{given}: nodes ran on another provider in 1 model, most in m: 2 ({elsewhere}).", self.report())
        for configuration, words in ((given + "+ep_name=Other", "no device 0"), ("ort-plugin/fp32", "none is named"),
                                     ("ort-plugin/fp32+ep_library=/none.so", "/none.so"),
                                     (f"ort-plugin/fp32+ep_library={__file__}", "invalid ELF header")):
            self.assertEqual(got[configuration][0], "missing", configuration)
            self.assertIn(words, got[configuration][1])
        self.store.unlink()
        _, got = self.run_study(f"ort-plugin/fp32@7+ep_library={RELU_EP}")
        self.assertIn("no device 7", got[given][1])

    def test_a_version_is_part_of_the_identity(self):
        """Another release under the same path is another configuration, and its runs are not pooled."""
        library = self.folder / "lib.so"
        library.symlink_to(SPY)
        given = f"ort-cpu/fp32+lib={library}"
        for version in ("1.30.9", "1.31.7"):
            _, got = self.run_study(given, SPY_ORT_VERSION=version)
        self.assertEqual({k: v[0] for k, v in got.items()},
                         {f"{given}+version=1.30.9": "ok", f"{given}+version=1.31.7": "ok"})
        _, got = self.run_study(given + "+version=1.30.9", SPY_ORT_VERSION="1.31.7")
        self.assertIn((1, "missing"), [(got[k][1].count("ort here is version 1.31.7, not 1.30.9"), got[k][0])
                                       for k in got if got[k][1]])
        other = self.folder / "other.so"
        other.symlink_to(SPY)
        done = subprocess.run([PROGRAM, "compare", "-m", self.folder / "m.onnx", "--base", given, "--new",
                               f"ort-cpu/fp32+lib={other}", "-r", "6", "--min-time", "0.02s", "-w", "0.02s", "--max-time",
                               "0.02s", "--idle", "0", "-q"], capture_output=True, text=True,
                              env=dict(os.environ, SPY_ORT_REAL=REAL))
        self.assertIn(done.returncode, (0, 3, 4), done.stderr)  # a verdict, whatever it is
        self.assertIn("library: ", done.stdout)

    def test_providers_that_are_not_here(self):
        _, got = self.run_study("ort-cuda/fp16+cuda_graph=1", "ort-tensorrt/fp16", "ort-openvino/fp32", "ort-cpu/fp32@1",
                                "openvino-cpu/tf32", "ort-cpu/fp32+nhwc=1", JOULELINE_ORT=REAL)
        for configuration, outcome, words in (
                ("ort-cuda/fp16+cuda_graph=1", "missing", "without CUDAExecutionProvider; name another library"),
                ("ort-tensorrt/fp16", "missing", "without TensorrtExecutionProvider; name another library with JOULELINE_ORT"
                 " or +lib=PATH (not run here: jouleline's own tests never run this provider)"),
                ("ort-openvino/fp32", "missing", "without OpenVINOExecutionProvider"),
                ("ort-cpu/fp32", "missing", "no device 1"),
                ("openvino-cpu/tf32", "unsupported", "tf32 is arithmetic of NVIDIA GPUs"),
                ("ort-cpu/fp32+nhwc=1", "invalid", "+nhwc=1 belongs to ort-cuda, not to ort-cpu")):
            self.assertEqual(got[configuration][0], outcome, got[configuration])
            self.assertIn(words, got[configuration][1])

    @unittest.skipUnless(platform.machine() == "x86_64", "only x86 lacks the kernels")
    def test_half_on_a_processor_is_emulated(self):
        said, got = self.run_study("ort-cpu/fp16", "ort-cpu/fp32")
        self.assertEqual([v[0] for v in got.values()], ["ok"] * 2)
        words = "ort-cpu/fp16 is emulated: ONNX Runtime's CPU provider has almost no kernel of this type"
        self.assertEqual(said.count(words), 1, said)
        self.assertEqual(self.report().count(words), 1)
        self.assertNotIn("ort-cpu/fp32 is emulated", said)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
