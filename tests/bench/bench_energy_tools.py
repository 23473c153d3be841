"""Energy of windows as zeus and codecarbon report it, beside jouleline, on one fake NVML whose truth is known.

usage: bench_energy_tools.py [WINDOWS] (15). Load of 300 W over 60 W idle, windows drawn as W +- 50 ms
starting from idle. Both tools come from PyPI into a venv in build/; without it the comparison is
skipped with the reason. Ends with 1 only when jouleline itself misses its bound.
"""

import ctypes
import mmap
import os
import pathlib
import random
import statistics
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build/release")).resolve()
LIBRARY = BUILD / "tests/nvml"
TOOLS = ["zeus==0.16.0", "codecarbon==3.3.2"]
BUSY_W, IDLE_W = 300.0, 60.0
EVENTS = 1 << 17


class PowerLog:
    """The file that the fake library reads its true power from (fixtures/sensor_model.h)."""

    def __init__(self, path):
        with open(path, "wb") as f:
            f.truncate(16 + 24 * EVENTS)
        self.file = open(path, "r+b")
        self.map = mmap.mmap(self.file.fileno(), 0)
        self.count = 0
        self.last = None
        struct.pack_into("<Q", self.map, 0, 0x504F5745524C4F47)

    def add(self, t_ns, watts):
        energy = 0.0
        if self.last:
            t, e, p = self.last
            energy = e + p * (t_ns - t) * 1e-9
        self.last = (t_ns, energy, watts)
        struct.pack_into("<qdd", self.map, 16 + 24 * (self.count % EVENTS), *self.last)
        self.count += 1
        struct.pack_into("<Q", self.map, 8, self.count)
        return energy


def load(log, seconds, call_s):
    """Calls one after the other; the true energy of all of them and how many."""
    start = now = time.monotonic_ns()
    first = log.add(now, BUSY_W)
    calls = 0
    while now < start + seconds * 1e9:
        until = now + int(call_s * 1e9 * random.gauss(1, 0.02))
        while (left := until - time.monotonic_ns()) > 0:
            time.sleep(left * 1e-9)
        now = time.monotonic_ns()
        calls += 1
    return log.add(now, IDLE_W) - first, calls


def zeus_tool():
    from zeus.monitor import ZeusMonitor
    monitor = ZeusMonitor([0], cpu_indices=[])

    def measure(work):
        monitor.begin_window("w", sync_execution=False)
        truth = work()
        return sum(monitor.end_window("w", sync_execution=False).gpu_energy.values()), truth
    return measure


def codecarbon_tool():
    from codecarbon import OfflineEmissionsTracker
    tracker = OfflineEmissionsTracker(country_iso_code="USA", gpu_ids=[0], save_to_file=False,
                                      log_level="critical", allow_multiple_runs=True,
                                      measure_power_secs=1)

    def measure(work):
        tracker.start_task()
        truth = work()
        return tracker.stop_task().gpu_energy * 3.6e6, truth
    return measure


def compare(name, windows):
    """Runs in a process whose loader finds the fake library; prints one line a case."""
    log = PowerLog(os.environ["FAKE_NVML_LOG"])
    log.add(time.monotonic_ns() - 5 * 10**9, IDLE_W)
    measure = {"zeus": zeus_tool, "codecarbon": codecarbon_tool}[name]()
    for seconds in (1.0, 3.0) if os.environ.get("FAKE_NVML_NO_COUNTER") else (1.0, 0.5):
        errors, failures = [], 0
        for _ in range(windows):
            time.sleep(1.2 + 0.3 * random.random())
            length = seconds + 0.1 * (random.random() - 0.5)
            told, (truth, _) = measure(lambda: load(log, length, 0.002))
            if told > 0:
                errors.append(100 * (told / truth - 1))
            else:
                failures += 1
        words = "power only" if os.environ.get("FAKE_NVML_NO_COUNTER") else "counter"
        figures = (f"bias {statistics.mean(errors):+.2f} %, SD {statistics.stdev(errors):.2f} %"
                   if len(errors) > 1 else "no figure")
        print(f"{name:11} {words:10} windows of {seconds:.1f} s: {figures}, {failures} of {windows} "
              "without a figure", flush=True)


def venv():
    """The Python that has both tools, or the reason why there is none."""
    folder = ROOT / "build/energy-tools"
    python = folder / "bin/python"
    if not (folder / "complete").exists():
        made = subprocess.run(["/usr/bin/python3", "-m", "venv", folder], capture_output=True, text=True)
        if not made.returncode:
            made = subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check",
                                   *TOOLS], capture_output=True, text=True)
        if made.returncode:
            return None, (made.stderr.strip().splitlines() or ["pip failed"])[-1]
        (folder / "complete").touch()
    return python, None


def main():
    windows = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    code = 0
    for seconds in ("1.0", "0.5"):
        code |= subprocess.run([BUILD / "bench/bench_energy_realtime", str(windows), seconds, "0.002"],
                               env=dict(os.environ, BUILD=str(BUILD))).returncode
    python, why = venv()
    if why:
        print(f"zeus and codecarbon are skipped: {why}")
        return code
    for name in ("zeus", "codecarbon"):
        for knobs in ({}, {"FAKE_NVML_NO_COUNTER": "1"}):
            with tempfile.TemporaryDirectory() as folder:
                # codecarbon asks whether nvidia-smi runs before it loads the library
                (pathlib.Path(folder) / "nvidia-smi").write_text("#!/bin/sh\nexit 0\n")
                (pathlib.Path(folder) / "nvidia-smi").chmod(0o755)
                environment = dict(os.environ, **knobs, LD_LIBRARY_PATH=str(LIBRARY),
                                   FAKE_NVML_LOG=f"{folder}/log",
                                   PATH=f"{folder}:{os.environ['PATH']}")
                done = subprocess.run([python, __file__, "--compare", name, str(windows)],
                                      env=environment, capture_output=True, text=True)
                print("\n".join(l for l in done.stdout.splitlines() if l.startswith(name)))
                if done.returncode:
                    print(f"{name:11} {'power only' if knobs else 'counter':10} fails: "
                          f"{(done.stderr.strip().splitlines() or ['?'])[-1]}", flush=True)
    return code


if __name__ == "__main__":
    ctypes.CDLL(None).prctl(1, 9)  # ends with its parent
    if sys.argv[1:2] == ["--compare"]:
        compare(sys.argv[2], int(sys.argv[3]))
    else:
        sys.exit(main())
