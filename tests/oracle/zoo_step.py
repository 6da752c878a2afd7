#!/usr/bin/env python3
"""One training step of every network of the zoo against PyTorch in f64: loss, every gradient, every running statistic; with the network's
own activations, and once more with Gelu in place of all of them.

PyTorch's own random weights (normalisation and layer scales moved away from 0 and 1), batch 4, BatchNormalization in training mode, no
dropout, smooth L1 with beta 0.1 on 10 outputs.  Errors are relative to the norm of the tensor: at most 1e-3, or twice what PyTorch's
own f32 is off by where that is more.  A gradient whose norm is below 1e-10 of the largest is truly zero (a bias in front of a
normalisation) and is judged by PyTorch's own absolute error.  Where a ReLU's argument is 0 but for rounding, or two
pixels of a pooling are alike, f32 and f64 take different sides, and one such pixel of a small map moves all gradients in front of it by a
hundredth (PyTorch's own f32 does so as often; tests/zoo/test_backend_step.c compares on the sides that f32 took).  So there are up to
five draws of weights and pictures, of which one must keep the bar for all tensors; with Gelu, which has no kink, the first one does.
Needs torchvision; ends with status 1 when one deviates.

    zoo_step.py BUILD_FOLDER [MODEL ...]
SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import copy
import pathlib
import sys
import tempfile

import numpy as np
import torch

import zoo_parity
import zoo_torch

TOLERANCE = 1e-3
TRULY_ZERO = 1e-10
CLASSES, BATCH = 10, 4
PX, CIFAR_PX = 64, 32
DRAWS = 5
BETA = float(np.float32(0.1))


def step(net, images, targets):
    """Loss, and gradients and running statistics by name."""
    net.train()
    loss = torch.nn.functional.smooth_l1_loss(net(images), targets, beta=BETA)
    loss.backward()
    found = {name: p.grad for name, p in net.named_parameters()}
    found.update({n: b for n, b in net.named_buffers() if n.endswith("running_mean") or n.endswith("running_var")})
    return loss.item(), {name: t.detach().numpy().ravel().astype(np.float64) for name, t in found.items()}


def ours(build, name, px, net, images, targets, folder):
    zoo_parity.write_safetensors(folder / "weights", zoo_torch.tensors(net))
    images.numpy().astype("<f4").tofile(folder / "images")
    targets.numpy().astype("<f4").tofile(folder / "targets")
    listing = zoo_parity.program(build, "step", name, CLASSES, px, folder / "weights", folder / "images", folder / "targets",
                                 folder / "out")
    numbers, at, found = zoo_parity.floats(folder / "out"), 0, {}
    for line in listing.splitlines():
        tensor, n = line.rsplit(" ", 1)
        found[tensor] = numbers[at:at + int(n)].astype(np.float64)
        at += int(n)
    return found


@contextlib.contextmanager
def gelu_everywhere():
    """Modules and functions that ask for an activation get Gelu."""
    functions = torch.nn.functional
    gelu = lambda x, *rest, **named: functions.gelu(x)
    places = [(functions, "relu"), (functions, "leaky_relu"), (functions, "relu6"), (functions, "hardtanh"), (functions, "hardswish"), (torch, "relu")]
    kept = [getattr(*place) for place in places]
    for place in places:
        setattr(*place, gelu)
    try:
        yield
    finally:
        for place, function in zip(places, kept):
            setattr(*place, function)


def compare(build, name, draw, is_smooth, folder):
    px = CIFAR_PX if name == "resnet20_cifar" else PX
    net = zoo_parity.make_network(name, CLASSES, 3 + draw, True)
    generator = torch.Generator().manual_seed(40 + draw)
    images = torch.randn(BATCH, 3, px, px, generator=generator)
    targets = torch.rand(BATCH, CLASSES, generator=generator)
    got = ours(build, name + ("+gelu" if is_smooth else ""), px, net, images, targets, folder)
    wide = copy.deepcopy(net).double()
    with gelu_everywhere() if is_smooth else contextlib.nullcontext():
        _, own = step(net, images, targets)
        del net
        loss, want = step(wide, images.double(), targets.double())
    largest = max(np.linalg.norm(t) for t in want.values())
    worst, worst_name, worst_own, zeros, failed = 0.0, "", 0.0, 0, []
    if set(got) - {"loss"} != set(want):
        failed.append(f"other tensors: {sorted((set(got) - {'loss'}) ^ set(want))[:4]}")
    if abs(got["loss"][0] - loss) > TOLERANCE * loss:
        failed.append(f"the loss is {got['loss'][0]:.7g} instead of {loss:.7g}")
    for tensor, expected in want.items():
        norm = np.linalg.norm(expected)
        error, own_error = np.linalg.norm(got[tensor] - expected), np.linalg.norm(own[tensor] - expected)
        if norm < TRULY_ZERO * largest:
            zeros += 1
            if error > max(1e-6 * largest, 4 * own_error):
                failed.append(f"{tensor} is {error:.3g} instead of zero (PyTorch: {own_error:.3g})")
            continue
        if error / norm > worst:
            worst, worst_name, worst_own = error / norm, tensor, own_error / norm
        if error > max(TOLERANCE, 2 * own_error / norm) * norm:
            failed.append(f"{tensor} is off by {error / norm:.3g}, PyTorch's own f32 by {own_error / norm:.3g}")
    mark = "ok" if not failed else "FAILED" if draw == DRAWS - 1 else "again"
    print(f"{mark}  {name}{' with Gelu' if is_smooth else ''}: {len(want)} tensors, {zeros} truly zero, worst {worst:.2g} ({worst_name}; PyTorch's own "
          f"f32 {worst_own:.2g})", flush=True)
    for line in failed[:3]:
        print("    " + line, flush=True)
    return not failed


def main():
    torch.set_num_threads(1)
    good = True
    with tempfile.TemporaryDirectory() as folder:
        for name in zoo_parity.chosen(zoo_torch.ALL):
            for is_smooth in (True, False)[:1 if name.startswith("convnext") else 2]:  # ConvNeXt has Gelu itself
                good &= any(compare(sys.argv[1], name, draw, is_smooth, pathlib.Path(folder)) for draw in range(DRAWS))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
