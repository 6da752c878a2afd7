#!/usr/bin/env python3
"""Compares Darknet networks that `gannet import` read, run by ONNX Runtime, with darknet_torch.py and, where it is installed, with OpenCV's
own reader of Darknet files (before version 5); the largest difference may be 1e-4 of the output's range.

    python3 tests/oracle/import_darknet.py BUILD-FOLDER [CFG ...]
Needs torch, onnxruntime, pillow.  Lines begin with ok or FAILED.
SPDX-License-Identifier: Apache-2.0
"""
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime
import torch
from PIL import Image

import darknet_torch

try:
    import cv2
except ImportError:
    cv2 = None

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DATA = pathlib.Path(os.environ.get("GANNET_DATA", ROOT.parent / "shared" / "data")) / "models"
BAR = 1e-4
HEADERS = {"0.1": struct.pack("<iiii", 0, 1, 0, 7), "0.2": struct.pack("<iiiq", 0, 2, 5, 7), "transposed": struct.pack("<iiii", 0, 1001, 0, 7)}
failures = 0

ALL_LAYERS = (ROOT / "tests" / "golden" / "darknet_layers.cfg").read_text()


def report(name, wrong, told=""):
    global failures
    failures += wrong is not None
    print(f"ok      {name}{told}" if wrong is None else f"FAILED  {name}: {wrong}", flush=True)


def size_of(cfg):
    net = darknet_torch.sections(cfg)[0][1]
    return int(net["channels"]), int(net["height"]), int(net["width"])


def picture(cfg):
    c, h, w = size_of(cfg)
    path = DATA / "darknet_cfg" / "dog.jpg"
    if c != 3 or not path.exists():
        return np.random.default_rng(1).random((1, c, h, w), dtype=np.float32)
    return np.asarray(Image.open(path).resize((w, h), Image.BILINEAR), np.float32).transpose(2, 0, 1)[None] / np.float32(255)


def compare(name, got, want):
    if len(got) != len(want):
        return report(name, f"{len(got)} outputs instead of {len(want)}")
    worst = 0
    for a, b in zip(got, want):
        if a.shape != b.shape:
            return report(name, f"{a.shape} instead of {b.shape}")
        worst = max(worst, float(np.abs(a - b).max() / max(np.ptp(b), 1e-30)))
    return report(name, None if worst <= BAR else f"{worst:.2g} of the range", f"  {worst:.1e} of the range")


def imported(build, folder, cfg_path, weights_path, *options):
    out = folder / "net.onnx"
    done = subprocess.run([build / "gannet", "import", cfg_path, weights_path, "-o", out, "--quiet", *options], capture_output=True,
                          text=True, check=False)
    return (out, None) if done.returncode == 0 else (None, done.stderr.strip())


def run_onnx(path, x):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})


def check_random(build, folder, name, cfg, version, is_raw=True):
    """A network with random numbers in a file of a given version."""
    x, is_transposed = picture(cfg), version == "transposed"
    numbers = darknet_torch.Numbers(seed=len(name))
    with torch.no_grad():
        maps = darknet_torch.run(cfg, numbers, torch.from_numpy(x), is_transposed, is_raw)
    (folder / "net.cfg").write_text(cfg)
    (folder / "net.weights").write_bytes(HEADERS[version] + np.concatenate(numbers.made).tobytes())
    path, message = imported(build, folder, folder / "net.cfg", folder / "net.weights", *(["--raw"] if is_raw else []))
    if message:
        return report(name, message)
    return compare(name, run_onnx(path, x), [maps[i].numpy() for i in sorted(maps)])


def by_opencv(cfg, values, header, x, folder):
    """OpenCV adds 1e-6 to a variance where Darknet adds 1e-5: the difference goes into its copy of the file."""

    class Shifted(darknet_torch.Numbers):
        def take(self, kind, *shape):
            at = self.at
            out = super().take(kind, *shape)
            self.seen.append((kind, at, self.at))
            return out

    walk = Shifted(values)
    walk.seen = []
    with torch.no_grad():
        maps = darknet_torch.run(cfg, walk, torch.from_numpy(x))
    values = values.copy()
    for (a, _, _), (b, _, _), (kind, begin, end) in zip(walk.seen, walk.seen[1:], walk.seen[2:]):
        if (a, b, kind) == ("positive", "shift", "positive"):
            values[begin:end] += np.float32(9e-6)
    (folder / "cv.cfg").write_text(cfg)
    (folder / "cv.weights").write_bytes(header + values.tobytes())
    net = cv2.dnn.readNetFromDarknet(str(folder / "cv.cfg"), str(folder / "cv.weights"))
    net.setInput(x)
    names = net.getLayerNames()
    wanted = [next(n for n in names if n.endswith(f"_{i - 1}")) for i in sorted(maps)]
    return list(net.forward(wanted))


def check_yolo_fastest(build, folder):
    cfg_path, weights_path = [DATA / "yolo_fastest" / f"yolo-fastest-1.1.{kind}" for kind in ("cfg", "weights")]
    if not cfg_path.exists():
        return
    cfg, content = cfg_path.read_text(), weights_path.read_bytes()
    major, minor = struct.unpack("<ii", content[:8])
    start = 20 if major * 10 + minor >= 2 else 16
    values, x = np.frombuffer(content[start:], np.float32), picture(cfg)
    numbers = darknet_torch.Numbers(values)
    with torch.no_grad():
        maps = darknet_torch.run(cfg, numbers, torch.from_numpy(x))
    report("yolo-fastest-1.1: the file fits to the byte", None if numbers.at == len(values) else f"{len(values) - numbers.at} left")
    path, message = imported(build, folder, cfg_path, weights_path, "--raw")
    if message:
        report("yolo-fastest-1.1", message)
        return
    got = run_onnx(path, x)
    compare("yolo-fastest-1.1 on dog.jpg, PyTorch", got, [maps[i].numpy() for i in sorted(maps)])
    if hasattr(getattr(cv2, "dnn", None), "readNetFromDarknet"):
        compare("yolo-fastest-1.1 on dog.jpg, OpenCV", got, by_opencv(cfg, values, content[:start], x, folder))
    for name, changed in (("short", content[:-4]), ("long", content + bytes(4))):
        (folder / "wrong.weights").write_bytes(changed)
        _, message = imported(build, folder, cfg_path, folder / "wrong.weights", "--raw")
        report(f"yolo-fastest-1.1, {name} by a number, is refused", None if message else "it was read")


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if len(sys.argv) == 2:
            for version in HEADERS:
                check_random(build, folder, f"every layer, version {version}", ALL_LAYERS, version)
            check_yolo_fastest(build, folder)
        for path in map(pathlib.Path, sys.argv[2:]) if len(sys.argv) > 2 else sorted((DATA / "darknet_cfg").glob("*.cfg")):
            cfg = path.read_text()
            check_random(build, folder, path.name, cfg, "0.2")
            if "[softmax]" in cfg:
                check_random(build, folder, f"{path.name}, logits", cfg, "0.1", False)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
