"""Checkpoints as people save them, for the tests of the import verb: one function per peculiarity.

SPDX-License-Identifier: Apache-2.0
"""
import argparse
import collections
import json
import struct

import numpy as np
import torch


def everyday():
    """Every element type, a parameter, an empty tensor, a scalar."""
    torch.manual_seed(2)
    state = collections.OrderedDict()
    for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
        state[f"real.{str(dtype)[6:]}"] = torch.randn(3, 5).to(dtype)
    for dtype in (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8):
        state[f"whole.{str(dtype)[6:]}"] = torch.arange(7).to(dtype) * 17 - (0 if dtype == torch.uint8 else 50)
    state["flags"] = torch.tensor([True, False, True])
    state["parameter"] = torch.nn.Parameter(torch.randn(4))
    state["empty"] = torch.zeros(0, 3)
    state["scalar"] = torch.tensor(2.5)
    state["big"] = torch.tensor([2**62 + 1, -(2**62) - 1])
    return state


def views():
    """Tensors that share a storage, with offsets and strides."""
    base = torch.arange(120, dtype=torch.float32)
    return {"base": base, "tail": base[100:], "transposed": base.view(10, 12).t(), "stepped": base[3::7], "row": base.view(10, 12)[4],
            "column": base.view(10, 12)[:, 5], "permuted": base.view(4, 5, 6).permute(2, 0, 1), "half": base.half().view(2, 60)[:, ::2],
            "channels_last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)}


def whole():
    """A checkpoint with a state dict, optimiser state and plain data of many kinds."""
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.randn(1, 3, 8, 8)).sum().backward()
    optimizer.step()
    return {"epoch": 12, "best": np.float64(0.5), "loss": 1.5, "args": argparse.Namespace(lr=0.1, name="x"), "nothing": None,
            "big": 2**70, "history": [1, (2, 3), {"a": {4, 5}}], "device": torch.device("cpu"), "dtype": torch.float16,
            "size": torch.Size([1, 2]), "optimizer": optimizer.state_dict(), "curve": np.arange(3.0), "milestones": collections.Counter([3, 4]),
            "model": torch.nn.DataParallel(net).state_dict(), "ema": {k: v * 2 for k, v in net.state_dict().items()}}


def nested():
    """Tensors under paths of keys, one of them referred to twice."""
    shared = torch.randn(2, 2)
    return {"encoder": {"w": shared, "list": [torch.ones(1), torch.zeros(2)]}, "decoder": {"w": shared, 7: torch.ones(3)}}


def chosen(name, saved):
    """What is expected of each: names to tensors."""
    if name == "whole":
        return {k[len("module."):]: v for k, v in saved["model"].items()}
    if name == "nested":
        e, d = saved["encoder"], saved["decoder"]
        return {"encoder.w": e["w"], "encoder.list.0": e["list"][0], "encoder.list.1": e["list"][1], "decoder.w": d["w"], "decoder.7": d[7]}
    return saved


MADE = {"everyday": everyday, "views": views, "whole": whole, "nested": nested}
TYPES = {"F32": np.float32, "F64": np.float64, "F16": np.float16, "I64": np.int64, "I32": np.int32, "I16": np.int16, "I8": np.int8,
         "U8": np.uint8, "BOOL": np.bool_}


def read_safetensors(path):
    """Names to arrays."""
    content = path.read_bytes()
    n, = struct.unpack("<Q", content[:8])
    out = {}
    for name, entry in json.loads(content[8:8 + n]).items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        out[name] = np.frombuffer(content[8 + n + begin:8 + n + end], TYPES[entry["dtype"]]).reshape(entry["shape"])
    return out


def array(tensor):
    """As the import leaves it: bfloat16 becomes float32."""
    tensor = tensor.detach()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).contiguous().numpy()
