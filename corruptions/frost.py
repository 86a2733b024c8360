"""Frost: a part of a picture of ice is mixed in.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261; constants as in hendrycks/robustness 8190fe3.
Differs: the pictures are grown by our own code, for the published ones may not be passed on; `frost_of` takes those.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from robustbench_eff.errors import DataError
from robustbench_eff.rng import Draws
from robustbench_eff.types import Pixels

from .corruption import Kernel, Sampled, Size
from .ice import Picture, pictures
from .levels import WHITE
from .random import uniforms

SHRUNK = 5
"""How many times smaller the pictures are for images of CIFAR-10's size."""


def frost_of(name: str, *, of: Sequence[Picture] | None = None) -> Kernel[tuple[float, float]]:
    """The kernel with pictures (uint8, (H, W, 3), each larger than the images); without any, with our own."""

    def sample(draws: Draws, size: Size, value: tuple[float, float]) -> Sampled:
        uniform = uniforms(draws, (3,), "frost").double()
        parts = [_part(pictures() if of is None else of, size, row) for row in uniform.cpu()]
        return (torch.from_numpy(np.stack(parts)),)

    return Kernel(
        name=name,
        severities={
            "imagenet": ((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)),
            "cifar10": ((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)),
        },
        sample=sample,
        apply=_apply,
        compiled=_compiled,
    )


def _part(of: Sequence[Picture], size: Size, uniform: Tensor) -> Picture:
    """A part of the image's size of a random picture."""
    picture = of[int(uniform[0] * len(of))]
    if max(size) * SHRUNK <= min(picture.shape[:2]):
        small = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float()
        shrunk = torch.nn.functional.interpolate(small, scale_factor=1 / SHRUNK, mode="bilinear", align_corners=False)
        picture = shrunk[0].permute(1, 2, 0).round().to(torch.uint8).numpy()
    room = [there - here for there, here in zip(picture.shape[:2], size, strict=True)]
    if min(room) < 0:
        raise DataError(
            f"Frost pictures of {picture.shape[1]}×{picture.shape[0]} pixels are smaller than the images.",
            "Give larger ones.",
        )
    top, left = (int(u * max(1, space)) for u, space in zip(uniform[1:].tolist(), room, strict=True))
    return picture[top : top + size[0], left : left + size[1]]


def _apply(pixels: Pixels, shares: tuple[float, float], ice: UInt8[Tensor, "batch height width 3"]) -> Pixels:
    kept, frozen = shares
    mixed = kept * pixels.double() + frozen * ice.to(pixels.device).double()
    return mixed.clamp_(0, WHITE).to(torch.uint8)


def _compiled(pixels: Pixels, shares: tuple[float, float], ice: UInt8[Tensor, "batch height width 3"]) -> Pixels:
    from .compiled import frame
    from .compiled import noise as loops

    return frame.changed(loops.frost, pixels.flatten(1), *map(float, shares), ice.flatten(1)).view_as(pixels)


FROST = frost_of("frost")
