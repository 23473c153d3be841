"""model cost against onnx-tool and onnx's shape inference: at least 50 times as fast.

Whole processes, alternating, on vit_b_16 as the zoo exports it and on swin_t as torch's exporter writes
it (6,381 tensors; in the exporter's style from the zoo where Debian's torch is missing). The ratio of
the medians decides; 4 (inconclusive) when onnx-tool is not installed."""
import importlib.util
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

REPEATS = 5
WANTED = 50
INFER = "import onnx,sys; onnx.shape_inference.infer_shapes(onnx.load(sys.argv[1]))"
TOOL = ("import onnx_tool,sys,io,contextlib\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        "    onnx_tool.model_profile(sys.argv[1], dynamic_shapes=None)\n")


EXPORT = ("import sys,torch,torchvision\n"
          "torch.onnx.export(torchvision.models.swin_t(weights=None).eval(), torch.zeros(1,3,224,224),\n"
          "                  sys.argv[1], opset_version=13)\n")


def export(jouleline, model, path):
    if model == "swin_t" and subprocess.run(["/usr/bin/python3", "-c", EXPORT, path],
                                            capture_output=True).returncode == 0:
        return
    subprocess.run([jouleline, "model", "export", "--style", "torchscript", "--batch", "1", "-o", path,
                    model], check=True)


def seconds(command):
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    elapsed = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"{command[0]} failed: {done.stderr[-500:]}")
    return elapsed, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def main():
    jouleline = os.environ["JOULELINE"]
    rivals = {"onnx shape inference": INFER}
    if importlib.util.find_spec("onnx_tool"):
        rivals["onnx-tool"] = TOOL
    good = True
    with tempfile.TemporaryDirectory() as folder:
        for model in ("vit_b_16", "swin_t"):
            path = os.path.join(folder, f"{model}.onnx")
            export(jouleline, model, path)
            ours = [jouleline, "model", "cost", path]
            seconds(ours)  # the file into the page cache
            own, theirs = [], {name: [] for name in rivals}
            for _ in range(REPEATS):
                for name, program in rivals.items():
                    own.append(seconds(ours)[0])
                    theirs[name].append(seconds([sys.executable, "-c", program, path])[0])
            mine = statistics.median(own)
            print(f"{model}: model cost {mine * 1e3:.1f} ms")
            for name, times in theirs.items():
                ratio = statistics.median(times) / mine
                good = good and ratio >= WANTED
                print(f"  {name}: {statistics.median(times):.2f} s, {ratio:.0f} times as long")
            os.unlink(path)
    if "onnx-tool" not in rivals:
        print("onnx-tool is not installed here: not compared")
        return 4 if good else 1
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
