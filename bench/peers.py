#!/usr/bin/env python3
"""Measure Gannet and its peers in turns, in one run, on one machine.

  bench/peers.py latency [--gannet build/gannet] [--models mobilenet_v2 resnet18 squeezenet1_1] [--imgsz 224] [--threads 1 2]
      batch-1 latency of the network alone: ONNX Runtime on the very ONNX file that `gannet export` wrote, against `gannet bench`
  bench/peers.py train [--models mobilenet_v2 resnet18] [--imgsz 128] [--batch 32] [--threads 2]
      pictures per second of training: steps (forward, backward, optimiser) on random pictures in PyTorch with torchvision's networks and the
      same box head, contiguous and channels_last (the better counts), against whole epochs of `gannet train`, pictures included
      (median of three, the first of which decodes them)

Rounds alternate (A B A B ...); medians and spreads over rounds are printed.  Needs torch, torchvision, onnxruntime, numpy.
SPDX-License-Identifier: Apache-2.0
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time


def gannet(program, *args):
    done = subprocess.run([program, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode not in (0, 5):
        sys.exit(f"{program} {' '.join(map(str, args))}: {done.stderr.strip()}")
    return done.stdout


def figures(values):
    return f"{statistics.median(values):8.3f} [{min(values):.3f}, {max(values):.3f}]"


def latency_of_onnxruntime(path, imgsz, threads, runs):
    import numpy
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: numpy.random.default_rng(0).random((1, 3, imgsz, imgsz), numpy.float32)}
    for _ in range(15):
        session.run(None, feed)
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        session.run(None, feed)
        times.append((time.perf_counter() - begin) * 1e3)
    return statistics.median(times)


def latency_of_gannet(program, path, imgsz, threads, runs):
    out = gannet(program, "bench", path, "--imgsz", imgsz, "--threads", threads, "--runs", runs, "--json")
    return json.loads(out)["latency_ms"]["p50"]


def latency(args):
    print(f"{'network':16} threads   {'ONNX Runtime ms':26} {'Gannet ms':26} ratio")
    with tempfile.TemporaryDirectory() as folder:
        for model in args.models:
            path = os.path.join(folder, model.replace("@", "_") + ".onnx")
            gannet(args.gannet, "export", model, "--head", "box", "--imgsz", args.imgsz, "-o", path)
            for threads in args.threads:
                theirs, ours = [], []
                for _ in range(args.rounds):
                    theirs.append(latency_of_onnxruntime(path, args.imgsz, threads, args.runs))
                    ours.append(latency_of_gannet(args.gannet, path, args.imgsz, threads, args.runs))
                ratio = statistics.median(ours) / statistics.median(theirs)
                print(f"{model:16} {threads:7}   {figures(theirs):26} {figures(ours):26} {ratio:.3f}", flush=True)


def torch_model(name):
    import torch
    import torchvision
    if name.startswith("mobilenet_v2"):
        width = float(name.split("@")[1]) if "@" in name else 1.0
        net = torchvision.models.mobilenet_v2(width_mult=width)
        features = net.last_channel
        net.classifier = torch.nn.Identity()
    elif name.startswith("resnet"):
        net = getattr(torchvision.models, name)()
        features = net.fc.in_features
        net.fc = torch.nn.Identity()
    else:
        backbone = getattr(torchvision.models, name)()
        features = 512
        net = torch.nn.Sequential(backbone.features, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    head = torch.nn.Sequential(torch.nn.Linear(features, features // 2), torch.nn.ReLU(), torch.nn.Linear(features // 2, 4))
    return torch.nn.Sequential(net, head)


class TorchTraining:
    """Steps of torchvision's network; random pictures, so that nothing but the step is timed."""

    def __init__(self, name, imgsz, batch, threads, channels_last):
        import torch
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        self.torch = torch
        layout = torch.channels_last if channels_last else torch.contiguous_format
        self.model = torch_model(name).train().to(memory_format=layout)
        if name.startswith("resnet"):
            self.optimizer = torch.optim.SGD(self.model.parameters(), 0.01, momentum=0.9, weight_decay=5e-4)
        else:
            self.optimizer = torch.optim.Adam(self.model.parameters(), 1e-3)
        self.images = torch.randn(batch, 3, imgsz, imgsz).to(memory_format=layout)
        self.boxes = torch.rand(batch, 4)
        self.steps(3)

    def steps(self, n):
        begin = time.perf_counter()
        for _ in range(n):
            self.optimizer.zero_grad(set_to_none=True)
            loss = self.torch.nn.functional.smooth_l1_loss(self.model(self.images), self.boxes, beta=0.1)
            loss.backward()
            self.optimizer.step()
        return n * len(self.images) / (time.perf_counter() - begin)


def train_of_gannet(program, name, data, folder, imgsz, batch, threads):
    optimizer = ["--optimizer", "sgd", "--lr0", "0.01", "--weight-decay", "5e-4", "--decay-all"] if name.startswith("resnet") \
        else ["--optimizer", "adam", "--lr0", "1e-3", "--weight-decay", "0"]
    out = gannet(program, "train", "--data", data, "--model", name, "--imgsz", imgsz, "--batch", batch, "--threads", threads,
                 "--epochs", 3, "--schedule", "constant", "--warmup-epochs", 0, "--no-ema", "--clip", 0, "--iou", "none", "--scale", 0,
                 "--translate", 0, "--hsv-h", 0, "--hsv-s", 0, "--hsv-v", 0, "--no-val", "--no-pictures", "--project", folder, "--name", "speed", "--exist-ok", *optimizer,
                 "--json")
    return json.loads(out)["images_per_s"]


def train(args):
    print(f"{'network':16} threads   {'PyTorch pictures/s':32} {'Gannet pictures/s':32} ratio")
    with tempfile.TemporaryDirectory() as folder:
        if args.data is None:
            args.data = os.path.join(folder, "faces")
            gannet(args.gannet, "synth", args.data, "--images", 480)
        for model in args.models:
            for threads in args.threads:
                peers = [TorchTraining(model, args.imgsz, args.batch, threads, last) for last in (False, True)]
                theirs, ours = [], []
                for _ in range(args.rounds):
                    theirs.append(max(peer.steps(args.steps) for peer in peers))
                    ours.append(train_of_gannet(args.gannet, model, args.data, folder, args.imgsz, args.batch, threads))
                ratio = statistics.median(ours) / statistics.median(theirs)
                print(f"{model:16} {threads:7}   {figures(theirs):32} {figures(ours):32} {ratio:.3f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["latency", "train"])
    parser.add_argument("--gannet", default="build/gannet")
    parser.add_argument("--models", nargs="+")
    parser.add_argument("--imgsz", type=int)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, nargs="+")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--data", help="data set for gannet train (default: drawn faces)")
    args = parser.parse_args()
    if args.what == "latency":
        args.models = args.models or ["mobilenet_v2", "resnet18", "squeezenet1_1"]
        args.imgsz = args.imgsz or 224
        args.threads = args.threads or [1, 2]
        latency(args)
    else:
        args.models = args.models or ["mobilenet_v2", "resnet18"]
        args.imgsz = args.imgsz or 128
        args.threads = args.threads or [2]
        train(args)


if __name__ == "__main__":
    main()
