"""Gaussian filters of images, tap by tap in the order of the torch program."""

from __future__ import annotations

import numpy as np

from .jit import loop


@loop
def even(taps):
    """With one more tap of weight zero if they reach an odd number of pixels: pairs of pairs are added at once."""
    out = np.zeros(len(taps) + 1 - len(taps) % 2)
    out[: len(taps)] = taps
    return out


@loop
def smooth_row(image, y, taps, mirrored, channels, padded, out):
    """Row `y` of `image` (height, width * channels) along height, then along width.

    `taps` (an odd number) from the centre outwards; beyond the edges lies the last pixel or, if `mirrored`, the
    mirror image with that twice. `padded` has room for the row and as many pixels as there are taps to either side.
    """
    along_height(image, y, taps, mirrored, padded[(len(taps) - 1) * channels :][: image.shape[1]])
    along_width(padded, taps, mirrored, channels, out)


@loop
def along_height(image, y, taps, mirrored, out):
    """Row `y`, smoothed over the rows about it."""
    height = len(image)
    _scale(image[y], taps[0], out)
    for tap in range(len(taps) - 1, 0, -2):
        a, b = image[_inside(y - tap, height, mirrored)], image[_inside(y + tap, height, mirrored)]
        c, d = image[_inside(y - tap + 1, height, mirrored)], image[_inside(y + tap - 1, height, mirrored)]
        add_pairs(out, a, b, taps[tap], c, d, taps[tap - 1])


@loop
def along_width(padded, taps, mirrored, channels, out):
    """The row in the middle of `padded`, smoothed."""
    length, radius = len(out), len(taps) - 1
    middle, width = radius * channels, length // channels
    row = padded[middle : middle + length]
    for x in range(radius):
        left, right = _inside(x - radius, width, mirrored), _inside(width + x, width, mirrored)
        for channel in range(channels):
            padded[x * channels + channel] = row[left * channels + channel]
            padded[middle + length + x * channels + channel] = row[right * channels + channel]
    _scale(row, taps[0], out)
    for tap in range(radius, 0, -2):
        far, near = tap * channels, (tap - 1) * channels
        a, b = padded[middle - far :][:length], padded[middle + far :][:length]
        c, d = padded[middle - near :][:length], padded[middle + near :][:length]
        add_pairs(out, a, b, taps[tap], c, d, taps[tap - 1])


@loop
def add_pairs(total, a, b, first_weight, c, d, second_weight):
    """Adds (a + b) * weight and (c + d) * weight; a loop of its own, which the compiler vectorises."""
    for j in range(len(total)):
        total[j] = total[j] + (a[j] + b[j]) * first_weight + (c[j] + d[j]) * second_weight


@loop
def _scale(row, weight, out):
    for j in range(len(out)):
        out[j] = row[j] * weight


@loop
def _inside(index, length, mirrored):
    if not mirrored:
        return min(max(index, 0), length - 1)
    index %= 2 * length
    return min(index, 2 * length - 1 - index)
