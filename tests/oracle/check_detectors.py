#!/usr/bin/env python3
"""Compare detectors that Gannet writes with ONNX Runtime.

Every detector of the zoo at several opsets: the file passes onnx.checker with full shape inference, and its boxes and scores in ONNX
Runtime are those of Gannet, which decodes raw maps by its own operator, within 1e-5 of the range.  With --nms: the objects that ONNX
Runtime's NonMaxSuppression leaves are those of `gannet predict --multi-label`, on photographs and a trained network (yolo-fastest and coco128 of
GANNET_DATA; left out where they are missing).  Needs onnx, onnxruntime, numpy and Pillow; ends with status 1 when something deviates.

    check_detectors.py BUILD_FOLDER [--only NETWORK|nms]
SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from PIL import Image

TOLERANCE = 1e-5
ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = pathlib.Path(os.environ.get("GANNET_DATA", ROOT.parent / "shared" / "data"))
VARIANTS = [["--opset", "11"], ["--no-fold"], ["--opset", "17", "--fixed-batch=2"], ["--opset", "21", "--no-decompose"]]
# One of each kind, and of each form of a head.
NETWORKS = [("yolov1_half", 64), ("yolov2_tiny", 96), ("yolov3_tiny", 96), ("yolov3", 64), ("yolov5n", 128), ("yolov8n", 96),
            ("retinanet_mobilenet_v2", 128)]
CONF, IOU = 0.2, 0.5


def run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(str(c) for c in command)}: {done.stderr.strip()}")
    return done.stdout


def verdict(good, text):
    print(f"{'ok' if good else 'FAILED'}  {text}", flush=True)
    return bool(good)


def session(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def same_boxes(build, folder, name, px, options):
    path = folder / "m.onnx"
    run(build / "gannet", "export", name, "--imgsz", px, "--classes", 5, *options, "-o", path, "--quiet")
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    batch = model.graph.input[0].type.tensor_type.shape.dim[0].dim_value or 3
    x = np.random.default_rng(2).random((batch, 3, px, px), np.float32)
    x.tofile(folder / "in")
    boxes, scores = session(path).run(["boxes", "scores"], {"images": x})
    run(build / "examples" / "run_numbers", path, batch, folder / "in", folder / "out")
    got = np.fromfile(folder / "out", np.float32).reshape(boxes.shape)
    difference = float(np.abs(got - boxes).max() / (boxes.max() - boxes.min()))
    return verdict(difference < TOLERANCE and scores.shape[:2] == boxes.shape[:2] and scores.shape[2] == 5,
                   f"{difference:.2e}  {name} {px} px {' '.join(options)}")




def same_objects(build, folder, path, picture):
    """Rows of ONNX Runtime (class by class) against objects (by score): the same class, score and box, clipped to the picture."""
    info = session(path)
    _, _, height, width = info.get_inputs()[0].shape
    png = folder / "picture.png"
    image = Image.open(picture).convert("RGB").resize((width, height))
    image.save(png)
    x = (np.asarray(image, np.float32) / 255).transpose(2, 0, 1)[None]
    rows = info.run(["detections"], {info.get_inputs()[0].name: np.ascontiguousarray(x)})[0]
    found = json.loads(run(build / "gannet", "predict", path, png, "--multi-label", "--json"))["predictions"][0]["objects"]
    rows[:, 1:5] = np.clip(rows[:, 1:5], 0, [width, height, width, height])
    rows = [r for r in sorted(rows.tolist(), key=lambda r: -r[6]) if r[3] > r[1] and r[4] > r[2]]
    worst = 0.0
    for row, o in zip(rows, found):
        worst = max(worst, abs(row[6] - o["score"]), np.abs(np.array(row[1:5]) - o["box"]).max() / width)
        if int(row[5]) != o["class"]:
            worst = 9.0
    return len(rows), len(found), worst


def with_nms(build, folder):
    source = DATA / "models" / "yolo_fastest"
    pictures = sorted((DATA / "coco128" / "images" / "train2017").glob("*.jpg"))
    if not (source / "yolo-fastest-1.1.cfg").exists() or not pictures:
        print(f"left out: no yolo-fastest or coco128 in {DATA}")
        return True
    base = folder / "fastest.onnx"
    run(build / "gannet", "import", source / "yolo-fastest-1.1.cfg", source / "yolo-fastest-1.1.weights", "-o", base, "--quiet")
    good = True
    for options in (["--opset", "11"], ["--opset", "13", "--fixed-batch"], ["--opset", "21", "--imgsz", "416"]):
        path = folder / "nms.onnx"
        run(build / "gannet", "export", base, "--nms", "--conf", CONF, "--iou", IOU, *options, "-o", path, "--quiet")
        onnx.checker.check_model(onnx.load(path), full_check=True)
        n, worst, same = 0, 0.0, True
        for picture in pictures[:40]:
            a, b, w = same_objects(build, folder, path, picture)
            n, worst, same = n + a, max(worst, w), same and a == b
        good &= verdict(same and worst < 1e-4 and n > 40, f"{worst:.1e}  {n} objects of 40 pictures after NonMaxSuppression, {' '.join(options)}")
    return good


def main():
    build = pathlib.Path(sys.argv[1])
    only = sys.argv[sys.argv.index("--only") + 1] if "--only" in sys.argv else None
    good = True
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for name, px in NETWORKS:
            if only in (None, name):
                for options in VARIANTS:
                    good &= same_boxes(build, folder, name, px, options)
        good &= with_nms(build, folder) if only in (None, "nms") else True
    sys.exit(0 if good else 1)


main()
