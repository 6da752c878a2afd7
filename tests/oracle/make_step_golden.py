#!/usr/bin/env python3
"""Writes tests/golden/step_<model>.txt: one training step (forward, smooth L1 with beta 0.1, backward) of the networks with a box
head, in f64 by PyTorch, from the initial weights of src/zoo/weight_init.h; networks of DRAWN begin with weights that are drawn by
one rule for all (draw), and their files say so by the line "drawn".

Lines: "loss value"; "grad tensor norm index value index value index value f32_error"; "stat tensor norm index value ...".
norm: L2 norm; f32_error: how far PyTorch's own f32 gradient is off, relative to the norm.  A norm below 1e-12 is truly zero (a
shift that the next normalisation takes out again); f32_error is then absolute.
Needs torch and torchvision: python3 tests/oracle/make_step_golden.py [--check]
    python3 tests/oracle/make_step_golden.py --long FOLDER [NAME...]
writes the files of the other networks, too many and too slow for every day, to a folder; GN_STEP_FOLDER=FOLDER tests/test_step and
tests/test_backend_step read them there.
SPDX-License-Identifier: Apache-2.0
"""
import copy
import io
import math
import pathlib
import sys

import numpy as np
import torch
import torchvision

import gannet_weights as weights
import golden
import zoo_torch

SEED = 1
SIZE_PX = 64
BATCH = 4
BETA = float(np.float32(0.1))
EPSILON = float(np.float32(1e-5))
MOMENTUM = 1.0 - float(np.float32(0.9))
TRULY_ZERO = 1e-12

MODELS = {  # name: (constructor, width of the features, initial convolution weights)
    "mobilenet_v2": (lambda: torchvision.models.mobilenet_v2(), 1280, "fan_out"),
    "mobilenet_v2@0.35": (lambda: torchvision.models.mobilenet_v2(width_mult=0.35), 1280, "fan_out"),
    "resnet18": (lambda: torchvision.models.resnet18(), 512, "fan_out"),
    "squeezenet1_1": (lambda: torchvision.models.squeezenet1_1(), 512, "fan_in"),
    "squeezenet1_0": (lambda: torchvision.models.squeezenet1_0(), 512, "fan_in"),
}

DRAWN = {  # name: (size, the module that the head takes the place of, width of the features)
    "mobilenet_v3_small": (64, "classifier", 576),
    "shufflenet_v2_x0_5": (64, "fc", 1024),
    "mnasnet0_5": (64, "classifier", 1280),
    "resnet20_cifar": (16, "linear", 64),
}


LONG = {  # the same; the box heads of the VGGs have 315 M weights, which take more memory than this is worth
    "alexnet": (64, "classifier", 9216),
    "densenet121": (64, "classifier", 1024),
    "shufflenet_v2_x1_0": (64, "fc", 1024),
    "mobilenet_v1": (64, "fc", 1024),
    "mobilenet_v1@0.25": (64, "fc", 256),
    "mobilenet_v3_large": (64, "classifier", 960),
    "mnasnet1_0": (64, "classifier", 1280),
    "mnasnet1_3": (64, "classifier", 1280),
    "regnet_y_400mf": (64, "fc", 440),
    "regnet_y_800mf": (64, "fc", 784),
    "regnet_x_400mf": (64, "fc", 400),
    "regnet_x_800mf": (64, "fc", 672),
    "convnext_tiny": (64, "classifier.2", 768),
    "convnext_small": (64, "classifier.2", 768),
    "googlenet": (64, "fc", 1024),
    "xception": (64, "predictions", 2048),
}


