#!/usr/bin/env python3
"""Kills a real search at random moments and lets it go on, until it comes to its end.

A small drawn data set is searched with real trainings.  Again and again the search, or one of its workers, gets SIGKILL after a random
time; then the same command goes on.  After every kill the study must pass SQLite's own check, hold no half-written result and no trial that
ended a rung twice; at the end every trial has come to its end, and every figure and the winner's network
are the same, bit for bit, as those of a search that nobody disturbed.

    tests/oracle/search_kill.py build/gannet [--kills 20] [--seed 1]

SPDX-License-Identifier: Apache-2.0
"""
import argparse
import os
import pathlib
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time


def command(gannet, data, out):
    return [gannet, "search", "--data", str(data), "--model", "mobilenet_v2@0.35,squeezenet1_1", "--set", "lr0=1e-3,3e-3",
            "--set", "imgsz=64", "--set", "batch=8", "--stages", "1:2,2:1,3", "--jobs", "1", "--target", "cpu?threads=1",
            "--out", str(out), "--quiet"]


def children(pid):
    """Processes whose parent is pid."""
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found


def check_study(path, is_over):
    """Faults of the study, as texts."""
    faults = []
    db = sqlite3.connect(path)
    check = db.execute("PRAGMA integrity_check").fetchall()
    if check != [("ok",)]:
        faults.append(f"integrity_check: {check}")
    if db.execute("PRAGMA foreign_key_check").fetchall():
        faults.append("rows without what they refer to")
    if db.execute("SELECT 1 FROM result r WHERE NOT EXISTS (SELECT 1 FROM metric m WHERE m.trial_id = r.trial_id AND"
                  " m.stage = r.stage AND m.split = r.split)").fetchall():
        faults.append("a result without its metrics")
    twice = db.execute("SELECT trial_id, stage, count(*) FROM attempt WHERE outcome = 'done' GROUP BY 1, 2 HAVING count(*) > 1").fetchall()
    if twice:
        faults.append(f"rungs that ended twice: {twice}")
    ends = db.execute("SELECT count(*) FROM attempt WHERE outcome = 'done'").fetchone()[0]
    results = db.execute("SELECT count(*) FROM result WHERE split = 'val'").fetchone()[0]
    if ends != results:
        faults.append(f"{ends} ends but {results} results")
    if is_over:
        states = db.execute("SELECT state, count(*) FROM trial GROUP BY 1").fetchall()
        if states != [("done", 4)]:
            faults.append(f"states at the end: {states}")
        if results != 4 + 2 + 1:
            faults.append(f"{results} results at the end, expected 7")
        epochs = db.execute("SELECT trial_id, count(*), max(epoch) FROM epoch GROUP BY 1").fetchall()
        faults += [f"trial {t}: {n} epochs, the last is {last}" for t, n, last in epochs if n != last]
    db.close()
    return faults


def run_and_kill(argv, after, is_worker):
    """True when the search was killed; False when it came to its end, perhaps with another worker than it began with."""
    search = subprocess.Popen(argv, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        search.wait(after)
    except subprocess.TimeoutExpired:
        victims = children(search.pid) if is_worker else [search.pid]
        for pid in victims[:1]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if not is_worker:
            search.wait()
            return True
        search.wait()
        return False


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gannet")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    chance = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        data = folder / "faces"
        subprocess.run([args.gannet, "synth", str(data), "--images", "80", "--imgsz-range", "64,128", "--quiet"], check=True)
        began = time.monotonic()
        subprocess.run(command(args.gannet, data, folder / "whole"), check=True, stderr=subprocess.DEVNULL)
        whole = time.monotonic() - began
        argv = command(args.gannet, data, folder / "pieces")
        faults, kills, runs, ends = [], 0, 0, 0
        study = folder / "pieces" / "study.db"
        while kills < args.kills and runs < 10 * args.kills:
            runs += 1
            is_worker = chance.random() < 0.4
            was_killed = run_and_kill(argv, chance.uniform(0.02, 0.25) * whole, is_worker)
            kills += was_killed or is_worker
            ends += not was_killed
            if study.exists():
                faults += [f"after kill {kills}: {f}" for f in check_study(study, False)]
            if ends > 0 and kills < args.kills:
                # It came to its end: another one begins, so that there is something to kill.
                faults += [f"end {ends}: {f}" for f in finish(argv, folder, study)]
                ends = 0
        faults += finish(argv, folder, study)
        print(f"{kills} kills in {runs} runs, a whole search takes {whole:.1f} s")
    for fault in faults:
        print("FAILED", fault)
    if not faults:
        print(f"ok     {kills} kills: every study went on, nothing was lost, double or half-written")
    return 1 if faults else 0


def model(out):
    """The winner's network: graph and weights, without the command line that stands behind them (nor the lengths just before it)."""
    return (out / "best.onnx").read_bytes().partition(b"gannet.train")[0][:-8]


def figures(path):
    """Every figure of accuracy in the study."""
    db = sqlite3.connect(path)
    rows = (db.execute("SELECT trial_id, epoch, train_loss, val_loss, mean_iou, box_precision50, lr FROM epoch ORDER BY 1, 2").fetchall(),
            db.execute("SELECT trial_id, stage, split, name, value, low, high FROM metric ORDER BY 1, 2, 3, 4").fetchall())
    db.close()
    return rows


def finish(argv, folder, study):
    """Lets the search come to its end, compares with the undisturbed one, and clears the way for the next."""
    subprocess.run(argv, check=True, stderr=subprocess.DEVNULL)
    faults = check_study(study, True)
    if model(folder / "pieces") != model(folder / "whole"):
        faults.append("best.onnx differs from that of the undisturbed search")
    if figures(study) != figures(folder / "whole" / "study.db"):
        faults.append("epochs or results differ from those of the undisturbed search")
    subprocess.run(["rm", "-rf", str(folder / "pieces")], check=True)
    return faults


if __name__ == "__main__":
    sys.exit(main())
