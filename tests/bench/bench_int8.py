"""INT8 models against those of ONNX Runtime's quantize_static: agreement, speed, time and memory.

usage: bench_int8.py [--models NAME,...] [--items N] [--pairs N] [--turns N] [--json FILE]

Both quantise the same FP32 file of the zoo with the same settings (QDQ, U8S8 per channel, MinMax,
32 seeded items) in processes of their own, which are timed whole, in turns. Theirs is
quant_pre_process and quantize_static; where the pre-processing fails with symbolic shapes, it runs
without them. Then, on items that calibration did not see:

agreement  the share of items with FP32's first answer, and the difference of both shares with the
           one-sided 95 % bound of Tango's score interval for paired proportions (Statistics in
           Medicine 17, 1998): the least D for which (b - c - nD) / sqrt(n (2 q + D (1 - D))) is at
           most 1.645, where b items agree in ours alone, c in theirs alone, and q is the estimate
           of c's share under D. At least -2 points.
speed      CPU time of calls of both in turns on one thread, batch 1 (what others run on the machine
           then counts little); median of theirs / ours of each pair with its order-statistic
           interval. At least 0.98.
time       whole process, theirs / ours by the clock, median of the turns: at least 3. The same of CPU
           seconds beside it, on which others on the machine have less influence.
memory     peak resident memory of the process, ours / theirs, median of the turns: at most 1/3.
Brackets hold 95 % order-statistic intervals; below 6 turns the least and the most of all turns, which
hold the median with a probability of 94 % (5 turns) or 75 % (3).

The weights are seeded, not trained, and the items are noise: agreement does not transfer to trained
networks and pictures. Ends with 0 (all reached), 1 (one missed).
"""

import argparse
import concurrent.futures
import json
import math
import multiprocessing
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

MODELS = {"resnet18": 1024, "resnet50": 1024, "mobilenet_v2": 1024, "efficientnet_b0": 1024, "vit_b_16": 256,
          "swin_t": 256}
CALIBRATION, SEED = 32, 1
LEAST_DIFFERENCE, LEAST_SPEED, LEAST_TIME, MOST_MEMORY = -0.02, 0.98, 3, 1 / 3
Z = 1.6448536269514722


def quantize_theirs(fp32, items, output):
    """What ONNX Runtime's documentation tells users to do."""
    import onnxruntime.quantization as q
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(q.CalibrationDataReader):
        def __init__(self):
            self.items, self.at = np.load(items, mmap_mode="r"), 0

        def get_next(self):
            self.at += 1
            return None if self.at > len(self.items) else {"input": np.array(self.items[self.at - 1:self.at])}

    with tempfile.TemporaryDirectory() as folder:
        ready = os.path.join(folder, "ready.onnx")
        try:
            quant_pre_process(fp32, ready)
        except Exception as e:  # it raises bare Exception
            print(f"without symbolic shapes: {str(e)[:60]}", file=sys.stderr)
            quant_pre_process(fp32, ready, skip_symbolic_shape=True)
        q.quantize_static(ready, output, Reader(), quant_format=q.QuantFormat.QDQ, activation_type=q.QuantType.QUInt8,
                          weight_type=q.QuantType.QInt8, per_channel=True, calibrate_method=q.CalibrationMethod.MinMax)


def run_whole(command):
    """Seconds, peak resident bytes and CPU seconds of a process and its children, and its words."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    words = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(map(str, command))}: {words}")
    return time.monotonic() - start, used.ru_maxrss * 1024, used.ru_utime + used.ru_stime, words


def session(path, threads):
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def answers(path, items):
    s = session(path, os.cpu_count())
    return np.array([s.run(None, {"input": items[i:i + 1]})[0][0].argmax() for i in range(len(items))])


def tango_bound(b, c, n):
    """The one-sided 95 % lower bound of (b - c) / n."""
    def score(d):
        B = -b - c + (2 * n - b + c) * d
        q = (math.sqrt(max(B * B + 8 * n * c * d * (1 - d), 0)) - B) / (4 * n)
        variance = n * (2 * q + d * (1 - d))
        top = b - c - n * d
        return top / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, top) if top else 0
    low, high = -1.0, (b - c) / n
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if score(middle) > Z else (low, middle)
    return low


def median_interval(values):
    """Median and its 95 % order-statistic interval."""
    x, n = sorted(values), len(values)
    k = max(0, int((n - 1.96 * math.sqrt(n)) / 2))
    return statistics.median(x), x[k], x[n - 1 - k]


def speed(ours, theirs, item, pairs):
    sessions = [session(p, 1) for p in (ours, theirs)]
    for s in sessions:
        for _ in range(3):
            s.run(None, {"input": item})
    ratios, milliseconds = [], ([], [])
    for k in range(pairs):
        took = [0.0, 0.0]
        for side in ((0, 1) if k % 2 else (1, 0)):
            start = time.thread_time()
            sessions[side].run(None, {"input": item})
            took[side] = time.thread_time() - start
            milliseconds[side].append(took[side] * 1e3)
        ratios.append(took[1] / took[0])
    return median_interval(ratios), [statistics.median(m) for m in milliseconds]


def quantize_both(name, count, turns, folder):
    """Comes before this process grows: a child's peak memory counts from that of its parent."""
    program, build = os.environ["JOULELINE"], os.environ["BUILD"]
    fp32, ours, theirs, calibration, items = (folder / f for f in (
        "fp32.onnx", "ours.onnx", "theirs.onnx", "calibration.npy", "items.npy"))
    subprocess.run([program, "model", "export", name, "-o", fp32], check=True, stdout=subprocess.DEVNULL)
    for path, skip, n in ((calibration, 0, CALIBRATION), (items, CALIBRATION, count)):
        subprocess.run([f"{build}/bench/seeded_items", *map(str, (fp32, SEED, skip, n, path))], check=True)
    commands = {"ours": [program, "model", "quantize", fp32, "-o", ours, "--npy", calibration, "-n", CALIBRATION],
                "theirs": [sys.executable, __file__, "--theirs", fp32, calibration, theirs]}
    runs = {side: [] for side in commands}
    for turn in range(turns):
        for side in (("ours", "theirs"), ("theirs", "ours"))[turn % 2]:
            runs[side].append(run_whole(list(map(str, commands[side]))))
    costs = {"without_symbolic_shapes": "without symbolic shapes" in runs["theirs"][0][3]}
    for at, what in enumerate(("s", "bytes", "cpu_s")):
        ours, theirs = ([r[at] for r in runs[side]] for side in ("ours", "theirs"))
        ratios = [o / t if what == "bytes" else t / o for o, t in zip(ours, theirs)]
        costs |= {f"ours_{what}": statistics.median(ours), f"theirs_{what}": statistics.median(theirs),
                  f"ratio_{what}": median_interval(ratios)}
    return costs


