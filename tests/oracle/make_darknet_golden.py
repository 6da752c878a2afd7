#!/usr/bin/env python3
"""Writes tests/golden/darknet_layers.txt: what darknet_torch.py computes for tests/golden/darknet_layers.cfg with numbers of a formula, which
the first lines list in the order of a .weights file (kind, count, scale).

Needs torch: python3 tests/oracle/make_darknet_golden.py [--check]
SPDX-License-Identifier: Apache-2.0
"""
import numpy as np
import torch

import darknet_torch
import golden


def uniform(start, n):
    """Number i of the formula: the upper 24 bits of i * 2654435761, in 0..1."""
    i = np.arange(start, start + n, dtype=np.uint64)
    return ((i * np.uint64(2654435761) % np.uint64(1 << 32)) >> np.uint64(8)).astype(np.float64) / (1 << 24)


class Formula(darknet_torch.Numbers):
    def __init__(self):
        super().__init__()
        self.lines = []

    def take(self, kind, *shape):
        n = int(np.prod(shape))
        scale = 2.0 ** round(np.log2(np.sqrt(24 / max(1, n // shape[0])))) if kind == "matrix" else {"positive": 1.0, "shift": 0.25}[kind]
        x = uniform(self.at, n) + 0.5 if kind == "positive" else (uniform(self.at, n) - 0.5) * scale
        self.lines.append(f"{kind} {n} {scale:g}")
        self.at += n
        return torch.from_numpy(x.astype(np.float32).reshape(shape))


def main():
    cfg = (golden.FOLDER / "darknet_layers.cfg").read_text()
    numbers = Formula()
    x = torch.from_numpy(uniform(1, 3 * 20 * 24).astype(np.float32).reshape(1, 3, 20, 24))
    with torch.no_grad():
        (y,) = darknet_torch.run(cfg, numbers, x).values()
    lines = ["# made by tests/oracle/make_darknet_golden.py with PyTorch", *numbers.lines, "output " + " ".join(f"{v:.7g}" for v in y.flatten())]
    golden.leave("darknet_layers.txt", "\n".join(lines) + "\n", absolute=1e-6)
    golden.end()


if __name__ == "__main__":
    main()
