"""Conversion to half, whole process, against the better converter of others: at least 10 x, at most 100 MiB.

vit_b_16 and vgg16, six rounds: `model convert --to fp16` before, between and after
onnxconverter-common and onnxruntime.transformers, the median of the three. The ratio is taken round by round against whichever of the two is faster over the
rounds; its interval is from the least to the largest (96.9 % for a median of six). Memory is the
largest Private_Dirty of /proc/PID/smaps_rollup, polled: what is not a mapped file. Ends with 0
(pass), 1 (fail) or 4 (the interval holds the limit).
"""

import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

LEAST_RATIO, MOST_MIB, ROUNDS = 10, 100, 6
CONVERTER = pathlib.Path(__file__).resolve().parents[2] / "share/jouleline/fp16_converter.py"


def watch(pid, peak, stop):
    path = f"/proc/{pid}/smaps_rollup"
    while not stop.is_set():
        try:
            with open(path) as f:
                kib = next(int(line.split()[1]) for line in f if line.startswith("Private_Dirty:"))
        except (OSError, StopIteration):
            return
        peak[0] = max(peak[0], kib / 1024)
        time.sleep(0.001)


def measure(command, private=False):
    """Wall seconds, processor seconds, peak resident MiB, and peak private MiB when asked for."""
    peak, stop = [0.0], threading.Event()
    began = time.monotonic()
    process = subprocess.Popen([str(c) for c in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if private:
        watcher = threading.Thread(target=watch, args=(process.pid, peak, stop))
        watcher.start()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if private:
        stop.set()
        watcher.join()
    if process.returncode:
        sys.exit(f"{command[0]} ended with {process.returncode}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, peak[0]


def one(model, folder, jouleline):
    source, target = f"{folder}/{model}.onnx", f"{folder}/half.onnx"
    subprocess.run([jouleline, "model", "export", model, "-o", source], check=True)
    ours = [jouleline, "model", "convert", source, "--to", "fp16", "-o", target]
    commands = {"jouleline": ours}
    for name in "occ", "ort-transformers":
        commands[name] = [sys.executable, CONVERTER, name, source, target]
    measure(ours)  # the file is in the page cache from here on
    taken = {name: [] for name in commands}
    for _ in range(ROUNDS):
        mine = [measure(ours)]
        for name in "occ", "ort-transformers":
            taken[name].append(measure(commands[name]))
            mine.append(measure(ours))
        taken["jouleline"].append([statistics.median(row[k] for row in mine) for k in range(3)])
    private = max(measure(ours, private=True)[3] for _ in range(3))
    for name, rows in taken.items():
        wall, cpu, resident = (statistics.median(r[k] for r in rows) for k in range(3))
        print(f"{model:9} {name:17} {wall:6.2f} s wall, {cpu:6.2f} s of processors, peak resident {resident:6.0f} MiB")
    better = min(("occ", "ort-transformers"), key=lambda n: statistics.median(r[0] for r in taken[n]))
    ratios = [[b[k] / a[k] for a, b in zip(taken["jouleline"], taken[better])] for k in (0, 1)]
    print(f"{model:9} against {better}: {statistics.median(ratios[0]):.1f} x as fast [{min(ratios[0]):.1f}, "
          f"{max(ratios[0]):.1f}] (at least {LEAST_RATIO}); processor time {statistics.median(ratios[1]):.1f} x "
          f"[{min(ratios[1]):.1f}, {max(ratios[1]):.1f}]; private memory {private:.1f} MiB (at most {MOST_MIB})",
          flush=True)
    if private > MOST_MIB or max(ratios[0]) < LEAST_RATIO:
        return 1
    return 0 if min(ratios[0]) >= LEAST_RATIO else 4


def main():
    with tempfile.TemporaryDirectory(dir=os.environ["BUILD"]) as folder:
        verdicts = [one(model, folder, os.environ["JOULELINE"]) for model in ("vit_b_16", "vgg16")]
    return 1 if 1 in verdicts else max(verdicts)


if __name__ == "__main__":
    sys.exit(main())
