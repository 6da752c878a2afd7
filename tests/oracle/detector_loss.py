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

def iou_matrix(a, b, eps=1e-300):
    """IoU of boxes [..., 4] that broadcast."""
    w = (torch.minimum(a[..., 2], b[..., 2]) - torch.maximum(a[..., 0], b[..., 0])).clamp(min=0)
    h = (torch.minimum(a[..., 3], b[..., 3]) - torch.maximum(a[..., 1], b[..., 1])).clamp(min=0)
    inter = w * h
    area = lambda t: (t[..., 2] - t[..., 0]).clamp(min=0) * (t[..., 3] - t[..., 1]).clamp(min=0)
    return inter / (area(a) + area(b) - inter + eps)


def ciou(p, t):
    iou = iou_matrix(p, t, 1e-7)
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
    measure = {"ciou": ciou, "giou": giou, "iou": iou_matrix}[case.rule.get("overlap", "ciou")]
    overlap = measure(boxes[None], truth[:, None]).clamp(min=0) * inside
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


# ---- heads with anchors: yolov2, v3, v5 ----

def anchor_rows(case, maps, n):
    """Per map: raw [H,W,A,5+C] of a picture."""
    return [x[n].reshape(case.per_cell, 5 + case.classes, *x.shape[2:]).permute(2, 3, 0, 1) for x in maps]


def anchor_boxes(case, m, rows):
    """Boxes x1 y1 x2 y2 in pixels of [H,W,A,...] rows."""
    h, w = rows.shape[:2]
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    cell, anchor = torch.stack((x, y), -1)[:, :, None].double(), torch.tensor(case.anchors[m])
    p = torch.sigmoid(rows[..., :2])
    if case.kind == "yolov5":
        centre, size = 2 * p - 0.5, anchor * (2 * torch.sigmoid(rows[..., 2:4])) ** 2
    else:
        s = case.extra.get("scale_xy", 1)
        centre, size = s * p - (s - 1) / 2, anchor * torch.exp(rows[..., 2:4])
    centre = (cell + centre) * case.strides[m]
    return torch.cat((centre - size / 2, centre + size / 2), -1)


def box_loss_of(case):
    return {"ciou": ciou, "giou": giou}[case.rule.get("box_loss", "giou" if case.kind == "retinanet" else "ciou")]


# ---- yolov5 ----

def v5_matches(case, m, truth):
    """(truth, anchor, y, x) of a map, by the ratio of sides and the nearest borders."""
    h, w = case.sizes[m]
    for t, box in enumerate(truth.tolist()):
        gx, gy = (box[0] + box[2]) / 2 / case.strides[m], (box[1] + box[3]) / 2 / case.strides[m]
        for a, (aw, ah) in enumerate(case.anchors[m]):
            rw, rh = (box[2] - box[0]) / aw, (box[3] - box[1]) / ah
            if max(rw, 1 / rw, rh, 1 / rh) >= case.rule.get("ratio", 4):
                continue
            cells = [(gx, gy)]
            if gx % 1 < 0.5 and gx > 1:
                cells.append((gx - 0.5, gy))
            if gy % 1 < 0.5 and gy > 1:
                cells.append((gx, gy - 0.5))
            if (w - gx) % 1 < 0.5 and w - gx > 1:
                cells.append((gx + 0.5, gy))
            if (h - gy) % 1 < 0.5 and h - gy > 1:
                cells.append((gx, gy + 0.5))
            for x, y in cells:
                yield t, a, min(max(int(y), 0), h - 1), min(max(int(x), 0), w - 1)


def loss_v5(case, maps):
    rule, L, C = case.rule, len(maps), case.classes
    balance = [4.0, 1.0, 0.4] if L == 3 else [4.0, 1.0, 0.25, 0.06, 0.02]
    size = max(case.input_size()) / 640
    parts = [0.0, 0.0, 0.0]
    rows = [anchor_rows(case, maps, n) for n in range(case.n)]
    for m in range(L):
        boxes, objects, classes, count = 0.0, 0.0, 0.0, 0.0
        for n in range(case.n):
            if case.weight[n] <= 0:
                continue
            truth, cls = case.boxes(n)
            row = rows[n][m]
            decoded, want = anchor_boxes(case, m, row), torch.zeros(row.shape[:3])
            for t, a, y, x in v5_matches(case, m, truth):
                overlap = box_loss_of(case)(decoded[y, x, a], truth[t])
                boxes = boxes + case.weight[n] * (1 - overlap)
                want[y, x, a] = max(want[y, x, a].item(), overlap.item())
                target = smoothed(case, cls[t][None])[0]
                classes = classes + case.weight[n] * (binary(case, row[y, x, a, 5:], target) * case.class_weights()).mean()
                count += case.weight[n]
            objects = objects + case.weight[n] * binary(case, row[..., 4], want).mean()
        if count:
            parts[0] = parts[0] + boxes / count
            parts[2] = parts[2] + (classes / count if C > 1 else 0)
        parts[1] = parts[1] + balance[m] * objects / sum(w for w in case.weight if w > 0)
    return [rule.get("box", 0.05) * 3 / L * parts[0], rule.get("obj", 1.0) * size ** rule.get("size_power", 0) * 3 / L * parts[1],
            rule.get("cls", 0.5) * C / 80 * 3 / L * parts[2], 0.0]


