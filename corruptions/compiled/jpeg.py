"""The round trip through a JPEG file without the file: all loss happens before the entropy coding."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from .. import dct
from .jit import loop, parallel

SIDE, LANES, GROUP = 8, 64, 512
"""Side of a block; values of one row or column of eight blocks, which are transformed at once; all their values."""
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
    for image in prange(len(pixels)):
        height, width = pixels.shape[1:3]
        rows, columns = -(-height // 2), -(-width // 2)
        full = np.empty((3, -(-height // 16) * 16, -(-width // 16) * 16), dtype=np.int32)
        _convert(pixels[image], full)
        halves = np.empty((2, full.shape[1] // 2, full.shape[2] // 2), dtype=np.int32)
        for colour in range(2):
            _halve(full[1 + colour], height, rows, halves[colour])
            _code(halves[colour], chroma)
        _code(full[0], luma)
        _render(full[0], halves[0, :rows, :columns], halves[1, :rows, :columns], out[image])


@loop
def _convert(pixels, planes):
    """Luma, blue and red differences, padded with the last row and column to whole blocks."""
    height, width = pixels.shape[:2]
    for y in range(height):
        _convert_row(pixels[y], planes[0, y], planes[1, y], planes[2, y])
        for plane in range(3):
            planes[plane, y, width:] = planes[plane, y, width - 1]
    for plane in range(3):
        for y in range(height, planes.shape[1]):
            planes[plane, y] = planes[plane, height - 1]


@loop
def _convert_row(pixels, luma, blue, red):
    for x in range(len(pixels)):
        r, g, b = np.int32(pixels[x, 0]), np.int32(pixels[x, 1]), np.int32(pixels[x, 2])
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
def _code(plane, quantiser):
    """Transform, quantise and transform back, in place."""
    values, turned = np.zeros(GROUP, dtype=np.int32), np.zeros(GROUP, dtype=np.int32)
    for top in range(0, plane.shape[0], SIDE):
        for left in range(0, plane.shape[1], LANES):
            part = plane[top : top + SIDE, left : left + LANES]
            _gather(part, values)
            _spectrum(values, 11)
            _turn(values, turned)
            _spectrum(turned, 15)
            _quantise(turned, quantiser)
            _picture(turned, 11)
            _turn(turned, values)
            _picture(values, 18)
            _scatter(values, part)


@loop
def _gather(part, values):
    for y in range(SIDE):
        for block in range(part.shape[1] // SIDE):
            for x in range(SIDE):
                values[x * LANES + y * SIDE + block] = part[y, block * SIDE + x] - 128


@loop
def _scatter(values, part):
    for y in range(SIDE):
        for block in range(part.shape[1] // SIDE):
            for x in range(SIDE):
                part[y, block * SIDE + x] = _level(values[x * LANES + y * SIDE + block] + 128)


@loop
def _turn(values, turned):
    """Transpose the blocks."""
    for place in range(SIDE):
        for other in range(SIDE):
            for block in range(SIDE):
                turned[(place * SIDE + other) * SIDE + block] = values[(other * SIDE + place) * SIDE + block]


@loop
def _spectrum(values, shift):
    half = np.int32(1 << (shift - 1))
    for j in range(LANES):
        a, b, c, d, e, f, g, h = _forward(
            values[j],
            values[LANES + j],
            values[2 * LANES + j],
            values[3 * LANES + j],
            values[4 * LANES + j],
            values[5 * LANES + j],
            values[6 * LANES + j],
            values[7 * LANES + j],
        )
        values[j] = np.int32(a + half) >> shift
        values[LANES + j] = np.int32(b + half) >> shift
        values[2 * LANES + j] = np.int32(c + half) >> shift
        values[3 * LANES + j] = np.int32(d + half) >> shift
        values[4 * LANES + j] = np.int32(e + half) >> shift
        values[5 * LANES + j] = np.int32(f + half) >> shift
        values[6 * LANES + j] = np.int32(g + half) >> shift
        values[7 * LANES + j] = np.int32(h + half) >> shift


@loop
def _picture(values, shift):
    half = np.int32(1 << (shift - 1))
    for j in range(LANES):
        a, b, c, d, e, f, g, h = _inverse(
            values[j],
            values[LANES + j],
            values[2 * LANES + j],
            values[3 * LANES + j],
            values[4 * LANES + j],
            values[5 * LANES + j],
            values[6 * LANES + j],
            values[7 * LANES + j],
        )
        values[j] = np.int32(a + half) >> shift
        values[LANES + j] = np.int32(b + half) >> shift
        values[2 * LANES + j] = np.int32(c + half) >> shift
        values[3 * LANES + j] = np.int32(d + half) >> shift
        values[4 * LANES + j] = np.int32(e + half) >> shift
        values[5 * LANES + j] = np.int32(f + half) >> shift
        values[6 * LANES + j] = np.int32(g + half) >> shift
        values[7 * LANES + j] = np.int32(h + half) >> shift


@loop
def _quantise(values, quantiser):
    for place in range(LANES):
        factor, summand = quantiser[0, place], quantiser[1, place]
        shift, step = quantiser[2, place], quantiser[3, place]
        for block in range(SIDE):
            value = values[place * SIDE + block]
            level = (np.int32((abs(value) + summand) * factor) >> shift) * step
            values[place * SIDE + block] = -level if value < 0 else level


@loop
def _render(luma, blue, red, out):
    """Pixels, with colours interpolated between the four nearest (libjpeg's "fancy" upsampling)."""
    rows, columns = blue.shape
    blues, reds = np.empty(2 * columns, dtype=np.int32), np.empty(2 * columns, dtype=np.int32)
    channels = np.empty((3, out.shape[1]), dtype=np.uint8)
    for y in range(len(out)):
        near = y // 2
        far = min(max(near + (1 if y % 2 else -1), 0), rows - 1)
        _double(blue[near], blue[far], blues)
        _double(red[near], red[far], reds)
        _render_row(luma[y], blues, reds, channels)
        _interleave(channels[0], channels[1], channels[2], out[y].reshape(-1))


@loop
def _double(near, far, out):
    columns = len(near)
    if columns <= 2:
        for x in range(columns):
            out[2 * x] = out[2 * x + 1] = near[x]
        return
    sums = np.empty(columns + 2, dtype=np.int32)
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
