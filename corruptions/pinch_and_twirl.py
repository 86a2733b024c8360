"""Pinch and twirl: within the circles of a grid, pulls the image to the centre and rotates it.

Source: Mintun, Kirillov & Xie 2021, arXiv:2102.11273; constants as in facebookresearch/augmentation-corruption ba4d5a5.
The image is interpolated in float32, as in that code with NumPy before version 2.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float64
from torch import Tensor

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels

from .bilinear import interpolated
from .corruption import Kernel, RandomParameters, Size
from .pixel_grid import coordinates
from .quantize import WHITE
from .severity_ranges import shorter, strength

CIRCLES = 3
"""Circles in each direction. For ImageNet there would be 5, but no such images are published."""
LEAST_PINCH = 0.1

Signs = Float64[Tensor, "batch CIRCLES CIRCLES"]
"""Direction of rotation of every circle, 1 or -1, column by column from the left."""


def _sample(draws: RandomStreams, size: Size, level: float) -> RandomParameters:
    coin = draws.uniform((CIRCLES, CIRCLES), stream="pinch_and_twirl").double()
    return (torch.where(coin < 0.5, 1.0, -1.0).double(),)


def _apply(pixels: Pixels, level: float, signs: Signs) -> Pixels:
    rows, columns = coordinates(pixels)
    side = shorter((pixels.shape[1], pixels.shape[2])) // CIRCLES
    radius = side / 2
    row, column = ((position // side).clamp_(max=CIRCLES - 1) for position in (rows, columns))
    down, across = rows - (row * side + radius), columns - (column * side + radius)
    distance = torch.sqrt(down**2 + across**2)
    inside = (distance <= radius) & (distance >= 0.0005)
    share = distance / radius
    pinch = torch.sin(math.pi * 0.5 * share) ** -(strength(level, 0.4) + LEAST_PINCH)
    turn = signs[:, column.long(), row.long()] * strength(level, math.pi / 2) * (1 - share) ** 2
    down, across, cosine, sine = down * pinch, across * pinch, turn.cos(), turn.sin()
    source_rows = torch.where(inside, row * side + radius + (down * cosine - across * sine), rows)
    source_columns = torch.where(inside, column * side + radius + (down * sine + across * cosine), columns)
    return interpolated(pixels.float(), source_rows, source_columns).clamp_(0, WHITE).to(torch.uint8)


PINCH_AND_TWIRL = Kernel(
    name="pinch_and_twirl",
    severities={"cifar10": (5.5, 6.0, 6.5, 8.5, 10.0)},
    sample=_sample,
    apply=_apply,
)