# ---- yolov2, yolov3 ----

def shape_iou(a, b):
    inter = min(a[0], b[0]) * min(a[1], b[1])
    return inter / (a[0] * a[1] + b[0] * b[1] - inter)


def v3_matches(case, truth):
    """(truth, map, anchor, y, x)."""
    for t, box in enumerate(truth.tolist()):
        side = (box[2] - box[0], box[3] - box[1])
        overlap = {(m, a): shape_iou(side, shape) for m, s in enumerate(case.anchors) for a, shape in enumerate(s)}
        best = max(overlap, key=overlap.get)
        for m, a in overlap:
            if (m, a) == best or overlap[m, a] > case.rule.get("shape", 0.3 if case.kind == "yolov3" else 1):
                s = case.strides[m]
                yield t, m, a, int((box[1] + box[3]) / 2 / s), int((box[0] + box[2]) / 2 / s)


def v3_box_loss(case, m, a, y, x, row, decoded, box):
    if case.rule.get("box_loss", "ciou" if case.kind == "yolov3" else "paper") != "paper":
        return 1 - box_loss_of(case)(decoded, box)
    s, k = case.strides[m], case.extra.get("scale_xy", 1)
    place = torch.stack(((box[0] + box[2]) / 2 / s - x, (box[1] + box[3]) / 2 / s - y))
    place = ((place + (k - 1) / 2) / k).clamp(0, 1)
    side = torch.log((box[2:] - box[:2]) / torch.tensor(case.anchors[m][a]))
    xy = F.binary_cross_entropy_with_logits(row[:2], place, reduction="sum") if case.kind == "yolov3" \
        else ((torch.sigmoid(row[:2]) - place) ** 2).sum() / 2
    return xy + ((row[2:4] - side) ** 2).sum() / 2


def loss_v3(case, maps):
    rule, is_v2 = case.rule, case.kind == "yolov2"
    w, h = case.input_size()
    boxes, objects, classes = 0.0, 0.0, 0.0
    obj = rule.get("obj", 5.0 if is_v2 else 1.0)
    noobj = obj * rule.get("noobj", 0.2 if is_v2 else 1.0)
    for n in range(case.n):
        weight = max(case.weight[n], 0)
        truth, cls = case.boxes(n)
        rows = anchor_rows(case, maps, n)
        decoded = [anchor_boxes(case, m, r) for m, r in enumerate(rows)]
        want = [torch.zeros(r.shape[:3]) for r in rows]
        counts = [torch.full(r.shape[:3], noobj) for r in rows]
        for m, d in enumerate(decoded):
            if len(truth):
                best = iou_matrix(d.detach()[..., None, :], truth).amax(-1)
                counts[m][best > rule.get("ignore", 0.6 if is_v2 else 0.5)] = 0
        for t, m, a, y, x in v3_matches(case, truth):
            row, b = rows[m][y, x, a], truth[t]
            scale = rule.get("box", 2.0 if case.kind == "yolov3" else 1.0) * (2 - (b[2] - b[0]) * (b[3] - b[1]) / (w * h))
            boxes = boxes + weight * scale * v3_box_loss(case, m, a, y, x, row, decoded[m][y, x, a], b)
            overlap = (iou_matrix(decoded[m][y, x, a], b)).item()
            want[m][y, x, a] = max(want[m][y, x, a].item(), overlap) if is_v2 else 1
            counts[m][y, x, a] = obj
            if case.extra.get("softmax"):
                e = rule.get("label_smoothing", 0)
                term = case.class_weight[cls[t]] * F.cross_entropy(row[5:][None], cls[t][None], label_smoothing=e)
            else:
                term = (binary(case, row[5:], smoothed(case, cls[t][None])[0]) * case.class_weights()).sum()
            classes = classes + weight * rule.get("cls", 1.0) * term
        for m, r in enumerate(rows):
            error = (torch.sigmoid(r[..., 4]) - want[m]) ** 2 / 2 if is_v2 else binary(case, r[..., 4], want[m])
            objects = objects + weight * (counts[m] * error).sum()
    total = sum(w for w in case.weight if w > 0)
    return [boxes / total, objects / total, classes / total, 0.0]


