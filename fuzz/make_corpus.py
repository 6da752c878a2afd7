#!/usr/bin/env python3
"""Write the seeds of the fuzzers of ONNX, safetensors, PyTorch and Darknet files: small valid ones, and some with one fault each.

Needs onnx and numpy.  The faulty models also serve tests/cli/test_bad_input.c.

    make_corpus.py fuzz/corpus
SPDX-License-Identifier: Apache-2.0
"""
import json
import pathlib
import struct
import sys

import numpy as np
from onnx import TensorProto, helper, numpy_helper

node = helper.make_node


def info(name, *dims):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(dims))


def tensor(name, *dims):
    rng = np.random.default_rng(len(name) + sum(dims))
    return numpy_helper.from_array((np.abs(rng.standard_normal(dims)) + 0.1).astype(np.float32), name)


def ints(name, *values):
    return numpy_helper.from_array(np.array(values, np.int64), name)


def model(nodes, initializers=(), opset=13, x=("N", 3, 8, 8), y=("N", 4), meta=None):
    graph = helper.make_graph(nodes, "g", [info("x", *x)], [info("y", *y)], list(initializers))
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7)
    for key, value in (meta or {}).items():
        entry = made.metadata_props.add()
        entry.key, entry.value = key, value
    return made.SerializeToString()


