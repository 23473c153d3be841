#!/usr/bin/env python3
"""Makes the TorchScript file of a zoo model for `libtorch-...+trace=FILE`: the very module that
the runtime `pytorch` runs, without Python.

    jouleline model export resnet18 -f safetensors -o resnet18.safetensors
    python3 torchscript_model.py resnet18 resnet18.safetensors resnet18.pt [--size 224]

The module is scripted, or traced where it cannot be, and the operators that it dispatches are
compared with those of the module in Python. The verdict is printed and kept in the file; the
runtime records it where it was made with the same torch on the same kind of device (--device).
Only if it is "same" is the difference between the two runtimes the interpreter's alone."""
import argparse
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))


def operators(module, example):
    """Names of the operators that one call dispatches, in order."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    class Recorder(TorchDispatchMode):
        names = []

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            self.names.append(str(function))
            return function(*args, **(kwargs or {}))

    Recorder.names = []
    with torch.inference_mode(), Recorder():
        module(example)
    return Recorder.names


def to_torchscript(model, example, path):
    """Writes the file; returns what the runtime will record about it."""
    import torch
    try:
        module, how = torch.jit.script(model), "script"
    except Exception:  # the compiler of TorchScript refuses some Python
        with torch.no_grad():
            module, how = torch.jit.trace(model, example, check_trace=False), "trace"
    torch._C._set_graph_executor_optimize(False)  # as the runtime runs it
    mine, theirs = operators(module, example), operators(model, example)
    verdict = {"torch": torch.__version__, "device": example.device.type, "how": how,
               "operators": len(mine), "operators_in_python": len(theirs),
               "same": mine == theirs}
    temporary = "%s.%d" % (path, os.getpid())
    torch.jit.save(module, temporary, _extra_files={"jouleline.json": json.dumps(verdict)})
    os.replace(temporary, path)
    return verdict


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model", help="name of a torchvision model")
    parser.add_argument("weights", help="its state_dict as safetensors")
    parser.add_argument("output", help="the TorchScript file to write")
    parser.add_argument("--size", type=int, default=224, help="pixels of a side (default 224)")
    parser.add_argument("--device", default="cpu", help="where to compare (default cpu)")
    given = parser.parse_args()
    import torch
    from jouleline_torch.models import zoo_model
    from jouleline_torch.wire import Outcome
    try:
        model, _ = zoo_model(given.model.split("+")[0], given.weights)
    except Outcome as error:
        parser.error(str(error))
    example = torch.rand(1, 3, given.size, given.size).to(given.device)
    verdict = to_torchscript(model.to(given.device), example, given.output)
    print("%s: %s, %d operators, in Python %d: %s" % (
        given.model, verdict["how"], verdict["operators"], verdict["operators_in_python"],
        "the same sequence" if verdict["same"] else "not the same sequence"))


if __name__ == "__main__":
    main()
