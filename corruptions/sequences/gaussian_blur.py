"""Gaussian blur: the filter widens from frame to frame.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261; constants as in hendrycks/robustness 8190fe3.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from robustbench_eff.core.center_crop import center_crop
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels, RawImage

from ..gaussian_blur import GAUSSIAN_BLUR as STILL
from ..sequence import SequenceKernel


class Widening(NamedTuple):
    """How the filter widens."""

    start: float
    """Standard deviation in the first frame, in pixels."""
    step: float
    """Increase of the standard deviation per frame, in pixels."""
    truncate: float
    """Radius of the filter in standard deviations."""


def _film(picture: RawImage, size: int, widening: Widening, draws: RandomStreams) -> Pixels:
    image = center_crop(picture[None], size)
    apply = STILL.program(image).apply
    sigmas = [widening.start + widening.step * frame for frame in range(len(draws))]
    return torch.cat([apply(image, sigma, truncate=widening.truncate) for sigma in sigmas])


GAUSSIAN_BLUR = SequenceKernel(
    name="gaussian_blur_sequence",
    difficulties={"imagenet": (Widening(0.25, 0.035, 6.0),), "cifar10": (Widening(0.3, 0.015, 7.0),)},
    frames={"imagenet": 31, "cifar10": 31},
    film=_film,
)