# ---- yolov1 ----

def loss_v1(case, maps):
    rule, B = case.rule, case.per_cell
    h, w = case.sizes[0]
    terms = [0.0, 0.0, 0.0]
    coord, noobj = rule.get("box", 5.0), rule.get("noobj", 0.5)
    for n in range(case.n):
        weight = max(case.weight[n], 0)
        truth, cls = case.boxes(n)
        x = maps[0][n].permute(1, 2, 0)
        cells = {}
        for t, b in enumerate(truth.tolist()):
            cells.setdefault((int((b[1] + b[3]) / 2 * h), int((b[0] + b[2]) / 2 * w)), t)
        for i in range(h):
            for j in range(w):
                pred = x[i, j, : 5 * B].reshape(B, 5)
                conf = torch.zeros(B)
                factor = torch.full((B,), noobj)
                if (i, j) in cells:
                    t = cells[i, j]
                    b = truth[t]
                    centre = (pred[:, :2].detach() + torch.tensor([j, i])) / torch.tensor([w, h])
                    side = pred[:, 2:4].detach() ** 2
                    box = torch.cat((centre - side / 2, centre + side / 2), 1)
                    overlap = iou_matrix(box, b)
                    rms = ((centre - (b[:2] + b[2:]) / 2) ** 2 + (side - (b[2:] - b[:2])) ** 2).sum(1)
                    r = int(overlap.argmax()) if overlap.max() > 0 else int(rms.argmin())
                    place = (b[:2] + b[2:]) / 2 * torch.tensor([w, h]) - torch.tensor([j, i])
                    if rule.get("box_loss", "paper") == "paper":
                        error = ((pred[r, :2] - place) ** 2).sum() + ((pred[r, 2:4] - (b[2:] - b[:2]).sqrt()) ** 2).sum()
                    else:
                        c, s = (pred[r, :2] + torch.tensor([j, i])) / torch.tensor([w, h]), pred[r, 2:4] ** 2
                        error = 1 - box_loss_of(case)(torch.cat((c - s / 2, c + s / 2)), b)
                    terms[0] = terms[0] + weight * coord * error
                    conf[r], factor[r] = overlap[r], 1.0
                    error = (x[i, j, 5 * B:] - smoothed(case, cls[t][None])[0]) ** 2
                    terms[2] = terms[2] + weight * rule.get("cls", 1.0) * (error * case.class_weights()).sum()
                terms[1] = terms[1] + weight * rule.get("obj", 1.0) * (factor * (pred[:, 4] - conf) ** 2).sum()
    total = sum(w for w in case.weight if w > 0)
    return [t / total for t in terms] + [0.0]


# ---- retinanet ----

