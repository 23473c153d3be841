"""Inferred types and shapes of every value against onnx's own inference.

onnx_types.py PROGRAM [-v] [FILE...]: PROGRAM is infer_shapes; default files are the ONNX backend test
models and models generated with each operator of opset 21 that onnx knows. Fails when a type or a
constant dimension differs, or when onnx knows a type that PROGRAM does not."""
import glob
import subprocess
import sys

import onnx

DATA = "/usr/share/libonnx-testdata/data"
NAMES = {1: "float", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64",
         8: "string", 9: "bool", 10: "float16", 11: "double", 12: "uint32", 13: "uint64",
         14: "complex64", 15: "complex128", 16: "bfloat16", 17: "float8e4m3fn", 18: "float8e4m3fnuz",
         19: "float8e5m2", 20: "float8e5m2fnuz", 21: "uint4", 22: "int4"}


def known_to_onnx(model):
    """Name to (kind, element type, dimensions or None) of what inference adds or inputs declare."""
    del model.graph.value_info[:]
    for output in model.graph.output:
        output.ClearField("type")
    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception:  # onnx's inference rejects some of its own test models
        return {}
    known = {}
    for v in list(inferred.graph.value_info) + list(inferred.graph.output):
        kind = v.type.WhichOneof("value")
        if kind != "tensor_type":
            continue
        t = v.type.tensor_type
        dims = None
        if t.HasField("shape"):
            dims = [d.dim_value if d.HasField("dim_value") else None for d in t.shape.dim]
        known[v.name] = NAMES.get(t.elem_type, "undefined"), dims
    return known


def main():
    verbose = "-v" in sys.argv
    files = [a for a in sys.argv[2:] if a != "-v"] or sorted(glob.glob(f"{DATA}/*/*/model.onnx"))
    lines = subprocess.run([sys.argv[1], "-a"], input="\n".join(files) + "\n", capture_output=True,
                           text=True, check=True).stdout.splitlines()
    ours = {}
    for line in lines:
        path, name, *rest = line.split("\t")
        ours.setdefault(path, {})[name] = rest
    values = typed = shaped = more = 0
    faults = []
    for path in files:
        for name, (dtype, dims) in known_to_onnx(onnx.load(path)).items():
            if name not in ours.get(path, {}):
                faults.append((path, name, "not listed"))
                continue
            _, got, rank, text = ours[path][name]
            values += 1
            typed += dtype != "undefined"
            if dtype != "undefined" and got != dtype:
                faults.append((path, name, f"type {got}, onnx says {dtype}"))
            if dims is None:
                more += rank != "-1"
                continue
            if rank == "-1":
                if verbose:
                    print(f"{path}: {name}: rank not known, onnx says {dims}")
                continue
            sizes = text.split(",") if text else []
            if len(sizes) != len(dims):
                faults.append((path, name, f"[{text}], onnx says {dims}"))
                continue
            shaped += 1
            for a, b in zip(sizes, dims, strict=True):
                if b is not None and a != "?" and int(a) != b:
                    faults.append((path, name, f"[{text}], onnx says {dims}"))
                if verbose and b is not None and a == "?":
                    print(f"{path}: {name}: [{text}], onnx says {dims}")
                more += b is None and a != "?"
    for fault in faults[:40]:
        print("%s: %s: %s" % fault)
    print(f"{len(files)} files, {values} values: {typed} types and {shaped} shapes compared, "
          f"{more} dimensions known here alone, {len(faults)} differ")
    return 1 if faults or not values else 0


if __name__ == "__main__":
    sys.exit(main())
