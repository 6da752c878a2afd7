#!/usr/bin/env python3
"""Suppression of overlapping boxes: Gannet's against torchvision's, in turns on the same candidates.

    python3 bench/nms.py [BUILD]      (needs torch and torchvision; BUILD: the build folder, default build)

8,400 candidates, all above the threshold, drawn from 100 clusters in a picture of 640 x 640 px: centres and sides scattered by a tenth of
the cluster's box.  One thread.  Each side answers in turns (A B A B ...), the medians of the rounds are printed, and both must keep the
same boxes.  Gannet's time includes taking the candidates over and checking them.
SPDX-License-Identifier: Apache-2.0
"""
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import torch
import torchvision

ROUNDS, RUNS = 7, 31
IOU = 0.7


def candidates(classes, generator, clusters=100, n=8400, side=640):
    def uniform(low, high, *shape):
        return low + (high - low) * torch.rand(shape, generator=generator)

    centre, size = uniform(0, side, clusters, 2), uniform(20, 200, clusters, 2)
    which = torch.randint(clusters, (n,), generator=generator)
    size_n = size[which] * (1 + 0.1 * torch.randn((n, 2), generator=generator)).clamp(min=0.3)
    centre_n = centre[which] + 0.1 * size[which] * torch.randn((n, 2), generator=generator)
    boxes = torch.cat((centre_n - size_n / 2, centre_n + size_n / 2), 1)
    of_cluster = torch.randint(classes, (clusters,), generator=generator)
    other = torch.randint(classes, (n,), generator=generator)
    cls = torch.where(uniform(0, 1, n) < 0.8, of_cluster[which], other)
    scores = 0.25 + 0.75 * (torch.randperm(n, generator=generator) + 0.5) / n  # no two alike
    return boxes, scores, cls


def torch_ms(boxes, scores, cls, classes):
    times, kept = [], None
    for i in range(-3, RUNS):
        begin = time.perf_counter()
        kept = (torchvision.ops.nms(boxes, scores, IOU) if classes == 1
                else torchvision.ops.batched_nms(boxes, scores, cls, IOU))
        if i >= 0:
            times.append((time.perf_counter() - begin) * 1e3)
    return statistics.median(times), kept.tolist()


def gannet_ms(program, path, most, kind="greedy"):
    answer = subprocess.run([program, path, kind, str(IOU), str(most), str(RUNS)], capture_output=True, text=True,
                            check=True).stdout.split("\n")
    return float(answer[0].split()[0]), [int(x) for x in answer[1].split()]


def compare(program, folder, classes, generator):
    boxes, scores, cls = candidates(classes, generator)
    path = folder / f"{classes}.f32"
    path.write_bytes(torch.cat((boxes, scores[:, None], cls[:, None].float()), 1).contiguous().numpy().tobytes())
    ours, ours_300, theirs, same = [], [], [], True
    for _ in range(ROUNDS):
        a, kept_a = gannet_ms(program, path, len(boxes))
        b, kept_b = torch_ms(boxes, scores, cls, classes)
        ours.append(a)
        theirs.append(b)
        ours_300.append(gannet_ms(program, path, 300)[0])
        same = same and kept_a == kept_b
    print(f"{classes:3d} classes: {len(boxes)} candidates, {len(kept_b)} kept, {'the same' if same else 'NOT THE SAME'}: "
          f"gannet {statistics.median(ours):.3f} ms ({min(ours):.3f}..{max(ours):.3f}), the best 300 only "
          f"{statistics.median(ours_300):.3f} ms; torchvision {torchvision.__version__} "
          f"{statistics.median(theirs):.3f} ms ({min(theirs):.3f}..{max(theirs):.3f})")
    for kind in ("diou", "soft", "soft_gaussian", "fusion"):
        ms, kept = gannet_ms(program, path, 300, kind)
        print(f"     {kind}: {ms:.3f} ms, {len(kept)} objects")
    return same


def main():
    build = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "build")
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(1)
    with tempfile.TemporaryDirectory() as folder:
        same = [compare(build / "bench" / "nms_speed", pathlib.Path(folder), c, generator) for c in (1, 80)]
    sys.exit(0 if all(same) else 1)


main()
