"""Gaussian, glass and defocus blur."""

from __future__ import annotations

import numpy as np
from numba import prange

from .frame import FRACTIONS, loop, parallel
from .smooth import add_pairs, smoothed


@parallel
def gaussian_blur(pixels, taps, out):
    """Smoothed images."""
    for image in prange(len(pixels)):
        _to_levels(smoothed(_fractions(pixels[image]), taps, False, 3), out[image])


@parallel
def smooth(fields, taps, mirrored, out):
    """float64 fields (image, height, width) smoothed."""
    for image in prange(len(fields)):
        out[image] = smoothed(fields[image], taps, mirrored, 1)


@parallel
def glass_blur(pixels, taps, reach, steps, out):
    """Smoothed, with pixels copied in order from where `steps` (across, down) lead, smoothed again."""
    for image in prange(len(pixels)):
        height, width = pixels.shape[1:3]
        blurred = np.empty((height, width, 3), dtype=np.uint8)
        _to_levels(smoothed(_fractions(pixels[image]), taps, False, 3), blurred)
        for sweep in range(steps.shape[1]):
            for row in range(steps.shape[2]):
                for column in range(steps.shape[3]):
                    y, x = height - reach - row, width - reach - column
                    y_from = y + steps[image, sweep, row, column, 1]
                    x_from = x + steps[image, sweep, row, column, 0]
                    for channel in range(3):
                        blurred[y, x, channel] = blurred[y_from, x_from, channel]
        _to_levels(smoothed(_fractions(blurred), taps, False, 3), out[image])


@parallel
def defocus_blur(pixels, weights, out):
    """Every pixel becomes the disk of `weights`, of which a quarter is looked at: it is symmetric."""
    reach = len(weights) // 2
    for image in prange(len(pixels)):
        height, width = pixels.shape[1:3]
        source = _mirrored(_fractions(pixels[image]), reach)
        length = 3 * width
        total, pair = np.empty(length), np.empty(source.shape[1])
        for y in range(height):
            total[:] = 0.0
            for down in range(reach + 1):
                if down == 0:
                    pair[:] = source[y + reach]
                else:
                    pair[:] = source[y + reach - down] + source[y + reach + down]
                for across in range(reach + 1):
                    weight = weights[reach + down, reach + across]
                    if weight == 0.0:
                        continue
                    before, after = 3 * (reach - across), 3 * (reach + across)
                    if across == 0:
                        for j in range(length):
                            total[j] += pair[before + j] * weight
                    else:
                        add_pairs(total, pair[before : before + length], pair[after : after + length], weight)
            _row_to_levels(total, out[image, y])


@loop
def _fractions(pixels):
    """(height, width, 3) levels as (height, width * 3) fractions."""
    height, width = pixels.shape[:2]
    out = np.empty((height, width * 3))
    for y in range(height):
        for x in range(width):
            for channel in range(3):
                out[y, 3 * x + channel] = FRACTIONS[pixels[y, x, channel]]
    return out


@loop
def _to_levels(values, out):
    for y in range(len(values)):
        _row_to_levels(values[y], out[y])


@loop
def _row_to_levels(values, out):
    for x in range(len(out)):
        for channel in range(3):
            out[x, channel] = np.uint8(min(max(values[3 * x + channel], 0.0), 1.0) * 255)


@loop
def _mirrored(image, reach):
    """With `reach` more pixels on each side: the mirror image without its last pixel twice."""
    height, width = image.shape[0], image.shape[1] // 3
    out = np.empty((height + 2 * reach, 3 * (width + 2 * reach)))
    for y in range(height + 2 * reach):
        row = abs(y - reach)
        row = min(row, 2 * height - 2 - row)
        for x in range(width + 2 * reach):
            column = abs(x - reach)
            column = min(column, 2 * width - 2 - column)
            for channel in range(3):
                out[y, 3 * x + channel] = image[row, 3 * column + channel]
    return out
