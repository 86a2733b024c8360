"""Circular motion blur: the weighted mean of the image rotated about its centre by angles in both directions.

Source: Mintun, Kirillov & Xie 2021, arXiv:2102.11273; constants as in facebookresearch/augmentation-corruption ba4d5a5.
Rotated images and their sum are float32, as in that code with NumPy before version 2.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from robustbench_eff.core.types import Pixels

from .corruption import Kernel, Size
from .cubic_spline import coefficients, taps
from .quantize import WHITE, fractions
from .severity_ranges import strength

TURNS = 21


def _apply(pixels: Pixels, level: float) -> Pixels:
    height, width = pixels.shape[1:3]
    spline = coefficients(fractions(pixels).float().double())
    # One row per pixel with the values of all images, so that a rotation gathers whole rows.
    rows = spline.permute(1, 2, 0, 3).flatten(2).flatten(0, 1).contiguous()
    sides = [2 * turn / (TURNS - 1) - 1 for turn in range(TURNS)]
    shares = [math.exp(-2 * side**2) for side in sides]
    angles = tuple(math.radians(side * strength(level, 15.0)) for side in sides)
    total = torch.zeros_like(rows, dtype=torch.float32)
    for share, sources, weights in zip(shares, *_rotations((height, width), angles, pixels.device), strict=True):
        rotated = torch.zeros_like(rows)
        for tap in range(len(sources)):
            rotated.addcmul_(rows.index_select(0, sources[tap]), weights[tap])
        total += rotated.float() * share
    # Divided by a tensor, because a GPU multiplies by the inverse of a Python number.
    mean = total / total.new_tensor(sum(shares))
    mean = mean.view(height, width, len(pixels), 3).movedim(2, 0)
    return (mean * WHITE).clamp_(0, WHITE).to(torch.uint8)


@lru_cache(maxsize=1)
def _rotations(
    size: Size, angles: tuple[float, ...], device: torch.device
) -> tuple[Int64[Tensor, "angles taps pixels"], Float64[Tensor, "angles taps pixels 1"]]:
    """Source pixels and their weights for every pixel of an image rotated about its centre; black beyond its edges."""
    height, width = size
    rows, columns = torch.meshgrid(*(torch.arange(side, dtype=torch.float64) for side in size), indexing="ij")
    middle, centre = (height - 1) / 2, (width - 1) / 2
    rotations = []
    for cosine, sine in ((math.cos(angle), math.sin(angle)) for angle in angles):
        down = (middle - (cosine * middle + sine * centre)) + rows * cosine + columns * sine
        across = (centre - (-sine * middle + cosine * centre)) - rows * sine + columns * cosine
        inside = (down >= 0) & (down <= height - 1) & (across >= 0) & (across <= width - 1)
        (row, row_weight), (column, column_weight) = taps(down.flatten(), height), taps(across.flatten(), width)
        source = row.T[:, None] * width + column.T
        rotations.append(
            (source.flatten(0, 1), (row_weight.T[:, None] * column_weight.T * inside.flatten()).flatten(0, 1))
        )
    sources, weights = zip(*rotations, strict=True)
    return torch.stack(sources).to(device), torch.stack(weights)[..., None].to(device)


CIRCULAR_MOTION_BLUR = Kernel(
    name="circular_motion_blur",
    severities={"cifar10": (2.8, 3.6, 4.4, 5.2, 6.0)},
    apply=_apply,
)
