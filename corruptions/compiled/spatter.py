"""Spatter: water lit by a relief of the distance from the edges of its drops, or mud."""

from __future__ import annotations

import numpy as np
from numba import prange

from .jit import FRACTIONS, loop, parallel, to_level
from .smooth import along_height, along_width, even, smooth_row


@parallel
def muddy(pixels, noise, liquid, taps, edge_taps, dense, brown, out):
    """Draw mud with edges that are smoothed in float32.

    Args:
        pixels: Images, uint8 (N, H, W, 3).
        noise: Standard normal draws, float32 (N, H, W).
        liquid: Mean and deviation of the noise, and the threshold below which liquid is removed.
        taps: Weights of the Gaussian from the centre outwards.
        edge_taps: Weights of the Gaussian that smooths the edges of the mud.
        dense: Mud below this density is removed.
        brown: Colour of the mud, float64 (3,).
        out: Receives the result; uint8, of the shape of `pixels`.
    """
    for image in prange(len(pixels)):
        dirt = _liquid(noise[image], liquid, taps)
        for y in range(dirt.shape[0]):
            for x in range(dirt.shape[1]):
                dirt[y, x] = 1.0 if dirt[y, x] > liquid[2] else 0.0
        weights = even(edge_taps)
        width, before = dirt.shape[1], len(weights) - 1
        padded, row = np.empty(width + 2 * before), np.empty(width)
        for y in range(len(dirt)):
            along_height(dirt, y, weights, False, row)
            for x in range(width):
                padded[before + x] = np.float32(row[x])
            along_width(padded, weights, False, 1, row)
            for x in range(width):
                mud = np.float32(row[x])
                mud = np.float32(0.0) if mud < dense else mud
                for channel in range(3):
                    clean = np.float32(FRACTIONS[pixels[image, y, x, channel]]) * (np.float32(1.0) - mud)
                    out[image, y, x, channel] = to_level(np.float64(clean) + brown[channel] * np.float64(mud))


@parallel
def wet(pixels, noise, liquid, taps, canny, steps, limit, relief, strength, turquoise, out):
    """Draw water where smoothed noise exceeds a threshold.

    Args:
        pixels: Images, uint8 (N, H, W, 3).
        noise: Standard normal draws, float32 (N, H, W).
        liquid: Mean and deviation of the noise, and the threshold below which liquid is removed.
        taps: Weights of the Gaussian from the centre outwards.
        canny: Lower and upper threshold, and the constants TAN_SHIFT and TAN_22.
        steps: Lengths of the straight, diagonal and knight's steps of the distance.
        limit: Largest distance, in the unit of `steps`.
        relief: Weights of the relief, int32 (3, 3).
        strength: Brightness of the water.
        turquoise: Colour of the water, float32 (3,).
        out: Receives the result; uint8, of the shape of `pixels`.
    """
    for image in prange(len(pixels)):
        layer = _liquid(noise[image], liquid, taps)
        _wetted(pixels[image], layer, canny, steps, limit, relief, strength, turquoise, out[image])


@parallel
def wetted(pixels, layers, canny, steps, limit, relief, strength, turquoise, out):
    """Draw water of given depth.

    Args:
        pixels: Images, uint8 (N, H, W, 3).
        layers: Depth of the water, float64 (N, H, W).
        canny: Lower and upper threshold, and the constants TAN_SHIFT and TAN_22.
        steps: Lengths of the straight, diagonal and knight's steps of the distance.
        limit: Largest distance, in the unit of `steps`.
        relief: Weights of the relief, int32 (3, 3).
        strength: Brightness of the water.
        turquoise: Colour of the water, float32 (3,).
        out: Receives the result; uint8, of the shape of `pixels`.
    """
    for image in prange(len(pixels)):
        _wetted(pixels[image], layers[image], canny, steps, limit, relief, strength, turquoise, out[image])


