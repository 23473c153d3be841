"""What Python costs, from the run to the report, with the torch that is here.

usage: test_interpreter.py JOULELINE TORCHSCRIPT_MODEL.py

A program of resnet18 whose operators are those of torchvision's class gives the interpreter's
share; the ONNX graph, and a program whose operators are not the same, give graph and interpreter.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

PROGRAM, TRACER = sys.argv[1:3]
PYTHON = "/usr/bin/python3"
QUICK = ["-q", "--python", PYTHON, "--trust", "-r", "1", "--min-time", "0.02s", "-w", "0.05s",
         "--max-time", "0.1s", "--retries", "0", "--idle", "0.1s"]
# The same file with another verdict, as of a module that dispatches other operators in Python.
OTHER = """
import json, sys, torch
extra = {"jouleline.json": ""}
module = torch.jit.load(sys.argv[1], _extra_files=extra)
verdict = json.loads(extra["jouleline.json"])
verdict["same"] = False
torch.jit.save(module, sys.argv[2], _extra_files={"jouleline.json": json.dumps(verdict)})
"""


def run(*arguments):
    return subprocess.run([str(a) for a in arguments], check=True, capture_output=True,
                          text=True).stdout


def main():
    with tempfile.TemporaryDirectory() as folder:
        at = pathlib.Path(folder)
        weights, same, other, store = (at / n for n in ("w", "same.pt", "other.pt", "s.db"))
        run(PROGRAM, "model", "export", "resnet18", "-f", "safetensors", "-o", weights)
        said = run(PYTHON, "-B", TRACER, "resnet18", weights, same)
        assert "the same sequence" in said, said
        run(PYTHON, "-c", OTHER, same, other)
        libtorch = ["libtorch-cpu/fp32+threads=1",
                    *("libtorch-cpu/fp32+threads=1+trace=%s" % f for f in (other, same))]
        run(PROGRAM, "run", "--db", store, *QUICK, "-m", "resnet18", "-c",
            ",".join(["pytorch-cpu/fp32+threads=1", *libtorch]))
        rows = json.loads(run(PROGRAM, "report", "--db", store, "-s", "interpreter", "-o",
                              "json"))["interpreter"]
        got = {row["libtorch"]: row for row in rows if row["metric"] == "latency_ns"}
        assert sorted(got) == sorted(libtorch), got
        for name, share in zip(libtorch, ("graph and interpreter", "graph and interpreter",
                                          "interpreter")):
            assert got[name]["share_of"] == share, got[name]
            assert got[name]["same_torch"] is True and got[name]["rounds"] == 1, got[name]
            time = got[name]["difference"] / got[name]["share"]  # PyTorch's; no bound on a busy machine
            assert 0 < time < 60e9, got[name]
        page = run(PROGRAM, "report", "--db", store)
        for words in ("PyTorch against the same kernels", "the difference is Python's.",
                      "not Python's alone"):
            assert words in " ".join(page.split()), page


if __name__ == "__main__":
    main()
