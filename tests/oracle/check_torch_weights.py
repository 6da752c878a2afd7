#!/usr/bin/env python3
"""Weights that Gannet writes as safetensors, loaded by torchvision's own networks.

For each network of the zoo that torchvision has: `gannet export NAME --head classify -o W.safetensors`, `load_state_dict(strict=True)`,
and the outputs of both on random input differ by less than 1e-4 of their range, at 224 px and one other size.  Needs torch,
torchvision and numpy; ends with status 1 when something deviates.

    check_torch_weights.py BUILD_FOLDER [NETWORK ...]
SPDX-License-Identifier: Apache-2.0
"""
import collections
import json
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

import numpy as np
import torch
import torchvision

TOLERANCE = 1e-4
ROOT = pathlib.Path(__file__).resolve().parents[2]
TYPES = {"F32": np.float32, "I64": np.int64}


def run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(str(c) for c in command)}: {done.stderr.strip()}")


def read_safetensors(path):
    """Reads the format by its definition, not with Gannet's code: length, JSON header, data."""
    data = path.read_bytes()
    n = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + n])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        array = np.frombuffer(data[8 + n + begin:8 + n + end], TYPES[entry["dtype"]]).reshape(entry["shape"])
        tensors[name] = torch.from_numpy(array.copy())
    return tensors


def make(name):
    """torchvision's network of that name with fresh weights, or None."""
    options = {"googlenet": {"aux_logits": False, "transform_input": False, "init_weights": False}}.get(name, {})
    try:
        return torchvision.models.get_model(name, weights=None, **options).eval()
    except ValueError:
        return None


def gannet_outputs(build, model, x, folder):
    run(build / "gannet", "export", model, "--head", "classify", "--imgsz", x.shape[-1], "-o", folder / "m.onnx", "--quiet")
    x.numpy().tofile(folder / "in")
    run(build / "examples" / "run_numbers", folder / "m.onnx", x.shape[0], folder / "in", folder / "out")
    return np.fromfile(folder / "out", dtype=np.float32).reshape(x.shape[0], -1)


def check(build, model, folder):
    network = make(model)
    if network is None:
        print(f"skipped  torchvision has no {model}", flush=True)
        return True
    run(build / "gannet", "export", model, "--head", "classify", "-o", folder / "w.safetensors", "--quiet")
    tensors = collections.OrderedDict(read_safetensors(folder / "w.safetensors"))
    if model.startswith("mnasnet"):
        tensors._metadata = network.state_dict()._metadata  # torchvision asks which version of the module it is
    network.load_state_dict(tensors, strict=True)
    good = True
    for size in (224, 160):
        x = torch.from_numpy(np.random.default_rng(size).standard_normal((2, 3, size, size)).astype(np.float32))
        with torch.no_grad():
            want = network(x).numpy()
        got = gannet_outputs(build, model, x, folder)
        difference = float(np.abs(got - want).max()) / (float(want.max() - want.min()) or 1.0)
        fine = bool(difference < TOLERANCE)  # not for NaN
        print(f"{'ok' if fine else 'FAILED'}  {difference:.2e}  {model} {size} px, weights loaded strictly", flush=True)
        good &= fine
    return good


def main():
    torch.set_num_threads(1)
    build = pathlib.Path(sys.argv[1]).resolve()
    names = sys.argv[2:] or re.findall(r"^GN_ARCHITECTURE\((\w+)\)", (ROOT / "src/zoo/architectures.def").read_text(), re.M)
    good = True
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            good &= check(build, name, pathlib.Path(folder))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
