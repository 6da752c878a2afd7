#!/usr/bin/env python3
"""Compare Gannet with ONNX Runtime on models that others made: every .onnx file of the data folder, and networks that PyTorch exports.

The largest absolute difference of each output stays below 1e-4 of its range, on the CPU backend and through a session.  Models of the
data folder see random numbers and their own sample photo.  Needs torch, torchvision, onnx, onnxruntime, numpy and pillow.

    onnx_models.py BUILD_FOLDER [--data FOLDER] [--only NAME,...] [--opsets 11,13,17]
SPDX-License-Identifier: Apache-2.0
"""
import argparse
import io
import os
import pathlib
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

TOLERANCE = 1e-4
STEP = 5e-7  # allowed in detectors: ONNX Runtime's Sigmoid has no finer steps near 0, where the range of a detector's output may end
NETWORKS = """alexnet vgg11 vgg11_bn resnet18 squeezenet1_0 squeezenet1_1 densenet121 shufflenet_v2_x0_5 shufflenet_v2_x1_0
mobilenet_v2 mobilenet_v3_small mobilenet_v3_large mnasnet0_5 mnasnet1_0 mnasnet1_3 regnet_y_400mf regnet_y_800mf regnet_x_400mf
regnet_x_800mf convnext_tiny convnext_small""".split()
# What the models of the data folder want of a picture: mean and deviation, or none; channels in the order RGB or BGR.
PICTURES = {
    "ultraface": ("1.jpg", 127.0, 128.0, "RGB"),
    "yunet": ("../ultraface/1.jpg", 0.0, 1.0, "BGR"),
    "fastestdet": ("3.jpg", 0.0, 255.0, "BGR"),
}


def picture(folder, shape):
    """The sample photo of a model as its input."""
    from PIL import Image
    name, mean, deviation, order = PICTURES[folder.name]
    image = Image.open(folder / name).convert("RGB").resize((shape[3], shape[2]), Image.BILINEAR)
    x = (np.asarray(image, dtype=np.float32) - mean) / deviation
    return np.ascontiguousarray((x if order == "RGB" else x[:, :, ::-1]).transpose(2, 0, 1)[None])


def save(array, name, path):
    path.write_bytes(numpy_helper.from_array(np.ascontiguousarray(array), name).SerializeToString())


def compare(build, model, inputs, step, name, folder):
    """Runs `model` (bytes) on each input in ONNX Runtime and here; True when all agree.  step: difference that is always allowed."""
    folder.mkdir()
    (folder / "model.onnx").write_bytes(model)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    for i, x in enumerate(inputs):
        place = folder / f"test_data_set_{i}"
        place.mkdir()
        save(x, session.get_inputs()[0].name, place / "input_0.pb")
        for k, y in enumerate(session.run(None, {session.get_inputs()[0].name: x})):
            save(y, session.get_outputs()[k].name, place / f"output_{k}.pb")
    done = subprocess.run([str(build / "conformance" / "onnx_node_runner"), "--range", str(TOLERANCE), "--atol", str(step), "--reference", "0", "--threads", "2",
                           str(folder)], capture_output=True, text=True)
    worst = max((float(line.split()[-4]) for line in done.stdout.splitlines() if "largest difference" in line), default=0.0)
    good = done.returncode == 0 and done.stdout.splitlines()[-1].startswith("ok ")
    print(f"{'ok' if good else 'FAILED'}  {worst:.2e}  {name}" + ("" if good else f": {(done.stdout.splitlines() or [done.stderr])[-1]}"),
          flush=True)
    for path in folder.rglob("*"):
        if path.is_file():
            path.unlink()
    return good


def others(data):
    """Models of the data folder: name, step, bytes, inputs."""
    rng = np.random.default_rng(5)
    for path in sorted((data / "models").glob("*/*.onnx")):
        model = onnx.load(path)
        names = {t.name for t in model.graph.initializer}
        given = [v for v in model.graph.input if v.name not in names][0]
        shape = [d.dim_value or 1 for d in given.type.tensor_type.shape.dim]
        yield f"{path.parent.name}/{path.name}", STEP, path.read_bytes(), [rng.standard_normal(shape).astype(np.float32), picture(path.parent, shape)]


def exported(names, opsets):
    """Networks as PyTorch exports them, with a fixed and with a free batch: name, step, bytes, inputs."""
    import torch
    import torchvision
    torch.set_num_threads(2)
    rng = np.random.default_rng(6)
    for name in names:
        torch.manual_seed(3)
        network = torchvision.models.get_model(name, weights=None).eval()
        for module in network.modules():  # statistics that a network which never trained does not have
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 1.5)
        for opset in opsets:
            for is_free in (False, True):
                file = io.BytesIO()
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    torch.onnx.export(network, torch.zeros(1, 3, 224, 224), file, opset_version=opset, dynamo=False, input_names=["images"],
                                      output_names=["scores"],
                                      dynamic_axes={"images": {0: "N"}, "scores": {0: "N"}} if is_free else None)
                batch = 2 if is_free else 1
                x = rng.standard_normal((batch, 3, 224, 224)).astype(np.float32)
                yield f"{name}, opset {opset}, {'free' if is_free else 'fixed'} batch", 0.0, file.getvalue(), [x]


def main():
    here = pathlib.Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(os.environ.get("GANNET_DATA", here.parent / "shared" / "data")))
    parser.add_argument("--only", default="")
    parser.add_argument("--opsets", default="11,13,17")
    args = parser.parse_args()
    build = args.build.resolve()
    only = [n for n in args.only.split(",") if n]
    good = True
    with tempfile.TemporaryDirectory() as folder:
        n = 0
        sources = [others(args.data)] if (args.data / "models").is_dir() and (not only or "data" in only) else []
        sources.append(exported([n for n in NETWORKS if not only or n in only], [int(o) for o in args.opsets.split(",")]))
        for source in sources:
            for name, step, model, inputs in source:
                good &= compare(build, model, inputs, step, name, pathlib.Path(folder) / str(n))
                n += 1
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
