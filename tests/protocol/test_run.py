"""Studies that end badly, on the simulated device: what was finished stays, nothing is left.

usage: test_run.py JOULELINE"""
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

JOULELINE = sys.argv.pop(1)
FAST = ["--min-time", "50ms", "--max-time", "100ms", "--warmup", "50ms", "--idle", "0", "-q",
        "--retries", "0", "--seed", "1"]


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.db = os.path.join(self.folder.name, "s.db")
        self.environment = dict(os.environ, XDG_CACHE_HOME=self.folder.name,
                                TMPDIR=self.folder.name)

    def command(self, *words):
        return [JOULELINE, "run", "--db", self.db, *FAST, *words]

    def start(self, *words):
        p = subprocess.Popen(self.command(*words), env=self.environment, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
        self.addCleanup(p.communicate)
        self.addCleanup(p.kill)
        return p

    def run_it(self, *words):
        return subprocess.run(self.command(*words), env=self.environment, capture_output=True,
                              text=True, timeout=100)

    def query(self, sql):
        db = sqlite3.connect(self.db)
        try:
            return db.execute(sql).fetchall()
        finally:
            db.close()

    def wait_for_runs(self, p, least):
        for _ in range(3000):
            try:
                if self.query("SELECT count(*) FROM run")[0][0] >= least:
                    return
            except sqlite3.OperationalError:
                pass
            self.assertIsNone(p.poll(), "it ended before it had %d runs" % least)
            time.sleep(0.01)
        self.fail("no %d runs in time" % least)

    def processes(self):
        """Processes that still carry this test's folder in their environment."""
        found = []
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                mine = self.folder.name.encode() in (entry / "environ").read_bytes()
                state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
            except OSError:
                continue
            if mine and state not in "ZX":
                found.append(entry.name)
        return found

    def assert_nothing_left(self):
        for _ in range(500):
            if not self.processes():
                return
            time.sleep(0.01)
        self.fail("processes are left: %s" % self.processes())


LONG = ["-m", "resnet18", "-c", "fake-gpu/fp32,fake-gpu/fp16", "-b", "1,2", "-r", "200"]


class Ends(Case):
    def test_kill_9_loses_no_finished_run(self):
        p = self.start(*LONG)
        self.wait_for_runs(p, 6)
        p.kill()
        p.wait()
        self.assert_nothing_left()
        kept = self.query("SELECT count(*) FROM run WHERE outcome = 'ok'")[0][0]
        self.assertGreaterEqual(kept, 6)
        self.assertEqual(self.query("PRAGMA integrity_check"), [("ok",)])
        done = self.run_it(*LONG[:-1], "4", "--resume")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.query("SELECT count(*) FROM study"), [(1,)])
        rows = self.query("SELECT number, complete, count(*) FROM round JOIN run ON "
                          "run.round = round.id WHERE counts GROUP BY round.id")
        self.assertTrue(all(complete == 1 and n == 4 for _, complete, n in rows), rows)
        self.assertGreaterEqual(len(rows), 4)

    def test_ctrl_c_keeps_finished_runs(self):
        before = 0
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number):
                p = self.start(*LONG, "--name", number.name)
                before += 1
                self.wait_for_runs(p, before)
                p.send_signal(number)
                _, words = p.communicate(timeout=60)
                self.assertEqual(p.returncode, 1, words)
                self.assertIn("--resume", words)
                self.assert_nothing_left()
                before = self.query("SELECT count(*) FROM run")[0][0]
        self.assertEqual(self.query("SELECT count(*) FROM run WHERE outcome <> 'ok'"), [(0,)])
        leftovers = [f for f in os.listdir(self.folder.name) if f.startswith("jouleline-")]
        self.assertEqual(leftovers, [])

    def test_stop_after(self):
        p = self.run_it(*LONG, "--stop-after", "3")
        self.assertEqual(p.returncode, 0, p.stderr)
        self.assertIn("stopped with", p.stderr)

    def test_a_long_first_call_leaves_the_warm_up_its_time(self):
        p = self.run_it("-m", "resnet18", "-c", "fake-gpu/fp32+first_ms=1500", "-r", "1",
                        "--warmup", "1s")
        self.assertEqual(p.returncode, 0, p.stderr)
        # Whether it settles in that time is the machine's affair; the call alone took more than the second.
        self.assertEqual(self.query("SELECT first_call_ns >= 1500000000, "
                                    "warm_ns - first_call_ns >= 100000000 FROM run"), [(1, 1)])

    def test_resume_does_only_what_is_missing(self):
        words = ["-m", "resnet18", "-c", "fake-gpu/fp32", "-r", "2"]
        self.assertEqual(self.run_it(*words).returncode, 0)
        before = self.query("SELECT uid FROM run ORDER BY id")
        self.assertEqual(self.run_it(*words, "--resume").returncode, 0)
        self.assertEqual(self.query("SELECT uid FROM run ORDER BY id"), before)
        words[-1] = "3"
        self.assertEqual(self.run_it(*words, "--resume").returncode, 0)
        self.assertEqual(self.query("SELECT uid FROM run ORDER BY id")[:2], before)
        self.assertEqual(self.query("SELECT count(*) FROM round WHERE complete"), [(3,)])


