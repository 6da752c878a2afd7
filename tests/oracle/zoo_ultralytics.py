#!/usr/bin/env python3
"""YOLOv8 beside the package that it comes from: parameters, multiply-accumulates, and boxes and scores from its own random weights
(normalisation moved away from 0 and 1), which `gannet import` reads by their names; at two sizes, one of them a rectangle.

Trainable parameters are equal (the package also counts the 16 constants of model.22.dfl), multiply-accumulates of convolutions within 0.5 %,
boxes and scores within 1e-5 of their range.  Needs the package ultralytics; ends with status 1 when something deviates.

    zoo_ultralytics.py BUILD_FOLDER [MODEL ...]
SPDX-License-Identifier: Apache-2.0
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
from ultralytics import YOLO

import zoo_parity

CLASSES = 80
ALL = ["yolov8n", "yolov8s"]


def count_macs(net, px):
    sums = []
    hooks = [m.register_forward_hook(lambda m, _, y: sums.append(y.numel() * m.weight[0].numel())) for m in net.modules()
             if isinstance(m, torch.nn.Conv2d)]
    with torch.no_grad():
        net(torch.zeros(1, 3, px, px))
    for hook in hooks:
        hook.remove()
    return sum(sums)


def compare_counts(build, name, net):
    told = json.loads(subprocess.run([f"{build}/gannet", "info", name, "--json"], capture_output=True, text=True, check=True).stdout)
    trained = sum(p.numel() for p in net.parameters() if p.requires_grad)
    constants = sum(p.numel() for p in net.parameters()) - trained
    macs = count_macs(net, 640)
    good = told["params"] == trained and constants == 16 and abs(told["macs"] - macs) < 0.005 * macs
    print(f"{'ok' if good else 'FAILED'}  {name}: {told['params']} parameters, {trained} (and {constants} constants) there; "
          f"{told['macs']} MACs, {macs} there", flush=True)
    return good


def compare_boxes(build, name, net, size, folder):
    images = torch.rand(2, 3, size[1], size[0], generator=torch.Generator().manual_seed(2))
    images.numpy().astype("<f4").tofile(folder / "images")
    with torch.no_grad():
        want = net(images)[0].permute(0, 2, 1).numpy()  # [N, A, 4 + C]: centre, size, scores
    centre, half = want[..., :2], want[..., 2:4] / 2
    boxes, scores = np.concatenate([centre - half, centre + half], 2), want[..., 4:]
    zoo_parity.program(build, "forward", name, CLASSES, f"{size[0]}x{size[1]}", folder / "w.safetensors", folder / "images",
                       folder / "out")
    got = zoo_parity.floats(folder / "out")
    got_scores, rest = got[-scores.size:].reshape(scores.shape), got[:-scores.size]
    got_boxes = rest[-boxes.size:].reshape(boxes.shape)
    worst = [float(np.abs(a - b).max() / (b.max() - b.min())) for a, b in ((got_boxes, boxes), (got_scores, scores))]
    good = max(worst) < 1e-5
    print(f"{'ok' if good else 'FAILED'}  {name}, {size[0]} x {size[1]} px: boxes differ by {worst[0]:.2e}, scores by {worst[1]:.2e} of "
          f"their range", flush=True)
    return good


def main():
    torch.set_num_threads(1)
    build, good = sys.argv[1], True
    with tempfile.TemporaryDirectory() as name_of_folder:
        folder = pathlib.Path(name_of_folder)
        for name in zoo_parity.chosen(ALL):
            torch.manual_seed(1)
            net = YOLO(name + ".yaml").model.float().eval()
            zoo_parity.stir(net, 1)
            for branch in net.model[-1].cv3:  # scores that are not all next to 0
                torch.nn.init.zeros_(branch[-1].bias)
            good &= compare_counts(build, name, net)
            torch.save(net.state_dict(), folder / "w.pt")
            subprocess.run([f"{build}/gannet", "import", folder / "w.pt", "--model", name, "-o", folder / "w.safetensors"], check=True)
            for size in ((320, 320), (416, 256)):
                good &= compare_boxes(build, name, net, size, folder)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
