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


def crop_corner(height: int, width: int, crop_height: int, crop_width: int | None = None) -> Corner:
    """Return the corner of the central crop; an odd margin is halved to the nearest even number, as Python rounds.

    Args:
        height: Height of the image in pixels, at least that of the crop.
        width: Width of the image in pixels, at least that of the crop.
        crop_height: Height of the crop in pixels.
        crop_width: Width of the crop in pixels; None for a square.
    """
    crop_width = crop_height if crop_width is None else crop_width
    return Corner(round((height - crop_height) / 2.0), round((width - crop_width) / 2.0))


def center_crop(images: Pixels, side: int) -> Centers:
    """Return a view of the central `side` x `side` pixels of every image.

    Args:
        images: Images at least as large as the crop.
        side: Side of the crop in pixels.
    """
    top, left = crop_corner(images.shape[1], images.shape[2], side)
    return images[:, top : top + side, left : left + side]