class Failures(Case):
    def outcomes(self, *configurations, words=()):
        p = self.run_it("-m", "resnet18", "-c", ",".join(configurations), "-r", "1", *words)
        self.assert_nothing_left()
        return p, dict(self.query("SELECT substr(configuration, instr(configuration, 'fail=') + 5),"
                                  " outcome FROM result"))

    def test_every_failure_is_an_outcome(self):
        names = {"crash": "crash", "hang": "timeout", "unsupported": "unsupported", "oom": "oom",
                 "missing": "missing", "nan": "numerical", "wrong": "numerical"}
        p, found = self.outcomes(*["fake-gpu/fp32+fail=" + n for n in names],
                                 words=["--timeout", "1s"])
        self.assertEqual(found, names)
        self.assertEqual(p.returncode, 5, p.stderr)
        self.assertEqual(self.query("SELECT signal FROM run WHERE outcome = 'crash'"), [(11,)])
        self.assertEqual(self.query("SELECT count(*) FROM energy JOIN run ON run.id = energy.run "
                                    "WHERE gross_j_per_item = 0"), [(0,)])

    def test_an_interpreter_that_dies_in_the_worker(self):
        """It answers the probe and dies with the work: parent of workers and workers alike."""
        python = os.path.join(self.folder.name, "python")
        with open(python, "w") as file:
            file.write("#!/bin/sh\ncase \"$*\" in *--probe*) echo '{\"torch\": \"9\", \"devices\": [{\"provider\": "
                       "\"cpu\", \"index\": 0, \"name\": \"x\"}]}';; *) kill -SEGV $$;; esac\n")
        os.chmod(python, 0o755)
        p = self.run_it("-m", "resnet18", "-c", "pytorch-cpu/fp32,fake-cpu/fp32", "-r", "1", "--no-check", "--python",
                        python)
        self.assertEqual(p.returncode, 5, p.stderr)
        self.assertEqual(self.query("SELECT configuration, outcome, message FROM result ORDER BY 1"),
                         [("fake-cpu/fp32", "ok", None),
                          ("pytorch-cpu/fp32", "crash", "the worker died of signal 11 (Segmentation fault)")])
        self.assertIn("starting its workers one by one", p.stderr)
        self.assert_nothing_left()

    def test_failures_by_fork(self):
        p, found = self.outcomes("fake-gpu/fp32+fail=crash", "fake-gpu/fp32+fail=hang",
                                 words=["--timeout", "1s", "--start", "fork"])
        self.assertEqual(found, {"crash": "crash", "hang": "timeout"})
        self.assertEqual(self.query("SELECT DISTINCT start_method FROM run"), [("fork",)])

    def test_a_model_that_is_none(self):
        path = os.path.join(self.folder.name, "bad.onnx")
        with open(path, "wb") as file:
            file.write(b"\xff" * 100)
        p = self.run_it("-m", path, "-c", "fake-gpu/fp32", "-r", "1")
        self.assertEqual(p.returncode, 5)
        self.assertEqual(self.query("SELECT outcome FROM result"), [("invalid",)])
        self.assertIn("bad.onnx", self.query("SELECT message FROM result")[0][0])


