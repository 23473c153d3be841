#!/usr/bin/python3
"""Computes share/jouleline/zoo/MODEL.f16: the batch norm statistics and the head's bias that make
a randomly weighted net behave (include/jouleline/zoo.h).

usage: zoo_statistics.py [--jouleline PATH] [--into FOLDER] [--check] [MODEL...]

Runs torchvision's class on the seeded weights, 32 standard normal images: one pass with the batch
norms in training mode gives each channel's mean and variance; a second with these, rounded to
FP16, gives the mean logits, which the bias takes away. The file holds FP16 values: for each batch
norm in the order of the state_dict its mean and variance, then the bias.

A forward pass differs in its last bits between machines, so the files are committed, and --check
compares instead of writing: every value within 1 % of its channel's deviation (statistics) or of
the logits' deviation (bias). After a change of seeds, scales or structure run this tool, build,
and update the golden hashes (tests/golden)."""
import argparse
import os
import subprocess
import sys
import tempfile

import numpy as np
import torch

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "share/jouleline"))
from jouleline_torch import models, safetensors  # noqa: E402

IMAGES = 32


def images(count, pixels):
    return torch.from_numpy(np.random.default_rng(1).standard_normal((count, 3, pixels, pixels), np.float32))


def seeded_model(jouleline, name):
    """The torchvision model with the zoo's weights, before statistics."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "weights")
        subprocess.run([jouleline, "model", "export", name, "-f", "safetensors", "--plain-statistics", "-o", path],
                       check=True)
        return models.zoo_model(name, path)[0], list(safetensors.read(path))


def statistics(jouleline, name):
    """(statistics, bias), both FP16, the statistics' scale (deviations), and the logits'."""
    model, keys = seeded_model(jouleline, name)
    norms = {key: m for key, m in model.named_modules() if isinstance(m, torch.nn.BatchNorm2d)}
    x = images(IMAGES, 300 if name == "efficientnet_b3" else 224)
    with torch.no_grad():
        for m in norms.values():
            m.train()
            m.momentum = 1.0
        if norms:
            model(x)
        values, scales = [np.zeros(0, np.float16)], [np.ones(0)]
        for key in keys:
            if not key.endswith(".running_mean"):
                continue
            m = norms[key.removesuffix(".running_mean")]
            variance = m.running_var.numpy()
            if not (6.2e-5 < variance.min() and variance.max() < 65504):
                sys.exit(f"{name}: the variances of {key} leave the range of FP16: {variance.min()} to {variance.max()}")
            for stored, scale in (m.running_mean, np.sqrt(variance)), (m.running_var, variance):
                values.append(stored.numpy().astype(np.float16))
                stored.copy_(torch.from_numpy(values[-1].astype(np.float32)))
                scales.append(scale)
            m.eval()
        logits = model(x).numpy()
    bias = (-logits.mean(0)).astype(np.float16)
    return np.concatenate(values), bias, np.concatenate(scales), logits.std(0).mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jouleline", default=os.path.join(ROOT, "build/release/jouleline"))
    parser.add_argument("--into", default=os.path.join(ROOT, "share/jouleline/zoo"))
    parser.add_argument("--check", action="store_true")
    parser.add_argument("models", nargs="*", metavar="MODEL")
    args = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count())))
    failed = False
    for name in args.models or sorted(f[:-4] for f in os.listdir(args.into) if f.endswith(".f16")):
        values, bias, scales, logits_scale = statistics(args.jouleline, name)
        path = os.path.join(args.into, name + ".f16")
        if not args.check:
            np.concatenate([values, bias]).tofile(path)
            print(f"{name}: {len(values)} statistics, deviation of the logits {logits_scale:.3g}", flush=True)
            continue
        stored = np.fromfile(path, np.float16)
        if len(stored) != len(values) + len(bias):
            sys.exit(f"{path} holds {len(stored)} values, not {len(values) + len(bias)}")
        wide = stored.astype(np.float64)
        off = np.abs(wide[:len(values)] - values.astype(np.float64)) / np.maximum(scales, 1e-30)
        off_bias = np.abs(wide[len(values):] - bias.astype(np.float64)) / logits_scale
        worst = max(off.max(initial=0), off_bias.max())
        failed |= not worst <= 0.01
        print(f"{name}: largest difference {worst:.2e} deviations{'' if worst <= 0.01 else ', more than 0.01'}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
