"""The C worker against doc/worker_protocol.md, on the simulated device.

usage: test_worker.py JOULELINE"""
import json
import os
import signal
import struct
import sys
import tempfile
import threading
import time
import unittest

from driver import Nursery, Worker, alive, floats, measured_loop, read_safetensors

JOULELINE = sys.argv.pop(1)
COMMAND = [JOULELINE, "worker"]
SECOND = 10**9


def write_inputs(path, batch):
    """One FP32 tensor `input` of [batch, 4] as safetensors."""
    data = struct.pack("<%df" % (4 * batch), *range(1, 4 * batch + 1))
    header = json.dumps({"input": {"dtype": "F32", "shape": [batch, 4],
                                   "data_offsets": [0, len(data)]}}).encode()
    header += b" " * (-len(header) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header + data)


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        write_inputs(self.at("in.safetensors"), 2)

    def at(self, name):
        return os.path.join(self.folder.name, name)

    def worker(self, **options):
        w = Worker.start(COMMAND, **options)
        self.addCleanup(w.close)
        return w

    def load(self, w, configuration="fake-gpu/fp32", **changes):
        request = {"configuration": configuration, "model_name": "net", "zoo": False,
                   "model_path": None, "weights_path": None, "batch": 2,
                   "inputs_path": self.at("in.safetensors"), "io": "device", "in_flight": 1,
                   "trust": False, "scratch": self.folder.name,
                   "cost": {"flop": 1e6, "bytes": 1e6, "nodes": 100}}
        request.update(changes)
        w.ask("hello", protocol=1)
        return w.ask("load", **request)


