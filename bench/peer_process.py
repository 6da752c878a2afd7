"""The parent's side of bench/peer_child.py.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

CHILD = pathlib.Path(__file__).with_name("peer_child.py")

# What each peer reads that keeps it off wider instructions; ONNX Runtime and ncnn have no such switch.
AVX2_ENVIRONMENT = {"GANNET_CPU": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "DNNL_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2",
                    "MKL_ENABLE_INSTRUCTIONS": "AVX2"}


class Failed(Exception):
    """A peer said why it cannot go on, or ended."""


class Cores:
    """Two CPUs of a virtual machine may be two cores in one moment and two threads of one in the next, and another machine's program may share a
    core with us: bench/core_pair tells which.  Where that program is not built nothing is known."""

    SLOW = 0.85     # of the best rate seen: a core that is shared
    NEAR_NS = 200   # there and back between two cores that have a cache in common

    def __init__(self, program):
        self.best = 0.0
        self.process = None
        if os.access(program, os.X_OK):
            self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def look(self):
        """{} or what core_pair answers, now."""
        if not self.process:
            return {}
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        reading = json.loads(self.process.stdout.readline())
        self.best = max(self.best, reading["alone"])
        return reading

    def are_whole(self, readings, threads):
        """Whether the cores were whole, and with more threads than one also close to each other, each time."""
        return all(r["slower"] >= self.SLOW * self.best and (threads == 1 or r["trip_ns"] < self.NEAR_NS) for r in readings if r)


class Child:
    """A peer's process.  It is started at once; answer() waits for its line."""

    def __init__(self, spec, isa=None, python=sys.executable, environment=None):
        env = dict(os.environ, **(AVX2_ENVIRONMENT if isa == "avx2" else {}), **(environment or {}))
        env["OMP_NUM_THREADS"] = env["MKL_NUM_THREADS"] = str(spec["threads"])
        self.spec = spec
        self.said = tempfile.TemporaryFile("w+")  # a pipe that nobody reads would stop a peer that warns much
        self.process = subprocess.Popen([python, str(CHILD), json.dumps(spec)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.said, text=True, env=env)
        self.opened = None

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.said.seek(0)
            said = self.said.read().strip().splitlines()
            raise Failed(said[-1] if said else f"ended with status {self.process.returncode}")
        told = json.loads(line)
        if "error" in told:
            raise Failed(told["error"])
        return told

    def open(self):
        """Waits until the session is made and has run once."""
        self.opened = self.answer()
        return self.opened

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self):
        for pipe in (self.process.stdin, self.process.stdout, self.said):
            pipe.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
