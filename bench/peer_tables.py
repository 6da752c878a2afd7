"""Records of bench/peers.py (JSON lines) as tables: text for a terminal, Markdown for the documentation.

SPDX-License-Identifier: Apache-2.0
"""
import json
import math
import os
import statistics

TITLES = {"ort": "ONNX Runtime", "openvino": "OpenVINO", "ncnn": "ncnn", "torch": "PyTorch", "torch_last": "PyTorch, channels last",
          "torch_compile": "PyTorch, compiled", "gannet": "Gannet"}
RUNTIMES = ["ort", "openvino", "ncnn"]
TORCHES = ["torch", "torch_last", "torch_compile"]


def read(path):
    records = []
    if path and os.path.exists(path):
        with open(path) as file:
            for line in file:
                if line.endswith("\n"):  # the last one may be half of a line
                    records.append(json.loads(line))
    return records


def append(path, records):
    if path:
        with open(path, "a") as file:
            file.write("".join(json.dumps(record) + "\n" for record in records))


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values)) if values else float("nan")


class Cell:
    """One peer with one network and one number of threads: the medians of its rounds."""

    def __init__(self):
        self.rounds, self.note = [], ""

    @property
    def ms(self):
        return statistics.median(self.rounds)


def cells_of(records, kind="latency", isa=None):
    """{(network, threads): {peer: Cell}} in the order of the records; peers that failed have a note and no rounds."""
    table = {}
    for record in records:
        if record["kind"] in (kind, kind + "_note") and record.get("isa") == isa:
            cell = table.setdefault((record["network"], record["threads"]), {}).setdefault(record["peer"], Cell())
            if record["kind"] == kind:
                cell.rounds.append(record["ms"])
            else:
                cell.note = record["note"]
    return table


def ms_of(cells, peers):
    """The least median of those peers that ran and gave right results; None: none did."""
    found = [cells[p].ms for p in peers if p in cells and cells[p].rounds and not cells[p].note.startswith("wrong")]
    return min(found) if found else None


def ratios(table, networks, threads, peers):
    """{network: Gannet's time divided by the best of the peers'}"""
    found = {}
    for network in networks:
        cells = table.get((network, threads), {})
        ours, theirs = ms_of(cells, ["gannet"]), ms_of(cells, peers)
        if ours and theirs:
            found[network] = ours / theirs
    return found


AGAINST = [("ONNX Runtime", ["ort"]), ("OpenVINO", ["openvino"]), ("ncnn", ["ncnn"]), ("the best of these", RUNTIMES),
           ("PyTorch's best", TORCHES)]


def summary_lines(table, groups):
    """groups: {title: networks}.  Lines of text on geometric means, maxima and scaling."""
    lines = []
    threads = sorted({t for _, t in table})
    for title, networks in groups.items():
        for name, peers in AGAINST:
            for t in threads:
                found = ratios(table, networks, t, peers)
                if found:
                    worst = max(found, key=found.get)
                    lines.append(f"{title}, {t} thread{'s' if t > 1 else ''}, against {name}: geometric mean {geometric_mean(list(found.values())):.3f}, "
                                 f"largest {found[worst]:.3f} ({worst}), {len(found)} networks")
    return lines


def figures(values):
    return f"{statistics.median(values):.3f} [{min(values):.3f}, {max(values):.3f}]"


def text_row(network, threads, cells):
    """Everything about one network with one number of threads."""
    ours = ms_of(cells, ["gannet"])
    lines = []
    for peer, cell in cells.items():
        ratio = f"{ours / cell.ms:6.3f}" if ours and cell.rounds and peer != "gannet" else " " * 6
        shown = figures(cell.rounds) if cell.rounds else "-"
        lines.append(f"{network:20} {threads}  {TITLES.get(peer, peer):24} {shown:30} {ratio}  {cell.note}".rstrip())
    return lines


def pair(values, digits):
    """'3.9 / 2.0': one and two threads."""
    return " / ".join("-" if v is None else f"{v:.{digits}f}" for v in values)


def digits_of(ms):
    return 1 if ms >= 10 else 2 if ms >= 1 else 3


def markdown(table, groups):
    """One row per network, cells with one number per number of threads."""
    threads = sorted({t for _, t in table})
    columns = [("ONNX Runtime", ["ort"]), ("OpenVINO", ["openvino"]), ("ncnn", ["ncnn"]), ("PyTorch", TORCHES), ("Gannet", ["gannet"])]
    columns = [c for c in columns if any(ms_of(cells, c[1]) for cells in table.values())]
    lines = ["| network | " + " | ".join(f"{title}, ms" for title, _ in columns) + " | to ONNX Runtime | to the best | 1 to 2 threads |",
             "|---" * (len(columns) + 4) + "|"]
    for networks in groups.values():
        for network in networks:
            cells = [table.get((network, t), {}) for t in threads]
            if not any(cells):
                continue
            shown = []
            for _, peers in columns:
                values = [ms_of(c, peers) for c in cells]
                shown.append(pair(values, digits_of(min([v for v in values if v] or [1]))))
            gannet = [ms_of(c, ["gannet"]) for c in cells]
            for peers in (["ort"], RUNTIMES):
                theirs = [ms_of(c, peers) for c in cells]
                shown.append(pair([a / b if a and b else None for a, b in zip(gannet, theirs)], 2))
            shown.append(f"{gannet[0] / gannet[1]:.2f}" if len(gannet) == 2 and all(gannet) else "-")
            lines.append(f"| {network} | " + " | ".join(shown) + " |")
        means, most = [], []
        for peers in (["ort"], RUNTIMES):
            found = [list(ratios(table, networks, t, peers).values()) for t in threads]
            means.append(pair([geometric_mean(f) if f else None for f in found], 3))
            most.append(pair([max(f) if f else None for f in found], 2))
        for title, values in (("geometric mean", means), ("largest", most)):
            lines.append(f"| **{title}** |" + " |" * len(columns) + f" {values[0]} | {values[1]} | |")
    return lines


def train_lines(records):
    """Text and Markdown of the training table: pictures per second, the best of PyTorch's forms against Gannet."""
    rows = {}
    for record in records:
        if record["kind"] == "train":
            rows.setdefault((record["network"], record["imgsz"], record["batch"], record["threads"]), {}).setdefault(
                record["peer"], []).append(record["images_per_s"])
    lines = ["| network | px | batch | threads | PyTorch | channels last | compiled | Gannet | to the best |", "|---" * 9 + "|"]
    found = []
    for (network, imgsz, batch, threads), peers in rows.items():
        medians = {peer: statistics.median(values) for peer, values in peers.items()}
        theirs = [v for peer, v in medians.items() if peer != "gannet"]
        ratio = medians["gannet"] / max(theirs) if theirs and "gannet" in medians else None
        found += [(ratio, network, imgsz)] if ratio else []
        shown = [f"{medians[p]:.0f}" if p in medians else "-" for p in TORCHES + ["gannet"]]
        lines.append(f"| {network} | {imgsz} | {batch} | {threads} | " + " | ".join(shown) + f" | {f'{ratio:.2f}' if ratio else '-'} |")
    if found:
        least = min(found)
        lines.append(f"| **geometric mean** | | | | | | | | {geometric_mean([f[0] for f in found]):.2f} |")
        lines.append(f"| **smallest** ({least[1]}, {least[2]} px) | | | | | | | | {least[0]:.2f} |")
    return lines
