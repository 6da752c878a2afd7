#!/usr/bin/env python3
"""Check the house rules that a compiler does not see.

1. A folder of src/ includes only itself and the folders that ALLOWED lists (the table of ARCHITECTURE.md).
2. A third-party header is seen only by the folder that THIRD_PARTY names.
3. The library does not print, exit, allocate with malloc or start shells (FORBIDDEN; exceptions are listed with it).
4. File names are unique in the repository.
5. Every C file has an SPDX line.

Prints one line per finding and ends with status 1 when there is any.
SPDX-License-Identifier: Apache-2.0
"""
import pathlib
import re
import sys

from tree_files import repository_files

ROOT = pathlib.Path(__file__).resolve().parent.parent

FORMATS = "formats/onnx formats/weights formats/darknet"
ALLOWED = {
    "base": "",
    "kernels": "base",
    "tensor": "base",
    "image": "kernels base",
    "store": "base",
    "draw": "image base",
    "graph": "tensor base",
    "detect": "tensor kernels base",
    "ops": "graph detect tensor kernels base",
    "data": "image detect tensor base",
    "backend": "ops graph tensor kernels base",
    "backend/cpu": "backend ops graph tensor kernels base",
    "backend/cuda": "backend ops graph tensor kernels base",
    "formats/onnx": "ops graph tensor base",
    "formats/weights": "detect ops graph tensor base",
    "formats/darknet": "detect ops graph tensor base",
    "zoo": "detect ops graph tensor base",
    "run": "gannet backend backend/cpu backend/cuda formats/onnx image detect graph tensor base",
    "train": f"measure run backend backend/cpu backend/cuda {FORMATS} data detect ops graph tensor base",
    "measure": f"run {FORMATS} data detect tensor base",
    "compress": f"train measure run {FORMATS} data ops graph tensor base",
    "search": f"zoo compress train measure {FORMATS} data graph tensor store base",
    "report": "store draw base",
    "dash": "report store base",
    "cli": "gannet draw base",
}

# Pattern of a header -> folders that may see it.
THIRD_PARTY = {
    r"turbojpeg\.h|jpeglib\.h|png\.h|webp/.*": {"image"},
    r"sqlite3\.h|libpq-fe\.h": {"store"},
    r"cairo.*\.h": {"draw"},
    r"yaml\.h|jansson\.h|expat\.h": {"data"},
    r"microhttpd\.h": {"dash"},
    r"zip\.h": {"data", "formats/weights"},
    r"onnx\.pb-c\.h|protobuf-c/.*": {"formats/onnx"},
    r"immintrin\.h|arm_neon\.h": {"kernels"},
}

# Function -> (files or folders where it may be called, what to use instead).
FORBIDDEN = {
    r"(?:printf|puts|putchar|vprintf|perror)": ({"cli"}, "gn_log, gn_warn or a gn_error"),
    r"(?:exit|abort|quick_exit)": ({"cli", "base/status.c"}, "a gn_status"),
    # The child of a fork ends this way when its program cannot be started.
    r"_exit": ({"search/child.c"}, "a gn_status"),
    r"(?:malloc|calloc|realloc|free|posix_memalign|aligned_alloc|strdup|strndup|asprintf)":
        ({"base/memory.c"}, "base/memory.h"),
    r"(?:system|popen)": (set(), "fork and exec"),
    r"(?:rand|srand|drand48|random)": (set(), "base/rng.h"),
    r"(?:gets|strcpy|strcat|sprintf|vsprintf|strtok|alloca)": (set(), "a bounded function"),
}
# stderr and stdout are the program's; a library file that names them prints.
STREAMS = ({"cli"}, re.compile(r"\b(stderr|stdout)\b"))

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]', re.M)
COMMENT_OR_STRING = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def blank(match):
    """Comments and strings vanish, line numbers stay."""
    return "\n" * match.group(0).count("\n") or '""'


def folder_of(path):
    """The row of ALLOWED that a path below src/ belongs to; the longest that fits."""
    parts = path.split("/")[:-1]
    for n in range(len(parts), 0, -1):
        name = "/".join(parts[:n])
        if name in ALLOWED:
            return name
    return parts[0] if parts else ""


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def is_within(path, places):
    return any(path == place or path.startswith(place + "/") for place in places)


def check_includes(path, text, report):
    own = folder_of(path)
    if own not in ALLOWED:
        report(path, 1, f"folder src/{own} has no row in the table")
        return
    allowed = set(ALLOWED[own].split()) | {own}
    for match in INCLUDE.finditer(text):
        kind, header = match.groups()
        line = line_of(text, match.start())
        for pattern, places in THIRD_PARTY.items():
            if re.fullmatch(pattern, header) and not is_within(path, places):
                report(path, line, f"<{header}> belongs to {', '.join(sorted(places))}")
        if kind == '"' and "/" in header:
            target = "gannet" if header.startswith("gannet/") else folder_of(header)
            if target not in allowed:
                report(path, line, f"{own} may not include {header} (allowed: {ALLOWED[own] or 'itself'})")
        elif kind == '"' and not any(re.fullmatch(p, header) for p in THIRD_PARTY):
            report(path, line, f'"{header}": write includes from src/, e.g. "base/status.h"')


def check_calls(path, text, report):
    code = COMMENT_OR_STRING.sub(blank, text)
    for names, (places, instead) in FORBIDDEN.items():
        if is_within(path, places):
            continue
        for match in re.finditer(rf"(?<![\w.>]){names}\s*\(", code):
            # A member function pointer (->free) is something else; so is a declaration of our own.
            report(path, line_of(code, match.start()), f"calls {match.group(0).rstrip('( ')}; use {instead}")
    if not is_within(path, STREAMS[0]):
        for match in STREAMS[1].finditer(code):
            report(path, line_of(code, match.start()), f"uses {match.group(0)}; the library never prints")


def check_names(names, report):
    free = {"CMakeLists.txt", "README.md"}
    # Seeds of a fuzzer and pages of documentation are data.
    seen = {}
    for name in names:
        if name.startswith("fuzz/corpus/"):
            continue
        base = name.rsplit("/", 1)[-1]
        if base in seen and base not in free:
            report(name, 1, f"has the same file name as {seen[base]}")
        seen.setdefault(base, name)


def main():
    findings = []

    def report(path, line, text):
        findings.append(f"{path}:{line}: {text}")

    names = repository_files()
    check_names(names, report)
    for name in names:
        if not name.endswith((".c", ".h", ".inc")):
            continue
        text = (ROOT / name).read_text(encoding="utf-8")
        if "SPDX-License-Identifier: Apache-2.0" not in text:
            report(name, 1, "has no SPDX line")
        if name.startswith("src/"):
            def report_in_src(path, line, finding):
                report("src/" + path, line, finding)
            check_includes(name[4:], text, report_in_src)
            if not name.endswith(".inc"):
                check_calls(name[4:], text, report_in_src)
    for finding in findings:
        print(finding)
    print(f"check_layers: {len(findings)} finding(s)", file=sys.stderr)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
