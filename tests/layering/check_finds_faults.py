"""The layering check must find what it is for: a copy of the tree in which something is wrong.

usage: check_finds_faults.py ROOT
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile

FAULTS = [
    ("src/base/bad.c", '#include "model/graph.h"\n', "base must not include 'model/graph.h'"),
    ("src/meter/bad.h", '#include "runtime/registry.h"\n', "meter must not include"),
    ("src/store/bad.c", '  #  include "study/plan.h"\n', "store must not include"),
    ("src/model/onnx/bad.c", '#include "cli/cli.h"\n', "model must not include"),
    ("src/odd/x.c", "\n", "src/odd is in no layer"),
    ("include/jouleline/bad.h", '#include "base/str.h"\n', "a public header includes the private"),
]

root = pathlib.Path(sys.argv[1])
check = pathlib.Path(__file__).with_name("check.py")
failed = 0
for name, text, expected in FAULTS:
    with tempfile.TemporaryDirectory() as copy:
        for folder in ("src", "cli", "include"):
            shutil.copytree(root / folder, pathlib.Path(copy) / folder)
        path = pathlib.Path(copy) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        run = subprocess.run([sys.executable, check, copy], capture_output=True, text=True)
        if run.returncode != 1 or expected not in run.stdout:
            print(f"not found: {name} with {text!r}; the check said: {run.stdout}")
            failed = 1
sys.exit(failed)
