#!/usr/bin/env python3
"""Writes tests/golden/zoo_forward.txt: some logits of networks for inference, from weights and running statistics that are drawn by the
rule of make_step_golden.py (variances too lie around 1), in f64 by PyTorch.

Lines: "model px lowest highest index value index value ...".  All 21 at full size are compared by zoo_forward.py.
Needs torchvision: python3 tests/oracle/make_forward_golden.py [--check]
SPDX-License-Identifier: Apache-2.0
"""
import math

import numpy as np
import torch

import gannet_weights as weights
import golden
import zoo_torch

SEED = 1
MODELS = {
    "squeezenet1_0": 70, "shufflenet_v2_x1_0": 64, "mobilenet_v3_large": 75, "mnasnet1_0": 64, "regnet_y_400mf": 64,
    "regnet_x_400mf": 72, "densenet121": 64, "googlenet": 64, "mobilenet_v1@0.5": 64, "resnet20_cifar": 32,
}


def draw(net):
    for name, tensor in zoo_torch.tensors(net):
        shape = tuple(tensor.shape)
        if len(shape) > 1:
            value = weights.normal(SEED, name, shape, math.sqrt(2 / np.prod(shape[1:])))
        elif name.endswith(("weight", "running_var")):
            value = weights.uniform(SEED, name, shape, 0.25) + np.float32(1)
        else:
            value = weights.uniform(SEED, name, shape, 0.125)
        with torch.no_grad():
            tensor.copy_(torch.from_numpy(value))


def main():
    torch.set_num_threads(1)
    lines = ["# logits of one picture; made by tests/oracle/make_forward_golden.py with torchvision"]
    for model, px in MODELS.items():
        net = zoo_torch.make(model).eval()
        draw(net)
        image = torch.from_numpy(weights.uniform(SEED, "forward.image", (1, 3, px, px), 2.0)).double()
        with torch.no_grad():
            y = net.double()(image).numpy().ravel()
        samples = " ".join(f"{i} {y[i]:.10g}" for i in range(13, 1000, 141))
        lines.append(f"{model} {px} {y.min():.10g} {y.max():.10g} {samples}")
    golden.leave("zoo_forward.txt", "\n".join(lines) + "\n", relative=1e-7, absolute=1e-7)
    golden.end()


if __name__ == "__main__":
    main()
