"""Darknet's networks a second time, in PyTorch, from its source code's point of view: reads .cfg and .weights and computes every layer.

SPDX-License-Identifier: Apache-2.0
"""
import numpy as np
import torch
import torch.nn.functional as F

ACTIVATIONS = {
    "linear": lambda x: x, "relu": torch.relu, "relu6": lambda x: x.clamp(0, 6), "leaky": lambda x: torch.where(x > 0, x, 0.1 * x),
    "relie": lambda x: torch.where(x > 0, x, 0.01 * x), "ramp": lambda x: x * (x > 0) + 0.1 * x, "logistic": torch.sigmoid,
    "loggy": lambda x: 2 / (1 + torch.exp(-x)) - 1, "tanh": torch.tanh, "elu": F.elu, "selu": F.selu, "swish": lambda x: x * torch.sigmoid(x),
    "mish": lambda x: x * torch.tanh(torch.log1p(torch.exp(x))), "hardtan": lambda x: x.clamp(-1, 1),
    "lhtan": lambda x: torch.where(x < 0, 0.001 * x, torch.where(x > 1, 0.001 * (x - 1) + 1, x)),
    "plse": lambda x: torch.where(x < -4, 0.01 * (x + 4), torch.where(x > 4, 0.01 * (x - 4) + 1, 0.125 * x + 0.5)),
}
DETECTION = ("yolo", "region", "detection")


def sections(text):
    out = []
    for line in text.splitlines():
        line = "".join(line.split("#")[0].split())
        if not line or line[0] in ";#":
            continue
        if line[0] == "[":
            out.append((line[1:-1], {}))
        else:
            key, value = line.split("=", 1)
            out[-1][1][key] = value
    return out


