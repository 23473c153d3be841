#!/usr/bin/env python3
"""Makes the TorchScript trace of a zoo model for `libtorch-...+trace=FILE`: the very module that
the runtime `pytorch` runs, without Python.

    jouleline model export resnet18 -f safetensors -o resnet18.safetensors
    python3 trace_model.py resnet18 resnet18.safetensors resnet18.pt [--size 224]

Trace it with the torch that will run it."""
import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model", help="name of a torchvision model")
    parser.add_argument("weights", help="its state_dict as safetensors")
    parser.add_argument("output", help="the TorchScript file to write")
    parser.add_argument("--size", type=int, default=224, help="pixels of a side (default 224)")
    given = parser.parse_args()
    import torch
    from jouleline_torch.models import zoo_model
    from jouleline_torch.wire import Outcome
    try:
        model, _ = zoo_model(given.model.split("+")[0], given.weights)
    except Outcome as error:
        parser.error(str(error))
    example = torch.rand(1, 3, given.size, given.size)
    with torch.no_grad():
        traced = torch.jit.trace(model, example, check_trace=False)
    temporary = given.output + ".part"
    traced.save(temporary)
    os.replace(temporary, given.output)


if __name__ == "__main__":
    main()