def compare(name, count, pairs, folder):
    fp32, ours, theirs, items = (folder / f for f in ("fp32.onnx", "ours.onnx", "theirs.onnx", "items.npy"))
    x = np.load(items, mmap_mode="r")
    base, a, b = (answers(p, x) for p in (fp32, ours, theirs))
    (ratio, low, high), ms = speed(ours, theirs, np.array(x[:1]), pairs)
    right = [base == a, base == b]
    only_ours, only_theirs = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    return {"model": name, "items": count, "ours": int(right[0].sum()), "theirs": int(right[1].sum()),
            "only_ours": only_ours, "only_theirs": only_theirs, "difference": (only_ours - only_theirs) / count,
            "bound": tango_bound(only_ours, only_theirs, count), "speed": ratio, "speed_low": low, "speed_high": high,
            "ours_ms": ms[0], "theirs_ms": ms[1]}


def missed(r):
    found = []
    if r["bound"] < LEAST_DIFFERENCE:
        found.append("agreement")
    if r["speed"] < LEAST_SPEED:
        found.append("speed")
    if r["ratio_s"][0] < LEAST_TIME:
        found.append("time")
    if r["ratio_bytes"][0] > MOST_MEMORY:
        found.append("memory")
    return found


def show(r):
    def ratio(what):
        return "{:.2f} [{:.2f}, {:.2f}]".format(*r[f"ratio_{what}"])
    n = r["items"]
    print(f"{r['model']:16} agreement of {n}: ours {100 * r['ours'] / n:.1f} %, theirs {100 * r['theirs'] / n:.1f} %, "
          f"difference {100 * r['difference']:+.1f} points, bound {100 * r['bound']:+.1f}\n"
          f"{'':16} speed {r['speed']:.3f} [{r['speed_low']:.3f}, {r['speed_high']:.3f}] ({r['ours_ms']:.2f} ms, "
          f"theirs {r['theirs_ms']:.2f} ms)\n"
          f"{'':16} quantising: theirs / ours {ratio('s')} by the clock ({r['theirs_s']:.2f} s, {r['ours_s']:.2f} s), "
          f"{ratio('cpu_s')} in CPU time ({r['theirs_cpu_s']:.2f} s, {r['ours_cpu_s']:.2f} s); ours / theirs "
          f"{ratio('bytes')} of the memory ({r['ours_bytes'] / 1e9:.3f} GB, {r['theirs_bytes'] / 1e9:.3f} GB)"
          f"{'; theirs without symbolic shapes' * r['without_symbolic_shapes']}"
          f"{'; missed: ' + ', '.join(missed(r)) if missed(r) else ''}", flush=True)


def main():
    if sys.argv[1:2] == ["--theirs"]:
        quantize_theirs(*sys.argv[2:])
        return 0
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--items", type=int, help="at most so many, for a quick look")
    parser.add_argument("--pairs", type=int, default=101)
    parser.add_argument("--turns", type=int, default=5, help="times that each side quantises")
    parser.add_argument("--json", type=pathlib.Path)
    o = parser.parse_args()
    results = []
    for name in o.models.split(","):
        folder = pathlib.Path(tempfile.mkdtemp(dir=os.environ["BUILD"]))
        count = min(MODELS[name], o.items or MODELS[name])
        try:
            costs = quantize_both(name, count, o.turns, folder)
            with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                results.append(pool.submit(compare, name, count, o.pairs, folder).result() | costs)
            show(results[-1])
        finally:
            shutil.rmtree(folder)
        if o.json:
            o.json.write_text(json.dumps(results, indent=1))
    return 1 if any(missed(r) for r in results) else 0


if __name__ == "__main__":
    sys.exit(main())
