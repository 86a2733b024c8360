"""Edges and the distance from them, as OpenCV finds them in 8-bit images.

Source: OpenCV 5, Canny (aperture 3, L1 gradient; Canny 1986) and distanceTransform (5 x 5 mask; Borgefors 1986).
"""

from __future__ import annotations

from typing import TypeAlias

import torch
import torch.nn.functional as functional
from jaxtyping import Bool, Float, Int64
from torch import Tensor

Levels: TypeAlias = Int64[Tensor, "batch height width"]
"""0 to 255."""

TAN_SHIFT = 15
TAN_22 = 13573
"""tan(22.5 degrees) in units of 2^-15."""
UNIT = 1 << 16
STRAIGHT, DIAGONAL, KNIGHT = UNIT, 91750, 143976
"""Lengths of the steps of the 5 x 5 mask: 1, 1.4 and 2.1969 in units of 2^-16."""


def edges(image: Levels, low: int, high: int) -> Bool[Tensor, "batch height width"]:
    """Ridges of the gradient above `low` that hang together with one above `high`."""
    padded = functional.pad(image[:, None].float(), (1,) * 4, mode="replicate")[:, 0].long()
    around = {(y, x): _part(padded, 1 + y, 1 + x, image) for y in (-1, 0, 1) for x in (-1, 0, 1)}
    dx = sum((1 + (y == 0)) * (around[y, 1] - around[y, -1]) for y in (-1, 0, 1))
    dy = sum((1 + (x == 0)) * (around[1, x] - around[-1, x]) for x in (-1, 0, 1))
    assert isinstance(dx, Tensor)
    assert isinstance(dy, Tensor)
    size = dx.abs() + dy.abs()
    ridge = _ridges(dx, dy, size) & (size > low)
    strong = ridge & (size > high)
    while True:  # what is left of the ridges grows out of the strong ones
        grown = functional.max_pool2d(strong[:, None].float(), 3, 1, 1)[:, 0].bool() & ridge
        if torch.equal(grown, strong):
            return strong
        strong = grown


def _ridges(dx: Levels, dy: Levels, size: Levels) -> Bool[Tensor, "batch height width"]:
    """Where the gradient is largest across its own direction, which is one of four."""
    padded = functional.pad(size, (1,) * 4)
    at = {(y, x): _part(padded, 1 + y, 1 + x, size) for y in (-1, 0, 1) for x in (-1, 0, 1)}
    across, down = dx.abs(), dy.abs() << TAN_SHIFT
    flat = across * TAN_22
    horizontal = down < flat
    vertical = down > flat + (across << (TAN_SHIFT + 1))
    falling = (dx ^ dy) < 0
    beside = (size > at[0, -1]) & (size >= at[0, 1])
    above = (size > at[-1, 0]) & (size >= at[1, 0])
    diagonal = torch.where(falling, (size > at[-1, 1]) & (size > at[1, -1]), (size > at[-1, -1]) & (size > at[1, 1]))
    return torch.where(horizontal, beside, torch.where(vertical, above, diagonal))


def distances(from_these: Bool[Tensor, "batch height width"], most: int) -> Float[Tensor, "batch height width"]:
    """The shortest way from any of these pixels in straight, diagonal and knight's steps, at most `most`."""
    limit = most * UNIT
    reached = torch.where(from_these, 0, limit)
    steps = [(y, x, STRAIGHT if 0 in (y, x) else DIAGONAL) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]
    steps += [(y, x, KNIGHT) for y in (-2, -1, 1, 2) for x in (-2, -1, 1, 2) if abs(y) != abs(x)]
    while True:
        padded = functional.pad(reached, (2,) * 4, value=limit)
        shorter = reached
        for y, x, length in steps:
            shorter = torch.minimum(shorter, _part(padded, 2 + y, 2 + x, reached) + length)
        if torch.equal(shorter, reached):
            return reached.float() / UNIT
        reached = shorter


def edge_distances(image: Levels, low: int, high: int, most: int) -> Float[Tensor, "batch height width"]:
    """How far every pixel is from an edge, at most `most`."""
    return distances(edges(image, low, high), most)


def _part(padded: Tensor, top: int, left: int, like: Tensor) -> Tensor:
    return padded[:, top : top + like.shape[1], left : left + like.shape[2]]
