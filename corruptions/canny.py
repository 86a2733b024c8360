"""Canny edges of 8-bit images and the distance from them, as OpenCV computes them.

Source: OpenCV 5, Canny (aperture 3, L1 gradient; Canny 1986) and distanceTransform (5 x 5 mask; Borgefors 1986).
"""

from __future__ import annotations

from typing import TypeAlias

import torch
import torch.nn.functional as functional
from jaxtyping import Bool, Float, Int64
from torch import Tensor

Levels: TypeAlias = Int64[Tensor, "batch height width"]
"""Levels from 0 to 255."""

TAN_SHIFT = 15
TAN_22 = 13573
"""tan(22.5 degrees) in units of 2^-15."""
UNIT = 1 << 16
STRAIGHT, DIAGONAL, KNIGHT = UNIT, 91750, 143976
"""Lengths of the steps of the 5 x 5 mask: 1, 1.4 and 2.1969 in units of 2^-16."""


def edges(image: Levels, low: int, high: int) -> Bool[Tensor, "batch height width"]:
    """Return the ridges of the gradient above `low` that are connected to a ridge above `high`.

    Args:
        image: Levels.
        low: Threshold on the L1 norm of the gradient for all ridges.
        high: Threshold for at least one pixel of each connected ridge.
    """
    padded = functional.pad(image[:, None].float(), (1,) * 4, mode="replicate")[:, 0].long()
    around = {(y, x): _crop(padded, 1 + y, 1 + x, image) for y in (-1, 0, 1) for x in (-1, 0, 1)}
    dx = sum((1 + (y == 0)) * (around[y, 1] - around[y, -1]) for y in (-1, 0, 1))
    dy = sum((1 + (x == 0)) * (around[1, x] - around[-1, x]) for x in (-1, 0, 1))
    assert isinstance(dx, Tensor)
    assert isinstance(dy, Tensor)
    size = dx.abs() + dy.abs()
    ridge = _ridges(dx, dy, size) & (size > low)
    strong = ridge & (size > high)
    while True:  # weak ridges count if they grow out of strong ones
        grown = functional.max_pool2d(strong[:, None].float(), 3, 1, 1)[:, 0].bool() & ridge
        if torch.equal(grown, strong):
            return strong
        strong = grown


def _ridges(dx: Levels, dy: Levels, size: Levels) -> Bool[Tensor, "batch height width"]:
    """Pixels whose gradient is a maximum along its own direction, quantised to one of four."""
    padded = functional.pad(size, (1,) * 4)
    neighbour = {(y, x): _crop(padded, 1 + y, 1 + x, size) for y in (-1, 0, 1) for x in (-1, 0, 1)}
    across, down = dx.abs(), dy.abs() << TAN_SHIFT
    flat = across * TAN_22
    horizontal = down < flat
    vertical = down > flat + (across << (TAN_SHIFT + 1))
    falling = (dx ^ dy) < 0
    along_row = (size > neighbour[0, -1]) & (size >= neighbour[0, 1])
    along_column = (size > neighbour[-1, 0]) & (size >= neighbour[1, 0])
    rising_ridge = (size > neighbour[-1, 1]) & (size > neighbour[1, -1])
    falling_ridge = (size > neighbour[-1, -1]) & (size > neighbour[1, 1])
    diagonal = torch.where(falling, rising_ridge, falling_ridge)
    return torch.where(horizontal, along_row, torch.where(vertical, along_column, diagonal))


def distances(sources: Bool[Tensor, "batch height width"], cap: int) -> Float[Tensor, "batch height width"]:
    """Return the length of the shortest path from any source in straight, diagonal and knight's steps.

    Args:
        sources: Pixels at distance 0.
        cap: Largest distance, in pixels; longer ones are reported as this.

    Returns:
        Distances in pixels.
    """
    limit = cap * UNIT
    reached = torch.where(sources, 0, limit)
    steps = [(y, x, STRAIGHT if 0 in (y, x) else DIAGONAL) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]
    steps += [(y, x, KNIGHT) for y in (-2, -1, 1, 2) for x in (-2, -1, 1, 2) if abs(y) != abs(x)]
    while True:
        padded = functional.pad(reached, (2,) * 4, value=limit)
        shorter = reached
        for y, x, length in steps:
            shorter = torch.minimum(shorter, _crop(padded, 2 + y, 2 + x, reached) + length)
        if torch.equal(shorter, reached):
            return reached.float() / UNIT
        reached = shorter


def edge_distances(image: Levels, low: int, high: int, cap: int) -> Float[Tensor, "batch height width"]:
    """Return the distance of every pixel from the nearest edge.

    Args:
        image: Levels.
        low: Lower threshold of `edges`.
        high: Upper threshold of `edges`.
        cap: Largest distance, in pixels.

    Returns:
        Distances in pixels.
    """
    return distances(edges(image, low, high), cap)


def _crop(padded: Tensor, top: int, left: int, like: Tensor) -> Tensor:
    return padded[:, top : top + like.shape[1], left : left + like.shape[2]]
