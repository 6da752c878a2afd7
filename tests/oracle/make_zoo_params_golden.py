#!/usr/bin/env python3
"""Writes tests/golden/zoo_params_macs.csv: parameters and multiply-accumulates of every network of the zoo, as PyTorch counts them
(torch.utils.flop_counter counts two for each multiply-accumulate), at 224 px (resnet20_cifar: 32) with its own classifier.

Needs torchvision: python3 tests/oracle/make_zoo_params_golden.py [--check]
SPDX-License-Identifier: Apache-2.0
"""
import torch
from torch.utils.flop_counter import FlopCounterMode

import golden
import zoo_torch


def main():
    torch.set_num_threads(1)
    lines = ["# made by tests/oracle/make_zoo_params_golden.py with torchvision", "model,px,params,buffers,macs"]
    for name in zoo_torch.ALL + ["mobilenet_v1@0.5", "mobilenet_v1@0.75", "mobilenet_v2@1.4"]:
        net = zoo_torch.make(name).eval()
        px = 32 if name == "resnet20_cifar" else 224
        counter = FlopCounterMode(display=False)
        with torch.no_grad(), counter:
            net(torch.zeros(1, 3, px, px))
        params = sum(p.numel() for p in net.parameters())
        buffers = sum(v.numel() for _, v in zoo_torch.tensors(net)) - params
        lines.append(f"{name},{px},{params},{buffers},{counter.get_total_flops() // 2}")
    golden.leave("zoo_params_macs.csv", "\n".join(lines) + "\n")
    golden.end()


if __name__ == "__main__":
    main()
