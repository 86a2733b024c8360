"""Brightness, saturation and contrast."""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from .frame import FRACTIONS, loop, parallel


@parallel
def hsv_changed(pixels, saturation_factor, saturation_added, value_added, out):
    """Saturation s becomes s * factor + added, value v becomes v + added, both clipped."""
    for image in prange(len(pixels)):
        for y in range(pixels.shape[1]):
            for x in range(pixels.shape[2]):
                _pixel(pixels[image, y, x], saturation_factor, saturation_added, value_added, out[image, y, x])


@loop
def _pixel(pixel, saturation_factor, saturation_added, value_added, out):
    red, green, blue = FRACTIONS[pixel[0]], FRACTIONS[pixel[1]], FRACTIONS[pixel[2]]
    value = max(red, green, blue)
    spread = value - min(red, green, blue)
    hue = saturation = 0.0
    if spread > 0.0:
        if blue == value:
            hue = 4.0 + (red - green) / spread
        elif green == value:
            hue = 2.0 + (blue - red) / spread
        else:
            hue = (green - blue) / spread
        hue /= 6.0
        if hue < 0.0:
            hue += 1.0
        saturation = spread / value
    saturation = min(max(saturation * saturation_factor + saturation_added, 0.0), 1.0)
    value = min(max(value + value_added, 0.0), 1.0)
    sector = math.floor(hue * 6.0)
    within = hue * 6.0 - sector
    low = value * (1.0 - saturation)
    share = 1.0 - within if sector % 2 == 0 else within
    middle = value * (1.0 - share * saturation)
    sector %= 6
    high, mean, least = _level(value), _level(middle), _level(low)
    out[0] = high if sector in (0, 5) else mean if sector in (1, 4) else least
    out[1] = high if sector in (1, 2) else mean if sector in (0, 3) else least
    out[2] = high if sector in (3, 4) else mean if sector in (2, 5) else least


@loop
def _level(value):
    return np.uint8(min(max(value, 0.0), 1.0) * 255)


@parallel
def contrast(pixels, kept, out):
    """Every channel moved towards its mean, by a table of all levels."""
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
                table[channel, level] = _level((FRACTIONS[level] - mean) * kept + mean)
        for y in range(pixels.shape[1]):
            for x in range(pixels.shape[2]):
                for channel in range(3):
                    out[image, y, x, channel] = table[channel, pixels[image, y, x, channel]]
