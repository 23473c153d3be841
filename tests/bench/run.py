"""Lists and runs the benchmarks.

usage: run.py BUILD [--list] [NAME...]

A benchmark is tests/bench/bench_NAME.c, built as BUILD/bench/bench_NAME, or tests/bench/
bench_NAME.py. Its first comment line says what it measures. It compares within one run and ends
with 0 (pass), 1 (fail) or 4 (inconclusive). The environment holds JOULELINE (the program), BUILD
and RUNTIMES (build/runtimes). NAMEs select by substring.
"""

import os
import pathlib
import re
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
VERDICTS = {0: "pass", 1: "fail", 4: "inconclusive"}


def summary(path):
    """The first line of the file's opening comment or docstring."""
    text = path.read_text()
    found = re.match(r'\s*(?:/\*|"""|#)\s*([^\n]*)', text)
    return found.group(1).rstrip(' */"') if found else ""


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    names = [a for a in sys.argv[2:] if a != "--list"]
    files = sorted(p for p in HERE.glob("bench_*") if p.suffix in (".c", ".py"))
    files = [f for f in files if not names or any(n in f.stem for n in names)]
    if not files:
        sys.exit(f"no benchmark matches {' '.join(names)}; ./dev bench --list shows them")
    width = max(len(f.stem) for f in files) - len("bench_")
    for f in files:
        print(f"{f.stem.removeprefix('bench_'):{width}}  {summary(f)}")
    if "--list" in sys.argv[2:]:
        return 0
    environment = dict(os.environ, JOULELINE=str(build / "jouleline"), BUILD=str(build),
                       RUNTIMES=str(ROOT / "build/runtimes"))
    results = []
    for f in files:
        name = f.stem.removeprefix("bench_")
        print(f"\n== {name}", flush=True)
        command = [build / "bench" / f.stem] if f.suffix == ".c" else [ROOT / "build/venv/bin/python", f]
        start = time.monotonic()
        code = subprocess.run(command, env=environment, cwd=ROOT).returncode
        results.append((name, VERDICTS.get(code, f"broken (status {code})"), time.monotonic() - start))
    print()
    for name, verdict, seconds in results:
        print(f"{name:{width}}  {verdict:12}  {seconds:.1f} s")
    return 0 if all(v == "pass" for _, v, _ in results) else 1


sys.exit(main())
