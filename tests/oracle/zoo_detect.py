#!/usr/bin/env python3
"""Every detector of the zoo with PyTorch's own random weights (normalisation and statistics moved away from 0 and 1): raw maps for
inference at two sizes, one of them a rectangle, and the gradients and running statistics of one training step, against the modules of
zoo_detect_torch.py in f64.

Raw maps differ by less than 1e-5 of their range.  The loss of the step is the sum over the maps of their mean square; errors of gradients
are relative to their norm, at most 1e-3 or twice what PyTorch's own f32 is off by.  All but YOLOv5 and YOLOv8 have activations with kinks,
which zoo_step.py tells about: with Gelu in their place they keep that bar, with their own one of 5e-2 (PyTorch's f32 reaches 5e-3).  Two
pixels of a pooling may be alike, so there are up to three draws, of which one keeps the bar.  The
largest are made narrower for the step.  Ends with status 1 when one deviates.

    zoo_detect.py BUILD_FOLDER [MODEL ...]
SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import copy
import pathlib
import sys
import tempfile

import numpy as np
import torch

import zoo_detect_torch
import zoo_parity
import zoo_step
import zoo_torch

FORWARD_TOLERANCE = 1e-5
STEP_TOLERANCE = 1e-3
KINKY_TOLERANCE = 5e-2
DRAWS = 3
TRULY_ZERO = 1e-10
FORWARD = zoo_detect_torch.ALL + ["yolov8n@0.5", "yolov3@0.5", "retinanet_resnet18", "retinanet_squeezenet1_1"]
STEP = {"yolov1": "yolov1@0.25", "yolov1_fast": "yolov1_fast@0.5", "yolov2": "yolov2@0.25", "yolov3": "yolov3@0.25"}


def network(name, classes, size, seed):
    torch.manual_seed(seed)
    net = zoo_detect_torch.make(name, classes, size)
    zoo_parity.stir(net, seed)
    if not any(isinstance(m, torch.nn.BatchNorm2d) for m in net.modules()):
        for module in net.modules():  # PyTorch's own weights let signals die in 24 layers without normalisation
            if isinstance(module, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(module.weight)
    return net


def pictures(batch, size, seed, folder):
    images = torch.rand(batch, 3, size[1], size[0], generator=torch.Generator().manual_seed(seed))
    images.numpy().astype("<f4").tofile(folder / "images")
    return images


def compare_forward(build, name, classes, size, folder):
    net = network(name, classes, size, 1).eval()
    zoo_parity.write_safetensors(folder / "weights", zoo_torch.tensors(net))
    images = pictures(2, size, 2, folder)
    with torch.no_grad():
        want = [m.numpy() for m in net.double()(images.double())]
    zoo_parity.program(build, "forward", name, classes, f"{size[0]}x{size[1]}", folder / "weights", folder / "images",
                       folder / "out")
    got, at, worst = zoo_parity.floats(folder / "out"), 0, 0.0
    for m in want:
        mine = got[at:at + m.size].reshape(m.shape)
        at += m.size
        worst = max(worst, float(np.abs(mine - m).max() / (m.max() - m.min())))
    good = worst < FORWARD_TOLERANCE
    print(f"{'ok' if good else 'FAILED'}  {worst:.2e}  {name}, {classes} classes, {size[0]} x {size[1]} px: {len(want)} raw maps",
          flush=True)
    return good


def step(net, images):
    net.train()
    loss = sum((m * m).mean() for m in net(images))
    loss.backward()
    found = {name: p.grad for name, p in net.named_parameters()}
    found.update({n: b for n, b in net.named_buffers() if n.endswith(("running_mean", "running_var"))})
    return loss.item(), {name: t.detach().numpy().ravel().astype(np.float64) for name, t in found.items()}


def ours(build, name, classes, size, net, folder):
    zoo_parity.write_safetensors(folder / "weights", zoo_torch.tensors(net))
    listing = zoo_parity.program(build, "step", name, classes, f"{size[0]}x{size[1]}", folder / "weights", folder / "images", "-",
                                 folder / "out")
    numbers, at, found = zoo_parity.floats(folder / "out"), 0, {}
    for line in listing.splitlines():
        tensor, n = line.rsplit(" ", 1)
        found[tensor] = numbers[at:at + int(n)].astype(np.float64)
        at += int(n)
    return found


def compare_step(build, name, classes, size, is_gelu, draw, folder):
    net = network(name, classes, size, 3 + draw)
    images = pictures(4, size, 40 + draw, folder)
    has_kinks = not is_gelu and not name.startswith(("yolov5", "yolov8"))
    tolerance = KINKY_TOLERANCE if has_kinks else STEP_TOLERANCE
    got = ours(build, name + ("+gelu" if is_gelu else ""), classes, size, net, folder)
    wide = copy.deepcopy(net).double()
    with zoo_step.gelu_everywhere() if is_gelu else contextlib.nullcontext():
        _, own = step(net, images)
        loss, want = step(wide, images.double())
    largest = max(np.linalg.norm(t) for t in want.values())
    worst, worst_name, failed = 0.0, "", []
    if set(got) - {"loss"} != set(want):
        failed.append(f"other tensors: {sorted((set(got) - {'loss'}) ^ set(want))[:4]}")
    if abs(got["loss"][0] - loss) > tolerance * loss:
        failed.append(f"the loss is {got['loss'][0]:.7g} instead of {loss:.7g}")
    for tensor, expected in want.items():
        if tensor not in got:
            continue
        norm, error = np.linalg.norm(expected), np.linalg.norm(got[tensor] - expected)
        own_error = np.linalg.norm(own[tensor] - expected)
        if norm < TRULY_ZERO * largest:
            if error > max(1e-6 * largest, 4 * own_error):
                failed.append(f"{tensor} is {error:.3g} instead of zero")
            continue
        if error / norm > worst:
            worst, worst_name = error / norm, tensor
        if error > max(tolerance, 2 * own_error / norm) * norm:
            failed.append(f"{tensor} is off by {error / norm:.3g}, PyTorch's own f32 by {own_error / norm:.3g}")
    mark = "ok" if not failed else "again" if draw < DRAWS - 1 else "FAILED"
    print(f"{mark}  step of {name}{' with Gelu' if is_gelu else ''}: {len(want)} tensors, worst {worst:.2g} "
          f"({worst_name})", flush=True)
    for line in failed[:3]:
        print("    " + line, flush=True)
    return not failed


def main():
    torch.set_num_threads(1)
    good = True
    with tempfile.TemporaryDirectory() as name_of_folder:
        folder, build = pathlib.Path(name_of_folder), sys.argv[1]
        for name in zoo_parity.chosen(FORWARD):
            good &= compare_forward(build, name, 80, (224, 224), folder)
            good &= compare_forward(build, name, 3, (192, 128), folder)
            for is_gelu in (False, True)[:1 if name.startswith(("yolov5", "yolov8")) else 2]:
                good &= any(compare_step(build, STEP.get(name, name), 2, (160, 128), is_gelu, draw, folder) for draw in range(DRAWS))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
