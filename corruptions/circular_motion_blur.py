"""Circular motion blur: the mean of the image turned about its centre by angles to both sides.

Source: Mintun, Kirillov & Xie 2021, arXiv:2102.11273; constants as in facebookresearch/augmentation-corruption ba4d5a5.
Turned images and their sum are float32 numbers, as NumPy before version 2 has them there.
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
    # A row for each place with all images in it, so that a turn fetches whole rows.
    fetched = spline.permute(1, 2, 0, 3).flatten(2).flatten(0, 1).contiguous()
    sides = [2 * turn / (TURNS - 1) - 1 for turn in range(TURNS)]
    shares = [math.exp(-2 * side**2) for side in sides]
    angles = tuple(math.radians(side * strength(level, 15.0)) for side in sides)
    total = torch.zeros_like(fetched, dtype=torch.float32)
    for share, place, weight in zip(shares, *_turned((height, width), angles, pixels.device), strict=True):
        turned = torch.zeros_like(fetched)
        for tap in range(len(place)):
            turned.addcmul_(fetched.index_select(0, place[tap]), weight[tap])
        total += turned.float() * share
    # By a tensor, because a GPU multiplies by the inverse of a number.
    mean = total / total.new_tensor(sum(shares))
    mean = mean.view(height, width, len(pixels), 3).movedim(2, 0)
    return (mean * WHITE).clamp_(0, WHITE).to(torch.uint8)


@lru_cache(maxsize=1)
def _turned(
    size: Size, angles: tuple[float, ...], device: torch.device
) -> tuple[Int64[Tensor, "angles taps places"], Float64[Tensor, "angles taps places 1"]]:
    """Of what the pixels of an image are made that is turned about its centre; beyond its edges lies black."""
    height, width = size
    rows, columns = torch.meshgrid(*(torch.arange(side, dtype=torch.float64) for side in size), indexing="ij")
    middle, centre = (height - 1) / 2, (width - 1) / 2
    turned = []
    for cosine, sine in ((math.cos(angle), math.sin(angle)) for angle in angles):
        down = (middle - (cosine * middle + sine * centre)) + rows * cosine + columns * sine
        across = (centre - (-sine * middle + cosine * centre)) - rows * sine + columns * cosine
        inside = (down >= 0) & (down <= height - 1) & (across >= 0) & (across <= width - 1)
        (row, above), (column, beside) = taps(down.flatten(), height), taps(across.flatten(), width)
        place = row.T[:, None] * width + column.T
        turned.append((place.flatten(0, 1), (above.T[:, None] * beside.T * inside.flatten()).flatten(0, 1)))
    places, weights = zip(*turned, strict=True)
    return torch.stack(places).to(device), torch.stack(weights)[..., None].to(device)


CIRCULAR_MOTION_BLUR = Kernel(
    name="circular_motion_blur",
    severities={"cifar10": (2.8, 3.6, 4.4, 5.2, 6.0)},
    apply=_apply,
)
