"""Every operator of the libtorch runtime against the recorded node tests of ONNX.

usage: libtorch_operators.py RUN_CASES TESTDATA

A case must give the recorded outputs or be refused as unsupported; each operator that the shim
has must pass at least one case where the test data holds any that torch's types allow."""
import collections
import json
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import numpy_helper

TAGS = {"float32": "F32", "float16": "F16", "float64": "F64", "int64": "I64", "int32": "I32",
        "int16": "I16", "int8": "I8", "uint8": "U8", "bool": "BOOL"}
UNSUPPORTED = -5
SHIM = pathlib.Path(__file__).resolve().parents[2] / "src/runtime/libtorch"
# Recorded outputs of these are noise, or need what the recording itself lacks.
ARBITRARY = ("bernoulli", "dropout_default_mask", "training_dropout")


def write(path, arrays):
    header, offset, blobs = {}, 0, []
    for name, a in arrays.items():
        data = np.ascontiguousarray(a).tobytes()
        header[name] = {"dtype": TAGS[str(a.dtype)], "shape": list(a.shape),
                        "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
        blobs.append(data)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def read(path):
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + length])
    names = {tag: name for name, tag in TAGS.items()}
    return {name: np.frombuffer(data[8 + length:][slice(*e["data_offsets"])],
                                names[e["dtype"]]).reshape(e["shape"])
            for name, e in header.items() if name != "__metadata__"}


def tensors(folder, kind, values):
    """Arrays by the names of the graph's values; None where one is no plain tensor."""
    found = {}
    for i, value in enumerate(values):
        file = folder / ("%s_%d.pb" % (kind, i))
        if not value.type.HasField("tensor_type") or not file.is_file():
            return None
        try:
            array = numpy_helper.to_array(onnx.TensorProto.FromString(file.read_bytes()))
        except Exception:  # types that numpy lacks
            return None
        if str(array.dtype) not in TAGS:
            return None
        found[value.name] = array
    return found


def cases(root):
    for model_path in sorted(root.glob("**/model.onnx")):
        if any(word in str(model_path) for word in ARBITRARY) or " " in str(model_path):
            continue
        model = onnx.load(model_path)
        folder = model_path.parent / "test_data_set_0"
        made = {t.name for t in model.graph.initializer}
        inputs = tensors(folder, "input", [v for v in model.graph.input if v.name not in made])
        outputs = tensors(folder, "output", model.graph.output)
        if inputs is not None and outputs:
            yield model_path, model, inputs, outputs


def main():
    driver, root = sys.argv[1], pathlib.Path(sys.argv[2])
    own = set()
    for file in ("arithmetic.cc", "layers.cc", "shapes.cc"):
        own |= set(re.findall(r'\{"([A-Z]\w+)",\s', (SHIM / file).read_text()))
    passed, met = collections.Counter(), collections.Counter()
    wrong, refused, equal = [], 0, 0
    process = subprocess.Popen([driver, "libtorch-cpu/native+threads=1"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    with tempfile.TemporaryDirectory() as folder:
        into, out = pathlib.Path(folder, "in"), pathlib.Path(folder, "out")
        for path, model, inputs, expected in cases(root):
            write(into, inputs)
            process.stdin.write("%s %s %s\n" % (path, into, out))
            process.stdin.flush()
            answer = process.stdout.readline().strip()
            ops = {n.op_type for n in model.graph.node}
            met.update(ops)
            name = path.parent.name
            if answer != "ok":
                refused += 1
                if not answer.startswith("%d " % UNSUPPORTED):
                    wrong.append("%s: %s" % (name, answer or "the driver died"))
                elif ops <= own:
                    print("refused  %-50s %s" % (name, answer[:150]))
                if not answer:
                    break
                continue
            got = read(out)
            try:
                for key, want in expected.items():
                    np.testing.assert_equal(got[key].dtype, want.dtype)
                    np.testing.assert_allclose(got[key], want, rtol=1e-3, atol=1e-6)
                passed.update(ops)
                equal += 1
            except AssertionError as error:
                wrong.append("%s: %s" % (name, " ".join(str(error).split())[:200]))
    process.stdin.close()
    missing = sorted(op for op in own & set(met) if not passed[op])
    print("%d cases equal, %d refused, %d wrong; operators %d, of them in the data %d"
          % (equal, refused, len(wrong), len(own),
             len(own & set(met))))
    for line in wrong[:40]:
        print("WRONG    " + line)
    for op in missing:
        print("NO CASE  " + op)
    return 1 if wrong or missing or len(own) < 60 else 0


if __name__ == "__main__":
    sys.exit(main())
