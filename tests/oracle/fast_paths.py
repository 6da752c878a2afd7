#!/usr/bin/env python3
"""Whole networks by the fast kernels against the plain ones of GANNET_CPU=ref, and against ONNX Runtime.

  top1   the 20-layer ResNet of resnet20-12fca82f.th on 1,000 test pictures of cifar10_images.zip: the same class for each picture at every level
         of this CPU as at ref and in ONNX Runtime
  boxes  detectors with trained weights (UltraFace, YuNet, FastestDet, Yolo-Fastest) and two of the zoo, on photographs: all candidates' boxes
         within 1e-3 pixels of those at ref, or, where sums in f32 do not carry so far, at least as near to them as ONNX Runtime's

Models and pictures come from GANNET_DATA; what is missing there is left out with a line.  Needs numpy, onnx, onnxruntime and Pillow; ends with
status 1 when something deviates.

    fast_paths.py BUILD_FOLDER [top1] [boxes]
SPDX-License-Identifier: Apache-2.0
"""
import io
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import zipfile

import numpy as np
import onnx
import onnxruntime
from PIL import Image
from onnx import numpy_helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = pathlib.Path(os.environ.get("GANNET_DATA", ROOT.parent / "shared" / "data"))
PICTURES = 1000
PHOTOGRAPHS = 6
BOX_TOLERANCE = 1e-3  # pixels
LEVELS = ["avx2", "avx512"] if platform.machine() == "x86_64" else ["neon"]


def verdict(good, text):
    print(f"{'ok' if good else 'FAILED'}  {text}", flush=True)
    return bool(good)


def left_out(what, path):
    print(f"left out: {what} ({path} is missing)", flush=True)
    return True


def run(*command, **environment):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, env=dict(os.environ, **environment))
    if done.returncode != 0:
        sys.exit(f"{' '.join(str(c) for c in command)}: {done.stderr.strip()}")


def first_output(build, model, x, level, folder):
    """The model's first output for the pictures x, one row each."""
    x.astype("<f4").tofile(folder / "in")
    run(build / "examples" / "run_numbers", model, len(x), folder / "in", folder / "out", GANNET_CPU=level)
    return np.fromfile(folder / "out", "<f4").reshape(len(x), -1)


