"""Brownish noise: each channel gets noise whose amplitude falls with the square of the frequency.

Source: Mintun, Kirillov & Xie 2021, arXiv:2102.11273; constants as in facebookresearch/augmentation-corruption ba4d5a5.
"""

from __future__ import annotations

import torch

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels

from .corruption import Kernel, RandomParameters, Size
from .quantize import WHITE
from .severity_ranges import strength
from .spectrum import Phases, phases, shaped_noise


def _sample(draws: RandomStreams, size: Size, level: float) -> RandomParameters:
    return (phases(draws, size, "brownish_noise", planes=(3,)),)


def _apply(pixels: Pixels, level: float, phase: Phases) -> Pixels:
    noise = shaped_noise(phase, (pixels.shape[1], pixels.shape[2]), lambda distance: 1 / (distance**2 + 1))
    return (pixels + strength(level, 64.0) * noise.movedim(1, 3)).clamp_(0, WHITE).to(torch.uint8)


BROWNISH_NOISE = Kernel(
    name="brownish_noise",
    severities={"imagenet": (1.0, 2.0, 3.0, 4.0, 5.0), "cifar10": (2.5, 4.0, 5.5, 6.5, 7.0)},
    sample=_sample,
    apply=_apply,
)