def detector():
    return model(
        [node("Conv", ["x", "w"], ["c"], "stem", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
         node("BatchNormalization", ["c", "s", "b", "m", "v"], ["n"], "norm"), node("Relu", ["n"], ["r"], "relu"),
         node("GlobalAveragePool", ["r"], ["p"], "pool"), node("Flatten", ["p"], ["f"], "flatten"),
         node("Gemm", ["f", "hw", "hb"], ["y"], "head", transB=1)],
        [tensor("w", 4, 3, 3, 3), tensor("s", 4), tensor("b", 4), tensor("m", 4), tensor("v", 4), tensor("hw", 4, 4), tensor("hb", 4)],
        meta={"gannet.version": "1", "gannet.task": "box", "gannet.imgsz": "8,8", "gannet.decode": "box_xyxy01",
              "gannet.names": '["face"]'})


def old_forms():
    constant = node("Constant", [], ["k"], value=numpy_helper.from_array(np.array([0, -1], np.int64)))
    return model(
        [node("Clip", ["x"], ["a"], min=0.0, max=6.0), node("AveragePool", ["a"], ["b"], kernel_shape=[2, 2], strides=[2, 2]),
         node("Split", ["b"], ["c", "d", "e"], axis=1, split=[1, 1, 1]), node("Concat", ["e", "c", "d"], ["h"], axis=1),
         node("Dropout", ["h"], ["i"], ratio=0.5), constant, node("Reshape", ["i", "k"], ["j"]),
         node("Softmax", ["j"], ["y"], axis=1)], opset=9, y=("N", 48))


def new_forms():
    return model(
        [node("ReduceMean", ["x", "axes"], ["r"], keepdims=1), node("Squeeze", ["r", "axes"], ["s"]),
         node("Unsqueeze", ["s", "one"], ["u"]), node("Transpose", ["u"], ["t"], perm=[0, 2, 1]),
         node("MatMul", ["t", "w"], ["y"])],
        [ints("axes", 2, 3), ints("one", 1), tensor("w", 1, 4)], opset=18, y=("N", 3, 4))


def computed_shapes():
    """Shapes that the model computes, a Resize and a one-dimensional convolution among them."""
    rest = numpy_helper.from_array(np.array([2.0], np.float32), "two")
    return model(
        [node("Shape", ["x"], ["shape"]), node("Slice", ["shape", "i0", "i2"], ["front"]), node("Slice", ["shape", "i2", "i4"], ["back"]),
         node("Cast", ["back"], ["real"], to=TensorProto.FLOAT), node("Mul", ["real", "two"], ["more"]), node("Floor", ["more"], ["floor"]),
         node("Cast", ["floor"], ["whole"], to=TensorProto.INT64), node("Concat", ["front", "whole"], ["sizes"], axis=0),
         node("Resize", ["x", "", "", "sizes"], ["big"], mode="nearest", nearest_mode="floor",
              coordinate_transformation_mode="asymmetric"),
         node("Gather", ["shape", "zero"], ["batch"]), node("Unsqueeze", ["batch", "i0"], ["batches"]),
         node("Concat", ["batches", "tail"], ["row"], axis=0), node("Reshape", ["big", "row"], ["line"]),
         node("Conv", ["line", "w"], ["y"], strides=[64], auto_pad="SAME_UPPER")],
        [ints("i0", 0), ints("i2", 2), ints("i4", 4), ints("tail", 1, -1), numpy_helper.from_array(np.array(0, np.int64), "zero"), rest,
         tensor("w", 4, 1, 3)], y=("N", 4, 12))


def spelled_in_others():
    sparse = helper.make_sparse_tensor(numpy_helper.from_array(np.ones(2, np.float32), "v"), ints("at", 1, 5), [8])
    return model(
        [node("Constant", [], ["k"], sparse_value=sparse), node("Sum", ["x", "k", "x"], ["a"]), node("Mish", ["a"], ["b"]),
         node("Dropout", ["b"], ["c", "mask"]), node("CastLike", ["mask", "c"], ["ones"]), node("Mul", ["c", "ones"], ["d"]),
         node("GlobalMaxPool", ["d"], ["e"]), node("LogSoftmax", ["e"], ["f"], axis=1), node("Flatten", ["f"], ["y"])], opset=18, y=("N", 3))


def chain(*names):
    """Relu nodes that each read the one before: names x, a, b, ..., y."""
    return [node("Relu", [names[i]], [names[i + 1]], f"relu_{names[i + 1]}") for i in range(len(names) - 1)]


FAULTS = {
    "cycle": lambda: model([node("Add", ["x", "b"], ["a"], "first_add"), *chain("a", "b"), *chain("b", "y")], y=("N", 3, 8, 8)),
    "missing_initializer": lambda: model([node("Conv", ["x", "stem.weight"], ["y"], "stem", kernel_shape=[3, 3])], y=("N", 4, 6, 6)),
    "unknown_operator": lambda: model([node("FancyPool", ["x"], ["a"], "stage2/fancy"), *chain("a", "y")], y=("N", 3, 8, 8)),
    "overflowing_shape": lambda: model(chain("x", "y"), x=("N", 1 << 31, 1 << 31, 1 << 31), y=("N", 3)),
}
MODELS = {"detector": detector, "old_forms": old_forms, "new_forms": new_forms, "computed_shapes": computed_shapes,
          "spelled_in_others": spelled_in_others, **FAULTS}


def safetensors(header, data):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


CHECKPOINTS = {
    "two_tensors": safetensors({"__metadata__": {"gannet.step": "7"}, "a.weight": entry("F32", [2, 3], 0, 24),
                                "b": entry("F16", [4], 24, 32)}, bytes(32)),
    "scalar_and_empty": safetensors({"s": entry("I64", [], 0, 8), "e": entry("U8", [0, 5], 8, 8)}, bytes(8)),
    "overlap": safetensors({"a": entry("F32", [2], 0, 8), "b": entry("F32", [2], 4, 12)}, bytes(12)),
    "escapes": safetensors({"caf\u00e9 \"q\"": entry("BF16", [1, 2], 0, 4)}, bytes(4)),
}


GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden"
# A pickle of every operation that PyTorch does not use.
OLD_PICKLE = (b"(dp0\nS'a'\np1\nI7\nsS'b'\nL9L\nsV\\u0041\nF1.5\nsI01\n(I1\nI2\ntsNN2s0(1(lp3\nI5\nas."
              b"}\x94\x8c\x01k(K\x01K\x02\x90\x86s\x8f(K\x01\x90\x91.")
NET = "[net]\nwidth=8\nheight=8\nchannels=3\n"
DARKNET = {
    "conv_and_numbers": (NET + "[convolutional]\nfilters=2\nactivation=mish\n").encode() + b"\0" + struct.pack("<iiii8f", 0, 1, 0, 0, *range(8)),
    "routes": (NET + "[convolutional]\nfilters=4\n[route]\nlayers=-1\ngroups=2\ngroup_id=1\n[upsample]\n[maxpool]\nstride=2\n"
               "[shortcut]\nfrom=-3\nactivation=leaky\n[yolo]\n").encode(),
    "classifier": (NET + "[local]\nsize=3\npad=1\n[reorg]\nstride=2\n[avgpool]\n[connected]\noutput=4\nbatch_normalize=1\n"
                   "activation=plse\n[dropout]\n[softmax]\ngroups=2\n[cost]\n").encode(),
}


def main():
    folder = pathlib.Path(sys.argv[1])
    for name in ("everyday_legacy", "nested_legacy", "nested_zip", "views_legacy", "whole_legacy"):
        (folder / "torch" / f"{name}.bin").write_bytes((GOLDEN / f"checkpoint_{name}.pth").read_bytes())
    (folder / "torch" / "old_pickle.bin").write_bytes(b"\x80\x02" + OLD_PICKLE)
    for name, content in DARKNET.items():
        (folder / "darknet" / f"{name}.bin").write_bytes(content)
    for name, make in MODELS.items():
        (folder / "onnx" / f"{name}.onnx").write_bytes(make())
    for name, content in CHECKPOINTS.items():
        (folder / "safetensors" / f"{name}.safetensors").write_bytes(content)


if __name__ == "__main__":
    main()
