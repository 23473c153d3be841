"""Read-then-write equals what the onnx package parses, for every model that others made.

onnx_roundtrip.py PROGRAM [FOLDER...]: every *.onnx below the folders (default: Debian's
libonnx-testdata), and models generated here with unusual wires: unknown fields, groups, split
messages, unpacked lists. Compares the parsed messages, unknown fields included, and asks
onnx.checker about both sides."""
import os
import random
import struct
import subprocess
import sys
import tempfile

import onnx
from onnx import TensorProto, helper

DEFAULT = "/usr/share/libonnx-testdata/data"


def varint(v):
    out = b""
    v &= (1 << 64) - 1
    while v >= 0x80:
        out += bytes([v & 0x7F | 0x80])
        v >>= 7
    return out + bytes([v])


def field(number, wire, content):
    head = varint(number << 3 | wire)
    return head + (varint(len(content)) + content if wire == 2 else content)


def plain_model():
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, None])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3, None])
    w = helper.make_tensor("w", TensorProto.FLOAT, [3, 1], [1.0, -0.0, 2.5])
    h = helper.make_tensor("h", TensorProto.FLOAT16, [2], [1.0, 2.0])
    i = helper.make_tensor("i", TensorProto.INT64, [2], [-1, 1 << 40])
    u = helper.make_tensor("u", TensorProto.UINT64, [1], [(1 << 64) - 1])
    d = helper.make_tensor("d", TensorProto.DOUBLE, [1], [1e-300])
    s = helper.make_tensor("s", TensorProto.STRING, [2], [b"a\0b", b""])
    node = helper.make_node("Mul", ["x", "w"], ["y"], name="")
    node.doc_string = ""
    graph = helper.make_graph([node], "g", [x], [y], [w, h, i, u, d, s])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.metadata_props.add(key="k", value="")
    return model


def control_model():
    """A sub-graph in an attribute, attributes of every kind, a function, sequence and map types."""
    inner = helper.make_graph(
        [helper.make_node("Constant", [], ["c"], value_floats=[0.0, -1.0])], "body", [],
        [helper.make_tensor_value_info("c", TensorProto.FLOAT, [2])])
    node = helper.make_node("If", ["cond"], ["z"], then_branch=inner, else_branch=inner)
    cond = helper.make_tensor_value_info("cond", TensorProto.BOOL, [])
    z = helper.make_tensor_value_info("z", TensorProto.FLOAT, [2])
    odd = helper.make_node("Odd", ["z"], ["o"], domain="my", ints=[0, -5], zero=0, f=0.0, s="",
                           strings=["", "x"], t=helper.make_tensor("", 1, [0], []),
                           tp=helper.make_sequence_type_proto(helper.make_tensor_type_proto(1, [2])),
                           g=inner)
    function = helper.make_function("my", "Odd", ["a"], ["b"],
                                    [helper.make_node("Relu", ["a"], ["b"])],
                                    [helper.make_opsetid("", 17)],
                                    ["ints", "zero", "f", "s", "strings", "t", "tp", "g"])
    graph = helper.make_graph([node, odd], "main", [cond], [z])
    return helper.make_model(graph, functions=[function], ir_version=10, opset_imports=[
        helper.make_opsetid("", 17), helper.make_opsetid("my", 1)])


def unusual_wires():
    plain = plain_model().SerializeToString()
    yield plain
    yield control_model().SerializeToString()
    unknown = (field(900, 2, b"later") + field(901, 0, varint(7)) + field(902, 5, b"1234") +
               field(903, 1, b"12345678"))
    yield unknown + plain + unknown
    yield plain + field(904, 3, field(1, 0, b"\1") + field(904, 4, b""))  # a group
    graph = plain_model().graph
    node = graph.node[0].SerializeToString() + unknown
    tensor = (field(1, 0, b"\2") + field(1, 0, b"\1") + field(2, 0, b"\1") + field(8, 2, b"w") +
              field(4, 5, struct.pack("<f", 1)) + field(4, 2, struct.pack("<f", 2)))  # unpacked
    ints = (field(1, 2, b"\3") + field(2, 0, b"\6") + field(8, 2, b"i") + field(5, 0, b"\1") +
            field(5, 2, varint(-2) + varint(3)))
    head = field(1, 0, b"\x0a") + field(8, 2, field(2, 0, b"\x11"))
    body = field(1, 2, node) + field(2, 2, b"g") + field(5, 2, tensor) + field(5, 2, ints)
    ends = field(11, 2, graph.input[0].SerializeToString()) + field(
        12, 2, graph.output[0].SerializeToString())
    yield head + field(7, 2, body + ends)
    yield head + field(7, 2, body) + unknown + field(7, 2, ends)  # a split message merges
    rng = random.Random(1)
    for _ in range(200):  # unknown fields between all of the known ones
        parts = [field(1, 2, node), field(2, 2, b"g"), field(5, 2, tensor), ends]
        for _ in range(rng.randrange(4)):
            parts.insert(rng.randrange(len(parts) + 1), field(
                rng.choice([3, 4, 6, 700]), 2, rng.randbytes(rng.randrange(9))))
        yield head + field(7, 2, b"".join(parts))


def accepted(model):
    try:
        onnx.checker.check_model(model)
        return True
    except Exception:  # the checker raises several types
        return False


def same(a, b):
    with open(a, "rb") as f, open(b, "rb") as g:
        left, right = onnx.ModelProto.FromString(f.read()), onnx.ModelProto.FromString(g.read())
    equal = left == right and left.SerializeToString(deterministic=True) == right.SerializeToString(
        deterministic=True)
    return equal, accepted(left), accepted(right)


def main():
    program, folders = sys.argv[1], sys.argv[2:] or [DEFAULT]
    with tempfile.TemporaryDirectory() as scratch:
        paths = []
        for folder in folders:
            for base, _, names in sorted(os.walk(folder)):
                paths += [os.path.join(base, n) for n in sorted(names) if n.endswith(".onnx")]
        found = len(paths)
        for i, wire in enumerate(unusual_wires()):
            paths.append(os.path.join(scratch, f"generated{i}.onnx"))
            with open(paths[-1], "wb") as f:
                f.write(wire)
        written = [os.path.join(scratch, f"{i}.out.onnx") for i in range(len(paths))]
        pairs = "".join(f"{a}\n{b}\n" for a, b in zip(paths, written))
        answers = subprocess.run([program], input=pairs, capture_output=True, text=True,
                                 check=True).stdout.splitlines()
        bad = accepted_count = 0
        for source, copy, answer in zip(paths, written, answers, strict=True):
            if answer != "ok":
                print(f"{source}: {answer}")
                bad += 1
                continue
            equal, before, after = same(source, copy)
            accepted_count += before
            if not equal or (before and not after):
                print(f"{source}: equal {equal}, checker {before} then {after}")
                bad += 1
    print(f"{found} files and {len(paths) - found} generated models: {bad} differ, "
          f"the checker accepts {accepted_count}")
    return 1 if bad or not found else 0


if __name__ == "__main__":
    sys.exit(main())
