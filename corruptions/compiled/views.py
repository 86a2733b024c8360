"""Frames of one picture under maps of the plane; beyond its edges lies black."""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from .jit import parallel


@parallel
def affine(maps, picture, top, left, out):
    """Apply Pillow's bilinear transform.

    Args:
        maps: Maps from output to input pixels, float64 (frame, 2, 3).
        picture: Picture, uint8 (H, W, 3).
        top: First row of the frames.
        left: First column of the frames.
        out: Receives the frames, uint8 (frame, size, size, 3).
    """
    height, width = picture.shape[:2]
    for frame in prange(len(maps)):
        for y in range(out.shape[1]):
            y_out = y + (top + 0.5)
            for x in range(out.shape[2]):
                x_out = x + (left + 0.5)
                column = (maps[frame, 0, 0] * x_out + maps[frame, 0, 1] * y_out) + maps[frame, 0, 2]
                row = (maps[frame, 1, 0] * x_out + maps[frame, 1, 1] * y_out) + maps[frame, 1, 2]
                if not (0.0 <= column < width and 0.0 <= row < height):
                    out[frame, y, x] = 0
                    continue
                column, row = column - 0.5, row - 0.5
                left_of, above = math.floor(column), math.floor(row)
                across, down = column - left_of, row - above
                near, far = max(left_of, 0), min(left_of + 1, width - 1)
                upper, lower = max(above, 0), min(above + 1, height - 1)
                for channel in range(3):
                    first, second = np.float64(picture[upper, near, channel]), np.float64(picture[upper, far, channel])
                    over = first + (second - first) * across
                    first, second = np.float64(picture[lower, near, channel]), np.float64(picture[lower, far, channel])
                    under = first + (second - first) * across
                    out[frame, y, x, channel] = np.uint8(over + (under - over) * down)


@parallel
def perspective(inverse, picture, top, left, step_bits, out):
    """Apply OpenCV 4's bilinear warpPerspective.

    Args:
        inverse: Inverse homographies, float64 (frame, 3, 3).
        picture: Picture, uint8 (H, W, 3).
        top: First row of the frames.
        left: First column of the frames.
        step_bits: Fractional bits of the coordinates.
        out: Receives the frames, uint8 (frame, size, size, 3).
    """
    height, width = picture.shape[:2]
    steps = 1 << step_bits
    for frame in prange(len(inverse)):
        for y in range(out.shape[1]):
            starts = inverse[frame, :, 1] * (y + top) + inverse[frame, :, 2]
            for x in range(out.shape[2]):
                depth = inverse[frame, 2, 0] * (x + left) + starts[2]
                nearness = steps / depth if depth != 0.0 else 0.0
                column = np.int64(np.rint((inverse[frame, 0, 0] * (x + left) + starts[0]) * nearness))
                row = np.int64(np.rint((inverse[frame, 1, 0] * (x + left) + starts[1]) * nearness))
                beyond, below = column & (steps - 1), row & (steps - 1)
                column, row = column >> step_bits, row >> step_bits
                for channel in range(3):
                    total = steps * steps // 2
                    for one_down in range(2):
                        for one_across in range(2):
                            if 0 <= row + one_down < height and 0 <= column + one_across < width:
                                weight = (below if one_down else steps - below) * (
                                    beyond if one_across else steps - beyond
                                )
                                total += weight * picture[row + one_down, column + one_across, channel]
                    out[frame, y, x, channel] = np.uint8(total >> (2 * step_bits))
