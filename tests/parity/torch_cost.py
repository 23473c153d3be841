"""MACs of what torch's exporter writes with a dynamic batch equal torchvision's, all fifteen.

torch_cost.py PYTHON JOULELINE ORACLE [NAME...]: PYTHON has torch and torchvision (Debian's); ORACLE is
the table of parameters and MACs. Exports run in PYTHON, without initialising the weights, which
nobody looks at; batch 1 and 7 are compared."""
import json
import os
import subprocess
import sys
import tempfile

EXPORT = r"""
import sys, warnings
warnings.filterwarnings("ignore")
import torch
import torchvision
for name in [n for n in dir(torch.nn.init) if n.endswith("_") and not n.startswith("_")]:
    setattr(torch.nn.init, name, lambda tensor, *rest, **more: tensor)
torch.Tensor.normal_ = torch.Tensor.uniform_ = lambda self, *rest, **more: self
for word in sys.argv[2:]:
    name, size, opset = word.split(":")
    model = getattr(torchvision.models, name)(weights=None).eval()
    torch.onnx.export(model, torch.zeros(2, 3, int(size), int(size)), f"{sys.argv[1]}/{name}.onnx",
                      opset_version=int(opset), input_names=["input"], output_names=["logits"],
                      dynamic_axes={"input": {0: "batch"}, "logits": {0: "batch"}})
    print(name, flush=True)
"""


def main():
    python, jouleline, table = sys.argv[1:4]
    with open(table) as f:
        rows = [line.rstrip("\n").split("\t") for line in f if not line.startswith(("#", "model"))]
    wanted = {r[0]: (int(r[2]), int(r[4])) for r in rows if not sys.argv[4:] or r[0] in sys.argv[4:]}
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        # LayerNorm is a single operator from opset 17 on
        words = [f"{n}:{size}:{13 if i % 2 else 17}" for i, (n, (size, _)) in enumerate(wanted.items())]
        export = subprocess.Popen([python, "-c", EXPORT, folder] + words, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True)
        for line in export.stdout:
            name = line.strip()
            if name not in wanted:
                continue
            path = os.path.join(folder, f"{name}.onnx")
            done = subprocess.run([jouleline, "model", "cost", "--by", "model", "-o", "json", "-b",
                                   "1,7", path], capture_output=True, text=True)
            os.unlink(path)
            costs = json.loads(done.stdout) if done.returncode == 0 else []
            macs = [c["macs"] / c["batch"] for c in costs]
            good = macs == [wanted[name][1]] * 2 and not any(c["unknown_nodes"] for c in costs)
            bad += not good
            print(f"{name}: {'exact' if good else f'{macs}, not {wanted[name][1]} {done.stderr}'}",
                  flush=True)
            wanted.pop(name)
        errors = export.communicate()[1]
    for name in wanted:
        print(f"{name}: not exported\n{errors[-2000:]}")
    return 1 if bad or wanted else 0


if __name__ == "__main__":
    sys.exit(main())
