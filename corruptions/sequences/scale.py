"""Scale: the picture grows from less than half its size to more than all of it.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261; constants as in hendrycks/robustness 8190fe3.
"""

from __future__ import annotations

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels, RawImage

from ..sequence import SequenceKernel
from .transform import affine_map, warp_affine

Percent = tuple[float, float]
"""Scale of the first frame, and increase per frame."""


def _film(picture: RawImage, size: int, percent: Percent, draws: RandomStreams) -> Pixels:
    start, step = percent
    scales = [(frame * step + start) / 100.0 for frame in range(len(draws))]
    return warp_affine(picture, [affine_map(picture, scale=scale) for scale in scales], size)


SCALE = SequenceKernel(
    name="scale_sequence",
    difficulties={"imagenet": ((40.0, 2.5),), "cifar10": ((70.0, 2.0),)},
    frames={"imagenet": 31, "cifar10": 31},
    film=_film,
)
