"""Conversion to half against ONNX Runtime and onnx.checker, on graphs that break converters.

convert_half.py JOULELINE: every case is converted, checked in full, loaded and run; its outputs
must agree with the FP32 model's."""
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh

jouleline = sys.argv[1]
rng = np.random.default_rng(1)
CASES = {}


def case(opset=17, **arguments):
    def add(function):
        CASES[function.__name__] = (function, opset, arguments)
        return function
    return add


def f32(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def graph(nodes, inputs, outputs, constants):
    def info(name, kind, shape):
        return h.make_tensor_value_info(name, kind, shape)
    return h.make_graph(nodes, "g", [info(*i) for i in inputs], [info(*o) for o in outputs],
                        [nh.from_array(v, k) for k, v in constants.items()])


X = ("x", T.FLOAT, ["batch", 4, 8])
Y, Y4, ANY4 = ["d0", "d1", "d2"], ["d0", "d1", "d2", "d3"], ["n", "d0", "d1", "d2"]


@case()
def cast_of_a_shape_scales_attention():
    return graph([h.make_node("Shape", ["x"], ["s"]), h.make_node("Gather", ["s", "two"], ["d"]),
                  h.make_node("Cast", ["d"], ["f"], to=T.FLOAT), h.make_node("Sqrt", ["f"], ["r"]),
                  h.make_node("Div", ["x", "r"], ["y"])],
                 [X], [("y", T.FLOAT, Y)], {"two": np.array(2)})


@case()
def shared_initializer_of_a_kept_node():
    return graph([h.make_node("Mul", ["x", "w"], ["a"], name="kept"), h.make_node("Add", ["a", "w"], ["y"])],
                 [X], [("y", T.FLOAT, Y)], {"w": f32(8)})


CASES["shared_initializer_of_a_kept_node"] = (shared_initializer_of_a_kept_node, 17, {"keep": "kept"})


@case()
def unnamed_nodes_and_constants():
    return graph([h.make_node("Constant", [], ["c"], value_float=1.5),
                  h.make_node("Constant", [], ["v"], value_floats=[0.5] * 8),
                  h.make_node("Constant", [], ["t"], value=nh.from_array(f32(8))),
                  h.make_node("Mul", ["x", "c"], ["a"]), h.make_node("Add", ["a", "v"], ["b"]),
                  h.make_node("Sub", ["b", "t"], ["y"])], [X], [("y", T.FLOAT, Y)], {})


@case()
def constant_of_shape_with_and_without_value():
    return graph([h.make_node("Shape", ["x"], ["s"]), h.make_node("ConstantOfShape", ["s"], ["z"]),
                  h.make_node("ConstantOfShape", ["s"], ["o"], value=nh.from_array(np.array([2.5], np.float32))),
                  h.make_node("Add", ["x", "z"], ["a"]), h.make_node("Mul", ["a", "o"], ["y"])],
                 [X], [("y", T.FLOAT, Y)], {})


@case()
def resize_keeps_its_scales():
    return graph([h.make_node("Resize", ["x", "", "scales"], ["y"], mode="linear")],
                 [("x", T.FLOAT, ["batch", 2, 4, 4])], [("y", T.FLOAT, Y4)],
                 {"scales": np.array([1, 1, 1.75, 1.3], np.float32)})


@case()
def one_cast_for_many_readers():
    return graph([h.make_node("Relu", ["x"], ["a"]), h.make_node("Exp", ["a"], ["b"], name="e1"),
                  h.make_node("Exp", ["a"], ["c"], name="e2"), h.make_node("Add", ["b", "c"], ["y"])],
                 [X], [("y", T.FLOAT, Y)], {})


CASES["one_cast_for_many_readers"] = (one_cast_for_many_readers, 17, {"keep": "Exp", "casts": 3})


@case()
def branches_and_loops():
    then = h.make_graph([h.make_node("Mul", ["x", "w"], ["t"])], "then", [], [h.make_tensor_value_info("t", T.FLOAT, Y)])
    other = h.make_graph([h.make_node("Constant", [], ["k"], value=nh.from_array(f32(8))),
                          h.make_node("Add", ["x", "k"], ["u"])], "else", [],
                         [h.make_tensor_value_info("u", T.FLOAT, Y)])
    body = h.make_graph([h.make_node("Identity", ["go"], ["still"]), h.make_node("Add", ["acc", "w"], ["next"]),
                         h.make_node("Identity", ["next"], ["scan"])], "body",
                        [h.make_tensor_value_info("i", T.INT64, []), h.make_tensor_value_info("go", T.BOOL, []),
                         h.make_tensor_value_info("acc", T.FLOAT, Y)],
                        [h.make_tensor_value_info("still", T.BOOL, []), h.make_tensor_value_info("next", T.FLOAT, Y),
                         h.make_tensor_value_info("scan", T.FLOAT, Y)])
    return graph([h.make_node("If", ["yes"], ["a"], then_branch=then, else_branch=other),
                  h.make_node("Loop", ["n", "yes", "a"], ["y", "all"], body=body)],
                 [X], [("y", T.FLOAT, Y), ("all", T.FLOAT, ANY4)],
                 {"w": f32(8), "yes": np.array(True), "n": np.array(3)})


@case()
def outputs_that_are_inputs_of_others():
    return graph([h.make_node("Relu", ["x"], ["y"]), h.make_node("Exp", ["y"], ["z"])],
                 [X], [("y", T.FLOAT, Y), ("z", T.FLOAT, Y)], {})


CASES["output_of_a_kept_node"] = (outputs_that_are_inputs_of_others, 17, {"keep": "Relu"})
CASES["fp32_inputs_and_outputs"] = (outputs_that_are_inputs_of_others, 17, {"keep_io": True})


@case()
def weights_beyond_half_are_clamped():
    return graph([h.make_node("Add", ["x", "mask"], ["a"]), h.make_node("Softmax", ["a"], ["y"])],
                 [X], [("y", T.FLOAT, Y)], {"mask": np.array([0, -1e9, 0, -3.4e38, 0, 0, 0, 0], np.float32)})


CASES["weights_beyond_half_are_clamped"] = (weights_beyond_half_are_clamped, 17, {"saturated": 2})


@case(opset=13)
def transpose_before_matmul_as_torch_writes_it():
    return graph([h.make_node("Transpose", ["x"], ["t"], perm=[1, 0, 2]), h.make_node("MatMul", ["t", "w"], ["m"]),
                  h.make_node("Add", ["m", "b"], ["y"])], [X], [("y", T.FLOAT, Y)], {"w": f32(8, 24), "b": f32(24)})


@case()
def batch_norm_folds_and_a_shared_weight_stays():
    bn = ["s", "b", "m", "v"]
    return graph([h.make_node("Conv", ["x", "w", "c"], ["a"]), h.make_node("BatchNormalization", ["a", *bn], ["n"]),
                  h.make_node("Conv", ["x", "w"], ["d"]), h.make_node("Add", ["n", "d"], ["y"])],
                 [("x", T.FLOAT, ["batch", 3, 6, 6])], [("y", T.FLOAT, Y4)],
                 {"w": f32(5, 3, 1, 1), "c": f32(5), "s": f32(5), "b": f32(5), "m": f32(5), "v": np.abs(f32(5)) + 0.1})


CASES["batch_norm_folds_and_a_shared_weight_stays"] = (
    batch_norm_folds_and_a_shared_weight_stays, 17, {"folded": 1})


@case()
def quantize_nodes_stay_fp32_before_opset_19():
    return graph([h.make_node("Relu", ["x"], ["r"]), h.make_node("QuantizeLinear", ["r", "s", "z"], ["q"]),
                  h.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]), h.make_node("Add", ["d", "x"], ["y"])],
                 [X], [("y", T.FLOAT, Y)], {"s": np.array(0.05, np.float32), "z": np.array(3, np.uint8)})


