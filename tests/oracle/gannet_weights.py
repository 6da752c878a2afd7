"""Initial weights by the formula of src/zoo/weight_init.h, in numpy, for the scripts of this folder.

SPDX-License-Identifier: Apache-2.0
"""
import numpy as np

MASK = np.uint64(0xFFFFFFFF)


def fnv1a64(name):
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = ((h ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return h


def philox_words(seed, stream, blocks):
    """All words of blocks 0..blocks-1: uint64 array [blocks, 4] of 32-bit values (Philox4x32-10)."""
    j = np.arange(blocks, dtype=np.uint64)
    c0, c1 = j & MASK, j >> np.uint64(32)
    c2 = np.full(blocks, stream & 0xFFFFFFFF, np.uint64)
    c3 = np.full(blocks, stream >> 32, np.uint64)
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        p0, p1 = c0 * np.uint64(0xD2511F53), c2 * np.uint64(0xCD9E8D57)
        c0, c1, c2, c3 = (
            (p1 >> np.uint64(32)) ^ c1 ^ np.uint64(k0),
            p1 & MASK,
            (p0 >> np.uint64(32)) ^ c3 ^ np.uint64(k1),
            p0 & MASK,
        )
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=1)


def unit(seed, name, n):
    """u(0) .. u(n-1) of the stream of a tensor, each in [0,1) with 53 bits."""
    words = philox_words(seed, fnv1a64(name), (n + 1) // 2).reshape(-1, 2)
    joined = (words[:, 1] << np.uint64(32)) | words[:, 0]
    return ((joined >> np.uint64(11)).astype(np.float64) * 2.0**-53)[:n]


def uniform(seed, name, shape, bound):
    x = -bound + 2 * bound * unit(seed, name, int(np.prod(shape)))
    return x.astype(np.float32).reshape(shape)


def normal(seed, name, shape, deviation):
    u = unit(seed, name, 2 * int(np.prod(shape))).reshape(-1, 2)
    x = deviation * (np.sqrt(-2.0 * np.log(1.0 - u[:, 0])) * np.cos(6.283185307179586 * u[:, 1]))
    return x.astype(np.float32).reshape(shape)
