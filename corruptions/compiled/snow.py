"""Snow, from normal draws to the whitened image."""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from .color import join, separate
from .jit import loop, parallel, to_level
from .motion import add_zoomed, smear


@parallel
def snow(pixels, noise, fall, size, weights, steps, clean_share, luma, out):
    """Draw flakes that are cropped to the image and rounded to whole levels before they are smeared.

    Args:
        pixels: Images, uint8 (N, H, W, 3).
        noise: Standard normal draws, float32 (N, H, W).
        fall: Mean and deviation of the noise, magnification and threshold of the flakes.
        size: Height and width of the layer of flakes.
        weights: Weights of the taps.
        steps: Offset of every tap in pixels (image, tap, (down, across)).
        clean_share: Share of the image that is not whitened.
        luma: Weights of red, green and blue.
        out: Receives the result; uint8, of the shape of `pixels`.
    """
    for image in prange(len(pixels)):
        flakes = _flakes(noise[image], fall, size)
        for y in range(len(flakes)):
            for x in range(flakes.shape[1]):
                flakes[y, x] = math.floor(flakes[y, x] * 255)
        _whiten(pixels[image], smear(flakes, weights, steps[image], 1), clean_share, luma, out[image])


@parallel
def snow_imagecorruptions(pixels, noise, fall, size, weights, steps, clean_share, luma, out):
    """Draw flakes that are smeared as a whole layer and rounded to whole levels after that.

    Args:
        pixels: Images, uint8 (N, H, W, 3).
        noise: Standard normal draws, float32 (N, H, W).
        fall: Mean and deviation of the noise, magnification and threshold of the flakes.
        size: Height and width of the layer of flakes.
        weights: Weights of the taps.
        steps: Offset of every tap in pixels (image, tap, (down, across)).
        clean_share: Share of the image that is not whitened.
        luma: Weights of red, green and blue.
        out: Receives the result; uint8, of the shape of `pixels`.
    """
    for image in prange(len(pixels)):
        flakes = smear(_flakes(noise[image], fall, size), weights, steps[image], 1)
        for y in range(len(flakes)):
            for x in range(flakes.shape[1]):
                flakes[y, x] *= 255
        _whiten(pixels[image], flakes, clean_share, luma, out[image])


@loop
def _flakes(noise, fall, size):
    """Flakes from 0 to 1: the centre of the noise, magnified to `size`."""
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
def _whiten(pixels, flakes, clean_share, luma, out):
    """The whitened image under flakes from 0 to 255, and under the same flakes rotated by 180 degrees."""
    height, width = pixels.shape[:2]
    flake_layer = np.empty((height, width))
    for y in range(height):
        for x in range(width):
            flake_layer[y, x] = np.rint(flakes[y, x]) / 255
    rotated_layer = flake_layer[::-1, ::-1].copy()
    colours, levels = np.empty((3, width), dtype=np.float32), np.empty((3, width), dtype=np.uint8)
    white = np.empty(width, dtype=np.float32)
    for y in range(height):
        separate(pixels[y], colours)
        _whitest(colours[0], colours[1], colours[2], luma, white)
        for channel in range(3):
            _under(colours[channel], white, clean_share, flake_layer[y], rotated_layer[y], levels[channel])
        join(levels, out[y])


@loop
def _whitest(red, green, blue, luma, white):
    for x in range(len(white)):
        grey = np.float32(np.float64(red[x]) * luma[0] + np.float64(np.float32(np.float64(green[x]) * luma[1])))
        grey = np.float32(np.float64(grey) + np.float64(blue[x]) * luma[2])
        white[x] = np.float32(grey * np.float32(1.5)) + np.float32(0.5)


@loop
def _under(clean, white, clean_share, flakes, rotated_flakes, out):
    keep, pale = np.float32(clean_share), np.float32(1 - clean_share)
    for x in range(len(out)):
        paled = np.float32(keep * clean[x]) + np.float32(pale * max(clean[x], white[x]))
        out[x] = to_level(np.float64(paled) + flakes[x] + rotated_flakes[x])
