"""Gaussian, glass and defocus blur."""

from __future__ import annotations

import numpy as np
from numba import prange

from .jit import FRACTIONS, loop, parallel, to_level
from .smooth import even, smooth_row

LINES = 4
"""Rows that are blurred at once, as many as leave the sums in the processor's first cache."""


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
def defocus_blur(pixels, reach, weights, run_ends, runs, pixel_ends, places, out):
    """Blur images with a disk that is its own mirror image upside down.

    Levels of equal weight are added first, in 16 bits and without rounding; what overflows in the sums from the left
    edge cancels in their differences.

    Args:
        pixels: Images, uint8 (N, H, W, 3).
        reach: Largest distance of a pixel of the disk from its centre, along a row or column.
        weights: Each weight of the disk once, float64 (groups,).
        run_ends: Where the runs of each weight begin, and where the last ones end, int64 (groups + 1,).
        runs: Distance from the central row, first column and last column (exclusive) of runs in the lower half of the
            disk, int64 (runs, 3).
        pixel_ends: The same for single pixels, int64 (groups + 1,).
        places: Distance from the central row and column of single pixels in the lower half, int64 (pixels, 2).
        out: Receives the result; uint8, of the shape of `pixels`.
    """
    height, width = pixels.shape[1:3]
    margin, tall = reach + 1, runs[:, 0].max() + 1 if len(runs) else 0
    stride = 3 * (width + 2 * margin)
    for image in prange(len(pixels)):
        source = _mirrored(pixels[image], margin)
        levels, sums = source.reshape(-1), _sums(source).reshape(-1)
        rows, row_sums = np.empty((margin, LINES * stride), np.uint16), np.empty((tall, LINES * stride), np.uint16)
        total, same = np.empty(LINES * stride), np.empty(LINES * stride, np.uint16)
        for top in range(0, height, LINES):
            lines = min(LINES, height - top)
            start, length = (top + margin) * stride, (lines - 1) * stride + 3 * width
            _add_rows(levels, start, stride, rows[:, : lines * stride])
            _add_rows(sums, start, stride, row_sums[:, : lines * stride])
            _fill(total)
            for group in range(len(weights)):
                _fill(same)
                for run in range(run_ends[group], run_ends[group + 1]):
                    row = row_sums[runs[run, 0]]
                    _add_difference(same[:length], row[3 * runs[run, 2] :], row[3 * runs[run, 1] :])
                _add_pixels(rows, places[pixel_ends[group] : pixel_ends[group + 1]], same[:length])
                _add(total, same, weights[group])
            for line in range(lines):
                _truncate(total[line * stride :], out[image, top + line].reshape(-1))


@loop
def _add_pixels(rows, places, total):
    """Add rows shifted to each of the places, four at once while there are four."""
    fours = len(places) // 4 * 4
    for place in range(0, fours, 4):
        i, j, k, m = places[place, 0], places[place + 1, 0], places[place + 2, 0], places[place + 3, 0]
        a, b, c, d = places[place, 1], places[place + 1, 1], places[place + 2, 1], places[place + 3, 1]
        _add_four(total, rows[i, 3 * a :], rows[j, 3 * b :], rows[k, 3 * c :], rows[m, 3 * d :])
    for place in range(fours, len(places)):
        _add(total, rows[places[place, 0], 3 * places[place, 1] :], np.uint16(1))


@loop
def _sums(source):
    """Sums of the pixels to the left of each pixel, by channel; sums that need more than 16 bits overflow."""
    out = np.zeros_like(source)
    for y in range(len(source)):
        for j in range(3, source.shape[1]):
            out[y, j] = out[y, j - 3] + source[y, j - 3]
    return out


@loop
def _add_rows(source, start, stride, out):
    """For each distance, the sum of the rows as far above and below; at distance 0 the rows themselves."""
    for down in range(len(out)):
        if down == 0:
            _copy(source[start:], out[0])
        else:
            _pair(source[start - down * stride :], source[start + down * stride :], out[down])


@loop
def _copy(row, out):
    for j in range(len(out)):
        out[j] = row[j]


@loop
def _pair(one, other, out):
    for j in range(len(out)):
        out[j] = one[j] + other[j]


@loop
def _fill(out):
    for j in range(len(out)):
        out[j] = 0


@loop
def _add_four(total, a, b, c, d):
    for j in range(len(total)):
        total[j] += a[j] + b[j] + c[j] + d[j]


@loop
def _add_difference(total, one, other):
    for j in range(len(total)):
        total[j] += one[j] - other[j]


@loop
def _add(total, row, weight):
    for j in range(len(total)):
        total[j] += row[j] * weight


@loop
def _truncate(values, out):
    for j in range(len(out)):
        out[j] = np.uint8(min(values[j], 255.0))


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
    """Levels with `margin` more pixels on each side: the mirror image without a second copy of the last pixel."""
    height, width = pixels.shape[:2]
    out = np.empty((height + 2 * margin, 3 * (width + 2 * margin)), dtype=np.uint16)
    for y in range(len(out)):
        row = abs(y - margin)
        source, target = pixels[min(row, 2 * height - 2 - row)], out[y]
        for x in range(width + 2 * margin):
            column = abs(x - margin)
            column = min(column, 2 * width - 2 - column)
            for channel in range(3):
                target[3 * x + channel] = source[column, channel]
    return out