def loss_retinanet(case, maps):
    rule, A, C = case.rule, case.per_cell, case.classes
    box_sum = cls_sum = count = 0.0
    low, high = rule.get("match_low", 0.4), rule.get("match_high", 0.5)
    for n in range(case.n):
        weight = case.weight[n]
        if weight <= 0:
            continue
        anchors, deltas, logits = [], [], []
        for m, (h, w) in enumerate(case.sizes):
            y, x = torch.meshgrid(torch.arange(h) + 0.5, torch.arange(w) + 0.5, indexing="ij")
            centre = torch.stack((x, y), -1)[:, :, None] * case.strides[m]
            side = torch.tensor(case.anchors[m]).double()
            anchors.append(torch.cat((centre - side / 2, centre + side / 2), -1).reshape(-1, 4))
            row = maps[m][n].permute(1, 2, 0)
            deltas.append(row[..., : 4 * A].reshape(-1, 4))
            logits.append(row[..., 4 * A:].reshape(-1, C))
        anchor, delta, logit = torch.cat(anchors), torch.cat(deltas), torch.cat(logits)
        truth, cls = case.boxes(n)
        target, counts = torch.zeros(len(anchor), C), torch.ones(len(anchor))
        if len(truth):
            overlap = iou_matrix(truth[:, None], anchor[None])
            best, owner = overlap.max(0)
            hit = best >= high
            for row in overlap:
                if row.max() > 0:
                    hit |= (row >= row.max() * (1 - 1e-5))
            counts[(best >= low) & ~hit] = 0
            target[hit] = smoothed(case, cls[owner[hit]])
            a, t, d = anchor[hit], truth[owner[hit]], delta[hit]
            side, centre = a[:, 2:] - a[:, :2], (a[:, 2:] + a[:, :2]) / 2
            if rule.get("box_loss", "giou") == "paper":
                want = torch.cat((((t[:, 2:] + t[:, :2]) / 2 - centre) / side, torch.log((t[:, 2:] - t[:, :2]) / side)), 1)
                beta = rule.get("beta", 1 / 9)
                term = F.smooth_l1_loss(d, want, beta=beta, reduction="sum") if beta > 0 else (d - want).abs().sum()
            else:
                c, s = centre + d[:, :2] * side, side * torch.exp(d[:, 2:].clamp(max=math.log(1000 / 16)))
                term = (1 - box_loss_of(case)(torch.cat((c - s / 2, c + s / 2), 1), t)).sum()
            box_sum = box_sum + weight * term
            count += weight * hit.sum().item()
        cls_sum = cls_sum + weight * (binary(case, logit, target) * case.class_weights() * counts[:, None]).sum()
    norm = max(count, 1.0)
    return [rule.get("box", 2.0) * box_sum / norm, 0.0, rule.get("cls", 1.0) * cls_sum / norm, 0.0]


LOSSES = {"yolov1": loss_v1, "yolov2": loss_v3, "yolov3": loss_v3, "yolov5": loss_v5, "yolov8": loss_v8,
          "retinanet": loss_retinanet}


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
    yield make("small truths by IoU", 16, [some_boxes(8, 20, 2, 0.01, 0.05)], classes=2, rule={"overlap": "iou"})
    yield make("GIoU as overlap", 16, [some_boxes(8, 20, 2, 0.05, 0.5)], classes=2, rule={"overlap": "giou"})
    yield make("weights", 17, [some_boxes(9, 8, 3), some_boxes(10, 8, 3), some_boxes(11, 8, 3)],
               weight=[1.0, 0.0, 0.5], class_weight=[1.0, 2.0, 0.25])
    yield make("focal, smooth", 18, [some_boxes(12, 8, 3)],
               rule={"focal_gamma": 1.5, "focal_alpha": 0.25, "label_smoothing": 0.1})
    yield make("numbers", 19, [some_boxes(13, 20, 3)], bins=16,
               rule={"top_k": 3, "score_power": 1.0, "overlap_power": 2.0, "box": 2.0, "cls": 1.0, "dfl": 0.5})
    bad = some_boxes(14, 3, 3)
    yield make("rows that are no boxes", 20, [[[0.5, 0.5, 0.5, 0.75, 0], bad[0], [0.5, 0.25, 0.25, 0.75, 1], bad[1],
                                               [0.25, 0.25, 0.5, 0.5, 3], [0.25, 0.25, 0.5, 0.5, -1], bad[2]]])


