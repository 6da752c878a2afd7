"""What zoo_forward.py and zoo_step.py share: weights of a PyTorch network as safetensors, and the program that computes with them.

SPDX-License-Identifier: Apache-2.0
"""
import json
import struct
import subprocess
import sys

import numpy as np
import torch

import zoo_torch


def stir(net, seed):
    """Moves what fresh networks leave at 0 and 1 (normalisation, layer scales, biases), so that a mistake there shows."""
    generator = torch.Generator().manual_seed(seed)
    uniform = lambda t, low, high: t.copy_(low + (high - low) * torch.rand(t.shape, generator=generator))
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, (torch.nn.BatchNorm2d, torch.nn.LayerNorm)):
                uniform(module.weight, 0.7, 1.3)
                uniform(module.bias, -0.3, 0.3)
            if isinstance(module, torch.nn.BatchNorm2d):
                uniform(module.running_mean, -0.2, 0.2)
                uniform(module.running_var, 0.6, 1.6)
            if hasattr(module, "layer_scale"):
                uniform(module.layer_scale, 0.2, 0.6)


def write_safetensors(path, tensors):
    header, offset, blobs = {}, 0, []
    for name, tensor in tensors:
        blob = tensor.detach().numpy().astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [offset, offset + len(blob)]}
        offset += len(blob)
        blobs.append(blob)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.writelines(blobs)


def program(build, *arguments):
    done = subprocess.run([f"{build}/bench/zoo_numbers"] + [str(a) for a in arguments], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"zoo_numbers {' '.join(str(a) for a in arguments)}: {done.stderr.strip()}")
    return done.stdout


def floats(path):
    return np.fromfile(path, dtype="<f4")


def chosen(names):
    """The models that the command line names, or all of `names`."""
    return sys.argv[2:] or names


def make_network(name, classes, seed, is_stirred):
    torch.manual_seed(seed)
    net = zoo_torch.make(name)
    if classes != 1000:
        exchange_classifier(net, classes)
    if is_stirred:
        stir(net, seed)
    return net


def exchange_classifier(net, classes):
    """A last layer with fewer classes, freshly drawn."""
    for path, module in reversed(list(net.named_modules())):
        holder = net.get_submodule(path.rpartition(".")[0])
        if isinstance(module, torch.nn.Linear):
            setattr(holder, path.rpartition(".")[2], torch.nn.Linear(module.in_features, classes))
            return
        if isinstance(module, torch.nn.Conv2d):  # SqueezeNet's
            setattr(holder, path.rpartition(".")[2], torch.nn.Conv2d(module.in_channels, classes, 1))
            return
