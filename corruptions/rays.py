"""Rays of light around a point, each with a length of its own."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels

from .pixel_grid import Plane, coordinates, per_image

FEWEST, MOST = 50, 199
"""How many rays a light has."""
UNEVEN = 25 / 100.0
"""Standard deviation of their lengths, in mean lengths."""

Lengths = Float64[Tensor, "batch MOST"]
"""In pixels; of fewer rays only the first count."""
Numbers = Int64[Tensor, "batch"]


def numbers(uniform: Float64[Tensor, "batch ..."]) -> Int64[Tensor, "batch ..."]:
    """How many rays, of [FEWEST, MOST]."""
    return FEWEST + (uniform * (MOST + 1 - FEWEST)).long()


def lengths(draws: RandomStreams, mean: float, lights: int, stream: str) -> Float64[Tensor, "batch lights MOST"]:
    """Normal, with `mean` in pixels."""
    return mean + UNEVEN * mean * draws.normal((lights, MOST), stream=stream).double()


def glow(pixels: Pixels, centre: Float64[Tensor, "batch 2"], rays: Numbers, length: Lengths, falloff: float) -> Plane:
    """How much of every pixel is light, from 0 to 1; it fades with the distance to the power of 2 * `falloff`."""
    rows, columns = coordinates(pixels)
    down, across = rows - per_image(centre[:, 0]), columns - per_image(centre[:, 1])
    turn = (torch.atan2(across, down) + math.pi) / (2 * math.pi) * per_image(rays)
    ray = turn.long()
    aside = turn - ray
    # A whole turn is the first ray again.
    following = torch.arange(1, MOST + 1, device=rays.device).remainder(rays[:, None])
    change = length.gather(1, following) - length
    ray = ray.remainder(rays[:, None, None]).flatten(1)
    reach = length.gather(1, ray).view_as(turn) + aside * change.gather(1, ray).view_as(turn)
    strength = reach**2 / (down**2 + across**2 + 1e-4)
    if falloff != 1.0:
        strength = strength**falloff
    return ((1 - (aside - 0.5) ** 2) * strength).clamp_(0, 1)
