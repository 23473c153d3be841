"""Makes what test_pytorch.py needs, with the interpreter that the worker will use:
weights, inputs and reference outputs of a torchvision class, and two TorchScript programs."""
import json
import os
import sys

import torch
import torchvision

sys.path.insert(0, sys.argv[1])
from jouleline_torch import safetensors  # noqa: E402

folder = sys.argv[2]


def at(name):
    return os.path.join(folder, name)


def weights(name, state):
    safetensors.write(at(name), state)


torch.manual_seed(7)
model = torchvision.models.shufflenet_v2_x1_0(weights=None).eval()
state = model.state_dict()
images = {"input": torch.randn(2, 3, 64, 64)}
weights("good.safetensors", {k: v for k, v in state.items() if "num_batches" not in k})
weights("missing.safetensors", {k: v for k, v in state.items() if k != "fc.bias"})
weights("extra.safetensors", dict(state, stranger=torch.zeros(3)))
weights("shape.safetensors", dict(state, **{"fc.weight": torch.zeros(10, 1024)}))
safetensors.write(at("images.safetensors"), images)
with torch.no_grad():
    safetensors.write(at("expected.safetensors"), {"output": model(images["input"])})


class Two(torch.nn.Module):
    """Tells its inputs apart, so that a wrong order shows."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor([2.0]))

    def forward(self, ids, x):
        return {"sum": x * self.scale + ids, "ids": ids}


torch.jit.script(Two()).save(at("two.pt"))
torch.save({"weight": torch.zeros(3)}, at("only_weights.pt"))
safetensors.write(at("two.safetensors"), {"x": torch.tensor([1.0, 2.0]),
                                          "ids": torch.tensor([10, 20])})
with open(at("cut.safetensors"), "wb") as file:
    file.write(open(at("good.safetensors"), "rb").read()[:-100])
exported = hasattr(torch, "export") and hasattr(torch.export, "save")
if exported:
    torch.export.save(torch.export.export(Two(), (torch.tensor([1, 2]), torch.zeros(2))),
                      at("two.pt2"))
print(json.dumps({"torch": torch.__version__, "exported": exported}))
