"""Gaussian, speckle, impulse and shot noise, fog and frost: one value at a time."""

from __future__ import annotations

import numpy as np
from numba import prange

from .jit import FRACTIONS, loop, parallel, to_level


@parallel
def gaussian_noise(pixels, deviation, noise, out):
    """Flat images with a draw added to each value."""
    for image in prange(len(pixels)):
        for j in range(pixels.shape[1]):
            value = FRACTIONS[pixels[image, j]] + deviation * np.float64(noise[image, j])
            out[image, j] = to_level(value)


@parallel
def speckle_noise(pixels, deviation, noise, out):
    """Flat images with each value multiplied by 1 and a draw."""
    for image in prange(len(pixels)):
        for j in range(pixels.shape[1]):
            clean = FRACTIONS[pixels[image, j]]
            value = clean + clean * (deviation * np.float64(noise[image, j]))
            out[image, j] = to_level(value)


@parallel
def impulse_noise(pixels, amount, uniform, out):
    """Flat images, black or white where a draw is below `amount` or half of it (both float32)."""
    half = np.float32(amount / 2)
    amount = np.float32(amount)
    for image in prange(len(pixels)):
        for j in range(pixels.shape[1]):
            u = uniform[image, j]
            out[image, j] = 255 if u < half else 0 if u < amount else pixels[image, j]


@parallel
def shot_noise(pixels, table, first, levels, uniform, out):
    """Flat images of which each value becomes `levels` of a count.

    The count is how many entries of the value's row of `table` are at most value + draw; `first` says for every
    value, and every 1/1024 that the draw may lie in, how many are so whatever the draw.
    """
    for image in prange(len(pixels)):
        for j in range(pixels.shape[1]):
            value, u = pixels[image, j], np.float64(uniform[image, j])
            count = first[value, np.int64(u * 1024)]
            while count < table.shape[1] and table[value, count] <= value + u:
                count += 1
            out[image, j] = levels[count]


@parallel
def frost(pixels, kept, frozen, ice, out):
    """Flat images mixed with ice."""
    every = np.arange(256.0)
    warm, cold = kept * every, frozen * every
    for image in prange(len(pixels)):
        for j in range(pixels.shape[1]):
            out[image, j] = np.uint8(min(max(warm[pixels[image, j]] + cold[ice[image, j]], 0.0), 255.0))


@parallel
def fog(pixels, thickness, decay, roughness, side, uniform, out):
    """Images under a plasma fractal."""
    for image in prange(len(pixels)):
        field = np.zeros((side, side))
        _plasma(uniform[image], decay, roughness, field)
        low, high = field.min(), field.max() - field.min()
        brightest = FRACTIONS[pixels[image].max()]
        for y in range(pixels.shape[1]):
            for x in range(pixels.shape[2]):
                added = thickness * ((field[y, x] - low) / high)
                for channel in range(3):
                    value = (FRACTIONS[pixels[image, y, x, channel]] + added) * brightest / (brightest + thickness)
                    out[image, y, x, channel] = to_level(value)


@loop
def _plasma(uniform, decay, roughness, field):
    side = step = len(field)
    used = 0
    while step >= 2:
        half, count = step // 2, side // step
        for row in range(count):
            for column in range(count):
                y, x = row * step, column * step
                down, across = (y + step) % side, (x + step) % side
                corners = (field[y, x] + field[down, x]) + (field[y, across] + field[down, across])
                field[y + half, x + half] = _rough(corners, roughness, uniform[used])
                used += 1
        for row in range(count):
            for column in range(count):
                y, x = row * step, column * step
                centres = field[y + half, x + half] + field[(y - half) % side, x + half]
                ends = field[y, x] + field[y, (x + step) % side]
                field[y, x + half] = _rough(centres + ends, roughness, uniform[used])
                used += 1
        for row in range(count):
            for column in range(count):
                y, x = row * step, column * step
                centres = field[y + half, x + half] + field[y + half, (x - half) % side]
                ends = field[y, x] + field[(y + step) % side, x]
                field[y + half, x] = _rough(centres + ends, roughness, uniform[used])
                used += 1
        step, roughness = half, roughness / decay


@loop
def _rough(total, roughness, number):
    return total / 4 + roughness * (-roughness + 2 * roughness * np.float64(number))
