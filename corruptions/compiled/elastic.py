"""Images under an affine map and a smooth random field."""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from .jit import FRACTIONS, ONE, THREE, TWO, ZERO, loop, parallel
from .smooth import even, smooth_row

CHANNELS = 4
"""Channels of an image inside these loops: a power of two, which the compiler changes at once."""


@parallel
def moves(uniform, reach, taps, strength, out):
    """Compute smooth displacement fields.

    Args:
        uniform: Draws of [0, 1), float32 (N, H, W).
        reach: Largest displacement before smoothing, in pixels.
        taps: Weights of the Gaussian from the centre outwards.
        strength: Factor after smoothing.
        out: Receives the displacements in pixels, float32 (N, H, W).
    """
    weights = even(taps)
    for image in prange(len(uniform)):
        height, width = uniform.shape[1:]
        field = np.empty((height, width))
        for y in range(height):
            for x in range(width):
                field[y, x] = 2 * reach * np.float64(uniform[image, y, x]) - reach
        padded, row = np.empty(width + 2 * len(weights)), np.empty(width)
        for y in range(height):
            smooth_row(field, y, weights, True, 1, padded, row)
            for x in range(width):
                out[image, y, x] = row[x] * strength


@parallel
def displaced(pixels, across, down, out):
    """Interpolate images bilinearly at (row + down, column + across).

    Args:
        pixels: Images, uint8 (N, H, W, 3).
        across: Horizontal displacements in pixels, float32 (N, H, W).
        down: Vertical displacements in pixels, float32 (N, H, W).
        out: Receives the result; uint8, of the shape of `pixels`.
    """
    for image in prange(len(pixels)):
        _displace(_fractions(pixels[image]), across[image], down[image], out[image])


@parallel
def warped_displaced(pixels, inverse, fine_bits, step_bits, across, down, out):
    """Apply an affine map to images, then displace them.

    Args:
        pixels: Images, uint8 (N, H, W, 3).
        inverse: Inverse maps (N, 2, 3) in units of 2^-fine_bits pixels.
        fine_bits: Fractional bits of the computed coordinates.
        step_bits: Fractional bits of the coordinates that are interpolated.
        across: Horizontal displacements in pixels, float32 (N, H, W).
        down: Vertical displacements in pixels, float32 (N, H, W).
        out: Receives the result; uint8, of the shape of `pixels`.
    """
    for image in prange(len(pixels)):
        warped = _warped(_fractions(pixels[image]), inverse[image], fine_bits, step_bits)
        _displace(warped, across[image], down[image], out[image])


@loop
def _fractions(pixels):
    """Fractions of white with a fourth channel of zeros, so that the compiler changes all channels at once."""
    out = np.zeros((*pixels.shape[:2], CHANNELS), dtype=np.float32)
    for y in range(pixels.shape[0]):
        for x in range(pixels.shape[1]):
            for channel in range(3):
                out[y, x, channel] = FRACTIONS[pixels[y, x, channel]]
    return out


@loop
def _warped(image, inverse, fine_bits, step_bits):
    height, width = image.shape[:2]
    half, steps = 1 << (fine_bits - step_bits - 1), 1 << step_bits
    out = np.empty_like(image)
    x_steps, y_steps = np.empty(width, dtype=np.int64), np.empty(width, dtype=np.int64)
    for x in range(width):
        x_steps[x], y_steps[x] = np.int64(np.rint(inverse[0, 0] * x)), np.int64(np.rint(inverse[1, 0] * x))
    for y in range(height):
        x_start = np.int64(np.rint(inverse[0, 1] * y + inverse[0, 2])) + half
        y_start = np.int64(np.rint(inverse[1, 1] * y + inverse[1, 2])) + half
        for x in range(width):
            column = (x_start + x_steps[x]) >> (fine_bits - step_bits)
            row = (y_start + y_steps[x]) >> (fine_bits - step_bits)
            beyond = np.float32(column & (steps - 1)) / np.float32(steps)
            below = np.float32(row & (steps - 1)) / np.float32(steps)
            before, above = np.float32(1) - beyond, np.float32(1) - below
            near, far = _folded(column >> step_bits, width), _folded((column >> step_bits) + 1, width)
            upper, lower = _folded(row >> step_bits, height), _folded((row >> step_bits) + 1, height)
            for channel in range(CHANNELS):
                value = image[upper, near, channel] * np.float32(above * before)
                value = np.float32(value + image[upper, far, channel] * np.float32(above * beyond))
                value = np.float32(value + image[lower, near, channel] * np.float32(below * before))
                value = np.float32(value + image[lower, far, channel] * np.float32(below * beyond))
                out[y, x, channel] = value
    return out


@loop
def _folded(index, length):
    """A mirrored index, without a second copy of the last pixel."""
    if 0 <= index < length:
        return index
    period = max(1, 2 * length - 2)
    index %= period
    return min(index, period - index)


@loop
def _displace(image, across, down, out):
    height, width = image.shape[:2]
    values, levels = np.empty(width * CHANNELS, dtype=np.float32), np.empty((width, CHANNELS), dtype=np.uint8)
    flat = image.reshape(-1)
    for y in range(height):
        for x in range(width):
            y_from = _mirrored(y + np.float64(down[y, x]), height)
            x_from = _mirrored(x + np.float64(across[y, x]), width)
            row, column = math.floor(y_from), math.floor(x_from)
            weights = y_from - row, x_from - column
            upper, lower = _pixel(row, height) * width, _pixel(row + 1, height) * width
            near, far = _pixel(column, width), _pixel(column + 1, width)
            starts = _start(upper + near), _start(upper + far), _start(lower + near), _start(lower + far)
            end = _start(x)
            first, second = _between(flat, starts, weights, ZERO), _between(flat, starts, weights, ONE)
            third, fourth = _between(flat, starts, weights, TWO), _between(flat, starts, weights, THREE)
            values[end], values[end + ONE], values[end + TWO], values[end + THREE] = first, second, third, fourth
        _to_levels(values, levels.reshape(-1))
        for x in range(width):
            out[y, x, 0], out[y, x, 1], out[y, x, 2] = levels[x, 0], levels[x, 1], levels[x, 2]


@loop
def _start(pixel):
    return np.uint64(pixel * CHANNELS)


@loop
def _between(flat, starts, weights, channel):
    """Interpolate one channel between the four pixels at `starts`."""
    below, beyond = weights
    above, before = 1.0 - below, 1.0 - beyond
    value = np.float64(flat[starts[0] + channel]) * above * before
    value += np.float64(flat[starts[1] + channel]) * above * beyond
    value += np.float64(flat[starts[2] + channel]) * below * before
    return value + np.float64(flat[starts[3] + channel]) * below * beyond


@loop
def _to_levels(values, out):
    for j in range(len(out)):
        out[j] = np.uint8(min(max(values[j], np.float32(0.0)), np.float32(1.0)) * np.float32(255.0))


@loop
def _mirrored(position, length):
    """A mirrored coordinate from -1 to `length` as in SciPy, with a second copy of the last pixel."""
    if 0 <= position <= length - 1:
        return position
    period = 2 * length
    if position < 0:
        if position < -period:
            position += period * math.trunc(-position / period)
        position = position + period if position < -length else max(-position, 1e-15) - 1.0
    if position > length - 1:
        position -= period * math.trunc(position / period)
        if position >= length:
            position = period - position - 1.0
    return position


@loop
def _pixel(index, length):
    return min(max(index, -1 - index), 2 * length - 1 - index)
