"""The worker of the runtime `pytorch` against doc/worker_protocol.md.

Environment: JOULELINE_PYTHON, the interpreter with torch (default /usr/bin/python3). Without
torch the tests are skipped, but fail when CI is set."""
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import zipfile

from driver import Nursery, Worker, alive, floats, measured_loop, read_safetensors

HERE = os.path.dirname(os.path.abspath(__file__))
SHARE = os.path.join(HERE, "..", "..", "share", "jouleline")
PYTHON = os.environ.get("JOULELINE_PYTHON", "/usr/bin/python3")
COMMAND = [PYTHON, os.path.join(SHARE, "pytorch_worker.py")]
SECOND = 10**9


FIXTURES = tempfile.TemporaryDirectory()
FOUND = {}


def setUpModule():
    made = subprocess.run([PYTHON, os.path.join(HERE, "pytorch_fixtures.py"), SHARE,
                           FIXTURES.name], capture_output=True, text=True)
    if made.returncode and "No module named" in made.stderr and not os.environ.get("CI"):
        raise unittest.SkipTest("%s has no torch or torchvision: install python3-torch and "
                                "python3-torchvision" % PYTHON)
    assert made.returncode == 0, made.stderr
    FOUND.update(json.loads(made.stdout))


class Case(unittest.TestCase):
    folder = FIXTURES.name

    @classmethod
    def setUpClass(cls):
        cls.nursery = Nursery(COMMAND)
        cls.nursery.ask("hello", protocol=1)

    @classmethod
    def tearDownClass(cls):
        cls.nursery.close()

    def at(self, name):
        return os.path.join(self.folder, name)

    def worker(self, **options):
        """A worker by exec."""
        w = Worker.start(COMMAND, **options)
        self.addCleanup(w.close)
        return w

    def fork(self, **options):
        """A worker from the nursery, which has paid for torch's import already."""
        w, spawned = self.nursery.spawn(**options)
        self.addCleanup(w.close)
        self.assertEqual(spawned["type"], "spawned", spawned)
        return w

    def load(self, w, configuration="pytorch-cpu/fp32+threads=1", **changes):
        request = {"configuration": configuration, "model_name": "shufflenet_v2_x1_0",
                   "zoo": True, "model_path": None, "weights_path": self.at("good.safetensors"),
                   "batch": 2, "inputs_path": self.at("images.safetensors"), "io": "device",
                   "in_flight": 1, "trust": False, "scratch": self.folder, "cost": None}
        request.update(changes)
        w.ask("hello", protocol=1)
        return w.ask("load", **request)

    def user(self, w, **changes):
        return self.load(w, **dict({"zoo": False, "model_name": "two", "trust": True,
                                    "weights_path": None, "model_path": self.at("two.pt"),
                                    "inputs_path": self.at("two.safetensors")}, **changes))


