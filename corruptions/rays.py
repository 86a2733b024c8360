"""Rays of light around a point, with random lengths."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels

from .pixel_grid import Plane, coordinates, per_image

FEWEST, MOST = 50, 199
"""Smallest and largest number of rays."""
UNEVEN = 25 / 100.0
"""Standard deviation of the lengths of rays, relative to their mean."""

Lengths = Float64[Tensor, "batch MOST"]
"""Lengths in pixels; a light with fewer rays uses the first ones."""
RayCounts = Int64[Tensor, "batch"]


def ray_counts(uniform: Float64[Tensor, "batch ..."]) -> Int64[Tensor, "batch ..."]:
    """Return numbers of rays from FEWEST to MOST.

    Args:
        uniform: Draws of [0, 1).
    """
    return FEWEST + (uniform * (MOST + 1 - FEWEST)).long()


def lengths(draws: RandomStreams, mean: float, lights: int, stream: str) -> Float64[Tensor, "batch lights MOST"]:
    """Return normally distributed lengths of rays, in pixels.

    Args:
        draws: Random streams, one per image.
        mean: Mean length in pixels.
        lights: Number of lights per image.
        stream: Name of the stream.
    """
    return mean + UNEVEN * mean * draws.normal((lights, MOST), stream=stream).double()


def glow(pixels: Pixels, centre: Float64[Tensor, "batch 2"], rays: RayCounts, length: Lengths, falloff: float) -> Plane:
    """Return the share of light in every pixel, from 0 to 1; it fades with the distance to the power 2 * `falloff`.

    Args:
        pixels: Images, of which only the shape and the device count.
        centre: Row and column of the light, in pixels.
        rays: Number of rays.
        length: Length of every ray, in pixels.
        falloff: Exponent of the squared distance.
    """
    rows, columns = coordinates(pixels)
    down, across = rows - per_image(centre[:, 0]), columns - per_image(centre[:, 1])
    turn = (torch.atan2(across, down) + math.pi) / (2 * math.pi) * per_image(rays)
    ray = turn.long()
    aside = turn - ray
    # After the last ray comes the first again.
    following = torch.arange(1, MOST + 1, device=rays.device).remainder(rays[:, None])
    change = length.gather(1, following) - length
    ray = ray.remainder(rays[:, None, None]).flatten(1)
    reach = length.gather(1, ray).view_as(turn) + aside * change.gather(1, ray).view_as(turn)
    strength = reach**2 / (down**2 + across**2 + 1e-4)
    if falloff != 1.0:
        strength = strength**falloff
    return ((1 - (aside - 0.5) ** 2) * strength).clamp_(0, 1)
