"""Noise with a given amplitude for every frequency and random phases.

Source: facebookresearch/augmentation-corruption ba4d5a5, for blue_noise_sample and brownish_noise.
Differs: in images of odd width, which the published sets do not contain, the column in the middle has random phases
like the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float64
from torch import Tensor

from robustbench_eff.core.rng import RandomStreams

from .corruption import Size

Phases = Float64[Tensor, "batch *planes height half"]
"""Phases in radians."""


def phases(draws: RandomStreams, size: Size, stream: str, planes: tuple[int, ...] = ()) -> Phases:
    """Return random phases for the left half of a spectrum; the right half is the left one rotated by 180 degrees.

    Args:
        draws: Random streams, one per image.
        size: Height and width of the image.
        stream: Name of the stream.
        planes: Shape of independent noise planes.
    """
    height, width = size
    return 2 * math.pi * draws.uniform((*planes, height, (width + 1) // 2), stream=stream).double()


def shaped_noise(
    phase: Phases, size: Size, amplitude: Callable[[Tensor], Tensor]
) -> Float64[Tensor, "batch *planes height width"]:
    """Return noise with standard deviation 1 on each plane.

    Args:
        phase: Phases as from `phases`.
        size: Height and width of the image.
        amplitude: Amplitude as a function of the distance from frequency 0, in cycles per image.
    """
    height, width = size
    half = torch.complex(phase.cos(), phase.sin())
    whole = torch.cat((half, half[..., : width // 2].flip(-2, -1)), -1)
    rows, columns = (torch.arange(side, dtype=torch.float64, device=phase.device) - side / 2 for side in size)
    spectrum = whole * amplitude(torch.sqrt(rows[:, None] ** 2 + columns**2))
    noise: Tensor = torch.fft.ifft2(spectrum.roll((height // 2, width // 2), (-2, -1))).real
    deviation = (noise - noise.mean((-2, -1), keepdim=True)).square().mean((-2, -1), keepdim=True).sqrt()
    return noise / deviation
