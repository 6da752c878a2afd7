"""How the scripts of this folder leave their results: written to tests/golden, or with --check compared with what lies there.

SPDX-License-Identifier: Apache-2.0
"""
import pathlib
import sys

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "golden"
CHECKING = "--check" in sys.argv[1:]
failures = []


def same(got, want, relative, absolute):
    if got == want:
        return True
    try:
        a, b = float(got), float(want)
    except ValueError:
        return False
    return abs(a - b) <= absolute + relative * max(abs(a), abs(b))


def difference(got, want, relative, absolute, free):
    """The first line that deviates, in words; None when there is none.  Lines that begin with # tell versions."""
    got = [line for line in got.splitlines() if not line.startswith("#")]
    want = [line for line in want.splitlines() if not line.startswith("#")]
    if len(got) != len(want):
        return f"{len(got)} lines instead of {len(want)}"
    for a, b in zip(got, want):
        a_words, b_words = a.split(), b.split()
        if len(a_words) != len(b_words):
            return f"'{a[:80]}' has {len(a_words)} words instead of {len(b_words)}"
        for i, (x, y) in enumerate(zip(a_words, b_words)):
            if i not in free(b_words) and not same(x, y, relative, absolute):
                return f"word {i + 1} of '{b[:60]} ...' is {y}; now {x}"
    return None


def leave(name, text, relative=0.0, absolute=0.0, free=lambda words: ()):
    """Writes tests/golden/NAME, or compares: numbers within absolute + relative * size; free(words) are positions that may differ."""
    path = FOLDER / name
    if not CHECKING:
        path.write_text(text, encoding="ascii")
        return
    found = difference(text, path.read_text(encoding="ascii"), relative, absolute, free)
    print(f"ok      {name}" if found is None else f"FAILED  {name}: {found}", flush=True)
    if found is not None:
        failures.append(name)


def end():
    """The last call of a script: status 1 when a comparison failed."""
    sys.exit(1 if failures else 0)