CASES["quantize_nodes_stay_fp32_before_opset_19"] = (
    quantize_nodes_stay_fp32_before_opset_19, 17, {"tolerance": 0.06})  # a rounding may move one step


def run(path, feeds):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    typed = {i.name: feeds[i.name].astype(np.float16 if i.type == "tensor(float16)" else feeds[i.name].dtype)
             for i in session.get_inputs()}
    return [np.asarray(o, np.float32) for o in session.run(None, typed)]


def convert(source, target, arguments):
    command = [jouleline, "model", "convert", source, "-o", target]
    if "keep" in arguments:
        command += ["--keep", arguments["keep"]]
    if arguments.get("keep_io"):
        command += ["--keep-io"]
    return subprocess.run(command, capture_output=True, text=True)


def check(name, folder):
    function, opset, arguments = CASES[name]
    source, target = str(folder / "a.onnx"), str(folder / "b.onnx")
    model = h.make_model(function(), opset_imports=[h.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, source)
    done = convert(source, target, arguments)
    assert done.returncode == 0, done.stderr
    result = onnx.load(target)
    onnx.checker.check_model(result, full_check=True)
    casts = sum(n.op_type == "Cast" for n in result.graph.node) - sum(n.op_type == "Cast" for n in model.graph.node)
    assert casts == arguments.get("casts", casts), f"{casts} casts added"
    folded = sum(n.op_type == "BatchNormalization" for n in model.graph.node) - sum(
        n.op_type == "BatchNormalization" for n in result.graph.node)
    assert folded == arguments.get("folded", folded)
    if "saturated" in arguments:
        assert f"{arguments['saturated']} of them beyond" in done.stdout, done.stdout
    wanted = T.FLOAT if arguments.get("keep_io") else T.FLOAT16
    for value in [*result.graph.input, *result.graph.output]:
        assert value.type.tensor_type.elem_type == wanted, value.name
    dims = [3 if isinstance(d.dim_param, str) and d.dim_param else d.dim_value
            for d in model.graph.input[0].type.tensor_type.shape.dim]
    feeds = {"x": f32(*dims)}
    for mine, reference in zip(run(target, feeds), run(source, feeds)):
        scale = np.abs(reference).max() + 1e-6
        tolerance = arguments.get("tolerance", 6e-3 * scale)
        assert mine.shape == reference.shape
        assert np.abs(mine - reference).max() <= tolerance, f"{np.abs(mine - reference).max() / scale:.1e}"


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    failures = []
    for name in CASES:
        try:
            check(name, folder)
        except Exception as problem:  # every case is reported, then the test fails
            failures.append(name)
            print(f"FAILED {name}: {str(problem)[:400]}")
    bad = convert(str(folder / "a.onnx"), str(folder / "c.onnx"), {"keep": "no_such_node"})
    if bad.returncode != 2 or "no_such_node" not in bad.stderr or (folder / "c.onnx").exists():
        failures.append("a name that nothing has is refused")
        print("FAILED", bad.returncode, bad.stderr)
    print(f"{len(CASES) + 1 - len(failures)} of {len(CASES) + 1} conversions as expected")
    sys.exit(bool(failures))
