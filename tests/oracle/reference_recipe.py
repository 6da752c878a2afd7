#!/usr/bin/env python3
"""The reference recipe for a single-box head, trained with PyTorch: what `gannet train --cfg docs/recipes/reference_*.yaml` is held against.

  tests/oracle/reference_recipe.py DATA.yaml mobilenet_v2|resnet18 [--epochs 40] [--seed 0] [--threads 2]

128 px antialiased stretch, ImageNet mean and deviation, horizontal flip only, largest box as x1 y1 x2 y2 in 0..1, smooth-L1 with beta 0.1,
batch 32 with the last partial batch dropped, constant learning rate; prints one line per epoch and the epoch with the best mean IoU.
Needs torch, torchvision, numpy, pillow, pyyaml or a data.yaml simple enough to be read by line.
SPDX-License-Identifier: Apache-2.0
"""
import argparse
import pathlib
import time

import numpy
import PIL.Image
import PIL.ImageOps
import torch
import torchvision

SIZE = 128
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
DEVIATION = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


def read_list(yaml_path, split):
    folder = pathlib.Path(yaml_path).parent
    for line in open(yaml_path):
        if line.startswith(split + ":"):
            return [folder / name.strip() for name in open(folder / line.split(":", 1)[1].strip()) if name.strip()]
    raise SystemExit(f"{yaml_path}: no split {split}")


def load(paths):
    pictures, boxes = [], []
    for path in paths:
        picture = PIL.ImageOps.exif_transpose(PIL.Image.open(path)).convert("RGB").resize((SIZE, SIZE), PIL.Image.BILINEAR)
        label = pathlib.Path("/labels/".join(str(path).rsplit("/images/", 1))).with_suffix(".txt")
        rows = numpy.loadtxt(label, ndmin=2)
        x, y, w, h = rows[numpy.argmax(rows[:, 3] * rows[:, 4]), 1:5]
        pictures.append(torch.from_numpy(numpy.array(picture)).permute(2, 0, 1))
        boxes.append([x - w / 2, y - h / 2, x + w / 2, y + h / 2])
    return torch.stack(pictures), torch.tensor(boxes, dtype=torch.float32)


def normalised(pictures):
    return (pictures.float() / 255 - MEAN) / DEVIATION


def model_of(name):
    if name == "mobilenet_v2":
        net, features = torchvision.models.mobilenet_v2(), 1280
        net.classifier = torch.nn.Identity()
    else:
        net, features = torchvision.models.resnet18(), 512
        net.fc = torch.nn.Identity()
    head = torch.nn.Sequential(torch.nn.Linear(features, features // 2), torch.nn.ReLU(), torch.nn.Linear(features // 2, 4))
    return torch.nn.Sequential(net, head).to(memory_format=torch.channels_last)


def iou(a, b):
    lo, hi = torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:])
    inter = (hi - lo).clamp(min=0).prod(1)
    area = lambda box: (box[:, 2:] - box[:, :2]).clamp(min=0).prod(1)
    return inter / (area(a) + area(b) - inter).clamp(min=1e-12)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("model", choices=["mobilenet_v2", "resnet18"])
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    train_x, train_y = load(read_list(args.data, "train"))
    val_x, val_y = load(read_list(args.data, "val"))
    model = model_of(args.model)
    if args.model == "mobilenet_v2":
        optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    else:
        optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, weight_decay=5e-4)
    best = (-1.0, 0.0, 0)
    for epoch in range(1, args.epochs + 1):
        begin, total, steps = time.time(), 0.0, 0
        model.train()
        order = torch.randperm(len(train_x))
        for i in range(0, len(order) - 31, 32):
            x, y = normalised(train_x[order[i:i + 32]]), train_y[order[i:i + 32]].clone()
            flip = torch.rand(32) < 0.5
            x[flip] = x[flip].flip(3)
            y[flip] = torch.stack([1 - y[flip, 2], y[flip, 1], 1 - y[flip, 0], y[flip, 3]], 1)
            loss = torch.nn.functional.smooth_l1_loss(model(x.contiguous(memory_format=torch.channels_last)), y, beta=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total, steps = total + loss.item(), steps + 1
        model.eval()
        with torch.no_grad():
            overlap = iou(torch.cat([model(normalised(val_x[i:i + 64])) for i in range(0, len(val_x), 64)]), val_y)
        result = (overlap.mean().item(), (overlap > 0.5).float().mean().item(), epoch)
        best = max(best, result)
        print(f"epoch {epoch:3} loss {total / steps:.5f} mean IoU {result[0]:.4f} precision50 {result[1]:.4f} "
              f"{steps * 32 / (time.time() - begin):.0f} pictures/s", flush=True)
    print(f"best epoch {best[2]}: mean IoU {best[0]:.4f} precision50 {best[1]:.4f}")


if __name__ == "__main__":
    main()
