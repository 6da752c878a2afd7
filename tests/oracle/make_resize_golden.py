#!/usr/bin/env python3
"""Writes tests/golden/resize_pillow.txt: what Pillow's bilinear resize gives for pictures that a formula fills.

Needs Pillow and numpy: python3 tests/oracle/make_resize_golden.py [--check]
One line per case: channels, source width and height, target width and height, FNV-1a of all bytes, the first bytes in hex.
SPDX-License-Identifier: Apache-2.0
"""
import numpy
import PIL
from PIL import Image

import golden

CASES = [  # channels, source, target
    (3, (17, 11), (5, 7)),
    (3, (5, 7), (17, 11)),
    (1, (64, 48), (9, 8)),
    (1, (13, 40), (31, 40)),
    (3, (40, 13), (40, 31)),
    (3, (101, 67), (100, 66)),
    (3, (416, 310), (128, 128)),
    (3, (640, 480), (224, 168)),
    (3, (200, 3), (1, 1)),
    (1, (1, 1), (4, 3)),
    (3, (128, 128), (128, 128)),
    (3, (300, 200), (299, 401)),
]
SAMPLE_BYTES = 24


def picture(width, height, channels):
    """Stripes, ramps and isolated bright pixels; the C test has the same formula."""
    y, x, c = numpy.mgrid[0:height, 0:width, 0:channels]
    value = (x * 7 + y * 13 + x * y + c * 50 + (x * x) // 5) % 256
    value = numpy.where((x + 2 * y + c) % 17 == 0, 255, value)
    value = numpy.where((3 * x + y) % 23 == 0, 0, value)
    array = value.astype(numpy.uint8)
    return Image.fromarray(array[:, :, 0] if channels == 1 else array)


def fnv1a(data):
    h = 0xCBF29CE484222325
    for byte in data:
        h = ((h ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return h


def main():
    lines = [f"# Pillow {PIL.__version__}, Image.resize(BILINEAR); made by make_resize_golden.py"]
    for channels, source, size in CASES:
        data = picture(*source, channels).resize(size, Image.BILINEAR).tobytes()
        lines.append(f"{channels} {source[0]} {source[1]} {size[0]} {size[1]} {fnv1a(data):016x} {data[:SAMPLE_BYTES].hex()}")
    golden.leave("resize_pillow.txt", "\n".join(lines) + "\n")
    golden.end()


if __name__ == "__main__":
    main()
