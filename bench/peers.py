#!/usr/bin/env python3
"""Measure Gannet and its peers in turns, in one run, on one machine.

  bench/peers.py prepare  [networks]        files for every peer (export, pnnx, what torch.compile makes), so that measuring begins at once
  bench/peers.py latency  [networks]        batch 1, the network alone, milliseconds: ONNX Runtime, OpenVINO, ncnn, PyTorch, Gannet
  bench/peers.py memory   [networks]        resident memory of inference, loading apart
  bench/peers.py first                      from nothing to the first result
  bench/peers.py prepare-train [networks]   compiles PyTorch's steps of training, minutes for each
  bench/peers.py train    [networks]        steps of training, PyTorch (the best of its forms) and Gannet
  bench/peers.py table    --out FILE        the tables of what FILE holds, as text and Markdown

Every peer is a process of its own with its session made once; rounds alternate (A B C D A B C D ...).  Each round is at least 30 runs, its median
counts, and tables show the median of the rounds and their spread; a turn during which other programs used the CPU is made again.  Before anything is timed the first output of each peer is held against
ONNX Runtime's.  --out FILE adds a line of JSON per round; what FILE has already is not measured again, so that a long run can be made in
pieces (--seconds 80 stops in time, with status 3 while something is left).  docs/performance.md tells the method.

Needs numpy and, of onnxruntime, openvino, ncnn (with pnnx), torch and torchvision, those that shall be measured.
SPDX-License-Identifier: Apache-2.0
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

import peer_networks
import peer_tables
import peer_training
from peer_process import Child, Cores, Failed

PEERS = ["ort", "openvino", "ncnn", "torch", "torch_last", "torch_compile", "gannet"]
USUAL_PEERS = ["ort", "openvino", "ncnn", "torch_last", "gannet"]
MODULES = {"ort": "onnxruntime", "openvino": "openvino", "ncnn": "ncnn", "torch": "torchvision"}
TOLERANCE = 1e-3  # of the range of ONNX Runtime's first output
PAUSE = 0.05      # seconds between two peers, so that threads of the last one have gone to sleep
OTHERS = 0.1      # cores' worth of other programs' CPU time that a turn may have beside it
TRIES = 8
CALM_SECONDS = 20 # wait so long for other programs to end before the first turn
MOST_SECONDS = 6  # of a round: where a run takes longer than 0.2 s the round has fewer than 30
LEFT = 3          # exit status while something is left to measure


def installed(peers):
    import importlib.util
    left_out = [p for p in peers if p != "gannet" and importlib.util.find_spec(MODULES[p.split("_")[0]]) is None]
    if left_out:
        print(f"not installed, left out: {', '.join(left_out)}", file=sys.stderr)
    return [p for p in peers if p not in left_out]


def spec_of(args, network, peer, threads):
    return {"peer": peer, "name": network.name, "threads": threads, "onnx": str(network.onnx), "weights": str(network.weights),
            "ncnn": str(network.ncnn), "input": str(network.input), "shape": network.input_shape(), "runtime": str(args.runtime)}


def serves(network, peer):
    return not (network.is_detector and peer.startswith("torch"))


def prepare_network(args, network):
    """Files for all peers; {peer: why it has none}."""
    network.make_onnx()
    network.make_input()
    notes = {}
    if "ncnn" in args.peers:
        try:
            if not args.pnnx:
                raise peer_networks.Missing("pnnx is not installed")
            network.make_ncnn(args.pnnx)
        except peer_networks.Missing as error:
            notes["ncnn"] = str(error)
    return notes


def networks_of(args):
    for name in args.models:
        yield peer_networks.Network(name, args.folder, args.gannet, args.imgsz)


def prepare(args):
    for network in networks_of(args):
        try:
            notes = prepare_network(args, network)
            for threads in args.threads if "torch_compile" in args.peers and serves(network, "torch_compile") else []:
                child = Child(spec_of(args, network, "torch_compile", threads), args.isa)
                child.open()
                child.close()
        except (peer_networks.Missing, Failed) as error:
            notes = {"": str(error)}
        print(f"{network.name}: {'; '.join(notes.values()) or 'ready'}", flush=True)


# ---- latency ----

def open_children(args, network, threads, notes):
    """All peers' processes, started side by side; those that fail are noted."""
    started = {}
    for peer in args.peers:
        if peer not in notes and serves(network, peer):
            started[peer] = Child(spec_of(args, network, peer, threads), args.isa)
    children = {}
    for peer, child in started.items():
        try:
            child.open()
            children[peer] = child
        except Failed as error:
            notes[peer] = str(error)
            child.close()
    return children


