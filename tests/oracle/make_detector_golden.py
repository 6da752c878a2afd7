#!/usr/bin/env python3
"""Writes tests/golden/zoo_detectors.csv (parameters and multiply-accumulates of every detector, as PyTorch counts them) and
tests/golden/zoo_detect_step.txt (raw maps and a training step of narrow forms of them, in f64), from the modules of zoo_detect_torch.py.

Weights and statistics are drawn by the rule of make_forward_golden.py.  Lines of the second file: "model NAME classes width height loss
squares" (squares: of all gradients together, summed), "raw map index value index value index value" for inference, "grad tensor norm index
value" and "stat tensor norm index value" for every seventh tensor after the step, whose loss is the sum over the maps of their mean square;
in the step Gelu takes the place of activations with kinks.
Needs torch and torchvision: python3 tests/oracle/make_detector_golden.py [--check]
SPDX-License-Identifier: Apache-2.0
"""
import contextlib

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

import gannet_weights as weights
import golden
import make_forward_golden
import zoo_detect_torch
import zoo_step
import zoo_torch

SEED = 1
BATCH = 4
CLASSES = 3
SIZE = (128, 96)
EVERY = 7
NARROW = [
    "yolov1@0.1", "yolov1_fast@0.1", "yolov1_tiny@0.25", "yolov1_half@0.25", "yolov2@0.125", "yolov2_tiny@0.25", "yolov3@0.125",
    "yolov3_tiny@0.25", "yolov5n@0.5", "yolov8n@0.5", "retinanet_mobilenet_v2@0.35", "retinanet_squeezenet1_1",
]


def counts():
    lines = ["# made by tests/oracle/make_detector_golden.py with PyTorch", "model,classes,width,height,params,buffers,macs"]
    for name in zoo_detect_torch.ALL:
        px = zoo_detect_torch.published_px(name)
        with torch.device("meta"):
            net = zoo_detect_torch.make(name, 80, (px, px)).eval()
            counter = FlopCounterMode(display=False)
            with torch.no_grad(), counter:
                net(torch.zeros(1, 3, px, px))
        params = sum(p.numel() for p in net.parameters())
        buffers = sum(v.numel() for _, v in zoo_torch.tensors(net)) - params
        lines.append(f"{name},80,{px},{px},{params},{buffers},{counter.get_total_flops() // 2}")
    golden.leave("zoo_detectors.csv", "\n".join(lines) + "\n")


def fresh(name):
    net = zoo_detect_torch.make(name, CLASSES, SIZE)
    make_forward_golden.draw(net)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps, module.momentum = float(np.float32(module.eps)), 1.0 - float(np.float32(1 - module.momentum))
    return net.double()


def numbers(name):
    images = torch.from_numpy(weights.uniform(SEED, "step.images", (BATCH, 3, SIZE[1], SIZE[0]), 2.0)).double()
    lines = []
    with torch.no_grad():
        maps = fresh(name).eval()(images)
    for i, raw in enumerate(maps):
        flat = raw.numpy().ravel()
        lines.append(f"raw {i} " + " ".join(f"{k} {flat[k]:.10g}" for k in (flat.size // 7, flat.size * 3 // 7, flat.size * 5 // 7))
                     + f" {flat.max() - flat.min():.6g}")
    net = fresh(name)
    with contextlib.nullcontext() if name.startswith(("yolov5", "yolov8")) else zoo_step.gelu_everywhere():
        loss, found = zoo_step_of(net, images)
    squares = sum(float((t * t).sum()) for kind, t in found.values() if kind == "grad")
    for tensor in sorted(found)[::EVERY]:
        kind, t = found[tensor]
        lines.append(f"{kind} {tensor} {np.linalg.norm(t):.10g} {t.size // 2} {t[t.size // 2]:.10g}")
    return [f"model {name} {CLASSES} {SIZE[0]} {SIZE[1]} {loss:.10g} {squares:.10g}"] + lines


def zoo_step_of(net, images):
    net.train()
    loss = sum((m * m).mean() for m in net(images))
    loss.backward()
    found = {name: ("grad", p.grad) for name, p in net.named_parameters()}
    found.update({n: ("stat", b) for n, b in net.named_buffers() if n.endswith(("running_mean", "running_var"))})
    return loss.item(), {name: (kind, t.detach().numpy().ravel()) for name, (kind, t) in found.items()}


def main():
    torch.set_num_threads(1)
    counts()
    lines = ["# made by tests/oracle/make_detector_golden.py with PyTorch"]
    for name in NARROW:
        lines += numbers(name)
    golden.leave("zoo_detect_step.txt", "\n".join(lines) + "\n", relative=1e-7, absolute=1e-9)
    golden.end()


if __name__ == "__main__":
    main()
