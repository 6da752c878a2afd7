#!/usr/bin/env python3
"""Compares Darknet's detectors, as `gannet import` reads them, with OpenCV's own reader of the same files (before version 5), on the same
numbers, candidate by candidate; then what `gannet predict` finds, and what a different resize changes end to end.

    python3 tests/oracle/darknet_opencv.py BUILD-FOLDER [--pictures N]
Needs opencv-python (< 5), onnxruntime, torch, pycocotools.  Lines begin with ok or FAILED; those with a dash are for information.

OpenCV adds 1e-6 to a variance where Darknet adds 1e-5.  So it is asked twice: with files whose variances are larger by the difference (the
same arithmetic), and with the files as they are, for models that were imported with --epsilon 1e-6.
SPDX-License-Identifier: Apache-2.0
"""
import argparse
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

import cv2
import numpy as np
import onnxruntime
import torch

import darknet_torch

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DATA = pathlib.Path(os.environ.get("GANNET_DATA", ROOT.parent / "shared" / "data"))
FASTEST = DATA / "models" / "yolo_fastest" / "yolo-fastest-1.1"
BOX_BAR, SCORE_BAR = 0.5, 1e-3
HEADER = struct.pack("<iiiq", 0, 2, 5, 7)
failures = 0


def report(name, is_good, told):
    global failures
    failures += not is_good
    print(f"{'ok     ' if is_good else 'FAILED '} {name}: {told}", flush=True)


def gannet(build, *args):
    done = subprocess.run([build / "gannet", *map(str, args)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    return done.stdout


def imported(build, cfg, weights, out, *options):
    gannet(build, "import", cfg, weights, "-o", out, "--quiet", *options)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(out), options, providers=["CPUExecutionProvider"])


def split_weights(content):
    major, minor = struct.unpack("<ii", content[:8])
    start = 20 if major * 10 + minor >= 2 else 16
    return content[:start], np.frombuffer(content[start:], np.float32)


def walk(cfg, values, x):
    """The network once more, to know which numbers are what: (kind, begin, end) in the file's order, and the maps."""

    class Seen(darknet_torch.Numbers):
        def take(self, kind, *shape):
            at = self.at
            out = super().take(kind, *shape)
            seen.append((kind, at, self.at))
            return out

    seen = []
    with torch.no_grad():
        maps = darknet_torch.run(cfg, Seen(values), torch.from_numpy(x))
    return seen, maps


def with_larger_variances(seen, values):
    values = values.copy()
    for (a, _, _), (b, _, _), (kind, begin, end) in zip(seen, seen[1:], seen[2:]):
        if (a, b, kind) == ("positive", "shift", "positive"):
            values[begin:end] += np.float32(9e-6)
    return values


class OpenCV:
    """Candidates of OpenCV's reader, in pixels of the input and in our order: the finest map first."""

    def __init__(self, cfg, header, values, folder, name):
        parts = darknet_torch.sections(cfg)
        net = parts[0][1]
        self.size = int(net["width"]), int(net["height"])
        classes = [int(o["classes"]) for kind, o in parts if kind in darknet_torch.DETECTION]
        self.classes = classes[0]
        text = "".join(f"{line}\nthresh=0\n" if line.strip() in ("[yolo]", "[region]") else f"{line}\n"
                       for line in cfg.splitlines() if not line.replace(" ", "").startswith("thresh="))
        (folder / f"{name}.cfg").write_text(text)
        (folder / f"{name}.weights").write_bytes(header + values.tobytes())
        self.net = cv2.dnn.readNetFromDarknet(str(folder / f"{name}.cfg"), str(folder / f"{name}.weights"))

    def candidates(self, x):
        self.net.setInput(x)
        out = sorted(self.net.forward(self.net.getUnconnectedOutLayersNames()), key=len, reverse=True)
        y = np.concatenate([o.reshape(-1, 5 + self.classes) for o in out]).astype(np.float64)
        centre, size = y[:, :2] * self.size, y[:, 2:4] * self.size
        self.objectness = y[:, 4]
        return np.concatenate([centre - size / 2, centre + size / 2], 1), y[:, 5:]


def worst(ours, theirs):
    (boxes, scores), (boxes_2, scores_2) = ours, theirs
    if boxes.shape != boxes_2.shape or scores.shape != scores_2.shape:
        raise RuntimeError(f"{boxes.shape} {scores.shape} instead of {boxes_2.shape} {scores_2.shape}")
    return float(np.abs(boxes - boxes_2).max()), float(np.abs(scores - scores_2).max())


# ---- yolo-fastest on real pictures ----

def stretched(path, size):
    """As cv2.dnn.blobFromImage does it: bilinear without smoothing."""
    return cv2.resize(cv2.imread(str(path)), size)


def blob(picture):
    return (picture[:, :, ::-1].astype(np.float32).transpose(2, 0, 1)[None] / np.float32(255)).copy()


def fastest_raw(build, folder, pictures):
    cfg, content = pathlib.Path(f"{FASTEST}.cfg").read_text(), pathlib.Path(f"{FASTEST}.weights").read_bytes()
    header, values = split_weights(content)
    first = blob(stretched(pictures[0], (320, 320)))
    seen, _ = walk(cfg, values, first)
    plain = OpenCV(cfg, header, values, folder, "plain")
    shifted = OpenCV(cfg, header, with_larger_variances(seen, values), folder, "shifted")
    files = f"{FASTEST}.cfg", f"{FASTEST}.weights"
    ours = imported(build, *files, folder / "ours.onnx")
    same_epsilon = imported(build, *files, folder / "epsilon.onnx", "--epsilon", "1e-6")
    pairs = {"the same arithmetic": (ours, shifted, True), "--epsilon 1e-6, OpenCV as it is": (same_epsilon, plain, True),
             "as imported, OpenCV as it is": (ours, plain, False)}
    differences = {name: [] for name in pairs}
    for path in pictures:
        x = blob(stretched(path, (320, 320)))
        runs = {id(s): s.run(None, {"images": x}) for s in (ours, same_epsilon)}
        theirs = {id(n): n.candidates(x) for n in (plain, shifted)}
        for name, (session, net, _) in pairs.items():
            boxes, scores = runs[id(session)]
            differences[name].append(worst((boxes[0], scores[0]), theirs[id(net)]))
    for name, (_, _, is_bar) in pairs.items():
        box, score = np.array(differences[name]).max(0)
        above = sum(b > BOX_BAR or s > SCORE_BAR for b, s in differences[name])
        told = f"all candidates of {len(pictures)} pictures: boxes within {box:.2g} px, scores within {score:.2g}"
        if is_bar:
            report(f"yolo-fastest-1.1, {name}", above == 0, told)
        else:
            print(f"-       yolo-fastest-1.1, {name}: {told}; {above} pictures above the bar (Darknet's 1e-5 against 1e-6)", flush=True)
    return shifted


def suppressed(candidates, conf, iou):
    """OpenCV's suppression class by class: [(class, score, box)]."""
    boxes, scores = candidates
    cls, best = scores.argmax(1), scores.max(1)
    xywh = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1)
    keep = cv2.dnn.NMSBoxesBatched(xywh.tolist(), best.tolist(), cls.tolist(), conf, iou)
    return [(int(cls[i]), float(best[i]), boxes[i]) for i in np.array(keep, int).reshape(-1)]


