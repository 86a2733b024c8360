"""Gaussian, glass and defocus blur."""

from __future__ import annotations

import numpy as np
from numba import prange

from .jit import FRACTIONS, loop, parallel, to_level
from .smooth import add_pairs, even, smooth_row


@parallel
def gaussian_blur(pixels, taps, out):
    """Smooth images.

    Args:
        pixels: Images, uint8 (N, H, W, 3).
        taps: Weights of the Gaussian from the centre outwards.
        out: Receives the result; uint8, of the shape of `pixels`.
    """
    for image in prange(len(pixels)):
        _blur(pixels[image], taps, out[image])


@parallel
def glass_blur(pixels, taps, reach, steps, out):
    """Smooth images, copy pixels from neighbours in order, and smooth again.

    Args:
        pixels: Images, uint8 (N, H, W, 3).
        taps: Weights of the Gaussian from the centre outwards.
        reach: Largest step of a copy in pixels.
        steps: Offsets (image, sweep, row, column, (across, down)) of the source of each copy.
        out: Receives the result; uint8, of the shape of `pixels`.
    """
    for image in prange(len(pixels)):
        height, width = pixels.shape[1:3]
        blurred = np.empty((height, width, 3), dtype=np.uint8)
        _blur(pixels[image], taps, blurred)
        for sweep in range(steps.shape[1]):
            for row in range(steps.shape[2]):
                for column in range(steps.shape[3]):
                    y, x = height - reach - row, width - reach - column
                    y_from = y + steps[image, sweep, row, column, 1]
                    x_from = x + steps[image, sweep, row, column, 0]
                    for channel in range(3):
                        blurred[y, x, channel] = blurred[y_from, x_from, channel]
        _blur(blurred, taps, out[image])


@parallel
def defocus_blur(pixels, weights, out):
    """Blur images with a disk, of which only one quarter is read because it is symmetric.

    Args:
        pixels: Images, uint8 (N, H, W, 3).
        weights: Weights of the disk, float64 (side, side).
        out: Receives the result; uint8, of the shape of `pixels`.
    """
    reach = len(weights) // 2
    quarter = np.zeros((reach + 1, reach + 2))
    quarter[:, : reach + 1] = weights[reach:, reach:]
    for image in prange(len(pixels)):
        length = 3 * pixels.shape[2]
        margin = reach + 1  # one zero beyond the last weight, because two pairs are added at once
        source = _mirrored(pixels[image], margin)
        total, pair = np.empty(length), np.empty(source.shape[1])
        for y in range(pixels.shape[1]):
            total[:] = 0.0
            for down in range(reach + 1):
                if not quarter[down].any():
                    continue
                _pair(source[y + margin - down], source[y + margin + down], 0.5 if down == 0 else 1.0, pair)
                _add(total, pair[3 * margin : 3 * margin + length], quarter[down, 0])
                for across in range(1, reach + 1, 2):
                    if quarter[down, across : across + 2].any():
                        before, after = 3 * (margin - across), 3 * (margin + across)
                        a, b = pair[before : before + length], pair[after : after + length]
                        c, d = pair[before - 3 : before - 3 + length], pair[after + 3 : after + 3 + length]
                        add_pairs(total, a, b, quarter[down, across], c, d, quarter[down, across + 1])
            _row_to_levels(total, out[image, y])


@loop
def _pair(above, below, share, out):
    for j in range(len(out)):
        out[j] = (above[j] + below[j]) * share


@loop
def _add(total, row, weight):
    for j in range(len(total)):
        total[j] += row[j] * weight


@loop
def _blur(pixels, taps, out):
    image, weights = _fractions(pixels), even(taps)
    row, padded = np.empty(image.shape[1]), np.empty(image.shape[1] + 6 * len(weights))
    for y in range(len(image)):
        smooth_row(image, y, weights, False, 3, padded, row)
        _row_to_levels(row, out[y])


@loop
def _fractions(pixels):
    """Levels (height, width, 3) as fractions (height, width * 3)."""
    height, width = pixels.shape[:2]
    out = np.empty((height, width * 3))
    for y in range(height):
        for x in range(width):
            for channel in range(3):
                out[y, 3 * x + channel] = FRACTIONS[pixels[y, x, channel]]
    return out


@loop
def _row_to_levels(values, out):
    flat = out.reshape(-1)
    for j in range(len(flat)):
        flat[j] = to_level(values[j])


@loop
def _mirrored(pixels, margin):
    """Fractions with `margin` more pixels on each side: the mirror image without a second copy of the last pixel."""
    height, width = pixels.shape[:2]
    out = np.empty((height + 2 * margin, 3 * (width + 2 * margin)))
    for y in range(len(out)):
        row = abs(y - margin)
        source, target = pixels[min(row, 2 * height - 2 - row)], out[y]
        for x in range(width + 2 * margin):
            column = abs(x - margin)
            column = min(column, 2 * width - 2 - column)
            for channel in range(3):
                target[3 * x + channel] = FRACTIONS[source[column, channel]]
    return out
