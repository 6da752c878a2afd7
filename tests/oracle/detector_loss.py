#!/usr/bin/env python3
"""Writes tests/golden/detector_loss_<kind>.txt: losses of detectors on random heads, and their gradients, by PyTorch in f64.

Needs torch and numpy: python3 tests/oracle/detector_loss.py [--check]
Written from the papers' formulas (see src/detect/detector_loss.h), over dense matrices of truths by candidates.  Raw maps are not
stored but drawn (draw() below, the same in the test), and of each gradient its products with drawn numbers are stored.
SPDX-License-Identifier: Apache-2.0
"""
import json
import math

import numpy as np
import torch
import torch.nn.functional as F

import golden

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
PRODUCTS = 6


def draw(seed, count):
    """SplitMix64 from `seed`, as numbers of 24 bits in -1..1, which f32 holds exactly."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(40)).astype(np.float64) / 2.0**23 - 1


# ---- what the kinds share ----

def iou_matrix(a, b):
    """IoU of boxes [..., 4] that broadcast."""
    w = (torch.minimum(a[..., 2], b[..., 2]) - torch.maximum(a[..., 0], b[..., 0])).clamp(min=0)
    h = (torch.minimum(a[..., 3], b[..., 3]) - torch.maximum(a[..., 1], b[..., 1])).clamp(min=0)
    inter = w * h
    area = lambda t: (t[..., 2] - t[..., 0]).clamp(min=0) * (t[..., 3] - t[..., 1]).clamp(min=0)
    return inter / (area(a) + area(b) - inter + 1e-7)


def ciou(p, t):
    iou = iou_matrix(p, t)
    cw = torch.maximum(p[..., 2], t[..., 2]) - torch.minimum(p[..., 0], t[..., 0])
    ch = torch.maximum(p[..., 3], t[..., 3]) - torch.minimum(p[..., 1], t[..., 1])
    rho2 = ((p[..., 0] + p[..., 2] - t[..., 0] - t[..., 2]) ** 2 + (p[..., 1] + p[..., 3] - t[..., 1] - t[..., 3]) ** 2) / 4
    v = 4 / math.pi**2 * (torch.atan2(t[..., 2] - t[..., 0], t[..., 3] - t[..., 1])
                          - torch.atan2(p[..., 2] - p[..., 0], p[..., 3] - p[..., 1])) ** 2
    alpha = (v / (v - iou + 1 + 1e-7)).detach()
    return iou - rho2 / (cw**2 + ch**2 + 1e-7) - alpha * v


def giou(p, t):
    w = (torch.minimum(p[..., 2], t[..., 2]) - torch.maximum(p[..., 0], t[..., 0])).clamp(min=0)
    h = (torch.minimum(p[..., 3], t[..., 3]) - torch.maximum(p[..., 1], t[..., 1])).clamp(min=0)
    area = lambda b: (b[..., 2] - b[..., 0]) * (b[..., 3] - b[..., 1])
    union = area(p) + area(t) - w * h + 1e-7
    hull = ((torch.maximum(p[..., 2], t[..., 2]) - torch.minimum(p[..., 0], t[..., 0]))
            * (torch.maximum(p[..., 3], t[..., 3]) - torch.minimum(p[..., 1], t[..., 1]))) + 1e-7
    return w * h / union - (hull - union) / hull


def binary(case, x, t):
    """Binary cross entropy of logits, focal where the case says so."""
    loss = F.binary_cross_entropy_with_logits(x, t, reduction="none")
    gamma, alpha = case.rule.get("focal_gamma", 0), case.rule.get("focal_alpha", 0)
    if case.kind == "retinanet":
        gamma, alpha = case.rule.get("focal_gamma", 2), case.rule.get("focal_alpha", 0.25)
    if gamma <= 0:
        return loss
    p = torch.sigmoid(x)
    miss = 1 - (p * t + (1 - p) * (1 - t))
    return (t * alpha + (1 - t) * (1 - alpha) if alpha > 0 else 1) * miss**gamma * loss


def smoothed(case, cls):
    """One-hot rows with 1 - e/2 and e/2."""
    e = case.rule.get("label_smoothing", 0)
    return F.one_hot(cls, case.classes).double() * (1 - e) + e / 2


class Case:
    def __init__(self, name, kind, classes, sizes, strides, seed, truths, rule=None, anchors=None, bins=0, scale=2.0,
                 bias=0.0, weight=None, class_weight=None, per_cell=None, **extra):
        self.name, self.kind, self.classes, self.sizes, self.strides, self.seed = name, kind, classes, sizes, strides, seed
        self.truths, self.rule, self.bins, self.scale, self.bias = truths, rule or {}, bins, scale, bias
        self.anchors = anchors  # [maps][A][2]
        self.per_cell = len(anchors[0]) if anchors else per_cell or 1
        self.n = len(truths)
        self.weight = weight or [1.0] * self.n
        self.class_weight = class_weight or [1.0] * classes
        self.extra = extra
        self.detector = {"kind": kind, "classes": classes, "strides": strides, "anchors": self.per_cell}
        if anchors:
            self.detector["anchor"] = [x for m in anchors for a in m for x in a]
        if bins:
            self.detector["bins"] = bins
        self.detector.update(extra)

    def channels(self):
        if self.kind == "yolov1":
            return 5 * self.per_cell + self.classes
        if self.kind == "yolov8":
            return 4 * self.bins + self.classes
        if self.kind == "retinanet":
            return self.per_cell * (4 + self.classes)
        return self.per_cell * (5 + self.classes)

    def raw(self):
        maps = []
        for m, (h, w) in enumerate(self.sizes):
            x = draw(self.seed + 1000003 * m, self.n * self.channels() * h * w)
            x = np.float32(self.scale) * x.astype(np.float32) + np.float32(self.bias)
            maps.append(torch.tensor(x.astype(np.float64).reshape(self.n, self.channels(), h, w), requires_grad=True))
        return maps

    def input_size(self):
        if self.kind == "yolov1":
            return 1.0, 1.0
        return float(self.sizes[0][1] * self.strides[0]), float(self.sizes[0][0] * self.strides[0])

    def boxes(self, n):
        """Truths of a picture that count: boxes in pixels [M,4], classes [M]."""
        w, h = self.input_size()
        rows = [np.float32(t).astype(np.float64) for t in self.truths[n]]
        rows = [t for t in rows if t[2] > t[0] and t[3] > t[1] and 0 <= t[4] < self.classes]
        box = torch.tensor([[t[0] * w, t[1] * h, t[2] * w, t[3] * h] for t in rows]).reshape(-1, 4)
        return box, torch.tensor([int(t[4]) for t in rows], dtype=torch.int64)

    def class_weights(self):
        return torch.tensor(self.class_weight)


# ---- yolov8 ----

def v8_picture(case, maps, n):
    points, strides, rows = [], [], []
    for m, (h, w) in enumerate(case.sizes):
        y, x = torch.meshgrid(torch.arange(h) + 0.5, torch.arange(w) + 0.5, indexing="ij")
        points.append(torch.stack((x, y), -1).reshape(-1, 2))
        strides.append(torch.full((h * w,), float(case.strides[m])))
        rows.append(maps[m][n].permute(1, 2, 0).reshape(h * w, -1))
    return torch.cat(points), torch.cat(strides), torch.cat(rows)


def v8_assign(case, points, strides, boxes, scores, truth, cls):
    """Target truth (-1: none) and target score of each candidate."""
    top_k, small = case.rule.get("top_k", 10), case.rule.get("small_side", 2) * case.strides[0]
    centre, side = (truth[:, :2] + truth[:, 2:]) / 2, (truth[:, 2:] - truth[:, :2]).clamp(min=small)
    at = (points * strides[:, None])[None]
    inside = ((at > (centre - side / 2)[:, None]) & (at < (centre + side / 2)[:, None])).all(-1)  # [M,A]
    overlap = ciou(boxes[None], truth[:, None]).clamp(min=0) * inside
    align = scores[:, cls].T ** case.rule.get("score_power", 0.5) * overlap ** case.rule.get("overlap_power", 6)
    chosen = torch.zeros_like(inside)
    chosen.scatter_(1, align.topk(min(top_k, align.shape[1])).indices, True)
    chosen &= overlap > 0
    several = chosen.sum(0) > 1
    only = F.one_hot(overlap.argmax(0), len(truth)).T.bool()
    chosen = torch.where(several[None], only, chosen)
    align, overlap = align * chosen, overlap * chosen
    target = (align * overlap.amax(1, True) / (align.amax(1, True) + 1e-9)).amax(0)
    return torch.where(chosen.any(0), chosen.double().argmax(0), -1), target


def loss_v8(case, maps):
    R, rule = case.bins, case.rule
    box_sum = dfl_sum = cls_sum = total = 0.0
    for n in range(case.n):
        weight = case.weight[n]
        if weight <= 0:
            continue
        points, strides, rows = v8_picture(case, maps, n)
        bins = rows[:, : 4 * R].reshape(-1, 4, R)
        side = (bins.softmax(-1) * torch.arange(R)).sum(-1)
        boxes = torch.cat((points - side[:, :2], points + side[:, 2:]), 1) * strides[:, None]
        truth, cls = case.boxes(n)
        target = torch.zeros(len(rows), case.classes)
        if len(truth):
            with torch.no_grad():
                owner, score = v8_assign(case, points, strides, boxes, torch.sigmoid(rows[:, 4 * R:]), truth, cls)
            hit = owner >= 0
            target[hit] = smoothed(case, cls[owner[hit]]) * score[hit, None]
            t, s = truth[owner[hit]], score[hit]
            box_sum = box_sum + weight * (s * (1 - ciou(boxes[hit], t))).sum()
            want = torch.cat((points[hit] - t[:, :2] / strides[hit, None], t[:, 2:] / strides[hit, None] - points[hit]), 1)
            want = want.clamp(0, R - 1 - 0.01)
            low = want.long()
            ce = lambda k: F.cross_entropy(bins[hit].reshape(-1, R), k.reshape(-1), reduction="none").reshape(-1, 4)
            dfl = (ce(low) * (low + 1 - want) + ce(low + 1) * (want - low)).mean(-1)
            dfl_sum = dfl_sum + weight * (dfl * s).sum()
            total += weight * score[hit].sum().item()
        cls_sum = cls_sum + weight * (binary(case, rows[:, 4 * R:], target) * case.class_weights()).sum()
    norm = max(total, 1.0)
    return [rule.get("box", 7.5) * box_sum / norm, 0.0, rule.get("cls", 0.5) * cls_sum / norm,
            rule.get("dfl", 1.5) * dfl_sum / norm]


LOSSES = {"yolov8": loss_v8}


# ---- files ----

def some_boxes(seed, count, classes, least=0.05, most=0.6):
    u = (draw(seed, 5 * count).reshape(count, 5) + 1) / 2
    rows = []
    for a, b, c, d, e in u:
        w, h = least + (most - least) * c * c, least + (most - least) * d * d
        x, y = a * (1 - w), b * (1 - h)
        rows.append([float(np.float32(v)) for v in (x, y, x + w, y + h)] + [int(e * classes)])
    return rows


def number(x):
    return f"{float(x.detach() if isinstance(x, torch.Tensor) else x):.12g}"


def describe(case):
    maps = case.raw()
    parts = LOSSES[case.kind](case, maps)
    total = sum(parts)
    if isinstance(total, torch.Tensor) and total.requires_grad:
        total.backward()
    lines = [f"case {case.name}", "detector " + json.dumps(case.detector, separators=(",", ":"))]
    lines += [f"rule {k} {v}" for k, v in case.rule.items()]
    lines.append(f"batch {case.n} {max(1, max(len(t) for t in case.truths))} {case.seed} {case.scale} {case.bias}")
    lines += [f"map {h} {w}" for h, w in case.sizes]
    lines += [f"truth {n} " + " ".join(f"{v:.9g}" for v in row) for n in range(case.n) for row in case.truths[n]]
    if any(w != 1 for w in case.weight):
        lines.append("weight " + " ".join(map(str, case.weight)))
    if any(w != 1 for w in case.class_weight):
        lines.append("class_weight " + " ".join(map(str, case.class_weight)))
    lines.append("loss " + " ".join(number(x) for x in [total] + parts))
    for m, x in enumerate(maps):
        grad = (x.grad if x.grad is not None else torch.zeros_like(x)).reshape(-1).numpy()
        dots = [np.dot(grad, draw(77 + 1000 * k + m, grad.size)) for k in range(PRODUCTS)]
        lines.append("grad " + " ".join(number(v) for v in [np.sqrt(np.dot(grad, grad))] + dots))
    return "\n".join(lines + ["end"])


def v8_cases():
    sizes, strides = [[8, 10], [4, 5], [2, 3]], [8, 16, 32]
    make = lambda name, seed, truths, classes=3, **k: Case(name, "yolov8", classes, sizes, strides, seed, truths,
                                                           **{"bins": 8, "scale": 3.0, **k})
    yield make("no truth", 11, [[], []])
    yield make("one truth", 12, [some_boxes(1, 1, 3), []])
    yield make("many truths", 13, [some_boxes(2, 30, 3), some_boxes(3, 17, 3), some_boxes(4, 1, 3)])
    yield make("one class", 14, [some_boxes(5, 9, 1), some_boxes(6, 12, 1, 0.3, 0.9)], classes=1, bias=-1.0)
    yield make("many classes", 15, [some_boxes(7, 12, 80)], classes=80)
    yield make("small truths", 16, [some_boxes(8, 20, 2, 0.01, 0.05)], classes=2)
    yield make("small truths, plain rule", 16, [some_boxes(8, 20, 2, 0.01, 0.15)], classes=2, rule={"small_side": 0})
    yield make("weights", 17, [some_boxes(9, 8, 3), some_boxes(10, 8, 3), some_boxes(11, 8, 3)],
               weight=[1.0, 0.0, 0.5], class_weight=[1.0, 2.0, 0.25])
    yield make("focal, smooth", 18, [some_boxes(12, 8, 3)],
               rule={"focal_gamma": 1.5, "focal_alpha": 0.25, "label_smoothing": 0.1})
    yield make("numbers", 19, [some_boxes(13, 20, 3)], bins=16,
               rule={"top_k": 3, "score_power": 1.0, "overlap_power": 2.0, "box": 2.0, "cls": 1.0, "dfl": 0.5})
    bad = some_boxes(14, 3, 3)
    yield make("rows that are no boxes", 20, [[[0.5, 0.5, 0.5, 0.75, 0], bad[0], [0.5, 0.25, 0.25, 0.75, 1], bad[1],
                                               [0.25, 0.25, 0.5, 0.5, 3], [0.25, 0.25, 0.5, 0.5, -1], bad[2]]])


def main():
    for kind, cases in (("yolov8", v8_cases()),):
        text = "# Written by tests/oracle/detector_loss.py with PyTorch; see there.\n"
        text += "\n".join(describe(c) for c in cases) + "\n"
        golden.leave(f"detector_loss_{kind}.txt", text, 1e-9, 1e-12)
    golden.end()


if __name__ == "__main__":
    main()
