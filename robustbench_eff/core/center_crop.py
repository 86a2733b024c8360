"""The centre of an image, cropped as torchvision's CenterCrop does."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from jaxtyping import UInt8
from torch import Tensor

from .types import Pixels

Centers: TypeAlias = UInt8[Tensor, "batch side side 3"]


class Corner(NamedTuple):
    """Upper left pixel of a crop."""

    top: int
    left: int


def crop_corner(height: int, width: int, side: int) -> Corner:
    """Return the corner of the central square; an odd margin is halved to the nearest even number, as Python rounds.

    Args:
        height: Height of the image in pixels, at least `side`.
        width: Width of the image in pixels, at least `side`.
        side: Side of the square in pixels.
    """
    return Corner(round((height - side) / 2.0), round((width - side) / 2.0))


def center_crop(images: Pixels, side: int) -> Centers:
    """Return a view of the central `side` x `side` pixels of every image.

    Args:
        images: Images at least as large as the crop.
        side: Side of the crop in pixels.
    """
    top, left = crop_corner(images.shape[1], images.shape[2], side)
    return images[:, top : top + side, left : left + side]