@loop
def _wetted(pixels, layer, canny, steps, limit, relief, strength, turquoise, out):
    """Draw water over one image; written as loops, which compile in a third of the time of array expressions."""
    height, width = layer.shape
    drops, equal = np.empty((height, width), dtype=np.int32), np.ones((3, 3), dtype=np.int32)
    for y in range(height):
        for x in range(width):
            drops[y, x] = np.int32(layer[y, x] * 255)
    levels = _filtered(_framed(_distances(_edges(drops, canny), steps, limit), 1), equal)
    for y in range(height):
        for x in range(width):
            levels[y, x] = np.int32(np.float32(levels[y, x] / np.float64(steps[0]) / 9))
    light = _filtered(_framed(_equalised(levels), 1), relief)
    for y in range(height):
        for x in range(width):
            light[y, x] = min(max(light[y, x], 0), 255)
    shine, most = _filtered(_framed(light, 1), equal), np.int32(0)
    for y in range(height):
        for x in range(width):
            shine[y, x] = drops[y, x] * ((shine[y, x] + 4) // 9)
            most = max(most, shine[y, x])
    brightest = np.float32(most)
    for y in range(pixels.shape[0]):
        for x in range(pixels.shape[1]):
            added = np.float32(shine[y, x]) / brightest * np.float32(strength)
            for channel in range(3):
                value = np.float32(FRACTIONS[pixels[y, x, channel]]) + np.float32(added * turquoise[channel])
                value = min(max(value, np.float32(0.0)), np.float32(1.0))
                out[y, x, channel] = np.uint8(value * np.float32(255.0))


@loop
def _liquid(noise, liquid, taps):
    """Smoothed noise with a mean and deviation; values below a threshold become 0."""
    mean, deviation, threshold = liquid
    height, width = noise.shape
    field, out = np.empty((height, width)), np.empty((height, width))
    for y in range(height):
        for x in range(width):
            field[y, x] = mean + deviation * np.float64(noise[y, x])
    weights = even(taps)
    padded = np.empty(width + 2 * len(weights))
    for y in range(height):
        smooth_row(field, y, weights, False, 1, padded, out[y])
        for x in range(width):
            out[y, x] = 0.0 if out[y, x] < threshold else out[y, x]
    return out


@loop
def _framed(field, inset):
    """The field as int32 with one more pixel on each side: a copy of the row or column `inset` pixels from the edge."""
    height, width = field.shape
    out = np.empty((height + 2, width + 2), dtype=np.int32)
    for y in range(height + 2):
        source = inset if y == 0 else height - 1 - inset if y == height + 1 else y - 1
        for x in range(width):
            out[y, x + 1] = field[source, x]
        out[y, 0], out[y, width + 1] = out[y, 1 + inset], out[y, width - inset]
    return out


@loop
def _filtered(framed, weights):
    """Weighted sums over 3 x 3 pixels."""
    height, width = framed.shape[0] - 2, framed.shape[1] - 2
    out = np.zeros((height, width), dtype=np.int32)
    for y in range(height):
        for down in range(3):
            for across in range(3):
                _add(out[y], framed[y + down, across : across + width], weights[down, across])
    return out


@loop
def _add(total, row, weight):
    for x in range(len(total)):
        total[x] += row[x] * weight


@loop
def _edges(drops, canny):
    """Ridges of the gradient above `low` that are connected to a ridge above `high`."""
    low, high, tan_shift, tan_22 = canny
    height, width = drops.shape
    around = _framed(drops, 0)
    slope = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], dtype=np.int32)
    across = np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]], dtype=np.int32)
    dx, dy = _filtered(around, slope), _filtered(around, across)
    size = np.zeros((height + 2, width + 2), dtype=np.int32)
    for y in range(height):
        for x in range(width):
            size[y + 1, x + 1] = abs(dx[y, x]) + abs(dy[y, x])
    ridge, edge = np.zeros((height, width), dtype=np.bool_), np.zeros((height, width), dtype=np.bool_)
    waiting = np.empty((height * width, 2), dtype=np.int32)
    count = 0
    for y in range(height):
        for x in range(width):
            if size[y + 1, x + 1] > low and _is_ridge(dx[y, x], dy[y, x], size, y + 1, x + 1, tan_shift, tan_22):
                ridge[y, x] = True
                if size[y + 1, x + 1] > high:
                    edge[y, x] = True
                    waiting[count, 0], waiting[count, 1] = y, x
                    count += 1
    while count > 0:  # weak ridges count if they grow out of strong ones
        count -= 1
        y, x = waiting[count, 0], waiting[count, 1]
        for near_y in range(max(y - 1, 0), min(y + 2, height)):
            for near_x in range(max(x - 1, 0), min(x + 2, width)):
                if ridge[near_y, near_x] and not edge[near_y, near_x]:
                    edge[near_y, near_x] = True
                    waiting[count, 0], waiting[count, 1] = near_y, near_x
                    count += 1
    return edge


