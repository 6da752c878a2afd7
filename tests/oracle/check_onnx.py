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
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    shape = session.get_inputs()[0].shape
    batch = shape[0] if isinstance(shape[0], int) else 3
    x = np.random.default_rng(seed).standard_normal([batch] + shape[1:]).astype(np.float32)
    want = session.run(None, {session.get_inputs()[0].name: x})[0]
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


def check_network(build, model, folder):
    good = True
    for i, (variant, head, size, options) in enumerate(VARIANTS):
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
        for model in networks():
            if not only or model == only:
                good &= check_network(build, model, folder)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
