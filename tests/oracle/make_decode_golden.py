#!/usr/bin/env python3
"""Writes tests/golden/detect_decode.txt: random raw maps of every kind of detector, and their boxes and scores as PyTorch computes them.

Needs torch and torchvision: python3 tests/oracle/make_decode_golden.py [--check]
The formulas are written on whole tensors, as the papers and released heads have them, and share nothing with Gannet's code; RetinaNet's
boxes come from torchvision's own BoxCoder.
SPDX-License-Identifier: Apache-2.0
"""
import json

import torch
from torchvision.models.detection._utils import BoxCoder

import golden

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)


def grid(height, width):
    """[H,W,2]: x and y of each cell."""
    y, x = torch.meshgrid(torch.arange(height).double(), torch.arange(width).double(), indexing="ij")
    return torch.stack((x, y), -1)


def corners(centre, size):
    return torch.cat((centre - size / 2, centre + size / 2), -1)


def yolov1(d, raw, m, input_size):
    _, _, height, width = raw.shape
    B, C = d["anchors"], d["classes"]
    cell = raw[0].permute(1, 2, 0)
    slots = cell[..., :5 * B].reshape(height, width, B, 5)
    share = torch.tensor([1 / width, 1 / height])
    whole = torch.tensor(input_size).double()
    centre = (slots[..., :2] + grid(height, width)[:, :, None]) * share * whole
    size = slots[..., 2:4].square() * whole
    score = slots[..., 4:].clamp(min=0) * cell[:, :, None, 5 * B:5 * B + C].clamp(min=0)
    return corners(centre, size).reshape(-1, 4), score.clamp(max=1).reshape(-1, C)


def anchored(d, raw, m, input_size):
    _, _, height, width = raw.shape
    A, C, stride = d["anchors"], d["classes"], d["strides"][m]
    anchors = torch.tensor(d["anchor"]).reshape(-1, A, 2)[m]
    p = raw[0].reshape(A, 5 + C, height, width).permute(2, 3, 0, 1)
    xy, wh, objectness, classes = p[..., :2], p[..., 2:4], p[..., 4:5], p[..., 5:]
    cells = grid(height, width)[:, :, None]
    if d["kind"] == "yolov5":
        centre, size = (xy.sigmoid() * 2 - 0.5 + cells) * stride, (wh.sigmoid() * 2) ** 2 * anchors
    else:
        s = d.get("scale_xy", 1)
        centre, size = (xy.sigmoid() * s - (s - 1) / 2 + cells) * stride, wh.exp() * anchors
    classes = classes.softmax(-1) if d.get("softmax") else classes.sigmoid()
    return corners(centre, size).reshape(-1, 4), (objectness.sigmoid() * classes).reshape(-1, C)


def yolov8(d, raw, m, input_size):
    _, _, height, width = raw.shape
    R, C, stride = d["bins"], d["classes"], d["strides"][m]
    flat = raw[0].reshape(4 * R + C, -1)
    distance = torch.einsum("srn,r->ns", flat[:4 * R].reshape(4, R, -1).softmax(1), torch.arange(R).double())
    centre = (grid(height, width) + 0.5).reshape(-1, 2)
    boxes = torch.cat((centre - distance[:, :2], centre + distance[:, 2:]), 1) * stride
    return boxes, flat[4 * R:].sigmoid().T


def retinanet(d, raw, m, input_size):
    _, _, height, width = raw.shape
    A, C, stride = d["anchors"], d["classes"], d["strides"][m]
    sizes = torch.tensor(d["anchor"]).reshape(-1, A, 2)[m]
    centre = ((grid(height, width) + 0.5) * stride)[:, :, None]
    anchors = corners(centre, sizes.expand(height, width, A, 2)).reshape(-1, 4)
    deltas = raw[0, :4 * A].reshape(A, 4, height, width).permute(2, 3, 0, 1).reshape(-1, 4)
    boxes = BoxCoder((1.0, 1.0, 1.0, 1.0)).decode_single(deltas, anchors)
    return boxes, raw[0, 4 * A:].reshape(A, C, height, width).permute(2, 3, 0, 1).sigmoid().reshape(-1, C)


KINDS = {"yolov1": yolov1, "yolov2": anchored, "yolov3": anchored, "yolov5": anchored, "yolov8": yolov8,
         "retinanet": retinanet}


def detector(kind, classes, strides, anchors, generator, **more):
    d = {"kind": kind, "classes": classes, "strides": strides, "anchors": anchors}
    if kind not in ("yolov1", "yolov8"):
        sizes = torch.randint(8, 400, (len(strides) * anchors * 2,), generator=generator) / 4
        d["anchor"] = [round(x, 2) for x in sizes.tolist()]
    d.update(more)
    return d


def channels(d):
    A, C = d["anchors"], d["classes"]
    return {"yolov1": 5 * A + C, "yolov8": 4 * d.get("bins", 0) + C, "retinanet": A * (4 + C)}.get(d["kind"], A * (5 + C))


def case(name, d, sizes, input_size, generator):
    lines = [f"case {name} {input_size[0]} {input_size[1]}", json.dumps(d, separators=(",", ":"))]
    boxes, scores = [], []
    for m, (height, width) in enumerate(sizes):
        raw = torch.randn((1, channels(d), height, width), generator=generator) * 1.5
        if d["kind"] == "retinanet":
            raw[0, 2, 0, 0] = 9.0  # beyond the limit of growth
        raw = (raw * 1024).round() / 1024  # single precision holds them
        lines.append(f"map {height} {width} " + " ".join(f"{x:.10g}" for x in raw.flatten().tolist()))
        b, s = KINDS[d["kind"]](d, raw, m, input_size)
        boxes.append(b)
        scores.append(s)
    lines.append("boxes " + " ".join(f"{x:.9g}" for x in torch.cat(boxes).flatten().tolist()))
    lines.append("scores " + " ".join(f"{x:.9g}" for x in torch.cat(scores).flatten().tolist()))
    return lines


def main():
    g = torch.Generator().manual_seed(4)
    lines = ["# Written by tests/oracle/make_decode_golden.py with torch and torchvision; see there."]
    lines += case("yolov1", detector("yolov1", 3, [0], 2, g), [(3, 4)], (96, 60), g)
    lines += case("yolov2", detector("yolov2", 4, [32], 3, g, softmax=True), [(2, 3)], (96, 64), g)
    lines += case("yolov2_logistic", detector("yolov2", 2, [16], 2, g), [(2, 3)], (48, 32), g)
    lines += case("yolov3", detector("yolov3", 3, [16, 32], 3, g), [(4, 2), (2, 1)], (32, 64), g)
    lines += case("yolov3_scaled", detector("yolov3", 1, [8, 16], 2, g, scale_xy=1.0625), [(2, 4), (1, 2)], (32, 16), g)
    lines += case("yolov5", detector("yolov5", 2, [8, 16, 32], 3, g), [(4, 8), (2, 4), (1, 2)], (64, 32), g)
    lines += case("yolov8", detector("yolov8", 3, [8, 16], 1, g, bins=16), [(2, 4), (1, 2)], (32, 16), g)
    lines += case("yolov8_short", detector("yolov8", 1, [8], 1, g, bins=4), [(3, 3)], (24, 24), g)
    lines += case("retinanet", detector("retinanet", 3, [8, 16], 2, g), [(2, 4), (1, 2)], (32, 16), g)
    golden.leave("detect_decode.txt", "\n".join(lines) + "\n", relative=1e-7, absolute=1e-9)
    golden.end()


main()
