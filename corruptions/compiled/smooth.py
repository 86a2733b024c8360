"""Gaussian filters, tap by tap in the order of the torch program."""

from __future__ import annotations

import numpy as np

from .jit import loop


@loop
def even(taps):
    """Return an odd number of taps, with one of weight zero appended if needed, because two pairs are added at once.

    Args:
        taps: Weights from the centre outwards.
    """
    out = np.zeros(len(taps) + 1 - len(taps) % 2)
    out[: len(taps)] = taps
    return out


@loop
def smooth_row(image, y, taps, mirrored, channels, padded, out):
    """Smooth one row of an image along height, then along width.

    Args:
        image: Image (height, width * channels).
        y: Index of the row.
        taps: Weights from the centre outwards, an odd number of them.
        mirrored: True to continue the image with its mirror image, False with its last pixel.
        channels: Number of channels.
        padded: Buffer for the row and as many pixels as there are taps on either side.
        out: Receives the row.
    """
    along_height(image, y, taps, mirrored, padded[(len(taps) - 1) * channels :][: image.shape[1]])
    along_width(padded, taps, mirrored, channels, out)


@loop
def along_height(image, y, taps, mirrored, out):
    """Smooth one row of an image over the adjacent rows.

    Args:
        image: Image (height, width * channels).
        y: Index of the row.
        taps: Weights from the centre outwards, an odd number of them.
        mirrored: True to continue the image with its mirror image, False with its last pixel.
        out: Receives the row.
    """
    height = len(image)
    _scale(image[y], taps[0], out)
    for tap in range(len(taps) - 1, 0, -2):
        a, b = image[_inside(y - tap, height, mirrored)], image[_inside(y + tap, height, mirrored)]
        c, d = image[_inside(y - tap + 1, height, mirrored)], image[_inside(y + tap - 1, height, mirrored)]
        add_pairs(out, a, b, taps[tap], c, d, taps[tap - 1])


@loop
def along_width(padded, taps, mirrored, channels, out):
    """Smooth a row along its width.

    Args:
        padded: Buffer with the row in its middle; the margins are overwritten.
        taps: Weights from the centre outwards, an odd number of them.
        mirrored: True to continue the image with its mirror image, False with its last pixel.
        channels: Number of channels.
        out: Receives the row.
    """
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
    """Add two weighted pairs of rows to a sum, in a separate loop that the compiler vectorises.

    Args:
        total: Sum to add to.
        a: First row of the first pair.
        b: Second row of the first pair.
        first_weight: Weight of a + b.
        c: First row of the second pair.
        d: Second row of the second pair.
        second_weight: Weight of c + d.
    """
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