def anchor_cases(kind, **more):
    """What yolov2, v3, v5 and retinanet have in common."""
    sizes, strides = [[8, 10], [4, 5], [2, 3]], [8, 16, 32]
    anchors = [[[6.0, 8.0], [12.0, 10.0]], [[14.0, 20.0], [26.0, 16.0]], [[32.0, 28.0], [50.0, 44.0]]]
    make = lambda name, seed, truths, classes=3, **k: Case(name, kind, classes, sizes, strides, seed, truths,
                                                           **{"anchors": anchors, **more, **k})
    yield make("no truth", 31, [[], []])
    yield make("one truth", 32, [some_boxes(21, 1, 3), []])
    yield make("many truths", 33, [some_boxes(22, 30, 3), some_boxes(23, 17, 3), some_boxes(24, 1, 3)])
    yield make("one class", 34, [some_boxes(25, 9, 1), some_boxes(26, 12, 1, 0.3, 0.9)], classes=1)
    yield make("many classes", 35, [some_boxes(27, 12, 40)], classes=40)
    yield make("small truths", 36, [some_boxes(28, 20, 2, 0.01, 0.05)], classes=2)
    yield make("weights", 37, [some_boxes(29, 8, 3), some_boxes(30, 8, 3), some_boxes(31, 8, 3)],
               weight=[1.0, 0.0, 0.5], class_weight=[1.0, 2.0, 0.25])
    if kind != "yolov2":
        yield make("focal, smooth", 38, [some_boxes(32, 8, 3)],
                   rule={"focal_gamma": 1.5, "focal_alpha": 0.75, "label_smoothing": 0.1})
    if kind == "yolov2":
        yield make("smooth, binary classes", 38, [some_boxes(32, 8, 3)], softmax=False,
                   rule={"label_smoothing": 0.1, "box": 2.0, "obj": 3.0, "noobj": 0.5, "cls": 0.25})
        yield make("smooth softmax", 38, [some_boxes(32, 8, 3)], rule={"label_smoothing": 0.1})
    if kind in ("yolov2", "yolov3"):
        yield make("other box term", 39, [some_boxes(33, 8, 3)],
                   rule={"box_loss": "paper" if kind == "yolov3" else "giou", "ignore": 0.2})
        yield make("more anchors", 40, [some_boxes(34, 12, 3)], rule={"shape": 0.2})
        yield make("best anchor", 47, [some_boxes(40, 12, 3)], rule={"shape": 1})
    if kind == "yolov3":
        yield make("scale_xy", 41, [some_boxes(35, 12, 3)], scale_xy=1.125)
        yield make("scale_xy, paper", 42, [some_boxes(35, 12, 3)], scale_xy=1.125, rule={"box_loss": "paper"})
    if kind == "retinanet":
        yield make("smooth L1", 43, [some_boxes(36, 12, 3)], rule={"box_loss": "paper", "box": 1.5})
        yield make("ciou", 43, [some_boxes(36, 12, 3)], rule={"box_loss": "ciou"})
        yield make("L1, other thresholds", 44, [some_boxes(37, 12, 3)],
                   rule={"box_loss": "paper", "beta": 0.0, "match_low": 0.2, "match_high": 0.3})
    if kind == "yolov5":
        yield make("giou, other ratio", 45, [some_boxes(38, 12, 3)], rule={"box_loss": "giou", "ratio": 2.0})
        yield make("published objectness", 46, [some_boxes(39, 12, 3)], rule={"size_power": 2})
        yield Case("two maps", kind, 3, sizes[:2], strides[:2], 46, [some_boxes(39, 12, 3)], anchors=anchors[:2])


def v1_cases():
    make = lambda name, seed, truths, classes=3, **k: Case(name, "yolov1", classes, [[4, 6]], [0], seed, truths,
                                                           **{"per_cell": 2, "scale": 0.6, "bias": 0.4, **k})
    yield make("no truth", 51, [[], []])
    yield make("one truth", 52, [some_boxes(41, 1, 3), []])
    yield make("many truths", 53, [some_boxes(42, 30, 3), some_boxes(43, 17, 3), some_boxes(44, 1, 3)])
    yield make("one class", 54, [some_boxes(45, 9, 1)], classes=1, per_cell=3)
    yield make("many classes", 55, [some_boxes(46, 12, 40)], classes=40)
    yield make("far away", 56, [some_boxes(47, 20, 2, 0.01, 0.03)], classes=2, scale=3.0)
    yield make("weights", 57, [some_boxes(48, 8, 3), some_boxes(49, 8, 3), some_boxes(50, 8, 3)],
               weight=[1.0, 0.0, 0.5], class_weight=[1.0, 2.0, 0.25])
    yield make("ciou", 59, [some_boxes(52, 12, 3)], rule={"box_loss": "ciou"})
    yield make("numbers, smooth", 58, [some_boxes(51, 8, 3)],
               rule={"box": 1.0, "obj": 2.0, "noobj": 0.25, "cls": 0.5, "label_smoothing": 0.1})


def main():
    kinds = {"yolov1": v1_cases(), "yolov2": anchor_cases("yolov2", scale=1.5, softmax=True),
             "yolov3": anchor_cases("yolov3", scale=1.5), "yolov5": anchor_cases("yolov5", scale=1.5),
             "yolov8": v8_cases(), "retinanet": anchor_cases("retinanet", scale=1.0, bias=-0.5)}
    for kind, cases in kinds.items():
        text = "# Written by tests/oracle/detector_loss.py with PyTorch; see there.\n"
        text += "\n".join(describe(c) for c in cases) + "\n"
        golden.leave(f"detector_loss_{kind}.txt", text, 1e-9, 1e-12)
    golden.end()


if __name__ == "__main__":
    main()
