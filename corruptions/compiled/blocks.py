"""Resizing with a box filter in Pillow's integer arithmetic."""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from .jit import loop, parallel

BITS = np.int32(22)
"""Fractional bits of a weight."""
HALF = np.int32(1 << 21)


@parallel
def pixelate(pixels, tall, wide, out):
    """Shrink images and enlarge them again.

    Args:
        pixels: Images, uint8 (N, H, W, 3).
        tall: Height of the small image in pixels.
        wide: Width of the small image in pixels.
        out: Receives the result; uint8, of the shape of `pixels`.
    """
    for image in prange(len(pixels)):
        small = _along_height(_along_width(pixels[image], wide), tall)
        out[image] = _along_height(_along_width(small, pixels.shape[2]), pixels.shape[1])


@loop
def _along_width(image, wide):
    first, last, weight = _boxes(image.shape[1], wide)
    out = np.empty((len(image), wide, 3), dtype=np.uint8)
    for y in range(len(image)):
        _means(image[y], first, last, weight, out[y])
    return out


@loop
def _means(row, first, last, weight, out):
    for x in range(len(out)):
        red, green, blue = HALF, HALF, HALF
        for column in range(first[x], last[x]):
            red += row[column, 0] * weight[x]
            green += row[column, 1] * weight[x]
            blue += row[column, 2] * weight[x]
        out[x, 0], out[x, 1], out[x, 2] = red >> BITS, green >> BITS, blue >> BITS


@loop
def _along_height(image, tall):
    first, last, weight = _boxes(len(image), tall)
    rows = image.reshape(len(image), -1)
    out = np.empty((tall, rows.shape[1]), dtype=np.uint8)
    total = np.empty(rows.shape[1], dtype=np.int32)
    for y in range(tall):
        total[:] = 0
        for row in range(first[y], last[y]):
            _add(total, rows[row])
        _weigh(total, weight[y], out[y])
    return out.reshape(tall, -1, 3)


@loop
def _add(total, row):
    for j in range(len(total)):
        total[j] += row[j]


@loop
def _weigh(total, weight, out):
    for j in range(len(out)):
        out[j] = np.int32(total[j] * weight + HALF) >> BITS


@loop
def _boxes(old, new):
    """First and last (exclusive) old pixel whose centre each new pixel's box covers, and the weight of each."""
    scale = old / new
    width = max(scale, 1.0)
    first, last, weight = np.empty(new, np.uint32), np.empty(new, np.uint32), np.empty(new, np.int32)
    for index in range(new):
        centre = (index + 0.5) * scale
        begin = max(math.trunc(centre - 0.5 * width + 0.5), 0)
        end = min(math.trunc(centre + 0.5 * width + 0.5), old)
        while (begin - centre + 0.5) * (1.0 / width) <= -0.5:
            begin += 1
        while (end - 1 - centre + 0.5) * (1.0 / width) > 0.5:
            end -= 1
        first[index], last[index] = begin, end
        weight[index] = math.trunc(0.5 + 1.0 / (end - begin) * 2 * HALF)
    return first, last, weight
