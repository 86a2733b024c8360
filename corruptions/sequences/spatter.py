"""Spatter: drops of water run down the picture.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261; constants as in hendrycks/robustness 8190fe3.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as functional
from jaxtyping import Float64
from torch import Tensor

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels, RawImage

from ..gaussian_filter import gaussian
from ..random import normals
from ..sequence import SequenceKernel, clean_frames
from ..spatter import Spatter, add_water

Liquid = Float64[Tensor, "1 height width"]


class Running(NamedTuple):
    """Constants of running drops."""

    drops: Spatter
    shares: tuple[float, ...]
    """Contributions to a pixel of the next frame, from the pixel below it upwards."""


def _film(picture: RawImage, size: int, running: Running, draws: RandomStreams) -> Pixels:
    drops = running.drops
    noise = normals(draws[:1], (size, size), "spatter_sequence").double()
    liquid = gaussian(drops.mean + drops.deviation * noise, drops.sigma)
    layers = [liquid.masked_fill(liquid < drops.threshold, 0.0)]
    while len(layers) < len(draws):
        layers.append(_run(layers[-1], running.shares))
    return add_water(clean_frames(picture, size, len(draws)), torch.cat(layers), drops.strength)


def _run(liquid: Liquid, shares: tuple[float, ...]) -> Liquid:
    """The liquid in the next frame, as by numpy.convolve(column, shares, "same")."""
    ahead = (len(shares) - 1) // 2
    padded = functional.pad(liquid, (0, 0, len(shares) - 1 - ahead, ahead))
    height = liquid.shape[1]
    shifted = [share * padded[:, len(shares) - 1 - tap :][:, :height] for tap, share in enumerate(shares)]
    return torch.stack(shifted).sum(0)


SPATTER = SequenceKernel(
    name="spatter_sequence",
    difficulties={
        "imagenet": (Running(Spatter(0.65, 0.27, 3.7, 0.69, 0.6, False), (0.05, 0.1, 0.15, 0.7)),),
        "cifar10": (Running(Spatter(0.6, 0.265, 1.75, 0.7, 0.6, False), (0.2, 0.8)),),
    },
    frames={"imagenet": 31, "cifar10": 31},
    film=_film,
    stochastic=True,
)