def check_outputs(folder, children, notes):
    """Peers whose first output is not ONNX Runtime's are measured, but marked: 'wrong: ...'."""
    import numpy
    outputs = {}
    for peer, child in children.items():
        child.ask(f"output {folder / 'output'}")
        outputs[peer] = numpy.fromfile(folder / "output", numpy.float32)
    want = outputs.get("ort")
    for peer, got in outputs.items() if want is not None else []:
        if got.size != want.size:
            notes[peer] = f"wrong: {got.size} numbers instead of {want.size}"
        else:
            difference = float(numpy.abs(got - want).max() / (want.max() - want.min()))
            if not difference < TOLERANCE:
                notes[peer] = f"wrong: differs by {difference:.1e} of the range"


def busy_seconds():
    """CPU time of the whole machine, what its host took away included; 0 where that cannot be read."""
    try:
        with open("/proc/stat") as file:
            user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
        return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return 0.0


def wait_for_calm():
    """Until the machine has been idle for half a second, or a while has passed: compilers and the like may be on their way out."""
    give_up = time.monotonic() + CALM_SECONDS
    while time.monotonic() < give_up:
        busy = busy_seconds()
        time.sleep(0.5)
        if busy_seconds() - busy < 0.5 * OTHERS:
            break


def turn(args, peer, child):
    """One round of one peer."""
    time.sleep(PAUSE)
    readings = [args.cores.look()]
    begin, busy = time.monotonic(), busy_seconds()
    told = child.ask(f"run {args.runs} {args.round_seconds} {MOST_SECONDS}")
    wall, busy = time.monotonic() - begin, busy_seconds() - busy
    readings.append(args.cores.look())
    ms = sorted(told["ms"])
    return {"peer": peer, "whole": args.cores.are_whole(readings, child.spec["threads"]), "cores": readings, "ms": statistics.median(ms), "min": ms[0], "p90": ms[int(0.9 * (len(ms) - 1))], "runs": len(ms),
            "idle_cpu_s": round(told["idle_cpu_s"], 4), "others": round(max(0.0, busy - told["cpu_s"]) / wall, 3)}


def is_calm(record):
    return record["others"] <= OTHERS and record.get("whole", True)


def latency_round(args, children):
    """One turn of every peer; records without network and threads.  A turn in which something else used the CPU, or beside which the cores
    were not whole, is made again."""
    records = []
    for peer, child in children.items():
        tries = [turn(args, peer, child)]
        while not is_calm(tries[-1]) and len(tries) < TRIES:
            tries.append(turn(args, peer, child))
        records.append(min(tries, key=lambda record: (not is_calm(record), record["others"] > OTHERS, record["ms"])))
    return records


def measure_latency(args, network, threads, rounds_done, deadline):
    """Rounds that are missing; False: the time was up."""
    notes = prepare_network(args, network)
    key = {"network": network.name, "threads": threads, "isa": args.isa}
    children = open_children(args, network, threads, notes)
    try:
        check_outputs(network.folder, children, notes)
        wait_for_calm()
        if rounds_done == 0:
            peer_tables.append(args.out, [{"kind": "latency_note", **key, "peer": peer, "note": note} for peer, note in notes.items()])
            args.records += [{"kind": "latency_note", **key, "peer": peer, "note": note} for peer, note in notes.items()]
        longest = 0.0
        for i in range(rounds_done, args.rounds):
            begin = time.monotonic()
            if begin + longest > deadline:
                return False
            records = [{"kind": "latency", **key, "round": i, **record} for record in latency_round(args, children)]
            peer_tables.append(args.out, records)
            args.records += records
            longest = max(longest, 1.1 * (time.monotonic() - begin))
    finally:
        for child in children.values():
            child.close()
    return True


