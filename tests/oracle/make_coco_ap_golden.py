#!/usr/bin/env python3
"""Writes tests/golden/coco_ap.txt: small detection problems and what pycocotools says about them.

Needs pycocotools and numpy: python3 tests/oracle/make_coco_ap_golden.py [--check]
Coordinates are multiples of 1/4 and scores multiples of 1/64, so that single precision holds them exactly.
SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import io
import random

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

import golden


def quarter(x):
    return round(x * 4) / 4


def make_case(seed, images, classes, crowd, per_image, noise, extra, dense=False, largest=60):
    """Random true boxes, and detections scattered around them with some false ones.  An object fills 1/2 to all of its box."""
    rng = random.Random(seed)
    truths, dets = [], []
    for image in range(images):
        for _ in range(rng.randint(0, per_image)):
            w, h = quarter(rng.uniform(8, largest)), quarter(rng.uniform(8, largest))
            x, y = quarter(rng.uniform(0, 40 if dense else 120)), quarter(rng.uniform(0, 40 if dense else 120))
            cls = rng.randrange(classes)
            area = quarter(w * h * rng.uniform(0.5, 1))
            truths.append((image, cls, int(rng.random() < crowd), x, y, x + w, y + h, area))
            for _ in range(rng.choice((0, 1, 1, 1, 2))):
                j = [quarter(rng.gauss(0, noise)) for _ in range(4)]
                x1, y1 = x + j[0], y + j[1]
                x2, y2 = max(x1 + 1, x + w + j[2]), max(y1 + 1, y + h + j[3])
                score = rng.randint(1, 63) / 64
                dets.append((image, cls if rng.random() < 0.9 else rng.randrange(classes), score, x1, y1, x2, y2))
        for _ in range(rng.randint(extra // 2, extra)):
            x, y = quarter(rng.uniform(0, 100)), quarter(rng.uniform(0, 100))
            w, h = quarter(rng.uniform(4, 50)), quarter(rng.uniform(4, 50))
            dets.append((image, rng.randrange(classes), rng.randint(1, 63) / 64, x, y, x + w, y + h))
    return images, classes, truths, dets


def evaluate(images, classes, truths, dets):
    coco = COCO()
    coco.dataset = {
        "images": [{"id": i + 1} for i in range(images)],
        "categories": [{"id": c + 1} for c in range(classes)],
        "annotations": [
            {"id": k + 1, "image_id": i + 1, "category_id": c + 1, "iscrowd": crowd, "area": area,
             "bbox": [x1, y1, x2 - x1, y2 - y1]}
            for k, (i, c, crowd, x1, y1, x2, y2, area) in enumerate(truths)
        ],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
        found = coco.loadRes([
            {"image_id": i + 1, "category_id": c + 1, "score": s, "bbox": [x1, y1, x2 - x1, y2 - y1]}
            for i, c, s, x1, y1, x2, y2 in dets
        ])
        run = COCOeval(coco, found, "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    precision = run.eval["precision"][:, :, :, 0, 2]  # threshold, recall point, class; all areas, 100 detections
    recall = run.eval["recall"][:, :, 0, 2]
    mean = lambda a: float(np.mean(a[a > -1])) if (a > -1).any() else -1.0
    return list(run.stats) + [mean(precision[t]) for t in range(10)] + [mean(recall[t]) for t in range(10)]


CASES = {
    "one_class_single_box": make_case(1, 20, 1, 0.0, 1, 3, 1),
    "one_class_many": make_case(2, 12, 1, 0.0, 5, 4, 3),
    "three_classes": make_case(3, 12, 3, 0.0, 4, 3, 2),
    "crowds": make_case(4, 12, 2, 0.3, 4, 3, 4),
    "dense_overlaps": make_case(5, 6, 2, 0.15, 8, 2, 2, dense=True),
    "missing_class": make_case(6, 4, 6, 0.0, 2, 2, 1),
    "more_than_100": make_case(7, 1, 1, 0.0, 5, 2, 220),
    "sizes": make_case(8, 10, 2, 0.1, 5, 5, 6, largest=220),
}


def main():
    lines = ["# Written by tests/oracle/make_coco_ap_golden.py with pycocotools; see there."]
    for name, (images, classes, truths, dets) in CASES.items():
        lines.append(f"case {name} {images} {classes} {len(truths)} {len(dets)}")
        lines += ["t %d %d %d %g %g %g %g %.9g" % t for t in truths]
        lines += ["d %d %d %.6f %g %g %g %g" % d for d in dets]
        lines.append("expect " + " ".join("%.12f" % v for v in evaluate(images, classes, truths, dets)))
    golden.leave("coco_ap.txt", "\n".join(lines) + "\n", absolute=1e-11)
    golden.end()


if __name__ == "__main__":
    main()