class Run(Case):
    def test_whole_run(self):
        w = self.worker()
        hello = w.ask("hello", protocol=1)
        self.assertEqual(hello["type"], "hello", hello)
        self.assertEqual((hello["runtime"], hello["start"], hello["pid"], hello["version"]),
                         ("pytorch", "exec", w.process.pid, FOUND["torch"]))
        loaded = self.load(w)
        self.assertEqual(loaded["type"], "loaded", loaded)
        self.assertEqual(loaded["inputs"],
                         [{"name": "input", "dtype": "float", "shape": [2, 3, 64, 64]}])
        self.assertGreater(loaded["load_ns"], 0)
        self.assertTrue(all(isinstance(v, str) for v in loaded["facts"].values()))
        self.assertEqual(loaded["facts"]["threads"], "1")
        self.assertEqual(os.getpgid(w.process.pid), w.process.pid)

        warmed = w.ask("warm", min_calls=3, max_ns=SECOND // 5)
        self.assertEqual((warmed["type"], warmed["stopped"]), ("warmed", "time"))
        self.assertGreaterEqual(warmed["calls"], 1)
        first = w.ring.pairs()[0]
        self.assertEqual(warmed["first_call_ns"], first[1] - first[0])

        measured = measured_loop(self, w, SECOND // 2)
        self.assertIsNone(measured["device_memory_bytes"])

        checked = w.ask("check", path=self.at("out.safetensors"))
        self.assertEqual(checked, {"type": "checked", "path": self.at("out.safetensors")})
        out = read_safetensors(self.at("out.safetensors"))
        expected = read_safetensors(self.at("expected.safetensors"))
        self.assertEqual(list(out), ["logits"])
        self.assertEqual(out["logits"][:2], ("F32", [2, 1000]))
        for a, b in zip(floats(out["logits"]), floats(expected["output"])):
            self.assertAlmostEqual(a, b, delta=1e-4)
        self.assertEqual(w.end(), 0, w.words())

    def test_stop_flag(self):
        w = self.fork(capacity=1 << 20)
        self.user(w)

        def raise_flag():
            while w.ring.index[0] < 50 or w.ring.state[0] != 2:
                time.sleep(0.001)
            w.ring.stop[0] = 1
        threading.Thread(target=raise_flag, daemon=True).start()
        measured = w.measure(max_ns=100 * SECOND)
        self.assertEqual(measured["stopped"], "flag")
        self.assertGreaterEqual(measured["calls"], 50)
        # The flag left standing does not end a warm-up before its least count.
        warmed = w.ask("warm", min_calls=7, max_ns=100 * SECOND)
        self.assertEqual((warmed["stopped"], warmed["calls"]), ("flag", 7))

    def test_capacity(self):
        w = self.fork(capacity=64)
        self.user(w)
        measured = w.measure(max_ns=100 * SECOND)
        self.assertEqual((measured["stopped"], measured["calls"]), ("capacity", 64))
        again = w.measure(max_ns=100 * SECOND)
        self.assertGreaterEqual(again["start_ns"], measured["end_ns"])

    def test_time_limit(self):
        w = self.fork(capacity=1 << 20)
        self.user(w)
        measured = w.measure(max_ns=SECOND // 20)
        self.assertEqual(measured["stopped"], "time")
        self.assertGreaterEqual(measured["end_ns"] - measured["start_ns"], SECOND // 20)

    def test_precisions_and_layout(self):
        expected = floats(read_safetensors(self.at("expected.safetensors"))["output"])
        for configuration, dtype, tag, delta in (
                ("pytorch-cpu/native", "float", "F32", 1e-4),
                ("pytorch-cpu/fp32+channels_last=1+convert=jouleline", "float", "F32", 1e-4),
                ("pytorch-cpu/bf16+threads=1", "bfloat16", "BF16", 0.2)):
            with self.subTest(configuration):
                w = self.fork()
                loaded = self.load(w, configuration, io="host")
                self.assertEqual(loaded["type"], "loaded", loaded)
                self.assertEqual(loaded["inputs"][0]["dtype"], dtype)
                self.assertEqual(loaded["facts"]["dtype"], dtype)
                w.ask("warm", min_calls=1, max_ns=1)
                w.ask("check", path=self.at("p.safetensors"))
                out = read_safetensors(self.at("p.safetensors"))["logits"]
                self.assertEqual(out[0], tag)
                for a, b in zip(floats(out), expected):
                    self.assertAlmostEqual(a, b, delta=delta)

    def two(self, **changes):
        w = self.fork()
        loaded = self.user(w, **changes)
        self.assertEqual(loaded["type"], "loaded", loaded)
        self.assertEqual([i["name"] for i in loaded["inputs"]], ["ids", "x"])
        w.measure(max_ns=1)
        w.ask("check", path=self.at("two.out"))
        out = read_safetensors(self.at("two.out"))
        self.assertEqual(floats(out["sum"]), (12.0, 24.0))
        self.assertEqual(out["ids"][0], "I64")

    def test_inputs_by_name(self):
        self.two()

    def test_exported_program(self):
        if not FOUND["exported"]:
            self.skipTest("torch %s has no torch.export" % FOUND["torch"])
        self.two(model_path=self.at("two.pt2"))

    def test_exported_program_needs_trust_and_a_torch_that_knows_it(self):
        path = self.at("archive.pt2")
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/models/model.json", "{}")
        answer = self.user(self.fork(), model_path=path, trust=False)
        self.assertEqual(answer["outcome"], "invalid", answer)
        self.assertIn("exported program, which is code: say --trust", answer["message"])
        if not FOUND["exported"]:
            answer = self.user(self.fork(), model_path=path)
            self.assertEqual(answer["outcome"], "unsupported", answer)
            self.assertIn("has no torch.export.load", answer["message"])

    def test_compile(self):
        w = self.fork()
        loaded = self.load(w, "pytorch-cpu/fp32+compile=1+threads=1")
        if loaded["type"] == "outcome":  # torch 1.13
            self.assertEqual(loaded["outcome"], "unsupported", loaded)
            self.assertIn("torch.compile", loaded["message"])
            return
        w.ask("warm", min_calls=1, max_ns=1)
        w.ask("check", path=self.at("compiled.safetensors"))
        out = floats(read_safetensors(self.at("compiled.safetensors"))["logits"])
        expected = floats(read_safetensors(self.at("expected.safetensors"))["output"])
        for a, b in zip(out, expected):
            self.assertAlmostEqual(a, b, delta=1e-4)


class Refusals(Case):
    def outcome(self, answer, outcome, *words):
        self.assertEqual(answer["type"], "outcome", answer)
        self.assertEqual((answer["outcome"], answer["stage"]), (outcome, "load"), answer)
        for word in words:
            self.assertIn(word, answer["message"])

    def test_wrong_weights_are_named(self):
        for name, words in (("missing", ("fc.bias", "Missing key")),
                            ("extra", ("stranger", "Unexpected key")),
                            ("shape", ("fc.weight", "size mismatch")),
                            ("cut", ("cut.safetensors", "disagree")),
                            ("absent", ("absent.safetensors", "cannot be read"))):
            with self.subTest(name):
                self.outcome(self.load(self.fork(), weights_path=self.at(name + ".safetensors")),
                             "invalid", *words)

    def test_probes(self):
        with open(self.at("nothing.safetensors"), "wb") as file:
            file.write(struct.pack("<Q", 2) + b"{}")
        w = self.fork()
        changes = {"model_name": "probe_chain_1x64x5",
                   "weights_path": self.at("nothing.safetensors")}
        self.assertEqual(self.load(w, **changes)["type"], "loaded")
        self.assertEqual(w.ask("warm", min_calls=1, max_ns=0)["type"], "warmed")
        changes["model_name"] = "probe_stream_64x64x5"
        self.outcome(self.load(self.fork(), **changes), "invalid", "column", "Missing key")
        changes["model_name"] = "probe_sort_64x64x5"
        self.outcome(self.load(self.fork(), **changes), "unsupported", "no probe")

    def test_models_that_are_not(self):
        for changes, outcome, words in (
                ({"trust": False}, "invalid", ("--trust",)),
                ({"model_path": self.at("only_weights.pt")}, "invalid", ("no program",)),
                ({"model_path": self.at("none.pt")}, "invalid", ("no such file",)),
                ({"model_path": self.at("good.safetensors")}, "invalid", ("TorchScript",)),
                ({"model_path": self.at("none.onnx")}, "invalid", ("no such file",)),
                ({"zoo": True, "model_name": "resnet5000"}, "unsupported", ("resnet5000",)),
                ({"zoo": True, "model_name": "ResNet"}, "unsupported", ("ResNet",))):
            with self.subTest(words[0]):
                self.outcome(self.user(self.fork(), **changes), outcome, *words)

    def test_configurations_that_cannot_run(self):
        for configuration, outcome, word in (
                ("pytorch-cpu/tf32", "unsupported", "tf32"),
                ("pytorch-cpu/int8", "unsupported", "int8"),
                ("pytorch-rocket/fp32", "unsupported", "rocket"),
                ("pytorch-cpu/fp32+channels_last=maybe", "invalid", "+channels_last=maybe: give 0 or 1"),
                ("pytorch-cpu/fp32+threads=0", "invalid", "+threads=0"),
                ("pytorch-cpu/fp32+cuda_graph=1", "invalid", "+cuda_graph belongs to pytorch-cuda"),
                ("pytorch-cpu/fp32+cudnn_benchmark=0", "invalid", "+cudnn_benchmark belongs"),
                ("pytorch-cuda/fp32@97", "missing", "CUDA")):
            with self.subTest(configuration):
                self.outcome(self.load(self.fork(), configuration), outcome, word)
        self.outcome(self.load(self.fork(), in_flight=2), "unsupported", "flight")

    def test_runtime_words_in_a_call(self):
        w = self.fork()
        self.user(w, inputs_path=self.at("images.safetensors"))
        answer = w.ask("warm", min_calls=1, max_ns=SECOND)
        self.assertEqual((answer["type"], answer["outcome"], answer["stage"]),
                         ("outcome", "unsupported", "warm"))
        self.assertIn("forward", answer["message"])
        self.assertEqual(w.ring.state[0], 3)

    def test_out_of_memory(self):
        """The allocator's own refusal of 400 TB."""
        script = ("import sys; sys.path.insert(0, sys.argv[1]); import torch, pytorch_worker as p\n"
                  "try: torch.empty(10**14)\n"
                  "except RuntimeError as e: print(p.outcome_of(e)[0])")
        said = subprocess.run([PYTHON, "-c", script, SHARE], capture_output=True, text=True)
        self.assertEqual(said.stdout.strip(), "oom", said.stderr)

    def test_bad_messages(self):
        w = self.worker()
        for data in (b"\x03\0\0\0{]}", b"\x02\0\0\0[]", b"\x02\0\0\0{}", b"\x02\0\0\0\xff\xfe"):
            w.send_bytes(data)
            self.assertEqual(w.receive()["type"], "error", data)
        for kind, members in (("dance", {}), ("hello", {}), ("hello", {"protocol": "1"}),
                              ("hello", {"protocol": 2}), ("load", {}), ("measure", {"max_ns": 5}),
                              ("check", {"path": "/x"})):
            self.assertEqual(w.ask(kind, **members)["type"], "error", kind)
        self.load(w)
        for members in ({}, {"max_ns": -1}, {"max_ns": 1.5}, {"max_ns": True}):
            self.assertEqual(w.ask("measure", **members)["type"], "error", members)
        self.assertEqual(self.load(w)["type"], "error")
        self.assertEqual(w.ask("check", path=self.at("x"))["type"], "outcome")
        w.send_bytes(struct.pack("<I", 1 << 24))
        answer = w.receive()
        self.assertEqual(answer["type"], "error")
        self.assertIn("limit", answer["message"])
        self.assertEqual(w.process.wait(30), 1)

    def test_bad_ring(self):
        for data in (b"", b"\0" * 128, struct.pack("<8sIIQ", b"JLRING01", 1, 0, 99) + b"\0" * 104):
            with tempfile.TemporaryFile() as file:
                file.write(data)
                file.flush()
                w = self.worker(ring_fd=file.fileno())
                answer = w.receive()
                self.assertEqual(answer["type"], "error")
                self.assertIn("ring", answer["message"])
                self.assertEqual(w.process.wait(30), 1)

    def test_no_torch(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "torch.py"), "w") as file:
                file.write("raise ImportError('no torch in this test')\n")
            w = Worker.start(["/usr/bin/env", "PYTHONPATH=" + folder] + COMMAND)
            self.addCleanup(w.close)
            answer = w.ask("hello", protocol=1)
            self.assertEqual((answer["outcome"], answer["stage"]), ("missing", "hello"))
            self.assertIn("--python", answer["message"])


class Environment(unittest.TestCase):
    """What is set before torch starts the device."""

    def python(self, script, *path, **environment):
        done = subprocess.run([PYTHON, "-B", "-c", "import sys; sys.path[:0] = sys.argv[1:]\n" + script,
                               SHARE, *path], env=dict(os.environ, **environment),
                              capture_output=True, text=True, timeout=100)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.split()

    def test_a_worker_sees_its_own_card(self):
        script = ("import os\nfrom jouleline_torch.session import Configuration, see_one_card\n"
                  "for text in ('pytorch-cuda/fp32@1', 'pytorch-cpu/fp32'):\n"
                  "    c = Configuration(text)\n"
                  "    print(see_one_card(c, 'GPU-1'), os.environ['CUDA_VISIBLE_DEVICES'], c.device)\n")
        first = lambda seen: self.python(script, CUDA_VISIBLE_DEVICES=seen)[:3]
        self.assertEqual(first("0,1"), ["True", "GPU-1", "0"])
        self.assertEqual(first("MIG-3"), ["False", "MIG-3", "1"])
        self.assertEqual(self.python(script, CUDA_VISIBLE_DEVICES="0,1")[3:], ["False", "GPU-1", "0"])

    def test_a_precision_sets_tf32_and_threads(self):
        """fp32 is FP32 in products and convolutions; native leaves torch's own choice, convolutions in TF32."""
        script = ("import torch\nfrom jouleline_torch.session import Configuration, apply_settings\n"
                  "apply_settings(Configuration('pytorch-cuda/%s'))\n"
                  "print(torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32,\n"
                  "      torch.backends.cudnn.benchmark, torch.get_num_threads())\n")
        for configuration, expected in (("fp32+version=2.11.0+cu130+threads=3", ["False", "False", "False", "3"]),
                                        ("fp16+threads=1", ["False", "False", "False", "1"]),
                                        ("tf32+cudnn_benchmark=1+threads=2", ["True", "True", "True", "2"])):
            self.assertEqual(self.python(script % configuration), expected, configuration)
        self.assertEqual(self.python(script % "native")[1], "True")

    def test_a_nursery_with_threads_forks_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "sitecustomize.py"), "w") as file:
                file.write("import threading, time\n"
                           "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n")
            n = Nursery(["/usr/bin/env", "PYTHONPATH=" + folder] + COMMAND)
            self.addCleanup(n.close)
            answer = n.ask("hello", protocol=1)
            self.assertEqual(answer["outcome"], "unsupported", answer)
            self.assertIn("2 threads", answer["message"])
            self.assertEqual(n.ask("spawn")["type"], "error")

    KERNELS = ("from jouleline_torch import kernel_cache as k\nimport ctypes, os\n"
               "k.open_for(os.environ)\nprint(k.on, k.missing)\n"
               "if k.on: ctypes.CDLL('libnvrtc.so.13').jouleline_nvrtc_cache\n")

    @unittest.skipUnless(os.environ.get("JOULELINE_NVRTC"), "the build's folder is not named")
    def test_kernel_cache_stands_in_for_nvrtc(self):
        fake = os.environ["JOULELINE_FAKE_NVRTC"]
        with tempfile.TemporaryDirectory() as folder:
            lib = os.path.join(folder, "nvidia", "cu13", "lib")
            os.makedirs(lib)
            os.symlink(fake, os.path.join(lib, "libnvrtc.so.13"))
            self.assertEqual(self.python(self.KERNELS, folder), ["False", "None"])
            self.assertEqual(self.python(self.KERNELS, folder, JOULELINE_KERNEL_CACHE=folder),
                             ["True", "None"])
            os.rename(lib, lib + "64")
            self.assertEqual(self.python(self.KERNELS, folder, JOULELINE_KERNEL_CACHE=folder)[:3],
                             ["False", "no", "libnvrtc"])


class Lives(Case):
    """Processes end when they should."""

    def gone(self, pid):
        deadline = time.monotonic() + 20
        while alive(pid) and time.monotonic() < deadline:
            time.sleep(0.02)
        return not alive(pid)

    def test_closed_channel_ends_the_worker(self):
        w = self.worker()
        w.ask("hello", protocol=1)
        w.socket.close()
        self.assertEqual(w.process.wait(30), 0)

    def test_killed_parent_leaves_no_orphan(self):
        """A parent in the middle of a measurement is killed: worker and nursery go with it."""
        script = ("import sys, time; sys.path.insert(0, sys.argv[1])\n"
                  "from test_pytorch import *\n"
                  "case = Case(); case.folder = sys.argv[2]\n"
                  "w = Worker.start(COMMAND); case.user(w)\n"
                  "n = Nursery(COMMAND); n.ask('hello', protocol=1)\n"
                  "f, spawned = n.spawn(); case.user(f)\n"
                  "for v in (w, f): v.send({'type': 'measure', 'max_ns': 10**12})\n"
                  "time.sleep(0.3)\n"
                  "print(w.process.pid, n.process.pid, spawned['pid'], flush=True)\n"
                  "time.sleep(600)\n")
        parent = subprocess.Popen([sys.executable, "-c", script, HERE, self.folder],
                                  stdout=subprocess.PIPE, text=True)
        pids = [int(word) for word in parent.stdout.readline().split()]
        self.assertEqual(len(pids), 3)
        self.assertTrue(all(alive(pid) for pid in pids))
        parent.kill()
        parent.wait()
        parent.stdout.close()
        for pid in pids:
            self.assertTrue(self.gone(pid), pid)

    def test_nursery(self):
        n = Nursery(COMMAND)
        self.addCleanup(n.close)
        self.assertEqual(n.ask("spawn")["type"], "error")
        hello = n.ask("hello", protocol=1)
        self.assertEqual((hello["type"], hello["start"], hello["version"]),
                         ("hello", "nursery", FOUND["torch"]))
        self.assertEqual(n.ask("spawn")["type"], "error")
        for _ in range(2):
            w, spawned = n.spawn()
            self.addCleanup(w.close)
            self.assertEqual(spawned["type"], "spawned", spawned)
            hello = w.ask("hello", protocol=1)
            self.assertEqual((hello["pid"], hello["start"]), (spawned["pid"], "fork"))
            self.assertEqual(self.user(w)["type"], "loaded")
            self.assertGreater(w.measure(max_ns=SECOND // 50)["calls"], 0)
            self.assertEqual(w.ask("bye"), {"type": "bye"})
            self.assertEqual(n.ask("wait", pid=spawned["pid"]),
                             {"type": "exited", "pid": spawned["pid"], "status": 0,
                              "signal": None})
        self.assertEqual(n.ask("wait", pid=1)["type"], "error")
        w, spawned = n.spawn()
        self.addCleanup(w.close)
        w.ask("hello", protocol=1)
        os.kill(spawned["pid"], signal.SIGKILL)
        with self.assertRaises(EOFError):
            w.receive()
        self.assertEqual(n.ask("wait", pid=spawned["pid"])["signal"], signal.SIGKILL)
        self.assertEqual(n.ask("bye"), {"type": "bye"})
        self.assertEqual(n.process.wait(30), 0)

    def test_output_of_a_fork_is_its_own(self):
        n = Nursery(COMMAND)
        self.addCleanup(n.close)
        n.ask("hello", protocol=1)
        w = Worker()
        self.addCleanup(w.close)
        n.send({"type": "spawn"}, [w.theirs.fileno(), os.open("/dev/null", os.O_RDWR),
                                   w.output.fileno()])
        spawned = n.receive()
        self.assertEqual(n.ask("wait", pid=spawned["pid"])["status"], 1)
        self.assertEqual(w.receive()["type"], "error")


if __name__ == "__main__":
    unittest.main()
