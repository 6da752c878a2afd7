#!/usr/bin/env python3
"""Writes tests/golden/zoo_tensors.txt: names and shapes of the state dictionaries, and how their contents begin: the deviation and the
largest size of the values (one instance; they differ between versions).

Needs torchvision: python3 tests/oracle/make_zoo_golden.py [--check]
SPDX-License-Identifier: Apache-2.0
"""
import torch

import golden
import zoo_torch

# Without initial values of torchvision's own: these begin as their sources say.
OWN = ("mobilenet_v1", "xception", "resnet20_cifar")


def main():
    torch.manual_seed(1)
    lines = ["# model, tensor, shape, deviation about 0, largest; made by tests/oracle/make_zoo_golden.py with torchvision"]
    for model in zoo_torch.ALL:
        for name, tensor in zoo_torch.tensors(zoo_torch.make(model)):
            begin = ["-", "-"] if model.startswith(OWN) else [f"{tensor.square().mean().sqrt():.6g}", f"{tensor.abs().max():.6g}"]
            lines.append(" ".join([model, name, ",".join(str(d) for d in tensor.shape)] + begin))
    golden.leave("zoo_tensors.txt", "\n".join(lines) + "\n", free=lambda words: (3, 4))
    golden.end()


if __name__ == "__main__":
    main()
