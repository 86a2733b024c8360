"""Blue noise sample: pixels turn black where blue noise, whose amplitude grows with frequency, is low.

Source: Mintun, Kirillov & Xie 2021, arXiv:2102.11273; constants as in facebookresearch/augmentation-corruption ba4d5a5.
"""

from __future__ import annotations

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels

from .corruption import Kernel, RandomParameters, Size
from .severity_ranges import strength
from .spectrum import Phases, phases, shaped_noise

LOWEST = -2.5
"""Threshold at level 0, in standard deviations of the noise."""


def _sample(draws: RandomStreams, size: Size, level: float) -> RandomParameters:
    return (phases(draws, size, "blue_noise_sample"),)


def _apply(pixels: Pixels, level: float, phase: Phases) -> Pixels:
    noise = shaped_noise(phase, (pixels.shape[1], pixels.shape[2]), lambda distance: distance)[..., None]
    return pixels.masked_fill(noise <= strength(level, 3.0) + LOWEST, 0)


BLUE_NOISE_SAMPLE = Kernel(
    name="blue_noise_sample",
    severities={"imagenet": (0.8, 1.6, 2.4, 4.0, 5.6), "cifar10": (0.7, 1.4, 2.1, 3.5, 4.2)},
    sample=_sample,
    apply=_apply,
)
