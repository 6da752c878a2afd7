#!/usr/bin/env python3
"""Compare Gannet with ONNX Runtime on models that Gannet writes, and on models that onnx.helper makes.

Each exported file passes onnx.checker with full shape inference, the largest absolute difference of the outputs on random input
stays below 1e-4 of the output's range, and what is read back and written again computes the same within 1e-6 of it.  The default
form has nothing that TensorRT 8.2 would refuse.  Needs onnx, onnxruntime and numpy; ends with status 1 when something deviates.

    check_onnx.py BUILD_FOLDER [--only NETWORK] [MODEL.onnx ...]
SPDX-License-Identifier: Apache-2.0
"""
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

TOLERANCE = 1e-4
ROUND_TRIP_TOLERANCE = 1e-6
ROOT = pathlib.Path(__file__).resolve().parents[2]
# Each network with each of these: head, pixels, options of export.
VARIANTS = [
    ("trainable", "classify", 224, ["--no-fold", "--no-decompose"]),
    ("opset 13", "classify", 224, []),
    ("opset 11", "box", 128, ["--opset", "11"]),
    ("opset 17, batch 2", "classify", 160, ["--opset", "17", "--fixed-batch=2"]),
    ("opset 20, whole operators", "box+score", 224, ["--opset", "20", "--no-decompose"]),
    ("opset 21", "box", 96, ["--opset", "21"]),
]
WIDTHS = ["mobilenet_v1@0.25", "mobilenet_v2@0.35", "mobilenet_v2@1.4"]


def run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(str(c) for c in command)}: {done.stderr.strip()}")


def networks():
    """The zoo's names, and some widths."""
    text = (ROOT / "src/zoo/architectures.def").read_text()
    return re.findall(r"^GN_ARCHITECTURE\((\w+)\)", text, re.M) + WIDTHS


def gannet_outputs(build, path, x, batch, shape):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        x.tofile(folder / "in")
        run(build / "examples" / "run_numbers", path, batch, folder / "in", folder / "out")
        return np.fromfile(folder / "out", dtype=np.float32).reshape(shape)


def verdict(difference, tolerance, name):
    good = bool(difference < tolerance)  # not for NaN
    print(f"{'ok' if good else 'FAILED'}  {difference:.2e}  {name}", flush=True)
    return good


def round_trip(build, path, folder, name):
    """Read back and written again: the same numbers, but for weights that were rounded once more."""
    run(build / "gannet", "import", path, "-o", folder / "again.onnx", "--quiet")
    shape = [d.dim_value for d in onnx.load(path, load_external_data=False).graph.input[0].type.tensor_type.shape.dim]
    batch = shape[0] or 2
    x = np.random.default_rng(3).standard_normal([batch] + shape[1:]).astype(np.float32)
    first, second = (gannet_outputs(build, p, x, batch, (batch, -1)) for p in (path, folder / "again.onnx"))
    span = float(first.max() - first.min()) or 1.0
    return verdict(float(np.abs(first - second).max()) / span, ROUND_TRIP_TOLERANCE, f"batch {batch}  {name}, read and written again")


def compare(build, path, seed, name):
    """Largest difference between both runtimes as a fraction of the output's range."""
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    batch = shape[0] or 3
    x = np.random.default_rng(seed).standard_normal([batch] + shape[1:]).astype(np.float32)
    want = ort_outputs(path, x)
    got = gannet_outputs(build, path, x, batch, want.shape)
    span = float(want.max() - want.min()) or 1.0
    return verdict(float(np.abs(got - want).max()) / span, TOLERANCE, f"batch {batch}  {name}")


