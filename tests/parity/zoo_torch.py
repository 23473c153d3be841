"""torchvision's half of zoo.py: for each line MODEL WEIGHTS INPUTS OUTPUTS of the standard input,
loads the weights strictly, saves the outputs, prints the model."""
import os
import sys

import numpy as np
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../share/jouleline"))
from jouleline_torch import models  # noqa: E402

for line in sys.stdin:
    name, weights, inputs, outputs = line.split()
    make = models.probe if name.startswith("probe_") else models.zoo_model
    model, _ = make(name, weights)
    with torch.no_grad():
        np.save(outputs, model(torch.from_numpy(np.load(inputs))).numpy())
    print(name, flush=True)
