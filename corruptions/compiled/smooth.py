"""Gaussian filters of images, tap by tap in the order of the torch program."""

from __future__ import annotations

import numpy as np

from .frame import loop


@loop
def smoothed(image, taps, mirrored, channels):
    """`image` (height, width * channels) along height, then along width.

    `taps` from the centre outwards; beyond the edges lies the last pixel or, if `mirrored`, the mirror image with
    that twice.
    """
    rows = np.empty_like(image)
    _along_height(image, taps, mirrored, rows)
    out = np.empty_like(image)
    _along_width(rows, taps, mirrored, channels, out)
    return out


@loop
def _along_height(image, taps, mirrored, rows):
    height, radius = image.shape[0], len(taps) - 1
    for y in range(height):
        for j in range(image.shape[1]):
            rows[y, j] = image[y, j] * taps[0]
        for tap in range(radius, 0, -1):
            above, below = _inside(y - tap, height, mirrored), _inside(y + tap, height, mirrored)
            add_pairs(rows[y], image[above], image[below], taps[tap])


@loop
def _along_width(rows, taps, mirrored, channels, out):
    length = rows.shape[1]
    radius, width = len(taps) - 1, length // channels
    padded = np.empty(length + 2 * radius * channels)
    for y in range(rows.shape[0]):
        for x in range(radius):
            left, right = _inside(x - radius, width, mirrored), _inside(width + x, width, mirrored)
            for channel in range(channels):
                padded[x * channels + channel] = rows[y, left * channels + channel]
                padded[(radius + width + x) * channels + channel] = rows[y, right * channels + channel]
        middle = radius * channels
        for j in range(length):
            padded[middle + j] = rows[y, j]
        for j in range(length):
            out[y, j] = padded[middle + j] * taps[0]
        for tap in range(radius, 0, -1):
            before, after = middle - tap * channels, middle + tap * channels
            add_pairs(out[y], padded[before : before + length], padded[after : after + length], taps[tap])


@loop
def add_pairs(total, first, second, weight):
    """Adds (first + second) * weight; a loop of its own, which the compiler takes several numbers at once."""
    for j in range(len(total)):
        total[j] += (first[j] + second[j]) * weight


@loop
def _inside(index, length, mirrored):
    if not mirrored:
        return min(max(index, 0), length - 1)
    index %= 2 * length
    return min(index, 2 * length - 1 - index)
