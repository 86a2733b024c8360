"""Snow, from normal draws to the whitened image."""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from .color import join, separate
from .jit import loop, parallel, to_level
from .motion import add_zoomed, smear


@parallel
def snow(pixels, noise, fall, size, weights, steps, kept, luma, out):
    """Images under flakes in whole levels, cut to the image before they are smeared."""
    for image in prange(len(pixels)):
        flakes = _flakes(noise[image], fall, size)
        for y in range(len(flakes)):
            for x in range(flakes.shape[1]):
                flakes[y, x] = math.floor(flakes[y, x] * 255)
        _whiten(pixels[image], smear(flakes, weights, steps[image], 1), kept, luma, out[image])


@parallel
def snow_imagecorruptions(pixels, noise, fall, size, weights, steps, kept, luma, out):
    """The same under flakes that are smeared whole, and in whole levels only then."""
    for image in prange(len(pixels)):
        flakes = smear(_flakes(noise[image], fall, size), weights, steps[image], 1)
        for y in range(len(flakes)):
            for x in range(flakes.shape[1]):
                flakes[y, x] *= 255
        _whiten(pixels[image], flakes, kept, luma, out[image])


@loop
def _flakes(noise, fall, size):
    """From 0 to 1: the middle of the noise, magnified to `size`."""
    mean, deviation, zoom, threshold = fall
    field = np.empty(noise.shape)
    for y in range(len(noise)):
        for x in range(noise.shape[1]):
            field[y, x] = mean + deviation * np.float64(noise[y, x])
    flakes = np.zeros(size)
    add_zoomed(field, zoom, 1, flakes)
    for y in range(len(flakes)):
        for x in range(flakes.shape[1]):
            flakes[y, x] = 0.0 if flakes[y, x] < threshold else min(max(flakes[y, x], 0.0), 1.0)
    return flakes


@loop
def _whiten(pixels, flakes, kept, luma, out):
    """The paled image under flakes from 0 to 255 and under the same turned by 180 degrees."""
    height, width = pixels.shape[:2]
    here = np.empty((height, width))
    for y in range(height):
        for x in range(width):
            here[y, x] = np.rint(flakes[y, x]) / 255
    there = here[::-1, ::-1].copy()
    colours, levels = np.empty((3, width), dtype=np.float32), np.empty((3, width), dtype=np.uint8)
    white = np.empty(width, dtype=np.float32)
    for y in range(height):
        separate(pixels[y], colours)
        _whitest(colours[0], colours[1], colours[2], luma, white)
        for channel in range(3):
            _under(colours[channel], white, kept, here[y], there[y], levels[channel])
        join(levels, out[y])


@loop
def _whitest(red, green, blue, luma, white):
    for x in range(len(white)):
        grey = np.float32(np.float64(red[x]) * luma[0] + np.float64(np.float32(np.float64(green[x]) * luma[1])))
        grey = np.float32(np.float64(grey) + np.float64(blue[x]) * luma[2])
        white[x] = np.float32(grey * np.float32(1.5)) + np.float32(0.5)


@loop
def _under(clean, white, kept, here, there, out):
    keep, pale = np.float32(kept), np.float32(1 - kept)
    for x in range(len(out)):
        paled = np.float32(keep * clean[x]) + np.float32(pale * max(clean[x], white[x]))
        out[x] = to_level(np.float64(paled) + here[x] + there[x])
