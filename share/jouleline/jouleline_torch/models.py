"""Where a model comes from: a torchvision class with given weights, a probe of a roof, or a
program of the user."""
import collections
import contextlib
import inspect
import os
import re
import zipfile

import torch

from . import safetensors
from .wire import Outcome

INITIALISERS = ("uniform_", "normal_", "trunc_normal_", "constant_", "ones_", "zeros_",
                "xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_")


@contextlib.contextmanager
def _no_random_weights():
    """Every parameter is overwritten right after, so the classes need not draw them (seconds for
    the larger ones). Works on torch 1.13 and 2.x alike; what a class computes stays computed."""
    kept = {name: getattr(torch.nn.init, name) for name in INITIALISERS}
    try:
        for name in INITIALISERS:
            setattr(torch.nn.init, name, lambda tensor, *args, **kwargs: tensor)
        yield
    finally:
        for name, function in kept.items():
            setattr(torch.nn.init, name, function)


def _can_assign():
    return "assign" in inspect.signature(torch.nn.Module.load_state_dict).parameters


def zoo_model(name, weights_path, moves_on=False):
    """torchvision's class of that name with the weights of the file, strictly by name. Integer
    buffers that a class computes itself (index tables, counters) may be absent from the file.
    A model that moves on to a device need not be copied on the host before: where this torch can
    (from 2.1), its parameters are then the mapped file itself."""
    try:
        import torchvision
    except ImportError as error:
        raise Outcome("missing", "torchvision cannot be imported (%s): install the version that "
                      "belongs to torch %s" % (error, torch.__version__))
    build = getattr(torchvision.models, name, None)
    if not callable(build) or not name.islower():
        raise Outcome("unsupported", "torchvision %s has no model named %s"
                      % (torchvision.__version__, name))
    if weights_path is None:
        raise Outcome("invalid", "%s needs weights_path, the safetensors of its state_dict" % name)
    with _no_random_weights():
        model = build(weights=None)
    state = collections.OrderedDict(safetensors.read(weights_path))
    own = model.state_dict()
    state._metadata = own._metadata  # classes that changed (MNASNet) ask for their version
    for key, value in own.items():
        if not value.dtype.is_floating_point:
            state.setdefault(key, value)
    try:
        model.load_state_dict(state, strict=True,
                              **({"assign": True} if moves_on and _can_assign() else {}))
    except RuntimeError as error:
        raise Outcome("invalid", "%s: the weights do not fit %s of torchvision %s: %s"
                      % (weights_path, name, torchvision.__version__, error))
    return model.eval(), None


class Probe(torch.nn.Module):
    """The graph that the zoo makes under a probe's name, operator by operator."""

    def __init__(self, kind, rows, columns, passes):
        super().__init__()
        self.kind, self.passes = kind, passes
        if kind in ("matmul", "stream"):
            self.column = torch.nn.Parameter(torch.empty(rows, 1))
        if kind == "matmul":
            self.weight = torch.nn.Parameter(torch.empty(columns, columns))

    def forward(self, y):
        if self.kind in ("matmul", "stream"):
            y = y + self.column
        for _ in range(self.passes):
            if self.kind == "matmul":
                y = torch.matmul(y, self.weight)
            elif self.kind == "stream":
                y = torch.neg(y)
            elif self.kind == "chain":
                y = torch.softmax(y, -1)
        return y if self.kind == "chain" else y.sum(-1)


def probe(name, weights_path):
    """A probe by its name, probe_KIND_ROWSxCOLUMNSxPASSES, with the weights of the file."""
    parts = re.fullmatch(r"probe_(matmul|stream|read|chain)_(\d+)x(\d+)x(\d+)", name)
    if parts is None:
        raise Outcome("unsupported", "there is no probe %s" % name)
    model = Probe(parts[1], *(int(n) for n in parts.groups()[1:]))
    try:
        model.load_state_dict(safetensors.read(weights_path), strict=True)
    except RuntimeError as error:
        raise Outcome("invalid", "%s: the weights do not fit %s: %s" % (weights_path, name, error))
    return model.eval(), None


def _kind(path):
    """What a user's file is, told from the archive's entries without unpickling anything."""
    if not os.path.isfile(path):
        raise Outcome("invalid", "%s: no such file" % path)
    if not zipfile.is_zipfile(path):
        raise Outcome("unsupported" if path.endswith(".onnx") else "invalid", "%s is neither a TorchScript nor an exported program; "
                      "pytorch runs torch.jit.save and torch.export.save files. For an ONNX file "
                      "bind a program too: NAME=onnx:FILE.onnx,torch:FILE.pt2" % path)
    with zipfile.ZipFile(path) as archive:
        entries = archive.namelist()
    if any(entry.endswith("constants.pkl") for entry in entries):
        return "TorchScript"
    if any("exported_program" in entry or "/models/" in entry for entry in entries):
        return "exported program"
    raise Outcome("invalid", "%s holds no program (only weights?): save the model with "
                  "torch.jit.save or torch.export.save" % path)


def user_model(path, trust):
    """A TorchScript or exported program and the names of its inputs. Both are code."""
    if path is None:
        raise Outcome("invalid", "no program for pytorch: bind one with "
                      "NAME=onnx:FILE.onnx,torch:FILE.pt2")
    kind = _kind(path)
    if not trust:
        raise Outcome("invalid", "%s is a %s, which is code: say --trust if you trust it"
                      % (path, kind))
    if kind == "TorchScript":
        model = torch.jit.load(path, map_location="cpu")
        names = [argument.name for argument in model.forward.schema.arguments[1:]]
        return model.eval(), names
    if not hasattr(torch, "export") or not hasattr(torch.export, "load"):
        raise Outcome("unsupported", "%s is an exported program; torch %s has no torch.export.load"
                      % (path, torch.__version__))
    program = torch.export.load(path)
    return program.module(), list(program.graph_signature.user_inputs)


def order_inputs(tensors, names):
    """The inputs in the model's order: by name where all names match, else as the file has them."""
    if names is not None and set(tensors) == set(names):
        return {name: tensors[name] for name in names}
    return tensors
