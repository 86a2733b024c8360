"""Frost: a part of a picture of ice is mixed in.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261; constants as in hendrycks/robustness 8190fe3. imagecorruptions
1.1.2 enlarges the pictures by a tenth, and further where they are smaller than the images: `FROST_IMAGECORRUPTIONS`.
Differs: the pictures of `FROST` are grown by our own code, for the published ones may not be passed on; the other two
take those from a folder of the user's.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Float64, UInt8
from torch import Tensor
from torch.nn.functional import interpolate

from robustbench_eff.core.errors import DataError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels

from .corruption import Constants, Kernel, RandomParameters, Size, no_files
from .frost_pictures import Picture, pictures
from .published_frost import published_frost
from .quantize import WHITE
from .random import uniforms

Ice: TypeAlias = UInt8[Tensor, "_ _ 3"]
Shares: TypeAlias = tuple[float, float]
"""Of the image and of the ice."""

SHRUNK = 5
"""How many times smaller the pictures are for images of CIFAR-10's size."""
MARGIN = 1.1
"""How many times larger than need be imagecorruptions makes them."""
SEVERITIES: Mapping[Constants, Sequence[Shares]] = {
    "imagenet": ((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)),
    "cifar10": ((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)),
}


def frost_of(name: str, *, of: Sequence[Picture] | None = None) -> Kernel[Shares]:
    """The kernel with pictures (uint8, (H, W, 3), none smaller than the images); without any, with our own."""
    if of is None:
        return _kernel(name, pictures)
    given = tuple(of)
    return _kernel(name, lambda: given, files=lambda: {"pictures": _digest(given)})


def shrunk(picture: Picture, size: Size) -> Ice:
    """As the original has it: as it is, but a fifth as large for images of CIFAR-10's size."""
    if max(size) * SHRUNK > min(picture.shape[:2]):
        return torch.from_numpy(np.array(picture))
    small = interpolate(_planes(picture), scale_factor=1 / SHRUNK, mode="bilinear", align_corners=False)
    return _levels(small)


def enlarged(picture: Picture, size: Size) -> Ice:
    """As imagecorruptions has it: a tenth larger than it is, or than it must be to cover the image; bicubic.

    OpenCV's result differs by one level on 0.002 % of the values, or on 5 % where it is built without Intel's IPP.
    """
    scale = MARGIN * max(1.0, *(here / there for here, there in zip(size, picture.shape, strict=False)))
    height, width = (math.ceil(side * scale) for side in picture.shape[:2])
    return _levels(interpolate(_planes(picture), size=(height, width), mode="bicubic", align_corners=False))


def _kernel(
    name: str,
    of: Callable[[], Sequence[Picture]],
    *,
    fit: Callable[[Picture, Size], Ice] = shrunk,
    constants: Sequence[Constants] = ("imagenet", "cifar10"),
    files: Callable[[], Mapping[str, str]] = no_files,
) -> Kernel[Shares]:
    @lru_cache(maxsize=4)
    def fitted(size: Size) -> tuple[Ice, ...]:
        return _covering([fit(picture, size) for picture in of()], size)

    def sample(draws: RandomStreams, size: Size, shares: Shares) -> RandomParameters:
        uniform = uniforms(draws, (3,), "frost").double()
        return (torch.stack([_part(fitted(size), size, row) for row in uniform.cpu()]),)

    return Kernel(
        name=name,
        severities={each: SEVERITIES[each] for each in constants},
        sample=sample,
        apply=_apply,
        compiled=_compiled,
        files=files,
    )


def _covering(of: Sequence[Ice], size: Size) -> tuple[Ice, ...]:
    """The same pictures; DataError where one is smaller than the images."""
    for picture in of:
        height, width = picture.shape[:2]
        if height < size[0] or width < size[1]:
            raise DataError(
                f"A frost picture of {width}×{height} pixels is smaller than the images of {size[1]}×{size[0]}.",
                "Give larger ones, or take frost_imagecorruptions, which enlarges them.",
            )
    return tuple(of)


def _part(of: Sequence[Ice], size: Size, uniform: Tensor) -> Ice:
    """A part of the image's size of a random picture."""
    picture = of[int(uniform[0] * len(of))]
    room = [there - here for there, here in zip(picture.shape[:2], size, strict=True)]
    top, left = (int(u * max(1, space)) for u, space in zip(uniform[1:].tolist(), room, strict=True))
    return picture[top : top + size[0], left : left + size[1]]


def _planes(picture: Picture) -> Float64[Tensor, "1 3 height width"]:
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].double()


def _levels(planes: Float64[Tensor, "1 3 height width"]) -> Ice:
    return planes[0].permute(1, 2, 0).round().clamp(0, WHITE).to(torch.uint8)


def _digest(of: Sequence[Picture]) -> str:
    """A hash of pictures and their order."""
    found = hashlib.blake2b(digest_size=8)
    for picture in of:
        found.update(f"{picture.shape}".encode() + np.ascontiguousarray(picture).tobytes())
    return found.hexdigest()


def _apply(pixels: Pixels, shares: Shares, ice: UInt8[Tensor, "batch height width 3"]) -> Pixels:
    kept, frozen = shares
    mixed = kept * pixels.double() + frozen * ice.to(pixels.device).double()
    return mixed.clamp_(0, WHITE).to(torch.uint8)


def _compiled(pixels: Pixels, shares: Shares, ice: UInt8[Tensor, "batch height width 3"]) -> Pixels:
    from .compiled import jit
    from .compiled import noise as loops

    return jit.apply_loop(loops.frost, pixels.flatten(1), *map(float, shares), ice.flatten(1)).view_as(pixels)


def _published() -> Mapping[str, str]:
    return {"pictures": f"hendrycks/robustness {_digest(published_frost())}"}


FROST = frost_of("frost")
FROST_PUBLISHED = _kernel("frost_published", published_frost, files=_published)
FROST_IMAGECORRUPTIONS = _kernel(
    "frost_imagecorruptions", published_frost, fit=enlarged, constants=("imagenet",), files=_published
)
