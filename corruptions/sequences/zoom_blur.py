"""Zoom blur: every frame averages one more magnification of the picture.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261; constants as in hendrycks/robustness 8190fe3, which computes
this in float32.
"""

from __future__ import annotations

import torch

from robustbench_eff.core.center_crop import center_crop
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels, RawImage

from ..quantize import WHITE, divided
from ..sequence import SequenceKernel
from .transform import affine_map, warp_affine


def _film(picture: RawImage, size: int, step: float, draws: RandomStreams) -> Pixels:
    scales = [1 + step * frame for frame in range(1, len(draws))]
    zoomed = warp_affine(picture, [affine_map(picture, scale=scale) for scale in scales], size)
    first = center_crop(picture[None], size)
    frames, total = [first[0]], divided(first[0].float(), WHITE)
    for count, image in enumerate(zoomed, 2):
        total = total + divided(image.float(), WHITE)
        frames.append(divided(total, count).mul_(WHITE).to(torch.uint8))
    return torch.stack(frames)


ZOOM_BLUR = SequenceKernel(
    name="zoom_blur_sequence",
    difficulties={"imagenet": (0.004,), "cifar10": (0.004,)},
    frames={"imagenet": 31, "cifar10": 31},
    film=_film,
)
