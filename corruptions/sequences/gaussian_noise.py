"""Gaussian noise: adds new normal draws in every frame except the first, which is clean.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261; constants as in hendrycks/robustness 8190fe3, which computes
this in float32.
"""

from __future__ import annotations

import torch

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels, RawImage

from ..quantize import WHITE, divided
from ..random import normals
from ..sequence import SequenceKernel, clean_frames


def _film(picture: RawImage, size: int, deviation: float, draws: RandomStreams) -> Pixels:
    frames = clean_frames(picture, size, len(draws))
    noise = normals(draws[1:], (size, size, 3), "gaussian_noise_sequence")
    frames[1:] = (divided(frames[:1].float(), WHITE) + noise * deviation).clamp_(0, 1).mul_(WHITE).to(torch.uint8)
    return frames


GAUSSIAN_NOISE = SequenceKernel(
    name="gaussian_noise_sequence",
    difficulties={"imagenet": (0.03, 0.05, 0.08), "cifar10": (0.02, 0.04, 0.06)},
    frames={"imagenet": 31, "cifar10": 31},
    film=_film,
    stochastic=True,
    noise=True,
)
