#!/usr/bin/env python3
"""`gannet val --predictions` against pycocotools: the pair of files that pycocotools shows its use with, and random sets with crowds,
empty pictures, equal scores, more than 100 detections, sizes on the borders and sparse ids.  All twelve numbers and the AP of every
class are to agree within 1e-9.

  python3 tests/oracle/coco_random.py BUILD_FOLDER [SETS] [FIRST_SEED]     (200 sets from seed 0; $GANNET_DATA, default ../shared/data)
Needs pycocotools and numpy.  Prints one line "ok ..." or "FAILED ..." each.
SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import io
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

KEYS = ["map50_95", "map50", "map75", "ap_small", "ap_medium", "ap_large", "ar_1", "ar_10", "ar_100", "ar_small", "ar_medium", "ar_large"]
TOLERANCE = 1e-9


def near(rng, box, spread):
    x, y, w, h = box
    return [x + rng.gauss(0, spread), y + rng.gauss(0, spread), max(1.0, w + rng.gauss(0, spread)), max(1.0, h + rng.gauss(0, spread))]


def draw(seed):
    rng = random.Random(seed)
    digits = rng.choice((0, 1, 2, 2, 15))
    places = lambda box: [round(v, digits) for v in box]
    image_ids = rng.sample(range(1, 100000), rng.randint(1, 12))
    category_ids = rng.sample(range(1, 1000), rng.randint(1, 5))
    levels = rng.choice((0, 3, 20))  # of scores; 0: any number
    score = lambda: rng.random() if levels == 0 else rng.randint(0, levels) / levels
    crowd, largest, spread = rng.choice((0, 0, 0.1, 0.5)), rng.choice((40, 120, 400)), rng.choice((1, 4, 12))
    annotations, results = [], []
    for image in image_ids:
        if rng.random() < 0.2:
            continue
        for _ in range(rng.choice((0, 1, 3, 8))):
            side = rng.choice((None, None, None, 32, 96))  # on the border between two sizes
            w, h = (side, side) if side else (rng.uniform(4, largest), rng.uniform(4, largest))
            box = places([rng.uniform(0, 200), rng.uniform(0, 200), w, h])
            area = box[2] * box[3] * (1 if side else rng.choice((1, rng.uniform(0.3, 1))))
            category = rng.choice(category_ids)
            annotations.append({"id": len(annotations) + 1, "image_id": image, "category_id": category, "bbox": box, "area": area,
                                "iscrowd": int(rng.random() < crowd)})
            for _ in range(rng.choice((0, 1, 1, 2, 5))):
                results.append({"image_id": image, "category_id": category if rng.random() < 0.9 else rng.choice(category_ids),
                                "bbox": places(near(rng, box, spread)), "score": score()})
                if rng.random() < 0.2:
                    results.append({**results[-1], "score": score()})
        for _ in range(rng.choice((0, 2, 10, 0, 0, 250))):
            box = places([rng.uniform(0, 200), rng.uniform(0, 200), rng.uniform(4, largest), rng.uniform(4, largest)])
            results.append({"image_id": image, "category_id": rng.choice(category_ids[:2]), "bbox": box, "score": score()})
    rng.shuffle(annotations)
    rng.shuffle(results)
    if not results:
        results.append({"image_id": image_ids[0], "category_id": category_ids[0], "bbox": [0, 0, 5, 5], "score": 0.5})
    truth = {"images": [{"id": i, "file_name": f"{i}.jpg", "width": 600, "height": 600} for i in image_ids],
             "categories": [{"id": c, "name": f"c{c}"} for c in category_ids], "annotations": annotations}
    return truth, results


def by_pycocotools(truth, results):
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(truth)
        run = COCOeval(coco, coco.loadRes(results), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    precision = run.eval["precision"][:, :, :, 0, 2]
    names = [coco.cats[c]["name"] for c in run.params.catIds]
    ap = {name: float(precision[:, :, k].mean()) for k, name in enumerate(names) if (precision[:, :, k] > -1).any()}
    return dict(zip(KEYS, (float(v) for v in run.stats))), ap


def by_gannet(program, truth, results):
    done = subprocess.run([program, "val", "--predictions", results, "--data", truth, "--resamples", "0", "--json"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    out = json.loads(done.stdout)
    return {k: -1.0 if out[k] is None else out[k] for k in KEYS}, {c["name"]: c["map50_95"] for c in out["classes"]}


def compare(program, truth, results):
    """The first deviation in words; None."""
    (want, want_ap), (got, got_ap) = by_pycocotools(str(truth), str(results)), by_gannet(program, str(truth), str(results))
    for key in KEYS:
        if not abs(got[key] - want[key]) <= TOLERANCE:
            return f"{key} is {want[key]!r}; got {got[key]!r}"
    if set(want_ap) != set(got_ap):
        return f"classes {sorted(want_ap)}; got {sorted(got_ap)}"
    for name in want_ap:
        if not abs(got_ap[name] - want_ap[name]) <= TOLERANCE:
            return f"AP of {name} is {want_ap[name]!r}; got {got_ap[name]!r}"
    return None


def main():
    program = os.path.join(sys.argv[1], "gannet")
    sets, first = (int(v) for v in (sys.argv[2:] + ["200", "0"][len(sys.argv) - 2:])[:2])
    failed, kinds = 0, {"crowds": 0, "empty": 0, "ties": 0, "over100": 0}
    root = pathlib.Path(__file__).resolve().parents[2]
    pair = pathlib.Path(os.environ.get("GANNET_DATA", root.parent / "shared" / "data")) / "coco_eval" / "cocoapi"
    with tempfile.TemporaryDirectory() as folder:
        truth, results = pathlib.Path(folder, "truth.json"), pathlib.Path(folder, "results.json")
        cases = [("instances_val2014_100", None)] if pair.is_dir() else []
        for name, seed in cases + [(f"set {s}", s) for s in range(first, first + sets)]:
            if seed is None:
                found = compare(program, pair / "instances_val2014_100.json", pair / "instances_val2014_fakebbox100_results.json")
            else:
                t, r = draw(seed)
                truth.write_text(json.dumps(t))
                results.write_text(json.dumps(r))
                found = compare(program, truth, results)
                kinds["crowds"] += any(a["iscrowd"] for a in t["annotations"])
                kinds["empty"] += len({a["image_id"] for a in t["annotations"]}) < len(t["images"])
                kinds["ties"] += len({d["score"] for d in r}) < len(r)
                count = np.unique([f"{d['image_id']} {d['category_id']}" for d in r], return_counts=True)[1]
                kinds["over100"] += bool((count > 100).any())
            print(f"ok      {name}" if found is None else f"FAILED  {name}: {found}", flush=True)
            failed += found is not None
    print("sets with crowds, empty pictures, equal scores, more than 100 of a class in a picture:", *kinds.values())
    sys.exit(1 if failed or (sets >= 100 and min(kinds.values()) < sets // 10) else 0)


if __name__ == "__main__":
    main()