class Real(Case):
    """Two real runtimes in one study, with the very same weights."""

    def test_onnx_runtime_and_pytorch_agree(self):
        p = self.run_it("-m", "shufflenet_v2_x1_0", "-c",
                        "ort-cpu/fp32+threads=1,pytorch-cpu/fp32+threads=1", "-b", "2", "-r", "2",
                        "--python", "/usr/bin/python3")
        missing = self.query("SELECT DISTINCT configuration, message FROM result "
                             "WHERE outcome = 'missing'")
        if missing and not os.environ.get("CI"):
            self.skipTest("%s is not here: %s" % missing[0])
        self.assertEqual(p.returncode, 0, p.stderr)
        self.assertEqual(self.query("SELECT DISTINCT configuration, run.outcome, start_method FROM "
                                    "result JOIN run ON run.id = result.run ORDER BY 1"),
                         [("ort-cpu/fp32+threads=1", "ok", "exec"),
                          ("pytorch-cpu/fp32+threads=1", "ok", "fork")])
        worst, agree, items = self.query("SELECT min(cosine_min), sum(top1_agree), sum(items) "
                                         "FROM agreement")[0]
        self.assertGreater(worst, 0.999999)
        self.assertEqual((agree, items), (8, 8))
        self.assertEqual(self.query("SELECT count(DISTINCT flop) FROM cell WHERE flop > 5e8"),
                         [(1,)])
        self.assertEqual(self.query("SELECT count(*) FROM energy WHERE gross_j_per_item IS NULL "
                                    "AND reason IS NULL"), [(0,)])


PROGRAMS = """
import sys, torch
def network(seed):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1),
                               torch.nn.Flatten(), torch.nn.Linear(8, 10)).eval()
folder = sys.argv[1]
torch.onnx.export(network(1), torch.zeros(1, 3, 16, 16), folder + "/m.onnx", input_names=["input"], output_names=["y"],
                  dynamic_axes={"input": {0: "batch"}, "y": {0: "batch"}}, opset_version=13)
torch.jit.script(network(1)).save(folder + "/same.pt")
torch.jit.script(network(2)).save(folder + "/other.pt")
"""


class Programs(Case):
    """A program of the user for PyTorch beside the ONNX file of the same model."""

    def test_trust_and_agreement(self):
        made = subprocess.run(["/usr/bin/python3", "-c", PROGRAMS, self.folder.name], capture_output=True, text=True)
        if made.returncode and "No module named" in made.stderr and not os.environ.get("CI"):
            self.skipTest("/usr/bin/python3 has no torch")
        self.assertEqual(made.returncode, 0, made.stderr)
        for program, words, outcome, said in (
                ("same", ["--trust"], "ok", ""),
                ("same", [], "invalid", "same.pt is a TorchScript, which is code: say --trust if you trust it"),
                ("other", ["--trust"], "numerical", "cosine to the FP32 reference (ort-cpu/fp32)")):
            p = self.run_it("-m", "m=onnx:%s/m.onnx,torch:%s/%s.pt" % (self.folder.name, self.folder.name, program),
                            "-c", "ort-cpu/fp32,pytorch-cpu/fp32", "-b", "2", "-r", "1", "--python", "/usr/bin/python3",
                            *words)
            got = {r[0]: r[1:] for r in self.query("SELECT configuration, outcome, message FROM result")}
            os.unlink(self.db)
            self.assertEqual(got["ort-cpu/fp32"][0], "ok", p.stderr)
            self.assertEqual(got["pytorch-cpu/fp32"][0], outcome, got)
            self.assertIn(said, got["pytorch-cpu/fp32"][1] or "")
        p = self.run_it("-m", "m=torch:%s/same.pt" % self.folder.name, "-c", "pytorch-cpu/fp32", "-r", "1", "--trust",
                        "--python", "/usr/bin/python3")
        self.assertIn("does not tell its inputs; give --shape NAME=Bx...", p.stderr)


if __name__ == "__main__":
    unittest.main()
