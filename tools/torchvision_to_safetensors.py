#!/usr/bin/python3
"""Writes the state_dict of a torchvision model as a safetensors file, for
`jouleline model export MODEL --weights FILE`.

usage: torchvision_to_safetensors.py MODEL FILE [--weights DEFAULT | --state-dict FILE.pth]

Without an option the weights are torchvision's fresh initialisation. --weights names a member of
the model's weights enum and downloads it; --state-dict reads a .pth file."""
import argparse
import os
import sys

import torch
import torchvision

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../share/jouleline"))
from jouleline_torch import safetensors  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("file")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--weights", metavar="NAME")
    source.add_argument("--state-dict", metavar="FILE.pth")
    args = parser.parse_args()
    make = getattr(torchvision.models, args.model, None)
    if not callable(make):
        sys.exit(f"torchvision {torchvision.__version__} has no model '{args.model}'")
    model = make(weights=args.weights)
    if args.state_dict:
        model.load_state_dict(torch.load(args.state_dict, map_location="cpu"))
    safetensors.write(args.file, model.state_dict())


if __name__ == "__main__":
    main()
