"""Brightness: the value channel of HSV rises from frame to frame.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261; constants as in hendrycks/robustness 8190fe3.
"""

from __future__ import annotations

import torch

from robustbench_eff.core.center_crop import center_crop
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels, RawImage

from ..brightness import BRIGHTNESS as STILL
from ..sequence import SequenceKernel

UNCHANGED = 15
"""Index of the frame that equals the picture."""


def _film(picture: RawImage, size: int, percent: float, draws: RandomStreams) -> Pixels:
    clean = center_crop(picture[None], size)
    added = [(frame - UNCHANGED) * percent / 100.0 for frame in range(len(draws))]
    return torch.cat([STILL.applied(clean, value) for value in added])


BRIGHTNESS = SequenceKernel(
    name="brightness_sequence",
    difficulties={"imagenet": (2.0,), "cifar10": (1.5,)},
    frames={"imagenet": 31, "cifar10": 31},
    film=_film,
)
