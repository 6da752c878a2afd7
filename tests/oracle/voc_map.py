#!/usr/bin/env python3
"""Average precision as PASCAL VOC counts it, written from the development kits' description; tests/golden/voc_map.txt.

Corners are whole pixels and both included.  A detection looks at the true box of its class and picture with the highest overlap: below
0.5 it is wrong, with a difficult one it does not count, with one that is taken it is wrong.
  python3 tests/oracle/voc_map.py [--check]     ($GANNET_DATA, default ../shared/data, has voc_map_sample)
SPDX-License-Identifier: Apache-2.0
"""
import os
import pathlib
import random

import golden


def iou(a, b):
    w = min(a[2], b[2]) - max(a[0], b[0]) + 1
    h = min(a[3], b[3]) - max(a[1], b[1]) + 1
    size = lambda r: (r[2] - r[0] + 1) * (r[3] - r[1] + 1)
    return w * h / (size(a) + size(b) - w * h) if w > 0 and h > 0 else 0.0


def class_ap(truths, dets):
    """truths: (picture, box, difficult); dets: (picture, score, box).  11-point AP, area AP, boxes to be found."""
    total = sum(not difficult for _, _, difficult in truths)
    taken, tp, fp, curve = set(), 0, 0, []
    for picture, _, box in sorted(dets, key=lambda d: -d[1]):
        here = [(iou(box, t[1]), -i) for i, t in enumerate(truths) if t[0] == picture]
        best, index = max(here) if here else (0.0, 0)
        if best >= 0.5 and truths[-index][2]:
            continue
        right = best >= 0.5 and -index not in taken
        tp, fp = tp + right, fp + (not right)
        taken |= {-index} if right else set()
        curve.append((tp / total if total else 0.0, tp / (tp + fp)))
    highest = lambda r: max((p for recall, p in curve if recall >= r), default=0.0)
    area = sum((r - before) * highest(r) for (r, _), before in zip(curve, [0.0] + [r for r, _ in curve]))
    return sum(highest(k / 10) for k in range(11)) / 11, area, total


def expected(truths, dets, classes):
    """truths: (class, picture, box, difficult); dets: (class, picture, score, box)."""
    lines, sums, n = [], [0.0, 0.0], 0
    for c in classes:
        ap11, area, total = class_ap([t[1:] for t in truths if t[0] == c], [d[1:] for d in dets if d[0] == c])
        if total:
            lines.append(f"class {c} {ap11:.12f} {area:.12f} {total}")
            sums, n = [sums[0] + ap11, sums[1] + area], n + 1
    return lines + [f"mean {sums[0] / n:.12f} {sums[1] / n:.12f} {n}"]


def sample(hard):
    """The sample set; hard: every fifth true box of each file counts as difficult."""
    folder = pathlib.Path(os.environ.get("GANNET_DATA", golden.FOLDER.parent.parent.parent / "shared" / "data"))
    truths, dets = [], []
    for path in sorted((folder / "voc_map_sample" / "ground-truth").glob("*.txt")):
        for i, line in enumerate(path.read_text().splitlines()):
            w = line.split()
            truths.append((w[0], path.name, tuple(map(int, w[1:5])), hard and i % 5 == 4))
        for w in map(str.split, (folder / "voc_map_sample" / "detection-results" / path.name).read_text().splitlines()):
            dets.append((w[0], path.name, float(w[1]), tuple(map(int, w[2:6]))))
    return truths, dets, sorted({t[0] for t in truths} | {d[0] for d in dets})


def drawn(seed):
    rng = random.Random(seed)
    box = lambda: (lambda x, y, w, h: (x, y, x + w, y + h))(*(rng.randint(0, 80) for _ in range(2)), *(rng.randint(10, 40) for _ in range(2)))
    truths = [(rng.randrange(3), rng.randrange(12), box(), rng.random() < 0.25) for _ in range(60)]
    dets = [(rng.randrange(3), rng.randrange(12), rng.randint(1, 40) / 64, box()) for _ in range(40)]
    for c, picture, b, _ in truths:
        for _ in range(rng.choice((0, 1, 1, 2))):
            moved = tuple(v + rng.randint(-4, 4) for v in b)
            dets.append((c, picture, rng.randint(1, 63) / 64, moved))
    return truths, dets, [0, 1, 2]


def main():
    lines = ["# Written by tests/oracle/voc_map.py; see there."]
    truths, dets, classes = drawn(7)
    lines.append("case drawn 12 3")
    lines += ["t %d %d %d %d %d %d %d" % (c, p, d, *b) for c, p, b, d in truths]
    lines += ["d %d %d %.6f %d %d %d %d" % (c, p, s, *b) for c, p, s, b in dets]
    lines += expected(truths, dets, classes)
    for name, hard in (("sample", False), ("sample_hard", True)):
        lines += [f"case {name}"] + expected(*sample(hard))
    golden.leave("voc_map.txt", "\n".join(lines) + "\n", absolute=1e-11)
    golden.end()


if __name__ == "__main__":
    main()
