#!/usr/bin/env python3
"""Exports torchvision's class of a zoo model with torch's own exporter, with the zoo's weights and a
dynamic batch: the file that users of torch get.

    jouleline model export vit_b_16 -f safetensors -o vit_b_16.safetensors
    python3 onnx_export.py vit_b_16 vit_b_16.safetensors 14 vit_b_16.onnx

The third word is an opset for the TorchScript exporter, or dynamo (its own opset) or dynamo:OPSET
for torch 2's other exporter, which needs onnxscript. `--list` prints torch's version and the words
that this torch knows, opsets 11 to 18."""
import importlib.util
import logging
import os
import sys
import warnings

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))


def words():
    import torch
    from torch.onnx import _constants
    most = getattr(_constants, "ONNX_TORCHSCRIPT_EXPORTER_MAX_OPSET", getattr(_constants, "ONNX_MAX_OPSET", 17))
    known = [str(opset) for opset in range(11, min(most, 18) + 1)]
    if importlib.util.find_spec("onnxscript") and not torch.__version__.startswith("1."):
        known += ["dynamo:18", "dynamo"]
    return [torch.__version__] + known


def export(name, weights, word, path, size=224):
    import torch
    from jouleline_torch import models
    model, _ = models.zoo_model(name, weights)
    for parameter in model.parameters():
        parameter.requires_grad_(True)  # else attention takes a fused path that cannot be exported
    x, names = torch.zeros(2, 3, size, size), {"input_names": ["input"], "output_names": ["logits"]}
    if word.startswith("dynamo"):
        batch = torch.export.Dim("batch", min=1, max=64)
        opset = {"opset_version": int(word.split(":")[1])} if ":" in word else {}
        torch.onnx.export(model.eval(), (x,), path, dynamo=True, dynamic_shapes=({0: batch},),
                          external_data=False, verbose=False, **names, **opset)
    else:
        other = {} if torch.__version__.startswith("1.") else {"dynamo": False}
        torch.onnx.export(model.eval(), x, path, opset_version=int(word),
                          dynamic_axes={"input": {0: "batch"}, "logits": {0: "batch"}}, **names, **other)


def main(arguments):
    if arguments == ["--list"]:
        print(*words())
        return 0
    if len(arguments) != 4:
        print(__doc__, file=sys.stderr)
        return 2
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    export(*arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
