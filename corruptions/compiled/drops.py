"""Edges of drops and the distance from them."""

from __future__ import annotations

import numpy as np
from numba import prange

from .frame import loop, parallel


@parallel
def edge_distances(drops, low, high, tan_shift, tan_22, steps, limit, out):
    """How far every pixel is from an edge of `drops` (image, height, width), at most `limit`, both in parts of a pixel.

    `steps` are the lengths of a straight, a diagonal and a knight's step.
    """
    for image in prange(len(drops)):
        edges = _edges(drops[image], low, high, tan_shift, tan_22)
        for y in range(edges.shape[0]):
            for x in range(edges.shape[1]):
                out[image, y, x] = 0 if edges[y, x] else limit
        _shorten(out[image], steps, limit, 1)
        _shorten(out[image], steps, limit, -1)


@loop
def _edges(drops, low, high, tan_shift, tan_22):
    height, width = drops.shape
    dx, dy = np.zeros((height, width), dtype=np.int64), np.zeros((height, width), dtype=np.int64)
    size = np.zeros((height + 2, width + 2), dtype=np.int64)
    for y in range(height):
        above, below = max(y - 1, 0), min(y + 1, height - 1)
        for x in range(width):
            left, right = max(x - 1, 0), min(x + 1, width - 1)
            dx[y, x] = (drops[above, right] - drops[above, left] + drops[below, right] - drops[below, left]) + 2 * (
                drops[y, right] - drops[y, left]
            )
            dy[y, x] = (drops[below, left] - drops[above, left] + drops[below, right] - drops[above, right]) + 2 * (
                drops[below, x] - drops[above, x]
            )
            size[y + 1, x + 1] = abs(dx[y, x]) + abs(dy[y, x])
    ridge, edge = np.zeros((height, width), dtype=np.bool_), np.zeros((height, width), dtype=np.bool_)
    waiting = np.empty((height * width, 2), dtype=np.int64)
    count = 0
    for y in range(height):
        for x in range(width):
            ridge[y, x] = size[y + 1, x + 1] > low and _is_ridge(
                dx[y, x], dy[y, x], size, y + 1, x + 1, tan_shift, tan_22
            )
            if ridge[y, x] and size[y + 1, x + 1] > high:
                edge[y, x] = True
                waiting[count, 0], waiting[count, 1] = y, x
                count += 1
    while count > 0:  # what is left of the ridges grows out of the strong ones
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
    """Whether the gradient is largest here across its own direction, which is one of four."""
    here, across, down = size[y, x], abs(dx), abs(dy) << tan_shift
    flat = across * tan_22
    if down < flat:
        return here > size[y, x - 1] and here >= size[y, x + 1]
    if down > flat + (across << (tan_shift + 1)):
        return here > size[y - 1, x] and here >= size[y + 1, x]
    side = -1 if (dx ^ dy) < 0 else 1
    return here > size[y - 1, x - side] and here > size[y + 1, x + side]


@loop
def _shorten(field, steps, limit, way):
    """One sweep over the field, down and to the right or the other way: by steps from pixels that were passed."""
    height, width = field.shape
    straight, diagonal, knight = steps[0], steps[1], steps[2]
    for row in range(height):
        y = row if way == 1 else height - 1 - row
        for column in range(width):
            x = column if way == 1 else width - 1 - column
            best = field[y, x]
            best = min(best, _at(field, y, x - way, limit) + straight)
            best = min(best, _at(field, y - way, x, limit) + straight)
            best = min(best, _at(field, y - way, x - 1, limit) + diagonal, _at(field, y - way, x + 1, limit) + diagonal)
            best = min(best, _at(field, y - way, x - 2, limit) + knight, _at(field, y - way, x + 2, limit) + knight)
            best = min(best, _at(field, y - 2 * way, x - 1, limit) + knight)
            field[y, x] = min(best, _at(field, y - 2 * way, x + 1, limit) + knight)


@loop
def _at(field, y, x, limit):
    if 0 <= y < field.shape[0] and 0 <= x < field.shape[1]:
        return field[y, x]
    return limit