class Run(Case):
    def test_whole_run(self):
        w = self.worker()
        hello = w.ask("hello", protocol=1)
        self.assertEqual((hello["type"], hello["protocol"], hello["start"], hello["pid"]),
                         ("hello", 1, "exec", w.process.pid))
        loaded = self.load(w)
        self.assertEqual(loaded["type"], "loaded", loaded)
        self.assertEqual(loaded["inputs"], [{"name": "input", "dtype": "float", "shape": [2, 4]}])
        self.assertTrue(all(isinstance(v, str) for v in loaded["facts"].values()))
        self.assertEqual(loaded["facts"]["simulated"], "1")
        self.assertEqual(os.getpgid(w.process.pid), w.process.pid)
        warmed = w.ask("warm", min_calls=3, max_ns=SECOND // 20)
        self.assertEqual((warmed["type"], warmed["stopped"]), ("warmed", "time"))
        first = w.ring.pairs()[0]
        self.assertEqual(warmed["first_call_ns"], first[1] - first[0])
        measured_loop(self, w, SECOND // 5)
        checked = w.ask("check", path=self.at("out.safetensors"))
        self.assertEqual(checked, {"type": "checked", "path": self.at("out.safetensors")})
        out = read_safetensors(self.at("out.safetensors"))
        self.assertEqual(list(out), ["logits"])
        self.assertEqual(out["logits"][:2], ("F32", [2, 1000]))
        self.assertEqual(len(set(floats(out["logits"]))), 2000)
        self.assertEqual(w.end(), 0, w.words())

    def test_a_worker_sees_its_own_card(self):
        card = "GPU-de7c6af6-627f-c284-b39b-d6cc9b772c68"
        for seen, only in (("", True), ("0,1", True), ("1", False), ("MIG-3", False)):
            w = Worker.start(["/usr/bin/env", "CUDA_VISIBLE_DEVICES=" + seen] + COMMAND)
            self.addCleanup(w.close)
            facts = self.load(w, device_uuid=card)["facts"]
            self.assertEqual(facts.get("visible_devices"), card if only else None, seen)
        w = self.worker()
        facts = self.load(w, device_uuid="FAKE-gpu-0")["facts"]
        self.assertNotIn("visible_devices", facts)

    def test_stop_flag(self):
        w = self.worker(capacity=1 << 16)
        self.load(w)

        def raise_flag():
            while w.ring.index[0] < 20 or w.ring.state[0] != 2:
                time.sleep(0.001)
            w.ring.stop[0] = 1
        threading.Thread(target=raise_flag, daemon=True).start()
        measured = w.measure(max_ns=100 * SECOND)
        self.assertEqual(measured["stopped"], "flag")
        warmed = w.ask("warm", min_calls=7, max_ns=100 * SECOND)
        self.assertEqual((warmed["stopped"], warmed["calls"]), ("flag", 7))

    def test_capacity(self):
        w = self.worker(capacity=64)
        self.load(w)
        measured = w.measure(max_ns=100 * SECOND)
        self.assertEqual((measured["stopped"], measured["calls"]), ("capacity", 64))
        again = w.measure(max_ns=100 * SECOND)
        self.assertGreaterEqual(again["start_ns"], measured["end_ns"])

    def test_several_in_flight(self):
        w = self.worker()
        self.assertEqual(self.load(w, in_flight=4)["type"], "loaded")
        w.measure(max_ns=SECOND // 20)
        pairs = w.ring.pairs()
        ends = [end for _, end in pairs]
        self.assertEqual(ends, sorted(ends))
        self.assertTrue(any(b[0] < a[1] for a, b in zip(pairs, pairs[1:])))
        self.assertEqual(w.end(), 0)


class Refusals(Case):
    def outcome(self, answer, outcome, *words):
        self.assertEqual((answer["type"], answer.get("outcome")), ("outcome", outcome), answer)
        for word in words:
            self.assertIn(word, answer["message"])

    def test_outcomes(self):
        for option, outcome in (("unsupported", "unsupported"), ("missing", "missing"),
                                ("oom", "oom")):
            with self.subTest(option):
                w = self.worker()
                self.outcome(self.load(w, "fake-gpu/fp32+fail=" + option), outcome)

    def test_words_that_are_wrong(self):
        self.outcome(self.load(self.worker(), "fake-gpu/fp33"), "invalid", "fp33")
        self.outcome(self.load(self.worker(), "faek-gpu/fp32"), "invalid")
        self.outcome(self.load(self.worker(), io="moon"), "invalid", "moon")
        self.outcome(self.load(self.worker(), inputs_path=self.at("none")), "invalid", "none")

    def test_order(self):
        w = self.worker()
        w.ask("hello", protocol=1)
        self.outcome(w.ask("measure", max_ns=1), "invalid", "nothing is loaded")
        self.load(w)
        self.outcome(w.ask("check", path=self.at("x")), "invalid", "no call")
        self.outcome(self.load(w), "invalid", "loads once")

    def test_breach_of_the_protocol(self):
        w = self.worker()
        answer = w.ask("dance")
        self.assertEqual(answer["type"], "error")
        self.assertIn("dance", answer["message"])
        w.send_bytes(struct.pack("<I", 5) + b"{not}")
        self.assertEqual(w.receive()["type"], "error")
        self.assertEqual(w.process.wait(10), 1)
        big = self.worker()
        big.send_bytes(struct.pack("<I", 1 << 30))
        self.assertEqual(big.receive()["type"], "error")

    def test_no_ring(self):
        with tempfile.TemporaryFile() as file:
            w = self.worker(ring_fd=file.fileno())
            self.assertIn("sample memory", w.receive()["message"])
            self.assertEqual(w.process.wait(10), 1)

    def test_crash_is_a_signal(self):
        w = self.worker()
        self.load(w, "fake-gpu/fp32+fail=crash+fail_call=5")
        with self.assertRaises(EOFError):
            w.measure(max_ns=SECOND)
        self.assertEqual(w.process.wait(10), -signal.SIGSEGV)
        self.assertEqual(w.ring.index[0], 4)


class Nurseries(Case):
    def test_forks(self):
        n = Nursery(COMMAND)
        self.addCleanup(n.close)
        hello = n.ask("hello", protocol=1, configuration="fake-gpu/fp32")
        self.assertEqual((hello["type"], hello["start"]), ("hello", "nursery"), hello)
        for _ in range(2):
            w, spawned = n.spawn()
            self.addCleanup(w.close)
            self.assertEqual(spawned["type"], "spawned")
            self.assertEqual(w.ask("hello", protocol=1)["start"], "fork")
            self.assertEqual(self.load(w)["type"], "loaded")
            self.assertEqual(w.ask("bye"), {"type": "bye"})
            self.assertEqual(n.ask("wait", pid=spawned["pid"]),
                             {"type": "exited", "pid": spawned["pid"], "status": 0,
                              "signal": None})
        self.assertEqual(n.ask("bye"), {"type": "bye"})

    def test_what_cannot_be_opened(self):
        n = Nursery(COMMAND)
        self.addCleanup(n.close)
        self.assertEqual(n.ask("hello", protocol=1, configuration="fake-gpu/fp32@9")["outcome"],
                         "missing")

    def test_workers_die_with_it(self):
        n = Nursery(COMMAND)
        self.addCleanup(n.close)
        n.ask("hello", protocol=1, configuration="fake-gpu/fp32")
        w, spawned = n.spawn()
        self.addCleanup(w.close)
        self.assertTrue(alive(spawned["pid"]))
        n.process.kill()
        n.process.wait()
        for _ in range(1000):
            if not alive(spawned["pid"]):
                return
            time.sleep(0.01)
        self.fail("the worker outlives its nursery")


if __name__ == "__main__":
    unittest.main()
