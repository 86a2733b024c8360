"""Motion blur: the picture is smeared along a line that turns.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261; constants as in hendrycks/robustness 8190fe3.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels, RawImage

from ..motion_blur import MOTION_BLUR as STILL
from ..sequence import SequenceKernel, clean_frames
from ..smear import Motion


class Turning(NamedTuple):
    """A motion whose direction turns."""

    motion: Motion
    level: int
    """Index of the frame in which the direction is along the rows."""
    degrees: int
    """Rotation of the direction per frame."""


def _film(picture: RawImage, size: int, turning: Turning, draws: RandomStreams) -> Pixels:
    frames = torch.arange(len(draws), device=picture.device)
    angles = ((frames - turning.level) * turning.degrees).double()
    return STILL.applied(clean_frames(picture, size, len(draws)), turning.motion, angles)


MOTION_BLUR = SequenceKernel(
    name="motion_blur_sequence",
    difficulties={"imagenet": (Turning(Motion(10, 3), 30, 4),), "cifar10": (Turning(Motion(6, 1.8), 20, 9),)},
    frames={"imagenet": 31, "cifar10": 21},
    film=_film,
)
