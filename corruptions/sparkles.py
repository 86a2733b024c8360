"""Sparkles: adds five lights with rays.

Source: Mintun, Kirillov & Xie 2021, arXiv:2102.11273; constants as in facebookresearch/augmentation-corruption ba4d5a5.
"""

from __future__ import annotations

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels

from .corruption import Kernel, RandomParameters, Size
from .quantize import WHITE
from .rays import glow, lengths, ray_counts
from .severity_ranges import shorter, strength

LIGHTS = 5
SHORTEST = 1
"""Length of the shortest ray, in pixels."""


def _sample(draws: RandomStreams, size: Size, level: float) -> RandomParameters:
    row, column, rays = draws.uniform((LIGHTS, 3), stream="sparkles").double().unbind(2)
    length = lengths(draws, strength(level, 0.1) * shorter(size), LIGHTS, "sparkles/lengths")
    return torch.stack((size[0] * row, size[1] * column), 2), ray_counts(rays), length.clamp_min(SHORTEST)


def _apply(
    pixels: Pixels,
    level: float,
    centres: Float64[Tensor, "batch LIGHTS 2"],
    rays: Int64[Tensor, "batch LIGHTS"],
    length: Float64[Tensor, "batch LIGHTS MOST"],
) -> Pixels:
    """Corrupt; `centres` are (row, column) in pixels."""
    image = pixels.double()
    for light in range(LIGHTS):
        white = glow(pixels, centres[:, light], rays[:, light], length[:, light], 1.0)[..., None]
        image = image.float().double()  # each light is added to an image rounded to float32
        image = image + white * (WHITE - image)
    return image.clamp_(0, WHITE).to(torch.uint8)


SPARKLES = Kernel(
    name="sparkles",
    severities={"imagenet": (1.0, 2.0, 3.0, 5.0, 6.0), "cifar10": (0.7, 3.5, 5.6, 6.3, 7.0)},
    sample=_sample,
    apply=_apply,
)
