"""Smearing and magnification of images."""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from .jit import FRACTIONS, ONE, THREE, TWO, loop, parallel


@parallel
def motion_blur(pixels, weights, steps, out):
    """Smear images.

    Args:
        pixels: Images, uint8 (N, H, W, 3).
        weights: Weights of the taps.
        steps: Offset of every tap in pixels (image, tap, (down, across)).
        out: Receives the result; uint8, of the shape of `pixels`.
    """
    for image in prange(len(pixels)):
        values = pixels[image].reshape(pixels.shape[1], -1).astype(np.float32)  # exact, and half the memory
        smeared = smear(values, weights, steps[image], 3)
        for y in range(len(smeared)):
            _to_levels(smeared[y], out[image, y].reshape(-1))


@loop
def _to_levels(values, out):
    for j in range(len(out)):
        out[j] = np.uint8(min(max(values[j], 0.0), 255.0))


@loop
def smear(values, weights, steps, channels):
    """Return the weighted sum of shifted copies of one image, float64 (height, width * channels).

    The loop goes row by row, so that the sums of a row stay in the cache while taps are added to it, four at once.

    Args:
        values: Image (height, width * channels).
        weights: Weights of the taps.
        steps: Offset of every tap in pixels (tap, (down, across)).
        channels: Number of channels.
    """
    height, length = values.shape
    taps = 0
    while taps < len(weights) and abs(steps[taps, 0]) < height and abs(steps[taps, 1]) * channels < length:
        taps += 1
    fours = np.zeros((taps + 3) // 4 * 4)  # the last ones may have weight zero
    fours[:taps] = weights[:taps]
    down, across = np.zeros(len(fours), dtype=np.int64), np.zeros(len(fours), dtype=np.int64)
    down[:taps], across[:taps] = steps[:taps, 0], steps[:taps, 1] * channels
    margin = np.abs(across).max()
    padded = _padded(values, margin, channels)
    total = np.zeros((height, length))
    for y in range(height):
        for tap in range(0, len(fours), 4):
            a = _moved(padded, y - down[tap], margin - across[tap], length)
            b = _moved(padded, y - down[tap + 1], margin - across[tap + 1], length)
            c = _moved(padded, y - down[tap + 2], margin - across[tap + 2], length)
            d = _moved(padded, y - down[tap + 3], margin - across[tap + 3], length)
            _add_four(total[y], a, b, c, d, fours[tap : tap + 4])
    return total


@loop
def _padded(values, margin, channels):
    """The image with `margin` more numbers on either side: copies of the first and the last pixel."""
    height, length = values.shape
    out = np.empty((height, length + 2 * margin), dtype=values.dtype)
    for y in range(height):
        for j in range(margin):
            out[y, j], out[y, margin + length + j] = (
                values[y, j % channels],
                values[y, length - channels + j % channels],
            )
        out[y, margin : margin + length] = values[y]
    return out


@loop
def _moved(padded, y, start, length):
    return padded[min(max(y, 0), len(padded) - 1), start : start + length]


@loop
def _add_four(total, a, b, c, d, weights):
    w0, w1, w2, w3 = weights[0], weights[1], weights[2], weights[3]
    for j in range(len(total)):
        total[j] = total[j] + a[j] * w0 + b[j] * w1 + c[j] * w2 + d[j] * w3


@parallel
def zoom_blur(pixels, factors, out):
    """Average images and their magnified centres, with float32 sums.

    Args:
        pixels: Images, uint8 (N, H, W, 3).
        factors: Magnifications.
        out: Receives the result; uint8, of the shape of `pixels`.
    """
    count = np.float32(len(factors) + 1)
    for image in prange(len(pixels)):
        levels = pixels[image].reshape(pixels.shape[1], -1)
        values = np.empty(levels.shape, dtype=np.float32)
        for y in range(len(levels)):
            for j in range(levels.shape[1]):
                values[y, j] = FRACTIONS[levels[y, j]]
        total = np.zeros_like(values)
        for factor in factors:
            add_zoomed(values, factor, 3, total)
        for y in range(len(levels)):
            _mean(values[y], total[y], count, out[image, y].reshape(-1))


@loop
def _mean(values, total, count, out):
    for j in range(len(out)):
        mean = min(max((values[j] + total[j]) / count, np.float32(0.0)), np.float32(1.0))
        out[j] = np.uint8(mean * np.float32(255.0))


@loop
def add_zoomed(values, factor, channels, total):
    """Add the magnified centre of one image, cropped to the size of `total`.

    Every row is expanded once, so that the left and right neighbours of all new pixels are contiguous.

    Args:
        values: Image (height, width * channels).
        factor: Magnification.
        channels: Number of channels, at most 4.
        total: Sum (height, width * channels) to add to.
    """
    height, width = values.shape[0], values.shape[1] // channels
    top, tall, rows, down = _places(height, factor)
    left, wide, columns, across = _places(width, factor)
    count = min(len(columns), total.shape[1] // channels)
    near, far = np.empty(count, dtype=np.uint64), np.empty(count, dtype=np.uint64)
    ends = (np.arange(count) * channels).astype(np.uint64)
    beyond = np.empty(count * channels)
    for x in range(count):
        near[x], far[x] = (left + columns[x]) * channels, (left + min(columns[x] + 1, wide - 1)) * channels
        beyond[x * channels : (x + 1) * channels] = across[x]
    before = 1.0 - beyond
    line = np.zeros(values.shape[1] + 3, dtype=values.dtype)
    spread = np.empty((2, 2, len(beyond) + 3), dtype=values.dtype)
    ready = 0
    for y in range(min(len(rows), len(total))):
        last = min(rows[y] + 1, tall - 1)
        while ready <= last:
            _copy(values[top + ready], line)
            _spread(line, near, far, ends, spread[ready % 2])
            ready += 1
        upper, lower = spread[rows[y] % 2], spread[last % 2]
        _add_between(upper[0], upper[1], lower[0], lower[1], down[y], before, beyond, total[y, : len(beyond)])


@loop
def _places(length, factor):
    """Start and length of the centre, and for each new pixel the old pixel before it and the distance from that."""
    old = math.ceil(length / factor)
    new = round(old * factor)
    step = (old - 1) / (new - 1) if new > 1 else 0.0
    first, beyond = np.empty(new, dtype=np.int64), np.empty(new)
    for index in range(new):
        first[index] = min(math.floor(index * step), old - 1)
        beyond[index] = index * step - first[index]
    return (length - old) // 2, old, first, beyond


@loop
def _copy(row, line):
    for j in range(len(row)):  # an assignment of slices would take three times as long
        line[j] = row[j]


@loop
def _spread(line, near, far, ends, out):
    """Copy the pixels at `near` and `far` to `ends`, each with what lies behind it, which the next pixel overwrites."""
    first, second = out[0], out[1]
    for x in range(len(ends)):
        a, b, end = near[x], far[x], ends[x]
        a0, a1, a2, a3 = line[a], line[a + ONE], line[a + TWO], line[a + THREE]
        b0, b1, b2, b3 = line[b], line[b + ONE], line[b + TWO], line[b + THREE]
        first[end], first[end + ONE], first[end + TWO], first[end + THREE] = a0, a1, a2, a3
        second[end], second[end + ONE], second[end + TWO], second[end + THREE] = b0, b1, b2, b3


@loop
def _add_between(upper_near, upper_far, lower_near, lower_far, below, before, beyond, total):
    above = 1.0 - below
    for j in range(len(total)):
        value = upper_near[j] * above * before[j] + upper_far[j] * above * beyond[j]
        value = value + lower_near[j] * below * before[j]
        total[j] += total.dtype.type(value + lower_far[j] * below * beyond[j])