def output_there(model, x):
    """The same in ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    name, output = session.get_inputs()[0].name, session.get_outputs()[0].name
    return np.concatenate([session.run([output], {name: x[i:i + 1]})[0].reshape(1, -1) for i in range(len(x))])


# ---- classes ----

def cifar_pictures():
    """As many of each class: N,C,H,W, normalised as the checkpoint wants them."""
    with zipfile.ZipFile(DATA / "cifar10" / "cifar10_images.zip") as archive:
        names = sorted(n for n in archive.namelist() if n.startswith("test/") and n.endswith(".jpg"))
        chosen = names[::len(names) // PICTURES][:PICTURES]
        x = np.stack([np.asarray(Image.open(io.BytesIO(archive.read(n))).convert("RGB"), np.float32) for n in chosen]) / 255
    x = (x - np.float32([0.485, 0.456, 0.406])) / np.float32([0.229, 0.224, 0.225])
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2)), [n.split("/")[1] for n in chosen]


def same_classes(build, folder):
    checkpoint = DATA / "models" / "resnet_cifar10" / "resnet20-12fca82f.th"
    for path in (checkpoint, DATA / "cifar10" / "cifar10_images.zip"):
        if not path.exists():
            return left_out("top1", path)
    trained, model = folder / "trained.onnx", folder / "m.onnx"
    run(build / "gannet", "import", checkpoint, "--model", "resnet20_cifar", "--head", "classify", "--imgsz", "32", "-o", trained, "--quiet")
    run(build / "gannet", "export", trained, "-o", model, "--quiet")
    x, labels = cifar_pictures()
    want = first_output(build, model, x, "ref", folder)
    others = {"ONNX Runtime": output_there(model, x)}
    others.update({level: first_output(build, model, x, level, folder) for level in LEVELS})
    classes = sorted(set(labels))
    right = np.mean([classes[c] == label for c, label in zip(want.argmax(1), labels)])
    good = verdict(right > 0.75, f"resnet20_cifar at ref: {100 * right:.1f} % of {len(x)} pictures are right")
    for name, got in others.items():
        differing = int((got.argmax(1) != want.argmax(1)).sum())
        good &= verdict(differing == 0, f"resnet20_cifar, ref and {name}: {differing} of {len(x)} answers differ, logits by "
                                        f"{np.abs(got - want).max() / np.ptp(want):.1e} of their range")
    return good


# ---- boxes ----

def photographs(width, height, mean=0.0, deviation=255.0, order="RGB"):
    found = []
    for path in sorted((DATA / "coco128" / "images" / "train2017").glob("*.jpg"))[:PHOTOGRAPHS]:
        image = np.asarray(Image.open(path).convert("RGB").resize((width, height), Image.BILINEAR), np.float32)
        found.append((image if order == "RGB" else image[:, :, ::-1]) - mean)
    return np.ascontiguousarray(np.stack(found).transpose(0, 3, 1, 2)) / np.float32(deviation)


def with_first(source, output, target):
    """A copy of a model with that output only."""
    model = onnx.load(source)
    kept = [value for value in model.graph.output if value.name == output]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    onnx.save(model, target)


def livelier(path, factor):
    """Filters times `factor`: initial weights alone let numbers die away, so that all boxes are alike."""
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        if len(tensor.dims) == 4:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.float32(factor), tensor.name))
    onnx.save(model, path)


def fractions(width, height):
    """x1 y1 x2 y2 in 0..1."""
    return lambda y: y.reshape(-1, 4).astype(np.float64) * [width, height, width, height]


def pixels(y):
    return y.reshape(-1, 4).astype(np.float64)


def yunet_boxes(stride, columns):
    """Source: libfacedetection.train, yunet_head.py: centre as a part of a cell, size as a power of e, in cells."""
    def decode(y):
        y = y.reshape(len(y), -1, 4).astype(np.float64)
        cell = np.arange(y.shape[1])
        centre = (np.stack([cell % columns, cell // columns], 1) + y[..., :2]) * stride
        half = np.exp(y[..., 2:]) * stride / 2
        return np.concatenate([centre - half, centre + half], 2)
    return decode


def fastestdet_boxes(px):
    """Source: FastestDet, utils/tool.py, handle_preds: centre by tanh from the cell, size by sigmoid of the picture."""
    def decode(y):
        y = y.reshape(len(y), 85, 22, 22).astype(np.float64)
        rows, columns = np.mgrid[0:22, 0:22]
        x, z = (np.tanh(y[:, 1]) + columns) / 22, (np.tanh(y[:, 2]) + rows) / 22
        w, h = (1 / (1 + np.exp(-y[:, k])) for k in (3, 4))
        return np.stack([x - w / 2, z - h / 2, x + w / 2, z + h / 2], -1) * px
    return decode


def models_with_boxes(build, folder):
    """(name, file that it needs, model, pictures, decode), each made when its turn comes."""
    models = DATA / "models"
    for name in ("version-slim-320", "version-RFB-320"):
        source = models / "ultraface" / f"{name}.onnx"
        if source.exists():
            with_first(source, "boxes", folder / "b.onnx")
        yield f"ultraface {name}", source, folder / "b.onnx", (320, 240, 127.0, 128.0), fractions(320, 240)
    source = models / "yunet" / "yunet_s_320_320.onnx"
    for stride in (8, 16, 32):
        if source.exists():
            with_first(source, f"bbox_{stride}", folder / "b.onnx")
        yield f"yunet, stride {stride}", source, folder / "b.onnx", (320, 320, 0.0, 1.0, "BGR"), yunet_boxes(stride, 320 // stride)
    source = models / "fastestdet" / "FastestDet.onnx"
    yield "FastestDet", source, source, (352, 352, 0.0, 255.0, "BGR"), fastestdet_boxes(352)
    weights = models / "yolo_fastest" / "yolo-fastest-1.1.weights"
    if weights.exists():
        run(build / "gannet", "import", weights.with_suffix(".cfg"), weights, "-o", folder / "b.onnx", "--quiet")
    yield "yolo-fastest 1.1", weights, folder / "b.onnx", (320, 320), pixels
    for name, factor in (("yolov8n", 2.8), ("yolov5n", 2.3)):
        run(build / "gannet", "export", name, "--imgsz", 320, "-o", folder / "b.onnx", "--quiet")
        livelier(folder / "b.onnx", factor)
        yield f"{name}, random weights, 320 px", folder, folder / "b.onnx", (320, 320), pixels


def same_boxes(build, folder):
    if not (DATA / "coco128").exists():
        return left_out("boxes", DATA / "coco128")
    good = True
    for name, needed, model, form, decode in models_with_boxes(build, folder):
        if not needed.exists():
            left_out(name, needed)
            continue
        x = photographs(*form)
        want = decode(first_output(build, model, x, "ref", folder))
        theirs = np.abs(decode(output_there(model, x)) - want).max()
        for level in LEVELS:
            difference = np.abs(decode(first_output(build, model, x, level, folder)) - want).max()
            good &= verdict(difference < max(BOX_TOLERANCE, theirs), f"{name}, {level}: boxes differ from ref by {difference:.1e} px at most; "
                                                                     f"ONNX Runtime's by {theirs:.1e}")
    return good


def main():
    parts = {"top1": same_classes, "boxes": same_boxes}
    chosen = sys.argv[2:] or list(parts)
    good = True
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen:
            good &= parts[name](pathlib.Path(sys.argv[1]), pathlib.Path(folder))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
