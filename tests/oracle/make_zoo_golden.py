#!/usr/bin/env python3
"""Writes tests/golden/zoo_tensors.txt: names and shapes of torchvision's state dictionaries.

Needs torchvision: python3 tests/oracle/make_zoo_golden.py [--check]
SPDX-License-Identifier: Apache-2.0
"""
import torchvision

import golden

MODELS = {
    "mobilenet_v2": lambda: torchvision.models.mobilenet_v2(),
    "mobilenet_v2@0.35": lambda: torchvision.models.mobilenet_v2(width_mult=0.35),
    "resnet18": lambda: torchvision.models.resnet18(),
    "squeezenet1_1": lambda: torchvision.models.squeezenet1_1(),
}


def main():
    lines = ["# model, tensor, shape; made by tests/oracle/make_zoo_golden.py with torchvision"]
    for model, make in MODELS.items():
        for name, tensor in make().state_dict().items():
            if not name.endswith("num_batches_tracked"):
                lines.append(" ".join([model, name] + [str(d) for d in tensor.shape]))
    golden.leave("zoo_tensors.txt", "\n".join(lines) + "\n")
    golden.end()


if __name__ == "__main__":
    main()