class Numbers:
    """The .weights file, read (values given) or made up: small random numbers in the order in which Darknet would read them."""

    def __init__(self, values=None, seed=0):
        self.values, self.at, self.made = values, 0, []
        self.rng = np.random.default_rng(seed)

    def take(self, kind, *shape):
        n = int(np.prod(shape))
        if self.values is None:
            x = self.rng.standard_normal(n).astype(np.float32)
            if kind == "matrix":
                x *= np.float32(np.sqrt(2 / max(1, n // shape[0])))
            elif kind == "positive":
                x = np.abs(x) + np.float32(0.5)
            else:
                x *= np.float32(0.2)
            self.made.append(x)
        else:
            x = self.values[self.at:self.at + n]
        self.at += n
        return torch.from_numpy(np.array(x, dtype=np.float32).reshape(shape))


def norm(x, scale, mean, variance, bias):
    shape = (1, -1) + (1,) * (x.dim() - 2)
    return (x - mean.view(shape)) / torch.sqrt(variance.view(shape) + 1e-5) * scale.view(shape) + bias.view(shape)


def take_norm(numbers, n):
    scale, mean = numbers.take("positive", n), numbers.take("shift", n)
    return scale, mean, numbers.take("positive", n)


def convolutional(x, o, numbers):
    n, size, groups = int(o.get("filters", 1)), int(o.get("size", 1)), int(o.get("groups", 1))
    pad = size // 2 if int(o.get("pad", 0)) else int(o.get("padding", 0))
    dilation = int(o.get("dilation", 1))
    bias = numbers.take("shift", n)
    bn = take_norm(numbers, n) if int(o.get("batch_normalize", 0)) else None
    weight = numbers.take("matrix", n, x.shape[1] // groups, size, size)
    y = F.conv2d(x, weight, None, int(o.get("stride", 1)), pad * dilation, dilation, groups)
    return norm(y, *bn, bias) if bn else y + bias.view(1, -1, 1, 1)


def connected(x, o, numbers, is_transposed):
    n, x = int(o["output"]), x.flatten(1)
    bias = numbers.take("shift", n)
    weight = numbers.take("matrix", x.shape[1], n).t() if is_transposed else numbers.take("matrix", n, x.shape[1])
    y = x @ weight.t()
    return norm(y, *take_norm(numbers, n), bias) if int(o.get("batch_normalize", 0)) else y + bias


def local(x, o, numbers):
    n, size, stride, pad = int(o["filters"]), int(o["size"]), int(o.get("stride", 1)), int(o.get("size")) // 2 if int(o.get("pad", 0)) else 0
    h, w = [(d + 2 * pad - size) // stride + 1 for d in x.shape[2:]]
    bias = numbers.take("shift", n, h, w)
    weight = numbers.take("matrix", h * w, n, x.shape[1] * size * size)
    padded = F.pad(x, (pad,) * 4)
    out = torch.zeros(x.shape[0], n, h, w)
    for i in range(h):
        for j in range(w):
            window = padded[:, :, i * stride:i * stride + size, j * stride:j * stride + size].flatten(1)
            out[:, :, i, j] = window @ weight[i * w + j].t()
    return out + bias


def maxpool(x, o):
    stride = int(o.get("stride", 1))
    size = int(o.get("size", stride))
    padding = int(o.get("padding", size - 1))
    first = padding // 2
    return F.max_pool2d(F.pad(x, (first, padding - first, first, padding - first), value=-float("inf")), size, stride)


def reorg(x, stride):
    """The loops of reorg_cpu."""
    b, c, h, w = x.shape
    out_c, flat = c // (stride * stride), x.reshape(b, -1)
    out = torch.empty_like(flat)
    for k in range(c):
        c2, offset = k % out_c, k // out_c
        for j in range(h):
            h2 = j * stride + offset // stride
            w2 = torch.arange(w) * stride + offset % stride
            out[:, w * (j + h * k):w * (j + h * k) + w] = flat[:, w2 + w * stride * (h2 + h * stride * c2)]
    return out.reshape(b, c * stride * stride, h // stride, w // stride)


def softmax(x, o):
    groups, temperature = int(o.get("groups", 1)), float(o.get("temperature", 1))
    y = x.flatten(1)
    return torch.softmax(y.view(y.shape[0], groups, -1) / temperature, 2).flatten(1)


def run(cfg, numbers, x, is_transposed=False, keep_softmax=True):
    """x through the network.  Results: of the last layer, or what each detection layer reads, by number of layer."""
    layers, maps, parts = [], {}, sections(cfg)
    for i, (kind, o) in enumerate(parts[1:]):
        at = lambda s, i=i: [j + i if j < 0 else j for j in map(int, s.split(","))]
        default = "linear" if kind in ("shortcut", "activation") else "logistic"
        act = ACTIVATIONS[o.get("activation", default)]
        if kind == "convolutional":
            x = act(convolutional(x, o, numbers))
        elif kind == "connected":
            x = act(connected(x, o, numbers, is_transposed))
        elif kind == "local":
            x = act(local(x, o, numbers))
        elif kind == "batchnorm":
            bias = numbers.take("shift", x.shape[1])
            x = norm(x, *take_norm(numbers, x.shape[1]), bias)
        elif kind == "maxpool":
            x = maxpool(x, o)
        elif kind == "avgpool":
            x = x.mean((2, 3), keepdim=True)
        elif kind == "shortcut":
            x = act(x + sum(layers[j] for j in at(o["from"])))
        elif kind == "route":
            groups, part = int(o.get("groups", 1)), int(o.get("group_id", 0))
            x = torch.cat([layers[j].chunk(groups, 1)[part] for j in at(o["layers"])], 1)
        elif kind == "upsample":
            x = float(o.get("scale", 1)) * F.interpolate(x, scale_factor=int(o.get("stride", 2)), mode="nearest")
        elif kind == "reorg":
            x = reorg(x, int(o.get("stride", 1)))
        elif kind == "softmax":
            x = softmax(x, o) if keep_softmax else x.flatten(1)
        elif kind == "activation":
            x = act(x)
        elif kind in DETECTION:
            maps[i] = x
        elif kind not in ("dropout", "cost", "crop"):
            raise ValueError(kind)
        layers.append(x)
    return maps or {len(layers) - 1: x}
