"""Defocus blur, in whole numbers as far as possible."""

from __future__ import annotations

import numpy as np
from numba import prange

from .jit import loop, parallel

LINES = 4
"""Rows that are blurred at once."""


@parallel
def defocus_blur(pixels, groups, edge, out):
    """Blur images with a disk that is its own mirror image upside down.

    The disk is a hard one, smoothed over 3 x 3 pixels, but for the rounding of its weights. Sums over the hard disk are
    whole numbers, and so are those of its neighbours, so that a rough result takes three products. Where that is so
    close to a whole level that the rounding could decide, rows are summed with the weights themselves.

    Args:
        pixels: Images, uint8 (N, H, W, 3).
        groups: Pixels of the disk by weight, see `_sum`: the largest distance of one from the centre along a row or
            column, then `weights`, `run_ends`, `runs`, `pixel_ends` and `places`.
        edge: The hard disk: half the width of its row at each distance from the centre, int64; the weights of its sum
            at a pixel, at those beside it and at those diagonal to it, float64 (3,); the largest error of the rough
            result in levels, infinite if it is no result.
        out: Receives the result; uint8, of the shape of `pixels`.
    """
    reach, weights, run_ends, runs, pixel_ends, places = groups
    widths, soft, error = edge
    height, width = pixels.shape[1:3]
    margin, tall = reach + 1, runs[:, 0].max() + 1 if len(runs) else 0
    stride = 3 * (width + 2 * margin)
    for image in prange(len(pixels)):
        source = _mirrored(pixels[image], margin)
        levels, sums = source.reshape(-1), _sums(source).reshape(-1)
        rows, row_sums = np.empty((margin, LINES * stride), np.uint16), np.empty((tall, LINES * stride), np.uint16)
        disk_sums = np.empty((len(widths), (LINES + 2) * stride), np.uint16)
        disks = np.empty((LINES + 2) * stride, np.uint16)
        flat = out[image].reshape(height, -1)
        total, same = np.empty(LINES * stride), np.empty(LINES * stride, np.uint16)
        for top in range(0, height, LINES):
            lines = min(LINES, height - top)
            start, length = (top + margin) * stride, (lines - 1) * stride + 3 * width
            if error < 1.0:
                _add_rows(sums, start - stride, stride, lines + 2, disk_sums)
                _add_up(disk_sums, widths, disks[: (lines + 2) * stride - 6 * len(widths) + 3])
                first = stride + 3 * (margin - len(widths))
                above, below = disks[first - stride :], disks[first + stride :]
                _soften(above, disks[first:], below, soft, total[:length])
            if error >= 1.0 or not _is_certain(total[:length], error):
                _add_rows(levels, start, stride, lines, rows)
                _add_rows(sums, start, stride, lines, row_sums)
                _fill(total)
                for group in range(len(weights)):
                    _fill(same)
                    for run in range(run_ends[group], run_ends[group + 1]):
                        row = row_sums[runs[run, 0]]
                        _add_difference(same[:length], row[3 * runs[run, 2] :], row[3 * runs[run, 1] :])
                    _add_pixels(rows, places[pixel_ends[group] : pixel_ends[group + 1]], same[:length])
                    _add(total, same, weights[group])
            for line in range(lines):
                _truncate(total[line * stride :], flat[top + line])


@loop
def _add_up(sums, widths, out):
    """Sums over hard disks, the first one `len(widths) - 1` pixels from the left edge."""
    reach = len(widths) - 1
    _fill(out)
    for down in range(len(widths)):
        row = sums[down]
        _add_difference(out, row[3 * (reach + widths[down] + 1) :], row[3 * (reach - widths[down]) :])


@loop
def _soften(above, middle, below, weights, out):
    """Smooth over 3 x 3 pixels; the rows begin one pixel to the left of the first result."""
    at, beside, diagonal = weights[0], weights[1], weights[2]
    for j in range(len(out)):
        cross = np.int32(np.int32(middle[j]) + middle[j + 6] + above[j + 3] + below[j + 3])
        corners = np.int32(np.int32(above[j]) + above[j + 6] + below[j] + below[j + 6])
        out[j] = np.int32(middle[j + 3]) * at + cross * beside + corners * diagonal


@loop
def _is_certain(values, error):
    """True if no value but zero is within the error of a whole number."""
    doubtful = 0
    for j in range(len(values)):
        doubtful += (abs(values[j] - np.rint(values[j])) <= error) & (values[j] != 0.0)
    return doubtful == 0


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
def _add_rows(source, start, stride, lines, out):
    """For each distance, the sums of the rows as far above and below; at distance 0 the rows themselves."""
    for down in range(len(out)):
        target = out[down][: lines * stride]
        if down == 0:
            _copy(source[start:], target)
        else:
            _pair(source[start - down * stride :], source[start + down * stride :], target)


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
