"""Glass blur: copies pixels from random neighbours, between two Gaussian blurs.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261; constants and order of the pixels as in hendrycks/robustness
8190fe3. That code intends to swap pixels, but NumPy's views make it copy: x[p] becomes x[q], and x[q] is unchanged.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels

from .corruption import Kernel, RandomParameters, Size
from .gaussian_filter import gaussian, taps
from .quantize import fractions, levels
from .random import uniforms


class Glass(NamedTuple):
    """Constants of a severity."""

    sigma: float
    reach: int
    """Largest step of a copy, in pixels."""
    sweeps: int


def _sample(draws: RandomStreams, size: Size, glass: Glass) -> RandomParameters:
    inner = (size[0] - 2 * glass.reach, size[1] - 2 * glass.reach)
    uniform = uniforms(draws, (glass.sweeps, *inner, 2), "glass_blur")
    return (uniform.mul_(2 * glass.reach).to(torch.int8).sub_(glass.reach),)


def _apply(pixels: Pixels, glass: Glass, steps: Int[Tensor, "batch sweeps rows columns 2"]) -> Pixels:
    """Corrupt; `steps` are (across, down) in [-reach, reach), in the order of a sweep from the last row and column."""
    blurred = levels(gaussian(fractions(pixels), glass.sigma))
    count, height, width, channels = pixels.shape
    index = torch.arange(height * width, device=pixels.device).view(height, width)
    # A sweep visits the pixels in descending order of their index.
    rows = torch.arange(height - glass.reach, glass.reach, -1, device=pixels.device)
    columns = torch.arange(width - glass.reach, glass.reach, -1, device=pixels.device)
    targets = index[rows[:, None], columns[None]].flatten()
    is_target = torch.zeros(height * width, dtype=torch.bool, device=pixels.device)
    is_target[targets] = True
    origin = torch.arange(height * width, device=pixels.device).expand(count, -1)
    for sweep in range(glass.sweeps):
        step = steps[:, sweep].flatten(1, 2).long()
        copied_from = targets + step[..., 1] * width + step[..., 0]
        origin = origin.gather(1, _sources(targets, copied_from, is_target))
    flat = blurred.flatten(1, 2)
    copied = flat.gather(1, origin[..., None].expand_as(flat)).view(count, height, width, channels)
    return levels(gaussian(fractions(copied), glass.sigma))


def _compiled(pixels: Pixels, glass: Glass, steps: Int[Tensor, "batch sweeps rows columns 2"]) -> Pixels:
    from .compiled import blurs, jit

    return jit.apply_loop(blurs.glass_blur, pixels, taps(glass.sigma), glass.reach, steps)


def _sources(targets: Tensor, copied_from: Tensor, is_target: Tensor) -> Tensor:
    """The origin of each pixel after a sweep in which every target becomes a copy of its `copied_from`.

    A pixel that the sweep has already visited is a copy by then, so its own source counts. Those are the targets with
    larger indices. Chains are followed by pointer doubling, exactly and for all pixels at once.
    """
    count, indices = len(copied_from), torch.arange(len(is_target), device=targets.device)
    direct = indices.expand(count, -1).clone()
    direct[:, targets] = copied_from
    is_copy = (direct > indices) & is_target[direct]
    # Pixels that copy a copy point at it; the others point at themselves.
    follow = torch.where(is_copy, direct, indices)
    while True:
        further = follow.gather(1, follow)
        if torch.equal(further, follow):
            break
        follow = further
    return direct.gather(1, follow)


GLASS_BLUR = Kernel(
    name="glass_blur",
    severities={
        "imagenet": (Glass(0.7, 1, 2), Glass(0.9, 2, 1), Glass(1.0, 2, 3), Glass(1.1, 3, 2), Glass(1.5, 4, 2)),
        "cifar10": (Glass(0.05, 1, 1), Glass(0.25, 1, 1), Glass(0.4, 1, 1), Glass(0.25, 1, 2), Glass(0.4, 1, 2)),
    },
    sample=_sample,
    apply=_apply,
    compiled=_compiled,
)