def rounds_in(records, network, threads, isa):
    rounds = {}
    for record in records:
        if record["kind"] == "latency" and (record["network"], record["threads"], record.get("isa")) == (network, threads, isa):
            rounds.setdefault(record["peer"], set()).add(record["round"])
    return max(map(len, rounds.values()), default=0)


def show_latency(args):
    table = peer_tables.cells_of(args.records, isa=args.isa)
    groups = {"backbones": [n for n in peer_networks.BACKBONES if any(k[0] == n for k in table)],
              "detectors": [n for n in peer_networks.DETECTORS if any(k[0] == n for k in table)]}
    groups = {title: names for title, names in groups.items() if names}
    print("\n".join(["", *peer_tables.summary_lines(table, groups), "", *peer_tables.markdown(table, groups)]))


def latency(args):
    deadline = time.monotonic() + args.seconds if args.seconds else float("inf")
    for network in networks_of(args):
        for threads in args.threads:
            done = rounds_in(args.records, network.name, threads, args.isa)
            if done < args.rounds:
                if time.monotonic() > deadline - 10:
                    return LEFT
                try:
                    if not measure_latency(args, network, threads, done, deadline):
                        return LEFT
                except peer_networks.Missing as error:
                    print(f"{network.name}: {error}", file=sys.stderr)
                    continue
                disturbed = [r for r in args.records if r["kind"] == "latency" and not is_calm(r) and
                             (r["network"], r["threads"], r["isa"]) == (network.name, threads, args.isa)]
                if disturbed:
                    print(f"{len(disturbed)} turns were disturbed: other programs used up to {max(r['others'] for r in disturbed):.2f} cores, "
                          f"or the cores were not whole", file=sys.stderr)
                cells = peer_tables.cells_of(args.records, isa=args.isa)[network.name, threads]
                print("\n".join(peer_tables.text_row(network.name, threads, cells)), flush=True)
    show_latency(args)
    return 0


# ---- memory and first result ----

def memory(args):
    print(f"{'network':20} threads  {'peer':24} {'resident MB':>12} {'most MB':>9}   after 30 runs, less what libraries took; most: while running")
    for network in networks_of(args):
        notes = prepare_network(args, network)
        for threads in args.threads:
            for peer in [p for p in args.peers if p not in notes and serves(network, p)]:
                child = Child(spec_of(args, network, peer, threads), args.isa)
                try:
                    before = child.open()["before"]["rss"]
                    child.ask(f"run 30 0 {MOST_SECONDS}")
                    after = child.ask("memory")
                except Failed as error:
                    print(f"{network.name:20} {threads:7}  {peer_tables.TITLES[peer]:24} {error}", flush=True)
                    continue
                finally:
                    child.close()
                record = {"kind": "memory", "network": network.name, "threads": threads, "isa": args.isa, "peer": peer,
                          "rss": after["rss"] - before, "most": after["hwm"] - before}
                peer_tables.append(args.out, [record])
                print(f"{network.name:20} {threads:7}  {peer_tables.TITLES[peer]:24} {record['rss'] / 1e6:12.1f} {record['most'] / 1e6:9.1f}",
                      flush=True)
            told = json.loads(peer_networks.run_gannet(args.gannet, "bench", network.onnx, "--threads", threads, "--runs", 30, "--seconds",
                                                       "1ms", "--json"))
            print(f"{network.name:20} {threads:7}  {'gannet bench':24} {told['process_peak_bytes'] / 1e6:12.1f} {told['peak_bytes'] / 1e6:9.1f}"
                  "   the whole process with loading; weights and arena", flush=True)
    return 0


def wall_ms(command):
    begin = time.perf_counter()
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return (time.perf_counter() - begin) * 1e3