@loop
def _is_ridge(dx, dy, size, y, x, tan_shift, tan_22):
    """True if the gradient at (y, x) is a maximum along its own direction, quantised to one of four."""
    centre, across, down = size[y, x], abs(dx), abs(dy) << tan_shift
    flat = across * tan_22
    if down < flat:
        return centre > size[y, x - 1] and centre >= size[y, x + 1]
    if down > flat + (across << (tan_shift + 1)):
        return centre > size[y - 1, x] and centre >= size[y + 1, x]
    side = -1 if (dx ^ dy) < 0 else 1
    return centre > size[y - 1, x - side] and centre > size[y + 1, x + side]


@loop
def _distances(edges, steps, limit):
    """Length of the shortest path from an edge in straight, diagonal and knight's `steps`, at most `limit`."""
    height, width = edges.shape
    field = np.full((height + 4, width + 4), limit, dtype=np.int32)
    for y in range(height):
        for x in range(width):
            if edges[y, x]:
                field[y + 2, x + 2] = 0
    for y in range(2, height + 2):
        _step_from(field[y], field[y - 1], field[y - 2], steps)
        _step_along(field[y, 2:-2], steps[0])
    for y in range(height + 1, 1, -1):
        _step_from(field[y], field[y + 1], field[y + 2], steps)
        _step_along(field[y, 2:-2][::-1], steps[0])
    return field[2:-2, 2:-2].copy()


@loop
def _step_from(row, next_row, row_after, steps):
    """Shorten the paths to a row via the two rows that the sweep has already passed."""
    straight, diagonal, knight = np.int32(steps[0]), np.int32(steps[1]), np.int32(steps[2])
    for x in range(len(row) - 4):
        best = min(row[x + 2], next_row[x + 2] + straight)
        best = min(best, min(next_row[x + 1], next_row[x + 3]) + diagonal)
        best = min(best, min(next_row[x], next_row[x + 4]) + knight)
        row[x + 2] = min(best, min(row_after[x + 1], row_after[x + 3]) + knight)


@loop
def _step_along(row, straight):
    best = row[0]
    for x in range(1, len(row)):
        best = min(row[x], best + straight)
        row[x] = best


@loop
def _equalised(levels):
    """Histogram equalisation; the lowest level that occurs becomes 0."""
    height, width = levels.shape
    counts = np.zeros(256, dtype=np.int64)
    for y in range(height):
        for x in range(width):
            counts[levels[y, x]] += 1
    lowest = 0
    while counts[lowest] == 0:
        lowest += 1
    first = counts[lowest]
    if first == levels.size:
        return levels
    scale, table = np.float32(255) / np.float32(levels.size - first), np.zeros(256, dtype=np.int32)
    above = 0
    for level in range(lowest + 1, 256):
        above += counts[level]
        table[level] = np.int32(min(np.rint(np.float32(above) * scale), 255.0))
    out = np.empty_like(levels)
    for y in range(height):
        for x in range(width):
            out[y, x] = table[levels[y, x]]
    return out
