"""Translate: the picture moves to the right by one pixel per frame.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261; constants as in hendrycks/robustness 8190fe3.
"""

from __future__ import annotations

import torch
import torch.nn.functional as functional

from robustbench_eff.core.center_crop import crop_corner
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels, RawImage

from ..sequence import SequenceKernel


def _film(picture: RawImage, size: int, start: int, draws: RandomStreams) -> Pixels:
    top, left = crop_corner(picture.shape[0], picture.shape[1], size)
    reach = max(start, len(draws))
    wide = functional.pad(picture[top : top + size], (0, 0, reach, reach))
    firsts = [left + reach + start - frame for frame in range(len(draws))]
    return torch.stack([wide[:, first : first + size] for first in firsts])


TRANSLATE = SequenceKernel(
    name="translate_sequence",
    difficulties={"imagenet": (20,), "cifar10": (7,)},
    frames={"imagenet": 41, "cifar10": 16},
    film=_film,
)
