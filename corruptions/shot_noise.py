"""Shot noise: every channel value becomes a Poisson count of photons, whose mean for white is a constant.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261; constants as in hendrycks/robustness 8190fe3.
Differs: counts come from the inverse of the distribution function at a uniform draw.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from jaxtyping import Float, Float64, Int16
from scipy.stats import poisson
from torch import Tensor

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels

from .corruption import Kernel, RandomParameters, Size
from .quantize import WHITE, divided, levels
from .random import uniforms


def _sample(draws: RandomStreams, size: Size, photons: int) -> RandomParameters:
    return (uniforms(draws, (*size, 3), "shot_noise"),)


def _apply(pixels: Pixels, photons: int, uniform: Float[Tensor, "batch height width 3"]) -> Pixels:
    return developed(counts(pixels, photons, uniform), photons)


def counts(
    pixels: Pixels, photons: int, uniform: Float[Tensor, "batch height width 3"]
) -> Float64[Tensor, "batch height width 3"]:
    """Return the number of photons of each value: the smallest count whose distribution function exceeds the draw.

    Args:
        pixels: Images.
        photons: Expected number of photons of white.
        uniform: Draws of [0, 1).
    """
    table = _steps(photons).to(pixels.device)
    width = table.shape[1]
    # One sorted sequence for all levels: the level plus its distribution function, which is in [0, 1).
    position = torch.searchsorted(table.flatten(), pixels.double() + uniform.double(), right=True)
    return (position - pixels.long() * width).double()


def developed(caught: Float64[Tensor, "batch height width 3"], photons: int) -> Pixels:
    """Return the image of photon counts.

    Args:
        caught: Photons per value.
        photons: Expected number of photons of white.
    """
    return levels(divided(caught, photons))


@cache
def _steps(photons: int) -> Float64[Tensor, "levels counts"]:
    """The sums level + P(count <= k) for every level and every relevant k, capped below the next level."""
    most = int(poisson.ppf(1 - 2.0**-30, photons)) + 1
    expected = photons * np.arange(WHITE + 1) / WHITE
    below = np.minimum(poisson.cdf(np.arange(most), expected[:, None]), 1 - 2.0**-26)
    return torch.from_numpy(np.arange(WHITE + 1)[:, None] + below)


def _compiled(pixels: Pixels, photons: int, uniform: Float[Tensor, "batch height width 3"]) -> Pixels:
    from .compiled import jit
    from .compiled import noise as loops

    table = _steps(photons)
    images = levels(torch.arange(table.shape[1] + 1).double() / photons)
    changed = jit.apply_loop(
        loops.shot_noise, pixels.flatten(1), table, _first(photons), images, uniform.float().flatten(1)
    )
    return changed.view_as(pixels)


@cache
def _first(photons: int) -> Int16[Tensor, "levels bins"]:
    """The smallest possible count for every level and every interval of 1/1024 that contains the draw."""
    starts = torch.arange(WHITE + 1).double()[:, None] + torch.arange(1024).double() / 1024
    return torch.searchsorted(_steps(photons), starts, right=True).short()  # 512 KB stay in the cache


SHOT_NOISE = Kernel(
    name="shot_noise",
    severities={"imagenet": (60, 25, 12, 5, 3), "cifar10": (500, 250, 100, 75, 50)},
    sample=_sample,
    apply=_apply,
    compiled=_compiled,
)
