"""Shot noise: new Poisson counts of photons in every frame except the first, which is clean.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261; constants as in hendrycks/robustness 8190fe3.
"""

from __future__ import annotations

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels, RawImage

from ..random import uniforms
from ..sequence import SequenceKernel, clean_frames
from ..shot_noise import SHOT_NOISE as STILL


def _film(picture: RawImage, size: int, photons: int, draws: RandomStreams) -> Pixels:
    frames = clean_frames(picture, size, len(draws))
    frames[1:] = STILL.applied(frames[1:], photons, uniforms(draws[1:], (size, size, 3), "shot_noise_sequence"))
    return frames


SHOT_NOISE = SequenceKernel(
    name="shot_noise_sequence",
    difficulties={"imagenet": (300, 120, 60), "cifar10": (700, 400, 200)},
    frames={"imagenet": 31, "cifar10": 31},
    film=_film,
    stochastic=True,
    noise=True,
)
