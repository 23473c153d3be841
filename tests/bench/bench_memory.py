"""Resident memory that jouleline adds beside ONNX Runtime's own: at most 20 MiB.

The peak of the worker of `jouleline run` on mobilenet_v2 (one thread, batch 1) is compared with
that of a bare C program that loads the same file with the same library and calls it as often.
Ends with 0 (pass) or 1 (fail).
"""

import os
import pathlib
import sqlite3
import statistics
import subprocess
import sys
import tempfile

LIMIT_MIB = 20
RUNS = 3
MIB = 1 << 20


def main():
    program, build = os.environ["JOULELINE"], os.environ["BUILD"]
    library = pathlib.Path(os.environ["RUNTIMES"]) / "onnxruntime/libonnxruntime.so.1"
    with tempfile.TemporaryDirectory() as folder:
        model, store = f"{folder}/mobilenet_v2.onnx", f"{folder}/store.db"
        subprocess.run([program, "model", "export", "mobilenet_v2", "-o", model], check=True,
                       stdout=subprocess.DEVNULL)
        bare = [int(subprocess.run([f"{build}/bench/bare_ort", library, model], check=True,
                                   capture_output=True, text=True).stdout) for _ in range(RUNS)]
        subprocess.run([program, "run", "-q", "--db", store, "-m", model, "-c",
                        f"ort-cpu/fp32+lib={library}+threads=1", "-b", "1", "-r", str(RUNS),
                        "--min-time", "1s", "--max-time", "2s", "--retries", "0"],
                       check=True, stdout=subprocess.DEVNULL)
        rows = sqlite3.connect(store).execute(
            "SELECT peak_rss_bytes FROM run WHERE outcome = 'ok'").fetchall()
    ours = [r[0] for r in rows]
    if len(ours) < RUNS:
        print("some runs failed")
        return 1
    added = statistics.median(ours) - statistics.median(bare)
    print(f"peak resident memory, median of {RUNS}: worker {statistics.median(ours) / MIB:.1f} MiB, "
          f"bare program {statistics.median(bare) / MIB:.1f} MiB, added {added / MIB:.1f} MiB "
          f"(at most {LIMIT_MIB})")
    return 0 if added <= LIMIT_MIB * MIB else 1


sys.exit(main())
