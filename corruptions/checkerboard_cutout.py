"""Checkerboard cutout: in a rotated checkerboard, squares of one colour become grey, each with the same probability.

Source: Mintun, Kirillov & Xie 2021, arXiv:2102.11273; constants as in facebookresearch/augmentation-corruption ba4d5a5.
"""

from __future__ import annotations

import math

from jaxtyping import Bool, Float64
from torch import Tensor

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels

from .corruption import Kernel, RandomParameters, Size
from .pixel_grid import coordinates, per_image
from .severity_ranges import between, shorter, strength

GREY = 128
SQUARES = 32
"""Squares in each direction before the random choices repeat: more than a square image spans at any angle."""


def _sample(draws: RandomStreams, size: Size, level: float) -> RandomParameters:
    angle, side = draws.uniform((2,), stream="checkerboard_cutout").double().unbind(1)
    hidden = draws.uniform((SQUARES, SQUARES), stream="checkerboard_cutout/hidden") < strength(level, 1.0)
    return between(0.0, 2 * math.pi, angle), (between(0.1, 0.25, side) * shorter(size)).clamp_min(1), hidden


def _apply(
    pixels: Pixels,
    level: float,
    angle: Float64[Tensor, batch],
    side: Float64[Tensor, batch],
    hidden: Bool[Tensor, "batch SQUARES SQUARES"],
) -> Pixels:
    """Corrupt; `side` is that of a square in pixels, `hidden` is indexed by (row, column) of the square."""
    rows, columns = coordinates(pixels)
    cosine, sine = per_image(angle.cos()), per_image(angle.sin())
    down = (cosine * rows + sine * columns) / per_image(side)
    across = (-sine * rows + cosine * columns) / per_image(side)
    coloured = down.remainder(2).long() == across.remainder(2).long()
    # Truncated as in the published code, so that the squares on both sides of 0 share an index.
    square = down.long().remainder(SQUARES) * SQUARES + across.long().remainder(SQUARES)
    hidden = hidden.flatten(1).gather(1, square.flatten(1)).view_as(square)
    return pixels.masked_fill((coloured & hidden)[..., None], GREY)


CHECKERBOARD_CUTOUT = Kernel(
    name="checkerboard_cutout",
    severities={"imagenet": (2.0, 3.0, 4.0, 5.0, 6.0), "cifar10": (1.0, 2.0, 3.0, 4.0, 5.0)},
    sample=_sample,
    apply=_apply,
)
