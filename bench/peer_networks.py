"""The networks that bench/peers.py measures: files for every peer, made from what `gannet export` writes.

Backbones carry the box head; PyTorch builds torchvision's network with the same head and reads the weights that Gannet exported, and ncnn gets
that network through pnnx.  Detectors are `gannet export`'s own files, or files of $GANNET_DATA.
SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
DATA = pathlib.Path(os.environ.get("GANNET_DATA", ROOT.parent / "shared" / "data"))

BACKBONES = [
    "alexnet", "vgg11", "vgg16", "resnet18", "squeezenet1_0", "squeezenet1_1", "densenet121", "shufflenet_v2_x0_5", "shufflenet_v2_x1_0",
    "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "mnasnet0_5", "mnasnet1_0", "mnasnet1_3", "regnet_y_400mf", "regnet_y_800mf",
    "regnet_x_400mf", "regnet_x_800mf", "convnext_tiny", "convnext_small",
]
# A few of every kind, for a look in between.
SMALL = ["resnet18", "squeezenet1_1", "mobilenet_v2", "mobilenet_v3_small", "mnasnet1_0", "regnet_x_400mf", "convnext_tiny"]
DETECTORS = ["yolov8n@320", "yolov8n@640", "yolov5n@320", "ultraface_slim", "fastestdet"]
DATA_FILES = {"ultraface_slim": "models/ultraface/version-slim-320_simplified.onnx", "fastestdet": "models/fastestdet/FastestDet.onnx"}


class Missing(Exception):
    """A network or a peer that is not there; the message says why."""


def run_gannet(program, *args):
    done = subprocess.run([str(program), *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode not in (0, 5):
        sys.exit(f"{program} {' '.join(map(str, args))}: {done.stderr.strip()}")
    return done.stdout


def copy_with_constant_weights(source, target):
    """Old files list their weights among the inputs, which keeps ONNX Runtime from folding and packing them."""
    import onnx
    model = onnx.load(source)
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    onnx.save(model, target)


def read_safetensors(path):
    """Names and tensors of a file of f32 and i64."""
    import numpy
    data = numpy.memmap(path, numpy.uint8, "c")
    length = struct.unpack("<Q", data[:8].tobytes())[0]
    header = json.loads(data[8:8 + length].tobytes())
    kinds = {"F32": numpy.float32, "I64": numpy.int64}
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = (8 + length + at for at in entry["data_offsets"])
            tensors[name] = data[begin:end].view(kinds[entry["dtype"]]).reshape(entry["shape"])
    return tensors


def torchvision_features(name):
    """torchvision's network without its classifier: pictures in, a vector of features out; and how many features."""
    import torch
    import torchvision
    base, _, width = name.partition("@")
    net = torchvision.models.mobilenet_v2(width_mult=float(width)) if width else getattr(torchvision.models, base)()
    if base.startswith("squeezenet"):
        net.classifier = torch.nn.Identity()
        net.forward = lambda x: torch.flatten(torch.nn.functional.adaptive_avg_pool2d(net.features(x), 1), 1)
        return net, 512
    last = [module for module in net.modules() if isinstance(module, torch.nn.Linear)]
    if hasattr(net, "fc"):
        features, net.fc = last[-1].in_features, torch.nn.Identity()
    elif base.startswith("convnext"):
        features, net.classifier[2] = last[-1].in_features, torch.nn.Identity()
    else:
        in_classifier = [m for m in net.classifier.modules() if isinstance(m, torch.nn.Linear)]
        features, net.classifier = in_classifier[0].in_features, torch.nn.Identity()
    return net, features


