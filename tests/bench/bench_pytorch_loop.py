"""What the worker's timed loop adds to a hand-written PyTorch loop, on one thread or a GPU.

A few turns of a hand-written loop (clock, model, clock, append; on a GPU torch.cuda.synchronize)
and of the worker's loop follow each other in random order, in one process with one small model; a
second hand-written loop is the A/A comparison beside it. A turn lasts from the start of a call to
the start of the next. The third one counts: the first after a change of loops runs code that is
cold. So short, they are mostly over before a time slice is, and other load hits all of them or
none. The median log ratio over rounds must lie within 0.5 %, its 95 % order-statistic interval
included.

usage: bench_pytorch_loop.py [ROUNDS] [CONFIGURATION]     (5000, pytorch-cpu/fp32+threads=1)
Needs torch in $JOULELINE_PYTHON (default /usr/bin/python3). Ends with 0 (pass), 1 (fail) or
4 (inconclusive)."""
import math
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIMIT, MISSES, WARM, CALLS = 0.005, 20, 5, 4  # at most one interval in MISSES misses: 95 %
PASS, FAIL, INCONCLUSIVE = 0, 1, 4
MODEL = "probe_matmul_64x256x8"


def median_interval(values):
    """Median, order-statistic interval and its exact level."""
    ordered, n = sorted(values), len(values)
    below, k = 0, 0  # P(fewer than k of n coins) = below / 2^n
    while 2 * (below + math.comb(n, k)) * MISSES <= 2**n:  # whole numbers: 2^n is beyond floats
        below += math.comb(n, k)
        k += 1
    middle = (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
    return middle, ordered[k - 1], ordered[n - k], 1 - 2 * below / 2**n


def open_session(configuration, folder):
    import torch
    from jouleline_torch import safetensors
    from jouleline_torch.session import Session
    torch.manual_seed(1)
    weights, inputs = os.path.join(folder, "w"), os.path.join(folder, "x")
    program = os.environ.get("JOULELINE", ROOT / "build/release/jouleline")
    subprocess.run([program, "model", "export", MODEL, "-f", "safetensors", "-o", weights],
                   check=True, stderr=subprocess.DEVNULL)
    safetensors.write(inputs, {"input": torch.rand(1, 1, 256)})
    return Session({"configuration": configuration, "model_name": MODEL, "zoo": True,
                    "model_path": None, "weights_path": weights, "inputs_path": inputs,
                    "io": "device", "in_flight": 1, "trust": False, "device_uuid": None})


def open_ring(capacity):
    import struct
    from jouleline_torch.ring import Ring
    fd = os.memfd_create("ring")
    os.write(fd, struct.pack("<8sIIQ", b"JLRING01", 1, 0, capacity) + b"\0" * (40 + 16 * capacity))
    return Ring(fd)


def turns_of_nothing(turns=100000):
    """Nanoseconds of a turn around a call that does nothing: hand-written, worker's."""
    from jouleline_torch.ring import run_loop
    clock, times, ring = time.monotonic_ns, [], open_ring(turns)

    def nothing():
        pass

    begin = clock()
    for _ in range(turns):
        start = clock()
        nothing()
        times.append(clock() - start)
    by_hand = (clock() - begin) / turns
    _, begin, end, _ = run_loop(ring, nothing, 10**12)
    return by_hand, (end - begin) / turns


def measure(session, rounds):
    """Nanoseconds of a turn, hand-written, hand-written again and the worker's, a row a round."""
    import torch
    from jouleline_torch.ring import run_loop
    model, ring = session.model, open_ring(CALLS)
    (x,) = (t.to(session.device) for t in session.inputs.values())
    clock = time.monotonic_ns
    cuda = session.cuda

    def by_hand():
        starts, times = [], []
        for _ in range(CALLS):
            start = clock()
            model(x)
            if cuda:
                torch.cuda.synchronize()
            times.append(clock() - start)
            starts.append(start)
        return starts[-1] - starts[-2]

    def by_worker():
        ring.begin(2)
        run_loop(ring, session.call, 10**12)
        return ring.pairs[2 * CALLS - 2] - ring.pairs[2 * CALLS - 4]

    kinds, rows, order = (by_hand, by_hand, by_worker), [], [0, 1, 2]
    with torch.inference_mode():
        for _ in range(WARM):
            by_hand()
            by_worker()
        for _ in range(rounds):
            random.shuffle(order)
            row = [0, 0, 0]
            for k in order:
                row[k] = kinds[k]()
            rows.append(row)
    return rows


def compare(what, rows, kind):
    ratios = [math.log(row[kind] / row[0]) for row in rows]
    middle, low, high, level = median_interval(ratios)
    print("  %-24s %+.4f %% [%+.4f, %+.4f] (%.1f %% interval, half-width %.3f %%)"
          % (what, 100 * middle, 100 * low, 100 * high, 100 * level, 50 * (high - low)))
    if -LIMIT < low and high < LIMIT:
        return PASS
    return FAIL if low > LIMIT or high < -LIMIT else INCONCLUSIVE


def main():
    python = os.environ.get("JOULELINE_PYTHON", "/usr/bin/python3")
    if os.environ.get("JL_BENCH_INSIDE") != "1":  # the benchmarks' own venv has no torch
        os.environ["JL_BENCH_INSIDE"] = "1"
        os.execvp(python, [python, "-B", *sys.argv])
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    configuration = sys.argv[2] if len(sys.argv) > 2 else "pytorch-cpu/fp32+threads=1"
    sys.path.insert(0, str(ROOT / "share/jouleline"))
    import torch
    random.seed(42)
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(open_session(configuration, folder), rounds)
    print("%s, torch %s, %s: %d rounds, hand-written turn %.3f ms on average"
          % (configuration, torch.__version__, MODEL, rounds,
             sum(r[0] for r in rows) / rounds * 1e-6))
    print("  a turn around a call that does nothing: by hand %.0f ns, worker's %.0f ns"
          % turns_of_nothing())
    compare("A/A (hand, hand)", rows, 1)
    verdict = compare("worker's loop over hand", rows, 2)
    print("  %s: within %.1f %%" % ({PASS: "pass", FAIL: "fail"}.get(verdict, "inconclusive"),
                                    100 * LIMIT))
    return verdict


if __name__ == "__main__":
    sys.exit(main())