def said(build, model, sources, conf, iou):
    out = json.loads(gannet(build, "predict", model, *sources, "--json", "--quiet", "--conf", conf, "--iou", iou))
    return [[(o["class"], o["score"], np.array(o["box"])) for o in p["objects"]] for p in out["predictions"]]


def match(a, b):
    """Pairs of two lists of objects, the nearest of the same class first; what is left over of both."""
    order = sorted((float(np.abs(x[2] - y[2]).max()), i, k) for i, x in enumerate(a) for k, y in enumerate(b) if x[0] == y[0])
    used_a, used_b, pairs = set(), set(), []
    for _, i, k in order:
        if i not in used_a and k not in used_b:
            used_a.add(i)
            used_b.add(k)
            pairs.append((a[i], b[k]))
    return pairs, [x for i, x in enumerate(a) if i not in used_a] + [y for k, y in enumerate(b) if k not in used_b]


def fastest_predict(build, folder, pictures, net):
    """The program itself on pictures that have the input's size already, so that there is nothing to resize."""
    small = []
    for path in pictures:
        small.append(folder / f"{path.stem}.png")
        cv2.imwrite(str(small[-1]), stretched(path, (320, 320)))
    conf, iou = 0.25, 0.45
    box = score = n = alone = 0
    for path, objects in zip(small, said(build, folder / "ours.onnx", small, conf, iou)):
        boxes, scores = net.candidates(blob(cv2.imread(str(path))))
        theirs = [(c, s, np.clip(b, 0, 320)) for c, s, b in suppressed((boxes, scores), conf, iou)]
        pairs, rest = match(objects, theirs)
        # A score or an overlap at the threshold may fall to either side.
        alone += sum(abs(o[1] - conf) > SCORE_BAR for o in rest)
        n += len(pairs)
        for a, b in pairs:
            box, score = max(box, float(np.abs(a[2] - b[2]).max())), max(score, abs(a[1] - b[1]))
    report("yolo-fastest-1.1, gannet predict and OpenCV with its NMSBoxes, confidence 0.25", box <= BOX_BAR and score <= SCORE_BAR and alone == 0,
           f"{n} objects in {len(pictures)} pictures, boxes within {box:.2g} px, scores within {score:.2g}, {alone} without a partner")