def first(args):
    picture = args.folder / "first" / "images"
    if not picture.exists():
        peer_networks.run_gannet(args.gannet, "synth", picture.parent, "--images", 4, "--quiet")
    picture = sorted(p for p in picture.parent.rglob("*") if p.suffix in (".jpg", ".png", ".webp"))[0]
    wait_for_calm()
    print(f"{'network':16} threads  what                                          ms, median of {args.rounds} rounds")
    for network in networks_of(args):
        notes = prepare_network(args, network)
        for threads in args.threads:
            found = {}
            for _ in range(args.rounds):
                for peer in [p for p in args.peers if p not in notes and serves(network, p)]:
                    child = Child(spec_of(args, network, peer, threads), args.isa)
                    title = f"{peer_tables.TITLES[peer]}: session and first run"
                    found.setdefault(title, []).append(child.open()["first_ms"])
                    child.close()
                program = [args.gannet, "predict", network.onnx, picture, "--threads", threads, "--json"]
                found.setdefault("gannet predict: the process, a JPEG to a box", []).append(wall_ms(program))
            for title, values in found.items():
                peer_tables.append(args.out, [{"kind": "first", "network": network.name, "threads": threads, "what": title, "ms": v} for v in values])
                print(f"{network.name:16} {threads:7}  {title:45} {peer_tables.figures(values)}", flush=True)
    return 0


# ---- training ----

def train_cases(args):
    for name in args.models:
        for imgsz in [320] if name == peer_training.YOLO else args.sizes:
            yield name, imgsz, 16 if name == peer_training.YOLO else args.batch


def open_trainers(args, name, imgsz, batch, threads):
    python = sys.executable
    if name == peer_training.YOLO:
        python = peer_training.ULTRALYTICS
        if not os.access(python, os.X_OK):
            print(f"{name}: no Ultralytics ({python}), left out", file=sys.stderr)
            return {}
    children = {}
    for peer in [p for p in args.peers if p.startswith("torch")]:
        child = Child({"peer": "train_" + peer, "name": name, "imgsz": imgsz, "batch": batch, "threads": threads}, args.isa, python)
        try:
            child.open()
            children[peer] = child
        except Failed as error:
            print(f"{name} at {imgsz} px, {peer}: {error}", file=sys.stderr)
            child.close()
    return children


def prepare_train(args):
    """What torch.compile makes for the cases of train."""
    for name, imgsz, batch in train_cases(args):
        for threads in args.threads:
            begin = time.monotonic()
            children = open_trainers(args, name, imgsz, batch, threads)
            for child in children.values():
                child.close()
            print(f"{name} at {imgsz} px: {', '.join(children)} ready after {time.monotonic() - begin:.0f} s", flush=True)
    return 0


def train_rounds(args, name, imgsz, batch, threads, done, deadline):
    """Rounds that are missing; False: the time was up."""
    key = {"kind": "train", "network": name, "imgsz": imgsz, "batch": batch, "threads": threads, "isa": args.isa}
    children = open_trainers(args, name, imgsz, batch, threads)
    longest = 0.0
    try:
        wait_for_calm()
        for i in range(done, args.rounds if children else 0):
            begin = time.monotonic()
            if begin + longest > deadline:
                return False
            ms = {}
            for peer, child in children.items():
                time.sleep(PAUSE)
                ms[peer] = statistics.median(child.ask(f"run {args.steps} 0 1e9")["ms"])
            time.sleep(PAUSE)
            ms["gannet"] = peer_training.gannet_step_ms(str(args.step_layers), name, batch, imgsz, threads, args.steps)
            records = [{**key, "peer": peer, "round": i, "ms": v, "images_per_s": batch * 1e3 / v} for peer, v in ms.items()]
            peer_tables.append(args.out, records)
            args.records += records
            longest = max(longest, 1.1 * (time.monotonic() - begin))
            print(f"{name:20} {imgsz} px, batch {batch}, {threads} threads, round {i}: " +
                  ", ".join(f"{peer_tables.TITLES[p]} {batch * 1e3 / v:.1f}" for p, v in ms.items()) + " pictures/s", flush=True)
    finally:
        for child in children.values():
            child.close()
    return True


