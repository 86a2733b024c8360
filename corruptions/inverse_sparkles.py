"""Inverse sparkles: everything turns white except what lies under the rays of one light.

Source: Mintun, Kirillov & Xie 2021, arXiv:2102.11273; constants as in facebookresearch/augmentation-corruption ba4d5a5.
"""

from __future__ import annotations

import torch
from jaxtyping import Float64
from torch import Tensor

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels

from .corruption import Kernel, RandomParameters, Size
from .quantize import WHITE
from .rays import Lengths, RayCounts, glow, lengths, ray_counts
from .severity_ranges import between, shorter, strength

RADIUS = 0.25
"""Mean length of a ray, in sides of the image."""


def _sample(draws: RandomStreams, size: Size, level: float) -> RandomParameters:
    row, column, rays = draws.uniform((3,), stream="inverse_sparkles").double().unbind(1)
    centre = torch.stack(
        [length * between(0.25, 0.75, uniform) for length, uniform in zip(size, (row, column), strict=True)], 1
    )
    return centre, ray_counts(rays), lengths(draws, RADIUS * shorter(size), 1, "inverse_sparkles/lengths")[:, 0]


def _apply(
    pixels: Pixels, level: float, centre: Float64[Tensor, "batch 2"], rays: RayCounts, length: Lengths
) -> Pixels:
    """Corrupt; `centre` is (row, column) in pixels."""
    amount = 100 - strength(level, 65.0)
    visible = glow(pixels, centre, rays, length, (100 - amount) / 50.0)[..., None]
    return (WHITE + visible * (pixels.double() - WHITE)).clamp_(0, WHITE).to(torch.uint8)


INVERSE_SPARKLES = Kernel(
    name="inverse_sparkles",
    severities={"imagenet": (1.0, 2.0, 4.0, 9.0, 10.0), "cifar10": (1.0, 1.5, 2.5, 4.5, 5.0)},
    sample=_sample,
    apply=_apply,
)
