#!/usr/bin/env python3
"""Compares what `gannet import` reads with what PyTorch reads, bit for bit: checkpoints of other people in GANNET_DATA, checkpoints made
here in both of PyTorch's forms, and torchvision's networks on their way into ONNX models.

    python3 tests/oracle/import_torch.py BUILD-FOLDER [NETWORK ...]
Needs torch, torchvision, onnx, onnxruntime.  Lines begin with ok or FAILED.
SPDX-License-Identifier: Apache-2.0
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
import torch
import torchvision
from onnx import numpy_helper

import torch_checkpoints

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DATA = pathlib.Path(os.environ.get("GANNET_DATA", ROOT.parent / "shared" / "data"))
PEOPLE = ("blazeface/blazeface.pth", "fastestdet/shufflenetv2.pth", "resnet_cifar10/resnet20-12fca82f.th",
          "retinaface_mb025/mobilenet0.25_Final.pth", "ultraface/version-slim-320.pth", "yunet/yunet_s.pth")
NETWORKS = ("alexnet", "vgg11", "vgg11_bn", "vgg16", "resnet18", "squeezenet1_0", "squeezenet1_1", "densenet121", "shufflenet_v2_x0_5",
            "shufflenet_v2_x1_0", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "mnasnet0_5", "mnasnet1_0", "mnasnet1_3",
            "regnet_y_400mf", "regnet_y_800mf", "regnet_x_400mf", "regnet_x_800mf", "convnext_tiny", "convnext_small", "googlenet")
failures = 0


def report(name, wrong):
    global failures
    failures += wrong is not None
    print(f"ok      {name}" if wrong is None else f"FAILED  {name}: {wrong}", flush=True)


def gannet(build, *args):
    done = subprocess.run([build / "gannet", "import", *args, "--quiet"], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr.strip()


def difference(got, want):
    if set(got) != set(want):
        return f"names: {sorted(set(got) ^ set(want))[:4]}"
    for name, tensor in want.items():
        a, b = got[name], torch_checkpoints.array(tensor)
        if a.dtype != b.dtype or a.shape != b.shape or a.tobytes() != b.tobytes():
            return f"{name}: {a.dtype} {a.shape}, {b.dtype} {b.shape} was expected, or other contents"
    return None


def compare_file(build, folder, name, path, want, options=()):
    out = folder / "converted.safetensors"
    code, message = gannet(build, path, "-o", out, *options)
    report(name, message if code else difference(torch_checkpoints.read_safetensors(out), want))


def without_module(state):
    while all(name.startswith("module.") for name in state):
        state = {name[len("module."):]: tensor for name, tensor in state.items()}
    return state


def people(build, folder):
    for name in PEOPLE:
        path = DATA / "models" / name
        if not path.exists():
            continue
        saved = torch.load(path, map_location="cpu", weights_only=False)
        compare_file(build, folder, name, path, without_module(saved.get("state_dict", saved)))


def made(build, folder):
    for name, make in torch_checkpoints.MADE.items():
        saved = make()
        for is_zip in (True, False):
            for protocol in (2, 4):
                path = folder / "made.pth"
                torch.save(saved, path, _use_new_zipfile_serialization=is_zip, pickle_protocol=protocol)
                compare_file(build, folder, f"{name}, {'zip' if is_zip else 'legacy'}, protocol {protocol}", path,
                             torch_checkpoints.chosen(name, saved))
    saved = torch_checkpoints.whole()
    torch.save(saved, folder / "made.pth")
    compare_file(build, folder, "whole, --key ema", folder / "made.pth", saved["ema"], ("--key", "ema"))
    module = torchvision.models.squeezenet1_1()
    torch.save(module, folder / "module.pth")
    code, message = gannet(build, folder / "module.pth", "-o", folder / "no.safetensors")
    is_refused = code == 3 and "torchvision.models.squeezenet.SqueezeNet" in message and "state_dict()" in message
    report("a pickled module is refused", None if is_refused else message)
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), folder / "program.pt")
    code, message = gannet(build, folder / "program.pt", "-o", folder / "no.safetensors")
    report("a TorchScript program is refused", None if code == 3 and "TorchScript" in message else message)


def initialisers(path):
    return {t.name: numpy_helper.to_array(t) for t in onnx.load(str(path)).graph.initializer}


def networks(build, folder, names):
    torch.manual_seed(3)
    for name in names:
        extra = {"init_weights": True} if name in ("googlenet",) else {}
        net = getattr(torchvision.models, name)(num_classes=11, **extra)
        state = {k: torch.randn_like(v) if v.is_floating_point() else v for k, v in net.state_dict().items()}
        for is_zip in (True, False):
            torch.save({"state_dict": state}, folder / "net.pth", _use_new_zipfile_serialization=is_zip)
            code, message = gannet(build, folder / "net.pth", "--model", name, "-o", folder / "net.onnx")
            if code:
                report(f"{name}, {'zip' if is_zip else 'legacy'}", message)
                continue
            got = initialisers(folder / "net.onnx")
            wrong = [k for k, v in state.items() if v.is_floating_point() and not k.startswith("aux") and
                     (k not in got or not np.array_equal(got[k], v.numpy()))]
            report(f"{name}, {'zip' if is_zip else 'legacy'}", f"{wrong[:4]}" if wrong else None)


def old_names(build, folder):
    """Checkpoints of before 2018: densenet's layers had other names."""
    state = torchvision.models.densenet121(num_classes=3).state_dict()
    old = {re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", k): v for k, v in state.items()}
    torch.save(old, folder / "net.pth")
    code, message = gannet(build, folder / "net.pth", "--model", "densenet121", "-o", folder / "net.onnx")
    if not code:
        got = initialisers(folder / "net.onnx")
        wrong = [k for k, v in state.items() if v.is_floating_point() and not np.array_equal(got[k], v.numpy())]
        message = f"{wrong[:4]}" if wrong else None
    report("densenet121 of old names", message)


def retinaface(build, folder):
    """The features of a face detector, renamed into the zoo's MobileNet, and run: against the same layers in PyTorch."""
    path = DATA / "models" / "retinaface_mb025" / "mobilenet0.25_Final.pth"
    if not path.exists():
        return
    state = without_module(torch.load(path, map_location="cpu"))
    x = torch.rand(1, 3, 96, 160, generator=torch.Generator().manual_seed(5))
    y, want = x, []
    with torch.no_grad():
        for stage, n in ((1, 6), (2, 6), (3, 2)):
            for i in range(n):
                for conv, bn in (("0", "1"), ("3", "4")):
                    name = f"body.stage{stage}.{i}."
                    if name + conv + ".weight" not in state:
                        continue
                    weight = state[name + conv + ".weight"]
                    stride = 2 if conv == "0" and (stage, i) in ((1, 0), (1, 2), (1, 4), (2, 0), (3, 0)) else 1
                    groups = y.shape[1] if weight.shape[1] == 1 else 1
                    y = torch.nn.functional.conv2d(y, weight, None, stride, weight.shape[2] // 2, 1, groups)
                    y = torch.nn.functional.batch_norm(y, *[state[f"{name}{bn}.{k}"] for k in ("running_mean", "running_var", "weight",
                                                                                              "bias")])
                    y = torch.nn.functional.leaky_relu(y, 0.1)
            want.append(y.numpy())
    code, message = gannet(build, path, "--model", "mobilenet_v1@0.25", "--head", "features", "--imgsz", "160,96", "--activation",
                           "leaky_relu:0.1", "--rename", "body.*=*", "--rename", "*=", "-o", folder / "net.onnx")
    if not code:
        session = onnxruntime.InferenceSession(str(folder / "net.onnx"), providers=["CPUExecutionProvider"])
        got = session.run(None, {"images": x.numpy()})
        worst = max(float(np.abs(a - b).max() / np.ptp(b)) for a, b in zip(got, want)) if len(got) == 3 else "3 maps were expected"
        message = None if len(got) == 3 and worst < 1e-4 else worst
    report("the features of RetinaFace, renamed", message)


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if len(sys.argv) == 2:
            people(build, folder)
            made(build, folder)
            old_names(build, folder)
            retinaface(build, folder)
        networks(build, folder, sys.argv[2:] or NETWORKS)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
