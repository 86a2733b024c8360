"""The round trip through a JPEG file without the file: all loss happens before the entropy coding."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from .. import dct
from .jit import loop, parallel

SIDE, BLOCKS = 8, 16
"""Side of a block; number of blocks beside each other that are transformed at once."""
WIDTH = BLOCKS * SIDE
GROUP = WIDTH * SIDE
"""Values of a row of them, and all their values."""
_forward, _inverse = njit(inline="always")(dct.forward), njit(inline="always")(dct.inverse)


@parallel
def round_trip(pixels, luma, chroma, out):
    """Encode and decode images.

    Args:
        pixels: Images, uint8 (N, H, W, 3).
        luma: Factor, summand, shift and step of every coefficient, int32 (4, 64), for luma.
        chroma: Factor, summand, shift and step of every coefficient, int32 (4, 64), for chroma.
        out: Receives the result; uint8, of the shape of `pixels`.
    """
    luma, chroma = _of_all_values(luma), _of_all_values(chroma)
    for image in prange(len(pixels)):
        height, width = pixels.shape[1:3]
        rows, columns = -(-height // 2), -(-width // 2)
        full = np.empty((3, -(-height // 16) * 16, -(-width // (2 * WIDTH)) * 2 * WIDTH), dtype=np.int32)
        _convert(pixels[image], full)
        halves = np.empty((2, full.shape[1] // 2, full.shape[2] // 2), dtype=np.int32)
        for colour in range(2):
            _halve(full[1 + colour], height, rows, halves[colour])
            _code(halves[colour], columns, chroma)
        _code(full[0], width, luma)
        _render(full[0], halves[0], halves[1], out[image])


@loop
def _convert(pixels, planes):
    """Luma, blue and red differences, padded with the last row and column to whole blocks."""
    height, width = pixels.shape[:2]
    channels, flat = np.empty((3, width), dtype=np.uint8), pixels.reshape(height, -1)
    for y in range(height):
        _separate(flat[y], channels[0], channels[1], channels[2])
        _convert_row(channels, planes[0, y], planes[1, y], planes[2, y])
        for plane in range(3):
            row = planes[plane, y]
            for x in range(width, -(-width // (2 * SIDE)) * 2 * SIDE):
                row[x] = row[width - 1]
    for plane in range(3):
        for y in range(height, planes.shape[1]):
            planes[plane, y] = planes[plane, height - 1]


@loop
def _separate(pixels, red, green, blue):
    for x in range(len(red)):
        red[x], green[x], blue[x] = pixels[3 * x], pixels[3 * x + 1], pixels[3 * x + 2]


@loop
def _convert_row(channels, luma, blue, red):
    for x in range(channels.shape[1]):
        r, g, b = np.int32(channels[0, x]), np.int32(channels[1, x]), np.int32(channels[2, x])
        luma[x] = np.int32(19595 * r + 38470 * g + 7471 * b + 32768) >> 16
        blue[x] = np.int32(-11059 * r - 21709 * g + 32768 * b + 8421375) >> 16
        red[x] = np.int32(32768 * r - 27439 * g - 5329 * b + 8421375) >> 16


@loop
def _halve(plane, height, rows, out):
    """Means of 2 x 2 pixels, rounded down and up alternately, padded with the last of `rows` to whole blocks."""
    for y in range(rows):
        upper, lower = plane[2 * y], plane[min(2 * y + 1, height - 1)]
        for x in range(out.shape[1]):
            total = upper[2 * x] + upper[2 * x + 1] + lower[2 * x] + lower[2 * x + 1]
            out[y, x] = np.int32(total + 1 + (x & 1)) >> 2
    for y in range(rows, len(out)):
        out[y] = out[rows - 1]


@loop
def _code(plane, width, quantiser):
    """Transform, quantise and transform back the first `width` columns, in place."""
    values, spare = np.zeros(GROUP, dtype=np.int32), np.zeros(GROUP, dtype=np.int32)
    parts = plane.reshape(len(plane), -1, WIDTH)
    for top in range(0, len(plane), SIDE):
        for column in range(-(-width // WIDTH)):
            _gather(parts, top, column, values)
            _unshuffle(values, 128, spare)
            _unshuffle(spare, 0, values)
            _unshuffle(values, 0, spare)
            _spectrum_of_rows(spare)
            _spectrum_of_columns(spare)
            _quantise(spare, quantiser[0], quantiser[1], quantiser[2], quantiser[3])
            _columns_of_spectrum(spare)
            _rows_of_spectrum(spare)
            _shuffle(spare, values)
            _shuffle(values, spare)
            _shuffle_levels(spare, values)
            _scatter(values, parts, top, column)


@loop
def _gather(parts, top, column, values):
    for y in range(SIDE):
        row = parts[top + y, column]
        for x in range(WIDTH):
            values[y * WIDTH + x] = row[x]


@loop
def _scatter(values, parts, top, column):
    for y in range(SIDE):
        row = parts[top + y, column]
        for x in range(WIDTH):
            row[x] = values[y * WIDTH + x]


@loop
def _unshuffle(values, subtracted, out):
    """Even values, then odd ones. Three times turn the order (row, block, column) into (column, row, block)."""
    for j in range(GROUP // 2):
        out[j], out[GROUP // 2 + j] = values[2 * j] - subtracted, values[2 * j + 1] - subtracted


@loop
def _shuffle(values, out):
    """Undo `_unshuffle`."""
    for j in range(GROUP // 2):
        out[2 * j], out[2 * j + 1] = values[j], values[GROUP // 2 + j]


@loop
def _shuffle_levels(values, out):
    for j in range(GROUP // 2):
        out[2 * j], out[2 * j + 1] = _level(values[j] + 128), _level(values[GROUP // 2 + j] + 128)


def _transform(change, step, shift):
    """A loop that transforms values that are `step` apart, eight by eight, and divides them by 2^shift."""
    half = np.int32(1 << (shift - 1))

    @loop
    def run(values):
        for start in range(0, GROUP, SIDE * step):
            for j in range(start, start + step):
                a, b, c, d, e, f, g, h = change(
                    values[j],
                    values[step + j],
                    values[2 * step + j],
                    values[3 * step + j],
                    values[4 * step + j],
                    values[5 * step + j],
                    values[6 * step + j],
                    values[7 * step + j],
                )
                values[j] = np.int32(a + half) >> shift
                values[step + j] = np.int32(b + half) >> shift
                values[2 * step + j] = np.int32(c + half) >> shift
                values[3 * step + j] = np.int32(d + half) >> shift
                values[4 * step + j] = np.int32(e + half) >> shift
                values[5 * step + j] = np.int32(f + half) >> shift
                values[6 * step + j] = np.int32(g + half) >> shift
                values[7 * step + j] = np.int32(h + half) >> shift

    return run


_spectrum_of_rows, _spectrum_of_columns = _transform(_forward, WIDTH, 11), _transform(_forward, BLOCKS, 15)
_columns_of_spectrum, _rows_of_spectrum = _transform(_inverse, BLOCKS, 11), _transform(_inverse, WIDTH, 18)


@loop
def _of_all_values(quantiser):
    """Numbers for coefficients, row by row, as numbers for the values of a group, in the order of `_unshuffle`."""
    out = np.empty((len(quantiser), GROUP), dtype=np.int32)
    for number in range(len(quantiser)):
        for j in range(GROUP):
            out[number, j] = quantiser[number, j // BLOCKS % SIDE * SIDE + j // WIDTH]
    return out


@loop
def _quantise(values, factor, summand, shift, step):
    for j in range(GROUP):
        level = (np.int32((abs(values[j]) + summand[j]) * factor[j]) >> shift[j]) * step[j]
        values[j] = -level if values[j] < 0 else level


@loop
def _render(luma, blue, red, out):
    """Pixels, with colours interpolated between the four nearest (libjpeg's "fancy" upsampling)."""
    rows, columns = -(-out.shape[0] // 2), -(-out.shape[1] // 2)
    blues, reds = np.empty(2 * columns, dtype=np.int32), np.empty(2 * columns, dtype=np.int32)
    sums = np.empty(columns + 2, dtype=np.int32)
    channels, flat = np.empty((3, out.shape[1]), dtype=np.uint8), out.reshape(len(out), -1)
    for y in range(len(out)):
        near = y // 2
        far = min(max(near + (1 if y % 2 else -1), 0), rows - 1)
        _double(blue[near], blue[far], sums, blues)
        _double(red[near], red[far], sums, reds)
        _render_row(luma[y], blues, reds, channels)
        _interleave(channels[0], channels[1], channels[2], flat[y])


@loop
def _double(near, far, sums, out):
    columns = len(out) // 2
    if columns <= 2:
        for x in range(columns):
            out[2 * x] = out[2 * x + 1] = near[x]
        return
    for x in range(columns):
        sums[x + 1] = 3 * near[x] + far[x]
    sums[0], sums[columns + 1] = sums[1], sums[columns]
    for x in range(columns):
        out[2 * x] = np.int32(3 * sums[x + 1] + sums[x] + 8) >> 4
        out[2 * x + 1] = np.int32(3 * sums[x + 1] + sums[x + 2] + 7) >> 4


@loop
def _render_row(luma, blues, reds, channels):
    for x in range(channels.shape[1]):
        blue, red = np.int32(blues[x] - 128), np.int32(reds[x] - 128)
        channels[0, x] = _level(luma[x] + (np.int32(91881 * red + 32768) >> 16))
        channels[1, x] = _level(luma[x] + (np.int32(-22554 * blue - 46802 * red + 32768) >> 16))
        channels[2, x] = _level(luma[x] + (np.int32(116130 * blue + 32768) >> 16))


@loop
def _level(value):
    return min(max(np.int32(value), np.int32(0)), np.int32(255))


@loop
def _interleave(red, green, blue, out):
    for x in range(len(red)):
        out[3 * x], out[3 * x + 1], out[3 * x + 2] = red[x], green[x], blue[x]
