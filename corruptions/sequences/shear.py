"""Shear: the picture is sheared from 15 degrees in one direction to 15 degrees in the other.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261; constants as in hendrycks/robustness 8190fe3.
"""

from __future__ import annotations

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels, RawImage

from ..sequence import SequenceKernel
from .transform import affine_map, warp_affine


def _film(picture: RawImage, size: int, degrees: int, draws: RandomStreams) -> Pixels:
    angles = range(-degrees, len(draws) - degrees)
    return warp_affine(picture, [affine_map(picture, shear=angle) for angle in angles], size)


SHEAR = SequenceKernel(
    name="shear_sequence",
    difficulties={"imagenet": (15,), "cifar10": (15,)},
    frames={"imagenet": 31, "cifar10": 31},
    film=_film,
)
