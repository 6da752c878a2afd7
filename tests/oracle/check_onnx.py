#!/usr/bin/env python3
"""Compare Gannet with ONNX Runtime on models that Gannet writes, and on models that onnx.helper makes.

Each exported file passes onnx.checker with full shape inference, and the largest absolute difference of the outputs on random
input stays below 1e-4 of the output's range.  Needs onnx, onnxruntime and numpy; ends with status 1 on the first deviation.

    check_onnx.py BUILD_FOLDER [MODEL.onnx ...]
SPDX-License-Identifier: Apache-2.0
"""
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

TOLERANCE = 1e-4
ZOO = [
    ("mobilenet_v2", "box", 224), ("mobilenet_v2@0.35", "box", 96), ("mobilenet_v2", "classify", 128),
    ("resnet18", "box", 128), ("resnet18", "classify", 224), ("resnet18", "box+score", 64),
    ("squeezenet1_1", "box", 128), ("squeezenet1_1", "classify", 128),
]
VARIANTS = [("trainable", ["--no-fold", "--no-decompose"]), ("folded", []), ("opset 11", ["--opset", "11"]),
            ("opset 17, batch 2", ["--opset", "17", "--fixed-batch=2"]), ("opset 20, whole operators", ["--opset", "20", "--no-decompose"])]


def run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(str(c) for c in command)}: {done.stderr.strip()}")


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
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        x.tofile(folder / "in")
        run(build / "examples" / "run_numbers", path, batch, folder / "in", folder / "out")
        got = np.fromfile(folder / "out", dtype=np.float32).reshape(want.shape)
    span = float(want.max() - want.min()) or 1.0
    difference = float(np.abs(got - want).max()) / span
    good = difference < TOLERANCE and np.isfinite(got).all()
    print(f"{'ok' if good else 'FAILED'}  {difference:.2e}  batch {batch}  {name}", flush=True)
    return good


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


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    good = True
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for i, given in enumerate(sys.argv[2:]):
            good &= compare(build, pathlib.Path(given), i, given)
        for name, path in made_by_others(folder):
            good &= compare(build, path, 5, name)
            run(build / "gannet", "import", path, "-o", folder / "again.onnx", "--quiet")
            good &= compare(build, folder / "again.onnx", 6, f"{name}, imported")
        for i, (model, head, size) in enumerate(ZOO):
            for variant, options in VARIANTS:
                path = folder / "zoo.onnx"
                run(build / "gannet", "export", model, "--head", head, "--imgsz", size, "-o", path, "--quiet", *options)
                good &= compare(build, path, i, f"{model} {head} {size} px, {variant}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