def torch_network(name, weights=None):
    """torchvision's network with the box head of Gannet; weights: a safetensors file of `gannet export`, else its own random ones."""
    import torch
    # Without memory and initial values, but RegNet computes its widths with tensors.
    with torch.device("meta" if weights and not name.startswith("regnet") else "cpu"):
        net, features = torchvision_features(name)
        head = torch.nn.Sequential(torch.nn.Linear(features, features // 2), torch.nn.ReLU(), torch.nn.Linear(features // 2, 4))
    if weights:
        tensors = {k: torch.from_numpy(v) for k, v in read_safetensors(weights).items()}
        for part, prefix in ((head, "head."), (net, "")):
            state = part.state_dict()  # kept as it is: some networks look for the version in it
            for name_of in state:
                state[name_of] = tensors.get(prefix + name_of, torch.zeros((), dtype=torch.int64))
            part.load_state_dict(state, strict=True, assign=True)
    return torch.nn.Sequential(net, head)


class Network:
    """Files of one network under a folder; they are made when they are asked for first."""

    def __init__(self, name, folder, program, imgsz=224):
        self.name, self.folder, self.program = name, pathlib.Path(folder), program
        self.base, _, size = name.partition("@")
        self.is_detector = name in DETECTORS
        self.imgsz = int(size) if self.is_detector and size else imgsz
        self.onnx = self.folder / f"{name}_{self.imgsz}.onnx"
        self.weights = self.folder / f"{name}_{self.imgsz}.safetensors"
        self.ncnn = self.folder / f"{name}_{self.imgsz}.ncnn"
        self.input = self.folder / f"{name}_{self.imgsz}.input"

    def make_onnx(self):
        """The file that ONNX Runtime, OpenVINO and Gannet read."""
        if self.onnx.exists():
            return
        if self.base in DATA_FILES:
            source = DATA / DATA_FILES[self.base]
            if not source.exists():
                raise Missing(f"{source} is missing")
            copy_with_constant_weights(source, self.onnx)
            return
        head = [] if self.is_detector else ["--head", "box"]
        name = self.base if self.is_detector else self.name
        for path in (self.weights, self.onnx):
            run_gannet(self.program, "export", name, *head, "--imgsz", self.imgsz, *(["--fixed-batch"] if path == self.onnx else []),
                       "--quiet", "-o", path)

    def input_shape(self):
        if self.base in DATA_FILES:
            import onnx
            dims = onnx.load(self.onnx, load_external_data=False).graph.input[0].type.tensor_type.shape.dim
            return [1] + [d.dim_value for d in dims[1:]]
        return [1, 3, self.imgsz, self.imgsz]

    def make_input(self):
        """Random numbers, the same for every peer."""
        import numpy
        if not self.input.exists():
            numpy.random.default_rng(0).random(self.input_shape(), numpy.float32).tofile(self.input)

    def make_ncnn(self, pnnx):
        """Through pnnx: backbones from PyTorch's network, since ncnn knows its layers, detectors from the ONNX file."""
        failed = self.ncnn.with_suffix(".ncnn_failed")
        if failed.exists():
            raise Missing(failed.read_text())
        if self.ncnn.with_suffix(".ncnn.bin").exists():
            return
        work = self.folder / "pnnx"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        if self.is_detector:
            source = work / "m.onnx"
            shutil.copyfile(self.onnx, source)
        else:
            import torch
            source = work / "m.pt"
            net = torch_network(self.name, self.weights).eval()
            with torch.no_grad():
                torch.jit.trace(net, torch.rand(self.input_shape()), check_trace=False).save(str(source))
        shape = ",".join(map(str, self.input_shape()))
        done = subprocess.run([pnnx, source.name, f"inputshape=[{shape}]", "fp16=0"], cwd=work, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        made = (work / "m.ncnn.bin").exists()
        for ending in (".param", ".bin") if made else ():
            shutil.move(work / ("m.ncnn" + ending), self.ncnn.with_suffix(".ncnn" + ending))
        shutil.rmtree(work)
        if not made:
            failed.write_text(f"pnnx does not convert {self.name}: {(done.stdout.strip().splitlines() or ['status ' + str(done.returncode)])[-1]}")
            raise Missing(failed.read_text())


def find_pnnx(chosen=None):
    """The program pnnx of the pip package, or one on the path; None: ncnn cannot be measured."""
    if chosen:
        return chosen
    beside = [pathlib.Path(p) / "pnnx" / "pnnx" for p in sys.path]
    return next((str(p) for p in beside if p.is_file()), None) or shutil.which("pnnx")