class BoxNetwork(torch.nn.Module):
    """An architecture without its classifier, and the box head."""

    def __init__(self, name):
        super().__init__()
        make, width, self.init = MODELS[name]
        full = make()
        if name == "resnet18":
            for child, module in full.named_children():
                if child not in ("fc", "avgpool"):
                    self.add_module(child, module)
        else:
            self.features = full.features
        self.head = torch.nn.Sequential(
            torch.nn.Linear(width, width // 2), torch.nn.ReLU(), torch.nn.Linear(width // 2, 4)
        )

    def forward(self, x):
        for name, module in self.named_children():
            if name != "head":
                x = module(x)
        return self.head(x.mean((2, 3)))


def initialise(network):
    for path, module in network.named_modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps, module.momentum = EPSILON, MOMENTUM
            torch.nn.init.ones_(module.weight)
            torch.nn.init.zeros_(module.bias)
        if not isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            continue
        name, shape = path + ".weight", tuple(module.weight.shape)
        fan_in = int(np.prod(shape[1:]))
        if isinstance(module, torch.nn.Linear):
            w = weights.uniform(SEED, name, shape, 1 / math.sqrt(fan_in))
            b = weights.uniform(SEED, path + ".bias", (shape[0],), 1 / math.sqrt(fan_in))
        else:
            if network.init == "fan_out":
                w = weights.normal(SEED, name, shape, math.sqrt(2 / (shape[0] * shape[2] * shape[3])))
            else:
                w = weights.uniform(SEED, name, shape, math.sqrt(6 / fan_in))
            b = np.zeros(shape[0], np.float32)
        with torch.no_grad():
            module.weight.copy_(torch.from_numpy(w))
            if module.bias is not None:
                module.bias.copy_(torch.from_numpy(b))


def drawn_network(name):
    """The network with a box head in place of its classifier, under the names that the zoo gives it."""
    _, place, width = (DRAWN | LONG)[name]
    network = zoo_torch.make(name)
    holder, _, last = place.rpartition(".")
    setattr(network.get_submodule(holder), last, torch.nn.Sequential(
        torch.nn.Linear(width, width // 2), torch.nn.ReLU(), torch.nn.Linear(width // 2, 4)))
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps, module.momentum = float(np.float32(module.eps)), 1.0 - float(np.float32(1 - module.momentum))
        if isinstance(module, torch.nn.LayerNorm):
            module.eps = float(np.float32(module.eps))
    return network


def zoo_name(model, name):
    """head.0.weight for what lies at fc.0.weight."""
    place = (DRAWN | LONG)[model][1] + "." if model not in MODELS else ""
    return "head." + name[len(place):] if place and name.startswith(place) else name


def draw(model, network):
    """Matrices normal by He et al., scales around 1, shifts around 0."""
    for name, parameter in network.named_parameters():
        name, shape = zoo_name(model, name), tuple(parameter.shape)
        if len(shape) > 1:
            value = weights.normal(SEED, name, shape, math.sqrt(2 / np.prod(shape[1:])))
        elif name.endswith("weight"):
            value = weights.uniform(SEED, name, shape, 0.25) + np.float32(1)
        else:
            value = weights.uniform(SEED, name, shape, 0.125)
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(value))


def step(network, images, targets):
    network.train()
    loss = torch.nn.functional.smooth_l1_loss(network(images), targets, beta=BETA)
    loss.backward()
    return loss.item()


def samples(flat):
    n = flat.size
    return " ".join(f"{i} {flat[i]:.17g}" for i in (n // 7, n * 3 // 7, n * 5 // 7))


def write(model, out):
    is_drawn = model not in MODELS
    size_px = (DRAWN | LONG)[model][0] if is_drawn else SIZE_PX
    if is_drawn:
        network = drawn_network(model)
        draw(model, network)
    else:
        network = BoxNetwork(model)
        initialise(network)
    narrow, wide = network, copy.deepcopy(network).double()
    images = torch.from_numpy(weights.uniform(SEED, "step.images", (BATCH, 3, size_px, size_px), 2.0))
    targets = torch.from_numpy(weights.uniform(SEED, "step.targets", (BATCH, 4), 0.5) + np.float32(0.5))
    step(narrow, images, targets)
    loss = step(wide, images.double(), targets.double())
    out.write(f"# one training step of {model}; made by tests/oracle/make_step_golden.py\n")
    out.write(f"input {size_px} {BATCH} {SEED}\n" + ("drawn\n" if is_drawn else "") + f"loss {loss:.17g}\n")
    own = dict(narrow.named_parameters())
    for name, parameter in wide.named_parameters():
        grad = parameter.grad.numpy().ravel()
        norm = np.linalg.norm(grad)
        error = np.linalg.norm(own[name].grad.numpy().ravel().astype(np.float64) - grad)
        error /= norm if norm >= TRULY_ZERO else 1.0
        out.write(f"grad {zoo_name(model, name)} {norm:.17g} {samples(grad)} {error:.3g}\n")
    for name, buffer in wide.named_buffers():
        if name.endswith("running_mean") or name.endswith("running_var"):
            flat = buffer.numpy().ravel()
            out.write(f"stat {name} {np.linalg.norm(flat):.17g} {samples(flat)}\n")


def write_long(folder, models):
    for model in models or [*LONG, "squeezenet1_0"]:
        out = io.StringIO()
        write(model, out)
        (folder / f"step_{model}.txt").write_text(out.getvalue(), encoding="ascii")


def main():
    torch.set_num_threads(1)
    if sys.argv[1:2] == ["--long"]:
        write_long(pathlib.Path(sys.argv[2]), sys.argv[3:])
        return
    for model in [name for name in MODELS if name != "squeezenet1_0"] + list(DRAWN):
        out = io.StringIO()
        write(model, out)
        # PyTorch's own f32 error depends on its version.
        golden.leave(f"step_{model}.txt", out.getvalue(), relative=1e-7, absolute=1e-11,
                     free=lambda words: (len(words) - 1,) if words[0] == "grad" else ())
    golden.end()


if __name__ == "__main__":
    main()
