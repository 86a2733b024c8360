"""Speckle noise: multiplies values by 1 plus a new normal draw in every frame except the first, which is clean.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261; constants as in hendrycks/robustness 8190fe3.
"""

from __future__ import annotations

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels, RawImage

from ..random import normals
from ..sequence import SequenceKernel, clean_frames
from ..speckle_noise import SPECKLE_NOISE as STILL


def _film(picture: RawImage, size: int, deviation: float, draws: RandomStreams) -> Pixels:
    frames = clean_frames(picture, size, len(draws))
    noise = normals(draws[1:], (size, size, 3), "speckle_noise_sequence")
    frames[1:] = STILL.applied(frames[1:], deviation, noise)
    return frames


SPECKLE_NOISE = SequenceKernel(
    name="speckle_noise_sequence",
    difficulties={"imagenet": (0.05, 0.1, 0.15), "cifar10": (0.05, 0.07, 0.1)},
    frames={"imagenet": 31, "cifar10": 31},
    film=_film,
    stochastic=True,
    noise=True,
)