def made_by_others(folder):
    """Small models of older and newer opsets, with forms that our writer does not use."""
    rng = np.random.default_rng(7)

    def weight(name, *dims):
        return numpy_helper.from_array((rng.standard_normal(dims) * 0.3).astype(np.float32), name)

    def save(name, opset, nodes, initializers, dims=("N", 3, 12, 10), rank=4):
        graph = helper.make_graph(nodes, name, [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(dims))],
                                  [helper.make_tensor_value_info("y", TensorProto.FLOAT, [f"d{i}" for i in range(rank)])], initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7)
        onnx.save(model, folder / f"{name}.onnx")
        return name, folder / f"{name}.onnx"

    node = helper.make_node
    axes = lambda name, values: numpy_helper.from_array(np.array(values, np.int64), name)
    yield save("old_clip", 10, [
        node("Conv", ["x", "w", "b"], ["c"], kernel_shape=[3, 3], pads=[1, 0, 0, 1], strides=[2, 1]),
        node("Clip", ["c"], ["d"], min=-0.5, max=0.75), node("GlobalAveragePool", ["d"], ["g"]),
        node("Squeeze", ["g"], ["y"], axes=[2, 3])], [weight("w", 5, 3, 3, 3), weight("b", 5)], rank=2)
    yield save("auto_pad", 11, [
        node("Conv", ["x", "w"], ["c"], auto_pad="SAME_UPPER", strides=[2, 2]), node("Relu", ["c"], ["r"]),
        node("MaxPool", ["r"], ["y"], kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_LOWER")], [weight("w", 4, 3, 3, 3)])
    yield save("pools", 12, [
        node("AveragePool", ["x"], ["a"], kernel_shape=[3, 2], pads=[1, 1, 1, 0], strides=[2, 1]),
        node("AveragePool", ["x"], ["b"], kernel_shape=[3, 2], pads=[1, 1, 1, 0], strides=[2, 1], count_include_pad=1),
        node("MaxPool", ["x"], ["m"], kernel_shape=[3, 2], pads=[1, 1, 1, 0], strides=[2, 1], ceil_mode=0),
        node("Concat", ["a", "b", "m"], ["y"], axis=1)], [])
    yield save("grouped", 13, [
        node("Conv", ["x", "w"], ["c"], group=3, dilations=[2, 1], pads=[2, 1, 2, 1]),
        node("BatchNormalization", ["c", "s", "o", "m", "v"], ["n"], epsilon=1e-3), node("Sigmoid", ["n"], ["z"]),
        node("Mul", ["n", "z"], ["y"])],
        [weight("w", 6, 1, 3, 3), weight("s", 6), weight("o", 6), weight("m", 6),
         numpy_helper.from_array(np.abs(rng.standard_normal(6)).astype(np.float32) + 0.1, "v")])
    yield save("means", 18, [
        node("ReduceMean", ["x", "axes"], ["r"], keepdims=0), node("Gemm", ["r", "w", "b"], ["y"], transB=1, alpha=0.5, beta=2.0)],
        [axes("axes", [2, 3]), weight("w", 4, 3), weight("b", 4)], rank=2)
    yield save("split_and_sum", 13, [
        node("Split", ["x", "sizes"], ["p", "q"], axis=2), node("Transpose", ["q"], ["t"], perm=[0, 1, 3, 2]),
        node("Reshape", ["t", "flat"], ["u"]), node("MatMul", ["u", "w"], ["k"]), node("Softmax", ["k"], ["l"], axis=-1),
        node("Unsqueeze", ["l", "one"], ["e"]), node("Squeeze", ["e", "one"], ["y"])],
        [axes("sizes", [4, 8]), axes("flat", [0, 3, 80]), axes("one", [1]), weight("w", 80, 5)], rank=3)


def operators(folder):
    """One operator each in the spelling of a recent opset, to be written in older ones.  Yields name, lowest opset, path."""
    rng = np.random.default_rng(11)
    number = lambda name, *values: numpy_helper.from_array(np.array(values, np.float32), name)
    whole = lambda name, *values: numpy_helper.from_array(np.array(values, np.int64), name)
    scalar = lambda name, value: numpy_helper.from_array(np.array(value, np.float32), name)
    weight = lambda name, *dims: numpy_helper.from_array((rng.standard_normal(dims) * 0.3).astype(np.float32), name)
    node = helper.make_node

    def save(name, lowest, nodes, initializers, rank=4, opset=20):
        graph = helper.make_graph(nodes, name, [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4, 12, 10])],
                                  [helper.make_tensor_value_info("y", TensorProto.FLOAT, [f"d{i}" for i in range(rank)])], initializers)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9), folder / f"{name}.onnx")
        return name, lowest, folder / f"{name}.onnx"

    for op in ("Relu", "Sigmoid", "Tanh", "Exp", "Erf", "Softplus", "Abs", "Neg", "Elu", "LeakyRelu", "HardSigmoid", "HardSwish", "Gelu",
               "Mish", "Reciprocal"):
        yield save(op, 11, [node(op, ["x"], ["y"])], [])
    yield save("GeluTanh", 11, [node("Gelu", ["x"], ["y"], approximate="tanh")], [])
    yield save("SqrtLog", 11, [node("Abs", ["x"], ["a"]), node("Sqrt", ["a"], ["b"]), node("Log", ["b"], ["y"])], [])
    yield save("PRelu", 11, [node("PRelu", ["x", "s"], ["y"])], [weight("s", 4, 1, 1)])
    yield save("Pow", 11, [node("Abs", ["x"], ["a"]), node("Pow", ["a", "e"], ["y"])], [scalar("e", 1.5)])
    yield save("MaxMin", 11, [node("Max", ["x", "lo"], ["a"]), node("Min", ["a", "hi"], ["y"])], [scalar("lo", -0.5), scalar("hi", 0.5)])
    yield save("LayerNormalization", 11, [node("LayerNormalization", ["x", "s", "b"], ["y"])], [weight("s", 10), weight("b", 10)])
    yield save("LayerNormalization2", 11, [node("LayerNormalization", ["x", "s", "b"], ["y"], axis=2, epsilon=1e-3)],
               [weight("s", 12, 10), weight("b", 12, 10)])
    yield save("InstanceNormalization", 11, [node("InstanceNormalization", ["x", "s", "b"], ["y"])], [weight("s", 4), weight("b", 4)])
    yield save("LRN", 11, [node("LRN", ["x"], ["y"], size=3)], [])
    yield save("SoftmaxChannels", 11, [node("Softmax", ["x"], ["y"], axis=1)], [])
    yield save("LogSoftmax", 11, [node("LogSoftmax", ["x"], ["y"], axis=-2)], [])
    for op in ("Mean", "Max", "Min", "Sum", "Prod", "L1", "L2", "SumSquare", "LogSumExp"):
        yield save(f"Reduce{op}", 11, [node(f"Reduce{op}", ["x", "a"], ["y"], keepdims=0)], [whole("a", 2, 3)], rank=2)
    yield save("ReduceAll", 11, [node("ReduceSum", ["x"], ["y"], keepdims=1)], [])
    yield save("Split", 11, [node("Split", ["x"], ["a", "b"], axis=1, num_outputs=2), node("Sub", ["a", "b"], ["y"])], [])
    yield save("SplitSizes", 11, [node("Split", ["x", "p"], ["a", "b"], axis=1), node("Concat", ["b", "a"], ["y"], axis=1)], [whole("p", 1, 3)])
    yield save("SqueezeUnsqueeze", 11, [node("Unsqueeze", ["x", "a"], ["u"]), node("Relu", ["u"], ["v"]), node("Squeeze", ["v", "a"], ["y"])],
               [whole("a", 2)])
    yield save("PadAxes", 11, [node("Pad", ["x", "p", "v", "a"], ["y"])], [whole("p", 1, 2, 0, 1), scalar("v", 0.5), whole("a", 2, 3)])
    yield save("PadReflect", 11, [node("Pad", ["x", "p"], ["y"], mode="reflect")], [whole("p", 0, 0, 1, 2, 0, 0, 0, 1)])
    yield save("ResizeNearest", 11, [node("Resize", ["x", "", "f"], ["y"], mode="nearest", coordinate_transformation_mode="asymmetric",
                                          nearest_mode="floor")], [number("f", 1, 1, 2, 2)])
    yield save("ResizeLinear", 11, [node("Resize", ["x", "", "f"], ["y"], mode="linear")], [number("f", 1, 1, 1.5, 2.5)])
    yield save("ConvTranspose", 11, [node("ConvTranspose", ["x", "w", "b"], ["y"], strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1])],
               [weight("w", 4, 3, 3, 3), weight("b", 3)])
    yield save("SliceGather", 11, [node("Slice", ["x", "s", "e", "a", "t"], ["c"]), node("Gather", ["c", "i"], ["y"], axis=1)],
               [whole("s", 1), whole("e", -1), whole("a", 3), whole("t", 2), whole("i", 2, 0)])
    yield save("Where", 11, [node("Greater", ["x", "z"], ["c"]), node("Where", ["c", "x", "z"], ["y"])], [scalar("z", 0.1)])
    yield save("GreaterOrEqual", 11, [node("GreaterOrEqual", ["x", "z"], ["c"]), node("Cast", ["c"], ["y"], to=1)], [scalar("z", 0.1)])
    yield save("TopK", 11, [node("TopK", ["x", "k"], ["y", "i"], axis=3)], [whole("k", 3)])
    yield save("ArgMax", 11, [node("ArgMax", ["x"], ["i"], axis=1), node("Cast", ["i"], ["y"], to=1)], [])
    yield save("ReshapeByShape", 11, [
        node("Shape", ["x"], ["s"], start=0, end=1), node("Concat", ["s", "r"], ["t"], axis=0), node("Reshape", ["x", "t"], ["y"])],
        [whole("r", -1)], rank=2)
    yield save("QuantizeDequantize", 11, [
        node("QuantizeLinear", ["x", "f", "z"], ["q"]), node("DequantizeLinear", ["q", "f", "z"], ["y"])],
        [scalar("f", 0.05), numpy_helper.from_array(np.array(0, np.int8), "z")])
    yield save("QuantizePerChannel", 13, [
        node("QuantizeLinear", ["x", "f", "z"], ["q"], axis=1), node("DequantizeLinear", ["q", "f", "z"], ["y"], axis=1)],
        [number("f", 0.05, 0.1, 0.2, 0.03), numpy_helper.from_array(np.zeros(4, np.int8), "z")])
    yield save("AveragePoolDilated", 19, [node("AveragePool", ["x"], ["y"], kernel_shape=[2, 2], dilations=[2, 1])], [])


