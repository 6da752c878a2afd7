"""The detectors of the zoo in PyTorch, written from the papers, figures and configuration files, by the names of the zoo; they end in raw
maps (src/detect/detector.h says how these are laid out).

SPDX-License-Identifier: Apache-2.0
"""
import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import zoo_torch

ALL = [
    "yolov1", "yolov1_fast", "yolov1_tiny", "yolov1_half", "yolov2", "yolov2_tiny", "yolov3", "yolov3_tiny", "yolov5n", "yolov5s",
    "yolov5m", "yolov5l", "yolov5x", "yolov8n", "yolov8s", "yolov8m", "yolov8l", "yolov8x", "retinanet_mobilenet_v2",
]
PUBLISHED_PX = {"yolov1": 448, "yolov1_fast": 448, "yolov1_tiny": 448, "yolov1_half": 224, "retinanet_mobilenet_v2": 320}


def published_px(name):
    return PUBLISHED_PX.get(name, 416 if name[:6] in ("yolov2", "yolov3") else 640)


def to_eights(x):
    """The nearest multiple of 8, not more than a tenth below."""
    y = max(8, int(x + 4) // 8 * 8)
    return y + 8 if y < 0.9 * x else y


# ---- YOLOv5 and YOLOv8 ----

class Conv(nn.Module):
    def __init__(self, i, k, size=1, stride=1, pad=None):
        super().__init__()
        self.conv = nn.Conv2d(i, k, size, stride, size // 2 if pad is None else pad, bias=False)
        self.bn = nn.BatchNorm2d(k, eps=1e-3, momentum=0.03)

    def forward(self, x):
        return F.silu(self.bn(self.conv(x)))


class Bottleneck(nn.Module):
    def __init__(self, c, first, shortcut):
        super().__init__()
        self.cv1, self.cv2, self.shortcut = Conv(c, c, first), Conv(c, c, 3), shortcut

    def forward(self, x):
        y = self.cv2(self.cv1(x))
        return x + y if self.shortcut else y


class C2f(nn.Module):
    def __init__(self, i, k, n, shortcut):
        super().__init__()
        self.cv1, self.cv2 = Conv(i, k), Conv(k // 2 * (2 + n), k)
        self.m = nn.ModuleList(Bottleneck(k // 2, 3, shortcut) for _ in range(n))

    def forward(self, x):
        parts = list(self.cv1(x).chunk(2, 1))
        for m in self.m:
            parts.append(m(parts[-1]))
        return self.cv2(torch.cat(parts, 1))


class C3(nn.Module):
    def __init__(self, i, k, n, shortcut):
        super().__init__()
        self.cv1, self.cv2, self.cv3 = Conv(i, k // 2), Conv(i, k // 2), Conv(k, k)
        self.m = nn.Sequential(*(Bottleneck(k // 2, 1, shortcut) for _ in range(n)))

    def forward(self, x):
        return self.cv3(torch.cat([self.m(self.cv1(x)), self.cv2(x)], 1))


class SPPF(nn.Module):
    def __init__(self, i, k):
        super().__init__()
        self.cv1, self.cv2 = Conv(i, i // 2), Conv(2 * i, k)

    def forward(self, x):
        parts = [self.cv1(x)]
        for _ in range(3):
            parts.append(F.max_pool2d(parts[-1], 5, 1, 2))
        return self.cv2(torch.cat(parts, 1))


class Numbered(nn.Module):
    """Modules at model.<number>."""

    def __init__(self, modules):
        super().__init__()
        self.model = nn.ModuleDict({str(i): m for i, m in modules.items()})

    def at(self, i, x):
        return self.model[str(i)](x)


def double(x):
    return F.interpolate(x, scale_factor=2, mode="nearest")


SCALES = {"n": (0.33, 0.25), "s": (0.33, 0.50), "m": (0.67, 0.75), "l": (1.0, 1.0), "x": (1.33, 1.25)}


class YoloV5(Numbered):
    def __init__(self, member, width, classes):
        depth, w = SCALES[member]
        c = lambda k: math.ceil(k * w * width / 8 - 1e-6) * 8
        n = lambda k: max(round(k * depth), 1)
        a, b, d, e, f = c(64), c(128), c(256), c(512), c(1024)
        super().__init__({
            0: Conv(3, a, 6, 2, 2), 1: Conv(a, b, 3, 2), 2: C3(b, b, n(3), True), 3: Conv(b, d, 3, 2), 4: C3(d, d, n(6), True),
            5: Conv(d, e, 3, 2), 6: C3(e, e, n(9), True), 7: Conv(e, f, 3, 2), 8: C3(f, f, n(3), True), 9: SPPF(f, f),
            10: Conv(f, e), 13: C3(2 * e, e, n(3), False), 14: Conv(e, d), 17: C3(2 * d, d, n(3), False), 18: Conv(d, d, 3, 2),
            20: C3(2 * d, e, n(3), False), 21: Conv(e, e, 3, 2), 23: C3(2 * e, f, n(3), False)})
        self.model["24"] = nn.Module()
        self.model["24"].m = nn.ModuleList(nn.Conv2d(k, 3 * (5 + classes), 1) for k in (d, e, f))

    def forward(self, x):
        for i in range(5):
            x = self.at(i, x)
        at8 = x
        at16 = x = self.at(6, self.at(5, x))
        low = self.at(10, self.at(9, self.at(8, self.at(7, x))))
        middle = self.at(14, self.at(13, torch.cat([double(low), at16], 1)))
        maps = [self.at(17, torch.cat([double(middle), at8], 1))]
        maps.append(self.at(20, torch.cat([self.at(18, maps[0]), middle], 1)))
        maps.append(self.at(23, torch.cat([self.at(21, maps[1]), low], 1)))
        return [m(x) for m, x in zip(self.model["24"].m, maps)]


class YoloV8(Numbered):
    def __init__(self, member, width, classes):
        depth, w = SCALES[member]
        depth = min(depth, 1.0)
        most = {"m": 768, "l": 512, "x": 512}.get(member, 1024)
        c = lambda k: math.ceil(min(k, most) * w * width / 8 - 1e-6) * 8
        n = lambda k: max(round(k * depth), 1)
        a, b, d, e, f = c(64), c(128), c(256), c(512), c(1024)
        super().__init__({
            0: Conv(3, a, 3, 2), 1: Conv(a, b, 3, 2), 2: C2f(b, b, n(3), True), 3: Conv(b, d, 3, 2), 4: C2f(d, d, n(6), True),
            5: Conv(d, e, 3, 2), 6: C2f(e, e, n(6), True), 7: Conv(e, f, 3, 2), 8: C2f(f, f, n(3), True), 9: SPPF(f, f),
            12: C2f(e + f, e, n(3), False), 15: C2f(d + e, d, n(3), False), 16: Conv(d, d, 3, 2),
            18: C2f(d + e, e, n(3), False), 19: Conv(e, e, 3, 2), 21: C2f(e + f, f, n(3), False)})
        boxes, kinds = max(16, d // 4, 64), max(d, min(classes, 100))
        branch = lambda i, hidden, k: nn.Sequential(Conv(i, hidden, 3), Conv(hidden, hidden, 3), nn.Conv2d(hidden, k, 1))
        self.model["22"] = nn.Module()
        self.model["22"].cv2 = nn.ModuleList(branch(k, boxes, 64) for k in (d, e, f))
        self.model["22"].cv3 = nn.ModuleList(branch(k, kinds, classes) for k in (d, e, f))

    def forward(self, x):
        for i in range(5):
            x = self.at(i, x)
        at8 = x
        at16 = x = self.at(6, self.at(5, x))
        low = self.at(9, self.at(8, self.at(7, x)))
        middle = self.at(12, torch.cat([double(low), at16], 1))
        maps = [self.at(15, torch.cat([double(middle), at8], 1))]
        maps.append(self.at(18, torch.cat([self.at(16, maps[0]), middle], 1)))
        maps.append(self.at(21, torch.cat([self.at(19, maps[1]), low], 1)))
        head = self.model["22"]
        return [torch.cat([p(x), q(x)], 1) for p, q, x in zip(head.cv2, head.cv3, maps)]


# ---- Darknet's ----

class Dark(nn.Module):
    def __init__(self, i, k, size, stride=1, norm=True):
        super().__init__()
        self.conv = nn.Conv2d(i, k, size, stride, size // 2, bias=not norm)
        self.bn = nn.BatchNorm2d(k, momentum=0.03) if norm else None

    def forward(self, x):
        x = self.conv(x)
        return F.leaky_relu(self.bn(x) if self.bn else x, 0.1)


class Layers(nn.Module):
    """Modules at layers.<number>."""

    def __init__(self, width):
        super().__init__()
        self.layers, self.width = nn.ModuleDict(), width

    def add(self, number, i, k, size, stride=1, norm=True):
        k = to_eights(k * self.width)
        self.layers[str(number)] = Dark(i, k, size, stride, norm)
        return k

    def output(self, number, i, k):
        self.layers[str(number)] = nn.Module()
        self.layers[str(number)].conv = nn.Conv2d(i, k, 1)

    def at(self, number, x):
        layer = self.layers[str(number)]
        return layer(x) if isinstance(layer, Dark) else layer.conv(x)

    def through(self, first, last, x):
        for number in range(first, last + 1):
            x = self.at(number, x)
        return x


class YoloV3(Layers):
    REPEATS = (1, 2, 8, 8, 4)

    def __init__(self, width, classes):
        super().__init__(width)
        c, number = self.add(0, 3, 32, 3), 1
        for stage, n in enumerate(self.REPEATS):
            k = 64 << stage
            c = self.add(number, c, k, 3, 2)
            number += 1
            for _ in range(n):
                self.add(number, c, k // 2, 1)
                self.add(number + 1, to_eights(k // 2 * width), k, 3)
                number += 3
        fine = {87: to_eights(512 * width), 99: to_eights(256 * width)}
        for first, k in ((75, 512), (87, 256), (99, 128)):
            if first != 75:
                c = self.add(first - 3, c, k, 1) + fine[first]
            for j in range(6):
                before, c = c, self.add(first + j, c, k if j % 2 == 0 else 2 * k, 1 if j % 2 == 0 else 3)
            self.output(first + 6, c, 3 * (5 + classes))
            c = before

    def forward(self, x):
        x, number, kept = self.at(0, x), 1, []
        for n in self.REPEATS:
            x = self.at(number, x)
            number += 1
            for _ in range(n):
                x = x + self.through(number, number + 1, x)
                number += 3
            kept.append(x)
        raw = []
        for first, fine in ((75, None), (87, kept[3]), (99, kept[2])):
            if fine is not None:
                x = torch.cat([double(self.at(first - 3, x)), fine], 1)
            x = self.through(first, first + 4, x)
            raw.insert(0, self.through(first + 5, first + 6, x))
        return raw


def keep_size(x):
    """2x2 at stride 1, with one row and one column more."""
    return F.max_pool2d(F.pad(x, (0, 1, 0, 1), value=-math.inf), 2, 1)


class YoloV3Tiny(Layers):
    def __init__(self, width, classes):
        super().__init__(width)
        c = 3
        for k in range(6):
            c = self.add(2 * k, c, 16 << k, 3)
        c = self.add(13, self.add(12, c, 1024, 3), 256, 1)
        self.output(15, self.add(14, c, 512, 3), 3 * (5 + classes))
        c = self.add(18, c, 128, 1) + to_eights(256 * width)
        self.output(22, self.add(21, c, 256, 3), 3 * (5 + classes))

    def forward(self, x):
        for k in range(6):
            x = self.at(2 * k, x)
            if k == 4:
                fine = x
            x = F.max_pool2d(x, 2) if k < 5 else keep_size(x)
        x = self.through(12, 13, x)
        return [self.through(21, 22, torch.cat([double(self.at(18, x)), fine], 1)), self.through(14, 15, x)]


class YoloV2(Layers):
    STAGES = ((32, 1), (64, 1), (128, 3), (256, 3), (512, 5), (1024, 5))

    def __init__(self, width, classes):
        super().__init__(width)
        c, number = 3, 0
        for k, n in self.STAGES:
            for j in range(n):
                c = self.add(number, c, k if j % 2 == 0 else k // 2, 3 if j % 2 == 0 else 1)
                number += 1
            number += 1
        c = self.add(24, self.add(23, c, 1024, 3), 1024, 3)
        c += 4 * self.add(26, to_eights(512 * width), 64, 1)
        self.output(30, self.add(29, c, 1024, 3), 5 * (5 + classes))

    def forward(self, x):
        number = 0
        for k, n in self.STAGES:
            x = self.through(number, number + n - 1, x)
            number += n + 1
            if k == 512:
                fine = self.at(26, x)
            if k < 1024:
                x = F.max_pool2d(x, 2)
        # a block's four pixels, one after the other, each with all channels
        fine = torch.cat([fine[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)], 1)
        return [self.through(29, 30, torch.cat([fine, self.through(23, 24, x)], 1))]


class YoloV2Tiny(Layers):
    def __init__(self, width, classes):
        super().__init__(width)
        c = 3
        for k in range(6):
            c = self.add(2 * k, c, 16 << k, 3)
        self.output(14, self.add(13, self.add(12, c, 1024, 3), 512, 3), 5 * (5 + classes))

    def forward(self, x):
        for k in range(6):
            x = self.at(2 * k, x)
            x = F.max_pool2d(x, 2) if k < 5 else keep_size(x)
        return [self.through(12, 14, x)]


# Filters and size; M: 2x2 pooling; 2: this convolution has a stride of 2; -: only for pictures above 320 px.
V1 = {
    "yolov1": (False, (4096,), "64x7:2 M 192x3 M 128x1 256x3 256x1 512x3 M " + "256x1 512x3 " * 4 + "512x1 1024x3 M "
               + "512x1 1024x3 " * 2 + "1024x3 1024x3:-2 1024x3 1024x3"),
    "yolov1_fast": (False, (256, 4096), "16x3 M 32x3 M 64x3 M 128x3 M 256x3 M 512x3 -M 1024x3 1024x3 1024x3"),
    "yolov1_tiny": (True, (), "16x3 M 32x3 M 64x3 M 128x3 M 256x3 M 512x3 -M 1024x3 256x3"),
    "yolov1_half": (True, (512,), "32x7:2 M 96x3 M 64x1 128x3 128x1 256x3 M 128x1 256x3 256x1 512x3 M 256x1 512x3 512x3 512x3:-2 512x3"),
}


class YoloV1(Layers):
    def __init__(self, name, width, classes, size):
        super().__init__(width)
        norm, hidden, rows = V1[name]
        is_large, c, stride, number, self.steps = max(size) > 320, 3, 1, 0, []
        for row in rows.split():
            halves = is_large or "-" not in row
            if row.endswith("M"):
                self.steps.append(None if halves else 0)
                stride *= 2 if halves else 1
            else:
                shape, _, by = row.partition(":")
                k, _, window = shape.partition("x")
                step = 2 if by and halves else 1
                c = self.add(number, c, int(k), int(window), step, norm)
                stride *= step
                self.steps.append(str(number))
            number += 1
        self.cells, self.K, self.linears = (size[1] // stride, size[0] // stride), 10 + classes, []
        n = c * self.cells[0] * self.cells[1]
        for i, k in enumerate(hidden):
            k = to_eights(k * width)
            layer = self.layers[str(number)] = nn.Module()
            layer.linear = nn.Linear(n, k)
            self.linears.append((str(number), i > 0 or len(hidden) == 1))
            n, number = k, number + 1
        self.head = nn.Linear(n, self.K * self.cells[0] * self.cells[1])

    def forward(self, x):
        for step in self.steps:
            if step != 0:
                x = F.max_pool2d(x, 2) if step is None else self.layers[step](x)
        x = x.flatten(1)
        for number, is_bent in self.linears:
            x = self.layers[number].linear(x)
            x = F.leaky_relu(x, 0.1) if is_bent else x
        return [self.head(x).reshape(-1, self.K, *self.cells)]


# ---- RetinaNet ----

class ConvNorm(nn.Module):
    def __init__(self, i, k, size, stride=1):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(i, k, size, stride, size // 2, bias=False), nn.BatchNorm2d(k)

    def forward(self, x):
        return self.bn(self.conv(x))


class SharedConv(nn.Module):
    def __init__(self, c, levels):
        super().__init__()
        self.conv = nn.Conv2d(c, c, 3, 1, 1, bias=False)
        self.bn = nn.ModuleList(nn.BatchNorm2d(c) for _ in range(levels))

    def forward(self, x, level):
        return F.relu(self.bn[level](self.conv(x)))


class Subnet(nn.Module):
    def __init__(self, c, n, k):
        super().__init__()
        for i in range(n):
            self.add_module(str(i), SharedConv(c, 5))
        self.n, self.output = n, nn.Conv2d(c, k, 3, 1, 1)

    def forward(self, x, level):
        for i in range(self.n):
            x = getattr(self, str(i))(x, level)
        return self.output(x)


def last_at_strides(net, features, x):
    """The last map at each of the strides 8, 16 and 32 that `features`, a list of modules, gives."""
    size, maps = x.shape[-1], {}
    for module in features:
        x = module(x)
        stride = 2 ** round(math.log2(size / x.shape[-1]))
        maps[stride] = x
    while 32 not in maps:
        deepest = max(maps)
        maps[2 * deepest] = F.max_pool2d(maps[deepest], 2, 2, ceil_mode=True)
    return [maps[s] for s in (8, 16, 32)]


def stretch(x, size):
    """Nearest pixels; where the size is no whole multiple, a hundredth of a pixel is on top."""
    for axis, n in ((2, size[0]), (3, size[1])):
        m = x.shape[axis]
        scale = n / m if n % m == 0 else float(np.float32((n + 0.01) / m))
        x = x.index_select(axis, torch.tensor([int(i / scale) for i in range(n)]))
    return x


class RetinaNet(nn.Module):
    def __init__(self, backbone, classes):
        super().__init__()
        net = zoo_torch.make(backbone)
        if backbone.startswith("resnet18"):
            for name in ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4"):
                self.add_module(name, getattr(net, name))
            stem = nn.Sequential(self.conv1, self.bn1, nn.ReLU(), nn.MaxPool2d(3, 2, 1))
            self.parts = [stem, self.layer1, self.layer2, self.layer3, self.layer4]
        else:
            self.features = net.features
            self.parts = list(self.features)
        net.eval()
        with torch.no_grad():
            channels = [m.shape[1] for m in last_at_strides(self, [p.eval() for p in self.parts], torch.zeros(1, 3, 256, 256))]
        c = min(256, max(64, (channels[1] // 4 + 4) // 8 * 8))
        n = 2 if c < 128 else 4
        self.fpn = nn.Module()
        self.fpn.lateral = nn.ModuleList(ConvNorm(k, c, 1) for k in channels)
        self.fpn.output = nn.ModuleList([ConvNorm(c, c, 3) for _ in range(3)] + [ConvNorm(c, c, 3, 2) for _ in range(2)])
        self.head = nn.ModuleDict({"box": Subnet(c, n, 36), "class": Subnet(c, n, 9 * classes)})

    def forward(self, x):
        laterals = [f(m) for f, m in zip(self.fpn.lateral, last_at_strides(self, self.parts, x))]
        for i in (1, 0):
            laterals[i] = laterals[i] + stretch(laterals[i + 1], laterals[i].shape[-2:])
        levels = [self.fpn.output[i](laterals[i]) for i in range(3)]
        levels.append(self.fpn.output[3](levels[2]))
        levels.append(self.fpn.output[4](F.relu(levels[3])))
        return [torch.cat([self.head["box"](x, i), self.head["class"](x, i)], 1) for i, x in enumerate(levels)]


def make(name, classes, size):
    """size: width and height of the picture, which YOLOv1 has to know."""
    base, _, width = name.partition("@")
    scale = float(width or 1)
    if base.startswith("retinanet_"):
        return RetinaNet(name[len("retinanet_"):], classes)
    if base.startswith("yolov1"):
        return YoloV1(base, scale, classes, size)
    if base.startswith(("yolov5", "yolov8")):
        return (YoloV5 if base[5] == "5" else YoloV8)(base[6], scale, classes)
    return {"yolov2": YoloV2, "yolov2_tiny": YoloV2Tiny, "yolov3": YoloV3, "yolov3_tiny": YoloV3Tiny}[base](scale, classes)
