#!/usr/bin/env python3
"""What classifiers and transfer are held to, on real data (GANNET_DATA):

cifar     the 20-layer ResNet of resnet20-12fca82f.th on the 10,000 test pictures of cifar10_images.zip: 18.97% test error within 0.1,
          and the same pictures right and wrong as in PyTorch (but for near ties)
transfer  RetinaFace's MobileNet-0.25 features under a box head on faces_one, 10 epochs, 3 seeds: mean IoU above the same run from
          scratch by more than the spread of both

    python3 tests/oracle/learning_bars.py BUILD-FOLDER [cifar] [transfer]
Needs torch, numpy, pillow for cifar.  Lines begin with ok or FAILED.
SPDX-License-Identifier: Apache-2.0
"""
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DATA = pathlib.Path(os.environ.get("GANNET_DATA", ROOT.parent / "shared" / "data"))
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SEEDS = (0, 1, 2)
failures = 0


def report(name, is_right, text):
    global failures
    failures += not is_right
    print(f"{'ok     ' if is_right else 'FAILED '} {name}: {text}", flush=True)


def gannet(build, *args):
    return json.loads(subprocess.run([build / "gannet", *map(str, args), "--json", "--quiet"], capture_output=True, text=True,
                                     check=True).stdout)


def torch_answers(checkpoint, archive):
    """Logits of the test pictures in PyTorch, by member of the archive."""
    import numpy as np
    import torch
    from PIL import Image
    import zoo_torch
    torch.set_num_threads(1)
    model = zoo_torch.make("resnet20_cifar")
    model.linear = torch.nn.Linear(64, 10)
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    model.load_state_dict({k.removeprefix("module."): v for k, v in state.items()}, strict=False)
    model.eval()
    names = sorted(n for n in archive.namelist() if n.startswith("test/"))
    answers = {}
    for i in range(0, len(names), 250):
        part = names[i:i + 250]
        x = np.stack([np.asarray(Image.open(io.BytesIO(archive.read(n))).convert("RGB"), np.float32) / 255 for n in part])
        x = (x - np.float32(MEAN)) / np.float32(STD)
        with torch.no_grad():
            logits = model(torch.from_numpy(x.transpose(0, 3, 1, 2).copy()))
        answers.update(zip(part, logits.numpy()))
    return answers


def cifar(build, folder):
    path = DATA / "cifar10" / "cifar10_images.zip"
    checkpoint = DATA / "models" / "resnet_cifar10" / "resnet20-12fca82f.th"
    model = folder / "r20.onnx"
    subprocess.run([build / "gannet", "import", checkpoint, "--model", "resnet20_cifar", "--head", "classify", "--imgsz", "32",
                    "-o", model, "--quiet"],
                   check=True)
    ours = gannet(build, "val", model, "--data", path, "--split", "test", "--resamples", 0)
    error = 100 * (1 - ours["top1"])
    report("test error", abs(error - 18.97) <= 0.1, f"{error:.2f}%, 18.97% was expected")
    archive = zipfile.ZipFile(path)
    answers = torch_answers(checkpoint, archive)
    classes = sorted({n.split("/")[1] for n in answers})
    right = sum(classes[int(a.argmax())] == n.split("/")[1] for n, a in answers.items())
    report("test error against PyTorch", abs(ours["top1"] * len(answers) - right) <= 2, f"{100 - 100 * right / len(answers):.2f}% there")
    listed = gannet(build, "predict", model, "--data", path, "--split", "test", "--limit", 2000)["predictions"]
    differing = 0
    for p in listed:
        name = "/".join(p["image"].split("/")[-3:])
        top = sorted(answers[name])[-2:]
        differing += p["objects"][0]["class"] != int(answers[name].argmax()) and top[1] - top[0] > 1e-3
    report("answers to the first 2000", differing == 0, f"{differing} differ")


def transfer(build, folder):
    weights = DATA / "models" / "retinaface_mb025" / "mobilenet0.25_Final.pth"
    common = ("--data", DATA / "faces_one" / "data.yaml", "--model", "mobilenet_v1@0.25", "--activation", "leaky_relu:0.1", "--imgsz", 96,
              "--epochs", 10, "--project", folder, "--no-pictures")
    convention = ("--mean", "0.482353,0.458824,0.407843", "--std", "0.00392157,0.00392157,0.00392157")
    kinds = {"scratch": (), "scratch, same normalisation": convention,
             "transfer": convention + ("--weights", weights, "--rename", "body.*=*", "--weights-order", "bgr")}
    iou = {kind: [gannet(build, "train", *common, *extra, "--seed", seed, "--name", f"{kind.split(',')[0]}{len(extra)}-{seed}")["mean_iou"]
                  for seed in SEEDS] for kind, extra in kinds.items()}
    for kind, values in iou.items():
        print(f"        {kind}: " + " ".join(f"{v:.4f}" for v in values))
    for kind in ("scratch", "scratch, same normalisation"):
        spread = max(max(v) - min(v) for v in (iou[kind], iou["transfer"]))
        gain = sum(iou["transfer"]) / len(SEEDS) - sum(iou[kind]) / len(SEEDS)
        report(f"transfer above {kind}", gain > spread and min(iou["transfer"]) > max(iou[kind]), f"{gain:.4f}, spread {spread:.4f}")


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    build = pathlib.Path(sys.argv[1]).resolve()
    bars = {"cifar": cifar, "transfer": transfer}
    with tempfile.TemporaryDirectory() as folder:
        for name in sys.argv[2:] or bars:
            if DATA.is_dir():
                bars[name](build, pathlib.Path(folder))
            else:
                print(f"{name}: {DATA} is not there, left out")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
