#!/usr/bin/env python3
"""Time to score detections of COCO val's size: `gannet val --predictions` against pycocotools, in turns, on one core.

  bench/score.py [--gannet build/gannet] [--images 5000] [--truths 36000] [--detections 500000] [--classes 80] [--rounds 3]

The set is drawn: boxes of COCO's sizes, some crowds; the detections of a picture lie around its true boxes and elsewhere, as those of a
trained network do at confidence 0.001.  Counted are reading both files, and scoring them (all sizes, all limits, all thresholds), by the
clock, and the processor's time for both; rounds alternate (A B A B ...), medians [least, most] are printed.  Needs pycocotools and numpy.
SPDX-License-Identifier: Apache-2.0
"""
import argparse
import contextlib
import io
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np


def draw(args):
    """Ground truth and results as COCO writes them: two decimals in boxes, five in scores."""
    rng = np.random.default_rng(0)
    n, d = args.truths, args.detections
    image, cls = rng.integers(0, args.images, n), np.minimum(rng.geometric(0.05, n) - 1, args.classes - 1)
    size = np.exp(rng.normal(4.2, 1.0, (n, 2))).clip(4, 480)
    corner = rng.uniform(0, 1, (n, 2)) * (640 - size)
    boxes = np.round(np.hstack([corner, size]), 2)
    area = np.round(size.prod(1) * rng.uniform(0.4, 1, n), 2)
    crowd = rng.random(n) < 0.012
    source = rng.integers(0, n, d)
    is_near = rng.random(d) < 0.4
    d_box = np.where(is_near[:, None], boxes[source] + rng.normal(0, 0.12, (d, 4)) * np.tile(size[source], 2),
                     np.hstack([rng.uniform(0, 560, (d, 2)), np.exp(rng.normal(4.0, 1.0, (d, 2)))]))
    d_box = np.round(np.maximum(d_box, [0, 0, 1, 1]), 2)
    d_cls = np.where(rng.random(d) < 0.7, cls[source], rng.integers(0, args.classes, d))
    score = np.round(rng.beta(0.4, 3, d) * np.where(is_near, 1, 0.5), 5)
    truth = {"images": [{"id": i + 1, "file_name": f"{i:012}.jpg", "width": 640, "height": 640} for i in range(args.images)],
             "categories": [{"id": c + 1, "name": f"class {c}"} for c in range(args.classes)],
             "annotations": [{"id": k + 1, "image_id": int(image[k]) + 1, "category_id": int(cls[k]) + 1, "bbox": boxes[k].tolist(),
                              "area": float(area[k]), "iscrowd": int(crowd[k])} for k in range(n)]}
    results = [{"image_id": int(image[source[k]]) + 1, "category_id": int(d_cls[k]) + 1, "bbox": d_box[k].tolist(),
                "score": float(score[k])} for k in range(d)]
    return truth, results


def by_gannet(program, truth, results):
    """Seconds to read and to score as the program tells, processor seconds of the whole process, and the mAP."""
    used = lambda: sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    begin = used()
    done = subprocess.run([program, "val", "--predictions", results, "--data", truth, "--resamples", "0", "--json"], stdout=subprocess.PIPE, check=True)
    whole = used() - begin
    out = json.loads(done.stdout)
    return out["seconds"]["read"], out["seconds"]["score"], whole, out["map50_95"]


def by_pycocotools(truth, results):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval
    begin, begin_cpu = time.perf_counter(), time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(truth)
        found = coco.loadRes(results)
        ready = time.perf_counter()
        run = COCOeval(coco, found, "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    end = time.perf_counter()
    return ready - begin, end - ready, time.process_time() - begin_cpu, float(run.stats[0])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--gannet", default="build/gannet")
    for name, value in (("images", 5000), ("truths", 36000), ("detections", 500000), ("classes", 80), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=value)
    args = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(pathlib.Path(folder, name)) for name in ("truth.json", "results.json")]
        for path, content in zip(paths, draw(args)):
            pathlib.Path(path).write_text(json.dumps(content))
        print(f"{args.images} pictures, {args.truths} true boxes, {args.detections} detections, {args.classes} classes, one core")
        rounds = {"gannet": [], "pycocotools": []}
        for _ in range(args.rounds):
            rounds["gannet"].append(by_gannet(args.gannet, *paths))
            rounds["pycocotools"].append(by_pycocotools(*paths))
    print(f"{'':12} {'read s':24} {'score s':24} {'processor s':24} mAP50-95")
    for name, values in rounds.items():
        cells = [f"{statistics.median(v):.3f} [{min(v):.3f}, {max(v):.3f}]" for v in zip(*(r[:3] for r in values))]
        print(f"{name:12} {cells[0]:24} {cells[1]:24} {cells[2]:24} {values[0][3]:.10f}")
    same = abs(rounds["gannet"][0][3] - rounds["pycocotools"][0][3]) < 1e-9
    ratio = statistics.median(r[1] for r in rounds["pycocotools"]) / statistics.median(r[1] for r in rounds["gannet"])
    print(f"scoring: {ratio:.1f} times as fast; mAP {'equal' if same else 'DIFFERENT'}")
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
