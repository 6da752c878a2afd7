#!/usr/bin/env python3
"""Writes tests/golden/checkpoint_*.pth, saved by PyTorch in both of its forms, and tests/golden/checkpoints.txt: what PyTorch reads from
them and from the checkpoints of other people in GANNET_DATA.

A line of a made checkpoint: file, tensor, type, shape, sum of (1 + place) * value in f64.  A line of another: file, number of tensors,
number of numbers, sum over all tensors, FNV-1a hash of the lines "name type shape".
With --check the .pth files are not written again: what PyTorch reads from those in the tree is compared.

Needs torch: python3 tests/oracle/make_checkpoint_golden.py [--check]
SPDX-License-Identifier: Apache-2.0
"""
import os
import pathlib

import torch

import golden
import torch_checkpoints

DATA = pathlib.Path(os.environ.get("GANNET_DATA", pathlib.Path(__file__).resolve().parents[3] / "shared" / "data")) / "models"
PEOPLE = ("blazeface/blazeface.pth", "fastestdet/shufflenetv2.pth", "resnet_cifar10/resnet20-12fca82f.th",
          "retinaface_mb025/mobilenet0.25_Final.pth", "ultraface/version-slim-320.pth", "yunet/yunet_s.pth")
TYPES = {torch.float32: "f32", torch.float64: "f64", torch.float16: "f16", torch.bfloat16: "bf16", torch.int64: "s64", torch.int32: "s32",
         torch.int16: "s16", torch.int8: "s8", torch.uint8: "u8", torch.bool: "bool"}


def shape(t):
    return "[" + ",".join(str(d) for d in t.shape) + "]"


def total(t):
    x = t.detach().double().flatten()
    return float((x * torch.arange(1, x.numel() + 1, dtype=torch.float64)).sum())


def fnv(text):
    h = 0xCBF29CE484222325
    for byte in text.encode():
        h = (h ^ byte) * 0x100000001B3 % (1 << 64)
    return h


def main():
    lines = ["# made by tests/oracle/make_checkpoint_golden.py with PyTorch"]
    for name, make in torch_checkpoints.MADE.items():
        for form in ("zip", "legacy"):
            path = golden.FOLDER / f"checkpoint_{name}_{form}.pth"
            if not golden.CHECKING:
                torch.save(make(), path, _use_new_zipfile_serialization=form == "zip")
            saved = torch.load(path, weights_only=False)
            for key, t in torch_checkpoints.chosen(name, saved).items():
                lines.append(f"{path.name} {key} {TYPES[t.dtype]} {shape(t)} {total(t):.17g}")
    kept = (golden.FOLDER / "checkpoints.txt").read_text().splitlines() if golden.CHECKING else []
    for name in PEOPLE:
        if golden.CHECKING and not (DATA / name).exists():
            lines += [line for line in kept if line.startswith(name)]
            continue
        saved = torch.load(DATA / name, map_location="cpu", weights_only=False)
        state = saved.get("state_dict", saved)
        while all(key.startswith("module.") for key in state):
            state = {key[len("module."):]: t for key, t in state.items()}
        listed = "".join(f"{key} {TYPES[t.dtype]} {shape(t)}\n" for key, t in state.items())
        lines.append(f"{name} {len(state)} {sum(t.numel() for t in state.values())} {sum(total(t) for t in state.values()):.17g} "
                     f"{fnv(listed):016x}")
    golden.leave("checkpoints.txt", "\n".join(lines) + "\n", relative=1e-12, absolute=1e-9)
    golden.end()


if __name__ == "__main__":
    main()