def iou_of(a, b):
    w, h = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    both = max(w, 0) * max(h, 0)
    return both / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - both)


def truths(pictures):
    from pycocotools.coco import COCO
    images, boxes = [], []
    for i, path in enumerate(pictures):
        height, width = cv2.imread(str(path)).shape[:2]
        images.append({"id": i, "width": width, "height": height})
        labels = pathlib.Path(str(path).replace("images", "labels")).with_suffix(".txt")
        for line in labels.read_text().splitlines() if labels.exists() else []:
            c, x, y, w, h = map(float, line.split())
            boxes.append({"id": len(boxes) + 1, "image_id": i, "category_id": int(c), "iscrowd": 0, "area": w * width * h * height,
                          "bbox": [(x - w / 2) * width, (y - h / 2) * height, w * width, h * height]})
    coco = COCO()
    coco.dataset = {"images": images, "annotations": boxes, "categories": [{"id": c} for c in range(80)]}
    coco.createIndex()
    return coco


def mean_ap(coco, found):
    from pycocotools.cocoeval import COCOeval
    results = [{"image_id": i, "category_id": c, "score": s, "bbox": [*map(float, b[:2]), *map(float, b[2:] - b[:2])]}
               for i, objects in enumerate(found) for c, s, b in objects]
    run = COCOeval(coco, coco.loadRes(results), "bbox")
    run.evaluate()
    run.accumulate()
    run.summarize()
    return run.stats[0], run.stats[1]


def fastest_end_to_end(build, folder, pictures, net):
    """Whole pictures: ours are resized with smoothing, OpenCV's without."""
    iou, theirs = 0.45, []
    ours = said(build, folder / "ours.onnx", pictures, 0.001, iou)
    for path in pictures:
        height, width = cv2.imread(str(path)).shape[:2]
        scale = np.array([width, height] * 2) / 320
        found = suppressed(net.candidates(blob(stretched(path, (320, 320)))), 0.001, iou)
        theirs.append([(c, s, np.clip(b * scale, 0, [width, height] * 2)) for c, s, b in found][:300])
    near = n_ours = n_theirs = 0
    score, overlap = [], []
    for a, b in zip(ours, theirs):
        a, b = [o for o in a if o[1] >= 0.25], [o for o in b if o[1] >= 0.25]
        pairs, _ = match(a, b)
        n_ours, n_theirs = n_ours + len(a), n_theirs + len(b)
        for x, y in pairs:
            if iou_of(x[2], y[2]) >= 0.5:
                near += 1
                overlap.append(iou_of(x[2], y[2]))
                score.append(abs(x[1] - y[1]))
    print(f"-       end to end, confidence 0.25: {n_ours} objects of ours, {n_theirs} of OpenCV's, {near} of them the same (class, IoU >= 0.5): "
          f"IoU {np.median(overlap):.3f}, scores {np.median(score):.3f} apart in the median", flush=True)
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        out, sys.stdout = sys.stdout, nowhere
        coco = truths(pictures)
        (ap, ap50), (cv_ap, cv_ap50) = mean_ap(coco, ours), mean_ap(coco, theirs)
        sys.stdout = out
    print(f"-       end to end, pycocotools on {len(pictures)} pictures: mAP50 {ap50:.4f}, mAP50-95 {ap:.4f} with our resize; "
          f"{cv_ap50:.4f}, {cv_ap:.4f} with OpenCV's", flush=True)


# ---- networks without weights of their own ----

def tame(cfg, numbers):
    """Random numbers of which the layers before detection have outputs of about 1, so that exp() of them is of use."""
    x = np.random.default_rng(2).random((1, 3, *size_of(cfg)), dtype=np.float32)
    values = np.concatenate(numbers.made)
    for _ in range(2):
        seen, maps = walk(cfg, values, x)
        blocks, at = [], 0
        for kind, o in darknet_torch.sections(cfg)[1:]:
            has_norm = int(o.get("batch_normalize", 0))
            n = {"convolutional": 5 if has_norm else 2, "connected": 5 if has_norm else 2, "local": 2, "batchnorm": 4}.get(kind, 0)
            if n:
                last = seen[at:at + n]
                at += n
            if kind in darknet_torch.DETECTION:
                blocks.append(last)
        for block, i in zip(blocks, sorted(maps)):
            scale = np.float32(1 / max(float(maps[i].std()), 1e-6))
            for _, begin, end in block:
                values[begin:end] *= scale
    return values, x


