"""Inferred shapes against the outputs recorded with the ONNX backend test models.

backend_shapes.py PROGRAM [-v]: PROGRAM is infer_shapes. A model is covered when every output's type
and every dimension is inferred, not covered when some of it is not known, wrong when anything
inferred differs from the recording. Fails on any wrong one, and on fewer covered than FLOORS.
Many of these models take shapes, axes or scales as inputs; the second count knows their values."""
import glob
import subprocess
import sys

import onnx

DATA = "/usr/share/libonnx-testdata/data"
FLOORS = 925, 1027  # without and with the recorded inputs


def recorded(folder, index, kind):
    with open(f"{folder}/test_data_set_0/output_{index}.pb", "rb") as f:
        wire = f.read()
    if kind == "sequence_type":
        return "sequence", onnx.SequenceProto.FromString(wire)
    if kind == "optional_type":
        return "optional", onnx.OptionalProto.FromString(wire)
    return "tensor", onnx.TensorProto.FromString(wire)


TYPE_NAMES = {1: "float", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64",
              8: "string", 9: "bool", 10: "float16", 11: "double", 12: "uint32", 13: "uint64",
              14: "complex64", 15: "complex128", 16: "bfloat16"}


def judge(kind, value, declared, line):
    """None when all agrees, else what is missing or ("wrong", why)."""
    _, _, got_kind, dtype, rank, dims = line
    if got_kind == "unknown":
        return "kind"
    if got_kind != kind:
        return "wrong", f"kind {got_kind} for {kind}"
    if kind == "optional":
        return None
    tensors = [value] if kind == "tensor" else list(value.tensor_values)
    verdict = None
    for t in tensors:
        # NumPy has no bfloat16: such outputs are recorded as uint16
        want = TYPE_NAMES[declared if kind == "tensor" else t.data_type]
        if dtype == "undefined":
            verdict = "type"
        elif dtype != want:
            return "wrong", f"type {dtype} for {want}"
        if rank == "-1":
            verdict = "rank"
            continue
        sizes = dims.split(",") if dims else []
        if len(sizes) != len(t.dims):
            return "wrong", f"[{dims}] for {list(t.dims)}"
        for a, b in zip(sizes, t.dims, strict=True):
            if a == "?":
                verdict = "dims"
            elif int(a) != b:
                return "wrong", f"[{dims}] for {list(t.dims)}"
    return verdict


def measure(program, paths, option, verbose):
    lines = subprocess.run([program] + option, input="\n".join(paths) + "\n", capture_output=True,
                           text=True, check=True).stdout.splitlines()
    by_path = {}
    for line in lines:
        by_path.setdefault(line.split("\t")[0], []).append(line.split("\t"))
    covered, partial, wrong = 0, [], []
    for path in paths:
        outputs = onnx.load(path).graph.output
        got = by_path.get(path, [])
        worst = None
        if not got or got[0][1] == "error":
            worst = "wrong", got[0][2] if got else "no answer"
        for i, (o, line) in enumerate(zip(outputs, got)):
            if worst and worst[0] == "wrong":
                break
            kind, value = recorded(path[:-len("/model.onnx")], i, o.type.WhichOneof("value"))
            worst = judge(kind, value, o.type.tensor_type.elem_type, line) or worst
        if worst is None:
            covered += 1
        elif worst[0] == "wrong":
            wrong.append((path, worst[1]))
        else:
            partial.append((path, worst))
    for path, why in partial if verbose else []:
        print(f"not covered ({why}): {path}")
    for path, why in wrong:
        print(f"wrong: {path}: {why}")
    known = "known" if option else "not known"
    print(f"{len(paths)} models, values of inputs {known}: {covered} covered, "
          f"{len(partial)} not covered, {len(wrong)} wrong")
    return covered, len(wrong)


def main():
    paths = sorted(glob.glob(f"{DATA}/*/*/model.onnx"))
    blind, wrong = measure(sys.argv[1], paths, [], False)
    told, wrong_told = measure(sys.argv[1], paths, ["-i"], "-v" in sys.argv)
    return 1 if wrong or wrong_told or blind < FLOORS[0] or told < FLOORS[1] else 0


if __name__ == "__main__":
    sys.exit(main())
