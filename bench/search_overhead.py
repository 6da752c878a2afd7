#!/usr/bin/env python3
"""What a search adds around its trainings: the same trials by `gannet search`, and one after the other by `gannet train --from-trial`.

    bench/search_overhead.py build/gannet --data faces/data.yaml [--epochs 8] [--trials 4] [--rounds 2]

Both sides take turns (A B A B).  The search's time is that from the first claim to the last end in its study: measuring networks and
evaluating the winner are other work.  Choose epochs so that a trial takes about ten seconds.
SPDX-License-Identifier: Apache-2.0
"""
import argparse
import pathlib
import sqlite3
import statistics
import subprocess
import tempfile
import time


def search(gannet, args, out):
    """Seconds of the training part, and the number of trials."""
    subprocess.run([gannet, "search", "--data", args.data, "--model", args.model, "--set", "lr0=1e-4..1e-2:log", "--set",
                    f"imgsz={args.imgsz}", "--sampler", "tpe", "--trials", str(args.trials), "--stop", "none", "--epochs",
                    str(args.epochs), "--no-pictures", "--out", str(out), "--quiet"], check=True)
    db = sqlite3.connect(out / "study.db")
    begin, end, n = db.execute("SELECT min(started_at), max(ended_at), count(*) FROM attempt").fetchone()
    db.close()
    return end - begin, n


def alone(gannet, args, out, folder):
    """Seconds of the same trainings without a search around them."""
    began = time.monotonic()
    for trial in range(1, args.trials + 1):
        subprocess.run([gannet, "train", "--from-trial", f"{out / 'study.db'}:{trial}", "--project", str(folder), "--name", f"t{trial}",
                        "--quiet"], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gannet")
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", default="mobilenet_v2@0.35")
    parser.add_argument("--imgsz", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--trials", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    shares = []
    for i in range(args.rounds):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            whole, n = search(args.gannet, args, folder / "s")
            plain = alone(args.gannet, args, folder / "s", folder / "t")
            shares.append((whole - plain) / whole)
            print(f"round {i + 1}: {n} trials by search {whole:.2f} s, alone {plain:.2f} s ({plain / n:.1f} s each), difference {100 * shares[-1]:.2f} %",
                  flush=True)
    print(f"median {100 * statistics.median(shares):.2f} %")


if __name__ == "__main__":
    main()