def ort_outputs(path, x):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})[0]


def check_operators(build, folder):
    """Each operator in each opset, whole and taken apart: the checker takes it, and ONNX Runtime computes what it does from the original."""
    good = True
    x = np.random.default_rng(1).standard_normal([3, 4, 12, 10]).astype(np.float32)
    for name, lowest, path in operators(folder):
        want, worst = ort_outputs(path, x), 0.0
        span = float(want.max() - want.min()) or 1.0
        for opset in (11, 12, 13, 14, 17, 18, 20, 21):
            if opset < lowest:
                continue
            for way in ("--decompose", "--no-decompose"):
                done = folder / "again.onnx"
                run(build / "gannet", "export", path, "-o", done, "--opset", opset, way, "--quiet")
                onnx.checker.check_model(onnx.load(done), full_check=True)
                worst = max(worst, float(np.abs(ort_outputs(done, x) - want).max()) / span)
        good &= verdict(worst, TOLERANCE, f"operator {name}, opsets {lowest} to 21")
    return good


def check_network(build, model, folder):
    good = True
    is_heavy = model.startswith("vgg")  # 500 MB a file
    for i, (variant, head, size, options) in enumerate(VARIANTS[1:3] if is_heavy else VARIANTS):
        path = folder / "zoo.onnx"
        name = f"{model} {head} {size} px, {variant}"
        run(build / "gannet", "export", model, "--head", head, "--imgsz", size, "-o", path, "--quiet", *options)
        good &= compare(build, path, i, name)
        if variant in ("trainable", "opset 13"):
            good &= round_trip(build, path, folder, name)
        if variant == "opset 13":
            run(build / "gannet", "export", "--check", "trt82", path, "--quiet")
    return good


def main():
    arguments = sys.argv[2:]
    build = pathlib.Path(sys.argv[1]).resolve()
    only = arguments.pop(arguments.index("--only") + 1) if "--only" in arguments else None
    given = [a for a in arguments if a != "--only"]
    good = True
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for i, path in enumerate(given):
            good &= compare(build, pathlib.Path(path), i, path)
        for name, path in made_by_others(folder) if not only else []:
            good &= compare(build, path, 5, name)
            run(build / "gannet", "import", path, "-o", folder / "again.onnx", "--quiet")
            good &= compare(build, folder / "again.onnx", 6, f"{name}, imported")
        good &= bool(only) or check_operators(build, folder)
        for model in networks():
            if not only or model == only:
                good &= check_network(build, model, folder)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
