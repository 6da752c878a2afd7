"""The files of the tree, for the checks of this folder: what git knows and does not ignore, or, without git, everything outside build and
run folders.
SPDX-License-Identifier: Apache-2.0
"""
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent


def _is_generated(path):
    top = path.parts[0]
    return top in (".git", "runs") or top.startswith("build") or "__pycache__" in path.parts


def repository_files():
    """Names relative to the root, sorted."""
    try:
        out = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True,
                             text=True).stdout
        names = set(out.splitlines())
    except (FileNotFoundError, subprocess.CalledProcessError):
        paths = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
        names = {path.as_posix() for path in paths if not _is_generated(path)}
    return sorted(name for name in names if (ROOT / name).is_file())
