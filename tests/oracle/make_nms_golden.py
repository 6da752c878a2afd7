#!/usr/bin/env python3
"""Writes tests/golden/nms.txt: candidates, and which of them torchvision's nms and batched_nms keep; soft suppression and fusion as the
papers state them, in double.

Needs torch and torchvision: python3 tests/oracle/make_nms_golden.py [--check]
Corners are multiples of 1/4 and scores are all different, so that no comparison depends on rounding.
SPDX-License-Identifier: Apache-2.0
"""
import math
import random

import torch
import torchvision

import golden


def candidates(rng, n, classes, clusters):
    centres = [(rng.uniform(20, 220), rng.uniform(20, 220), rng.uniform(10, 80), rng.uniform(10, 80)) for _ in range(clusters)]
    scores = rng.sample(range(40, 1023), n)
    rows = []
    for i in range(n):
        x, y, w, h = rng.choice(centres)
        x, y = x + rng.gauss(0, w / 8), y + rng.gauss(0, h / 8)
        w, h = max(1, w * rng.uniform(0.8, 1.2)), max(1, h * rng.uniform(0.8, 1.2))
        box = [round(4 * v) / 4 for v in (x - w / 2, y - h / 2, x + w / 2, y + h / 2)]
        rows.append((box, scores[i] / 1024, rng.randrange(classes)))
    return rows


def iou(a, b):
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    common = max(w, 0) * max(h, 0)
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


def diou(a, b):
    d = ((a[0] + a[2] - b[0] - b[2]) ** 2 + (a[1] + a[3] - b[1] - b[3]) ** 2) / 4
    c = (max(a[2], b[2]) - min(a[0], b[0])) ** 2 + (max(a[3], b[3]) - min(a[1], b[1])) ** 2
    return iou(a, b) - d / c


def greedy_diou(rows, limit):
    kept = []
    for i in sorted(range(len(rows)), key=lambda i: -rows[i][1]):
        if all(rows[k][2] != rows[i][2] or diou(rows[k][0], rows[i][0]) <= limit for k in kept):
            kept.append(i)
    return [(i, rows[i][1], rows[i][0]) for i in kept]


def soft(rows, limit, sigma, conf):
    """Bodla et al. 2017, algorithm in their figure 3; sigma None: linear."""
    score, rest, out = [r[1] for r in rows], set(range(len(rows))), []
    while rest:
        best = max(rest, key=lambda i: (score[i], -i))
        rest.remove(best)
        if score[best] < conf:
            break
        out.append((best, score[best], rows[best][0]))
        for i in rest:
            if rows[i][2] == rows[best][2]:
                o = iou(rows[i][0], rows[best][0])
                score[i] *= math.exp(-o * o / sigma) if sigma else (1 - o if o > limit else 1)
    return out


def fusion(rows, limit):
    """Solovyev et al. 2019, section 3, for one model: no rescaling by the number of models."""
    fused = []  # class, box, members
    for i in sorted(range(len(rows)), key=lambda i: -rows[i][1]):
        box, score, cls = rows[i]
        best, found = limit, None
        for f in fused:
            if f[0] == cls and iou(f[1], box) > best:
                best, found = iou(f[1], box), f
        if found is None:
            fused.append([cls, box, [i]])
            continue
        found[2].append(i)
        total = sum(rows[k][1] for k in found[2])
        found[1] = [sum(rows[k][1] * rows[k][0][j] for k in found[2]) / total for j in range(4)]
    out = [(m[0], sum(rows[k][1] for k in m) / len(m), box) for _, box, m in fused]
    return sorted(out, key=lambda o: -o[1])


def case(name, rng, n, classes, clusters, limit):
    rows = candidates(rng, n, classes, clusters)
    boxes, scores = torch.tensor([r[0] for r in rows]), torch.tensor([r[1] for r in rows])
    cls = torch.tensor([r[2] for r in rows])
    kept = [("greedy", [(i, rows[i][1], rows[i][0]) for i in torchvision.ops.batched_nms(boxes, scores, cls, limit).tolist()]),
            ("agnostic", [(i, rows[i][1], rows[i][0]) for i in torchvision.ops.nms(boxes, scores, limit).tolist()]),
            ("diou", greedy_diou(rows, limit)),
            ("soft", soft(rows, limit, None, 0.05)),
            ("soft_gaussian", soft(rows, limit, 0.5, 0.05)),
            ("fusion", fusion(rows, limit))]
    lines = [f"case {name} {limit}"]
    lines += [f"c {c} {s:.10g} " + " ".join(f"{v:g}" for v in box) for box, s, c in rows]
    for kind, objects in kept:
        lines.append(f"kind {kind} {len(objects)}")
        lines += [f"o {i} {s:.9g} " + " ".join(f"{v:.9g}" for v in box) for i, s, box in objects]
    return lines


def main():
    rng = random.Random(11)
    lines = ["# Written by tests/oracle/make_nms_golden.py with torch and torchvision; see there."]
    lines += case("one_class", rng, 150, 1, 6, 0.7)
    lines += case("classes", rng, 150, 4, 5, 0.5)
    lines += case("strict", rng, 80, 2, 3, 0.3)
    lines += case("single", rng, 1, 1, 1, 0.5)
    golden.leave("nms.txt", "\n".join(lines) + "\n", relative=1e-7)
    golden.end()


main()
