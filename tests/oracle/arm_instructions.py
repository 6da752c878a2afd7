#!/usr/bin/env python3
"""Instructions of one inference on 64-bit ARM, counted under qemu-aarch64: tests/golden/arm_instructions.csv.

    arm_instructions.py BUILD            writes the file; BUILD is a cross build, such as that of scripts/test-arm.sh
    arm_instructions.py BUILD --check    compares: a network that needs 3 % more than the file says fails
    arm_instructions.py BUILD --table    prints the table of docs/performance.md from the file

One thread, batch 1, as on a Cortex-A57.  The count of one inference is the difference between two and one of them, so that loading and
packing are not in it.  How long anything takes cannot be told from it.

SPDX-License-Identifier: Apache-2.0
"""
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
GOLDEN = ROOT / "tests" / "golden" / "arm_instructions.csv"
NETWORKS = [("mobilenet_v2", 224), ("mobilenet_v3_small", 224), ("mnasnet1_0", 224), ("shufflenet_v2_x1_0", 224), ("squeezenet1_1", 224),
            ("resnet18", 224), ("regnet_y_400mf", 224), ("yolov8n", 320)]
COLUMNS = ["all", "fma", "fma_lanes", "vector", "load", "store", "prefetch", "branch", "integer"]
MORE_ALLOWED = 1.03
EMULATOR = ["qemu-aarch64", "-cpu", "cortex-a57"]


def run(command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stderr[-2000:]}")


def counts(build, plugin, model, runs, folder):
    out = folder / "counts.csv"
    run([*EMULATOR, "-plugin", f"{plugin},out={out}", build / "bench" / "run_again", model, runs])
    return {kind: int(n) for kind, n in (line.split(",") for line in out.read_text().split())}


def measure(build, name, px, plugin, folder):
    model = folder / f"{name}.onnx"
    run([*EMULATOR, build / "gannet", "export", name, "--imgsz", px, "-o", model, "-q"])
    once, twice = (counts(build, plugin, model, runs, folder) for runs in (1, 2))
    model.unlink()
    return [twice[kind] - once[kind] for kind in COLUMNS]


def read_golden():
    rows = [line.split(",") for line in GOLDEN.read_text().splitlines() if not line.startswith("#")]
    return {(row[0], int(row[1])): [int(n) for n in row[2:]] for row in rows[1:]}


def check(found, golden):
    failed = 0
    for (name, px), row in found.items():
        want = golden.get((name, px))
        ratio = row[0] / want[0] if want else float("inf")
        good = ratio <= MORE_ALLOWED
        failed += not good
        print(f"{'ok' if good else 'FAILED'} {name} {px} px: {row[0]:,} instructions, {ratio:.3f} of the golden file's", flush=True)
    return 1 if failed else 0


def write(found):
    lines = ["# made by tests/oracle/arm_instructions.py with qemu-aarch64 -cpu cortex-a57: instructions of one inference",
             ",".join(["model", "px", *COLUMNS])]
    lines += [",".join(map(str, [name, px, *row])) for (name, px), row in found.items()]
    GOLDEN.write_text("\n".join(lines) + "\n")


def table():
    print("| network | px | instructions M | multiply-adds M | of the instructions, FMA | load | store | other arithmetic on vectors | rest |")
    print("|---|---|---|---|---|---|---|---|---|")
    for (name, px), row in read_golden().items():
        n = dict(zip(COLUMNS, row))
        share = {kind: 100 * n[kind] / n["all"] for kind in COLUMNS}
        rest = share["prefetch"] + share["branch"] + share["integer"]
        print(f"| `{name}` | {px} | {n['all'] / 1e6:.1f} | {n['fma_lanes'] / 1e6:.1f} | {share['fma']:.1f} % | {share['load']:.1f} % | "
              f"{share['store']:.1f} % | {share['vector']:.1f} % | {rest:.1f} % |")


def main():
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    if "--table" in sys.argv:
        return table()
    if len(words) != 1:
        sys.exit(__doc__)
    build = pathlib.Path(words[0]).resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        plugin = folder / "qemu_count.so"
        run([os.environ.get("CC", "gcc"), "-O2", "-shared", "-fPIC", ROOT / "tools" / "qemu_count.c", "-o", plugin])
        found = {(model, px): measure(build, model, px, plugin, folder) for model, px in NETWORKS}
    if "--check" in sys.argv:
        return check(found, read_golden())
    return write(found)


if __name__ == "__main__":
    sys.exit(main())
