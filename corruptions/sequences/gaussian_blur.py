"""Gaussian blur: the filter widens from frame to frame.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261; constants as in hendrycks/robustness 8190fe3.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels, RawImage

from ..center_crop import middle
from ..gaussian_blur import GAUSSIAN_BLUR as STILL
from ..sequence import SequenceKernel


class Widening(NamedTuple):
    """The filter's sigma in the first frame, what is added with each, and where it is cut off."""

    start: float
    step: float
    """Both in pixels."""
    truncate: float
    """In sigmas."""


def _film(picture: RawImage, size: int, widening: Widening, draws: RandomStreams) -> Pixels:
    image = middle(picture[None], size)
    blurred, _ = STILL.program(image)
    sigmas = [widening.start + widening.step * number for number in range(len(draws))]
    return torch.cat([blurred(image, sigma, truncate=widening.truncate) for sigma in sigmas])


GAUSSIAN_BLUR = SequenceKernel(
    name="gaussian_blur_sequence",
    difficulties={"imagenet": (Widening(0.25, 0.035, 6.0),), "cifar10": (Widening(0.3, 0.015, 7.0),)},
    frames={"imagenet": 31, "cifar10": 31},
    film=_film,
)