def size_of(cfg):
    net = darknet_torch.sections(cfg)[0][1]
    return int(net["height"]), int(net["width"])


def first_version(cfg, maps, size):
    """Darknet's get_detection_detections on the row of numbers."""
    (o,) = [o for kind, o in darknet_torch.sections(cfg) if kind == "detection"]
    (row,) = [m.numpy().reshape(-1).astype(np.float64) for m in maps.values()]
    side, num, classes = int(o["side"]), int(o["num"]), int(o["classes"])
    cells = side * side
    p = row[:cells * classes].reshape(cells, 1, classes)
    confidence = row[cells * classes:cells * (classes + num)].reshape(cells, num, 1)
    box = row[cells * (classes + num):].reshape(cells, num, 4)
    place = np.stack([np.arange(cells) % side, np.arange(cells) // side], 1)[:, None]
    centre = (box[..., :2] + place) / side * size
    half = box[..., 2:] ** (2 if int(o["sqrt"]) else 1) * size / 2
    scores = np.clip(np.maximum(confidence, 0) * np.maximum(p, 0), 0, 1)
    return np.concatenate([centre - half, centre + half], -1).reshape(-1, 4), scores.reshape(-1, classes)


def check_random(build, folder, path):
    cfg = "\n".join(line for line in path.read_text().splitlines())
    height, width = size_of(cfg)
    numbers = darknet_torch.Numbers(seed=3)
    with torch.no_grad():
        darknet_torch.run(cfg, numbers, torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(1)))
    values, x = tame(cfg, numbers)
    (folder / "net.weights").write_bytes(HEADER + values.tobytes())
    session = imported(build, path, folder / "net.weights", folder / "net.onnx")
    boxes, scores = session.run(None, {"images": x})
    seen, maps = walk(cfg, values, x)
    if "[detection]" in cfg:
        reference, name = first_version(cfg, maps, np.array([width, height])), "Darknet's formula (OpenCV has no such layer)"
    else:
        net = OpenCV(cfg, HEADER, with_larger_variances(seen, values), folder, "random")
        reference, name = net.candidates(x), "OpenCV"
    if "[region]" in cfg:
        # OpenCV's layer thins out overlapping boxes itself, by scores of 0; their classes add up to the objectness, as with a softmax.
        gone = reference[1] == 0
        name += f", which sets {gone.mean():.0%} of the scores to 0 itself"
        total = float(np.abs(scores[0].sum(1) - net.objectness).max())
        report(f"{path.name}, random weights, classes of a box together", total <= SCORE_BAR, f"within {total:.2g} of its objectness")
        reference[1][gone] = scores[0][gone]
    box, score = worst((boxes[0], scores[0]), reference)
    report(f"{path.name}, random weights, {name}", box <= BOX_BAR and score <= SCORE_BAR,
           f"{len(boxes[0])} candidates, boxes within {box:.2g} px of up to {np.abs(reference[0]).max():.0f}, scores within {score:.2g}")


def four_scales():
    """yolov3-tiny with scale_x_y as YOLOv4 has it: another one in each layer."""
    cfg = (DATA / "models" / "darknet_cfg" / "yolov3-tiny.cfg").read_text()
    for scale in ("1.05", "1.2"):
        cfg = cfg.replace("[yolo]\nmask", f"[yolo]\nscale_x_y={scale}\nmask", 1)
    return cfg


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--pictures", type=int, default=128)
    args = parser.parse_args()
    build = args.build.resolve()
    if not hasattr(getattr(cv2, "dnn", None), "readNetFromDarknet"):
        print("-       this OpenCV reads no files of Darknet any more: nothing is compared")
        return
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    pictures = sorted((DATA / "coco128" / "images").rglob("*.jpg"))[:args.pictures]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if pictures and pathlib.Path(f"{FASTEST}.weights").exists():
            net = fastest_raw(build, folder, pictures)
            fastest_predict(build, folder, pictures, net)
            fastest_end_to_end(build, folder, pictures, net)
        for path in sorted((DATA / "models" / "darknet_cfg").glob("yolo*.cfg")):
            check_random(build, folder, path)
        (folder / "yolov3-tiny-scales.cfg").write_text(four_scales())
        check_random(build, folder, folder / "yolov3-tiny-scales.cfg")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
