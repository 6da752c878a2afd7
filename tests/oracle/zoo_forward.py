#!/usr/bin/env python3
"""Every network of the zoo with PyTorch's own random weights: logits for inference against PyTorch's, at two sizes.

Once with the weights as PyTorch draws them, once with normalisation, statistics and layer scales moved away from 0 and 1.  The largest
absolute difference stays below 1e-4 of the output's range.  Needs torchvision; ends with status 1 when one deviates.

    zoo_forward.py BUILD_FOLDER [MODEL ...]
SPDX-License-Identifier: Apache-2.0
"""
import pathlib
import sys
import tempfile

import numpy as np
import torch

import zoo_parity
import zoo_torch

TOLERANCE = 1e-4
BATCH = 2
OTHER_PX = {"resnet20_cifar": (32, 48), "xception": (299, 150)}


def compare(build, name, px, is_stirred, folder):
    net = zoo_parity.make_network(name, 1000, 1, is_stirred).eval()
    zoo_parity.write_safetensors(folder / "weights", zoo_torch.tensors(net))
    images = torch.randn(BATCH, 3, px, px, generator=torch.Generator().manual_seed(2))
    images.numpy().astype("<f4").tofile(folder / "images")
    with torch.no_grad():
        want = net(images).numpy()
    zoo_parity.program(build, "forward", name, 1000, px, folder / "weights", folder / "images", folder / "out")
    got = zoo_parity.floats(folder / "out").reshape(want.shape)
    difference = float(np.abs(got - want).max() / (want.max() - want.min()))
    good = difference < TOLERANCE
    print(f"{'ok' if good else 'FAILED'}  {difference:.2e}  {name} at {px} px{', moved' if is_stirred else ''}", flush=True)
    return good


def main():
    torch.set_num_threads(1)
    good = True
    with tempfile.TemporaryDirectory() as folder:
        for name in zoo_parity.chosen(zoo_torch.ALL):
            first, second = OTHER_PX.get(name, (224, 144))
            for px, is_stirred in ((first, False), (second, True)):
                good &= compare(sys.argv[1], name, px, is_stirred, pathlib.Path(folder))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
