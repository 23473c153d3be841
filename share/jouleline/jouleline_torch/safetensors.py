"""Reading and writing safetensors with torch alone: an 8-byte length, a JSON header, the bytes."""
import ctypes
import json
import mmap
import os
import struct

import torch

from .wire import Outcome

HEADER_LIMIT = 100 << 20
TYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8,
    "U8": torch.uint8, "BOOL": torch.bool,
}
for _tag, _name in (("U16", "uint16"), ("U32", "uint32"), ("U64", "uint64")):
    if hasattr(torch, _name):
        TYPES[_tag] = getattr(torch, _name)
TAGS = {dtype: tag for tag, dtype in TYPES.items()}


def _element_bytes(dtype):
    return torch.empty(0, dtype=dtype).element_size()


def read(path):
    """The tensors of a file by name, in the order of its header. They are views of a private
    mapping, which lives as long as they do. A file that is not sound is an `invalid` outcome."""
    def bad(words):
        return Outcome("invalid", "%s: %s" % (path, words))

    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < 8:
                raise bad("not a safetensors file: only %d bytes" % size)
            data = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY)
    except OSError as error:
        raise bad("cannot be read: %s" % error.strerror)
    (length,) = struct.unpack_from("<Q", data, 0)
    if length > min(HEADER_LIMIT, size - 8):
        raise bad("not a safetensors file: its header of %d bytes does not fit" % length)
    try:
        header = json.loads(data[8:8 + length].decode("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise bad("the safetensors header is not JSON: %s" % error)
    if not isinstance(header, dict):
        raise bad("the safetensors header is no object")
    base, tensors = 8 + length, {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        try:
            dtype, shape = TYPES[entry["dtype"]], [int(d) for d in entry["shape"]]
            first, last = (int(o) for o in entry["data_offsets"])
        except (KeyError, TypeError, ValueError):
            raise bad("tensor %s has a malformed entry or a type that torch %s lacks"
                      % (name, torch.__version__))
        n = 1
        for d in shape:
            n *= d
        if any(d < 0 for d in shape) or not 0 <= first <= last <= size - base \
                or last - first != n * _element_bytes(dtype):
            raise bad("tensor %s: its shape and its place in the file disagree" % name)
        if n == 0:
            tensors[name] = torch.empty(shape, dtype=dtype)
        else:
            flat = torch.frombuffer(data, dtype=dtype, count=n, offset=base + first)
            tensors[name] = flat.reshape(shape)
    return tensors


def write(path, tensors):
    """Writes named host tensors to a temporary file and renames it when whole."""
    header, blobs, offset = {}, [], 0
    for name, tensor in tensors.items():
        tensor = tensor.detach().contiguous()
        if tensor.dtype not in TAGS:
            raise Outcome("unsupported", "output %s has the type %s, which safetensors cannot hold"
                          % (name, tensor.dtype))
        blob = ctypes.string_at(tensor.data_ptr(), tensor.numel() * tensor.element_size())
        header[name] = {"dtype": TAGS[tensor.dtype], "shape": list(tensor.shape),
                        "data_offsets": [offset, offset + len(blob)]}
        offset += len(blob)
        blobs.append(blob)
    text = json.dumps(header).encode("utf-8")
    text += b" " * (-len(text) % 8)
    temporary = "%s.%d" % (path, os.getpid())
    with open(temporary, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for blob in blobs:
            file.write(blob)
    os.replace(temporary, path)
