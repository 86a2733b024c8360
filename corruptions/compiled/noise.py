"""Gaussian, speckle, impulse and shot noise, fog and frost: one value at a time."""

from __future__ import annotations

import numpy as np
from numba import prange

from .jit import FRACTIONS, loop, parallel, to_level


@parallel
def gaussian_noise(pixels, deviation, noise, out):
    """Add a normal draw to every value.

    Args:
        pixels: Flat images, uint8 (N, values).
        deviation: Standard deviation of the noise, in fractions of white.
        noise: Standard normal draws, float32 (N, values).
        out: Receives the result; uint8, of the shape of `pixels`.
    """
    for image in prange(len(pixels)):
        for j in range(pixels.shape[1]):
            value = FRACTIONS[pixels[image, j]] + deviation * np.float64(noise[image, j])
            out[image, j] = to_level(value)


@parallel
def speckle_noise(pixels, deviation, noise, out):
    """Multiply every value by 1 plus a normal draw.

    Args:
        pixels: Flat images, uint8 (N, values).
        deviation: Standard deviation of the noise.
        noise: Standard normal draws, float32 (N, values).
        out: Receives the result; uint8, of the shape of `pixels`.
    """
    for image in prange(len(pixels)):
        for j in range(pixels.shape[1]):
            clean = FRACTIONS[pixels[image, j]]
            value = clean + clean * (deviation * np.float64(noise[image, j]))
            out[image, j] = to_level(value)


@parallel
def impulse_noise(pixels, amount, uniform, out):
    """Set values to white or black; thresholds are float32.

    Args:
        pixels: Flat images, uint8 (N, values).
        amount: A draw below it gives black, a draw below half of it white.
        uniform: Draws of [0, 1), float32 (N, values).
        out: Receives the result; uint8, of the shape of `pixels`.
    """
    half = np.float32(amount / 2)
    amount = np.float32(amount)
    for image in prange(len(pixels)):
        for j in range(pixels.shape[1]):
            u = uniform[image, j]
            out[image, j] = 255 if u < half else 0 if u < amount else pixels[image, j]


@parallel
def shot_noise(pixels, table, first, levels, uniform, out):
    """Replace every value by the level of a photon count.

    The count is the number of entries of the value's row of `table` that are at most value + draw.

    Args:
        pixels: Flat images, uint8 (N, values).
        table: Level plus distribution function, float64 (256, counts).
        first: Smallest possible count for every value and every interval of 1/1024 that contains the draw, int16.
        levels: Level of every count.
        uniform: Draws of [0, 1), float32 (N, values).
        out: Receives the result; uint8, of the shape of `pixels`.
    """
    for image in prange(len(pixels)):
        for j in range(pixels.shape[1]):
            value, u = pixels[image, j], np.float64(uniform[image, j])
            count = np.int64(first[value, np.int64(u * 1024)])
            while count < table.shape[1] and table[value, count] <= value + u:
                count += 1
            out[image, j] = levels[count]


@parallel
def frost(pixels, image_share, ice_share, ice, out):
    """Mix images with ice.

    Args:
        pixels: Flat images, uint8 (N, values).
        image_share: Weight of the image.
        ice_share: Weight of the ice.
        ice: Crops of pictures of ice, uint8 (N, values).
        out: Receives the result; uint8, of the shape of `pixels`.
    """
    all_levels = np.arange(256.0)
    image_terms, ice_terms = image_share * all_levels, ice_share * all_levels
    for image in prange(len(pixels)):
        for j in range(pixels.shape[1]):
            out[image, j] = np.uint8(min(max(image_terms[pixels[image, j]] + ice_terms[ice[image, j]], 0.0), 255.0))


@parallel
def fog(pixels, thickness, decay, roughness, side, uniform, out):
    """Add a plasma fractal to images.

    Args:
        pixels: Images, uint8 (N, H, W, 3).
        thickness: Factor of the fractal.
        decay: Divisor of the roughness from one level to the next.
        roughness: Roughness of the first level.
        side: Side of the fractal, a power of two.
        uniform: Draws of [0, 1), float32 (N, side^2 - 1).
        out: Receives the result; uint8, of the shape of `pixels`.
    """
    for image in prange(len(pixels)):
        field = np.zeros((side, side))
        _plasma(uniform[image], decay, roughness, field)
        low, high = field.min(), field.max() - field.min()
        brightest = FRACTIONS[pixels[image].max()]
        added, values = np.empty(pixels.shape[2]), np.empty(3 * pixels.shape[2])
        flat = out[image].reshape(pixels.shape[1], -1)
        for y in range(pixels.shape[1]):
            _thickness(field[y], low, high, thickness, added)
            _add_to_pixels(pixels[image, y], added, values)
            _dim(values, brightest, brightest + thickness, flat[y])


@loop
def _thickness(heights, low, high, thickness, out):
    for x in range(len(out)):
        out[x] = thickness * ((heights[x] - low) / high)


@loop
def _add_to_pixels(pixels, added, out):
    for x in range(len(pixels)):
        for channel in range(3):
            out[3 * x + channel] = FRACTIONS[pixels[x, channel]] + added[x]


@loop
def _dim(values, factor, divisor, out):
    """Multiply, divide and round down in a loop of its own, which the compiler vectorises."""
    for j in range(len(out)):
        out[j] = to_level(values[j] * factor / divisor)


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
