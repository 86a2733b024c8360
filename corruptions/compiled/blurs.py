"""Gaussian and glass blur."""

from __future__ import annotations

import numpy as np
from numba import prange

from .jit import FRACTIONS, loop, parallel, to_level
from .smooth import even, smooth_row


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
