#!/usr/bin/env python3
"""Lines per folder, and the functions and files that are over budget.

Budget: files 800 lines; functions 120 lines outside src/kernels, and a median of 18 and 90th percentile of 60 over all.
With --check the status is 1 when a file or function is over budget.
SPDX-License-Identifier: Apache-2.0
"""
import argparse
import pathlib
import re
import sys

from tree_files import repository_files

ROOT = pathlib.Path(__file__).resolve().parent.parent
MAX_FILE = 800
MAX_FUNCTION = 120
COMMENT_OR_STRING = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def blank(match):
    return "\n" * match.group(0).count("\n") or '""'


def functions(text):
    """(name, first line, lines) of each function whose brace opens at the start of a line."""
    lines = COMMENT_OR_STRING.sub(blank, text).split("\n")
    found = []
    start = None
    for i, line in enumerate(lines):
        if line == "{":
            start = i
        elif line == "}" and start is not None:
            head = " ".join(lines[max(0, start - 6):start])
            names = re.findall(r"(\w+)\s*\(", re.split(r"[;}]", head)[-1])
            names = [n for n in names if n not in ("__attribute__", "format", "printf", "nonnull")]
            found.append((names[0] if names else "?", start + 1, i - start + 1))
            start = None
    return found


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="fail when a file or function is over budget")
    parser.add_argument("--top", type=int, default=10, help="how many of the longest functions to list")
    args = parser.parse_args()
    folders, longest, over = {}, [], []
    for name in repository_files():
        path = ROOT / name
        if path.suffix not in (".c", ".h", ".inc"):
            continue
        text = path.read_text(encoding="utf-8")
        n_lines = text.count("\n")
        folder = name.rsplit("/", 1)[0] if "/" in name else "."
        files, lines = folders.get(folder, (0, 0))
        folders[folder] = (files + 1, lines + n_lines)
        if n_lines > MAX_FILE:
            over.append(f"{name}: {n_lines} lines, budget {MAX_FILE}")
        if not name.endswith(".c"):
            continue
        for function, line, length in functions(text):
            longest.append((length, function, name, line))
            if length > MAX_FUNCTION and not name.startswith("src/kernels/"):
                over.append(f"{name}:{line}: {function} has {length} lines, budget {MAX_FUNCTION}")
    for folder, (files, lines) in sorted(folders.items()):
        print(f"{lines:7d} lines {files:4d} files  {folder}")
    print(f"{sum(l for _, l in folders.values()):7d} lines {sum(f for f, _ in folders.values()):4d} files  in all")
    lengths = [item[0] for item in longest if item[2].startswith("src/")]
    print(f"\nfunctions of src/: {len(lengths)}, median {percentile(lengths, 0.5)}, p90 {percentile(lengths, 0.9)}, "
          f"longest {max(lengths, default=0)}")
    for length, function, name, line in sorted(longest, reverse=True)[:args.top]:
        print(f"{length:7d} {function}  {name}:{line}")
    for finding in over:
        print("over budget:", finding)
    return 1 if args.check and over else 0


if __name__ == "__main__":
    sys.exit(main())
