#!/usr/bin/env python3
"""Write small ONNX models of several opsets, with what ONNX Runtime answers, for tests/run/test_golden_onnx.c.

Input number i of a case is ((7919 * i + 104729) % 2003) / 1001 - 1.  Each line of onnx_runtime.txt: file, batch, numbers.

    make_onnx_golden.py [--check]
SPDX-License-Identifier: Apache-2.0
"""
import pathlib
import shutil
import tempfile

import numpy as np
import onnxruntime

import golden
from check_onnx import made_by_others

BATCH = 2


def main():
    lines = []
    with tempfile.TemporaryDirectory() as temporary:
        for name, path in made_by_others(pathlib.Path(temporary)):
            session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
            shape = [BATCH] + session.get_inputs()[0].shape[1:]
            i = np.arange(np.prod(shape), dtype=np.int64)
            x = (((7919 * i + 104729) % 2003) / 1001.0 - 1.0).astype(np.float32).reshape(shape)
            y = session.run(None, {"x": x})[0].reshape(-1)
            if not golden.CHECKING:
                shutil.copy(path, golden.FOLDER / f"onnx_{name}.onnx")
            lines.append(f"onnx_{name}.onnx {BATCH} " + " ".join(f"{v:.7g}" for v in y))
    golden.leave("onnx_runtime.txt", "\n".join(lines) + "\n", relative=1e-4, absolute=1e-5)
    golden.end()


if __name__ == "__main__":
    main()
