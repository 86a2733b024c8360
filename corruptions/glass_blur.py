"""Glass blur: pixels are copied from near places, between two Gaussian blurs.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261; constants and order of the pixels as in hendrycks/robustness
8190fe3. That code means to swap pixels, but NumPy's views make it copy: x[p] becomes x[q], and q stays.
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
    """`steps` are (across, down) in [-reach, reach), in the order of the sweep: from the last row and column up."""
    blurred = levels(gaussian(fractions(pixels), glass.sigma))
    count, height, width, channels = pixels.shape
    place = torch.arange(height * width, device=pixels.device).view(height, width)
    # A sweep comes to pixels in falling order of their number, so `rank` grows with time.
    rows = torch.arange(height - glass.reach, glass.reach, -1, device=pixels.device)
    columns = torch.arange(width - glass.reach, glass.reach, -1, device=pixels.device)
    here = place[rows[:, None], columns[None]].flatten()
    moved = torch.zeros(height * width, dtype=torch.bool, device=pixels.device)
    moved[here] = True
    origin = torch.arange(height * width, device=pixels.device).expand(count, -1)
    for sweep in range(glass.sweeps):
        step = steps[:, sweep].flatten(1, 2).long()
        there = here + step[..., 1] * width + step[..., 0]
        origin = origin.gather(1, _sources(here, there, moved))
    flat = blurred.flatten(1, 2)
    copied = flat.gather(1, origin[..., None].expand_as(flat)).view(count, height, width, channels)
    return levels(gaussian(fractions(copied), glass.sigma))


def _compiled(pixels: Pixels, glass: Glass, steps: Int[Tensor, "batch sweeps rows columns 2"]) -> Pixels:
    from .compiled import blurs, jit

    return jit.apply_loop(blurs.glass_blur, pixels, taps(glass.sigma), glass.reach, steps)


def _sources(here: Tensor, there: Tensor, moved: Tensor) -> Tensor:
    """Where each pixel comes from after a sweep in which every pixel of `here` becomes a copy of its `there`.

    A pixel that was reached before in the sweep is a copy itself by then: its own source counts. Those are the
    larger numbers among `moved`. Chains are followed by doubling, exactly and for all pixels at once.
    """
    count, numbers = len(there), torch.arange(len(moved), device=here.device)
    direct = numbers.expand(count, -1).clone()
    direct[:, here] = there
    earlier = (direct > numbers) & moved[direct]
    # Pointers of pixels that copy a copy lead on; the others point at themselves.
    follow = torch.where(earlier, direct, numbers)
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
