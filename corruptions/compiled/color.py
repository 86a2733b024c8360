"""Brightness, saturation and contrast."""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from .jit import FRACTIONS, loop, parallel, to_level


@parallel
def hsv_changed(pixels, saturation_factor, saturation_added, value_added, out):
    """Change saturation and value of HSV; both are clipped to [0, 1].

    Args:
        pixels: Images, uint8 (N, H, W, 3).
        saturation_factor: Factor of the saturation.
        saturation_added: Added to the saturation after that.
        value_added: Added to the value.
        out: Receives the result; uint8, of the shape of `pixels`.
    """
    for image in prange(len(pixels)):
        width = pixels.shape[2]
        colours, levels = np.empty((3, width)), np.empty((3, width), dtype=np.uint8)
        for y in range(pixels.shape[1]):
            separate(pixels[image, y], colours)
            _row(colours, saturation_factor, saturation_added, value_added, levels)
            join(levels, out[image, y])


@loop
def separate(pixels, colours):
    """Write a row of pixels as fractions, channel by channel.

    Args:
        pixels: Row of levels, uint8 (width, 3).
        colours: Receives the fractions (3, width).
    """
    for x in range(len(pixels)):
        for channel in range(3):
            colours[channel, x] = FRACTIONS[pixels[x, channel]]


@loop
def join(levels, out):
    """Write a row of levels back to pixels.

    Args:
        levels: Row of levels, uint8 (3, width).
        out: Receives the pixels (width, 3).
    """
    for x in range(len(out)):
        for channel in range(3):
            out[x, channel] = levels[channel, x]


@loop
def _row(colours, saturation_factor, saturation_added, value_added, levels):
    """Change one row, with selections instead of branches so that the compiler can vectorise the loop."""
    for x in range(colours.shape[1]):
        red, green, blue = colours[0, x], colours[1, x], colours[2, x]
        value = max(red, green, blue)
        spread = value - min(red, green, blue)
        grey = spread == 0.0
        difference = red - green if blue == value else (blue - red if green == value else green - blue)
        start = 4.0 if blue == value else (2.0 if green == value else 0.0)
        hue = (start + difference / (1.0 if grey else spread)) / 6.0
        hue = hue + 1.0 if hue < 0.0 else hue
        hue = 0.0 if grey else hue
        saturation = 0.0 if grey else spread / value
        saturation = min(max(saturation * saturation_factor + saturation_added, 0.0), 1.0)
        value = min(max(value + value_added, 0.0), 1.0)
        sector = math.floor(hue * 6.0)
        within = hue * 6.0 - sector
        share = 1.0 - within if sector % 2 == 0 else within
        high, mean, least = value, value * (1.0 - share * saturation), value * (1.0 - saturation)
        sector %= 6
        levels[0, x] = to_level(high if sector in (0, 5) else (mean if sector in (1, 4) else least))
        levels[1, x] = to_level(high if sector in (1, 2) else (mean if sector in (0, 3) else least))
        levels[2, x] = to_level(high if sector in (3, 4) else (mean if sector in (2, 5) else least))


@parallel
def contrast(pixels, factor, out):
    """Scale every channel towards its mean, by a table of all levels.

    Args:
        pixels: Images, uint8 (N, H, W, 3).
        factor: Factor of the distance from the mean.
        out: Receives the result; uint8, of the shape of `pixels`.
    """
    count = pixels.shape[1] * pixels.shape[2]
    for image in prange(len(pixels)):
        sums = np.zeros(3, dtype=np.int64)
        for y in range(pixels.shape[1]):
            for x in range(pixels.shape[2]):
                for channel in range(3):
                    sums[channel] += pixels[image, y, x, channel]
        table = np.empty((3, 256), dtype=np.uint8)
        for channel in range(3):
            mean = sums[channel] / (255 * count)
            for level in range(256):
                table[channel, level] = to_level((FRACTIONS[level] - mean) * factor + mean)
        for y in range(pixels.shape[1]):
            for x in range(pixels.shape[2]):
                for channel in range(3):
                    out[image, y, x, channel] = table[channel, pixels[image, y, x, channel]]
