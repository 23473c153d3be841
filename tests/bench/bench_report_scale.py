"""report on 1,000,000 runs: time and memory from store to CSV, and whether time grows linearly.

Stores of 10,000, 100,000 and 1,000,000 runs (large_store.py, 1 GB in TMPDIR for the last) go through
`report -s cells,pairs --baseline CONFIG -o csv`: every cell's median with its exact interval and every
configuration against one, in both families of corrections, for latency and energy. Bounds: 5 s and
512 MiB for the largest, and at most 1.5 times the processor time per run of the one before.
MODELS=10 in the environment leaves out the largest. The best of three is taken: 3.77 s and 253 MiB on two
processors (AMD EPYC) without other load.
"""

import os
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import large_store

BASELINE = "ort-cuda/fp32+threads=1"
RUNS_OF_A_MODEL = large_store.CONFIGURATIONS * large_store.BATCHES * large_store.ROUNDS


def report(store, out):
    """Wall seconds, processor seconds and peak MiB of one report, and the lines it wrote."""
    start = time.monotonic()
    pid = os.fork()
    if pid == 0:
        fd = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(fd, 1)
        os.execv(os.environ["JOULELINE"], ["jouleline", "report", "--db", store, "-s", "cells,pairs",
                                           "--baseline", BASELINE, "-o", "csv"])
    _, status, usage = os.wait4(pid, 0)
    if status:
        sys.exit(f"report failed with status {status}")
    wall = time.monotonic() - start
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    most = int(os.environ.get("MODELS", "100"))
    last, ok = None, True
    with tempfile.TemporaryDirectory() as folder:
        for models in (m for m in (1, 10, 100) if m <= most):
            store, out = f"{folder}/{models}.db", f"{folder}/{models}.csv"
            large_store.make(models, store)
            tries = [report(store, out) for _ in range(3)]
            wall, cpu, mib = (min(t[k] for t in tries) for k in range(3))
            lines = sum(1 for _ in open(out))
            cells = models * large_store.CONFIGURATIONS * large_store.BATCHES
            pairs = models * large_store.BATCHES * (large_store.CONFIGURATIONS - 1) * 2
            if lines != cells + pairs + 3:
                sys.exit(f"{lines} lines instead of {cells} cells, {pairs} pairs, two heads and a gap")
            runs = models * RUNS_OF_A_MODEL
            growth = "" if last is None else f", per run {cpu / runs / last:.2f} x the one before"
            print(f"{runs:>9,} runs: {wall:6.2f} s, {cpu:6.2f} s of processors, {mib:4.0f} MiB{growth}",
                  flush=True)
            if last is not None:
                ok &= cpu / runs / last <= 1.5
            last = cpu / runs
            if models == 100:
                ok &= wall < 5 and mib < 512
            os.unlink(store)
    return 0 if ok else 1


sys.exit(main())
