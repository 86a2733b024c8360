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
        _enlarge(_along_height(_along_width(pixels[image], wide), tall), out[image])


@loop
def _along_width(image, wide):
    first, last, weight = _boxes(image.shape[1], wide)
    most, length = (last - first).max(), 3 * image.shape[1]
    sums, picked = np.empty((most, length), np.int32), np.empty(3 * wide, np.int32)
    weights = np.repeat(weight, 3)
    flat, out = image.reshape(len(image), -1), np.empty((len(image), 3 * wide), dtype=np.uint8)
    for y in range(len(image)):
        row = flat[y]
        _copy(row, sums[0])
        for more in range(1, most):
            _add_shifted(sums[more - 1], row[3 * more :], sums[more])
        for x in range(wide):
            same = sums[last[x] - first[x] - np.uint32(1)]
            for channel in range(3):
                picked[3 * x + channel] = same[3 * first[x] + channel]
        _weigh_each(picked, weights, out[y])
    return out.reshape(len(image), wide, 3)


@loop
def _copy(row, out):
    for j in range(len(out)):
        out[j] = row[j]


@loop
def _add_shifted(total, row, out):
    for j in range(len(row)):
        out[j] = total[j] + row[j]


@loop
def _weigh_each(total, weights, out):
    for j in range(len(out)):
        out[j] = np.int32(total[j] * weights[j] + HALF) >> BITS


@loop
def _enlarge(image, out):
    """Copy pixels: the box of a larger image covers the centre of one pixel."""
    rows, columns = _boxes(len(image), len(out))[0], _boxes(image.shape[1], out.shape[1])[0]
    flat = out.reshape(len(out), -1)
    for y in range(len(out)):
        source, target = image[rows[y]], out[y]
        if y > 0 and rows[y] == rows[y - 1]:
            _copy(flat[y - 1], flat[y])
            continue
        for x in range(len(target)):
            column = columns[x]
            target[x, 0], target[x, 1], target[x, 2] = source[column, 0], source[column, 1], source[column, 2]


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