def train(args):
    deadline = time.monotonic() + args.seconds if args.seconds else float("inf")
    for name, imgsz, batch in train_cases(args):
        for threads in args.threads:
            done = sum(r["kind"] == "train" and r["peer"] == "gannet" and
                       (r["network"], r["imgsz"], r["batch"], r["threads"], r.get("isa")) == (name, imgsz, batch, threads, args.isa)
                       for r in args.records)
            if done < args.rounds and (time.monotonic() > deadline - 20 or
                                       not train_rounds(args, name, imgsz, batch, threads, done, deadline)):
                return LEFT
    print("\n" + "\n".join(peer_tables.train_lines(args.records)))
    return 0


def table(args):
    show_latency(args)
    print("\n".join(["", *peer_tables.train_lines(args.records)]))
    return 0


def settle(args):
    """Defaults that depend on the verb."""
    args.gannet = pathlib.Path(args.gannet).resolve()
    args.runtime = args.gannet.parent / "libgannet_run.so"
    args.cores = Cores(args.gannet.parent / "bench" / "core_pair")
    args.step_layers = args.gannet.parent / "bench" / "step_layers"
    args.folder = pathlib.Path(args.folder or args.gannet.parent / "peers").resolve()
    args.folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(args.folder / "inductor"))
    sets = {"backbones": peer_networks.BACKBONES, "detectors": peer_networks.DETECTORS, "small": peer_networks.SMALL,
            "all": peer_networks.BACKBONES + peer_networks.DETECTORS}
    is_train = args.what in ("train", "prepare-train")
    usual = peer_training.MODELS + [peer_training.YOLO] if is_train else ["mobilenet_v2"] if args.what == "first" else sets["all"]
    args.models = [n for m in args.models for n in sets.get(m, [m])] or usual
    args.threads = args.threads or ([2] if is_train else [1, 2])
    if not args.peers:
        args.peers = ["torch", "torch_last", "torch_compile"] if is_train else USUAL_PEERS
        if args.what == "first":
            args.peers = [p for p in args.peers if p not in peer_tables.TORCHES]
    elif args.peers == ["all"]:
        args.peers = PEERS
    args.peers = installed(args.peers)
    args.pnnx = peer_networks.find_pnnx(args.pnnx)
    args.records = peer_tables.read(args.out)


def main():
    verbs = {"prepare": prepare, "latency": latency, "memory": memory, "first": first, "prepare-train": prepare_train, "train": train,
             "table": table}
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], epilog="Networks: names, or backbones, detectors, small, all.")
    parser.add_argument("what", choices=list(verbs))
    parser.add_argument("models", nargs="*", metavar="NETWORK")
    parser.add_argument("--gannet", default="build/gannet", help="libgannet_run.so and bench/step_layers are looked for beside it")
    parser.add_argument("--folder", help="where files of networks are kept (default: peers beside the program)")
    parser.add_argument("--out", metavar="FILE", help="JSON lines: read first, then added to")
    parser.add_argument("--seconds", type=float, help="stop in time, with status 3 while something is left")
    parser.add_argument("--peers", nargs="+", choices=PEERS + ["all"])
    parser.add_argument("--threads", type=int, nargs="+")
    parser.add_argument("--imgsz", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=30, help="of a round, at least")
    parser.add_argument("--round-seconds", type=float, default=0.1, help="of a round, at least")
    parser.add_argument("--isa", choices=["avx2"], help="hold peers to this level where they can be; ONNX Runtime and ncnn cannot")
    parser.add_argument("--pnnx", help="the program that converts networks for ncnn")
    parser.add_argument("--sizes", type=int, nargs="+", default=[96, 128, 224], help="of pictures, train")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=8, help="of a round of train")
    args = parser.parse_args()
    settle(args)
    sys.exit(verbs[args.what](args))


if __name__ == "__main__":
    main()
