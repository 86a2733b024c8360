"""Snow: the same flakes in a wind that turns.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261; constants as in hendrycks/robustness 8190fe3.
Differs: the picture is whitened in float32, as in ImageNet-C; the published code for sequences uses float64.
"""

from __future__ import annotations

import torch

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels, RawImage

from ..random import normals
from ..sequence import SequenceKernel, clean_frames
from ..snow import SNOW as STILL
from ..snow import Snow

START, TURN = -150, 4
"""Direction of the wind in the first frame, and its rotation per frame, in degrees."""


def _film(picture: RawImage, size: int, snow: Snow, draws: RandomStreams) -> Pixels:
    flakes = normals(draws[:1], (size, size), "snow_sequence").expand(len(draws), -1, -1)
    wind = (START + TURN * torch.arange(len(draws), device=picture.device)).double()
    return STILL.applied(clean_frames(picture, size, len(draws)), snow, flakes, wind)


SNOW = SequenceKernel(
    name="snow_sequence",
    difficulties={
        "imagenet": (Snow(0.05, 0.3, 3, 0.5, 14, 4, 0.85),),
        "cifar10": (Snow(0.05, 0.3, 2, 0.5, 10, 2, 0.85),),
    },
    frames={"imagenet": 31, "cifar10": 31},
    film=_film,
    stochastic=True,
)
