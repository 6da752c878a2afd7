"""Training steps of PyTorch for bench/peers.py train; a step there and in bench/step_layers.c has the same parts.

A step: forward in training mode (statistics of normalisation updated), the sum of the squares of all outputs as loss, backward, AdamW over all
parameters.  The batch is the same random one each time, so nothing but the step is timed.
SPDX-License-Identifier: Apache-2.0
"""
import os
import re
import subprocess

ULTRALYTICS = os.environ.get("ULTRALYTICS_PYTHON", "/opt/ultra/bin/python")
MODELS = ["mobilenet_v2", "resnet18", "mobilenet_v3_small", "squeezenet1_1", "shufflenet_v2_x1_0"]
YOLO = "yolov8n"


def raw_maps(outputs):
    """All tensors of what a network gives; of a detector of Ultralytics the raw boxes and scores."""
    if isinstance(outputs, dict):
        outputs = [outputs["boxes"], outputs["scores"]] if "boxes" in outputs else list(outputs.values())
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]


class TorchStep:
    layout = "contiguous_format"
    is_compiled = False

    def load(self, spec):
        import torch
        self.torch = torch
        torch.set_num_threads(spec["threads"])
        torch.manual_seed(0)

    def make(self, spec):
        if spec["name"].startswith("yolo"):
            from ultralytics import YOLO as ultralytics_yolo
            net = ultralytics_yolo(spec["name"] + ".yaml", verbose=False).model.float()
            for parameter in net.parameters():
                parameter.requires_grad_(True)
            return net
        import peer_networks
        return peer_networks.torch_network(spec["name"])

    def open(self, spec):
        torch = self.torch
        layout = getattr(torch, self.layout)
        net = self.make(spec).train().to(memory_format=layout)
        for module in net.modules():  # not in Gannet's networks of the same names
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        self.optimizer = torch.optim.AdamW(net.parameters(), 1e-6, weight_decay=0.01, fused=True)
        self.images = torch.rand(spec["batch"], 3, spec["imgsz"], spec["imgsz"]).to(memory_format=layout)
        self.net = torch.compile(net) if self.is_compiled else net

    def run(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = sum((y * y).sum() for y in raw_maps(self.net(self.images)))
        loss.backward()
        self.optimizer.step()


class TorchStepLast(TorchStep):
    layout = "channels_last"


class TorchStepCompiled(TorchStepLast):
    is_compiled = True


PEERS = {"train_torch": TorchStep, "train_torch_last": TorchStepLast, "train_torch_compile": TorchStepCompiled}


def gannet_step_ms(program, name, batch, imgsz, threads, steps):
    """Median milliseconds of `steps` steps by bench/step_layers."""
    done = subprocess.run([program, name, str(batch), str(imgsz), str(threads), str(steps)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    found = re.search(r"step: median ([0-9.]+) ms", done.stdout)
    if done.returncode or not found:
        raise SystemExit(f"{program} {name}: {done.stderr.strip()}")
    return float(found.group(1))
