"""Motion blur: smears the image along a line of random direction.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261; constants as in hendrycks/robustness 8190fe3.
"""

from __future__ import annotations

import torch

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels

from .corruption import Kernel, RandomParameters, Size
from .quantize import WHITE
from .smear import Angles, Motion, angles, motion_blur


def _sample(draws: RandomStreams, size: Size, motion: Motion) -> RandomParameters:
    return (angles(draws, -45, 45, "motion_blur"),)


def _apply(pixels: Pixels, motion: Motion, direction: Angles) -> Pixels:
    return motion_blur(pixels.double(), motion, direction).clamp_(0, WHITE).to(torch.uint8)


def _compiled(pixels: Pixels, motion: Motion, direction: Angles) -> Pixels:
    from .compiled import jit
    from .compiled import motion as loops

    return jit.apply_loop(loops.motion_blur, pixels, motion.weights, motion.steps(direction))


MOTION_BLUR = Kernel(
    name="motion_blur",
    severities={
        "imagenet": (Motion(10, 3), Motion(15, 5), Motion(15, 8), Motion(15, 12), Motion(20, 15)),
        "cifar10": (Motion(6, 1), Motion(6, 1.5), Motion(6, 2), Motion(8, 2), Motion(9, 2.5)),
    },
    sample=_sample,
    apply=_apply,
    compiled=_compiled,
)
